//! What a host's TCP is set to: timers and limits, with Linux's figures where it has one.

use std::time::Duration;

use crate::mutant::Mutant;

/// The longest duration that a [`Config`] has: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);
/// The shortest retransmission timeout: with less a lost segment would be sent again and again at one moment.
const RTO_LEAST: Duration = Duration::from_millis(1);

/// Timers and limits of a host's TCP. All its connections share them.
///
/// Any values will do. A stack clamps them when it is made: durations to a year at most, `rto_min` and
/// `rto_max` to a millisecond at least, `rto_max` to `rto_min` at least, and `rto_initial` to between these
/// two.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The retransmission timeout before a round trip was measured (RFC 6298, section 2.1).
    pub rto_initial: Duration,
    /// The least retransmission timeout. Linux's 200 ms; RFC 6298 (2.4) would rather have a second.
    pub rto_min: Duration,
    /// The most that back-off makes of it (RFC 6298, section 2.5); Linux's `TCP_RTO_MAX`.
    pub rto_max: Duration,
    /// How long an acknowledgement may wait for company (RFC 9293, section 3.8.6.3: less than half a second).
    pub delayed_ack: Duration,
    /// Repeats of a SYN before a connect is `ETIMEDOUT` (Linux's `tcp_syn_retries`: 127 s in all, where RFC
    /// 9293, section 3.8.3, would have three minutes).
    pub syn_retries: u32,
    /// Repeats of a SYN-ACK before the half-open connection is forgotten. Linux has 5; with 7 no plan that
    /// hits the SYN-ACK and the acknowledgement after it five times each can end it.
    pub syn_ack_retries: u32,
    /// Repeats of the same data, FIN or window probe with no answer before the connection is `ETIMEDOUT` (R2
    /// of RFC 9293, section 3.8.3; Linux's `tcp_retries2`).
    pub retries: u32,
    /// How long a connection stays in TIME-WAIT: twice the maximum segment lifetime (Linux's 60 s).
    pub time_wait: Duration,
    /// How long a connection that no program has any more waits in FIN-WAIT-2 for the peer's FIN (Linux's
    /// `tcp_fin_timeout`).
    pub fin_wait_2: Duration,
    /// The initial sequence number (ISS) of every connection. `None`, the default, picks them by RFC 6528. It
    /// is for tests whose sequence numbers shall pass 2^31 or 2^32 within a few segments. A new connection
    /// between the same addresses and ports does not end the TIME-WAIT of the last one then, as its number is
    /// not larger.
    pub initial_sequence_number: Option<u32>,
    /// The bug that this TCP has on purpose; the stack sets it.
    #[cfg(feature = "mutants")]
    pub(crate) mutant: Option<Mutant>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            delayed_ack: Duration::from_millis(40),
            syn_retries: 6,
            syn_ack_retries: 7,
            retries: 15,
            time_wait: Duration::from_secs(60),
            fin_wait_2: Duration::from_secs(60),
            initial_sequence_number: None,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

impl Config {
    /// Every value within its bounds.
    pub(crate) fn bounded(mut self) -> Config {
        self.rto_min = self.rto_min.clamp(RTO_LEAST, LONGEST);
        self.rto_max = self.rto_max.clamp(self.rto_min, LONGEST);
        self.rto_initial = self.rto_initial.clamp(self.rto_min, self.rto_max);
        for duration in [&mut self.delayed_ack, &mut self.time_wait, &mut self.fin_wait_2] {
            *duration = (*duration).min(LONGEST);
        }
        self
    }

    /// Whether the stack, its TCP included, has that bug.
    #[cfg(feature = "mutants")]
    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Nothing has a bug without the feature.
    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "the same shape as with the feature")]
    pub(crate) const fn is(&self, _: Mutant) -> bool {
        false
    }
}
