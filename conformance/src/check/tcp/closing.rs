//! How a connection ends in good order, and what is sent after.

use std::io;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::network::{Network, Stream};
use faultwire::stack::SocketOption;
use faultwire::trace::Call;
use faultwire_sim::Run;
use tokio::io::AsyncWriteExt as _;

use super::calls::{connections, passed, side};
use super::pattern::{difference, pattern};
use super::programs::{DATA, Programs, SIGNAL, accept, connect, listen, read_once, read_to_end, say, send};
use crate::study::Seen;

/// The question's key and length in bytes.
const QUESTION: (u8, usize) = (6, 5_000);
/// The answer's key and length in bytes.
const ANSWER: (u8, usize) = (7, 9_000);

/// A question, the end of its direction, and the answer after that.
#[derive(Debug)]
pub(super) struct HalfClose;

impl Programs for HalfClose {
    const NAME: &'static str = "tcp-half-close";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        read_to_end(&mut stream, 4096).await?;
        send(&mut stream, &pattern(ANSWER.0, ANSWER.1)).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        send(&mut stream, &pattern(QUESTION.0, QUESTION.1)).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 4096).await
    }
}

/// tcp/half-close.
pub(super) fn half_close(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let server = passed(trace, connection.server);
    let (got, all) = (server.received.len(), QUESTION.1);
    if server.received != pattern(QUESTION.0, QUESTION.1) {
        return Seen::broken(
            1,
            format!("before one direction was closed {all} bytes were written, {got} came"),
        );
    }
    if !server.ended {
        return Seen::broken(1, "one direction was closed, and its reader did not see the end");
    }
    let client = passed(trace, connection.client);
    if client.received != pattern(ANSWER.0, ANSWER.1) || !client.ended {
        let got = client.received.len();
        return Seen::broken(
            1,
            format!("after one direction was closed {got} of {} bytes came the other way", ANSWER.1),
        );
    }
    Seen::fine(1)
}

/// A close while what was written is still to be read.
#[derive(Debug)]
pub(super) struct Flush;

/// What is written before the close: key and length in bytes.
const LAST: (u8, usize) = (8, 48 * 1024);

impl Programs for Flush {
    const NAME: &'static str = "tcp-close";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        // With a small receive buffer most of it is still with the sender. Where there is no such thing,
        // without.
        let data = match listen(&net, DATA, &[SocketOption::RecvBuffer(4096)]).await {
            Err(error) if Errno::of(&error) == Some(Errno::ENOPROTOOPT) => listen(&net, DATA, &[]).await?,
            other => other?,
        };
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut stream = accept::<N>(&data).await?;
        let mut signal = accept::<N>(&signals).await?;
        read_once(&mut signal, 16).await?;
        read_to_end(&mut stream, 4096).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        let mut signal = connect(&net, SIGNAL).await?;
        // All of it is to be taken at once.
        let _ = stream.set_option(SocketOption::SendBuffer(2 * LAST.1));
        stream.write_all(&pattern(LAST.0, LAST.1)).await?;
        drop(stream);
        say(&mut signal, b"closed").await?;
        // The end of the server.
        read_to_end(&mut signal, 16).await
    }
}

/// tcp/close-flushes.
pub(super) fn close_flushes(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let close = |call: &faultwire::trace::ProgramCall<'_>| {
        side(call) == connection.client && matches!(call.call, Call::Close)
    };
    let read_before: usize = trace
        .calls()
        .take_while(|call| !close(call))
        .filter(|call| side(call) == connection.server)
        .map(|call| match call.call {
            Call::Recv { data, .. } => data.len(),
            _ => 0,
        })
        .sum();
    if !trace.calls().any(|call| close(&call)) || read_before == LAST.1 {
        return Seen::NOTHING;
    }
    let server = passed(trace, connection.server);
    if let Some(difference) = difference(&pattern(LAST.0, LAST.1), &server.received) {
        return Seen::broken(1, difference.to_string());
    }
    if server.received.len() < LAST.1 || !server.ended {
        let how = server.errors.first().map_or_else(
            || {
                if server.ended { "the end of the stream".into() } else { "nothing more".to_owned() }
            },
            Errno::to_string,
        );
        return Seen::broken(
            1,
            format!(
                "{} bytes were written before the close; after {} came {how}",
                LAST.1,
                server.received.len()
            ),
        );
    }
    Seen::fine(1)
}

/// Sends to a peer that has closed.
#[derive(Debug)]
pub(super) struct LateSend;

impl Programs for LateSend {
    const NAME: &'static str = "tcp-late-send";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        drop(accept::<N>(&listener).await?);
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        read_to_end(&mut stream, 16).await?;
        // When the answer to the first one comes is the network's affair.
        for _ in 0..100 {
            say(&mut stream, b"too late").await?;
            net.sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

/// tcp/first-send-after-close-succeeds.
pub(super) fn first_send_after_close_succeeds(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let sends: Vec<Option<Errno>> = trace
        .calls()
        .filter(|call| side(call) == connection.client)
        .skip_while(|call| !matches!(call.call, Call::Recv { data, .. } if data.is_empty()))
        .filter(|call| matches!(call.call, Call::Send { .. }))
        .map(|call| call.error)
        .collect();
    match (sends.first(), sends.iter().flatten().next()) {
        (Some(None), Some(errno)) => Seen::witnessed(
            1,
            format!("the peer had closed; the first send succeeded, a later one failed: {errno}"),
        ),
        _ => Seen::fine(u64::from(!sends.is_empty())),
    }
}
