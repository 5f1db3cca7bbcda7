//! Mutants: each must be caught by the check of the claim that it breaks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use faultwire::fault::FaultPlan;
use faultwire::stack::Mutant;
use faultwire_sim::{End, Run, Scenario, Testbed};

use super::finding::smallest;
use super::studies;
use crate::check::Verdict;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::study::{Search, Study};

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantRow {
    /// Its name.
    pub name: String,
    /// What it does wrong.
    pub about: String,
    /// The claim whose check must see it.
    pub breaks: &'static str,
    /// The claims whose checks saw it.
    pub caught_by: BTreeSet<&'static str>,
    /// The smallest plan with which the check saw it.
    pub plan: Option<FaultPlan>,
    /// The work was asked to end before the search for it was over.
    pub cut: bool,
}

impl MutantRow {
    /// Whether the check that must see it did.
    pub fn is_caught(&self) -> bool {
        self.caught_by.contains(self.breaks)
    }
}

/// How hard a mutant is looked for: it is to be seen under one fault, or none.
const SEARCH: Search = Search::of(1, 32);

/// Runs every mutant against the checks: those of the stack on `virtual`, those of programs over real sockets.
pub fn mutants(seed: u64, progress: &mut dyn Progress) -> Vec<MutantRow> {
    mutants_until(seed, progress, &Interrupt::default())
}

/// The same, until all is done or until it is asked to end: then with what it has by then.
pub fn mutants_until(seed: u64, progress: &mut dyn Progress, interrupt: &Interrupt) -> Vec<MutantRow> {
    let studies = studies();
    let of_programs: usize = studies.iter().map(|study| study.mutants.len()).sum();
    progress.begin((Mutant::ALL.len() + of_programs) as u64);
    let mut rows = Vec::new();
    for mutant in Mutant::ALL {
        let mut row = new_row(mutant.name(), mutant.about(), mutant.breaks());
        row.cut = interrupt.is_asked();
        if !row.cut {
            progress.starts(mutant.name());
            for study in studies.iter().filter(|study| (study.refuses)(Testbed::Virtual).is_none()) {
                let scenario =
                    (study.scenario)(Testbed::Virtual).on(Testbed::Virtual).seed(seed).mutant(*mutant);
                let search = if study.search == Search::FAULT_FREE { study.search } else { SEARCH };
                progress.ran(try_it(study, &scenario, search, &mut row, interrupt));
            }
            progress.done(mutant.name());
        }
        rows.push(row);
    }
    for study in &studies {
        for mutant in study.mutants {
            let mut row = new_row(mutant.name, mutant.about, mutant.breaks);
            row.cut = interrupt.is_asked();
            if !row.cut {
                progress.starts(mutant.name);
                let testbed = Testbed::Loopback;
                let scenario = (mutant.scenario)(testbed).on(testbed).seed(seed);
                progress.ran(try_it(study, &scenario, Search::FAULT_FREE, &mut row, interrupt));
                progress.done(mutant.name);
            }
            rows.push(row);
        }
    }
    progress.end();
    rows
}

fn new_row(name: &str, about: &str, breaks: &'static str) -> MutantRow {
    MutantRow {
        name: name.to_owned(),
        about: about.to_owned(),
        breaks,
        caught_by: BTreeSet::new(),
        plan: None,
        cut: false,
    }
}

/// Looks at a mutant with all checks of a study. The search for the claim that it must break goes on until that one
/// sees it; the others see what they see on the way. Tells how many runs that took.
fn try_it(
    study: &Study,
    scenario: &Scenario,
    search: Search,
    row: &mut MutantRow,
    interrupt: &Interrupt,
) -> u64 {
    if interrupt.is_asked() {
        row.cut = true;
        return 0;
    }
    let scenario = scenario.clone().exhaustive(search.exhaustive).random(search.random);
    let concerns = study.checks.iter().any(|spec| spec.claim == row.breaks);
    // A study of other claims gets a look without faults.
    let scenario = if concerns { scenario } else { scenario.exhaustive(0).random(0) };
    let mut found = None;
    let takes_faults = scenario.testbed().carries_faults();
    let mut look = |run: &Run| {
        // What never ends fails every claim of its study.
        let is_stalled = matches!(run.end, End::Stalled { .. });
        for spec in study.checks {
            let verdict = match (spec.check)(run).verdict {
                Verdict::Fine | Verdict::Shown(_) if is_stalled => {
                    Verdict::Broken("it never ended".to_owned())
                }
                verdict => verdict,
            };
            if matches!(verdict, Verdict::Broken(_)) {
                row.caught_by.insert(spec.claim);
                if spec.claim == row.breaks && found.is_none() {
                    found = Some((*spec, run.plan.clone(), verdict));
                }
            }
        }
        let over = found.is_some() || interrupt.is_asked();
        row.cut |= found.is_none() && over;
        if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let tried = scenario.search(&mut look);
    let mut runs = tried.runs();
    if concerns && !tried.stopped && takes_faults {
        for plan in (study.plans)() {
            runs += 1;
            if look(&scenario.run(&plan)).is_break() {
                break;
            }
        }
    }
    if let Some((spec, plan, verdict)) = found {
        let plan = smallest(study, &scenario, spec, &plan, &verdict, interrupt).plan;
        let size = |plan: &FaultPlan| plan.faults.len() + plan.events.len();
        if row.plan.as_ref().is_none_or(|known| size(&plan) < size(known)) {
            row.plan = Some(plan);
        }
    }
    runs
}
