//! Echo and reply over UDP.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use super::guard::Guard;
use super::{ACKNOWLEDGEMENT, ClientError, Limits, ServerError, Tally, stamp};
use crate::model::Errno;
use crate::network::{Datagram as _, Network};

/// The longest UDP payload (over IPv6, RFC 768's 16-bit length less the header), in bytes.
const LONGEST: usize = 65_527;

/// Failed receives in a row after which a server gives up.
const FAILURES: u32 = 100;

/// Sends every datagram back to where it came from, until `stop` completes.
///
/// It answers clients only, never itself or another server forever: a source port below 1024 or equal to its
/// own is not answered, nor is a peer that has used up the answers that [`Limits`] allow.
///
/// # Errors
/// [`ServerError::Receive`] if datagrams can no longer be received.
pub async fn echo_server<N: Network>(
    net: &N,
    socket: &N::Datagram,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
) -> Result<Tally, ServerError> {
    serve(net, socket, limits, stop, Answer::Echo).await
}

/// Answers every datagram with [`ACKNOWLEDGEMENT`], until `stop` completes.
///
/// A datagram that is itself the acknowledgement is not answered; else as [`echo_server`].
///
/// # Errors
/// [`ServerError::Receive`] if datagrams can no longer be received.
pub async fn reply_server<N: Network>(
    net: &N,
    socket: &N::Datagram,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
) -> Result<Tally, ServerError> {
    serve(net, socket, limits, stop, Answer::Acknowledge).await
}

#[derive(Clone, Copy)]
enum Answer {
    Echo,
    Acknowledge,
}

async fn serve<N: Network>(
    net: &N,
    socket: &N::Datagram,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    answer: Answer,
) -> Result<Tally, ServerError> {
    let own = socket.local_addr().map_err(|source| ServerError::Receive { source })?;
    let mut guard = Guard::new(own, limits.clone());
    let mut tally = Tally::default();
    let mut failures = 0;
    // One byte more than is allowed: what fills it was too long, whether or not the platform tells.
    let mut buffer = vec![0; limits.message.min(LONGEST) + 1];
    let mut stop = pin!(stop);
    loop {
        let received = tokio::select! {
            biased;
            () = &mut stop => break,
            received = socket.recv_from(&mut buffer) => received,
        };
        let received = match received {
            Ok(received) => received,
            Err(source) => {
                // Such as an ICMP error for an earlier answer, on platforms that tell unconnected sockets.
                failures += 1;
                if failures == FAILURES {
                    return Err(ServerError::Receive { source });
                }
                net.sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        failures = 0;
        let data = &buffer[..received.len];
        let now = net.now();
        let whole = received.full_len.max(received.len) < buffer.len();
        let back = match answer {
            Answer::Echo if whole && guard.may_echo(now, received.from, data) => Some(data),
            Answer::Acknowledge
                if whole && data != ACKNOWLEDGEMENT && guard.may_answer(now, received.from) =>
            {
                Some(ACKNOWLEDGEMENT)
            }
            _ => None,
        };
        let sent = match back {
            Some(back) => socket.send_to(back, received.from).await.is_ok(),
            None => false,
        };
        if sent {
            tally.messages += 1;
            tally.bytes += received.len as u64;
        } else {
            tally.refused += 1;
        }
    }
    tally.clients = guard.met();
    Ok(tally)
}

/// A client of either server: a connected socket, so that it learns of a closed port.
#[derive(Debug)]
pub struct Client<N: Network> {
    net: N,
    addr: String,
    socket: N::Datagram,
    /// Addresses of the name that were not tried yet.
    others: VecDeque<SocketAddr>,
    timeout: Duration,
    /// Hashes of earlier messages: their late or duplicated echoes are known.
    earlier: VecDeque<u64>,
    buffer: Vec<u8>,
    stale: u64,
}

/// How many earlier messages are known when they come back late.
const EARLIER: usize = 64;

impl<N: Network> Client<N> {
    /// Opens a socket to `addr`; each answer may take as long as `timeout`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::Connect`].
    pub async fn connect(net: &N, addr: &str, timeout: Duration) -> Result<Self, ClientError> {
        let found = net.resolve(addr).await;
        let mut others: VecDeque<_> = match found {
            Ok(found) => found.into(),
            Err(source) => {
                return Err(ClientError::Address { addr: addr.to_owned(), source });
            }
        };
        let socket = open(net, addr, &mut others).await?;
        Ok(Client {
            net: net.clone(),
            addr: addr.to_owned(),
            socket,
            others,
            timeout,
            earlier: VecDeque::new(),
            buffer: Vec::new(),
            stale: 0,
        })
    }

    /// The socket.
    pub fn socket(&self) -> &N::Datagram {
        &self.socket
    }

    /// How many echoes of earlier messages came late or more than once.
    pub fn stale(&self) -> u64 {
        self.stale
    }

    /// Sends a message to an echo server and waits until it has come back; the time that took.
    ///
    /// It is sent once: what is lost is reported, not repeated.
    ///
    /// # Errors
    /// [`ClientError::NoAnswer`] where nothing came; [`ClientError::WrongAnswer`] where something came that
    /// was never sent; [`ClientError::Send`] and [`ClientError::Receive`] with the system's reason.
    pub async fn echo(&mut self, message: &[u8]) -> Result<Duration, ClientError> {
        let taken = self.exchange(message, message).await;
        if self.earlier.len() == EARLIER {
            self.earlier.pop_front();
        }
        self.earlier.push_back(stamp::hash(message));
        taken
    }

    /// Sends a message to a reply server and waits for the acknowledgement; the time that took.
    ///
    /// It is sent once. All acknowledgements are alike: one that comes late is taken for the next.
    ///
    /// # Errors
    /// As [`echo`](Client::echo)'s, and [`ClientError::Message`] for a message that is the acknowledgement
    /// itself, which no server answers.
    pub async fn ask(&mut self, message: &[u8]) -> Result<Duration, ClientError> {
        if message == ACKNOWLEDGEMENT {
            let why = "it is the acknowledgement itself, which a reply server never answers";
            return Err(ClientError::Message { why });
        }
        self.exchange(message, ACKNOWLEDGEMENT).await
    }

    async fn exchange(&mut self, message: &[u8], expected: &[u8]) -> Result<Duration, ClientError> {
        loop {
            match self.exchange_once(message, expected).await {
                // A name may stand for addresses of which the server listens on one (`localhost`).
                Err(ClientError::Send { source, .. } | ClientError::Receive { source, .. })
                    if Errno::of(&source) == Some(Errno::ECONNREFUSED) && !self.others.is_empty() =>
                {
                    self.socket = open(&self.net, &self.addr, &mut self.others).await?;
                }
                Ok(taken) => {
                    self.others.clear();
                    return Ok(taken);
                }
                failed => return failed,
            }
        }
    }

    async fn exchange_once(&mut self, message: &[u8], expected: &[u8]) -> Result<Duration, ClientError> {
        let addr = self.addr.clone();
        let start = self.net.now();
        if let Err(source) = self.socket.send(message).await {
            return Err(ClientError::Send { addr, source });
        }
        let Client { net, socket, timeout, earlier, buffer, stale, .. } = self;
        let room = expected.len() + 1;
        buffer.resize(buffer.len().max(room), 0);
        let answer = async {
            let peer = socket.peer_addr()?;
            loop {
                let received = socket.recv_from(buffer).await?;
                if (received.from.ip(), received.from.port()) != (peer.ip(), peer.port()) {
                    // It came before the socket was connected.
                    continue;
                }
                let got = &buffer[..received.len];
                if got == expected {
                    return Ok(None);
                }
                if !earlier.contains(&stamp::hash(got)) {
                    return Ok(Some(got.to_vec()));
                }
                *stale += 1;
            }
        };
        match net.timeout(*timeout, answer).await {
            Ok(Ok(None)) => Ok(net.now().since(start)),
            Ok(Ok(Some(got))) => Err(ClientError::WrongAnswer { addr, got, expected: expected.to_vec() }),
            Ok(Err(source)) => Err(ClientError::Receive { addr, source }),
            Err(_) => Err(ClientError::NoAnswer { addr, waited: *timeout }),
        }
    }
}

/// A socket connected to the next of the addresses that can be had.
async fn open<N: Network>(
    net: &N,
    addr: &str,
    others: &mut VecDeque<SocketAddr>,
) -> Result<N::Datagram, ClientError> {
    let mut last = std::io::ErrorKind::NotFound.into();
    while let Some(peer) = others.pop_front() {
        let any = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let opened = async {
            let socket = net.datagram(any, &[]).await?;
            socket.connect(&peer.to_string()).await?;
            Ok(socket)
        };
        match opened.await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(ClientError::Connect { addr: addr.to_owned(), source: last })
}
