//! How a connection opens and ends, as its packets show it: the handshake, and what both sides do at once.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link, LinkNumbers};
use faultwire::network::{Network, Stream};
use faultwire::packet::TcpFlags;
use faultwire::tcp::State;
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, Note, TcpNote, What};
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::calls::{connections, passed, side};
use super::pattern::pattern;
use super::programs::{DATA, accept, address_of, connect, listen, read_to_end};
use super::segments::{Flow, Segment, flows};
use crate::study::Seen;

/// tcp/handshake-first: what a program is given, be it a connection or bytes, comes after the packets of a
/// whole handshake.
pub(super) fn handshake_first(run: &Run) -> Seen {
    let trace = &run.trace;
    let flows = flows(run);
    let mut seen = 0;
    for (place, event) in trace.events().iter().enumerate() {
        let What::Call { host, call, error: None, .. } = &event.what else { continue };
        let (peer, what) = match call {
            Call::Accept { peer: Some(peer), .. } => (Some(*peer), "a connection was accepted"),
            Call::Connect(to) => (Some(*to), "connect succeeded"),
            Call::Recv { data, .. } if !data.is_empty() => (None, "bytes were read"),
            _ => continue,
        };
        if let Err(how) = is_shaken(&flows, place, *host, peer) {
            return Seen::broken(seen, format!("{what} {how}"));
        }
        seen += 1;
    }
    Seen::fine(seen)
}

/// Whether before that place of the trace a host had sent a SYN to its peer (to any host, where
/// that is not known), had received one from it, and had received an acknowledgement of its SYN.
fn is_shaken(
    flows: &[Flow],
    place: usize,
    host: HostId,
    peer: Option<SocketAddr>,
) -> Result<(), &'static str> {
    // How far each connection of the two has come: the own SYN, the peer's, the acknowledgement of the own.
    let [mut sent, mut heard, mut shaken] = [false; 3];
    for flow in flows {
        let Some(side) =
            flow.side_at(host).filter(|side| peer.is_none_or(|peer| peer == flow.addrs[1 - side]))
        else {
            continue;
        };
        let arrivals = || flow.arrivals_from(1 - side).filter(|(at, _)| *at < place).map(|(_, it)| it);
        let before = |it: &&Segment| it.place < place;
        let has_sent = flow.sent_by(side).filter(before).any(|it| it.is(TcpFlags::SYN));
        let top = flow.sent_by(side).filter(before).map(Segment::end).max().unwrap_or(0);
        let has_heard = has_sent && arrivals().any(|it| it.is(TcpFlags::SYN));
        sent |= has_sent;
        heard |= has_heard;
        shaken |= has_heard && arrivals().any(|it| it.ack.is_some_and(|ack| (1..=top).contains(&ack)));
    }
    match (sent, heard, shaken) {
        (false, ..) => Err("before a SYN had been sent"),
        (true, false, _) => Err("before the peer's SYN had come"),
        (true, true, false) => Err("before the peer had acknowledged the SYN"),
        (true, true, true) => Ok(()),
    }
}

/// The client's stream: key and length in bytes.
const UP: (u8, usize) = (21, 1_000);
/// The server's.
const DOWN: (u8, usize) = (22, 1_000);

/// Virtual time after which a run counts as stalled.
const TIME_MAX: Duration = Duration::from_secs(3_600);

/// How long a packet takes in a lab where both hosts are to speak before they hear each other, in
/// microseconds: a busy machine does not let both speak in the same millisecond.
const FAR_US: u64 = 20_000;

/// The scenario with so long a way, in a lab.
fn far(scenario: Scenario, testbed: TestbedRef) -> Scenario {
    if !testbed.is_live() {
        return scenario;
    }
    let link = Link::Numbers(LinkNumbers { delay_us: FAR_US, ..FaultPlan::default().link.numbers() });
    scenario.base_plan(FaultPlan::new().link(link))
}

/// Two hosts that connect to each other at the same moment, from and to the same port.
pub(super) fn simultaneous_open(testbed: TestbedRef) -> Scenario {
    let of = |peer: &'static str, stream: (u8, usize)| {
        move |net: Net| async move {
            let _ = open(net, peer, stream).await;
            Ok(())
        }
    };
    let scenario = faultwire_sim::scenario("tcp-simultaneous-open")
        .client_on("server", of("client", DOWN))
        .client(of("server", UP))
        .time_max(TIME_MAX);
    far(scenario, testbed)
}

async fn open<N: Network>(net: N, peer: &str, (key, len): (u8, usize)) -> io::Result<()> {
    let peer = address_of(&net, peer, DATA).await?;
    let mut stream = net.connect_from(&format!("0.0.0.0:{DATA}"), &peer, &[]).await?;
    stream.write_all(&pattern(key, len)).await?;
    stream.shutdown().await?;
    read_to_end(&mut stream, 4096).await
}

/// Whether both sides of a connection sent such a segment before either had got the other's.
fn cross(flow: &Flow, is: impl Fn(&Segment) -> bool) -> bool {
    let sent = [0, 1].map(|side| flow.sent_by(side).find(|it| is(it)).map(|it| it.place));
    let [Some(one), Some(other)] = sent else { return false };
    let last_sent = one.max(other);
    let arrived = |side| flow.arrivals_from(side).find(|(_, it)| is(it));
    [0, 1].into_iter().filter_map(arrived).all(|(place, _)| place > last_sent)
}

/// tcp/simultaneous-open: one connection comes of it, which carries both streams. It counts runs in which the
/// SYNs crossed.
pub(super) fn opens_at_once(run: &Run) -> Seen {
    let trace = &run.trace;
    if !run.end.is_finished() || !flows(run).iter().any(|flow| cross(flow, Segment::is_opening)) {
        return Seen::NOTHING;
    }
    let mut connected = 0;
    for (name, (key, len)) in [("client", DOWN), ("server", UP)] {
        let calls: Vec<_> = trace.calls().filter(|it| trace.host_name(it.host) == name).collect();
        if let Some(errno) = calls.iter().find_map(|call| call.error) {
            return Seen::broken(1, format!("the SYNs crossed, and a call of {name} failed: {errno}"));
        }
        let Some(socket) = calls.iter().find(|it| matches!(it.call, Call::Connect(_))) else {
            return Seen::broken(1, format!("the SYNs crossed, and the connect of {name} did not come back"));
        };
        connected += 1;
        let passed = passed(trace, side(socket));
        if passed.received != pattern(key, len) || !passed.ended {
            let got = passed.received.len();
            return Seen::broken(1, format!("the SYNs crossed, and {name} read {got} of {len} bytes"));
        }
    }
    if trace.calls().any(|call| matches!(call.call, Call::Accept { .. })) || connected != 2 {
        return Seen::broken(1, "the SYNs crossed, and more than one connection came of it");
    }
    Seen::fine(1)
}

/// When both sides close, and how long they stay after they have read to the end. Where time is real it is
/// short: a run in which something had to be sent again before may not count.
#[derive(Clone, Copy)]
struct Course {
    closes: Duration,
    stays: Duration,
}

impl Course {
    fn on(testbed: TestbedRef) -> Course {
        let of = |[closes, stays]: [u64; 2]| Course {
            closes: Duration::from_millis(closes),
            stays: Duration::from_millis(stays),
        };
        of(if testbed.is_live() { [700, 400] } else { [1_500, 1_000] })
    }
}

/// A connection whose sides close at the same moment.
pub(super) fn simultaneous_close(testbed: TestbedRef) -> Scenario {
    let course = Course::on(testbed);
    let server = move |net: Net| async move {
        let work = async {
            let listener = listen(&net, DATA, &[]).await?;
            let stream = accept::<Net>(&listener).await?;
            close_at_once(&net, stream, course, DOWN, UP.1).await
        };
        let _: io::Result<()> = work.await;
        Ok(())
    };
    let client = move |net: Net| async move {
        let work = async { close_at_once(&net, connect(&net, DATA).await?, course, UP, DOWN.1).await };
        let _: io::Result<()> = work.await;
        Ok(())
    };
    let scenario = faultwire_sim::scenario("tcp-simultaneous-close")
        .client_on("server", server)
        .client(client)
        .time_max(TIME_MAX);
    far(scenario, testbed)
}

async fn close_at_once<N: Network, S: Stream>(
    net: &N,
    mut stream: S,
    course: Course,
    (key, len): (u8, usize),
    expected: usize,
) -> io::Result<()> {
    stream.write_all(&pattern(key, len)).await?;
    stream.read_exact(&mut vec![0; expected]).await?;
    net.sleep(course.closes.saturating_sub(net.now().since(Time::ZERO))).await;
    stream.shutdown().await?;
    read_to_end(&mut stream, 4096).await?;
    // The connection is yet to end.
    net.sleep(course.stays).await;
    Ok(())
}

/// A connection that came to CLOSING, whose FIN was acknowledged, and that is in CLOSING still: a host of
/// that kind.
fn still_closing<'a>(run: &'a Run, flow: &Flow) -> Option<&'a str> {
    let trace = &run.trace;
    for (place, event) in trace.events().iter().enumerate() {
        let What::Note { host, note: Note::Tcp { port, note: TcpNote::State(State::Closing), .. } } =
            event.what
        else {
            continue;
        };
        let side = flow.side_at(host)?;
        let fin = flow.sent_by(side).find(|it| it.is(TcpFlags::FIN))?;
        let peers = flow.sent_by(1 - side).find(|it| it.is(TcpFlags::FIN))?;
        // What the peer's FIN bears when it is sent again does not count: it lies before the window.
        let acknowledged = flow.arrivals_from(1 - side).any(|(at, it)| {
            at > place && it.seq >= peers.end() && it.ack.is_some_and(|ack| ack >= fin.end())
        });
        let left = trace.events()[place + 1..].iter().any(|later| {
            matches!(
                later.what,
                What::Note { host: whose, note: Note::Tcp { port: of, note: TcpNote::State(_), .. } }
                if (whose, of) == (host, port))
        });
        if acknowledged && !left {
            return Some(trace.host_name(host));
        }
    }
    None
}

/// tcp/simultaneous-close: both sides see the end, nothing fails, and the connection ends. It counts runs in
/// which the FINs crossed.
pub(super) fn closes_at_once(run: &Run) -> Seen {
    let trace = &run.trace;
    let flows = flows(run);
    let crossed = flows.iter().find(|flow| cross(flow, |segment| segment.is(TcpFlags::FIN)));
    let Some(flow) = crossed.filter(|_| run.end.is_finished()) else {
        return Seen::NOTHING;
    };
    let Some(connection) = connections(trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    for (which, (key, len)) in [(connection.client, DOWN), (connection.server, UP)] {
        let passed = passed(trace, which);
        let name = trace.host_name(which.0);
        if let Some(errno) = passed.errors.first() {
            return Seen::broken(1, format!("the FINs crossed, and a call of {name} failed: {errno}"));
        }
        if passed.received != pattern(key, len) || !passed.ended {
            return Seen::broken(1, format!("the FINs crossed, and {name} did not read to the end"));
        }
    }
    if let Some(name) = still_closing(run, flow) {
        return Seen::broken(
            1,
            format!("the FINs crossed, and {name}'s was acknowledged, but it stays in CLOSING"),
        );
    }
    Seen::fine(1)
}
