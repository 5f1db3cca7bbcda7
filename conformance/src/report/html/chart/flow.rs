//! A direction of a connection, as its sender sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use faultwire::fault::Action;
use faultwire::packet::{PacketView, TcpFlags, Transport};
use faultwire::time::Time;
use faultwire::trace::{HostId, Note, PacketId, TcpNote, Trace, What};

/// Source and destination.
type Way = (SocketAddr, SocketAddr);

/// When, in nanoseconds, and how many bytes then.
pub(super) type Point = (u64, i64);

/// What is marked at the foot of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A segment was sent that never arrived whole.
    Lost,
    /// Three duplicate acknowledgements.
    FastRetransmit,
    /// The retransmission timer.
    Timeout,
    /// A closed window was asked for.
    Probe,
}

/// A direction of a connection, from its SYN on.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Segments with data, repeats among them.
    pub(super) segments: usize,
    /// What was in flight came within a segment of the window on offer, or of the congestion window.
    pub(super) is_bounded: bool,
    /// A window of no bytes was offered.
    pub(super) was_closed: bool,
    pub(super) in_flight: Vec<Point>,
    /// What the receiver offered to take.
    pub(super) offered: Vec<Point>,
    /// What the sender's congestion window allowed: its stack tells that.
    pub(super) congestion: Vec<Point>,
    pub(super) marks: Vec<(u64, Mark)>,
    /// By sequence number: when it was sent.
    pub(super) sendings: BTreeMap<u32, Vec<u64>>,
    /// The first sequence number, the one behind the last that was sent, and what is acknowledged of them.
    first: Option<u32>,
    sent: i64,
    acked: i64,
    longest: i64,
    lost: Vec<(PacketId, u64)>,
}

impl Flow {
    fn offset(&self, seq: u32) -> i64 {
        i64::from(seq.wrapping_sub(self.first.unwrap_or(seq)).cast_signed())
    }

    fn sends(&mut self, at: u64, packet: PacketId, view: &PacketView) {
        let Transport::Tcp { seq, flags, payload, .. } = &view.transport else { return };
        let marks = u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(marks);
        if len == 0 || flags.has(TcpFlags::RST) {
            return;
        }
        self.first.get_or_insert(*seq);
        self.segments += usize::from(!payload.is_empty());
        self.longest = self.longest.max(i64::from(len));
        self.sent = self.sent.max(self.offset(*seq) + i64::from(len));
        self.is_now(at);
        self.sendings.entry(*seq).or_default().push(at);
        self.lost.push((packet, at));
    }

    fn hears(&mut self, at: u64, view: &PacketView) {
        let Transport::Tcp { ack, flags, window, .. } = view.transport else { return };
        if !flags.has(TcpFlags::ACK) || flags.has(TcpFlags::RST) {
            return;
        }
        self.acked = self.acked.max(self.offset(ack).min(self.sent));
        self.is_now(at);
        put(&mut self.offered, at, i64::from(window));
        self.was_closed |= window == 0;
    }

    fn is_now(&mut self, at: u64) {
        let bytes = self.sent - self.acked;
        if let Some((_, window)) = self.offered.last() {
            self.is_bounded |= bytes + self.longest > *window;
        }
        put(&mut self.in_flight, at, bytes);
    }

    /// The congestion window and what is lost are known only when all was read.
    fn conclude(&mut self, lost: &BTreeSet<PacketId>) {
        let gone = self.lost.drain(..).filter(|(packet, _)| lost.contains(packet));
        self.marks.extend(gone.map(|(_, at)| (at, Mark::Lost)));
        self.marks.sort_unstable();
        let mut windows = self.congestion.iter().peekable();
        let mut window = None;
        for (at, bytes) in &self.in_flight {
            while let Some((_, now)) = windows.next_if(|(since, _)| since <= at) {
                window = Some(*now);
            }
            self.is_bounded |= window.is_some_and(|window| bytes + self.longest > window);
        }
    }
}

/// Notes a value; of several at the same instant the last counts, which is the one that the sender then uses.
fn put(points: &mut Vec<Point>, at: u64, bytes: i64) {
    match points.last_mut() {
        Some(last) if last.0 == at => last.1 = bytes,
        _ => points.push((at, bytes)),
    }
}

/// The directions of all connections, in the order of their SYNs. A later connection between the same ports
/// is another.
pub(super) fn flows(trace: &Trace) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    let mut now: BTreeMap<Way, usize> = BTreeMap::new();
    // Those between two ports at a host, with when they began.
    let mut at_ports: BTreeMap<(HostId, u16, u16), Vec<(Time, usize)>> = BTreeMap::new();
    let mut packets = BTreeMap::new();
    let mut lost = BTreeSet::new();
    for event in trace.events() {
        let at = event.at.as_nanos();
        if let Some(sending) = event.sending() {
            let Some((way, view)) = sending.view().and_then(|view| Some((way(&view)?, view))) else {
                continue;
            };
            if sending.label.is_some() {
                let known = now.get(&way).copied().filter(|index| !begins_anew(&flows[*index], &view));
                let index = known.unwrap_or_else(|| {
                    flows.push(Flow::default());
                    let ports = (sending.from, way.0.port(), way.1.port());
                    at_ports.entry(ports).or_default().push((event.at, flows.len() - 1));
                    now.insert(way, flows.len() - 1);
                    flows.len() - 1
                });
                flows[index].sends(at, sending.packet, &view);
            }
            packets.insert(sending.packet, (way, view));
        } else if let Some(arrival) = event.arrival() {
            let whole = arrival.altered.is_none();
            if let Some(((from, to), view)) = packets.get(&arrival.packet).filter(|_| whole)
                && let Some(index) = now.get(&(*to, *from))
            {
                flows[*index].hears(at, view);
            }
        } else if let What::Lost { packet, .. } | What::Fault { packet, action: Action::Drop, .. } =
            &event.what
        {
            lost.insert(*packet);
        }
    }
    let of = |at: Time, host: HostId, port: u16, peer: u16| {
        let those = at_ports.get(&(host, port, peer))?;
        those.iter().rfind(|(since, _)| *since <= at).or(those.first()).map(|(_, index)| *index)
    };
    for window in trace.congestion_windows() {
        if let Some(index) = of(window.at, window.host, window.port, window.peer) {
            put(&mut flows[index].congestion, window.at.as_nanos(), i64::from(window.bytes));
        }
    }
    for (at, host, note) in trace.notes() {
        let Note::Tcp { port, peer, note } = note else { continue };
        let mark = match note {
            TcpNote::Timeout => Mark::Timeout,
            TcpNote::FastRetransmit => Mark::FastRetransmit,
            TcpNote::Probe => Mark::Probe,
            _ => continue,
        };
        if let Some(index) = of(at, host, port, peer) {
            flows[index].marks.push((at.as_nanos(), mark));
        }
    }
    flows.iter_mut().for_each(|flow| flow.conclude(&lost));
    flows
}

fn way(view: &PacketView) -> Option<Way> {
    matches!(view.transport, Transport::Tcp { .. }).then_some(())?;
    view.source().zip(view.destination())
}

/// A SYN with another number than the one before.
fn begins_anew(flow: &Flow, view: &PacketView) -> bool {
    let Transport::Tcp { seq, flags, .. } = &view.transport else { return false };
    flags.has(TcpFlags::SYN) && flow.first.is_some_and(|first| first != *seq)
}
