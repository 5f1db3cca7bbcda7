//! More connections at once than a listener's backlog holds.

use std::io;
use std::time::Duration;

use faultwire::network::{Listener as _, Network, Stream};
use faultwire::trace::Call;
use faultwire_sim::Run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::calls::{accepted, all_passed, connected, connections, passed, side};
use super::pattern::pattern;
use super::programs::{
    DATA, PATIENCE, Programs, QUIET, SIGNAL, accept, connect, listen, read_once, read_to_end, say, send,
};
use crate::study::Seen;

/// What the server asks for. (Linux holds one more than that.)
const BACKLOG: u32 = 1;
/// Clients at once: not more than one has to wait on Linux. Several that are tried again at the same moment
/// overflow the queue of handshakes too, and Linux turns to SYN cookies; then it keeps no state, and an
/// acknowledgement that finds the backlog full again is lost for good: the connection is reset, or it starts
/// a few bytes late (a cookie that is off by less than four still passes). ip-sysctl.rst says of
/// tcp_syncookies that they "seriously violate TCP protocol".
const CLIENTS: u8 = 3;
/// What each sends, in bytes.
const LEN: usize = 3_000;
/// Connections that are in the queue are accepted within this time.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Clients that connect at once to a server that accepts later.
#[derive(Debug)]
pub(super) struct Backlog;

/// Sends back what comes, until it ends.
pub(super) async fn echo<S: Stream>(mut stream: S) -> io::Result<()> {
    loop {
        let data = read_once(&mut stream, 1024).await?;
        if data.is_empty() {
            return stream.shutdown().await;
        }
        stream.write_all(&data).await?;
    }
}

impl Programs for Backlog {
    const NAME: &'static str = "tcp-backlog";
    // A connect that is tried again takes its time: a second on Linux.
    const PATIENCE_WITH_BUGS: Duration = PATIENCE;

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = net.listen(&format!("0.0.0.0:{DATA}"), BACKLOG, &[]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut signal = accept::<N>(&signals).await?;
        read_once(&mut signal, 16).await?;
        let mut served = JoinSet::new();
        loop {
            let (stream, _) = data.accept().await?;
            served.spawn(echo(stream));
        }
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut signal = connect(&net, SIGNAL).await?;
        let mut clients = JoinSet::new();
        for key in 1..=CLIENTS {
            let net = net.clone();
            clients.spawn(async move {
                let mut stream = connect(&net, DATA).await?;
                send(&mut stream, &pattern(key, LEN)).await?;
                stream.read_exact(&mut vec![0; LEN]).await?;
                Ok::<_, io::Error>(stream)
            });
        }
        // That some have to wait can only be seen by waiting.
        net.sleep(QUIET).await;
        say(&mut signal, b"accept").await?;
        // An accepted connection takes no place in the backlog, so each stays until all have come through.
        // Why one could not is in the trace.
        let mut streams = Vec::new();
        while let Some(ended) = clients.join_next().await {
            streams.extend(ended.ok().and_then(Result::ok));
        }
        for stream in &mut streams {
            stream.shutdown().await?;
            read_to_end(stream, 1024).await?;
        }
        Ok(())
    }
}

/// tcp/backlog.
pub(super) fn backlog(run: &Run) -> Seen {
    let trace = &run.trace;
    let started =
        connections(trace, SIGNAL).iter().any(|signal| !passed(trace, signal.client).sent.is_empty());
    if !started {
        return Seen::NOTHING;
    }
    let clients: Vec<_> = connected(trace, DATA).collect();
    let first = accepted(trace, DATA).next();
    // Connects that came through only once the server accepted.
    let waited = trace
        .calls()
        .skip_while(
            |call| !matches!(call.call, Call::Accept { socket, .. } if Some((call.host, *socket)) == first),
        )
        .filter(|call| matches!(call.call, Call::Connect(_)) && clients.contains(&side(call)))
        .count() as u64;
    // Or connections that the server accepted some time after the first: they were not in the queue.
    let all: Vec<_> = accepted(trace, DATA).collect();
    let accepts: Vec<_> = trace
        .calls()
        .filter(
            |call| matches!(call.call, Call::Accept { socket, .. } if all.contains(&(call.host, *socket))),
        )
        .map(|call| call.at)
        .collect();
    let late = accepts.iter().filter(|at| at.since(accepts[0]) >= AT_ONCE).count() as u64;
    let waited = waited.max(late);
    if clients.len() < usize::from(CLIENTS) {
        let how = format!("of {CLIENTS} connects at once only {} came through", clients.len());
        return Seen::broken(waited, how);
    }
    let passed = all_passed(trace);
    for client in clients {
        let whole = passed
            .get(&client)
            .is_some_and(|client| client.ended && client.sent.len() == LEN && client.received == client.sent);
        if !whole {
            return Seen::broken(waited, "a connection that came through the backlog was harmed");
        }
    }
    Seen::fine(waited)
}
