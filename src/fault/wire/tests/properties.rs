//! What holds of every plan.

use crate::fault::Cut;
use proptest::prelude::*;

use super::*;

/// Sends: how long after the one before (in microseconds), which way, how large.
fn sends() -> impl Strategy<Value = Vec<(u64, bool, usize)>> {
    proptest::collection::vec((0_u64..3_000, any::<bool>(), 20_usize..200), 0..40)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Drop),
        Just(Action::Duplicate),
        (1_u64..2_000_000).prop_map(Action::DelayUs),
        (1_u32..5).prop_map(Action::HoldFor),
        (0_u32..1_000).prop_map(|bit| Action::CorruptBits(vec![bit])),
        (0_u64..256).prop_map(|ttl| Action::Change(Change::set(Field::Ttl, ttl))),
        Just(Action::Reject(Rejection::HostUnreachable)),
    ]
}

/// A link's shortest delay and its longest.
fn delays() -> impl Strategy<Value = (u64, Option<u64>)> {
    (0_u64..5_000, proptest::option::of(0_u64..20_000))
}

fn plan() -> impl Strategy<Value = FaultPlan> {
    let fault = (any::<bool>(), 1_u32..20, action()).prop_map(|(back, nth, action)| {
        let direction =
            if back { Direction::new("server", "client") } else { Direction::new("client", "server") };
        Fault::new(direction, Packet::nth(Class::Any, nth), action)
    });
    let kind = prop_oneof![
        Just(EventKind::Partition(Cut::ALL)),
        Just(EventKind::Heal(Cut::ALL)),
        Just(EventKind::Crash("server".to_owned())),
        Just(EventKind::Kill("server".to_owned())),
        Just(EventKind::Restart("server".to_owned())),
        (1_u32..20).prop_map(|nth| EventKind::Inject(Injection::Like {
            direction: Direction::new("client", "server"),
            packet: Packet::nth(Class::Any, nth),
            change: Change::default(),
        })),
        Just(injection(datagram(0))),
    ];
    let when = prop_oneof![
        (0_u64..60_000).prop_map(When::AtUs),
        (1_u32..20).prop_map(|nth| When::after(["client", "server"], Packet::nth(Class::Any, nth))),
    ];
    let event = (kind, when).prop_map(|(kind, when)| PlanEvent { kind, when });
    let rate = proptest::option::of(100_u64..10_000);
    let lists = (proptest::collection::vec(fault, 0..6), proptest::collection::vec(event, 0..4));
    let numbers = (rate, delays(), proptest::option::of(delays()));
    (numbers, lists).prop_map(|((rate_kbps, (delay_us, delay_us_max), back), (faults, events))| {
        let back = back.map(|(delay_us, delay_us_max)| PairLink {
            delay_us: Some(delay_us),
            delay_us_max,
            ..PairLink::one_way(["server", "client"])
        });
        FaultPlan::new()
            .link(LinkNumbers { rate_kbps, delay_us_max, ..LinkNumbers::new(delay_us, 180) })
            .links(back)
            .faults(faults)
            .events(events)
    })
}

/// Sends all, takes what is due in between (`ahead` of time by so much), and then the rest.
fn run(plan: &FaultPlan, sends: &[(u64, bool, usize)], ahead: Duration) -> (Vec<Due>, Bench) {
    let mut bench = Bench::new(plan);
    let mut due = Vec::new();
    let mut now = Time::ZERO;
    for &(later, back, len) in sends {
        now += Duration::from_micros(later);
        due.extend(std::iter::from_fn(|| bench.wire.poll_power(now, &mut bench.trace)));
        due.extend(std::iter::from_fn(|| bench.wire.poll_ahead(now, now + ahead, &mut bench.trace)));
        let (from, to) = if back { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
        bench.wire.send(now, from, to, Bytes::from(vec![0x45; len]), &mut bench.trace);
    }
    due.extend(std::iter::from_fn(|| bench.poll(Time::MAX)));
    (due, bench)
}

fn packets(due: &[Due]) -> Vec<&Delivery> {
    let packet = |due| match due {
        &Due { what: DueWhat::Packet(ref delivery), .. } => Some(delivery),
        _ => None,
    };
    due.iter().filter_map(packet).collect()
}

proptest! {
    /// Without faults and events everything that fits arrives once, unaltered, and in the order of its
    /// direction if its delays do not vary.
    #[test]
    fn an_undisturbed_wire_carries_everything_once_and_in_order(plan in plan(), sends in sends()) {
        let plan = FaultPlan::new().link(plan.link).links(plan.links);
        let (due, bench) = run(&plan, &sends, Duration::ZERO);
        prop_assert_eq!(bench.wire.in_flight(), 0);
        for to in [CLIENT, SERVER] {
            let mut arrived: Vec<u32> =
                packets(&due).iter().filter(|d| d.to == to).map(|d| d.packet.0).collect();
            if plan.delays_vary() {
                arrived.sort_unstable();
            }
            let sent = sends
                .iter()
                .enumerate()
                .filter(|(_, (_, back, len))| (*back == (to == CLIENT)) && *len <= 180);
            prop_assert_eq!(arrived, sent.map(|(index, _)| index as u32).collect::<Vec<_>>());
        }
        prop_assert!(packets(&due).iter().all(|delivery| delivery.copy == 0 && !delivery.altered));
    }

    /// Whatever the plan: each packet arrives, or is dropped or lost, and a duplicated one arrives twice.
    #[test]
    fn no_packet_is_created_or_forgotten(plan in plan(), sends in sends()) {
        let (due, bench) = run(&plan, &sends, Duration::ZERO);
        let count = |wanted: &dyn Fn(&What) -> bool| bench.happened(wanted);
        let put_on = count(&|what| matches!(what, What::Sent { .. } | What::Injected { .. }));
        let lost = count(&|what| matches!(what, What::Lost { .. }));
        let drops = |what: &What| {
            matches!(what, What::Fault { action: Action::Drop | Action::Reject(_), .. })
        };
        let dropped = count(&drops);
        let doubled = count(&|what| matches!(what, What::Fault { action: Action::Duplicate, .. }));
        prop_assert_eq!(packets(&due).len(), put_on + doubled - lost - dropped);
        let fired = bench.wire.fired().faults.iter().filter(|fired| **fired).count();
        prop_assert_eq!(fired, count(&|what| matches!(what, What::Fault { .. })));
        prop_assert_eq!(bench.wire.next_due(), None);
    }

    #[test]
    fn what_is_due_comes_in_the_order_of_time_and_host(plan in plan(), sends in sends()) {
        let host = |due: &Due| match &due.what {
            DueWhat::Packet(delivery) => delivery.to,
            DueWhat::Crash(host) | DueWhat::Kill(host) | DueWhat::Restart(host) => *host,
        };
        // All at once: nothing is sent between two polls that could still come before.
        let mut bench = Bench::new(&plan);
        for &(_, back, len) in &sends {
            let (from, to) = if back { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
            bench.wire.send(Time::ZERO, from, to, Bytes::from(vec![0x45; len]), &mut bench.trace);
        }
        let mut last = (Time::ZERO, HostId(0));
        while let Some(next) = bench.wire.next_due() {
            let Some(due) = bench.poll(next) else { continue };
            prop_assert_eq!(due.at, next);
            prop_assert!(last <= (due.at, host(&due)));
            last = (due.at, host(&due));
        }
    }

    #[test]
    fn the_same_plan_and_the_same_sends_give_the_same_trace(plan in plan(), sends in sends()) {
        let (due, bench) = run(&plan, &sends, Duration::ZERO);
        let (due_again, bench_again) = run(&plan, &sends, Duration::ZERO);
        prop_assert_eq!(due, due_again);
        prop_assert_eq!(bench.trace, bench_again.trace);
    }

    /// To look ahead by no more than the link's delay changes nothing of what each host gets, and when: not
    /// even where everything happens in the same few moments.
    #[test]
    fn looking_ahead_disturbs_nothing(
        plan in plan(),
        sends in proptest::collection::vec((0_u64..3, any::<bool>(), Just(100)), 0..40),
        delay in 0_u64..4,
        varies in proptest::option::of(0_u64..2_000_000),
    ) {
        const STEP_US: u64 = 250_000;
        let mut plan = plan;
        let delay_us = delay * STEP_US;
        let delay_us_max = varies.map(|more| delay_us + more);
        for link in &mut plan.links {
            link.delay_us = link.delay_us.map(|more| delay_us + more);
            link.delay_us_max = link.delay_us_max.map(|more| delay_us + more);
        }
        plan.link = Link::Numbers(LinkNumbers { delay_us_max, ..LinkNumbers::new(delay_us, 180) });
        for fault in &mut plan.faults {
            if let Action::DelayUs(micros) = &mut fault.action {
                *micros = (*micros / STEP_US + 1) * STEP_US;
            }
        }
        for event in &mut plan.events {
            if let When::AtUs(at) = &mut event.when {
                *at = *at / 5_000 * STEP_US;
            }
        }
        let sends: Vec<_> =
            sends.into_iter().map(|(later, back, len)| (later * STEP_US, back, len)).collect();
        let (due, bench) = run(&plan, &sends, Duration::ZERO);
        let (due_ahead, bench_ahead) = run(&plan, &sends, plan.link.numbers().delay());
        for host in [CLIENT, SERVER] {
            let gets = |due: &[Due]| -> Vec<Due> {
                let to_host =
                    |due: &&Due| matches!(&due.what, DueWhat::Packet(delivery) if delivery.to == host);
                due.iter().filter(to_host).cloned().collect()
            };
            prop_assert_eq!(gets(&due), gets(&due_ahead));
        }
        prop_assert_eq!(bench.trace, bench_ahead.trace);
        prop_assert_eq!(bench.wire.fired(), bench_ahead.wire.fired());
    }
}
