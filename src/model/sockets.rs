//! The Berkeley calls, named once: our stack answers them, and so does the operating system.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::{Errno, Note, Time};

/// A socket's descriptor, valid with the [`Sockets`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub u32);

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// AF_INET.
    Inet,
    /// AF_INET6.
    Inet6,
}

impl Domain {
    /// The family that an address belongs to.
    pub fn of(addr: &SocketAddr) -> Domain {
        if addr.is_ipv4() { Domain::Inet } else { Domain::Inet6 }
    }
}

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_RAW.
    Raw,
}

/// The protocol argument of `socket(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// 0: the one that goes with family and type.
    #[default]
    Default,
    /// IPPROTO_TCP.
    Tcp,
    /// IPPROTO_UDP.
    Udp,
    /// IPPROTO_ICMP (or IPPROTO_ICMPV6).
    Icmp,
}

/// Which directions `shutdown(2)` closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// SHUT_RD.
    Read,
    /// SHUT_WR.
    Write,
    /// SHUT_RDWR.
    Both,
}

/// Keep-alive, when it is on: what `None` says is left at the system's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// TCP_KEEPIDLE: idle time before the first probe.
    pub idle: Option<Duration>,
    /// TCP_KEEPINTVL: time between probes.
    pub interval: Option<Duration>,
    /// TCP_KEEPCNT: probes before the connection is given up.
    pub probes: Option<u32>,
}

/// A socket option with its value. What a backend lacks is `ENOPROTOOPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// SO_RCVBUF in bytes, as asked for; reading gives what is in force (Linux doubles).
    RecvBuffer(usize),
    /// SO_SNDBUF in bytes, as asked for; reading gives what is in force (Linux doubles).
    SendBuffer(usize),
    /// SO_REUSEADDR.
    ReuseAddress(bool),
    /// SO_BROADCAST.
    Broadcast(bool),
    /// SO_KEEPALIVE with its numbers; `None` is off.
    KeepAlive(Option<KeepAlive>),
    /// SO_LINGER; `None` is off. Whole seconds.
    Linger(Option<Duration>),
    /// TCP_NODELAY.
    NoDelay(bool),
    /// TCP_MAXSEG in bytes.
    MaxSegment(u16),
    /// IP_TTL, or IPV6_UNICAST_HOPS.
    Ttl(u8),
    /// IPV6_V6ONLY.
    V6Only(bool),
    /// IP_MULTICAST_TTL, or IPV6_MULTICAST_HOPS.
    MulticastTtl(u8),
    /// IP_MULTICAST_LOOP, or IPV6_MULTICAST_LOOP.
    MulticastLoop(bool),
    /// IP_ADD_MEMBERSHIP, or IPV6_JOIN_GROUP, on the host's interface. Cannot be read.
    JoinGroup(IpAddr),
    /// IP_DROP_MEMBERSHIP, or IPV6_LEAVE_GROUP. Cannot be read.
    LeaveGroup(IpAddr),
}

/// The name of a socket option, to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OptionName {
    /// SO_RCVBUF.
    RecvBuffer,
    /// SO_SNDBUF.
    SendBuffer,
    /// SO_REUSEADDR.
    ReuseAddress,
    /// SO_BROADCAST.
    Broadcast,
    /// SO_KEEPALIVE and its numbers.
    KeepAlive,
    /// SO_LINGER.
    Linger,
    /// TCP_NODELAY.
    NoDelay,
    /// TCP_MAXSEG.
    MaxSegment,
    /// IP_TTL, or IPV6_UNICAST_HOPS.
    Ttl,
    /// IPV6_V6ONLY.
    V6Only,
    /// IP_MULTICAST_TTL, or IPV6_MULTICAST_HOPS.
    MulticastTtl,
    /// IP_MULTICAST_LOOP, or IPV6_MULTICAST_LOOP.
    MulticastLoop,
}

/// What one receive of a datagram gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes written into the caller's buffer.
    pub len: usize,
    /// The datagram's own length: more than `len` where the buffer was too short and the rest is gone (MSG_TRUNC).
    pub full_len: usize,
    /// Who sent it.
    pub from: SocketAddr,
}

/// What `poll(2)` tells of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Readiness {
    /// POLLIN: a receive or an accept would not wait.
    pub readable: bool,
    /// POLLOUT: a send would not wait.
    pub writable: bool,
    /// POLLERR: an error is pending.
    pub error: bool,
    /// POLLHUP: the connection is over in both directions.
    pub hang_up: bool,
}

/// The Berkeley socket calls, all of them non-blocking, with Linux's error numbers.
///
/// Implemented by [`Stack`](crate::stack::Stack), a pure machine, and by
/// [`OsSockets`](crate::network::os::OsSockets), the operating system. What would block is `EAGAIN`, except that
/// `connect` on a stream socket answers `EINPROGRESS`.
///
/// # Errors
/// Every call answers with the error number that Linux gives in the same situation; a descriptor that is not
/// open is `EBADF`.
#[expect(clippy::missing_errors_doc, reason = "said once for all calls, above")]
pub trait Sockets {
    /// `socket(2)`.
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno>;
    /// `bind(2)`; port 0 picks a free one.
    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno>;
    /// `listen(2)`.
    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno>;
    /// `accept(2)`: the new descriptor and the peer's address.
    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno>;
    /// `connect(2)`. A datagram socket may be connected again; `None` dissolves the association (AF_UNSPEC).
    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno>;
    /// `send(2)`: the number of bytes taken.
    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno>;
    /// `sendto(2)`: the number of bytes taken.
    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno>;
    /// `recv(2)`: 0 on a stream is the end; on a datagram socket it is an empty datagram.
    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// `recvfrom(2)` with MSG_TRUNC.
    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno>;
    /// `shutdown(2)`.
    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno>;
    /// `close(2)`.
    fn close(&mut self, fd: Fd) -> Result<(), Errno>;
    /// `getsockname(2)`.
    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno>;
    /// `getpeername(2)`.
    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno>;
    /// `setsockopt(2)`.
    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno>;
    /// `getsockopt(2)`.
    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno>;
    /// SO_ERROR: the pending error, which is cleared by asking.
    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno>;
    /// `poll(2)` with no waiting.
    fn poll(&self, fd: Fd) -> Result<Readiness, Errno>;
}

/// A host's network stack as a pure machine: the calls of its programs above, whole IP packets below, and in
/// between it is told the time. It owns no clock, socket, thread or random source.
///
/// A driver hands it what arrives and tells it when time has passed, then polls `poll_transmit`, `poll_note` and
/// `poll_changed` until each gives `None`; it does so after each call too.
pub trait HostStack: Sockets + std::fmt::Debug + Send {
    /// Takes a packet that arrived at the interface. It may be any bytes; what is not for this host is dropped.
    fn handle_input(&mut self, packet: &Bytes);
    /// The next packet to put on the wire.
    fn poll_transmit(&mut self) -> Option<Bytes>;
    /// When [`handle_timeout`](HostStack::handle_timeout) must be called at the latest.
    fn poll_timeout(&self) -> Option<Time>;
    /// Tells the time and fires the timers that are due. Time never goes back: an earlier `now` is ignored.
    fn handle_timeout(&mut self, now: Time);
    /// The next descriptor that became readable or writable, or got an error, through anything but its own program's
    /// calls. Edge-triggered: each change is told once, so whoever waits must have tried its call before. A stack
    /// that tells a descriptor again and again without a change makes its run hit the limit of events.
    fn poll_changed(&mut self) -> Option<Fd>;
    /// The next note about the stack's work, for the trace. A stack without notes gives none.
    fn poll_note(&mut self) -> Option<Note> {
        None
    }
}
