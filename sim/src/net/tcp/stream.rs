//! A connected socket.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut;
use faultwire::stack::SocketOption;
use tokio::io::{Interest, ReadBuf, Ready};

use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::here::host_net;
use crate::net::host_net::{HostStream, Socket};
use crate::net::lookup::{self, ToSocketAddrs};
use crate::net::options::{socket_calls, socket_options};
use crate::net::ready::{self, now, put};
use crate::net::sim_host::SimHost;

/// A TCP connection of a simulated host: the shape of [`tokio::net::TcpStream`]. For an example see
/// [`TcpListener`](crate::net::TcpListener).
///
/// What it lacks is said in the documentation of [this module](crate::net).
#[derive(Debug)]
pub struct TcpStream(HostStream<SimHost>);

impl TcpStream {
    pub(super) fn new(stream: HostStream<SimHost>) -> Self {
        TcpStream(stream)
    }

    fn socket(&self) -> &Socket<SimHost> {
        &self.0.0
    }

    /// Connects to the first of these addresses that answers.
    ///
    /// # Errors
    /// As [`lookup_host`](crate::net::lookup_host)'s, and what `connect(2)` answers for the last address.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let net = host_net().await?;
        let connect = |peer| net.connect_to(None, peer, &[]);
        lookup::first(lookup::resolve(addr, &net)?, connect).await.map(TcpStream)
    }

    /// Waits until the socket is ready for some of what is of interest.
    ///
    /// # Errors
    /// As `poll(2)`'s.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let mut ready = poll_fn(|cx| ready::poll(self.socket(), cx, interest)).await?;
        if ready.is_readable() && !ready.is_error() && self.is_at_end() {
            ready |= Ready::READ_CLOSED;
        }
        Ok(ready)
    }

    /// Whether the other end has closed its direction, and all that it sent was read.
    fn is_at_end(&self) -> bool {
        let seen = self.socket().poll_unrecorded(None, |stack, fd| {
            let has_error = stack.poll(fd)?.error;
            // A peek would take the error.
            if has_error { Ok(None) } else { stack.peek(fd, &mut [0]).map(|seen| Some(seen.len)) }
        });
        matches!(seen, Poll::Ready(Ok(Some(0))))
    }

    /// Like [`readable`](Self::readable), as a poll.
    ///
    /// # Errors
    /// As [`ready`](Self::ready)'s.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready::poll(self.socket(), cx, Interest::READABLE).map_ok(drop)
    }

    /// Like [`writable`](Self::writable), as a poll.
    ///
    /// # Errors
    /// As [`ready`](Self::ready)'s.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready::poll(self.socket(), cx, Interest::WRITABLE).map_ok(drop)
    }

    /// Reads what is there: 0 bytes at the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as `recv(2)`'s.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        now(self.0.poll_recv(None, buffer))
    }

    /// Like [`try_read`](Self::try_read), into the free room of a buffer.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read)'s.
    pub fn try_read_buf<B: BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        put(buffer, |room| self.try_read(room).map(|len| (len, ()))).map(|(len, ())| len)
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as `send(2)`'s.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        now(self.0.poll_send(None, data))
    }

    /// Like [`try_write`](Self::try_write), from several buffers.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write)'s.
    pub fn try_write_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(&data.iter().flat_map(|it| it.iter().copied()).collect::<Vec<u8>>())
    }

    /// Waits until bytes are there, and copies them; the next read gives them again. It leaves no trace.
    ///
    /// # Errors
    /// As `recv(2)`'s; EOPNOTSUPP where the stack cannot.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.peek_into(cx, buffer)).await
    }

    /// Like [`peek`](Self::peek), as a poll.
    ///
    /// # Errors
    /// As [`peek`](Self::peek)'s.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.peek_into(cx, buffer.initialize_unfilled()).map_ok(|len| {
            buffer.advance(len);
            len
        })
    }

    fn peek_into(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let peeked = self.socket().poll_unrecorded(Some(cx), |stack, fd| stack.peek(fd, buffer));
        peeked.map_ok(|received| received.len)
    }

    /// Lends both directions.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::lend(self)
    }

    /// Gives both directions away. Dropping the writing one closes that direction.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::give(Arc::new(self))
    }

    /// Turns SO_LINGER on with no time: closing the socket resets the connection.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.socket().set_option(SocketOption::Linger(Some(Duration::ZERO)))
    }

    socket_calls!();

    socket_options! {
        "TCP_NODELAY": nodelay, set_nodelay, NoDelay(bool);
        "SO_LINGER": linger, set_linger, Linger(Option<Duration>);
        "IP_TTL": ttl, set_ttl, Ttl(u32);
    }

    pub(super) fn poll_read_here(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_recv(Some(cx), buffer.initialize_unfilled()).map_ok(|len| buffer.advance(len))
    }

    pub(super) fn poll_write_here(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(Some(cx), data)
    }

    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(Some(cx))
    }

    /// Closes the sending direction, if it is open.
    pub(super) fn close(&self) {
        // What is closed already stays so.
        let _ = self.0.poll_close(None);
    }
}
