//! The retransmission timeout (RFC 6298): measured round trips, and back-off.

use std::time::Duration;

use super::Config;
use crate::mutant::Mutant;

/// A round-trip estimator.
#[derive(Clone, Debug)]
pub(crate) struct Rtt {
    /// SRTT and RTTVAR, once there was a sample.
    smoothed: Option<(Duration, Duration)>,
    rto: Duration,
}

impl Rtt {
    pub(crate) fn new(config: &Config) -> Rtt {
        let long = config.is(Mutant::FirstTimeoutLong);
        Rtt { smoothed: None, rto: if long { Duration::from_secs(10) } else { config.rto_initial } }
    }

    /// The timeout in force.
    pub(crate) fn rto(&self) -> Duration {
        self.rto
    }

    /// SRTT.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|(srtt, _)| srtt)
    }

    /// A round trip of a segment that was sent once (sections 2.2, 2.3, 3). It ends the back-off.
    pub(crate) fn sample(&mut self, rtt: Duration, config: &Config) {
        if config.is(Mutant::NeverMeasures) {
            return;
        }
        let (srtt, rttvar) = match self.smoothed {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => ((srtt * 7 + rtt) / 8, (rttvar * 3 + srtt.abs_diff(rtt)) / 4),
        };
        self.smoothed = Some((srtt, rttvar));
        self.rto = (srtt + rttvar * 4).clamp(config.rto_min, config.rto_max);
    }

    /// The timer expired (section 5.5).
    pub(crate) fn back_off(&mut self, config: &Config) {
        self.rto = self.rto.saturating_mul(2).min(config.rto_max);
    }

    /// Data follows a SYN that was repeated (section 5.7): at least three seconds, until a sample says
    /// better.
    pub(crate) fn after_lost_syn(&mut self, config: &Config) {
        if self.smoothed.is_none() {
            self.rto = Duration::from_secs(3).clamp(config.rto_min, config.rto_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_sample_and_the_next_are_weighed_as_in_section_2() {
        let config = Config { rto_min: MS, ..Config::default() };
        let mut rtt = Rtt::new(&config);
        assert_eq!(rtt.rto(), Duration::from_secs(1));
        rtt.sample(100 * MS, &config);
        assert_eq!((rtt.smoothed(), rtt.rto()), (Some(100 * MS), 300 * MS));
        rtt.sample(180 * MS, &config);
        // SRTT = 7/8 * 100 + 1/8 * 180; RTTVAR = 3/4 * 50 + 1/4 * 80.
        assert_eq!((rtt.smoothed(), rtt.rto()), (Some(110 * MS), 340 * MS));
    }

    #[test]
    fn back_off_doubles_up_to_the_most_and_a_sample_ends_it() {
        let config = Config::default();
        let mut rtt = Rtt::new(&config);
        rtt.sample(10 * MS, &config);
        let waits: Vec<u64> = (0..12)
            .map(|_| {
                rtt.back_off(&config);
                rtt.rto().as_millis() as u64
            })
            .collect();
        assert_eq!(waits[..4], [400, 800, 1_600, 3_200]);
        assert_eq!(waits[10..], [120_000, 120_000]);
        rtt.sample(10 * MS, &config);
        assert_eq!(rtt.rto(), 200 * MS);
    }

    proptest! {
        #[test]
        fn the_timeout_stays_within_its_bounds(samples in prop::collection::vec(0_u64..1 << 40, 0..50)) {
            let config = Config::default();
            let mut rtt = Rtt::new(&config);
            for sample in samples {
                rtt.sample(Duration::from_nanos(sample), &config);
                prop_assert!((config.rto_min..=config.rto_max).contains(&rtt.rto()));
            }
        }
    }
}
