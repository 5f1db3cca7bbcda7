//! What the fuzz tests make packets with: choices that a number decides, and checksums put right.

/// SplitMix64: enough for choosing bytes, and seeded by what is chosen.
pub(crate) struct Choice(pub(crate) u64);

impl Choice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
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
