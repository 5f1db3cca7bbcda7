//! What the retransmission timeout can be by RFC 6298: bounds, since a TCP need not time every segment.

use std::time::Duration;

/// The least timeout is a second at most (section 2.4); what is less is the implementation's choice.
const LEAST_MAX: Duration = Duration::from_secs(1);
/// The timeout after a SYN that was sent again (section 5.7).
const AFTER_LOST_SYN: Duration = Duration::from_secs(3);
/// More doublings than that end at any bound.
const DOUBLINGS_MAX: u32 = 10;

/// The least and the most that something can be.
type Range = (Duration, Duration);

/// What a TCP may have made of the round trips so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Estimate {
    /// SRTT and RTTVAR, if there was a sample.
    smoothed: Option<(Range, Range)>,
    /// It may be that none of the samples was taken.
    maybe_none: bool,
    /// The SYN was sent again, and none but that could be timed.
    lost_syn: bool,
    /// How often the timeout was doubled since the last sample.
    doubled: (u32, u32),
}

/// SRTT and RTTVAR after the first sample (section 2.2).
fn first(rtt: Duration) -> (Range, Range) {
    ((rtt, rtt), (rtt / 2, rtt / 2))
}

/// SRTT and RTTVAR after a further sample (section 2.3).
fn next((srtt, var): (Range, Range), rtt: Duration) -> (Range, Range) {
    let off = match (rtt < srtt.0, rtt > srtt.1) {
        (true, _) => (srtt.0 - rtt, srtt.1 - rtt),
        (_, true) => (rtt - srtt.1, rtt - srtt.0),
        _ => (Duration::ZERO, (rtt - srtt.0).max(srtt.1 - rtt)),
    };
    let smooth = |old: Duration| (old * 7 + rtt) / 8;
    ((smooth(srtt.0), smooth(srtt.1)), ((var.0 * 3 + off.0) / 4, (var.1 * 3 + off.1) / 4))
}

/// What covers both.
fn hull((a, b): (Range, Range), (c, d): (Range, Range)) -> (Range, Range) {
    let both = |one: Range, two: Range| (one.0.min(two.0), one.1.max(two.1));
    (both(a, c), both(b, d))
}

impl Estimate {
    /// A round trip of something that was sent once. `certain`: every TCP times it.
    pub(super) fn sample(&mut self, rtt: Duration, certain: bool) {
        // After several timeouts what was measured may be forgotten (section 5.7's note).
        let forgets = self.maybe_none || self.doubled.1 > 1;
        let taken = match self.smoothed {
            None => first(rtt),
            Some(old) if forgets => hull(next(old, rtt), first(rtt)),
            Some(old) => next(old, rtt),
        };
        if certain {
            self.smoothed = Some(taken);
            self.maybe_none = false;
            self.doubled = (0, 0);
        } else {
            self.maybe_none |= self.smoothed.is_none();
            self.smoothed = Some(self.smoothed.map_or(taken, |old| hull(old, taken)));
            self.doubled.0 = 0;
        }
        self.lost_syn &= self.maybe_none;
    }

    /// The SYN was acknowledged and had been sent more than once: it says nothing.
    pub(super) fn lost_syn(&mut self) {
        self.lost_syn = true;
        // The timeout begins anew, or goes on as it was.
        self.doubled.0 = 0;
    }

    /// The timer expired; `for_syn`: while the SYN was not acknowledged.
    pub(super) fn timed_out(&mut self, for_syn: bool) {
        self.doubled.1 += 1;
        if !for_syn || self.smoothed.is_some() {
            self.doubled.0 += 1;
        }
    }

    /// The timer expired, or something else had the segment sent again.
    pub(super) fn may_have_timed_out(&mut self) {
        self.doubled.1 += 1;
    }

    /// What the timeout can be before anything was measured (section 2.1): a second, or the three of RFC
    /// 2988. It is doubled with each repeat, or need not be (Linux's first ones).
    pub(super) fn initial(&self) -> Range {
        (LEAST_MAX, AFTER_LOST_SYN * (1 << self.doubled.1.min(DOUBLINGS_MAX)))
    }

    /// What the timeout in force can be, where something is known of it.
    pub(super) fn bounds(&self) -> Option<Range> {
        if self.maybe_none {
            return None;
        }
        let (least, most) = match self.smoothed {
            Some((srtt, var)) => (srtt.0 + var.0 * 4, (srtt.1 + var.1 * 4).max(LEAST_MAX)),
            None if self.lost_syn => (AFTER_LOST_SYN, AFTER_LOST_SYN),
            None => return None,
        };
        let times = |doubled: u32| 1 << doubled.min(DOUBLINGS_MAX);
        Some((least * times(self.doubled.0), most * times(self.doubled.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn where_every_sample_is_taken_the_bounds_meet() {
        let mut estimate = Estimate::default();
        assert_eq!((estimate.bounds(), estimate.initial()), (None, (1_000 * MS, 3_000 * MS)));
        estimate.sample(400 * MS, true);
        assert_eq!(estimate.bounds(), Some((1_200 * MS, 1_200 * MS)));
        estimate.sample(400 * MS, true);
        assert_eq!(estimate.bounds(), Some((1_000 * MS, 1_000 * MS)));
        estimate.timed_out(false);
        assert_eq!(estimate.bounds(), Some((2_000 * MS, 2_000 * MS)));
        // What may have been timed may end the back-off, and need not.
        estimate.sample(400 * MS, false);
        assert_eq!(estimate.bounds(), Some((850 * MS, 2_000 * MS)));
    }

    #[test]
    fn after_a_lost_syn_it_is_three_seconds_until_a_sample() {
        let mut estimate = Estimate::default();
        estimate.timed_out(true);
        estimate.lost_syn();
        assert_eq!(estimate.bounds(), Some((3_000 * MS, 6_000 * MS)));
        estimate.timed_out(false);
        assert_eq!(estimate.bounds(), Some((6_000 * MS, 12_000 * MS)));
        estimate.sample(10 * MS, true);
        assert_eq!(estimate.bounds(), Some((30 * MS, 1_000 * MS)));
    }
}
