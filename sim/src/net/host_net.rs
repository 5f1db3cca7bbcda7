//! The seam over a stack in this process: async sockets, the same on every testbed.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Received, SocketOption};
use faultwire::time::Time;
use faultwire::trace::{Call, SocketId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address;

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

/// A stream socket of such a host.
#[derive(Debug)]
pub(crate) struct HostStream<H: StackHost>(Socket<H>);

/// A listening socket of such a host.
#[derive(Debug)]
pub(crate) struct HostListener<H: StackHost>(Socket<H>);

/// A datagram socket of such a host.
#[derive(Debug)]
pub(crate) struct HostDatagram<H: StackHost>(Socket<H>);

/// An open socket; closed when dropped.
#[derive(Debug)]
struct Socket<H: StackHost> {
    host: H,
    fd: Fd,
    id: SocketId,
}

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
        let opened = self.0.call(|stack, record| {
            let fd = stack.socket(Domain::of(&addr), kind, Protocol::Default)?;
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
        match opened {
            Some(opened) => {
                opened.map(|(fd, id)| Socket { host: self.0.clone(), fd, id }).map_err(Into::into)
            }
            None => pending().await,
        }
    }

    async fn connect_to(
        &self,
        local: Option<SocketAddr>,
        peer: SocketAddr,
        options: &[SocketOption],
    ) -> io::Result<HostStream<H>> {
        let start = |stack: &mut dyn HostStack, fd| {
            if let Some(local) = local {
                stack.bind(fd, local)?;
            }
            match stack.connect(fd, Some(peer)) {
                Ok(()) | Err(Errno::EINPROGRESS) => Ok(None),
                Err(errno) => Err(errno),
            }
        };
        let socket = self.open(Kind::Stream, peer, options, start).await?;
        let established = |stack: &mut dyn HostStack, fd| {
            if !stack.poll(fd)?.writable {
                return Err(Errno::EAGAIN);
            }
            stack.take_error(fd)?.map_or(Ok(()), Err)
        };
        poll_fn(|cx| socket.poll(cx, established, |_| Call::Connect(peer))).await?;
        Ok(HostStream(socket))
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
        let addr = self.first(addr).await?;
        let bind = |stack: &mut dyn HostStack, fd| {
            stack.bind(fd, addr)?;
            stack.listen(fd, backlog)?;
            Ok(Some(Call::Listen(stack.local_addr(fd)?)))
        };
        Ok(HostListener(self.open(Kind::Stream, addr, options, bind).await?))
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<HostDatagram<H>> {
        let addr = self.first(addr).await?;
        let bind = |stack: &mut dyn HostStack, fd| {
            stack.bind(fd, addr)?;
            Ok(Some(Call::Bind(stack.local_addr(fd)?)))
        };
        Ok(HostDatagram(self.open(Kind::Datagram, addr, options, bind).await?))
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = address::split(addr)?;
        let addrs = match address::literal(name) {
            Some(addrs) => addrs,
            None => self.0.addrs(name)?.to_vec(),
        };
        Ok(addrs.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }

    fn now(&self) -> Time {
        self.0.now()
    }
}

impl<H: StackHost> Socket<H> {
    /// A call that may have to wait. `describe` says what goes into the trace.
    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>,
        describe: impl FnOnce(&Result<R, Errno>) -> Call,
    ) -> Poll<io::Result<R>> {
        let answer = self.host.poll(cx, self.fd, |stack, record| {
            let result = call(stack, self.fd);
            if !would_wait(&result) {
                record.push(self.id, result.as_ref().err().copied(), || describe(&result));
            }
            result
        });
        answer.map_err(io::Error::from)
    }

    /// A call that never waits and leaves no trace.
    fn ask<R>(&self, call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>) -> io::Result<R> {
        Ok(self.host.call(|stack, _| call(stack, self.fd)).unwrap_or(Err(Errno::ENETDOWN))?)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.local_addr(fd))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.peer_addr(fd))
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let result = self.host.call(|stack, record| {
            let result = stack.set_option(self.fd, option);
            record.push(self.id, result.err(), || Call::Option(option));
            result
        });
        Ok(result.unwrap_or(Err(Errno::ENETDOWN))?)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.ask(|stack, fd| stack.option(fd, name))
    }
}

impl<H: StackHost> Drop for Socket<H> {
    fn drop(&mut self) {
        self.host.call(|stack, record| {
            record.closed(self.id);
            let result = stack.close(self.fd);
            record.push(self.id, result.err(), || Call::Close);
        });
    }
}

impl<H: StackHost> Listener for HostListener<H> {
    type Stream = HostStream<H>;

    async fn accept(&self) -> io::Result<(HostStream<H>, SocketAddr)> {
        let Socket { host, fd: own, id: own_id } = &self.0;
        let accepted = poll_fn(|cx| {
            host.poll(cx, *own, |stack, record| {
                let result = stack.accept(*own).map(|(fd, peer)| (fd, record.opened(fd), peer));
                if !would_wait(&result) {
                    let call = match &result {
                        Ok((_, socket, peer)) => Call::Accept { socket: *socket, peer: Some(*peer) },
                        Err(_) => Call::Accept { socket: *own_id, peer: None },
                    };
                    record.push(*own_id, result.as_ref().err().copied(), || call);
                }
                result
            })
        });
        let (fd, id, peer) = accepted.await?;
        Ok((HostStream(Socket { host: host.clone(), fd, id }), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<H: StackHost> AsyncRead for HostStream<H> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let answer = self.0.poll(
            cx,
            |stack, fd| {
                let len = stack.recv(fd, room)?;
                Ok(&room[..len])
            },
            |result| {
                let data = kept(result.as_ref().copied().unwrap_or_default());
                Call::Recv { from: None, full_len: data.len(), data }
            },
        );
        let len = answer.map_ok(<[u8]>::len);
        len.map_ok(|len| buf.advance(len))
    }
}

impl<H: StackHost> AsyncWrite for HostStream<H> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(
            cx,
            |stack, fd| stack.send(fd, data),
            |result| {
                let taken = result.as_ref().copied().unwrap_or(data.len());
                Call::Send { to: None, data: kept(&data[..taken]) }
            },
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(cx, |stack, fd| stack.shutdown(fd, How::Write), |_| Call::Shutdown)
    }
}

impl<H: StackHost> Stream for HostStream<H> {
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

impl<H: StackHost> Datagram for HostDatagram<H> {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let addrs = HostNet(self.0.host.clone()).resolve(addr).await?;
        // A name has addresses of both families: take the one that fits the socket.
        let is_v4 = self.local_addr()?.is_ipv4();
        let fits = addrs.iter().find(|peer| peer.is_ipv4() == is_v4).or(addrs.first());
        let peer = *fits.ok_or(io::ErrorKind::NotFound)?;
        poll_fn(|cx| self.0.poll(cx, |stack, fd| stack.connect(fd, Some(peer)), |_| Call::Connect(peer)))
            .await
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let sent = |_: &_| Call::Send { to: None, data: kept(data) };
        poll_fn(|cx| self.0.poll(cx, |stack, fd| stack.send(fd, data), sent)).await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        let sent = |_: &_| Call::Send { to: Some(to), data: kept(data) };
        poll_fn(|cx| self.0.poll(cx, |stack, fd| stack.send_to(fd, data, to), sent)).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        poll_fn(|cx| {
            let buffer = &mut *buffer;
            let answer = self.0.poll(
                cx,
                |stack, fd| {
                    let received = stack.recv_from(fd, buffer)?;
                    Ok((received, &buffer[..received.len]))
                },
                |result| match result {
                    Ok((received, data)) => Call::Recv {
                        from: Some(received.from),
                        data: kept(data),
                        full_len: received.full_len,
                    },
                    Err(_) => Call::Recv { from: None, data: Bytes::new(), full_len: 0 },
                },
            );
            answer.map_ok(|(received, _)| received)
        })
        .await
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

/// The bytes of a call as the trace keeps them.
fn kept(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}
