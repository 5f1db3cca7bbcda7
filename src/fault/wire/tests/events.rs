//! Events of a plan, and what the link does not take.

use super::*;

#[test]
fn hosts_crash_and_restart_through_poll() {
    let mut bench = Bench::events([
        event(EventKind::Crash("server".to_owned()), after(1)),
        event(EventKind::Restart("server".to_owned()), When::AtUs(1_000)),
    ]);
    bench.send(ms(0), 0);
    assert_eq!(bench.wire.fired().count(), 0);
    assert_eq!(bench.due(), list([(0, "crash 1"), (1_000, "restart 1"), (1_000, "0")]));
    assert!(bench.wire.fired().all());
}

#[test]
fn an_event_that_changes_nothing_does_not_fire() {
    let hosts = || Some(["client".to_owned(), "server".to_owned()]);
    let at = |micros, kind| event(kind, When::AtUs(micros));
    let mut bench = Bench::events([
        at(1, EventKind::Heal(None)),
        at(2, EventKind::Heal(hosts())),
        at(3, EventKind::Partition(hosts())),
        at(4, EventKind::Partition(hosts())),
        // All links: others than this one are cut by it.
        at(5, EventKind::Partition(None)),
        at(6, EventKind::Partition(hosts())),
        at(7, EventKind::Partition(None)),
        at(8, EventKind::Heal(hosts())),
        at(9, EventKind::Heal(None)),
    ]);
    assert_eq!(bench.due(), []);
    let fired = [false, false, true, false, true, false, false, true, true];
    assert_eq!(bench.wire.fired().events, fired);
    assert_eq!(bench.trace.events().len(), 4, "what changed nothing is not recorded");
}

#[test]
fn a_host_that_is_down_does_not_crash_and_one_that_is_up_does_not_start() {
    let at = |micros, kind| event(kind, When::AtUs(micros));
    let (server, client) = (|| "server".to_owned(), || "client".to_owned());
    let mut bench = Bench::events([
        at(1, EventKind::Restart(server())),
        at(2, EventKind::Crash(server())),
        at(3, EventKind::Crash(client())),
        at(4, EventKind::Crash(server())),
        at(5, EventKind::Restart(server())),
        at(6, EventKind::Restart(server())),
        at(7, EventKind::Crash(server())),
    ]);
    assert_eq!(bench.due(), list([(2, "crash 1"), (3, "crash 0"), (5, "restart 1"), (7, "crash 1")]));
    assert_eq!(bench.wire.fired().events, [false, true, true, false, true, false, true]);
}

#[test]
fn looking_ahead_turns_no_host_off_before_its_time() {
    let mut bench = Bench::events([
        event(EventKind::Crash("server".to_owned()), When::AtUs(900)),
        event(EventKind::Restart("server".to_owned()), after(2)),
        event(EventKind::Partition(None), When::AtUs(950)),
    ]);
    bench.send(ms(0), 0);
    let ahead = bench.wire.poll_ahead(ms(0), ms(1), &mut bench.trace);
    assert!(matches!(ahead, Some(Due { what: DueWhat::Packet(_), .. })), "{ahead:?}");
    assert_eq!(bench.wire.poll_ahead(ms(0), ms(1), &mut bench.trace), None);
    assert_eq!(bench.wire.poll_power(Time::from_micros(899), &mut bench.trace), None);
    assert_eq!(bench.wire.fired().events, [false; 3], "nothing has come yet");
    // The restart comes before the crash that was already in sight.
    bench.send(Time::from_micros(500), 1);
    assert_eq!(bench.wire.poll_power(Time::from_micros(500), &mut bench.trace), None);
    let crash = Due { at: Time::from_micros(900), what: DueWhat::Crash(SERVER) };
    assert_eq!(bench.wire.poll_power(ms(1), &mut bench.trace), Some(crash));
    assert_eq!(bench.wire.poll_power(ms(1), &mut bench.trace), None);
    // A host's events do not keep the link's from their time.
    assert_eq!(bench.wire.poll_ahead(ms(1), ms(1), &mut bench.trace), None);
    assert_eq!(bench.wire.fired().events, [true, false, true]);
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
    let lost =
        |what: &What| matches!(what, What::Lost { packet: PacketId(1), reason: LossReason::Partition });
    assert_eq!(bench.happened(lost), 1);
    assert!(bench.wire.fired().all());
}

#[test]
fn a_fault_on_what_a_partition_loses_does_not_fire() {
    let mut bench =
        Bench::new(&FaultPlan::new().faults([fault(1, Action::Drop), fault(2, Action::Drop)]).events([
            event(EventKind::Partition(None), When::AtUs(0)),
            event(EventKind::Heal(None), after(1)),
        ]));
    bench.send_each_ms(0..2);
    // The first was classified although it was lost: its name anchors the heal, and the next is the second.
    assert_eq!(bench.wire.fired(), Fired { faults: vec![false, true], events: vec![true, true] });
}

#[test]
fn links_are_cut_and_mended_one_by_one_or_all() {
    let [a, b, c] = [HostId(0), HostId(1), HostId(2)];
    let mut cuts = Cuts::default();
    let cut = |cuts: &Cuts| [(a, b), (b, a), (b, c), (a, c)].map(|way| cuts.cut(way));
    assert_eq!(cut(&cuts), [false; 4]);
    cuts.set(Some([b, a]), true);
    assert_eq!(cut(&cuts), [true, true, false, false]);
    cuts.set(None, true);
    assert_eq!(cut(&cuts), [true; 4]);
    cuts.set(Some([b, a]), false);
    assert_eq!(cut(&cuts), [false, false, true, true]);
    cuts.set(Some([c, b]), true);
    assert_eq!(cut(&cuts), [false, false, true, true]);
    cuts.set(None, false);
    assert_eq!(cut(&cuts), [false; 4]);
}

#[test]
fn an_event_with_a_time_comes_before_what_is_sent_or_due_then() {
    let kind = EventKind::Partition(None);
    let mut bench = Bench::events([event(kind, When::AtUs(1_000))]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    let order: Vec<&What> = bench.trace.events().iter().map(|event| &event.what).collect();
    assert!(
        matches!(order[1..], [What::Partitioned(None), What::Sent { .. }, What::Lost { .. }]),
        "{order:?}"
    );

    let mut bench = Bench::events([event(EventKind::Partition(None), When::AtUs(4_000))]);
    assert_eq!(bench.wire.next_due(), Some(ms(4)));
    assert_eq!(bench.poll(ms(3)), None);
    assert!(bench.trace.events().is_empty());
    assert_eq!(bench.poll(ms(9)), None);
    assert_eq!(bench.trace.events().iter().map(|event| event.at).collect::<Vec<_>>(), [ms(4)]);
    assert_eq!(bench.wire.next_due(), None);
}

#[test]
fn events_on_one_packet_happen_in_the_plans_order() {
    let server = || "server".to_owned();
    let mut bench = Bench::events([
        event(EventKind::Heal(None), after(1)),
        event(EventKind::Partition(None), after(1)),
        event(EventKind::Crash(server()), after(1)),
        event(EventKind::Restart(server()), after(1)),
    ]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(0, "crash 1"), (0, "restart 1"), (1_000, "0")]));
    assert_eq!(bench.happened(|what| matches!(what, What::Lost { .. })), 1);
}

#[test]
fn an_injected_packet_is_carried_but_not_counted_or_hurt() {
    let mut bench = Bench::new(
        &FaultPlan::new()
            .faults([fault(1, Action::Drop), fault(2, Action::Drop)])
            .events([event(injection(datagram(9)), When::AtUs(0)), event(injection(datagram(8)), after(1))]),
    );
    bench.send_each_ms(0..3);
    assert_eq!(bench.due(), list([(1_000, "0"), (1_000, "2"), (3_000, "4")]));
    assert_eq!(bench.happened(|what| matches!(what, What::Injected { .. })), 2);
    assert!(bench.wire.fired().all());
}

#[test]
fn an_injected_packet_that_the_link_does_not_take_is_lost() {
    let mut bench = Bench::events([
        event(EventKind::Partition(None), When::AtUs(1_000)),
        event(injection(datagram(0)), When::AtUs(2_000)),
        event(EventKind::Heal(None), When::AtUs(3_000)),
        event(injection(vec![0x45; 1_501].into()), When::AtUs(4_000)),
    ]);
    assert_eq!(bench.due(), []);
    assert_eq!(bench.wire.fired().events, [true, false, true, false]);
    let lost =
        |reason| bench.happened(|what| matches!(what, What::Lost { reason: why, .. } if *why == reason));
    assert_eq!([lost(LossReason::Partition), lost(LossReason::TooBig)], [1, 1]);
}

#[test]
fn the_wire_takes_what_fits_the_mtu_and_whom_it_knows() {
    let mut bench = Bench::faults([]);
    let packet = |len| Bytes::from(vec![0x45; len]);
    bench.wire.send(ms(0), CLIENT, SERVER, packet(1_500), &mut bench.trace);
    bench.wire.send(ms(0), CLIENT, SERVER, packet(1_501), &mut bench.trace);
    bench.wire.send(ms(0), CLIENT, HostId(2), packet(20), &mut bench.trace);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    let lost: Vec<&What> = bench
        .trace
        .events()
        .iter()
        .map(|e| &e.what)
        .filter(|what| matches!(what, What::Lost { .. }))
        .collect();
    assert_eq!(
        lost,
        [
            &What::Lost { packet: PacketId(1), reason: LossReason::TooBig },
            &What::Lost { packet: PacketId(2), reason: LossReason::NoSuchHost },
        ]
    );
}

#[test]
fn the_wire_holds_so_many_packets_and_no_more() {
    let mut bench = Bench::faults([]);
    let packet = datagram(0);
    for _ in 0..PACKETS_MAX + 2 {
        bench.wire.send(ms(0), CLIENT, SERVER, packet.clone(), &mut bench.trace);
    }
    let full = |what: &What| matches!(what, What::Lost { reason: LossReason::WireFull, .. });
    assert_eq!(bench.happened(full), 2);
    assert_eq!(bench.wire.in_flight(), PACKETS_MAX);
    assert_eq!(bench.due().len(), PACKETS_MAX);
    assert_eq!(bench.wire.in_flight(), 0);
}

#[test]
fn what_is_due_at_once_comes_in_the_order_of_hosts() {
    let mut bench = Bench::faults([]);
    bench.send(ms(0), 0);
    bench.wire.send(ms(0), SERVER, CLIENT, datagram(1), &mut bench.trace);
    bench.send(ms(0), 2);
    assert_eq!(bench.due(), list([(1_000, "1"), (1_000, "0"), (1_000, "2")]));
}

#[test]
fn a_plan_must_speak_of_hosts_that_there_are() {
    let unknown = |plan: FaultPlan| {
        Wire::new(&plan, &["client".to_owned(), "server".to_owned()]).map(drop).unwrap_err().to_string()
    };
    let direction = Direction::new("client", "sever");
    let faults = vec![Fault { direction: direction.clone(), ..fault(1, Action::Drop) }];
    assert_eq!(
        unknown(FaultPlan::new().faults(faults)),
        "the plan names the host `sever`, but the hosts of this run are client, server"
    );
    let name = || "mars".to_owned();
    for event in [
        event(EventKind::Crash(name()), When::AtUs(0)),
        event(EventKind::Restart(name()), When::AtUs(0)),
        event(EventKind::Partition(Some(["client".to_owned(), name()])), When::AtUs(0)),
        event(EventKind::Heal(Some([name(), name()])), When::AtUs(0)),
        event(EventKind::Inject { direction: direction.clone(), packet: datagram(0) }, When::AtUs(0)),
        event(EventKind::Heal(None), When::after(direction, Packet::nth(Class::Any, 1))),
    ] {
        unknown(FaultPlan::new().events([event]));
    }
}
