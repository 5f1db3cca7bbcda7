//! The seam over our own stack: async sockets of a simulated host.

mod datagram;
mod sleep;
mod stream;

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::network::Network;
use faultwire::stack::{Domain, Fd, Kind, OptionName, Protocol, SocketOption, Sockets};
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, SocketId, What};

pub(crate) use datagram::StackDatagram;
pub(crate) use stream::{StackListener, StackStream};

use super::address;
use crate::program::calls_at;
use crate::world::{Shared, World};

/// A simulated host's network, on either fabric.
#[derive(Clone, Debug)]
pub struct StackNet {
    shared: Arc<Shared>,
    host: HostId,
    generation: u32,
}

impl StackNet {
    pub(crate) fn new(shared: Arc<Shared>, host: HostId, generation: u32) -> Self {
        StackNet { shared, host, generation }
    }

    #[cfg(test)]
    pub(crate) fn world(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// Does something with the host's stack and lets what follows from it happen; `None` if the host has lost
    /// power since, or the run is over.
    fn with<R>(&self, call: impl FnOnce(&mut World) -> R) -> Option<R> {
        calls_at(self.host);
        let mut world = self.shared.lock();
        let now = world.now;
        // A program that calls and never waits would run for ever: its calls count, and past the limit none comes back.
        world.count_event();
        if world.is_silent() || world.host(self.host).generation != self.generation {
            return None;
        }
        world.host(self.host).handle_timeout(now);
        let result = call(&mut world);
        world.settle(self.host);
        self.shared.fabric.put_on_wire(&mut world, self.host);
        Some(result)
    }

    /// Opens a socket for an address of its family, sets its options and lets `finish` bind it, or begin to connect it: it
    /// gives the call that came back, if one did.
    async fn open(
        &self,
        kind: Kind,
        addr: SocketAddr,
        options: &[SocketOption],
        finish: impl FnOnce(&mut dyn Sockets, Fd) -> Result<Option<Call>, Errno> + Send,
    ) -> io::Result<Socket> {
        let opened = self.with(|world| {
            let stack = &mut world.host(self.host).stack;
            let fd = stack.socket(Domain::of(&addr), kind, Protocol::Default)?;
            let set = options.iter().try_for_each(|option| stack.set_option(fd, *option));
            match set.and_then(|()| finish(&mut **stack, fd)) {
                Ok(call) => {
                    let host = world.host(self.host);
                    host.progressed();
                    let id = host.opened(fd);
                    if let Some(call) = call {
                        record(world, self.host, id, call, None);
                    }
                    Ok((fd, id))
                }
                Err(errno) => {
                    stack.close(fd)?;
                    Err(errno)
                }
            }
        });
        match opened {
            Some(Ok((fd, id))) => Ok(Socket { net: self.clone(), fd, id }),
            Some(Err(errno)) => Err(errno.into()),
            None => std::future::pending().await,
        }
    }
}

/// Puts a socket call into the trace.
fn record(world: &mut World, host: HostId, socket: SocketId, call: Call, error: Option<Errno>) {
    let at = world.now;
    world.trace.push(at, What::Call { host, socket, call, error });
}

/// An open socket of a simulated host; closed when dropped.
#[derive(Debug)]
struct Socket {
    net: StackNet,
    fd: Fd,
    id: SocketId,
}

impl Socket {
    /// A call that may have to wait: polled until the stack answers with something else than EAGAIN. `describe`
    /// says what goes into the trace.
    fn poll_call<R>(
        &self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut dyn Sockets, Fd) -> Result<R, Errno>,
        describe: impl FnOnce(&Result<R, Errno>) -> Call,
    ) -> Poll<io::Result<R>> {
        let answer = self.net.with(|world| {
            let host = world.host(self.net.host);
            let result = call(&mut *host.stack, self.fd);
            if matches!(result, Err(Errno::EAGAIN | Errno::EINPROGRESS | Errno::EALREADY)) {
                host.waiters.add(self.fd, cx.waker());
                return None;
            }
            host.progressed();
            if world.trace.keeps_events() {
                let described = describe(&result);
                record(world, self.net.host, self.id, described, result.as_ref().err().copied());
            }
            Some(result)
        });
        match answer {
            Some(Some(result)) => Poll::Ready(result.map_err(io::Error::from)),
            // Waiting, or the host has lost power: then nobody will ever answer.
            Some(None) | None => Poll::Pending,
        }
    }

    async fn call<R>(
        &self,
        mut call: impl FnMut(&mut dyn Sockets, Fd) -> Result<R, Errno>,
        mut describe: impl FnMut(&Result<R, Errno>) -> Call,
    ) -> io::Result<R> {
        poll_fn(|cx| self.poll_call(cx, &mut call, &mut describe)).await
    }

    /// A call that never waits and leaves no trace.
    fn ask<R>(&self, call: impl FnOnce(&mut dyn Sockets, Fd) -> Result<R, Errno>) -> io::Result<R> {
        match self.net.with(|world| call(&mut *world.host(self.net.host).stack, self.fd)) {
            Some(result) => Ok(result?),
            None => Err(Errno::ENETDOWN.into()),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.local_addr(fd))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.peer_addr(fd))
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let result = self.net.with(|world| {
            let result = world.host(self.net.host).stack.set_option(self.fd, option);
            record(world, self.net.host, self.id, Call::Option(option), result.err());
            result
        });
        Ok(result.unwrap_or(Err(Errno::ENETDOWN))?)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.ask(|stack, fd| stack.option(fd, name))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.net.with(|world| {
            let host = world.host(self.net.host);
            host.closed(self.id);
            let result = host.stack.close(self.fd);
            record(world, self.net.host, self.id, Call::Close, result.err());
        });
    }
}

impl Network for StackNet {
    type Stream = StackStream;
    type Listener = StackListener;
    type Datagram = StackDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<StackStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for addr in self.resolve(addr).await? {
            match stream::connect(self, None, addr, options).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_from(
        &self,
        local: &str,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<StackStream> {
        let own = self.resolve(local).await?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for addr in self.resolve(addr).await? {
            let Some(own) = own.iter().find(|own| own.is_ipv4() == addr.is_ipv4()) else { continue };
            match stream::connect(self, Some(*own), addr, options).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<StackListener> {
        stream::listen(self, addr, backlog, options).await
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<StackDatagram> {
        datagram::bind(self, addr, options).await
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = address::split(addr)?;
        if let Some(ip) = address::literal(name) {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let world = self.shared.lock();
        let host = world.trace.host(name).ok_or_else(|| address::unknown(name, world.trace.hosts()))?;
        let addrs = world.hosts[usize::from(host.0)].addrs;
        Ok([IpAddr::V4(addrs.v4), IpAddr::V6(addrs.v6)].map(|ip| SocketAddr::new(ip, port)).to_vec())
    }

    async fn sleep(&self, span: Duration) {
        let due = self.now() + span;
        sleep::Sleep::new(self.shared.clone(), due).await;
    }

    fn now(&self) -> Time {
        self.shared.lock().now
    }
}

/// The bytes of a call as the trace keeps them.
fn kept(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}
