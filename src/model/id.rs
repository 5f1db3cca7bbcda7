//! What a run's hosts, packets and sockets are numbered by.

/// A host of the run: its index in [`Trace::hosts`](crate::trace::Trace::hosts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u16);

/// A packet put on the wire: numbered from 0 in the order of being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u32);

/// A socket of a host, numbered from 0 in the order in which its programs opened them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);
