//! Repeats and their times: SYN, SYN-ACK, data, FIN; duplicate acknowledgements; the first flight.

use std::io;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, Packet};
use faultwire::packet::TcpFlags;

use super::super::bench::{Bench, SOON, pause, peer_server, tried_server};
use super::super::figure::Figure;
use super::super::seen::{Seen, first, growth, waits};
use super::super::sentences::{
    INITIAL_RTO, INITIAL_WINDOW, LINEAR_SYN, LOSS_PROBE, MINIMUM_RTO, OPTIONAL_OPTIONS, OPTIONS_TAKE_ROOM,
    RACK,
};
use super::super::value::Value;
use super::{Experiment, back, drops, forth, plan};

/// A link with a delay of a millisecond.
const MILLISECOND: u64 = 1_000;

/// Long enough for the kernel's five repeats of a SYN a second apart and the next one.
const SYNS: Duration = Duration::from_millis(8_000);
/// Long enough for three repeats of a SYN-ACK: after 1, 3 and 7 s.
const SYN_ACKS: Duration = Duration::from_millis(7_700);
/// Long enough for four repeats with a first timeout of 200 ms: after 0.2, 0.6, 1.4 and 3 s.
const REPEATS: Duration = Duration::from_millis(3_600);

/// What the tried host sends to a peer that never answers.
pub(super) const SILENT_PEER: Experiment = Experiment {
    name: "silent-peer",
    plan: || plan(MILLISECOND, None, drops(forth(), Class::Syn, 1..=9)),
    hosts: |bench| {
        let socket = bench.tried.stream()?;
        // It times out, unless the kernel gives up first: neither is a matter here.
        let _ = socket.connect(peer_server(), SYNS);
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "syn-offers",
            title: "what a SYN offers",
            read: |seen| Some(Value::Text(offers(seen)?)),
            sentences: &[OPTIONAL_OPTIONS],
        },
        Figure {
            id: "ttl",
            title: "hop limit of its packets",
            read: |seen| Some(Value::Count(seen.tried().next()?.ttl.into())),
            sentences: &[],
        },
        Figure {
            id: "syn-first-wait",
            title: "first repeat of a SYN",
            read: |seen| first(&waits(seen.class(Class::Syn))),
            sentences: &[INITIAL_RTO],
        },
        Figure {
            id: "syn-growth",
            title: "each later wait, of the last",
            read: |seen| growth(&waits(seen.class(Class::Syn))),
            sentences: &[LINEAR_SYN],
        },
    ],
};

/// The options of the tried host's SYN, in a fixed order.
fn offers(seen: &Seen) -> Option<String> {
    let offers = seen.class(Class::Syn).next()?.offers?;
    let words = [
        offers.mss.map(|mss| format!("mss {mss}")),
        offers.sack.then(|| "sack".to_owned()),
        offers.timestamps.then(|| "timestamps".to_owned()),
        offers.scale.map(|shift| format!("scale {shift}")),
    ];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The peer's SYN arrives once, and no SYN-ACK does.
pub(super) const LOST_SYN_ACK: Experiment = Experiment {
    name: "lost-syn-ack",
    plan: || {
        let mut faults = drops(forth(), Class::Syn, 1..=9);
        faults.extend(drops(back(), Class::Syn, 2..=12));
        plan(MILLISECOND, None, faults)
    },
    hosts: |bench| {
        let (listener, client) = (bench.tried.stream()?, bench.peer.stream()?);
        listener.listen(tried_server())?;
        let _ = client.connect(tried_server(), SYN_ACKS);
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "syn-ack-first-wait",
            title: "first repeat of a SYN-ACK",
            read: |seen| first(&waits(seen.class(Class::Syn))),
            sentences: &[INITIAL_RTO],
        },
        Figure {
            id: "syn-ack-growth",
            title: "each later wait, of the last",
            read: |seen| growth(&waits(seen.class(Class::Syn))),
            sentences: &[],
        },
    ],
};

/// A segment is lost four times over.
pub(super) const LOST_DATA: Experiment = Experiment {
    name: "lost-data",
    plan: || {
        let transmission = |transmission| {
            Fault::new(
                forth(),
                Packet { transmission: Some(transmission), ..Packet::nth(Class::Data, 1) },
                Action::Drop,
            )
        };
        plan(MILLISECOND, None, (1..=4).map(transmission).collect())
    },
    hosts: |bench| {
        let (tried, _peer) = bench.opened(None)?;
        tried.send(&[b'd'; 100])?;
        pause(REPEATS);
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "data-first-wait",
            title: "first repeat of lost data",
            read: |seen| first(&waits(seen.class(Class::Data))),
            sentences: &[MINIMUM_RTO],
        },
        Figure {
            id: "data-growth",
            title: "each later wait, of the last",
            read: |seen| growth(&waits(seen.class(Class::Data))),
            sentences: &[LOSS_PROBE],
        },
    ],
};

/// A FIN is lost four times over.
pub(super) const LOST_FIN: Experiment = Experiment {
    name: "lost-fin",
    plan: || plan(MILLISECOND, None, drops(forth(), Class::Fin, 1..=4)),
    hosts: |bench| {
        let (tried, _peer) = bench.opened(None)?;
        tried.finish()?;
        pause(REPEATS);
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "fin-first-wait",
            title: "first repeat of a lost FIN",
            read: |seen| first(&waits(seen.class(Class::Fin))),
            sentences: &[MINIMUM_RTO],
        },
        Figure {
            id: "fin-growth",
            title: "each later wait, of the last",
            read: |seen| growth(&waits(seen.class(Class::Fin))),
            sentences: &[LOSS_PROBE],
        },
    ],
};

/// Segments follow each other so slowly that each duplicate acknowledgement is back before the next one goes
/// out.
const PACE: Duration = Duration::from_millis(12);
/// The segment of them that is lost.
const LOST: u32 = 4;

/// One of many segments is lost.
pub(super) const GAP: Experiment = Experiment {
    name: "gap",
    plan: || plan(MILLISECOND, None, drops(forth(), Class::Data, LOST..=LOST)),
    hosts: |bench| {
        let (tried, _peer) = bench.opened(None)?;
        for _ in 0..14 {
            tried.send(&[b'g'; 1_000])?;
            pause(PACE);
        }
        pause(Duration::from_millis(500));
        Ok(Vec::new())
    },
    figures: &[Figure {
        id: "duplicates",
        title: "duplicate ACKs until it repeats",
        read: duplicates,
        sentences: &[RACK],
    }],
};

/// The acknowledgements for what comes before the lost segment that arrived before its repeat, but the first
/// one.
fn duplicates(seen: &Seen) -> Option<Value> {
    let mut lost = seen.class(Class::Data).filter(|packet| packet.label.nth == LOST);
    let (original, repeat) = (lost.next()?, lost.next()?);
    let seq = original.tcp()?.seq;
    let same = seen.peer().filter(|packet| {
        let is_same =
            packet.tcp().is_some_and(|tcp| tcp.ack == seq && tcp.flags.has(TcpFlags::ACK) && tcp.length == 0);
        is_same && packet.arrived.is_some_and(|at| at <= repeat.at)
    });
    Some(Value::Count(same.count().checked_sub(1)?.try_into().ok()?))
}

/// Much is sent at once over a longer link.
pub(super) const FIRST_FLIGHT: Experiment = Experiment {
    name: "first-flight",
    plan: || plan(20_000, None, Vec::new()),
    hosts: first_flight,
    figures: &[
        Figure {
            id: "initial-window",
            title: "segments before the first ACK",
            read: |seen| {
                let begun = seen.class(Class::Data).next()?.tcp()?.seq;
                let answered = seen
                    .peer()
                    .filter(|packet| {
                        packet.tcp().is_some_and(|tcp| tcp.ack.wrapping_sub(begun).cast_signed() > 0)
                    })
                    .find_map(|packet| packet.arrived)?;
                let sent = seen.class(Class::Data).take_while(|packet| packet.at < answered).count();
                Some(Value::Count(sent.try_into().ok()?))
            },
            sentences: &[INITIAL_WINDOW],
        },
        Figure {
            id: "segment-size",
            title: "most data in a segment",
            read: |seen| {
                let most = seen.class(Class::Data).filter_map(|packet| Some(packet.tcp()?.length)).max()?;
                Some(Value::Count(most.try_into().ok()?))
            },
            sentences: &[OPTIONS_TAKE_ROOM],
        },
    ],
};

fn first_flight(bench: &Bench) -> io::Result<Vec<String>> {
    let (tried, peer) = bench.opened(None)?;
    let data = vec![b'f'; 60_000];
    let mut sent = 0;
    while sent < data.len() {
        sent += tried.send_some(&data[sent..])?;
        pause(Duration::from_millis(1));
    }
    let mut got = 0;
    while got < sent {
        match peer.receive(sent, SOON)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => got += more,
        }
    }
    // The acknowledgements are still on their way.
    pause(Duration::from_millis(100));
    Ok(Vec::new())
}
