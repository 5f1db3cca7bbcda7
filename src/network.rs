//! The seam: clients and servers are written once against [`Network`] and run over the operating system's
//! sockets, over our stack in simulation, or over turmoil's own sockets.

pub mod os;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::{Errno, OptionName, Received, SocketOption, Time};

/// What a client or a server needs of the world: sockets, names and time.
///
/// Addresses are text, `host:port`: a name, dotted quad, or `[IPv6]`, and a port. Cloning is cheap and gives
/// the same host. Everything is `Send`; a task that a program starts with `tokio::spawn` (better: in a
/// `JoinSet`, so that it ends with its program) may use a clone.
///
/// ```
/// use std::time::Duration;
///
/// use faultwire::network::os::OsNetwork;
/// use faultwire::network::{Datagram as _, Network};
///
/// async fn ask(net: &impl Network, server: &str) -> std::io::Result<usize> {
///     let socket = net.datagram("127.0.0.1:0", &[]).await?;
///     socket.connect(server).await?;
///     socket.send(b"there?").await?;
///     let mut buffer = [0; 16];
///     Ok(net.timeout(Duration::from_secs(5), socket.recv_from(&mut buffer)).await??.len)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let net = OsNetwork::new();
/// let server = net.datagram("127.0.0.1:0", &[]).await?;
/// let addr = server.local_addr()?.to_string();
/// let (asked, answered) = tokio::join!(ask(&net, &addr), async {
///     let received = server.recv_from(&mut [0; 16]).await?;
///     server.send_to(b"yes", received.from).await
/// });
/// assert_eq!((asked?, answered?), (3, 3));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Network: Clone + Send + Sync + 'static {
    /// A connected stream socket.
    type Stream: Stream;
    /// A listening stream socket.
    type Listener: Listener<Stream = Self::Stream>;
    /// A datagram socket.
    type Datagram: Datagram;

    /// Opens a stream to `addr`, trying each address that it resolves to. `options` are set before the
    /// connection is made.
    ///
    /// # Errors
    /// What `socket(2)`, `setsockopt(2)` and `connect(2)` answer for the last address tried.
    fn connect(
        &self,
        addr: &str,
        options: &[SocketOption],
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Like `connect`, but from a local address of the program's choice: `bind(2)` before `connect(2)`. A
    /// name in
    /// `local` stands for the host's own address; addresses of another family than that are not tried.
    ///
    /// # Errors
    /// As [`connect`](Network::connect)'s, and what `bind(2)` answers; ENOPROTOOPT where the backend cannot
    /// choose.
    fn connect_from(
        &self,
        local: &str,
        addr: &str,
        options: &[SocketOption],
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        let _ = (local, addr, options);
        async { Err(Errno::ENOPROTOOPT.into()) }
    }

    /// Listens for streams on `addr` (`0.0.0.0` and `[::]` are any-addresses; port 0 picks one).
    ///
    /// # Errors
    /// What `socket(2)`, `setsockopt(2)`, `bind(2)` and `listen(2)` answer.
    fn listen(
        &self,
        addr: &str,
        backlog: u32,
        options: &[SocketOption],
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Binds a datagram socket to `addr`.
    ///
    /// # Errors
    /// What `socket(2)`, `setsockopt(2)` and `bind(2)` answer.
    fn datagram(
        &self,
        addr: &str,
        options: &[SocketOption],
    ) -> impl Future<Output = io::Result<Self::Datagram>> + Send;

    /// The addresses of `host:port`, best first.
    ///
    /// # Errors
    /// `InvalidInput` where the text is not an address, `NotFound` where no host has the name.
    fn resolve(&self, addr: &str) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Waits for that long.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;

    /// The present moment, since the run began.
    fn now(&self) -> Time;

    /// Runs `work`, but not for longer than `span`.
    ///
    /// # Errors
    /// `TimedOut` if the time is up first.
    ///
    /// # Cancel safety
    /// `work` is dropped when the time is up: it must be cancel safe.
    fn timeout<T: Send>(
        &self,
        span: Duration,
        work: impl Future<Output = T> + Send,
    ) -> impl Future<Output = io::Result<T>> + Send {
        async move {
            tokio::select! {
                biased;
                value = work => Ok(value),
                () = self.sleep(span) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            }
        }
    }
}

/// A connected stream socket: bytes both ways, through tokio's traits.
///
/// `AsyncWrite::poll_shutdown` closes the sending direction only (SHUT_WR); dropping closes the socket.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug + 'static {
    /// `getsockname(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// `getpeername(2)`.
    ///
    /// # Errors
    /// As the call's: ENOTCONN once the connection is gone.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    /// `setsockopt(2)`.
    ///
    /// # Errors
    /// As the call's: ENOPROTOOPT for what the backend lacks.
    fn set_option(&self, option: SocketOption) -> io::Result<()>;
    /// `getsockopt(2)`.
    ///
    /// # Errors
    /// As the call's: ENOPROTOOPT for what the backend lacks.
    fn option(&self, name: OptionName) -> io::Result<SocketOption>;
}

/// A listening stream socket.
pub trait Listener: Send + Sync + std::fmt::Debug + 'static {
    /// What `accept` gives.
    type Stream: Stream;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// As `accept(2)`'s.
    ///
    /// # Cancel safety
    /// No connection is lost if the future is dropped.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// `getsockname(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A datagram socket.
pub trait Datagram: Send + Sync + std::fmt::Debug + 'static {
    /// `connect(2)`: sets the peer and filters what comes from others.
    ///
    /// # Errors
    /// As the call's, and as [`Network::resolve`]'s.
    fn connect(&self, addr: &str) -> impl Future<Output = io::Result<()>> + Send;

    /// `send(2)` to the connected peer.
    ///
    /// # Errors
    /// As the call's: EDESTADDRREQ where no peer is set, ECONNREFUSED where an earlier datagram was refused.
    ///
    /// # Cancel safety
    /// A dropped future sent nothing.
    fn send(&self, data: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// `sendto(2)`.
    ///
    /// # Errors
    /// As the call's: EMSGSIZE, EACCES, ENETUNREACH.
    ///
    /// # Cancel safety
    /// A dropped future sent nothing.
    fn send_to(&self, data: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;

    /// `recvfrom(2)`: one datagram, cut to the buffer.
    ///
    /// # Errors
    /// As the call's: ECONNREFUSED on a connected socket whose datagram was refused.
    ///
    /// # Cancel safety
    /// No datagram is lost if the future is dropped.
    fn recv_from(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<Received>> + Send;

    /// `getsockname(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// `getpeername(2)`.
    ///
    /// # Errors
    /// As the call's: ENOTCONN where no peer is set.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// `setsockopt(2)`.
    ///
    /// # Errors
    /// As the call's: ENOPROTOOPT for what the backend lacks.
    fn set_option(&self, option: SocketOption) -> io::Result<()>;

    /// `getsockopt(2)`.
    ///
    /// # Errors
    /// As the call's: ENOPROTOOPT for what the backend lacks.
    fn option(&self, name: OptionName) -> io::Result<SocketOption>;
}
