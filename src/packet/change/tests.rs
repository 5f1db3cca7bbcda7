use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Outgoing, PacketView, TcpFlags, TcpSegment, Transport, datagram, wrong_checksum};
use super::*;

const V4: [&str; 2] = ["10.0.0.1:1000", "10.0.0.2:7000"];
const V6: [&str; 2] = ["[fd00::1]:1000", "[fd00::2]:7000"];

fn ends(ends: [&str; 2]) -> [SocketAddr; 2] {
    ends.map(|end| end.parse().unwrap())
}

fn segment(of: [&str; 2], payload: &[u8]) -> Bytes {
    let [from, to] = ends(of);
    let path = Path::new(from.ip(), to.ip()).unwrap();
    let options = &[2, 4, 5, 0xb4];
    let (seq, ack, flags) = (u32::MAX - 1, 77, TcpFlags(TcpFlags::ACK.0 | TcpFlags::PSH.0));
    TcpSegment { src: from.port(), dst: to.port(), seq, ack, flags, window: 1_000, options, payload }
        .packet(path, 64)
}

fn udp(of: [&str; 2], payload: &[u8]) -> Bytes {
    let [from, to] = ends(of);
    datagram(from, to, 64, payload).unwrap()
}

fn echo(payload: &[u8]) -> Bytes {
    let [from, to] = ends(V4).map(|end| end.ip());
    let path = Path::new(from, to).unwrap();
    let head = icmp::header(&path, [8, 0], [0, 1, 0, 2], payload);
    Outgoing { path, protocol: protocol::ICMP, hop_limit: 64, head: &head, body: payload }.whole()
}

fn packets() -> [Bytes; 5] {
    [segment(V4, b"text"), segment(V6, b"text"), udp(V4, b"data"), udp(V6, b"data"), echo(b"ping")]
}

/// Whether all checksums of a packet fit.
fn is_sound(packet: &[u8]) -> bool {
    parse(packet, Strictness::Full).is_ok() && wrong_checksum(packet).is_none()
}

fn tcp(packet: &Bytes) -> (u32, u32, TcpFlags, u16, Bytes, Bytes) {
    match PacketView::parse(packet).unwrap().transport {
        Transport::Tcp { seq, ack, flags, window, options, payload, .. } => {
            (seq, ack, flags, window, options, payload)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_of_tcp_become_what_they_are_set_to() {
    for of in [V4, V6] {
        let change = Change::set(Field::Seq, Value::Add(5)).and(Field::Ack, Value::Add(-78));
        let change = change.and(Field::Flags, 4).and(Field::Window, 0).and(Field::Ttl, 1);
        let altered = changed(&segment(of, b"text"), &change).unwrap();
        let (seq, ack, flags, window, _, payload) = tcp(&altered);
        assert_eq!((seq, ack, flags, window), (3, u32::MAX, TcpFlags::RST, 0));
        assert_eq!(&payload[..], b"text");
        assert_eq!(PacketView::parse(&altered).unwrap().ttl, 1);
        assert!(is_sound(&altered));
        let kept = changed(&segment(of, b"text"), &change.keep_checksums()).unwrap();
        assert!(!is_sound(&kept));
    }
}

#[test]
fn another_payload_or_other_options_change_the_lengths() {
    for of in [V4, V6] {
        let before = segment(of, b"text");
        let longer =
            changed(&before, &Change::set(Field::Payload, Bytes::from_static(b"longer text"))).unwrap();
        assert_eq!(&tcp(&longer).5[..], b"longer text");
        assert_eq!(longer.len(), before.len() + 7);
        let options = Bytes::from_static(&[1, 1, 1, 1, 0]);
        let altered = changed(&before, &Change::set(Field::Options, options)).unwrap();
        assert_eq!(&tcp(&altered).4[..], [1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(&tcp(&altered).5[..], b"text");
        let none = changed(&udp(of, b"data"), &Change::set(Field::Payload, Bytes::new())).unwrap();
        assert_eq!(PacketView::parse(&none).unwrap().udp_payload().unwrap().len(), 0);
        assert!(is_sound(&longer) && is_sound(&altered) && is_sound(&none));
    }
    let long = Bytes::from(vec![0; 41]);
    assert_eq!(changed(&segment(V4, b""), &Change::set(Field::Options, long)), None);
    let huge = Bytes::from(vec![0; 65_535]);
    assert_eq!(changed(&udp(V4, b""), &Change::set(Field::Payload, huge)), None);
}

#[test]
fn what_a_packet_lacks_or_cannot_hold_does_nothing() {
    let udp4 = udp(V4, b"data");
    let addr = |text: &str| text.parse::<IpAddr>().unwrap();
    for change in [
        Change::set(Field::Seq, 1),
        Change::set(Field::FlowLabel, 1),
        Change::set(Field::Options, Bytes::new()),
        Change::set(Field::Ttl, 256),
        Change::set(Field::Ttl, 64),
        Change::set(Field::Src, addr("fd00::1")),
        Change::set(Field::Ttl, addr("10.0.0.1")),
        Change::set(Field::Src, 7),
        Change::flip([32 * 8]),
        Change::flip([7, 7]),
        Change::default(),
    ] {
        assert_eq!(changed(&udp4, &change), None, "{change:?}");
    }
    assert_eq!(changed(b"", &Change::set(Field::Ttl, 1)), None);
}

#[test]
fn a_checksum_can_be_set_to_a_wrong_number() {
    for packet in packets() {
        let altered = changed(&packet, &Change::set(Field::Checksum, Value::Add(1))).unwrap();
        assert!(!is_sound(&altered));
        assert_eq!(altered.len(), packet.len());
    }
    let altered = changed(&udp(V4, b"data"), &Change::set(Field::IpChecksum, 0x1234)).unwrap();
    assert_eq!(parse(&altered, Strictness::Full), Err(crate::model::DropReason::IpChecksum));
}

#[test]
fn a_datagram_without_a_checksum_gets_none() {
    let bare = changed(&udp(V4, b"data"), &Change::set(Field::Checksum, 0)).unwrap();
    let altered = changed(&bare, &Change::flip([28 * 8])).unwrap();
    assert_eq!(altered[26..28], [0, 0]);
    assert!(is_sound(&altered));
}

#[test]
fn of_a_fragment_what_the_checksum_of_the_whole_covers_stays() {
    let [from, to] = ends(V4);
    let path = Path::new(from.ip(), to.ip()).unwrap();
    let head = super::super::udp_header(&path, 1, 2, &[7; 100]);
    let whole = Outgoing { path, protocol: protocol::UDP, hop_limit: 64, head: &head, body: &[7; 100] };
    let mut pieces = Vec::new();
    whole.build(68, 9, |piece| pieces.push(piece));
    for piece in &pieces {
        let flip = Change::flip([20 * 8]);
        assert_eq!(changed(piece, &flip), None, "no checksum can be made to fit");
        assert!(changed(piece, &flip.keep_checksums()).is_some());
        let ttl = changed(piece, &Change::set(Field::Ttl, 3)).unwrap();
        assert!(parse(&ttl, Strictness::Full).is_ok_and(|ip| ip.hop_limit == 3));
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::Number),
        (0_u64..70_000).prop_map(Value::Number),
        any::<i64>().prop_map(Value::Add),
        any::<IpAddr>().prop_map(Value::Addr),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let fields = proptest::collection::vec((select(Field::ALL.to_vec()), value()), 0..4);
    let bits = proptest::collection::vec(0_u32..600, 0..4);
    (fields, bits, any::<bool>()).prop_map(|(fields, bits, keeps_checksums)| Change {
        fields,
        bits,
        keeps_checksums,
    })
}

proptest! {
    #[test]
    fn no_change_of_any_bytes_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        change in change(),
    ) {
        let _ = changed(&bytes, &change);
    }

    #[test]
    fn no_change_of_a_packet_panics(packet in select(packets().to_vec()), change in change()) {
        let _ = changed(&packet, &change);
    }

    #[test]
    fn damage_of_the_payload_is_not_seen(packet in select(packets().to_vec()), bit in 0_u32..32) {
        let payload = parts(&packet)[2].start as u32 * 8;
        let altered = changed(&packet, &Change::flip([payload + bit])).unwrap();
        prop_assert!(is_sound(&altered));
    }

    #[test]
    fn a_number_that_is_set_is_read_back(
        packet in select(packets().to_vec()),
        field in select(Field::ALL.to_vec()),
        number: u64,
    ) {
        let Some(bits) = field.bits() else { return Ok(()) };
        let number = number & ((1 << bits) - 1);
        let Some(altered) = changed(&packet, &Change::set(field, number)) else { return Ok(()) };
        let before = parse(&packet, Strictness::Lengths).unwrap();
        let (first, bits) = place(field, &packet, &before).unwrap();
        prop_assert_eq!(super::read(&altered, first, bits), number);
    }
}
