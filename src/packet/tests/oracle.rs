//! What etherparse, which shares no code with this crate, reads and writes.

use etherparse::{IpSlice, LaxIpSlice, PacketBuilder, TcpOptionElement, TcpSlice, UdpSlice};

use super::*;

/// Where a part of a packet lies.
fn place(packet: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - packet.as_ptr() as usize;
    start..start + part.len()
}

/// Whether a packet is a later fragment: what follows its fragment header is no header. etherparse reads on
/// there.
fn is_later(ip: &Parsed) -> bool {
    ip.fragment.is_some_and(|fragment| fragment.offset != 0)
}

/// A chain of extension headers, and what follows them.
fn chain() -> impl Strategy<Value = (Vec<u8>, u8)> {
    let number = prop::sample::select(vec![0_u8, 1, 6, 17, 43, 44, 51, 58, 59, 60, 200]);
    let header = (number, 0_u8..3, any::<[u8; 30]>(), any::<bool>());
    (prop::collection::vec(header, 0..5), prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(headers, rest)| {
            let numbers: Vec<u8> = headers.iter().map(|header| header.0).chain([17]).collect();
            let mut bytes = Vec::new();
            for ((number, units, mut header, atomic), next) in headers.into_iter().zip(&numbers[1..]) {
                (header[0], header[1]) = (*next, units);
                if atomic {
                    (header[2], header[3]) = (0, 0);
                }
                let len = match number {
                    44 => 8,
                    51 => (usize::from(units) + 2) * 4,
                    _ => (usize::from(units) + 1) * 8,
                };
                bytes.extend_from_slice(&header[..len]);
            }
            bytes.extend(rest);
            (bytes, numbers[0])
        },
    )
}

/// A packet, perhaps damaged.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (any::<bool>(), chain(), any::<u16>(), damage, prop::option::of(0_usize..90)).prop_map(
        |(six, (body, number), place, damage, cut)| {
            let path = if six { v6() } else { v4() };
            let out = Outgoing { path, protocol: number, hop_limit: 9, head: &[], body: &body };
            let mut packet = out.whole().to_vec();
            if !six && place & 3 == 0 {
                packet[6..8].copy_from_slice(&place.to_be_bytes());
            }
            for (at, byte) in damage {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            packet.truncate(cut.unwrap_or(usize::MAX));
            packet
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_lenient_reading_is_etherparse_s(packet in packet()) {
        let Ok(ip) = parse(&packet, Strictness::Lenient) else {
            prop_assert!(LaxIpSlice::from_slice(&packet).is_err());
            return Ok(());
        };
        let (theirs, _) = LaxIpSlice::from_slice(&packet).unwrap();
        prop_assert_eq!((ip.path.src(), ip.path.dst()), (theirs.source_addr(), theirs.destination_addr()));
        prop_assert_eq!(ip.fragment.is_some(), theirs.payload().fragmented);
        if !is_later(&ip) {
            prop_assert_eq!(ip.protocol, theirs.payload().ip_number.0);
            prop_assert_eq!(ip.payload, place(&packet, theirs.payload().payload));
        }
    }

    #[test]
    fn the_reading_of_lengths_is_etherparse_s(packet in packet()) {
        let theirs = IpSlice::from_slice(&packet);
        let Ok(ip) = parse(&packet, Strictness::Lengths) else {
            prop_assert!(theirs.is_err());
            return Ok(());
        };
        if is_later(&ip) {
            return Ok(());
        }
        let theirs = theirs.unwrap();
        prop_assert_eq!((ip.path.src(), ip.path.dst()), (theirs.source_addr(), theirs.destination_addr()));
        prop_assert_eq!(ip.fragment.is_some(), theirs.payload().fragmented);
        prop_assert_eq!(ip.protocol, theirs.payload().ip_number.0);
        prop_assert_eq!(ip.payload, place(&packet, theirs.payload().payload));
    }

    #[test]
    fn transport_headers_are_read_as_by_etherparse(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        offset in 4_u8..9,
    ) {
        if let Some(byte) = bytes.get_mut(12) {
            *byte = offset << 4;
        }
        let theirs = TcpSlice::from_slice(&bytes).ok();
        let theirs = theirs.map(|it| {
            let flags = [it.fin(), it.syn(), it.rst(), it.psh(), it.ack(), it.urg()];
            let flags = flags.iter().rev().fold(0, |all, bit| all << 1 | u8::from(*bit));
            let numbers = (it.sequence_number(), it.acknowledgment_number(), it.window_size(), flags);
            (it.source_port(), it.destination_port(), numbers, it.options().to_vec(), it.payload().to_vec())
        });
        let read = TcpSegment::read(&bytes).map(|it| {
            let numbers = (it.seq, it.ack, it.window, it.flags.0);
            (it.src, it.dst, numbers, it.options.to_vec(), it.payload.to_vec())
        });
        prop_assert_eq!(read, theirs);
        for len in 1..90 {
            if let Some(field) = bytes.get_mut(4..6) {
                field.copy_from_slice(&[0, len]);
            }
            let theirs = UdpSlice::from_slice(&bytes).ok();
            let read = UdpDatagram::read(&bytes);
            prop_assert_eq!(read.map(|it| it.payload), theirs.as_ref().map(|it| it.payload()));
        }
    }

    #[test]
    fn what_is_written_is_what_etherparse_writes(
        six: bool, ports: (u16, u16), numbers: (u32, u32, u16), flags in 0_u8..64, mss: Option<u16>,
        data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (path, hops) = (if six { v6() } else { v4() }, 64);
        let start = || match path {
            Path::V4 { src, dst } => PacketBuilder::ipv4(src.octets(), dst.octets(), hops),
            Path::V6 { src, dst } => PacketBuilder::ipv6(src.octets(), dst.octets(), hops),
        };
        let mut theirs = Vec::new();
        start().udp(ports.0, ports.1).write(&mut theirs, &data).unwrap();
        let (from, to) = ((path.src(), ports.0).into(), (path.dst(), ports.1).into());
        prop_assert_eq!(&datagram(from, to, hops, &data).unwrap()[..], &theirs[..]);

        let (flags, (seq, ack, window)) = (TcpFlags(flags & !TcpFlags::URG.0), numbers);
        let ack = if flags.has(TcpFlags::ACK) { ack } else { 0 };
        let mut builder = start().tcp(ports.0, ports.1, seq, window);
        for (flag, set) in [(TcpFlags::FIN, 0), (TcpFlags::SYN, 1), (TcpFlags::RST, 2), (TcpFlags::PSH, 3)] {
            builder = match set {
                _ if !flags.has(flag) => builder,
                0 => builder.fin(),
                1 => builder.syn(),
                2 => builder.rst(),
                _ => builder.psh(),
            };
        }
        if flags.has(TcpFlags::ACK) {
            builder = builder.ack(ack);
        }
        if let Some(mss) = mss {
            builder = builder.options(&[TcpOptionElement::MaximumSegmentSize(mss)]).unwrap();
        }
        let mut theirs = Vec::new();
        builder.write(&mut theirs, &data).unwrap();
        let [high, low] = mss.unwrap_or(0).to_be_bytes();
        let options: &[u8] = if mss.is_some() { &[2, 4, high, low] } else { &[] };
        let (src, dst) = ports;
        let segment = TcpSegment { src, dst, seq, ack, flags, window, options, payload: &data };
        prop_assert_eq!(&segment.packet(path, hops)[..], &theirs[..]);
    }

    #[test]
    fn a_segment_and_a_datagram_are_read_back(
        six: bool, ports: (u16, u16), numbers: (u32, u32, u16), flags in 0_u8..64,
        options in prop::collection::vec(any::<u8>(), 0..10),
        data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let path = if six { v6() } else { v4() };
        let ((src, dst), (seq, ack, window)) = (ports, numbers);
        let options = &options[..options.len() & !3];
        let flags = TcpFlags(flags);
        let segment = TcpSegment { src, dst, seq, ack, flags, window, options, payload: &data };
        let packet = segment.packet(path, 7);
        let ip = parse(&packet, Strictness::Full).unwrap();
        prop_assert_eq!(path.checksum(ip.protocol, &[&packet[ip.payload.clone()]]), 0);
        prop_assert_eq!(TcpSegment::read(&packet[ip.payload]), Some(segment));
        let packet = datagram((path.src(), src).into(), (path.dst(), dst).into(), 7, &data).unwrap();
        let ip = parse(&packet, Strictness::Full).unwrap();
        let read = UdpDatagram::read(&packet[ip.payload]).unwrap();
        prop_assert_eq!((read.src, read.dst, read.payload), (src, dst, &data[..]));
        prop_assert!(read.is_sound(&path));
    }
}
