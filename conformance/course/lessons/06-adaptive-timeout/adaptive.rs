//! Lesson 6, mended: the timeout follows the round trips that are measured (RFC 6298). The rest is selective repeat.

use std::time::Duration;

use super::patience::Patience;

/// The timeout while nothing was measured (RFC 6298, 2.1).
const FIRST: Duration = Duration::from_secs(1);
/// No timeout is shorter. RFC 6298 (2.4) says one second, for TCP over the whole Internet, whose receivers may hold an
/// acknowledgement back; ours never do.
const SHORTEST: Duration = Duration::from_millis(20);
/// No timeout is longer (2.5 allows a bound of 60 s or more).
const LONGEST: Duration = Duration::from_secs(60);

/// What is known of the round trips.
#[derive(Debug, Default)]
pub struct Adaptive {
    /// Their smoothed mean, and how far they stray from it.
    measured: Option<(Duration, Duration)>,
    /// How often it has waited in vain since the last measurement.
    in_vain: u32,
}

impl Patience for Adaptive {
    fn wait(&self) -> Duration {
        let wait = self.measured.map_or(FIRST, |(mean, stray)| mean + 4 * stray);
        // Twice as long each time: if the network is overloaded, repeats make it worse (5.5).
        wait.max(SHORTEST).saturating_mul(1 << self.in_vain.min(6)).min(LONGEST)
    }

    fn waited_in_vain(&mut self) {
        self.in_vain = self.in_vain.saturating_add(1);
    }

    fn answered(&mut self, after: Duration) {
        self.in_vain = 0;
        self.measured = Some(match self.measured {
            None => (after, after / 2),
            Some((mean, stray)) => {
                let stray = (3 * stray + mean.abs_diff(after)) / 4;
                ((7 * mean + after) / 8, stray)
            }
        });
    }
}
