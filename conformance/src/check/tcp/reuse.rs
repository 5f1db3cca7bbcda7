//! A connection that follows another on the same four-tuple.

use std::io;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Network, Stream as _};
use faultwire::stack::SocketOption;
use faultwire::trace::{Call, Event, PacketId};
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::calls::{accepted, passed, side};
use super::pattern::{difference, pattern};
use super::programs::{DATA, accept, address_of, calling, listen, patience, read_to_end, serving};
use super::segments::{OPENER, flows};
use crate::study::Seen;

/// The port that the client connects from.
const FROM: u16 = 5000;
/// How long the client waits before it writes another piece of the second stream: so that what is late of the
/// first connection finds it in the middle.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the client tries to connect again, and how long it waits in between: TIME-WAIT may last four
/// minutes.
const TRIES: usize = 12_000;
const AGAIN: Duration = Duration::from_millis(20);

/// What goes through the two connections.
#[derive(Clone, Copy, Debug)]
struct Talk {
    /// Key and length in bytes of each.
    streams: [(u8, usize); 2],
    /// What the second is written in, in bytes.
    piece: usize,
}

const SLOW: Talk = Talk { streams: [(31, 5_840), (32, 3_000)], piece: 250 };
/// The clock of initial sequence numbers counts 250 in a millisecond (RFC 9293, 3.4.1); this is more than
/// that in the time that it takes.
const FAST: Talk = Talk { streams: [(33, 150_000), (34, 60_000)], piece: 4_000 };

/// Two connections from one port to the same server.
pub(super) fn scenario(testbed: TestbedRef) -> Scenario {
    // Longer delays than those of other studies: past the end of the first connection.
    with("tcp-time-wait", testbed, SLOW).timeout(Duration::from_millis(400))
}

/// Like `scenario`, but with much data.
pub(super) fn fast(testbed: TestbedRef) -> Scenario {
    with("tcp-time-wait-fast", testbed, FAST)
}

fn with(name: &str, testbed: TestbedRef, talk: Talk) -> Scenario {
    faultwire_sim::scenario(name)
        .server(move |net: Net| serving(serve(net, talk)))
        .client(move |net: Net| calling(net.clone(), patience(testbed), call(net, talk)))
}

async fn serve<N: Network>(net: N, talk: Talk) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    // The server closes first: it is the one that waits in TIME-WAIT, and the client may come again at once.
    let [(_, len), _] = talk.streams;
    let mut first = accept::<N>(&listener).await?;
    first.read_exact(&mut vec![0; len]).await?;
    first.shutdown().await?;
    read_to_end(&mut first, 4096).await?;
    drop(first);
    let mut second = accept::<N>(&listener).await?;
    read_to_end(&mut second, 4096).await?;
    second.shutdown().await?;
    std::future::pending().await
}

async fn call<N: Network>(net: N, talk: Talk) -> io::Result<()> {
    let server = address_of(&net, "server", DATA).await?;
    for (nth, (key, len)) in talk.streams.into_iter().enumerate() {
        let mut stream = reconnect(&net, &server).await?;
        let written = pattern(key, len);
        if nth == 0 {
            stream.write_all(&written).await?;
            read_to_end(&mut stream, 4096).await?;
            stream.shutdown().await?;
        } else {
            stream.set_option(SocketOption::NoDelay(true))?;
            for piece in written.chunks(talk.piece) {
                stream.write_all(piece).await?;
                net.sleep(PAUSE).await;
            }
            stream.shutdown().await?;
            read_to_end(&mut stream, 4096).await?;
        }
    }
    Ok(())
}

/// Connects from the one port, as soon as that can be had.
async fn reconnect<N: Network>(net: &N, server: &str) -> io::Result<N::Stream> {
    let local = format!("0.0.0.0:{FROM}");
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match net.connect_from(&local, server, &[SocketOption::ReuseAddress(true)]).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
        net.sleep(AGAIN).await;
    }
    Err(last)
}

/// Each data segment of the first connection comes when that is over.
pub(super) fn late_segments(_: &Scenario) -> Vec<FaultPlan> {
    late(&[1, 2, 3, 4], &[400_000, 700_000, 1_100_000])
}

/// Some segments of much data come when that is over.
pub(super) fn late_fast_segments(_: &Scenario) -> Vec<FaultPlan> {
    late(&[15, 20, 25, 30, 35, 45, 55, 65, 75], &[300_000, 600_000])
}

fn late(nths: &[u32], delays_us: &[u64]) -> Vec<FaultPlan> {
    let fault = |nth, delay_us| {
        Fault::new(["client", "server"], Packet::nth(Class::Data, nth), Action::DelayUs(delay_us))
    };
    let plan = |nth, delay_us| FaultPlan::new().faults([fault(nth, delay_us)]);
    nths.iter().flat_map(|nth| delays_us.iter().map(move |delay_us| plan(*nth, *delay_us))).collect()
}

/// tcp/time-wait after little data.
pub(super) fn old_duplicates_stay_out(run: &Run) -> Seen {
    stay_out(run, SLOW)
}

/// tcp/time-wait after much data.
pub(super) fn old_duplicates_stay_out_fast(run: &Run) -> Seen {
    stay_out(run, FAST)
}

/// tcp/time-wait: what each connection delivers is its own stream. It counts what the client sent in the
/// first and what arrived when the server had closed that.
fn stay_out(run: &Run, talk: Talk) -> Seen {
    let trace = &run.trace;
    let sockets: Vec<_> = accepted(trace, DATA).collect();
    let Some(first) = sockets.first() else { return Seen::NOTHING };
    let closed = trace.events().iter().position(|event| {
        event.program_call().is_some_and(|call| side(&call) == *first && matches!(call.call, Call::Close))
    });
    let mut late = 0;
    if let (Some(closed), Some(client)) = (closed, trace.host("client")) {
        // What was sent before the client opened again belongs to the first connection.
        let flows = flows(run);
        let mut own = flows.iter().filter(|flow| flow.hosts[OPENER] == Some(client));
        let second = own.nth(1).and_then(|flow| flow.segments.first());
        let second = second.map_or(trace.events().len(), |syn| syn.place);
        let old: Vec<PacketId> =
            trace.events()[..second].iter().filter_map(Event::sending).map(|it| it.packet).collect();
        late = trace.events()[closed..]
            .iter()
            .filter_map(Event::arrival)
            .filter(|arrival| arrival.to == first.0 && old.binary_search(&arrival.packet).is_ok())
            .count() as u64;
    }
    for (socket, (key, len)) in sockets.iter().zip(talk.streams) {
        if let Some(difference) = difference(&pattern(key, len), &passed(trace, *socket).received) {
            return Seen::broken(late, format!("two connections on the same four-tuple: {difference}"));
        }
    }
    Seen::fine(late)
}
