//! Congestion control: slow start, congestion avoidance, fast retransmit and fast recovery (RFC 5681, RFC
//! 6582), the initial window (RFC 6928) and limited transmit (RFC 3042).
//!
//! Left out, with its place here: SACK-based recovery (RFC 6675).

use super::seq::Seq;

/// Duplicate acknowledgements that mean a loss (RFC 5681, section 3.2).
pub(crate) const DUPLICATES: u32 = 3;

/// Which segment a duplicate or a partial acknowledgement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing to be sent again.
    Nothing,
    /// The first unacknowledged segment, at once.
    ResendFirst,
}

/// The congestion window and its inputs. Windows are in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Congestion {
    pub(crate) cwnd: u32,
    /// What was last told of it.
    pub(crate) told: u32,
    pub(crate) ssthresh: u32,
    mss: u32,
    /// Bytes acknowledged since the window last grew, in congestion avoidance.
    acked: u32,
    pub(crate) duplicates: u32,
    /// Fast recovery is on; and whether a partial acknowledgement came in it.
    recovery: Option<bool>,
    /// RFC 6582's `recover`, one past: a new recovery begins only once more than this was acknowledged.
    recover: Seq,
}

/// RFC 6928: ten segments, or at most 14 600 bytes if that is less, but at least two segments.
pub(crate) fn initial_window(mss: u32) -> u32 {
    (10 * mss).min((2 * mss).max(14_600))
}

impl Congestion {
    /// For a connection whose initial sequence number is `iss`.
    pub(crate) fn new(mss: u32, iss: Seq) -> Congestion {
        Congestion {
            cwnd: initial_window(mss),
            told: 0,
            ssthresh: u32::MAX,
            mss,
            acked: 0,
            duplicates: 0,
            recovery: None,
            recover: iss,
        }
    }

    /// The handshake is complete: the segment size is settled. If the SYN timed out more than once, the
    /// window begins with one segment (RFC 6928, section 2, which forgives the one lost SYN of RFC 5681,
    /// section 3.1).
    pub(crate) fn begin(&mut self, mss: u32, syn_timeouts: u32) {
        self.mss = mss;
        self.cwnd = if syn_timeouts > 1 { mss } else { initial_window(mss) };
    }

    /// What may be in flight beyond the window: a segment for each of the first two duplicates (RFC 3042).
    pub(crate) fn limited_transmit(&self) -> u32 {
        if self.recovery.is_some() { 0 } else { self.duplicates.min(DUPLICATES - 1) * self.mss }
    }

    /// After an idle time of more than a timeout the window is the restart window (RFC 5681, section 4.1).
    pub(crate) fn after_idle(&mut self) {
        self.cwnd = self.cwnd.min(initial_window(self.mss));
    }

    /// New data was acknowledged, up to `una`; `flight` is what is still out.
    pub(crate) fn acknowledged(&mut self, acked: u32, una: Seq, flight: u32) -> Advice {
        if self.recovery.is_none() {
            self.duplicates = 0;
            // It must not fall 2^31 behind, or it would seem to lie ahead.
            if una.after(self.recover) {
                self.recover = una - 1;
            }
            self.grow(acked);
            return Advice::Nothing;
        }
        if !una.before(self.recover) {
            // A full acknowledgement (RFC 6582, section 3.2, step 3).
            self.cwnd = self.ssthresh.min(flight.max(self.mss) + self.mss);
            self.recovery = None;
            self.duplicates = 0;
            return Advice::Nothing;
        }
        self.cwnd = self.cwnd.saturating_sub(acked);
        if acked >= self.mss {
            self.cwnd += self.mss;
        }
        self.cwnd = self.cwnd.max(self.mss);
        self.recovery = Some(true);
        Advice::ResendFirst
    }

    /// Whether a partial acknowledgement restarts the timer: only the first one does ("impatient", RFC 6582).
    pub(crate) fn restarts_timer(&self) -> bool {
        self.recovery != Some(true)
    }

    /// Slow start, or congestion avoidance with byte counting (RFC 5681, section 3.1).
    fn grow(&mut self, acked: u32) {
        if self.cwnd < self.ssthresh {
            self.cwnd = self.cwnd.saturating_add(acked.min(self.mss));
            return;
        }
        self.acked = self.acked.saturating_add(acked);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(self.mss);
        }
    }

    /// A duplicate acknowledgement (RFC 5681, section 3.2; RFC 6582, section 3.2): `una` and `nxt` are
    /// SND.UNA and SND.NXT.
    pub(crate) fn duplicate(&mut self, una: Seq, nxt: Seq) -> Advice {
        self.duplicates = self.duplicates.saturating_add(1);
        if self.recovery.is_some() {
            self.cwnd = self.cwnd.saturating_add(self.mss);
            return Advice::Nothing;
        }
        if self.duplicates != DUPLICATES || !una.after(self.recover) {
            return Advice::Nothing;
        }
        // What limited transmit sent beyond the window does not count.
        self.halve((nxt - una).min(self.cwnd));
        self.recover = nxt;
        self.recovery = Some(false);
        self.cwnd = self.ssthresh.saturating_add(DUPLICATES * self.mss);
        Advice::ResendFirst
    }

    /// The retransmission timer expired (RFC 5681, section 3.1; RFC 6582, section 3.2, step 4). `again` is
    /// whether it did so before for the same data: then the threshold stays.
    pub(crate) fn timed_out(&mut self, una: Seq, nxt: Seq, again: bool) {
        if !again {
            self.halve(nxt - una);
        }
        self.cwnd = self.mss;
        self.acked = 0;
        self.recovery = None;
        self.duplicates = 0;
        self.recover = nxt;
    }

    fn halve(&mut self, flight: u32) {
        self.ssthresh = (flight / 2).max(2 * self.mss);
        self.acked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;

    /// A connection with `iss` that has had `bytes` acknowledged, a window of 64 000 bytes at a time.
    fn carried(iss: Seq, bytes: u64) -> (Congestion, Seq) {
        let (mut congestion, mut una) = (Congestion::new(MSS, iss), iss + 1);
        for _ in 0..bytes / 64_000 {
            una += 64_000;
            congestion.acknowledged(64_000, una, 0);
        }
        (congestion, una)
    }

    #[test]
    fn fast_retransmit_works_however_much_went_before() {
        for gib in 0..=9 {
            let (mut congestion, una) = carried(Seq(7), gib << 30);
            let advice = [(); 3].map(|()| congestion.duplicate(una, una + 10 * MSS));
            assert_eq!(advice, [Advice::Nothing, Advice::Nothing, Advice::ResendFirst], "after {gib} GiB");
            // A partial and a full acknowledgement; then the next loss is as far away again.
            assert_eq!(congestion.acknowledged(MSS, una + MSS, 9 * MSS), Advice::ResendFirst);
            assert_eq!(congestion.acknowledged(9 * MSS, una + 10 * MSS, 0), Advice::Nothing);
            assert_eq!(congestion.duplicates, 0);
        }
    }

    #[test]
    fn duplicates_of_what_was_sent_before_a_loss_was_found_start_no_recovery() {
        let (mut congestion, una) = carried(Seq(7), 0);
        congestion.timed_out(una, una + 5 * MSS, false);
        for acked in 1..=5 {
            let una = una + acked * MSS;
            congestion.acknowledged(MSS, una, (5 - acked) * MSS);
            for _ in 0..5 {
                assert_eq!(congestion.duplicate(una, una + 9 * MSS), Advice::Nothing, "{acked} acknowledged");
            }
        }
        let una = una + 5 * MSS + 1;
        congestion.acknowledged(1, una, MSS);
        let advice = [(); 3].map(|()| congestion.duplicate(una, una + 9 * MSS));
        assert_eq!(advice[2], Advice::ResendFirst, "more than `recover` is acknowledged");
    }

    #[test]
    fn one_lost_syn_costs_no_window_and_two_leave_a_segment() {
        let window = |mss, timeouts| {
            let mut congestion = Congestion::new(mss, Seq(0));
            congestion.begin(mss, timeouts);
            congestion.cwnd
        };
        assert_eq!([0, 1, 2, 7].map(|timeouts| window(1_460, timeouts)), [14_600, 14_600, 1_460, 1_460]);
        assert_eq!([536, 1_500, 9_000].map(|mss| window(mss, 0)), [5_360, 14_600, 18_000]);
    }
}
