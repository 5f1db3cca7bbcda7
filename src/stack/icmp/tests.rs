//! What is answered, what is reported, and what a socket hears of it.

use bytes::Bytes;

use super::super::testing::{Link, addr, host};
use super::super::{Domain, SocketOption, Sockets};
use super::*;
use crate::model::{HostStack, Note};

/// A message to an address, from host 1; to host 1 from host 2.
pub(in super::super) fn message(dst: &str, kind: u8, code: u8, body: &[u8]) -> Bytes {
    let dst = addr(dst).ip();
    let from = if dst == addr("10.0.0.1:0").ip() { 2 } else { 1 };
    let src = host(if dst.is_ipv4() { Domain::Inet } else { Domain::Inet6 }, from);
    let path = Path::new(src, dst).unwrap();
    let head = icmp::header(&path, [kind, code], [1, 2, 3, 4], body);
    Outgoing { path, protocol: path.icmp(), hop_limit: 64, head: &head, body }.whole()
}

fn said(link: &mut Link) -> Vec<Bytes> {
    std::iter::from_fn(|| link.host(2).poll_transmit()).collect()
}

#[test]
fn an_echo_request_is_answered_with_the_same_words() {
    for (to, kind, reply) in [("10.0.0.2:0", 8, 0), ("[fd00::2]:0", 128, 129), ("[ff02::1]:0", 128, 129)] {
        let mut link = Link::new(2);
        link.host(2).handle_input(&message(to, kind, 0, b"ping"));
        let [answer] = &said(&mut link)[..] else { panic!("one answer to {to}") };
        let parsed = parse(answer, Strictness::Full).unwrap();
        assert_eq!(parsed.path.dst(), addr(if kind == 8 { "10.0.0.1:0" } else { "[fd00::1]:0" }).ip());
        assert_eq!(parsed.path.src(), addr(if kind == 8 { "10.0.0.2:0" } else { "[fd00::2]:0" }).ip());
        let payload = &answer[parsed.payload];
        assert_eq!((payload[0], &payload[4..]), (reply, &b"\x01\x02\x03\x04ping"[..]));
        link.host(1).handle_input(answer);
        assert_eq!(link.notes(1), [], "its checksum holds");
    }
    let mut link = Link::new(2);
    link.host(2).handle_input(&message("10.0.0.255:0", 8, 0, b"ping"));
    assert_eq!(said(&mut link), [] as [Bytes; 0], "a broadcast echo is not answered");
    let mut damaged = message("10.0.0.2:0", 8, 0, b"ping").to_vec();
    damaged[29] ^= 1;
    link.host(2).handle_input(&damaged.into());
    assert_eq!(link.notes(2), [Note::Dropped(DropReason::IcmpChecksum)]);
}

#[test]
fn a_closed_port_is_reported_with_the_packet_quoted() {
    for (to, kind, code, most, header) in [("10.0.0.2:9", 3, 3, 576, 20), ("[fd00::2]:9", 1, 4, 1_280, 40)] {
        for len in [0, 100, 1_400, 10_000] {
            let mut link = Link::new(2);
            let fd = link.socket(1, Domain::of(&addr(to)), "");
            link.host(1).send_to(fd, &vec![7; len], addr(to)).unwrap();
            let first = link.host(1).poll_transmit().unwrap();
            link.host(2).handle_input(&first);
            while let Some(packet) = link.host(1).poll_transmit() {
                link.host(2).handle_input(&packet);
            }
            let [error] = &said(&mut link)[..] else { panic!("one error") };
            assert_eq!(error.len(), most.min(header + 8 + header + 8 + len));
            assert_eq!(error[header..header + 2], [kind, code]);
            if len <= 1_400 {
                assert_eq!(error[header + 8..], first[..error.len() - header - 8], "as it arrived");
            }
        }
    }
}

#[test]
fn nothing_is_reported_of_what_went_to_many() {
    let mut link = Link::new(2);
    let fd = link.socket(1, Domain::Inet, "");
    link.set(1, fd, SocketOption::Broadcast(true)).unwrap();
    let six = link.socket(1, Domain::Inet6, "");
    link.send(1, fd, b"x", "255.255.255.255:9").unwrap();
    link.send(1, fd, b"x", "224.0.0.1:9").unwrap();
    link.send(1, six, b"x", "[ff02::1]:9").unwrap();
    assert_eq!(link.notes(2), [Note::Dropped(DropReason::NoSocket); 3]);
    assert_eq!(link.wire.len(), 3);
}

#[test]
fn an_unknown_protocol_is_reported() {
    for (src, dst, header, expected) in
        [("10.0.0.1:0", "10.0.0.2:0", 20, [3, 2, 0, 0]), ("[fd00::1]:0", "[fd00::2]:0", 40, [4, 1, 0, 6])]
    {
        let mut link = Link::new(2);
        let path = Path::new(addr(src).ip(), addr(dst).ip()).unwrap();
        let out = Outgoing { path, protocol: 253, hop_limit: 1, head: &[], body: b"?" };
        out.build(1_500, 0, |packet| link.host(2).handle_input(&packet));
        let [error] = &said(&mut link)[..] else { panic!("one error") };
        let found = [error[header], error[header + 1], error[header + 6], error[header + 7]];
        assert_eq!(found, expected, "type, code and, for IPv6, where the number stands");
    }
}

/// What a connected socket of host 2 hears of an ICMP error that quotes what it sent; `None` unless
/// connected.
fn heard(peer: &str, kind: u8, code: u8, connected: bool) -> Option<Errno> {
    let mut link = Link::new(2);
    let fd = link.socket(2, Domain::of(&addr(peer)), "");
    if connected {
        link.host(2).connect(fd, Some(addr(peer))).unwrap();
    }
    link.host(2).send_to(fd, &[7; 20], addr(peer)).unwrap();
    let quoted = link.host(2).poll_transmit().unwrap();
    let to = if quoted[0] >> 4 == 4 { "10.0.0.2:0" } else { "[fd00::2]:0" };
    // Header and eight bytes are all that a router need quote.
    let quoted = &quoted[..if quoted[0] >> 4 == 4 { 28 } else { 48 }];
    link.host(2).handle_input(&message(to, kind, code, quoted));
    assert_eq!(link.changed(2).len(), usize::from(link.host(2).poll(fd).unwrap().error));
    let error = link.host(2).take_error(fd).unwrap();
    assert_eq!(link.host(2).take_error(fd), Ok(None), "once");
    error
}

#[test]
fn hard_errors_reach_connected_sockets_and_soft_ones_nobody() {
    let v4 = "10.0.0.1:9";
    for (kind, code, expected) in [
        (3, 0, None),
        (3, 1, None),
        (3, 2, Some(Errno::ENOPROTOOPT)),
        (3, 3, Some(Errno::ECONNREFUSED)),
        (3, 4, Some(Errno::EMSGSIZE)),
        (3, 6, Some(Errno::ENETUNREACH)),
        (3, 7, Some(Errno::EHOSTDOWN)),
        (3, 9, Some(Errno::ENETUNREACH)),
        (3, 10, Some(Errno::EHOSTUNREACH)),
        (3, 12, None),
        (3, 13, Some(Errno::EHOSTUNREACH)),
        (3, 99, None),
        (4, 0, None),
        (5, 1, None),
        (11, 0, None),
        (12, 0, Some(Errno::EPROTO)),
    ] {
        assert_eq!(heard(v4, kind, code, true), expected, "type {kind} code {code}");
        assert_eq!(heard(v4, kind, code, false), None, "type {kind} code {code}, not connected");
    }
    for (kind, code, expected) in [
        (1, 0, None),
        (1, 1, Some(Errno::EACCES)),
        (1, 3, None),
        (1, 4, Some(Errno::ECONNREFUSED)),
        (2, 0, Some(Errno::EMSGSIZE)),
        (3, 0, None),
        (4, 1, Some(Errno::EPROTO)),
    ] {
        assert_eq!(heard("[fd00::1]:9", kind, code, true), expected, "ICMPv6 type {kind} code {code}");
        assert_eq!(
            heard("[fd00::1]:9", kind, code, false),
            None,
            "ICMPv6 type {kind} code {code}, not connected"
        );
    }
}

#[test]
fn an_error_about_what_was_never_sent_is_dropped() {
    let mut link = Link::new(2);
    let fd = link.socket(2, Domain::Inet, "");
    link.host(2).connect(fd, Some(addr("10.0.0.1:9"))).unwrap();
    link.host(2).send(fd, b"x").unwrap();
    let quoted = link.host(2).poll_transmit().unwrap();
    let mut other = quoted.to_vec();
    other[23] ^= 1;
    link.host(2).handle_input(&message("10.0.0.2:0", 3, 3, &other));
    link.host(2).handle_input(&message("10.0.0.2:0", 3, 3, &quoted[..27]));
    let reasons = [DropReason::NoSocket, DropReason::Malformed].map(Note::Dropped);
    assert_eq!(link.notes(2), reasons);
    assert_eq!(link.host(2).take_error(fd), Ok(None));
}

#[test]
fn an_unknown_protocol_is_not_reported_of_what_went_to_many() {
    let mut link = Link::new(2);
    let path = Path::new(addr("10.0.0.1:0").ip(), addr("10.0.0.255:0").ip()).unwrap();
    let out = Outgoing { path, protocol: 253, hop_limit: 1, head: &[], body: b"?" };
    out.build(1_500, 0, |packet| link.host(2).handle_input(&packet));
    assert_eq!(link.notes(2), [Note::Dropped(DropReason::NoSocket)]);
    assert_eq!(said(&mut link), [] as [Bytes; 0]);
}

#[test]
fn an_error_about_another_protocol_or_a_later_fragment_says_nothing_of_udp() {
    let mut link = Link::new(2);
    let fd = link.socket(2, Domain::Inet, "");
    link.host(2).connect(fd, Some(addr("10.0.0.1:9"))).unwrap();
    link.host(2).send(fd, &[1; 20]).unwrap();
    let quoted = link.host(2).poll_transmit().unwrap().to_vec();
    for (at, value) in [(9, 6), (7, 1)] {
        let mut other = quoted.clone();
        other[at] = value;
        link.host(2).handle_input(&message("10.0.0.2:0", 3, 3, &other));
        assert_eq!(link.host(2).take_error(fd), Ok(None), "byte {at} is {value}");
    }
    link.host(2).handle_input(&message("10.0.0.2:0", 3, 3, &quoted));
    assert_eq!(link.host(2).take_error(fd), Ok(Some(Errno::ECONNREFUSED)));
}

#[test]
fn nothing_is_said_of_an_ipv6_packet_that_carries_nothing() {
    let mut link = Link::new(2);
    let path = Path::new(addr("[fd00::1]:0").ip(), addr("[fd00::2]:0").ip()).unwrap();
    // RFC 8200, section 4.7: bytes behind it are ignored.
    for (body, protocol) in [(&b""[..], 59), (b"ignored", 59), (b"?", 253)] {
        let out = Outgoing { path, protocol, hop_limit: 1, head: &[], body };
        out.build(1_500, 0, |packet| link.host(2).handle_input(&packet));
        let reported = usize::from(protocol != 59);
        assert_eq!(link.notes(2), vec![Note::Dropped(DropReason::NoSocket); reported]);
        assert_eq!(said(&mut link).len(), reported);
    }
}
