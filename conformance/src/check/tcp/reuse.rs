//! A connection that follows another on the same four-tuple.

use std::io;
use std::time::Duration;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};
use faultwire::network::{Network, Stream as _};
use faultwire::stack::SocketOption;
use faultwire::trace::Call;
use faultwire_sim::{Net, Run, Scenario, Testbed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::calls::{accepted, passed};
use super::flows::segments;
use super::pattern::{difference, pattern};
use super::talk::{DATA, accept, address_of, calling, listen, patience, read_to_end, serving};
use crate::check::Seen;

/// The port that the client connects from.
const FROM: u16 = 5000;
/// The streams of the two connections: key and length in bytes.
const STREAMS: [(u8, usize); 2] = [(31, 5_840), (32, 3_000)];
/// What the second connection's client writes at a time, in bytes, and how long it waits then: so that what is late of
/// the first finds it in the middle.
const PIECE: usize = 250;
const PAUSE: Duration = Duration::from_millis(100);
/// How often the client tries to connect again, and how long it waits in between: TIME-WAIT may last four minutes.
const TRIES: usize = 12_000;
const AGAIN: Duration = Duration::from_millis(20);

/// Two connections from one port to the same server.
pub(super) fn scenario(testbed: Testbed) -> Scenario {
    faultwire_sim::scenario("tcp-time-wait")
        .server(|net: Net| serving(serve(net)))
        .client(move |net: Net| calling(net.clone(), patience(testbed), call(net)))
        // Longer delays than those of other studies: past the end of the first connection.
        .timeout(Duration::from_millis(400))
}

async fn serve<N: Network>(net: N) -> io::Result<()> {
    let listener = listen(&net, DATA, &[]).await?;
    // The server closes first: it is the one that waits in TIME-WAIT, and the client may come again at once.
    let [(_, len), _] = STREAMS;
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

async fn call<N: Network>(net: N) -> io::Result<()> {
    let server = address_of(&net, "server", DATA).await?;
    for (nth, (key, len)) in STREAMS.into_iter().enumerate() {
        let mut stream = reconnect(&net, &server).await?;
        let written = pattern(key, len);
        if nth == 0 {
            stream.write_all(&written).await?;
            read_to_end(&mut stream, 4096).await?;
            stream.shutdown().await?;
        } else {
            stream.set_option(SocketOption::NoDelay(true))?;
            for piece in written.chunks(PIECE) {
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
pub(super) fn late_segments() -> Vec<FaultPlan> {
    let delays_us = [400_000, 700_000, 1_100_000];
    let late = |nth, delay_us| Fault {
        direction: Direction::new("client", "server"),
        packet: Packet::nth(Class::Data, nth),
        action: Action::DelayUs(delay_us),
    };
    let plan = |nth, delay_us| FaultPlan { faults: vec![late(nth, delay_us)], ..FaultPlan::default() };
    (1..=4).flat_map(|nth| delays_us.map(|delay_us| plan(nth, delay_us))).collect()
}

/// tcp/time-wait: what each connection delivers is its own stream. It counts what arrived of the first connection while the
/// second was open.
pub(super) fn old_duplicates_stay_out(run: &Run) -> Seen {
    let trace = &run.trace;
    let accepts: Vec<usize> = trace
        .events()
        .iter()
        .enumerate()
        .filter(|(_, event)| {
            event.program_call().is_some_and(|call| matches!(call.call, Call::Accept { .. }))
        })
        .map(|(place, _)| place)
        .collect();
    let sockets: Vec<_> = accepted(trace, DATA).collect();
    let (Some(&second), [first_socket, second_socket, ..]) = (accepts.get(1), &sockets[..]) else {
        return Seen::NOTHING;
    };
    // The second connection begins with the SYN that the client sent last before it was accepted.
    let all = segments(trace);
    let Some(client) = trace.host("client") else { return Seen::NOTHING };
    let syn = all.iter().rfind(|it| it.is_opening() && !it.arrived && it.host == client && it.place < second);
    let Some(syn) = syn else { return Seen::NOTHING };
    let is_late = |packet: faultwire::trace::PacketId| {
        trace.events()[..syn.place].iter().any(|event| event.sending().is_some_and(|it| it.packet == packet))
    };
    let late = trace.events()[second..]
        .iter()
        .filter_map(faultwire::trace::Event::arrival)
        .filter(|arrival| arrival.to == second_socket.0 && is_late(arrival.packet))
        .count() as u64;
    for (socket, (key, len)) in [first_socket, second_socket].into_iter().zip(STREAMS) {
        if let Some(difference) = difference(&pattern(key, len), &passed(trace, *socket).received) {
            return Seen::broken(late, format!("two connections on the same four-tuple: {difference}"));
        }
    }
    Seen::fine(late)
}
