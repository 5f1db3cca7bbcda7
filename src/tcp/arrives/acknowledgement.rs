//! The ACK field of a segment that arrives (RFC 9293, section 3.10.7.4, fifth).

use super::Outcome;
use crate::model::{State, TcpNote, Time};
use crate::mutant::Mutant;
use crate::tcp::congestion::Advice;
use crate::tcp::connection::Connection;
use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;

impl Connection {
    /// `Some` where the segment is done with.
    pub(super) fn take_acknowledgement(
        &mut self,
        segment: &Segment<'_>,
        ack: Seq,
        now: Time,
    ) -> Option<Outcome> {
        if self.state == State::SynReceived {
            if ack != self.snd.nxt && !self.is(Mutant::AcceptsAnyAck) {
                return Some(Outcome::Refuse);
            }
            self.snd.una = self.snd.nxt;
            self.establish(segment, now);
            return None;
        }
        let ack =
            if self.is(Mutant::BelievesWildAcks) && ack.after(self.snd.max) { self.snd.nxt } else { ack };
        if ack.after(self.snd.max) {
            // It acknowledges what was not sent.
            self.challenge(now);
            return Some(Outcome::Done);
        }
        // Whatever routers reported, something got through.
        self.soft_error = None;
        // The peer is there, even if it does not take what is sent to it. Nobody waits forever with an
        // orphan, though (as Linux's `tcp_orphan_retries`): else a peer that never opens its window could
        // fill the host with them.
        if (self.snd.wnd == 0 || self.flight() == 0) && !self.orphan {
            self.timers.unanswered = 0;
        }
        let news = ack.after(self.snd.una);
        if news {
            self.advance(ack, now);
        } else if self.is_duplicate(segment, ack) {
            self.take_duplicate();
        }
        self.learn_window(segment, ack, news);
        self.after_fin(now)
    }

    /// New data is acknowledged, or the FIN.
    fn advance(&mut self, ack: Seq, now: Time) {
        let acked = ack - self.snd.una;
        let space_before = self.is_writable();
        let text = ack.past(self.snd.text).min(self.buffer.len() as u32);
        self.buffer.consume(text as usize);
        self.snd.text += text;
        self.snd.una = ack;
        self.snd.nxt = self.snd.nxt.max(ack);
        self.snd.again =
            self.snd.again.map(|again| again.max(ack)).filter(|again| again.before(self.snd.nxt));
        self.timers.unanswered = 0;
        if let Some((_, sent)) = self.snd.timed.take_if(|(end, _)| !end.after(ack)) {
            self.rtt.sample(now.since(sent), &self.config);
        }
        let restarts = self.congestion.restarts_timer();
        let inflated = self.congestion.cwnd;
        let advice = self.congestion.acknowledged(acked, ack, self.flight());
        if self.is(Mutant::StaysInflated) {
            self.congestion.cwnd = self.congestion.cwnd.max(inflated);
        }
        if advice == Advice::ResendFirst && self.flight() > 0 {
            self.snd.resend_first = true;
        }
        // A full acknowledgement ends recovery, and restarts the timer too.
        if restarts || advice == Advice::Nothing {
            self.restart_retransmit(now);
        }
        if self.is_writable() && !space_before {
            self.woken = true;
        }
    }

    /// A duplicate acknowledgement by RFC 5681, section 2.
    fn is_duplicate(&self, segment: &Segment<'_>, ack: Seq) -> bool {
        ack == self.snd.una
            && self.flight() > 0
            && segment.text.is_empty()
            && !segment.fin
            && u32::from(segment.window) == self.snd.wnd
    }

    fn take_duplicate(&mut self) {
        if self.is(Mutant::NeverFastRetransmits) {
            return;
        }
        if self.is(Mutant::RepeatsAtSecond) {
            self.congestion.duplicates += 1;
            self.snd.resend_first |= self.congestion.duplicates == 2;
            return;
        }
        let before = (self.congestion.cwnd, self.congestion.ssthresh);
        let advice = self.congestion.duplicate(self.snd.una, self.snd.nxt);
        if self.is(Mutant::NeverHalves) {
            (self.congestion.cwnd, self.congestion.ssthresh) = before;
        }
        if self.is(Mutant::ForgetsThreshold) {
            self.congestion.ssthresh = u32::MAX;
        }
        if advice == Advice::ResendFirst {
            self.note(TcpNote::FastRetransmit);
            self.snd.resend_first = true;
            self.timers.retransmit = None;
        }
    }

    /// SND.WND, unless the segment is older than the one it was last taken from (SND.WL1, SND.WL2). What
    /// acknowledges new data is never older, were it a repeat with an old sequence number (as in Linux's
    /// `tcp_may_update_window`).
    fn learn_window(&mut self, segment: &Segment<'_>, ack: Seq, news: bool) {
        let newer = news
            || self.snd.wl1.before(segment.seq)
            || (self.snd.wl1 == segment.seq && !ack.before(self.snd.wl2));
        if ack.before(self.snd.una) || !(newer || self.is(Mutant::BelievesOldWindows)) {
            return;
        }
        self.take_window(segment, ack);
    }

    /// Whatever was known of the window before.
    pub(super) fn take_window(&mut self, segment: &Segment<'_>, ack: Seq) {
        let was_closed = self.snd.wnd == 0;
        self.snd.wnd = segment.window.into();
        self.snd.wl1 = segment.seq;
        self.snd.wl2 = ack;
        self.snd.wnd_max = self.snd.wnd_max.max(self.snd.wnd);
        self.snd.edge = self.snd.edge.max(ack + self.snd.wnd);
        if was_closed != (self.snd.wnd == 0) {
            // It waits for something else from now on: a closed window is probed, a small one is used after a
            // while.
            self.timers.probes = 0;
            self.timers.persist = None;
        }
    }

    /// What the acknowledgement of the FIN leads to.
    fn after_fin(&mut self, now: Time) -> Option<Outcome> {
        let fin_acknowledged = self.state.has_closed() && self.snd.una.after(self.text_end());
        if !fin_acknowledged {
            return None;
        }
        match self.state {
            State::FinWait1 => {
                self.enter(State::FinWait2);
                self.limit_fin_wait_2(now);
            }
            State::Closing => self.wait_out(now),
            State::LastAck => {
                self.end(None);
                return Some(Outcome::Done);
            }
            _ => {}
        }
        None
    }
}
