//! The timers of a connection and what happens when they expire (RFC 9293, section 3.10.8; RFC 6298, section
//! 5).

use std::time::Duration;

use super::connection::Connection;
use crate::model::{State, TcpNote, Time};
use crate::mutant::Mutant;

/// The override of the sender's silly-window avoidance waits so long (RFC 9293, section 3.8.6.2.1: 0.1 to 1
/// s).
const OVERRIDE_MIN: Duration = Duration::from_millis(100);
const OVERRIDE_MAX: Duration = Duration::from_secs(1);
/// How long a SYN waits that goes out again after a challenge acknowledgement.
const SYN_SOON: Duration = Duration::from_millis(10);

/// When what is due; `None` where a timer does not run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    /// Something was sent and is not acknowledged.
    pub(super) retransmit: Option<Time>,
    /// The SYN goes out again sooner than that.
    pub(super) syn_soon: Option<Time>,
    /// The window does not let out what is to be sent, and nothing is outstanding (RFC 9293, section
    /// 3.8.6.1); also the override of the sender's silly-window avoidance (section 3.8.6.2.1).
    pub(super) persist: Option<Time>,
    /// The persist timer expired: an octet goes out even so.
    pub(super) probe_due: bool,
    /// How often the persist timer's wait was doubled since the window was last open.
    pub(super) probes: u32,
    /// An acknowledgement waits for company.
    pub(super) delayed_ack: Option<Time>,
    /// TIME-WAIT, or an orphan's FIN-WAIT-2, ends.
    pub(super) end: Option<Time>,
    /// Expirations of `retransmit` or `persist` in a row with no answer.
    pub(super) unanswered: u32,
}

impl Connection {
    /// When [`expire`](Self::expire) must be called at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let Timers { retransmit, syn_soon, persist, delayed_ack, end, .. } = self.timers;
        [retransmit, syn_soon, persist, delayed_ack, end].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, now: Time) {
        let due = |at: &mut Option<Time>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.timers.end) {
            return self.end(None);
        }
        if due(&mut self.timers.delayed_ack) {
            self.ack_due = true;
        }
        if due(&mut self.timers.syn_soon) {
            self.syn_due = true;
        }
        if due(&mut self.timers.retransmit) {
            self.retransmission_timeout();
        }
        if due(&mut self.timers.persist) {
            self.persist_timeout();
        }
    }

    /// RFC 6298, section 5.4 to 5.7.
    fn retransmission_timeout(&mut self) {
        if self.gives_up() {
            return self.give_up_waiting();
        }
        self.note(TcpNote::Timeout);
        let again = self.timers.unanswered > 0;
        self.timers.unanswered += 1;
        if !self.is(Mutant::NeverBacksOff) {
            self.rtt.back_off(&self.config);
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.syn_due = self.state == State::SynSent || !self.is(Mutant::ForgetsSynAck);
            self.syn_timeouts += 1;
            return;
        }
        self.snd.timed = None;
        if self.is(Mutant::ForgetsFin) && self.snd.una == self.text_end() {
            return;
        }
        // RFC 9293, section 3.8.6: a window that shrank to nothing over data is probed in the standard way;
        // once it opens, all is sent again.
        self.timers.probe_due = self.snd.wnd == 0;
        if !self.is(Mutant::NeverHalves) {
            self.congestion.timed_out(self.snd.una, self.snd.nxt, again);
        }
        if self.is(Mutant::ForgetsThreshold) {
            self.congestion.ssthresh = u32::MAX;
        }
        self.snd.again = Some(self.snd.una);
        self.snd.resend_first = false;
    }

    fn persist_timeout(&mut self) {
        if self.snd.wnd == 0 {
            if self.gives_up() {
                return self.give_up_waiting();
            }
            self.timers.unanswered += 1;
            self.timers.probes += 1;
        }
        self.timers.probe_due = true;
    }

    /// When the persist timer expires. For probes of a closed window each wait is twice the last (RFC 9293,
    /// section 3.8.6.1); what a small window takes goes out soon, whatever the timeout was backed off to.
    pub(super) fn next_probe(&self, now: Time) -> Time {
        if self.snd.wnd > 0 {
            return now + self.rtt.rto().clamp(OVERRIDE_MIN, OVERRIDE_MAX);
        }
        now + self.rtt.rto().saturating_mul(2_u32.pow(self.timers.probes.min(16))).min(self.config.rto_max)
    }

    /// The peer has an older connection with these addresses and ports, which the reset that goes out now
    /// ends: the SYN goes out again behind it, without waiting for its timer, as in Linux
    /// (`TCP_TIMEOUT_MIN`). It does so once: RFC 9293, section 3.5.1, figure 9, does not say when.
    pub(super) fn send_syn_soon(&mut self, now: Time) {
        let sent_once = self.snd.timed.is_some();
        if sent_once {
            self.timers.syn_soon.get_or_insert(now + SYN_SOON);
        }
    }

    /// Whether the peer has been silent for too long (RFC 9293, section 3.8.3).
    fn gives_up(&self) -> bool {
        let most = match self.state {
            State::SynSent => self.config.syn_retries,
            State::SynReceived => self.config.syn_ack_retries,
            _ => self.config.retries,
        };
        self.timers.unanswered >= most && !self.is(Mutant::NeverGivesUp)
    }

    /// Runs the retransmission timer if it does not (RFC 6298, section 5.1).
    pub(super) fn start_retransmit(&mut self, now: Time) {
        self.timers.persist = None;
        self.timers.retransmit.get_or_insert(now + self.rtt.rto());
    }

    /// Restarts it, or stops it where nothing is outstanding (RFC 6298, sections 5.2 and 5.3).
    pub(super) fn restart_retransmit(&mut self, now: Time) {
        let outstanding = self.snd.una != self.snd.nxt;
        self.timers.retransmit = outstanding.then(|| now + self.rtt.rto());
    }

    /// Runs the persist timer while something is to be sent, nothing can be, and nothing is outstanding.
    pub(super) fn settle_persist(&mut self, now: Time) {
        let weary = self.timers.probes >= 3 && self.is(Mutant::StopsProbing);
        let stuck = self.has_unsent() && self.timers.retransmit.is_none() && !weary;
        if !stuck {
            self.timers.persist = None;
        } else if !self.is(Mutant::NeverProbes) {
            let at = self.next_probe(now);
            self.timers.persist.get_or_insert(at);
        }
    }

    /// Begins to wait for the end of TIME-WAIT, from the start.
    pub(super) fn wait_out(&mut self, now: Time) {
        if self.is(Mutant::SkipsTimeWait) {
            return self.end(None);
        }
        self.enter(State::TimeWait);
        let wait = match self.is(Mutant::ShortTimeWait) {
            true => Duration::from_millis(50),
            false => self.config.time_wait,
        };
        self.timers = Timers { end: Some(now + wait), ..Timers::default() };
    }

    /// An orphan in FIN-WAIT-2 does not wait forever.
    pub(super) fn limit_fin_wait_2(&mut self, now: Time) {
        if self.orphan && self.state == State::FinWait2 {
            self.timers.end.get_or_insert(now + self.config.fin_wait_2);
        }
    }

    /// Asks for an acknowledgement soon: at the second segment, else when the time is up.
    pub(super) fn acknowledge_soon(&mut self, now: Time) {
        self.unacknowledged += 1;
        let most = if self.is(Mutant::AcknowledgesSeldom) { 4 } else { 2 };
        if self.unacknowledged >= most {
            self.ack_due = true;
        } else {
            let wait = match self.is(Mutant::AcknowledgesLate) {
                true => Duration::from_secs(1),
                false => self.config.delayed_ack,
            };
            self.timers.delayed_ack.get_or_insert(now + wait);
        }
    }
}
