//! The Berkeley calls as the operating system answers them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};
use socket2::{SockRef, Socket};

use super::options;
use crate::model::{
    Domain, Errno, Fd, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
};

/// The operating system's sockets behind the synchronous [`Sockets`] calls; all are non-blocking.
///
/// It numbers its descriptors itself and never reuses a number, so a call after a close gives `EBADF`, where
/// the bare system may have reused the number. Dropping it closes all of them.
///
/// ```
/// use faultwire::errno::Errno;
/// use faultwire::network::os::OsSockets;
/// use faultwire::stack::{Domain, Kind, Protocol, Sockets as _};
///
/// let mut os = OsSockets::new();
/// let fd = os.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
/// os.bind(fd, "127.0.0.1:0".parse()?)?;
/// let own = os.local_addr(fd)?;
/// assert_eq!(os.recv(fd, &mut [0; 8]), Err(Errno::EAGAIN));
/// os.send_to(fd, b"hello", own)?;
/// os.close(fd)?;
/// assert_eq!(os.recv(fd, &mut [0; 8]), Err(Errno::EBADF));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct OsSockets {
    open: BTreeMap<u32, Entry>,
    next: u32,
}

#[derive(Debug)]
struct Entry {
    socket: Socket,
    domain: Domain,
    kind: Kind,
}

impl OsSockets {
    /// No sockets yet.
    pub fn new() -> Self {
        OsSockets::default()
    }

    fn get(&self, fd: Fd) -> Result<&Entry, Errno> {
        self.open.get(&fd.0).ok_or(Errno::EBADF)
    }

    fn add(&mut self, entry: Entry) -> Result<Fd, Errno> {
        let fd = self.next;
        self.next = fd.checked_add(1).ok_or(Errno::EMFILE)?;
        self.open.insert(fd, entry);
        Ok(Fd(fd))
    }
}

impl Entry {
    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Received, Errno> {
        // On a stream MSG_TRUNC throws the data away: tcp(7).
        let truncates = match self.kind {
            Kind::Stream => RecvFlags::empty(),
            Kind::Datagram | Kind::Raw => RecvFlags::TRUNC,
        };
        let room = buffer.len();
        let (_, full_len, from) =
            rustix::net::recvfrom(&self.socket, buffer, flags | truncates).map_err(rustix_errno)?;
        let from = match from.and_then(|from| SocketAddr::try_from(from).ok()) {
            Some(from) => from,
            // A stream's peer is known by the connection; recvfrom(2) leaves the address out.
            None => inet(self.socket.peer_addr())?,
        };
        Ok(Received { len: full_len.min(room), full_len, from })
    }
}

/// The error number; EIO for one that has no name here.
fn errno(error: io::Error) -> Errno {
    Errno::of(&error).unwrap_or(Errno::EIO)
}

fn rustix_errno(error: rustix::io::Errno) -> Errno {
    errno(error.into())
}

fn inet(addr: io::Result<socket2::SockAddr>) -> Result<SocketAddr, Errno> {
    addr.map_err(errno)?.as_socket().ok_or(Errno::EAFNOSUPPORT)
}

impl Sockets for OsSockets {
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno> {
        let (family, number, name) = super::numbers(domain, kind, protocol);
        let socket = Socket::new(family, number, name).map_err(errno)?;
        socket.set_nonblocking(true).map_err(errno)?;
        self.add(Entry { socket, domain, kind })
    }

    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        self.get(fd)?.socket.bind(&addr.into()).map_err(errno)
    }

    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self.get(fd)?.socket.listen(backlog).map_err(errno)
    }

    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        let listener = self.get(fd)?;
        let (domain, kind) = (listener.domain, listener.kind);
        let (socket, peer) = listener.socket.accept().map_err(errno)?;
        socket.set_nonblocking(true).map_err(errno)?;
        let peer = peer.as_socket().ok_or(Errno::EAFNOSUPPORT)?;
        Ok((self.add(Entry { socket, domain, kind })?, peer))
    }

    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno> {
        let socket = &self.get(fd)?.socket;
        match addr {
            Some(addr) => socket.connect(&addr.into()).map_err(errno),
            None => rustix::net::connect_unspec(socket).map_err(rustix_errno),
        }
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        // Without the flag a broken pipe is a signal in a program that has not ignored it: send(2).
        rustix::net::send(&self.get(fd)?.socket, data, SendFlags::NOSIGNAL).map_err(rustix_errno)
    }

    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        let socket = &self.get(fd)?.socket;
        rustix::net::sendto(socket, data, SendFlags::NOSIGNAL, &to).map_err(rustix_errno)
    }

    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (len, _) =
            rustix::net::recv(&self.get(fd)?.socket, buffer, RecvFlags::empty()).map_err(rustix_errno)?;
        Ok(len)
    }

    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.get(fd)?.receive(buffer, RecvFlags::empty())
    }

    fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.get(fd)?.receive(buffer, RecvFlags::PEEK)
    }

    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        let how = match how {
            How::Read => Shutdown::Read,
            How::Write => Shutdown::Write,
            How::Both => Shutdown::Both,
        };
        self.get(fd)?.socket.shutdown(how).map_err(errno)
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        self.open.remove(&fd.0).map(drop).ok_or(Errno::EBADF)
    }

    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        inet(self.get(fd)?.socket.local_addr())
    }

    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        inet(self.get(fd)?.socket.peer_addr())
    }

    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        let entry = self.get(fd)?;
        let socket = SockRef::from(&entry.socket);
        options::set(&socket, entry.domain, Ipv4Addr::UNSPECIFIED, option).map_err(errno)
    }

    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        let entry = self.get(fd)?;
        options::get(&SockRef::from(&entry.socket), entry.domain, name).map_err(errno)
    }

    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        let pending = self.get(fd)?.socket.take_error().map_err(errno)?;
        Ok(pending.map(errno))
    }

    fn poll(&self, fd: Fd) -> Result<Readiness, Errno> {
        let socket = &self.get(fd)?.socket;
        let mut fds = [PollFd::new(socket, PollFlags::IN | PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).map_err(rustix_errno)?;
        let told = fds[0].revents();
        Ok(Readiness {
            readable: told.contains(PollFlags::IN),
            writable: told.contains(PollFlags::OUT),
            error: told.contains(PollFlags::ERR),
            hang_up: told.contains(PollFlags::HUP),
        })
    }
}
