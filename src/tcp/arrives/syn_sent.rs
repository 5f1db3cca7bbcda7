//! A segment arrives in SYN-SENT (RFC 9293, section 3.10.7.3).

use super::Outcome;
use crate::model::{Errno, State, Time};
use crate::mutant::Mutant;
use crate::tcp::connection::Connection;
use crate::tcp::segment::Segment;

impl Connection {
    pub(super) fn arrives_in_syn_sent(&mut self, segment: &Segment<'_>, now: Time) -> Outcome {
        // First, the ACK bit: nothing but the SYN can be acknowledged.
        if segment.ack.is_some_and(|ack| ack != self.snd.nxt) {
            if !segment.rst {
                self.send_syn_soon(now);
            }
            return Outcome::Refuse;
        }
        // Second, the RST bit.
        if segment.rst {
            if segment.ack.is_some() {
                self.end(Some(Errno::ECONNREFUSED));
            }
            return Outcome::Done;
        }
        // Fourth, the SYN bit.
        if !segment.syn {
            return Outcome::Done;
        }
        let Some(ack) = segment.ack else {
            if self.is(Mutant::RefusesCrossedSyn) {
                return Outcome::Done;
            }
            // A simultaneous open.
            self.learn_syn(segment);
            self.enter(State::SynReceived);
            self.timers.unanswered = 0;
            (self.timers.retransmit, self.timers.syn_soon) = (None, None);
            self.syn_due = true;
            return Outcome::Done;
        };
        self.learn_syn(segment);
        self.snd.una = ack;
        self.establish(segment, now);
        self.ack_due = true;
        // Text and FIN beside a SYN-ACK are not kept: the peer sends them again.
        Outcome::Done
    }

    /// The handshake is complete: `segment` acknowledges the SYN.
    pub(super) fn establish(&mut self, segment: &Segment<'_>, now: Time) {
        if let Some((_, sent)) = self.snd.timed.take() {
            self.rtt.sample(now.since(sent), &self.config);
        } else if self.syn_timeouts > 0 {
            self.rtt.after_lost_syn(&self.config);
        }
        self.congestion.begin(self.mss, self.syn_timeouts);
        if self.is(Mutant::BeginsLarge) {
            self.congestion.cwnd = 64 * self.mss;
        }
        self.timers.unanswered = 0;
        (self.timers.retransmit, self.timers.syn_soon) = (None, None);
        self.soft_error = None;
        self.syn_due = false;
        self.take_window(segment, self.snd.una);
        self.enter(State::Established);
        self.woken = true;
        if self.close_follows {
            self.shut_write();
        }
    }
}
