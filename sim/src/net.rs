//! The network of a scenario's programs: [`Net`], the seam that they are given, and the sockets of
//! `tokio::net` for programs that are written against those.
//!
//! # Programs over `tokio::net`
//! A program that opens its sockets with [`tokio::net`] runs over simulated ones when it imports them from
//! here instead:
//!
//! ```
//! // In a crate of yours: `#[cfg(test)] use faultwire_sim::net; #[cfg(not(test))] use tokio::net;`
//! use faultwire_sim::net::{TcpListener, TcpStream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn echo() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("0.0.0.0:7").await?;
//!     loop {
//!         let (mut stream, _) = listener.accept().await?;
//!         tokio::spawn(async move {
//!             let (mut from, mut to) = stream.split();
//!             tokio::io::copy(&mut from, &mut to).await
//!         });
//!     }
//! }
//!
//! async fn ask() -> std::io::Result<()> {
//!     let mut stream = TcpStream::connect("server:7").await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown().await?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "hello");
//!     Ok(())
//! }
//!
//! faultwire_sim::scenario("echo")
//!     .server(|_| echo())
//!     .client(|_| async { Ok(ask().await?) })
//!     .exhaustive(1)
//!     .check();
//! ```
//!
//! A task belongs to the host whose program spawned it, and so do the sockets that it opens. Tasks are told
//! apart by their host's runtime: with the first socket of this module a run on
//! [`VIRTUAL`](crate::testbed::VIRTUAL) begins again, with a runtime for each host, so that the programs
//! start a second time. The module works on [`VIRTUAL`](crate::testbed::VIRTUAL) and
//! [`TURMOIL`](crate::testbed::TURMOIL); elsewhere, on other threads (`spawn_blocking`) and outside of a run,
//! opening a socket is an error of the kind `Unsupported`.
//!
//! Time passes by the millisecond in such a run, so that a long wait costs more than in others. The
//! [`Instant`](tokio::time::Instant)s of two hosts cannot be compared, nor those of two incarnations of one:
//! [`Net::now`] is the run's time.
//!
//! Not here, for want of the operating system: `from_std`, `into_std`, `AsFd`, `try_io` and `async_io`,
//! `set_reuseport`, `tos`, `peek_sender`, sockets of the domain AF_UNIX. The halves of a stream have all
//! of its methods, which is more than tokio's have.
//!
//! # Libraries over tokio
//! Libraries that import tokio run on the real one, within the simulated host: their tasks and timers are
//! the host's. Those that open sockets of `tokio::net` by themselves get the operating system's, which have
//! nothing to do with the run: give them a connector or a listener of this module's. Each of these features
//! lets a library take these sockets as they are:
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` (0.8) | `axum::serve` takes a [`TcpListener`] |
//! | `hyper-util` (0.1) | its client takes a connector that gives `TokioIo<TcpStream>` |
//! | `tonic` (0.14) | `Server::serve_with_incoming` takes [`TcpStream`]s |
//! | `quinn` (0.11) | `Endpoint::new_with_abstract_socket` takes a [`UdpSocket`] and `QuinnRuntime` |
//!
//! hyper 1, tokio-rustls and tokio-tungstenite need none: a [`TcpStream`] reads and writes through tokio's
//! traits. In faultwire's source, `fixtures/tokio` has an example of each.
//!
//! Servers over hyper, those of axum and tonic among them, put the system's date into each answer, which
//! differs from run to run: turn that off (`auto_date_header`), or set the header `date` yourself.

pub(crate) mod address;
mod erased;
mod glue;
pub(crate) mod here;
pub(crate) mod host_net;
#[cfg(all(feature = "lab", target_os = "linux"))]
pub(crate) mod lab_host;
mod lookup;
mod options;
mod ready;
pub(crate) mod recorded;
pub(crate) mod sim_host;
pub mod tcp;
pub(crate) mod turmoil_net;
mod udp;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use faultwire::fault::EventKind;
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{OptionName, Received, SocketOption};
use faultwire::time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use erased::{AnyDatagram, AnyListener, AnyNetwork, Erased};
use host_net::{HostDatagram, HostListener, HostNet, HostStream};
use sim_host::SimHost;

use recorded::Log;

use crate::disk::Disk;
use crate::run_state::RunState;
use crate::seed;
use crate::skew::Skew;

#[cfg(feature = "quinn")]
pub use glue::quinn::QuinnRuntime;
pub use lookup::{ToSocketAddrs, lookup_host};
pub use tcp::listener::TcpListener;
pub use tcp::socket::TcpSocket;
pub use tcp::stream::TcpStream;
pub use udp::UdpSocket;

/// The network of a host, whatever the testbed. Programs are best written against [`Network`]; this is the
/// type that a scenario calls them with.
///
/// ```
/// use faultwire_sim::prelude::*;
///
/// /// It runs over the operating system too: `OsNetwork` is a `Network` as well.
/// async fn greet(net: impl Network) -> std::io::Result<()> {
///     let mut stream = net.connect("server:80", &[]).await?;
///     stream.write_all(b"hello").await?;
///     stream.shutdown().await
/// }
///
/// # fn main() {
/// faultwire_sim::scenario("greeting")
///     .server(|net: Net| async move {
///         let (mut stream, _) = net.listen("0.0.0.0:80", 1, &[]).await?.accept().await?;
///         let mut greeting = String::new();
///         stream.read_to_string(&mut greeting).await?;
///         net.note("greeting", &greeting);
///         Ok::<(), std::io::Error>(())
///     })
///     .client(|net: Net| async move {
///         assert_eq!((net.host(), net.incarnation()), ("client", 0));
///         greet(net.clone()).await?;
///         net.sleep(Duration::from_secs(1)).await;
///         Ok(())
///     })
///     .invariant("it is heard", |run| match run.noted("greeting").next() {
///         Some(heard) if heard.value == "hello" => Ok(()),
///         other => Err(format!("{other:?}")),
///     })
///     .check();
/// # }
/// ```
#[derive(Clone)]
pub struct Net {
    backend: Backend,
    place: Place,
    /// Where notes go that no stack keeps.
    log: Option<Log>,
}

/// Whose network it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) host: Arc<str>,
    pub(crate) index: usize,
    pub(crate) incarnation: u32,
    pub(crate) skew: Skew,
    /// The run's.
    pub(crate) seed: u64,
    pub(crate) kept: RunState,
}

/// The simulated stack's sockets are called directly: runs are made by the thousand over them. All others are
/// behind a pointer.
#[derive(Clone)]
enum Backend {
    Stack(HostNet<SimHost>),
    Any(Arc<dyn AnyNetwork>),
}

/// A stream of [`Net`].
#[derive(Debug)]
pub struct NetStream(StreamBackend);

#[derive(Debug)]
enum StreamBackend {
    Stack(HostStream<SimHost>),
    Any(Box<dyn Stream>),
}

/// A listener of [`Net`].
#[derive(Debug)]
pub struct NetListener(ListenerBackend);

#[derive(Debug)]
enum ListenerBackend {
    Stack(HostListener<SimHost>),
    Any(Box<dyn AnyListener>),
}

/// A datagram socket of [`Net`].
#[derive(Debug)]
pub struct NetDatagram(DatagramBackend);

#[derive(Debug)]
enum DatagramBackend {
    Stack(HostDatagram<SimHost>),
    Any(Box<dyn AnyDatagram>),
}

/// Does the same on either backend.
macro_rules! on_backend {
    ($enum:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $enum::Stack($inner) => $body,
            $enum::Any($inner) => $body,
        }
    };
}

/// Does the same on either backend, and wraps what it gives in the backend's own variant.
macro_rules! wrap_backend {
    ($enum:ident => $wrapped:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $enum::Stack($inner) => $wrapped::Stack($body),
            $enum::Any($inner) => $wrapped::Any($body),
        }
    };
}

impl Net {
    /// The network of a host over any other.
    pub(crate) fn of(network: impl Network, place: Place, log: Log) -> Net {
        Net { backend: Backend::Any(Arc::new(Erased(network))), place, log: Some(log) }
    }

    /// The network of a simulated host.
    pub(crate) fn of_stack(host: SimHost, place: Place) -> Net {
        Net { backend: Backend::Stack(HostNet::new(host)), place, log: None }
    }

    /// The name of the host in its scenario.
    pub fn host(&self) -> &str {
        &self.place.host
    }

    /// How often the host's program was ended before, by a crash or by a kill: 0 at first, one more each time
    /// that it starts again.
    pub fn incarnation(&self) -> u32 {
        self.place.incarnation
    }

    /// A seed for the program's random numbers, so that its runs repeat: each host and each incarnation has
    /// another one, and all depend on the [seed](crate::Scenario::seed) of the run alone.
    ///
    /// ```
    /// faultwire_sim::scenario("a draw")
    ///     .client(|net| async move {
    ///         // Or a generator that is made of it: `StdRng::seed_from_u64(net.seed())`.
    ///         let dice = 1 + net.seed() % 6;
    ///         assert!((1..=6).contains(&dice));
    ///         Ok(())
    ///     })
    ///     .check();
    /// ```
    pub fn seed(&self) -> u64 {
        seed::derive(self.place.seed, &("program", self.place.index, self.place.incarnation))
    }

    /// The host's disk: it survives the host's crashes within the run, and nothing else does.
    pub fn disk(&self) -> Disk {
        self.place.kept.disk(self.place.index, self.place.incarnation)
    }

    /// The run's [state](crate::Scenario::state), which all its programs share.
    ///
    /// # Panics
    /// If the scenario makes no state of that type.
    #[track_caller]
    pub fn state<S: Send + Sync + 'static>(&self) -> Arc<S> {
        self.place.kept.expect()
    }

    /// Notes a value in the run's trace, under a name: the diagram shows it, and
    /// [`Trace::noted`](faultwire::trace::Trace::noted) finds it.
    ///
    /// ```
    /// faultwire_sim::scenario("a note")
    ///     .client(|net| async move {
    ///         net.note("phase", "connected");
    ///         Ok(())
    ///     })
    ///     .invariant("it connects", |run| match run.noted("phase").last() {
    ///         Some(noted) if noted.value == "connected" => Ok(()),
    ///         other => Err(format!("{other:?}")),
    ///     })
    ///     .check();
    /// ```
    pub fn note(&self, key: &str, value: impl fmt::Display) {
        match (&self.backend, &self.log) {
            (Backend::Stack(net), _) => net.host().note(key, value.to_string()),
            (Backend::Any(_), Some(log)) => log.note(key, value.to_string()),
            (Backend::Any(_), None) => {}
        }
    }

    /// Lets something happen to the network or to a host now that is in no plan: a partition, a crash, a
    /// restart. [`Run::caused`](crate::Run::caused) has it as an event of a plan afterwards, at its time;
    /// with those in the plan, and a program that causes nothing, the same happens again.
    ///
    /// ```
    /// use faultwire::fault::{Cut, EventKind};
    /// use faultwire_sim::prelude::*;
    ///
    /// # fn main() {
    /// let hosts = ["client", "server"].map(str::to_owned);
    /// faultwire_sim::scenario("cut off")
    ///     .server(|net: Net| async move {
    ///         let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    ///         socket.recv_from(&mut [0; 8]).await
    ///     })
    ///     .client(move |net: Net| {
    ///         let hosts = hosts.clone();
    ///         async move {
    ///             net.cause(EventKind::Partition(Cut::between(hosts.clone())))?;
    ///             net.sleep(Duration::from_secs(5)).await;
    ///             net.cause(EventKind::Heal(Cut::between(hosts)))?;
    ///             Ok(())
    ///         }
    ///     })
    ///     .check();
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if the event names a host that the scenario does not have, or injects a packet
    /// other than by its bytes; `Unsupported` on testbeds without our wire, and on those in real time.
    pub fn cause(&self, event: EventKind) -> io::Result<()> {
        match &self.backend {
            Backend::Stack(net) => net.host().cause(event),
            Backend::Any(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The host's clock, which its [skew](crate::Scenario::skew) sets wrong. At the start of every run a
    /// right clock shows 2023-11-14 22:13:20 UTC, so that runs repeat. Timers are right whatever the
    /// clock shows.
    pub fn system_time(&self) -> SystemTime {
        self.place.skew.at(self.now())
    }

    /// The host's program has come to its end.
    pub(crate) fn ended(&self) {
        self.place.kept.ended(self.place.host.clone());
    }

    /// Whether another host has lost power in this run, or its programs were killed, as far as that is
    /// simulated.
    pub(crate) fn has_crashed_peer(&self) -> bool {
        match &self.backend {
            Backend::Stack(net) => net.host().has_crashed_peer(),
            Backend::Any(_) => false,
        }
    }

    /// The world behind it, without keeping that alive.
    #[cfg(test)]
    pub(crate) fn world(&self) -> Option<std::sync::Weak<crate::world::Shared>> {
        match &self.backend {
            Backend::Stack(net) => Some(net.host().world()),
            Backend::Any(_) => None,
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Network for Net {
    type Stream = NetStream;
    type Listener = NetListener;
    type Datagram = NetDatagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<NetStream> {
        Ok(NetStream(
            wrap_backend!(Backend => StreamBackend, &self.backend, net => net.connect(addr, options).await?),
        ))
    }

    async fn connect_from(&self, local: &str, addr: &str, options: &[SocketOption]) -> io::Result<NetStream> {
        Ok(NetStream(wrap_backend!(Backend => StreamBackend, &self.backend, net => {
            net.connect_from(local, addr, options).await?
        })))
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<NetListener> {
        Ok(NetListener(wrap_backend!(Backend => ListenerBackend, &self.backend, net => {
            net.listen(addr, backlog, options).await?
        })))
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<NetDatagram> {
        Ok(NetDatagram(wrap_backend!(Backend => DatagramBackend, &self.backend, net => {
            net.datagram(addr, options).await?
        })))
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        on_backend!(Backend, &self.backend, net => net.resolve(addr).await)
    }

    async fn sleep(&self, span: Duration) {
        on_backend!(Backend, &self.backend, net => net.sleep(span).await);
    }

    fn now(&self) -> Time {
        on_backend!(Backend, &self.backend, net => net.now())
    }
}

impl Listener for NetListener {
    type Stream = NetStream;

    async fn accept(&self) -> io::Result<(NetStream, SocketAddr)> {
        let (stream, peer) = match &self.0 {
            ListenerBackend::Stack(listener) => {
                let (stream, peer) = listener.accept().await?;
                (StreamBackend::Stack(stream), peer)
            }
            ListenerBackend::Any(listener) => {
                let (stream, peer) = listener.accept().await?;
                (StreamBackend::Any(stream), peer)
            }
        };
        Ok((NetStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(ListenerBackend, &self.0, listener => listener.local_addr())
    }
}

impl AsyncRead for NetStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_backend!(StreamBackend, &mut self.0, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl Stream for NetStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(StreamBackend, &self.0, stream => stream.local_addr())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(StreamBackend, &self.0, stream => stream.peer_addr())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        on_backend!(StreamBackend, &self.0, stream => stream.set_option(option))
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        on_backend!(StreamBackend, &self.0, stream => stream.option(name))
    }
}

impl Datagram for NetDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        on_backend!(DatagramBackend, &self.0, socket => socket.connect(addr).await)
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        on_backend!(DatagramBackend, &self.0, socket => socket.send(data).await)
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        on_backend!(DatagramBackend, &self.0, socket => socket.send_to(data, to).await)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        on_backend!(DatagramBackend, &self.0, socket => socket.recv_from(buffer).await)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(DatagramBackend, &self.0, socket => socket.local_addr())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        on_backend!(DatagramBackend, &self.0, socket => socket.peer_addr())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        on_backend!(DatagramBackend, &self.0, socket => socket.set_option(option))
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        on_backend!(DatagramBackend, &self.0, socket => socket.option(name))
    }
}
