//! A socket that is neither bound nor connected yet.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::stack::{Domain, KeepAlive, OptionName, SocketOption};

use super::listener::TcpListener;
use super::stream::TcpStream;
use crate::net::here::host_net_now;
use crate::net::host_net::Socket;
use crate::net::options::socket_options;
use crate::net::sim_host::SimHost;

/// A TCP socket of a simulated host before it connects or listens: the shape of [`tokio::net::TcpSocket`].
///
/// ```
/// use faultwire_sim::net::TcpSocket;
///
/// faultwire_sim::scenario("from a port of its choice")
///     .server(|_| async {
///         let socket = TcpSocket::new_v4()?;
///         socket.set_reuseaddr(true)?;
///         socket.bind("0.0.0.0:80".parse().expect("an address"))?;
///         let (_stream, peer) = socket.listen(16)?.accept().await?;
///         assert_eq!(peer.port(), 4_000);
///         std::future::pending::<std::io::Result<()>>().await
///     })
///     .client(|_| async {
///         let socket = TcpSocket::new_v4()?;
///         socket.bind("0.0.0.0:4000".parse()?)?;
///         socket.connect("10.0.0.1:80".parse()?).await?;
///         Ok(())
///     })
///     .check();
/// ```
#[derive(Debug)]
pub struct TcpSocket(Socket<SimHost>);

impl TcpSocket {
    /// A socket of IPv4.
    ///
    /// # Errors
    /// As `socket(2)`'s; `Unsupported` outside of a simulated host.
    pub fn new_v4() -> io::Result<TcpSocket> {
        host_net_now()?.stream_socket(Domain::Inet).map(TcpSocket)
    }

    /// A socket of IPv6.
    ///
    /// # Errors
    /// As `socket(2)`'s; `Unsupported` outside of a simulated host.
    pub fn new_v6() -> io::Result<TcpSocket> {
        host_net_now()?.stream_socket(Domain::Inet6).map(TcpSocket)
    }

    fn socket(&self) -> &Socket<SimHost> {
        &self.0
    }

    /// Binds it to an address; port 0 picks a free one.
    ///
    /// # Errors
    /// As `bind(2)`'s.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.0.bind(addr)
    }

    /// Connects it.
    ///
    /// # Errors
    /// As `connect(2)`'s.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        self.0.connect(addr).await.map(TcpStream::new)
    }

    /// Makes it a listener.
    ///
    /// # Errors
    /// As `listen(2)`'s.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.0.listen(backlog).map(TcpListener::new)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// As `getsockname(2)`'s.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// SO_ERROR: the pending error, which is cleared by asking.
    ///
    /// # Errors
    /// As `getsockopt(2)`'s.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Reads SO_KEEPALIVE.
    ///
    /// # Errors
    /// As `getsockopt(2)`'s.
    pub fn keepalive(&self) -> io::Result<bool> {
        match self.0.option(OptionName::KeepAlive)? {
            SocketOption::KeepAlive(it) => Ok(it.is_some()),
            _ => Err(Errno::ENOPROTOOPT.into()),
        }
    }

    /// Sets SO_KEEPALIVE.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn set_keepalive(&self, on: bool) -> io::Result<()> {
        self.0.set_option(SocketOption::KeepAlive(on.then(KeepAlive::default)))
    }

    /// Turns SO_LINGER on with no time: closing the socket resets the connection.
    ///
    /// # Errors
    /// As `setsockopt(2)`'s.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.0.set_option(SocketOption::Linger(Some(Duration::ZERO)))
    }

    socket_options! {
        "SO_REUSEADDR": reuseaddr, set_reuseaddr, ReuseAddress(bool);
        "SO_SNDBUF": send_buffer_size, set_send_buffer_size, SendBuffer(u32);
        "SO_RCVBUF": recv_buffer_size, set_recv_buffer_size, RecvBuffer(u32);
        "SO_LINGER": linger, set_linger, Linger(Option<Duration>);
        "TCP_NODELAY": nodelay, set_nodelay, NoDelay(bool);
    }
}
