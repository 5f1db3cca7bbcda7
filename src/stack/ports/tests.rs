//! Bind and connect: who gets which address and port. Overlaps and dissolving were measured on Linux 6.18
//! over loopback; the addresses of the link follow from its source.

use super::super::testing::{Link, addr};
use super::super::{Kind, Protocol, SocketOption, Sockets};
use super::*;
use Domain::{Inet, Inet6};

fn local(link: &mut Link, fd: Fd) -> String {
    link.host(1).local_addr(fd).unwrap().to_string()
}

fn peer(link: &mut Link, fd: Fd) -> Result<String, Errno> {
    link.host(1).peer_addr(fd).map(|peer| peer.to_string())
}

#[test]
fn only_own_addresses_can_be_bound_and_only_once() {
    let mut link = Link::new(1);
    for (domain, to, expected) in [
        (Inet, "10.0.0.1:7", Ok(())),
        (Inet, "127.0.0.1:7", Ok(())),
        (Inet, "239.1.1.1:8", Ok(())),
        (Inet, "10.0.0.255:8", Ok(())),
        (Inet, "10.0.0.2:8", Err(Errno::EADDRNOTAVAIL)),
        (Inet, "[::1]:8", Err(Errno::EAFNOSUPPORT)),
        (Inet6, "[fd00::1]:7", Ok(())),
        (Inet6, "[fd00::2]:8", Err(Errno::EADDRNOTAVAIL)),
        (Inet6, "[::ffff:10.0.0.1]:8", Ok(())),
        (Inet6, "[::ffff:10.0.0.2]:9", Err(Errno::EADDRNOTAVAIL)),
        (Inet6, "127.0.0.1:9", Err(Errno::EINVAL)),
    ] {
        let fd = link.socket(1, domain, "");
        assert_eq!(link.host(1).bind(fd, addr(to)), expected, "{to}");
        if expected.is_ok() {
            assert_eq!(local(&mut link, fd), to);
            assert_eq!(link.host(1).bind(fd, addr(to)), Err(Errno::EINVAL), "bound before");
        }
    }
    let fd = link.socket(1, Inet6, "");
    link.set(1, fd, SocketOption::V6Only(true)).unwrap();
    assert_eq!(link.host(1).bind(fd, addr("[::ffff:127.0.0.1]:9")), Err(Errno::EINVAL));
}

#[test]
fn a_port_is_in_use_where_the_addresses_overlap() {
    // The second is IPv6-only if it ends in a bang.
    for (first, second, free) in [
        ("0.0.0.0:7", "0.0.0.0:7", false),
        ("0.0.0.0:7", "127.0.0.1:7", false),
        ("127.0.0.1:7", "0.0.0.0:7", false),
        ("127.0.0.1:7", "10.0.0.1:7", true),
        ("0.0.0.0:7", "0.0.0.0:8", true),
        ("0.0.0.0:7", "[::]:7", false),
        ("0.0.0.0:7", "[::]:7!", true),
        ("[::]:7", "0.0.0.0:7", false),
        ("[::]:7", "127.0.0.1:7", false),
        ("[::]:7", "[::1]:7", false),
        ("[::1]:7", "[::]:7", false),
        ("[::1]:7", "0.0.0.0:7", true),
        ("[::1]:7", "[fd00::1]:7", true),
        ("127.0.0.1:7", "[::ffff:127.0.0.1]:7", false),
    ] {
        for reuse in [[false, false], [true, false], [false, true], [true, true]] {
            let mut link = Link::new(1);
            let fds = [first, second].map(|text| {
                let fd = link.socket(1, Domain::of(&addr(text.trim_end_matches('!'))), "");
                if text.ends_with('!') {
                    link.set(1, fd, SocketOption::V6Only(true)).unwrap();
                }
                fd
            });
            for (fd, reuse) in fds.into_iter().zip(reuse) {
                link.set(1, fd, SocketOption::ReuseAddress(reuse)).unwrap();
            }
            link.host(1).bind(fds[0], addr(first)).unwrap();
            let expected = if free || reuse == [true, true] { Ok(()) } else { Err(Errno::EADDRINUSE) };
            let found = link.host(1).bind(fds[1], addr(second.trim_end_matches('!')));
            assert_eq!(found, expected, "{first} then {second}, reuse {reuse:?}");
        }
    }
}

#[test]
fn picked_ports_are_free_in_range_and_follow_from_the_seed() {
    let ports = |seed| {
        let mut link = Link::with(1, |config| config.seed = seed);
        let fds: Vec<Fd> = (0..500).map(|_| link.socket(1, Inet, "0.0.0.0:0")).collect();
        fds.iter().map(|fd| link.host(1).local_addr(*fd).unwrap().port()).collect::<Vec<_>>()
    };
    let first = ports(1);
    assert_eq!(first, ports(1));
    assert_ne!(first, ports(2));
    assert!(first.iter().all(|port| (32_768..61_000).contains(port)));
    let mut sorted = first.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 500);
}

#[test]
fn the_one_free_port_of_the_range_is_found_wherever_it_is() {
    let mut link = Link::new(1);
    for fd in [Fd(3), Fd(4), Fd(5)] {
        for only in [32_768, 32_769, 40_000, 60_998, 60_999] {
            assert_eq!(link.host(1).pick_port("port", fd, |port| port == only), Ok(only));
        }
        for outside in [32_767, 61_000] {
            let picked = link.host(1).pick_port("port", fd, |port| port == outside);
            assert_eq!(picked, Err(Errno::EADDRINUSE));
        }
    }
}

#[test]
fn connecting_settles_the_local_address() {
    for (domain, to, local_ip, shown) in [
        (Inet, "10.0.0.2:7", "10.0.0.1", "10.0.0.2:7"),
        (Inet, "127.0.0.9:7", "127.0.0.1", "127.0.0.9:7"),
        (Inet, "10.0.0.1:7", "10.0.0.1", "10.0.0.1:7"),
        (Inet, "0.0.0.0:7", "127.0.0.1", "127.0.0.1:7"),
        (Inet6, "[fd00::2]:7", "fd00::1", "[fd00::2]:7"),
        (Inet6, "[::]:7", "::1", "[::1]:7"),
        (Inet6, "[::ffff:10.0.0.2]:7", "::ffff:10.0.0.1", "[::ffff:10.0.0.2]:7"),
        (Inet6, "10.0.0.2:7", "::ffff:10.0.0.1", "[::ffff:10.0.0.2]:7"),
    ] {
        let mut link = Link::new(1);
        let fd = link.socket(1, domain, "");
        assert_eq!(peer(&mut link, fd), Err(Errno::ENOTCONN));
        assert_eq!(link.host(1).connect(fd, Some(addr(to))), Ok(()), "{to}");
        let found = link.host(1).local_addr(fd).unwrap();
        assert_eq!(found.ip().to_string(), local_ip, "{to}");
        assert!(found.port() >= 32_768);
        assert_eq!(peer(&mut link, fd).unwrap(), shown);
    }
}

#[test]
fn connecting_is_refused_where_nothing_leads() {
    for (domain, bind, to, error) in [
        (Inet, "", "10.0.1.2:7", Errno::ENETUNREACH),
        (Inet, "", "[::1]:7", Errno::EAFNOSUPPORT),
        (Inet, "127.0.0.1:0", "10.0.0.2:7", Errno::EINVAL),
        (Inet6, "", "[fd01::2]:7", Errno::ENETUNREACH),
        (Inet6, "[::1]:0", "[::ffff:127.0.0.1]:7", Errno::ENETUNREACH),
        (Inet6, "[::ffff:127.0.0.1]:0", "[::1]:7", Errno::EAFNOSUPPORT),
    ] {
        let mut link = Link::new(1);
        let fd = link.socket(1, domain, bind);
        assert_eq!(link.host(1).connect(fd, Some(addr(to))), Err(error), "{bind} to {to}");
        let sent = link.host(1).send_to(fd, b"x", addr(to));
        assert_eq!(sent, Err(error), "{bind} to {to}");
        assert_ne!(link.host(1).local_addr(fd).unwrap().port(), 0, "bound all the same");
    }
    // An IPv6-only socket has no way to IPv4; to connect, AF_INET is no address of its family at all.
    for (to, connected) in
        [("[::ffff:127.0.0.1]:7", Errno::ENETUNREACH), ("127.0.0.1:7", Errno::EAFNOSUPPORT)]
    {
        let mut link = Link::new(1);
        let stream = link.host(1).socket(Inet6, Kind::Stream, Protocol::Tcp).unwrap();
        let datagram = link.socket(1, Inet6, "");
        for fd in [stream, datagram] {
            link.set(1, fd, SocketOption::V6Only(true)).unwrap();
            assert_eq!(link.host(1).connect(fd, Some(addr(to))), Err(connected), "{to}");
        }
        assert_eq!(link.host(1).send_to(datagram, b"x", addr(to)), Err(Errno::ENETUNREACH), "{to}");
    }
    let mut link = Link::with(1, |config| config.mtu = 1_279);
    let fd = link.socket(1, Inet6, "");
    assert_eq!(link.host(1).connect(fd, Some(addr("[fd00::2]:7"))), Err(Errno::ENETUNREACH));
    assert_eq!(link.host(1).connect(fd, Some(addr("[::1]:7"))), Ok(()));
}

#[test]
fn dissolving_gives_back_what_the_program_did_not_choose() {
    for (bind, before, after) in [
        ("", "127.0.0.1", "0.0.0.0:0"),
        ("127.0.0.1:0", "127.0.0.1", "127.0.0.1:0"),
        ("127.0.0.1:77", "127.0.0.1:77", "127.0.0.1:77"),
        ("0.0.0.0:77", "127.0.0.1:77", "0.0.0.0:77"),
    ] {
        let mut link = Link::new(1);
        let fd = link.socket(1, Inet, bind);
        link.host(1).connect(fd, Some(addr("127.0.0.1:9"))).unwrap();
        assert!(local(&mut link, fd).starts_with(before), "{bind}");
        assert_eq!(link.host(1).connect(fd, None), Ok(()));
        assert_eq!(local(&mut link, fd), after, "{bind}");
        assert_eq!(peer(&mut link, fd), Err(Errno::ENOTCONN));
        assert_eq!(link.host(1).connect(fd, None), Ok(()), "again");
        assert_eq!(link.host(1).send(fd, b"x"), Err(Errno::EDESTADDRREQ));
    }
}

#[test]
fn a_peer_of_port_0_is_connected_to_but_is_none() {
    let mut link = Link::new(1);
    let fd = link.socket(1, Inet, "");
    assert_eq!(link.host(1).send_to(fd, b"x", addr("127.0.0.1:0")), Err(Errno::EINVAL));
    assert_eq!(link.host(1).connect(fd, Some(addr("127.0.0.1:0"))), Ok(()));
    assert_eq!(peer(&mut link, fd), Err(Errno::ENOTCONN));
    assert_eq!(link.host(1).send(fd, b"x"), Ok(1));
}
