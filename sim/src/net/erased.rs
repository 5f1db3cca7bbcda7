//! Any [`Network`] behind a pointer.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{OptionName, Received, SocketOption};
use faultwire::time::Time;

/// A network, a listener or a datagram socket on its way behind the pointer.
#[derive(Debug)]
pub(super) struct Erased<T>(pub(super) T);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Network`] whose type is not known.
pub(super) trait AnyNetwork: Send + Sync {
    fn connect<'a>(
        &'a self,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn Stream>>>;
    fn connect_from<'a>(
        &'a self,
        local: &'a str,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn Stream>>>;
    fn listen<'a>(
        &'a self,
        addr: &'a str,
        backlog: u32,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn AnyListener>>>;
    fn datagram<'a>(
        &'a self,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn AnyDatagram>>>;
    fn resolve<'a>(&'a self, addr: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>>;
    fn sleep(&self, span: Duration) -> Boxed<'_, ()>;
    fn now(&self) -> Time;
}

/// A [`Listener`] whose type is not known.
pub(super) trait AnyListener: Send + Sync + std::fmt::Debug {
    fn accept(&self) -> Boxed<'_, io::Result<(Box<dyn Stream>, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A [`Datagram`] socket whose type is not known.
pub(super) trait AnyDatagram: Send + Sync + std::fmt::Debug {
    fn connect<'a>(&'a self, addr: &'a str) -> Boxed<'a, io::Result<()>>;
    fn send<'a>(&'a self, data: &'a [u8]) -> Boxed<'a, io::Result<usize>>;
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> Boxed<'a, io::Result<usize>>;
    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Boxed<'a, io::Result<Received>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn set_option(&self, option: SocketOption) -> io::Result<()>;
    fn option(&self, name: OptionName) -> io::Result<SocketOption>;
}

impl<N: Network> AnyNetwork for Erased<N> {
    fn connect<'a>(
        &'a self,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.0.connect(addr, options).await?) as _) })
    }

    fn connect_from<'a>(
        &'a self,
        local: &'a str,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.0.connect_from(local, addr, options).await?) as _) })
    }

    fn listen<'a>(
        &'a self,
        addr: &'a str,
        backlog: u32,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn AnyListener>>> {
        Box::pin(async move { Ok(Box::new(Erased(self.0.listen(addr, backlog, options).await?)) as _) })
    }

    fn datagram<'a>(
        &'a self,
        addr: &'a str,
        options: &'a [SocketOption],
    ) -> Boxed<'a, io::Result<Box<dyn AnyDatagram>>> {
        Box::pin(async move { Ok(Box::new(Erased(self.0.datagram(addr, options).await?)) as _) })
    }

    fn resolve<'a>(&'a self, addr: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(self.0.resolve(addr))
    }

    fn sleep(&self, span: Duration) -> Boxed<'_, ()> {
        Box::pin(self.0.sleep(span))
    }

    fn now(&self) -> Time {
        self.0.now()
    }
}

impl<L: Listener> AnyListener for Erased<L> {
    fn accept(&self) -> Boxed<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as _, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<D: Datagram> AnyDatagram for Erased<D> {
    fn connect<'a>(&'a self, addr: &'a str) -> Boxed<'a, io::Result<()>> {
        Box::pin(self.0.connect(addr))
    }

    fn send<'a>(&'a self, data: &'a [u8]) -> Boxed<'a, io::Result<usize>> {
        Box::pin(self.0.send(data))
    }

    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> Boxed<'a, io::Result<usize>> {
        Box::pin(self.0.send_to(data, to))
    }

    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Boxed<'a, io::Result<Received>> {
        Box::pin(self.0.recv_from(buffer))
    }

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
