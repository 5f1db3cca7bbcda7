//! How much may be under way, and how fast it goes out: slow start, AIMD (RFC 9002, section 7) and pacing
//! (7.7).

use std::time::Duration;

use crate::model::Time;

/// Datagrams of the window before anything is known of the way (RFC 9002, section 7.2).
const INITIAL: u64 = 10;
/// Datagrams of the least window.
const LEAST: u64 = 2;
/// What may go out at once, in datagrams, or the share of one timer's grain, whichever is more.
const BURST: u64 = 10;
const GRAIN: Duration = Duration::from_millis(2);
/// The window never grows beyond this, in bytes.
const MOST: u64 = 1 << 30;

/// The congestion window and the pacer. Sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    datagram: u64,
    window: u64,
    threshold: u64,
    /// Loss of a packet that was sent before then is part of the same congestion.
    recovery_start: Option<Time>,
    /// What the pacer lets out now, as of `refilled`.
    tokens: u64,
    refilled: Time,
}

impl Congestion {
    pub(super) fn new(datagram_max: usize, now: Time) -> Congestion {
        let datagram = datagram_max as u64;
        Congestion {
            datagram,
            window: INITIAL * datagram,
            threshold: MOST,
            recovery_start: None,
            tokens: BURST * datagram,
            refilled: now,
        }
    }

    /// The congestion window.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Whether a datagram more may be under way.
    pub(super) fn has_room(&self, in_flight: u64) -> bool {
        in_flight + self.datagram <= self.window
    }

    /// A packet that was sent then was acknowledged, while the window was what held back more.
    pub(super) fn acknowledged(&mut self, sent: Time, bytes: u64, was_full: bool) {
        if !was_full || self.recovery_start.is_some_and(|start| sent <= start) {
            return;
        }
        let more = if self.window < self.threshold {
            bytes
        } else {
            // A datagram for each window that is acknowledged.
            (self.datagram * bytes / self.window).max(1)
        };
        self.window = (self.window + more).min(MOST);
    }

    /// A packet that was sent then was lost: half the window, once for a round trip.
    pub(super) fn lost(&mut self, sent: Time, now: Time) {
        if self.recovery_start.is_some_and(|start| sent <= start) {
            return;
        }
        self.recovery_start = Some(now);
        self.window = (self.window / 2).max(LEAST * self.datagram);
        self.threshold = self.window;
    }

    /// The timeout was over: from the start again, up to half of what was.
    pub(super) fn timed_out(&mut self, now: Time, is_first: bool) {
        if is_first {
            self.threshold = (self.window / 2).max(LEAST * self.datagram);
        }
        self.window = LEAST * self.datagram;
        self.recovery_start = Some(now);
    }

    /// When the pacer lets the next datagram out; `None` is now. A quarter more than a window for each round
    /// trip.
    pub(super) fn paced_until(&mut self, now: Time, round_trip: Option<Duration>) -> Option<Time> {
        let round_trip = round_trip.filter(|round_trip| !round_trip.is_zero())?;
        let (bytes, nanos) = (u128::from(self.window) * 5 / 4, round_trip.as_nanos());
        let made = |span: Duration| u64::try_from(bytes * span.as_nanos() / nanos).unwrap_or(MOST);
        let burst = (BURST * self.datagram).max(made(GRAIN));
        let refill = made(now.since(self.refilled));
        if refill > 0 {
            self.tokens = self.tokens.saturating_add(refill).min(burst);
            self.refilled = now;
        }
        let lacking = u128::from(self.datagram.saturating_sub(self.tokens));
        if lacking == 0 {
            return None;
        }
        let wait = (lacking * nanos).div_ceil(bytes);
        Some(now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX).max(1)))
    }

    /// That much goes out.
    pub(super) fn sent(&mut self, bytes: u64) {
        self.tokens = self.tokens.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn it_doubles_until_a_loss_then_adds_a_datagram_for_each_window() {
        let mut congestion = Congestion::new(1_000, Time::ZERO);
        for _ in 0..10 {
            congestion.acknowledged(at(1), 1_000, true);
        }
        assert_eq!(congestion.window(), 20_000);
        congestion.acknowledged(at(1), 1_000, false);
        assert_eq!(congestion.window(), 20_000, "it was not what held back more");
        congestion.lost(at(2), at(3));
        congestion.lost(at(2), at(4));
        assert_eq!(congestion.window(), 10_000, "once for a round trip");
        congestion.acknowledged(at(3), 10_000, true);
        assert_eq!(congestion.window(), 10_000, "sent before the loss was known");
        congestion.acknowledged(at(4), 10_000, true);
        assert_eq!(congestion.window(), 11_000);
        congestion.timed_out(at(5), true);
        congestion.timed_out(at(6), false);
        assert_eq!((congestion.window(), congestion.threshold), (2_000, 5_500));
    }

    #[test]
    fn it_lets_out_a_window_and_a_quarter_for_each_round_trip() {
        let mut congestion = Congestion::new(1_000, Time::ZERO);
        congestion.window = 100_000;
        let (mut now, mut sent) = (Time::ZERO, 0_u64);
        while now < at(1_000) {
            match congestion.paced_until(now, Some(100 * MS)) {
                Some(until) => {
                    assert!(until > now);
                    now = until;
                }
                None => {
                    congestion.sent(1_000);
                    sent += 1_000;
                }
            }
        }
        assert!((1_240_000..=1_262_000).contains(&sent), "{sent}");
    }

    #[test]
    fn the_pacer_lets_a_datagram_out_however_long_the_round_trip_is() {
        for round_trip in
            [Duration::from_secs(1_000), Duration::from_secs(86_400), Duration::from_secs(1 << 30)]
        {
            let mut congestion = Congestion::new(1_000, Time::ZERO);
            congestion.sent(BURST * 1_000);
            let until = congestion.paced_until(Time::ZERO, Some(round_trip)).expect("it waits");
            assert_eq!(congestion.paced_until(until, Some(round_trip)), None, "{round_trip:?}");
        }
    }
}
