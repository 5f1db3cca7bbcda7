//! A listening socket.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use faultwire::stack::SocketOption;

use crate::net::here::host_net;
use crate::net::host_net::{HostListener, Socket};
use crate::net::lookup::{self, ToSocketAddrs};
use crate::net::options::socket_options;
use crate::net::sim_host::SimHost;
use crate::net::tcp::stream::TcpStream;

/// How many connections wait to be accepted, where the program does not say: tokio's own number.
const BACKLOG: u32 = 1024;

/// A listening TCP socket of a simulated host: the shape of [`tokio::net::TcpListener`].
///
/// ```
/// use faultwire_sim::net::{TcpListener, TcpStream};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// faultwire_sim::scenario("a question")
///     .server(|_| async {
///         let listener = TcpListener::bind("0.0.0.0:80").await?;
///         let (mut stream, peer) = listener.accept().await?;
///         assert_eq!(stream.read_u8().await?, 7);
///         stream.write_all(peer.to_string().as_bytes()).await
///     })
///     .client(|_| async {
///         let mut stream = TcpStream::connect("server:80").await?;
///         stream.set_nodelay(true)?;
///         stream.write_u8(7).await?;
///         let mut answer = String::new();
///         stream.read_to_string(&mut answer).await?;
///         assert_eq!(answer, stream.local_addr()?.to_string());
///         Ok(())
///     })
///     .exhaustive(1)
///     .check();
/// ```
#[derive(Debug)]
pub struct TcpListener(HostListener<SimHost>);

impl TcpListener {
    pub(super) fn new(listener: HostListener<SimHost>) -> Self {
        TcpListener(listener)
    }

    fn socket(&self) -> &Socket<SimHost> {
        &self.0.0
    }

    /// Listens at the first of these addresses that it can bind. SO_REUSEADDR is set, as tokio does.
    ///
    /// # Errors
    /// As [`lookup_host`](crate::net::lookup_host)'s, and what `bind(2)` and `listen(2)` answer.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let net = host_net().await?;
        let options = [SocketOption::ReuseAddress(true)];
        let listen = |addr| net.listen_at(addr, BACKLOG, &options);
        lookup::first(lookup::resolve(addr, &net)?, listen).await.map(TcpListener)
    }

    /// Waits for the next connection, and gives it with the peer's address.
    ///
    /// # Errors
    /// As `accept(2)`'s.
    ///
    /// # Cancel safety
    /// No connection is lost if the future is dropped.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Like [`accept`](Self::accept), as a poll.
    ///
    /// # Errors
    /// As `accept(2)`'s.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.0.poll_accept(cx).map_ok(|(stream, peer)| (TcpStream::new(stream), peer))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    /// As `getsockname(2)`'s.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    socket_options! {
        "IP_TTL": ttl, set_ttl, Ttl(u32);
    }
}
