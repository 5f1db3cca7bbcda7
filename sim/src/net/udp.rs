//! UDP's socket with the shape of that of `tokio::net`.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready as ready_or_wait};

use bytes::BufMut;
use faultwire::stack::{Received, SocketOption};
use tokio::io::{Interest, ReadBuf, Ready};

use super::here::host_net;
use super::host_net::{HostDatagram, Socket};
use super::lookup::{self, ToSocketAddrs};
use super::options::{socket_calls, socket_options};
use super::ready::{self, now, put};
use super::sim_host::SimHost;

/// A UDP socket of a simulated host: the shape of [`tokio::net::UdpSocket`].
///
/// What it lacks is said in the documentation of [this module](crate::net).
///
/// ```
/// use faultwire_sim::net::UdpSocket;
///
/// faultwire_sim::scenario("a datagram each way")
///     .server(|_| async {
///         let socket = UdpSocket::bind("0.0.0.0:53").await?;
///         let mut buffer = [0; 512];
///         let (len, from) = socket.recv_from(&mut buffer).await?;
///         socket.send_to(&buffer[..len], from).await
///     })
///     .client(|_| async {
///         let socket = UdpSocket::bind("0.0.0.0:0").await?;
///         socket.connect("server:53").await?;
///         socket.send(b"name?").await?;
///         assert_eq!(socket.recv(&mut [0; 512]).await?, 5);
///         Ok(())
///     })
///     .check();
/// ```
#[derive(Debug)]
pub struct UdpSocket(HostDatagram<SimHost>);

impl UdpSocket {
    fn socket(&self) -> &Socket<SimHost> {
        &self.0.0
    }

    /// Binds to the first of these addresses that it can.
    ///
    /// # Errors
    /// As [`lookup_host`](super::lookup_host)'s, and what `bind(2)` answers.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        let net = host_net().await?;
        let bind = |addr| net.datagram_at(addr, &[]);
        lookup::first(lookup::resolve(addr, &net)?, bind).await.map(UdpSocket)
    }

    /// Sets the peer, and filters what comes from others.
    ///
    /// # Errors
    /// As [`lookup_host`](super::lookup_host)'s and `connect(2)`'s.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let addrs = lookup::resolve(addr, &self.socket().net())?;
        poll_fn(|cx| self.0.poll_connect(cx, &addrs)).await
    }

    /// Waits until the socket is ready for some of what is of interest.
    ///
    /// # Errors
    /// As `poll(2)`'s.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| ready::poll(self.socket(), cx, interest)).await
    }

    /// Like [`readable`](Self::readable), as a poll.
    ///
    /// # Errors
    /// As [`ready`](Self::ready)'s.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready::poll(self.socket(), cx, Interest::READABLE).map_ok(drop)
    }

    /// Like [`writable`](Self::writable), as a poll.
    ///
    /// # Errors
    /// As [`ready`](Self::ready)'s.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready::poll(self.socket(), cx, Interest::WRITABLE).map_ok(drop)
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// As `send(2)`'s.
    ///
    /// # Cancel safety
    /// A dropped future sent nothing.
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, data)).await
    }

    /// Like [`send`](Self::send), as a poll.
    ///
    /// # Errors
    /// As `send(2)`'s.
    pub fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(Some(cx), data, None)
    }

    /// Like [`send`](Self::send), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as `send(2)`'s.
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        now(self.0.poll_send(None, data, None))
    }

    /// Sends a datagram to the first address that `to` stands for.
    ///
    /// # Errors
    /// As [`lookup_host`](super::lookup_host)'s and `sendto(2)`'s.
    ///
    /// # Cancel safety
    /// A dropped future sent nothing.
    pub async fn send_to<A: ToSocketAddrs>(&self, data: &[u8], to: A) -> io::Result<usize> {
        let addrs = lookup::resolve(to, &self.socket().net())?;
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let to = *addrs.first().ok_or_else(none)?;
        poll_fn(|cx| self.poll_send_to(cx, data, to)).await
    }

    /// Like [`send_to`](Self::send_to), as a poll.
    ///
    /// # Errors
    /// As `sendto(2)`'s.
    pub fn poll_send_to(&self, cx: &mut Context<'_>, data: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        self.0.poll_send(Some(cx), data, Some(to))
    }

    /// Like [`send_to`](Self::send_to), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as `sendto(2)`'s.
    pub fn try_send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        now(self.0.poll_send(None, data, Some(to)))
    }

    /// Receives a datagram, cut to the buffer.
    ///
    /// # Errors
    /// As `recv(2)`'s.
    ///
    /// # Cancel safety
    /// No datagram is lost if the future is dropped.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(len, _)| len)
    }

    /// Like [`recv`](Self::recv), as a poll.
    ///
    /// # Errors
    /// As `recv(2)`'s.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buffer).map_ok(drop)
    }

    /// Like [`recv`](Self::recv), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as `recv(2)`'s.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buffer).map(|(len, _)| len)
    }

    /// Like [`recv`](Self::recv), into the free room of a buffer.
    ///
    /// # Errors
    /// As `recv(2)`'s.
    pub async fn recv_buf<B: BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        self.recv_buf_from(buffer).await.map(|(len, _)| len)
    }

    /// Like [`recv_buf`](Self::recv_buf), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as `recv(2)`'s.
    pub fn try_recv_buf<B: BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        self.try_recv_buf_from(buffer).map(|(len, _)| len)
    }

    /// Receives a datagram, cut to the buffer, and says who sent it.
    ///
    /// # Errors
    /// As `recvfrom(2)`'s.
    ///
    /// # Cancel safety
    /// No datagram is lost if the future is dropped.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv(Some(cx), buffer)).await.map(sender)
    }

    /// Like [`recv_from`](Self::recv_from), as a poll.
    ///
    /// # Errors
    /// As `recvfrom(2)`'s.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let (len, from) = sender(ready_or_wait!(self.0.poll_recv(Some(cx), buffer.initialize_unfilled()))?);
        buffer.advance(len);
        Poll::Ready(Ok(from))
    }

    /// Like [`recv_from`](Self::recv_from), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as `recvfrom(2)`'s.
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        now(self.0.poll_recv(None, buffer)).map(sender)
    }

    /// Like [`recv_from`](Self::recv_from), into the free room of a buffer.
    ///
    /// # Errors
    /// As `recvfrom(2)`'s.
    pub async fn recv_buf_from<B: BufMut>(&self, buffer: &mut B) -> io::Result<(usize, SocketAddr)> {
        loop {
            self.readable().await?;
            match self.try_recv_buf_from(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Like [`recv_buf_from`](Self::recv_buf_from), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as `recvfrom(2)`'s.
    pub fn try_recv_buf_from<B: BufMut>(&self, buffer: &mut B) -> io::Result<(usize, SocketAddr)> {
        put(buffer, |room| self.try_recv_from(room))
    }

    /// Like [`recv`](Self::recv), and the datagram stays. It leaves no trace.
    ///
    /// # Errors
    /// As `recv(2)`'s; EOPNOTSUPP where the stack cannot.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).await.map(|(len, _)| len)
    }

    /// Like [`peek`](Self::peek), as a poll.
    ///
    /// # Errors
    /// As [`peek`](Self::peek)'s.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_peek_from(cx, buffer).map_ok(drop)
    }

    /// Like [`peek`](Self::peek), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as [`peek`](Self::peek)'s.
    pub fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_peek_from(buffer).map(|(len, _)| len)
    }

    /// Like [`recv_from`](Self::recv_from), and the datagram stays. It leaves no trace.
    ///
    /// # Errors
    /// As [`peek`](Self::peek)'s.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.peeked(Some(cx), buffer)).await.map(sender)
    }

    /// Like [`peek_from`](Self::peek_from), as a poll.
    ///
    /// # Errors
    /// As [`peek`](Self::peek)'s.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let (len, from) = sender(ready_or_wait!(self.peeked(Some(cx), buffer.initialize_unfilled()))?);
        buffer.advance(len);
        Poll::Ready(Ok(from))
    }

    /// Like [`peek_from`](Self::peek_from), and does not wait.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as [`peek`](Self::peek)'s.
    pub fn try_peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        now(self.peeked(None, buffer)).map(sender)
    }

    fn peeked(&self, cx: Option<&mut Context<'_>>, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        self.socket().poll_unrecorded(cx, |stack, fd| stack.peek(fd, buffer))
    }

    /// Joins a group of IPv4, on the host's only interface.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, _interface: Ipv4Addr) -> io::Result<()> {
        self.socket().set_option(SocketOption::JoinGroup(group.into()))
    }

    /// Joins a group of IPv6, on the host's only interface.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, _interface: u32) -> io::Result<()> {
        self.socket().set_option(SocketOption::JoinGroup((*group).into()))
    }

    /// Leaves a group of IPv4.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, _interface: Ipv4Addr) -> io::Result<()> {
        self.socket().set_option(SocketOption::LeaveGroup(group.into()))
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, _interface: u32) -> io::Result<()> {
        self.socket().set_option(SocketOption::LeaveGroup((*group).into()))
    }

    socket_calls!();

    socket_options! {
        "SO_BROADCAST": broadcast, set_broadcast, Broadcast(bool);
        "IP_TTL": ttl, set_ttl, Ttl(u32);
        "IP_MULTICAST_TTL": multicast_ttl_v4, set_multicast_ttl_v4, MulticastTtl(u32);
        "IP_MULTICAST_LOOP": multicast_loop_v4, set_multicast_loop_v4, MulticastLoop(bool);
        "IPV6_MULTICAST_LOOP": multicast_loop_v6, set_multicast_loop_v6, MulticastLoop(bool);
    }
}

/// A datagram's length in the buffer, and who sent it.
fn sender(received: Received) -> (usize, SocketAddr) {
    (received.len, received.from)
}
