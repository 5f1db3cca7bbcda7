//! The link between two hosts: what it was seen to carry, how busy it is, and whether it is cut.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::LinkNumbers;
use super::super::classify::Classifier;
use super::select::Way;
use crate::model::{HostId, Time};

/// A link in units that need no further arithmetic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) delay: Duration,
    pub(super) mtu: usize,
    rate_kbps: Option<u64>,
}

impl Line {
    pub(super) fn new(numbers: LinkNumbers) -> Line {
        Line { delay: numbers.delay(), mtu: usize::from(numbers.mtu), rate_kbps: numbers.rate_kbps }
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
#[derive(Debug, Default)]
pub(super) struct Between {
    pub(super) seen: Classifier,
    /// Until when each side is busy putting earlier packets on the link.
    busy: [Time; 2],
}

impl Between {
    /// When a packet that is sent now has left its host.
    pub(super) fn departure(&self, side: usize, now: Time, line: &Line, bytes: usize) -> Time {
        now.max(self.busy[side]) + line.serialization(bytes)
    }

    /// The side is busy until then.
    pub(super) fn occupy(&mut self, side: usize, until: Time) {
        self.busy[side] = until;
    }
}

/// The links of a run, one for every two hosts that ever spoke.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<((HostId, HostId), Box<Between>)>);

impl Links {
    /// The link of that way, and the side that sends.
    pub(super) fn between(&mut self, (from, to): Way) -> (&mut Between, usize) {
        let pair = (from.min(to), from.max(to));
        let index = match self.0.binary_search_by_key(&pair, |(pair, _)| *pair) {
            Ok(index) => index,
            Err(index) => {
                self.0.insert(index, (pair, Box::default()));
                index
            }
        };
        (&mut self.0[index].1, usize::from(from > to))
    }
}

/// Which links are cut: all or none, but for some exceptions.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    all: bool,
    exceptions: BTreeSet<(HostId, HostId)>,
}

impl Cuts {
    /// Cuts or mends the link between two hosts, or all links; whether that changes anything.
    pub(super) fn set(&mut self, hosts: Option<[HostId; 2]>, cut: bool) -> bool {
        match hosts {
            None => {
                let changes = self.all != cut || !self.exceptions.is_empty();
                self.all = cut;
                self.exceptions.clear();
                changes
            }
            Some([a, b]) => {
                let pair = (a.min(b), a.max(b));
                if self.all == cut { self.exceptions.remove(&pair) } else { self.exceptions.insert(pair) }
            }
        }
    }

    /// Whether the link of that way is cut.
    pub(super) fn cut(&self, (from, to): Way) -> bool {
        if self.exceptions.is_empty() {
            return self.all;
        }
        self.exceptions.contains(&(from.min(to), from.max(to))) != self.all
    }
}
