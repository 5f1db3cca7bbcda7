//! The scenario as a test: a program that a fault breaks fails with the smallest plan, and its mended form
//! holds.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use faultwire::fault::{Action, Class, EventKind, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::search::Family;
use faultwire_sim::{End, Explorer, Net, Result, Scenario, Settings, Signature, scenario, testbed};

pub(crate) async fn counter(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let (mut buffer, mut count) = ([0; 16], 0u8);
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        count += 1;
        socket.send_to(&[count], received.from).await?;
    }
}

/// Adds one, twice, and believes that nothing is lost or doubled.
pub(crate) async fn trusting(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    socket.connect("server:7000").await?;
    let mut buffer = [0; 16];
    for expected in 1..=2 {
        socket.send(b"add").await?;
        net.timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await??;
        assert_eq!(buffer[0], expected, "the count");
    }
    Ok(())
}

pub(crate) fn counting() -> Scenario {
    scenario("counting").server(counter).client(trusting)
}

pub(crate) fn message(failed: Box<dyn std::any::Any + Send>) -> String {
    failed.downcast_ref::<String>().expect("a message").clone()
}

/// What broke a scenario once is kept in a folder, and tried from then on.
#[test]
fn kept_plans_are_tried_and_those_that_fail_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let keep = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("it can be written");
    };
    let kept = |scenario: &Scenario| {
        let checked = catch_unwind(AssertUnwindSafe(|| scenario.check_kept(folder.path())));
        checked.map_err(message)
    };
    let dropped = |nth| {
        let plan =
            FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, nth), Action::Drop);
        plan.scenario("counting").to_toml()
    };
    // Nothing in it is this scenario's: that shows nothing.
    keep("other.toml", &FaultPlan::new().scenario("another").to_toml());
    keep("notes.txt", "not a plan");
    let why = kept(&counting()).expect_err("there is none");
    assert!(why.contains("none of the 1 plan file in ") && why.contains("scenario = \"counting\""), "{why}");

    keep("first.toml", &dropped(1));
    keep("second.toml", &dropped(2));
    keep("none.toml", &FaultPlan::new().scenario("counting").to_toml());
    let why = kept(&counting()).expect_err("two of them break it");
    assert!(why.starts_with("counting: 2 of 3 kept plans failed\n"), "{why}");
    assert!(
        why.contains("first.toml: it still fails under the plan") && why.contains("second.toml: "),
        "{why}"
    );
    assert!(!why.contains("none.toml") && why.contains("✗"), "{why}");
    let mended = scenario("counting").server(counter).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        for _ in 0..3 {
            socket.send_to(b"add", "10.0.0.1:7000".parse()?).await?;
        }
        Ok(())
    });
    assert_eq!(kept(&mended), Ok(()));
    mended.check_under(&FaultPlan::new().fault(
        ["client", "server"],
        Packet::nth(Class::Datagram, 2),
        Action::Drop,
    ));

    // A plan of which nothing takes place shows nothing either.
    keep("late.toml", &dropped(9));
    let why = kept(&mended).expect_err("there is no ninth datagram");
    assert!(why.contains("late.toml: part of the plan did not take place"), "{why}");
    keep("late.toml", "format = 1\nfaults = 3");
    let why = kept(&mended).expect_err("it is no plan");
    assert!(why.contains("late.toml:2:1: "), "{why}");
}

#[test]
fn a_frequent_failure_hides_no_other() {
    let found = counting().exhaustive(2).explore();
    for (of, words) in [(1, "the count"), (3, "timed out")] {
        let kinds = found.failures.iter().filter(|it| it.signature.to_string().contains(words));
        let kinds: Vec<_> = kinds.collect();
        assert!((1..=of).contains(&kinds.len()), "{words}: {:?}", found.failures);
        for kind in kinds {
            let plan = &kind.smallest.plan;
            assert!(plan.faults.len() == 1 && kind.is_minimal && kind.count > 0, "{plan:?}");
            assert_eq!(Signature::of(&counting().run(plan)).as_ref(), Some(&kind.signature));
        }
    }
    assert!(found.failures.iter().map(|it| it.count).sum::<u64>() > 10, "{:?}", found.failures);
    let first = counting().exhaustive(2).kinds_max(1, 1_000).explore();
    assert_eq!((first.failures.len(), first.tried.stopped), (1, true));
    // Two runs are enough to see that one datagram was lost, and too few for another kind.
    let hasty = counting().exhaustive(2).kinds_max(4, 2).explore();
    assert!(hasty.failures.len() < found.failures.len());
}

/// What is said of a search follows from the runs that it made.
#[test]
fn a_search_that_finds_nothing_names_what_it_did_not_try() {
    let answered = scenario("answered").server(counter).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.send_to(b"add", net.resolve("server:7000").await?[0]).await?;
        net.sleep(Duration::from_secs(1)).await;
        Result::Ok(())
    });
    let not_tried = |explorer: Explorer| {
        let found = explorer.explore();
        assert!(found.failures.is_empty(), "nothing breaks it");
        found.tried.not_tried()
    };
    let all = not_tried(answered.clone().into());
    for kind in ["lost packets", "outages of a link", "crashes", "restarts", "injected packets"] {
        assert!(all.contains(&kind), "without any fault: {all:?}");
    }
    let single = not_tried(answered.clone().exhaustive(1));
    let others = ["changed packets", "rejected packets", "crashes", "killed programs", "restarts"];
    let rest = ["injected packets", "two or more faults at once", "random plans"];
    assert_eq!(single, [&others[..], &rest].concat());
    let without = not_tried(answered.clone().without_outages().exhaustive(1));
    assert!(without.contains(&"outages of a link"), "{without:?}");
    let more = not_tried(answered.clone().crashes("server").exhaustive(2).random(20));
    assert!(!more.contains(&"crashes") && !more.contains(&"random plans"), "{more:?}");
    assert!(more.contains(&"three or more faults at once other than at random"), "{more:?}");
    let few = not_tried(answered.exhaustive(1).runs_max(2));
    assert!(few.contains(&"some plans of the grid (only a sample ran)"), "{few:?}");
}

/// A client that sends `count` datagrams of `size` bytes; it fails if `fails` says so.
fn sending(count: usize, size: usize, fails: fn(usize, usize, Duration) -> bool) -> Scenario {
    scenario("sending").server(counter).client(move |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let start = net.now();
        let mut buffer = [0; 16];
        for _ in 0..count {
            socket.send(&vec![7; size]).await?;
            net.timeout(Duration::from_secs(1), socket.recv_from(&mut buffer)).await??;
        }
        let took = net.now().since(start);
        if fails(count, size, took) { Err("it fails".into()) } else { Ok(()) }
    })
}

fn family_of(fails: fn(usize, usize, Duration) -> bool) -> Explorer {
    let family = Family::new()
        .axis("count", 1..=9)
        .axis("size", Family::around([1, 64]))
        .link_delays([Duration::from_millis(40)]);
    sending(1, 1, fails)
        .family(family, move |member| Some(sending(member.get("count")?, member.get("size")?, fails)))
        .exhaustive(1)
}

#[test]
fn a_family_runs_before_any_fault_and_a_failure_is_its_smallest_member() {
    let failure = |fails| family_of(fails).explore().failures.remove(0);
    let by_count = failure(|count, _, _| count >= 7);
    assert_eq!(by_count.smallest.plan.scenario.as_deref(), Some("sending/count=7"));
    assert!(by_count.found.plan.faults.is_empty() && by_count.smallest.plan.faults.is_empty());
    assert_eq!(family_of(|count, _, _| count >= 7).explore().tried.singles, 0);
    let by_both = failure(|count, size, _| count >= 3 && size > 2);
    assert_eq!(by_both.smallest.plan.scenario.as_deref(), Some("sending/count=3/size=63"));
    let by_delay = failure(|_, _, took| took >= Duration::from_millis(80));
    let plan = &by_delay.smallest.plan;
    assert_eq!((plan.scenario.as_deref(), plan.link.numbers().delay_us), (Some("sending"), 40_000));
    // The plan alone replays it, from its file as well.
    let kept = FaultPlan::parse(&by_count.smallest.plan.to_toml(), "kept").expect("it can be read");
    assert!(!family_of(|count, _, _| count >= 7).scenario().run(&kept).end.is_finished());
}

#[test]
fn a_failure_without_faults_names_its_member() {
    let message = complaint(family_of(|count, size, _| count >= 3 && size > 2));
    assert!(
        message.contains("sending: it fails without any fault\n\n  with count=3, size=63\n"),
        "{message}"
    );
    let by_delay = complaint(family_of(|_, _, took| took >= Duration::from_millis(80)));
    assert!(by_delay.contains("  over a link that delays packets by 40ms\n"), "{by_delay}");
}

#[test]
fn what_every_run_has_is_told_from_what_was_found() {
    let to_server = ["client", "server"];
    let datagram = |nth| Packet::nth(Class::Datagram, nth);
    let late = FaultPlan::new().fault(to_server, datagram(2), Action::DelayUs(1_000));
    let message = complaint(counting().base_plan(late).without_outages().exhaustive(1));
    let lines = " datagram 2 by 1000 us (in every run)\n  duplicate server->client datagram 1\n";
    assert!(message.contains(lines) && message.contains("found in run "), "{message}");
    let lost = FaultPlan::new().fault(to_server, datagram(1), Action::Drop);
    let message = complaint(counting().base_plan(lost).exhaustive(1));
    let head =
        "counting: it fails with no fault but those of every run\n\n  drop client->server datagram 1 (in";
    assert!(message.starts_with(head), "{message}");
    assert!(
        message.contains("\nfound in run 1, which has no fault of the search: it needs none\n"),
        "{message}"
    );
    let without = complaint(family_of(|_, _, _| true));
    assert!(
        without.contains("\nfound in run 1, which has no fault of the search: it needs none\n"),
        "{without}"
    );
}

#[test]
fn members_count_as_runs_without_faults() {
    // 8 counts, 4 sizes, 1 delay; 32, 8 and 4 pairs.
    let tried = family_of(|_, _, _| false).search(&mut |_| ControlFlow::Continue(()));
    assert_eq!((tried.fault_free, tried.fault_free_of, tried.not_applied), (58, 58, 0));
    assert!(tried.singles > 0 && tried.singles == tried.singles_of);
    // A link's delay is nothing on the loopback interface.
    let real = Explorer::from(family_of(|_, _, _| false).scenario().clone().on(testbed::LOOPBACK));
    assert_eq!(real.search(&mut |_| ControlFlow::Continue(())).fault_free, 45);
}

/// What a scenario's check panics with.
pub(crate) fn complaint(scenario: impl Into<Explorer>) -> String {
    let scenario = scenario.into();
    message(catch_unwind(AssertUnwindSafe(|| scenario.check())).expect_err("a complaint"))
}

async fn silent(net: Net) -> Result {
    net.sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[test]
fn a_search_that_can_hit_nothing_is_no_success() {
    let quiet = scenario("nobody speaks").server(counter).client(silent);
    quiet.clone().check();
    assert!(complaint(quiet.clone().exhaustive(2)).contains("no fault could be tried"));
    assert!(complaint(quiet.random(10)).contains("no fault could be tried"));
}

#[test]
fn a_scenario_that_cannot_run_says_why() {
    assert!(complaint(scenario("no client").server(counter)).contains("no client"));
    let twice = scenario("twins").server(counter).server(counter).client(silent);
    assert!(complaint(twice).contains("two hosts named `server`"));
    assert!(
        complaint(scenario("name").client_on("The Client", silent)).contains("`The Client` is no host name")
    );
    assert!(complaint(scenario("").client(silent)).contains("name"));
    let many = (0..201).fold(scenario("many"), |many, n| many.client_on(&format!("host-{n}"), silent));
    assert!(complaint(many).contains("201 hosts"));
}

#[test]
fn a_program_that_never_waits_stalls() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        let mut settings = Settings::default();
        settings.events_max = 20_000;
        let sending = scenario("flood").client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            loop {
                socket.send_to(b"again", "10.0.0.9:7".parse()?).await?;
            }
        });
        let sleeping = scenario("no sleep").client(|net: Net| async move {
            loop {
                net.sleep(Duration::ZERO).await;
            }
        });
        for scenario in [sending, sleeping] {
            let end = scenario.settings(settings.clone()).on(testbed).run(&FaultPlan::default()).end;
            assert!(
                matches!(&end, End::Stalled { limit, .. } if limit == "20000 events"),
                "{testbed}: {end:?}"
            );
        }
    }
}

/// One client ends, its host crashes and starts again, and its program ends once more: the other is still
/// waited for.
#[test]
fn a_client_that_ends_twice_is_one_client() {
    let event = |kind, at_us| PlanEvent::new(kind, When::AtUs(at_us));
    let events = vec![
        event(EventKind::Crash("left".into()), 10_000),
        event(EventKind::Restart("left".into()), 20_000),
    ];
    let plan = FaultPlan::new().events(events);
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        let brief = |net: Net| async move {
            net.sleep(Duration::from_millis(5)).await;
            Result::Ok(())
        };
        let both = scenario("two clients").client_on("left", brief).client_on("right", silent);
        let run = both.on(testbed).run(&plan);
        assert!(run.end.is_finished() && run.fired.all(), "{testbed}: {:?}", run.end);
        assert!(run.elapsed.since_start() >= Duration::from_secs(1), "{testbed}: right was not waited for");
    }
}

/// A host without power has no timers: the fragments that its stack was waiting for time out on nobody.
#[test]
fn a_crashed_host_is_silent() {
    let plan = FaultPlan::new()
        .fault(["client", "server"], Packet::nth(Class::Fragment, 2), Action::Drop)
        .event(EventKind::Crash("server".into()), When::AtUs(10_000));
    let fragments = scenario("fragments").server(counter).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.send_to(&[7; 3_000], net.resolve("server:7000").await?[0]).await?;
        net.sleep(Duration::from_secs(40)).await;
        Ok(())
    });
    let run = fragments.run(&plan);
    assert!(run.end.is_finished() && run.fired.all());
    let from_server = run.trace.sendings().filter(|sending| Some(sending.from) == run.trace.host("server"));
    assert_eq!(from_server.count(), 0, "{}", run.trace.text());
}

#[test]
fn a_broken_invariant_is_a_failure_of_the_run() {
    let loud = counting().invariant("silence", |trace| match trace.packet_count() {
        0 => Ok(()),
        n => Err(format!("{n} packets")),
    });
    let message = complaint(loud);
    assert!(message.contains("silence: 4 packets"), "{message}");
}

#[test]
fn a_client_that_waits_for_ever_stalls_and_its_sockets_are_told() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        let waiting = scenario("waiting").on(testbed).server(counter).client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:5000", &[]).await?;
            socket.recv_from(&mut [0]).await?;
            Ok(())
        });
        let mut settings = Settings::default();
        settings.time_max = Duration::from_secs(5);
        let run = waiting.settings(settings).run(&FaultPlan::default());
        let told = format!("{:?}", run.end);
        assert!(told.contains("5 s of virtual time") && told.contains("0.0.0.0:5000"), "{told}");
    }
}

#[test]
fn a_run_without_a_trace_goes_as_one_with_it() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        let plan = FaultPlan::new().fault(
            ["client", "server"],
            Packet::nth(Class::Datagram, 1),
            Action::DelayUs(5_000),
        );
        let traced = counting().on(testbed);
        let mut settings = Settings::default();
        settings.trace = false;
        let (run, without) = (traced.run(&plan), traced.clone().settings(settings).run(&plan));
        assert!(run.end.is_finished() && run.fired.all() && !run.trace.events().is_empty());
        assert_eq!((&run.end, &run.fired, run.elapsed), (&without.end, &without.fired, without.elapsed));
        assert_eq!(without.trace.events(), []);
        assert_eq!(without.trace.packet_count(), run.trace.packet_count());
    }
}
