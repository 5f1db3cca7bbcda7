//! Mutants: each must be caught by the check of the claim that it breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::mpsc::Sender;
use std::thread;

use faultwire::fault::FaultPlan;
use faultwire::stack::Mutant;
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::workers::side_by_side;
use faultwire_sim::{CancellationToken, End, Run, Scenario};

use super::finding::smallest_of;
use super::{Tell, studies};
use crate::progress::Progress;
use crate::study::{CheckSpec, ProgramMutant, Search, Seen, Study, Verdict};

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

/// A deliberate bug, of the stack or of a study's programs.
#[derive(Clone, Copy, Debug)]
pub enum AnyMutant {
    /// Of the stack: it misbehaves in every study.
    Stack(Mutant),
    /// Of a program: it stands in for the study's own.
    Program(&'static Study, &'static ProgramMutant),
}

impl AnyMutant {
    /// All of them: those of the stack, then those of programs.
    pub fn all() -> Vec<AnyMutant> {
        let of_stack = Mutant::ALL.iter().copied().map(AnyMutant::Stack);
        let of_study =
            |study: &'static Study| study.mutants.iter().map(move |it| AnyMutant::Program(study, it));
        of_stack.chain(studies().into_iter().flat_map(of_study)).collect()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            AnyMutant::Stack(mutant) => mutant.name(),
            AnyMutant::Program(_, mutant) => mutant.name,
        }
    }

    /// What it does wrong.
    pub fn about(self) -> &'static str {
        match self {
            AnyMutant::Stack(mutant) => mutant.about(),
            AnyMutant::Program(_, mutant) => mutant.about,
        }
    }

    /// The claim whose check must see it.
    pub fn breaks(self) -> &'static str {
        match self {
            AnyMutant::Stack(mutant) => mutant.breaks(),
            AnyMutant::Program(_, mutant) => mutant.breaks,
        }
    }

    /// The studies that it can misbehave in on a testbed.
    fn studies(self, testbed: TestbedRef) -> Vec<&'static Study> {
        let all = match self {
            AnyMutant::Stack(_) => studies(),
            AnyMutant::Program(study, _) => vec![study],
        };
        all.into_iter().filter(|study| study.refusal(testbed).is_none()).collect()
    }

    /// How it is tried in one of its studies.
    fn trial(self, study: &'static Study, testbed: TestbedRef, search: Search, seed: u64) -> Trial {
        let sound = (study.scenario)(testbed).on(testbed).seed(seed);
        let broken = match self {
            AnyMutant::Stack(mutant) => sound.clone().mutant(mutant),
            AnyMutant::Program(_, mutant) => (mutant.scenario)(testbed).on(testbed).seed(seed),
        };
        Trial { study, broken, sound, search }
    }

    /// Tries it in all of its studies: those of the stack on `virtual`, those of programs over real sockets.
    fn tried(self, seed: u64, tell: &Sender<Tell<MutantRow>>, token: &CancellationToken) -> MutantRow {
        let mut row = MutantRow { cut: token.is_cancelled(), ..self.row() };
        if row.cut {
            return row;
        }
        // The receiver is gone only when the whole work is.
        let _ = tell.send(Tell::Starts(self.name().to_owned()));
        let (testbed, most) = match self {
            AnyMutant::Stack(_) => (testbed::VIRTUAL, SEARCH),
            AnyMutant::Program(..) => (testbed::LOOPBACK, Search::FAULT_FREE),
        };
        for study in self.studies(testbed) {
            let search = if study.search == Search::FAULT_FREE { study.search } else { most };
            let runs = self.trial(study, testbed, search, seed).run(&mut row, token);
            let _ = tell.send(Tell::Ran(runs));
        }
        let _ = tell.send(Tell::Done(self.name().to_owned()));
        row
    }

    fn row(self) -> MutantRow {
        MutantRow {
            name: self.name().to_owned(),
            about: self.about().to_owned(),
            breaks: self.breaks(),
            caught_by: BTreeSet::new(),
            plan: None,
            cut: false,
        }
    }
}

/// Runs every mutant against the checks: those of the stack on `virtual`, those of programs over real
/// sockets.
pub fn mutants(seed: u64, progress: &mut dyn Progress) -> Vec<MutantRow> {
    mutants_until(seed, progress, &CancellationToken::default())
}

/// Like [`mutants`], but cancellable: then it returns the rows that it has.
pub fn mutants_until(seed: u64, progress: &mut dyn Progress, token: &CancellationToken) -> Vec<MutantRow> {
    let all = AnyMutant::all();
    progress.begin(all.len() as u64);
    let numbered: Vec<(usize, AnyMutant)> = all.into_iter().enumerate().collect();
    let mut rows: BTreeMap<usize, MutantRow> = BTreeMap::new();
    let work = |(index, mutant): &(usize, AnyMutant), tell: &Sender<Tell<MutantRow>>| {
        let row = mutant.tried(seed, tell, token);
        // The receiver is gone only when the whole work is.
        let _ = tell.send(Tell::Result(*index, row));
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    side_by_side(&[(&numbered, cores)], &work, &mut |what| what.tell(progress, &mut rows));
    progress.end();
    rows.into_values().collect()
}

/// The smallest run on `virtual` in which the check that must see a mutant does, with that check and what it
/// saw.
pub(super) fn exposed(mutant: AnyMutant, seed: u64) -> Option<(Run, CheckSpec, Seen)> {
    let testbed = testbed::VIRTUAL;
    let settles = |spec: &&CheckSpec| spec.claim == mutant.breaks();
    let size = |run: &Run| (run.plan.faults.len() + run.plan.events.len(), run.trace.events().len());
    let mut best: Option<(Run, CheckSpec, Seen)> = None;
    // What needs no fault is seen without a search through all of its studies.
    for search in [Search::FAULT_FREE, SEARCH] {
        for study in mutant.studies(testbed) {
            let specs = || study.checks.iter().filter(settles);
            let is_searched = search == Search::FAULT_FREE || study.search != Search::FAULT_FREE;
            if specs().next().is_none() || study.search.thorough_only || !is_searched {
                continue;
            }
            let trial = mutant.trial(study, testbed, search, seed);
            let mut row = mutant.row();
            trial.run(&mut row, &CancellationToken::default());
            let Some(plan) = row.plan else { continue };
            let run = trial.broken.run(&plan);
            let sees = specs().map(|spec| (*spec, seen_by(spec, &run)));
            let is_broken = |seen: &Seen| matches!(seen.verdict, Verdict::Broken(_));
            let Some((spec, seen)) = sees.into_iter().find(|(_, seen)| is_broken(seen)) else { continue };
            if best.as_ref().is_none_or(|(other, ..)| size(&run) < size(other)) {
                best = Some((run, spec, seen));
            }
        }
        if best.as_ref().is_some_and(|(run, ..)| size(run).0 <= 1) {
            break;
        }
    }
    best
}

/// A mutant in one of its studies.
struct Trial {
    study: &'static Study,
    /// The scenario with the mutant in it.
    broken: Scenario,
    /// The scenario without it.
    sound: Scenario,
    search: Search,
}

impl Trial {
    /// Looks at the mutant with all checks of the study. The search for the claim that it must break goes on
    /// until that one sees it; the others see what they see on the way. Tells how many runs that took.
    fn run(&self, row: &mut MutantRow, token: &CancellationToken) -> u64 {
        if token.is_cancelled() {
            row.cut = true;
            return 0;
        }
        let Trial { study, search, .. } = self;
        let concerns = study.checks.iter().any(|spec| spec.claim == row.breaks);
        // A study of other claims gets a look without faults.
        let (depth, random) = if concerns { (search.exhaustive, search.random) } else { (0, 0) };
        let scenario = &self.broken;
        let own = move |_: &Run, own: &dyn Fn() -> _| if concerns { own() } else { Vec::new() };
        let explorer = study.explorer(scenario.clone(), depth, own).random(random);
        let mut found = None;
        let mut look = |run: &Run| {
            for spec in study.checks {
                let verdict = seen_by(spec, run).verdict;
                if matches!(verdict, Verdict::Broken(_)) {
                    row.caught_by.insert(spec.claim);
                    if spec.claim == row.breaks && found.is_none() {
                        found = Some((*spec, run.plan.clone(), verdict));
                    }
                }
            }
            let over = found.is_some() || token.is_cancelled();
            row.cut |= found.is_none() && over;
            if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let runs = explorer.search(&mut look).runs();
        if let Some((spec, plan, verdict)) = found {
            // A plan that leaves the claim's conditions, as a partition that never heals does, says nothing
            // of the mutant: what is sound fails under it too.
            let is_the_mutants = |plan: &FaultPlan| {
                let run = self.sound.run(plan);
                run.end.is_finished() && (spec.check)(&run).verdict == Verdict::Fine
            };
            let plan = smallest_of(study, scenario, spec, &plan, &verdict, token, &is_the_mutants).plan;
            let size = |plan: &FaultPlan| plan.faults.len() + plan.events.len();
            if row.plan.as_ref().is_none_or(|known| size(&plan) < size(known)) {
                row.plan = Some(plan);
            }
        }
        runs
    }
}

/// What a check sees in a run of a mutant. What never ends fails every claim of its study.
fn seen_by(spec: &CheckSpec, run: &Run) -> Seen {
    let seen = (spec.check)(run);
    let is_stalled = matches!(run.end, End::Stalled { .. });
    if is_stalled && !matches!(seen.verdict, Verdict::Broken(_)) {
        return Seen::broken(seen.exercised, "it never ended");
    }
    seen
}
