//! What packets are called, rule by rule.

use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, IpFragOffset, IpNumber, Ipv4Header, PacketBuilder};
use proptest::prelude::*;

use super::super::Packet;
use super::*;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const CLIENT_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const SERVER_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn udp(source: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).udp(source, 7000);
    builder.write(&mut packet, b"hello").unwrap();
    packet
}

fn udp_reply(to: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(SERVER, CLIENT, 64).udp(7000, to);
    builder.write(&mut packet, b"hello").unwrap();
    packet
}

/// A segment of the flow from port 1000; `flags` holds letters of SAFR.
fn tcp(flags: &str, seq: u32, len: usize) -> Vec<u8> {
    let mut builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(1000, 80, seq, 1_000);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'A' => builder.ack(1),
            'F' => builder.fin(),
            _ => builder.rst(),
        };
    }
    let mut packet = Vec::new();
    builder.write(&mut packet, &vec![0; len]).unwrap();
    packet
}

fn v4(protocol: IpNumber, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = Ipv4Header::new(payload.len() as u16, 64, protocol, CLIENT, SERVER).unwrap();
    header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
    header.more_fragments = more;
    header.dont_fragment = false;
    let mut packet = Vec::new();
    header.write(&mut packet).unwrap();
    packet.extend_from_slice(payload);
    packet
}

/// An IPv6 packet whose payload follows these extension headers: each a type and its bytes but the first.
fn v6(extensions: &[(u8, [u8; 7])], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = extensions.iter().map(|(kind, _)| *kind).chain([protocol]).collect();
    let mut rest = Vec::new();
    for ((_, bytes), next) in extensions.iter().zip(&types[1..]) {
        rest.push(*next);
        rest.extend_from_slice(bytes);
    }
    rest.extend_from_slice(payload);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&(rest.len() as u16).to_be_bytes());
    packet.extend([types[0], 64]);
    packet.extend(CLIENT_V6);
    packet.extend(SERVER_V6);
    packet.extend(rest);
    packet
}

fn class_and_flow(packet: &[u8]) -> (Class, u32) {
    let label = Classifier::default().label(0, packet);
    (label.class, label.flow)
}

#[test]
fn segments_are_classed_by_their_flags_and_data() {
    let class = |flags, len| class_and_flow(&tcp(flags, 7, len));
    assert_eq!(class("S", 0), (Class::Syn, 1));
    assert_eq!(class("SA", 0), (Class::Syn, 1));
    assert_eq!(class("S", 5), (Class::Syn, 1));
    assert_eq!(class("R", 0), (Class::Rst, 1));
    assert_eq!(class("RA", 5), (Class::Rst, 1));
    assert_eq!(class("A", 5), (Class::Data, 1));
    assert_eq!(class("AF", 5), (Class::Data, 1));
    assert_eq!(class("AF", 0), (Class::Fin, 1));
    assert_eq!(class("A", 0), (Class::Ack, 1));
    assert_eq!(class("", 0), (Class::Ack, 1));
}

#[test]
fn the_other_classes_are_told_by_their_headers() {
    let echo = IcmpEchoHeader { id: 1, seq: 1 };
    let mut ping = Vec::new();
    let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).icmpv4(Icmpv4Type::EchoRequest(echo));
    builder.write(&mut ping, &[]).unwrap();
    let mut ping6 = Vec::new();
    let builder = PacketBuilder::ipv6(CLIENT_V6, SERVER_V6, 64).icmpv6(Icmpv6Type::EchoRequest(echo));
    builder.write(&mut ping6, &[]).unwrap();
    assert_eq!(class_and_flow(&udp(5)), (Class::Datagram, 1));
    assert_eq!(class_and_flow(&ping), (Class::Icmp, 0));
    assert_eq!(class_and_flow(&ping6), (Class::Icmp, 0));
    assert_eq!(class_and_flow(&v4(IpNumber::IGMP, 0, false, &[0; 8])), (Class::Icmp, 0));
}

#[test]
fn every_piece_of_a_packet_is_a_fragment_and_the_first_has_its_flow() {
    let ports = [0, 5, 27, 88, 0, 8, 0, 0];
    assert_eq!(class_and_flow(&v4(IpNumber::UDP, 0, true, &ports)), (Class::Fragment, 1));
    assert_eq!(class_and_flow(&v4(IpNumber::UDP, 1, true, &ports)), (Class::Fragment, 0));
    assert_eq!(class_and_flow(&v4(IpNumber::UDP, 2, false, &ports)), (Class::Fragment, 0));
    assert_eq!(class_and_flow(&v4(IpNumber::ICMP, 0, true, &ports)), (Class::Fragment, 0));

    let fragment = |offset: u8, more: u8| [0, 0, offset << 3 | more, 0, 0, 0, 9];
    let hop_by_hop = (0, [0, 1, 4, 0, 0, 0, 0]);
    assert_eq!(class_and_flow(&v6(&[(44, fragment(0, 1))], 17, &ports)), (Class::Fragment, 1));
    assert_eq!(class_and_flow(&v6(&[(44, fragment(1, 1))], 17, &ports)), (Class::Fragment, 0));
    assert_eq!(class_and_flow(&v6(&[hop_by_hop, (44, fragment(2, 0))], 17, &ports)), (Class::Fragment, 0));
    // An atomic fragment is a whole packet (RFC 6946), and other extension headers do not matter.
    assert_eq!(class_and_flow(&v6(&[(44, fragment(0, 0))], 17, &ports)), (Class::Datagram, 1));
    assert_eq!(class_and_flow(&v6(&[hop_by_hop], 17, &ports)), (Class::Datagram, 1));
}

#[test]
fn what_cannot_be_read_is_a_datagram_without_a_flow() {
    let cut = tcp("A", 1, 0);
    for packet in [
        &[][..],
        &[0x45],
        &[0x45; 19],
        &[0xff; 100],
        &[0x60; 39],
        &[0x42; 60],
        &cut[..30],
        &v4(IpNumber::UDP, 0, false, &[1, 2, 3]),
        &v4(IpNumber::EXPERIMENTAL_AND_TESTING_0, 0, false, &[1, 2, 3, 4, 5]),
        &v6(&[(0, [255; 7])], 17, &[]),
    ] {
        assert_eq!(class_and_flow(packet), (Class::Datagram, 0), "{packet:02x?}");
    }
}

#[test]
fn packets_are_counted_over_all_flows_and_within_each() {
    let mut classifier = Classifier::default();
    let mut names = |side, packet: &[u8]| {
        let label = classifier.label(side, packet);
        (label.nth, label.nth_in_flow, label.nth_any, label.nth_any_in_flow, label.flow)
    };
    assert_eq!(names(0, &udp(1)), (1, 1, 1, 1, 1));
    assert_eq!(names(0, &udp(2)), (2, 1, 2, 1, 2));
    assert_eq!(names(0, &udp(1)), (3, 2, 3, 2, 1));
    assert_eq!(names(0, &tcp("S", 0, 0)), (1, 1, 4, 1, 3));
    assert_eq!(names(0, &tcp("A", 1, 0)), (1, 1, 5, 2, 3));
    assert_eq!(names(0, &[]), (4, 1, 6, 1, 0));
    // The other direction counts for itself, but shares the numbers of flows.
    assert_eq!(names(1, &udp_reply(2)), (1, 1, 1, 1, 2));
    assert_eq!(names(1, &udp_reply(1)), (2, 1, 2, 1, 1));
}

#[test]
fn a_selector_names_by_class_flow_and_transmission() {
    let label = Label {
        class: Class::Data,
        nth: 5,
        nth_in_flow: 3,
        nth_any: 20,
        nth_any_in_flow: 9,
        flow: 2,
        transmission: 2,
    };
    let packet = |class, nth, flow, transmission| Packet { class, nth, flow, transmission };
    for named in [
        packet(Class::Data, 5, None, Some(2)),
        packet(Class::Data, 3, Some(2), Some(2)),
        packet(Class::Any, 20, None, None),
        packet(Class::Any, 9, Some(2), None),
        label.packet(),
    ] {
        assert!(label.is(&named), "{named}");
    }
    for other in [
        packet(Class::Data, 5, None, None),
        packet(Class::Data, 5, None, Some(3)),
        packet(Class::Data, 3, None, Some(2)),
        packet(Class::Data, 3, Some(1), Some(2)),
        packet(Class::Ack, 5, None, Some(2)),
        packet(Class::Any, 9, None, None),
        packet(Class::Any, 20, Some(2), None),
    ] {
        assert!(!label.is(&other), "{other}");
    }
}

/// The nth and the transmission of data segments, each given by its sequence number and length.
fn data(classifier: &mut Classifier, segments: &[(u32, usize)]) -> Vec<(u32, u32)> {
    let label = |&(seq, len): &(u32, usize)| {
        let label = classifier.label(0, &tcp("A", seq, len));
        assert_eq!((label.class, label.nth), (Class::Data, label.nth_in_flow));
        (label.nth, label.transmission)
    };
    segments.iter().map(label).collect()
}

#[test]
fn data_is_counted_by_new_bytes_and_repeats_by_transmission() {
    let mut classifier = Classifier::default();
    classifier.label(0, &tcp("S", 99, 0));
    // Three segments, the second again, then all of them once more and something new.
    assert_eq!(
        data(&mut classifier, &[(100, 10), (110, 10), (120, 10), (110, 10), (110, 10), (100, 10), (130, 5)]),
        [(1, 1), (2, 1), (3, 1), (2, 2), (2, 3), (1, 2), (4, 1)]
    );
}

#[test]
fn a_retransmission_cut_otherwise_carries_the_nth_of_its_first_byte() {
    // In two halves: each is a transmission of the whole.
    let mut classifier = Classifier::default();
    assert_eq!(
        data(&mut classifier, &[(100, 10), (100, 5), (105, 5), (110, 5)]),
        [(1, 1), (1, 2), (1, 3), (2, 1)]
    );
    // Two in one: it is the first's, and the second's next transmission counts it.
    let mut classifier = Classifier::default();
    assert_eq!(
        data(&mut classifier, &[(100, 10), (110, 10), (100, 20), (110, 10)]),
        [(1, 1), (2, 1), (1, 2), (2, 3)]
    );
    // With new bytes at its end, which belong to it from then on.
    let mut classifier = Classifier::default();
    assert_eq!(
        data(&mut classifier, &[(100, 10), (105, 10), (112, 8), (120, 1)]),
        [(1, 1), (1, 2), (1, 3), (2, 1)]
    );
}

#[test]
fn a_gap_is_new_and_what_fills_it_as_well() {
    let mut classifier = Classifier::default();
    assert_eq!(
        data(&mut classifier, &[(100, 10), (120, 10), (110, 10), (115, 2), (95, 30), (96, 1), (120, 1)]),
        [(1, 1), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (2, 3)]
    );
}

#[test]
fn sequence_numbers_wrap_around() {
    let mut classifier = Classifier::default();
    classifier.label(0, &tcp("S", u32::MAX - 10, 0));
    let start = u32::MAX - 9;
    assert_eq!(
        data(&mut classifier, &[(start, 8), (start + 8, 8), (6, 8), (start, 8), (start + 8, 8), (6, 8)]),
        [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)]
    );
    // Four times around: old sequence numbers are new bytes.
    for round in 0..8_u32 {
        let at = 14_u32.wrapping_add(round.wrapping_mul(1 << 30));
        let label = classifier.label(0, &tcp("A", at.wrapping_add(1 << 30), 1));
        assert_eq!((label.nth, label.transmission), (4 + round, 1));
    }
}

#[test]
fn a_new_connection_on_the_same_ports_sends_new_bytes() {
    let mut classifier = Classifier::default();
    classifier.label(0, &tcp("S", 99, 0));
    assert_eq!(data(&mut classifier, &[(100, 10)]), [(1, 1)]);
    // The SYN again, then another connection, whose sequence numbers overlap.
    classifier.label(0, &tcp("S", 99, 0));
    assert_eq!(data(&mut classifier, &[(100, 10)]), [(1, 2)]);
    classifier.label(0, &tcp("S", 103, 0));
    let label = classifier.label(0, &tcp("A", 104, 10));
    assert_eq!((label.nth, label.transmission, label.flow), (2, 1, 1));
}

#[test]
fn memory_is_bounded() {
    let mut classifier = Classifier::default();
    // Every other byte, so that nothing can be put together.
    for index in 0..6_000 {
        classifier.label(0, &tcp("A", 100 + 2 * index, 1));
    }
    assert_eq!(classifier.pieces, 4_096);
    assert_eq!(data(&mut classifier, &[(100 + 2 * 5_999, 1)]), [(6_000, 2)]);
    // What lies far behind has the name of what lay before it.
    assert_eq!(data(&mut classifier, &[(100 + 2 * 1_000, 1)]), [(1, 2)]);

    let mut classifier = Classifier::default();
    for port in 0..5_000 {
        let flow = classifier.label(0, &udp(port)).flow;
        assert_eq!(flow, if port < 4_096 { u32::from(port) + 1 } else { 0 });
    }
    assert_eq!(classifier.label(0, &udp(4_999)).nth, 5_001);
    let unnumbered = classifier.label(0, &tcp("A", 1, 1));
    assert_eq!((unnumbered.flow, unnumbered.transmission), (0, 1));
}

#[test]
fn a_stream_remembers_no_more_than_its_share() {
    let mut total = 70_000;
    let mut stream = Stream::default();
    for index in 0..100 {
        stream.carry(index * 2, 1, &mut total, || (index + 1, index + 1));
    }
    assert_eq!(total, 70_001);
}

/// A later fragment whose own next header would be a fragment header, but the packet ends before that.
#[test]
fn a_header_cut_short_behind_a_fragment_header_is_not_read() {
    let mut packet = vec![0x60, 0, 0, 0, 0, 8, 44, 64];
    packet.extend([0xfd; 32]);
    packet.extend([44, 0, 0, 8, 0, 0, 0, 1]);
    assert_eq!(Classifier::default().label(0, &packet).class, Class::Fragment);
}

proptest! {
    #[test]
    fn no_packet_panics_it(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..20),
    ) {
        let mut classifier = Classifier::default();
        for mut packet in packets {
            classifier.label(0, &packet);
            if let Some(first) = packet.first_mut() {
                *first = 0x45 | *first & 0x20;
            }
            classifier.label(1, &packet);
        }
    }

    /// Every packet has a name of its own, and is found by it.
    #[test]
    fn names_are_unique(
        packets in proptest::collection::vec((0_u32..40, 1_usize..12, 0_usize..8, 1_u16..3), 1..60),
    ) {
        let mut classifier = Classifier::default();
        let mut labels = Vec::new();
        for (seq, len, kind, port) in packets {
            let packet = match kind {
                0 => udp(port),
                1 => tcp("A", seq, 0),
                2 => tcp("S", 1_000 * u32::from(port), 0),
                _ => tcp("A", seq, len),
            };
            labels.push(classifier.label(0, &packet));
        }
        for (index, label) in labels.iter().enumerate() {
            let named = |packet: Packet| labels.iter().filter(|other| other.is(&packet)).count();
            prop_assert!(label.is(&label.packet()));
            prop_assert_eq!(named(label.packet()), 1, "packet {}: {:?}", index, label);
            let in_flow = Packet { nth: label.nth_in_flow, flow: Some(label.flow), ..label.packet() };
            prop_assert_eq!(named(in_flow), 1);
            prop_assert_eq!(named(Packet::nth(Class::Any, index as u32 + 1)), 1);
        }
    }
}
