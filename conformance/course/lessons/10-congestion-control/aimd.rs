//! Lesson 10, mended: a little more as long as all goes well, and half as much when something is lost. (AIMD: additive
//! increase, multiplicative decrease; RFC 5681.)

use super::flow::Control;

/// Never less than this after a loss (RFC 5681, equation 4).
const LEAST: usize = 2;

/// A window that looks for its share.
#[derive(Debug)]
pub struct Aimd {
    window: usize,
    /// Below this, the window grows by one for each message that is acknowledged, so that it doubles with every round trip
    /// ("slow start"); above it by one with every round trip.
    threshold: usize,
    /// Messages that were acknowledged since it last grew.
    credit: usize,
}

impl Default for Aimd {
    fn default() -> Self {
        Aimd { window: 1, threshold: usize::MAX, credit: 0 }
    }
}

impl Control for Aimd {
    fn window(&self) -> usize {
        self.window
    }

    fn acknowledged(&mut self, count: usize) {
        if self.window < self.threshold {
            self.window = (self.window + count).min(self.threshold);
            return;
        }
        self.credit += count;
        if self.credit >= self.window {
            self.credit -= self.window;
            self.window += 1;
        }
    }

    fn lost(&mut self) {
        self.threshold = (self.window / 2).max(LEAST);
        (self.window, self.credit) = (self.threshold, 0);
    }

    fn fell_silent(&mut self) {
        self.threshold = (self.window / 2).max(LEAST);
        (self.window, self.credit) = (1, 0);
    }
}
