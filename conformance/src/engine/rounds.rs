//! What real time left open is tried again.
//!
//! On a busy machine a wait over a real socket may be over before its situation occurred: a connection that
//! takes longer than the 60 ms that a study waits for it, a datagram that comes after its reader has gone.
//! Then a possible claim has no witness, and a guaranteed one was never exercised, though nothing is wrong
//! with it. So what runs in real time and came out like that is run again, a few times at most. Simulated
//! runs repeat bit for bit and are not.

use std::collections::BTreeMap;

use faultwire_sim::search::Tried;

use super::unit::Unit;
use super::{Part, VerifyOptions, rows};
use crate::claim::{Claim, Modality};
use crate::report::Outcome;

/// Rounds at most after the first.
pub(super) const ROUNDS_MAX: usize = 6;

/// What the units came to, by their places.
pub(super) type Done = BTreeMap<usize, super::unit::Done>;

/// The places of the units that are to be run again.
pub(super) fn open(options: &VerifyOptions, units: &[Unit], done: &Done) -> Vec<usize> {
    let parts: Vec<Part> = done.values().flat_map(|(_, parts)| parts.iter().cloned()).collect();
    let is_open = |row: &crate::report::Row| {
        matches!(row.outcome, Outcome::Unwitnessed | Outcome::Unproven) && row.expected_failure.is_none()
    };
    let open: Vec<_> = rows::rows(options, &parts).into_iter().filter(is_open).collect();
    let serves = |unit: &Unit| {
        let looks_at = |claim| unit.study.checks.iter().any(|spec| spec.claim == claim);
        let is_there = |row: &crate::report::Row| {
            (row.testbed, row.subject) == (unit.testbed.name(), unit.testbed.subject().name)
        };
        open.iter().any(|row| is_there(row) && looks_at(row.claim))
    };
    let again = units.iter().enumerate().filter(|(_, unit)| !unit.testbed.is_simulated() && serves(unit));
    again.map(|(place, _)| place).collect()
}

/// Enters what a unit came to; a second time, what it came to then as well.
pub(super) fn enter(done: &mut Done, place: usize, (tried, parts): (Tried, Vec<Part>)) {
    let Some((so_far, earlier)) = done.get_mut(&place) else {
        done.insert(place, (tried, parts));
        return;
    };
    let runs = tried.runs() + tried.not_applied;
    *so_far += Tried { retries: tried.retries + runs, ..tried };
    for (part, before) in parts.into_iter().zip(earlier.iter_mut()) {
        // All counts are those of every round; a run whose faults were not applied is made good by one of the
        // same unit whose faults were.
        let mut sum = before.tried;
        sum += Tried { retries: part.tried.retries + runs, ..part.tried };
        sum.not_applied = if part.tried.not_applied == 0 { 0 } else { sum.not_applied };
        // A retry that is ended early takes nothing back.
        let is_settled = !before.findings.is_empty() || (is_guaranteed(before.claim) && before.exercised > 0);
        *before = Part {
            tried: sum,
            exercised: before.exercised + part.exercised,
            findings: first(&mut before.findings, part.findings),
            stalled: before.stalled.take().or(part.stalled),
            failed: first(&mut before.failed, part.failed),
            internal: before.internal.take().or(part.internal),
            cut: before.cut || (part.cut && !is_settled),
            elapsed_ms: before.elapsed_ms + part.elapsed_ms,
            skipped: before.skipped.take(),
            claim: before.claim,
            testbed: before.testbed,
        };
    }
}

/// The first of two lists that has something.
fn first<T>(one: &mut Vec<T>, other: Vec<T>) -> Vec<T> {
    if one.is_empty() { other } else { std::mem::take(one) }
}

fn is_guaranteed(claim: &str) -> bool {
    Claim::of(claim).is_some_and(|claim| claim.modality == Modality::Guaranteed)
}

#[cfg(test)]
mod tests {
    use faultwire_sim::testbed::{self, TestbedRef};

    use super::*;
    use crate::engine::studies;

    const CLAIM: &str = "tcp/connected-before-accept";

    fn of(testbed: TestbedRef) -> (VerifyOptions, Vec<Unit>) {
        let options = VerifyOptions {
            lab_plans: 3,
            ..VerifyOptions::new(vec![Claim::of(CLAIM).expect("a claim")], vec![testbed])
        };
        let study = |name| *studies().iter().find(|study| study.name == name).expect("a study");
        let units = ["tcp-late-accept", "tcp-both-ways"]
            .map(|name| Unit::all(study(name), testbed, &options))
            .concat();
        (options, units)
    }

    fn part(testbed: TestbedRef) -> Part {
        let tried = Tried { fault_free: 1, ..Tried::default() };
        Part { tried, exercised: 1, ..Part::new(CLAIM, testbed) }
    }

    fn witness(testbed: TestbedRef) -> Part {
        let finding =
            crate::engine::Finding { how: "so".to_owned(), plan: Default::default(), shrink_runs: 0 };
        Part { findings: vec![finding], ..part(testbed) }
    }

    #[test]
    fn what_real_time_left_open_is_tried_again_until_it_is_settled() {
        for (testbed, is_tried_again) in
            [(testbed::LAB, true), (testbed::LOOPBACK, true), (testbed::VIRTUAL, false)]
        {
            let (options, units) = of(testbed);
            let mut done = Done::new();
            for place in 0..units.len() {
                let parts = if place == 0 { vec![part(testbed)] } else { Vec::new() };
                enter(&mut done, place, (Tried { fault_free: 1, ..Tried::default() }, parts));
            }
            // The study that looks at the claim, and no other.
            let expected: &[usize] = if is_tried_again { &[0] } else { &[] };
            assert_eq!(open(&options, &units, &done), expected, "{testbed}");
            enter(&mut done, 0, (Tried { fault_free: 1, ..Tried::default() }, vec![witness(testbed)]));
            assert_eq!(open(&options, &units, &done), [0; 0], "{testbed}");
            // Both rounds are counted, the second as retries.
            let (tried, parts) = &done[&0];
            assert_eq!((tried.fault_free, tried.retries), (2, 1));
            assert_eq!((parts[0].exercised, parts[0].tried.fault_free, parts[0].tried.retries), (2, 2, 1));
        }
    }

    #[test]
    fn a_break_is_not_tried_away() {
        let (_, units) = of(testbed::LAB);
        let mut done = Done::new();
        enter(&mut done, 0, (Tried::default(), vec![witness(testbed::LAB)]));
        enter(&mut done, 0, (Tried::default(), vec![part(testbed::LAB)]));
        assert!(done[&0].1[0].findings.len() == 1 && !units.is_empty());
    }
}
