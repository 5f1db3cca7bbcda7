//! A broken transport: a network between a program and the real one that misbehaves in one way as a broken
//! TCP would.
//!
//! It stands above the record of calls, so that the trace shows what it does to the real network. Where it
//! hides that from the trace, the program's own words on its second connection bring it out.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use faultwire::errno::Errno;
use faultwire::network::{Listener, Network, Stream};
use faultwire::stack::{OptionName, SocketOption};
use faultwire::time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::programs::DATA;

/// The write that a bug hits.
const HIT: u32 = 4;

/// What a broken transport does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Loses a piece.
    LosesAPiece,
    /// Sends a piece twice.
    RepeatsAPiece,
    /// Sends a piece after the one that was written after it.
    SwapsPieces,
    /// Flips a bit of a piece.
    FlipsABit,
    /// Sends one way at a time: once it has received, nothing that is written goes out.
    OneWayAtATime,
    /// Keeps the last piece until the next one comes, and forgets it at a close.
    ForgetsAtClose,
    /// Closes with linger 0.
    ClosesAbruptly,
    /// Takes linger 0, and closes in good order all the same.
    NeverResets,
    /// Shuts down the receiving direction with the sending one.
    ShutsBoth,
    /// Keeps the end of the stream to itself.
    KeepsTheEnd,
    /// Takes all that is written, however much is on its way.
    NeverFull,
    /// Loses what there is no room for.
    LosesWhatDoesNotFit,
    /// Misses that there is room again.
    NeverResumes,
    /// Receives nothing while a write waits.
    StopsBothWays,
    /// Ignores the buffer sizes that it is given.
    IgnoresBuffers,
    /// Answers for ports without a listener.
    AnswersForNobody,
    /// Refuses though there is a listener.
    RefusesEverybody,
    /// Fails a connect that has to wait.
    NeverTriesAgain,
    /// Drops the second connection that was accepted.
    DropsAnAccepted,
}

/// A network with a bug.
#[derive(Clone, Debug)]
pub(super) struct Mangled<N> {
    net: N,
    bug: Bug,
}

impl<N> Mangled<N> {
    pub(super) fn new(net: N, bug: Bug) -> Self {
        Mangled { net, bug }
    }

    /// Where a connect to that address ends.
    fn target(&self, addr: &str) -> String {
        let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
        match self.bug {
            Bug::AnswersForNobody => format!("{host}:{DATA}"),
            Bug::RefusesEverybody => format!("{host}:1"),
            _ => addr.to_owned(),
        }
    }

    /// The options that get through.
    fn options(&self, options: &[SocketOption]) -> Vec<SocketOption> {
        let through = |option: &SocketOption| {
            self.bug != Bug::IgnoresBuffers
                || !matches!(option, SocketOption::RecvBuffer(_) | SocketOption::SendBuffer(_))
        };
        options.iter().copied().filter(through).collect()
    }
}

impl<N: Network> Network for Mangled<N> {
    type Stream = MangledStream<N::Stream>;
    type Listener = MangledListener<N::Listener>;
    type Datagram = N::Datagram;

    async fn connect(&self, addr: &str, options: &[SocketOption]) -> io::Result<Self::Stream> {
        let addr = self.target(addr);
        let options = self.options(options);
        let connecting = self.net.connect(&addr, &options);
        let stream = if self.bug == Bug::NeverTriesAgain {
            let soon = Duration::from_millis(30);
            self.net.timeout(soon, connecting).await.unwrap_or_else(|_| Err(Errno::ECONNREFUSED.into()))?
        } else {
            connecting.await?
        };
        Ok(MangledStream::new(stream, self.bug))
    }

    async fn connect_from(
        &self,
        local: &str,
        addr: &str,
        options: &[SocketOption],
    ) -> io::Result<Self::Stream> {
        let (addr, options) = (self.target(addr), self.options(options));
        let stream = self.net.connect_from(local, &addr, &options).await?;
        Ok(MangledStream::new(stream, self.bug))
    }

    async fn listen(&self, addr: &str, backlog: u32, options: &[SocketOption]) -> io::Result<Self::Listener> {
        Ok(MangledListener {
            listener: self.net.listen(addr, backlog, &self.options(options)).await?,
            bug: self.bug,
            accepted: Arc::default(),
        })
    }

    async fn datagram(&self, addr: &str, options: &[SocketOption]) -> io::Result<N::Datagram> {
        self.net.datagram(addr, options).await
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

/// A listener of a network with a bug.
#[derive(Debug)]
pub(super) struct MangledListener<L> {
    listener: L,
    bug: Bug,
    accepted: Arc<AtomicU32>,
}

impl<L: Listener> Listener for MangledListener<L> {
    type Stream = MangledStream<L::Stream>;

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            let before = self.accepted.fetch_add(1, Ordering::Relaxed);
            if self.bug == Bug::DropsAnAccepted && before == 1 {
                continue;
            }
            return Ok((MangledStream::new(stream, self.bug), peer));
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A stream of a network with a bug.
#[derive(Debug)]
pub(super) struct MangledStream<S> {
    stream: S,
    bug: Bug,
    writes: u32,
    /// What was taken and is still to be sent.
    queue: VecDeque<Bytes>,
    /// A piece that is kept back.
    kept: Option<Bytes>,
    /// Something was received.
    heard: bool,
    /// A write had to wait.
    waited: bool,
    /// The sending direction was shut down.
    shut: bool,
}

impl<S: Stream> MangledStream<S> {
    fn new(stream: S, bug: Bug) -> Self {
        if bug == Bug::ClosesAbruptly {
            // Where there is no linger the bug does nothing.
            let _ = stream.set_option(SocketOption::Linger(Some(Duration::ZERO)));
        }
        MangledStream {
            stream,
            bug,
            writes: 0,
            queue: VecDeque::new(),
            kept: None,
            heard: false,
            waited: false,
            shut: false,
        }
    }

    /// Takes a piece, and does wrong what the bug does wrong with it.
    fn take(&mut self, data: &[u8]) {
        self.writes += 1;
        let hit = self.writes == HIT;
        let piece = Bytes::copy_from_slice(data);
        match self.bug {
            Bug::LosesAPiece if hit => {}
            Bug::OneWayAtATime if self.heard => {}
            Bug::RepeatsAPiece if hit => self.queue.extend([piece.clone(), piece]),
            Bug::SwapsPieces if hit => self.kept = Some(piece),
            Bug::SwapsPieces => {
                self.queue.push_back(piece);
                self.queue.extend(self.kept.take());
            }
            Bug::FlipsABit if hit => {
                let mut piece = BytesMut::from(data);
                let middle = piece.len() / 2;
                if let Some(byte) = piece.get_mut(middle) {
                    *byte ^= 0x10;
                }
                self.queue.push_back(piece.freeze());
            }
            Bug::ForgetsAtClose => self.queue.extend(self.kept.replace(piece)),
            _ => self.queue.push_back(piece),
        }
    }

    /// Sends what was taken.
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(piece) = self.queue.front_mut() {
            let len = ready!(Pin::new(&mut self.stream).poll_write(cx, piece))?;
            piece.advance(len);
            if piece.is_empty() {
                self.queue.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for MangledStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match this.bug {
            Bug::NeverResumes if this.waited => return Poll::Pending,
            Bug::NeverResumes | Bug::StopsBothWays | Bug::LosesWhatDoesNotFit => {
                let result = Pin::new(&mut this.stream).poll_write(cx, data);
                this.waited |= result.is_pending();
                return if result.is_pending() && this.bug == Bug::LosesWhatDoesNotFit {
                    Poll::Ready(Ok(data.len()))
                } else {
                    result
                };
            }
            Bug::NeverFull => {}
            _ => ready!(this.poll_queue(cx))?,
        }
        this.take(data);
        if let Poll::Ready(Err(error)) = this.poll_queue(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_queue(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.queue.extend(this.kept.take());
        ready!(this.poll_queue(cx))?;
        this.shut = true;
        if this.bug == Bug::KeepsTheEnd {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: Stream> AsyncRead for MangledStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bug == Bug::ShutsBoth && self.shut {
            return Poll::Ready(Ok(()));
        }
        if self.bug == Bug::StopsBothWays && self.waited {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.heard |= buf.filled().len() > before;
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> Stream for MangledStream<S> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        match option {
            SocketOption::Linger(_) if self.bug == Bug::NeverResets => Ok(()),
            option => self.stream.set_option(option),
        }
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.stream.option(name)
    }
}
