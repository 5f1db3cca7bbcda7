//! Bytes that tell where they belong, so that what became of them can be told from any few of them.

use std::fmt;

/// Bytes that are enough to locate a place in a pattern.
const PROBE: usize = 8;

/// A stream's content: aligned words of four bytes, each of which occurs once, and in no other key's pattern.
pub(super) fn pattern(key: u8, len: usize) -> Vec<u8> {
    let words = (0..).flat_map(|index: u32| {
        // Every step can be undone, so that different words stay different.
        let mut word = (u32::from(key) << 24) | (index & 0x00ff_ffff);
        word = word.wrapping_mul(0x9e37_79b1);
        word ^= word >> 15;
        word = word.wrapping_mul(0x85eb_ca77);
        word ^= word >> 13;
        word.to_le_bytes()
    });
    words.take(len).collect()
}

/// How what was read differs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something in between is missing.
    Lost,
    /// Something comes twice.
    Repeated,
    /// Something comes before what was written before it.
    Reordered,
    /// Something was never written.
    Altered,
}

/// The first place at which what was read is no longer a prefix of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// The offset in the stream, in bytes.
    pub(super) at: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Lost => "bytes are missing",
            Kind::Repeated => "bytes that were read before come again",
            Kind::Reordered => "bytes come before those that were written before them",
            Kind::Altered => "bytes come that were not written",
        };
        write!(f, "at byte {} {what}", self.at)
    }
}

/// Where and how `read` stops being a prefix of `written`, if it does.
pub(super) fn difference(written: &[u8], read: &[u8]) -> Option<Difference> {
    let same = written.iter().zip(read).take_while(|(a, b)| a == b).count();
    if same == read.len() {
        return None;
    }
    let probe = &read[same..read.len().min(same + PROBE)];
    let kind = match find(written, probe) {
        Some(place) if place < same => Kind::Repeated,
        Some(place) if place > same => {
            let skipped = &written[same..place.min(same + PROBE)];
            match find(&read[same..], skipped) {
                Some(_) => Kind::Reordered,
                None => Kind::Lost,
            }
        }
        _ => Kind::Altered,
    };
    Some(Difference { kind, at: same })
}

fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(read: &[u8]) -> Option<Kind> {
        difference(&pattern(7, 4000), read).map(|difference| difference.kind)
    }

    #[test]
    fn a_prefix_is_no_difference() {
        let whole = pattern(7, 4000);
        for len in [0, 1, 1999, 4000] {
            assert_eq!(kind(&whole[..len]), None);
        }
    }

    #[test]
    fn loss_repetition_reordering_and_alteration_are_told_apart() {
        let whole = pattern(7, 4000);
        let (a, b, c, d) = (&whole[..1001], &whole[1001..1500], &whole[1500..2222], &whole[2222..]);
        assert_eq!(kind(&[a, c, d].concat()), Some(Kind::Lost));
        assert_eq!(kind(&[a, b, b, c, d].concat()), Some(Kind::Repeated));
        assert_eq!(kind(&[a, c, b, d].concat()), Some(Kind::Reordered));
        let mut altered = whole.clone();
        altered[1700] ^= 4;
        assert_eq!(difference(&whole, &altered), Some(Difference { kind: Kind::Altered, at: 1700 }));
        assert_eq!(kind(&pattern(8, 4000)), Some(Kind::Altered));
    }

    #[test]
    fn what_comes_after_the_end_is_a_difference() {
        let whole = pattern(7, 4000);
        assert_eq!(kind(&[&whole[..], &whole[3000..]].concat()), Some(Kind::Repeated));
        assert_eq!(kind(&[&whole[..], b"something else"].concat()), Some(Kind::Altered));
    }

    #[test]
    fn no_word_comes_twice() {
        let mut words: Vec<_> = [1, 2]
            .iter()
            .flat_map(|key| pattern(*key, 256 * 1024))
            .collect::<Vec<_>>()
            .chunks(4)
            .map(<[u8]>::to_vec)
            .collect();
        let all = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
