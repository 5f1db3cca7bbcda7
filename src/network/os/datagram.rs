//! Datagram sockets of the operating system.

use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{OsNetwork, names, options};
use crate::model::{Domain, OptionName, Received, SocketOption};
use crate::network::{Datagram, Network as _};

/// A UDP socket of the operating system.
///
/// Linux tells the full length of a datagram that did not fit the buffer; elsewhere `full_len` is what was
/// read.
#[derive(Debug)]
pub struct OsDatagram {
    inner: UdpSocket,
    domain: Domain,
    net: OsNetwork,
}

impl OsDatagram {
    pub(super) fn new(socket: Socket, domain: Domain, net: OsNetwork) -> io::Result<Self> {
        Ok(OsDatagram { inner: UdpSocket::from_std(socket.into())?, domain, net })
    }
}

/// What to wait for before a receive: an error that is pending (ECONNREFUSED) is to be told as well.
#[cfg(any(target_os = "linux", target_os = "android"))]
const READABLE: Interest = Interest::READABLE.add(Interest::ERROR);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READABLE: Interest = Interest::READABLE;

/// `recvfrom(2)` that does not wait; with MSG_TRUNC Linux answers with the datagram's own length.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn recv_from(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    let room = buffer.len();
    let (_, full_len, from) = rustix::net::recvfrom(socket, buffer, rustix::net::RecvFlags::TRUNC)?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    Ok(Received { len: full_len.min(room), full_len, from: from.ok_or(io::ErrorKind::InvalidData)? })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn recv_from(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    let (len, from) = socket.try_recv_from(buffer)?;
    Ok(Received { len, full_len: len, from })
}

impl Datagram for OsDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let mut found = self.net.resolve(addr).await?;
        let mut last = names::nobody(addr);
        // Its own family first; the system says what it thinks of the other.
        found.sort_by_key(|peer| Domain::of(peer) != self.domain);
        for peer in found {
            match SockRef::from(&self.inner).connect(&peer.into()) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.inner.send(data).await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.inner.send_to(data, to).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.inner.async_io(READABLE, || recv_from(&self.inner, buffer)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        options::set(&SockRef::from(&self.inner), self.domain, self.net.interface(), option)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        options::get(&SockRef::from(&self.inner), self.domain, name)
    }
}
