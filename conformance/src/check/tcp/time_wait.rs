//! How long TIME-WAIT lasts, and what it is for: the peer's FIN that comes again.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use faultwire::fault::{Direction, EventKind, FaultPlan, Injection, When};
use faultwire::network::Network;
use faultwire::packet::{TcpFlags, Transport};
use faultwire::tcp::{Config, State};
use faultwire::time::Time;
use faultwire::trace::{HostId, Note, TcpNote, Trace};
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::AsyncWriteExt as _;

use super::programs::{DATA, accept, calling, connect, listen, read_to_end, say, serving};
use super::segments::{Flow, Moment, flows};
use crate::study::Seen;

/// How long the client's host stays: longer than its TIME-WAIT.
const STAYS: Duration = Duration::from_secs(90);
/// An answer comes within that.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The client closes first, and its host stays.
pub(super) fn scenario(_: TestbedRef) -> Scenario {
    faultwire_sim::scenario("tcp-time-wait-length")
        .server(|net: Net| serving(serve(net)))
        .client(|net: Net| calling(net.clone(), 2 * STAYS, call(net)))
        .tcp(Config::default())
}

async fn serve<N: Network>(net: N) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    let mut stream = accept::<N>(&listener).await?;
    read_to_end(&mut stream, 16).await?;
    stream.shutdown().await?;
    drop(stream);
    std::future::pending().await
}

async fn call<N: Network>(net: N) -> io::Result<()> {
    let mut stream = connect(&net, DATA).await?;
    say(&mut stream, b"bye").await?;
    stream.shutdown().await?;
    read_to_end(&mut stream, 16).await?;
    drop(stream);
    net.sleep(STAYS).await;
    Ok(())
}

/// When a host's connections came to TIME-WAIT, and their peers' ports.
fn begun(trace: &Trace) -> impl Iterator<Item = (Time, HostId, u16)> {
    trace.notes().filter_map(|(at, host, note)| match note {
        Note::Tcp { peer, note: TcpNote::State(State::TimeWait), .. } => Some((at, host, peer)),
        _ => None,
    })
}

/// The last FIN that a host sent.
fn last_fin(trace: &Trace, from: &str) -> Option<Bytes> {
    let host = trace.host(from)?;
    let is_fin = |bytes: &Bytes| {
        let view = faultwire::packet::PacketView::parse(bytes);
        let flags = view.map(|view| view.transport);
        matches!(flags, Some(Transport::Tcp { flags, .. }) if flags.has(TcpFlags::FIN))
    };
    let mut sent = trace.sendings().filter(|sending| sending.from == host).map(|sending| sending.bytes);
    sent.rfind(|bytes| is_fin(bytes)).cloned()
}

/// The server's FIN comes once more, at some time of the client's TIME-WAIT.
pub(super) fn late_fins(scenario: &Scenario) -> Vec<FaultPlan> {
    if !scenario.testbed().is_simulated() {
        return Vec::new();
    }
    let run = scenario.run(&FaultPlan::default());
    let Some((fin, (begun, ..))) = last_fin(&run.trace, "server").zip(begun(&run.trace).next()) else {
        return Vec::new();
    };
    let length = Config::default().time_wait;
    let again = |after: Duration| {
        let at = begun.since(Time::ZERO) + after;
        let kind = EventKind::Inject(Injection::Bytes {
            direction: Direction::new("server", "client"),
            packet: fin.clone(),
        });
        let when = When::AtUs(u64::try_from(at.as_micros()).unwrap_or(u64::MAX));
        FaultPlan::new().event(kind, when)
    };
    [length / 600, length / 60, length / 2, length - length / 60].map(again).to_vec()
}

/// tcp/time-wait: for twice the maximum segment lifetime a retransmitted FIN is acknowledged, not reset.
/// Counts those FINs.
pub(super) fn answers_late_fins(run: &Run) -> Seen {
    let trace = &run.trace;
    let flows = flows(run);
    let mut seen = 0;
    for (begun, host, port) in begun(trace) {
        let of = |flow: &&Flow| flow.port() == port && flow.side_at(host).is_some();
        let Some((flow, side)) = flows.iter().find(of).and_then(|flow| Some((flow, flow.side_at(host)?)))
        else {
            continue;
        };
        let end = begun + Config::default().time_wait;
        let late = flow.steps.iter().filter(|step| {
            let segment = &flow.segments[step.segment];
            let fin = segment.side != side && segment.is(TcpFlags::FIN);
            step.moment == Moment::Arrived && fin && step.at > begun && step.at < end
        });
        for came in late {
            seen += 1;
            let answer = flow.sent_by(side).find(|it| it.place > came.place && it.at <= came.at + AT_ONCE);
            let fin = &flow.segments[came.segment];
            let after = came.at.since(begun).as_millis();
            let how = match answer {
                Some(it) if it.is(TcpFlags::RST) => "was answered with a reset",
                Some(it) if it.ack.is_some_and(|ack| ack >= fin.end()) => continue,
                Some(_) => "was not acknowledged",
                None => "was not answered",
            };
            return Seen::broken(seen, format!("a FIN that came {after} ms after TIME-WAIT had begun {how}"));
        }
    }
    Seen::fine(seen)
}
