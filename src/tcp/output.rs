//! What is sent next (RFC 9293, sections 3.8 and 3.10): one segment at a time, as long as there is one.

use super::connection::Connection;
use super::segment::Segment;
use super::seq::Seq;
use crate::model::{State, TcpNote, Time};
use crate::mutant::Mutant;

/// A segment's place in the stream: where it begins, how much text, and whether the FIN follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    seq: Seq,
    len: u32,
    fin: bool,
}

impl Piece {
    fn end(self) -> Seq {
        self.seq + self.len + u32::from(self.fin)
    }
}

impl Connection {
    /// The next segment; `None` once there is nothing to be sent.
    pub(crate) fn next_segment(&mut self, now: Time) -> Option<Segment<'_>> {
        if self.reset_due {
            // An octet that probed a closed window was taken or was not: there is a reset for either case.
            let seq = std::mem::replace(&mut self.snd.nxt, self.snd.max);
            self.reset_due = seq != self.snd.max;
            return Some(Segment { rst: true, ack: Some(self.rcv.nxt), ..Segment::at(seq) });
        }
        let piece = match self.state {
            State::Closed => return None,
            State::SynSent | State::SynReceived => {
                if std::mem::take(&mut self.syn_due) {
                    return Some(self.syn(now));
                }
                None
            }
            _ => self.next_piece(now),
        };
        if let Some(piece) = piece {
            return Some(self.with_text(piece, now));
        }
        if self.state.is_synchronized() {
            self.settle_persist(now);
        }
        if self.ack_due {
            return Some(self.acknowledgement());
        }
        None
    }

    /// The SYN, or the SYN-ACK.
    fn syn(&mut self, now: Time) -> Segment<'static> {
        let first_time = self.snd.nxt == self.snd.iss;
        self.snd.nxt = self.snd.iss + 1;
        self.snd.max = self.snd.nxt;
        self.snd.timed = first_time.then_some((self.snd.nxt, now));
        self.start_retransmit(now);
        let answering = self.state == State::SynReceived;
        if answering {
            self.ack_sent();
        }
        // The window of a SYN is never scaled (RFC 7323, section 2.2).
        let window = self.offer();
        Segment {
            syn: true,
            ack: answering.then_some(self.rcv.nxt),
            mss: Some(self.options.mss),
            window,
            ..Segment::at(self.snd.iss)
        }
    }

    fn acknowledgement(&mut self) -> Segment<'static> {
        self.ack_sent();
        let window = self.offer();
        Segment { ack: Some(self.rcv.nxt), window, ..Segment::at(self.snd.nxt) }
    }

    /// The window to be offered.
    fn offer(&mut self) -> u16 {
        if self.is(Mutant::OffersTheMost) {
            self.rcv.set_capacity(self.rcv.readable() + 65_535);
        }
        let worth = if self.is(Mutant::OffersLittle) { 1 } else { self.mss };
        let window = self.rcv.offer(worth);
        if window == 0 && self.offered != 0 && self.state.receives() {
            self.note(TcpNote::WindowClosed);
        }
        self.offered = window;
        window
    }

    /// Something with an acknowledgement goes out.
    fn ack_sent(&mut self) {
        self.ack_due = false;
        self.unacknowledged = 0;
        self.timers.delayed_ack = None;
    }

    fn with_text(&mut self, piece: Piece, now: Time) -> Segment<'_> {
        let first_time = !piece.seq.before(self.snd.max);
        if !first_time && !self.is(Mutant::TimesRepeats) {
            // Karn's algorithm (RFC 6298, section 3): a segment that was sent again is not timed.
            if self.snd.timed.is_some_and(|(end, _)| end.after(piece.seq)) {
                self.snd.timed = None;
            }
        } else if self.snd.timed.is_none() {
            self.snd.timed = Some((piece.end(), now));
        }
        if first_time && self.is(Mutant::RepeatsUnasked) {
            self.snd.resend_first = true;
        }
        self.snd.max = self.snd.max.max(piece.end());
        self.snd.last = now;
        self.ack_sent();
        let window = self.offer();
        let start = piece.seq.past(self.snd.text) as usize;
        let is_pushed = piece.len > 0 && !self.is(Mutant::NeverPushes);
        Segment {
            ack: Some(self.rcv.nxt),
            fin: piece.fin,
            psh: is_pushed && piece.seq + piece.len == self.text_end(),
            window,
            text: self.buffer.slice(start, piece.len as usize),
            ..Segment::at(piece.seq)
        }
    }

    /// The next segment with text or a FIN.
    fn next_piece(&mut self, now: Time) -> Option<Piece> {
        if self.state == State::TimeWait {
            return None;
        }
        if std::mem::take(&mut self.timers.probe_due) {
            return self.probe(now);
        }
        if std::mem::take(&mut self.snd.resend_first) && self.flight() > 0 {
            self.start_retransmit(now);
            return Some(self.resend(self.snd.una, self.mss));
        }
        if let Some(again) = self.snd.again {
            let piece = self.next_again(again.max(self.snd.una))?;
            if let Some(piece) = piece {
                self.snd.again = Some(piece.end()).filter(|next| next.before(self.snd.nxt));
                self.start_retransmit(now);
                return Some(piece);
            }
        }
        let piece = self.next_new(now)?;
        self.snd.nxt = piece.end();
        self.start_retransmit(now);
        Some(piece)
    }

    /// What was sent before at `seq`, up to `most` octets.
    fn resend(&self, seq: Seq, most: u32) -> Piece {
        let len = self.text_end().min(self.snd.nxt).past(seq).min(most).min(self.mss);
        let end = seq + len;
        let fin = end == self.text_end() && self.snd.nxt.after(end);
        Piece { seq, len, fin }
    }

    /// After a timeout: what is sent again next. `None`: nothing for now; `Some(None)`: all was.
    #[expect(clippy::option_option, reason = "to wait and to be done are two things")]
    fn next_again(&mut self, again: Seq) -> Option<Option<Piece>> {
        if !again.before(self.snd.nxt) || self.is(Mutant::NeverRetransmits) {
            self.snd.again = None;
            return Some(None);
        }
        let allowed = self.congestion.cwnd.min(self.snd.wnd);
        let room = allowed.saturating_sub(again - self.snd.una);
        if room == 0 {
            return None;
        }
        let piece = self.resend(again, room);
        // No small pieces where an acknowledgement is sure to come.
        let whole = piece.len == self.mss || piece.end() == self.snd.nxt;
        (whole || again == self.snd.una).then_some(Some(piece))
    }

    /// Whether something was never sent: text, or the FIN behind it.
    pub(super) fn has_unsent(&self) -> bool {
        let end = self.text_end() + u32::from(self.state.has_closed());
        self.state != State::TimeWait && self.snd.nxt.before(end)
    }

    /// What is sent for the first time next, as the windows, Nagle's algorithm and silly-window avoidance
    /// allow.
    fn next_new(&mut self, now: Time) -> Option<Piece> {
        if !self.has_unsent() {
            return None;
        }
        let idle = self.flight() == 0 && now.since(self.snd.last) > self.rtt.rto();
        if idle && !self.is(Mutant::KeepsTheWindow) {
            self.congestion.after_idle();
        }
        let (unsent, in_window) = (self.text_end().past(self.snd.nxt), self.send_window());
        let cwnd = self.congestion.cwnd.saturating_add(self.congestion.limited_transmit());
        let in_cwnd = match self.is(Mutant::IgnoresCongestion) {
            true => in_window,
            false => cwnd.saturating_sub(self.flight()),
        };
        let len = unsent.min(self.mss).min(in_window).min(in_cwnd);
        // The FIN takes up a place in the window, but is nothing to a congested network.
        let fin = self.state.has_closed() && len == unsent && len < in_window && in_cwnd > 0;
        let piece = Piece { seq: self.snd.nxt, len, fin };
        (fin || self.is_worth_sending(len, unsent)).then_some(piece)
    }

    /// How much more the peer's window takes.
    fn send_window(&self) -> u32 {
        if self.is(Mutant::IgnoresWindow) {
            return self.snd.wnd_max.max(4 * self.mss).saturating_sub(self.flight());
        }
        self.snd.wnd.saturating_sub(self.flight())
    }

    /// Nagle's algorithm and the avoidance of silly windows (RFC 9293, sections 3.7.4 and 3.8.6.2.1).
    fn is_worth_sending(&self, len: u32, unsent: u32) -> bool {
        if len == 0 {
            return false;
        }
        let idle = self.flight() == 0;
        let pushed = len == unsent && (idle || self.options.no_delay || self.state.has_closed());
        len == self.mss || pushed || ((idle || self.options.no_delay) && len >= self.snd.wnd_max / 2)
    }

    /// What goes out when the persist timer has expired: what the window takes, were it ever so little, or an
    /// octet beyond it (RFC 9293, section 3.8.6.1). That octet is not counted as sent: SND.NXT stays.
    fn probe(&mut self, now: Time) -> Option<Piece> {
        if self.flight() > 0 {
            self.note(TcpNote::Probe);
            self.timers.retransmit = Some(now + self.rtt.rto());
            return Some(self.resend(self.snd.una, 1));
        }
        if !self.has_unsent() {
            return None;
        }
        let unsent = self.text_end().past(self.snd.nxt);
        let len = unsent.min(self.mss).min(self.snd.wnd.max(1));
        let fin = self.state.has_closed() && unsent == 0;
        let piece = Piece { seq: self.snd.nxt, len, fin };
        if self.snd.wnd > 0 {
            self.snd.nxt = piece.end();
            self.start_retransmit(now);
        } else {
            self.note(TcpNote::Probe);
            self.timers.persist = Some(self.next_probe(now));
        }
        Some(piece)
    }
}
