//! What packets are called, rule by rule.

use etherparse::PacketBuilder;

use super::*;

fn udp(source: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(source, 7000);
    builder.write(&mut packet, b"hello").unwrap();
    packet
}

#[test]
fn datagrams_are_counted_over_all_flows_and_within_each() {
    let mut classifier = Classifier::default();
    let mut names = |source| {
        let label = classifier.label(0, &udp(source));
        assert_eq!(label.class, Class::Datagram);
        (label.nth, label.nth_in_flow, label.flow)
    };
    assert_eq!(names(1), (1, 1, 1));
    assert_eq!(names(2), (2, 1, 2));
    assert_eq!(names(1), (3, 2, 1));
}
