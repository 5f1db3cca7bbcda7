//! A plan, and packets that are sent under it: the wire carries them to an end, and the trace can be drawn.

use std::net::Ipv6Addr;

use bytes::Bytes;
use faultwire::fault::{
    Action, Anchor, Change, Class, Cut, Direction, EventKind, Fault, FaultPlan, Field, Injection, Lasts,
    Link, LinkNumbers, Packet, PairLink, PlanEvent, Rejection, Value, When, Wire,
};
use faultwire::time::Time;
use faultwire::trace::{HostId, Trace, What};

use super::forge::{Choice, fix_checksums};
use super::trace::{LIMITS, draw};

const CLASSES: [Class; 9] = [
    Class::Syn,
    Class::Data,
    Class::Ack,
    Class::Fin,
    Class::Rst,
    Class::Datagram,
    Class::Fragment,
    Class::Icmp,
    Class::Any,
];

fn direction(choice: &mut Choice<'_>, hosts: &[String]) -> Direction {
    let mut name = || hosts[choice.below(hosts.len())].clone();
    Direction::new(name(), name())
}

fn selector(choice: &mut Choice<'_>) -> Packet {
    Packet {
        class: choice.among(&CLASSES),
        nth: choice.below(8) as u32,
        flow: choice.is().then(|| choice.below(3) as u32),
        transmission: choice.is().then(|| choice.below(3) as u32),
    }
}

pub(super) fn action(choice: &mut Choice<'_>) -> Action {
    match choice.below(7) {
        0 => Action::Drop,
        1 => Action::Duplicate,
        2 => Action::DelayUs(choice.among(&[0, 1, 500, 2_000_000, u64::MAX])),
        3 => Action::HoldFor(choice.among(&[0, 1, 3, u32::MAX])),
        4 => Action::Change(change(choice)),
        5 => Action::Reject(rejection(choice)),
        _ => {
            let bits = choice.below(4);
            Action::CorruptBits((0..bits).map(|_| choice.among(&[0, 1, 70, 200, 5_000, u32::MAX])).collect())
        }
    }
}

fn change(choice: &mut Choice<'_>) -> Change {
    let mut change = Change { keeps_checksums: choice.is(), ..Change::default() };
    for _ in 0..choice.below(3) {
        let value = match choice.below(4) {
            0 => Value::Number(choice.among(&[0, 1, 255, u64::MAX])),
            1 => Value::Add(choice.among(&[1, -1, i64::MIN, i64::MAX])),
            2 => Value::Addr(choice.among(&[[10, 0, 0, 2].into(), Ipv6Addr::LOCALHOST.into()])),
            _ => Value::Bytes(choice.data(60).into()),
        };
        change.fields.push((choice.among(&Field::ALL), value));
    }
    change.bits = (0..choice.below(3)).map(|_| choice.among(&[0, 7, 70, 200, u32::MAX])).collect();
    change
}

fn rejection(choice: &mut Choice<'_>) -> Rejection {
    choice.among(&Rejection::ALL)
}

fn plan(choice: &mut Choice<'_>, hosts: &[String]) -> FaultPlan {
    let mut plan = FaultPlan::default();
    if choice.is() {
        let delay_us = choice.among(&[0, 1, 1_000, u64::MAX]);
        let rate_kbps = choice.among(&[None, Some(0), Some(1), Some(1_000), Some(u64::MAX)]);
        plan.link = Link::Numbers(LinkNumbers {
            delay_us,
            delay_us_max: choice.among(&[None, None, Some(1), Some(5_000), Some(u64::MAX)]),
            mtu: choice.among(&[0, 68, 1_500, u16::MAX]),
            host_mtu: None,
            rate_kbps,
        });
    }
    for _ in 0..choice.below(5) {
        let direction = direction(choice, hosts);
        plan.faults.push(Fault::new(direction, selector(choice), action(choice)));
    }
    for _ in 0..choice.below(5) {
        let way = direction(choice, hosts);
        let cut = Cut {
            hosts: choice.is().then(|| [way.from.clone(), way.to.clone()]),
            one_way: choice.is(),
            flow: choice.is().then(|| choice.below(3) as u32),
            longer_than: choice.is().then(|| choice.among(&[0, 30, u16::MAX])),
        };
        let lasts = if choice.is() {
            Lasts::Us(choice.among(&[0, 1, 700, u64::MAX]))
        } else {
            Lasts::Retransmissions(choice.below(3) as u32)
        };
        let kind = match choice.below(10) {
            0 => EventKind::Partition(cut),
            1 => EventKind::Heal(cut),
            5 => EventKind::Outage { cut, lasts },
            2 => EventKind::Crash(way.from.clone()),
            3 => EventKind::Restart(way.from.clone()),
            6 => EventKind::Kill(way.from.clone()),
            7 => {
                let (direction, packet, change) = (way.clone(), selector(choice), change(choice));
                EventKind::Inject(Injection::Like { direction, packet, change })
            }
            8 => {
                let (direction, packet, rejection) = (way.clone(), selector(choice), rejection(choice));
                EventKind::Inject(Injection::Reject { direction, packet, rejection })
            }
            _ => EventKind::Inject(Injection::Bytes { direction: way.clone(), packet: packet(choice) }),
        };
        let when = if choice.is() {
            When::AtUs(choice.among(&[0, 700, 5_000, u64::MAX]))
        } else {
            let anchor = Anchor::new(way, selector(choice));
            match choice.below(3) {
                0 => When::Before(anchor),
                1 => When::After(anchor),
                _ => When::After(anchor.later(choice.among(&[1, 700, u64::MAX]))),
            }
        };
        plan.events.push(PlanEvent { kind, when });
    }
    for _ in 0..choice.below(3) {
        let mut link = PairLink::one_way(direction(choice, hosts));
        link.one_way = choice.is();
        link.delay_us = choice.is().then(|| choice.among(&[0, 700, u64::MAX]));
        link.delay_us_max = choice.is().then(|| choice.among(&[0, 5_000, u64::MAX]));
        link.mtu = choice.is().then(|| choice.among(&[0, 40, u16::MAX]));
        link.rate_kbps = choice.is().then(|| choice.among(&[0, 1, u64::MAX]));
        plan.links.push(link);
    }
    plan
}

/// Anything, and what looks like a packet of IPv4 with TCP, UDP or ICMP in it, or a fragment of one.
pub(super) fn packet(choice: &mut Choice<'_>) -> Bytes {
    let payload = choice.data(40);
    if choice.below(4) == 0 {
        return payload.into();
    }
    let protocol = choice.among(&[6, 17, 1, 2]);
    let fragment = choice.among(&[0, 0, 0x20, 0x40]);
    let mut packet = vec![0x45, 0, 0, 0, 0, 7, fragment, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet.extend([4, 0, 0, 7]);
    packet.extend(payload);
    if protocol == 6 {
        packet.resize(packet.len().max(40), 0x50);
    }
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    fix_checksums(&mut packet);
    packet.into()
}

pub(crate) fn fuzz(data: &[u8]) {
    let mut choice = Choice::Bytes(data);
    let hosts: Vec<String> = (0..2 + choice.below(3)).map(|host| format!("host-{host}")).collect();
    let plan = plan(&mut choice, &hosts);
    let trace = carry(&plan, hosts, &mut choice);
    // The target `trace` draws larger ones.
    if trace.events().len() < 60 {
        draw(&trace, LIMITS[0]);
    }
}

/// Sends packets under a plan that names only these hosts, until nothing is left on the wire.
pub(super) fn carry(plan: &FaultPlan, hosts: Vec<String>, choice: &mut Choice<'_>) -> Trace {
    let Ok(mut wire) = Wire::new(plan, &hosts) else { panic!("it names only hosts that there are") };
    let mut trace = Trace::new(hosts.clone());
    let mut now = Time::ZERO;
    let mut sent = 0_usize;
    while !choice.is_over() && sent < 50 {
        let later = now.as_micros().saturating_add(choice.among(&[0, 1, 600, 1_000_000]));
        now = now.max(Time::from_micros(later));
        while wire.poll_power(now, &mut trace).is_some() {}
        while let Some(due) = wire.poll(now, &mut trace) {
            assert!(due.at <= now);
        }
        // A host beyond those that there are gets nothing.
        let [from, to] = [0, 1].map(|_| HostId(choice.below(hosts.len() + 1) as u16));
        if usize::from(from.0) < hosts.len() {
            wire.send(now, from, to, packet(choice), &mut trace);
            sent += 1;
        }
    }
    let mut due = 0;
    while wire.poll(Time::MAX, &mut trace).is_some() {
        due += 1;
        assert!(due <= 2 * (sent + plan.events.len()), "something comes again and again");
    }
    assert_eq!(wire.in_flight(), 0);
    assert!(trace.events().iter().filter(|event| matches!(event.what, What::Sent { .. })).count() == sent);
    trace
}
