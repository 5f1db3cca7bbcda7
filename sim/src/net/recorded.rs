//! A network whose socket calls go into a trace: for the backends that keep none themselves.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::network::{Datagram, Listener, Network, Stream};
use faultwire::stack::{Fd, OptionName, Received, SocketOption};
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, SocketId, Trace, What};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::host_net::Record;
use crate::program::calls_at;

/// A host's network, with a record of the calls that its programs make.
#[derive(Clone, Debug)]
pub(crate) struct Recorded<N> {
    net: N,
    log: Log,
}

/// Where the calls go: a trace that all hosts share, with the clock that dates them.
#[derive(Clone)]
pub(crate) struct Log {
    trace: Arc<Mutex<Trace>>,
    host: HostId,
    sockets: Arc<Mutex<u32>>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Log {
    pub(crate) fn new(
        trace: Arc<Mutex<Trace>>,
        host: HostId,
        clock: impl Fn() -> Time + Send + Sync + 'static,
    ) -> Self {
        Log { trace, host, sockets: Arc::default(), clock: Arc::new(clock) }
    }

    /// The record of the same host after it lost power, under another number: its sockets are counted on.
    #[cfg(all(feature = "lab", target_os = "linux"))]
    pub(crate) fn again(&self, host: HostId) -> Self {
        Log { host, ..self.clone() }
    }

    #[cfg(all(feature = "lab", target_os = "linux"))]
    pub(crate) fn host(&self) -> HostId {
        self.host
    }

    /// A new socket of this host.
    fn socket(&self) -> SocketLog {
        SocketLog { log: self.clone(), id: self.number() }
    }

    /// The number of a new socket.
    fn number(&self) -> SocketId {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        *sockets += 1;
        SocketId(*sockets - 1)
    }

    fn record(&self, socket: SocketId, error: Option<Errno>, call: Call) {
        self.push_what(What::Call { host: self.host, socket, call, error });
    }

    /// Notes a value of a program.
    pub(crate) fn note(&self, key: &str, value: String) {
        self.push_what(What::Noted { host: self.host, key: key.to_owned(), value });
    }

    fn push_what(&self, what: What) {
        let at = (self.clock)();
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(at, what);
    }
}

impl Record for &Log {
    fn opened(&mut self, _: Fd) -> SocketId {
        self.number()
    }

    fn closed(&mut self, _: SocketId) {}

    fn push(&mut self, socket: SocketId, error: Option<Errno>, call: impl FnOnce() -> Call) {
        self.record(socket, error, call());
    }
}

/// The record of one socket; its end is the socket's.
#[derive(Debug)]
struct SocketLog {
    log: Log,
    id: SocketId,
}

impl SocketLog {
    fn push<T>(&self, call: Call, result: &io::Result<T>) {
        calls_at(self.log.host);
        // An error without a number that is known here still goes down as an error.
        let error = result.as_ref().err().map(|error| Errno::of(error).unwrap_or(Errno::EIO));
        self.log.record(self.id, error, call);
    }
}

impl Drop for SocketLog {
    fn drop(&mut self) {
        self.push(Call::Close, &Ok(()));
    }
}

impl<N> Recorded<N> {
    pub(crate) fn new(net: N, log: Log) -> Self {
        Recorded { net, log }
    }
}

impl<N: Network> Recorded<N> {
    /// The address that a call which failed was about.
    async fn first_of(&self, addr: &str) -> Option<SocketAddr> {
        self.net.resolve(addr).await.ok()?.first().copied()
    }

    /// Records a connect.
    async fn connected(
        &self,
        log: SocketLog,
        addr: &str,
        result: io::Result<N::Stream>,
    ) -> io::Result<RecordedStream<N::Stream>> {
        let peer = match &result {
            Ok(stream) => stream.peer_addr().ok(),
            Err(_) => self.first_of(addr).await,
        };
        log.push(Call::Connect(peer.unwrap_or(UNKNOWN)), &result);
        Ok(RecordedStream { stream: result?, log })
    }
}

/// A datagram socket whose calls are recorded.
#[derive(Debug)]
pub(crate) struct RecordedDatagram<D> {
    socket: D,
    log: SocketLog,
}

/// A listener whose calls are recorded.
#[derive(Debug)]
pub(crate) struct RecordedListener<L> {
    listener: L,
    log: SocketLog,
}

/// A stream whose calls are recorded.
#[derive(Debug)]
pub(crate) struct RecordedStream<S> {
    stream: S,
    log: SocketLog,
}

impl<N: Network> Network for Recorded<N> {
    type Stream = RecordedStream<N::Stream>;
    type Listener = RecordedListener<N::Listener>;
    type Datagram = RecordedDatagram<N::Datagram>;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<Self::Stream> {
        let log = self.log.socket();
        let result = self.net.connect(addr, options).await;
        self.connected(log, addr, result).await
    }

    async fn connect_from(
        &self,
        local: &str,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<Self::Stream> {
        let log = self.log.socket();
        let result = self.net.connect_from(local, addr, options).await;
        self.connected(log, addr, result).await
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<Self::Listener> {
        let log = self.log.socket();
        let result = self.net.listen(addr, backlog, options).await;
        let local = match &result {
            Ok(listener) => listener.local_addr().ok(),
            Err(_) => self.first_of(addr).await,
        };
        log.push(Call::Listen(local.unwrap_or(UNKNOWN)), &result);
        Ok(RecordedListener { listener: result?, log })
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<Self::Datagram> {
        let log = self.log.socket();
        let result = self.net.datagram(addr, options).await;
        let local = match &result {
            Ok(socket) => socket.local_addr().ok(),
            Err(_) => self.first_of(addr).await,
        };
        log.push(Call::Bind(local.unwrap_or(UNKNOWN)), &result);
        Ok(RecordedDatagram { socket: result?, log })
    }

    async fn resolve(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        self.net.resolve(addr).await
    }

    async fn sleep(&self, span: Duration) {
        self.net.sleep(span).await;
    }

    fn now(&self) -> Time {
        self.net.now()
    }
}

/// Stands in the trace for an address that is not known.
const UNKNOWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

impl<L: Listener> Listener for RecordedListener<L> {
    type Stream = RecordedStream<L::Stream>;

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                let log = self.log.log.socket();
                self.log.push(Call::Accept { socket: log.id, peer: Some(peer) }, &Ok(()));
                Ok((RecordedStream { stream, log }, peer))
            }
            Err(error) => {
                let result = Err(error);
                self.log.push(Call::Accept { socket: self.log.id, peer: None }, &result);
                result
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<D: Datagram> Datagram for RecordedDatagram<D> {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let result = self.socket.connect(addr).await;
        let peer = addr.parse().ok().or_else(|| self.socket.peer_addr().ok()).unwrap_or(UNKNOWN);
        self.log.push(Call::Connect(peer), &result);
        result
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let result = self.socket.send(data).await;
        self.log.push(Call::Send { to: None, data: Bytes::copy_from_slice(data) }, &result);
        result
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        let result = self.socket.send_to(data, to).await;
        self.log.push(Call::Send { to: Some(to), data: Bytes::copy_from_slice(data) }, &result);
        result
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let result = self.socket.recv_from(buffer).await;
        let call = match &result {
            Ok(received) => Call::Recv {
                from: Some(received.from),
                data: Bytes::copy_from_slice(&buffer[..received.len]),
                full_len: received.full_len,
            },
            Err(_) => Call::Recv { from: None, data: Bytes::new(), full_len: 0 },
        };
        self.log.push(call, &result);
        result
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let result = self.socket.set_option(option);
        self.log.push(Call::Option(option), &result);
        result
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }
}

impl<S: Stream> AsyncRead for RecordedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let data = Bytes::copy_from_slice(&buf.filled()[before..]);
        self.log.push(Call::Recv { from: None, full_len: data.len(), data }, &result);
        Poll::Ready(result)
    }
}

impl<S: Stream> AsyncWrite for RecordedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, data));
        let taken = result.as_ref().copied().unwrap_or(data.len());
        self.log.push(Call::Send { to: None, data: Bytes::copy_from_slice(&data[..taken]) }, &result);
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.log.push(Call::Shutdown, &result);
        Poll::Ready(result)
    }
}

impl<S: Stream> Stream for RecordedStream<S> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let result = self.stream.set_option(option);
        self.log.push(Call::Option(option), &result);
        result
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.stream.option(name)
    }
}
