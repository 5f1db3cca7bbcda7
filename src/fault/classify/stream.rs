//! Which bytes of one direction of a TCP flow were on the wire before, and under which name.
//!
//! A segment whose first byte is new gets a new nth. Any other carries the nth of the segment that first
//! carried its first byte, and is one more transmission of it; it is also one more transmission of every
//! other segment whose first byte it covers. So no two segments have the same name, however retransmissions
//! are cut.
//!
//! Memory is bounded: a direction remembers [`PIECES_MAX`] pieces, all flows of two hosts
//! [`PIECES_TOTAL_MAX`]. Beyond that its two lowest pieces become one under the lower one's name. So what is
//! sent again from far behind may be called by the nth of a segment that lies before it.

use std::collections::VecDeque;

/// Pieces that one direction of a flow remembers.
const PIECES_MAX: usize = 4_096;
/// Pieces that all flows between two hosts remember together (each flow is left at least one).
const PIECES_TOTAL_MAX: usize = 65_536;

/// One direction of a TCP flow.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The initial sequence number, where the SYN was seen.
    isn: Option<u32>,
    /// A sequence number and its position: positions do not wrap around. The highest position seen.
    known: Option<(u32, i64)>,
    /// What was on the wire, in ascending order, without overlaps.
    pieces: VecDeque<Piece>,
}

/// A stretch of bytes that were first carried by one segment.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: i64,
    end: i64,
    nth: u32,
    nth_in_flow: u32,
    /// Whether this is where the segment began; then `sent` counts its transmissions.
    head: bool,
    sent: u32,
}

impl Stream {
    /// A SYN was seen. One with a new initial sequence number begins a new stream of bytes.
    ///
    /// Data beside the SYN (RFC 7413) is not followed: such a segment is a SYN.
    pub(super) fn begin(&mut self, isn: u32, total: &mut usize) {
        if self.isn != Some(isn) {
            self.isn = Some(isn);
            self.known = Some((isn.wrapping_add(1), 0));
            *total -= self.pieces.len();
            self.pieces.clear();
        }
    }

    /// A segment with data was seen: its nth, its nth within the flow and its transmission. `next` gives out
    /// the next two numbers; `total` counts the pieces of all flows.
    pub(super) fn carry(
        &mut self,
        seq: u32,
        len: u32,
        total: &mut usize,
        next: impl FnOnce() -> (u32, u32),
    ) -> (u32, u32, u32) {
        let start = self.position(seq);
        let end = start + i64::from(len);
        if self.known.is_none_or(|(_, highest)| highest < end) {
            self.known = Some((seq.wrapping_add(len), end));
        }
        let first = match self.pieces.back() {
            Some(last) if last.end > start => self.pieces.partition_point(|piece| piece.end <= start),
            _ => self.pieces.len(),
        };
        let again = self.pieces.get(first).is_some_and(|piece| piece.start <= start);
        let named = if again {
            let head = self.head_of(first);
            let piece = &mut self.pieces[head];
            piece.sent = piece.sent.saturating_add(1);
            *piece
        } else {
            let (nth, nth_in_flow) = next();
            Piece { start, end, nth, nth_in_flow, head: true, sent: 1 }
        };
        self.cover(first, Piece { start, end, head: !again, ..named }, total);
        (named.nth, named.nth_in_flow, named.sent)
    }

    /// The position of a sequence number: the one that is nearest to the highest seen (RFC 9293, section
    /// 3.4).
    fn position(&self, seq: u32) -> i64 {
        let (known, position) = self.known.unwrap_or((seq, 0));
        position + i64::from(seq.wrapping_sub(known).cast_signed())
    }

    /// The piece where the segment began that first carried piece `index`; `index` itself where that is
    /// forgotten.
    fn head_of(&self, index: usize) -> usize {
        let nth = self.pieces[index].nth;
        (0..=index).rev().find(|&i| self.pieces[i].head && self.pieces[i].nth == nth).unwrap_or(index)
    }

    /// Notes that `segment` was on the wire; `index` is the first piece that ends behind its start. What it
    /// covers was sent once more, what was not covered before now belongs to it.
    fn cover(&mut self, mut index: usize, segment: Piece, total: &mut usize) {
        let mut at = segment.start;
        while at < segment.end {
            let (covered_from, covered_to) = match self.pieces.get_mut(index) {
                Some(piece) if piece.start < segment.end => {
                    if piece.head && piece.start > segment.start && piece.nth != segment.nth {
                        piece.sent = piece.sent.saturating_add(1);
                    }
                    (piece.start, piece.end)
                }
                _ => (segment.end, segment.end),
            };
            if at < covered_from {
                let head = segment.head && at == segment.start;
                self.pieces.insert(index, Piece { start: at, end: covered_from, head, ..segment });
                *total += 1;
                index += 1;
            }
            at = covered_to;
            index += 1;
        }
        while self.pieces.len() > PIECES_MAX || (*total > PIECES_TOTAL_MAX && self.pieces.len() > 1) {
            if let Some(lowest) = self.pieces.pop_front()
                && let Some(merged) = self.pieces.front_mut()
            {
                *merged = Piece { end: merged.end, ..lowest };
                *total -= 1;
            }
        }
    }
}
