//! A stream socket of either side, with calls that wait no longer than they are told.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use faultwire::Errno;
use faultwire::lab::{KernelHost, LabStack, WaitError};
use faultwire::stack::{Domain, Fd, How, Kind, Protocol, SocketOption};

/// A host's end of the wire, as programs see it.
#[derive(Clone, Debug)]
pub(super) enum Host {
    Kernel(KernelHost),
    Stack(LabStack),
}

/// A stream socket.
#[derive(Debug)]
pub(super) enum Stream {
    Kernel(socket2::Socket),
    Stack(LabStack, Fd),
}

impl Host {
    /// A socket for IPv4; every small write is sent at once.
    pub(super) fn stream(&self) -> io::Result<Stream> {
        match self {
            Host::Kernel(host) => {
                let socket = kernel_socket(host, Domain::Inet, Kind::Stream)?;
                socket.set_tcp_nodelay(true)?;
                Ok(Stream::Kernel(socket))
            }
            Host::Stack(host) => {
                let opened = host.call(|stack| {
                    let fd = stack.socket(Domain::Inet, Kind::Stream, Protocol::Default)?;
                    stack.set_option(fd, SocketOption::NoDelay(true))?;
                    Ok::<Fd, Errno>(fd)
                });
                Ok(Stream::Stack(host.clone(), opened.ok_or_else(gone)??))
            }
        }
    }
}

/// A socket of a host of the kernel.
pub(super) fn kernel_socket(host: &KernelHost, domain: Domain, kind: Kind) -> io::Result<socket2::Socket> {
    host.socket(domain, kind, Protocol::Default).map(Into::into).map_err(io::Error::other)
}

fn gone() -> io::Error {
    io::Error::other("the forwarder has ended")
}

fn waited(error: WaitError) -> io::Error {
    match error {
        WaitError::Failed(errno) => errno.into(),
        _ => io::ErrorKind::TimedOut.into(),
    }
}

impl Stream {
    /// Makes the receive buffer small, before the socket connects or listens.
    pub(super) fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        match self {
            Stream::Kernel(socket) => socket.set_recv_buffer_size(bytes),
            Stream::Stack(host, fd) => {
                let set = host.call(|stack| stack.set_option(*fd, SocketOption::RecvBuffer(bytes)));
                Ok(set.ok_or_else(gone)??)
            }
        }
    }

    /// Connects, or gives up after `limit`.
    pub(super) fn connect(&self, to: SocketAddr, limit: Duration) -> io::Result<()> {
        match self {
            Stream::Kernel(socket) => socket.connect_timeout(&to.into(), limit),
            Stream::Stack(host, fd) => {
                match host.call(|stack| stack.connect(*fd, Some(to))).ok_or_else(gone)? {
                    Ok(()) => return Ok(()),
                    Err(Errno::EINPROGRESS) => {}
                    Err(error) => return Err(error.into()),
                }
                let connected = host.wait(limit, |stack| {
                    let ready = stack.poll(*fd)?;
                    if !(ready.writable || ready.error || ready.hang_up) {
                        return Err(Errno::EAGAIN);
                    }
                    stack.take_error(*fd)?.map_or(Ok(()), Err)
                });
                connected.map_err(waited)
            }
        }
    }

    /// Takes clients from now on.
    pub(super) fn listen(&self, at: SocketAddr) -> io::Result<()> {
        match self {
            Stream::Kernel(socket) => {
                socket.bind(&at.into())?;
                socket.listen(4)
            }
            Stream::Stack(host, fd) => {
                let done = host.call(|stack| {
                    stack.bind(*fd, at)?;
                    stack.listen(*fd, 4)
                });
                Ok(done.ok_or_else(gone)??)
            }
        }
    }

    /// The next client; every small write to it is sent at once.
    pub(super) fn accept(&self, limit: Duration) -> io::Result<Stream> {
        match self {
            Stream::Kernel(socket) => {
                socket.set_read_timeout(Some(limit))?;
                let (accepted, _) = socket.accept()?;
                accepted.set_tcp_nodelay(true)?;
                Ok(Stream::Kernel(accepted))
            }
            Stream::Stack(host, fd) => {
                let (accepted, _) = host.wait(limit, |stack| stack.accept(*fd)).map_err(waited)?;
                let set = host.call(|stack| stack.set_option(accepted, SocketOption::NoDelay(true)));
                set.ok_or_else(gone)??;
                Ok(Stream::Stack(host.clone(), accepted))
            }
        }
    }

    /// Sends what the socket takes without waiting; gives how much that was.
    pub(super) fn send_some(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Kernel(socket) => {
                socket.set_nonblocking(true)?;
                let mut socket = socket;
                let sent = socket.write(data);
                socket.set_nonblocking(false)?;
                match sent {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                    other => other,
                }
            }
            Stream::Stack(host, fd) => match host.call(|stack| stack.send(*fd, data)).ok_or_else(gone)? {
                Err(Errno::EAGAIN) => Ok(0),
                other => Ok(other?),
            },
        }
    }

    /// Sends all of it, which must not have to wait for room.
    pub(super) fn send(&self, data: &[u8]) -> io::Result<()> {
        let sent = self.send_some(data)?;
        if sent < data.len() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// What has come, up to `room`; waits for something.
    pub(super) fn receive(&self, room: usize, limit: Duration) -> io::Result<usize> {
        let mut buffer = vec![0; room];
        match self {
            Stream::Kernel(socket) => {
                socket.set_read_timeout(Some(limit))?;
                let mut socket = socket;
                socket.read(&mut buffer)
            }
            Stream::Stack(host, fd) => host.wait(limit, |stack| stack.recv(*fd, &mut buffer)).map_err(waited),
        }
    }

    /// Sends no more.
    pub(super) fn finish(&self) -> io::Result<()> {
        match self {
            Stream::Kernel(socket) => socket.shutdown(Shutdown::Write),
            Stream::Stack(host, fd) => {
                Ok(host.call(|stack| stack.shutdown(*fd, How::Write)).ok_or_else(gone)??)
            }
        }
    }
}
