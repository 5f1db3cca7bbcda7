//! The seam over the operating system: tokio and socket2.
//!
//! [`OsNetwork`] is the [`Network`] that programs use outside of simulation; [`OsSockets`] is the synchronous
//! [`Sockets`](crate::stack::Sockets), the other side of every comparison with our stack.

mod datagram;
mod names;
mod options;
mod stream;

#[cfg(unix)]
mod sockets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::net::TcpSocket;

pub use datagram::OsDatagram;
#[cfg(unix)]
pub use sockets::OsSockets;
pub use stream::{OsListener, OsStream};

use super::Network;
use crate::model::{Domain, Kind, Protocol, SocketOption, Time};
use names::Names;

/// The operating system's network, as one host.
///
/// As made by [`OsNetwork::new`] it is the machine itself. The `with_…` methods narrow it for testbeds: with
/// its own address (`127.1.0.2`) it behaves as one of several hosts on the machine; with its own names it
/// needs no name server.
///
/// Its calls need a tokio runtime with I/O and time enabled.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use faultwire::network::os::OsNetwork;
/// use faultwire::network::{Datagram as _, Network as _};
///
/// let net = OsNetwork::new().with_name("server", [127, 0, 0, 1]);
/// let server = net.datagram("127.0.0.1:0", &[]).await?;
/// let client = net.datagram("0.0.0.0:0", &[]).await?;
/// client.connect(&format!("server:{}", server.local_addr()?.port())).await?;
/// client.send(b"hello").await?;
/// let mut buffer = [0; 16];
/// assert_eq!(server.recv_from(&mut buffer).await?.len, 5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OsNetwork {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    start: Instant,
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
    /// Datagram sockets are bound as they ask, the any-address included.
    open_datagrams: bool,
    names: Names,
    sockets: Maker,
}

type Make = dyn Fn(Domain, Kind, Protocol) -> io::Result<Socket> + Send + Sync;

/// What makes sockets: `socket(2)`, if nothing else was given.
#[derive(Clone, Default)]
struct Maker(Option<Arc<Make>>);

impl Maker {
    fn make(&self, domain: Domain, kind: Kind, protocol: Protocol) -> io::Result<Socket> {
        match &self.0 {
            Some(make) => make(domain, kind, protocol),
            None => {
                let (domain, kind, protocol) = numbers(domain, kind, protocol);
                Socket::new(domain, kind, protocol)
            }
        }
    }
}

/// The arguments of `socket(2)`.
pub(crate) fn numbers(
    domain: Domain,
    kind: Kind,
    protocol: Protocol,
) -> (socket2::Domain, socket2::Type, Option<socket2::Protocol>) {
    let family = match domain {
        Domain::Inet => socket2::Domain::IPV4,
        Domain::Inet6 => socket2::Domain::IPV6,
    };
    let kind = match kind {
        Kind::Stream => socket2::Type::STREAM,
        Kind::Datagram => socket2::Type::DGRAM,
        Kind::Raw => socket2::Type::RAW,
    };
    let number = match (protocol, domain) {
        (Protocol::Default, _) => None,
        (Protocol::Tcp, _) => Some(socket2::Protocol::TCP),
        (Protocol::Udp, _) => Some(socket2::Protocol::UDP),
        (Protocol::Icmp, Domain::Inet) => Some(socket2::Protocol::ICMPV4),
        (Protocol::Icmp, Domain::Inet6) => Some(socket2::Protocol::ICMPV6),
    };
    (family, kind, number)
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "given" } else { "socket(2)" })
    }
}

impl Default for OsNetwork {
    fn default() -> Self {
        OsNetwork::new()
    }
}

impl OsNetwork {
    /// The machine's own network; its time starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the operating system's time enters the seam here, and nowhere else"
    )]
    pub fn new() -> Self {
        OsNetwork {
            inner: Arc::new(Inner {
                start: Instant::now(),
                v4: None,
                v6: None,
                open_datagrams: false,
                names: Names::default(),
                sockets: Maker::default(),
            }),
        }
    }

    /// An unguessable number, for secrets. Never use it in a simulation.
    pub fn random_seed() -> u64 {
        use std::hash::{BuildHasher as _, RandomState};
        RandomState::new().hash_one(0)
    }

    /// Gives the host its own address, of either family (call it twice for both).
    ///
    /// A bind to the any-address of that family binds to this address instead, and so does a stream socket
    /// before it connects. What is not addressed to it (broadcast, multicast) does not reach such a socket.
    #[must_use]
    pub fn with_host_address(mut self, addr: impl Into<IpAddr>) -> Self {
        let addr = addr.into();
        let inner = Arc::make_mut(&mut self.inner);
        if addr.is_ipv4() {
            inner.v4 = Some(addr);
        } else {
            inner.v6 = Some(addr);
        }
        self
    }

    /// Lets a name stand for an address; called again for the same name, for that one as well.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>, addr: impl Into<IpAddr>) -> Self {
        Arc::make_mut(&mut self.inner).names.add(name.into(), addr.into());
        self
    }

    /// Lets `resolver` answer first whenever a peer's name is resolved: `None` leaves it to the names given
    /// and to the system. Addresses to bind to are not asked of it.
    #[must_use]
    pub fn with_resolver(
        mut self,
        resolver: impl Fn(&str, u16) -> Option<io::Result<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.inner).names.set_hook(Arc::new(resolver));
        self
    }

    /// Has sockets made by `make` in place of `socket(2)`: those of another network namespace, say. It need
    /// not set any flags.
    #[cfg(unix)]
    #[must_use]
    pub fn with_sockets(
        mut self,
        make: impl Fn(Domain, Kind, Protocol) -> io::Result<std::os::fd::OwnedFd> + Send + Sync + 'static,
    ) -> Self {
        let make = move |domain, kind, protocol| make(domain, kind, protocol).map(Socket::from);
        Arc::make_mut(&mut self.inner).sockets = Maker(Some(Arc::new(make)));
        self
    }

    /// Leaves datagram sockets that ask for the any-address there, so that broadcast and multicast reach
    /// them: for a host that shares its network with no other.
    #[must_use]
    pub fn with_open_datagrams(mut self) -> Self {
        Arc::make_mut(&mut self.inner).open_datagrams = true;
        self
    }

    /// The address that the host has for a family, if one was given.
    fn host_address(&self, domain: Domain) -> Option<IpAddr> {
        match domain {
            Domain::Inet => self.inner.v4,
            Domain::Inet6 => self.inner.v6,
        }
    }

    /// The address to bind to where a program asks for `addr`.
    pub(crate) fn local(&self, addr: SocketAddr) -> SocketAddr {
        match self.host_address(Domain::of(&addr)) {
            Some(own) if addr.ip().is_unspecified() => SocketAddr::new(own, addr.port()),
            _ => addr,
        }
    }

    /// A socket with its options set, and not yet bound.
    fn open(&self, domain: Domain, kind: Kind, options: &[SocketOption]) -> io::Result<Socket> {
        let protocol = if kind == Kind::Stream { Protocol::Tcp } else { Protocol::Udp };
        let socket = self.inner.sockets.make(domain, kind, protocol)?;
        socket.set_nonblocking(true)?;
        for &option in options {
            options::set(&(&socket).into(), domain, self.interface(), option)?;
        }
        Ok(socket)
    }

    /// The interface that groups are joined on.
    fn interface(&self) -> Ipv4Addr {
        match self.inner.v4 {
            Some(IpAddr::V4(own)) => own,
            _ => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// Tries each address that a text stands for, and gives the first success or the last error.
    async fn bind_first<T>(
        &self,
        addr: &str,
        mut bind: impl FnMut(SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut last = names::nobody(addr);
        for addr in self.inner.names.resolve_own(addr).await? {
            match bind(addr) {
                Ok(bound) => return Ok(bound),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to the first address that answers, from the address that `own` gives for it, if any; an
    /// address for which it gives nothing is left out.
    async fn connect_first(
        &self,
        addr: &str,
        options: &[SocketOption],
        own: &(dyn Fn(&SocketAddr) -> Option<Option<SocketAddr>> + Sync),
    ) -> io::Result<OsStream> {
        let mut last = names::nobody(addr);
        for peer in self.resolve(addr).await? {
            let Some(own) = own(&peer) else { continue };
            let domain = Domain::of(&peer);
            let opened = self.open(domain, Kind::Stream, options).and_then(|socket| {
                if let Some(own) = own {
                    socket.bind(&own.into())?;
                }
                Ok(TcpSocket::from_std_stream(socket.into()))
            });
            let connected = match opened {
                Ok(socket) => socket.connect(peer).await,
                Err(error) => Err(error),
            };
            match connected {
                Ok(stream) => return Ok(OsStream::new(stream, domain)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Network for OsNetwork {
    type Stream = OsStream;
    type Listener = OsListener;
    type Datagram = OsDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<OsStream> {
        let own = |domain| self.host_address(domain).map(|own| SocketAddr::new(own, 0));
        self.connect_first(addr, options, &|peer| Some(own(Domain::of(peer)))).await
    }

    async fn connect_from(&self, local: &str, addr: &str, options: &[SocketOption]) -> io::Result<OsStream> {
        let own: Vec<SocketAddr> = self.inner.names.resolve_own(local).await?;
        let of_its_family = |peer: &SocketAddr| {
            let own = own.iter().find(|own| own.is_ipv4() == peer.is_ipv4())?;
            Some(Some(self.local(*own)))
        };
        self.connect_first(addr, options, &of_its_family).await
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<OsListener> {
        self.bind_first(addr, |addr| {
            let addr = self.local(addr);
            let domain = Domain::of(&addr);
            let socket = self.open(domain, Kind::Stream, options)?;
            socket.bind(&addr.into())?;
            let listener = TcpSocket::from_std_stream(socket.into()).listen(backlog)?;
            Ok(OsListener::new(listener, domain))
        })
        .await
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<OsDatagram> {
        self.bind_first(addr, |addr| {
            let addr = if self.inner.open_datagrams { addr } else { self.local(addr) };
            let domain = Domain::of(&addr);
            let socket = self.open(domain, Kind::Datagram, options)?;
            socket.bind(&addr.into())?;
            OsDatagram::new(socket, domain, self.clone())
        })
        .await
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        self.inner.names.resolve_peer(addr).await
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn now(&self) -> Time {
        Time::from(self.inner.start.elapsed())
    }
}
