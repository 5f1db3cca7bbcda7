//! The network that a scenario's programs are given: one type for every testbed.

mod address;
#[cfg(all(feature = "lab", target_os = "linux"))]
pub(crate) mod our_net;
pub(crate) mod recorded;
pub(crate) mod stack_net;
pub(crate) mod turmoil_net;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::network::os::{OsDatagram, OsListener, OsNetwork, OsStream};
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{OptionName, Received, SocketOption};
use faultwire::time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(all(feature = "lab", target_os = "linux"))]
use our_net::{OurDatagram, OurListener, OurNet, OurStream};
use recorded::{Recorded, RecordedDatagram, RecordedListener, RecordedStream};
use stack_net::{StackDatagram, StackListener, StackNet, StackStream};
use turmoil_net::{TurmoilDatagram, TurmoilListener, TurmoilNet, TurmoilStream};

/// The network of a host, whatever the testbed. Programs are best written against [`Network`]; this is the type that
/// a scenario calls them with.
#[derive(Clone, Debug)]
pub struct Net(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Stack(StackNet),
    Turmoil(Recorded<TurmoilNet>),
    Os(Recorded<OsNetwork>),
    #[cfg(all(feature = "lab", target_os = "linux"))]
    Ours(Recorded<OurNet>),
}

/// A stream of [`Net`].
#[derive(Debug)]
pub struct NetStream(StreamBackend);

#[derive(Debug)]
enum StreamBackend {
    Stack(StackStream),
    Turmoil(RecordedStream<TurmoilStream>),
    Os(RecordedStream<OsStream>),
    #[cfg(all(feature = "lab", target_os = "linux"))]
    Ours(RecordedStream<OurStream>),
}

/// A listener of [`Net`].
#[derive(Debug)]
pub struct NetListener(ListenerBackend);

#[derive(Debug)]
enum ListenerBackend {
    Stack(StackListener),
    Turmoil(RecordedListener<TurmoilListener>),
    Os(RecordedListener<OsListener>),
    #[cfg(all(feature = "lab", target_os = "linux"))]
    Ours(RecordedListener<OurListener>),
}

/// A datagram socket of [`Net`].
#[derive(Debug)]
pub struct NetDatagram(DatagramBackend);

#[derive(Debug)]
enum DatagramBackend {
    Stack(StackDatagram),
    Turmoil(RecordedDatagram<TurmoilDatagram>),
    Os(RecordedDatagram<OsDatagram>),
    #[cfg(all(feature = "lab", target_os = "linux"))]
    Ours(RecordedDatagram<OurDatagram>),
}

/// Does the same on whichever backend it is.
macro_rules! on_backend {
    ($enum:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $enum::Stack($inner) => $body,
            $enum::Turmoil($inner) => $body,
            $enum::Os($inner) => $body,
            #[cfg(all(feature = "lab", target_os = "linux"))]
            $enum::Ours($inner) => $body,
        }
    };
}

/// Does the same on whichever backend it is, and wraps what it gives in the backend's own variant.
macro_rules! wrap_backend {
    ($enum:ident => $wrapped:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $enum::Stack($inner) => $wrapped::Stack($body),
            $enum::Turmoil($inner) => $wrapped::Turmoil($body),
            $enum::Os($inner) => $wrapped::Os($body),
            #[cfg(all(feature = "lab", target_os = "linux"))]
            $enum::Ours($inner) => $wrapped::Ours($body),
        }
    };
}

#[cfg(test)]
impl Net {
    /// The world behind it, without keeping that alive.
    pub(crate) fn world(&self) -> Option<std::sync::Weak<crate::world::Shared>> {
        match &self.0 {
            Backend::Stack(net) => Some(net.world()),
            _ => None,
        }
    }
}

impl From<StackNet> for Net {
    fn from(net: StackNet) -> Self {
        Net(Backend::Stack(net))
    }
}

impl From<Recorded<TurmoilNet>> for Net {
    fn from(net: Recorded<TurmoilNet>) -> Self {
        Net(Backend::Turmoil(net))
    }
}

impl From<Recorded<OsNetwork>> for Net {
    fn from(net: Recorded<OsNetwork>) -> Self {
        Net(Backend::Os(net))
    }
}

#[cfg(all(feature = "lab", target_os = "linux"))]
impl From<Recorded<OurNet>> for Net {
    fn from(net: Recorded<OurNet>) -> Self {
        Net(Backend::Ours(net))
    }
}

impl Network for Net {
    type Stream = NetStream;
    type Listener = NetListener;
    type Datagram = NetDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<NetStream> {
        Ok(NetStream(
            wrap_backend!(Backend => StreamBackend, &self.0, net => net.connect(addr, options).await?),
        ))
    }

    async fn connect_from(&self, local: &str, addr: &str, options: &[SocketOption]) -> io::Result<NetStream> {
        Ok(NetStream(
            wrap_backend!(Backend => StreamBackend, &self.0, net => net.connect_from(local, addr, options).await?),
        ))
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<NetListener> {
        Ok(NetListener(
            wrap_backend!(Backend => ListenerBackend, &self.0, net => net.listen(addr, backlog, options).await?),
        ))
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<NetDatagram> {
        Ok(NetDatagram(
            wrap_backend!(Backend => DatagramBackend, &self.0, net => net.datagram(addr, options).await?),
        ))
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        on_backend!(Backend, &self.0, net => net.resolve(addr).await)
    }

    async fn sleep(&self, span: Duration) {
        on_backend!(Backend, &self.0, net => net.sleep(span).await);
    }

    fn now(&self) -> Time {
        on_backend!(Backend, &self.0, net => net.now())
    }
}

impl Listener for NetListener {
    type Stream = NetStream;

    async fn accept(&self) -> io::Result<(NetStream, SocketAddr)> {
        match &self.0 {
            ListenerBackend::Stack(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((NetStream(StreamBackend::Stack(stream)), peer))
            }
            ListenerBackend::Turmoil(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((NetStream(StreamBackend::Turmoil(stream)), peer))
            }
            ListenerBackend::Os(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((NetStream(StreamBackend::Os(stream)), peer))
            }
            #[cfg(all(feature = "lab", target_os = "linux"))]
            ListenerBackend::Ours(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((NetStream(StreamBackend::Ours(stream)), peer))
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(ListenerBackend, &self.0, listener => listener.local_addr())
    }
}

impl AsyncRead for NetStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl Stream for NetStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(StreamBackend, &self.0, stream => stream.local_addr())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(StreamBackend, &self.0, stream => stream.peer_addr())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        on_backend!(StreamBackend, &self.0, stream => stream.set_option(option))
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        on_backend!(StreamBackend, &self.0, stream => stream.option(name))
    }
}

impl Datagram for NetDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        on_backend!(DatagramBackend, &self.0, socket => socket.connect(addr).await)
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        on_backend!(DatagramBackend, &self.0, socket => socket.send(data).await)
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        on_backend!(DatagramBackend, &self.0, socket => socket.send_to(data, to).await)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        on_backend!(DatagramBackend, &self.0, socket => socket.recv_from(buffer).await)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(DatagramBackend, &self.0, socket => socket.local_addr())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(DatagramBackend, &self.0, socket => socket.peer_addr())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        on_backend!(DatagramBackend, &self.0, socket => socket.set_option(option))
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        on_backend!(DatagramBackend, &self.0, socket => socket.option(name))
    }
}
