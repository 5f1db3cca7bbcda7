//! Stream sockets of a simulated host.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use faultwire::errno::Errno;
use faultwire::network::{Listener, Stream};
use faultwire::stack::{How, Kind, OptionName, SocketOption};
use faultwire::trace::Call;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Socket, StackNet, kept, record};

/// A stream socket of a simulated host.
#[derive(Debug)]
pub struct StackStream {
    socket: Socket,
}

/// A listening socket of a simulated host.
#[derive(Debug)]
pub struct StackListener {
    socket: Socket,
}

pub(super) async fn connect(
    net: &StackNet,
    local: Option<SocketAddr>,
    peer: SocketAddr,
    options: &[SocketOption],
) -> io::Result<StackStream> {
    let start = |stack: &mut dyn faultwire::stack::Sockets, fd| {
        if let Some(local) = local {
            stack.bind(fd, local)?;
        }
        match stack.connect(fd, Some(peer)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(None),
            Err(errno) => Err(errno),
        }
    };
    let socket = net.open(Kind::Stream, peer, options, start).await?;
    let established = |stack: &mut dyn faultwire::stack::Sockets, fd| {
        if !stack.poll(fd)?.writable {
            return Err(Errno::EAGAIN);
        }
        stack.take_error(fd)?.map_or(Ok(()), Err)
    };
    socket.call(established, |_| Call::Connect(peer)).await?;
    Ok(StackStream { socket })
}

pub(super) async fn listen(
    net: &StackNet,
    addr: &str,
    backlog: u32,
    options: &[SocketOption],
) -> io::Result<StackListener> {
    use faultwire::network::Network as _;
    let addrs = net.resolve(addr).await?;
    let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
    let bind = |stack: &mut dyn faultwire::stack::Sockets, fd| {
        stack.bind(fd, addr)?;
        stack.listen(fd, backlog)?;
        Ok(Some(Call::Listen(stack.local_addr(fd)?)))
    };
    Ok(StackListener { socket: net.open(Kind::Stream, addr, options, bind).await? })
}

impl Listener for StackListener {
    type Stream = StackStream;

    async fn accept(&self) -> io::Result<(StackStream, SocketAddr)> {
        let net = &self.socket.net;
        std::future::poll_fn(|cx| {
            let answer = net.with(|world| {
                let host = world.host(net.host);
                let result = host.stack.accept(self.socket.fd);
                if matches!(result, Err(Errno::EAGAIN)) {
                    host.waiters.add(self.socket.fd, cx.waker());
                    return None;
                }
                let socket = result.map(|(fd, peer)| (fd, peer, host.opened(fd)));
                let call = match &socket {
                    Ok((_, peer, id)) => Call::Accept { socket: *id, peer: Some(*peer) },
                    Err(_) => Call::Accept { socket: self.socket.id, peer: None },
                };
                record(world, net.host, self.socket.id, call, socket.as_ref().err().copied());
                Some(socket)
            });
            match answer {
                Some(Some(Ok((fd, peer, id)))) => {
                    let socket = Socket { net: net.clone(), fd, id };
                    Poll::Ready(Ok((StackStream { socket }, peer)))
                }
                Some(Some(Err(errno))) => Poll::Ready(Err(errno.into())),
                Some(None) | None => Poll::Pending,
            }
        })
        .await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl AsyncRead for StackStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let answer = self.socket.poll_call(
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

impl AsyncWrite for StackStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_call(
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
        self.socket.poll_call(cx, |stack, fd| stack.shutdown(fd, How::Write), |_| Call::Shutdown)
    }
}

impl Stream for StackStream {
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
