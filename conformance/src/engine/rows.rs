//! Rows of a report: what all studies of a claim say of it on a testbed, put together.

use faultwire::fault::FaultPlan;
use faultwire::text::without_values;
use faultwire_sim::testbed::TestbedRef;

use super::unit::STALLED;
use super::{Finding, Part, VerifyOptions};
use crate::claim::{Claim, Modality};
use crate::expected::{ExpectedFailure, Shown};
use crate::report::{Failure, Outcome, Row};
use crate::study::Study;

/// A row for each claim on each testbed.
pub(super) fn rows(options: &VerifyOptions, parts: &[Part]) -> Vec<Row> {
    let on = |claim: &'static Claim, testbed: TestbedRef| {
        if let Some(why) = options.unavailable(testbed) {
            return Row::skipped(claim, testbed, why);
        }
        let of: Vec<&Part> =
            parts.iter().filter(|part| part.claim == claim.id && part.testbed == testbed).collect();
        row(options, claim, testbed, &of)
    };
    options
        .claims
        .iter()
        .flat_map(|claim| options.testbeds.iter().map(move |testbed| on(claim, *testbed)))
        .collect()
}

fn row(options: &VerifyOptions, claim: &'static Claim, testbed: TestbedRef, parts: &[&Part]) -> Row {
    let tried: Vec<&Part> = parts.iter().copied().filter(|part| part.skipped.is_none()).collect();
    if tried.is_empty() {
        let why = parts.first().and_then(|part| part.skipped.clone());
        let why = why.unwrap_or_else(|| "no study of it runs there".to_owned());
        let mut listed = options.expected.iter().filter(|it| it.is_on(testbed));
        let expected_failure = listed.find(|it| it.claim == Some(claim.id)).map(|it| it.why);
        return Row { expected_failure, ..Row::skipped(claim, testbed, why) };
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
    if outcome != Outcome::Skipped {
        compare_with_list(options, claim, &tried, &mut row);
    }
    row
}

/// Enters the kinds of failure, and which of them are expected. What is listed and did not show is a failure
/// as well.
fn compare_with_list(options: &VerifyOptions, claim: &'static Claim, parts: &[&Part], row: &mut Row) {
    let is_settled_by = |scenario: &str| {
        let of = |study: &&Study| study.name == scenario && study.refusal(row.on).is_none();
        super::studies().iter().any(|it| of(it) && it.checks.iter().any(|spec| spec.claim == claim.id))
    };
    let concerns = |it: &&ExpectedFailure| match (it.claim, it.scenario) {
        (Some(id), _) => id == claim.id,
        (None, scenario) => scenario.is_some_and(is_settled_by),
    };
    let listed: Vec<&ExpectedFailure> =
        options.expected.iter().filter(|it| it.takes_part(row.on)).filter(concerns).collect();
    let mut shown: Vec<&ExpectedFailure> = Vec::new();
    for (of, told, (how, plan)) in failures(claim, row.outcome, parts) {
        let scenario = plan.scenario.as_deref().unwrap_or_default();
        let seen = Shown { claim: of, scenario, how: told.unwrap_or(&how) };
        let entry = listed.iter().copied().find(|it| it.explains(seen));
        shown.extend(entry);
        let (expected, confirmed) = (entry.map(|it| it.why), entry.and_then(|it| it.confirmed));
        let failure = Failure { how, plan: Some(plan), expected, confirmed };
        if row.failures.iter().all(|other| without_values(&other.how) != without_values(&failure.how)) {
            row.failures.push(failure);
        }
    }
    let must_show = listed.iter().copied().filter(|it| it.is_on(row.on));
    row.expected_failure = shown.first().copied().or(must_show.clone().next()).map(|it| it.why);
    if shown.is_empty() {
        return;
    }
    for it in must_show.filter(|it| !shown.iter().any(|other| std::ptr::eq(*other, *it))) {
        let how = format!("an expected failure no longer occurs: {}", it.why);
        row.failures.push(Failure { how, plan: it.plan.clone(), expected: None, confirmed: it.confirmed });
    }
    // What is new is said first.
    if let Some(new) = row.failures.iter().find(|it| it.expected.is_none()) {
        (row.why, row.plan) = (Some(new.how.clone()), new.plan.clone());
    }
}

/// A kind of failure: the claim, unless it is one of its scenario's runs; what it is told from others by, if
/// not by how it shows; how it shows, and its plan.
type Kind = (Option<&'static str>, Option<&'static str>, (String, FaultPlan));

/// The kinds of failure that count against a claim.
fn failures(claim: &'static Claim, outcome: Outcome, parts: &[&Part]) -> Vec<Kind> {
    if !matches!(outcome, Outcome::Broken | Outcome::Failed | Outcome::Stalled) {
        return Vec::new();
    }
    let breaks = parts.iter().flat_map(|part| &part.findings);
    let breaks = breaks.filter(|_| claim.modality == Modality::Guaranteed);
    let mut all: Vec<Kind> =
        breaks.map(|it| (Some(claim.id), None, (it.how.clone(), it.plan.clone()))).collect();
    for part in parts.iter().filter(|part| part.testbed.subject().is_foreign()) {
        all.extend(part.failed.iter().map(|it| (None, None, it.clone())));
        all.extend(part.stalled.iter().map(|it| (None, Some(STALLED), it.clone())));
    }
    all
}

/// What it comes to: a break of a guaranteed claim above all, since nothing takes it back. Then what leaves
/// the suite unable to tell (a plan that could not be run, a panic, a study's own program that failed: those
/// assert nothing, so that a failure of theirs says nothing of the claim; over a third party's sockets it is
/// taken for theirs), then what never ended, then a witness or its absence.
fn outcome(claim: &Claim, parts: &[&Part], exercised: u64) -> (Outcome, Option<String>, Option<FaultPlan>) {
    let size = |plan: &FaultPlan| (plan.faults.len() + plan.events.len(), plan.to_toml().len());
    let finding = parts.iter().flat_map(|part| &part.findings).min_by_key(|finding| size(&finding.plan));
    let found = |outcome, finding: &Finding| (outcome, Some(finding.how.clone()), Some(finding.plan.clone()));
    if let (Modality::Guaranteed, Some(finding)) = (claim.modality, finding) {
        return found(Outcome::Broken, finding);
    }
    if let Some((why, plan)) = parts.iter().find_map(|part| part.internal.clone()) {
        return (Outcome::Error, Some(why), plan);
    }
    if let Some((part, (why, plan))) = parts.iter().find_map(|part| Some((part, part.failed.first()?))) {
        let is_foreign = part.testbed.subject().is_foreign();
        let outcome = if is_foreign { Outcome::Failed } else { Outcome::Error };
        return (outcome, Some(format!("a program of the scenario failed: {why}")), Some(plan.clone()));
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
        let options = VerifyOptions::new(Vec::new(), Vec::new());
        row(&options, Claim::of(claim).expect("a claim"), testbed::VIRTUAL, &parts).outcome
    }

    fn trouble(claim: &'static str) -> [Part; 3] {
        let plan = FaultPlan::default();
        [
            Part { internal: Some(("refused".to_owned(), None)), ..part(claim) },
            Part { failed: vec![("client: ENETDOWN".to_owned(), plan.clone())], ..part(claim) },
            Part { stalled: Some(("600 s".to_owned(), plan)), ..part(claim) },
        ]
    }

    fn found(claim: &'static str) -> Part {
        let (how, plan) = ("so".to_owned(), FaultPlan::default());
        Part { findings: vec![Finding { how, plan, shrink_runs: 0 }], ..part(claim) }
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
