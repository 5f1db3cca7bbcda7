//! What the targets make packets and calls with: choices that bytes or a number decide, and correct
//! checksums.

/// A sequence of choices.
pub(crate) enum Choice<'a> {
    /// What these bytes say; zeros after their end.
    Bytes(&'a [u8]),
    /// SplitMix64 without an end, from this state on.
    #[cfg(test)]
    Number(u64),
}

impl Choice<'_> {
    /// Whether the bytes are used up.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Choice::Bytes([]))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.number(8)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // As few bytes as will do: a fuzzer changes them one by one.
        let bytes = (usize::BITS - (end - 1).leading_zeros()).div_ceil(8) as usize;
        (self.number(bytes) % end as u64) as usize
    }

    /// A number of `bytes` bytes, 8 at most. A sequence from a number always gives 8.
    fn number(&mut self, bytes: usize) -> u64 {
        match self {
            Choice::Bytes(left) => {
                let (taken, rest) = left.split_at(bytes.min(left.len()));
                *left = rest;
                taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            #[cfg(test)]
            Choice::Number(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            }
        }
    }

    /// One of these.
    pub(crate) fn among<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub(crate) fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Up to `most` bytes.
    pub(crate) fn data(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// The sum of 16-bit words.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|word| u64::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]))).sum()
}

/// The checksum that a sum leads to.
pub(crate) fn fold(mut sum: u64) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    (!(sum as u16)).to_be_bytes()
}

/// Makes the checksums right again, as far as they can be found, so that damage gets past them.
pub(crate) fn fix_checksums(packet: &mut [u8]) {
    let (header, protocol, addresses) = match packet.first().map(|first| first >> 4) {
        Some(4) if packet.len() >= 20 => (usize::from(packet[0] & 15) * 4, packet[9], 12..20),
        Some(6) if packet.len() >= 40 => (40, packet[6], 8..40),
        _ => return,
    };
    if packet[0] >> 4 == 4 && (20..=packet.len()).contains(&header) {
        packet[10..12].fill(0);
        let right = fold(sum(&packet[..header]));
        packet[10..12].copy_from_slice(&right);
    }
    let pseudo = sum(&packet[addresses]) + u64::from(protocol);
    let Some(segment) = packet.get_mut(header..) else {
        return;
    };
    let (at, pseudo) = match protocol {
        6 => (16, pseudo + segment.len() as u64),
        17 => (6, pseudo + segment.len() as u64),
        58 => (2, pseudo + segment.len() as u64),
        1 => (2, 0),
        _ => return,
    };
    if segment.len() >= at + 2 {
        segment[at..at + 2].fill(0);
        let right = fold(pseudo + sum(segment));
        segment[at..at + 2].copy_from_slice(&right);
    }
}
