//! The seam over a stack in this process: async sockets, the same on every testbed.

mod socket;

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::network::Network;
use faultwire::stack::{Domain, Fd, HostStack, Kind, Protocol, SocketOption};
use faultwire::time::Time;
use faultwire::trace::{Call, SocketId};

use super::address;
pub(crate) use socket::{HostDatagram, HostListener, HostStream, Socket};

/// A host with a stack in this process: how its programs get at it, and at the time.
pub(crate) trait StackHost: Clone + fmt::Debug + Unpin + Send + Sync + 'static {
    /// The record of its calls, while one lasts.
    type Record<'a>: Record;

    /// Makes calls that do not wait, and lets what follows from them happen. `None` if the host has lost
    /// power, or the run is over.
    fn call<T>(&self, call: impl FnOnce(&mut dyn HostStack, &mut Self::Record<'_>) -> T) -> Option<T>;

    /// Makes a call on a descriptor. If it [would wait](would_wait), the task is woken when the descriptor
    /// changes. Pending forever if the host has lost power, or the run is over.
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack, &mut Self::Record<'_>) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>>;

    /// The addresses of the host with that name.
    fn addrs(&self, name: &str) -> io::Result<[IpAddr; 2]>;

    /// Waits for that long.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;

    /// The present moment.
    fn now(&self) -> Time;
}

/// Keeps a host's sockets and their calls.
pub(crate) trait Record {
    /// Numbers a socket that a program opened.
    fn opened(&mut self, fd: Fd) -> SocketId;
    /// A program closed a socket.
    fn closed(&mut self, socket: SocketId);
    /// A call came back.
    fn push(&mut self, socket: SocketId, error: Option<Errno>, call: impl FnOnce() -> Call);
}

/// Whether a call has to wait, and says nothing yet.
pub(crate) fn would_wait<T>(result: &Result<T, Errno>) -> bool {
    matches!(result, Err(errno) if errno.is_pending())
}

/// The network of a host with a stack in this process.
#[derive(Clone, Debug)]
pub(crate) struct HostNet<H>(H);

impl<H: StackHost> HostNet<H> {
    pub(crate) fn new(host: H) -> Self {
        HostNet(host)
    }

    pub(crate) fn host(&self) -> &H {
        &self.0
    }

    /// Opens a socket for an address of its family, sets its options and lets `finish` bind it, or begin to
    /// connect it: it gives the call that came back, if one did.
    async fn open(
        &self,
        kind: Kind,
        addr: SocketAddr,
        options: &[SocketOption],
        finish: impl FnOnce(&mut dyn HostStack, Fd) -> Result<Option<Call>, Errno>,
    ) -> io::Result<Socket<H>> {
        match self.open_now(kind, Domain::of(&addr), options, finish) {
            Some(opened) => opened,
            None => pending().await,
        }
    }

    /// Like [`open`](Self::open); `None` if the host has lost power, or the run is over.
    fn open_now(
        &self,
        kind: Kind,
        domain: Domain,
        options: &[SocketOption],
        finish: impl FnOnce(&mut dyn HostStack, Fd) -> Result<Option<Call>, Errno>,
    ) -> Option<io::Result<Socket<H>>> {
        let opened = self.0.call(|stack, record| {
            let fd = stack.socket(domain, kind, Protocol::Default)?;
            let set = options.iter().try_for_each(|option| stack.set_option(fd, *option));
            match set.and_then(|()| finish(stack, fd)) {
                Ok(call) => {
                    let id = record.opened(fd);
                    if let Some(call) = call {
                        record.push(id, None, || call);
                    }
                    Ok((fd, id))
                }
                Err(errno) => {
                    stack.close(fd)?;
                    Err(errno)
                }
            }
        });
        opened
            .map(|opened| opened.map(|(fd, id)| Socket { host: self.0.clone(), fd, id }).map_err(Into::into))
    }

    /// A stream socket, neither bound nor connected.
    pub(crate) fn stream_socket(&self, domain: Domain) -> io::Result<Socket<H>> {
        self.open_now(Kind::Stream, domain, &[], |_, _| Ok(None)).unwrap_or(Err(Errno::ENETDOWN.into()))
    }

    pub(crate) async fn connect_to(
        &self,
        local: Option<SocketAddr>,
        peer: SocketAddr,
        options: &[SocketOption],
    ) -> io::Result<HostStream<H>> {
        let start = |stack: &mut dyn HostStack, fd| {
            if let Some(local) = local {
                stack.bind(fd, local)?;
            }
            begin_to_connect(stack, fd, peer).map(|()| None)
        };
        self.open(Kind::Stream, peer, options, start).await?.established(peer).await
    }

    pub(crate) async fn listen_at(
        &self,
        addr: SocketAddr,
        backlog: u32,
        options: &[SocketOption],
    ) -> io::Result<HostListener<H>> {
        let bind = |stack: &mut dyn HostStack, fd| {
            stack.bind(fd, addr)?;
            stack.listen(fd, backlog)?;
            Ok(Some(Call::Listen(stack.local_addr(fd)?)))
        };
        Ok(HostListener(self.open(Kind::Stream, addr, options, bind).await?))
    }

    pub(crate) async fn datagram_at(
        &self,
        addr: SocketAddr,
        options: &[SocketOption],
    ) -> io::Result<HostDatagram<H>> {
        let bind = |stack: &mut dyn HostStack, fd| {
            stack.bind(fd, addr)?;
            Ok(Some(Call::Bind(stack.local_addr(fd)?)))
        };
        Ok(HostDatagram(self.open(Kind::Datagram, addr, options, bind).await?))
    }

    /// The addresses that `host:port` stands for.
    pub(crate) fn lookup(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = address::split(addr)?;
        self.lookup_name(name, port)
    }

    /// The addresses of a host's name, or the literal one, with a port.
    pub(crate) fn lookup_name(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let addrs = match address::literal(name) {
            Some(addrs) => addrs,
            None => self.0.addrs(name)?.to_vec(),
        };
        Ok(addrs.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Connects to the first address that answers, from that of `own` which is of its family.
    async fn connect_first(
        &self,
        own: Option<&[SocketAddr]>,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<HostStream<H>> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for peer in self.resolve(addr).await? {
            let local = own.map(|own| own.iter().find(|own| own.is_ipv4() == peer.is_ipv4()).copied());
            let local = match local {
                Some(None) => continue,
                local => local.flatten(),
            };
            match self.connect_to(local, peer, options).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The first address that a text stands for.
    async fn first(&self, addr: &str) -> io::Result<SocketAddr> {
        self.resolve(addr).await?.first().copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl<H: StackHost> Network for HostNet<H> {
    type Stream = HostStream<H>;
    type Listener = HostListener<H>;
    type Datagram = HostDatagram<H>;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<HostStream<H>> {
        self.connect_first(None, addr, options).await
    }

    async fn connect_from(
        &self,
        local: &str,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<HostStream<H>> {
        let own = self.resolve(local).await?;
        self.connect_first(Some(&own), addr, options).await
    }

    async fn listen(
        &self,
        addr: &str,
        backlog: u32,
        options: &[SocketOption],
    ) -> io::Result<HostListener<H>> {
        self.listen_at(self.first(addr).await?, backlog, options).await
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<HostDatagram<H>> {
        self.datagram_at(self.first(addr).await?, options).await
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        self.lookup(addr)
    }

    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }

    fn now(&self) -> Time {
        self.0.now()
    }
}

/// Begins to connect a stream socket.
fn begin_to_connect(stack: &mut dyn HostStack, fd: Fd, peer: SocketAddr) -> Result<(), Errno> {
    match stack.connect(fd, Some(peer)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(errno) => Err(errno),
    }
}
