//! Packets that nobody honest sends, packets of long ago, and strangers.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;

use super::pair::{Fate, Pair};
use crate::adaptive::packet::{Body, Data, Frame, Packet, Piece, SHORTEST, pieces, span};
use crate::adaptive::*;
use crate::model::Time;

/// A frame in numbers, from which one is made.
fn frames() -> impl Strategy<Value = Vec<(u8, [u64; 4], u32)>> {
    let number = prop_oneof![3 => 0_u64..12, 2 => 0_u64..20_000, 1 => 0_u64..1 << 62];
    prop::collection::vec((0_u8..10, prop::array::uniform4(number), any::<u32>()), 0..5)
}

fn frame<'a>((kind, numbers, word): &(u8, [u64; 4], u32), bytes: &'a [u8]) -> Frame<'a> {
    let [message, start, after, total] = *numbers;
    match kind {
        0 => Frame::Fin,
        1 => Frame::Ping,
        2 | 3 => {
            let ranges: Vec<RangeInclusive<u64>> = vec![message..=message + after % 40];
            Frame::Ack { delay_us: *word, ranges }
        }
        _ => {
            let (message, total) = (message.max(1), (total % 9_000) as u32);
            let size = 64 + (word % 900) as u16;
            let ordered = word.is_multiple_of(3).then_some((1, after % message));
            let index = word % pieces(total, size);
            let data = &bytes[..span(total, size, index).len()];
            Frame::Piece(Piece { message, start, ordered, total, size, index, data })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A peer that says what it likes costs no more room than it is given, and does not keep the machine
    /// busy.
    #[test]
    fn a_peer_that_lies_costs_no_more_than_its_room(
        lies in prop::collection::vec(
            (any::<[u8; 4]>(), prop::array::uniform4(0_u64..5_000), frames(), 0_u64..400), 1..60,
        ),
        takes: bool,
    ) {
        let config = Config::default().with_buffers(8_192, 8_192);
        let mut pair = Pair::new(&config, Vec::new());
        pair.send(1, &[5; 2_000], Delivery::RELIABLE);
        pair.step();
        let (to, from) = pair.sent.iter().rev().find_map(|(end, data)| {
            let packet = Packet::parse(data)?;
            (*end == 1 && matches!(packet.body, Body::Data(_))).then_some((packet.to, packet.from))
        }).expect("the client has sent something");
        let [client, _] = pair.addrs;
        let bytes = [7; 1_000];
        let mut server = pair.machines;
        let server = &mut server[1];
        let mut now = pair.now;
        for ([hint, ..], [number, floor, floor_start, limit], frames, later) in &lies {
            let frames: Vec<Frame<'_>> = frames.iter().map(|parts| frame(parts, &bytes)).collect();
            let floor = if hint.is_multiple_of(4) { *floor } else { 0 };
            let data = Data { number: *number, floor, floor_start: *floor_start, limit: *limit, frames };
            server.input(now, client, &Packet { to, from, body: Body::Data(data) }.encode());
            server.assert_invariants();
            now += Duration::from_millis(*later);
            server.on_timer(now);
            let mut sent = 0;
            while let Some(datagram) = server.poll_transmit(now) {
                sent += 1;
                prop_assert!(datagram.data.len() <= config.datagram_max && sent < 100);
            }
            let mut events = 0;
            while takes && server.poll_event().is_some() {
                events += 1;
                prop_assert!(events < 100);
            }
            server.assert_invariants();
        }
    }

    /// Noise, and good packets that somebody has changed, from anywhere.
    #[test]
    fn noise_makes_no_peers(
        noise in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..100), 0_u8..3), 1..60),
    ) {
        let mut machine = Machine::new(Config::default(), Time::ZERO);
        for (bytes, port) in noise {
            let from = format!("10.0.0.9:{}", 1 + u16::from(port)).parse().expect("an address");
            machine.input(Time::from_millis(1), from, &bytes);
            prop_assert_eq!((machine.peers(), machine.poll_transmit(Time::from_millis(1))), (0, None));
        }
    }
}

/// All that was ever sent is sent again, to a machine that has closed the connection, one that was started
/// again, and a stranger's: nothing is delivered, and no connection made.
#[test]
fn old_packets_bring_nothing_back() {
    let mut pair = Pair::new(&Config::default(), vec![Fate::Arrives, Fate::Doubled, Fate::Arrives]);
    for number in 0..20 {
        pair.send(0, &[number; 300], Delivery::RELIABLE);
    }
    pair.settle();
    pair.close(0);
    let old = std::mem::take(&mut pair.sent);
    let got = pair.got.clone();
    assert_eq!(got[1].len(), 20);
    for _ in 0..2 {
        for (end, data) in &old {
            let from = pair.addrs[1 - end];
            pair.machines[*end].input(pair.now, from, data);
        }
        assert_eq!(pair.machines.iter().map(Machine::peers).sum::<usize>(), 0);
        pair.collect();
        pair.now += Duration::from_secs(70);
    }
    pair.restart(1);
    for (end, data) in &old {
        let from = pair.addrs[1 - end];
        pair.machines[*end].input(pair.now, from, data);
    }
    pair.collect();
    assert_eq!((pair.got, pair.machines[1].peers()), (got, 0));
}

/// Until an address has shown that it receives there, it gets no state, and no more bytes than it sent.
#[test]
fn a_stranger_gets_neither_state_nor_more_bytes_than_it_sent() {
    let mut machine = Machine::new(Config::default(), Time::ZERO);
    let stranger = "10.0.0.9:9".parse().expect("an address");
    let data = |to| {
        let frames = vec![Frame::Ping];
        let body = Body::Data(Data { number: 0, floor: 1, floor_start: 0, limit: 1 << 20, frames });
        Packet { to, from: 77, body }.encode()
    };
    let open = Packet { to: 0, from: 77, body: Body::Open(1 << 20) }.encode();
    let opened = Packet { to: 3, from: 77, body: Body::Opened(1 << 20) }.encode();
    let gone = Packet { to: 3, from: 77, body: Body::Gone }.encode();
    let now = Time::from_millis(5);
    for (datagram, answers) in [(&open, 1), (&data(12345), 1), (&opened, 0), (&gone, 0)] {
        machine.input(now, stranger, datagram);
        let mut sent = Vec::new();
        while let Some(datagram) = machine.poll_transmit(now) {
            assert_eq!(datagram.to, stranger);
            sent.push(datagram.data.len());
        }
        assert_eq!(sent.len(), answers);
        assert!(sent.iter().sum::<usize>() <= datagram.len() && sent.iter().all(|len| *len == SHORTEST));
        assert_eq!(machine.peers(), 0);
    }
    // With the id that it was given, from another address: nothing.
    machine.input(now, stranger, &open);
    let answer = machine.poll_transmit(now).expect("an answer").data;
    let given = Packet::parse(&answer).expect("a packet").from;
    machine.input(now, "10.0.0.8:9".parse().expect("an address"), &data(given));
    assert_eq!(machine.peers(), 0);
    // Too late: nothing. In time, from its own: a peer.
    machine.input(now + Duration::from_secs(121), stranger, &data(given));
    assert_eq!(machine.peers(), 0);
    machine.input(now, stranger, &data(given));
    assert_eq!(machine.peers(), 1);
}

/// All that is on its way between a client and a server, until both are silent.
fn exchange(now: Time, (client, from): (&mut Machine, SocketAddr), server: &mut Machine) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let at = "10.0.0.1:1".parse().expect("an address");
    loop {
        let before = sent.len();
        while let Some(datagram) = client.poll_transmit(now) {
            server.input(now, from, &datagram.data);
            sent.push(datagram.data);
        }
        while let Some(datagram) = server.poll_transmit(now) {
            if datagram.to == from {
                client.input(now, at, &datagram.data);
            }
        }
        if sent.len() == before {
            return sent;
        }
    }
}

/// Connects from there; the server's program lets go of it at once, or not. What the client sent, if it was
/// served.
fn visit(now: Time, from: SocketAddr, seed: u64, server: &mut Machine, stays: bool) -> Option<Vec<Vec<u8>>> {
    let mut client = Machine::new(Config::default().with_seed(seed), Time::ZERO);
    client.connect(now, "10.0.0.1:1".parse().expect("an address")).expect("its first");
    let sent = exchange(now, (&mut client, from), server);
    let mut peer = None;
    while let Some(event) = server.poll_event() {
        if let Event::Opened { peer: opened, addr } = event {
            assert_eq!(addr, from);
            peer = Some(opened);
        }
    }
    if !stays && let Some(peer) = peer {
        server.forget(peer);
    }
    peer.map(|_| sent)
}

/// However many connections one address makes one after the other, others are served, and so is that address.
#[test]
fn an_address_that_connects_all_the_time_keeps_nobody_out() {
    let mut server = Machine::new(Config::default().with_seed(9), Time::ZERO);
    let attacker = |port| SocketAddr::new([10, 0, 0, 66].into(), port);
    let mut old = Vec::new();
    let mut now = Time::from_millis(1);
    for number in 0..20_000 {
        // All of them in ten seconds.
        now += Duration::from_micros(500);
        let from = attacker(1 + (number % 60_000) as u16);
        old.push((from, visit(now, from, number, &mut server, false).expect("it is served")));
    }
    server.assert_invariants();
    for (number, ip) in [[10, 0, 0, 7], [10, 0, 0, 66]].into_iter().enumerate() {
        let from = SocketAddr::new(ip.into(), 61_000);
        assert!(visit(now, from, 70_000 + number as u64, &mut server, false).is_some(), "{from}");
    }
    // And what it sent long ago, or just now, makes no connection again.
    for (from, sent) in old.iter().take(100).chain(&old[19_900..]) {
        sent.iter().for_each(|data| server.input(now, *from, data));
        assert_eq!(server.peers(), 0, "{from}");
        while server.poll_transmit(now).is_some() {}
    }
}

/// However many connections one address holds, others are served.
#[test]
fn an_address_that_holds_connections_leaves_room_for_others() {
    let mut server = Machine::new(Config::default().with_peers_max(16).with_seed(9), Time::ZERO);
    let now = Time::from_millis(1);
    for (ip, served) in [([10, 0, 0, 66], 8), ([10, 0, 0, 67], 4), ([10, 0, 0, 68], 2), ([10, 0, 0, 69], 1)] {
        let visits = (1..=50).filter(|port| {
            let from = SocketAddr::new(ip.into(), *port);
            visit(now, from, u64::from(ip[3]) << 16 | u64::from(*port), &mut server, true).is_some()
        });
        assert_eq!(visits.count(), served);
        server.assert_invariants();
    }
}

/// Many addresses at once make ids expire early, and no more than that.
#[test]
fn addresses_that_connect_all_the_time_keep_nobody_out() {
    let mut server = Machine::new(Config::default().with_seed(9), Time::ZERO);
    let mut now = Time::from_millis(1);
    for number in 0..20_000 {
        now += Duration::from_micros(500);
        let ip = 0x0a01_0000 + (number % 5_000) as u32;
        let from = SocketAddr::new(std::net::Ipv4Addr::from_bits(ip).into(), 5_000);
        assert!(visit(now, from, number, &mut server, false).is_some());
    }
    server.assert_invariants();
    let from = "10.0.0.7:61000".parse().expect("an address");
    assert!(visit(now, from, 70_000, &mut server, false).is_some());
}

/// A server and a client answer each other's packets, whatever they are, no more than once: there is no loop.
#[test]
fn two_that_answer_do_not_answer_each_other_for_ever() {
    let addrs: [SocketAddr; 2] = ["10.0.0.1:1", "10.0.0.2:2"].map(|addr| addr.parse().expect("an address"));
    let frames = vec![Frame::Ping];
    let data = Data { number: 0, floor: 1, floor_start: 0, limit: 1 << 20, frames };
    let bodies = [Body::Open(1 << 20), Body::Opened(1 << 20), Body::Gone, Body::Data(data)];
    for (body, accepting) in bodies.into_iter().flat_map(|body| [(body.clone(), true), (body, false)]) {
        let config = Config::default().with_accepting(accepting);
        let mut machines = [1, 2].map(|seed| Machine::new(config.clone().with_seed(seed), Time::ZERO));
        let now = Time::from_millis(1);
        let forged = Packet { to: 5, from: 6, body }.encode();
        machines[0].input(now, addrs[1], &forged);
        let (mut to, mut answers) = (1, 0);
        while let Some(datagram) = machines[1 - to].poll_transmit(now) {
            assert!(datagram.data.len() <= forged.len());
            machines[to].input(now, addrs[1 - to], &datagram.data);
            (to, answers) = (1 - to, answers + 1);
            assert!(answers <= 1);
        }
        assert_eq!(machines.iter().map(Machine::peers).sum::<usize>(), 0);
    }
}

/// Times without a bound are taken as the longest that there is.
#[test]
fn no_time_is_too_long() {
    for time in [Duration::ZERO, Duration::MAX] {
        let mut config = Config::default();
        (config.timeout_initial, config.timeout_min, config.timeout_max) = (time, time, time);
        (config.ack_delay, config.keep_alive) = (time, Some(time));
        let mut pair = Pair::unopened(&config);
        pair.fates = vec![Fate::Arrives, Fate::Arrives, Fate::Lost].into();
        for reliability in [Delivery::RELIABLE, Delivery::within(time), Delivery::ONCE] {
            pair.send(0, b"hello", reliability);
        }
        for _ in 0..200 {
            pair.step();
        }
    }
}

/// A silent peer is given up, however short the keep-alive is.
#[test]
fn a_keep_alive_of_zero_comes_to_an_end() {
    let config = Config { keep_alive: Some(Duration::ZERO), ..Config::default() };
    let mut pair = Pair::new(&config, Vec::new());
    assert_eq!(pair.machines[0].config().keep_alive, Some(Duration::from_millis(1)));
    pair.is_cut = true;
    pair.run_until(|pair| pair.ended.iter().all(Option::is_some));
}

#[test]
fn there_are_no_more_peers_than_allowed() {
    let config = Config::default().with_peers_max(3);
    let mut server = Machine::new(config.clone().with_seed(9), Time::ZERO);
    let own = "10.0.0.1:1".parse().expect("an address");
    let now = Time::from_millis(1);
    for port in 1..=5 {
        let mut client = Machine::new(Config::default().with_seed(port), Time::ZERO);
        let from = format!("10.0.0.{}:9", port + 1).parse().expect("an address");
        client.connect(now, own).expect("its first");
        for _ in 0..2 {
            while let Some(datagram) = client.poll_transmit(now) {
                server.input(now, from, &datagram.data);
            }
            while let Some(datagram) = server.poll_transmit(now) {
                if datagram.to == from {
                    client.input(now, own, &datagram.data);
                }
            }
        }
    }
    assert_eq!(server.peers(), 3);
    let mut own = Machine::new(config, Time::ZERO);
    let peers: Vec<_> = (1..=5).map(|port| own.connect(now, ([10, 0, 0, 9], port).into())).collect();
    assert_eq!(peers.iter().filter(|peer| **peer == Err(SendError::TooManyPeers)).count(), 2);
}
