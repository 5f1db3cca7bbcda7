//! Time as the machines see it: nanoseconds since the run began, told by the caller.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment: nanoseconds since the run began. It is never read from a clock: the caller passes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment at which the run began.
    pub const ZERO: Time = Time(0);
    /// Later than anything that happens (584 years).
    pub const MAX: Time = Time(u64::MAX);

    /// A moment, in nanoseconds since the run began.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// A moment, in microseconds since the run began; saturates.
    pub const fn from_micros(micros: u64) -> Self {
        Time(micros.saturating_mul(1_000))
    }

    /// A moment, in milliseconds since the run began; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the run began.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the run began.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds since the run began.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from the start of the run to this moment.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Time {
    /// The moment that long after the start; saturates at [`Time::MAX`].
    fn from(since_start: Duration) -> Self {
        Time(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at [`Time::MAX`].
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(Time::from(span).0))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Time {
    type Output = Duration;

    /// Zero where the right side is later.
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    /// Milliseconds with three decimals: `12.340 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        write!(f, "{}.{:03} ms", micros / 1_000, micros % 1_000)
    }
}
