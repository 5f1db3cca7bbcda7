//! What holds of a connection between any two calls. All tests ask this one function.

use super::connection::Connection;
use crate::model::State;

impl Connection {
    /// `Err` says which invariant is broken.
    ///
    /// # Errors
    /// Where the machine is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let snd = &self.snd;
        let fail = |what: &str| Err(format!("{what} in {}: {:?}, {:?}", self.state, self.snd, self.timers));
        if snd.una.after(snd.nxt) || snd.nxt.after(snd.max) {
            return fail("SND.UNA <= SND.NXT <= all that was sent does not hold");
        }
        if self.state == State::Closed {
            return match self.poll_timeout() {
                None => Ok(()),
                Some(_) => fail("a timer runs"),
            };
        }
        if self.state.is_synchronized() && snd.nxt.after(snd.edge) {
            return fail("SND.NXT lies beyond every window that was offered");
        }
        if self.state.is_synchronized() && (snd.una + snd.wnd).after(snd.edge) {
            return fail("the send window ends beyond every right edge that was offered");
        }
        if snd.max - snd.nxt > 1 {
            return fail("more than an octet was sent beyond the window");
        }
        if snd.nxt.after(self.text_end() + u32::from(self.state.has_closed())) && self.state.is_synchronized()
        {
            return fail("SND.NXT lies beyond what there is to send");
        }
        if snd.again.is_some_and(|again| again.before(snd.una) || !again.before(snd.nxt)) {
            return fail("what is to be sent again is not outstanding");
        }
        if self.mss == 0 || self.congestion.cwnd < self.mss {
            return fail("nothing can be sent");
        }
        self.check_timers().and_then(|()| self.rcv.check())
    }

    /// Nothing waits without a timer that ends the waiting.
    fn check_timers(&self) -> Result<(), String> {
        let timers = &self.timers;
        let fail = |what: &str| Err(format!("{what} in {}: {:?}, {timers:?}", self.state, self.snd));
        let outstanding = self.snd.una != self.snd.nxt && self.state != State::TimeWait;
        if outstanding && timers.retransmit.is_none() {
            return fail("something is outstanding and no retransmission timer runs");
        }
        if self.state.is_synchronized()
            && self.has_unsent()
            && timers.retransmit.is_none()
            && timers.persist.is_none()
        {
            return fail("something is to be sent and no timer runs");
        }
        if timers.retransmit.is_some() && timers.persist.is_some() {
            return fail("the retransmission and the persist timer both run");
        }
        if self.unacknowledged > 0 && timers.delayed_ack.is_none() && !self.ack_due {
            return fail("text is not acknowledged and no timer runs");
        }
        if self.state == State::TimeWait && timers.end.is_none() {
            return fail("TIME-WAIT has no end");
        }
        Ok(())
    }
}
