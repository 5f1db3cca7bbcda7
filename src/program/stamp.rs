//! Reproducible bytes and hashes: what was sent can be told from what came.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// SplitMix64's finaliser (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014): every
/// input bit moves every output bit.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Fills `out` with the bytes that a stream of `seed` has from `offset` on.
pub(super) fn fill(seed: u64, offset: u64, out: &mut [u8]) {
    let mut at = offset;
    let mut rest = out;
    while !rest.is_empty() {
        let block = mix(seed ^ mix(at / 8)).to_be_bytes();
        let from = (at % 8) as usize;
        let len = rest.len().min(8 - from);
        let (now, later) = rest.split_at_mut(len);
        now.copy_from_slice(&block[from..from + len]);
        at += len as u64;
        rest = later;
    }
}

/// A hash of one message.
pub(super) fn hash(data: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_stream_is_the_same_in_whatever_pieces_it_is_made() {
        let mut whole = [0; 100];
        fill(1, 3, &mut whole);
        let mut pieces = [0; 100];
        for (start, end) in [(0, 1), (1, 7), (7, 50), (50, 100)] {
            fill(1, 3 + start as u64, &mut pieces[start..end]);
        }
        assert_eq!(whole, pieces);
        let mut other = [0; 100];
        fill(2, 3, &mut other);
        assert_ne!(whole, other);
    }
}
