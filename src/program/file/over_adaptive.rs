//! The file over the adaptive socket.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Delivered, Store, Taking, compare, header};
use crate::adaptive::{AdaptiveSocket, Config, Delivery, Ended, Error, Event, PeerId};
use crate::network::Network;
use crate::program::{ClientError, Limits, ServerError, Tally};

/// Bytes of the file in a message.
const CHUNK: usize = 32 * 1024;
/// Everything is in one stream.
const DELIVERY: Delivery = Delivery::RELIABLE.in_stream(0);

/// Sends a file to an [`adaptive_server`]. The connection, each message and the receipt may take as long as
/// `timeout`.
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
    // Nobody but the server counts: a client takes no connections.
    let config = config.with_accepting(false);
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
            Ok(Ok(Event::Message { peer: from, data, .. })) if from == peer => break data,
            Ok(Ok(Event::Closed { peer: from, why, unsent })) if from == peer => {
                return Err(failed(Error::Ended { why, unsent }));
            }
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

/// Takes files into `store`, of as many clients at once as the socket allows, until `stop` completes. A
/// client that is silent, too slow, or sends something else is let go, and so is one whose file cannot be
/// kept.
///
/// # Errors
/// [`ServerError::Adaptive`] when the socket fails.
pub async fn adaptive_server<N: Network>(
    net: &N,
    mut socket: AdaptiveSocket<N>,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    store: Arc<dyn Store>,
) -> Result<Tally, ServerError> {
    let mut stop = pin!(stop);
    let mut tally = Tally::default();
    let mut clients: BTreeMap<PeerId, (SocketAddr, Taking)> = BTreeMap::new();
    loop {
        let now = net.now();
        let due = clients.values().map(|(_, taking)| taking.due(limits)).min();
        let event = tokio::select! {
            biased;
            () = &mut stop => {
                tally.refused += clients.values().filter(|(_, taking)| !taking.is_whole()).count() as u64;
                return Ok(tally);
            }
            event = next_until(net, &mut socket, due.map(|due| due.since(now))) => event,
        };
        match event.map_err(|source| ServerError::Adaptive { source })? {
            Some(Event::Opened { peer, addr }) => {
                tally.clients += 1;
                clients.insert(peer, (addr, Taking::new(net.now())));
            }
            Some(Event::Message { peer, data, .. }) => {
                let Some((addr, taking)) = clients.get_mut(&peer) else { continue };
                match taking.take(net.now(), &data, limits, &*store) {
                    Ok(None) => {}
                    Ok(Some(receipt)) => {
                        tally.messages += 1;
                        tally.bytes += taking.count.length;
                        // Whether the client has it is its own affair.
                        let _ = socket.send(peer, receipt.to_vec(), DELIVERY).await;
                    }
                    Err(refusal) => {
                        refusal.tell(*addr);
                        tally.refused += 1;
                        clients.remove(&peer);
                        socket.forget(peer);
                    }
                }
            }
            Some(Event::Closed { peer, .. }) => {
                let taking = clients.remove(&peer);
                tally.refused += u64::from(taking.is_some_and(|(_, taking)| !taking.is_whole()));
            }
            Some(_) | None => {}
        }
        let now = net.now();
        clients.retain(|peer, (_, taking)| {
            let is_late = taking.due(limits) <= now;
            if is_late {
                socket.forget(*peer);
                tally.idle += 1;
            }
            !is_late
        });
    }
}

/// The next event, if one comes in time.
async fn next_until<N: Network>(
    net: &N,
    socket: &mut AdaptiveSocket<N>,
    span: Option<Duration>,
) -> Result<Option<Event>, Error> {
    match span {
        Some(span) => net.timeout(span, socket.next()).await.ok().transpose(),
        None => socket.next().await.map(Some),
    }
}
