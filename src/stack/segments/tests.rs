//! Segments made by hand, to a listener and about a connection.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::super::icmp::tests::message;
use super::super::testing::{Link, addr};
use super::super::{Domain, Kind, Protocol, SocketOption, Sockets};
use super::*;
use crate::model::HostStack;
use crate::packet::TcpSegment;

const SERVER: (&str, u16) = ("10.0.0.2", 7);

/// A segment from a port of host 1 to the server's port of host 2.
fn segment_from(link: &mut Link, port: u16, segment: &Segment<'_>) -> Bytes {
    let stack = link.host(1);
    let to: IpAddr = SERVER.0.parse().unwrap();
    let route = stack.config.route(to, None).unwrap();
    stack.emit_segment(&route, 64, port, SERVER.1, segment);
    stack.poll_transmit().unwrap()
}

/// What host 2 answers to it.
fn answers(link: &mut Link, port: u16, segment: &Segment<'_>) -> Vec<Bytes> {
    let packet = segment_from(link, port, segment);
    link.host(2).handle_input(&packet);
    assert_eq!(link.host(2).check(), Ok(()));
    std::iter::from_fn(|| link.host(2).poll_transmit()).collect()
}

/// The sequence number and the flags of a packet over IPv4.
fn read(packet: &Bytes) -> (Seq, u8) {
    let tcp = TcpSegment::read(&packet[20..]).unwrap();
    (Seq(tcp.seq), tcp.flags.0)
}

fn listening(backlog: u32) -> (Link, Fd) {
    let mut link = Link::new(2);
    let listener = link.host(2).socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
    link.host(2).bind(listener, addr("0.0.0.0:7")).unwrap();
    link.host(2).listen(listener, backlog).unwrap();
    (link, listener)
}

fn connect(link: &mut Link) -> Fd {
    let fd = link.host(1).socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
    assert_eq!(link.host(1).connect(fd, Some(addr("10.0.0.2:7"))), Err(Errno::EINPROGRESS));
    link.run();
    fd
}

#[test]
fn a_syn_with_a_fin_is_dropped_by_a_listener() {
    let (mut link, _) = listening(4);
    let syn = Segment { syn: true, ..Segment::at(Seq(1)) };
    assert_eq!(answers(&mut link, 1_000, &Segment { fin: true, ..syn }), [] as [Bytes; 0]);
    assert_eq!(link.notes(2), [Note::Dropped(DropReason::NoSocket)]);
    assert_eq!(answers(&mut link, 1_000, &syn).len(), 1);
    // With an acknowledgement it belongs to no connection, as ever.
    let answered = answers(&mut link, 1_001, &Segment { fin: true, ack: Some(Seq(5)), ..syn });
    assert_eq!(answered.iter().map(read).collect::<Vec<_>>(), [(Seq(5), 4)], "a reset");
}

#[test]
fn a_client_that_never_completes_its_handshake_keeps_nobody_out() {
    for backlog in [0, 1, 3] {
        let (mut link, listener) = listening(backlog);
        for port in 1_000..1_100 {
            let syn = Segment { syn: true, ..Segment::at(Seq(1)) };
            assert_eq!(answers(&mut link, port, &syn).len(), 1, "port {port}");
        }
        let clients: Vec<Fd> = (0..backlog + 3).map(|_| connect(&mut link)).collect();
        let connected = clients.iter().filter(|fd| link.hosts[0].poll(**fd).unwrap().writable).count();
        assert_eq!(connected as u32, backlog + 1, "the backlog is theirs");
        let accepted = std::iter::from_fn(|| link.host(2).accept(listener).ok()).count();
        assert_eq!(accepted as u32, backlog + 1);
        assert_eq!(link.host(2).check(), Ok(()));
    }
}

#[test]
fn half_open_connections_are_bounded_and_forgotten() {
    let (mut link, listener) = listening(0);
    let syn = Segment { syn: true, ..Segment::at(Seq(1)) };
    let answered = (1_000..2_000).filter(|port| !answers(&mut link, *port, &syn).is_empty()).count();
    assert_eq!((answered, link.host(2).connections.len()), (128, 128));
    while let Some(due) = link.host(2).poll_timeout() {
        link.host(2).handle_timeout(due);
        while link.host(2).poll_transmit().is_some() {}
    }
    assert_eq!((link.host(2).connections.len(), link.host(2).check()), (0, Ok(())));
    assert_eq!(answers(&mut link, 1_000, &syn).len(), 1);
    link.host(2).close(listener).unwrap();
    assert_eq!(link.host(2).connections.len(), 0);
}

/// As in Linux: the acknowledgement is dropped, and so is what the client sends, until there is room and the
/// SYN-ACK, or the text, is sent again.
#[test]
fn a_handshake_that_is_complete_while_the_backlog_is_full_waits_for_room() {
    let (mut link, listener) = listening(0);
    let answer = |link: &mut Link, port| {
        let syn = Segment { syn: true, window: 9_000, ..Segment::at(Seq(1)) };
        let (iss, flags) = read(&answers(link, port, &syn)[0]);
        assert_eq!(flags, 0x12, "SYN and ACK");
        Segment { ack: Some(iss + 1), window: 9_000, ..Segment::at(Seq(2)) }
    };
    let (first, second) = (answer(&mut link, 1_000), answer(&mut link, 1_001));
    assert_eq!(answers(&mut link, 1_000, &first), [] as [Bytes; 0]);
    link.notes(2);
    let text = Segment { text: b"early", ..second };
    for segment in [second, text] {
        assert_eq!(answers(&mut link, 1_001, &segment), [] as [Bytes; 0]);
        assert_eq!(link.notes(2), [Note::Dropped(DropReason::BufferFull)]);
    }
    assert!(link.host(2).accept(listener).is_ok());
    assert_eq!(link.host(2).accept(listener), Err(Errno::EAGAIN));
    link.host(2).handle_timeout(Time::from_millis(1_000));
    let again = link.host(2).poll_transmit().unwrap();
    assert_eq!(read(&again), (second.ack.unwrap() - 1, 0x12), "the SYN-ACK again");
    answers(&mut link, 1_001, &text);
    let (fd, _) = link.host(2).accept(listener).unwrap();
    let mut buffer = [0; 9];
    assert_eq!(link.host(2).recv(fd, &mut buffer), Ok(5));
}

#[test]
fn what_routers_report_of_a_connection_is_told_when_it_gives_up() {
    // Type and code, what SO_ERROR says of it, and what a connect ends with at once.
    for (kind, code, told, ends) in [
        (3, 0, Some(Errno::ENETUNREACH), None),
        (3, 1, Some(Errno::EHOSTUNREACH), None),
        (11, 0, Some(Errno::EHOSTUNREACH), None),
        (3, 13, Some(Errno::EHOSTUNREACH), Some(Errno::EHOSTUNREACH)),
        (12, 0, Some(Errno::EPROTO), Some(Errno::EPROTO)),
        (3, 4, None, None),
    ] {
        let (mut link, _) = listening(4);
        let fd = connect(&mut link);
        link.set(1, fd, SocketOption::NoDelay(true)).unwrap();
        let send = |link: &mut Link| {
            link.host(1).send(fd, b"text").unwrap();
            link.host(1).poll_transmit().unwrap()
        };
        let quoted = send(&mut link);
        let report = message("10.0.0.1:0", kind, code, &quoted[..28]);
        link.host(1).handle_input(&report);
        assert_eq!(link.host(1).take_error(fd), Ok(told), "type {kind} code {code}");
        assert_eq!(link.host(1).take_error(fd), Ok(None), "once");
        link.host(1).handle_input(&report);
        while let Some(due) = link.host(1).poll_timeout() {
            link.host(1).handle_timeout(due);
            while link.host(1).poll_transmit().is_some() {}
        }
        let last = Some(told.unwrap_or(Errno::ETIMEDOUT));
        assert_eq!(link.host(1).take_error(fd), Ok(last), "type {kind} code {code}");

        let fd = link.host(1).socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
        link.host(1).connect(fd, Some(addr("10.0.0.2:7"))).unwrap_err();
        let quoted = link.host(1).poll_transmit().unwrap();
        link.host(1).handle_input(&message("10.0.0.1:0", kind, code, &quoted[..28]));
        let expected = ends.map_or(Err(Errno::EALREADY), Err);
        assert_eq!(link.host(1).connect(fd, Some(addr("10.0.0.2:7"))), expected, "type {kind} code {code}");
    }
}

#[test]
fn the_initial_sequence_number_can_be_set() {
    let mut link = Link::with(2, |config| config.tcp.initial_sequence_number = Some(u32::MAX));
    connect(&mut link);
    assert_eq!(read(&link.wire[0]), (Seq(u32::MAX), 2));
    let wait = Duration::from_secs(1);
    link.host(1).handle_timeout(Time::from(wait));
    connect(&mut link);
    assert_eq!(read(&link.wire[2]), (Seq(u32::MAX), 2), "at any time");
}
