//! Text that came before its turn (RFC 9293, section 3.10.7.4: "segments with higher beginning sequence
//! numbers SHOULD be held for later processing").
//!
//! Bounded: the pieces do not overlap and lie within the window that was offered, and there are at most
//! [`PIECES_MAX`] of them. What does not fit is thrown away; the peer, which heard nothing of it, sends it
//! again.

use std::collections::VecDeque;

use super::seq::Seq;

/// Pieces that a connection holds at most.
const PIECES_MAX: usize = 1_024;

/// Pieces of text in ascending order, without overlaps, all beyond RCV.NXT.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    start: Seq,
    text: Vec<u8>,
}

impl Piece {
    fn end(&self) -> Seq {
        self.start + self.text.len() as u32
    }
}

impl Reassembly {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Memory that it takes up, in bytes, about.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.pieces.len() * size_of::<Piece>()
    }

    /// Keeps what is new of a piece of text.
    pub(crate) fn insert(&mut self, mut start: Seq, mut text: &[u8]) {
        let mut index = self.pieces.iter().take_while(|piece| !piece.end().after(start)).count();
        while !text.is_empty() && self.pieces.len() < PIECES_MAX {
            let next = self.pieces.get(index).map(|piece| (piece.start, piece.end()));
            let Some((from, to)) = next else {
                self.put(index, start, text);
                return;
            };
            // What lies before the next piece is new, what lies in it is not.
            let new = (from.past(start) as usize).min(text.len());
            if new > 0 {
                self.put(index, start, &text[..new]);
                index += 1;
            }
            let known = (to.past(start) as usize).min(text.len());
            (start, text) = (start + known as u32, &text[known..]);
            index += 1;
        }
    }

    fn put(&mut self, index: usize, start: Seq, text: &[u8]) {
        self.bytes += text.len();
        self.pieces.insert(index, Piece { start, text: text.to_vec() });
    }

    /// The text at `nxt`, if its turn has come; what lies before `nxt` is forgotten.
    pub(crate) fn take(&mut self, nxt: Seq) -> Option<Vec<u8>> {
        while let Some(first) = self.pieces.front() {
            if first.start.after(nxt) {
                return None;
            }
            let mut piece = self.pieces.pop_front()?;
            self.bytes -= piece.text.len();
            let known = nxt.past(piece.start) as usize;
            if known < piece.text.len() {
                piece.text.drain(..known);
                return Some(piece.text);
            }
        }
        None
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Reassembly::default();
    }

    /// What must hold, for the machine's invariants.
    pub(crate) fn is_sound(&self, nxt: Seq, edge: Seq) -> bool {
        let ordered =
            self.pieces.iter().zip(self.pieces.iter().skip(1)).all(|(a, b)| !a.end().after(b.start));
        let held = self
            .pieces
            .iter()
            .all(|piece| !piece.text.is_empty() && piece.start.after(nxt) && !piece.end().after(edge));
        let counted = self.bytes == self.pieces.iter().map(|piece| piece.text.len()).sum::<usize>();
        ordered && held && counted && self.pieces.len() <= PIECES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever comes in whatever order, what is taken is the text, and all of it once all came.
        #[test]
        fn pieces_in_any_order_make_the_text(
            base: u32,
            cuts in prop::collection::vec((0_u32..2_000, 1_u32..400), 1..60),
        ) {
            let text: Vec<u8> = (0..2_400_u32).map(|n| (n % 251) as u8).collect();
            let (mut reassembly, mut read) = (Reassembly::default(), Vec::new());
            let mut have = vec![false; 2_400];
            for (from, len) in cuts {
                let (start, end) = (from as usize, (from + len) as usize);
                have[start..end].fill(true);
                let skip = read.len().max(start).min(end);
                reassembly.insert(Seq(base) + skip as u32, &text[skip..end]);
                while let Some(more) = reassembly.take(Seq(base) + read.len() as u32) {
                    read.extend(more);
                }
                let all = have.iter().take_while(|have| **have).count();
                prop_assert_eq!(&read[..], &text[..all]);
                prop_assert!(reassembly.is_sound(Seq(base) + read.len() as u32, Seq(base) + 2_400));
            }
        }
    }

    #[test]
    fn pieces_are_bounded_in_number() {
        let mut reassembly = Reassembly::default();
        for n in 0..10_000 {
            reassembly.insert(Seq(1 + 2 * n), b"x");
        }
        assert_eq!(reassembly.bytes, PIECES_MAX);
    }
}
