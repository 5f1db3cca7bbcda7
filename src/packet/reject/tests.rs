use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{IcmpMessage, PacketView, Transport, datagram};
use super::*;

fn path(v6: bool) -> Path {
    let of = |text: &str| text.parse::<IpAddr>().unwrap();
    let (src, dst) = if v6 { ("fd00::1", "fd00::2") } else { ("10.0.0.1", "10.0.0.2") };
    Path::new(of(src), of(dst)).unwrap()
}

fn segment(v6: bool, flags: u8, payload: &[u8]) -> Bytes {
    let (seq, ack, flags) = (1_000, 2_000, TcpFlags(flags));
    TcpSegment { src: 1, dst: 2, seq, ack, flags, window: 9, options: &[], payload }.packet(path(v6), 64)
}

#[test]
fn each_rejection_is_told_to_the_sender() {
    for v6 in [false, true] {
        let (from, to) = (path(v6).src(), path(v6).dst());
        let packet = datagram((from, 1).into(), (to, 2).into(), 64, &[7; 1_400]).unwrap();
        for (rejection, expected) in [
            (Rejection::NetUnreachable, IcmpMessage::NetUnreachable),
            (Rejection::HostUnreachable, IcmpMessage::HostUnreachable),
            (Rejection::PortUnreachable, IcmpMessage::PortUnreachable),
            (Rejection::TooBig(1_200), IcmpMessage::TooBig(1_200)),
            (Rejection::TimeExceeded, IcmpMessage::TimeExceeded),
        ] {
            let answer = rejected(&packet, rejection).unwrap();
            let view = PacketView::parse(&answer).unwrap();
            assert_eq!((view.from, view.to, view.icmp()), (to, from, Some(expected)));
            let Transport::Icmp { payload, .. } = view.transport else { panic!("{view:?}") };
            assert_eq!(payload, packet[..payload.len()]);
            assert_eq!(answer.len(), if v6 { 1_280 } else { 576 });
            let ip = parse(&answer, Strictness::Full).unwrap();
            assert_eq!(ip.path.checksum(ip.protocol, &[&answer[ip.payload.clone()]]), 0);
        }
        assert!(rejected(&packet, Rejection::AdminProhibited).is_some());
        assert_eq!(rejected(&packet, Rejection::TcpReset), None, "no TCP");
    }
}

#[test]
fn a_reset_fits_its_connection() {
    let reset = |flags, payload: &[u8]| {
        let answer = rejected(&segment(false, flags, payload), Rejection::TcpReset)?;
        match PacketView::parse(&answer)?.transport {
            Transport::Tcp { src, dst, seq, ack, flags, .. } => Some((src, dst, seq, ack, flags.0)),
            _ => None,
        }
    };
    // With ACK, and without: RFC 9293, section 3.10.7.1.
    assert_eq!(reset(0x18, b"text"), Some((2, 1, 2_000, 0, 0x04)));
    assert_eq!(reset(0x02, b""), Some((2, 1, 0, 1_001, 0x14)));
    assert_eq!(reset(0x04, b""), None, "a reset is not answered");
    assert!(rejected(&segment(true, 0x10, b""), Rejection::TcpReset).is_some());
}

#[test]
fn errors_and_what_is_for_all_are_not_answered() {
    let packet = segment(false, 0x10, b"");
    let error = rejected(&packet, Rejection::HostUnreachable).unwrap();
    assert_eq!(rejected(&error, Rejection::HostUnreachable), None);
    let to_all = datagram(([10, 0, 0, 1], 1).into(), ([255, 255, 255, 255], 2).into(), 64, b"").unwrap();
    assert_eq!(rejected(&to_all, Rejection::PortUnreachable), None);
}

proptest! {
    #[test]
    fn no_packet_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        rejection in select(Rejection::ALL.to_vec()),
    ) {
        let _ = rejected(&bytes, rejection);
    }
}
