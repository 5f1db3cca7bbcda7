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
    let hosts = || Cut::between(["client".to_owned(), "server".to_owned()]);
    let at = |micros, kind| event(kind, When::AtUs(micros));
    let mut bench = Bench::events([
        at(1, EventKind::Heal(Cut::ALL)),
        at(2, EventKind::Heal(hosts())),
        at(3, EventKind::Partition(hosts())),
        at(4, EventKind::Partition(hosts())),
        // All links: others than this one are cut by it.
        at(5, EventKind::Partition(Cut::ALL)),
        at(6, EventKind::Partition(hosts())),
        at(7, EventKind::Partition(Cut::ALL)),
        at(8, EventKind::Heal(hosts())),
        at(9, EventKind::Heal(Cut::ALL)),
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
        event(EventKind::Partition(Cut::ALL), When::AtUs(950)),
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
    let hosts = Cut::between(["client".to_owned(), "server".to_owned()]);
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
            event(EventKind::Partition(Cut::ALL), When::AtUs(0)),
            event(EventKind::Heal(Cut::ALL), after(1)),
        ]));
    bench.send_each_ms(0..2);
    // The first was classified although it was lost: its name anchors the heal, and the next is the second.
    assert_eq!(bench.wire.fired(), Fired { faults: vec![false, true], events: vec![true, true] });
}

#[test]
fn links_are_cut_and_mended_one_by_one_or_all() {
    let [a, b, c] = [HostId(0), HostId(1), HostId(2)];
    let mut cuts = Cuts::default();
    let cut = |cuts: &Cuts| [(a, b), (b, a), (b, c), (a, c)].map(|way| cuts.takes(way, None, 100));
    assert_eq!(cut(&cuts), [false; 4]);
    cuts.cut(Cut::between([b, a]), None);
    assert_eq!(cut(&cuts), [true, true, false, false]);
    cuts.cut(Cut::ALL, None);
    assert_eq!(cut(&cuts), [true; 4]);
    cuts.mend(Cut::between([b, a]));
    assert_eq!(cut(&cuts), [false, false, true, true]);
    cuts.cut(Cut::between([c, b]), None);
    assert_eq!(cut(&cuts), [false, false, true, true]);
    cuts.mend(Cut::one_way([c, a]));
    assert_eq!(cut(&cuts), [false, false, true, true]);
    cuts.mend(Cut::one_way([a, c]));
    assert_eq!(cut(&cuts), [false, false, true, false]);
    cuts.mend(Cut::ALL);
    assert_eq!(cut(&cuts), [false; 4]);
}

#[test]
fn one_flow_is_cut_and_what_has_none_passes() {
    let way = (HostId(0), HostId(1));
    let mut cuts = Cuts::default();
    assert!(cuts.cut(Cut::ALL.flow(2), None));
    let cut = |cuts: &Cuts| [None, Some(1), Some(2)].map(|flow| cuts.takes(way, flow, 100));
    assert_eq!(cut(&cuts), [false, false, true]);
    assert!(!cuts.cut(Cut::between([way.0, way.1]).flow(2), None), "it is cut already");
    assert!(cuts.cut(Cut::ALL, None));
    assert!(cuts.mend(Cut::ALL.flow(2)));
    assert_eq!(cut(&cuts), [true, true, false]);
}

#[test]
fn an_outage_ends_for_itself_alone() {
    let way = (HostId(0), HostId(1));
    let mut cuts = Cuts::default();
    assert!(cuts.cut(Cut::one_way([way.0, way.1]), Some(0)));
    assert!(cuts.cut(Cut::ALL.flow(1), Some(1)));
    assert_eq!(cuts.end(1), Some(Cut::ALL.flow(1)), "the other way was cut by nothing else");
    assert!(cuts.takes(way, Some(1), 100), "the first lasts on");
    assert_eq!(cuts.end(1), None);
    assert_eq!(cuts.end(0), Some(Cut::one_way([way.0, way.1])));
    assert!(!cuts.takes(way, Some(1), 100));
}

#[test]
fn an_outage_of_all_leaves_what_was_cut_before_it() {
    let way = (HostId(0), HostId(1));
    let mut cuts = Cuts::default();
    assert!(cuts.cut(Cut::one_way([way.0, way.1]), None));
    assert!(cuts.cut(Cut::ALL, Some(0)));
    assert_eq!(cuts.end(0), Some(Cut::ALL));
    assert!(cuts.takes(way, None, 100), "it was cut for good");
    assert!(!cuts.takes((way.1, way.0), None, 100));
}

/// Three bytes of a TCP stream.
fn segment(seq: u32) -> Bytes {
    let mut packet = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(1000, 80, seq, 1_000);
    builder.ack(1).write(&mut packet, b"abc").unwrap();
    packet.into()
}

/// What a cut can be, between two of three hosts.
fn a_cut() -> impl Strategy<Value = Cut<HostId>> {
    let hosts = prop_oneof![Just([0, 1]), Just([1, 0]), Just([1, 2]), Just([0, 2])];
    let hosts = proptest::option::of(hosts.prop_map(|ends| ends.map(HostId)));
    let flow = proptest::option::of(1_u32..3);
    let longer_than = proptest::option::of(prop_oneof![Just(0), Just(99), Just(100), Just(1_500)]);
    (hosts, any::<bool>(), flow, longer_than).prop_map(|(hosts, one_way, flow, longer_than)| Cut {
        one_way: one_way && hosts.is_some(),
        hosts,
        flow,
        longer_than,
    })
}

proptest! {
    /// Whatever is cut, for good or until an end, and mended: each packet's fate is as the last that speaks
    /// of it says, and a change is told if there is one.
    #[test]
    fn cuts_are_what_a_list_of_all_deeds_says(
        deeds in proptest::collection::vec((a_cut(), 0..4_u8, any::<proptest::sample::Index>()), 0..12),
    ) {
        let hosts = || (0..4).map(HostId);
        let ways = hosts().flat_map(|from| hosts().map(move |to| (from, to))).filter(|(from, to)| from != to);
        let flows = [None, Some(1), Some(2), Some(3)];
        let packets = ways.flat_map(|way| flows.map(|flow| (way, flow)));
        let lens = [0, 1, 99, 100, 101, 1_500, 1_501];
        let packets = packets.flat_map(|(way, flow)| lens.map(|len| (way, flow, len)));
        let packets: Vec<_> = packets.collect();
        let mut cuts = Cuts::default();
        let mut model: Vec<(Cut<HostId>, bool, Option<usize>)> = Vec::new();
        let fates = |model: &[(Cut<HostId>, bool, Option<usize>)]| -> Vec<bool> {
            let last = |(way, flow, len): &((HostId, HostId), Option<u32>, usize)| {
                model.iter().rev().find(|(cut, ..)| cut.takes([&way.0, &way.1], *flow, *len))
            };
            packets.iter().map(|packet| last(packet).is_some_and(|(_, is_cut, _)| *is_cut)).collect()
        };
        for (number, (cut, deed, which)) in deeds.into_iter().enumerate() {
            let before = fates(&model);
            let changes = match deed {
                0 => { model.push((cut, true, None)); cuts.cut(cut, None) }
                1 => { model.push((cut, false, None)); cuts.mend(cut) }
                2 => { model.push((cut, true, Some(number))); cuts.cut(cut, Some(number)) }
                _ if number == 0 => false,
                _ => {
                    let ends = which.index(number);
                    model.retain(|(.., event)| *event != Some(ends));
                    cuts.end(ends).is_some()
                }
            };
            let after = fates(&model);
            prop_assert_eq!(changes, before != after);
            for ((way, flow, len), is_cut) in packets.iter().zip(after) {
                prop_assert_eq!(cuts.takes(*way, *flow, *len), is_cut);
            }
        }
    }
}

#[test]
fn what_comes_before_a_packet_takes_it_too() {
    let before = |nth| When::before(["client", "server"], Packet::nth(Class::Datagram, nth));
    let mut bench = Bench::events([
        event(EventKind::Partition(Cut::ALL), before(2)),
        event(EventKind::Heal(Cut::ALL), before(4)),
    ]);
    bench.send_each_ms(0..5);
    assert_eq!(bench.due(), list([(1_000, "0"), (4_000, "3"), (5_000, "4")]));
    assert!(bench.wire.fired().all());
}

#[test]
fn an_event_may_come_later_than_its_packet() {
    let anchor = || Anchor::new(["client", "server"], Packet::nth(Class::Datagram, 1));
    let mut bench = Bench::events([
        event(EventKind::Partition(Cut::ALL), When::After(anchor().later(500))),
        event(EventKind::Heal(Cut::ALL), When::After(anchor().later(2_500))),
        event(EventKind::Crash("server".to_owned()), When::After(anchor().later(9_000))),
    ]);
    bench.send_each_ms(0..4);
    assert_eq!(bench.due(), list([(1_000, "0"), (4_000, "3"), (9_000, "crash 1")]));
    assert!(bench.wire.fired().all());
}

#[test]
fn the_end_of_an_outage_mends_nothing_else() {
    let outage = EventKind::Outage { cut: Cut::ALL, lasts: Lasts::Us(1_500) };
    let way = Cut::one_way(["client".to_owned(), "server".to_owned()]);
    let mut bench = Bench::events([event(outage, after(1)), event(EventKind::Partition(way), after(2))]);
    bench.send_each_ms(0..4);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    assert_eq!(bench.happened(|what| *what == What::Healed(Cut::ALL)), 1, "of the other way");
}

#[test]
fn a_cut_flow_leaves_the_others_and_what_has_no_flow() {
    let cut = event(EventKind::Partition(Cut::ALL.flow(1)), after(1));
    let mut bench = Bench::events([cut]);
    let mut echo = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).icmpv4_echo_request(1, 1);
    builder.write(&mut echo, b"there?").unwrap();
    let other = crate::packet::datagram(([10, 0, 0, 1], 2000).into(), ([10, 0, 0, 2], 7000).into(), 64, b"2");
    for packet in [datagram(0), datagram(1), echo.into(), other.unwrap()] {
        bench.wire.send(ms(0), CLIENT, SERVER, packet, &mut bench.trace);
    }
    assert_eq!(bench.due(), list([(1_000, "0"), (1_000, "2"), (1_000, "3")]));
}

#[test]
fn an_outage_lasts_as_long_as_it_says() {
    let outage = EventKind::Outage { cut: Cut::ALL, lasts: Lasts::Us(2_000) };
    let mut bench = Bench::events([event(outage, after(1))]);
    bench.send_each_ms(0..4);
    // It ends before what is sent at that moment.
    assert_eq!(bench.due(), list([(1_000, "0"), (3_000, "2"), (4_000, "3")]));
    assert_eq!(bench.happened(|what| *what == What::Healed(Cut::ALL)), 1);
}

#[test]
fn an_outage_lasts_until_so_many_retransmissions_are_lost() {
    let data = Packet::nth(Class::Data, 1);
    let cut = Cut::one_way(["client".to_owned(), "server".to_owned()]);
    let outage = EventKind::Outage { cut, lasts: Lasts::Retransmissions(2) };
    let mut bench = Bench::events([event(outage, When::before(["client", "server"], data))]);
    for (at, seq) in [(0, 1), (1, 4), (2, 1), (3, 4), (4, 1)] {
        bench.wire.send(ms(at), CLIENT, SERVER, segment(seq), &mut bench.trace);
    }
    let lost = bench.happened(|what| matches!(what, What::Lost { reason: LossReason::Partition, .. }));
    assert_eq!(lost, 4, "two segments, and each once more");
    assert_eq!(bench.happened(|what| matches!(what, What::Healed(_))), 1);
}

#[test]
fn an_event_with_a_time_comes_before_what_is_sent_or_due_then() {
    let kind = EventKind::Partition(Cut::ALL);
    let mut bench = Bench::events([event(kind, When::AtUs(1_000))]);
    bench.send_each_ms(0..2);
    assert_eq!(bench.due(), list([(1_000, "0")]));
    let order: Vec<&What> = bench.trace.events().iter().map(|event| &event.what).collect();
    assert!(
        matches!(order[1..], [What::Partitioned(Cut::ALL), What::Sent { .. }, What::Lost { .. }]),
        "{order:?}"
    );

    let mut bench = Bench::events([event(EventKind::Partition(Cut::ALL), When::AtUs(4_000))]);
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
        event(EventKind::Heal(Cut::ALL), after(1)),
        event(EventKind::Partition(Cut::ALL), after(1)),
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
        event(EventKind::Partition(Cut::ALL), When::AtUs(1_000)),
        event(injection(datagram(0)), When::AtUs(2_000)),
        event(EventKind::Heal(Cut::ALL), When::AtUs(3_000)),
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
        event(EventKind::Partition(Cut::between(["client".to_owned(), name()])), When::AtUs(0)),
        event(EventKind::Heal(Cut::between([name(), name()])), When::AtUs(0)),
        event(
            EventKind::Inject(Injection::Bytes { direction: direction.clone(), packet: datagram(0) }),
            When::AtUs(0),
        ),
        event(EventKind::Heal(Cut::ALL), When::after(direction, Packet::nth(Class::Any, 1))),
    ] {
        unknown(FaultPlan::new().events([event]));
    }
}
