//! The testbeds: the same programs run on each, runs repeat bit for bit, and hosts see the same on both
//! drivers.

use std::time::Duration;

use bytes::Bytes;
use faultwire::fault::{
    Action, Anchor, Change, Class, Cut, EventKind, Fault, FaultPlan, Field, Injection, Lasts, Packet,
    PlanEvent, Rejection, Value, When,
};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::search::{PlanSpace, RandomSearch};
use faultwire_sim::testbed::{self, Capabilities, Capability, Clock, Subject, Testbed};
use faultwire_sim::{End, Net, Result, Run, Scenario, scenario};

async fn echo_server(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 2000];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

/// Sends ten messages; each again after 200 ms without an answer.
async fn patient_client(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    let server = net.resolve("server:7000").await?[0];
    let mut buffer = [0; 2000];
    for n in 0..10u8 {
        for attempt in 0.. {
            socket.send_to(&[n; 100], server).await?;
            if let Ok(received) = net.timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await
            {
                received?;
                break;
            }
            assert!(attempt < 10, "no answer to message {n}");
        }
    }
    Ok(())
}

fn echo() -> Scenario {
    scenario("echo").server(echo_server).client(patient_client)
}

fn plan(faults: &[(&str, &str, u32, Action)]) -> FaultPlan {
    let faults = faults.iter().map(|(from, to, nth, action)| {
        Fault::new([*from, *to], Packet::nth(Class::Datagram, *nth), action.clone())
    });
    FaultPlan::new().faults(faults)
}

fn plans() -> Vec<FaultPlan> {
    let (there, back) = (("client", "server"), ("server", "client"));
    let one = |(from, to): (&'static str, &'static str), nth, action| (from, to, nth, action);
    let events = |events: [(EventKind, u64); 2]| {
        FaultPlan::new().events(events.map(|(kind, at_us)| PlanEvent::new(kind, When::AtUs(at_us))).to_vec())
    };
    let crash =
        events([(EventKind::Crash("server".into()), 4_000), (EventKind::Restart("server".into()), 650_000)]);
    let cut = events([(EventKind::Partition(Cut::ALL), 3_000), (EventKind::Heal(Cut::ALL), 450_000)]);
    // The second request leaves 200 ms after the first, and arrives as the host starts, or just after that.
    let down = |until| {
        events([(EventKind::Crash("server".into()), 1_000), (EventKind::Restart("server".into()), until)])
    };
    let after = |kind, nth| {
        PlanEvent::new(kind, When::after(["client", "server"], Packet::nth(Class::Datagram, nth)))
    };
    let between = FaultPlan::new()
        .events([after(EventKind::Crash("server".into()), 1), after(EventKind::Restart("server".into()), 2)]);
    let first = || Anchor::new(["client", "server"], Packet::nth(Class::Datagram, 1));
    let event = PlanEvent::new;
    let one_way = FaultPlan::new().events([
        event(EventKind::Partition(Cut::one_way(["server".into(), "client".into()])), When::After(first())),
        event(EventKind::Heal(Cut::ALL), When::After(first().later(450_000))),
    ]);
    let flow = FaultPlan::new()
        .event(EventKind::Partition(Cut::ALL.flow(1)), When::After(first().later(3_500)))
        .event(EventKind::Heal(Cut::ALL), When::After(first().later(650_000)));
    let before = FaultPlan::new()
        .event(
            EventKind::Partition(Cut::ALL),
            When::before(["server", "client"], Packet::nth(Class::Datagram, 2)),
        )
        .event(
            EventKind::Heal(Cut::ALL),
            When::before(["client", "server"], Packet::nth(Class::Datagram, 5)),
        );
    let outage = FaultPlan::new().event(
        EventKind::Outage { cut: Cut::ALL, lasts: Lasts::Us(350_500) },
        When::After(first().later(500)),
    );
    // A datagram of the echo has 128 bytes with its headers.
    let long = |bytes| {
        let kind = EventKind::Outage { cut: Cut::ALL.longer_than(bytes), lasts: Lasts::Us(450_000) };
        FaultPlan::new().event(kind, When::After(first()))
    };
    let killed = |at, until| {
        events([(EventKind::Kill("server".into()), at), (EventKind::Restart("server".into()), until)])
    };
    let sample =
        |injection| FaultPlan::new().event(EventKind::Inject(injection), When::After(first().later(3_000)));
    let Anchor { direction, packet, .. } = first();
    let change = Change::set(Field::Payload, Bytes::from_static(&[9; 100]));
    let like = Injection::Like { direction: direction.clone(), packet, change };
    let rejected = Injection::Reject { direction, packet, rejection: Rejection::TimeExceeded };
    vec![
        killed(4_000, 650_000),
        killed(1_000, 200_000),
        killed(1_500, 201_500),
        down(200_000),
        down(201_000),
        down(202_000),
        between,
        FaultPlan::default(),
        plan(&[one(there, 3, Action::Drop), one(back, 5, Action::Drop)]),
        plan(&[one(there, 1, Action::Duplicate), one(back, 2, Action::Duplicate)]),
        plan(&[one(there, 2, Action::DelayUs(5_000)), one(back, 4, Action::DelayUs(201_000))]),
        plan(&[one(there, 2, Action::HoldFor(1)), one(back, 4, Action::HoldFor(3))]),
        plan(&[one(there, 2, Action::CorruptBits(vec![300])), one(back, 4, Action::CorruptBits(vec![70]))]),
        plan(&[
            one(there, 2, Action::Change(Change::set(Field::Ttl, 9).and(Field::Payload, Bytes::new()))),
            one(back, 4, Action::Change(Change::flip([230, 240]))),
            one(back, 5, Action::Change(Change::set(Field::SrcPort, Value::Add(1)).keep_checksums())),
        ]),
        plan(&[
            one(there, 2, Action::Reject(Rejection::PortUnreachable)),
            one(back, 4, Action::Reject(Rejection::TooBig(68))),
        ]),
        sample(like),
        sample(rejected),
        crash,
        cut,
        one_way,
        flow,
        before,
        outage,
        long(127),
        long(128),
    ]
}

#[test]
fn the_same_programs_run_on_every_testbed() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS, testbed::LOOPBACK] {
        let run = echo().on(testbed).run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{testbed}");
        let answers = run.trace.calls_of(run.trace.host("client").unwrap()).count();
        assert!(answers > 20, "{testbed}: {answers} calls");
    }
}

#[test]
fn runs_repeat_bit_for_bit() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for plan in plans() {
            let (once, again) = (echo().on(testbed).run(&plan), echo().on(testbed).run(&plan));
            assert_eq!(once.end, End::Finished, "{testbed} {plan:?}\n{}", once.trace.text());
            assert!(once.fired.all(), "{testbed} {plan:?}: {:?}\n{}", once.fired, once.trace.text());
            assert_eq!(once.trace.text(), again.trace.text());
            assert_eq!(once.trace.hash(), again.trace.hash());
        }
    }
}

#[test]
fn hosts_see_the_same_on_both_drivers() {
    for plan in plans() {
        let of = |testbed| {
            let run = echo().on(testbed).run(&plan);
            ["server", "client"].map(|name| run.trace.host_sequence(run.trace.host(name).unwrap()))
        };
        assert_eq!(of(testbed::VIRTUAL), of(testbed::TURMOIL), "{plan:?}");
    }
}

#[test]
fn the_relay_applies_a_plan_to_real_datagrams() {
    let plan = plan(&[("client", "server", 2, Action::Drop), ("server", "client", 3, Action::Duplicate)]);
    let run = echo().on(testbed::RELAY).run(&plan);
    assert_eq!(run.end, End::Finished, "{}", run.trace.text());
    assert!(run.fired.all(), "{}", run.trace.text());
    assert!(run.elapsed.since_start() >= Duration::from_millis(200), "the lost message was not waited for");
}

#[test]
fn programs_start_before_anything_happens() {
    let events = vec![
        PlanEvent::new(EventKind::Partition(Cut::ALL), When::AtUs(100)),
        PlanEvent::new(EventKind::Heal(Cut::ALL), When::AtUs(300_000)),
    ];
    let run = echo().run(&FaultPlan::new().events(events));
    assert!(run.end.is_finished() && run.fired.all());
    let first = run.trace.calls().next().expect("a bind");
    assert_eq!(first.at, faultwire::Time::ZERO, "{}", run.trace.text());
}

/// Two hundred random plans of up to eight faults, all delays whole ticks.
#[test]
fn hosts_see_the_same_on_both_drivers_whatever_the_plan() {
    let scenario = echo();
    let fault_free = scenario.run(&FaultPlan::default());
    let space = PlanSpace::of(&FaultPlan::default(), &fault_free.trace, &scenario.grid()).whole_ticks();
    let random =
        RandomSearch { space: &space, seed: 4, scenario: "drivers", first: 0, count: 200, draws_max: 1 };
    for number in 0..random.count {
        let plan = random.plan(number, 0);
        let of = |testbed| {
            let run = echo().on(testbed).run(&plan);
            let of = |name| run.trace.host_sequence(run.trace.host(name).unwrap());
            (of("server"), of("client"), run.fired)
        };
        let (ours, theirs) = (of(testbed::VIRTUAL), of(testbed::TURMOIL));
        let differs = |(one, two): (&Vec<String>, &Vec<String>)| {
            one.iter().zip(two).find(|(one, two)| one != two).map(|(one, two)| format!("{one}\n{two}"))
        };
        assert!(
            ours == theirs,
            "plan {number}: {plan:?}\n{:?}\n{:?}",
            differs((&ours.0, &theirs.0)),
            differs((&ours.1, &theirs.1))
        );
    }
}

/// A testbed from outside: `virtual`, without faults.
#[derive(Debug)]
struct Calm;

impl Testbed for Calm {
    fn name(&self) -> &'static str {
        "calm"
    }

    fn subject(&self) -> Subject {
        testbed::VIRTUAL.subject()
    }

    fn about(&self) -> &'static str {
        "simulated hosts that no fault can reach"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { clock: Clock::Virtual, lacking: &[(Capability::Faults, "it is calm here")] }
    }

    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run {
        testbed::VIRTUAL.run(scenario, plan)
    }
}

#[test]
fn a_scenario_runs_on_a_testbed_from_outside() {
    let calm = echo().on(&Calm);
    assert_eq!(calm.testbed().to_string(), "calm/faultwire");
    assert!(calm.testbed().is_simulated() && calm.testbed() != testbed::VIRTUAL);
    assert_eq!(calm.run(&FaultPlan::default()).end, End::Finished);
    let loss = FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Any, 1), Action::Drop);
    let End::Refused { why, is_trouble } = calm.run(&loss).end else { panic!("it carries no faults") };
    assert_eq!((why.as_str(), is_trouble), ("the testbed calm/faultwire carries no faults", false));
    assert_eq!(calm.testbed().lacks(Capability::Faults), Some("it is calm here"));
}
