//! The TCP connections of a run as their packets show them: every segment, and when it was sent and arrived.
//!
//! Sequence numbers are counted from the initial one of their side: 0 is the SYN, 1 the first byte of data. A
//! segment that arrived damaged did not arrive: a checksum of TCP or IPv4 covers every bit of it, and a host
//! throws it away. Where a check asks what came before what, the places of sendings and arrivals in the trace
//! tell.

mod view;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use faultwire::fault::Action;
use faultwire::packet::{PacketView, TcpFlags, Transport, max_segment_size, tcp_options};
use faultwire::time::Time;
use faultwire::trace::{HostId, Sending, What};
use faultwire_sim::Run;

pub(super) use view::{Happened, View, Word};

/// The side that sent the first SYN.
pub(super) const OPENER: usize = 0;
/// The segment size of a peer that announces none (RFC 9293, section 3.7.1).
const SEGMENT_DEFAULT: i64 = 536;

/// A segment as it left its host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Which side sent it.
    pub(super) side: usize,
    pub(super) at: Time,
    /// The place of its sending in the trace.
    pub(super) place: usize,
    /// The first sequence number that it takes up.
    pub(super) seq: i64,
    /// Bytes of data.
    pub(super) len: i64,
    pub(super) flags: TcpFlags,
    pub(super) ack: Option<i64>,
    /// In bytes: scaled where both sides offered that (RFC 7323, section 2.2).
    pub(super) window: i64,
    /// At least one copy of it arrived as it was sent.
    pub(super) arrived: bool,
    /// It was dropped, damaged, or lost otherwise.
    pub(super) hit: bool,
}

impl Segment {
    /// Whether it has that control bit.
    pub(super) fn is(&self, flag: TcpFlags) -> bool {
        self.flags.has(flag)
    }

    /// Where its data begins.
    pub(super) fn text(&self) -> i64 {
        self.seq + i64::from(self.is(TcpFlags::SYN))
    }

    /// Where its data ends.
    pub(super) fn text_end(&self) -> i64 {
        self.text() + self.len
    }

    /// The sequence number behind it.
    pub(super) fn end(&self) -> i64 {
        self.text_end() + i64::from(self.is(TcpFlags::FIN))
    }

    /// Whether it takes up this sequence number.
    pub(super) fn covers(&self, seq: i64) -> bool {
        self.seq <= seq && seq < self.end()
    }

    /// Whether it opens a connection: a SYN that acknowledges nothing.
    pub(super) fn is_opening(&self) -> bool {
        is_opening(self.flags)
    }

    /// Whether it is lost: no copy arrived as it was sent, and none will.
    pub(super) fn is_lost(&self) -> bool {
        self.hit && !self.arrived
    }
}

/// What happens to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Sent,
    /// A copy arrived as it was sent.
    Arrived,
    /// A copy arrived damaged.
    Damaged,
}

/// Something that happened to a segment of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) at: Time,
    /// The event's place in the trace.
    pub(super) place: usize,
    pub(super) moment: Moment,
    /// The segment's index.
    pub(super) segment: usize,
}

/// A connection. What is said of a side stands at its index.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) addrs: [SocketAddr; 2],
    /// The host of a side, once that has sent something.
    pub(super) hosts: [Option<HostId>; 2],
    /// The segment size that a side announced, in bytes.
    announced: [i64; 2],
    /// How far a side's windows are to be shifted, if it offered that.
    shifts: [Option<u8>; 2],
    isn: [Option<u32>; 2],
    pub(super) segments: Vec<Segment>,
    /// In the order of the trace.
    pub(super) steps: Vec<Step>,
    /// A side sent a reset: from then on nothing is promised.
    pub(super) reset: bool,
    /// When the run ended.
    pub(super) end: Time,
}

impl Flow {
    /// The largest segment that a side may send, in bytes of data, as far as the peer's announcement goes.
    pub(super) fn segment_max(&self, side: usize) -> i64 {
        self.announced[1 - side].min(self.announced[side])
    }

    /// The port that was connected to.
    pub(super) fn port(&self) -> u16 {
        self.addrs[1 - OPENER].port()
    }

    /// The side that is at a host, if one is.
    pub(super) fn side_at(&self, host: HostId) -> Option<usize> {
        self.hosts.iter().position(|it| *it == Some(host))
    }

    /// The segment size that a side announced, in bytes.
    pub(super) fn announced(&self, side: usize) -> i64 {
        self.announced[side]
    }

    /// By how much the windows of a side are shifted.
    fn shift(&self, side: usize) -> u8 {
        self.shifts[1 - side].and(self.shifts[side]).unwrap_or(0)
    }

    /// The bytes that a side's windows count in.
    pub(super) fn window_unit(&self, side: usize) -> i64 {
        1 << self.shift(side)
    }

    /// What a side sent, in order.
    pub(super) fn sent_by(&self, side: usize) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |it| it.side == side)
    }

    /// What of a side's arrived as it was sent, each time that it did, with the place of the arrival in the
    /// trace.
    pub(super) fn arrivals_from(&self, side: usize) -> impl Iterator<Item = (usize, &Segment)> {
        let arrivals = self.steps.iter().filter(|step| step.moment == Moment::Arrived);
        arrivals.map(|step| (step.place, &self.segments[step.segment])).filter(move |(_, it)| it.side == side)
    }

    /// Whether a packet begins another connection between the same addresses and ports.
    fn is_over_for(&self, side: usize, view: &PacketView) -> bool {
        match (&view.transport, self.isn[side]) {
            (Transport::Tcp { seq, flags, .. }, Some(own)) => is_opening(*flags) && *seq != own,
            _ => false,
        }
    }

    /// Reads a segment of this connection; `None` before the SYN of its side.
    fn read(
        &mut self,
        side: usize,
        place: usize,
        sending: &Sending<'_>,
        view: &PacketView,
    ) -> Option<Segment> {
        let Transport::Tcp { seq, ack, flags, window, ref options, ref payload, .. } = view.transport else {
            return None;
        };
        if flags.has(TcpFlags::SYN) && self.isn[side].is_none() {
            self.isn[side] = Some(seq);
            self.announced[side] = max_segment_size(options).map_or(SEGMENT_DEFAULT, i64::from);
            self.shifts[side] = window_shift(options);
        }
        // No run sends as much as half of the sequence space.
        let since = |isn: u32, number: u32| i64::from(number.wrapping_sub(isn).cast_signed());
        let own = self.isn[side]?;
        let shift = if flags.has(TcpFlags::SYN) { 0 } else { self.shift(side) };
        let acked = self.isn[1 - side].filter(|_| flags.has(TcpFlags::ACK)).map(|isn| since(isn, ack));
        Some(Segment {
            side,
            at: sending.at,
            place,
            seq: since(own, seq),
            len: i64::try_from(payload.len()).unwrap_or(i64::MAX),
            flags,
            ack: acked,
            window: i64::from(window) << shift,
            arrived: false,
            hit: false,
        })
    }
}

/// By how much the options of a SYN have the windows of its side shifted: 14 at most (RFC 7323, section 2.3).
fn window_shift(options: &[u8]) -> Option<u8> {
    tcp_options(options).find_map(|option| match option {
        (3, [shift]) => Some((*shift).min(14)),
        _ => None,
    })
}

fn is_opening(flags: TcpFlags) -> bool {
    flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK)
}

/// The connections of a run, in the order of their first SYNs. A SYN with another sequence number begins
/// another connection, on the same addresses and ports too.
pub(super) fn flows(run: &Run) -> Vec<Flow> {
    let end = run.elapsed;
    let mut flows: Vec<Flow> = Vec::new();
    let mut index: BTreeMap<(SocketAddr, SocketAddr), (usize, usize)> = BTreeMap::new();
    // For each packet, in the order of sending, its connection and its segment.
    let mut places: Vec<Option<(usize, usize)>> = Vec::new();
    for (at, event) in run.trace.events().iter().enumerate() {
        if let Some(sending) = event.sending() {
            let place = enter(&mut flows, &mut index, at, &sending, end);
            let number = sending.packet.0 as usize;
            places.resize(number.max(places.len()), None);
            places.push(place);
            continue;
        }
        let (packet, is_whole) = match &event.what {
            What::Arrived { packet, altered, .. } => (packet, altered.is_none()),
            What::Fault { packet, action: Action::Drop, .. } | What::Lost { packet, .. } => (packet, false),
            _ => continue,
        };
        let Some((flow, segment)) = places.get(packet.0 as usize).copied().flatten() else { continue };
        let flow = &mut flows[flow];
        flow.segments[segment].arrived |= is_whole;
        flow.segments[segment].hit |= !is_whole;
        if matches!(event.what, What::Arrived { .. }) {
            let moment = if is_whole { Moment::Arrived } else { Moment::Damaged };
            flow.steps.push(Step { at: event.at, place: at, moment, segment });
        }
    }
    flows
}

/// Enters a sent packet, with the place of its segment if it belongs to a connection. An injected packet was
/// never sent, but can arrive.
fn enter(
    flows: &mut Vec<Flow>,
    index: &mut BTreeMap<(SocketAddr, SocketAddr), (usize, usize)>,
    at: usize,
    sending: &Sending<'_>,
    end: Time,
) -> Option<(usize, usize)> {
    let view = sending.view()?;
    let Transport::Tcp { flags, .. } = view.transport else { return None };
    let (from, to) = (view.source()?, view.destination()?);
    // Nobody opens a connection with it.
    let is_stray = sending.label.is_none();
    let (flow, side) = match index.get(&(from, to)) {
        Some((flow, side)) if is_stray || !flows[*flow].is_over_for(*side, &view) => (*flow, *side),
        _ if is_opening(flags) && !is_stray => {
            flows.push(Flow {
                addrs: [from, to],
                hosts: [None; 2],
                announced: [SEGMENT_DEFAULT; 2],
                shifts: [None; 2],
                isn: [None; 2],
                segments: Vec::new(),
                steps: Vec::new(),
                reset: false,
                end,
            });
            let new = flows.len() - 1;
            index.insert((from, to), (new, OPENER));
            index.insert((to, from), (new, 1 - OPENER));
            (new, OPENER)
        }
        _ => return None,
    };
    let entered = &mut flows[flow];
    entered.reset |= flags.has(TcpFlags::RST);
    let segment = entered.read(side, at, sending, &view)?;
    entered.segments.push(segment);
    let segment = entered.segments.len() - 1;
    if !is_stray {
        entered.hosts[side] = Some(sending.from);
        entered.steps.push(Step { at: sending.at, place: at, moment: Moment::Sent, segment });
    }
    Some((flow, segment))
}
