//! Runs a machine over a datagram socket of any [`Network`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::Machine;
use crate::model::{Errno, Time};
use crate::network::{Datagram as _, Network};

/// The longest datagram that is taken, in bytes: UDP's payload over IPv6.
const LONGEST: usize = 65_527;

/// The most datagrams that a machine may send at one moment, and the most times in a row that its timer may
/// be due again at once. A machine that needs more never stops.
const AT_ONCE_MAX: u32 = 1_000;

/// Why an [`Endpoint`] cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address cannot be resolved, or the system refuses a socket.
    #[error("cannot open a datagram socket to or at {addr}")]
    Open {
        /// The address.
        addr: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The socket failed.
    #[error("cannot {what}")]
    Socket {
        /// What it was to do.
        what: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// The machine of the passive side wants to send, but no datagram has arrived yet to tell it where.
    #[error("the machine has a datagram to send before any peer has called it")]
    NoPeer,
    /// The machine never stops.
    #[error("the machine {what} {AT_ONCE_MAX} times at one moment (at {at}): does it ever stop?")]
    Endless {
        /// What it does over and over.
        what: &'static str,
        /// When.
        at: Time,
    },
}

/// A [`Machine`] over a datagram socket.
///
/// Nothing happens in the background: the machine runs while one of the methods is awaited.
pub struct Endpoint<N: Network, M> {
    net: N,
    socket: N::Datagram,
    /// Whom to speak to; at the side that is called, who called last.
    peer: Option<SocketAddr>,
    is_called: bool,
    machine: M,
    buffer: Vec<u8>,
    /// How often, in a row, the timer was due again as soon as it had been seen to.
    due_again: u32,
}

impl<N: Network, M> fmt::Debug for Endpoint<N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("socket", &self.socket)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<N: Network, M: Machine> Endpoint<N, M> {
    /// Creates the active side: a new socket that sends to `addr`.
    ///
    /// # Errors
    /// [`EndpointError::Open`].
    pub async fn call(net: &N, addr: &str, machine: M) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError::Open { addr: addr.to_owned(), source };
        let found = net.resolve(addr).await.map_err(failed)?;
        let peer = found.first().copied().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let any = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = net.datagram(any, &[]).await.map_err(failed)?;
        Ok(Endpoint::new(net, socket, Some(peer), machine))
    }

    /// Creates the passive side, bound to `addr`. Replies go to the most recent sender.
    ///
    /// # Errors
    /// [`EndpointError::Open`].
    pub async fn answer(net: &N, addr: &str, machine: M) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError::Open { addr: addr.to_owned(), source };
        let socket = net.datagram(addr, &[]).await.map_err(failed)?;
        Ok(Endpoint::new(net, socket, None, machine))
    }

    fn new(net: &N, socket: N::Datagram, peer: Option<SocketAddr>, machine: M) -> Self {
        let (net, buffer) = (net.clone(), vec![0; LONGEST]);
        Endpoint { net, socket, is_called: peer.is_none(), peer, machine, buffer, due_again: 0 }
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The socket.
    pub fn socket(&self) -> &N::Datagram {
        &self.socket
    }

    /// Hands a message over, once the machine is ready for it.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn send(&mut self, message: &[u8]) -> Result<(), EndpointError> {
        while !self.machine.is_ready() {
            self.step(None).await?;
        }
        self.machine.send(self.net.now(), message);
        self.flush().await
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn receive(&mut self) -> Result<Vec<u8>, EndpointError> {
        loop {
            if let Some(message) = self.machine.next_message() {
                // Room for more may be worth telling the other side.
                self.flush().await?;
                return Ok(message);
            }
            self.step(None).await?;
        }
    }

    /// Waits for the next message, unless none is there and `is_over` says that none is to come: then it
    /// gives none.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn receive_unless(
        &mut self,
        is_over: impl Fn(&M) -> bool + Send,
    ) -> Result<Option<Vec<u8>>, EndpointError> {
        loop {
            if let Some(message) = self.machine.next_message() {
                self.flush().await?;
                return Ok(Some(message));
            }
            if is_over(&self.machine) {
                return Ok(None);
            }
            self.step(None).await?;
        }
    }

    /// Does something with the machine that has no method here, and sends what it has to send then.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn with(&mut self, act: impl FnOnce(&mut M, Time) + Send) -> Result<(), EndpointError> {
        act(&mut self.machine, self.net.now());
        self.flush().await
    }

    /// Waits until nothing is outstanding.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn finish(&mut self) -> Result<(), EndpointError> {
        while !self.machine.is_done() {
            self.step(None).await?;
        }
        Ok(())
    }

    /// Stays for that long, so that the other side is answered when it asks again.
    ///
    /// # Errors
    /// All but [`EndpointError::Open`].
    pub async fn linger(&mut self, span: Duration) -> Result<(), EndpointError> {
        let end = self.net.now() + span;
        while self.net.now() < end {
            self.step(Some(end)).await?;
        }
        Ok(())
    }

    /// One thing that happens: a datagram comes, the timer is due, or the time is up.
    async fn step(&mut self, until: Option<Time>) -> Result<(), EndpointError> {
        self.flush().await?;
        let timer = self.machine.next_timer();
        let wake = timer.into_iter().chain(until).min();
        let span = wake.map(|wake| wake.since(self.net.now()));
        let Endpoint { net, socket, buffer, .. } = self;
        let sleep = async {
            match span {
                Some(span) => net.sleep(span).await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            received = socket.recv_from(buffer) => Some(received),
            () = sleep => None,
        };
        let now = self.net.now();
        match received {
            Some(Ok(received)) => {
                // Who calls listens to nobody else.
                let is_stranger = !self.is_called && self.peer != Some(received.from);
                // Nothing can be sent to port 0: who calls from there wants no answer.
                if !is_stranger && received.from.port() != 0 {
                    self.peer = Some(received.from);
                    self.machine.on_datagram(now, &self.buffer[..received.len]);
                }
            }
            // Nobody is there, or not yet: to a protocol that is a datagram lost.
            Some(Err(error)) if Errno::of(&error) == Some(Errno::ECONNREFUSED) => {}
            Some(Err(source)) => return Err(EndpointError::Socket { what: "receive", source }),
            None => {}
        }
        // Datagrams that keep coming do not keep the timer waiting.
        if self.machine.next_timer().is_some_and(|timer| timer <= now) {
            self.machine.on_timer(now);
            let is_due_again = self.machine.next_timer().is_some_and(|timer| timer <= now);
            self.due_again = if is_due_again { self.due_again + 1 } else { 0 };
            if self.due_again > AT_ONCE_MAX {
                return Err(EndpointError::Endless { what: "wanted its timer", at: now });
            }
        }
        self.flush().await
    }

    /// Puts on the wire what the machine has for it.
    async fn flush(&mut self) -> Result<(), EndpointError> {
        let mut count = 0;
        while let Some(datagram) = self.machine.next_datagram() {
            count += 1;
            if count > AT_ONCE_MAX {
                return Err(EndpointError::Endless { what: "sent a datagram", at: self.net.now() });
            }
            let peer = self.peer.ok_or(EndpointError::NoPeer)?;
            match self.socket.send_to(&datagram, peer).await {
                Ok(_) => {}
                Err(error) if Errno::of(&error) == Some(Errno::ECONNREFUSED) => {}
                Err(source) => return Err(EndpointError::Socket { what: "send", source }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
