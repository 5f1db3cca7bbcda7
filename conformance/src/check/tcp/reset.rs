//! How a connection ends when one side aborts it.

use std::io;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::network::{Network, Stream};
use faultwire::packet::TcpFlags;
use faultwire::stack::SocketOption;
use faultwire::time::Time;
use faultwire::trace::{Call, Event, ProgramCall};
use faultwire_sim::Run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::calls::{Connection, connections, side};
use super::programs::{DATA, OTHER, Programs, SIGNAL, UNUSED, accept, connect, listen, read_once, say};
use super::segments::{Happened, OPENER, View, flows};
use crate::study::Seen;

/// What the server says before it aborts.
const LAST_WORDS: &[u8] = b"last words";

/// Connections that the server aborts: on [`DATA`] with linger 0, on [`OTHER`] by leaving a byte unread. Of
/// each kind the client's first call after that is a receive, then a send.
#[derive(Debug)]
pub(super) struct Aborted;

impl Programs for Aborted {
    const NAME: &'static str = "tcp-reset";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let lingering = listen(&net, DATA, &[]).await?;
        let unread = listen(&net, OTHER, &[]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut signal = accept::<N>(&signals).await?;
        for listener in [&lingering, &lingering, &unread, &unread] {
            let mut stream = accept::<N>(listener).await?;
            // The client's two bytes, or one of them.
            let wanted = if std::ptr::eq(listener, &lingering) { 2 } else { 1 };
            stream.read_exact(&mut vec![0; wanted]).await?;
            say(&mut stream, LAST_WORDS).await?;
            if wanted == 2 {
                // Where there is no linger the close is an orderly one; the trace tells.
                let _ = stream.set_option(SocketOption::Linger(Some(Duration::ZERO)));
            }
            drop(stream);
            say(&mut signal, b"aborted").await?;
        }
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut signal = connect(&net, SIGNAL).await?;
        for (port, reads_first) in [(DATA, true), (DATA, false), (OTHER, true), (OTHER, false)] {
            let mut stream = connect(&net, port).await?;
            say(&mut stream, b"ab").await?;
            read_once(&mut signal, 16).await?;
            // The reset takes the same way as the signal, and went first.
            net.sleep(Duration::from_millis(5)).await;
            if reads_first {
                receive_thrice(&net, &mut stream).await;
                send_twice(&mut stream).await;
            } else {
                send_twice(&mut stream).await;
                receive_thrice(&net, &mut stream).await;
            }
        }
        // Refused in SYN-SENT.
        let _ = connect(&net, UNUSED).await;
        Ok(())
    }
}

/// How long a receive waits for a reset that may have been lost. (One that was merely delayed comes sooner.)
const WAITS: Duration = Duration::from_secs(2);

async fn receive_thrice<N: Network>(net: &N, stream: &mut N::Stream) {
    for _ in 0..3 {
        let _ = net.timeout(WAITS, read_once(stream, 64)).await;
    }
}

async fn send_twice<S: Stream>(stream: &mut S) {
    for _ in 0..2 {
        let _ = stream.write(b"are you there?").await;
    }
}

/// tcp/reset.
pub(super) fn reset(run: &Run) -> Seen {
    let trace = &run.trace;
    let mut seen = 0;
    for (port, how) in [(DATA, "with linger 0"), (OTHER, "with data unread")] {
        for connection in connections(trace, port) {
            if let Some(at) = is_told_early(run, connection) {
                let how =
                    format!("the peer aborted {how}: ECONNRESET at {at}, and no reset had come that fits");
                return Seen::broken(seen, how);
            }
            let Some(after) = after_the_reset(run, connection) else {
                continue;
            };
            seen += 1;
            if let Err(what) = is_told_once(&after) {
                return Seen::broken(seen, format!("the peer aborted {how}: {what}"));
            }
        }
    }
    let refusal = trace.calls().find(|call| matches!(call.call, Call::Connect(to) if to.port() == UNUSED));
    match refusal.map(|call| call.error) {
        Some(Some(Errno::ECONNREFUSED)) => Seen::fine(seen),
        Some(Some(other)) => Seen::broken(seen, format!("a reset in SYN-SENT was told as: {other}")),
        Some(None) => Seen::broken(seen, "a connect that was answered with a reset succeeded"),
        None => Seen::fine(seen),
    }
}

/// What the client called after the server's reset had come, if one came. Where no packets are seen and
/// nothing is lost it has come once the server has aborted the connection.
fn after_the_reset(run: &Run, connection: Connection) -> Option<Vec<ProgramCall<'_>>> {
    let trace = &run.trace;
    let of_server = |call: &ProgramCall<'_>| side(call) == connection.server;
    let no_linger = trace
        .calls()
        .any(|call| of_server(&call) && matches!(call.call, Call::Option(_)) && call.error.is_some());
    let aborted = trace.events().iter().position(|event| {
        event.program_call().is_some_and(|call| of_server(&call) && matches!(call.call, Call::Close))
    });
    let shows_packets = trace.sendings().next().is_some();
    let place = match aborted {
        None => return None,
        Some(_) if no_linger => return None,
        Some(_) if shows_packets => reset_place(run, connection)?,
        Some(aborted) => aborted,
    };
    let after: Vec<_> = trace.events()[place..]
        .iter()
        .filter_map(Event::program_call)
        .filter(|call| side(call) == connection.client)
        .filter(|call| matches!(call.call, Call::Send { .. } | Call::Recv { .. }))
        .collect();
    // The last words may all be handed out before the error is told, and then nothing was called any more.
    let is_silent =
        |call: &ProgramCall<'_>| matches!(call.call, Call::Recv { data, .. } if LAST_WORDS == data);
    let says_nothing = after.is_empty() || (shows_packets && after.iter().all(is_silent));
    (!says_nothing).then_some(after)
}

/// When the client was told of a reset before one had come that it must heed, if it was. One whose number
/// lies in the window, but is not the next, comes where what was sent before it is lost: it asks for an
/// answer, no more.
fn is_told_early(run: &Run, connection: Connection) -> Option<Time> {
    let trace = &run.trace;
    trace.sendings().next()?;
    let place = reset_place(run, connection).unwrap_or(usize::MAX);
    let before = trace.events().iter().take(place).filter_map(Event::program_call);
    let mut told = before.filter(|call| side(call) == connection.client);
    told.find(|call| call.error == Some(Errno::ECONNRESET)).map(|call| call.at)
}

/// Where in the trace the first reset of a connection's server comes that its client must heed: one whose
/// sequence number is the next that the client expects (RFC 5961, 3.2).
fn reset_place(run: &Run, connection: Connection) -> Option<usize> {
    let client = run.trace.calls().find_map(|call| match call.call {
        Call::Accept { socket, peer: Some(peer) } if (call.host, *socket) == connection.server => Some(*peer),
        _ => None,
    })?;
    let flows = flows(run);
    let mut view = View::new(flows.iter().find(|flow| flow.addrs[OPENER] == client)?, OPENER);
    while let Some((_, happened)) = view.step() {
        if let Happened::Heard { segment, expected, .. } = happened
            && segment.is(TcpFlags::RST)
            && segment.seq == expected
        {
            return Some(view.place());
        }
    }
    None
}

/// ECONNRESET once; after it the end for receives and EPIPE for sends. Data that came before the reset may be
/// handed out as well (Linux: before the error if the program receives first, after it if a send was told).
fn is_told_once(calls: &[ProgramCall<'_>]) -> Result<(), String> {
    let mut told = false;
    for call in calls {
        match (call.call, call.error, told) {
            (_, Some(Errno::ECONNRESET), false) => told = true,
            (_, Some(Errno::ECONNRESET), true) => return Err("ECONNRESET was told more than once".into()),
            (Call::Recv { data, .. }, None, _) if LAST_WORDS == data => {}
            (Call::Recv { data, .. }, None, true) if data.is_empty() => {}
            (Call::Send { .. }, Some(Errno::EPIPE), true) => {}
            (call, error, _) => {
                let name = match call {
                    Call::Send { .. } => "a send",
                    _ => "a receive",
                };
                let when = if told { "after ECONNRESET" } else { "before ECONNRESET" };
                let what = match (call, error) {
                    (_, Some(errno)) => format!("failed with: {errno}"),
                    (Call::Recv { data, .. }, None) if data.is_empty() => "gave the end of the stream".into(),
                    _ => "succeeded".into(),
                };
                return Err(format!("{name} {when} {what}"));
            }
        }
    }
    if told { Ok(()) } else { Err("ECONNRESET was not told".into()) }
}
