//! What the wire does, rule by rule.

mod changes;
mod events;
mod properties;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::*;
use super::*;
use crate::trace::{Event, Trace};

const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn datagram(number: u8) -> Bytes {
    let [from, to] = [([10, 0, 0, 1], 1000).into(), ([10, 0, 0, 2], 7000).into()];
    crate::packet::datagram(from, to, 64, &[number; 10]).unwrap()
}

fn fault(nth: u32, action: Action) -> Fault {
    Fault::new(["client", "server"], Packet::nth(Class::Datagram, nth), action)
}

fn event(kind: EventKind, when: When) -> PlanEvent {
    PlanEvent { kind, when }
}

fn injection(packet: Bytes) -> EventKind {
    EventKind::Inject(Injection::Bytes { direction: Direction::new("client", "server"), packet })
}

fn after(nth: u32) -> When {
    When::after(["client", "server"], Packet::nth(Class::Datagram, nth))
}

/// A wire between `client` and `server` with its trace.
struct Bench {
    wire: Wire,
    trace: Trace,
}

impl Bench {
    fn new(plan: &FaultPlan) -> Bench {
        let hosts = ["client".to_owned(), "server".to_owned()];
        Bench { wire: Wire::new(plan, &hosts).unwrap(), trace: Trace::new(hosts) }
    }

    fn faults(faults: impl IntoIterator<Item = Fault>) -> Bench {
        Bench::new(&FaultPlan::new().faults(faults))
    }

    fn events(events: impl IntoIterator<Item = PlanEvent>) -> Bench {
        Bench::new(&FaultPlan::new().events(events))
    }

    fn send(&mut self, at: Time, number: u8) {
        self.wire.send(at, CLIENT, SERVER, datagram(number), &mut self.trace);
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
                    DueWhat::Kill(host) => format!("kill {}", host.0),
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
        self.trace.events().iter().filter(|Event { what, .. }| wanted(what)).count()
    }
}

fn list<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
    expected.into_iter().map(|(at, what)| (at, what.to_owned())).collect()
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
            bench.happened(|what| matches!(what, What::Fault { packet: PacketId(1), fault: 0, .. })),
            1
        );
        due
    };
    assert_eq!(due(Action::Drop), list([(1_000, "0"), (3_000, "2"), (4_000, "3")]));
    assert_eq!(
        due(Action::Duplicate),
        list([(1_000, "0"), (2_000, "1"), (2_000, "1 again"), (3_000, "2"), (4_000, "3")])
    );
    assert_eq!(due(Action::DelayUs(1_500)), list([(1_000, "0"), (3_000, "2"), (3_500, "1"), (4_000, "3")]));
    assert_eq!(due(Action::HoldFor(1)), list([(1_000, "0"), (3_000, "2"), (3_000, "1"), (4_000, "3")]));
    assert_eq!(due(Action::HoldFor(2)), list([(1_000, "0"), (3_000, "2"), (4_000, "3"), (4_000, "1")]));
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
fn what_is_held_is_released_by_what_is_sent_even_if_that_is_lost() {
    // Behind a packet that is dropped.
    let mut bench = Bench::faults([fault(1, Action::HoldFor(1)), fault(2, Action::Drop)]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(2_000, "0"), (3_000, "2")]));
    // Behind a packet that is delayed.
    let mut bench = Bench::faults([fault(1, Action::HoldFor(1)), fault(2, Action::DelayUs(5_000))]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(3_000, "2"), (7_000, "1"), (7_000, "0")]));
    // Behind a packet that is delayed for longer than a second.
    let mut bench = Bench::faults([fault(1, Action::HoldFor(1)), fault(2, Action::DelayUs(5_000_000))]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(1_000_000, "0"), (5_002_000, "1")]));
    // Behind a packet that is held itself: each waits for those behind it.
    let mut bench = Bench::faults([fault(1, Action::HoldFor(1)), fault(2, Action::HoldFor(1))]);
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(2_000, "0"), (3_000, "2"), (3_000, "1")]));
    // Behind one that meets a cut link.
    let mut bench = Bench::new(
        &FaultPlan::new()
            .faults([fault(1, Action::HoldFor(1))])
            .events([event(EventKind::Partition(Cut::ALL), after(1))]),
    );
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(2_000, "0")]));
}

#[test]
fn what_the_other_direction_sends_releases_nothing() {
    let mut bench = Bench::faults([fault(1, Action::HoldFor(1))]);
    bench.send(ms(0), 0);
    bench.wire.send(ms(1), SERVER, CLIENT, datagram(1), &mut bench.trace);
    assert_eq!(bench.due(), list([(2_000, "1"), (1_000_000, "0")]));
}

#[test]
fn a_slow_link_holds_no_packet_for_less_than_its_own_delay() {
    let link = Link::Numbers(LinkNumbers::new(3_000_000, 1500));
    let faults = vec![fault(1, Action::HoldFor(1))];
    let mut bench = Bench::new(&FaultPlan::new().link(link).faults(faults));
    bench.send(ms(0), 0);
    assert_eq!(bench.due(), list([(3_000_000, "0")]));
}

#[test]
fn a_rate_spaces_packets_for_each_direction_by_itself() {
    // 38 bytes at 304 kbit/s take 1 ms.
    let link = Link::Numbers(LinkNumbers { rate_kbps: Some(304), ..LinkNumbers::new(10_000, 1500) });
    let mut bench = Bench::new(&FaultPlan::new().link(link).faults([fault(2, Action::Drop)]));
    for number in 0..3 {
        bench.send(ms(0), number);
    }
    bench.wire.send(ms(0), SERVER, CLIENT, datagram(3), &mut bench.trace);
    bench.send(ms(7), 4);
    // A packet that is dropped took its time to be sent.
    assert_eq!(bench.due(), list([(11_000, "3"), (11_000, "0"), (13_000, "2"), (18_000, "4")]));
}

#[test]
fn delays_are_drawn_evenly_by_the_names_of_packets_which_may_overtake_each_other() {
    let numbers = LinkNumbers { delay_us_max: Some(9_999), ..LinkNumbers::new(0, 1500) };
    let delays = |numbers: LinkNumbers, nths: std::ops::Range<u64>| {
        let mut bench = Bench::new(&FaultPlan::new().link(numbers));
        for nth in nths {
            bench.wire.send(ms(nth), CLIENT, SERVER, datagram(0), &mut bench.trace);
        }
        let due = bench.due();
        let order: Vec<u64> = due.iter().map(|(_, what)| what.parse().unwrap()).collect();
        let mut delays: Vec<(u64, u64)> =
            due.iter().zip(&order).map(|((at, _), nth)| (*nth, at - nth * 1_000)).collect();
        delays.sort_unstable();
        (order, delays.into_iter().map(|(_, delay)| delay).collect::<Vec<_>>())
    };
    let (order, drawn) = delays(numbers, 0..1_000);
    assert!(!order.is_sorted(), "some overtake others");
    for tenth in 0..10 {
        let here = drawn.iter().filter(|delay| **delay / 1_000 == tenth).count();
        assert!((70..=130).contains(&here), "{here} delays of {tenth} ms");
    }
    assert_eq!(drawn[..3], [1_955, 2_127, 1_993], "the same in each run, on each machine");
    assert_eq!(delays(numbers, 0..10).1, drawn[..10], "whatever is sent later");
    let fixed = LinkNumbers { delay_us_max: Some(5_000), ..LinkNumbers::new(5_000, 1500) };
    assert_eq!(delays(fixed, 0..3), (vec![0, 1, 2], vec![5_000; 3]));
    let never = LinkNumbers { delay_us_max: Some(1_000), ..LinkNumbers::new(5_000, 1500) };
    assert_eq!(delays(never, 0..3).1, [5_000; 3]);
}

#[test]
fn each_direction_draws_its_delays_by_the_names_of_its_hosts() {
    let numbers = LinkNumbers { delay_us_max: Some(1_000_000), ..LinkNumbers::new(0, 1500) };
    let first = |hosts: [&str; 3], from: u16, to: u16| {
        let hosts = hosts.map(str::to_owned);
        let mut wire = Wire::new(&FaultPlan::new().link(numbers), &hosts).unwrap();
        wire.send(ms(0), HostId(from), HostId(to), datagram(0), &mut Trace::new(hosts));
        wire.next_due().unwrap()
    };
    let there = first(["a", "b", "c"], 0, 1);
    assert_ne!(there, first(["a", "b", "c"], 1, 0));
    assert_ne!(there, first(["a", "b", "c"], 0, 2));
    assert_eq!(there, first(["c", "b", "a"], 2, 1));
}

#[test]
fn a_link_between_two_hosts_differs_from_that_of_all_in_what_it_says() {
    let all = LinkNumbers { rate_kbps: Some(304), ..LinkNumbers::new(1_000, 1500) };
    let plan = FaultPlan::new()
        .link(all)
        .link_between(PairLink { delay_us: Some(5_000), mtu: Some(30), ..PairLink::one_way(["a", "b"]) })
        .link_between(PairLink { profile: Some(Profile::Lan), ..PairLink::between(["c", "a"]) })
        .link_between(PairLink { rate_kbps: Some(30_400), ..PairLink::one_way(["b", "c"]) });
    let hosts = ["a", "b", "c"].map(str::to_owned);
    // 38 bytes: when they arrive, in microseconds.
    let arrives = |from: u16, to: u16| {
        let mut wire = Wire::new(&plan, &hosts).unwrap();
        wire.send(ms(0), HostId(from), HostId(to), datagram(0), &mut Trace::new(hosts.clone()));
        wire.next_due().map(Time::as_micros)
    };
    assert_eq!((arrives(0, 1), arrives(1, 0)), (None, Some(2_000)), "too big one way");
    assert_eq!((arrives(0, 2), arrives(2, 0)), (Some(1_000), Some(1_000)), "a profile has its own rate");
    assert_eq!((arrives(1, 2), arrives(2, 1)), (Some(1_010), Some(2_000)));
    assert_eq!((plan.delay_max(), plan.delays_vary()), (Duration::from_millis(5), false));
    let varies = PairLink { delay_us: Some(0), delay_us_max: Some(7_000), ..PairLink::between(["a", "b"]) };
    let plan = FaultPlan::new().link_between(varies);
    assert_eq!((plan.delay_max(), plan.delays_vary()), (Duration::from_millis(7), true));
    assert_eq!(Wire::new(&plan, &hosts[1..]).unwrap_err().name, "a");
}

#[test]
fn packets_over_a_rate_leave_in_order_whatever_their_delays() {
    // 38 bytes at 304 kbit/s take 1 ms.
    let numbers =
        LinkNumbers { delay_us_max: Some(10_000), rate_kbps: Some(304), ..LinkNumbers::new(0, 1500) };
    let mut bench = Bench::new(&FaultPlan::new().link(numbers));
    (0..50).for_each(|number| bench.send(ms(0), number));
    let due = bench.due();
    assert_eq!(due.len(), 50);
    for (at, what) in due {
        let left = (what.parse::<u64>().unwrap() + 1) * 1_000;
        assert!((left..=left + 10_000).contains(&at), "{what} left at {left} us and came at {at} us");
    }
}

#[test]
fn an_injected_packet_takes_the_shortest_delay() {
    let numbers = LinkNumbers { delay_us_max: Some(1_000_000), ..LinkNumbers::new(7_000, 1500) };
    let plan = FaultPlan::new().link(numbers).event(injection(datagram(0)), When::AtUs(1_000));
    assert_eq!(Bench::new(&plan).due(), list([(8_000, "0")]));
}

#[test]
fn a_bit_beyond_the_end_of_the_packet_leaves_it_alone() {
    let bits = 8 * datagram(0).len() as u32;
    let mut bench = Bench::faults([
        fault(1, Action::CorruptBits(vec![3, bits])),
        fault(2, Action::CorruptBits(vec![3, bits - 1])),
        fault(3, Action::CorruptBits(vec![3, 3])),
        fault(4, Action::CorruptBits(Vec::new())),
    ]);
    bench.send_each_ms(0..4);
    let due: Vec<Delivery> = std::iter::from_fn(|| bench.poll(Time::MAX))
        .filter_map(|due| match due.what {
            DueWhat::Packet(delivery) => Some(delivery),
            _ => None,
        })
        .collect();
    assert_eq!(bench.wire.fired().faults, [false, true, false, false]);
    assert_eq!(due.iter().map(|d| d.altered).collect::<Vec<_>>(), [false, true, false, false]);
    let mut expected = datagram(1).to_vec();
    expected[0] ^= 0x10;
    *expected.last_mut().unwrap() ^= 0x01;
    assert_eq!(due[1].bytes, expected);
    assert_eq!(due[0].bytes, datagram(0));
}

#[test]
fn the_first_of_several_faults_on_a_packet_acts() {
    let any = Packet::nth(Class::Any, 1);
    let mut bench = Bench::faults([
        Fault { packet: any, ..fault(0, Action::Duplicate) },
        fault(1, Action::Drop),
        fault(1, Action::Drop),
        fault(2, Action::Drop),
    ]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(1_000, "0"), (1_000, "0 again")]));
    assert_eq!(bench.wire.fired().faults, [true, false, false, true]);
}

#[test]
fn a_fault_is_of_one_direction() {
    let mut bench = Bench::faults([fault(1, Action::Drop)]);
    bench.wire.send(ms(0), SERVER, CLIENT, datagram(0), &mut bench.trace);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    assert_eq!(bench.wire.fired().faults, [false]);
}

#[test]
fn one_fault_is_found_among_thousands() {
    let mut faults: Vec<Fault> = (3..5_000).map(|nth| fault(nth, Action::Drop)).collect();
    faults.push(Fault {
        packet: Packet { flow: Some(1), ..Packet::nth(Class::Datagram, 2) },
        ..fault(0, Action::Drop)
    });
    faults.push(Fault {
        packet: Packet { flow: Some(1), ..Packet::nth(Class::Any, 1) },
        ..fault(0, Action::Duplicate)
    });
    faults.push(Fault { packet: Packet::nth(Class::Any, 2), ..fault(0, Action::Duplicate) });
    let mut bench = Bench::faults(faults);
    bench.send_each_ms(0..4);
    assert_eq!(bench.due(), list([(1_000, "0"), (1_000, "0 again")]));
    let fired: Vec<usize> = (0..5_000).filter(|&fault| bench.wire.fired().faults[fault]).collect();
    assert_eq!(fired, [0, 1, 4_997, 4_998]);
}
