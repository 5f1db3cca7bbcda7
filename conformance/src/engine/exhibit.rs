//! Runs to look at: for each claim the smallest plan that a verification found, run again, or one that shows
//! the situation that the claim speaks of.

mod example;

use std::ops::ControlFlow;

use faultwire::fault::FaultPlan;
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{CancellationToken, Run};

use super::finding::{said, smallest};
use super::mutants::{self, AnyMutant};
use super::{ReplayOptions, base_name, moment, replay, studies, unit};
use crate::claim::Claim;
use crate::report::{Exhibit, Outcome, Reason, Report, Row};
use crate::study::{CheckSpec, Seen, Study, Verdict};

/// What there is to look at, in the order of the registry.
pub fn exhibits(report: &Report) -> Vec<Exhibit> {
    let mut all = Vec::new();
    for claim in &*crate::claim::CLAIMS {
        let rows: Vec<&Row> = report.results.iter().filter(|row| row.claim == claim.id).collect();
        let mut found: Vec<Exhibit> = Vec::new();
        for (row, shown) in rows.iter().flat_map(|row| shown_by(row).into_iter().map(move |it| (row, it))) {
            let place = (row.testbed, row.subject);
            match found
                .iter_mut()
                .find(|other| same(&other.run.plan, shown.plan) && other.outcome() == Some(row.outcome))
            {
                Some(other) => {
                    other.found_on.push(place);
                    other.is_expected &= shown.is_expected;
                }
                None => found.extend(drawn(claim, row, shown, report.seed)),
            }
        }
        let settled = rows.iter().any(|row| row.outcome == Outcome::Held);
        // An expected failure says nothing of how it should be.
        if settled && found.iter().all(|it| it.is_expected) {
            found.splice(0..0, example::example(claim, report.seed));
        }
        all.extend(found);
    }
    all
}

/// What a row has to show: a plan, and what its run says.
#[derive(Clone, Copy)]
struct Shown<'a> {
    plan: &'a FaultPlan,
    how: Option<&'a str>,
    is_expected: bool,
}

/// Each kind of failure of a row; or its witness.
fn shown_by(row: &Row) -> Vec<Shown<'_>> {
    if row.failures.is_empty() {
        let (how, is_expected) = (row.why.as_deref(), row.expected_failure.is_some());
        return row.plan.iter().map(|plan| Shown { plan, how, is_expected }).collect();
    }
    let plans = row.failures.iter().filter_map(|it| Some((it.plan.as_ref()?, it)));
    plans.map(|(plan, it)| Shown { plan, how: Some(&it.how), is_expected: it.expected.is_some() }).collect()
}

/// Whether two plans do the same, whatever their titles say.
fn same(one: &FaultPlan, other: &FaultPlan) -> bool {
    (&one.link, &one.links, &one.faults, &one.events, &one.scenario)
        == (&other.link, &other.links, &other.faults, &other.events, &other.scenario)
}

/// A row's plan, run where it was found or, if that is no simulation, on `virtual`.
fn drawn(claim: &'static Claim, row: &Row, shown: Shown<'_>, seed: u64) -> Option<Exhibit> {
    let plan = shown.plan;
    let study = *studies()
        .iter()
        .find(|study| plan.scenario.as_deref().is_some_and(|it| base_name(it) == study.name))?;
    let drawn_on = if row.on.is_simulated() { row.on } else { testbed::VIRTUAL };
    if study.refusal(drawn_on).is_some() {
        return None;
    }
    let replayed = replay(&ReplayOptions { study, plan: plan.clone(), testbed: drawn_on, seed });
    let moment = replayed.moment(Some(claim), study);
    let seen = replayed.seen.into_iter().find(|(it, _)| it.id == claim.id).map(|(_, seen)| seen);
    Some(Exhibit {
        claim: claim.id,
        reason: Reason::Found(row.outcome),
        found_on: vec![(row.testbed, row.subject)],
        is_expected: shown.is_expected,
        how: shown.how.map(str::to_owned),
        drawn_on,
        run: replayed.run,
        seen,
        moment,
        seed,
    })
}

/// The studies that settle a claim on a testbed, each with the check that does it.
fn settled_by(claim: &Claim, testbed: TestbedRef) -> Vec<(&'static Study, &'static CheckSpec)> {
    let check = |study: &'static Study| {
        let spec = study.checks.iter().find(|spec| spec.claim == claim.id)?;
        unit::refusal(study, spec, testbed).is_none().then_some((study, spec))
    };
    studies().into_iter().filter_map(check).collect()
}

/// The smallest plan under which a run on `virtual` shows a possible claim, found and run on the spot.
pub(super) fn witness(claim: &'static Claim, seed: u64) -> Option<Exhibit> {
    let testbed = testbed::VIRTUAL;
    let size = |plan: &FaultPlan| (plan.faults.len() + plan.events.len(), plan.to_toml().len());
    let found = settled_by(claim, testbed).into_iter().filter_map(|(study, spec)| {
        let scenario = (study.scenario)(testbed).seed(seed).on(testbed);
        let mut shown = None;
        let mut look = |run: &Run| {
            let verdict = (spec.check)(run).verdict;
            if matches!(verdict, Verdict::Witnessed(_)) && run.end.is_finished() && run.fired.all() {
                shown = Some((run.plan.clone(), verdict));
            }
            if shown.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let depth = study.search.exhaustive.min(1);
        study.explorer(scenario.clone(), depth, |_, own| own()).search(&mut look);
        let (plan, verdict) = shown?;
        Some((study, spec, smallest(study, &scenario, *spec, &plan, &verdict, &CancellationToken::default())))
    });
    let (study, spec, finding) = found.min_by_key(|(_, _, finding)| size(&finding.plan))?;
    let run = (study.scenario)(testbed).seed(seed).on(testbed).run(&finding.plan);
    Some(found_here(Outcome::Witnessed, spec, (spec.check)(&run), run, seed))
}

/// The smallest run in which the check of the claim that a mutant breaks sees it.
pub(super) fn broken(mutant: AnyMutant, seed: u64) -> Option<Exhibit> {
    let (run, spec, seen) = mutants::exposed(mutant, seed)?;
    Some(found_here(Outcome::Broken, &spec, seen, run, seed))
}

fn found_here(outcome: Outcome, spec: &CheckSpec, seen: Seen, run: Run, seed: u64) -> Exhibit {
    Exhibit {
        claim: spec.claim,
        reason: Reason::Found(outcome),
        found_on: Vec::new(),
        is_expected: false,
        how: said(&seen.verdict).map(str::to_owned),
        drawn_on: testbed::VIRTUAL,
        moment: moment(&run, spec.check),
        run,
        seen: Some(seen),
        seed,
    }
}
