//! The seam over turmoil's own sockets: a subject of the suite.
//!
//! turmoil has no buffers, no linger, no backlog and no ICMP; options that it lacks are ENOPROTOOPT.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{OptionName, Received, SocketOption};
use faultwire::time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use super::address;

/// Bytes of the longest datagram that a scenario sends: turmoil has no limit.
const DATAGRAM_MAX: usize = 100_000;

/// A turmoil host's own network.
#[derive(Clone, Debug)]
pub(crate) struct TurmoilNet {
    /// The hosts of the run: turmoil itself makes up an address for any name.
    names: Arc<[String]>,
}

impl TurmoilNet {
    pub(crate) fn new(names: Arc<[String]>) -> Self {
        TurmoilNet { names }
    }
}

/// turmoil's datagram socket.
pub(crate) struct TurmoilDatagram {
    net: TurmoilNet,
    socket: UdpSocket,
    peer: Mutex<Option<SocketAddr>>,
}

/// turmoil's listener.
pub(crate) struct TurmoilListener(TcpListener);

/// turmoil's stream.
#[derive(Debug)]
pub(crate) struct TurmoilStream(TcpStream);

impl std::fmt::Debug for TurmoilDatagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurmoilDatagram").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TurmoilListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurmoilListener").finish_non_exhaustive()
    }
}

impl Network for TurmoilNet {
    type Stream = TurmoilStream;
    type Listener = TurmoilListener;
    type Datagram = TurmoilDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<TurmoilStream> {
        let addrs = self.resolve(addr).await?;
        let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
        let stream = TurmoilStream(TcpStream::connect(addr).await?);
        options.iter().try_for_each(|option| stream.set_option(*option))?;
        Ok(stream)
    }

    async fn listen(
        &self,
        addr: &str,
        _backlog: u32,
        options: &[SocketOption],
    ) -> io::Result<TurmoilListener> {
        if !options.is_empty() {
            return Err(Errno::ENOPROTOOPT.into());
        }
        let addrs = self.resolve(addr).await?;
        let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
        Ok(TurmoilListener(TcpListener::bind(addr).await?))
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<TurmoilDatagram> {
        let addrs = self.resolve(addr).await?;
        let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
        let socket = TurmoilDatagram {
            net: self.clone(),
            socket: UdpSocket::bind(addr).await?,
            peer: Mutex::default(),
        };
        options.iter().try_for_each(|option| socket.set_option(*option))?;
        Ok(socket)
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = address::split(addr)?;
        let ip = match address::literal(name) {
            // A turmoil host has one family.
            Some(addrs) => *addrs.first().ok_or(io::ErrorKind::NotFound)?,
            None if self.names.iter().any(|host| host == name) => turmoil::lookup(name),
            None => return Err(address::unknown(name, &self.names)),
        };
        Ok(vec![SocketAddr::new(ip, port)])
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn now(&self) -> Time {
        turmoil::sim_elapsed().map_or(Time::ZERO, Time::from)
    }
}

impl Listener for TurmoilListener {
    type Stream = TurmoilStream;

    async fn accept(&self) -> io::Result<(TurmoilStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((TurmoilStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl AsyncRead for TurmoilStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for TurmoilStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Stream for TurmoilStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        match option {
            SocketOption::NoDelay(on) => self.0.set_nodelay(on),
            _ => Err(Errno::ENOPROTOOPT.into()),
        }
    }

    fn option(&self, _: OptionName) -> io::Result<SocketOption> {
        Err(Errno::ENOPROTOOPT.into())
    }
}

impl Datagram for TurmoilDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let addrs = self.net.resolve(addr).await?;
        let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
        self.socket.connect(addr).await?;
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(addr);
        Ok(())
    }

    /// turmoil has no `send` on a connected socket: the peer is named each time.
    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let peer = self.peer_addr().map_err(|_| io::Error::from(Errno::EDESTADDRREQ))?;
        self.socket.send_to(data, peer).await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(data, to).await
    }

    /// Receives all of a datagram, whose own length turmoil does not tell, and gives what fits.
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut all = vec![0; DATAGRAM_MAX];
        let (full_len, from) = self.socket.recv_from(&mut all).await?;
        let len = full_len.min(buffer.len());
        buffer[..len].copy_from_slice(&all[..len]);
        Ok(Received { len, full_len, from })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = *self.peer.lock().unwrap_or_else(PoisonError::into_inner);
        peer.ok_or_else(|| Errno::ENOTCONN.into())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        match option {
            SocketOption::Broadcast(on) => self.socket.set_broadcast(on),
            SocketOption::MulticastLoop(on) => self.socket.set_multicast_loop_v4(on),
            SocketOption::JoinGroup(std::net::IpAddr::V4(group)) => {
                self.socket.join_multicast_v4(group, std::net::Ipv4Addr::UNSPECIFIED)
            }
            SocketOption::LeaveGroup(std::net::IpAddr::V4(group)) => {
                self.socket.leave_multicast_v4(group, std::net::Ipv4Addr::UNSPECIFIED)
            }
            _ => Err(Errno::ENOPROTOOPT.into()),
        }
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        match name {
            OptionName::Broadcast => self.socket.broadcast().map(SocketOption::Broadcast),
            OptionName::MulticastLoop => self.socket.multicast_loop_v4().map(SocketOption::MulticastLoop),
            _ => Err(Errno::ENOPROTOOPT.into()),
        }
    }
}
