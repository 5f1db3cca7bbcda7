//! What the servers have in common: binding, accepting within limits, and stopping.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::{Limits, ServerError, Tally};
use crate::adaptive::source;
use crate::model::{Errno, SocketOption};
use crate::network::{Listener as _, Network, Stream};

/// How long to let things get better after a call failed that may succeed later.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Listens for streams on `addr`, as a server does: with SO_REUSEADDR where there is such a thing, so that it
/// can start again at once after it ended.
///
/// # Errors
/// [`ServerError::Listen`], with what to do about it.
pub async fn listen<N: Network>(net: &N, addr: &str) -> Result<N::Listener, ServerError> {
    const BACKLOG: u32 = 128;
    let listener = match net.listen(addr, BACKLOG, &[SocketOption::ReuseAddress(true)]).await {
        Err(error) if Errno::of(&error) == Some(Errno::ENOPROTOOPT) => net.listen(addr, BACKLOG, &[]).await,
        other => other,
    };
    listener.map_err(|source| ServerError::Listen { addr: addr.to_owned(), source })
}

/// Binds a datagram socket to `addr`.
///
/// # Errors
/// [`ServerError::Listen`], with what to do about it.
pub async fn bind<N: Network>(net: &N, addr: &str) -> Result<N::Datagram, ServerError> {
    let bound = net.datagram(addr, &[]).await;
    bound.map_err(|source| ServerError::Listen { addr: addr.to_owned(), source })
}

/// One accepted connection, and what it may do.
pub(super) struct Connection<N: Network> {
    pub(super) net: N,
    pub(super) stream: N::Stream,
    pub(super) peer: SocketAddr,
    pub(super) limits: Limits,
    stop: watch::Receiver<bool>,
}

/// What a connection has next.
pub(super) enum Next {
    /// How many bytes are in the buffer.
    Data(usize),
    /// The peer has sent its last byte.
    End,
    /// The server is to stop.
    Stop,
    /// Nothing came for too long.
    Idle,
    /// The connection is gone.
    Failed,
}

impl<N: Network> Connection<N> {
    /// Waits for more bytes.
    pub(super) async fn next(&mut self, buffer: &mut [u8]) -> Next {
        self.next_within(self.limits.idle, buffer).await
    }

    /// Waits for more bytes, for that long.
    pub(super) async fn next_within(&mut self, span: Duration, buffer: &mut [u8]) -> Next {
        let Connection { net, stream, stop, .. } = self;
        tokio::select! {
            biased;
            _ = stop.changed() => Next::Stop,
            read = net.timeout(span, stream.read(buffer)) => match read {
                Ok(Ok(0)) => Next::End,
                Ok(Ok(len)) => Next::Data(len),
                Ok(Err(_)) => Next::Failed,
                Err(_) => Next::Idle,
            },
        }
    }

    /// Writes all of `data`; each write may take as long as the idle timeout.
    pub(super) async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        write_all(&self.net, &mut self.stream, data, self.limits.idle).await
    }
}

/// Writes all of `data`, but waits no longer than `idle` for any progress.
pub(super) async fn write_all<N: Network>(
    net: &N,
    stream: &mut impl Stream,
    mut data: &[u8],
    idle: Duration,
) -> io::Result<()> {
    while !data.is_empty() {
        match net.timeout(idle, stream.write(data)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => data = &data[len..],
        }
    }
    net.timeout(idle, stream.flush()).await?
}

/// Accepts connections and lets `handle` serve each in its own task, until `stop` completes.
///
/// When all places are taken, further connections wait in the backlog. No address (with IPv6: no network of
/// 64 bits) takes more than half of the places: while it has as many connections as there are free places,
/// another one is closed at once and counts as refused.
pub(super) async fn serve<N, H, F>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
    handle: H,
) -> Result<Tally, ServerError>
where
    N: Network,
    H: Fn(Connection<N>) -> F + Send,
    F: Future<Output = Tally> + Send + 'static,
{
    let mut stop = pin!(stop);
    let (tell, told) = watch::channel(false);
    let mut clients = JoinSet::new();
    let mut tally = Tally::default();
    let mut places: BTreeMap<IpAddr, usize> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = clients.join_next() => {
                let (from, ended) = outcome(ended);
                if let Entry::Occupied(mut held) = places.entry(from) {
                    *held.get_mut() -= 1;
                    if *held.get() == 0 {
                        held.remove();
                    }
                }
                tally.add(ended);
            }
            accepted = listener.accept(), if clients.len() < limits.clients => match accepted {
                Ok((stream, peer)) => {
                    tally.clients += 1;
                    let from = source(peer);
                    let held = places.get(&from).copied().unwrap_or(0);
                    if held > 0 && held >= limits.clients - clients.len() {
                        tally.refused += 1;
                        continue;
                    }
                    places.insert(from, held + 1);
                    let (net, limits, stop) = (net.clone(), limits.clone(), told.clone());
                    let served = handle(Connection { net, stream, peer, limits, stop });
                    clients.spawn(async move { (from, served.await) });
                }
                Err(error) if may_pass(&error) => net.sleep(PAUSE).await,
                Err(source) => return Err(ServerError::Accept { source }),
            },
        }
    }
    drop(listener);
    // Nobody listens any more where there are no clients.
    let _ = tell.send(true);
    let finish = async {
        while let Some(ended) = clients.join_next().await {
            tally.add(outcome(ended).1);
        }
    };
    // Those that have not finished by then are cut off when the set is dropped.
    let _ = net.timeout(limits.grace, finish).await;
    tally.refused += clients.len() as u64;
    Ok(tally)
}

/// What a connection's task did, and for which source. A panic in it is a panic of the server.
fn outcome(ended: Result<(IpAddr, Tally), JoinError>) -> (IpAddr, Tally) {
    // No task is cancelled while the set is there.
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Whether a failed accept says nothing about the next one: accept(2) under "Error handling".
pub(super) fn may_pass(error: &io::Error) -> bool {
    matches!(
        Errno::of(error),
        Some(
            Errno::ECONNABORTED
                | Errno::ECONNRESET
                | Errno::EINTR
                | Errno::EAGAIN
                | Errno::EPERM
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOBUFS
                | Errno::ENOMEM
                | Errno::ENETDOWN
                | Errno::ENETUNREACH
                | Errno::EHOSTUNREACH
                | Errno::ETIMEDOUT
                | Errno::ECONNREFUSED
                | Errno::EMSGSIZE
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_accept_may_not_meet_is_waited_for() {
        for passing in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ECONNABORTED] {
            assert!(may_pass(&passing.into()), "{passing}");
        }
        for lasting in [Errno::EBADF, Errno::EINVAL, Errno::ENOTSOCK, Errno::EOPNOTSUPP] {
            assert!(!may_pass(&lasting.into()), "{lasting}");
        }
    }
}
