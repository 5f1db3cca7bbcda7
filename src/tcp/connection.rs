//! A connection: its transmission control block (RFC 9293, section 3.3.1).

use std::sync::Arc;

use super::Config;
use super::congestion::Congestion;
use super::receive::Receive;
use super::rtt::Rtt;
use super::segment::Segment;
use super::send_buffer::SendBuffer;
use super::seq::Seq;
use super::timers::Timers;
use crate::model::{Errno, State, TcpNote, Time};
use crate::mutant::Mutant;

/// The segment size that a peer is sent where it names none (RFC 9293, section 3.7.1): over IPv4 and IPv6.
pub(crate) const MSS_DEFAULT: [u16; 2] = [536, 1_220];
/// No peer makes us send smaller segments than this, whatever it asks for (Linux's `tcp_min_snd_mss`).
const MSS_MIN: u32 = 48;

/// What a socket brings along to its connection. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The largest segment that this side can take: what its SYN names, and the most that it sends.
    pub(crate) mss: u16,
    /// The segment size for a peer that names none.
    pub(crate) mss_default: u16,
    /// What a program may write ahead.
    pub(crate) send_buffer: usize,
    /// What is kept for a program that does not read.
    pub(crate) recv_buffer: usize,
    /// Nagle's algorithm is off (TCP_NODELAY).
    pub(crate) no_delay: bool,
}

/// The send sequence variables (RFC 9293, section 3.3.1), in its words.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub(crate) iss: Seq,
    pub(crate) una: Seq,
    /// SND.NXT: beyond all that was sent within the window. A timeout does not move it back: what is to be
    /// sent again is counted by `again`, so that an acknowledgement never bears an old sequence number.
    pub(crate) nxt: Seq,
    /// Beyond all that was ever sent: SND.NXT, or one more while an octet probes a closed window.
    pub(crate) max: Seq,
    /// The sequence number of the first octet in the send buffer.
    pub(crate) text: Seq,
    pub(crate) wnd: u32,
    pub(crate) wl1: Seq,
    pub(crate) wl2: Seq,
    /// The largest window that the peer ever offered.
    pub(crate) wnd_max: u32,
    /// The farthest right edge that the peer ever offered.
    pub(crate) edge: Seq,
    /// After a timeout: from here on to SND.NXT all is sent again, as the congestion window allows.
    pub(crate) again: Option<Seq>,
    /// The first unacknowledged segment is to be sent again at once.
    pub(crate) resend_first: bool,
    /// The segment that is being timed: the sequence number behind it, and when it was sent (RFC 6298,
    /// section 3).
    pub(crate) timed: Option<(Seq, Time)>,
    /// When text was last sent.
    pub(crate) last: Time,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    pub(super) options: Options,
    /// SMSS: the largest segment that is sent.
    pub(super) mss: u32,
    pub(super) snd: Send,
    /// What the program has written and the peer has not acknowledged.
    pub(super) buffer: SendBuffer,
    pub(super) rcv: Receive,
    pub(super) rtt: Rtt,
    pub(super) congestion: Congestion,
    pub(super) timers: Timers,
    /// The SYN, or SYN-ACK, is to be sent (again).
    pub(super) syn_due: bool,
    /// How often the timer had it sent again.
    pub(super) syn_timeouts: u32,
    /// The window that was offered last.
    pub(super) offered: u16,
    /// An acknowledgement is to be sent at once.
    pub(super) ack_due: bool,
    /// Segments with text since the last acknowledgement.
    pub(super) unacknowledged: u32,
    /// The program has closed before the handshake was complete.
    pub(super) close_follows: bool,
    /// A reset is to be sent; then the connection is gone.
    pub(super) reset_due: bool,
    /// What a call will be told, once.
    pub(super) error: Option<Errno>,
    /// The last ICMP error that does not end a connection, until an acknowledgement shows that it has passed.
    pub(super) soft_error: Option<Errno>,
    /// The program has closed the socket and will not read.
    pub(super) orphan: bool,
    /// SHUT_RD.
    pub(super) read_shut: bool,
    /// The socket may have become ready.
    pub(super) woken: bool,
    /// When an acknowledgement last answered a segment that is out of place.
    pub(super) last_answer: Option<Time>,
    /// What it did, for the trace: at most a handful between two polls.
    pub(super) notes: Vec<TcpNote>,
}

/// Notes that wait to be polled.
const NOTES_MAX: usize = 64;

impl Connection {
    fn new(config: Arc<Config>, options: Options, iss: Seq, state: State) -> Connection {
        let mss = u32::from(options.mss.min(options.mss_default));
        Connection {
            state,
            mss,
            snd: Send {
                iss,
                una: iss,
                nxt: iss,
                max: iss,
                text: iss + 1,
                wnd: 0,
                wl1: Seq(0),
                wl2: Seq(0),
                wnd_max: 0,
                edge: iss,
                again: None,
                resend_first: false,
                timed: None,
                last: Time::ZERO,
            },
            buffer: SendBuffer::default(),
            rcv: Receive::new(options.recv_buffer),
            rtt: Rtt::new(&config),
            congestion: Congestion::new(mss, iss),
            timers: Timers::default(),
            syn_due: true,
            syn_timeouts: 0,
            offered: 0,
            ack_due: false,
            unacknowledged: 0,
            close_follows: false,
            reset_due: false,
            error: None,
            soft_error: None,
            orphan: false,
            read_shut: false,
            woken: false,
            last_answer: None,
            notes: vec![TcpNote::State(state)],
            config,
            options,
        }
    }

    /// An active OPEN (RFC 9293, section 3.10.1): the SYN is due.
    pub(crate) fn open(config: Arc<Config>, options: Options, iss: Seq) -> Connection {
        Connection::new(config, options, iss, State::SynSent)
    }

    /// What a SYN that meets a listener makes (RFC 9293, section 3.10.7.2): the SYN-ACK is due. Text beside
    /// the SYN is not kept: the peer sends it again.
    pub(crate) fn answer(config: Arc<Config>, options: Options, iss: Seq, syn: &Segment<'_>) -> Connection {
        let mut connection = Connection::new(config, options, iss, State::SynReceived);
        connection.learn_syn(syn);
        connection
    }

    /// Takes in what the peer's SYN says.
    pub(super) fn learn_syn(&mut self, syn: &Segment<'_>) {
        self.rcv.begin(syn.seq);
        // As in Linux a size of 0 is as good as none.
        let named = match self.is(Mutant::IgnoresSegmentSize) {
            true => u16::MAX,
            false => syn.mss.filter(|mss| *mss > 0).unwrap_or(self.options.mss_default),
        };
        self.mss = u32::from(named).max(MSS_MIN).min(u32::from(self.options.mss));
        self.congestion.begin(self.mss, 0);
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            self.note(TcpNote::State(state));
        }
        self.state = state;
    }

    pub(super) fn note(&mut self, note: TcpNote) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        }
    }

    /// The congestion window in bytes, if it may send data and the window is another one than when it was
    /// asked last.
    pub(crate) fn take_congestion_window(&mut self) -> Option<u32> {
        let sends = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1 | State::Closing | State::LastAck
        );
        (sends && self.congestion.told != self.congestion.cwnd).then(|| {
            self.congestion.told = self.congestion.cwnd;
            self.congestion.cwnd
        })
    }

    /// What it did since it was asked last.
    pub(crate) fn take_notes(&mut self) -> Vec<TcpNote> {
        std::mem::take(&mut self.notes)
    }

    /// Whether the socket may have become ready since this was asked last.
    pub(crate) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// Whether this connection has that bug.
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.config.is(mutant)
    }

    /// Where the text ends that the program has written: where its FIN stands, if it has closed.
    pub(super) fn text_end(&self) -> Seq {
        self.snd.text + self.buffer.len() as u32
    }

    /// Ends TIME-WAIT for a new connection, and gives SND.NXT. What was not read stays readable.
    pub(crate) fn make_way(&mut self) -> Seq {
        self.end(None);
        self.snd.nxt
    }

    /// Whether a segment would complete the handshake.
    pub(crate) fn is_completed_by(&self, segment: &Segment<'_>) -> bool {
        self.state == State::SynReceived && !segment.rst && segment.ack == Some(self.snd.nxt)
    }

    /// Whether a sequence number was sent and is not acknowledged.
    pub(crate) fn is_outstanding(&self, seq: Seq) -> bool {
        !seq.before(self.snd.una) && seq.before(self.snd.max)
    }

    /// Memory that its buffers take up, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.buffer.memory() + self.rcv.memory()
    }

    /// Sent and not acknowledged, in sequence numbers.
    pub(super) fn flight(&self) -> u32 {
        self.snd.nxt - self.snd.una
    }

    /// The connection is over. `error` is what the program's next call is told.
    pub(super) fn end(&mut self, error: Option<Errno>) {
        self.enter(State::Closed);
        self.error = error.or(self.error);
        self.soft_error = None;
        self.timers = Timers::default();
        self.buffer.clear();
        (self.syn_due, self.ack_due) = (false, false);
        (self.snd.again, self.snd.resend_first) = (None, false);
        self.woken = true;
    }

    /// The peer has been silent for too long. If routers have reported why, that is what the program is told
    /// (RFC 9293, section 3.9.1.8, MUST-47; Linux's `sk_err_soft`).
    pub(super) fn give_up_waiting(&mut self) {
        self.end(self.soft_error.or(Some(Errno::ETIMEDOUT)));
    }

    /// Sends a reset and ends.
    pub(super) fn abort(&mut self, error: Option<Errno>) {
        self.reset_due = !matches!(self.state, State::Closed | State::SynSent | State::TimeWait);
        self.end(error);
    }
}
