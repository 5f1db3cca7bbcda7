//! Rows of a report: what all studies of a claim say of it on a testbed, put together.

use faultwire::fault::FaultPlan;
use faultwire_sim::Testbed;

use super::{Part, VerifyOptions};
use crate::claim::{Claim, Modality};
use crate::report::{Outcome, Row};

/// A row for each claim on each testbed.
pub(super) fn rows(options: &VerifyOptions, parts: &[Part]) -> Vec<Row> {
    let on = |claim: &'static Claim, testbed: Testbed| {
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

fn row(claim: &'static Claim, testbed: Testbed, parts: &[&Part]) -> Row {
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
    let (outcome, why, plan) = outcome(claim, &tried, row.exercised);
    (row.outcome, row.why, row.plan) = (outcome, why, plan);
    row
}

/// What it comes to. The worst counts: what could not be run, then what never ended, then what was found.
fn outcome(claim: &Claim, parts: &[&Part], exercised: u64) -> (Outcome, Option<String>, Option<FaultPlan>) {
    if let Some((why, plan)) = parts.iter().find_map(|part| part.failed.clone()) {
        return (Outcome::Error, Some(why), Some(plan));
    }
    if let Some((why, plan)) = parts.iter().find_map(|part| part.stalled.clone()) {
        return (Outcome::Stalled, Some(why), Some(plan));
    }
    let size = |plan: &FaultPlan| (plan.faults.len() + plan.events.len(), plan.to_toml().len());
    let finding =
        parts.iter().filter_map(|part| part.finding.as_ref()).min_by_key(|finding| size(&finding.plan));
    if let Some(finding) = finding {
        let outcome = match claim.modality {
            Modality::Guaranteed => Outcome::Broken,
            Modality::Possible => Outcome::Witnessed,
        };
        return (outcome, Some(finding.how.clone()), Some(finding.plan.clone()));
    }
    if claim.modality == Modality::Possible {
        return (Outcome::Unwitnessed, Some("no run showed it".to_owned()), None);
    }
    if exercised == 0 {
        return (Outcome::Unproven, Some("the situation it speaks of never occurred".to_owned()), None);
    }
    let inert: u64 = parts.iter().map(|part| part.tried.inert).sum();
    if inert > 0 {
        return (
            Outcome::Unproven,
            Some(format!("in {inert} runs a planned fault did not take place")),
            None,
        );
    }
    (Outcome::Held, None, None)
}
