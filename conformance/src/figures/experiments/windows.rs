//! Closed windows, from both sides.

use std::io;
use std::time::Duration;

use faultwire::fault::Class;
use faultwire::time::Time;

use super::super::bench::{SOON, pause};
use super::super::figure::Figure;
use super::super::seen::{Packet, Seen, first, growth};
use super::super::sentences::{MINIMUM_RTO, PROBE_IS_A_SEGMENT, WINDOW_STEPS};
use super::super::value::Value;
use super::{Experiment, plan};

/// The receive buffer that is filled, as a program asks for it, and what is sent into it, in bytes.
const ROOM: usize = 20_000;
const MUCH: usize = 60_000;

/// The peer's window closes, and stays closed.
pub(super) const PEER_DOES_NOT_READ: Experiment = Experiment {
    name: "peer-does-not-read",
    plan: || plan(1_000, None, Vec::new()),
    hosts: |bench| {
        let (tried, _peer) = bench.opened(Some(ROOM))?;
        fill(|data| tried.send_some(data))?;
        // Probes after 0.2, 0.6, 1.4 and 3 s of a closed window.
        pause(Duration::from_millis(3_800));
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "probe-first-wait",
            title: "first probe of a closed window",
            read: |seen| first(&probes(seen)?.0),
            sentences: &[MINIMUM_RTO],
        },
        Figure {
            id: "probe-growth",
            title: "each later wait, of the last",
            read: |seen| growth(&probes(seen)?.0),
            sentences: &[],
        },
        Figure {
            id: "probe-length",
            title: "bytes of data in a probe",
            read: |seen| Some(Value::Count(probes(seen)?.1.first()?.tcp()?.length as u64)),
            sentences: &[PROBE_IS_A_SEGMENT],
        },
    ],
};

/// Writes until the socket takes no more.
fn fill(mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    let data = vec![b'w'; MUCH];
    let mut sent = 0;
    for _ in 0..100 {
        sent += send(&data[sent..])?;
        pause(Duration::from_millis(2));
    }
    Ok(())
}

/// When the window had closed over all that was sent, and the packets that the tried host sent after that.
fn probes(seen: &Seen) -> Option<(Vec<Duration>, Vec<&Packet>)> {
    let end = |packet: &Packet| {
        packet.tcp().map_or(0, |tcp| tcp.seq.wrapping_add(u32::try_from(tcp.length).unwrap_or(0)))
    };
    let closed = seen.peer().filter(|packet| packet.tcp().is_some_and(|tcp| tcp.window == 0));
    let closed: Time = closed
        .filter_map(|packet| Some((packet.arrived?, packet.tcp()?.ack)))
        .find(|(arrived, ack)| {
            let sent = seen.class(Class::Data).take_while(|packet| packet.at < *arrived);
            sent.last().is_some_and(|last| end(last) == *ack)
        })?
        .0;
    let probes: Vec<&Packet> = seen.tried().filter(|packet| packet.at > closed).collect();
    let mut waits = Vec::new();
    let mut before = closed;
    for probe in &probes {
        waits.push(probe.at.since(before));
        before = probe.at;
    }
    Some((waits, probes))
}

/// The tried host's program does not read for a while; then it reads a byte, and later all.
pub(super) const TRIED_DOES_NOT_READ: Experiment = Experiment {
    name: "tried-does-not-read",
    plan: || plan(1_000, None, Vec::new()),
    hosts: |bench| {
        let (tried, peer) = bench.accepted(Some(ROOM))?;
        fill(|data| peer.send_some(data))?;
        pause(Duration::from_millis(600));
        tried.receive(1, SOON)?;
        pause(Duration::from_millis(400));
        while matches!(tried.receive(MUCH, Duration::from_millis(300)), Ok(1..)) {}
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "answer-to-a-probe",
            title: "answer to a probe",
            read: |seen| {
                let (closed, _) = closed(seen)?;
                let probe = seen.peer().find_map(|packet| packet.arrived.filter(|at| *at > closed))?;
                let answer = seen.tried().find(|packet| packet.at >= probe)?;
                let soon = answer.at.since(probe) < Duration::from_millis(100);
                let tcp = answer.tcp()?;
                Some(Value::Text(match (soon, tcp.length, tcp.window) {
                    (true, 0, 0) => "an ACK, window 0".to_owned(),
                    (true, length, window) => format!("{length} bytes, window {window}"),
                    (false, ..) => "none".to_owned(),
                }))
            },
            sentences: &[],
        },
        Figure {
            id: "window-opens",
            title: "bytes offered once it opens",
            read: |seen| {
                let (_, rest) = closed(seen)?;
                let window = rest
                    .into_iter()
                    .filter_map(Packet::tcp)
                    .map(|tcp| tcp.window)
                    .find(|window| *window > 0)?;
                let own = seen.class(Class::Syn).next()?.offers?;
                let shift = seen.agreed().scale.and(own.scale).unwrap_or(0);
                Some(Value::Count(u64::from(window) << shift))
            },
            sentences: &[WINDOW_STEPS],
        },
    ],
};

/// When the tried host first offered nothing, and what it sent after that.
fn closed(seen: &Seen) -> Option<(Time, Vec<&Packet>)> {
    let is_closed =
        |packet: &Packet| packet.label.class != Class::Syn && packet.tcp().is_some_and(|tcp| tcp.window == 0);
    let mut rest = seen.tried().skip_while(|packet| !is_closed(packet));
    let first = rest.next()?.at;
    Some((first, rest.collect()))
}
