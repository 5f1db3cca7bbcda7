use faultwire_sim::testbed::{self, TestbedRef};
use std::sync::mpsc;

use faultwire::time::Time;
use faultwire::trace::{Call, HostId, SocketId, Trace, What};

use super::*;
use crate::check::udp;
use crate::claim::Claim;
use crate::engine::rows::rows;
use crate::engine::{ReplayOptions, replay};
use crate::report::Outcome;
use crate::study::Seen;

const LOSE: &str = "udp/may-lose";

fn options(testbed: TestbedRef) -> VerifyOptions {
    VerifyOptions { seed: 3, ..VerifyOptions::new(vec![Claim::of(LOSE).expect("a claim")], vec![testbed]) }
}

fn study(name: &str) -> Study {
    *udp::studies().iter().find(|study| study.name == name).expect("a study")
}

fn run_of(study: &Study, testbed: TestbedRef) -> Vec<Part> {
    let study: &'static Study = Box::leak(Box::new(*study));
    Unit::whole(study, testbed, &options(testbed))
        .run(&options(testbed), &mpsc::channel().0, &CancellationToken::default())
        .1
}

/// A plan that no testbed can run: it crashes a host that there is not.
fn impossible(_: &Scenario) -> Vec<FaultPlan> {
    let text = "format = 1\n[[event]]\nkind = \"crash\"\nhost = \"stranger\"\nat_us = 5\n";
    vec![FaultPlan::parse(text, "impossible").expect("a plan")]
}

#[test]
fn a_further_plan_that_is_refused_is_an_error() {
    let study = Study { search: Search::FAULT_FREE, plans: impossible, ..study("udp-numbered") };
    let parts = run_of(&study, testbed::VIRTUAL);
    let row = &rows(&options(testbed::VIRTUAL), &parts)[0];
    assert_eq!(row.outcome, Outcome::Error, "{row:?}");
    assert!(row.why.as_ref().is_some_and(|why| why.contains("refused")), "{row:?}");
}

#[test]
fn a_panic_is_an_error_of_its_study_alone() {
    let study: &'static Study = Box::leak(Box::new(study("udp-numbered")));
    let options = options(testbed::VIRTUAL);
    let unit = Unit::whole(study, testbed::VIRTUAL, &options);
    let (_, parts) = unit.guarded(&options, || panic!("a bug of the {}", "suite"));
    let row = &rows(&options, &parts)[0];
    assert_eq!(row.outcome, Outcome::Error);
    let why = row.why.as_deref().unwrap_or_default();
    assert!(why.contains("udp-numbered") && why.ends_with("a bug of the suite"), "{why}");
}

#[test]
fn only_foreign_sockets_may_lack_an_option_and_only_where_all_went_well() {
    let lacks = || Trouble { lacks_option: true, ..Trouble::default() };
    assert!(lacks().excuses(testbed::TURMOIL_SOCKETS, 0).is_some());
    assert!(lacks().excuses(testbed::TURMOIL_SOCKETS, 1).is_none());
    assert!(Trouble::default().excuses(testbed::TURMOIL_SOCKETS, 0).is_none());
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL, testbed::LOOPBACK, testbed::RELAY] {
        assert!(lacks().excuses(testbed, 0).is_none(), "{testbed}");
    }
    let why = || Some((String::new(), FaultPlan::default()));
    assert!(
        Trouble { failed: why().into_iter().collect(), ..lacks() }
            .excuses(testbed::TURMOIL_SOCKETS, 0)
            .is_none()
    );
    assert!(Trouble { stalled: why(), ..lacks() }.excuses(testbed::TURMOIL_SOCKETS, 0).is_none());
}

/// A run with one call in it, with that end.
fn ended(end: End) -> Run {
    let mut trace = Trace::new(["client"]);
    let (host, socket) = (HostId(0), SocketId(0));
    trace.push(Time::ZERO, What::Call { host, socket, call: Call::Close, error: None });
    Run::new(FaultPlan::default(), trace, end, Default::default(), Time::ZERO)
}

#[test]
fn a_run_that_was_cut_short_is_no_witness_but_may_be_a_break() {
    let failed = || End::Failed { host: None, message: "no".to_owned() };
    let found = |spec: &CheckSpec, ends: &[End]| {
        let mut watches = [Watch { spec, skipped: None, exercised: 0, found: Vec::new() }];
        let mut trouble = Trouble::default();
        for end in ends {
            look(&ended(end.clone()), &mut watches, &mut trouble);
        }
        let [watch] = watches;
        watch.found.first().map(|found| found.finished)
    };
    let shows = CheckSpec::of_calls(LOSE, |_| Seen::witnessed(1, "shown"));
    assert_eq!(found(&shows, &[failed()]), None);
    assert_eq!(found(&shows, &[failed(), End::Finished]), Some(true));
    let breaks = CheckSpec::of_calls(LOSE, |_| Seen::broken(1, "broken"));
    assert_eq!(found(&breaks, &[failed()]), Some(false));
    assert_eq!(found(&breaks, &[failed(), End::Finished]), Some(true));
    assert_eq!(found(&breaks, &[End::Refused { why: String::new(), is_trouble: false }]), None);
}

/// Says something against every run over a link that takes the longest datagram in one packet.
fn over_jumbo(run: &Run) -> Seen {
    let mtu = run.plan.link.numbers().mtu;
    if mtu == u16::MAX { Seen::broken(1, format!("an MTU of {mtu}")) } else { Seen::fine(1) }
}

/// Every run says the same.
fn anywhere(_: &Run) -> Seen {
    Seen::broken(1, "so it is")
}

#[test]
fn a_finding_carries_the_link_that_it_takes_and_replays_over_it() {
    const JUMBO: &[CheckSpec] = &[CheckSpec::of_calls(LOSE, over_jumbo)];
    const ANYWHERE: &[CheckSpec] = &[CheckSpec::of_calls(LOSE, anywhere)];
    let found = |checks| {
        let study: &'static Study = Box::leak(Box::new(Study {
            checks,
            search: Search::FAULT_FREE,
            ..study("udp-size-limit-jumbo")
        }));
        let plan = run_of(study, testbed::VIRTUAL)[0].findings[0].plan.clone();
        // As it is kept in a file, and read again.
        let plan = FaultPlan::parse(&plan.to_toml(), "found").expect("it can be read");
        let replayed = replay(&ReplayOptions { study, plan, testbed: testbed::VIRTUAL, seed: 3 });
        assert!(matches!(replayed.seen[0].1.verdict, Verdict::Broken(_)), "{:?}", replayed.seen);
        replayed.run.plan.link
    };
    assert_eq!(found(JUMBO).numbers().mtu, u16::MAX);
    assert_eq!(found(ANYWHERE), Default::default());
}
