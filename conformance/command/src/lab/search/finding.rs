//! A plan that makes the pair fail: written, made smaller, tried ten times, told.

use std::path::Path;

use faultwire::fault::{FaultPlan, LabPair, bounds};
use faultwire_sim::search::{ShrinkLimits, shrink};

use super::case::{Case, Counts, Fails, Tried};
use super::{Search, words};
use crate::bar::Bar;
use crate::crew::{Next, side_by_side};
use crate::error::CommandError;
use crate::lab::SearchArgs;
use crate::output::{self, result, tell};
use faultwire_conformance::exit;
use faultwire_conformance::progress::Progress as _;
use faultwire_conformance::report::plan_in_words;

/// A step of the shrinker counts if the pair fails in each of so many runs.
const RUNS_PER_STEP: usize = 3;
/// Plans that the shrinker runs at most.
const STEPS_MAX: u64 = 200;
/// Runs that tell how often the pair fails.
const RUNS: usize = 10;
/// In so many of them it is to fail, or the last plan but one is taken.
const FAILURES_MIN: usize = 9;
/// Plans that are gone back at most.
const BACK_MAX: usize = 4;

/// How often the pair fails under a plan.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// In so many runs it failed,
    pub(super) failed: usize,
    /// of so many that count.
    pub(super) of: usize,
    /// The last of the former, in the way that was found if there is one.
    pub(super) last: Option<Case>,
}

impl Rate {
    /// Counts a run that counts.
    fn add(&mut self, case: Case, how: Fails) {
        self.of += 1;
        if case.fails.is_some() {
            self.failed += 1;
            if case.fails == Some(how) || self.last.is_none() {
                self.last = Some(case);
            }
        }
    }
}

/// What is known of a plan in the end.
#[derive(Debug)]
pub(super) struct Finding {
    /// A run in which the pair failed, under the plan that is told of.
    pub(super) case: Case,
    /// How it failed in that run.
    pub(super) fails: Fails,
    /// Which of the plans that were tried was the first.
    pub(super) found: String,
    /// How many plans were run to make it smaller, and whether nothing can be left out of it.
    pub(super) steps: u64,
    pub(super) is_minimal: bool,
    /// How often the pair fails under it, and without faults; not known where it was stopped.
    pub(super) rates: Option<(Rate, Rate)>,
}

impl Finding {
    /// Whether the pair failed in the runs that tell how often it does; as long as there are none, it may.
    pub(super) fn is_seen_again(&self) -> bool {
        self.rates.as_ref().is_none_or(|(with, _)| with.failed > 0)
    }

    /// Takes a run in which the pair failed as that which is told of.
    fn take(&mut self, case: Case) {
        if let Some(fails) = case.fails {
            self.fails = fails;
            self.case = case;
        }
    }

    /// Goes on with the plan under which the pair fails nearly always, or else with that under which it does
    /// so most; gives how often. `rates` are those of the plans that were tried, the smallest first, which is
    /// told of by now. Where the pair failed under none of them, that stays, and is not known to be what
    /// makes the pair fail.
    fn choose(&mut self, mut rates: Vec<Rate>) -> Rate {
        let most = rates.iter().map(|rate| rate.failed).max().unwrap_or_default();
        let back = rates.iter().position(|rate| rate.failed == most).unwrap_or_default();
        self.is_minimal &= back == 0 && most > 0;
        let mut rate = if rates.is_empty() { Rate::default() } else { rates.swap_remove(back) };
        if let Some(case) = rate.last.take() {
            self.take(case);
        }
        rate
    }
}

impl Search<'_> {
    /// Makes the most of a case in which the pair failed; gives the exit code.
    pub(super) fn finding(mut self, case: Case, found: &str) -> Result<u8, CommandError> {
        let Some(fails) = case.fails else { return Ok(exit::INTERNAL) };
        let path = self.args.out.clone();
        // Before anything else can go wrong.
        self.write(&path, &case.run.plan, fails, true)?;
        tell(format_args!("{found}: {fails}; making it smaller"));
        // Those that only wait take no processor's time.
        let jobs = if fails == Fails::TooLong { RUNS } else { self.jobs };
        let mut finding =
            Finding { case, fails, found: found.to_owned(), steps: 0, is_minimal: false, rates: None };
        let accepted = self.shrink(&mut finding, jobs)?;
        self.settle(&mut finding, accepted, jobs)?;
        self.write(&path, &finding.case.run.plan, finding.fails, finding.is_seen_again())?;
        result(format_args!("{}", words::finding(&finding, self.args)))?;
        self.tell_counts()?;
        Ok(exit::CLAIM_FAILED)
    }

    /// Writes the plan, with a title that says what it does, and the commands that it does it to.
    fn write(
        &self,
        path: &Path,
        plan: &FaultPlan,
        fails: Fails,
        is_seen_again: bool,
    ) -> Result<(), CommandError> {
        let at_times = if is_seen_again { "" } else { " at times" };
        let title = format!("{fails}{at_times}: {}", plan_in_words(plan));
        let title = title.chars().take(bounds::TITLE_CHARS_MAX).collect();
        let SearchArgs { server, client, ipv6, profile, .. } = self.args;
        let lab = LabPair {
            server: server.clone(),
            client: client.clone(),
            ipv6: *ipv6,
            profile: profile.profile().map(|profile| profile.name().to_owned()),
            timeout: Some(self.bench.limit_under(plan)),
        };
        let text = FaultPlan { title: Some(title), lab: Some(lab), ..plan.clone() }.to_toml();
        // What was found is not lost with the file.
        output::write("the plan", path, &text).inspect_err(|_| tell(&text))
    }

    /// Makes the plan smaller; gives all plans on the way that make the pair fail each time, the smallest
    /// first. That is what the finding tells of then, with a run of its own.
    fn shrink(&mut self, finding: &mut Finding, jobs: usize) -> Result<Vec<FaultPlan>, CommandError> {
        let mut bar = Bar::new();
        bar.starts("smaller plans");
        let (mut accepted, mut trouble, mut smallest) = (Vec::new(), None, None);
        let mut shows = |plan: &FaultPlan| {
            if trouble.is_some() || self.token.is_cancelled() {
                return false;
            }
            let Tried { case, counts } =
                self.fails_always(plan, finding.fails, jobs).unwrap_or_else(|failure| {
                    trouble = Some(failure);
                    Tried::default()
                });
            bar.ran(counts.runs);
            self.counts += counts;
            let always = case.is_some();
            if always {
                accepted.push(plan.clone());
                smallest = case;
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
        finding.is_minimal = shrunk.minimal && !self.token.is_cancelled();
        if let Some(case) = smallest {
            finding.take(case);
        }
        accepted.reverse();
        if accepted.is_empty() {
            accepted.push(finding.case.run.plan.clone());
        }
        Ok(accepted)
    }

    /// Takes the smallest plan under which the pair fails nearly always, or the one under which it does so
    /// most.
    fn settle(
        &mut self,
        finding: &mut Finding,
        plans: Vec<FaultPlan>,
        jobs: usize,
    ) -> Result<(), CommandError> {
        let mut rates = Vec::new();
        for plan in plans.iter().take(BACK_MAX) {
            let rate = self.rate(plan, finding.fails, jobs)?;
            if self.token.is_cancelled() {
                // What was found, as small as it is by now.
                finding.is_minimal = false;
                return Ok(());
            }
            let is_enough = rate.failed >= FAILURES_MIN;
            rates.push(rate);
            if is_enough {
                break;
            }
        }
        let rate = finding.choose(rates);
        let free = self.rate(&FaultPlan::default(), finding.fails, self.jobs)?;
        finding.rates = Some((rate, free));
        Ok(())
    }

    /// The last of a few runs, if the pair fails in that way in each of them.
    fn fails_always(&self, plan: &FaultPlan, how: Fails, jobs: usize) -> Result<Tried, CommandError> {
        let (mut always, mut last, mut counts, mut trouble) = (true, None, Counts::default(), None);
        let work = |_: usize, is_to_stop: &dyn Fn() -> bool| self.bench.try_once(plan, is_to_stop);
        side_by_side(jobs, RUNS_PER_STEP, &|| self.token.is_cancelled(), &work, &mut |_, tried| {
            let Tried { case, counts: made } = tried.unwrap_or_else(|failure| {
                trouble = Some(failure);
                Tried::default()
            });
            counts += made;
            last = case.filter(|case| case.fails == Some(how));
            always &= last.is_some();
            if always { Next::GoOn } else { Next::GiveUp }
        });
        match trouble {
            Some(failure) => Err(failure),
            None => Ok(Tried { case: last.filter(|_| always && !self.token.is_cancelled()), counts }),
        }
    }

    /// How often the pair fails under a plan, in whatever way; a run in which it does so as it did before is
    /// kept.
    fn rate(&mut self, plan: &FaultPlan, how: Fails, jobs: usize) -> Result<Rate, CommandError> {
        let (mut rate, mut counts, mut trouble) = (Rate::default(), Counts::default(), None);
        let this = &*self;
        let work = |_: usize, is_to_stop: &dyn Fn() -> bool| this.bench.try_plan(plan, is_to_stop);
        side_by_side(jobs, RUNS, &|| this.token.is_cancelled(), &work, &mut |_, tried| {
            let Tried { case, counts: made } = match tried {
                Ok(tried) => tried,
                Err(failure) => {
                    trouble = Some(failure);
                    return Next::GiveUp;
                }
            };
            counts += made;
            if let Some(case) = case {
                rate.add(case, how);
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

#[cfg(test)]
mod tests {
    use super::super::case::tests::case;
    use super::*;

    const HOW: Fails = Fails::Exits(1);

    /// A run whose programs said that.
    fn saying(said: &str, fails: Option<Fails>) -> Case {
        let mut case = case(fails);
        case.said = said.to_owned();
        case
    }

    fn finding() -> Finding {
        let case = saying("found", Some(HOW));
        Finding { case, fails: HOW, found: "plan 1".to_owned(), steps: 3, is_minimal: true, rates: None }
    }

    /// Ten runs, of which the first so many failed, and said so.
    fn rate(failed: usize, said: &str) -> Rate {
        let mut rate = Rate::default();
        for run in 0..RUNS {
            let fails = (run < failed).then_some(HOW);
            rate.add(saying(said, fails), HOW);
        }
        rate
    }

    #[test]
    fn a_failure_that_is_not_seen_again_keeps_its_real_rate() {
        let mut finding = finding();
        let rate = finding.choose(vec![rate(0, "smallest"), rate(0, "before")]);
        assert_eq!((rate.failed, rate.of), (0, RUNS));
        finding.rates = Some((rate, Rate::default()));
        assert!(!finding.is_minimal);
        assert!(!finding.is_seen_again());
        assert_eq!(finding.case.said, "found");
    }

    #[test]
    fn the_plan_that_fails_most_is_taken_with_a_run_of_its_own() {
        for (rates, failed, said, is_minimal) in [
            (vec![rate(9, "smallest")], 9, "smallest", true),
            (vec![rate(3, "smallest"), rate(10, "before")], 10, "before", false),
            (vec![rate(3, "smallest"), rate(3, "before")], 3, "smallest", true),
        ] {
            let mut finding = finding();
            let rate = finding.choose(rates);
            finding.rates = Some((rate, Rate::default()));
            assert!(finding.is_seen_again());
            assert_eq!(finding.rates.as_ref().map(|(rate, _)| rate.failed), Some(failed));
            assert_eq!((finding.case.said.as_str(), finding.is_minimal), (said, is_minimal));
        }
    }

    #[test]
    fn what_is_told_is_how_the_client_failed_in_the_run_that_is_shown() {
        let mut mixed = Rate::default();
        mixed.add(case(Some(HOW)), HOW);
        mixed.add(case(Some(Fails::TooLong)), HOW);
        assert_eq!(mixed.failed, 2);
        assert_eq!(mixed.last.as_ref().and_then(|case| case.fails), Some(HOW));

        let mut other = Rate::default();
        other.add(case(Some(Fails::TooLong)), HOW);
        let mut finding = finding();
        finding.choose(vec![other]);
        assert_eq!((finding.fails, finding.case.fails), (Fails::TooLong, Some(Fails::TooLong)));
    }
}
