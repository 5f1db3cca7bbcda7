//! Shrinking a plan that a user brings: what it shows, the path to the smallest plan that still does, and
//! how sure that is.

mod step;

use std::cell::Cell;
use std::fmt;

use faultwire::fault::FaultPlan;
use faultwire_sim::search::{ShrinkLimits, Shrunk};
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{CancellationToken, End, Run, Scenario};

use super::finding::named;
use super::unit;
use crate::claim::Claim;
use crate::study::{CheckSpec, Study, Verdict};

/// Runs that are made, where runs do not repeat, until one shows something.
const TRIES_MAX: u64 = 5;
/// Runs of the smallest plan, where runs do not repeat.
const REPEATS: u64 = 10;

/// What to shrink.
#[derive(Clone, Debug)]
pub struct ShrinkOptions {
    /// The study whose scenario is run.
    pub study: &'static Study,
    /// The plan.
    pub plan: FaultPlan,
    /// Where.
    pub testbed: TestbedRef,
    /// The seed of ports and identifications.
    pub seed: u64,
    /// What the plan must go on to show, or to break; if none, the first thing that its run shows.
    pub claim: Option<&'static Claim>,
    /// How many plans are run at most.
    pub runs_max: u64,
}

/// What a plan shows, and every smaller one must show too.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// It breaks a guaranteed claim.
    Breaks(CheckSpec),
    /// It shows a possible claim.
    Shows(CheckSpec),
    /// A program of the scenario fails, or an invariant of it.
    Fails,
    /// The run reaches a limit.
    Stalls,
}

/// A plan that still shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many plans had been run by then, this one among them.
    pub runs: u64,
    /// What became of the plan before, in words.
    pub words: String,
}

/// Why the shrinking came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Each plan that is one step simpler was run and does not show it.
    Smallest,
    /// The runs are used up.
    OutOfRuns,
    /// The work was asked to end.
    Interrupted,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Shrinking {
    /// What the plan shows.
    pub goal: Goal,
    /// In what way the smallest plan shows it.
    pub how: String,
    /// The smallest plan that was found, with its title, its scenario and its claim.
    pub plan: FaultPlan,
    /// The way there.
    pub steps: Vec<Step>,
    /// How many plans were run.
    pub runs: u64,
    /// Why it came to its end.
    pub stopped: Stopped,
    /// Where runs do not repeat: in how many of how many runs of the smallest plan it was seen again.
    pub repeats: Option<(u64, u64)>,
}

/// Why nothing was shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotShrunk {
    /// The testbed does not run the plan, or cannot tell: why.
    CannotRun(String),
    /// The testbed runs it, and could not this time: why.
    Trouble(String),
    /// The work was asked to end before anything was known.
    Interrupted,
    /// The plan shows nothing: what it does in place of that.
    ShowsNothing(String),
}

impl Goal {
    /// The claim that it is about.
    pub fn claim(&self) -> Option<&'static str> {
        match self {
            Goal::Breaks(spec) | Goal::Shows(spec) => Some(spec.claim),
            Goal::Fails | Goal::Stalls => None,
        }
    }

    /// In what way a run shows it, if it does: only one that had all of its faults.
    fn seen_in(&self, run: &Run) -> Option<String> {
        if !run.fired.all() {
            return None;
        }
        match (self, &run.end) {
            (Goal::Fails, End::Failed { host, message }) => {
                Some(format!("{} failed: {message}", host.as_deref().unwrap_or("an invariant")))
            }
            (Goal::Stalls, End::Stalled { limit, .. }) => Some(format!("not done after {limit}")),
            (Goal::Fails | Goal::Stalls, _) | (_, End::Refused { .. }) => None,
            (Goal::Breaks(spec), _) => match (spec.check)(run).verdict {
                Verdict::Broken(how) => Some(how),
                Verdict::Fine | Verdict::Witnessed(_) => None,
            },
            // What a run that was cut short does not have may only not have happened yet.
            (Goal::Shows(_), end) if !end.is_finished() => None,
            (Goal::Shows(spec), _) => match (spec.check)(run).verdict {
                Verdict::Witnessed(how) => Some(how),
                Verdict::Fine | Verdict::Broken(_) => None,
            },
        }
    }

    /// All that a run may show, in the order in which it is looked for: what is broken, how it ended, what is
    /// shown. With a claim, that claim alone.
    fn all(study: &Study, testbed: TestbedRef, claim: Option<&Claim>) -> Vec<Goal> {
        let specs = || {
            let specs = study.checks.iter().copied();
            specs.filter(|spec| {
                claim.is_none_or(|claim| claim.id == spec.claim)
                    && unit::refusal(study, spec, testbed).is_none()
            })
        };
        let ends = [Goal::Fails, Goal::Stalls].into_iter().filter(|_| claim.is_none());
        specs().map(Goal::Breaks).chain(ends).chain(specs().map(Goal::Shows)).collect()
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::Breaks(spec) => write!(f, "it breaks {}", spec.claim),
            Goal::Shows(spec) => write!(f, "it shows {}", spec.claim),
            Goal::Fails => f.write_str("its run fails"),
            Goal::Stalls => f.write_str("its run stalls"),
        }
    }
}

/// A run whose faults all took place, what it shows, and in what way.
type Shown = (Run, Goal, String);

/// Shrinks a plan. `tell` is told of each run, with the smallest plan so far.
///
/// # Errors
/// [`NotShrunk`], where the testbed does not run the plan or the plan shows nothing there.
pub fn shrink_plan(
    options: &ShrinkOptions,
    tell: &mut dyn FnMut(&FaultPlan),
    token: &CancellationToken,
) -> Result<Shrinking, NotShrunk> {
    let ShrinkOptions { study, testbed, .. } = *options;
    let scenario = (study.scenario)(testbed).seed(options.seed).on(testbed).cancelled_by(token);
    let mut runs = 0;
    let mut steps = Vec::new();
    let (found, goal, mut how) = first(options, &scenario, &mut runs, &mut steps)?;
    let from = found.plan.clone();
    let mut best = from.clone();
    tell(&best);
    tracing::debug!("the plan shows what it has to");
    // It is known, and need not run a second time.
    let mut found = Some(found);
    let made = Cell::new(runs);
    let run = &mut |plan: &FaultPlan| {
        found.take().or_else(|| {
            // From then on nothing is run, and so nothing shows it.
            (!token.is_cancelled()).then(|| {
                made.set(made.get() + 1);
                scenario.run(plan)
            })
        })
    };
    let mut is_first = true;
    let shows = &mut |run: &Run| {
        if std::mem::take(&mut is_first) {
            return true;
        }
        let seen = goal.seen_in(run);
        if let Some(seen) = &seen {
            steps.push(Step { runs: made.get(), words: step::words(&best, &run.plan) });
            best = run.plan.clone();
            how.clone_from(seen);
        }
        tell(&best);
        seen.is_some()
    };
    let limits = ShrinkLimits {
        runs_max: options.runs_max.max(1),
        ..ShrinkLimits::in_ticks(testbed.clock().tick_us())
    };
    let Shrunk { plan, minimal, .. } = scenario.shrink_by(&from, run, shows, &limits);
    let runs = made.get();
    let stopped = match minimal {
        _ if token.is_cancelled() => Stopped::Interrupted,
        true => Stopped::Smallest,
        false => Stopped::OutOfRuns,
    };
    let repeats = (!testbed.is_simulated() && !token.is_cancelled()).then(|| {
        let again = (0..REPEATS).filter(|_| goal.seen_in(&scenario.run(&plan)).is_some()).count();
        (again as u64, REPEATS)
    });
    let plan = FaultPlan { title: Some(how.clone()), claim: goal.claim().map(str::to_owned), ..plan };
    Ok(Shrinking { goal, how, plan: named(plan, study.name), steps, runs, stopped, repeats })
}

/// Runs the plan as it was brought, and looks for what it shows. What did not take place is left out first: a
/// run without it is the same run.
fn first(
    options: &ShrinkOptions,
    scenario: &Scenario,
    runs: &mut u64,
    steps: &mut Vec<Step>,
) -> Result<Shown, NotShrunk> {
    let ShrinkOptions { study, testbed, claim, .. } = *options;
    let goals = Goal::all(study, testbed, claim);
    if let (Some(claim), []) = (claim, goals.as_slice()) {
        let mut why = study.checks.iter().filter(|spec| spec.claim == claim.id);
        let why = why.find_map(|spec| unit::refusal(study, spec, testbed)).unwrap_or_default();
        return Err(NotShrunk::CannotRun(why));
    }
    let tries = if testbed.is_simulated() { 1 } else { TRIES_MAX };
    let mut plan = options.plan.clone();
    let mut left = tries;
    loop {
        let run = scenario.run(&plan);
        *runs += 1;
        if scenario.is_cancelled() {
            return Err(NotShrunk::Interrupted);
        }
        if let End::Refused { why, is_trouble } = &run.end {
            let not = if *is_trouble { NotShrunk::Trouble } else { NotShrunk::CannotRun };
            return Err(not(why.clone()));
        }
        if !run.fired.all() {
            // Where runs do not repeat, it may take place in the next one.
            left -= 1;
            if left > 0 {
                continue;
            }
            left = tries;
            let fewer = without_idle(&plan, &run);
            let words = format!("{} (it never took place)", step::words(&plan, &fewer));
            steps.push(Step { runs: *runs, words });
            plan = fewer;
            continue;
        }
        let seen = goals.iter().find_map(|goal| Some((*goal, goal.seen_in(&run)?)));
        if let Some((goal, how)) = seen {
            return Ok((run, goal, how));
        }
        left -= 1;
        if left == 0 {
            return Err(NotShrunk::ShowsNothing(instead(&run, claim)));
        }
    }
}

/// The plan without the faults and events that did not take place in a run of it.
fn without_idle(plan: &FaultPlan, run: &Run) -> FaultPlan {
    let fired = |list: &[bool], index: usize| list.get(index).copied().unwrap_or(false);
    let faults = plan.faults.iter().enumerate().filter(|(index, _)| fired(&run.fired.faults, *index));
    let events = plan.events.iter().enumerate().filter(|(index, _)| fired(&run.fired.events, *index));
    FaultPlan {
        faults: faults.map(|(_, fault)| fault.clone()).collect(),
        events: events.map(|(_, event)| event.clone()).collect(),
        ..plan.clone()
    }
}

/// What a run does that does not show what it should.
fn instead(run: &Run, claim: Option<&Claim>) -> String {
    let end = match &run.end {
        End::Finished => "its run came to its end".to_owned(),
        End::Failed { message, .. } => format!("its run failed: {message}"),
        End::Stalled { limit, .. } => format!("its run stalled, not done after {limit}"),
        other => format!("{other:?}"),
    };
    match claim {
        Some(claim) => format!("{end}, and neither shows nor breaks {}", claim.id),
        None => format!("{end}, and no check of its scenario has anything to say"),
    }
}

#[cfg(test)]
mod tests;
