//! Error numbers and side effects of the calls. Socket types, shutdown and groups were measured on Linux
//! 6.18; raw sockets answer as a host without them, and buffers are bounded by the default `rmem_max`.

use std::time::Duration;

use super::super::testing::{Link, addr};
use super::*;
use crate::model::HostStack;
use Domain::{Inet, Inet6};

#[test]
fn family_type_and_protocol_choose_the_transport() {
    let mut link = Link::new(1);
    for domain in [Inet, Inet6] {
        let mut open = |kind, protocol| link.host(1).socket(domain, kind, protocol).err();
        for protocol in [Protocol::Default, Protocol::Udp] {
            assert_eq!(open(Kind::Datagram, protocol), None);
        }
        assert_eq!(open(Kind::Datagram, Protocol::Tcp), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(open(Kind::Datagram, Protocol::Icmp), Some(Errno::EACCES));
        assert_eq!(open(Kind::Stream, Protocol::Default), None);
        assert_eq!(open(Kind::Stream, Protocol::Tcp), None);
        assert_eq!(open(Kind::Stream, Protocol::Udp), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(open(Kind::Raw, Protocol::Default), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(open(Kind::Raw, Protocol::Icmp), Some(Errno::ESOCKTNOSUPPORT));
    }
}

#[test]
fn after_close_every_call_is_ebadf() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "127.0.0.1:7");
    link.send(1, fd, b"x", "127.0.0.1:7").unwrap();
    let stack = link.host(1);
    assert_eq!(stack.close(fd), Ok(()));
    assert_eq!(stack.poll_changed(), None, "nothing is told of a closed descriptor");
    let to = addr("127.0.0.1:7");
    let answers = [
        stack.bind(fd, to).err(),
        stack.listen(fd, 1).err(),
        stack.accept(fd).err(),
        stack.connect(fd, Some(to)).err(),
        stack.connect(fd, None).err(),
        stack.send(fd, b"x").err(),
        stack.send_to(fd, b"x", to).err(),
        stack.recv(fd, &mut [0]).err(),
        stack.recv_from(fd, &mut [0]).err(),
        stack.peek(fd, &mut [0]).err(),
        stack.shutdown(fd, How::Both).err(),
        stack.close(fd).err(),
        stack.local_addr(fd).err(),
        stack.peer_addr(fd).err(),
        stack.set_option(fd, SocketOption::Broadcast(true)).err(),
        stack.option(fd, OptionName::Broadcast).err(),
        stack.take_error(fd).err(),
        stack.poll(fd).err(),
    ];
    assert_eq!(answers, [Some(Errno::EBADF); 18]);
    assert_eq!(stack.memory(), 0);
}

#[test]
fn what_is_for_streams_is_not_supported() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "");
    assert_eq!(link.host(1).listen(fd, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(link.host(1).accept(fd), Err(Errno::EOPNOTSUPP));
    for option in [SocketOption::NoDelay(true), SocketOption::MaxSegment(500), SocketOption::V6Only(true)] {
        assert_eq!(link.set(1, fd, option), Err(Errno::ENOPROTOOPT), "{option:?}");
    }
    for name in [OptionName::NoDelay, OptionName::MaxSegment, OptionName::V6Only] {
        assert_eq!(link.host(1).option(fd, name), Err(Errno::ENOPROTOOPT), "{name:?}");
    }
}

#[test]
fn options_are_read_as_they_were_set() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet6, "");
    let cases = [
        (OptionName::ReuseAddress, SocketOption::ReuseAddress(true)),
        (OptionName::Broadcast, SocketOption::Broadcast(true)),
        (OptionName::KeepAlive, SocketOption::KeepAlive(Some(KeepAlive::default()))),
        (OptionName::Linger, SocketOption::Linger(Some(Duration::from_secs(3)))),
        (OptionName::Ttl, SocketOption::Ttl(0)),
        (OptionName::V6Only, SocketOption::V6Only(true)),
        (OptionName::MulticastTtl, SocketOption::MulticastTtl(7)),
        (OptionName::MulticastLoop, SocketOption::MulticastLoop(false)),
    ];
    for (name, value) in cases {
        assert_ne!(link.host(1).option(fd, name), Ok(value), "{name:?} is at its default");
        assert_eq!(link.set(1, fd, value), Ok(()));
        assert_eq!(link.host(1).option(fd, name), Ok(value));
    }
    let four = link.socket(1, Inet, "");
    assert_eq!(link.set(1, four, SocketOption::Ttl(0)), Err(Errno::EINVAL));
    link.host(1).bind(fd, addr("[::]:7")).unwrap();
    assert_eq!(link.set(1, fd, SocketOption::V6Only(false)), Err(Errno::EINVAL));
}

#[test]
fn buffers_double_and_are_bounded() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "");
    let buffers = |link: &mut Link, bytes| {
        link.set(1, fd, SocketOption::RecvBuffer(bytes)).unwrap();
        link.set(1, fd, SocketOption::SendBuffer(bytes)).unwrap();
        [OptionName::RecvBuffer, OptionName::SendBuffer].map(|name| link.host(1).option(fd, name).unwrap())
    };
    assert_eq!(link.host(1).option(fd, OptionName::RecvBuffer), Ok(SocketOption::RecvBuffer(212_992)));
    for (asked, receive, send) in
        [(1, 2_304, 4_608), (50_000, 100_000, 100_000), (usize::MAX, 425_984, 425_984)]
    {
        let expected = [SocketOption::RecvBuffer(receive), SocketOption::SendBuffer(send)];
        assert_eq!(buffers(&mut link, asked), expected);
    }
}

#[test]
fn groups_are_joined_and_left() {
    let mut link = Link::new(1);
    let (four, six) = (link.socket(1, Inet, ""), link.socket(1, Inet6, ""));
    let join = |text: &str| SocketOption::JoinGroup(text.parse().unwrap());
    let leave = |text: &str| SocketOption::LeaveGroup(text.parse().unwrap());
    for (fd, option, expected) in [
        (four, join("239.1.1.1"), Ok(())),
        (four, join("239.1.1.1"), Err(Errno::EADDRINUSE)),
        (four, join("10.1.1.1"), Err(Errno::EINVAL)),
        (four, leave("239.1.1.2"), Err(Errno::EADDRNOTAVAIL)),
        (four, leave("10.1.1.1"), Err(Errno::EADDRNOTAVAIL)),
        (four, leave("239.1.1.1"), Ok(())),
        (four, leave("239.1.1.1"), Err(Errno::EADDRNOTAVAIL)),
        (four, join("ff02::77"), Err(Errno::ENOPROTOOPT)),
        (six, join("ff02::77"), Ok(())),
        (six, join("ff02::77"), Err(Errno::EADDRINUSE)),
        (six, join("fd00::77"), Err(Errno::EINVAL)),
        (six, leave("fd00::77"), Err(Errno::EINVAL)),
        (six, leave("ff02::77"), Ok(())),
        (six, leave("ff02::77"), Err(Errno::EADDRNOTAVAIL)),
        (six, join("239.1.1.1"), Ok(())),
    ] {
        assert_eq!(link.set(1, fd, option), expected, "{option:?}");
    }
    for n in 0..19 {
        assert_eq!(link.set(1, six, join(&format!("ff02::{n:x}:1"))), Ok(()));
    }
    assert_eq!(link.set(1, six, join("ff02::ffff")), Err(Errno::ENOBUFS));
}

#[test]
fn shutdown_takes_effect_even_where_it_is_refused() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "127.0.0.1:7");
    assert_eq!(link.host(1).shutdown(fd, How::Read), Err(Errno::ENOTCONN));
    assert!(link.host(1).poll(fd).unwrap().readable);
    assert_eq!(link.recv(1, fd), Err(Errno::EAGAIN));
    link.host(1).connect(fd, Some(addr("127.0.0.1:7"))).unwrap();
    assert_eq!(link.host(1).send(fd, b"x"), Ok(1));
    link.changed(1);
    assert_eq!(link.host(1).shutdown(fd, How::Write), Ok(()));
    assert_eq!(link.changed(1), [fd]);
    assert_eq!(link.host(1).send(fd, b"x"), Err(Errno::EPIPE));
    assert_eq!(link.recv(1, fd).unwrap().0, b"x", "what was there can still be received");
    let ready = Readiness { readable: true, writable: true, error: false, hang_up: true };
    assert_eq!(link.host(1).poll(fd), Ok(ready));
}

#[test]
fn a_change_is_told_once_and_costs_nothing_if_nobody_asks() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "127.0.0.1:7");
    for _ in 0..100 {
        link.send(1, fd, b"x", "127.0.0.1:7").unwrap();
    }
    assert_eq!(link.changed(1), [fd]);
    assert_eq!(link.changed(1), []);
    link.recv(1, fd).unwrap();
    assert_eq!(link.changed(1), [], "what the program itself used up is no news");
    link.send(1, fd, b"x", "127.0.0.1:7").unwrap();
    assert_eq!(link.changed(1), [fd]);
}

#[test]
fn a_datagram_socket_is_readable_while_something_waits() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "127.0.0.1:7");
    let idle = Readiness { writable: true, ..Readiness::default() };
    assert_eq!(link.host(1).poll(fd), Ok(idle));
    link.send(1, fd, b"", "127.0.0.1:7").unwrap();
    assert_eq!(link.host(1).poll(fd), Ok(Readiness { readable: true, ..idle }));
    assert_eq!(link.recv(1, fd).unwrap().0, b"");
    assert_eq!(link.host(1).poll(fd), Ok(idle));
    link.host(1).shutdown(fd, How::Write).unwrap_err();
    assert_eq!(link.host(1).poll(fd), Ok(idle), "one direction is over");
}

#[test]
fn a_peek_takes_nothing_but_the_error() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "127.0.0.1:7");
    assert_eq!(link.host(1).peek(fd, &mut [0]), Err(Errno::EAGAIN));
    link.send(1, fd, b"twice", "127.0.0.1:7").unwrap();
    let mut buffer = [0; 2];
    for _ in 0..2 {
        let seen = link.host(1).peek(fd, &mut buffer).unwrap();
        assert_eq!((seen.len, seen.full_len, seen.from), (2, 5, addr("127.0.0.1:7")));
        assert_eq!(&buffer, b"tw");
    }
    assert_eq!(link.recv(1, fd).unwrap().0, b"twice");
    link.host(1).connect(fd, Some(addr("127.0.0.1:8"))).unwrap();
    link.host(1).send(fd, b"x").unwrap();
    assert_eq!(link.host(1).peek(fd, &mut buffer), Err(Errno::ECONNREFUSED));
    assert_eq!(link.host(1).peek(fd, &mut buffer), Err(Errno::EAGAIN));
}

#[test]
fn options_of_a_stream_socket_are_read_as_they_were_set() {
    let mut link = Link::new(1);
    let open = |link: &mut Link, domain| link.host(1).socket(domain, Kind::Stream, Protocol::Tcp).unwrap();
    let (four, six) = (open(&mut link, Inet), open(&mut link, Inet6));
    for (name, value) in [
        (OptionName::RecvBuffer, SocketOption::RecvBuffer(8_000)),
        (OptionName::SendBuffer, SocketOption::SendBuffer(9_000)),
        (OptionName::ReuseAddress, SocketOption::ReuseAddress(true)),
        (OptionName::Broadcast, SocketOption::Broadcast(true)),
        (OptionName::Linger, SocketOption::Linger(Some(Duration::from_secs(3)))),
        (OptionName::NoDelay, SocketOption::NoDelay(true)),
        (OptionName::MaxSegment, SocketOption::MaxSegment(1_000)),
        (OptionName::Ttl, SocketOption::Ttl(9)),
        (OptionName::V6Only, SocketOption::V6Only(true)),
    ] {
        assert_ne!(link.host(1).option(six, name), Ok(value), "{name:?} is at its default");
        let asked = match value {
            SocketOption::RecvBuffer(bytes) => SocketOption::RecvBuffer(bytes / 2),
            SocketOption::SendBuffer(bytes) => SocketOption::SendBuffer(bytes / 2),
            value => value,
        };
        assert_eq!(link.set(1, six, asked), Ok(()));
        assert_eq!(link.host(1).option(six, name), Ok(value));
    }
    // What AF_INET or a stream does not have.
    for (fd, name, value, error) in [
        (four, OptionName::V6Only, SocketOption::V6Only(true), Errno::ENOPROTOOPT),
        (six, OptionName::MulticastTtl, SocketOption::MulticastTtl(3), Errno::EINVAL),
        (six, OptionName::MulticastLoop, SocketOption::MulticastLoop(true), Errno::EINVAL),
    ] {
        assert_eq!(link.host(1).option(fd, name), Err(Errno::ENOPROTOOPT), "{name:?}");
        assert_eq!(link.set(1, fd, value), Err(error), "{name:?}");
    }
    assert_eq!(link.set(1, four, SocketOption::Ttl(0)), Err(Errno::EINVAL));
    assert_eq!(link.set(1, six, SocketOption::Ttl(0)), Ok(()));
    link.host(1).bind(six, addr("[::]:7")).unwrap();
    assert_eq!(link.set(1, six, SocketOption::V6Only(false)), Err(Errno::EINVAL));
}
