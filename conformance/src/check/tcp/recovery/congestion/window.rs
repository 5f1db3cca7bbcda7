//! The largest congestion window that a sender can have by RFC 5681 and RFC 6582.

use super::DUPLICATES;

/// An upper bound on the congestion window. All numbers are bytes.
#[derive(Clone, Debug)]
pub(super) struct Window {
    size: f64,
    threshold: f64,
    segment: f64,
    duplicates: u32,
    /// In fast recovery: what must be acknowledged for it to end.
    recovery: Option<i64>,
    /// What the timer sent again last, while nothing new was acknowledged.
    timed_out: Option<i64>,
    /// What was under way when the timer expired is sent again as acknowledgements come in, whatever they
    /// say.
    again_until: i64,
    after_loss: bool,
}

impl Window {
    pub(super) fn new(initial: i64, segment: i64) -> Window {
        Window {
            size: initial as f64,
            threshold: f64::INFINITY,
            segment: segment as f64,
            duplicates: 0,
            recovery: None,
            timed_out: None,
            again_until: 0,
            after_loss: false,
        }
    }

    /// The window itself.
    pub(super) fn size(&self) -> i64 {
        self.size as i64
    }

    /// Whether there was a loss.
    pub(super) fn after_loss(&self) -> bool {
        self.after_loss
    }

    /// What may be under way: the window, a segment for each of the first two duplicates (RFC 3042), and,
    /// where growth is no longer exact (a window that equals the threshold may grow by either rule, and
    /// congestion avoidance may go in whole segments), two segments.
    pub(super) fn bound(&self) -> i64 {
        let limited = match self.recovery {
            Some(_) => 0.0,
            None => f64::from(self.duplicates.min(DUPLICATES - 1)) * self.segment,
        };
        let inexact = self.recovery.is_some() || self.size >= self.threshold;
        let slack = if inexact { 2.0 * self.segment } else { 0.0 };
        (self.size + limited + slack) as i64
    }

    /// New data was acknowledged, up to `una`.
    pub(super) fn acknowledged(&mut self, acked: i64, una: i64) {
        let acked = acked as f64;
        self.timed_out = None;
        match self.recovery {
            Some(recover) if una >= recover => {
                self.recovery = None;
                self.duplicates = 0;
                self.size = self.threshold;
            }
            // A partial acknowledgement (RFC 6582, section 3.2, step 3).
            Some(_) => self.size = (self.size - acked).max(0.0) + self.segment,
            None => {
                self.duplicates = 0;
                self.size += if self.size < self.threshold {
                    acked.min(self.segment)
                } else {
                    self.segment * acked.max(self.segment) / self.size
                };
            }
        }
    }

    /// A duplicate acknowledgement, or what may be one.
    pub(super) fn duplicate(&mut self) {
        self.duplicates += 1;
        if self.recovery.is_some() {
            self.size += self.segment;
        }
    }

    /// The first unacknowledged segment is sent again: by the timer for sure, or perhaps for what was just
    /// heard.
    pub(super) fn sent_again(&mut self, by_timer: bool, una: i64, top: i64, flight: i64) {
        let half = (flight as f64).min(self.size) / 2.0;
        let half_flight = (flight as f64 / 2.0).max(2.0 * self.segment);
        if by_timer {
            if self.timed_out != Some(una) {
                self.threshold = half_flight;
            }
            self.size = self.segment;
            self.recovery = None;
            self.duplicates = 0;
            self.timed_out = Some(una);
            self.again_until = top;
            self.after_loss = true;
        } else if self.recovery.is_none() && self.duplicates > 0 && una >= self.again_until {
            // After fewer than three duplicates it takes something for lost all the same.
            self.threshold = half.max(2.0 * self.segment);
            self.size = self.threshold + f64::from(self.duplicates) * self.segment;
            self.recovery = Some(top);
            self.after_loss = true;
        }
    }
}
