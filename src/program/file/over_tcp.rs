//! The file over TCP.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Delivered, RECEIPT, Store, Taking, compare, header};
use crate::network::Network;
use crate::program::server::{Connection, Next, serve, write_all};
use crate::program::{ClientError, Limits, ServerError, Tally};

const CHUNK: usize = 64 * 1024;

/// Sends a file to a [`tcp_server`]. The connection, each write and the receipt may take as long as
/// `timeout`.
///
/// # Errors
/// [`ClientError::WrongAnswer`] where the receipt is not the one for these bytes; the others where none came.
pub async fn tcp_send<N: Network>(
    net: &N,
    addr: &str,
    data: &[u8],
    timeout: Duration,
) -> Result<Delivered, ClientError> {
    let named = || addr.to_owned();
    let silent = || ClientError::NoAnswer { addr: named(), waited: timeout };
    let start = net.now();
    let connected = net.timeout(timeout, net.connect(addr, &[])).await.map_err(|_| silent())?;
    let mut stream = connected.map_err(|source| ClientError::Connect { addr: named(), source })?;
    let failed = |source| ClientError::Send { addr: named(), source };
    write_all(net, &mut stream, &header(data.len() as u64), timeout).await.map_err(failed)?;
    for chunk in data.chunks(CHUNK) {
        write_all(net, &mut stream, chunk, timeout).await.map_err(failed)?;
    }
    net.timeout(timeout, stream.shutdown()).await.map_err(|_| silent())?.map_err(failed)?;
    let (mut receipt, mut got) = ([0; RECEIPT], 0);
    while got < RECEIPT {
        let read = net.timeout(timeout, stream.read(&mut receipt[got..])).await.map_err(|_| silent())?;
        match read.map_err(|source| ClientError::Receive { addr: named(), source })? {
            0 => {
                let (got, expected) = (got as u64, RECEIPT as u64);
                return Err(ClientError::Closed { addr: named(), got, expected });
            }
            len => got += len,
        }
    }
    let taken = net.now().since(start);
    compare(addr, data, &receipt)?;
    Ok(Delivered { length: data.len() as u64, taken, vitals: None })
}

/// Takes files into `store`, of as many clients at once as the limits allow, until `stop` completes. A client
/// that is silent, too slow, or sends something else is cut off, and so is one whose file cannot be kept.
///
/// # Errors
/// [`ServerError::Accept`] if connections can no longer be accepted.
pub async fn tcp_server<N: Network>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    store: Arc<dyn Store>,
) -> Result<Tally, ServerError> {
    serve(net, listener, limits, stop, |peer| take(peer, store.clone())).await
}

/// Takes a file from a client.
async fn take<N: Network>(mut peer: Connection<N>, store: Arc<dyn Store>) -> Tally {
    let mut tally = Tally::default();
    let mut taking = Taking::new(peer.net.now());
    let mut buffer = vec![0; CHUNK];
    loop {
        let now = peer.net.now();
        let due = taking.due(&peer.limits);
        let next = if due <= now { Next::Idle } else { peer.next_within(due.since(now), &mut buffer).await };
        let len = match next {
            Next::Data(len) => len,
            Next::Idle => {
                tally.idle += 1;
                return tally;
            }
            Next::End | Next::Stop | Next::Failed => {
                tally.refused += 1;
                return tally;
            }
        };
        match taking.take(peer.net.now(), &buffer[..len], &peer.limits, &*store) {
            Ok(None) => {}
            Ok(Some(receipt)) => {
                tally.messages += 1;
                tally.bytes += taking.count.length;
                // Whether the client has the receipt is its own affair.
                if peer.write_all(&receipt).await.is_ok() {
                    let _ = peer.net.timeout(peer.limits.idle, peer.stream.shutdown()).await;
                }
                return tally;
            }
            Err(refusal) => {
                refusal.tell(peer.peer);
                tally.refused += 1;
                return tally;
            }
        }
    }
}
