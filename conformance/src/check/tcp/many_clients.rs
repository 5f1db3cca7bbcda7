//! Many clients of one server, at once.

use std::io;

use faultwire::network::{Listener as _, Network, Stream};
use faultwire_sim::testbed::{Capability, TestbedRef};
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::calls::{accepted, all_passed, connected};
use super::pattern::pattern;
use super::programs::{
    DATA, LITTLE_PATIENCE, address_of, calling, connect, listen, patience, read_once, read_to_end, serving,
};
use crate::study::Seen;

/// The hosts of the clients.
const HOSTS: [&str; 3] = ["client-1", "client-2", "client-3"];
/// Connections from each host.
const EACH: u8 = 4;
/// Clients in all.
const CLIENTS: usize = HOSTS.len() * EACH as usize;
/// What goes through each connection, in bytes.
const LEN: usize = 2_000;
/// What a client sends before it waits for the echo, in bytes.
const PIECE: usize = 500;

/// The first of the ports that the clients of each host have, where hosts have addresses of their own.
const FROM: u16 = 6_000;

/// The scenario.
pub(super) fn scenario(testbed: TestbedRef) -> Scenario {
    let server = faultwire_sim::scenario("tcp-many-clients").server(|net: Net| serving(serve(net)));
    let has_addresses = testbed.has(Capability::Packets);
    with_clients(server, has_addresses.then_some(FROM), patience(testbed))
}

/// Like the study's own scenario, but the server swaps the answers of every two connections.
pub(super) fn crossed(_: TestbedRef) -> Scenario {
    let server = faultwire_sim::scenario("tcp-many-clients").server(|net: Net| serving(serve_crossed(net)));
    with_clients(server, None, LITTLE_PATIENCE)
}

fn with_clients(mut scenario: Scenario, from: Option<u16>, patience: std::time::Duration) -> Scenario {
    for (host, name) in (0..).zip(HOSTS) {
        scenario = scenario
            .client_on(name, move |net: Net| calling(net.clone(), patience, call(net, from, host * EACH)));
    }
    scenario
}

async fn serve<N: Network>(net: N) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    let mut served = JoinSet::new();
    let (tell, all) = watch::channel(0);
    loop {
        let (stream, _) = listener.accept().await?;
        tell.send_modify(|accepted| *accepted += 1);
        served.spawn(echo_until_all(stream, all.clone()));
    }
}

/// Sends back what comes, and closes when all clients are there: all connections are open at once.
async fn echo_until_all<S: Stream>(mut stream: S, mut all: watch::Receiver<usize>) -> io::Result<()> {
    loop {
        let data = read_once(&mut stream, 1024).await?;
        if data.is_empty() {
            // The server is gone only when the run is over.
            let _ = all.wait_for(|accepted| *accepted >= CLIENTS).await;
            return stream.shutdown().await;
        }
        stream.write_all(&data).await?;
    }
}

async fn serve_crossed<N: Network>(net: N) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    let mut served = JoinSet::new();
    loop {
        let (one, _) = listener.accept().await?;
        let (other, _) = listener.accept().await?;
        served.spawn(async move {
            let (mut from_one, mut to_one) = tokio::io::split(one);
            let (mut from_other, mut to_other) = tokio::io::split(other);
            let there = tokio::io::copy(&mut from_one, &mut to_other);
            let back = tokio::io::copy(&mut from_other, &mut to_one);
            tokio::try_join!(biased; there, back).map(|_| ())
        });
    }
}

async fn call<N: Network>(net: N, from: Option<u16>, first_key: u8) -> io::Result<()> {
    let mut clients = JoinSet::new();
    for (nth, key) in (0..).zip((first_key..).take(usize::from(EACH))) {
        let net = net.clone();
        clients.spawn(async move {
            let mut stream = match from {
                // Nothing but their hosts' addresses tells these from the other hosts' connections.
                Some(from) => {
                    let server = address_of(&net, "server", DATA).await?;
                    net.connect_from(&format!("0.0.0.0:{}", from + nth), &server, &[]).await?
                }
                None => connect(&net, DATA).await?,
            };
            talk(&mut stream, key).await
        });
    }
    while let Some(ended) = clients.join_next().await {
        // Why one could not is in the trace.
        let _ = ended;
    }
    Ok(())
}

/// Sends a piece, waits for as much to come back, and so on.
async fn talk<S: Stream>(stream: &mut S, key: u8) -> io::Result<()> {
    for piece in pattern(key, LEN).chunks(PIECE) {
        stream.write_all(piece).await?;
        stream.read_exact(&mut vec![0; piece.len()]).await?;
    }
    stream.shutdown().await?;
    read_to_end(stream, 16).await
}

/// tcp/many-clients.
pub(super) fn many_clients(run: &Run) -> Seen {
    let passed = all_passed(&run.trace);
    let expected: Vec<Vec<u8>> = (0..).take(CLIENTS).map(|key| pattern(key, LEN)).collect();
    let mut served = Vec::new();
    for server in accepted(&run.trace, DATA) {
        let Some(it) = passed.get(&server).filter(|it| !it.received.is_empty()) else {
            continue;
        };
        let whose = expected.iter().position(|pattern| pattern.starts_with(&it.received));
        match whose {
            Some(whose) => served.push(whose),
            None => {
                return Seen::broken(
                    served.len() as u64,
                    "an accepted connection carried no one client's stream",
                );
            }
        }
    }
    let seen = served.len() as u64;
    served.sort_unstable();
    served.dedup();
    if served.len() as u64 != seen {
        return Seen::broken(seen, "one client's stream came out of two accepted connections");
    }
    let clients = connected(&run.trace, DATA).count();
    if clients < CLIENTS && run.end.is_finished() {
        return Seen::broken(seen, format!("of {CLIENTS} clients only {clients} were connected"));
    }
    for client in connected(&run.trace, DATA) {
        let Some(it) = passed.get(&client) else { continue };
        if !it.sent.starts_with(&it.received) {
            return Seen::broken(seen, "a client got what belongs to another");
        }
        if it.received.len() < LEN {
            let how = format!("a client got {} of its {LEN} bytes", it.received.len());
            return Seen::broken(seen, how);
        }
    }
    Seen::fine(seen)
}
