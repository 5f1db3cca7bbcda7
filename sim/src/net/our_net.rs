//! The seam over a stack of ours on the real clock: async sockets of a host of ours in a lab.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::lab::OurHost;
use faultwire::network::os::OsNetwork;
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Received, SocketOption};
use faultwire::time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address;

/// The names and addresses of a run's hosts.
pub(crate) type Names = Arc<Vec<(String, [IpAddr; 2])>>;

/// A host of ours in a lab.
#[derive(Clone, Debug)]
pub(crate) struct OurNet {
    host: OurHost,
    clock: OsNetwork,
    names: Names,
}

/// A stream of a host of ours.
#[derive(Debug)]
pub(crate) struct OurStream(Socket);

/// A listener of a host of ours.
#[derive(Debug)]
pub(crate) struct OurListener(Socket);

/// A datagram socket of a host of ours.
#[derive(Debug)]
pub(crate) struct OurDatagram {
    socket: Socket,
    net: OurNet,
}

/// A socket; closed when dropped.
#[derive(Debug)]
struct Socket {
    host: OurHost,
    fd: Fd,
}

impl OurNet {
    pub(crate) fn new(host: OurHost, clock: OsNetwork, names: Names) -> Self {
        OurNet { host, clock, names }
    }

    /// Opens a socket for an address of its family, sets its options, and lets `finish` do the rest.
    fn open(
        &self,
        kind: Kind,
        addr: SocketAddr,
        options: &[SocketOption],
        finish: impl FnOnce(&mut dyn HostStack, Fd) -> Result<(), Errno>,
    ) -> io::Result<Socket> {
        let opened = self.host.call(|stack| {
            let fd = stack.socket(Domain::of(&addr), kind, Protocol::Default)?;
            let set = options.iter().try_for_each(|option| stack.set_option(fd, *option));
            match set.and_then(|()| finish(stack, fd)) {
                Ok(()) => Ok(fd),
                Err(errno) => {
                    stack.close(fd)?;
                    Err(errno)
                }
            }
        });
        let fd = opened.unwrap_or(Err(Errno::ENETDOWN))?;
        Ok(Socket { host: self.host.clone(), fd })
    }

    async fn connect_to(
        &self,
        local: Option<SocketAddr>,
        peer: SocketAddr,
        options: &[SocketOption],
    ) -> io::Result<OurStream> {
        let socket = self.open(Kind::Stream, peer, options, |stack, fd| {
            if let Some(local) = local {
                stack.bind(fd, local)?;
            }
            match stack.connect(fd, Some(peer)) {
                Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
                Err(errno) => Err(errno),
            }
        })?;
        let fd = socket.fd;
        let established = |stack: &mut dyn HostStack| {
            if !stack.poll(fd)?.writable {
                return Err(Errno::EAGAIN);
            }
            stack.take_error(fd)?.map_or(Ok(()), Err)
        };
        poll_fn(|cx| socket.poll(cx, established)).await?;
        Ok(OurStream(socket))
    }

    /// Connects to the first address that answers, from that of `own` which is of its family.
    async fn connect_first(
        &self,
        own: Option<&[SocketAddr]>,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<OurStream> {
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

impl Socket {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut dyn HostStack) -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        self.host.poll(cx, self.fd, call).map_err(io::Error::from)
    }

    /// A call that never waits.
    fn ask<T>(&self, call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<T, Errno>) -> io::Result<T> {
        Ok(self.host.call(|stack| call(stack, self.fd)).unwrap_or(Err(Errno::ENETDOWN))?)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.local_addr(fd))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.peer_addr(fd))
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.ask(|stack, fd| stack.set_option(fd, option))
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.ask(|stack, fd| stack.option(fd, name))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nothing is left of it where the forwarder has ended.
        let _ = self.host.call(|stack| stack.close(self.fd));
    }
}

impl Network for OurNet {
    type Stream = OurStream;
    type Listener = OurListener;
    type Datagram = OurDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<OurStream> {
        self.connect_first(None, addr, options).await
    }

    async fn connect_from(&self, local: &str, addr: &str, options: &[SocketOption]) -> io::Result<OurStream> {
        let own = self.resolve(local).await?;
        self.connect_first(Some(&own), addr, options).await
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<OurListener> {
        let addr = self.first(addr).await?;
        let socket = self.open(Kind::Stream, addr, options, |stack, fd| {
            stack.bind(fd, addr)?;
            stack.listen(fd, backlog)
        })?;
        Ok(OurListener(socket))
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<OurDatagram> {
        let addr = self.first(addr).await?;
        let socket = self.open(Kind::Datagram, addr, options, |stack, fd| stack.bind(fd, addr))?;
        Ok(OurDatagram { socket, net: self.clone() })
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = address::split(addr)?;
        if let Some(ip) = address::literal(name) {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let found = self.names.iter().find(|(host, _)| host == name);
        let (_, addrs) = found.ok_or_else(|| {
            let hosts: Vec<String> = self.names.iter().map(|(host, _)| host.clone()).collect();
            address::unknown(name, &hosts)
        })?;
        Ok(addrs.map(|ip| SocketAddr::new(ip, port)).to_vec())
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

impl Listener for OurListener {
    type Stream = OurStream;

    async fn accept(&self) -> io::Result<(OurStream, SocketAddr)> {
        let fd = self.0.fd;
        let (fd, peer) = poll_fn(|cx| self.0.poll(cx, |stack| stack.accept(fd))).await?;
        Ok((OurStream(Socket { host: self.0.host.clone(), fd }), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl AsyncRead for OurStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let fd = self.0.fd;
        self.0.poll(cx, |stack| stack.recv(fd, room)).map_ok(|len| buf.advance(len))
    }
}

impl AsyncWrite for OurStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let fd = self.0.fd;
        self.0.poll(cx, |stack| stack.send(fd, data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let fd = self.0.fd;
        self.0.poll(cx, |stack| stack.shutdown(fd, How::Write))
    }
}

impl Stream for OurStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.0.set_option(option)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.0.option(name)
    }
}

impl Datagram for OurDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let addrs = self.net.resolve(addr).await?;
        // A name has addresses of both families: take the one that fits the socket.
        let is_v4 = self.local_addr()?.is_ipv4();
        let fits = addrs.iter().find(|peer| peer.is_ipv4() == is_v4).or(addrs.first());
        let peer = *fits.ok_or(io::ErrorKind::NotFound)?;
        self.socket.ask(|stack, fd| stack.connect(fd, Some(peer)))
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.socket.poll(cx, |stack| stack.send(self.socket.fd, data))).await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        poll_fn(|cx| self.socket.poll(cx, |stack| stack.send_to(self.socket.fd, data, to))).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        poll_fn(|cx| self.socket.poll(cx, |stack| stack.recv_from(self.socket.fd, buffer))).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }
}
