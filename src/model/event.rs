//! What happens in a run, and who is told.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{Action, Cut, Errno, HostId, Label, PacketId, SocketId, SocketOption, State, Time};

/// Is told what happens in a run, in order.
pub trait Recorder {
    /// The number for the next packet that is put on the wire.
    fn next_packet(&mut self) -> PacketId;
    /// Records what happened at a time.
    fn push(&mut self, at: Time, what: What);
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
    /// A packet appeared on the wire that no host sent.
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
    /// A program noted a value.
    Noted {
        /// The host whose program it is.
        host: HostId,
        /// What the value is called.
        key: String,
        /// The value.
        value: String,
    },
    /// Links were cut.
    Partitioned(Cut<HostId>),
    /// Links were mended.
    Healed(Cut<HostId>),
    /// A host lost power.
    Crashed(HostId),
    /// A host's programs were killed; the host itself goes on, and closes their sockets.
    Killed(HostId),
    /// A host started again, or its programs did after they were killed.
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
    /// This side's window has closed.
    WindowClosed,
    /// Its congestion window, in bytes, has changed. A trace keeps these apart from its events:
    /// [`Trace::congestion_windows`](crate::trace::Trace::congestion_windows).
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
    /// It is for another host.
    NotForUs,
    /// No socket wants it.
    NoSocket,
    /// The socket's receive buffer is full.
    BufferFull,
    /// Fragments did not come together in time, or overlap, or are too many.
    Reassembly,
}
