//! How soon, and how often, the tried host acknowledges.

use std::io;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, Packet as Name};
use faultwire::packet::TcpFlags;

use super::super::bench::{Bench, SOON, pause};
use super::super::figure::Figure;
use super::super::seen::{Packet, Seen};
use super::super::sentences::{DELAYED_ACK, EVERY_SECOND_SEGMENT};
use super::super::value::Value;
use super::{Experiment, back, plan};

/// What is said at a time, in bytes.
const WORD: usize = 100;
/// Longer than any acknowledgement may wait.
const ENOUGH: Duration = Duration::from_millis(1_300);
/// The peer's segments without an answer: the first and the last.
const ALONE: [u32; 2] = [1, 6];

/// The peer says something, the two talk for a while, and the peer says something that is not answered.
pub(super) const CONVERSATION: Experiment = Experiment {
    name: "conversation",
    plan: || {
        // A repeat would be acknowledged at once, and hide how long the tried host waits by itself.
        let repeat = |nth, transmission| {
            Fault::new(
                back(),
                Name { transmission: Some(transmission), ..Name::nth(Class::Data, nth) },
                Action::Drop,
            )
        };
        let faults = ALONE.into_iter().flat_map(|nth| (2..=6).map(move |again| repeat(nth, again)));
        plan(1_000, None, faults.collect())
    },
    hosts: |bench| {
        let (tried, peer) = bench.accepted(None)?;
        peer.send(&[b'1'; WORD])?;
        tried.receive(WORD, SOON)?;
        pause(ENOUGH);
        for _ in 0..4 {
            peer.send(&[b'?'; WORD])?;
            tried.receive(WORD, SOON)?;
            tried.send(&[b'!'; WORD])?;
            peer.receive(WORD, SOON)?;
        }
        pause(Duration::from_millis(100));
        peer.send(&[b'.'; WORD])?;
        tried.receive(WORD, SOON)?;
        pause(ENOUGH);
        Ok(Vec::new())
    },
    figures: &[
        Figure {
            id: "ack-of-the-first",
            title: "ACK of a connection's first data",
            read: |seen| acknowledged(seen, seen.peer().find(|packet| is_alone(packet, 0))?),
            sentences: &[DELAYED_ACK],
        },
        Figure {
            id: "ack-in-conversation",
            title: "ACK of data without an answer",
            read: |seen| acknowledged(seen, seen.peer().find(|packet| is_alone(packet, 1))?),
            sentences: &[DELAYED_ACK],
        },
    ],
};

fn is_alone(packet: &Packet, which: usize) -> bool {
    packet.label.class == Class::Data && packet.label.nth == ALONE[which] && packet.label.transmission == 1
}

fn is_data(packet: &&Packet) -> bool {
    packet.label.class == Class::Data
}

/// How long after its arrival the tried host acknowledged a segment.
fn acknowledged(seen: &Seen, data: &Packet) -> Option<Value> {
    let (arrived, tcp) = (data.arrived?, data.tcp()?);
    let end = tcp.seq.wrapping_add(u32::try_from(tcp.length).ok()?);
    let acknowledges = |packet: &&Packet| {
        packet.at >= arrived
            && packet.tcp().is_some_and(|tcp| {
                tcp.flags.has(TcpFlags::ACK) && tcp.ack.wrapping_sub(end).cast_signed() >= 0
            })
    };
    let answer = seen.tried().find(acknowledges)?;
    Some(Value::Seconds(answer.at.since(arrived).as_secs_f64()))
}

/// What the peer sends in the stream, in bytes: all of it fits into the tried host's buffer.
const STREAM_LENGTH: usize = 40_000;

/// The peer sends a stream of full segments, each of which takes its time on the link. No program reads
/// them: reading makes room, which is announced with acknowledgements of another kind.
pub(super) const STREAM: Experiment = Experiment {
    name: "stream",
    plan: || plan(1_000, Some(10_000), Vec::new()),
    hosts: stream,
    figures: &[Figure {
        id: "segments-per-ack",
        title: "full segments for an ACK",
        read: |seen| {
            let segments = seen.peer().filter(is_data).count();
            let acks = seen.class(Class::Ack).count();
            (acks > 0).then(|| Value::Count(((segments + acks / 2) / acks) as u64))
        },
        sentences: &[EVERY_SECOND_SEGMENT],
    }],
};

fn stream(bench: &Bench) -> io::Result<Vec<String>> {
    let (_tried, peer) = bench.accepted(None)?;
    let data = vec![b's'; STREAM_LENGTH];
    let mut sent = 0;
    while sent < data.len() {
        sent += peer.send_some(&data[sent..])?;
        pause(Duration::from_millis(1));
    }
    pause(Duration::from_millis(300));
    Ok(Vec::new())
}
