//! A host's clock that is wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faultwire::time::Time;

/// What a right clock shows at the start of a run, in seconds since the Unix epoch.
const START: u64 = 1_700_000_000;

/// How wrong a host's clock is: by a fixed span, and by a rate.
///
/// ```
/// use std::time::Duration;
///
/// use faultwire_sim::Skew;
///
/// let late = Skew::behind(Duration::from_secs(2));
/// let fast = Skew::default().drifting(200);
/// # let _ = (late, fast);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    ahead: Duration,
    behind: Duration,
    parts_per_million: i32,
}

impl Skew {
    /// The clock shows a later time than it is.
    pub fn ahead(span: Duration) -> Skew {
        Skew { ahead: span, ..Skew::default() }
    }

    /// The clock shows an earlier time than it is.
    pub fn behind(span: Duration) -> Skew {
        Skew { behind: span, ..Skew::default() }
    }

    /// The clock also gains this many microseconds in each second; negative if it loses them.
    #[must_use]
    pub fn drifting(self, parts_per_million: i32) -> Skew {
        Skew { parts_per_million, ..self }
    }

    /// What the clock shows at a moment of the run.
    pub(crate) fn at(self, now: Time) -> SystemTime {
        let nanos = |span: Duration| i128::try_from(span.as_nanos()).unwrap_or(i128::MAX / 4);
        let drift = i128::from(now.as_nanos()) * i128::from(self.parts_per_million) / 1_000_000;
        let right = nanos(Duration::from_secs(START)) + i128::from(now.as_nanos());
        let shown = right + drift + nanos(self.ahead) - nanos(self.behind);
        // No clock of a run goes back behind the epoch, or beyond what 64 bits hold.
        let shown = u64::try_from(shown.max(0)).unwrap_or(u64::MAX);
        UNIX_EPOCH + Duration::from_nanos(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_and_drifts() {
        let at = |skew: Skew, secs| skew.at(Time::from(Duration::from_secs(secs)));
        let right = at(Skew::default(), 10);
        assert_eq!(right, UNIX_EPOCH + Duration::from_secs(START + 10));
        assert_eq!(at(Skew::ahead(Duration::from_secs(3)), 7), right);
        assert_eq!(at(Skew::behind(Duration::from_secs(3)), 13), right);
        let fast = Skew::default().drifting(500_000);
        assert_eq!(at(fast, 10).duration_since(right).unwrap(), Duration::from_secs(5));
        let slow = Skew::ahead(Duration::from_secs(5)).drifting(-500_000);
        assert_eq!(at(slow, 10), right);
        assert_eq!(at(Skew::behind(Duration::MAX), 10), UNIX_EPOCH);
        assert!(at(Skew::ahead(Duration::MAX), 10) > right);
    }
}
