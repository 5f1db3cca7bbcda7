//! The receiving side: the window on offer, text in and out of order, the end of the stream.

use std::collections::VecDeque;

use super::reassembly::Reassembly;
use super::seq::Seq;

/// The largest window without scaling (RFC 9293, section 3.1). With it (RFC 7323) this is where it would
/// shift.
const WINDOW_MAX: u32 = 65_535;

/// The receive sequence variables (RFC 9293, section 3.3.1) and the receive buffer.
#[derive(Debug)]
pub(crate) struct Receive {
    /// IRS.
    pub(crate) irs: Seq,
    /// RCV.NXT.
    pub(crate) nxt: Seq,
    /// RCV.NXT + RCV.WND as it was last offered: the right edge, which never moves back.
    pub(crate) edge: Seq,
    /// Text that the program has not read.
    buffer: VecDeque<u8>,
    /// The most that `buffer` holds, in bytes.
    capacity: usize,
    ahead: Reassembly,
    /// Where the peer's FIN stands, if one came; it may be ahead.
    fin: Option<Seq>,
    /// The peer's FIN had its turn: after what is buffered comes the end.
    pub(crate) ended: bool,
}

impl Receive {
    pub(crate) fn new(capacity: usize) -> Receive {
        Receive {
            irs: Seq(0),
            nxt: Seq(0),
            edge: Seq(0),
            buffer: VecDeque::new(),
            capacity,
            ahead: Reassembly::default(),
            fin: None,
            ended: false,
        }
    }

    /// The peer's SYN came.
    pub(crate) fn begin(&mut self, irs: Seq) {
        self.irs = irs;
        self.nxt = irs + 1;
        self.edge = self.nxt;
    }

    /// RCV.WND as it was last offered.
    pub(crate) fn window(&self) -> u32 {
        self.edge.past(self.nxt)
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Bytes that can be read.
    pub(crate) fn readable(&self) -> usize {
        self.buffer.len()
    }

    /// How far the right edge could move: the free room beyond what is on offer.
    fn growth(&self) -> u32 {
        let free = self.capacity.saturating_sub(self.buffer.len()) as u32;
        free.min(WINDOW_MAX).saturating_sub(self.window())
    }

    /// Moves the right edge where that is worth it, and gives the window to be offered now: silly windows are
    /// avoided (RFC 9293, section 3.8.6.2.2).
    pub(crate) fn offer(&mut self, mss: u32) -> u16 {
        if self.growth() >= self.worth(mss) {
            self.edge += self.growth();
        }
        self.window().min(WINDOW_MAX) as u16
    }

    /// The most that can be on offer.
    fn window_max(&self) -> u32 {
        (self.capacity as u32).min(WINDOW_MAX)
    }

    /// By how much the right edge moves at least.
    fn worth(&self, mss: u32) -> u32 {
        (self.window_max() / 2).min(mss).max(1)
    }

    /// Whether the peer should be told at once of the room that a read made: after a window too small to be
    /// used as soon as there is one, else once two segments or half of the buffer are free.
    pub(crate) fn has_news(&self, mss: u32) -> bool {
        let worth = self.worth(mss);
        let at_once = if self.window() < worth { worth } else { (2 * mss).min(self.window_max() / 2).max(1) };
        self.growth() >= at_once
    }

    /// Takes in text that lies within the window; `start` may lie before RCV.NXT. Whether RCV.NXT moved.
    pub(crate) fn take_in(&mut self, start: Seq, text: &[u8]) -> bool {
        let known = (self.nxt.past(start) as usize).min(text.len());
        let (start, text) = (start + known as u32, &text[known..]);
        if text.is_empty() {
            return false;
        }
        if start != self.nxt {
            self.ahead.insert(start, text);
            return false;
        }
        self.append(text);
        while let Some(text) = self.ahead.take(self.nxt) {
            self.append(&text);
        }
        true
    }

    /// For mutants: text is handed out as it comes, whether or not its turn has come.
    pub(crate) fn hand_out(&mut self, text: &[u8]) {
        self.buffer.extend(text);
    }

    /// For mutants: what lies before `to` is taken as received.
    pub(crate) fn skip_to(&mut self, to: Seq) {
        self.nxt = self.nxt.max(to);
        self.edge = self.edge.max(self.nxt);
        self.ahead.clear();
    }

    fn append(&mut self, text: &[u8]) {
        self.nxt += text.len() as u32;
        self.buffer.extend(text);
    }

    /// Whether text waits for its turn.
    pub(crate) fn has_gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// A FIN stands at `at`, within the window, behind text from `start` on. If that follows on what has
    /// come, it is the end: whatever is held beyond was a stray. Of FINs ahead the first one is kept.
    pub(crate) fn note_fin(&mut self, start: Seq, at: Seq) {
        if start.after(self.nxt) {
            self.fin.get_or_insert(at);
        } else {
            self.fin = Some(at);
            self.ahead.clear();
        }
    }

    /// Whether the FIN's turn has come: it is taken in, once. One that text has passed was a stray, and is
    /// forgotten.
    pub(crate) fn take_fin(&mut self) -> bool {
        self.fin.take_if(|at| at.before(self.nxt));
        if self.ended || self.fin != Some(self.nxt) {
            return false;
        }
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
        self.ended = true;
        self.ahead.clear();
        true
    }

    /// Reads into `into`: how many bytes.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        let len = self.peek(into);
        self.buffer.drain(..len);
        if self.buffer.is_empty() && self.buffer.capacity() > self.capacity / 4 {
            // A connection at rest holds no memory.
            self.buffer = VecDeque::new();
        }
        len
    }

    /// Like `read`, but the bytes stay.
    pub(crate) fn peek(&self, into: &mut [u8]) -> usize {
        let len = into.len().min(self.buffer.len());
        let (front, back) = self.buffer.as_slices();
        let split = front.len().min(len);
        into[..split].copy_from_slice(&front[..split]);
        into[split..len].copy_from_slice(&back[..len - split]);
        len
    }

    /// Forgets what was not read.
    pub(crate) fn clear(&mut self) {
        self.buffer = VecDeque::new();
        self.ahead.clear();
    }

    /// Memory that it takes up, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.buffer.capacity() + self.ahead.memory()
    }

    /// What must hold; `Err` says what does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (nxt, edge) = (self.nxt, self.edge);
        if edge.before(nxt) || edge.past(nxt) > WINDOW_MAX {
            return Err(format!("the window on offer ends at {edge:?}, RCV.NXT is {nxt:?}"));
        }
        if !self.ahead.is_sound(nxt, edge) {
            return Err(format!(
                "text held ahead of {nxt:?} is not in order within the window: {:?}",
                self.ahead
            ));
        }
        if self.ended && self.has_gap() {
            return Err("text is held ahead of the end of the stream".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
