//! What the wire does, rule by rule.

use bytes::Bytes;
use etherparse::PacketBuilder;

use super::super::*;
use super::*;
use crate::trace::Event;

const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn datagram(number: u8) -> Bytes {
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1000, 7000);
    let mut packet = Vec::new();
    builder.write(&mut packet, &[number; 10]).unwrap();
    packet.into()
}

fn fault(nth: u32, action: Action) -> Fault {
    Fault {
        direction: Direction::new("client", "server"),
        packet: Packet::nth(Class::Datagram, nth),
        action,
    }
}

fn event(kind: EventKind, when: When) -> PlanEvent {
    PlanEvent { kind, when }
}

fn after(nth: u32) -> When {
    When::After(Anchor {
        direction: Direction::new("client", "server"),
        packet: Packet::nth(Class::Datagram, nth),
    })
}

/// A wire between `client` and `server` with its trace.
struct Bench {
    wire: Wire,
    trace: Trace,
}

impl Bench {
    fn new(plan: &FaultPlan) -> Bench {
        let hosts = ["client".to_owned(), "server".to_owned()];
        Bench {
            wire: Wire::new(plan, &hosts).unwrap(),
            trace: Trace::new(hosts),
        }
    }

    fn faults(faults: impl IntoIterator<Item = Fault>) -> Bench {
        let faults = faults.into_iter().collect();
        Bench::new(&FaultPlan {
            faults,
            ..FaultPlan::default()
        })
    }

    fn events(events: impl IntoIterator<Item = PlanEvent>) -> Bench {
        let events = events.into_iter().collect();
        Bench::new(&FaultPlan {
            events,
            ..FaultPlan::default()
        })
    }

    fn send(&mut self, at: Time, number: u8) {
        self.wire
            .send(at, CLIENT, SERVER, datagram(number), &mut self.trace);
    }

    /// Sends datagrams, one every millisecond from time 0.
    fn send_each_ms(&mut self, numbers: std::ops::Range<u8>) {
        for number in numbers {
            self.send(ms(u64::from(number)), number);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Due> {
        self.wire.poll(now, &mut self.trace)
    }

    /// All that is due up to `now`: when (in microseconds) and what, in a word.
    fn due_up_to(&mut self, now: Time) -> Vec<(u64, String)> {
        std::iter::from_fn(|| self.poll(now))
            .map(|due| {
                let what = match due.what {
                    DueWhat::Packet(d) => format!(
                        "{}{}{}",
                        d.packet.0,
                        if d.copy > 0 { " again" } else { "" },
                        if d.altered { " altered" } else { "" }
                    ),
                    DueWhat::Crash(host) => format!("crash {}", host.0),
                    DueWhat::Restart(host) => format!("restart {}", host.0),
                };
                (due.at.as_micros(), what)
            })
            .collect()
    }

    fn due(&mut self) -> Vec<(u64, String)> {
        self.due_up_to(Time::MAX)
    }

    fn happened(&self, wanted: impl Fn(&What) -> bool) -> usize {
        self.trace
            .events()
            .iter()
            .filter(|Event { what, .. }| wanted(what))
            .count()
    }
}

fn list<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
    expected
        .into_iter()
        .map(|(at, what)| (at, what.to_owned()))
        .collect()
}

#[test]
fn an_ideal_link_delays_and_keeps_the_order() {
    let mut bench = Bench::new(&FaultPlan::default());
    bench.send_each_ms(0..3);
    assert_eq!(bench.wire.next_due(), Some(ms(1)));
    assert_eq!(bench.due_up_to(ms(1)), list([(1_000, "0")]));
    assert_eq!(bench.due(), list([(2_000, "1"), (3_000, "2")]));
    assert_eq!(bench.wire.next_due(), None);
    assert_eq!(bench.happened(|what| matches!(what, What::Sent { .. })), 3);
}

#[test]
fn each_action_does_what_it_says() {
    let due = |action| {
        let mut bench = Bench::faults([fault(2, action)]);
        bench.send_each_ms(0..4);
        let due = bench.due();
        assert_eq!(bench.wire.fired().faults, [true]);
        assert_eq!(
            bench.happened(|what| matches!(
                what,
                What::Fault {
                    packet: PacketId(1),
                    fault: 0,
                    ..
                }
            )),
            1
        );
        due
    };
    assert_eq!(
        due(Action::Drop),
        list([(1_000, "0"), (3_000, "2"), (4_000, "3")])
    );
    assert_eq!(
        due(Action::Duplicate),
        list([
            (1_000, "0"),
            (2_000, "1"),
            (2_000, "1 again"),
            (3_000, "2"),
            (4_000, "3")
        ])
    );
    assert_eq!(
        due(Action::DelayUs(1_500)),
        list([(1_000, "0"), (3_000, "2"), (3_500, "1"), (4_000, "3")])
    );
    assert_eq!(
        due(Action::HoldFor(1)),
        list([(1_000, "0"), (3_000, "2"), (3_000, "1"), (4_000, "3")])
    );
    assert_eq!(
        due(Action::HoldFor(2)),
        list([(1_000, "0"), (3_000, "2"), (4_000, "3"), (4_000, "1")])
    );
    assert_eq!(
        due(Action::CorruptBits(vec![0])),
        list([(1_000, "0"), (2_000, "1 altered"), (3_000, "2"), (4_000, "3")])
    );
}

#[test]
fn a_held_packet_comes_after_a_second_where_nothing_overtakes_it() {
    let mut bench = Bench::faults([fault(1, Action::HoldFor(2))]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due_up_to(ms(999)), list([(2_000, "1")]));
    assert_eq!(bench.wire.next_due(), Some(ms(1_000)));
    assert_eq!(bench.due(), list([(1_000_000, "0")]));
}

#[test]
fn a_partition_loses_what_is_sent_and_keeps_what_is_under_way() {
    let hosts = Some(["client".to_owned(), "server".to_owned()]);
    let mut bench = Bench::events([
        event(EventKind::Partition(hosts.clone()), after(1)),
        event(EventKind::Heal(hosts), When::AtUs(2_000)),
    ]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(1_000, "0"), (3_000, "2")]));
    let lost = |what: &What| {
        matches!(
            what,
            What::Lost {
                packet: PacketId(1),
                reason: LossReason::Partition
            }
        )
    };
    assert_eq!(bench.happened(lost), 1);
    assert!(bench.wire.fired().all());
}

#[test]
fn hosts_crash_and_restart_through_poll() {
    let mut bench = Bench::events([
        event(EventKind::Crash("server".to_owned()), after(1)),
        event(EventKind::Restart("server".to_owned()), When::AtUs(1_000)),
    ]);
    bench.send(ms(0), 0);
    assert_eq!(bench.wire.fired().count(), 0);
    assert_eq!(
        bench.due(),
        list([(0, "crash 1"), (1_000, "restart 1"), (1_000, "0")])
    );
    assert!(bench.wire.fired().all());
}
