//! Changed and rejected packets, and packets made from others.

use super::*;
use crate::packet::{IcmpMessage, PacketView};

fn like(nth: u32, change: Change) -> EventKind {
    let packet = Packet::nth(Class::Datagram, nth);
    EventKind::Inject(Injection::Like { direction: Direction::new("client", "server"), packet, change })
}

fn reject(nth: u32, rejection: Rejection) -> EventKind {
    let packet = Packet::nth(Class::Datagram, nth);
    EventKind::Inject(Injection::Reject { direction: Direction::new("client", "server"), packet, rejection })
}

/// All that arrives: at whom, and the packet.
fn arrivals(bench: &mut Bench) -> Vec<(HostId, PacketView)> {
    std::iter::from_fn(|| bench.poll(Time::MAX))
        .filter_map(|due| match due.what {
            DueWhat::Packet(delivery) => Some((delivery.to, PacketView::parse(&delivery.bytes)?)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_changed_packet_arrives_as_it_was_changed() {
    let mut bench = Bench::faults([
        fault(1, Action::Change(Change::set(Field::Ttl, 1))),
        fault(2, Action::Change(Change::set(Field::Seq, 1))),
    ]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(1_000, "0 altered"), (2_000, "1"), (3_000, "2")]));
    // A datagram has no sequence number.
    assert_eq!(bench.wire.fired().faults, [true, false]);
}

#[test]
fn a_rejected_packet_does_not_arrive_and_its_sender_is_told() {
    let mut bench = Bench::faults([fault(2, Action::Reject(Rejection::TooBig(1_200)))]);
    bench.send_each_ms(0..3);
    let arrivals = arrivals(&mut bench);
    let hosts: Vec<HostId> = arrivals.iter().map(|(host, _)| *host).collect();
    assert_eq!(hosts, [SERVER, CLIENT, SERVER]);
    assert_eq!(arrivals[1].1.icmp(), Some(IcmpMessage::TooBig(1_200)));
    assert!(bench.wire.fired().all());
    let mut bench = Bench::faults([fault(1, Action::Reject(Rejection::TcpReset))]);
    bench.send(ms(0), 0);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    assert!(!bench.wire.fired().all());
}

#[test]
fn a_packet_is_made_from_one_that_was_sent() {
    let mut bench = Bench::events([
        event(like(1, Change::set(Field::Ttl, 1)), after(2)),
        event(
            like(2, Change::default()),
            When::before(["client", "server"], Packet::nth(Class::Datagram, 2)),
        ),
        event(reject(1, Rejection::PortUnreachable), after(3)),
    ]);
    bench.send_each_ms(0..3);
    let arrivals = arrivals(&mut bench);
    let seen: Vec<_> = arrivals
        .iter()
        .map(|(host, it)| (*host, it.ttl, it.udp_payload().map(|payload| payload[0]), it.icmp()))
        .collect();
    assert_eq!(
        seen,
        [
            (SERVER, 64, Some(0), None),
            (SERVER, 64, Some(1), None),
            (SERVER, 64, Some(1), None),
            (SERVER, 1, Some(0), None),
            (CLIENT, 64, None, Some(IcmpMessage::PortUnreachable)),
            (SERVER, 64, Some(2), None),
        ]
    );
    assert!(bench.wire.fired().all());
}

#[test]
fn nothing_is_made_from_a_packet_that_is_still_to_come() {
    let mut bench = Bench::events([
        event(like(2, Change::default()), after(1)),
        event(reject(2, Rejection::HostUnreachable), When::AtUs(500)),
    ]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due().len(), 3);
    assert_eq!(bench.wire.fired().events, [false, false]);
}

#[test]
fn programs_are_killed_once_and_start_again() {
    let server = || "server".to_owned();
    let mut bench = Bench::events([
        event(EventKind::Restart(server()), after(1)),
        event(EventKind::Kill(server()), after(1)),
        event(EventKind::Kill(server()), after(1)),
        event(EventKind::Restart(server()), after(2)),
        event(EventKind::Crash(server()), after(3)),
        event(EventKind::Kill(server()), after(3)),
        event(EventKind::Restart(server()), after(3)),
    ]);
    bench.send_each_ms(0..3);
    let due = bench.due();
    let switches: Vec<&str> =
        due.iter().map(|(_, what)| what.as_str()).filter(|what| what.contains(' ')).collect();
    assert_eq!(switches, ["kill 1", "restart 1", "crash 1", "restart 1"]);
    assert_eq!(bench.wire.fired().events, [false, true, false, true, true, false, true]);
}
