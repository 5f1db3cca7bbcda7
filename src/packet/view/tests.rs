use super::*;
use crate::packet::{Outgoing, Path, datagram, max_segment_size};

fn ends() -> (SocketAddr, SocketAddr) {
    (([10, 0, 0, 1], 49_152).into(), ([10, 0, 0, 2], 7000).into())
}

fn hello() -> Bytes {
    datagram(ends().0, ends().1, 64, b"hello").unwrap()
}

#[test]
fn a_datagram_is_read_back() {
    let view = PacketView::parse(&hello()).unwrap();
    assert_eq!((view.source().unwrap(), view.destination().unwrap()), ends());
    assert_eq!(view.udp_payload().unwrap(), &b"hello"[..]);
    assert_eq!((view.ttl, view.header_len), (64, 20));
}

#[test]
fn an_icmp_error_says_what_and_about_what() {
    let path = Path::new(ends().1.ip(), ends().0.ip()).unwrap();
    let head = icmp::header(&path, [3, 3], [0; 4], &hello());
    let packet = Outgoing { path, protocol: path.icmp(), hop_limit: 64, head: &head, body: &hello() };
    let view = PacketView::parse(&packet.whole()).unwrap();
    assert_eq!(view.icmp(), Some(IcmpMessage::PortUnreachable));
    let Transport::Icmp { payload, .. } = view.transport else {
        panic!("no ICMP: {:?}", view.transport);
    };
    assert_eq!(payload, hello());
}

#[test]
fn a_segment_is_read_back() {
    let path = Path::V6 { src: [1; 16].into(), dst: [2; 16].into() };
    let segment = TcpSegment {
        src: 1,
        dst: 2,
        seq: 1_000,
        ack: 77,
        flags: TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0),
        window: 500,
        options: &[2, 4, 5, 0xb4],
        payload: b"xyz",
    };
    let view = PacketView::parse(&segment.packet(path, 9)).unwrap();
    let Transport::Tcp { seq, ack, flags, window, options, payload, .. } = view.transport else {
        panic!("no TCP: {:?}", view.transport);
    };
    assert_eq!((seq, ack, window, &payload[..]), (1_000, 77, 500, &b"xyz"[..]));
    assert_eq!(max_segment_size(&options), Some(1_460));
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
        let mut packet = hello().to_vec();
        packet.truncate(cut);
        if let Some(byte) = packet.get_mut(flip / 8) {
            *byte ^= 1 << (flip % 8);
        }
        let _ = PacketView::parse(&packet.into());
    }
}
