//! What one side of a connection knows: what it sent, what it heard, and what follows from that by RFC 9293.

use faultwire::packet::TcpFlags;
use faultwire::time::Time;

use super::{Flow, Moment, OPENER, Segment};

/// A side's view of a connection, step by step. What it says is as of the step that was last taken.
#[derive(Clone, Debug)]
pub(in super::super) struct View<'a> {
    flow: &'a Flow,
    side: usize,
    next: usize,
    /// SND.UNA.
    pub(in super::super) una: i64,
    /// The highest sequence number sent, plus one; a probe of a closed window does not count.
    pub(in super::super) top: i64,
    /// Like `top`, but with probes.
    probed: i64,
    /// SND.WND.
    pub(in super::super) window: i64,
    /// SND.WL1 and SND.WL2.
    window_from: (i64, i64),
    /// The window field of the last acknowledgement that was heard.
    last_window: Option<i64>,
    /// The furthest right edge that was offered, as far as it was heard.
    pub(in super::super) edge: i64,
    /// When something of the peer's was heard last.
    pub(in super::super) heard_at: Option<Time>,
    /// RCV.NXT.
    pub(in super::super) expected: i64,
    /// The right edge that this side offered.
    offered: i64,
    /// What was heard beyond a gap.
    ahead: Vec<(i64, i64)>,
    /// The peer's SYN was heard.
    open: bool,
}

/// A step as the side sees it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Happened<'a> {
    /// It sent a segment.
    Sent {
        segment: &'a Segment,
        /// `top` before.
        top: i64,
        /// It is a single octet against a closed window (RFC 9293, section 3.8.6.1).
        probe: bool,
    },
    /// It heard a segment of the peer's.
    Heard {
        segment: &'a Segment,
        /// What its acknowledgement says.
        word: Word,
        /// RCV.NXT before.
        expected: i64,
        /// Some of it lies in the receive window (RFC 9293, section 3.10.7.4); what does not is not looked
        /// at.
        acceptable: bool,
    },
}

/// What an acknowledgement says to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Word {
    /// It acknowledges this many sequence numbers for the first time.
    New(i64),
    /// It is a duplicate acknowledgement (RFC 5681, section 2).
    Duplicate,
    /// It could be taken for one: its window is another by one reading of that definition, or it is not
    /// acceptable.
    Doubtful,
    /// Nothing of that.
    Other,
}

impl<'a> View<'a> {
    /// Before the first step.
    pub(in super::super) fn new(flow: &'a Flow, side: usize) -> View<'a> {
        View {
            flow,
            side,
            next: 0,
            una: 0,
            top: 0,
            probed: 0,
            window: 0,
            window_from: (0, 0),
            last_window: None,
            edge: 1,
            heard_at: None,
            expected: 0,
            offered: 0,
            ahead: Vec::new(),
            open: false,
        }
    }

    /// Bytes (and a FIN) that were sent and are not acknowledged.
    pub(in super::super) fn flight(&self) -> i64 {
        self.top - self.una
    }

    /// Whether a sequence number lies in the receive window.
    pub(in super::super) fn in_window(&self, seq: i64) -> bool {
        self.open && self.expected <= seq && seq < self.offered
    }

    /// Whether a moment is one at which something was heard: what is sent then may be an answer.
    pub(in super::super) fn may_answer(&self, at: Time) -> bool {
        self.heard_at == Some(at)
    }

    /// The place in the trace of the step that was last taken.
    pub(in super::super) fn place(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |step| self.flow.steps[step].place)
    }

    /// Takes the next step of this side.
    pub(in super::super) fn step(&mut self) -> Option<(Time, Happened<'a>)> {
        let flow = self.flow;
        loop {
            let step = flow.steps.get(self.next)?;
            self.next += 1;
            let segment = &flow.segments[step.segment];
            match (step.moment, segment.side == self.side) {
                (Moment::Sent, true) => return Some((step.at, self.sent(segment))),
                (Moment::Arrived, false) => {
                    self.heard_at = Some(step.at);
                    return Some((step.at, self.heard(segment)));
                }
                _ => {}
            }
        }
    }

    fn sent(&mut self, segment: &'a Segment) -> Happened<'a> {
        let top = self.top;
        let takes = segment.end() - segment.seq;
        let probe = self.open && self.window == 0 && segment.seq == self.una && takes == 1;
        self.probed = self.probed.max(segment.end());
        if !probe {
            self.top = self.top.max(segment.end());
        }
        if let Some(ack) = segment.ack {
            self.offered = self.offered.max(ack + segment.window);
        } else if self.side == OPENER {
            self.offered = self.offered.max(1 + segment.window);
        }
        Happened::Sent { segment, top, probe }
    }

    fn heard(&mut self, segment: &'a Segment) -> Happened<'a> {
        let expected = self.expected;
        if let Some(ack) = segment.ack {
            self.edge = self.edge.max(ack + segment.window);
        }
        let is_syn = segment.is(TcpFlags::SYN);
        if !self.open {
            let opens = is_syn && segment.ack.is_none_or(|ack| ack == 1);
            let word = if opens { self.opened(segment) } else { Word::Other };
            return Happened::Heard { segment, word, expected, acceptable: opens };
        }
        let acceptable = !is_syn && self.is_acceptable(segment);
        let word = match segment.ack {
            Some(ack) if acceptable => self.acknowledged(segment, ack),
            Some(ack) if is_plain(segment) && ack == self.una && self.flight() > 0 => Word::Doubtful,
            _ => Word::Other,
        };
        if acceptable {
            self.take_text(segment);
        }
        Happened::Heard { segment, word, expected, acceptable }
    }

    /// The peer's SYN.
    fn opened(&mut self, segment: &Segment) -> Word {
        self.open = true;
        self.expected = 1;
        self.window = segment.window;
        let Some(ack) = segment.ack else { return Word::Other };
        let acked = ack - self.una;
        self.una = ack;
        self.window_from = (segment.seq, ack);
        self.last_window = Some(segment.window);
        Word::New(acked)
    }

    fn is_acceptable(&self, segment: &Segment) -> bool {
        let (start, end, offered) = (segment.seq, segment.end(), self.offered.max(self.expected));
        if start == end || offered == self.expected {
            return self.expected <= start && start <= offered;
        }
        start < offered && end > self.expected
    }

    fn acknowledged(&mut self, segment: &Segment, ack: i64) -> Word {
        if ack > self.probed {
            return Word::Other;
        }
        let word = if ack > self.una {
            let acked = ack - self.una;
            self.una = ack;
            self.top = self.top.max(ack);
            Word::New(acked)
        } else if ack == self.una && self.flight() > 0 && is_plain(segment) {
            let (same, also) = (Some(segment.window) == self.last_window, segment.window == self.window);
            match (same, also) {
                (true, true) => Word::Duplicate,
                (false, false) => Word::Other,
                _ => Word::Doubtful,
            }
        } else {
            Word::Other
        };
        self.last_window = Some(segment.window);
        let (seq, before) = self.window_from;
        if ack >= self.una && (seq < segment.seq || (seq == segment.seq && before <= ack)) {
            self.window = segment.window;
            self.window_from = (segment.seq, ack);
        }
        word
    }

    fn take_text(&mut self, segment: &Segment) {
        let (start, end) = (segment.text(), segment.end().min(self.offered.max(self.expected)));
        if end > start {
            self.ahead.push((start, end));
        }
        while let Some(index) = self.ahead.iter().position(|(start, _)| *start <= self.expected) {
            let (_, end) = self.ahead.swap_remove(index);
            self.expected = self.expected.max(end);
        }
    }
}

/// Whether it is an acknowledgement and nothing else.
fn is_plain(segment: &Segment) -> bool {
    segment.end() == segment.seq && !segment.is(TcpFlags::RST)
}
