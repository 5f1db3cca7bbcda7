//! Echo and reply over TCP.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::{Connection, Next, serve};
use super::{ACKNOWLEDGEMENT, ClientError, Limits, ServerError, Tally};
use crate::network::Network;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// Sends back every byte as it comes, for many clients at once, until `stop` completes.
///
/// When a client has closed its sending direction and has been sent all of its bytes, the server closes its
/// own.
///
/// # Errors
/// [`ServerError::Accept`] if connections can no longer be accepted.
pub async fn echo_server<N: Network>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
) -> Result<Tally, ServerError> {
    serve(net, listener, limits, stop, echo_connection).await
}

async fn echo_connection<N: Network>(mut peer: Connection<N>) -> Tally {
    let mut tally = Tally::default();
    let mut buffer = vec![0; CHUNK.min(peer.limits.message)];
    loop {
        match peer.next(&mut buffer).await {
            Next::Data(len) => {
                if peer.write_all(&buffer[..len]).await.is_err() {
                    tally.refused += 1;
                    return tally;
                }
                tally.messages += 1;
                tally.bytes += len as u64;
            }
            other => return finish(peer, other, tally).await,
        }
    }
}

/// Answers each line with [`ACKNOWLEDGEMENT`], for many clients at once, until `stop` completes.
///
/// A message is a line: bytes up to a newline, an unterminated rest at the end of the stream included. It is
/// not kept, only counted; one that is longer than the limit ends its connection unanswered.
///
/// # Errors
/// [`ServerError::Accept`] if connections can no longer be accepted.
pub async fn reply_server<N: Network>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
) -> Result<Tally, ServerError> {
    serve(net, listener, limits, stop, reply_connection).await
}

async fn reply_connection<N: Network>(mut peer: Connection<N>) -> Tally {
    let mut tally = Tally::default();
    let mut buffer = vec![0; CHUNK];
    let mut answers = Vec::new();
    // Bytes of the line that has not ended yet.
    let mut line = 0;
    loop {
        let next = peer.next(&mut buffer).await;
        let mut too_long = false;
        answers.clear();
        match next {
            Next::Data(len) => {
                tally.bytes += len as u64;
                for piece in buffer[..len].split_inclusive(|byte| *byte == b'\n') {
                    line += piece.len();
                    if line > peer.limits.message {
                        too_long = true;
                        break;
                    }
                    if piece.ends_with(b"\n") {
                        line = 0;
                        answers.extend_from_slice(ACKNOWLEDGEMENT);
                    }
                }
            }
            Next::End if line > 0 => answers.extend_from_slice(ACKNOWLEDGEMENT),
            _ => {}
        }
        let answered = peer.write_all(&answers).await;
        if answered.is_ok() {
            tally.messages += (answers.len() / ACKNOWLEDGEMENT.len()) as u64;
        }
        if answered.is_err() || too_long {
            tally.refused += 1;
            return tally;
        }
        if !matches!(next, Next::Data(_)) {
            return finish(peer, next, tally).await;
        }
    }
}

/// Ends a connection the way it asks for.
async fn finish<N: Network>(mut peer: Connection<N>, why: Next, mut tally: Tally) -> Tally {
    match why {
        Next::Failed => tally.refused += 1,
        Next::Idle => tally.idle += 1,
        Next::Data(_) | Next::End | Next::Stop => {
            // Whether the peer still hears it does not matter: all was said.
            let _ = peer.net.timeout(peer.limits.idle, peer.stream.shutdown()).await;
        }
    }
    tally
}

/// A client of either server, with one connection.
#[derive(Debug)]
pub struct Client<N: Network> {
    net: N,
    addr: String,
    stream: N::Stream,
    timeout: Duration,
}

impl<N: Network> Client<N> {
    /// Connects to `addr`; this and each answer may take as long as `timeout`.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::Connect`], and [`ClientError::NoAnswer`] when the time is up.
    pub async fn connect(net: &N, addr: &str, timeout: Duration) -> Result<Self, ClientError> {
        let addr = addr.to_owned();
        if let Err(source) = net.resolve(&addr).await {
            return Err(ClientError::Address { addr, source });
        }
        match net.timeout(timeout, net.connect(&addr, &[])).await {
            Ok(Ok(stream)) => Ok(Client { net: net.clone(), addr, stream, timeout }),
            Ok(Err(source)) => Err(ClientError::Connect { addr, source }),
            Err(_) => Err(ClientError::NoAnswer { addr, waited: timeout }),
        }
    }

    /// The connection.
    pub fn stream(&self) -> &N::Stream {
        &self.stream
    }

    /// The connection, to go on with otherwise.
    pub fn into_stream(self) -> N::Stream {
        self.stream
    }

    /// Sends a message to an echo server and waits until all of it has come back; the time that took.
    ///
    /// # Errors
    /// [`ClientError::WrongAnswer`] where something else came back; [`ClientError::NoAnswer`],
    /// [`ClientError::Closed`] and the others where it did not come.
    pub async fn echo(&mut self, message: &[u8]) -> Result<Duration, ClientError> {
        self.exchange(message, message).await
    }

    /// Sends a message to a reply server, as a line, and waits for the acknowledgement; the time that took.
    ///
    /// # Errors
    /// [`ClientError::Message`] if the message has a newline in it, else as [`echo`](Client::echo)'s.
    pub async fn ask(&mut self, message: &[u8]) -> Result<Duration, ClientError> {
        if message.contains(&b'\n') {
            let why = "over TCP a message is a line, and this one has a newline in it";
            return Err(ClientError::Message { why });
        }
        let line = [message, b"\n"].concat();
        self.exchange(&line, ACKNOWLEDGEMENT).await
    }

    /// Says that nothing more will be sent, and waits for the server to say the same.
    ///
    /// # Errors
    /// [`ClientError::WrongAnswer`] where bytes came instead of the end; the others where it did not come.
    pub async fn finish(mut self) -> Result<(), ClientError> {
        let addr = self.addr;
        let end = async {
            self.stream.shutdown().await?;
            let mut rest = [0; 64];
            let len = self.stream.read(&mut rest).await?;
            Ok(rest[..len].to_vec())
        };
        match self.net.timeout(self.timeout, end).await {
            Ok(Ok(rest)) if rest.is_empty() => Ok(()),
            Ok(Ok(got)) => Err(ClientError::WrongAnswer { addr, got, expected: Vec::new() }),
            Ok(Err(source)) => Err(ClientError::Receive { addr, source }),
            Err(_) => Err(ClientError::NoAnswer { addr, waited: self.timeout }),
        }
    }

    /// Sends and receives at the same time: a long message may not fit the buffers on the way.
    async fn exchange(&mut self, message: &[u8], expected: &[u8]) -> Result<Duration, ClientError> {
        let start = self.net.now();
        let waited = self.timeout;
        let addr = || self.addr.clone();
        let (mut input, mut output) = tokio::io::split(&mut self.stream);
        let send = async {
            let sent = output.write_all(message).await;
            let sent = match sent {
                Ok(()) => output.flush().await,
                Err(error) => Err(error),
            };
            sent.map_err(|source| ClientError::Send { addr: addr(), source })
        };
        let receive = async {
            let mut got = 0;
            let mut buffer = vec![0; CHUNK.min(expected.len().max(1))];
            while got < expected.len() {
                let room = buffer.len().min(expected.len() - got);
                let read = input.read(&mut buffer[..room]).await;
                let len = read.map_err(|source| ClientError::Receive { addr: addr(), source })?;
                if len == 0 {
                    let (got, expected) = (got as u64, expected.len() as u64);
                    return Err(ClientError::Closed { addr: addr(), got, expected });
                }
                if buffer[..len] != expected[got..got + len] {
                    let (got, expected) = (buffer[..len].to_vec(), expected[got..got + len].to_vec());
                    return Err(ClientError::WrongAnswer { addr: addr(), got, expected });
                }
                got += len;
            }
            Ok(())
        };
        match self.net.timeout(waited, async { tokio::try_join!(send, receive) }).await {
            Ok(done) => done.map(|_| self.net.now().since(start)),
            Err(_) => Err(ClientError::NoAnswer { addr: addr(), waited }),
        }
    }
}
