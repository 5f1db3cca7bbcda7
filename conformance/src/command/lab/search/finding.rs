//! A plan that makes the client fail: written, made smaller, tried ten times, told.

use faultwire::fault::FaultPlan;
use faultwire_sim::search::{ShrinkLimits, shrink};

use super::case::{Case, Counts, Fails, Tried};
use super::crew::{Next, side_by_side};
use super::{Search, words};
use crate::command::bar::Bar;
use crate::command::live::{Failure, result, tell};
use crate::exit;
use crate::progress::Progress as _;

/// A step of the shrinker counts if the client fails in each of so many runs.
const RUNS_PER_STEP: usize = 3;
/// Plans that the shrinker runs at most.
const STEPS_MAX: u64 = 200;
/// Runs that tell how often the client fails.
const RUNS: usize = 10;
/// In so many of them it is to fail, or the last plan but one is taken.
const FAILURES_MIN: usize = 9;
/// Plans that are gone back at most.
const BACK_MAX: usize = 4;

/// How often the client fails under a plan.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// In so many runs it failed,
    pub(super) failed: usize,
    /// of so many that count.
    pub(super) of: usize,
    /// The last of the former.
    last: Option<Case>,
}

/// What is known of a plan in the end.
#[derive(Debug)]
pub(super) struct Finding {
    /// The plan of its run makes the client fail.
    pub(super) case: Case,
    pub(super) fails: Fails,
    /// Which of the plans that were tried was the first.
    pub(super) found: String,
    /// How many plans were run to make it smaller, and whether nothing can be left out of it.
    pub(super) steps: u64,
    pub(super) is_minimal: bool,
    /// How often the client fails under it, and without faults; not known where it was stopped.
    pub(super) rates: Option<(Rate, Rate)>,
}

impl Search<'_> {
    /// Makes the most of a case in which the client failed; gives the exit code.
    pub(super) fn finding(mut self, case: Case, found: &str) -> Result<u8, Failure> {
        let Some(fails) = case.fails else { return Ok(exit::INTERNAL) };
        let path = self.args.out.clone();
        // Before anything else can go wrong.
        write(&path, &case.run.plan, fails)?;
        tell(format_args!("{found}: the client {fails}; making it smaller"));
        // Those that only wait take no processor's time.
        let jobs = if fails == Fails::TooLong { RUNS } else { self.jobs };
        let mut finding =
            Finding { case, fails, found: found.to_owned(), steps: 0, is_minimal: false, rates: None };
        let accepted = self.shrink(&mut finding, jobs)?;
        self.settle(&mut finding, accepted, jobs)?;
        write(&path, &finding.case.run.plan, fails)?;
        let limit = self.bench.limit_under(&finding.case.run.plan);
        result(format_args!("{}", words::finding(&finding, self.args, limit)))?;
        self.tell_counts()?;
        Ok(exit::CLAIM_FAILED)
    }

    /// Makes the plan smaller; gives all plans on the way that make the client fail each time, the smallest first.
    fn shrink(&mut self, finding: &mut Finding, jobs: usize) -> Result<Vec<FaultPlan>, Failure> {
        let mut bar = Bar::new();
        bar.starts("smaller plans");
        let (mut accepted, mut trouble) = (Vec::new(), None);
        let mut shows = |plan: &FaultPlan| {
            if trouble.is_some() || self.interrupt.is_asked() {
                return false;
            }
            let (always, counts) = self.fails_always(plan, finding.fails, jobs).unwrap_or_else(|failure| {
                trouble = Some(failure);
                (false, Counts::default())
            });
            bar.ran(counts.runs);
            self.counts += counts;
            if always {
                accepted.push(plan.clone());
            }
            always
        };
        let limits = ShrinkLimits { runs_max: STEPS_MAX, ..ShrinkLimits::default() };
        let shrunk = shrink(&finding.case.run.plan, &mut shows, &limits);
        drop(bar);
        if let Some(failure) = trouble {
            return Err(failure);
        }
        finding.steps = shrunk.runs;
        finding.is_minimal = shrunk.minimal && !self.interrupt.is_asked();
        accepted.reverse();
        if accepted.is_empty() {
            accepted.push(finding.case.run.plan.clone());
        }
        Ok(accepted)
    }

    /// Takes the smallest plan under which the client fails nearly always, or the one under which it does so most.
    fn settle(&mut self, finding: &mut Finding, plans: Vec<FaultPlan>, jobs: usize) -> Result<(), Failure> {
        let mut best: Option<(usize, Rate)> = None;
        for (back, plan) in plans.iter().take(BACK_MAX).enumerate() {
            let rate = self.rate(plan, jobs)?;
            if self.interrupt.is_asked() {
                // What was found, as small as it is by now.
                finding.case.run.plan.clone_from(&plans[0]);
                finding.is_minimal = false;
                return Ok(());
            }
            let is_enough = rate.failed >= FAILURES_MIN;
            if rate.failed > best.as_ref().map_or(0, |(_, best)| best.failed) {
                best = Some((back, rate));
            }
            if is_enough {
                break;
            }
        }
        let (back, mut rate) = best.unwrap_or_default();
        finding.is_minimal &= back == 0;
        if let Some(case) = rate.last.take() {
            finding.case = case;
        }
        let free = self.rate(&FaultPlan::default(), self.jobs)?;
        finding.rates = Some((rate, free));
        Ok(())
    }

    /// Whether the client fails in that way in each of a few runs.
    fn fails_always(&self, plan: &FaultPlan, how: Fails, jobs: usize) -> Result<(bool, Counts), Failure> {
        let (mut always, mut counts, mut trouble) = (true, Counts::default(), None);
        let work = |_: usize, is_to_stop: &dyn Fn() -> bool| self.bench.try_once(plan, is_to_stop);
        side_by_side(jobs, RUNS_PER_STEP, &|| self.interrupt.is_asked(), &work, &mut |_, tried| {
            let Tried { case, counts: made } = tried.unwrap_or_else(|failure| {
                trouble = Some(failure);
                Tried::default()
            });
            counts += made;
            always &= case.is_some_and(|case| case.fails == Some(how));
            if always { Next::GoOn } else { Next::GiveUp }
        });
        match trouble {
            Some(failure) => Err(failure),
            None => Ok((always && !self.interrupt.is_asked(), counts)),
        }
    }

    /// How often the client fails under a plan, in whatever way.
    fn rate(&mut self, plan: &FaultPlan, jobs: usize) -> Result<Rate, Failure> {
        let (mut rate, mut counts, mut trouble) = (Rate::default(), Counts::default(), None);
        let this = &*self;
        let work = |_: usize, is_to_stop: &dyn Fn() -> bool| this.bench.try_plan(plan, is_to_stop);
        side_by_side(jobs, RUNS, &|| this.interrupt.is_asked(), &work, &mut |_, tried| {
            let Tried { case, counts: made } = match tried {
                Ok(tried) => tried,
                Err(failure) => {
                    trouble = Some(failure);
                    return Next::GiveUp;
                }
            };
            counts += made;
            if let Some(case) = case {
                rate.of += 1;
                if case.fails.is_some() {
                    rate.failed += 1;
                    rate.last = Some(case);
                }
            }
            Next::GoOn
        });
        self.counts += counts;
        match trouble {
            Some(failure) => Err(failure),
            None => Ok(rate),
        }
    }
}

/// Writes the plan, with a title that says what it does.
fn write(path: &std::path::Path, plan: &FaultPlan, fails: Fails) -> Result<(), Failure> {
    let title = format!("the client {fails}: {}", crate::report::plan_in_words(plan));
    let plan = FaultPlan { title: Some(title), ..plan.clone() };
    std::fs::write(path, plan.to_toml()).map_err(|error| Failure {
        code: exit::INTERNAL,
        message: format!("cannot write the plan to {}: {error}\n{}", path.display(), plan.to_toml()),
    })
}
