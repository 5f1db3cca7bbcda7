//! The file over TCP.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Count, Delivered, HEADER, Keep, Part, RECEIPT, compare, header, promised};
use crate::network::{Listener as _, Network, Stream};
use crate::program::server::{PAUSE, may_pass, write_all};
use crate::program::{ClientError, Limits, ServerError, Tally};

const CHUNK: usize = 64 * 1024;

/// Sends a file to a [`tcp_server`]. The connection, each write and the receipt may take as long as `timeout`.
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

/// Takes files, one after the other, until `stop` completes. A client that is silent for longer than the idle time-out, or
/// sends something else, is cut off.
///
/// # Errors
/// [`ServerError::Accept`] when no connection can be accepted any more; [`ServerError::Keep`] where `keep` fails.
pub async fn tcp_server<N: Network>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    keep: Keep<'_>,
) -> Result<Tally, ServerError> {
    let mut stop = pin!(stop);
    let mut tally = Tally::default();
    loop {
        let next = async {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tally.clients += 1;
                    take(net, stream, limits.idle, keep, &mut tally).await
                }
                Err(error) if may_pass(&error) => {
                    net.sleep(PAUSE).await;
                    Ok(())
                }
                Err(source) => Err(ServerError::Accept { source }),
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => return Ok(tally),
            done = next => done?,
        }
    }
}

/// Takes a file from a client.
async fn take<N: Network>(
    net: &N,
    mut stream: N::Stream,
    idle: Duration,
    keep: Keep<'_>,
    tally: &mut Tally,
) -> Result<(), ServerError> {
    match take_all(net, &mut stream, idle, keep).await {
        Ok(Some(length)) => {
            tally.messages += 1;
            tally.bytes += length;
            // Whether the client has the receipt is its own affair.
            let _ = net.timeout(idle, stream.shutdown()).await;
            Ok(())
        }
        Ok(None) => {
            tally.refused += 1;
            Ok(())
        }
        Err(source) => Err(ServerError::Keep { source }),
    }
}

/// The length of the file, if all of it has come and the receipt was sent. An error is that of `keep`.
async fn take_all<N: Network>(
    net: &N,
    stream: &mut impl Stream,
    idle: Duration,
    keep: Keep<'_>,
) -> std::io::Result<Option<u64>> {
    let mut head = [0; HEADER];
    if !matches!(net.timeout(idle, stream.read_exact(&mut head)).await, Ok(Ok(_))) {
        return Ok(None);
    }
    let Some(length) = promised(&head) else { return Ok(None) };
    keep(Part::Begin(length))?;
    let (mut count, mut buffer) = (Count::default(), vec![0; CHUNK]);
    while count.length < length {
        match net.timeout(idle, stream.read(&mut buffer)).await {
            Ok(Ok(len @ 1..)) if count.length + len as u64 <= length => {
                count.take(&buffer[..len]);
                keep(Part::Bytes(&buffer[..len]))?;
            }
            _ => return Ok(None),
        }
    }
    keep(Part::End)?;
    let sent = write_all(net, stream, &count.receipt(), idle).await;
    Ok(sent.is_ok().then_some(length))
}
