//! Rows of a report: what all studies of a claim say of it on a testbed, put together.

use faultwire::fault::FaultPlan;
use faultwire_sim::testbed::TestbedRef;

use super::{Finding, Part, VerifyOptions};
use crate::claim::{Claim, Modality};
use crate::report::{Outcome, Row};

/// A row for each claim on each testbed.
pub(super) fn rows(options: &VerifyOptions, parts: &[Part]) -> Vec<Row> {
    let on = |claim: &'static Claim, testbed: TestbedRef| {
        if let Some(why) = options.unavailable(testbed) {
            return Row::unavailable(claim, testbed, why);
        }
        let of: Vec<&Part> =
            parts.iter().filter(|part| part.claim == claim.id && part.testbed == testbed).collect();
        row(claim, testbed, &of)
    };
    options
        .claims
        .iter()
        .flat_map(|claim| options.testbeds.iter().map(move |testbed| on(claim, *testbed)))
        .collect()
}

fn row(claim: &'static Claim, testbed: TestbedRef, parts: &[&Part]) -> Row {
    let tried: Vec<&Part> = parts.iter().copied().filter(|part| part.skipped.is_none()).collect();
    if tried.is_empty() {
        let why = parts.first().and_then(|part| part.skipped.clone());
        return Row::skipped(claim, testbed, why.unwrap_or_else(|| "no study of it runs there".to_owned()));
    }
    let sum = |of: fn(&Part) -> u64| tried.iter().map(|part| of(part)).sum::<u64>();
    let mut row = Row::new(claim, testbed, Outcome::Held);
    row.exhaustive = sum(|part| part.tried.exhaustive());
    row.random = sum(|part| part.tried.random);
    row.exercised = sum(|part| part.exercised);
    row.faults_planned = sum(|part| part.tried.faults_planned);
    row.faults_fired = sum(|part| part.tried.faults_fired);
    row.elapsed_ms = sum(|part| part.elapsed_ms);
    let retries = sum(|part| part.tried.retries);
    row.retries = (testbed.is_live() || retries > 0).then_some(retries);
    let (outcome, why, plan) = outcome(claim, &tried, row.exercised);
    (row.outcome, row.why, row.plan) = (outcome, why, plan);
    if outcome == Outcome::Skipped {
        // What is listed is neither confirmed nor refuted.
        row.expected_failure = None;
    }
    row
}

/// What it comes to: a break of a guaranteed claim above all, since nothing takes it back. Then what leaves
/// the suite unable to tell (a plan that could not be run, a panic, a study's own program that failed: those
/// assert nothing, so that a failure of theirs says nothing of the claim), then what never ended, then a
/// witness or its absence.
fn outcome(claim: &Claim, parts: &[&Part], exercised: u64) -> (Outcome, Option<String>, Option<FaultPlan>) {
    let size = |plan: &FaultPlan| (plan.faults.len() + plan.events.len(), plan.to_toml().len());
    let finding =
        parts.iter().filter_map(|part| part.finding.as_ref()).min_by_key(|finding| size(&finding.plan));
    let found = |outcome, finding: &Finding| (outcome, Some(finding.how.clone()), Some(finding.plan.clone()));
    if let (Modality::Guaranteed, Some(finding)) = (claim.modality, finding) {
        return found(Outcome::Broken, finding);
    }
    if let Some((why, plan)) = parts.iter().find_map(|part| part.internal.clone()) {
        return (Outcome::Error, Some(why), plan);
    }
    if let Some((why, plan)) = parts.iter().find_map(|part| part.failed.clone()) {
        return (Outcome::Error, Some(format!("a program of the scenario failed: {why}")), Some(plan));
    }
    if let Some((why, plan)) = parts.iter().find_map(|part| part.stalled.clone()) {
        return (Outcome::Stalled, Some(why), Some(plan));
    }
    // A search that was ended early held nothing, however far it came.
    let cut = parts.iter().any(|part| part.cut);
    match (claim.modality, finding) {
        (_, Some(finding)) => return found(Outcome::Witnessed, finding),
        (Modality::Possible, None) if cut => {
            return (Outcome::Skipped, Some("interrupted: no run showed it until then".to_owned()), None);
        }
        (Modality::Guaranteed, None) if cut => {
            return (Outcome::Skipped, Some("interrupted: nothing broke it until then".to_owned()), None);
        }
        (Modality::Possible, None) => {
            return (Outcome::Unwitnessed, Some("no run showed it".to_owned()), None);
        }
        (Modality::Guaranteed, None) => {}
    }
    if exercised == 0 {
        return (Outcome::Unproven, Some("the situation it speaks of never occurred".to_owned()), None);
    }
    let not_applied: u64 = parts.iter().map(|part| part.tried.not_applied).sum();
    let under_faults: u64 = parts.iter().map(|part| part.tried.runs() - part.tried.fault_free).sum();
    // The kernel is free to send other packets the next time: what did not take place there counts for
    // nothing.
    let in_lab = parts.iter().all(|part| part.testbed.is_live());
    if not_applied > if in_lab { under_faults } else { 0 } {
        return (
            Outcome::Unproven,
            Some(format!("in {not_applied} runs a planned fault did not take place")),
            None,
        );
    }
    (Outcome::Held, None, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_sim::testbed;

    fn part(claim: &'static str) -> Part {
        Part { exercised: 1, ..Part::new(claim, testbed::VIRTUAL) }
    }

    fn of(claim: &'static str, parts: &[Part]) -> Outcome {
        let parts: Vec<&Part> = parts.iter().collect();
        row(Claim::of(claim).expect("a claim"), testbed::VIRTUAL, &parts).outcome
    }

    fn trouble(claim: &'static str) -> [Part; 3] {
        let plan = FaultPlan::default();
        [
            Part { internal: Some(("refused".to_owned(), None)), ..part(claim) },
            Part { failed: Some(("client: ENETDOWN".to_owned(), plan.clone())), ..part(claim) },
            Part { stalled: Some(("600 s".to_owned(), plan)), ..part(claim) },
        ]
    }

    fn found(claim: &'static str) -> Part {
        let (how, plan) = ("so".to_owned(), FaultPlan::default());
        Part { finding: Some(Finding { how, plan, shrink_runs: 0 }), ..part(claim) }
    }

    #[test]
    fn nothing_hides_a_break_and_trouble_comes_before_a_witness() {
        let outcomes = [Outcome::Error, Outcome::Error, Outcome::Stalled];
        let (guaranteed, possible) = ("udp/never-repeats", "udp/may-lose");
        assert_eq!(of(guaranteed, &[part(guaranteed)]), Outcome::Held);
        assert_eq!(of(possible, &[part(possible)]), Outcome::Unwitnessed);
        for (trouble, outcome) in trouble(guaranteed).into_iter().zip(outcomes) {
            assert_eq!(of(guaranteed, &[part(guaranteed), trouble.clone()]), outcome);
            assert_eq!(of(guaranteed, &[trouble, found(guaranteed)]), Outcome::Broken);
        }
        for (trouble, outcome) in trouble(possible).into_iter().zip(outcomes) {
            assert_eq!(of(possible, &[found(possible), trouble]), outcome);
        }
        assert_eq!(of(possible, &[found(possible)]), Outcome::Witnessed);
    }

    #[test]
    fn a_search_that_was_ended_early_held_nothing() {
        let cut = |claim| Part { cut: true, ..part(claim) };
        let (guaranteed, possible) = ("udp/never-repeats", "udp/may-lose");
        for claim in [guaranteed, possible] {
            assert_eq!(of(claim, &[part(claim), cut(claim)]), Outcome::Skipped);
            // Not even where its situation had not occurred yet.
            assert_eq!(of(claim, &[Part { exercised: 0, ..cut(claim) }]), Outcome::Skipped);
        }
        // What was found stays found.
        assert_eq!(of(guaranteed, &[found(guaranteed), cut(guaranteed)]), Outcome::Broken);
        assert_eq!(of(possible, &[cut(possible), found(possible)]), Outcome::Witnessed);
    }
}
