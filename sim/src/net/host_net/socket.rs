//! The sockets of a host with a stack in this process.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::network::{Datagram, Listener, Stream};
use faultwire::stack::{Fd, HostStack, How, OptionName, Readiness, Received, SocketOption};
use faultwire::trace::{Call, SocketId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{HostNet, Record, StackHost, begin_to_connect, would_wait};

/// A stream socket of such a host.
#[derive(Debug)]
pub(crate) struct HostStream<H: StackHost>(pub(crate) Socket<H>);

/// A listening socket of such a host.
#[derive(Debug)]
pub(crate) struct HostListener<H: StackHost>(pub(crate) Socket<H>);

/// A datagram socket of such a host.
#[derive(Debug)]
pub(crate) struct HostDatagram<H: StackHost>(pub(crate) Socket<H>);

/// An open socket; closed when dropped.
#[derive(Debug)]
pub(crate) struct Socket<H: StackHost> {
    pub(super) host: H,
    pub(super) fd: Fd,
    pub(super) id: SocketId,
}

impl<H: StackHost> Socket<H> {
    /// The network of its host.
    pub(crate) fn net(&self) -> HostNet<H> {
        HostNet::new(self.host.clone())
    }

    /// A call that may have to wait. Without a context it does not, and is EAGAIN. `describe` says what goes
    /// into the trace.
    fn poll<R>(
        &self,
        cx: Option<&mut Context<'_>>,
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>,
        describe: impl FnOnce(&Result<R, Errno>) -> Call,
    ) -> Poll<io::Result<R>> {
        let recorded = |stack: &mut dyn HostStack, record: &mut H::Record<'_>| {
            let result = call(stack, self.fd);
            if !would_wait(&result) {
                record.push(self.id, result.as_ref().err().copied(), || describe(&result));
            }
            result
        };
        let answer = match cx {
            Some(cx) => self.host.poll(cx, self.fd, recorded),
            None => Poll::Ready(self.host.call(recorded).unwrap_or(Err(Errno::ENETDOWN))),
        };
        answer.map_err(io::Error::from)
    }

    /// Like [`poll`](Self::poll), but it leaves no trace.
    pub(crate) fn poll_unrecorded<R>(
        &self,
        cx: Option<&mut Context<'_>>,
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>,
    ) -> Poll<io::Result<R>> {
        let answer = match cx {
            Some(cx) => self.host.poll(cx, self.fd, |stack, _| call(stack, self.fd)),
            None => return Poll::Ready(self.ask(call)),
        };
        answer.map_err(io::Error::from)
    }

    /// A call that never waits and leaves no trace.
    fn ask<R>(&self, call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>) -> io::Result<R> {
        Ok(self.host.call(|stack, _| call(stack, self.fd)).unwrap_or(Err(Errno::ENETDOWN))?)
    }

    /// A call that never waits.
    fn tell<R>(
        &self,
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<R, Errno>,
        describe: impl FnOnce(&Result<R, Errno>) -> Call,
    ) -> io::Result<R> {
        match self.poll(None, call, describe) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Errno::EAGAIN.into()),
        }
    }

    /// Binds it to an address.
    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        let bound = self.tell(
            |stack, fd| {
                stack.bind(fd, addr)?;
                stack.local_addr(fd)
            },
            |bound| Call::Bind(bound.unwrap_or(addr)),
        );
        bound.map(drop)
    }

    /// Makes it a listener.
    pub(crate) fn listen(self, backlog: u32) -> io::Result<HostListener<H>> {
        let at = self.local_addr()?;
        self.tell(|stack, fd| stack.listen(fd, backlog), |_| Call::Listen(at))?;
        Ok(HostListener(self))
    }

    /// Connects it.
    pub(crate) async fn connect(self, peer: SocketAddr) -> io::Result<HostStream<H>> {
        let begun = self.ask(|stack, fd| begin_to_connect(stack, fd, peer));
        if let Err(error) = begun {
            let errno = Errno::of(&error).unwrap_or(Errno::EIO);
            return self.tell(|_, _| Err(errno), |_| Call::Connect(peer));
        }
        self.established(peer).await
    }

    /// Waits until the connection that was begun is there.
    pub(super) async fn established(self, peer: SocketAddr) -> io::Result<HostStream<H>> {
        let established = |stack: &mut dyn HostStack, fd| {
            if !stack.poll(fd)?.writable {
                return Err(Errno::EAGAIN);
            }
            stack.take_error(fd)?.map_or(Ok(()), Err)
        };
        poll_fn(|cx| self.poll(Some(cx), established, |_| Call::Connect(peer))).await?;
        Ok(HostStream(self))
    }

    /// Waits until a call that `is_ready` speaks of would not wait.
    pub(crate) fn poll_ready(
        &self,
        cx: Option<&mut Context<'_>>,
        is_ready: impl FnOnce(&Readiness) -> bool,
    ) -> Poll<io::Result<Readiness>> {
        self.poll_unrecorded(cx, |stack, fd| {
            let readiness = stack.poll(fd)?;
            if is_ready(&readiness) { Ok(readiness) } else { Err(Errno::EAGAIN) }
        })
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.ask(|stack, fd| stack.take_error(fd))?.map(Into::into))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.local_addr(fd))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.ask(|stack, fd| stack.peer_addr(fd))
    }

    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.tell(|stack, fd| stack.set_option(fd, option), |_| Call::Option(option))
    }

    pub(crate) fn option(&self, name: OptionName) -> io::Result<SocketOption> {
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

impl<H: StackHost> HostListener<H> {
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(HostStream<H>, SocketAddr)>> {
        let Socket { host, fd: own, id: own_id } = &self.0;
        let accepted = host.poll(cx, *own, |stack, record| {
            let result = stack.accept(*own).map(|(fd, peer)| (fd, record.opened(fd), peer));
            if !would_wait(&result) {
                let call = match &result {
                    Ok((_, socket, peer)) => Call::Accept { socket: *socket, peer: Some(*peer) },
                    Err(_) => Call::Accept { socket: *own_id, peer: None },
                };
                record.push(*own_id, result.as_ref().err().copied(), || call);
            }
            result
        });
        let stream = |(fd, id, peer)| (HostStream(Socket { host: host.clone(), fd, id }), peer);
        accepted.map_ok(stream).map_err(Into::into)
    }
}

impl<H: StackHost> Listener for HostListener<H> {
    type Stream = HostStream<H>;

    async fn accept(&self) -> io::Result<(HostStream<H>, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<H: StackHost> HostStream<H> {
    pub(crate) fn poll_recv(&self, cx: Option<&mut Context<'_>>, room: &mut [u8]) -> Poll<io::Result<usize>> {
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
        answer.map_ok(<[u8]>::len)
    }

    pub(crate) fn poll_send(&self, cx: Option<&mut Context<'_>>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(
            cx,
            |stack, fd| stack.send(fd, data),
            |result| {
                let taken = result.as_ref().copied().unwrap_or(data.len());
                Call::Send { to: None, data: kept(&data[..taken]) }
            },
        )
    }

    /// Closes the sending direction.
    pub(crate) fn poll_close(&self, cx: Option<&mut Context<'_>>) -> Poll<io::Result<()>> {
        self.0.poll(cx, |stack, fd| stack.shutdown(fd, How::Write), |_| Call::Shutdown)
    }
}

impl<H: StackHost> AsyncRead for HostStream<H> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv(Some(cx), buf.initialize_unfilled()).map_ok(|len| buf.advance(len))
    }
}

impl<H: StackHost> AsyncWrite for HostStream<H> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(Some(cx), data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close(Some(cx))
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

impl<H: StackHost> HostDatagram<H> {
    /// Sets the peer: of the addresses that `addr` stands for one that fits the socket.
    pub(crate) fn poll_connect(&self, cx: &mut Context<'_>, addrs: &[SocketAddr]) -> Poll<io::Result<()>> {
        // A name has addresses of both families.
        let is_v4 = self.0.local_addr()?.is_ipv4();
        let fits = addrs.iter().find(|peer| peer.is_ipv4() == is_v4).or(addrs.first());
        let peer = *fits.ok_or(io::ErrorKind::NotFound)?;
        self.0.poll(Some(cx), |stack, fd| stack.connect(fd, Some(peer)), |_| Call::Connect(peer))
    }

    /// Sends to the peer, or to an address.
    pub(crate) fn poll_send(
        &self,
        cx: Option<&mut Context<'_>>,
        data: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        let send = |stack: &mut dyn HostStack, fd| match to {
            None => stack.send(fd, data),
            Some(to) => stack.send_to(fd, data, to),
        };
        self.0.poll(cx, send, |_| Call::Send { to, data: kept(data) })
    }

    pub(crate) fn poll_recv(
        &self,
        cx: Option<&mut Context<'_>>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Received>> {
        let answer = self.0.poll(
            cx,
            |stack, fd| {
                let received = stack.recv_from(fd, buffer)?;
                Ok((received, &buffer[..received.len]))
            },
            |result| match result {
                Ok((received, data)) => {
                    let (from, full_len) = (Some(received.from), received.full_len);
                    Call::Recv { from, data: kept(data), full_len }
                }
                Err(_) => Call::Recv { from: None, data: Bytes::new(), full_len: 0 },
            },
        );
        answer.map_ok(|(received, _)| received)
    }
}

impl<H: StackHost> Datagram for HostDatagram<H> {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let addrs = self.0.net().lookup(addr)?;
        poll_fn(|cx| self.poll_connect(cx, &addrs)).await
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(Some(cx), data, None)).await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(Some(cx), data, Some(to))).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        poll_fn(|cx| self.poll_recv(Some(cx), buffer)).await
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
