use super::*;
use crate::trace::sample::{CLIENT, SERVER, addr, port_unreachable, udp};

#[test]
fn a_datagram_is_read_back() {
    let view = PacketView::parse(&udp(CLIENT, SERVER, b"hello")).unwrap();
    assert_eq!(view.source(), Some(addr(CLIENT)));
    assert_eq!(view.destination(), Some(addr(SERVER)));
    assert_eq!(view.udp_payload().unwrap(), &b"hello"[..]);
    assert_eq!((view.ttl, view.header_len), (64, 20));
}

#[test]
fn an_icmp_error_says_what_and_about_what() {
    let about = udp(CLIENT, SERVER, b"hello");
    let view = PacketView::parse(&port_unreachable(SERVER, CLIENT, &about)).unwrap();
    assert_eq!(view.icmp(), Some(IcmpMessage::PortUnreachable));
    let Transport::Icmp { payload, .. } = view.transport else {
        panic!("no ICMP: {:?}", view.transport);
    };
    assert_eq!(payload, about);
}

#[test]
fn a_segment_is_read_back() {
    let mut bytes = Vec::new();
    etherparse::PacketBuilder::ipv6([1; 16], [2; 16], 9)
        .tcp(1, 2, 1_000, 500)
        .syn()
        .ack(77)
        .write(&mut bytes, b"xyz")
        .unwrap();
    let view = PacketView::parse(&bytes.into()).unwrap();
    let Transport::Tcp { seq, ack, flags, window, payload, .. } = view.transport else {
        panic!("no TCP: {:?}", view.transport);
    };
    assert_eq!((seq, ack, window, &payload[..]), (1_000, 77, 500, &b"xyz"[..]));
    assert_eq!(flags.to_string(), "SYN+ACK");
}

#[test]
fn an_ipv6_fragment_is_read_back() {
    // RFC 8200 4.5: next header 17, reserved, offset 185 * 8 with the M flag, identification 7.
    let mut bytes = vec![0x60, 0, 0, 0, 0, 16, 44, 64];
    bytes.extend_from_slice(&[1; 16]);
    bytes.extend_from_slice(&[2; 16]);
    bytes.extend_from_slice(&[17, 0, 0x05, 0xc9, 0, 0, 0, 7]);
    bytes.extend_from_slice(b"fragment");
    let view = PacketView::parse(&bytes.into()).unwrap();
    assert_eq!(
        view.transport,
        Transport::Fragment {
            id: 7,
            offset: 1_480,
            more: true,
            protocol: 17,
            payload: Bytes::from_static(b"fragment"),
        }
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, cut in 0usize..40, flip in 0usize..320) {
        let _ = PacketView::parse(&bytes.into());
        let mut packet = udp(CLIENT, SERVER, b"hello").to_vec();
        packet.truncate(cut);
        if let Some(byte) = packet.get_mut(flip / 8) {
            *byte ^= 1 << (flip % 8);
        }
        let _ = PacketView::parse(&packet.into());
    }
}
