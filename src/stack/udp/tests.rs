//! Sending and delivery, end to end on an ideal link.

use super::super::testing::{Link, addr};
use super::super::{SocketOption, Sockets};
use super::*;
use crate::model::HostStack;
use crate::packet::Path;
use Domain::{Inet, Inet6};

#[test]
fn the_checks_of_a_send_come_in_the_order_of_linux() {
    let mut link = Link::new(2);
    let fd = link.socket(1, Inet, "");
    let send = |link: &mut Link, len: usize| link.host(1).send(fd, &vec![0; len]);
    assert_eq!(send(&mut link, 1), Err(Errno::EDESTADDRREQ));
    assert_eq!(send(&mut link, 70_000), Err(Errno::EMSGSIZE));
    assert_ne!(link.host(1).local_addr(fd).unwrap().port(), 0, "bound before all else");
    assert_eq!(link.send(1, fd, b"x", "[::1]:7"), Err(Errno::EAFNOSUPPORT));
    assert_eq!(link.send(1, fd, b"x", "10.0.0.2:0"), Err(Errno::EINVAL));
    assert_eq!(link.send(1, fd, &[0; 65_508], "192.168.0.1:7"), Err(Errno::ENETUNREACH));
    assert_eq!(link.send(1, fd, &[0; 65_508], "10.0.0.2:7"), Err(Errno::EMSGSIZE));
    let six = link.socket(1, Inet6, "");
    assert_eq!(link.send(1, six, b"x", "10.0.0.2:7"), Ok(1), "an AF_INET address on an AF_INET6 socket");
    assert_eq!(link.send(1, six, &[0; 65_508], "[::ffff:10.0.0.2]:7"), Err(Errno::EMSGSIZE));
}

#[test]
fn a_dual_stack_socket_hears_ipv4_and_an_ipv6_only_one_does_not() {
    let mut link = Link::new(2);
    let dual = link.socket(2, Inet6, "[::]:7");
    let client = link.socket(1, Inet, "0.0.0.0:9");
    link.send(1, client, b"x", "10.0.0.2:7").unwrap();
    assert_eq!(link.recv(2, dual), Ok((b"x".to_vec(), "[::ffff:10.0.0.1]:9".to_owned())));
    link.send(2, dual, b"y", "[::ffff:10.0.0.1]:9").unwrap();
    assert_eq!(link.recv(1, client), Ok((b"y".to_vec(), "10.0.0.2:7".to_owned())));
    let only = link.socket(2, Inet6, "");
    link.set(2, only, SocketOption::V6Only(true)).unwrap();
    link.host(2).bind(only, addr("[::]:8")).unwrap();
    link.send(1, client, b"x", "10.0.0.2:8").unwrap();
    assert_eq!(link.recv(2, only), Err(Errno::EAGAIN));
}

#[test]
fn the_closest_match_gets_a_unicast_datagram() {
    // Each is a better match than the one before, on the same port.
    let mut link = Link::new(2);
    let client = link.socket(1, Inet, "0.0.0.0:9");
    let reusing = |link: &mut Link, domain, bind: &str| {
        let fd = link.socket(2, domain, "");
        link.set(2, fd, SocketOption::ReuseAddress(true)).unwrap();
        link.host(2).bind(fd, addr(bind)).unwrap();
        fd
    };
    let hears = |link: &mut Link, fd, why: &str| {
        link.send(1, client, why.as_bytes(), "10.0.0.2:7").unwrap();
        assert_eq!(link.recv(2, fd).map(|(data, _)| data), Ok(why.as_bytes().to_vec()), "{why}");
    };
    let four = reusing(&mut link, Inet, "0.0.0.0:7");
    hears(&mut link, four, "the only one");
    let dual = reusing(&mut link, Inet6, "[::]:7");
    hears(&mut link, four, "its own family comes before dual-stack");
    link.host(2).close(four).unwrap();
    hears(&mut link, dual, "dual-stack if there is no other");
    let later = reusing(&mut link, Inet6, "[::]:7");
    hears(&mut link, later, "the last bound among equals");
    let exact = reusing(&mut link, Inet, "10.0.0.2:7");
    reusing(&mut link, Inet, "0.0.0.0:7");
    hears(&mut link, exact, "the very address comes before a wildcard");
    let connected = reusing(&mut link, Inet, "0.0.0.0:7");
    link.host(2).connect(connected, Some(addr("10.0.0.1:9"))).unwrap();
    reusing(&mut link, Inet, "10.0.0.2:7");
    hears(&mut link, connected, "connected to the sender comes before all");
    link.host(2).connect(connected, Some(addr("10.0.0.1:10"))).unwrap();
    link.send(1, client, b"x", "10.0.0.2:7").unwrap();
    assert_eq!(link.recv(2, connected), Err(Errno::EAGAIN), "connected to another does not hear");
}

#[test]
fn a_full_buffer_drops_in_silence_as_many_as_linux_does() {
    // Measured: how many of these fit into the default buffer of 212 992.
    for (len, fits) in [(1, 256), (100, 256), (500, 166), (1_000, 92), (1_400, 92), (4_000, 25)] {
        let mut link = Link::new(2);
        let server = link.socket(2, Inet, "0.0.0.0:7");
        let client = link.socket(1, Inet, "");
        for _ in 0..300 {
            assert_eq!(link.send(1, client, &vec![0; len], "10.0.0.2:7"), Ok(len));
        }
        let full = Note::Dropped(DropReason::BufferFull);
        assert_eq!(link.notes(2).iter().filter(|note| **note == full).count(), 300 - fits, "{len} bytes");
        let received = std::iter::from_fn(|| link.recv(2, server).ok()).count();
        assert_eq!(received, fits, "{len} bytes");
        link.send(1, client, b"x", "10.0.0.2:7").unwrap();
        assert!(link.recv(2, server).is_ok(), "there is room again");
    }
    let mut link = Link::new(2);
    let server = link.socket(2, Inet, "0.0.0.0:7");
    link.set(2, server, SocketOption::RecvBuffer(0)).unwrap();
    let client = link.socket(1, Inet, "");
    link.send(1, client, &[0; 60_000], "10.0.0.2:7").unwrap();
    assert!(link.recv(2, server).is_ok(), "an empty queue takes any");
}

#[test]
fn a_full_send_buffer_waits_until_packets_have_left() {
    let mut link = Link::new(2);
    let fd = link.socket(1, Inet, "");
    link.set(1, fd, SocketOption::SendBuffer(0)).unwrap();
    let mut sent = 0;
    while link.host(1).send_to(fd, &[0; 100], addr("10.0.0.2:7")).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 6, "4608 bytes at 832 each, and one begun");
    assert_eq!(link.host(1).send_to(fd, b"x", addr("10.0.0.2:7")), Err(Errno::EAGAIN));
    assert!(!link.host(1).poll(fd).unwrap().writable);
    link.changed(1);
    link.host(1).poll_transmit().unwrap();
    assert_eq!(link.changed(1), [fd]);
    assert!(link.host(1).poll(fd).unwrap().writable);
    // The packets of a socket that is closed go out all the same.
    link.host(1).close(fd).unwrap();
    assert_eq!(std::iter::from_fn(|| link.host(1).poll_transmit()).count(), 5);
}

#[test]
fn the_transmit_queue_is_bounded() {
    let mut link = Link::new(2);
    let fd = link.socket(1, Inet, "");
    let mut last = Ok(0);
    for _ in 0..40 {
        let fd = link.socket(1, Inet, "");
        for _ in 0..4 {
            last = link.host(1).send_to(fd, &[0; 60_000], addr("10.0.0.2:7"));
        }
    }
    assert_eq!(last, Err(Errno::ENOBUFS));
    assert!(link.host(1).memory() <= 4_096 * 1_500);
    assert_eq!(link.host(1).send_to(fd, b"x", addr("127.0.0.1:7")), Ok(1), "loopback needs no room");
}

#[test]
fn the_transmit_queue_takes_4096_packets_and_a_datagram_whole_or_not_at_all() {
    let mut link = Link::new(2);
    let mut send = |len| {
        let fd = link.socket(1, Inet, "");
        let result = link.host(1).send_to(fd, &vec![0; len], addr("10.0.0.2:7")).err();
        link.host(1).close(fd).unwrap();
        assert_eq!(link.host(1).check(), Ok(()));
        result
    };
    // 41 fragments each.
    for n in 0..99 {
        assert_eq!(send(60_000), None, "datagram {n}");
    }
    assert_eq!(send(60_000), Some(Errno::ENOBUFS));
    for n in 99 * 41..4_096 {
        assert_eq!(send(1), None, "packet {n}");
    }
    assert_eq!(send(1), Some(Errno::ENOBUFS));
    assert_eq!(std::iter::from_fn(|| link.host(1).poll_transmit()).count(), 4_096);
}

#[test]
fn a_short_buffer_loses_the_rest_and_says_so() {
    let mut link = Link::new(2);
    let server = link.socket(2, Inet, "0.0.0.0:7");
    let client = link.socket(1, Inet, "0.0.0.0:9");
    link.send(1, client, b"abcdef", "10.0.0.2:7").unwrap();
    link.send(1, client, b"", "10.0.0.2:7").unwrap();
    let mut buffer = [0; 4];
    let first = Received { len: 4, full_len: 6, from: addr("10.0.0.1:9") };
    assert_eq!(link.host(2).recv_from(server, &mut buffer), Ok(first));
    assert_eq!(&buffer, b"abcd");
    let empty = Received { len: 0, full_len: 0, from: addr("10.0.0.1:9") };
    assert_eq!(link.host(2).recv_from(server, &mut buffer), Ok(empty));
}

/// The one packet of a datagram, changed, and whether it is received then.
fn arrives(to: &str, change: impl Fn(&mut Vec<u8>)) -> Result<usize, DropReason> {
    let mut link = Link::new(2);
    let domain = Domain::of(&addr(to));
    let server = link.socket(2, domain, if domain == Inet { "0.0.0.0:7" } else { "[::]:7" });
    let client = link.socket(1, domain, "");
    link.host(1).send_to(client, b"abcd", addr(to)).unwrap();
    let mut packet = link.host(1).poll_transmit().unwrap().to_vec();
    change(&mut packet);
    link.host(2).handle_input(&packet.into());
    match link.recv(2, server) {
        Ok((data, _)) => Ok(data.len()),
        Err(_) => match link.notes(2)[..] {
            [Note::Dropped(reason)] => Err(reason),
            _ => panic!("one reason"),
        },
    }
}

#[test]
fn checksums_are_verified_and_0_says_none_on_ipv4_only() {
    for (to, udp) in [("10.0.0.2:7", 20), ("[fd00::2]:7", 40)] {
        assert_eq!(arrives(to, |_| ()), Ok(4));
        for bit in 0..12 * 8 {
            // A flipped length is malformed where it points beyond the packet.
            let found = arrives(to, |packet| packet[udp + bit / 8] ^= 1 << (bit % 8));
            assert!(
                matches!(found, Err(DropReason::TransportChecksum | DropReason::Malformed)),
                "{to} bit {bit}"
            );
        }
        let without = arrives(to, |packet| packet[udp + 6..udp + 8].fill(0));
        assert_eq!(without, if udp == 20 { Ok(4) } else { Err(DropReason::TransportChecksum) });
        let short = arrives(to, |packet| packet[udp + 4..udp + 6].copy_from_slice(&[0, 7]));
        assert_eq!(short, Err(DropReason::Malformed));
    }
}

#[test]
fn a_sum_of_zero_goes_out_as_ones() {
    let mut link = Link::new(2);
    let server = link.socket(2, Inet, "0.0.0.0:7");
    let client = link.socket(1, Inet, "0.0.0.0:9");
    // Among all values of one word there is one that makes the sum 0.
    for word in 0..=u16::MAX {
        link.host(1).send_to(client, &word.to_be_bytes(), addr("10.0.0.2:7")).unwrap();
        let packet = link.host(1).poll_transmit().unwrap();
        assert_ne!(packet[26..28], [0, 0]);
        if packet[26..28] == [0xff, 0xff] {
            link.host(2).handle_input(&packet);
            assert_eq!(link.recv(2, server).unwrap().0, word.to_be_bytes());
            return;
        }
    }
    panic!("no sum was 0");
}

#[test]
fn members_of_a_group_receive_and_others_do_not() {
    for (domain, any, group) in [(Inet, "0.0.0.0:7", "239.1.2.3"), (Inet6, "[::]:7", "ff05::77")] {
        let to = SocketAddr::new(group.parse().unwrap(), 7).to_string();
        let mut link = Link::new(3);
        let fds: Vec<Fd> = (1..=3).map(|n| link.socket(n, domain, any)).collect();
        let got = |link: &mut Link| -> Vec<bool> {
            (1..).zip(&fds).map(|(n, fd)| link.recv(n, *fd).is_ok()).collect()
        };
        link.set(2, fds[1], SocketOption::JoinGroup(group.parse().unwrap())).unwrap();
        assert_eq!(link.send(1, fds[0], b"x", &to), Ok(1));
        assert_eq!(got(&mut link), [false, true, false], "{group}");
        assert_eq!(link.notes(3), [Note::Dropped(DropReason::NotForUs)]);
        assert_eq!(link.notes(1), [], "no copy comes back to a host that is no member");
        assert_eq!(link.wire[0][if domain == Inet { 8 } else { 7 }], 1, "hop limit 1");
        // The sender hears itself if its host is a member, unless it asks not to.
        link.set(1, fds[0], SocketOption::JoinGroup(group.parse().unwrap())).unwrap();
        link.send(1, fds[0], b"x", &to).unwrap();
        assert_eq!(got(&mut link), [true, true, false], "{group}");
        link.set(1, fds[0], SocketOption::MulticastLoop(false)).unwrap();
        link.send(1, fds[0], b"x", &to).unwrap();
        assert_eq!(got(&mut link), [false, true, false], "{group}");
        // With TTL 0 it does not leave the host.
        link.set(1, fds[0], SocketOption::MulticastTtl(0)).unwrap();
        link.set(1, fds[0], SocketOption::MulticastLoop(true)).unwrap();
        link.send(1, fds[0], b"x", &to).unwrap();
        assert_eq!(got(&mut link), [true, false, false], "{group}");
        link.set(2, fds[1], SocketOption::LeaveGroup(group.parse().unwrap())).unwrap();
        link.set(1, fds[0], SocketOption::MulticastTtl(5)).unwrap();
        link.send(1, fds[0], b"x", &to).unwrap();
        assert_eq!(got(&mut link), [true, false, false], "{group}");
        assert_eq!(link.wire.last().unwrap()[if domain == Inet { 8 } else { 7 }], 5);
    }
}

#[test]
fn everybody_on_the_port_gets_what_is_for_many() {
    let mut link = Link::new(2);
    let mut fds = vec![link.socket(2, Inet, "")];
    for bind in ["0.0.0.0:7", "0.0.0.0:7", "10.0.0.2:7", "10.0.0.255:7", "0.0.0.0:8"] {
        let fd = link.socket(2, Inet, "");
        link.set(2, fd, SocketOption::ReuseAddress(true)).unwrap();
        link.host(2).bind(fd, addr(bind)).unwrap();
        fds.push(fd);
    }
    let client = link.socket(1, Inet, "");
    link.set(1, client, SocketOption::Broadcast(true)).unwrap();
    link.send(1, client, b"x", "10.0.0.255:7").unwrap();
    let got: Vec<bool> = fds.iter().map(|fd| link.recv(2, *fd).is_ok()).collect();
    assert_eq!(got, [false, true, true, false, true, false], "not at a unicast address or another port");
    // A socket that is bound to the broadcast address sends from the host's own.
    link.send(
        2,
        fds[4],
        b"y",
        &link.hosts[0].local_addr(client).unwrap().to_string().replace("0.0.0.0", "10.0.0.1"),
    )
    .unwrap();
    assert_eq!(link.recv(1, client).unwrap().1, "10.0.0.2:7");
}

#[test]
fn what_comes_from_impossible_addresses_is_not_for_us() {
    for src in [[127, 0, 0, 1], [10, 0, 0, 2], [0, 0, 0, 0], [239, 1, 1, 1], [10, 0, 0, 255], [255; 4]] {
        let mut link = Link::new(2);
        link.socket(2, Inet, "0.0.0.0:7");
        let path = Path::V4 { src: src.into(), dst: [10, 0, 0, 2].into() };
        let out = Outgoing { path, protocol: protocol::UDP, hop_limit: 1, head: &[0; 8], body: &[] };
        out.build(1_500, 0, |packet| link.host(2).handle_input(&packet));
        assert_eq!(link.notes(2), [Note::Dropped(DropReason::NotForUs)], "{src:?}");
    }
}

#[test]
fn the_last_bound_wins_not_the_last_opened() {
    let mut link = Link::new(2);
    let [first, second] = [(); 2].map(|()| {
        let fd = link.socket(2, Inet, "");
        link.set(2, fd, SocketOption::ReuseAddress(true)).unwrap();
        fd
    });
    link.host(2).bind(second, addr("0.0.0.0:7")).unwrap();
    link.host(2).bind(first, addr("0.0.0.0:7")).unwrap();
    let client = link.socket(1, Inet, "");
    link.send(1, client, b"x", "10.0.0.2:7").unwrap();
    assert_eq!((link.recv(2, first).is_ok(), link.recv(2, second).is_ok()), (true, false));
}

#[test]
fn among_sockets_connected_to_one_peer_the_last_one_that_was_connected_wins() {
    // To connect settles the address of a socket bound to none, and Linux hashes it anew then.
    let mut link = Link::new(2);
    let [first, second] = [(); 2].map(|()| {
        let fd = link.socket(2, Inet, "");
        link.set(2, fd, SocketOption::ReuseAddress(true)).unwrap();
        link.host(2).bind(fd, addr("0.0.0.0:7")).unwrap();
        fd
    });
    for fd in [second, first] {
        link.host(2).connect(fd, Some(addr("10.0.0.1:9"))).unwrap();
    }
    let client = link.socket(1, Inet, "0.0.0.0:9");
    link.send(1, client, b"x", "10.0.0.2:7").unwrap();
    assert_eq!((link.recv(2, first).is_ok(), link.recv(2, second).is_ok()), (true, false));
}
