//! The text and the FIN bit of a segment that arrives (RFC 9293, section 3.10.7.4, seventh and eighth).

use crate::model::{Errno, State, Time};
use crate::mutant::Mutant;
use crate::tcp::connection::Connection;
use crate::tcp::segment::Segment;

impl Connection {
    pub(super) fn take_text(&mut self, segment: &Segment<'_>, now: Time) {
        if !self.state.receives() {
            return;
        }
        // What lies beyond the window is trimmed, and a FIN behind it with it. A FIN right at the edge needs
        // no room (as in Linux).
        let room = self.rcv.edge.past(segment.seq) as usize;
        let text = &segment.text[..segment.text.len().min(room)];
        let whole = text.len() == segment.text.len();
        let new = !text.is_empty() && (segment.seq + text.len() as u32).after(self.rcv.nxt);
        let unread = self.orphan || (self.read_shut && self.state.has_closed());
        if new && unread {
            // Nobody will read it (RFC 9293, section 3.6.1, MAY-1; RFC 2525, section 2.17).
            return self.abort(Some(Errno::ECONNRESET));
        }
        if segment.fin && whole {
            self.rcv.note_fin(segment.seq, segment.end() - 1);
        }
        if !segment.text.is_empty() {
            self.take_in(segment, text, now);
        }
        if segment.fin && whole && self.is(Mutant::EndsEarly) {
            self.rcv.skip_to(segment.end() - 1);
        }
        if segment.fin {
            self.ack_due = true;
        }
        if self.rcv.take_fin() {
            self.ended(now);
        }
    }

    fn take_in(&mut self, segment: &Segment<'_>, text: &[u8], now: Time) {
        let had_gap = self.rcv.has_gap();
        if segment.seq.after(self.rcv.nxt) {
            if self.is(Mutant::HandsOutAhead) {
                self.rcv.hand_out(text);
            }
            if self.is(Mutant::AcknowledgesGaps) {
                self.rcv.skip_to(segment.seq);
            }
        }
        if self.is(Mutant::TakesOverlaps) {
            let known = self.rcv.nxt.past(segment.seq) as usize;
            self.rcv.hand_out(text.get(..known).unwrap_or_default());
        }
        let moved = self.rcv.take_in(segment.seq, text);
        if moved {
            self.woken = true;
        }
        // RFC 5681, section 4.2: at once where something is missing, or no longer is; and where something is
        // there already, or does not fit.
        let regular = moved && !had_gap && text.len() == segment.text.len();
        if self.is(Mutant::AcknowledgesReads) && moved {
            return;
        }
        if regular || self.is(Mutant::SilentOnGaps) {
            self.acknowledge_soon(now);
        } else {
            self.ack_due = true;
        }
    }

    /// The peer's FIN has come, and all before it.
    fn ended(&mut self, now: Time) {
        self.woken = true;
        self.ack_due = true;
        match self.state {
            State::Established => {
                self.enter(State::CloseWait);
                if self.is(Mutant::ClosesBoth) {
                    self.shut_write();
                }
            }
            State::FinWait1 if self.is(Mutant::ForgetsCrossedFin) => self.wait_out(now),
            State::FinWait1 => self.enter(State::Closing),
            State::FinWait2 => self.wait_out(now),
            _ => {}
        }
    }
}
