//! A run of the pair under a plan, made again where it proves nothing.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::time::Time;
use faultwire::trace::{Trace, What};
use faultwire_sim::search::fit;
use faultwire_sim::{End, Run};

use super::random::{FAULTS, Pool};
use crate::error::{CommandError, Fault, failed, usage};
use crate::lab::hosts::Hosts;
use crate::lab::pair::{Ended, Pair, PairError};
use crate::lab::program::{Kept, Output};
use crate::lab::warnings::Beside;
use crate::server_end::Death;

/// A run that proves nothing is made so often in all.
const ATTEMPTS: u32 = 3;

/// How a pair failed. Where the server died that is it, whatever the client made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fails {
    /// The client's exit code was not 0.
    Exits(i32),
    /// A signal ended the client.
    Signalled(i32),
    /// The client took longer than it might.
    TooLong,
    /// The server died.
    Server(Death),
}

impl Fails {
    /// The host whose program failed.
    fn host(self) -> &'static str {
        if let Fails::Server(_) = self { "server" } else { "client" }
    }
}

impl fmt::Display for Fails {
    /// Who does what: `the client exits with 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} ", self.host())?;
        match self {
            Fails::Server(death) => death.fmt(f),
            Fails::Exits(code) => write!(f, "exits with {code}"),
            Fails::Signalled(signal) => write!(f, "is ended by signal {signal}"),
            Fails::TooLong => f.write_str("takes longer than it may"),
        }
    }
}

/// A run that was made.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) run: Run,
    /// How it failed, if it did.
    pub(super) fails: Option<Fails>,
    /// How long its client ran.
    pub(super) took: Duration,
    /// What both programs wrote.
    pub(super) said: String,
    /// How many packets had been sent when the client ended, or, if it died, the server.
    packets: u64,
    /// How many packets were lost outside of the plan.
    lost: u64,
}

impl Case {
    /// Whether all of the plan, and nothing else, took place.
    pub(super) fn counts(&self) -> bool {
        self.lost == 0 && self.run.fired.all()
    }

    /// What happened until the pair's end: what came after it can have done nothing to it.
    pub(super) fn trace_to_the_end(&self) -> Trace {
        let mut trace = self.run.trace.clone();
        let later = trace.events().iter().position(
            |event| matches!(event.what, What::Sent { packet, .. } if u64::from(packet.0) >= self.packets),
        );
        trace.truncate(later.unwrap_or(usize::MAX));
        trace
    }
}

/// How many runs were made, and which of them proved nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// All runs.
    pub(super) runs: u64,
    /// Runs with packets lost outside of the plan.
    pub(super) lost: u64,
    /// Runs whose plan did not take place.
    pub(super) unfired: u64,
    /// Of those, runs in which the client failed all the same.
    pub(super) by_itself: u64,
    /// Runs whose server did not serve.
    pub(super) unserved: u64,
    /// Plans that were given up: none of their runs proved anything.
    pub(super) given_up: u64,
    /// Random plans that could not be drawn.
    pub(super) undrawn: u64,
    /// Plans that made the client fail once, and not again in the same way.
    pub(super) not_again: u64,
}

impl Counts {
    /// Counts a run that was made.
    fn add(&mut self, case: &Case) {
        self.runs += 1;
        self.lost += u64::from(case.lost > 0);
        if !case.run.fired.all() {
            self.unfired += 1;
            self.by_itself += u64::from(case.fails.is_some() && case.run.fired.count() == 0);
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        let Counts { runs, lost, unfired, by_itself, unserved, given_up, undrawn, not_again } = other;
        self.runs += runs;
        self.lost += lost;
        self.unfired += unfired;
        self.by_itself += by_itself;
        self.unserved += unserved;
        self.given_up += given_up;
        self.undrawn += undrawn;
        self.not_again += not_again;
    }
}

/// A plan that was tried: its last run, if that counts.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) case: Option<Case>,
    pub(super) counts: Counts,
}

/// What all runs have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bench<'a> {
    pub(super) pair: Pair<'a>,
    /// How long the client may take under one fault at most.
    pub(super) limit: Duration,
}

impl Bench<'_> {
    /// How long the client may take under that plan.
    pub(super) fn limit_under(&self, plan: &FaultPlan) -> Duration {
        if plan.faults.len() > 1 { self.limit.saturating_mul(2) } else { self.limit }
    }

    /// One run; `None` where it was stopped.
    fn once(&self, plan: &FaultPlan, is_to_stop: &dyn Fn() -> bool) -> Result<Option<Case>, OnceError> {
        let hosts = Hosts::start(plan, self.pair.profile).map_err(OnceError::Hosts)?;
        let kept = Kept::default();
        let limit = self.limit_under(plan);
        let course = self.pair.run(&hosts, limit, &Output::Kept(kept.clone()), is_to_stop)?;
        let fails = match course.ended {
            Ended::Stopped => return Ok(None),
            _ if course.death.is_some() => course.death.map(Fails::Server),
            Ended::Exited(0) | Ended::WithServer => None,
            Ended::Exited(code) => Some(Fails::Exits(code)),
            Ended::Signalled(signal) => Some(Fails::Signalled(signal)),
            Ended::TooLong => Some(Fails::TooLong),
        };
        let end = match fails {
            None => End::Finished,
            Some(how) => End::Failed { host: Some(how.host().to_owned()), message: how.to_string() },
        };
        let run = Run {
            plan: plan.clone(),
            trace: hosts.trace(),
            end,
            fired: hosts.forwarder.fired(),
            elapsed: Time::from(course.took),
            retries: 0,
        };
        let lost = Beside::of(&hosts).lost;
        let said = kept.text();
        Ok(Some(Case { run, fails, took: course.took, said, packets: course.packets, lost }))
    }

    /// Tries a plan in one run; what proves nothing is not made again.
    pub(super) fn try_once(
        &self,
        plan: &FaultPlan,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Tried, CommandError> {
        let mut counts = Counts::default();
        let case = self.counted(plan, is_to_stop, &mut counts)?;
        Ok(Tried { case: case.filter(Case::counts), counts })
    }

    /// Tries a plan.
    pub(super) fn try_plan(
        &self,
        plan: &FaultPlan,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Tried, CommandError> {
        let mut counts = Counts::default();
        for _ in 0..ATTEMPTS {
            let case = self.counted(plan, is_to_stop, &mut counts)?;
            if case.as_ref().is_some_and(Case::counts) {
                return Ok(Tried { case, counts });
            }
            if is_to_stop() {
                return Ok(Tried { case: None, counts });
            }
        }
        counts.given_up = 1;
        Ok(Tried { case: None, counts })
    }

    /// Tries the random plan of that number. The plan of its run is what took place of it.
    pub(super) fn try_random(
        &self,
        pool: &Pool<'_>,
        seed: u64,
        number: u64,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Tried, CommandError> {
        let (mut counts, mut is_drawn) = (Counts::default(), false);
        for plan in (0..ATTEMPTS).filter_map(|draw| pool.plan(seed, number, draw)) {
            is_drawn = true;
            let Some(case) = self.counted(&plan, is_to_stop, &mut counts)? else {
                if is_to_stop() {
                    break;
                }
                continue;
            };
            let case = Case { run: fit(case.run), ..case };
            let faults = case.run.plan.faults.len();
            let is_enough = faults as u64 >= *FAULTS.start() || (faults > 0 && case.fails.is_some());
            if case.counts() && is_enough {
                return Ok(Tried { case: Some(case), counts });
            }
        }
        if !is_to_stop() {
            counts.given_up = u64::from(is_drawn);
            counts.undrawn = u64::from(!is_drawn);
        }
        Ok(Tried { case: None, counts })
    }

    /// One run, counted; `None` where it was stopped or its server did not serve.
    fn counted(
        &self,
        plan: &FaultPlan,
        is_to_stop: &dyn Fn() -> bool,
        counts: &mut Counts,
    ) -> Result<Option<Case>, CommandError> {
        let case = match self.once(plan, is_to_stop) {
            Ok(Some(case)) => case,
            Ok(None) => return Ok(None),
            Err(OnceError::Pair(PairError::Server(_))) => {
                counts.runs += 1;
                counts.unserved += 1;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        counts.add(&case);
        Ok(Some(case))
    }

    /// Runs the pair without faults, which is to succeed. A server that does not serve is a failure here.
    pub(super) fn without_faults(&self, is_to_stop: &dyn Fn() -> bool) -> Result<Tried, CommandError> {
        first_that_counts(|| Ok(self.once(&FaultPlan::default(), is_to_stop)?))
    }
}

/// The first of a few runs that counts; `run` gives none where it was stopped.
fn first_that_counts(
    mut run: impl FnMut() -> Result<Option<Case>, CommandError>,
) -> Result<Tried, CommandError> {
    let mut counts = Counts::default();
    for _ in 0..ATTEMPTS {
        let Some(case) = run()? else { return Ok(Tried { case: None, counts }) };
        counts.add(&case);
        if case.counts() {
            return Ok(Tried { case: Some(case), counts });
        }
    }
    counts.given_up = 1;
    Ok(Tried { case: None, counts })
}

/// Why there was no run.
#[derive(Debug)]
enum OnceError {
    Hosts(CommandError),
    Pair(PairError),
}

impl From<PairError> for OnceError {
    fn from(error: PairError) -> Self {
        OnceError::Pair(error)
    }
}

impl From<OnceError> for CommandError {
    /// Exit code 1 says something of the plans that were tried: that a run cannot be made is an internal
    /// fault.
    fn from(error: OnceError) -> Self {
        let mut error = match error {
            OnceError::Hosts(error) => error,
            OnceError::Pair(PairError::Server(why)) => return usage(format!("without any fault, {why}")),
            OnceError::Pair(error) => failed(error),
        };
        if error.fault == Fault::Failed {
            error.fault = Fault::Internal;
        }
        error
    }
}

#[cfg(test)]
pub(super) mod tests {
    use faultwire::fault::Fired;

    use super::*;

    /// A run that counts, in which the client failed in that way, if it did.
    pub(in super::super) fn case(fails: Option<Fails>) -> Case {
        let run = Run {
            plan: FaultPlan::default(),
            trace: Trace::new(vec!["client".to_owned(), "server".to_owned()]),
            end: End::Finished,
            fired: Fired::default(),
            elapsed: Time::default(),
            retries: 0,
        };
        Case { run, fails, took: Duration::ZERO, said: String::new(), packets: 0, lost: 0 }
    }

    /// A plan that was tried in such a run.
    pub(in super::super) fn tried(fails: Option<Fails>) -> Tried {
        Tried { case: Some(case(fails)), counts: Counts { runs: 1, ..Counts::default() } }
    }

    #[test]
    fn a_run_without_faults_that_lost_packets_is_made_again() {
        let lossy = || Case { lost: 2, ..case(Some(Fails::TooLong)) };
        for (losses, counted) in [(0, true), (1, true), (2, true), (3, false)] {
            let mut made = 0;
            let tried = first_that_counts(|| {
                made += 1;
                Ok(Some(if made <= losses { lossy() } else { case(None) }))
            });
            let Tried { case, counts } = tried.expect("runs were made");
            assert_eq!(case.is_some(), counted);
            assert!(case.is_none_or(|case| case.fails.is_none()));
            assert_eq!((counts.runs, counts.lost), (made, losses));
            assert_eq!(counts.given_up, u64::from(!counted));
        }
    }

    #[test]
    fn what_is_stopped_is_not_given_up() {
        let tried = first_that_counts(|| Ok(None)).expect("nothing went wrong");
        assert!(tried.case.is_none());
        assert_eq!(tried.counts, Counts::default());
    }
}
