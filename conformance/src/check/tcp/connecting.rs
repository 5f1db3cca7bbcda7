//! How a connection comes about.

use std::io;

use faultwire::errno::Errno;
use faultwire::network::Network;
use faultwire::trace::Call;
use faultwire_sim::Run;

use super::calls::{accepted, connected, connections, passed, side};
use super::programs::{
    DATA, PATIENCE, Programs, QUIET, SIGNAL, UNUSED, accept, connect, listen, read_once, say,
};
use crate::study::Seen;

/// A connect to a port with a listener, and one to a port without.
#[derive(Debug)]
pub(super) struct Connecting;

impl Programs for Connecting {
    const NAME: &'static str = "tcp-connect";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        loop {
            let mut stream = accept::<N>(&listener).await?;
            let question = read_once(&mut stream, 16).await?;
            say(&mut stream, &question).await?;
        }
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        if let Ok(mut stream) = connect(&net, DATA).await {
            say(&mut stream, b"there?").await?;
            read_once(&mut stream, 16).await?;
        }
        if let Ok(mut stream) = connect(&net, UNUSED).await {
            say(&mut stream, b"closed?").await?;
        }
        Ok(())
    }
}

/// tcp/listens-and-connects.
pub(super) fn listens_and_connects(run: &Run) -> Seen {
    let trace = &run.trace;
    let listens = |call: &Call| matches!(call, Call::Listen(at) if at.port() == DATA);
    if !trace.calls().any(|it| it.error.is_none() && listens(it.call)) {
        return Seen::NOTHING;
    }
    let connects: Vec<Option<Errno>> =
        trace.calls().filter(|it| matches!(it.call, Call::Connect(_))).map(|it| it.error).collect();
    // A name may have addresses of both families: each is tried where nobody listens, and the last one tells.
    let (somebody, nobody) = match connects[..] {
        [somebody, .., nobody] => (somebody, nobody),
        _ => return Seen::NOTHING,
    };
    if let Some(errno) = somebody {
        return Seen::broken(1, format!("a connect to a listener failed: {errno}"));
    }
    let whole =
        connections(trace, DATA).first().map(|it| (passed(trace, it.client), passed(trace, it.server)));
    match whole {
        Some((client, server)) if client.received == b"there?" && server.received == b"there?" => {}
        _ => return Seen::broken(1, "what was connected did not carry a question and its answer"),
    }
    match nobody {
        Some(Errno::ECONNREFUSED) => Seen::fine(2),
        Some(other) => {
            Seen::broken(2, format!("a connect to a port without a listener failed with: {other}"))
        }
        None => Seen::broken(2, "a connect to a port without a listener succeeded"),
    }
}

/// A listener that closes while a connection waits for its accept, and a connect after that.
#[derive(Debug)]
pub(super) struct ClosedListener;

impl Programs for ClosedListener {
    const NAME: &'static str = "tcp-closed-listener";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut signal = accept::<N>(&signals).await?;
        read_once(&mut signal, 16).await?;
        drop(data);
        say(&mut signal, b"closed").await?;
        read_once(&mut signal, 16).await.map(drop)
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut signal = connect(&net, SIGNAL).await?;
        let mut waiting = connect(&net, DATA).await?;
        say(&mut signal, b"close").await?;
        read_once(&mut signal, 16).await?;
        let _ = net.timeout(PATIENCE / 2, read_once(&mut waiting, 16)).await;
        let _ = connect(&net, DATA).await;
        Ok(())
    }
}

/// tcp/listens-and-connects: closing a listener refuses new connections and resets those not accepted yet.
pub(super) fn closed_listener_refuses(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(waiting) = connected(trace, DATA).next() else { return Seen::NOTHING };
    let closed = connections(trace, SIGNAL)
        .first()
        .is_some_and(|signal| passed(trace, signal.client).received == b"closed");
    if !closed {
        return Seen::NOTHING;
    }
    match passed(trace, waiting).errors[..] {
        [Errno::ECONNRESET] => {}
        [] => return Seen::broken(1, "a connection that was not accepted outlasts its listener"),
        [other, ..] => {
            return Seen::broken(1, format!("what a closed listener left behind failed with: {other}"));
        }
    }
    let to_data = |call: &Call| matches!(call, Call::Connect(to) if to.port() == DATA);
    match trace.calls().filter(|it| to_data(it.call)).nth(1).map(|it| it.error) {
        None => Seen::NOTHING,
        Some(Some(Errno::ECONNREFUSED)) => Seen::fine(2),
        Some(Some(other)) => Seen::broken(2, format!("after the close a connect failed with: {other}")),
        Some(None) => Seen::broken(2, "a connect succeeded although the listener was closed"),
    }
}

/// A connect, and sends, that do not wait for the accept.
#[derive(Debug)]
pub(super) struct LateAccept;

impl Programs for LateAccept {
    const NAME: &'static str = "tcp-late-accept";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut signal = accept::<N>(&signals).await?;
        read_once(&mut signal, 16).await?;
        let mut stream = accept::<N>(&data).await?;
        let question = read_once(&mut stream, 16).await?;
        say(&mut stream, &question).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut signal = connect(&net, SIGNAL).await?;
        // Where a connect waits for the accept it would wait forever: the accept waits for the signal.
        let early = net.timeout(QUIET, connect(&net, DATA)).await;
        match early {
            Ok(stream) => {
                let mut stream = stream?;
                say(&mut stream, b"early").await?;
                say(&mut signal, b"accept").await?;
                read_once(&mut stream, 16).await?;
            }
            Err(_) => say(&mut signal, b"accept").await?,
        }
        Ok(())
    }
}

/// tcp/connected-before-accept.
pub(super) fn connected_before_accept(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(client) = connected(trace, DATA).next() else {
        // It was tried: the signal tells.
        let tried =
            connections(trace, SIGNAL).iter().any(|signal| !passed(trace, signal.client).sent.is_empty());
        return Seen::fine(u64::from(tried));
    };
    let mut early = Vec::new();
    for call in trace.calls() {
        match call.call {
            _ if call.error.is_some() => {}
            Call::Send { data, .. } if side(&call) == client => early.extend_from_slice(data),
            Call::Accept { socket, .. } if accepted(trace, DATA).any(|it| it == (call.host, *socket)) => {
                break;
            }
            _ => {}
        }
    }
    let server = accepted(trace, DATA).next().map(|it| passed(trace, it).received);
    match server {
        Some(received) if !early.is_empty() && received.starts_with(&early) => Seen::witnessed(
            1,
            format!("connect succeeded, and a send took {} bytes, before accept was called", early.len()),
        ),
        _ => Seen::fine(1),
    }
}
