//! The two searches of a lesson: for the smallest plan that breaks a program, and for any plan that breaks
//! it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use faultwire::fault::{Action, FaultPlan};
use faultwire_conformance::progress::Progress;
use faultwire_sim::search::Tried;
use faultwire_sim::workers::side_by_side;
use faultwire_sim::{End, Explorer, Failure, Run, Scenario, Signature};

/// How many random plans are tried for a failure that no single fault shows, before all pairs are.
const RANDOM_PLANS: u64 = 500;

/// How many failing plans of a stage are made smaller, of which the smallest is kept.
const CANDIDATES: usize = 12;

/// How often a running search says so.
const TELL_EVERY: u64 = 100;

/// A program is broken: the smallest plan that was found.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The run under the smallest plan.
    pub run: Run,
    /// What is wrong with it, in words.
    pub how: String,
    /// Whether leaving out or lessening anything of the plan was tried and no longer fails.
    pub is_minimal: bool,
    /// What was tried until it was found.
    pub tried: Tried,
    /// How many runs it took to make plans smaller.
    pub shrink_runs: u64,
}

impl Broken {
    /// What a failure says; what was tried until it was found is for the caller to add.
    fn of(failure: Failure) -> Broken {
        let Failure { smallest: run, is_minimal, shrink_runs, .. } = failure;
        Broken { how: how(&run).unwrap_or_default(), run, is_minimal, tried: Tried::default(), shrink_runs }
    }
}

/// A program held.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was tried.
    pub tried: Tried,
}

/// A search that found nothing, and proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search is worth nothing: {0}")]
pub struct Worthless(pub String);

/// How hard a program is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldOptions {
    /// Every plan of up to this many faults of the grid.
    pub exhaustive: usize,
    /// How many random plans, over each link.
    pub random: u64,
}

/// How a run failed, if it did.
fn how(run: &Run) -> Option<String> {
    match &run.end {
        End::Failed { host: None, message } => Some(message.trim_start_matches("the check: ").to_owned()),
        End::Failed { host: Some(host), message } => Some(format!("{host}: {message}")),
        End::Stalled { limit, .. } => Some(format!("it never comes to an end (stopped after {limit})")),
        End::Refused { why, .. } => Some(format!("it could not be run: {why}")),
        _ => None,
    }
}

/// Looks for the smallest plan under which one of the scenarios fails: no fault at all, single faults of the
/// grid, random plans, pairs of the grid. The first stage that shows a failure ends the search, and the
/// smallest of its failing plans, each shrunk, is taken: the one with the fewest faults, then with the
/// smallest numbers.
///
/// # Errors
/// [`Worthless`] where a run was refused.
pub fn find(
    scenarios: &[Scenario],
    shows: fn(&Action) -> bool,
    progress: &mut dyn Progress,
) -> Result<Option<Box<Broken>>, Worthless> {
    // The name, how many faults of the grid, how many random plans.
    let stages = [("single faults", 1, 0), ("random plans", 0, RANDOM_PLANS), ("pairs of faults", 2, 0)];
    // Each plan counts as a kind, so that the smallest plan of several is taken.
    let judge = |run: &Run| {
        let is_wanted = run.is_refused() || run.plan.faults.iter().all(|fault| shows(&fault.action));
        (is_wanted && !run.end.is_finished()).then(|| Signature::new("it fails", [run.plan.to_toml()]))
    };
    let mut tried = Tried::default();
    progress.begin(stages.len() as u64);
    for (name, exhaustive, random) in stages {
        progress.starts(name);
        let (mut failures, mut shrink_runs) = (Vec::new(), 0);
        for scenario in scenarios {
            // A lesson is about what becomes of a packet.
            let scenario = scenario.clone().without_outages();
            let explorer = scenario.exhaustive(exhaustive).random(random).kinds_max(CANDIDATES, u64::MAX);
            let found = explorer.explore_by(&judge, &mut |_| progress.ran(1));
            tried += Tried { stopped: false, ..found.tried };
            shrink_runs += found.failures.iter().map(|it| it.shrink_runs).sum::<u64>();
            if let Some(End::Refused { why, .. }) = found.failures.last().map(|it| &it.found.end) {
                return Err(Worthless(why.clone()));
            }
            failures.extend(found.failures);
        }
        progress.done(name);
        if let Some(smallest) = failures.into_iter().min_by_key(|it| weight(&it.smallest.plan)) {
            progress.end();
            return Ok(Some(Box::new(Broken { tried, shrink_runs, ..Broken::of(smallest) })));
        }
    }
    progress.end();
    Ok(None)
}

/// What makes one plan larger than another: how many things go wrong; then whether they are of the plain
/// kinds; then its numbers; the rest decides nothing but makes the order a total one.
fn weight(plan: &FaultPlan) -> (usize, u64, String) {
    let number = |action: &Action| match action {
        Action::Drop => 0,
        Action::Duplicate => 1,
        Action::DelayUs(us) => us.saturating_add(2),
        Action::HoldFor(packets) => u64::from(*packets) + 2,
        Action::CorruptBits(bits) => bits.iter().map(|bit| u64::from(*bit) + 2).sum(),
        Action::Change(_) | Action::Reject(_) => u64::MAX,
    };
    let numbers =
        plan.faults.iter().map(|fault| number(&fault.action).saturating_add(fault.packet.nth.into()));
    (plan.faults.len() + plan.events.len(), numbers.fold(0, u64::saturating_add), plan.to_toml())
}

/// Holds a program against every plan: `scenarios` makes its scenarios again for each thread that runs some
/// of the plans.
///
/// What is given is the same however the threads run.
///
/// # Errors
/// [`Worthless`] where a run was refused, or where planned faults did not take place: that proves nothing.
pub fn hold(
    scenarios: &(dyn Fn() -> Vec<Scenario> + Sync),
    options: HoldOptions,
    progress: &mut dyn Progress,
) -> Result<Result<Held, Box<Broken>>, Worthless> {
    let links = 0..scenarios().len();
    let both = |link| [(link, Kind::Sweep), (link, Kind::Random)];
    let asked = |(_, kind): &(usize, Kind)| match kind {
        Kind::Sweep => true,
        Kind::Random => options.random > 0,
    };
    let jobs: Vec<(usize, Kind)> = links.flat_map(both).filter(asked).collect();
    progress.begin(jobs.len() as u64);
    // The first job that failed: those behind it need not go on.
    let failed_at = AtomicUsize::new(usize::MAX);
    let mut results: Vec<(Tried, Option<Run>)> = vec![Default::default(); jobs.len()];
    let work = |&(index, (link, kind)): &(usize, (usize, Kind)), tell: &mpsc::Sender<_>| {
        let explorer = scenarios().swap_remove(link).exhaustive(options.exhaustive);
        let (mut failed, mut runs) = (None, 0);
        let visit = &mut |run: &Run| {
            runs += 1;
            if runs % TELL_EVERY == 0 {
                // It is heard until all are done.
                let _ = tell.send((index, None));
            }
            if !run.end.is_finished() {
                failed = Some(run.clone());
                failed_at.fetch_min(index, Ordering::Relaxed);
            }
            let is_over = failed.is_some() || failed_at.load(Ordering::Relaxed) < index;
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let tried = match kind {
            Kind::Sweep => explorer.search(visit),
            Kind::Random => explorer.search_random(0, options.random, visit),
        };
        let _ = tell.send((index, Some((tried, failed))));
    };
    let all: Vec<_> = jobs.iter().copied().enumerate().collect();
    side_by_side(&[(&all, all.len())], &work, &mut |(index, result)| match result {
        Some(result) => results[index] = result,
        None => progress.ran(TELL_EVERY),
    });
    progress.end();
    let mut tried = Tried::default();
    let mut first = None;
    for ((link, _), (of_job, failed)) in jobs.iter().zip(results) {
        tried += of_job;
        first = failed.map(|run| (*link, run));
        if first.is_some() {
            // Those behind it were ended wherever they were.
            break;
        }
    }
    let Some((link, run)) = first else {
        return worth(&tried, options).map(|()| Ok(Held { tried }));
    };
    if let End::Refused { why, .. } = run.end {
        return Err(Worthless(why));
    }
    let failure = Explorer::from(scenarios().swap_remove(link)).failure_in(&run);
    Ok(Err(Box::new(Broken { tried, ..Broken::of(failure) })))
}

/// Runs a scenario under one plan, which is made smaller if it fails. A plan that does not take place proves
/// nothing, and is no failure.
///
/// # Errors
/// [`Worthless`] where the run was refused.
pub(super) fn under(scenario: &Scenario, plan: &FaultPlan) -> Result<Option<Box<Broken>>, Worthless> {
    let base = FaultPlan::new().link(plan.link).links(plan.links.clone());
    let scenario = scenario.clone().base_plan(base);
    let run = scenario.run(plan);
    match &run.end {
        End::Finished => Ok(None),
        End::Refused { why, .. } => Err(Worthless(why.clone())),
        _ => Ok(Some(Box::new(Broken::of(Explorer::from(scenario).failure_in(&run))))),
    }
}

/// What a thread of [`hold`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sweep,
    Random,
}

/// Whether a search that found nothing says something.
fn worth(tried: &Tried, options: HoldOptions) -> Result<(), Worthless> {
    let no = |why: String| Err(Worthless(why));
    if tried.not_applied > 0 {
        no(format!("in {} runs a planned fault did not take place", tried.not_applied))
    } else if tried.nondeterministic > 0 {
        no(format!("{} runs differed from an earlier one under the same plan", tried.nondeterministic))
    } else if options.exhaustive > 0 && tried.singles == 0 {
        no("nothing was put on the wire that a plan could hit".to_owned())
    } else if options.random > 0 && tried.random == 0 {
        no("of no random plan anything took place".to_owned())
    } else {
        Ok(())
    }
}
