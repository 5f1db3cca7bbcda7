//! What a verification must show, whatever it finds: it repeats, it is earned, and the command says the same.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use faultwire_conformance::claim::{CLAIMS, Claim, Modality};
use faultwire_conformance::engine::{VerifyOptions, mutants, verify};
use faultwire_conformance::progress::Silent;
use faultwire_conformance::report::{Outcome, Report, Row};
use faultwire_sim::testbed::{self, TestbedRef};

/// The simulated testbeds, verified once for all tests here.
static REPORT: LazyLock<Report> = LazyLock::new(|| verify(&options(), &mut Silent));

const SEED: u64 = 7;

fn options() -> VerifyOptions {
    VerifyOptions {
        seed: SEED,
        ..VerifyOptions::new(
            CLAIMS.iter().collect(),
            vec![testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS],
        )
    }
}

/// The report as JSON, but for the time that it took.
fn timeless(mut report: Report) -> String {
    for row in &mut report.results {
        row.elapsed_ms = 0;
    }
    report.to_json().expect("it can be written")
}

fn udp_on(report: &Report, testbed: TestbedRef) -> impl Iterator<Item = (&'static Claim, &Row)> {
    let on = report
        .results
        .iter()
        .filter(move |row| (row.testbed, row.subject) == (testbed.name(), testbed.subject().name));
    on.filter_map(|row| Some((Claim::of(row.claim)?, row))).filter(|(claim, _)| claim.family() == "udp")
}

#[test]
fn the_same_seed_gives_the_same_report_twice_in_one_process() {
    // What a run leaves behind in the process would show with a few claims too.
    let some = ["udp/may-reorder", "udp/keeps-boundaries", "tcp/every-byte", "tcp/retransmits", "tcp/reset"];
    let claims = some.map(|id| Claim::of(id).expect("a claim"));
    let options = VerifyOptions { claims: claims.to_vec(), ..options() };
    let verified = || timeless(verify(&options, &mut Silent));
    assert_eq!(verified(), verified());
}

#[test]
fn the_same_seed_gives_the_same_report_here_and_in_another_process() {
    let own = timeless(REPORT.clone());
    let output = Command::new(env!("CARGO_BIN_EXE_faultwire"))
        .args(["verify", "--testbed", "virtual", "--testbed", "turmoil", "--format", "json"])
        .args(["--seed", &SEED.to_string()])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let is_timed = |line: &&str| line.trim_start().starts_with("\"elapsed_ms\"");
    let printed: Vec<&str> = text.lines().filter(|line| !is_timed(line)).collect();
    let expected: Vec<&str> = own.lines().filter(|line| !is_timed(line)).collect();
    assert_eq!(printed, expected);
}

#[test]
fn every_claim_is_settled_in_both_simulations_and_earned() {
    let of_ours =
        REPORT.results.iter().filter(|row| row.subject == "faultwire" && row.outcome != Outcome::Skipped);
    let mut settled = BTreeSet::new();
    for row in of_ours {
        let expected = match row.modality {
            Modality::Guaranteed => Outcome::Held,
            Modality::Possible => Outcome::Witnessed,
        };
        let Row { claim, testbed, .. } = row;
        assert_eq!(row.outcome, expected, "{claim} on {testbed}: {:?}\n{:?}", row.why, row.plan);
        assert!(row.exercised > 0, "{claim} on {testbed}");
        assert_eq!(row.faults_planned, row.faults_fired, "{claim} on {testbed}");
        settled.insert((*claim, *testbed));
    }
    for claim in &*CLAIMS {
        assert!(settled.contains(&(claim.id, "virtual")), "{} was not tried", claim.id);
    }
}

#[test]
fn every_datagram_claim_is_settled_by_one_fault_or_none() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for (claim, row) in udp_on(&REPORT, testbed) {
            if let Some(plan) = &row.plan {
                assert!(plan.faults.len() <= 1 && plan.events.is_empty(), "{}: {plan:?}", claim.id);
            }
        }
    }
    for (claim, row) in udp_on(&REPORT, testbed::VIRTUAL) {
        if claim.modality == Modality::Guaranteed {
            assert!(claim.over_plans, "{} is guaranteed whatever the plan", claim.id);
            assert!(row.random >= 256, "{}: {} random plans", claim.id, row.random);
            assert!(row.exhaustive > 100, "{}: {} plans of the grid", claim.id, row.exhaustive);
        }
    }
}

#[test]
fn every_mutant_is_caught_by_the_claim_that_it_breaks() {
    let rows = mutants(0, &mut Silent);
    for row in &rows {
        assert!(row.is_caught(), "{} ({}) is not caught by {}", row.name, row.about, row.breaks);
        assert!(row.plan.as_ref().is_some_and(|plan| plan.faults.len() <= 2), "{}: {:?}", row.name, row.plan);
    }
    let settled = |claim: &&Claim| claim.modality == Modality::Guaranteed;
    for claim in CLAIMS.iter().filter(settled) {
        assert!(rows.iter().any(|row| row.breaks == claim.id), "nothing breaks {} on purpose", claim.id);
    }
}
