use std::collections::BTreeMap;
use std::ops::ControlFlow;

use faultwire::errno::Errno;
use faultwire::fault::{Fault, FaultPlan};
use faultwire::stack::Mutant;
use faultwire::trace::Call;
use faultwire_sim::testbed::{self, Capability, TestbedRef};
use faultwire_sim::{Run, Settings};

use super::*;
use crate::claim::{CLAIMS, Claim, Modality};
use crate::study::Verdict;

mod handmade;

/// What the runs of a study say of a claim.
#[derive(Debug, Default)]
struct Row {
    exercised: u64,
    broken: Option<(String, FaultPlan)>,
    shown: Option<(String, FaultPlan)>,
}

type Rows = BTreeMap<&'static str, Row>;

fn look(study: &Study, run: &Run, rows: &mut Rows) {
    assert!(run.end.is_finished(), "{}: {:?} under {:?}", study.name, run.end, run.plan);
    assert!(run.fired.all(), "{}: {:?}", study.name, run.plan);
    for spec in study.checks {
        let seen = (spec.check)(run);
        let row = rows.entry(spec.claim).or_default();
        row.exercised += seen.exercised;
        let (place, how) = match seen.verdict {
            Verdict::Fine => continue,
            Verdict::Broken(how) => (&mut row.broken, how),
            Verdict::Witnessed(how) => (&mut row.shown, how),
        };
        // The smallest plan is the first.
        place.get_or_insert((how, run.plan.clone()));
    }
}

/// Runs a study under all plans of so many faults at most, and under random ones.
fn search(
    study: &Study,
    testbed: TestbedRef,
    exhaustive: usize,
    random: u64,
    mutant: Option<Mutant>,
) -> Rows {
    let mut settings = Settings::default();
    settings.mutant = mutant;
    let scenario = (study.scenario)(testbed).settings(settings);
    let depth = exhaustive.min(study.search.exhaustive);
    let explorer = scenario.clone().exhaustive(depth).random(random.min(study.search.random));
    let mut rows = Rows::new();
    explorer.search(&mut |run| {
        look(study, run, &mut rows);
        ControlFlow::Continue(())
    });
    for plan in (study.plans)(&scenario) {
        look(study, &scenario.run(&plan), &mut rows);
    }
    rows
}

fn without_faults(study: &Study, testbed: TestbedRef) -> (Run, Rows) {
    let run = (study.scenario)(testbed).run(&FaultPlan::default());
    let mut rows = Rows::new();
    look(study, &run, &mut rows);
    (run, rows)
}

/// Whether a testbed can settle what a check looks at, without a fault.
fn settles(testbed: TestbedRef, spec: &CheckSpec) -> bool {
    !spec.needs.contains(&Capability::Faults) && spec.needs.iter().all(|need| testbed.has(*need))
}

/// Something that happens to the client's first datagram.
fn on_the_first(action: Action) -> Fault {
    Fault::new(["client", "server"], Packet::nth(Class::Datagram, 1), action)
}

#[test]
fn every_claim_has_a_study_and_every_study_a_claim() {
    for study in studies() {
        assert_eq!((study.scenario)(testbed::VIRTUAL).name(), study.name);
        for spec in study.checks {
            assert!(Claim::of(spec.claim).is_some(), "{} stands in no list", spec.claim);
        }
    }
    for claim in CLAIMS.iter().filter(|claim| claim.family() == "udp") {
        let mut specs = studies().iter().filter(|study| study.checks.iter().any(|it| it.claim == claim.id));
        assert!(specs.next().is_some(), "{} is settled by no study", claim.id);
    }
}

#[test]
fn every_possibility_is_shown_by_one_fault_at_most() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for claim in CLAIMS.iter().filter(|it| it.family() == "udp" && it.modality == Modality::Possible) {
            // Of the studies that settle it each does.
            for study in studies().iter().filter(|study| study.checks.iter().any(|it| it.claim == claim.id)) {
                if testbed == testbed::TURMOIL && study.name != "udp-numbered" && study.search.exhaustive > 0
                {
                    continue;
                }
                let rows = search(study, testbed, 1, 0, None);
                let Some((how, plan)) = &rows[claim.id].shown else {
                    panic!("{} is not shown by {} on {testbed}", claim.id, study.name);
                };
                assert!(plan.faults.len() <= 1, "{}: {how} by {plan:?}", claim.id);
            }
        }
    }
}

#[test]
fn every_mutant_is_caught_by_the_claim_that_it_breaks() {
    for mutant in Mutant::ALL.iter().filter(|mutant| mutant.breaks().starts_with("udp/")) {
        let claim = mutant.breaks();
        let mut caught = studies()
            .iter()
            .filter(|study| study.checks.iter().any(|spec| spec.claim == claim))
            .filter(|study| search(study, testbed::VIRTUAL, 1, 0, Some(*mutant))[claim].broken.is_some());
        assert!(caught.next().is_some(), "{mutant} ({}) is not caught by {claim}", mutant.about());
    }
}

#[test]
fn every_guaranteed_claim_has_a_mutant() {
    for claim in CLAIMS.iter().filter(|it| it.family() == "udp" && it.modality == Modality::Guaranteed) {
        assert!(Mutant::ALL.iter().any(|mutant| mutant.breaks() == claim.id), "{}", claim.id);
    }
}

#[test]
fn the_kernel_keeps_every_promise_on_loopback() {
    let (mut settled, mut exercised) = (BTreeMap::new(), BTreeMap::<&str, u64>::new());
    for study in studies().iter().filter(|study| study.refusal(testbed::LOOPBACK).is_none()) {
        let (_, rows) = without_faults(study, testbed::LOOPBACK);
        for spec in study.checks.iter().filter(|spec| settles(testbed::LOOPBACK, spec)) {
            let row = &rows[spec.claim];
            assert_eq!(row.broken, None, "{} in {}", spec.claim, study.name);
            *exercised.entry(spec.claim).or_insert(0) += row.exercised;
            settled.insert(spec.claim, row.shown.is_some());
        }
    }
    assert_eq!(exercised.iter().find(|(_, count)| **count == 0), None, "{exercised:?}");
    let shown: Vec<_> = settled.iter().filter(|(_, shown)| **shown).map(|(claim, _)| *claim).collect();
    assert_eq!(shown, ["udp/no-flow-control", "udp/refused-when-connected"]);
    let held: Vec<_> = settled.iter().filter(|(_, shown)| !**shown).map(|(claim, _)| *claim).collect();
    assert_eq!(
        held,
        [
            "udp/connected-filters",
            "udp/keeps-boundaries",
            "udp/length-and-sender",
            "udp/many-peers",
            "udp/no-connection",
            "udp/sender-never-knows",
            "udp/size-limit",
        ]
    );
}

/// What turmoil's own sockets do not do is known, with the reason, and nothing else is.
#[test]
fn turmoils_own_sockets_fail_where_they_are_known_to() {
    let mut fails = Vec::new();
    let mut lacks = Vec::new();
    let mut exercised: BTreeMap<&str, u64> = BTreeMap::new();
    for study in studies().iter().filter(|study| study.refusal(testbed::TURMOIL_SOCKETS).is_none()) {
        let (run, rows) = without_faults(study, testbed::TURMOIL_SOCKETS);
        let is_lacking = run
            .trace
            .calls()
            .any(|call| matches!(call.call, Call::Option(_)) && call.error == Some(Errno::ENOPROTOOPT));
        for spec in study.checks.iter().filter(|spec| settles(testbed::TURMOIL_SOCKETS, spec)) {
            let row = &rows[spec.claim];
            let is_possible = Claim::of(spec.claim).is_some_and(|it| it.modality == Modality::Possible);
            if is_lacking {
                lacks.push(spec.claim);
            } else if row.broken.is_some() || (is_possible && row.shown.is_none()) {
                fails.push((study.name, spec.claim));
            } else {
                *exercised.entry(spec.claim).or_insert(0) += row.exercised;
            }
        }
    }
    assert_eq!(exercised.iter().find(|(_, count)| **count == 0), None, "{exercised:?}");
    assert_eq!(
        fails,
        [
            // There is no ICMP: what finds no socket is dropped without a word (`Udp::receive_from_network`).
            ("udp-closed-port", "udp/refused-when-connected"),
            // A datagram is a value of any length (`UdpSocket::send`).
            ("udp-size-limit", "udp/size-limit"),
        ]
    );
    assert_eq!(lacks, ["udp/no-flow-control"], "turmoil has no SO_RCVBUF");
}

#[test]
fn the_same_run_is_judged_the_same() {
    for study in studies() {
        let (one, two) = (without_faults(study, testbed::VIRTUAL), without_faults(study, testbed::VIRTUAL));
        assert_eq!(one.0.trace.hash(), two.0.trace.hash(), "{}", study.name);
        assert_eq!(format!("{:?}", one.1), format!("{:?}", two.1), "{}", study.name);
    }
}

#[test]
fn the_kernel_behind_the_relay_loses_reorders_and_duplicates_by_one_fault() {
    let study = &studies()[0];
    let scenario = (study.scenario)(testbed::RELAY);
    for (action, claim) in [
        (Action::Drop, "udp/may-lose"),
        (Action::HoldFor(1), "udp/may-reorder"),
        (Action::Duplicate, "udp/may-duplicate"),
    ] {
        let mut rows = Rows::new();
        let plan = FaultPlan::new().faults([on_the_first(action)]);
        look(study, &scenario.run(&plan), &mut rows);
        assert!(rows[claim].shown.is_some(), "{claim}");
        for (claim, row) in rows.iter().filter(|(claim, _)| **claim != "udp/lightweight") {
            assert_eq!(row.broken, None, "{claim}");
        }
        assert!(rows["udp/never-repeats"].exercised > 0);
    }
    let mut exercised: BTreeMap<&str, u64> = BTreeMap::new();
    for study in studies().iter().filter(|study| study.refusal(testbed::RELAY).is_none()) {
        let (_, rows) = without_faults(study, testbed::RELAY);
        for spec in study.checks.iter().filter(|spec| settles(testbed::RELAY, spec)) {
            assert_eq!(rows[spec.claim].broken, None, "{}", study.name);
            *exercised.entry(spec.claim).or_insert(0) += rows[spec.claim].exercised;
        }
        if let Some(overrun) = rows.get("udp/no-flow-control") {
            assert!(overrun.shown.is_some());
        }
    }
    assert_eq!(exercised.iter().find(|(_, count)| **count == 0), None, "{exercised:?}");
}
