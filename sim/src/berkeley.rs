//! The Berkeley calls, for a stack that has none: [`Berkeley`] over a [`Transport`].
//!
//! A stack for small devices has connections, ports, packets and timers, and leaves the rest to its users.
//! The rest is here:
//! - A listener is `backlog + 1` sockets of the transport, 32 at most, each for one client. A connection
//!   that is reset before it is accepted is gone.
//! - A close with unread data, or with SO_LINGER of no time, and data that arrives after a close, reset the
//!   connection (RFC 1122, 4.2.2.13). Any other close goes on in the background. A host has 1024 sockets at
//!   most, connections that close among them.
//! - A connection that ends without a FIN from each side leaves an error for the next call: ETIMEDOUT if a
//!   timer ended it, else ECONNREFUSED while it opened and ECONNRESET later.
//! - A connected datagram socket hears its peer alone, and of errors about what it sent there.
//! - SO_REUSEADDR changes nothing: a port is free once its listener is closed. An IPv6 socket hears no IPv4.
//!
//! ```
//! use std::collections::{BTreeMap, VecDeque};
//! use std::convert::Infallible;
//! use std::net::{Ipv6Addr, SocketAddr};
//!
//! use bytes::Bytes;
//! use faultwire::errno::Errno;
//! use faultwire::packet::{PacketView, datagram};
//! use faultwire::stack::{Domain, HostStack as _, Kind, Protocol, Sockets as _, StackConfig};
//! use faultwire_sim::berkeley::{Berkeley, Options, Transport};
//!
//! /// UDP, and nothing else.
//! #[derive(Default)]
//! struct Udp {
//!     ports: BTreeMap<SocketAddr, VecDeque<(SocketAddr, Bytes)>>,
//!     leaving: VecDeque<Bytes>,
//! }
//!
//! impl Transport for Udp {
//!     type Connection = Infallible;
//!     type Port = SocketAddr;
//!
//!     fn handle_input(&mut self, packet: &Bytes) {
//!         let Some(view) = PacketView::parse(packet) else { return };
//!         let queue = view.destination().and_then(|to| self.ports.get_mut(&to));
//!         if let (Some(queue), Some(from), Some(data)) = (queue, view.source(), view.udp_payload()) {
//!             queue.push_back((from, data.clone()));
//!             queue.truncate(100);
//!         }
//!     }
//!
//!     fn poll_transmit(&mut self) -> Option<Bytes> {
//!         self.leaving.pop_front()
//!     }
//!
//!     fn bind(&mut self, local: SocketAddr, _: &Options) -> Result<SocketAddr, Errno> {
//!         self.ports.insert(local, VecDeque::new());
//!         Ok(local)
//!     }
//!
//!     fn send_to(&mut self, port: SocketAddr, data: &[u8], to: SocketAddr) -> Result<(), Errno> {
//!         self.leaving.push_back(datagram(port, to, 64, data).ok_or(Errno::EMSGSIZE)?);
//!         Ok(())
//!     }
//!
//!     fn recv_from(&mut self, port: SocketAddr) -> Option<(SocketAddr, Bytes)> {
//!         self.ports.get_mut(&port)?.pop_front()
//!     }
//!
//!     fn unbind(&mut self, port: SocketAddr) {
//!         self.ports.remove(&port);
//!     }
//! }
//!
//! let config = StackConfig::new([10, 0, 0, 1].into(), Ipv6Addr::LOCALHOST);
//! let mut host = Berkeley::new(config, Udp::default());
//! let socket = host.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
//! host.bind(socket, "0.0.0.0:7".parse()?)?;
//! host.handle_input(&datagram("10.0.0.2:9".parse()?, "10.0.0.1:7".parse()?, 64, b"hello").unwrap());
//! assert_eq!((host.poll_changed(), host.recv(socket, &mut [0; 16])), (Some(socket), Ok(5)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod socket;
mod transport;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem::replace;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::stack::{Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received};
use faultwire::stack::{SocketOption, Sockets, StackConfig};
use faultwire::time::Time;

pub use self::transport::{Options, Phase, Status, Transport};

use self::socket::{Cause, Over, Socket};

/// Sockets and connections of a host at most.
const SOCKETS_MAX: usize = 1_024;
/// Sockets of a listener at most.
const LISTENING_MAX: usize = 32;
/// How often in a row a transport is told the time that it asks for.
const ROUNDS_MAX: usize = 64;
/// The first ephemeral port, and how many there are.
const EPHEMERAL: (u16, u64) = (32_768, 28_232);

type Answer<T = ()> = Result<T, Errno>;

fn ensure(holds: bool, errno: Errno) -> Answer {
    if holds { Ok(()) } else { Err(errno) }
}

/// A host's stack: the Berkeley calls over a transport.
pub struct Berkeley<T: Transport> {
    config: StackConfig,
    transport: T,
    sockets: BTreeMap<Fd, Socket<T>>,
    /// Connections that programs have closed and that are not over, each with its port.
    closing: Vec<(T::Connection, u16)>,
    changed: VecDeque<Fd>,
    next: u32,
    now: Time,
}

impl<T: Transport> fmt::Debug for Berkeley<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Berkeley").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<T: Transport> Berkeley<T> {
    /// A host with this configuration, on a transport that has its addresses and MTU.
    pub fn new(config: StackConfig, transport: T) -> Berkeley<T> {
        let (sockets, closing, changed) = (BTreeMap::new(), Vec::new(), VecDeque::new());
        Berkeley { config, transport, sockets, closing, changed, next: 3, now: Time::ZERO }
    }

    fn get(&self, fd: Fd) -> Answer<&Socket<T>> {
        self.sockets.get(&fd).ok_or(Errno::EBADF)
    }

    fn has_room(&self) -> bool {
        self.sockets.len() + self.closing.len() < SOCKETS_MAX
    }

    fn add(&mut self, socket: Socket<T>) -> Answer<Fd> {
        ensure(self.has_room(), Errno::EMFILE)?;
        let fd = Fd(self.next);
        self.next = self.next.checked_add(1).ok_or(Errno::EMFILE)?;
        let socket = self.sockets.entry(fd).or_insert(socket);
        socket.follow(&mut self.transport, Cause::Call);
        Ok(fd)
    }

    /// Makes a call on a socket, and lets the transport work.
    fn call<R>(&mut self, fd: Fd, call: impl FnOnce(&mut Socket<T>, &mut T) -> Answer<R>) -> Answer<R> {
        let answer = call(self.sockets.get_mut(&fd).ok_or(Errno::EBADF)?, &mut self.transport);
        self.drive(Cause::Call);
        answer
    }

    /// Binds a socket to an address; for port 0 the seed decides.
    fn bind_to(&mut self, fd: Fd, addr: SocketAddr) -> Answer {
        let (is_stream, is_any) = (self.get(fd)?.is_stream(), addr.port() == 0);
        let overlaps = |ip: IpAddr| ip == addr.ip() || ip.is_unspecified() || addr.ip().is_unspecified();
        let is_free = |port: u16| {
            // An accepted connection has its listener's port, and keeps it from no other.
            let keeps = |it: &Socket<T>| is_any || !is_stream || it.peer.is_none();
            let is_alike = |it: &Socket<T>| it.is_stream() == is_stream && it.bound.port() == port;
            let has_it = |it: &Socket<T>| is_alike(it) && keeps(it) && overlaps(it.bound.ip());
            let closes = is_any && is_stream && self.closing.iter().any(|(_, its)| *its == port);
            !closes && !self.sockets.iter().any(|(other, it)| *other != fd && has_it(it))
        };
        let mixed = (self.config.seed ^ u64::from(fd.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let (first, count) = if is_any { EPHEMERAL } else { (addr.port(), 1) };
        let mut ports = (0..count).map(|n| first + ((mixed + n) % count) as u16);
        let port = ports.find(|port| is_free(*port)).ok_or(Errno::EADDRINUSE)?;
        self.call(fd, |socket, transport| {
            let before = replace(&mut socket.bound, SocketAddr::new(addr.ip(), port));
            socket.open_port(transport).inspect_err(|_| socket.bound = before)
        })
    }

    /// Binds a socket that is to send to an address, unless it is bound.
    fn bind_for(&mut self, fd: Fd, to: SocketAddr) -> Answer {
        let socket = self.get(fd)?;
        ensure(socket.bound.is_ipv4() == to.is_ipv4(), Errno::EAFNOSUPPORT)?;
        ensure(to.port() != 0, Errno::EINVAL)?;
        let is_for_all = self.config.is_broadcast(to.ip());
        ensure(!is_for_all || socket.options.broadcast, Errno::EACCES)?;
        let is_group = to.ip().is_multicast() && !socket.is_stream();
        ensure(is_for_all || is_group || self.config.is_on_link(to.ip()), Errno::ENETUNREACH)?;
        if socket.bound.port() == 0 { self.bind_to(fd, socket.bound) } else { Ok(()) }
    }

    /// Lets the transport work until it waits for a time or a packet, and sees what became of all sockets.
    fn drive(&mut self, cause: Cause) {
        for _ in 0..ROUNDS_MAX {
            let (transport, mut has_reset) = (&mut self.transport, false);
            transport.handle_timeout(self.now);
            self.closing.retain(|(connection, _)| {
                let Status { phase, unread, .. } = transport.status(*connection);
                match (phase, unread) {
                    (Phase::Closed, _) => transport.remove(*connection),
                    (_, 0) => {}
                    (_, _) => {
                        transport.abort(*connection);
                        has_reset = true;
                    }
                }
                phase != Phase::Closed
            });
            for (fd, socket) in &mut self.sockets {
                let is_new = socket.follow(transport, cause) && !self.changed.contains(fd);
                self.changed.extend(is_new.then_some(*fd));
            }
            if !has_reset && transport.poll_timeout().is_none_or(|due| due > self.now) {
                break;
            }
        }
    }
}

impl<T: Transport> Sockets for Berkeley<T> {
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Answer<Fd> {
        let over = match (kind, protocol) {
            (Kind::Stream, Protocol::Default | Protocol::Tcp) => Over::Fresh,
            (Kind::Datagram, Protocol::Default | Protocol::Udp) => Over::Datagrams(None, None),
            _ => return Err(Errno::EPROTONOSUPPORT),
        };
        let (any, own): (IpAddr, IpAddr) = match domain {
            Domain::Inet => (Ipv4Addr::UNSPECIFIED.into(), self.config.v4.into()),
            Domain::Inet6 => (Ipv6Addr::UNSPECIFIED.into(), self.config.v6.into()),
        };
        self.add(Socket::new(over, (any, 0).into(), own))
    }

    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Answer {
        let Socket { bound, own, .. } = self.get(fd)?;
        ensure(bound.is_ipv6() || addr.is_ipv4(), Errno::EAFNOSUPPORT)?;
        ensure(bound.port() == 0 && bound.is_ipv4() == addr.is_ipv4(), Errno::EINVAL)?;
        let is_own = addr.ip() == *own && self.config.is_on_link(*own);
        ensure(is_own || addr.ip().is_unspecified(), Errno::EADDRNOTAVAIL)?;
        self.bind_to(fd, addr)
    }

    fn listen(&mut self, fd: Fd, backlog: u32) -> Answer {
        let socket = self.get(fd)?;
        ensure(socket.is_stream(), Errno::EOPNOTSUPP)?;
        if socket.bound.port() == 0 {
            self.bind_to(fd, socket.bound)?;
        }
        let most = (backlog as usize).saturating_add(1).min(LISTENING_MAX);
        self.call(fd, |socket, transport| {
            let local = socket.local();
            match &mut socket.over {
                Over::Listener { limit, .. } => *limit = most,
                Over::Fresh => {
                    let sockets = vec![transport.listen(local, &socket.options)?];
                    socket.over = Over::Listener { limit: most, sockets };
                }
                Over::Connection(_) | Over::Datagrams(..) => return Err(Errno::EINVAL),
            }
            Ok(())
        })
    }

    fn accept(&mut self, fd: Fd) -> Answer<(Fd, SocketAddr)> {
        ensure(self.has_room(), Errno::EMFILE)?;
        let (accepted, peer) = self.call(fd, |socket, transport| {
            ensure(socket.is_stream(), Errno::EOPNOTSUPP)?;
            let Over::Listener { sockets, .. } = &mut socket.over else { return Err(Errno::EINVAL) };
            ensure(socket.seen.1 > 0, Errno::EAGAIN)?;
            let connection = sockets.remove(0);
            let peer = transport.status(connection).peer.ok_or(Errno::ECONNABORTED)?;
            transport.set_no_delay(connection, socket.options.no_delay);
            Ok((socket.accepted(connection, peer), peer))
        })?;
        Ok((self.add(accepted)?, peer))
    }

    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Answer {
        let socket = self.get(fd)?;
        match (&socket.over, addr) {
            (Over::Datagrams(..) | Over::Fresh, Some(addr)) => self.bind_for(fd, addr)?,
            (Over::Datagrams(..), None) => {}
            (_, None) => return Err(Errno::EOPNOTSUPP),
            (Over::Connection(_), _) if socket.phase == Phase::Opening => return Err(Errno::EALREADY),
            (Over::Connection(_) | Over::Listener { .. }, _) => return Err(Errno::EISCONN),
        }
        self.call(fd, |socket, transport| {
            if let (Over::Fresh, Some(peer)) = (&socket.over, addr) {
                let connection = transport.connect(socket.local(), peer, &socket.options)?;
                socket.over = Over::Connection(connection);
            }
            socket.peer = addr;
            if socket.is_stream() { Err(Errno::EINPROGRESS) } else { Ok(()) }
        })
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> Answer<usize> {
        let socket = self.get(fd)?;
        if !socket.is_stream() {
            return self.send_to(fd, data, socket.peer.ok_or(Errno::EDESTADDRREQ)?);
        }
        self.call(fd, |socket, transport| {
            socket.check()?;
            match (&socket.over, socket.phase) {
                (Over::Connection(_), _) if socket.write_shut => Err(Errno::EPIPE),
                (Over::Connection(_), Phase::Opening) => Err(Errno::EAGAIN),
                (Over::Connection(it), Phase::Open | Phase::Ended) => match transport.send(*it, data) {
                    0 if !data.is_empty() => Err(Errno::EAGAIN),
                    len => Ok(len),
                },
                _ => Err(Errno::EPIPE),
            }
        })
    }

    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Answer<usize> {
        if self.get(fd)?.is_stream() {
            return self.send(fd, data);
        }
        self.bind_for(fd, to)?;
        self.call(fd, |socket, transport| {
            socket.check()?;
            match socket.over {
                Over::Datagrams(Some(port), _) if !socket.write_shut => {
                    transport.send_to(port, data, to).map(|()| data.len())
                }
                _ => Err(Errno::EPIPE),
            }
        })
    }

    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Answer<usize> {
        self.recv_from(fd, buffer).map(|received| received.len)
    }

    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Answer<Received> {
        self.call(fd, |socket, transport| match (&mut socket.over, socket.peer) {
            (Over::Connection(connection), Some(from)) => {
                let len = transport.recv(*connection, buffer);
                if len == 0 {
                    socket.check()?;
                    let is_over = socket.ended || socket.read_shut || socket.phase == Phase::Closed;
                    ensure(is_over, Errno::EAGAIN)?;
                }
                Ok(Received { len, full_len: len, from })
            }
            (Over::Datagrams(_, next), _) => {
                socket.error.take().map_or(Ok(()), Err)?;
                let (from, data) = next.take().ok_or(Errno::EAGAIN)?;
                let len = data.len().min(buffer.len());
                buffer[..len].copy_from_slice(&data[..len]);
                Ok(Received { len, full_len: data.len(), from })
            }
            _ => Err(Errno::ENOTCONN),
        })
    }

    fn shutdown(&mut self, fd: Fd, how: How) -> Answer {
        self.call(fd, |socket, transport| {
            let is_over = socket.is_stream() && matches!(socket.phase, Phase::TimeWait | Phase::Closed);
            ensure(socket.peer.is_some() && !is_over, Errno::ENOTCONN)?;
            socket.read_shut |= matches!(how, How::Read | How::Both);
            socket.write_shut |= matches!(how, How::Write | How::Both);
            if let (Over::Connection(connection), true) = (&socket.over, socket.write_shut) {
                transport.close(*connection);
            }
            Ok(())
        })
    }

    fn close(&mut self, fd: Fd) -> Answer {
        let socket = self.sockets.remove(&fd).ok_or(Errno::EBADF)?;
        self.changed.retain(|it| *it != fd);
        let (transport, port) = (&mut self.transport, socket.bound.port());
        let lingers = socket.options.linger.is_none_or(|time| !time.is_zero());
        let (connections, resets) = match socket.over {
            Over::Fresh => (Vec::new(), false),
            Over::Listener { sockets, .. } => (sockets, true),
            Over::Connection(it) => (vec![it], !lingers || transport.status(it).unread > 0),
            Over::Datagrams(port, _) => {
                port.into_iter().for_each(|port| transport.unbind(port));
                (Vec::new(), false)
            }
        };
        for connection in connections {
            if resets {
                transport.abort(connection)
            } else {
                transport.close(connection)
            }
            self.closing.push((connection, port));
        }
        self.drive(Cause::Call);
        Ok(())
    }

    fn local_addr(&self, fd: Fd) -> Answer<SocketAddr> {
        self.get(fd).map(|socket| if socket.peer.is_some() { socket.local() } else { socket.bound })
    }

    fn peer_addr(&self, fd: Fd) -> Answer<SocketAddr> {
        let socket = self.get(fd)?;
        let is_there = !socket.is_stream() || matches!(socket.phase, Phase::Open | Phase::Ended);
        socket.peer.filter(|_| is_there).ok_or(Errno::ENOTCONN)
    }

    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Answer {
        self.call(fd, |socket, transport| socket.set(option, transport))
    }

    fn option(&self, fd: Fd, name: OptionName) -> Answer<SocketOption> {
        self.get(fd)?.option(name)
    }

    fn take_error(&mut self, fd: Fd) -> Answer<Option<Errno>> {
        self.call(fd, |socket, _| Ok(socket.error.take()))
    }

    fn poll(&self, fd: Fd) -> Answer<Readiness> {
        self.get(fd).map(|socket| socket.seen.0)
    }
}

impl<T: Transport + Send> HostStack for Berkeley<T> {
    fn handle_input(&mut self, packet: &Bytes) {
        self.transport.handle_input(packet);
        self.drive(Cause::Packet);
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transport.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.transport.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        if self.poll_timeout().is_some_and(|due| due <= self.now) {
            self.drive(Cause::Timer);
        }
    }

    fn poll_changed(&mut self) -> Option<Fd> {
        self.changed.pop_front()
    }
}
