//! The link of a measurement, made to fit the timeout of the course's machines.

use std::time::Duration;

use faultwire::fault::{Link, LinkNumbers};

/// The bytes of a message: with its number, and the headers of UDP and IP, a datagram of 1000 bytes.
pub(super) const MESSAGE: usize = 967;

/// What UDP and IP put before each datagram, in bytes.
pub(super) const HEADERS: usize = 28;

/// What the course puts before a message, and what an acknowledgement is: kind and number, in bytes.
const NUMBERED: usize = 5;

/// The last moment at which an acknowledgement comes in time: just before the timeout.
const IN_TIME: Duration = Duration::from_nanos(199_950_000);

/// A link between the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    rate_kbps: u64,
    delay_us: u64,
}

impl Way {
    /// The way on which a round trip takes as long as the timeout: a message, its travel, and an
    /// acknowledgement back. `a` is met as nearly as whole kilobits allow: [`Way::a`] tells.
    pub fn of_one_timeout(a: f64) -> Way {
        Way::filled(1.0 + 2.0 * a, NUMBERED)
    }

    /// Like `of_one_timeout`, for lesson 1, whose acknowledgement is as long as the message.
    pub fn of_one_timeout_in_full(a: f64) -> Way {
        Way::filled(2.0 + 2.0 * a, 1 + MESSAGE)
    }

    /// The travel takes the part of the timeout that the message and its answer leave.
    fn filled(datagrams: f64, answer: usize) -> Way {
        let way = Way { rate_kbps: Way::rate(datagrams).round() as u64, delay_us: 0 };
        let travel = IN_TIME.saturating_sub(way.each() + way.takes(answer)) / 2;
        Way { delay_us: u64::try_from(travel.as_micros()).unwrap_or(u64::MAX), ..way }
    }

    /// The way on which `datagrams` datagrams can be sent within a timeout.
    pub fn with_time_for(datagrams: f64, a: f64) -> Way {
        let way = Way { rate_kbps: Way::rate(datagrams).ceil() as u64, delay_us: 0 };
        let travel = way.each().mul_f64(2.0 * a).saturating_sub(way.takes(NUMBERED)) / 2;
        Way { delay_us: u64::try_from(travel.as_micros()).unwrap_or(u64::MAX), ..way }
    }

    /// The rate at which `datagrams` datagrams take one timeout, in kilobits a second.
    fn rate(datagrams: f64) -> f64 {
        let bits = ((HEADERS + NUMBERED + MESSAGE) * 8) as f64;
        bits * datagrams / IN_TIME.as_secs_f64() / 1_000.0
    }

    /// How long it takes to put a datagram of `bytes` bytes on the link.
    pub(super) fn takes(&self, bytes: usize) -> Duration {
        let bits = (bytes + HEADERS) as u64 * 8;
        Duration::from_nanos((bits * 1_000_000).div_ceil(self.rate_kbps))
    }

    /// How long a message takes.
    pub fn each(&self) -> Duration {
        self.takes(NUMBERED + MESSAGE)
    }

    /// The time of the travel, over that of a message. An acknowledgement's own time counts as a part of the
    /// way back.
    pub fn a(&self) -> f64 {
        let back = 2 * Duration::from_micros(self.delay_us) + self.takes(NUMBERED);
        back.as_secs_f64() / 2.0 / self.each().as_secs_f64()
    }

    /// Like `a`, but without the acknowledgement's time, for one that is as long as the message.
    pub fn a_of_travel(&self) -> f64 {
        Duration::from_micros(self.delay_us).as_secs_f64() / self.each().as_secs_f64()
    }

    /// As a plan has it.
    pub fn link(&self) -> Link {
        let Way { rate_kbps, delay_us } = *self;
        Link::Numbers(LinkNumbers { rate_kbps: Some(rate_kbps), ..LinkNumbers::new(delay_us, 1500) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TIMEOUT;

    #[test]
    fn a_round_trip_is_one_timeout_and_not_more() {
        for a in [0.1, 0.5, 1.0, 3.5, 10.0, 20.0] {
            let way = Way::of_one_timeout(a);
            let trip = way.each() + 2 * Duration::from_micros(way.delay_us) + way.takes(NUMBERED);
            assert!(trip < TIMEOUT && TIMEOUT - trip < Duration::from_micros(60), "{a}: {trip:?}");
            assert!((way.a() / a - 1.0).abs() < 0.05, "{a}: {}", way.a());
            let way = Way::of_one_timeout_in_full(a);
            let trip = 2 * way.each() + 2 * Duration::from_micros(way.delay_us);
            assert!(trip < TIMEOUT + Duration::from_millis(1), "{a}: {trip:?}");
        }
    }
}
