//! A segment arrives (RFC 9293, section 3.10.7), by state. CLOSED is [`Segment::refusal`], LISTEN is the
//! stack's.

mod acknowledgement;
mod syn_sent;
mod text;

use std::time::Duration;

use super::connection::Connection;
use super::segment::Segment;
use crate::model::{Errno, State, Time};
use crate::mutant::Mutant;

/// Empty segments from outside the window, and resets and SYNs within it, are answered no more often than
/// this (as Linux's `tcp_invalid_ratelimit`): else two ends that disagree would answer each other forever.
const ANSWER_INTERVAL: Duration = Duration::from_millis(500);

/// What the stack is to do with a segment that its connection did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing: it was dealt with.
    Done,
    /// Answer it as if there were no connection, with a reset.
    Refuse,
    /// It is a SYN that ends TIME-WAIT early: forget this connection and give the segment to the listener.
    OpensAnew,
}

impl Connection {
    /// Takes in a segment of this connection.
    pub(crate) fn arrives(&mut self, segment: &Segment<'_>, now: Time) -> Outcome {
        match self.state {
            State::Closed => Outcome::Refuse,
            State::SynSent => self.arrives_in_syn_sent(segment, now),
            _ => self.arrives_otherwise(*segment, now),
        }
    }

    /// RFC 9293, section 3.10.7.4.
    fn arrives_otherwise(&mut self, mut segment: Segment<'_>, now: Time) -> Outcome {
        if self.state == State::TimeWait && self.opens_anew(&segment) {
            return Outcome::OpensAnew;
        }
        if self.state == State::SynReceived && segment.syn && !segment.rst && segment.seq == self.rcv.irs {
            // The peer's SYN again. It may be the SYN-ACK of a simultaneous open: that its SYN is old does
            // not make its acknowledgement so.
            if segment.ack.is_none() {
                if self.is(Mutant::ResetsOnSecondSyn) {
                    self.abort(Some(Errno::ECONNRESET));
                }
                self.syn_due = self.state == State::SynReceived;
                return Outcome::Done;
            }
            self.ack_due = true;
            segment.syn = false;
            segment.seq += 1;
        }
        if segment.rst && self.is(Mutant::BelievesAnyReset) {
            self.reset();
            return Outcome::Done;
        }
        // First, the sequence number.
        if !self.is_acceptable(&segment) {
            if self.is(Mutant::TakesTwice) && segment.end() == self.rcv.nxt {
                self.rcv.hand_out(segment.text);
            }
            self.answer_unacceptable(&segment, now);
            return Outcome::Done;
        }
        // Second, the RST bit.
        if segment.rst {
            self.take_reset(&segment, now);
            return Outcome::Done;
        }
        // Fourth, the SYN bit. A peer that has started anew answers the challenge with a reset that fits (RFC
        // 5961, section 4.2).
        if segment.syn {
            if self.state == State::SynReceived {
                self.abort(Some(Errno::ECONNRESET));
            } else {
                self.challenge(now);
            }
            return Outcome::Done;
        }
        // Fifth, the ACK field.
        let Some(ack) = segment.ack else {
            return Outcome::Done;
        };
        if let Some(outcome) = self.take_acknowledgement(&segment, ack, now) {
            return outcome;
        }
        // Sixth, the URG bit: urgent data stays in line. Seventh and eighth, the text and the FIN bit.
        self.take_text(&segment, now);
        Outcome::Done
    }

    /// A SYN may reopen a connection from TIME-WAIT if it lies beyond all that was received (RFC 9293,
    /// section 3.6.1, MAY-2).
    fn opens_anew(&self, segment: &Segment<'_>) -> bool {
        let fresh = segment.seq.after(self.rcv.nxt) || self.is(Mutant::ReopensForOldSyns);
        segment.syn && segment.ack.is_none() && !segment.rst && !segment.fin && fresh
    }

    /// Says again what came.
    pub(crate) fn acknowledge(&mut self) {
        self.ack_due = true;
    }

    /// Whether some of the segment lies in the receive window. "Special allowance" (section 3.10.7.4) is made
    /// for what carries no text at the window's right edge, and for the acknowledgement of what comes to a
    /// closed window.
    fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        let (nxt, edge) = (self.rcv.nxt, self.rcv.edge);
        if segment.len() == 0 || edge == nxt {
            return !segment.seq.before(nxt) && !segment.seq.after(edge);
        }
        segment.seq.before(edge) && segment.end().after(nxt)
    }

    /// "If an incoming segment is not acceptable, an acknowledgment should be sent in reply, unless the RST
    /// bit is set."
    fn answer_unacceptable(&mut self, segment: &Segment<'_>, now: Time) {
        if segment.rst || (self.state == State::TimeWait && self.is(Mutant::SilentInTimeWait)) {
            return;
        }
        // The peer's FIN again, and nothing else (section 3.10.7.4, "the only thing that can arrive in this
        // state").
        if self.state == State::TimeWait && segment.fin && segment.end() == self.rcv.nxt {
            self.wait_out(now);
        }
        if segment.len() == 0 {
            return self.challenge(now);
        }
        self.ack_due = true;
    }

    /// Says what is expected next, unless that was said a moment ago (RFC 5961, section 7).
    pub(super) fn challenge(&mut self, now: Time) {
        self.ack_due |= self.may_answer(now);
    }

    /// Whether a segment that is out of place may be answered by now.
    fn may_answer(&mut self, now: Time) -> bool {
        let recently = self.last_answer.is_some_and(|last| now.since(last) < ANSWER_INTERVAL);
        if !recently {
            self.last_answer = Some(now);
        }
        !recently
    }

    /// A reset that is acceptable. Only the very number that is expected next ends the connection (RFC 5961,
    /// section 3.2). For any other the peer, if it is no impostor, answers a challenge with a reset that
    /// fits.
    fn take_reset(&mut self, segment: &Segment<'_>, now: Time) {
        if self.is(Mutant::IgnoresResets) || segment.seq.before(self.rcv.nxt) {
            return;
        }
        if segment.seq == self.rcv.nxt {
            self.reset();
        } else {
            self.challenge(now);
        }
    }

    /// The peer's reset.
    fn reset(&mut self) {
        let error = match self.state {
            // A reset does not cut TIME-WAIT short, or old duplicates would find their way into the next
            // connection (RFC 1337, section 3, fix F1; Linux's `tcp_rfc1337`).
            State::TimeWait => return,
            // As Linux has it: the peer has said its last word, so that it is writing which fails.
            State::CloseWait => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        };
        self.end(Some(error));
    }
}
