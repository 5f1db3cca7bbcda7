//! The machine over the seam.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

use super::config::{Config, Delivery};
use super::event::{Ended, Event, MessageId, PeerId, SendError, Status, Transmit, Vitals};
use super::machine::Machine;
use crate::model::Errno;
use crate::network::{Datagram as _, Network};

/// Failed calls of the socket in a row after which it is given up.
const FAILURES: u32 = 100;

/// Why a call of an [`AdaptiveSocket`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket cannot be had.
    #[error("cannot bind {addr}: {source}")]
    Bind {
        /// Where.
        addr: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The text names no address.
    #[error("cannot use the address `{addr}`: {source}")]
    Address {
        /// The text.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// The socket no longer works.
    #[error("the socket failed: {0}")]
    Socket(#[source] io::Error),
    /// The message, or the connection, is not taken.
    #[error(transparent)]
    Refused(#[from] SendError),
    /// The connection has ended without us.
    #[error("the connection has ended: {}", match why {
        Ended::ByUs => "it was closed",
        Ended::ByPeer => "the peer has closed it",
        Ended::Reset => "the peer does not know it: it was started again, or has given it up",
        Ended::TimedOut => "the peer did not answer",
    })]
    Ended {
        /// How.
        why: Ended,
        /// Messages that were neither acknowledged nor given up.
        unsent: usize,
    },
}

/// A datagram socket that adapts itself, for any number of peers up to a bound.
///
/// It starts no task: it works (receives, repeats, acknowledges) while one of its calls is waited for. A
/// program that has nothing else to do waits for [`next`](AdaptiveSocket::next). One that stays away for
/// longer than its peers have patience is given up by them.
///
/// # Cancel safety
/// Each call can be dropped at any point: nothing that has arrived is lost, and a message was taken whole or
/// not at all.
#[derive(Debug)]
pub struct AdaptiveSocket<N: Network> {
    net: N,
    socket: N::Datagram,
    machine: Machine,
    /// What could not be sent yet.
    pending: Option<Transmit>,
    buffer: Vec<u8>,
    failures: u32,
}

impl<N: Network> AdaptiveSocket<N> {
    /// A socket at `addr` (`0.0.0.0:0` for a client).
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(net: &N, addr: &str, config: Config) -> Result<Self, Error> {
        let socket = net.datagram(addr, &[]).await;
        let socket = socket.map_err(|source| Error::Bind { addr: addr.to_owned(), source })?;
        let machine = Machine::new(config, net.now());
        // One byte more than any datagram: none is cut without being noticed.
        Ok(AdaptiveSocket {
            net: net.clone(),
            socket,
            machine,
            pending: None,
            buffer: vec![0; 65_536],
            failures: 0,
        })
    }

    /// Where it is.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.socket.local_addr().map_err(Error::Socket)
    }

    /// The protocol's machine, to ask for what it has measured.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What a connection has measured and done.
    pub fn vitals(&self, peer: PeerId) -> Option<Vitals> {
        self.machine.vitals(peer)
    }

    /// Connects to the first of the addresses that `addr` resolves to.
    ///
    /// # Errors
    /// [`Error::Address`]; [`Error::Ended`] if no answer came; [`Error::Refused`] where there are too
    /// many peers.
    pub async fn connect(&mut self, addr: &str) -> Result<PeerId, Error> {
        let named = |source| Error::Address { addr: addr.to_owned(), source };
        let found = self.net.resolve(addr).await.map_err(named)?;
        let own = self.local_addr()?;
        let same = found.iter().find(|peer| peer.is_ipv4() == own.is_ipv4()).or(found.first());
        let to = *same.ok_or_else(|| named(io::ErrorKind::NotFound.into()))?;
        let peer = self.machine.connect(self.net.now(), to)?;
        let mut opening = Opening { peer, socket: self, is_open: false };
        while opening.socket.machine.status(peer) == Some(Status::Opening) {
            opening.socket.step().await?;
        }
        opening.socket.alive(peer)?;
        opening.is_open = true;
        Ok(peer)
    }

    /// Gives a message to the socket to be sent; waits for room, not for the peer.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Ended`], [`Error::Socket`].
    pub async fn send(
        &mut self,
        peer: PeerId,
        data: impl Into<Bytes>,
        delivery: Delivery,
    ) -> Result<MessageId, Error> {
        let data = data.into();
        loop {
            match self.machine.send(self.net.now(), peer, data.clone(), delivery) {
                Err(SendError::Full) => self.step().await?,
                Err(SendError::Closed) => {
                    self.alive(peer)?;
                    return Err(SendError::Closed.into());
                }
                Err(refused) => return Err(refused.into()),
                Ok(message) => {
                    self.pump().await?;
                    return Ok(message);
                }
            }
        }
    }

    /// Waits until each message to a peer is acknowledged or given up.
    ///
    /// # Errors
    /// [`Error::Ended`] where the connection ended before; [`Error::Socket`].
    pub async fn flush(&mut self, peer: PeerId) -> Result<(), Error> {
        while self.machine.unsent(peer) > 0 {
            self.alive(peer)?;
            self.step().await?;
        }
        self.alive(peer)
    }

    /// Waits for the next thing that happens.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            self.pump().await?;
            if let Some(event) = self.machine.poll_event() {
                return Ok(event);
            }
            self.step().await?;
        }
    }

    /// Closes a connection: sends what is left, and waits until the peer has it. What the peer has sent and
    /// was not taken by then can still be had from [`next`](AdaptiveSocket::next), and behind it
    /// [`Event::Closed`]; where there is nothing, the connection is forgotten.
    ///
    /// # Errors
    /// [`Error::Ended`] if messages were left unacknowledged; [`Error::Socket`].
    pub async fn close(&mut self, peer: PeerId) -> Result<(), Error> {
        self.machine.close(peer);
        while self.machine.status(peer) == Some(Status::Closing) {
            self.step().await?;
        }
        // The last acknowledgement.
        self.pump().await?;
        let unsent = self.machine.unsent(peer);
        let status = self.machine.status(peer);
        if !self.machine.has_events_of(peer) {
            self.machine.forget(peer);
        }
        match status {
            Some(Status::Ended(why)) if unsent > 0 => Err(Error::Ended { why, unsent }),
            _ => Ok(()),
        }
    }

    /// Lets go of a connection at once; its peer learns of it when it sends something.
    pub fn forget(&mut self, peer: PeerId) {
        self.machine.forget(peer);
    }

    /// Whether a connection is there; if not, why.
    fn alive(&self, peer: PeerId) -> Result<(), Error> {
        match self.machine.status(peer) {
            Some(Status::Ended(why)) => Err(Error::Ended { why, unsent: self.machine.unsent(peer) }),
            None => Err(SendError::Closed.into()),
            Some(_) => Ok(()),
        }
    }

    /// Sends what can be sent now.
    async fn pump(&mut self) -> Result<(), Error> {
        loop {
            if self.pending.is_none() {
                self.pending = self.machine.poll_transmit(self.net.now());
            }
            let Some(datagram) = &self.pending else { return Ok(()) };
            // Whatever is wrong with the way to one peer is nothing to the others: it is as good as a lost
            // datagram. A socket that is broken says so when it receives.
            let _ = self.socket.send_to(&datagram.data, datagram.to).await;
            self.pending = None;
        }
    }

    /// Sends what can be sent, and waits for a datagram or a timer.
    async fn step(&mut self) -> Result<(), Error> {
        self.pump().await?;
        let now = self.net.now();
        let AdaptiveSocket { net, socket, machine, buffer, .. } = self;
        let due = machine.next_timer();
        let sleep = async {
            match due {
                Some(due) => net.sleep(due.since(now)).await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            received = socket.recv_from(buffer) => Some(received),
            () = sleep => None,
        };
        let now = net.now();
        let judged = match received {
            Some(Ok(received)) => {
                if received.full_len <= received.len {
                    machine.input(now, received.from, &buffer[..received.len]);
                }
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        // Datagrams that keep coming do not keep the timers waiting.
        if self.machine.next_timer().is_some_and(|due| due <= now) {
            self.machine.on_timer(now);
        }
        self.judge(judged)
    }

    /// An error that passes is as good as a lost datagram.
    fn judge(&mut self, result: io::Result<()>) -> Result<(), Error> {
        let Err(error) = result else {
            self.failures = 0;
            return Ok(());
        };
        self.failures += 1;
        let passes = Errno::of(&error).is_some_and(is_passing);
        if passes && self.failures < FAILURES { Ok(()) } else { Err(Error::Socket(error)) }
    }
}

/// Whether an error of receiving says nothing about the next call.
fn is_passing(error: Errno) -> bool {
    matches!(
        error,
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::ENETDOWN
            | Errno::ENOBUFS
            | Errno::ENOMEM
            | Errno::EPERM
            | Errno::EINTR
            | Errno::EAGAIN
            | Errno::ECONNRESET
    )
}

/// A connection that is not there yet: where the call that opens it is dropped, so is it.
struct Opening<'a, N: Network> {
    peer: PeerId,
    socket: &'a mut AdaptiveSocket<N>,
    is_open: bool,
}

impl<N: Network> Drop for Opening<'_, N> {
    fn drop(&mut self) {
        if !self.is_open {
            self.socket.machine.forget(self.peer);
        }
    }
}
