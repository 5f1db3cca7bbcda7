//! Hosts on an ideal link: what the calls do, end to end.

use super::testing::{Link, addr, host};
use super::{Domain, Kind, Protocol, SocketOption, Sockets};
use crate::model::{DropReason, Errno, HostStack, Note, Time};

const BOTH: [Domain; 2] = [Domain::Inet, Domain::Inet6];

fn any_port(domain: Domain, port: u16) -> String {
    match domain {
        Domain::Inet => format!("0.0.0.0:{port}"),
        Domain::Inet6 => format!("[::]:{port}"),
    }
}

fn at(domain: Domain, n: u8, port: u16) -> String {
    std::net::SocketAddr::new(host(domain, n), port).to_string()
}

#[test]
fn a_datagram_goes_there_and_back_and_nothing_else_is_on_the_wire() {
    for domain in BOTH {
        let mut link = Link::new(2);
        let server = link.socket(2, domain, &any_port(domain, 7));
        let client = link.socket(1, domain, "");
        assert_eq!(link.send(1, client, b"hello", &at(domain, 2, 7)), Ok(5));
        let (data, from) = link.recv(2, server).unwrap();
        assert_eq!(data, b"hello");
        assert_eq!(link.send(2, server, b"yes?", &from), Ok(4));
        assert_eq!(link.recv(1, client), Ok((b"yes?".to_vec(), at(domain, 2, 7))));
        assert_eq!(link.wire.len(), 2);
        let header = if domain == Domain::Inet { 28 } else { 48 };
        assert_eq!(link.wire[0].len(), header + 5);
        assert_eq!(link.recv(1, client), Err(Errno::EAGAIN));
    }
}

#[test]
fn a_closed_port_is_told_to_a_connected_socket_once_and_to_no_other() {
    for domain in BOTH {
        let mut link = Link::new(2);
        let free = link.socket(1, domain, "");
        assert_eq!(link.send(1, free, b"x", &at(domain, 2, 9)), Ok(1));
        assert_eq!(link.recv(1, free), Err(Errno::EAGAIN));
        let bound = link.socket(1, domain, "");
        link.host(1).connect(bound, Some(addr(&at(domain, 2, 9)))).unwrap();
        assert_eq!(link.host(1).send(bound, b"x"), Ok(1));
        link.changed(1);
        link.run();
        assert_eq!(link.changed(1), [bound]);
        assert!(link.host(1).poll(bound).unwrap().error);
        assert_eq!(link.host(1).send(bound, b"x"), Err(Errno::ECONNREFUSED));
        assert_eq!(link.host(1).send(bound, b"x"), Ok(1));
        link.run();
        assert_eq!(link.recv(1, bound), Err(Errno::ECONNREFUSED));
        assert_eq!(link.recv(1, bound), Err(Errno::EAGAIN));
        assert_eq!(link.notes(2), [Note::Dropped(DropReason::NoSocket); 3]);
        assert_eq!(link.wire.len(), 6, "three datagrams and three errors");
    }
}

#[test]
fn a_broadcast_needs_asking_and_reaches_everybody() {
    for to in ["255.255.255.255:7", "10.0.0.255:7"] {
        let mut link = Link::new(3);
        let servers: Vec<_> = (1..=3).map(|n| link.socket(n, Domain::Inet, "0.0.0.0:7")).collect();
        let client = link.socket(1, Domain::Inet, "");
        assert_eq!(link.send(1, client, b"x", to), Err(Errno::EACCES));
        assert_eq!(link.host(1).connect(client, Some(addr(to))), Err(Errno::EACCES));
        link.set(1, client, SocketOption::Broadcast(true)).unwrap();
        assert_eq!(link.send(1, client, b"x", to), Ok(1));
        for (n, server) in (1..).zip(servers) {
            assert_eq!(link.recv(n, server).unwrap().0, b"x", "host {n} to {to}");
        }
        assert_eq!(link.wire.len(), 1);
    }
}

#[test]
fn own_addresses_never_touch_the_wire() {
    for to in ["127.0.0.1:7", "127.5.5.5:7", "10.0.0.1:7", "0.0.0.0:7", "[::1]:7", "[fd00::1]:7", "[::]:7"] {
        let mut link = Link::new(1);
        let domain = Domain::of(&addr(to));
        let server = link.socket(1, domain, &any_port(domain, 7));
        let client = link.socket(1, domain, "");
        assert_eq!(link.send(1, client, b"x", to), Ok(1));
        assert_eq!(link.recv(1, server).unwrap().0, b"x", "to {to}");
        assert_eq!(link.wire.len(), 0);
    }
}

#[test]
fn the_longest_datagram_arrives_in_fragments_and_one_byte_more_is_refused() {
    for (domain, longest) in [(Domain::Inet, 65_507), (Domain::Inet6, 65_527)] {
        for to in [2, 1] {
            let mut link = Link::new(2);
            let server = link.socket(to, domain, &any_port(domain, 7));
            let client = link.socket(1, domain, "");
            let data: Vec<u8> = (0..=longest).map(|n| (n % 251) as u8).collect();
            assert_eq!(link.send(1, client, &data, &at(domain, to, 7)), Err(Errno::EMSGSIZE));
            assert_eq!(link.send(1, client, &data[1..], &at(domain, to, 7)), Ok(longest));
            assert_eq!(link.recv(to, server).unwrap().0, data[1..]);
            assert!(link.wire.iter().all(|packet| packet.len() <= 1_500));
            assert_eq!(link.wire.len(), if to == 1 { 0 } else { 45 + usize::from(domain == Domain::Inet6) });
        }
    }
}

#[test]
fn a_lost_fragment_is_told_of_when_the_time_is_up() {
    for (domain, wait) in [(Domain::Inet, 30_000), (Domain::Inet6, 60_000)] {
        let mut link = Link::new(2);
        link.socket(2, domain, &any_port(domain, 7));
        let client = link.socket(1, domain, "");
        link.host(1).send_to(client, &[1; 2_000], addr(&at(domain, 2, 7))).unwrap();
        let first = link.host(1).poll_transmit().unwrap();
        while link.host(1).poll_transmit().is_some() {}
        link.host(2).handle_input(&first);
        assert_eq!(link.host(2).poll_timeout(), Some(Time::from_millis(wait)));
        link.host(2).handle_timeout(Time::from_millis(wait));
        assert_eq!(link.notes(2), [Note::Dropped(DropReason::Reassembly)]);
        let told = link.host(2).poll_transmit().unwrap();
        let header = if domain == Domain::Inet { 20 } else { 40 };
        assert_eq!(told[header..header + 2], if domain == Domain::Inet { [11, 1] } else { [3, 1] });
        assert_eq!(link.host(2).poll_timeout(), None);
        link.host(1).handle_input(&told);
        assert_eq!(link.recv(1, client), Err(Errno::EAGAIN));
    }
}

#[test]
fn each_fragmented_datagram_has_an_identification_of_its_own() {
    let mut link = Link::new(2);
    let client = link.socket(1, Domain::Inet, "");
    for _ in 0..3 {
        link.send(1, client, &[0; 2_000], "10.0.0.2:7").unwrap();
    }
    let ids: Vec<[u8; 2]> = link.wire.iter().filter(|p| p[9] == 17).map(|p| [p[4], p[5]]).collect();
    assert_eq!(ids.len(), 6);
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[0] != ids[2] && ids[2] != ids[4] && ids[0] != ids[4]);
    // Two hosts with one seed do not count from the same number.
    assert_ne!(link.hosts[0].next_id.wrapping_sub(3), link.hosts[1].next_id);
}

#[test]
fn notes_that_nobody_polls_are_bounded() {
    let mut link = Link::new(1);
    for _ in 0..5_000 {
        link.host(1).handle_input(&bytes::Bytes::from_static(b"noise"));
    }
    assert_eq!(link.notes(1), [Note::Dropped(DropReason::Malformed); 1_024]);
}

#[test]
fn time_does_not_go_back() {
    let mut link = Link::new(2);
    let client = link.socket(1, Domain::Inet, "");
    link.host(1).send_to(client, &[0; 2_000], addr("10.0.0.2:7")).unwrap();
    let first = link.host(1).poll_transmit().unwrap();
    link.host(2).handle_timeout(Time::from_millis(500));
    link.host(2).handle_timeout(Time::from_millis(100));
    link.host(2).handle_input(&first);
    assert_eq!(link.host(2).poll_timeout(), Some(Time::from_millis(30_500)));
}

/// Things that a stack holds for others, put there.
const HELD: [fn(&mut Link); 5] = [
    |link| {
        link.socket(2, Domain::Inet, "0.0.0.0:7");
        let client = link.socket(1, Domain::Inet, "");
        link.send(1, client, &[7; 500], "10.0.0.2:7").unwrap();
    },
    |link| {
        let client = link.socket(2, Domain::Inet, "");
        link.host(2).send_to(client, &[7; 700], addr("10.0.0.1:7")).unwrap();
    },
    |link| {
        let client = link.socket(1, Domain::Inet, "");
        link.host(1).send_to(client, &[7; 2_000], addr("10.0.0.2:7")).unwrap();
        let first = link.host(1).poll_transmit().unwrap();
        while link.host(1).poll_transmit().is_some() {}
        link.host(2).handle_input(&first);
    },
    |link| {
        let listener = link.host(2).socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
        link.host(2).bind(listener, addr("10.0.0.2:80")).unwrap();
        link.host(2).listen(listener, 1).unwrap();
        let client = link.host(1).socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
        link.host(1).connect(client, Some(addr("10.0.0.2:80"))).unwrap_err();
        link.run();
        link.host(1).send(client, &[7; 900]).unwrap();
        link.run();
    },
    |link| {
        for _ in 0..3 {
            link.host(2).handle_input(&bytes::Bytes::from_static(b"noise"));
        }
    },
];

#[test]
fn memory_is_the_sum_of_what_is_held() {
    // What waits in a socket and for the wire, a fragment, a connection's text, notes.
    let least = [500, 700, 1_400, 900, 3];
    let all = (1_u32 << HELD.len()) - 1;
    let memory = |chosen: u32| {
        let mut link = Link::new(2);
        // The order matters to the ideal link: what is not to leave is sent last.
        for which in [0, 2, 3, 4, 1] {
            if chosen & 1 << which != 0 {
                HELD[which](&mut link);
            }
        }
        link.host(2).memory()
    };
    assert_eq!(memory(0), 0, "a fresh stack holds nothing");
    let each = std::array::from_fn::<_, 5, _>(|which| memory(1 << which));
    assert!(each.iter().zip(least).all(|(held, least)| *held >= least), "{each:?}, at least {least:?}");
    assert_eq!(memory(all), each.iter().sum(), "{each:?}");
}
