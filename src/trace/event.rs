//! The events of a run.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::errno::Errno;
use crate::fault::{Action, Label};
use crate::stack::SocketOption;
use crate::tcp::State;
use crate::time::Time;

/// A host of the run: its index in [`Trace::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u16);

/// A packet put on the wire: numbered from 0 in the order of being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u32);

/// A socket of a host, numbered from 0 in the order in which its programs opened them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// All events of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    hosts: Vec<String>,
    events: Vec<Event>,
    windows: Vec<CongestionWindow>,
    packets: u32,
    /// Events are not kept.
    is_silent: bool,
}

/// What a connection's congestion window became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CongestionWindow {
    /// When.
    pub at: Time,
    /// How many events of the trace came before.
    pub place: usize,
    /// The host.
    pub host: HostId,
    /// The connection's port at this host.
    pub port: u16,
    /// The peer's port.
    pub peer: u16,
    /// The window, in bytes.
    pub bytes: u32,
}

impl CongestionWindow {
    /// The note that said so.
    pub fn what(&self) -> What {
        let note = TcpNote::CongestionWindow(self.bytes);
        What::Note { host: self.host, note: Note::Tcp { port: self.port, peer: self.peer, note } }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A host put a packet on the wire (as it left the host, before any fault).
    Sent {
        /// The packet.
        packet: PacketId,
        /// Who sent it.
        from: HostId,
        /// Where the link carries it. A broadcast is a packet for each host that it goes to.
        to: HostId,
        /// What it is called by.
        label: Label,
        /// The whole IP packet.
        bytes: Bytes,
    },
    /// A packet appeared on the wire that nobody sent.
    Injected {
        /// The packet.
        packet: PacketId,
        /// Who seems to have sent it.
        from: HostId,
        /// Where the link carries it.
        to: HostId,
        /// The whole IP packet.
        bytes: Bytes,
    },
    /// A fault of the plan was applied to a packet.
    Fault {
        /// The packet.
        packet: PacketId,
        /// The fault's index in the plan.
        fault: usize,
        /// What was done.
        action: Action,
    },
    /// A packet reached the end of the wire and was handed to the host's stack.
    Arrived {
        /// The packet.
        packet: PacketId,
        /// 0, or 1 for the copy that a duplication made.
        copy: u8,
        /// The host.
        to: HostId,
        /// What arrived, where that differs from what was sent.
        altered: Option<Bytes>,
    },
    /// A packet was lost, other than by a fault that drops it.
    Lost {
        /// The packet.
        packet: PacketId,
        /// Why.
        reason: LossReason,
    },
    /// A program's socket call came back.
    Call {
        /// The host whose program called.
        host: HostId,
        /// The socket.
        socket: SocketId,
        /// The call, with what it was given or gave.
        call: Call,
        /// Its error, if it failed.
        error: Option<Errno>,
    },
    /// A host's stack tells what it did.
    Note {
        /// The host.
        host: HostId,
        /// What it did.
        note: Note,
    },
    /// The link between two hosts was cut (all links, if `None`).
    Partitioned(Option<[HostId; 2]>),
    /// The link between two hosts was mended (all links, if `None`).
    Healed(Option<[HostId; 2]>),
    /// A host lost power.
    Crashed(HostId),
    /// A host started again.
    Restarted(HostId),
}

/// Why a packet was lost, other than by a fault that drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossReason {
    /// The link was cut.
    Partition,
    /// The receiving host was down.
    HostDown,
    /// No host of the link has the address.
    NoSuchHost,
    /// It is larger than the link's MTU.
    TooBig,
    /// The wire holds as many packets as it may.
    WireFull,
    /// What was damaged on the way was recognised and thrown away by the receiving end of a relay.
    Damaged,
    /// It came to the far end of a relay, but the system did not send it on.
    NotHandedOn,
}

/// A socket call with what it was given or gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// A datagram socket was bound: its address.
    Bind(SocketAddr),
    /// `connect`: to whom.
    Connect(SocketAddr),
    /// `listen`: where.
    Listen(SocketAddr),
    /// `accept`: the new socket and its peer; with an error both say nothing.
    Accept {
        /// The new socket.
        socket: SocketId,
        /// Its peer.
        peer: Option<SocketAddr>,
    },
    /// `send` or `sendto`.
    Send {
        /// The address given, if one was.
        to: Option<SocketAddr>,
        /// What was taken, or, with an error, what was to be sent.
        data: Bytes,
    },
    /// `recv` or `recvfrom`.
    Recv {
        /// The sender's address, from a datagram socket.
        from: Option<SocketAddr>,
        /// What came. Nothing, on a stream, is its end.
        data: Bytes,
        /// The datagram's own length; on a stream the length of `data`.
        full_len: usize,
    },
    /// `shutdown` of the sending direction.
    Shutdown,
    /// `close`.
    Close,
    /// `setsockopt`.
    Option(SocketOption),
}

/// What a host's stack tells of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Note {
    /// A packet was thrown away.
    Dropped(DropReason),
    /// A datagram was put together from its fragments: its length in bytes, IP payload.
    Reassembled(u32),
    /// A TCP connection did something.
    Tcp {
        /// The connection's port at this host.
        port: u16,
        /// The peer's port.
        peer: u16,
        /// What it did.
        note: TcpNote,
    },
}

/// What a TCP connection tells of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TcpNote {
    /// It entered a state.
    State(State),
    /// The retransmission timer expired.
    Timeout,
    /// Three duplicate acknowledgements: the first unacknowledged segment is sent again at once.
    FastRetransmit,
    /// A closed window is probed with an octet.
    Probe,
    /// This side offers no window any more.
    WindowClosed,
    /// Its congestion window is now so many bytes. A trace keeps these apart from its events:
    /// [`Trace::congestion_windows`].
    CongestionWindow(u32),
}

/// Why a stack threw a packet away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// It is no IP packet, or its header is malformed.
    Malformed,
    /// The IPv4 header checksum is wrong.
    IpChecksum,
    /// The UDP (or TCP) checksum is wrong.
    TransportChecksum,
    /// The ICMP checksum is wrong.
    IcmpChecksum,
    /// It is for somebody else.
    NotForUs,
    /// No socket wants it.
    NoSocket,
    /// The socket's receive buffer is full.
    BufferFull,
    /// Fragments did not come together in time, or overlap, or are too many.
    Reassembly,
}

/// Events that a new trace has room for: most runs are short, and growing step by step costs a copy each time.
const ROOM: usize = 128;

impl Trace {
    /// An empty trace of a run between these hosts.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Trace {
            hosts: hosts.into_iter().map(Into::into).collect(),
            events: Vec::with_capacity(ROOM),
            windows: Vec::new(),
            packets: 0,
            is_silent: false,
        }
    }

    /// A trace that numbers packets and keeps no event: for a run of which nothing is asked but how it ended.
    pub fn silent(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let hosts = hosts.into_iter().map(Into::into).collect();
        Trace { hosts, is_silent: true, ..Trace::default() }
    }

    /// Whether events are kept. Where they are not, nobody needs to put one together.
    pub fn keeps_events(&self) -> bool {
        !self.is_silent
    }

    /// The names of the hosts.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The name of a host; `?` for one that is not in this run.
    pub fn host_name(&self, host: HostId) -> &str {
        self.hosts.get(usize::from(host.0)).map_or("?", String::as_str)
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        let index = self.hosts.iter().position(|host| host == name)?;
        u16::try_from(index).ok().map(HostId)
    }

    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the congestion windows of the hosts' connections became, in order. They change with every acknowledgement,
    /// and are no events: neither diagrams nor golden traces show them, but the [`hash`](Trace::hash) counts them.
    pub fn congestion_windows(&self) -> &[CongestionWindow] {
        &self.windows
    }

    /// Adds an event, where events are kept. The note of a congestion window goes to
    /// [`congestion_windows`](Trace::congestion_windows).
    pub fn push(&mut self, at: Time, what: What) {
        if !self.keeps_events() {
            return;
        }
        match what {
            What::Note { host, note: Note::Tcp { port, peer, note: TcpNote::CongestionWindow(bytes) } } => {
                let place = self.events.len();
                self.windows.push(CongestionWindow { at, place, host, port, peer, bytes });
            }
            what => self.events.push(Event { at, what }),
        }
    }

    /// Forgets all events behind the first `len`, and the congestion windows behind those; the numbering of packets
    /// goes on.
    pub fn truncate(&mut self, len: usize) {
        self.events.truncate(len);
        let kept = self.windows.partition_point(|window| window.place <= len);
        self.windows.truncate(kept);
    }

    /// Counts all times from the first packet. What comes before it is at zero then.
    pub fn count_from_first_packet(&mut self) {
        let is_sent = |event: &&Event| matches!(event.what, What::Sent { .. } | What::Injected { .. });
        let Some(first) = self.events.iter().find(is_sent).map(|event| event.at) else { return };
        for at in self.events.iter_mut().map(|event| &mut event.at) {
            *at = Time::from(at.since(first));
        }
        for window in &mut self.windows {
            window.at = Time::from(window.at.since(first));
        }
    }

    /// Gives each fault that took place the number that `number` gives for its own: where a plan has lost other faults.
    pub fn renumber_faults(&mut self, number: impl Fn(usize) -> usize) {
        for event in &mut self.events {
            if let What::Fault { fault, .. } = &mut event.what {
                *fault = number(*fault);
            }
        }
    }

    /// The number for the next packet. Packets after 2^32 - 1 others, which only a relay that runs for days can see,
    /// share the last number.
    pub fn next_packet(&mut self) -> PacketId {
        let id = PacketId(self.packets);
        self.packets = self.packets.saturating_add(1);
        id
    }

    /// How many packets were put on the wire; 2^32 - 1 where there were more.
    pub fn packet_count(&self) -> u32 {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_trace_numbers_packets_and_keeps_nothing() {
        let mut trace = Trace::silent(["client", "server"]);
        assert!(!trace.keeps_events());
        assert_eq!(trace.next_packet(), PacketId(0));
        trace.push(Time::ZERO, What::Crashed(HostId(1)));
        assert_eq!(trace.next_packet(), PacketId(1));
        assert_eq!((trace.events(), trace.host("server")), ([].as_slice(), Some(HostId(1))));
    }

    #[test]
    fn congestion_windows_stand_apart_and_are_forgotten_with_what_came_before_them() {
        let told = |bytes| What::Note {
            host: HostId(1),
            note: Note::Tcp { port: 7, peer: 49_152, note: TcpNote::CongestionWindow(bytes) },
        };
        let mut trace = Trace::new(["client", "server"]);
        for ms in 0..3_u32 {
            trace.push(Time::from_millis(ms.into()), What::Crashed(HostId(0)));
            trace.push(Time::from_millis(ms.into()), told(1_000 * (ms + 1)));
        }
        assert_eq!(trace.events().len(), 3);
        let bytes = |trace: &Trace| -> Vec<u32> {
            trace.congestion_windows().iter().map(|window| window.bytes).collect()
        };
        assert_eq!(bytes(&trace), [1_000, 2_000, 3_000]);
        let (hash, text) = (trace.hash(), trace.text());
        let mut other = trace.clone();
        other.windows[1].bytes += 1;
        assert_ne!(other.hash(), hash, "equal hashes mean equal traces");
        assert_eq!(other.text(), text);
        trace.truncate(2);
        assert_eq!(bytes(&trace), [1_000, 2_000]);
        trace.truncate(0);
        assert_eq!(bytes(&trace), [0; 0]);
        let mut silent = Trace::silent(["client", "server"]);
        silent.push(Time::ZERO, told(1));
        assert_eq!(bytes(&silent), [0; 0]);
    }

    #[test]
    fn times_count_from_the_first_packet() {
        let mut trace = Trace::new(["client", "server"]);
        trace.count_from_first_packet();
        assert_eq!(trace.events(), []);
        let from = HostId(0);
        trace.push(Time::from_millis(5), What::Crashed(HostId(1)));
        let bytes = bytes::Bytes::from_static(&[0x45]);
        trace.push(Time::from_millis(90), What::Injected { from, to: HostId(1), packet: PacketId(0), bytes });
        trace.push(Time::from_millis(92), What::Restarted(HostId(1)));
        trace.count_from_first_packet();
        let at: Vec<Time> = trace.events().iter().map(|event| event.at).collect();
        assert_eq!(at, [Time::ZERO, Time::ZERO, Time::from_millis(2)]);
    }

    #[test]
    fn the_last_number_is_shared() {
        let mut trace = Trace { packets: u32::MAX - 1, ..Trace::default() };
        let numbers = std::array::from_fn(|_| trace.next_packet().0);
        assert_eq!(numbers, [u32::MAX - 1, u32::MAX, u32::MAX]);
        assert_eq!(trace.packet_count(), u32::MAX);
    }
}
