//! What a side learns, and does not learn, when the other is gone.

use std::io;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::fault::{Class, Cut, Direction, EventKind, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::{Datagram as _, Network, Stream};
use faultwire::packet::TcpFlags;
use faultwire::stack::SocketOption;
use faultwire::trace::{Call, ProgramCall, Trace, What};
use faultwire_sim::testbed::{Clock, TestbedRef};
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::AsyncReadExt as _;

use super::calls::{connections, passed, side};
use super::programs::{
    DATA, Programs, UNUSED, accept, address_of, calling, connect, listen, patience, read_once, read_to_end,
    say, serving,
};
use super::segments::{OPENER, Segment, flows};
use crate::study::Seen;

/// Data that the server's system takes and its program never sees.
#[derive(Debug)]
pub(super) struct Unread;

/// What the client sends.
const UNREAD: &[u8] = b"acknowledged";

impl Programs for Unread {
    const NAME: &'static str = "tcp-unread";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[]).await?;
        let stream = accept::<N>(&data).await?;
        // Long enough for the data to come, and for a delayed acknowledgement to go.
        net.sleep(Duration::from_secs(1)).await;
        drop(stream);
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, UNREAD).await?;
        net.timeout(Duration::from_secs(5), read_to_end(&mut stream, 16)).await?
    }
}

/// tcp/acked-is-not-read.
pub(super) fn acked_is_not_read(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let closed = trace.calls().any(|call| {
        side(&call) == connection.server && matches!(call.call, Call::Close) && call.error.is_none()
    });
    // The first byte has the number 1.
    let end = 1 + UNREAD.len() as i64;
    let acknowledges = |it: &Segment| !it.is(TcpFlags::RST) && it.ack.is_some_and(|ack| ack >= end);
    let acknowledged = flows(run)
        .iter()
        .filter(|flow| flow.port() == DATA)
        .any(|flow| flow.arrivals_from(1 - OPENER).any(|(_, it)| acknowledges(it)));
    if acknowledged && closed && passed(trace, connection.server).received.is_empty() {
        let how = format!("{} bytes were acknowledged, and no program ever read them", UNREAD.len());
        return Seen::witnessed(1, how);
    }
    Seen::fine(u64::from(acknowledged))
}

/// A server that aborts, and a client that only reads.
#[derive(Debug)]
pub(super) struct Silent;

/// How long the client reads. A reset that comes would come sooner.
const LISTENS: Duration = Duration::from_secs(60);

impl Programs for Silent {
    const NAME: &'static str = "tcp-silent-reader";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&data).await?;
        stream.read_exact(&mut [0; 1]).await?;
        // What is not acknowledged would be sent again, and provoke another reset.
        net.sleep(Duration::from_secs(1)).await;
        stream.set_option(SocketOption::Linger(Some(Duration::ZERO)))?;
        drop(stream);
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, b"a").await?;
        // In real life it has no end.
        net.timeout(LISTENS, read_once(&mut stream, 16)).await?.map(drop)
    }
}

/// tcp/silence-is-not-noticed.
pub(super) fn silence_is_not_noticed(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let flows = flows(run);
    let mut sent = flows.iter().filter(|flow| flow.port() == DATA).flat_map(|flow| flow.sent_by(1 - OPENER));
    let Some(reset) = sent.find(|it| it.is(TcpFlags::RST)) else {
        return Seen::NOTHING;
    };
    let waited = run.elapsed.since(reset.at);
    let heard =
        trace.calls().any(|call| side(&call) == connection.client && matches!(call.call, Call::Recv { .. }));
    if heard || waited < LISTENS / 2 {
        return Seen::fine(1);
    }
    let how = format!("the peer's reset was lost; {} s later a read still waits", waited.as_secs());
    Seen::witnessed(1, how)
}

/// Asks, and reads the answer; false at the end of the stream.
async fn ask<S: Stream>(stream: &mut S) -> io::Result<bool> {
    say(stream, b"?").await?;
    Ok(!read_once(stream, 16).await?.is_empty())
}

/// A client that asks twice.
async fn ask_twice<N: Network>(net: N, pause: Duration) -> io::Result<()> {
    let mut stream = connect(&net, DATA).await?;
    if ask(&mut stream).await? {
        net.sleep(pause).await;
        ask(&mut stream).await?;
    }
    Ok(())
}

/// A server that answers what comes, one connection after the other.
async fn answer<N: Network>(net: N) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    loop {
        let mut stream = accept::<N>(&listener).await?;
        while let Ok(question) = read_once(&mut stream, 16).await {
            if question.is_empty() || say(&mut stream, b"!").await.is_err() {
                break;
            }
        }
    }
}

/// A peer that falls silent has had two hours to answer.
const GIVES_UP_MAX: Duration = Duration::from_secs(7_200);
/// RFC 9293, 3.8.3: a connection with data outstanding is not given up before (R2, a SHOULD).
const GIVES_UP_MIN: Duration = Duration::from_secs(100);

/// Repeats of data where time is dear: about 200 s of them, not 900.
const RETRIES_IN_TICKS: u32 = 9;

pub(super) fn gives_up_scenario(testbed: TestbedRef) -> Scenario {
    let mut tcp = faultwire::tcp::Config::default();
    if testbed.clock() != Clock::Virtual {
        tcp.retries = RETRIES_IN_TICKS;
    }
    faultwire_sim::scenario("tcp-gives-up")
        .server(|net: Net| serving(answer(net)))
        .client(|net: Net| async move {
            // Why it could not go on is in the trace.
            let _ = ask_twice(net, Duration::from_secs(1)).await;
            Ok(())
        })
        .time_max(GIVES_UP_MAX)
        .tcp(tcp)
}

/// The peer falls silent for good or loses power, after each of the first packets of client and server. In
/// turmoil, which steps through the minutes, only after the client's first data.
pub(super) fn silences(scenario: &Scenario) -> Vec<FaultPlan> {
    let ways = [("client", "server"), ("server", "client")].map(|(from, to)| Direction::new(from, to));
    let mut plans = Vec::new();
    for direction in ways {
        for packet in [Packet::nth(Class::Syn, 1), Packet::nth(Class::Data, 1), Packet::nth(Class::Data, 2)] {
            // The client is done after the server's second data.
            let is_last = direction.from == "server" && packet == Packet::nth(Class::Data, 2);
            let is_first_data = direction.from == "client" && packet == Packet::nth(Class::Data, 1);
            if is_last || (scenario.testbed().clock() != Clock::Virtual && !is_first_data) {
                continue;
            }
            for kind in [EventKind::Partition(Cut::ALL), EventKind::Crash("server".to_owned())] {
                let when = When::after(direction.clone(), packet);
                plans.push(FaultPlan::new().event(kind, when));
            }
        }
    }
    plans
}

/// tcp/gives-up: with something outstanding a silent peer ends in ETIMEDOUT, neither at once nor never.
pub(super) fn gives_up(run: &Run) -> Seen {
    let trace = &run.trace;
    let silent =
        trace.events().iter().find(|event| matches!(event.what, What::Partitioned(_) | What::Crashed(_)));
    let Some(silent) = silent else { return Seen::NOTHING };
    let Some(client) = trace.host("client") else { return Seen::NOTHING };
    let spoke = flows(run)
        .iter()
        .any(|flow| flow.side_at(client).is_some_and(|side| flow.sent_by(side).any(|it| it.at >= silent.at)));
    if !spoke {
        return Seen::NOTHING;
    }
    let last = trace.calls_of(client).rfind(|call| !matches!(call.call, Call::Close));
    match last {
        Some(ProgramCall { error: Some(Errno::ETIMEDOUT), at, .. }) => {
            let waited = at.since(silent.at);
            if waited < GIVES_UP_MIN {
                let how = format!("a silent peer was given up after {} s", waited.as_secs());
                return Seen::broken(1, how);
            }
            Seen::fine(1)
        }
        Some(ProgramCall { error: Some(other), .. }) => {
            Seen::broken(1, format!("a silent peer was told as: {other}"))
        }
        _ => {
            let waited = run.elapsed.since(silent.at).as_secs();
            Seen::broken(1, format!("a silent peer was not given up after {waited} s"))
        }
    }
}

/// How long the client is quiet before the server loses power, and from then on until it starts again: longer
/// than what is still to be acknowledged, or sent again, takes.
fn quiet(testbed: TestbedRef) -> [Duration; 2] {
    if testbed.is_live() { [600, 200] } else { [1_000, 2_000] }.map(Duration::from_millis)
}

/// How long the client waits for the word that the server is up again before it asks anew.
const WORD: Duration = Duration::from_millis(200);

/// Two datagrams of the client, to a closed port, mark when the server loses power and when
/// it has it again. The server is up once it refuses one: the first is lost on it.
async fn ask_across_a_crash<N: Network>(net: N, [before, down]: [Duration; 2]) -> io::Result<()> {
    let mut stream = connect(&net, DATA).await?;
    let mark = net.datagram("0.0.0.0:0", &[]).await?;
    mark.connect(&address_of(&net, "server", UNUSED).await?).await?;
    ask(&mut stream).await?;
    net.sleep(before).await;
    mark.send(b"off").await?;
    net.sleep(down).await;
    loop {
        // Where the refusal of the one before comes late, it is this call's error.
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if mark.send(b"on").await.is_err_and(|error| refused(&error)) {
            break;
        }
        match net.timeout(WORD, mark.recv_from(&mut [0])).await {
            Ok(Err(error)) if refused(&error) => break,
            Ok(other) => drop(other?),
            // It is not up yet, or its word was lost.
            Err(_) => {}
        }
    }
    ask(&mut stream).await.map(drop)
}

pub(super) fn half_open_scenario(testbed: TestbedRef) -> Scenario {
    let event = |nth, kind: fn(String) -> EventKind| {
        let packet = Packet::nth(Class::Datagram, nth);
        let when = When::after(["client", "server"], packet);
        PlanEvent::new(kind("server".to_owned()), when)
    };
    let events = vec![event(1, EventKind::Crash), event(2, EventKind::Restart)];
    let base = FaultPlan::new().events(events);
    faultwire_sim::scenario("tcp-half-open")
        .server(|net: Net| serving(answer(net)))
        .client(move |net: Net| {
            calling(net.clone(), patience(testbed), ask_across_a_crash(net, quiet(testbed)))
        })
        .base_plan(base)
}

/// Whether something of the connection came to the server that had forgotten it, before what the client sent
/// anew: its ends had something outstanding still.
fn is_disturbed(run: &Run, restarted: usize) -> bool {
    // The first question has the first byte, the second one the second.
    const ANEW: i64 = 2;
    let flows = flows(run);
    let Some(flow) = flows.iter().find(|flow| flow.port() == DATA) else { return false };
    let first = flow.arrivals_from(OPENER).find(|(place, _)| *place > restarted);
    first.is_some_and(|(_, segment)| !segment.covers(ANEW))
}

/// tcp/half-open: what is sent to a peer that has forgotten the connection makes a later call fail.
pub(super) fn half_open(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(restarted) = place_of(trace, |what| matches!(what, What::Restarted(_))) else {
        return Seen::NOTHING;
    };
    let Some(crashed) = place_of(trace, |what| matches!(what, What::Crashed(_))) else {
        return Seen::NOTHING;
    };
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let calls: Vec<(usize, ProgramCall<'_>)> = trace
        .events()
        .iter()
        .enumerate()
        .filter_map(|(place, event)| Some((place, event.program_call()?)))
        .filter(|(_, call)| side(call) == connection.client)
        .collect();
    let connected = calls.first().is_some_and(|(place, _)| *place < crashed);
    let accepted =
        place_of(trace, |what| matches!(what, What::Call { call: Call::Accept { .. }, error: None, .. }));
    // Nothing was on its way any more: the answer had been read.
    let idle = calls.iter().any(|(place, call)| *place < crashed && matches!(call.call, Call::Recv { .. }));
    if !connected || accepted.is_none_or(|place| place > crashed) || !idle || is_disturbed(run, restarted) {
        return Seen::NOTHING;
    }
    let after: Vec<&ProgramCall<'_>> = calls
        .iter()
        .filter(|(place, call)| *place > restarted && !matches!(call.call, Call::Close))
        .map(|(_, call)| call)
        .collect();
    match after[..] {
        [] => Seen::NOTHING,
        [sent, ..] if sent.error.is_some() => {
            Seen::broken(1, "the first send to a peer that had forgotten the connection failed")
        }
        [_] => Seen::broken(1, "a peer that had forgotten the connection was not noticed"),
        [_, told, ..] => match told.error {
            Some(Errno::ECONNRESET) => Seen::fine(1),
            Some(other) => {
                Seen::broken(1, format!("a peer that had forgotten the connection was told as: {other}"))
            }
            None => Seen::broken(1, "a read from a peer that had forgotten the connection succeeded"),
        },
    }
}

fn place_of(trace: &Trace, is: impl Fn(&What) -> bool) -> Option<usize> {
    trace.events().iter().position(|event| is(&event.what))
}
