//! The link between two hosts: what it was seen to carry, how busy it is, and whether it is cut.

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::super::LinkNumbers;
use super::super::classify::Classifier;
use super::select::Way;
use crate::model::{Cut, HostId, Time};

/// One way over a link, in units that need no further arithmetic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// The shortest delay.
    pub(super) delay: Duration,
    /// How much longer it may be, in microseconds.
    varies_us: u64,
    pub(super) mtu: usize,
    rate_kbps: Option<u64>,
    /// What the names of its sender and its receiver give for the delays.
    names: [u64; 2],
}

impl Line {
    fn new(numbers: LinkNumbers, names: [u64; 2]) -> Line {
        Line {
            delay: numbers.delay(),
            varies_us: numbers.delay_us_max.map_or(0, |max| max.saturating_sub(numbers.delay_us)),
            mtu: usize::from(numbers.mtu),
            rate_kbps: numbers.rate_kbps,
            names,
        }
    }

    /// The delay of the nth of all packets that go this way.
    pub(super) fn delay_of(&self, nth: u32) -> Duration {
        if self.varies_us == 0 {
            return self.delay;
        }
        let [from, to] = self.names;
        let mut hasher = SipHasher13::new_with_keys(from, to);
        hasher.write(&nth.to_le_bytes());
        let drawn = u128::from(hasher.finish()) * (u128::from(self.varies_us) + 1);
        self.delay.saturating_add(Duration::from_micros((drawn >> 64) as u64))
    }

    /// How long it takes to put a packet of `bytes` bytes on the link; whole nanoseconds, rounded up.
    fn serialization(&self, bytes: usize) -> Duration {
        const NANOS_TIMES_BITS: u64 = 8 * 1_000_000;
        self.rate_kbps.map_or(Duration::ZERO, |kbps| {
            let work = (bytes as u64).saturating_mul(NANOS_TIMES_BITS);
            Duration::from_nanos(work.div_ceil(kbps.max(1)))
        })
    }
}

/// The link between two hosts; the lower host is side 0.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) seen: Classifier,
    /// What each side sends over.
    lines: [Line; 2],
    /// Until when each side is busy putting earlier packets on the link.
    busy: [Time; 2],
}

impl Between {
    /// What a side sends over.
    pub(super) fn line(&self, side: usize) -> Line {
        self.lines[side]
    }

    /// When a packet that is sent now has left its host.
    pub(super) fn departure(&self, side: usize, now: Time, bytes: usize) -> Time {
        now.max(self.busy[side]) + self.lines[side].serialization(bytes)
    }

    /// The side is busy until then.
    pub(super) fn occupy(&mut self, side: usize, until: Time) {
        self.busy[side] = until;
    }
}

/// The links of a run, one for every two hosts that ever spoke.
#[derive(Debug)]
pub(super) struct Links {
    /// What a way is like that is not in `differing`.
    numbers: LinkNumbers,
    differing: Vec<(Way, LinkNumbers)>,
    /// A hash of each host's name: not its number, so that a delay does not depend on the other hosts.
    names: Vec<u64>,
    known: Vec<((HostId, HostId), Box<Between>)>,
}

impl Links {
    /// The links between these hosts. Of several that differ for one way, the first counts.
    pub(super) fn new(numbers: LinkNumbers, differing: Vec<(Way, LinkNumbers)>, hosts: &[String]) -> Links {
        let hash = |name: &String| {
            let mut hasher = SipHasher13::new();
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        Links { numbers, differing, names: hosts.iter().map(hash).collect(), known: Vec::new() }
    }

    fn line(&self, (from, to): Way) -> Line {
        let differing = self.differing.iter().find(|(way, _)| *way == (from, to));
        let numbers = differing.map_or(self.numbers, |(_, numbers)| *numbers);
        let name = |host: HostId| self.names.get(usize::from(host.0)).copied().unwrap_or_default();
        Line::new(numbers, [name(from), name(to)])
    }

    /// The link of that way, and the side that sends.
    pub(super) fn between(&mut self, (from, to): Way) -> (&mut Between, usize) {
        let pair = (from.min(to), from.max(to));
        let index = match self.known.binary_search_by_key(&pair, |(pair, _)| *pair) {
            Ok(index) => index,
            Err(index) => {
                let lines = [pair, (pair.1, pair.0)].map(|way| self.line(way));
                let between = Between { seen: Classifier::default(), lines, busy: [Time::ZERO; 2] };
                self.known.insert(index, (pair, Box::new(between)));
                index
            }
        };
        (&mut self.known[index].1, usize::from(from > to))
    }
}

/// Which links are cut.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<Entry>);

/// What was cut or mended; it counts for more than the entries before it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    cut: Cut<HostId>,
    is_cut: bool,
    /// The event of the plan whose end takes it away.
    ends_with: Option<usize>,
}

impl Cuts {
    /// Cuts links; whether that changes anything. With an event, until that one [ends](Cuts::end).
    pub(super) fn cut(&mut self, cut: Cut<HostId>, ends_with: Option<usize>) -> bool {
        self.add(Entry { cut, is_cut: true, ends_with })
    }

    /// Mends links; whether that changes anything.
    pub(super) fn mend(&mut self, cut: Cut<HostId>) -> bool {
        self.add(Entry { cut, is_cut: false, ends_with: None })
    }

    /// Mends what an event has cut, where nothing else cuts it; what it was, where that changes anything.
    pub(super) fn end(&mut self, event: usize) -> Option<Cut<HostId>> {
        let place = self.0.iter().position(|entry| entry.ends_with == Some(event))?;
        let before = self.0.clone();
        let Entry { cut, .. } = self.0.remove(place);
        let changes = differ(&before, &self.0);
        self.tidy();
        changes.then_some(cut)
    }

    /// Whether a packet of this way, flow and length is cut off.
    pub(super) fn takes(&self, way: Way, flow: Option<u32>, len: usize) -> bool {
        is_cut(&self.0, way, flow, len)
    }

    fn add(&mut self, entry: Entry) -> bool {
        let before = self.0.clone();
        // What ends by itself may leave what was before it.
        self.0.retain(|earlier| entry.ends_with.is_some() || !entry.cut.covers(&earlier.cut));
        self.0.push(entry);
        let changes = differ(&before, &self.0);
        self.tidy();
        changes
    }

    /// Leaves out what mends nothing.
    fn tidy(&mut self) {
        if self.0.iter().all(|entry| !entry.is_cut) {
            self.0.clear();
        }
    }
}

fn is_cut(entries: &[Entry], (from, to): Way, flow: Option<u32>, len: usize) -> bool {
    let last = entries.iter().rev().find(|entry| entry.cut.takes([&from, &to], flow, len));
    last.is_some_and(|entry| entry.is_cut)
}

/// Whether one of two lists cuts something that the other does not.
fn differ(one: &[Entry], other: &[Entry]) -> bool {
    let both = || one.iter().chain(other).map(|entry| &entry.cut);
    // Those that none names are all alike: two of them stand for all.
    let named = both().filter_map(|cut| cut.hosts).flatten();
    let hosts: BTreeSet<HostId> = named.chain([HostId(u16::MAX), HostId(u16::MAX - 1)]).collect();
    let flows: BTreeSet<Option<u32>> = both().map(|cut| cut.flow).chain([None]).collect();
    let bounds = both().filter_map(|cut| cut.longer_than).map(usize::from);
    let lens: BTreeSet<usize> = bounds.flat_map(|bytes| [bytes, bytes + 1]).chain([0]).collect();
    let packets = || flows.iter().flat_map(|flow| lens.iter().map(move |len| (*flow, *len)));
    let ways = hosts.iter().flat_map(|from| hosts.iter().map(move |to| (*from, *to)));
    let mut all = ways.filter(|(from, to)| from != to).flat_map(|way| packets().map(move |it| (way, it)));
    all.any(|(way, (flow, len))| is_cut(one, way, flow, len) != is_cut(other, way, flow, len))
}
