//! The grid: which single faults a packet can suffer, and which outages begin with it.

use std::collections::BTreeSet;
use std::time::Duration;

use faultwire::fault::{
    Action, Anchor, Class, Cut, Direction, EventKind, Fault, Label, Lasts, Packet, PlanEvent, When, bounds,
};
use faultwire::packet::{Strictness, parse, parts, protocol};
use faultwire::trace::{Event, HostId, LossReason, PacketId, Trace, What};

use crate::seed::derive;

/// The single faults that are tried on each packet: it is dropped, duplicated, delayed, held back, or has a
/// bit flipped in its IP header, its transport header or its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    delays_us: Vec<u64>,
    holds: Vec<u32>,
    bits_per_part: u32,
    steady: bool,
    cancelling_bits: u32,
    outages: Vec<Lasts>,
    outages_max: u64,
}

/// In how many places of a packet, at most, two bits are flipped that cancel.
const CANCELLING_MAX: usize = 4;

impl Grid {
    /// The grid for programs whose link has this round-trip time and which wait this long before they try
    /// again.
    ///
    /// The delays are half a round trip, and a millisecond more than one and than two timeouts: the packet
    /// then comes just after what was sent in its place.
    pub fn new(rtt: Duration, timeout: Duration) -> Grid {
        let just_over = |time: Duration| time.saturating_add(Duration::from_millis(1));
        let grid = Grid {
            delays_us: Vec::new(),
            holds: vec![1, 3],
            bits_per_part: 1,
            steady: false,
            cancelling_bits: 0,
            outages: Vec::new(),
            outages_max: u64::MAX,
        };
        grid.delays([rtt / 2, just_over(timeout), just_over(timeout.saturating_mul(2))])
    }

    /// Other delays. Those of no length and repetitions are left out; what is longer than a plan may say is
    /// cut.
    pub fn delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Grid {
        let max = *bounds::DELAY_US.end();
        let micros = |delay: Duration| u64::try_from(delay.as_micros()).unwrap_or(max).min(max);
        self.delays_us = distinct(delays.into_iter().map(micros));
        self
    }

    /// Delays rounded up to whole milliseconds: what a testbed with a clock of such ticks can carry out.
    pub fn whole_ticks(mut self) -> Grid {
        let up = |delay: u64| delay.div_ceil(1_000).saturating_mul(1_000);
        self.delays_us = distinct(self.delays_us.into_iter().map(up));
        self
    }

    /// Other numbers of packets to be held behind. Zero and repetitions are left out.
    pub fn holds(mut self, holds: impl IntoIterator<Item = u32>) -> Grid {
        self.holds = distinct(holds.into_iter().map(u64::from))
            .into_iter()
            .filter_map(|hold| u32::try_from(hold).ok())
            .collect();
        self
    }

    /// In how many places, one at a time, each part of a packet is damaged; 1 unless said otherwise.
    pub fn bits_per_part(mut self, bits: u32) -> Grid {
        self.bits_per_part = bits;
        self
    }

    /// Only packets that a real kernel's runs have each time
    /// ([`Class::is_steady`](faultwire::fault::Class::is_steady)).
    pub fn steady(mut self) -> Grid {
        self.steady = true;
        self
    }

    /// Outages that begin right before a packet, one way and both, and last that long; none by default. Of at
    /// most `max` of a run, an even sample, where there are more.
    pub fn outages(mut self, lasts: impl IntoIterator<Item = Lasts>, max: u64) -> Grid {
        self.outages = lasts.into_iter().collect();
        self.outages_max = max;
        self
    }

    /// How many packets of a run its faults are for.
    pub fn packets(&self, trace: &Trace) -> usize {
        sites(trace, |_| true).iter().filter(|site| self.hits(site)).count()
    }

    /// The most outages that are tried of a run.
    pub fn outages_max(&self) -> u64 {
        self.outages_max
    }

    /// All outages from a packet of a run on that something may wait for an answer to, in the order of the
    /// packets.
    pub fn outages_in(&self, trace: &Trace) -> Vec<PlanEvent> {
        let sites = sites(trace, |_| true);
        sites.iter().filter(|site| self.hits(site)).flat_map(|site| self.outages_from(trace, site)).collect()
    }

    /// The outages that begin with a packet.
    pub(crate) fn outages_from(&self, trace: &Trace, site: &Site) -> Vec<PlanEvent> {
        let is_waited_for = |lasts: &&Lasts| match site.label.class {
            Class::Syn | Class::Data | Class::Fin => true,
            // Of these the wire knows no retransmission.
            Class::Datagram => matches!(lasts, Lasts::Us(_)),
            _ => false,
        };
        let ends = [trace.host_name(site.from), trace.host_name(site.to)].map(str::to_owned);
        let anchor = Anchor::new(ends.clone(), site.label.packet());
        let outage = |cut: &Cut<String>, lasts: Lasts| {
            let kind = EventKind::Outage { cut: cut.clone(), lasts };
            PlanEvent::new(kind, When::Before(anchor.clone()))
        };
        let cuts = [Cut::one_way(ends.clone()), Cut::between(ends)];
        let lasts = self.outages.iter().filter(is_waited_for);
        lasts.flat_map(|lasts| cuts.iter().map(|cut| outage(cut, *lasts))).collect()
    }

    /// Packets of any class, which is the default.
    pub(crate) fn any_class(mut self) -> Grid {
        self.steady = false;
        self
    }

    /// Whether a packet is one that its faults are for.
    pub(crate) fn hits(&self, site: &Site) -> bool {
        !self.steady || site.label.class.is_steady()
    }

    /// In how many places of a packet's payload (four at the most), one at a time, two bits are flipped that
    /// cancel in the Internet checksum (RFC 1071): bits of one column of its 16-bit sum, of which one becomes
    /// 0 and the other 1. None unless said otherwise.
    ///
    /// It is what a sum cannot see. Two bits that are flipped at random are such a pair about once in 32
    /// times: one time in 16 they are in one column, and every other time they differ.
    pub fn cancelling_bits(mut self, places: u32) -> Grid {
        self.cancelling_bits = places;
        self
    }

    /// The pairs of bits of a packet that the grid flips.
    pub(crate) fn pairs<'a>(&self, site: &'a Site) -> impl Iterator<Item = [u32; 2]> + use<'a> {
        let places = usize::try_from(self.cancelling_bits).unwrap_or(CANCELLING_MAX);
        site.cancelling.iter().flatten().copied().take(places)
    }

    /// The delays, in microseconds.
    pub fn delays_us(&self) -> &[u64] {
        &self.delays_us
    }

    /// All single faults on the packets of a run, in the order of the packets.
    pub fn faults(&self, trace: &Trace) -> Vec<Fault> {
        let mut faults = Vec::new();
        for site in sites(trace, |_| true).into_iter().filter(|site| self.hits(site)) {
            for index in 0..self.count(&site) {
                faults.extend(self.fault(trace.hosts(), &site, index));
            }
        }
        faults
    }

    /// How many faults there are for a packet.
    pub(crate) fn count(&self, site: &Site) -> u64 {
        let parts: u64 = site.bits.iter().map(|(_, bits)| self.places(*bits)).sum();
        let pairs = self.pairs(site).count() as u64;
        2 + self.delays_us.len() as u64 + self.holds.len() as u64 + parts + pairs
    }

    /// In how many places a part of `bits` bits is damaged.
    fn places(&self, bits: u32) -> u64 {
        u64::from(self.bits_per_part.min(bits))
    }

    /// The fault of that index below [`count`](Grid::count) for a packet.
    pub(crate) fn fault(&self, hosts: &[String], site: &Site, index: u64) -> Option<Fault> {
        let name = |host: HostId| hosts.get(usize::from(host.0)).cloned();
        Some(Fault::new(
            Direction::new(name(site.from)?, name(site.to)?),
            site.label.packet(),
            self.action(hosts, site, index)?,
        ))
    }

    fn action(&self, hosts: &[String], site: &Site, index: u64) -> Option<Action> {
        let mut index = match index {
            0 => return Some(Action::Drop),
            1 => return Some(Action::Duplicate),
            _ => usize::try_from(index - 2).ok()?,
        };
        match self.delays_us.get(index) {
            Some(delay) => return Some(Action::DelayUs(*delay)),
            None => index -= self.delays_us.len(),
        }
        match self.holds.get(index) {
            Some(hold) => return Some(Action::HoldFor(*hold)),
            None => index -= self.holds.len(),
        }
        let mut index = index as u64;
        for (part, (start, bits)) in site.bits.iter().enumerate() {
            let places = self.places(*bits);
            if index < places {
                // Keyed by the packet's name alone: the same packet is damaged alike in every run that has
                // it. In IPv6's header, which has no checksum, any bit is as good as another: what a host
                // makes of the damage (another address, another length, another traffic class) is what is
                // being tried.
                let spread = (index * u64::from(*bits) / places) as u32;
                let mut bit = (site.first_bit(hosts, part, *bits) + spread) % bits;
                if site.spare_bit == Some(start + bit) {
                    bit = (bit + 1) % bits;
                }
                return Some(Action::CorruptBits(vec![start + bit]));
            }
            index -= places;
        }
        let pair = self.pairs(site).nth(usize::try_from(index).ok()?)?;
        Some(Action::CorruptBits(pair.to_vec()))
    }
}

/// In the order given, without zeros and repetitions.
fn distinct(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut seen = BTreeSet::from([0]);
    numbers.filter(|number| seen.insert(*number)).collect()
}

/// A packet of a run that a fault can be planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) packet: PacketId,
    pub(crate) from: HostId,
    pub(crate) to: HostId,
    pub(crate) label: Label,
    /// IP header, transport header, payload: the first bit, and how many.
    pub(crate) bits: [(u32, u32); 3],
    spare_bit: Option<u32>,
    /// Pairs of bits of the payload that can be flipped without the checksum's noticing.
    cancelling: [Option<[u32; 2]>; CANCELLING_MAX],
}

/// Pairs of bits of a packet's payload, each in one column of the 16-bit sum, one set and one not: flipped
/// together they leave the sum as it is. Keyed by the packet's name alone, as [`Site::first_bit`].
fn cancelling(from: &str, to: &str, label: &Label, packet: &[u8]) -> [Option<[u32; 2]>; CANCELLING_MAX] {
    let [_, transport, payload] = parts(packet);
    let mut pairs = [None; CANCELLING_MAX];
    // The sum's words begin where the transport header does.
    let is_set = |bit: usize| packet.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    let (start, bits) = (payload.start * 8, payload.len() * 8);
    if transport.is_empty() || bits == 0 {
        return pairs;
    }
    let Packet { class, nth, flow: _, transmission } = label.packet();
    let name = (class as u8, nth, transmission.unwrap_or(1));
    for (place, pair) in (0_u64..).zip(&mut pairs) {
        let key = ("cancelling bits", from, to, name, place);
        let first = start + usize::try_from(derive(0, &key) % bits as u64).unwrap_or(0);
        let after = (first + 16..start + bits).step_by(16);
        let before = (start..first).rev().skip(15).step_by(16);
        let second = after.chain(before).find(|bit| is_set(*bit) != is_set(first));
        *pair = second.and_then(|second| {
            let (low, high) = (first.min(second), first.max(second));
            Some([u32::try_from(low).ok()?, u32::try_from(high).ok()?])
        });
    }
    for place in 1..CANCELLING_MAX {
        if pairs[..place].contains(&pairs[place]) {
            pairs[place] = None;
        }
    }
    pairs
}

/// The bit whose flip would say that a datagram carries no checksum (RFC 768), which is not damage: the only
/// bit that is set in a UDP checksum.
fn spare_bit(packet: &[u8]) -> Option<u32> {
    let ip = parse(packet, Strictness::Lengths).ok()?;
    if ip.protocol != protocol::UDP || ip.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return None;
    }
    let at = ip.payload.start + 6;
    let checksum = u16::from_be_bytes(*packet[..ip.payload.end].get(at..)?.first_chunk()?);
    (checksum.count_ones() == 1).then_some(u32::try_from(at * 8).ok()? + checksum.leading_zeros())
}

impl Site {
    /// The bit of a part, counted from its first, that is damaged first.
    fn first_bit(&self, hosts: &[String], part: usize, bits: u32) -> u32 {
        let name = |host: HostId| hosts.get(usize::from(host.0)).map_or("", String::as_str);
        let Packet { class, nth, flow: _, transmission } = self.label.packet();
        let packet = (class as u8, nth, transmission.unwrap_or(1));
        let key = ("damaged bit", name(self.from), name(self.to), packet, part as u8);
        let bit = derive(0, &key).checked_rem(u64::from(bits)).unwrap_or(0);
        u32::try_from(bit).unwrap_or(0)
    }
}

/// The packets of a run that a fault can be planned for, in the order of being sent, from those that `wanted`
/// admits.
///
/// Left out are packets that were lost before a fault could do anything to them (a cut link, no host there,
/// too big), and packets with the name of an earlier one, whom a plan cannot tell apart from it.
pub(crate) fn sites(trace: &Trace, mut wanted: impl FnMut(PacketId) -> bool) -> Vec<Site> {
    let lost = |packet: PacketId, later: &[Event]| {
        // The wire records such a loss right behind the sending.
        matches!(later.first().map(|event| &event.what), Some(What::Lost { packet: lost, reason })
            if *lost == packet && before_any_fault(*reason))
    };
    let mut names = BTreeSet::new();
    let mut sites = Vec::new();
    for (index, event) in trace.events().iter().enumerate() {
        let What::Sent { packet, from, to, label, bytes } = &event.what else {
            continue;
        };
        if !names.insert((*from, *to, label.packet()))
            || !wanted(*packet)
            || lost(*packet, &trace.events()[index + 1..])
        {
            continue;
        }
        let bit = |byte: usize| u32::try_from(byte * 8).unwrap_or(u32::MAX);
        sites.push(Site {
            packet: *packet,
            from: *from,
            to: *to,
            label: *label,
            cancelling: cancelling(trace.host_name(*from), trace.host_name(*to), label, bytes),
            bits: parts(bytes).map(|range| (bit(range.start), bit(range.len()))),
            spare_bit: spare_bit(bytes),
        });
    }
    sites
}

/// Leaves out the packets that were sent before all that is in the plan of a run had taken place.
pub(crate) fn after_the_plan(trace: &Trace, sites: &mut Vec<Site>) {
    let of_hosts = |what: &What| {
        matches!(what, What::Sent { .. } | What::Arrived { .. } | What::Lost { .. })
            || matches!(what, What::Call { .. } | What::Note { .. } | What::Noted { .. })
    };
    let last = trace.events().iter().rposition(|event| !of_hosts(&event.what));
    let mut later = trace.events().iter().skip(last.map_or(0, |last| last + 1));
    let first = later.find_map(|event| event.sending()).map(|sending| sending.packet);
    sites.retain(|site| first.is_some_and(|first| site.packet >= first));
}

fn before_any_fault(reason: LossReason) -> bool {
    match reason {
        LossReason::Partition | LossReason::NoSuchHost | LossReason::TooBig | LossReason::WireFull => true,
        LossReason::HostDown | LossReason::Damaged | LossReason::NotHandedOn => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use faultwire::fault::Class;
    use faultwire::packet::{Path, datagram};
    use proptest::prelude::*;

    use super::*;

    fn label(nth: u32) -> Label {
        Label {
            class: Class::Datagram,
            nth,
            nth_in_flow: nth,
            nth_any: nth,
            nth_any_in_flow: nth,
            flow: 1,
            transmission: 1,
        }
    }

    fn packet(payload: &[u8]) -> Bytes {
        datagram(([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into(), 64, payload).unwrap()
    }

    #[test]
    fn a_checksum_of_one_bit_is_to_be_spared() {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[3] = 28;
        packet[9] = protocol::UDP;
        assert_eq!(spare_bit(&packet), None);
        packet[27] = 1;
        assert_eq!(spare_bit(&packet), Some(28 * 8 - 1));
        packet[26] = 1;
        assert_eq!(spare_bit(&packet), None);
    }

    proptest! {
        #[test]
        fn pairs_that_cancel_leave_the_checksum_as_it_is(
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            nth in 1..1000_u32,
        ) {
            let packet = packet(&payload);
            let pairs = cancelling("client", "server", &label(nth), &packet);
            for (index, pair) in pairs.iter().enumerate() {
                let Some([low, high]) = *pair else { continue };
                prop_assert!(low < high && (high as usize) < packet.len() * 8 && low >= 28 * 8);
                prop_assert!(!pairs[..index].contains(pair));
                let mut altered = packet.to_vec();
                for bit in [low, high] {
                    altered[bit as usize / 8] ^= 0x80 >> (bit % 8);
                }
                prop_assert_ne!(&altered[28..], payload.as_slice());
                let path = Path::of(&altered).unwrap();
                prop_assert_eq!(path.checksum(protocol::UDP, &[&altered[20..]]), 0);
            }
        }
    }

    #[test]
    fn what_has_two_words_that_differ_has_pairs() {
        let of = |packet: Bytes| cancelling("a", "b", &label(1), &packet);
        assert!(of(packet(&[0xff, 0xff, 0, 0])).iter().flatten().count() > 1);
        assert_eq!(of(packet(&[7, 9, 7, 9])), [None; CANCELLING_MAX]);
        assert_eq!(of(packet(&[])), [None; CANCELLING_MAX]);
    }
}
