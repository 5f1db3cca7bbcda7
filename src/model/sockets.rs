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
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
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
    /// The datagram's own length: more than `len` where the buffer was too short and the rest is gone
    /// (MSG_TRUNC).
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
/// [`OsSockets`](crate::network::os::OsSockets), the operating system. What would block is `EAGAIN`, except
/// that `connect` on a stream socket answers `EINPROGRESS`.
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
    /// `recvfrom(2)` with MSG_PEEK and MSG_TRUNC: what a receive would give, which stays where it is. On a
    /// stream `full_len` is `len`, and 0 is the end. EOPNOTSUPP where the backend cannot.
    fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        let _ = (fd, buffer);
        Err(Errno::EOPNOTSUPP)
    }
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

/// A host's network stack as a pure machine: its programs' calls above, whole IP packets below, and the time
/// told from outside. It owns no clock, socket, thread or random source, so that the same input gives the
/// same output.
///
/// # What a driver does
/// Whenever a packet arrives, a program calls, or [`poll_timeout`](HostStack::poll_timeout) is due, in this
/// order:
/// 1. [`handle_timeout`](HostStack::handle_timeout) with the current time;
/// 2. [`handle_input`](HostStack::handle_input) or the call, if there is one;
/// 3. [`poll_transmit`](HostStack::poll_transmit), [`poll_note`](HostStack::poll_note) and
///    [`poll_changed`](HostStack::poll_changed), in any order, each until it returns `None`;
/// 4. `poll_timeout`, to know when to come back.
///
/// # What a stack must keep to
/// No packet and no call makes it panic or keep memory without a bound: a packet that does not fit is
/// dropped, with a note if the stack makes any. Its reports come to an end while no time passes. A
/// simulated run stalls, with the reason, where a stack goes on and on.
///
/// # Example
/// ```
/// use std::net::Ipv6Addr;
///
/// use faultwire::stack::{Domain, HostStack, Kind, Protocol, Sockets as _, Stack, StackConfig};
/// use faultwire::time::Time;
///
/// let [mut a, mut b] = [1, 2].map(|n| -> Box<dyn HostStack> {
///     let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
///     Box::new(Stack::new(StackConfig::new([10, 0, 0, n].into(), v6)))
/// });
/// let server = b.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
/// b.bind(server, "10.0.0.2:7".parse()?)?;
/// let client = a.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
/// a.send_to(client, b"hello", "10.0.0.2:7".parse()?)?;
///
/// // A link with a delay of five milliseconds.
/// while let Some(packet) = a.poll_transmit() {
///     b.handle_timeout(Time::from_millis(5));
///     b.handle_input(&packet);
/// }
/// assert_eq!((b.poll_changed(), b.poll_changed()), (Some(server), None));
/// assert_eq!(b.recv(server, &mut [0; 16])?, 5);
/// assert_eq!(b.poll_timeout(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait HostStack: Sockets + std::fmt::Debug + Send {
    /// Takes an IP packet that arrived at the interface: any bytes, of any length. It drops what is not for
    /// this host.
    fn handle_input(&mut self, packet: &Bytes);

    /// The next IP packet for the wire, oldest first, at most as long as the interface's MTU.
    fn poll_transmit(&mut self) -> Option<Bytes>;

    /// When [`handle_timeout`](HostStack::handle_timeout) must be called next, at the latest; `None` while no
    /// timer runs. Any other method may change it. A time that is already past makes the driver come back at
    /// once.
    fn poll_timeout(&self) -> Option<Time>;

    /// Tells the time since the start of the run, and fires the timers that are due. Called also when none
    /// is. Time never goes back: an earlier `now` is ignored.
    fn handle_timeout(&mut self, now: Time);

    /// The next descriptor that may have become readable or writable, or got an error, other than by its own
    /// program's calls.
    ///
    /// Edge-triggered: a change is reported once, whether or not anyone waits for it. So the driver tries a
    /// call first, and waits only after `EAGAIN`, `EINPROGRESS` or `EALREADY`. Changes of a descriptor that
    /// was not polled yet count as one.
    fn poll_changed(&mut self) -> Option<Fd>;

    /// The next note about the stack's work, oldest first, for the trace. A stack without notes has none.
    fn poll_note(&mut self) -> Option<Note> {
        None
    }

    /// Why the stack cannot go on, if it cannot: what runs it failed, as a process may, and not the network.
    /// Its calls answer [`Errno::EIO`] from then on. A run of it fails, with this text.
    fn trouble(&self) -> Option<String> {
        None
    }
}
