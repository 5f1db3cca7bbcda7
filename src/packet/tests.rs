//! What is built is read back the same; what is damaged is refused; nothing panics.

mod oracle;

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::DropReason;

fn v4() -> Path {
    Path::V4 { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(10, 0, 0, 2) }
}

fn v6() -> Path {
    Path::V6 { src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2) }
}

const EVERY: [Strictness; 5] =
    [Strictness::Full, Strictness::NoChecksum, Strictness::Quoted, Strictness::Lengths, Strictness::Lenient];

fn build(path: Path, body: &[u8], mtu: usize) -> Vec<Bytes> {
    let out = Outgoing { path, protocol: protocol::UDP, hop_limit: 9, head: b"headhead", body };
    let mut packets = Vec::new();
    out.build(mtu, 77, |packet| packets.push(packet));
    packets
}

/// An IPv6 packet with these extension headers (number, header) before eight bytes of UDP.
fn extended(extensions: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut packet = build(v6(), b"", 1_500)[0].to_vec();
    let (mut at, mut named) = (40, 6);
    for (number, header) in extensions {
        let next = std::mem::replace(&mut packet[named], *number);
        packet.splice(at..at, header.iter().copied());
        packet[at] = next;
        (named, at) = (at, at + header.len());
    }
    let len = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet
}

#[test]
fn a_whole_packet_is_headers_and_payload_and_nothing_else() {
    for (path, header) in [(v4(), 20), (v6(), 40)] {
        let [packet] = &build(path, b"body", 1_500)[..] else { panic!("one packet") };
        assert_eq!(packet.len(), header + 12);
        let parsed = parse(packet, Strictness::Full).unwrap();
        assert_eq!((parsed.path, parsed.protocol, parsed.hop_limit), (path, protocol::UDP, 9));
        assert_eq!((&packet[parsed.payload], parsed.fragment), (&b"headheadbody"[..], None));
        assert_eq!(packet[parsed.protocol_at], 17);
    }
    // Whole packets ask routers not to fragment them, fragments do not.
    assert_eq!(build(v4(), b"", 1_500)[0][6], 0x40);
    assert_eq!(build(v4(), &[0; 2_000], 1_500)[0][6], 0x20);
}

#[test]
fn any_single_flipped_bit_of_an_ipv4_header_is_noticed() {
    let packet = &build(v4(), b"body", 1_500)[0];
    for bit in 0..20 * 8 {
        let mut damaged = packet.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&damaged, Strictness::Full).is_err(), "bit {bit}");
    }
}

#[test]
fn padding_is_cut_off_and_a_packet_cut_short_is_malformed() {
    for path in [v4(), v6()] {
        let packet = build(path, b"body", 1_500)[0].to_vec();
        let padded = [&packet[..], &[0; 7]].concat();
        assert_eq!(parse(&padded, Strictness::Full), parse(&packet, Strictness::Full));
        for len in 0..packet.len() {
            assert_eq!(parse(&packet[..len], Strictness::Full), Err(DropReason::Malformed), "{len} bytes");
        }
        let header = path.header_len();
        assert_eq!(parse(&packet[..header + 3], Strictness::Quoted).unwrap().payload, header..header + 3);
    }
}

#[test]
fn extension_headers_are_walked() {
    // The second byte counts units of eight bytes beyond the first.
    let header = |len: usize| {
        let mut header = vec![0; len * 8];
        header[1] = len as u8 - 1;
        header
    };
    // Extension headers, and where the payload and the protocol's number are then.
    type Case<'a> = (&'a [(u8, Vec<u8>)], Option<(usize, usize)>);
    let cases: [Case<'_>; 8] = [
        (&[], Some((40, 6))),
        (&[(0, header(1))], Some((48, 40))),
        (&[(0, header(1)), (60, header(3)), (43, header(1))], Some((80, 72))),
        // Hop-by-hop options come first or not at all.
        (&[(60, header(1)), (0, header(1))], None),
        // An atomic fragment is a packet by itself.
        (&[(44, vec![0, 0, 0, 0, 1, 2, 3, 4])], Some((48, 40))),
        // This host is no waypoint.
        (&[(43, vec![0, 0, 0, 1, 0, 0, 0, 0])], None),
        // Longer than the packet.
        (&[(60, vec![0, 9, 0, 0, 0, 0, 0, 0])], None),
        (&std::array::from_fn::<_, 9, _>(|_| (60, header(1))), None),
    ];
    for (extensions, expected) in cases {
        let packet = extended(extensions);
        let found = parse(&packet, Strictness::Full);
        let found = found.ok().map(|parsed| (parsed.payload.start, parsed.protocol_at));
        assert_eq!(found, expected, "{extensions:?}");
    }
    let fragment = extended(&[(44, vec![0, 0, 0, 8 | 1, 1, 2, 3, 4])]);
    let parsed = parse(&fragment, Strictness::Full).unwrap();
    assert_eq!(parsed.fragment, Some(Fragment { id: 0x0102_0304, offset: 8, more: true }));
}

#[test]
fn addresses_are_read_and_short_packets_have_none() {
    let mut v4 = vec![0; 20];
    v4[0] = 0x45;
    v4[12..].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 255]);
    let path = Path::of(&v4).unwrap();
    assert_eq!((path.src().to_string(), path.dst().to_string()), ("10.0.0.1".into(), "10.0.0.255".into()));
    let mut v6 = vec![0; 40];
    v6[0] = 0x60;
    (v6[8], v6[23], v6[24], v6[39]) = (0xfd, 1, 0xff, 2);
    let path = Path::of(&v6).unwrap();
    assert_eq!((path.src().to_string(), path.dst().to_string()), ("fd00::1".into(), "ff00::2".into()));
    for packet in [&v4[..19], &v6[..39], &[0x10; 40], &[]] {
        assert_eq!(Path::of(packet), None);
    }
}

#[test]
fn broadcasts_and_multicasts_are_for_all() {
    for (src, dst, expected) in [
        ("10.0.0.1", "10.0.0.2", false),
        ("10.0.0.1", "10.0.0.255", true),
        ("192.168.7.1", "192.168.7.255", true),
        ("10.0.0.1", "255.255.255.255", true),
        ("10.0.0.1", "239.9.9.9", true),
        ("fd00::1", "fd00::ff", false),
        ("fd00::1", "ff02::1", true),
    ] {
        let path = Path::new(src.parse().unwrap(), dst.parse().unwrap()).unwrap();
        assert_eq!(path.is_for_all(), expected, "{dst}");
    }
}

#[test]
fn the_parts_of_a_datagram() {
    let v4 = datagram(([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into(), 64, b"hello").unwrap();
    assert_eq!(parts(&v4), [0..20, 20..28, 28..33]);
    let v6 = datagram(([1; 8], 1).into(), ([2; 8], 2).into(), 64, b"").unwrap();
    assert_eq!(parts(&v6), [0..40, 40..48, 48..48]);
    assert_eq!(parts(b"no packet"), [0..9, 9..9, 9..9]);
}

#[test]
fn the_parts_of_a_segment_with_options() {
    let segment = TcpSegment {
        src: 1,
        dst: 2,
        seq: 3,
        ack: 0,
        flags: TcpFlags::default(),
        window: 4,
        options: &[2, 4, 5, 0xb4],
        payload: b"abc",
    };
    assert_eq!(parts(&segment.packet(v4(), 64)), [0..20, 20..44, 44..47]);
}

#[test]
fn a_later_fragment_has_no_transport_header() {
    let mut v4 = vec![0; 40];
    v4[0] = 0x45;
    v4[3] = 40;
    v4[7] = 1;
    v4[9] = protocol::UDP;
    assert_eq!(parts(&v4), [0..20, 20..20, 20..40]);
    let mut v6 = vec![0; 60];
    v6[0] = 0x60;
    v6[5] = 20;
    v6[6] = 44;
    v6[40] = protocol::UDP;
    assert_eq!(parts(&v6), [0..48, 48..56, 56..60], "the first fragment has one");
    v6[43] = 8;
    assert_eq!(parts(&v6), [0..48, 48..48, 48..60]);
}

#[test]
fn options_that_nobody_knows_are_skipped() {
    assert_eq!(max_segment_size(&[30, 4, 9, 9, 1, 2, 4, 5, 0xb4]), Some(1_460));
    for odd in [&[2, 4, 5][..], &[30, 0, 2, 4, 5, 5], &[30, 9, 2], &[0, 2, 4, 1, 1], &[2, 3, 1, 1], &[8]] {
        assert_eq!(max_segment_size(odd), None, "{odd:?}");
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        six: bool,
        body in prop::collection::vec(any::<u8>(), 0..5_000),
        mtu in 68_usize..2_000,
    ) {
        let (path, mtu) = if six { (v6(), mtu.max(1_280)) } else { (v4(), mtu) };
        let packets = build(path, &body, mtu);
        let mut together = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            prop_assert!(packet.len() <= mtu);
            let parsed = parse(packet, Strictness::Full).unwrap();
            prop_assert_eq!((parsed.path, parsed.protocol), (path, protocol::UDP));
            if packets.len() > 1 {
                let more = n + 1 < packets.len();
                prop_assert_eq!(parsed.fragment, Some(Fragment { id: 77, offset: together.len(), more }));
            }
            together.extend_from_slice(&packet[parsed.payload]);
        }
        prop_assert_eq!(together, [b"headhead", &body[..]].concat());
    }

    #[test]
    fn no_bytes_panic_the_parser_and_what_it_says_lies_within_them(
        six: bool,
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        first in prop::option::of(0x40_u8..0x70),
    ) {
        let mut packet = extended(&[(0, vec![0; 8])]);
        packet.truncate(if six { 48 } else { 0 });
        packet.extend(bytes);
        if let (Some(first), Some(byte)) = (first, packet.first_mut()) {
            *byte = first;
        }
        for strictness in EVERY {
            if let Ok(parsed) = parse(&packet, strictness) {
                let Range { start, end } = parsed.payload;
                prop_assert!(start <= end && end <= packet.len());
                prop_assert!(parsed.protocol_at < packet.len());
            }
        }
        let [ip, transport, payload] = parts(&packet);
        prop_assert_eq!((ip.start, ip.end, transport.end), (0, transport.start, payload.start));
        prop_assert!(transport.start <= transport.end && payload.start <= payload.end);
        prop_assert!(payload.end <= packet.len());
    }
}
