//! Wrong packets, and what a stack says of each: the reason why it was thrown away, and what it sends back.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use faultwire::packet::{PacketView, Transport, checksum};
use faultwire::stack::{Domain, HostStack as _, Kind, Protocol, Sockets, Stack, StackConfig};
use faultwire::trace::Note;

const DATA: &[u8] = b"twenty bytes of data";

fn host(n: u8) -> Stack {
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
    Stack::new(StackConfig::new(Ipv4Addr::new(10, 0, 0, n), v6))
}

/// A sound datagram from host 1 to port 7 of host 2; IP header, UDP header, twenty bytes.
fn sound(domain: Domain) -> Vec<u8> {
    let mut sender = host(1);
    let fd = sender.socket(domain, Kind::Datagram, Protocol::Udp).expect("a socket");
    let to = if domain == Domain::Inet { "10.0.0.2:7" } else { "[fd00::2]:7" };
    sender.send_to(fd, DATA, to.parse().expect("an address")).expect("it is sent");
    sender.poll_transmit().expect("a packet").to_vec()
}

/// What host 2, with sockets on port 7 of both families, makes of a packet.
fn said_of(packet: Vec<u8>) -> String {
    let mut stack = host(2);
    let fds = [(Domain::Inet, "0.0.0.0:7"), (Domain::Inet6, "[fd00::2]:7")].map(|(domain, addr)| {
        let fd = stack.socket(domain, Kind::Datagram, Protocol::Udp).expect("a socket");
        stack.bind(fd, addr.parse().expect("an address")).expect("a free port");
        fd
    });
    stack.handle_input(&Bytes::from(packet));
    let mut said = Vec::new();
    while let Some(note) = stack.poll_note() {
        said.push(match note {
            Note::Dropped(reason) => format!("dropped: {reason:?}"),
            other => format!("{other:?}"),
        });
    }
    while let Some(answer) = stack.poll_transmit() {
        let view = PacketView::parse(&answer).expect("the stack sends sound packets");
        said.push(match view.transport {
            Transport::Icmp { message, .. } => format!("answered: {message:?}"),
            other => format!("answered: {other:?}"),
        });
    }
    let mut buffer = [0; 100];
    for fd in fds {
        if let Ok(len) = stack.recv(fd, &mut buffer) {
            said.push(format!(
                "received: {len} bytes{}",
                if &buffer[..len] == DATA { "" } else { ", ALTERED" }
            ));
        }
    }
    if said.is_empty() { "nothing".to_owned() } else { said.join("; ") }
}

type Damage = fn(&mut Vec<u8>);

fn table(domain: Domain, cases: &[(&str, Damage)]) -> String {
    let mut table = String::new();
    for (name, damage) in cases {
        let mut packet = sound(domain);
        damage(&mut packet);
        let _ = writeln!(table, "{name}: {}", said_of(packet));
    }
    table
}

/// Mends the IPv4 header checksum, so that what is wrong is looked at for itself (RFC 1071).
fn mend(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn wrong_packets_of_ipv4() {
    let said = table(
        Domain::Inet,
        &[
            ("sound", |_| {}),
            ("empty", Vec::clear),
            ("one byte", |packet| packet.truncate(1)),
            ("half an IP header", |packet| packet.truncate(10)),
            ("half a UDP header", |packet| packet.truncate(24)),
            ("cut within the data", |packet| packet.truncate(40)),
            ("bytes after its end", |packet| packet.extend([0xff; 9])),
            ("version 5", |packet| packet[0] = 0x55),
            ("header of four words", |packet| packet[0] = 0x44),
            ("header longer than the packet", |packet| packet[0] = 0x4f),
            ("IP checksum off by one bit", |packet| packet[10] ^= 1),
            ("total length too large", |packet| {
                packet[2] = 0xff;
                mend(packet);
            }),
            ("total length less than the header", |packet| {
                packet[2..4].copy_from_slice(&[0, 19]);
                mend(packet);
            }),
            ("for another host", |packet| {
                packet[19] = 9;
                mend(packet);
            }),
            ("an unknown protocol", |packet| {
                packet[9] = 200;
                mend(packet);
            }),
            ("a last fragment alone", |packet| {
                packet[6..8].copy_from_slice(&[0, 8]);
                mend(packet);
            }),
            ("a fragment beyond 65 535 bytes", |packet| {
                packet[6..8].copy_from_slice(&[0x3f, 0xff]);
                mend(packet);
            }),
            ("one bit of the data flipped", |packet| packet[30] ^= 4),
            ("UDP checksum off by one bit", |packet| packet[26] ^= 1),
            ("UDP checksum zero: none was made", |packet| packet[26..28].fill(0)),
            ("UDP length too large", |packet| packet[24..26].copy_from_slice(&[1, 0])),
            ("UDP length less than its header", |packet| packet[24..26].copy_from_slice(&[0, 7])),
            ("UDP length zero", |packet| packet[24..26].fill(0)),
            ("a port that nobody has", |packet| {
                packet[23] = 8;
                packet[26..28].fill(0);
            }),
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn wrong_packets_of_ipv6() {
    let said = table(
        Domain::Inet6,
        &[
            ("sound", |_| {}),
            ("half an IP header", |packet| packet.truncate(20)),
            ("half a UDP header", |packet| packet.truncate(44)),
            ("payload length too large", |packet| packet[4] = 0xff),
            ("payload length zero", |packet| packet[4..6].fill(0)),
            ("for another host", |packet| packet[39] = 9),
            ("an unknown next header", |packet| packet[6] = 200),
            ("a hop-by-hop header that is not there", |packet| packet[6] = 0),
            ("a fragment header that is none", |packet| packet[6] = 44),
            ("one bit of the data flipped", |packet| packet[50] ^= 4),
            ("UDP checksum zero, which IPv6 forbids", |packet| packet[46..48].fill(0)),
            ("UDP length too large", |packet| packet[44..46].copy_from_slice(&[1, 0])),
        ],
    );
    insta::assert_snapshot!(said);
}
