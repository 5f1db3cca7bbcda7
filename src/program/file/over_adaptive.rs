//! The file over the adaptive socket.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;

use super::{Count, Delivered, Keep, Part, compare, header, promised};
use crate::adaptive::{AdaptiveSocket, Config, Delivery, Ended, Error, Event, PeerId};
use crate::network::Network;
use crate::program::{ClientError, Limits, ServerError, Tally};

/// Bytes of the file in a message.
const CHUNK: usize = 32 * 1024;
/// Everything is in one stream.
const DELIVERY: Delivery = Delivery::RELIABLE.in_stream(0);

/// Sends a file to an [`adaptive_server`]. The connection, each message and the receipt may take as long as `timeout`.
///
/// # Errors
/// [`ClientError::WrongAnswer`] where the receipt is not the one for these bytes; the others where none came.
pub async fn adaptive_send<N: Network>(
    net: &N,
    addr: &str,
    config: Config,
    data: &Bytes,
    timeout: Duration,
) -> Result<Delivered, ClientError> {
    let silent = || ClientError::NoAnswer { addr: addr.to_owned(), waited: timeout };
    let failed = |error: Error| match error {
        Error::Address { addr, source } => ClientError::Address { addr, source },
        Error::Ended { why: Ended::TimedOut, .. } => silent(),
        source => ClientError::Adaptive { addr: addr.to_owned(), source },
    };
    let start = net.now();
    let any = match net.resolve(addr).await {
        Ok(found) if found.first().is_some_and(|found| found.is_ipv6()) => "[::]:0",
        Ok(_) => "0.0.0.0:0",
        Err(source) => return Err(ClientError::Address { addr: addr.to_owned(), source }),
    };
    let mut socket = AdaptiveSocket::bind(net, any, config).await.map_err(failed)?;
    let peer = net.timeout(timeout, socket.connect(addr)).await.map_err(|_| silent())?.map_err(failed)?;
    let head = Bytes::copy_from_slice(&header(data.len() as u64));
    let chunks = (0..data.len()).step_by(CHUNK).map(|at| data.slice(at..data.len().min(at + CHUNK)));
    for message in std::iter::once(head).chain(chunks) {
        let sent = net.timeout(timeout, socket.send(peer, message, DELIVERY)).await;
        sent.map_err(|_| silent())?.map_err(failed)?;
    }
    // What is on its way still may take its time: it is progress that is waited for.
    let mut left = socket.machine().unsent(peer);
    let receipt = loop {
        match net.timeout(timeout, socket.next()).await {
            Ok(Ok(Event::Message { data, .. })) => break data,
            Ok(Ok(Event::Closed { why, unsent, .. })) => return Err(failed(Error::Ended { why, unsent })),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(failed(error)),
            Err(_) => {
                let now = socket.machine().unsent(peer);
                if now == left {
                    return Err(silent());
                }
                left = now;
            }
        }
    };
    let taken = net.now().since(start);
    let vitals = socket.vitals(peer);
    compare(addr, data, &receipt)?;
    // The receipt is here: whether the server learns of the end is its own affair.
    let _ = net.timeout(timeout, socket.close(peer)).await;
    Ok(Delivered { length: data.len() as u64, taken, vitals })
}

/// Takes files, one after the other, until `stop` completes. A client that is silent for longer than the idle time-out, or
/// sends something else, is let go.
///
/// # Errors
/// [`ServerError::Adaptive`] when the socket fails; [`ServerError::Keep`] where `keep` fails.
pub async fn adaptive_server<N: Network>(
    net: &N,
    mut socket: AdaptiveSocket<N>,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    keep: Keep<'_>,
) -> Result<Tally, ServerError> {
    let mut stop = pin!(stop);
    let mut tally = Tally::default();
    let mut current: Option<Taking> = None;
    loop {
        let event = tokio::select! {
            biased;
            () = &mut stop => return Ok(tally),
            event = net.timeout(limits.idle, socket.next()) => event,
        };
        match (event, &mut current) {
            (Err(_), Some(taking)) => {
                socket.forget(taking.peer);
                current = None;
                tally.idle += 1;
            }
            (Err(_), None) => {}
            (Ok(Err(source)), _) => return Err(ServerError::Adaptive { source }),
            (Ok(Ok(Event::Opened { peer, .. })), None) => {
                tally.clients += 1;
                current = Some(Taking { peer, length: None, count: Count::default() });
            }
            // One file at a time.
            (Ok(Ok(Event::Opened { peer, .. })), Some(_)) => {
                socket.forget(peer);
                tally.refused += 1;
            }
            (Ok(Ok(Event::Message { peer, data, .. })), Some(taking)) if peer == taking.peer => {
                match taking.take(&data, keep).map_err(|source| ServerError::Keep { source })? {
                    Taken::More => {}
                    Taken::All(length) => {
                        tally.messages += 1;
                        tally.bytes += length;
                        let receipt = taking.count.receipt();
                        // Whether the client has it is its own affair.
                        let _ = socket.send(peer, receipt.to_vec(), DELIVERY).await;
                    }
                    Taken::SomethingElse => {
                        socket.forget(peer);
                        current = None;
                        tally.refused += 1;
                    }
                }
            }
            (Ok(Ok(Event::Closed { peer, .. })), Some(taking)) if peer == taking.peer => {
                let is_whole = taking.length == Some(taking.count.length);
                tally.refused += u64::from(!is_whole);
                current = None;
            }
            (Ok(Ok(_)), _) => {}
        }
    }
}

/// A file that is being taken.
struct Taking {
    peer: PeerId,
    /// What was promised, once it was.
    length: Option<u64>,
    count: Count,
}

/// What a message meant.
enum Taken {
    More,
    All(u64),
    SomethingElse,
}

impl Taking {
    fn take(&mut self, data: &[u8], keep: Keep<'_>) -> std::io::Result<Taken> {
        let length = match self.length {
            None => {
                let Some(length) = promised(data) else { return Ok(Taken::SomethingElse) };
                self.length = Some(length);
                keep(Part::Begin(length))?;
                length
            }
            Some(length) if data.is_empty() || self.count.length + data.len() as u64 > length => {
                return Ok(Taken::SomethingElse);
            }
            Some(length) => {
                self.count.take(data);
                keep(Part::Bytes(data))?;
                length
            }
        };
        if self.count.length < length {
            return Ok(Taken::More);
        }
        keep(Part::End)?;
        Ok(Taken::All(length))
    }
}
