//! Kinds of failure: told apart by how a run ended, each with its own smallest plan.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use faultwire::fault::{Class, FaultPlan};
use faultwire::text::without_values;
use faultwire::trace::What;

use super::Explorer;
use crate::run::{End, Run};
use crate::scenario::Scenario;
use crate::search::{ShrinkLimits, Shrunk, Tried};
use crate::workers::in_order;

/// Of how many runs at least 9 in 10 must fail under a plan, or a larger one is taken.
const RATE_MIN: f64 = 0.9;
/// How many of the larger plans that failed on the way are rated.
const BACK_MAX: usize = 4;

/// What tells one kind of failure from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// How and where the run ended, with all numbers left out; the sockets' states where it stalled.
    ending: String,
    /// What never arrived.
    lost: BTreeSet<String>,
}

impl Signature {
    /// A signature for your own judge. Failures are of one kind if they have the same ending and one lost all
    /// that the other did.
    pub fn new(ending: impl Into<String>, lost: impl IntoIterator<Item = String>) -> Signature {
        Signature { ending: ending.into(), lost: lost.into_iter().collect() }
    }

    /// That of a run which failed; none if it did not.
    pub fn of(run: &Run) -> Option<Signature> {
        let ending = match &run.end {
            End::Finished | End::Unconfirmed { .. } => return None,
            End::Failed { host, message } => {
                let first = message.lines().next().unwrap_or_default();
                format!("{}: {}", host.as_deref().unwrap_or("the run"), without_values(first))
            }
            End::Stalled { sockets, .. } => {
                let sockets: Vec<String> = sockets.iter().map(|it| without_values(it)).collect();
                format!("stalled: {}", sockets.join("; "))
            }
            End::Refused { why, .. } => format!("it could not be run: {why}"),
        };
        let trace = &run.trace;
        let lost = trace.events().iter().filter_map(|event| match event.what {
            What::Lost { packet, .. } => trace.sending(packet),
            _ => None,
        });
        let name =
            |class: Class, from, to| format!("{}->{} {class}", trace.host_name(from), trace.host_name(to));
        let lost = lost.filter_map(|it| Some(name(it.label?.class, it.from, it.to))).collect();
        Some(Signature { ending, lost })
    }

    /// Whether the runs ended in the same way.
    pub fn ends_like(&self, other: &Signature) -> bool {
        self.ending == other.ending
    }

    /// Whether a failure of this kind explains the other: it ended in the same way, and lost nothing else.
    fn explains(&self, other: &Signature) -> bool {
        self.ends_like(other) && self.lost.is_subset(&other.lost)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ending)?;
        let lost: Vec<&str> = self.lost.iter().map(String::as_str).collect();
        if lost.is_empty() { Ok(()) } else { write!(f, " (lost: {})", lost.join(", ")) }
    }
}

/// A kind of failure, and the smallest plan that shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What its runs have in common.
    pub signature: Signature,
    /// How many runs of the search failed in this way.
    pub count: u64,
    /// Which run of the search was the first of them, from 1.
    pub found_in: u64,
    /// That run.
    pub found: Run,
    /// A run under the smallest plan.
    pub smallest: Run,
    /// Whether leaving out or lessening anything of the smallest plan was tried and no longer fails.
    pub is_minimal: bool,
    /// How many plans were run to make it smaller.
    pub shrink_runs: u64,
    /// How often runs fail under the smallest plan; `None` where one run settles it.
    pub rate: Option<Rate>,
}

/// How often runs fail under a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Runs that failed.
    pub failed: usize,
    /// Runs that count.
    pub of: usize,
}

/// The result of a search.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exploration {
    /// What was tried.
    pub tried: Tried,
    /// The kinds of failure, in the order in which they were found.
    pub failures: Vec<Failure>,
}

/// What an exploration does right now. Listeners must not affect results.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run of the search was made.
    Ran(&'a Run),
    /// A run showed a failure of a new kind; its plan is made smaller next.
    Found(&'a Run),
    /// A run was made to make a plan smaller, or to tell how often it fails.
    Shrinking(&'a Run),
}

impl Explorer {
    /// Searches, and makes the plan of each kind of failure as small as it can be.
    pub fn explore(&self) -> Exploration {
        self.explore_by(&Signature::of, &mut |_| {})
    }

    /// Like `explore`, but `judge` tells which runs fail and how, and `listen` hears of each run.
    pub fn explore_by(
        &self,
        judge: &dyn Fn(&Run) -> Option<Signature>,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> Exploration {
        let mut failures: Vec<Failure> = Vec::new();
        let (mut runs, mut left) = (0, self.runs_after_failure);
        let tried = self.search(&mut |run| {
            runs += 1;
            listen(Event::Ran(run));
            if let Some(signature) = judge(run) {
                match failures.iter_mut().find(|it| it.signature.explains(&signature)) {
                    Some(known) => known.count += 1,
                    None => {
                        listen(Event::Found(run));
                        let failure = self.shrunk(signature, run, runs, judge, listen);
                        // Its smallest plan may be one of a kind that is known.
                        match failures.iter_mut().find(|it| it.signature.explains(&failure.signature)) {
                            Some(known) => known.count += 1,
                            None => failures.push(failure),
                        }
                    }
                }
                // What fails without a fault has to be mended first.
                let Some(failure) = failures.last() else { return ControlFlow::Continue(()) };
                let Scenario { base, .. } = &self.scenario;
                let size = |plan: &FaultPlan| plan.faults.len() + plan.events.len();
                if run.is_refused() || size(&failure.smallest.plan) <= size(base) {
                    return ControlFlow::Break(());
                }
            }
            left -= u64::from(!failures.is_empty() && left > 0);
            let is_over = failures.len() >= self.kinds_max || (left == 0 && !failures.is_empty());
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Exploration { tried, failures }
    }

    /// The failure that a run shows, with its smallest plan. A run in which something planned did not take
    /// place is left as it is.
    ///
    /// # Panics
    /// If the run did not fail.
    pub fn failure_in(&self, run: &Run) -> Failure {
        let signature = Signature::of(run).expect("the run failed");
        self.shrunk(signature, run, 1, &Signature::of, &mut |_| {})
    }

    /// A failure with its smallest plan.
    fn shrunk(
        &self,
        signature: Signature,
        found: &Run,
        found_in: u64,
        judge: &dyn Fn(&Run) -> Option<Signature>,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> Failure {
        let mut failure = Failure {
            signature,
            count: 1,
            found_in,
            found: found.clone(),
            smallest: found.clone(),
            is_minimal: false,
            shrink_runs: 0,
            rate: None,
        };
        if found.is_refused() || !found.fired.all() {
            return failure;
        }
        let fails =
            |run: &Run, like: &Signature| run.fired.all() && judge(run).is_some_and(|it| it.ends_like(like));
        let wanted = failure.signature.clone();
        let mut smaller = vec![found.clone()];
        let scenario = &self.scenario;
        let mut known = Some(found.clone());
        let run = &mut |plan: &FaultPlan| {
            // The first plan that is asked for is the one that was found.
            if let Some(found) = known.take_if(|found| found.plan == *plan) {
                return Some(found);
            }
            let mut last = None;
            let token = scenario.cancellation.child_token();
            let there = scenario.clone().cancelled_by(&token);
            let _ = in_order(
                self.jobs,
                self.repeats.to_shrink.max(1),
                &token,
                &|_| there.run(plan),
                &mut |run| {
                    listen(Event::Shrinking(&run));
                    let goes_on = fails(&run, &wanted);
                    last = Some(run);
                    if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                },
            );
            last.filter(|_| !scenario.is_cancelled())
        };
        let mut shows = |run: &Run| {
            let shows = fails(run, &wanted);
            if shows {
                smaller.push(run.clone());
                smaller.drain(..smaller.len().saturating_sub(BACK_MAX));
            }
            shows
        };
        let limits = ShrinkLimits::in_ticks(scenario.testbed().clock().tick_us());
        let Shrunk { minimal, runs, .. } = scenario.shrink_by(&found.plan, run, &mut shows, &limits);
        failure.is_minimal = minimal && !scenario.is_cancelled();
        failure.shrink_runs = runs;
        if self.repeats.to_rate == 0 {
            failure.smallest = smaller.pop().unwrap_or_else(|| found.clone());
        } else {
            self.settle(&mut failure, smaller, judge, listen);
        }
        failure.signature = judge(&failure.smallest).unwrap_or(wanted);
        failure
    }

    /// Takes the smallest plan under which runs fail nearly always, or else the one under which they do so
    /// most.
    fn settle(
        &self,
        failure: &mut Failure,
        smaller: Vec<Run>,
        judge: &dyn Fn(&Run) -> Option<Signature>,
        listen: &mut dyn FnMut(Event<'_>),
    ) {
        let mut best: Option<(Rate, Run)> = None;
        for (back, run) in smaller.into_iter().rev().enumerate() {
            // Runs that hang cost time and nothing else: all of them at once.
            let hangs = matches!(failure.found.end, End::Stalled { .. });
            let jobs = if hangs { self.jobs.max(self.repeats.to_rate) } else { self.jobs };
            let (rate, last) = self.rate_by(jobs, &run.plan, judge, listen);
            if self.scenario.is_cancelled() {
                failure.is_minimal = false;
                if back == 0 {
                    failure.smallest = run;
                }
                return;
            }
            if best.as_ref().is_none_or(|(most, _)| rate.failed > most.failed) {
                failure.is_minimal &= back == 0 && rate.failed > 0;
                best = Some((rate, last.unwrap_or(run)));
            }
            if rate.failed as f64 >= self.repeats.to_rate as f64 * RATE_MIN {
                break;
            }
        }
        if let Some((rate, run)) = best {
            failure.smallest = run;
            failure.rate = Some(rate);
        }
    }

    /// How often runs fail under a plan, and the last one that did.
    pub fn rate(
        &self,
        plan: &FaultPlan,
        judge: &dyn Fn(&Run) -> Option<Signature>,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> (Rate, Option<Run>) {
        self.rate_by(self.jobs, plan, judge, listen)
    }

    /// Like `rate`, with `jobs` runs side by side.
    fn rate_by(
        &self,
        jobs: usize,
        plan: &FaultPlan,
        judge: &dyn Fn(&Run) -> Option<Signature>,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> (Rate, Option<Run>) {
        let (mut rate, mut last) = (Rate::default(), None);
        let token = self.scenario.cancellation.child_token();
        let scenario = self.scenario.clone().cancelled_by(&token);
        let work = |_: usize| scenario.run_in_full(plan);
        let _ = in_order(jobs, self.repeats.to_rate, &token, &work, &mut |run| {
            listen(Event::Shrinking(&run));
            if run.fired.all() && !run.is_refused() {
                let fails = judge(&run).is_some();
                rate.of += 1;
                rate.failed += usize::from(fails);
                last = if fails { Some(run) } else { last.take() };
            }
            ControlFlow::Continue(())
        });
        (rate, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_out_but_for_names_and_lines_of_code() {
        for (text, plain) in [
            ("delivered 3 of 20 messages", "delivered # of # messages"),
            ("took 1.5 s, sha256 is x86", "took #.# s, sha256 is x86"),
            ("panicked at src/lib.rs:12:5: left 3", "panicked at src/lib.rs:12:5: left #"),
            ("12", "#"),
            (r#"left: "old 1", right: "\"2\"", 3"#, r##"left: "#", right: "#", #"##),
            ("5\" of 6", "#\" of #"),
            ("", ""),
        ] {
            assert_eq!(without_values(text), plain);
        }
    }

    #[test]
    fn a_kind_explains_what_ended_like_it_and_lost_more() {
        let kind = |ending: &str, lost: &[&str]| Signature {
            ending: ending.to_owned(),
            lost: lost.iter().map(|it| (*it).to_owned()).collect(),
        };
        assert!(kind("a", &["x"]).explains(&kind("a", &["x", "y"])));
        assert!(!kind("a", &["x", "y"]).explains(&kind("a", &["x"])));
        assert!(!kind("a", &[]).explains(&kind("b", &[])));
    }
}
