//! Any order and any duplicates give the same datagram; overlaps and gaps give none; nothing grows.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::packet::{Outgoing, Strictness, parse, protocol};

fn path(v4: bool) -> Path {
    if v4 {
        Path::V4 { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(10, 0, 0, 2) }
    } else {
        Path::V6 { src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::LOCALHOST }
    }
}

/// The fragments of a datagram of that many bytes, and the datagram's bytes.
fn fragments(v4: bool, len: usize, mtu: usize, id: u32) -> (Vec<Bytes>, Vec<u8>) {
    let body: Vec<u8> = (0..len).map(|n| (n * 31 + n / 256) as u8).collect();
    let out = Outgoing {
        path: path(v4),
        protocol: protocol::UDP,
        hop_limit: 64,
        head: &body[..8],
        body: &body[8..],
    };
    let mut pieces = Vec::new();
    out.build(mtu, id, |piece| pieces.push(piece));
    assert_eq!(pieces.len(), out.pieces(mtu));
    (pieces, body)
}

/// One fragment with these bytes.
fn fragment(v4: bool, offset: usize, payload: &[u8], more: bool) -> Bytes {
    let (pieces, _) = fragments(v4, 4_000, 1_280, 7);
    let mut packet = pieces[0].to_vec();
    if v4 {
        packet.truncate(20);
        packet[2..4].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
        packet[6..8].copy_from_slice(&((offset / 8) as u16 | u16::from(more) << 13).to_be_bytes());
    } else {
        packet.truncate(48);
        packet[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
        packet[42..44].copy_from_slice(&(offset as u16 | u16::from(more)).to_be_bytes());
    }
    packet.extend_from_slice(payload);
    packet.into()
}

fn insert(reassembly: &mut Reassembly, packet: &Bytes) -> Result<Option<Bytes>, DropReason> {
    // The checksum of the made-up IPv4 fragments is not right, and not the point.
    let parsed = parse(packet, Strictness::Quoted).unwrap();
    reassembly.insert(Time::ZERO, packet, &parsed, Reach::Own, false)
}

fn payload(whole: &Bytes) -> Bytes {
    let parsed = parse(whole, Strictness::Full).unwrap();
    assert_eq!((parsed.protocol, parsed.fragment), (protocol::UDP, None));
    whole.slice(parsed.payload)
}

proptest! {
    #[test]
    fn any_order_and_any_duplicates_give_the_same_datagram(
        v4: bool,
        len in 1_500_usize..9_000,
        mtu in 68_usize..1_500,
        order in prop::collection::vec(any::<u32>(), 200),
        twice in prop::collection::vec(any::<bool>(), 200),
    ) {
        let mtu = if v4 { mtu } else { mtu.max(1_280) };
        let (pieces, body) = fragments(v4, len, mtu, 9);
        let mut arriving: Vec<(u32, Bytes)> = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            prop_assert!(piece.len() <= mtu);
            arriving.push((order[n % 200], piece.clone()));
            if twice[n % 200] {
                arriving.push((order[(n + 77) % 200], piece.clone()));
            }
        }
        arriving.sort_by_key(|(rank, _)| *rank);
        let mut reassembly = Reassembly::default();
        let mut missing: Vec<&Bytes> = pieces.iter().collect();
        for (_, piece) in &arriving {
            missing.retain(|other| *other != piece);
            let whole = insert(&mut reassembly, piece).unwrap();
            prop_assert_eq!(whole.is_some(), missing.is_empty(), "complete with the last missing piece");
            if let Some(whole) = whole {
                prop_assert_eq!(payload(&whole), body);
                prop_assert_eq!(reassembly.memory(), 0);
                return Ok(());
            }
        }
        prop_assert!(false, "never complete");
    }

    #[test]
    fn without_one_fragment_there_is_nothing(v4: bool, len in 3_000_usize..9_000, lost: prop::sample::Index) {
        let (mut pieces, _) = fragments(v4, len, 1_280, 9);
        pieces.remove(lost.index(pieces.len()));
        let mut reassembly = Reassembly::default();
        for piece in &pieces {
            prop_assert_eq!(insert(&mut reassembly, piece), Ok(None));
        }
        prop_assert!(reassembly.memory() > 0);
        let wait = Time::from_millis(if v4 { 30_000 } else { 60_000 });
        prop_assert_eq!(reassembly.poll_timeout(), Some(wait));
        prop_assert!(reassembly.expire(Time::from_nanos(wait.as_nanos() - 1)).is_none());
        let expired = reassembly.expire(wait).unwrap();
        prop_assert_eq!(expired.first.is_some(), lost.index(pieces.len() + 1) != 0);
        prop_assert_eq!(reassembly.memory(), 0);
    }

    #[test]
    fn whatever_fragments_come_the_bounds_hold(
        pieces in prop::collection::vec(
            (0_usize..40, 1_usize..20, any::<bool>(), 0_u32..3, any::<bool>()), 1..120,
        ),
    ) {
        let mut reassembly = Reassembly::default();
        for (offset, len, more, id, v4) in pieces {
            let packet = fragment(v4, offset * 8, &vec![1; len * 8], more);
            let mut parsed = parse(&packet, Strictness::Quoted).unwrap();
            if let Some(fragment) = &mut parsed.fragment {
                fragment.id = id;
            }
            let _ = reassembly.insert(Time::ZERO, &packet, &parsed, Reach::Own, false);
            let sum: usize = reassembly.partials.iter().map(|partial| partial.memory).sum();
            prop_assert_eq!(reassembly.memory(), sum);
            prop_assert!(reassembly.partials.len() <= 6);
            for partial in &reassembly.partials {
                prop_assert!(partial.parts.windows(2).all(|two| two[0].end() <= two[1].offset));
                prop_assert!(!partial.is_complete());
            }
        }
    }
}

#[test]
fn an_overlap_spoils_the_datagram_and_what_is_still_to_come() {
    for v4 in [true, false] {
        let mut reassembly = Reassembly::default();
        assert_eq!(insert(&mut reassembly, &fragment(v4, 0, &[1; 16], true)), Ok(None));
        assert_eq!(insert(&mut reassembly, &fragment(v4, 8, &[2; 16], true)), Err(DropReason::Reassembly));
        assert_eq!(insert(&mut reassembly, &fragment(v4, 0, &[1; 16], true)), Err(DropReason::Reassembly));
        assert_eq!(insert(&mut reassembly, &fragment(v4, 16, &[1; 16], false)), Err(DropReason::Reassembly));
        assert_eq!(reassembly.memory(), OVERHEAD);
        assert!(reassembly.expire(Time::from_millis(60_000)).unwrap().first.is_none());
    }
}

#[test]
fn a_second_end_spoils_the_datagram() {
    let mut reassembly = Reassembly::default();
    assert_eq!(insert(&mut reassembly, &fragment(true, 16, &[1; 16], false)), Ok(None));
    assert_eq!(insert(&mut reassembly, &fragment(true, 16, &[1; 16], false)), Ok(None), "a duplicate");
    assert_eq!(insert(&mut reassembly, &fragment(true, 32, &[1; 8], false)), Err(DropReason::Reassembly));
    let mut reassembly = Reassembly::default();
    assert_eq!(insert(&mut reassembly, &fragment(true, 32, &[1; 8], true)), Ok(None));
    assert_eq!(insert(&mut reassembly, &fragment(true, 16, &[1; 8], false)), Err(DropReason::Reassembly));
}

#[test]
fn fragments_that_cannot_be_are_malformed() {
    let mut reassembly = Reassembly::default();
    for (offset, len, more) in [(0, 0, true), (8, 0, false), (0, 12, true), (65_528, 8, false)] {
        let packet = fragment(true, offset, &vec![0; len], more);
        assert_eq!(insert(&mut reassembly, &packet), Err(DropReason::Malformed), "{offset} {len} {more}");
    }
    assert_eq!(insert(&mut reassembly, &fragment(false, 65_528, &[0; 8], false)), Err(DropReason::Malformed));
    assert_eq!(insert(&mut reassembly, &fragment(false, 65_528, &[0; 7], false)), Ok(None));
}

#[test]
fn the_oldest_makes_room_for_the_newest() {
    let mut reassembly = Reassembly::default();
    for id in 0..1_000 {
        for piece in &fragments(true, 60_000, 1_500, id).0[1..] {
            assert_eq!(insert(&mut reassembly, piece), Ok(None));
            assert!(reassembly.memory() <= MAX_MEMORY);
        }
    }
    assert!(reassembly.memory() > MAX_MEMORY * 9 / 10);
    assert!(insert(&mut reassembly, &fragments(true, 60_000, 1_500, 999).0[0]).unwrap().is_some());
    let mut reassembly = Reassembly::default();
    for id in 0..1_000 {
        assert_eq!(insert(&mut reassembly, &fragments(true, 60_000, 1_500, id).0[0]), Ok(None));
        assert!(reassembly.partials.len() <= MAX_DATAGRAMS);
    }
}

#[test]
fn a_datagram_of_too_many_fragments_is_given_up() {
    let mut reassembly = Reassembly::default();
    for n in 0..MAX_PARTS {
        assert_eq!(insert(&mut reassembly, &fragment(true, n * 16, &[0; 8], true)), Ok(None));
    }
    let one_more = fragment(true, MAX_PARTS * 16, &[0; 8], true);
    assert_eq!(insert(&mut reassembly, &one_more), Err(DropReason::Reassembly));
    assert_eq!(reassembly.memory(), OVERHEAD);
}

#[test]
fn an_end_within_what_is_there_spoils_the_datagram() {
    let mut reassembly = Reassembly::default();
    assert_eq!(insert(&mut reassembly, &fragment(true, 0, &[1; 24], true)), Ok(None));
    assert_eq!(insert(&mut reassembly, &fragment(true, 8, &[1; 8], true)), Ok(None), "a duplicate of a part");
    assert_eq!(insert(&mut reassembly, &fragment(true, 8, &[1; 8], false)), Err(DropReason::Reassembly));
}

#[test]
fn ipv6_goes_by_the_first_fragment_s_protocol_and_ipv4_keeps_protocols_apart() {
    for (v4, at) in [(true, 9), (false, 40)] {
        let (pieces, body) = fragments(v4, 3_000, 1_500, 5);
        let mut reassembly = Reassembly::default();
        assert_eq!(insert(&mut reassembly, &pieces[0]), Ok(None));
        assert_eq!(insert(&mut reassembly, &pieces[1]), Ok(None));
        let mut last = pieces[2].to_vec();
        last[at] = 6;
        let whole = insert(&mut reassembly, &last.into()).unwrap();
        assert_eq!(whole.map(|whole| payload(&whole).to_vec()), (!v4).then_some(body));
    }
}

#[test]
fn the_oldest_is_not_evicted_for_its_own_fragment() {
    let mut reassembly = Reassembly::default();
    let (oldest, body) = fragments(true, 60_000, 1_500, 0);
    let mut id = 1;
    for piece in &oldest[..oldest.len() - 1] {
        assert_eq!(insert(&mut reassembly, piece), Ok(None));
    }
    // Up to where the next fragment would be one too many.
    while reassembly.memory() + 1_500 + 2 * OVERHEAD <= MAX_MEMORY {
        for piece in &fragments(true, 60_000, 1_500, id).0[1..] {
            if reassembly.memory() + 1_500 + 2 * OVERHEAD <= MAX_MEMORY {
                assert_eq!(insert(&mut reassembly, piece), Ok(None));
            }
        }
        id += 1;
    }
    let filler =
        fragment(true, 8, &vec![0; (MAX_MEMORY - reassembly.memory() - 20 - 2 * OVERHEAD) & !7], true);
    assert_eq!(insert(&mut reassembly, &filler), Ok(None));
    let held = reassembly.partials.len();
    let whole = insert(&mut reassembly, &oldest[oldest.len() - 1]).unwrap().unwrap();
    assert_eq!(payload(&whole), body);
    assert_eq!(reassembly.partials.len(), held - 2, "itself, and the one that made room");
}

#[test]
fn nothing_lies_behind_the_end_and_there_is_one_end() {
    // The last fragment came first: 16 to 24. A fragment in front of it is welcome, and nothing else.
    for (offset, len, more, sound) in [
        (0, 8, true, true),
        (8, 8, true, true),
        (0, 16, true, true),
        (8, 8, false, false),
        (24, 8, true, false),
        (24, 8, false, false),
        (32, 8, true, false),
    ] {
        let mut reassembly = Reassembly::default();
        assert_eq!(insert(&mut reassembly, &fragment(true, 16, &[1; 8], false)), Ok(None));
        let next = insert(&mut reassembly, &fragment(true, offset, &vec![1; len], more));
        assert_eq!(next.is_ok(), sound, "{offset} to {}, more {more}", offset + len);
        assert_eq!(next.is_ok_and(|whole| whole.is_some()), len == 16);
    }
}
