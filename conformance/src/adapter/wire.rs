//! What a driver holds a stack to: time, packets, and the same answers to the same input.

use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::fault::Rejection;
use faultwire::packet::{
    Outgoing, PacketView, Parsed, Strictness, TcpFlags, TcpSegment, UdpDatagram, datagram, parse, protocol,
    rejected,
};
use faultwire::stack::Kind;
use faultwire::time::Time;
use faultwire_sim::testbed::Capability::Streams;

use super::pair::{A, B, Data, MINUTE, Pair, SOON, Trial, described, holds, want};
use super::{Requirement, requirement};

pub(super) const REQUIREMENTS: &[Requirement] = &[
    requirement(
        "time/never-back",
        "A time earlier than the one told last is ignored: a timer started then is due in the future.",
        &[Streams],
        |pair| {
            let socket = pair.open(A, Kind::Stream)?;
            pair.run(SOON);
            pair.tick(A);
            let late = std::mem::replace(&mut pair.now, Time::ZERO);
            pair.log("the driver's time goes back".to_owned());
            let _ = pair.connect(socket, pair.stranger(7));
            pair.now = late;
            pair.log("the driver's time is right again".to_owned());
            pair.tick(A);
            want(pair.sent(A).len(), 1, "packets of a connect within one moment")
        },
    ),
    requirement(
        "time/scale",
        "poll_timeout and handle_timeout mean the same unit: a SYN without an answer is sent again \
         after 0.1 to 60 seconds.",
        &[Streams],
        |pair| {
            let socket = pair.open(A, Kind::Stream)?;
            pair.run(SOON);
            let _ = pair.connect(socket, pair.stranger(7));
            pair.run(MINUTE);
            let Some([(first, _), (second, _)]) = pair.sent(A).first_chunk() else {
                return Err(format!("expected two SYNs within 60 s, found {}", pair.sent(A).len()));
            };
            let gap = *second - *first;
            holds(gap >= Duration::from_millis(100), || {
                format!("expected the second SYN 0.1 s after the first or later, found {gap:?}")
            })
        },
    ),
    requirement(
        "time/ahead",
        "Once told the time that it asked for, a stack asks for a later one, in every state of its sockets.",
        &[Streams],
        |pair| {
            let (lonely, alone) = (pair.open(A, Kind::Stream)?, pair.udp(A, 0)?);
            let _ = pair.connect(lonely, pair.stranger(7));
            let _ = pair.send_to(alone, &[1; 3_000], pair.stranger(7));
            pair.run(MINUTE);
            let [client, server, _] = pair.connected()?;
            pair.pass(client, b"data")?;
            pair.run(MINUTE);
            let _ = (pair.close(client), pair.close(lonely));
            pair.run(SOON);
            let _ = pair.close(server);
            pair.run(MINUTE);
            Ok(())
        },
    ),
    requirement(
        "time/idle",
        "A host with nothing to do lets an hour pass without a stream of packets and timeouts.",
        &[],
        |pair| {
            pair.udp(A, 7)?;
            pair.open(A, Kind::Datagram)?;
            pair.run(MINUTE * 60);
            Ok(())
        },
    ),
    requirement(
        "packets/whole",
        "Each packet is one whole IP packet of at most the MTU, with the host's own source address and right \
         checksums.",
        &[],
        |pair| {
            for mtu in [1_500, 1_280] {
                pair.begin_again(mtu);
                let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
                let headers = if pair.addr(A, 9).is_ipv4() { 28 } else { 48 };
                for len in [0, 1, 100, usize::from(mtu) - headers] {
                    pair.deliver(a, &vec![0x5a; len], pair.addr(B, 9))?;
                    want(
                        pair.recv(b, 2_000),
                        Ok(Data(vec![0x5a; len])),
                        "recv of a datagram that fits the MTU",
                    )?;
                }
                // In fragments, or not at all.
                let _ = pair.send_to(a, &[0x5a; 3_000], pair.addr(B, 9));
                pair.run(SOON);
                if pair.streams {
                    let [client, server, _] = pair.connected()?;
                    let _ = (pair.send(client, &[0x5a; 5_001]), pair.send(server, &[0x5a; 5_001]));
                    pair.run(SOON);
                }
                packets_are_whole(pair, mtu.into())?;
            }
            Ok(())
        },
    ),
    requirement(
        "packets/order",
        "poll_transmit gives packets in the order in which they were made.",
        &[],
        |pair| {
            let (a, to) = (pair.udp(A, 9)?, pair.addr(B, 9));
            let taken = (1..=4).take_while(|n| pair.stack(A).send_to(a.fd, &[*n; 10], to).is_ok()).count();
            pair.collect(A);
            let first =
                |(_, packet): &(Time, Bytes)| PacketView::parse(packet)?.udp_payload()?.first().copied();
            let mut found: Vec<_> =
                pair.sent(A).iter().filter_map(first).filter(|n| (1..=4).contains(n)).collect();
            found.dedup();
            want(found, (1..=taken as u8).collect(), "the first bytes of datagrams of 1s, 2s, 3s and 4s")
        },
    ),
    requirement(
        "packets/others",
        "A packet for another host is dropped without an answer, whatever sockets are open.",
        &[],
        |pair| {
            let socket = pair.open(B, Kind::Datagram)?;
            want(pair.bind(socket, pair.any(7)), Ok(()), "bind to the unspecified address")?;
            pair.forget();
            for packet in strange_packets(pair) {
                pair.input(B, &packet);
            }
            pair.run(SOON);
            want(pair.sent(B).len(), 0, "packets in answer")?;
            want(pair.changes(socket), 0, "reports of a socket on the port")?;
            want(pair.recv(socket, 99), Err(Errno::EAGAIN), "recv")
        },
    ),
    requirement(
        "packets/garbage",
        "Any bytes, of any length, may arrive: the stack does not panic, and goes on to work.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            if pair.streams {
                pair.listener(B, 7, 4)?;
            }
            for packet in garbage(pair).into_iter().chain(cut_errors(pair)) {
                pair.input(B, &packet.into());
            }
            pair.run(SOON);
            let _ = (0..1_000).take_while(|_| pair.recv(b, 9).is_ok()).count();
            pair.deliver(a, b"sound", pair.addr(B, 9))?;
            want(pair.recv(b, 99), Ok(Data(b"sound".into())), "recv of a sound datagram after the garbage")
        },
    ),
    requirement(
        "packets/padding",
        "Bytes behind the end that a packet's header tells are no part of it: links pad short packets.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            let packet = datagram(pair.addr(A, 9), pair.addr(B, 9), 64, b"data").unwrap_or_default();
            pair.input(B, &[&packet[..], &[0; 7]].concat().into());
            want(
                pair.recv(b, 99),
                Ok(Data(b"data".into())),
                "recv of a datagram with 7 bytes behind its end",
            )?;
            pair.deliver(a, b"sound", pair.addr(B, 9))?;
            want(pair.recv(b, 99), Ok(Data(b"sound".into())), "recv of the next datagram")
        },
    ),
    requirement(
        "input/repeatable",
        "The same configuration and the same input give the same packets at the same times.",
        &[],
        |pair| {
            let mut runs = Vec::new();
            for _ in 0..2 {
                pair.begin_again(1_500);
                exchange(pair)?;
                runs.push([A, B].map(|host| pair.sent(host).to_vec()).concat());
            }
            let differs = runs[0].iter().zip(&runs[1]).find(|(first, second)| first != second);
            let told = |(at, packet): &(Time, Bytes)| format!("at {at} {}", described(packet));
            if let Some((first, second)) = differs {
                let ((first, second), alike) = ((told(first), told(second)), "the same but for other bytes");
                let found = if first == second { alike } else { &second };
                return Err(format!("a packet of the second run: expected {first}, found {found}"));
            }
            want(runs[1].len(), runs[0].len(), "packets of the second run")
        },
    ),
];

/// A few datagrams, and a stream where there are any.
fn exchange(pair: &mut Pair<'_>) -> Trial {
    let (a, b) = (pair.udp(A, 0)?, pair.udp(B, 9)?);
    for len in [10, 1_000] {
        pair.deliver(a, &vec![7; len], pair.addr(B, 9))?;
        let _ = pair.recv(b, 2_000);
    }
    if pair.streams {
        let [client, ..] = pair.connected()?;
        let _ = (pair.send(client, &[7; 5_000]), pair.close(client));
        pair.run(SOON);
    }
    Ok(())
}

fn packets_are_whole(pair: &Pair<'_>, mtu: usize) -> Trial {
    for (host, own) in [A, B].map(|host| (host, pair.addr(host, 0).ip())) {
        for (at, packet) in pair.sent(host) {
            let wrong = |what: &str| format!("{what} (at {at}: {})", described(packet));
            holds(packet.len() <= mtu, || {
                wrong(&format!("expected at most {mtu} bytes, found {}", packet.len()))
            })?;
            let ip = parse(packet, Strictness::Full);
            let ip = ip.map_err(|why| wrong(&format!("expected a whole IP packet, found {why:?}")))?;
            let rest = packet.len() - ip.payload.end;
            holds(rest == 0, || wrong(&format!("expected no bytes after the packet's end, found {rest}")))?;
            let src = ip.path.src();
            holds(src == own, || wrong(&format!("expected {own} as the source, found {src}")))?;
            let body = &packet[ip.payload.clone()];
            let is_sound = match ip.protocol {
                _ if ip.fragment.is_some() => true,
                protocol::UDP => UdpDatagram::read(body).is_some_and(|udp| udp.is_sound(&ip.path)),
                protocol::TCP | protocol::ICMP | protocol::ICMPV6 => {
                    ip.path.checksum(ip.protocol, &[body]) == 0
                }
                _ => true,
            };
            holds(is_sound, || wrong("expected a right transport checksum, found a wrong one"))?;
        }
    }
    holds(!pair.sent(A).is_empty(), || "expected packets, found none".to_owned())
}

/// A datagram and a SYN from host a to an address that is no host's.
fn strange_packets(pair: &Pair<'_>) -> Vec<Bytes> {
    let (from, to) = (pair.addr(A, 9), pair.stranger(7));
    let udp = datagram(from, to, 64, b"for another host");
    let path = faultwire::packet::Path::new(from.ip(), to.ip());
    let (flags, window) = (TcpFlags::SYN, 1_000);
    let syn = TcpSegment { src: 9, dst: 7, seq: 1, ack: 0, flags, window, options: &[], payload: &[] };
    udp.into_iter().chain(path.map(|path| syn.packet(path, 64))).collect()
}

/// Sound ICMP errors for a datagram of host b, with less and less of it in them.
fn cut_errors(pair: &Pair<'_>) -> Vec<Vec<u8>> {
    let sent = datagram(pair.addr(B, 9), pair.addr(A, 9), 64, b"data");
    let Some(error) = sent.and_then(|sent| rejected(&sent, Rejection::PortUnreachable)) else {
        return Vec::new();
    };
    let Ok(Parsed { path, protocol, payload, .. }) = parse(&error, Strictness::Full) else {
        return Vec::new();
    };
    let cut = |len| {
        let mut message = error[payload.clone()][..len].to_vec();
        message[2..4].fill(0);
        let sum = path.checksum(protocol, &[&message]);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        Outgoing { path, protocol, hop_limit: 64, head: &message, body: &[] }.whole().to_vec()
    };
    (8..payload.len()).map(cut).collect()
}

/// Bytes of every length up to 100 and of the largest; sound packets cut short and with bytes changed.
fn garbage(pair: &Pair<'_>) -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut random = |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut packets = Vec::new();
    for len in (0..=100).chain([1_499, 1_500, 1_501, 65_535, 65_536, 70_000]) {
        let noise: Vec<u8> = (0..len).map(&mut random).collect();
        for first in [0x00, 0x45, 0x60, 0xff] {
            packets.push(
                noise.iter().enumerate().map(|(at, byte)| if at == 0 { first } else { *byte }).collect(),
            );
        }
    }
    let (from, to) = (pair.addr(A, 9), pair.addr(B, 7));
    let path = faultwire::packet::Path::new(from.ip(), to.ip());
    for flags in [0x02, 0x10, 0x12, 0x04, 0x11, 0x3f, 0x00] {
        let payload: &[u8] = b"data";
        let options: &[u8] = &[2, 4, 5, 0xb4, 3, 3, 7, 0, 8, 40, 0, 0];
        let (seq, ack, flags) = (u32::MAX, 1, TcpFlags(flags));
        let segment = TcpSegment { src: 9, dst: 7, seq, ack, flags, window: 0, options, payload };
        packets.extend(path.map(|path| segment.packet(path, 64).to_vec()));
    }
    let sound: Vec<Vec<u8>> = datagram(from, pair.addr(B, 9), 64, b"data")
        .map(|it| it.to_vec())
        .into_iter()
        .chain(packets.last().cloned())
        .collect();
    for packet in sound {
        packets.extend((0..packet.len()).map(|len| packet[..len].to_vec()));
        for (at, flip) in (0..packet.len()).flat_map(|at| [(at, 0x01), (at, 0x80), (at, 0xff)]) {
            let mut changed = packet.clone();
            changed[at] ^= flip;
            packets.push(changed);
        }
    }
    packets
}
