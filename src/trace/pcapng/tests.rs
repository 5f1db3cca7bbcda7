//! Captures are read back with the parser of `pcap-file`, block by block, and compared with what the trace
//! says.

use std::collections::BTreeMap;

use bytes::Bytes;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, Endianness};
use proptest::prelude::*;

use super::super::sample::{CLIENT, SERVER, Sample, udp};
use super::super::{Call, Event, HostId, LossReason, PacketId, SocketId, What};
use super::*;
use crate::model::{Change, Class, Cut, Field, Label, Rejection, Time};

/// A capture, read back.
#[derive(Debug, Default, PartialEq)]
struct Read {
    comments: Vec<String>,
    interfaces: Vec<String>,
    packets: Vec<Packet>,
}

#[derive(Clone, Debug, PartialEq)]
struct Packet {
    interface: String,
    direction: Option<u32>,
    at: u64,
    bytes: Bytes,
    comments: Vec<String>,
}

fn read(file: &[u8]) -> Read {
    let mut reader = PcapNgReader::new(file).expect("a section");
    assert_eq!(reader.section().endianness, Endianness::Little);
    let mut read = Read::default();
    for option in &reader.section().options {
        if let SectionHeaderOption::Comment(text) = option {
            read.comments.push(text.to_string());
        }
    }
    while let Some(block) = reader.next_block() {
        match block.expect("a block") {
            Block::InterfaceDescription(interface) => {
                let is_ip = matches!(interface.linktype, DataLink::IPV4 | DataLink::IPV6);
                assert!(is_ip && interface.snaplen == 0, "{interface:?}");
                assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                read.interfaces.push(name.expect("a name"));
            }
            Block::EnhancedPacket(packet) => {
                assert_eq!(packet.original_len as usize, packet.data.len());
                let (mut direction, mut comments) = (None, Vec::new());
                for option in &packet.options {
                    match option {
                        EnhancedPacketOption::Comment(text) => comments.push(text.to_string()),
                        EnhancedPacketOption::Flags(flags) => direction = Some(*flags),
                        other => panic!("{other:?}"),
                    }
                }
                read.packets.push(Packet {
                    interface: read.interfaces[packet.interface_id as usize].clone(),
                    direction,
                    at: u64::try_from(packet.timestamp.as_nanos()).expect("a time"),
                    bytes: Bytes::copy_from_slice(&packet.data),
                    comments,
                });
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

fn written(trace: &Trace, comment: &str) -> (Captured, Read) {
    let mut file = Vec::new();
    let captured = trace.write_pcapng(comment, &mut file).expect("it can be written");
    (captured, read(&file))
}

/// A line for each packet: time, interface, direction, length, comments.
fn lines(read: &Read) -> String {
    let mut lines = format!("{:?} {:?}\n", read.comments, read.interfaces);
    for packet in &read.packets {
        let direction = ["-", "in", "out"][packet.direction.unwrap_or(0) as usize];
        let Packet { interface, at, bytes, comments, .. } = packet;
        let line = format!("{at} {interface} {direction} {} B {}", bytes.len(), comments.join(" | "));
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

#[test]
fn each_packet_stands_where_it_left_where_it_arrived_or_with_the_lost_ones() {
    let mut sample = Sample::new();
    sample.bound();
    sample.carried(1, CLIENT, SERVER, b"whole");
    let dropped = sample.at(3).send(CLIENT, SERVER, b"dropped");
    sample.fault(dropped, Action::Drop);
    let doubled = sample.at(4).send(CLIENT, SERVER, b"doubled");
    sample.fault(doubled, Action::Duplicate);
    sample.at_us(5_001).arrives(doubled, 0, SERVER).arrives(doubled, 1, SERVER);
    let hurt = sample.at(6).send(SERVER, CLIENT, b"hurt");
    sample.fault(hurt, Action::CorruptBits(vec![250]));
    let altered = Some(udp(SERVER, CLIENT, b"burt"));
    sample.at(7).push(What::Arrived { packet: hurt, copy: 0, to: CLIENT, altered });
    let cut_off = sample.at(8).send(CLIENT, SERVER, b"cut off");
    sample.push(What::Lost { packet: cut_off, reason: LossReason::Partition });
    let nowhere = sample.trace.next_packet();
    sample.push(What::Lost { packet: nowhere, reason: LossReason::NoSuchHost });
    let injected = sample.at(9).trace.next_packet();
    let bytes = udp(CLIENT, SERVER, b"forged");
    sample.push(What::Injected { packet: injected, from: CLIENT, to: SERVER, bytes });
    sample.at(10).arrives(injected, 0, SERVER);
    sample.at(11).push(What::Killed(SERVER));
    sample.push(What::Partitioned(Cut::one_way([CLIENT, SERVER]).flow(1)));
    sample.send(CLIENT, SERVER, b"late");
    let refused = sample.send(CLIENT, SERVER, b"refused");
    sample.fault(refused, Action::Reject(Rejection::TooBig(1_200)));
    let changed = sample.at(12).send(SERVER, CLIENT, b"changed");
    sample.fault(changed, Action::Change(Change::set(Field::Ttl, 1)));

    let (captured, read) = written(&sample.trace, "a scenario");
    assert_eq!(captured, Captured { sent: 8, arrived: 5, lost: 3, injected: 1, missing: 1 });
    insta::assert_snapshot!(lines(&read), @r#"
    ["a scenario", "packets that are not here, since the trace does not hold them: 1"] ["client", "server", "lost", "injected"]
    1000000 client out 33 B
    2000000 server in 33 B
    3000000 client out 35 B fault 1 of the plan: client->server datagram 2 dropped
    3000000 lost - 35 B fault 1 of the plan: client->server datagram 2 dropped
    4000000 client out 35 B fault 2 of the plan: client->server datagram 3 doubled
    5001000 server in 35 B fault 2 of the plan: client->server datagram 3 doubled
    5001000 server in 35 B fault 2 of the plan: client->server datagram 3 doubled | copy 2 of it
    6000000 server out 32 B fault 3 of the plan: server->client datagram 1 bit 250 flipped
    7000000 client in 32 B fault 3 of the plan: server->client datagram 1 bit 250 flipped
    8000000 client out 35 B client->server datagram 4 lost: link cut
    8000000 lost - 35 B client->server datagram 4 lost: link cut
    9000000 injected - 34 B put on the wire by the plan: client did not send it
    10000000 server in 34 B put on the wire by the plan: client did not send it
    11000000 client out 32 B before this: the programs of server are killed | before this: client->server cut for flow 1
    11000000 client out 35 B fault 4 of the plan: client->server datagram 6 rejected: too-big, mtu 1200
    11000000 lost - 35 B fault 4 of the plan: client->server datagram 6 rejected: too-big, mtu 1200
    12000000 server out 35 B fault 5 of the plan: server->client datagram 2 changed: ttl = 1
    "#);
    let arrived =
        read.packets.iter().find(|packet| packet.interface == "client" && packet.direction == Some(1));
    assert_eq!(arrived.expect("it arrived").bytes, udp(SERVER, CLIENT, b"burt"));

    // What one host saw is what stands on its interface, and there is no other.
    for (host, sent, arrived) in [(CLIENT, 6, 1), (SERVER, 2, 4)] {
        let mut file = Vec::new();
        let captured = sample.trace.write_pcapng_seen_by(host, "a scenario", &mut file);
        let captured = captured.expect("it can be written");
        assert_eq!(captured, Captured { sent, arrived, ..Captured::default() });
        let (seen, name) = (self::read(&file), sample.trace.host_name(host));
        assert_eq!((seen.comments, seen.interfaces), (vec!["a scenario".to_owned()], vec![name.to_owned()]));
        let all = read.packets.iter().filter(|packet| packet.interface == name);
        assert_eq!(seen.packets, all.cloned().collect::<Vec<_>>());
    }
}

#[test]
fn a_long_comment_is_several() {
    // Characters of three bytes: the limit lies within one.
    let comment = "€".repeat(50_000);
    let (_, read) = written(&Sample::new().trace, &comment);
    assert_eq!(read.comments.len(), 3);
    assert_eq!(read.comments.concat(), comment);
    assert_eq!(written(&Sample::new().trace, "").1.comments, [""; 0]);
}

#[test]
fn what_cannot_be_said_in_the_format_is_an_error() {
    let trace = Trace::new(["a".repeat(70_000)]);
    let error = trace.write_pcapng("", &mut Vec::new()).expect_err("the name is too long");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn an_error_of_the_file_comes_back() {
    let mut sample = Sample::new();
    for ms in 0..100 {
        sample.carried(ms, CLIENT, SERVER, &[7; 100]);
    }
    let mut full = [0; 1_000];
    let error = sample.trace.write_pcapng("", &mut full[..]).expect_err("there is no room");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn a_hundred_thousand_packets_are_all_there() {
    const PACKETS: u32 = 100_000;
    let mut sample = Sample::new();
    for n in 0..PACKETS {
        let packet = sample.trace.next_packet();
        sample.at_us(u64::from(n));
        let bytes = Bytes::copy_from_slice(&n.to_be_bytes());
        sample.push(What::Sent { packet, from: CLIENT, to: SERVER, label: label(Class::Any), bytes });
        sample.at_us(u64::from(n) + 1).arrives(packet, 0, SERVER);
    }
    let (captured, read) = written(&sample.trace, "");
    assert_eq!((captured.sent, captured.arrived), (u64::from(PACKETS), u64::from(PACKETS)));
    for (index, pair) in read.packets.chunks(2).enumerate() {
        let n = index as u32;
        assert!(pair.iter().all(|packet| packet.bytes[..] == n.to_be_bytes()), "{pair:?}");
    }
    assert_eq!(read.packets.len(), 2 * PACKETS as usize);
}

fn label(class: Class) -> Label {
    Label { class, nth: 1, nth_in_flow: 1, nth_any: 1, nth_any_in_flow: 1, flow: 1, transmission: 1 }
}

/// Any event of a packet, and some that are of none. Hosts, packets and bytes are whatever they are.
fn event() -> impl Strategy<Value = What> {
    let packet = || prop_oneof![(0..6u32).prop_map(PacketId), any::<u32>().prop_map(PacketId)];
    let host = || prop_oneof![(0..3u16).prop_map(HostId), any::<u16>().prop_map(HostId)];
    let bytes = || prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from);
    let action = prop_oneof![
        Just(Action::Drop),
        Just(Action::Duplicate),
        any::<u64>().prop_map(Action::DelayUs),
        any::<u32>().prop_map(Action::HoldFor),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(Action::CorruptBits),
    ];
    prop_oneof![
        3 => (packet(), host(), host(), bytes()).prop_map(|(packet, from, to, bytes)| {
            What::Sent { packet, from, to, label: label(Class::Data), bytes }
        }),
        1 => (packet(), host(), host(), bytes())
            .prop_map(|(packet, from, to, bytes)| What::Injected { packet, from, to, bytes }),
        2 => (packet(), any::<usize>(), action)
            .prop_map(|(packet, fault, action)| What::Fault { packet, fault, action }),
        3 => (packet(), any::<u8>(), host(), prop::option::of(bytes()))
            .prop_map(|(packet, copy, to, altered)| What::Arrived { packet, copy, to, altered }),
        1 => packet().prop_map(|packet| What::Lost { packet, reason: LossReason::Partition }),
        1 => host().prop_map(What::Crashed),
        1 => host().prop_map(|host| What::Call { host, socket: SocketId(0), call: Call::Close, error: None }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_in_a_trace_is_written_and_read_back(
        hosts in prop::collection::vec("\\PC{0,12}", 0..4),
        events in prop::collection::vec((any::<u64>(), event()), 0..40),
        comment in "\\PC{0,40}",
    ) {
        let mut trace = Trace::new(hosts.clone());
        for (at, what) in events {
            trace.push(Time::from_nanos(at), what);
        }
        let (captured, read) = written(&trace, &comment);

        // The packets that the file must hold, by a reading of the trace of its own.
        let mut bytes_of: BTreeMap<PacketId, &Bytes> = BTreeMap::new();
        let mut expected = Vec::new();
        let mut missing = 0;
        for event in trace.events() {
            let (interface, direction, bytes) = match &event.what {
                What::Sent { packet, from, bytes, .. } => {
                    bytes_of.insert(*packet, bytes);
                    (trace.host_name(*from), Some(2), Some(bytes))
                }
                What::Injected { packet, bytes, .. } => {
                    bytes_of.insert(*packet, bytes);
                    ("injected", None, Some(bytes))
                }
                What::Arrived { packet, to, altered, .. } => {
                    (trace.host_name(*to), Some(1), altered.as_ref().or(bytes_of.get(packet).copied()))
                }
                What::Lost { packet, .. } | What::Fault { packet, action: Action::Drop, .. } => {
                    ("lost", None, bytes_of.get(packet).copied())
                }
                _ => continue,
            };
            match bytes {
                Some(bytes) => {
                    expected.push((interface.to_owned(), direction, event.at.as_nanos(), bytes.clone()));
                }
                None => missing += 1,
            }
        }
        let found = read.packets.iter().cloned();
        let found: Vec<_> = found.map(|it| (it.interface, it.direction, it.at, it.bytes)).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(captured.missing, missing);
        let Captured { sent, arrived, lost, injected, .. } = captured;
        prop_assert_eq!(sent + arrived + lost + injected, read.packets.len() as u64);
        prop_assert_eq!(&read.interfaces[..hosts.len()], &hosts[..]);
        let said: Vec<_> = (!comment.is_empty()).then_some(comment).into_iter().collect();
        prop_assert_eq!(&read.comments[..said.len()], &said[..]);
        prop_assert_eq!(read.comments.len() - said.len(), usize::from(missing > 0));
        // Each fault is told with the entries of its packet.
        for event in trace.events() {
            let What::Fault { packet, fault, .. } = &event.what else { continue };
            let told = format!("fault {} of the plan: ", fault.saturating_add(1));
            let is_altered = |it: &Event| {
                matches!(&it.what, What::Arrived { packet: of, altered: Some(_), .. } if of == packet)
            };
            let is_shown = bytes_of.contains_key(packet) || trace.events().iter().any(is_altered);
            let mut comments = read.packets.iter().flat_map(|it| &it.comments);
            let is_told = comments.any(|text| text.starts_with(&told));
            prop_assert!(is_told || !is_shown, "{told}");
        }
    }
}
