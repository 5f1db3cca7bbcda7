//! Every study on the testbeds that carry it, and every mutant against the check that must see it.

use std::collections::BTreeSet;

use faultwire::errno::Errno;
use faultwire::fault::FaultPlan;
use faultwire_sim::testbed::{self, Capability, TestbedRef};
use faultwire_sim::{End, Run, Scenario};

use super::{lifecycle, studies};
use crate::claim::{Claim, Modality};
use crate::study::{Seen, Verdict};

/// What turmoil's own sockets do not do, or cannot be asked. The reasons are in turmoil's source:
/// net/tcp/listener.rs (`accept` is what completes a connect), net/tcp/stream.rs (`poll_read_priv` gives one
/// segment at a time, and fails with ECONNRESET each time), and the seam: there is no SO_RCVBUF.
const TURMOIL: [(&str, &str); 5] = [
    ("tcp/connected-before-accept", "fine"),
    ("tcp/no-boundaries", "fine"),
    ("tcp/reset", "broken"),
    ("tcp/flow-control", "skipped"),
    ("tcp/window-is-the-buffer", "skipped"),
];

fn run(scenario: Scenario, testbed: TestbedRef) -> Run {
    let run = scenario.on(testbed).run(&FaultPlan::default());
    // Programs assert nothing, so no run fails, whatever is seen in it.
    assert_eq!(run.end, End::Finished, "{testbed}:\n{}", run.trace.text());
    run
}

/// What a claim comes to, in a word.
fn outcome(seen: &Seen, run: &Run) -> &'static str {
    let lacks = |errno| errno == Some(Errno::ENOPROTOOPT);
    match &seen.verdict {
        Verdict::Broken(_) => "broken",
        Verdict::Witnessed(_) => "shown",
        Verdict::Fine if seen.exercised > 0 => "fine",
        Verdict::Fine if run.trace.calls().any(|call| lacks(call.error)) => "skipped",
        Verdict::Fine => "unproven",
    }
}

fn outcomes(testbed: TestbedRef, expected: impl Fn(&str) -> &'static str) {
    for study in studies() {
        assert_eq!(study.refusal(testbed), None, "{}", study.name);
        let run = run((study.scenario)(testbed), testbed);
        for spec in study.checks {
            let seen = (spec.check)(&run);
            let expected = match (study.name, expected(spec.claim)) {
                // Nothing out of the ordinary happens without a fault.
                _ if spec.needs.contains(&Capability::Faults) => "unproven",
                // It takes SO_RCVBUF, whichever claim it looks at.
                ("tcp-stopped-reader", _) if testbed == testbed::TURMOIL_SOCKETS => "skipped",
                (_, expected) => expected,
            };
            assert_eq!(
                outcome(&seen, &run),
                expected,
                "{} on {testbed}: {seen:?}\n{}",
                spec.claim,
                run.trace.text()
            );
        }
    }
}

fn of_the_kernel(claim: &str) -> &'static str {
    match Claim::of(claim).map(|claim| claim.modality) {
        Some(Modality::Guaranteed) => "fine",
        Some(Modality::Possible) => "shown",
        None => "no claim of the registry",
    }
}

fn of_turmoil(claim: &str) -> &'static str {
    TURMOIL.iter().find(|(it, _)| *it == claim).map_or_else(|| of_the_kernel(claim), |(_, word)| word)
}

#[test]
fn the_kernel_keeps_every_claim() {
    outcomes(testbed::LOOPBACK, of_the_kernel);
}

#[test]
fn turmoils_own_sockets_keep_all_but_the_known_ones() {
    outcomes(testbed::TURMOIL_SOCKETS, of_turmoil);
}

#[test]
fn simulated_runs_repeat() {
    for study in studies() {
        let [one, other] =
            [(); 2].map(|()| run((study.scenario)(testbed::TURMOIL_SOCKETS), testbed::TURMOIL_SOCKETS));
        assert_eq!(one.trace.text(), other.trace.text(), "{}", study.name);
    }
}

/// Each mutant on each testbed where its claim is settled.
fn mutants_are_seen(testbed: TestbedRef, expected: impl Fn(&str) -> &'static str) {
    for study in studies() {
        for mutant in study.mutants {
            let takes_buffers = study.name == "tcp-stopped-reader" && testbed == testbed::TURMOIL_SOCKETS;
            if takes_buffers || expected(mutant.breaks) != "fine" {
                continue;
            }
            let run = run((mutant.scenario)(testbed), testbed);
            let spec = study.checks.iter().find(|spec| spec.claim == mutant.breaks);
            let seen = spec.map(|spec| (spec.check)(&run));
            assert!(
                matches!(seen, Some(Seen { verdict: Verdict::Broken(_), .. })),
                "{} on {testbed}: {} says {seen:?}\n{}",
                mutant.name,
                mutant.breaks,
                run.trace.text()
            );
        }
    }
}

#[test]
fn every_mutant_is_seen_over_the_kernel() {
    mutants_are_seen(testbed::LOOPBACK, of_the_kernel);
}

#[test]
fn every_mutant_is_seen_in_turmoil() {
    mutants_are_seen(testbed::TURMOIL_SOCKETS, of_turmoil);
}

#[test]
fn every_guaranteed_claim_has_a_mutant_and_each_name_is_used_once() {
    let mut names = BTreeSet::new();
    for study in studies() {
        assert!(names.insert(study.name), "{}", study.name);
        for spec in study.checks {
            let has = study.mutants.iter().any(|mutant| mutant.breaks == spec.claim);
            assert_eq!(has, of_the_kernel(spec.claim) == "fine", "{}", spec.claim);
        }
        for mutant in study.mutants {
            assert!(names.insert(mutant.name), "{}", mutant.name);
        }
    }
}

#[test]
fn our_stack_keeps_every_claim() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        outcomes(testbed, of_the_kernel);
    }
}

#[test]
fn what_carries_no_streams_says_so() {
    for study in studies().iter().chain(lifecycle::studies()) {
        assert!(study.refusal(testbed::RELAY).is_some(), "{}", study.name);
    }
}
