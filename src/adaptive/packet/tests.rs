//! What is written is read again, and nothing else is.

use proptest::prelude::*;

use super::*;

const NUMBER: std::ops::Range<u64> = 0..BOUND;

/// An owned frame: the bytes of a piece are cut to what belongs there.
fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u64>, u32, Vec<u8>)>> {
    prop::collection::vec(
        (1_u8..=4, prop::collection::vec(NUMBER, 3), any::<u32>(), prop::collection::vec(any::<u8>(), 200)),
        0..5,
    )
}

fn frame<'a>((kind, numbers, word, bytes): &'a (u8, Vec<u64>, u32, Vec<u8>)) -> Frame<'a> {
    match kind {
        1 => Frame::Ping,
        2 => Frame::Fin,
        3 => {
            let high = (numbers[0] % (1 << 61)) | (1 << 40);
            let mut ranges = vec![high..=high + 3, 20..=high - 2, 0..=u64::from(word % 16)];
            ranges.truncate(1 + (word % 3) as usize);
            Frame::Ack { delay_us: *word, ranges }
        }
        _ => {
            let (total, size) = (word % 400, 64 + (word % 137) as u16);
            let index = word / 7 % pieces(total, size);
            let message = numbers[0].max(1);
            let ordered = word.is_multiple_of(2).then_some((*kind, numbers[2] % message));
            let data = &bytes[..span(total, size, index).len()];
            Frame::Piece(Piece { message, start: numbers[1], ordered, total, size, index, data })
        }
    }
}

proptest! {
    #[test]
    fn a_packet_is_read_as_it_was_written(
        kind in 1..=4, to: u64, from: u64, numbers in prop::array::uniform4(NUMBER), parts in frames(),
    ) {
        let [number, floor, floor_start, limit] = numbers;
        let frames: Vec<Frame<'_>> = parts.iter().map(frame).collect();
        let body = match kind {
            1 => Body::Open(number),
            2 => Body::Opened(number),
            3 => Body::Gone,
            _ => Body::Data(Data { number, floor, floor_start, limit, frames }),
        };
        let packet = Packet { to, from, body };
        let bytes = packet.encode();
        if let Body::Data(data) = &packet.body {
            prop_assert_eq!(bytes.len(), data_len(&data.frames));
        }
        prop_assert_eq!(Packet::parse(&bytes), Some(packet));
    }

    /// What is read is written as it came: there is one way to say a thing. The checksum is made to fit, so
    /// that the rest is looked at.
    #[test]
    fn whatever_is_read_is_written_the_same(
        kind in 0_u8..6,
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert_eq!(Packet::parse(&rest), None);
        let mut bytes = MAGIC.to_vec();
        bytes.push(kind);
        bytes.extend_from_slice(&rest);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        if let Some(packet) = Packet::parse(&bytes) {
            prop_assert_eq!(packet.encode(), bytes);
        }
    }

    /// As above, from packets that were good before something was done to them.
    #[test]
    fn a_damaged_packet_is_refused_or_says_what_it_says(
        parts in frames(), at: prop::sample::Index, with: u8, cut: prop::sample::Index,
    ) {
        let frames = parts.iter().map(frame).collect();
        let body = Body::Data(Data { number: 1, floor: 1, floor_start: 0, limit: 9, frames });
        let mut bytes = Packet { to: 1, from: 2, body }.encode();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        prop_assert_eq!(Packet::parse(&bytes), None, "the checksum sees it");
        bytes.truncate(MAGIC.len() + cut.index(bytes.len() - MAGIC.len()));
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        if let Some(packet) = Packet::parse(&bytes) {
            prop_assert_eq!(packet.encode(), bytes);
        }
    }
}

#[test]
fn a_full_piece_fits_the_datagram() {
    for datagram_max in [256, 1200, 1472, 65_507] {
        let size = piece_max(datagram_max);
        let bytes = vec![0; usize::from(size)];
        let ack = Frame::Ack { delay_us: 0, ranges: vec![5..=6, 0..=1] };
        let piece = Piece {
            message: 1,
            start: 0,
            ordered: None,
            total: u32::from(size),
            size,
            index: 0,
            data: &bytes,
        };
        assert!(size >= PIECE_MIN, "{datagram_max}");
        assert!(data_len(&[ack, Frame::Piece(piece)]) <= datagram_max);
    }
}
