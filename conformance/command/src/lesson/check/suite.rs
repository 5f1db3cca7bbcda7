//! The runs that a learner's two commands are held against, several side by side.

use std::ops::ControlFlow;

use faultwire::fault::FaultPlan;
use faultwire::trace::Trace;
use faultwire_conformance::report::plan_in_words;
use faultwire_course::Lesson;
use faultwire_course::attempts::{Attempt, AttemptKind, Attempts};
use faultwire_course::spoken::Spoken;
use faultwire_sim::CancellationToken;
use faultwire_sim::search::FaultKinds;
use faultwire_sim::workers::in_order;

use super::pair::{Course, Pair};
use super::place::Testbed;
use crate::bar::RunsBar;
use crate::error::{CommandError, internal};

/// A run's number in its list, and its trace.
type Numbered = (usize, Trace);

/// A run in which the programs do not do what they should.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) attempt: Attempt,
    pub(super) course: Course,
}

impl Found {
    pub(super) fn is_recorded(&self) -> bool {
        self.attempt.kind == AttemptKind::Recorded
    }
}

/// What did not break the programs, by kind; and what proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) fault_free: usize,
    pub(super) recorded: usize,
    pub(super) trials: usize,
    pub(super) singles: usize,
    pub(super) singles_of: usize,
    pub(super) pairs: usize,
    pub(super) pairs_of: usize,
    /// The kinds of fault that took place in them.
    pub(super) kinds: FaultKinds,
    /// Their faults did not all take place.
    pub(super) not_applied: usize,
    /// They broke the programs in one run of three.
    pub(super) nondeterministic: usize,
}

impl Counts {
    fn add(&mut self, attempt: &Attempt, verdict: &Verdict) {
        match verdict {
            Verdict::NotApplied => self.not_applied += 1,
            Verdict::Holds(_) | Verdict::Unsteady(_) => {
                self.nondeterministic += usize::from(matches!(verdict, Verdict::Unsteady(_)));
                self.kinds.add(&attempt.plan, &FaultPlan::default());
                *match attempt.kind {
                    AttemptKind::NoFault => &mut self.fault_free,
                    AttemptKind::Recorded => &mut self.recorded,
                    AttemptKind::Trial => &mut self.trials,
                    AttemptKind::Single => &mut self.singles,
                    AttemptKind::Pair => &mut self.pairs,
                } += 1;
            }
            Verdict::Breaks(_) | Verdict::Stopped => {}
        }
    }
}

/// What came of an attempt.
#[derive(Debug)]
enum Verdict {
    Holds(Box<Trace>),
    Breaks(Box<Course>),
    NotApplied,
    Unsteady(Box<Trace>),
    Stopped,
}

/// What all runs have in common.
#[derive(Debug)]
pub(super) struct Suite<'a> {
    pub(super) pair: Pair<'a>,
    pub(super) testbed: Testbed,
    /// How many plans are tried beside the lesson's suite.
    pub(super) plans: usize,
    /// How many runs go on side by side.
    pub(super) jobs: usize,
    pub(super) stopping: &'a CancellationToken,
}

impl Suite<'_> {
    /// The first run that breaks the pair, and what did not.
    pub(super) fn run(
        &self,
        lesson: &Lesson,
        spoken: &Spoken,
    ) -> Result<(Option<Found>, Counts), CommandError> {
        let attempts = Attempts::of(lesson, spoken).map_err(internal)?;
        let suite = attempts.suite(lesson);
        let mut counts = Counts::default();
        let mut bar = RunsBar::new((suite.len() + self.plans) as u64);
        let mut level = |attempts: &[Attempt]| self.level(attempts, &mut counts, &mut bar);
        let (first, found) = level(&suite)?;
        let Some((_, first)) = first.into_iter().find(|(number, _)| *number == 0) else {
            return Ok((found, counts));
        };
        if found.is_some() {
            return Ok((found, counts));
        }
        let mut one = attempts.singles(&first);
        let singles_of = one.len();
        one.truncate(self.plans - self.plans / 3);
        let (traces, mut found) = level(&one)?;
        let mut pairs_of = 0;
        if found.is_none() {
            let mut two = attempts.pairs(traces.iter().map(|(number, trace)| (&one[*number], trace)));
            pairs_of = two.len();
            two.truncate(self.plans - one.len());
            found = level(&two)?.1;
        }
        (counts.singles_of, counts.pairs_of) = (singles_of, pairs_of);
        Ok((found, counts))
    }

    /// Makes attempts, until one breaks the pair and all before it do not. Gives the traces of those that do
    /// not, by number.
    fn level(
        &self,
        attempts: &[Attempt],
        counts: &mut Counts,
        bar: &mut RunsBar,
    ) -> Result<(Vec<Numbered>, Option<Found>), CommandError> {
        let (mut traces, mut found, mut trouble) = (Vec::new(), None, None);
        let token = self.stopping.child_token();
        let work = |number: usize| (number, self.judge(&attempts[number], &|| token.is_cancelled()));
        let _ = in_order(self.jobs, attempts.len(), &token, &work, &mut |(number, judged)| {
            let verdict = match judged {
                Ok(verdict) => verdict,
                Err(failure) => {
                    trouble = Some(failure);
                    return ControlFlow::Break(());
                }
            };
            bar.ran(&plan_in_words(&attempts[number].plan));
            counts.add(&attempts[number], &verdict);
            match verdict {
                Verdict::Holds(trace) | Verdict::Unsteady(trace) => traces.push((number, *trace)),
                Verdict::Breaks(course) => {
                    found = Some(Found { attempt: attempts[number].clone(), course: *course });
                    return ControlFlow::Break(());
                }
                Verdict::NotApplied | Verdict::Stopped => {}
            }
            ControlFlow::Continue(())
        });
        if let Some(failure) = trouble {
            return Err(failure);
        }
        Ok((traces, found))
    }

    /// Two runs of three decide: a machine with much to do is late now and then.
    fn judge(&self, attempt: &Attempt, is_to_stop: &dyn Fn() -> bool) -> Result<Verdict, CommandError> {
        // Of the runs before, one was broken, and then one was not.
        let (mut was_broken, mut was_well) = (false, false);
        loop {
            let course = self.pair.run(&attempt.spoken, self.testbed, &attempt.plan, is_to_stop)?;
            let Some(course) = course else { return Ok(Verdict::Stopped) };
            match course.wrong {
                Some(_) if was_broken => return Ok(Verdict::Breaks(Box::new(course))),
                Some(_) => was_broken = true,
                None if was_well => return Ok(Verdict::Unsteady(Box::new(course.trace))),
                None if was_broken => was_well = true,
                None if course.fired.all() => return Ok(Verdict::Holds(Box::new(course.trace))),
                None => return Ok(Verdict::NotApplied),
            }
        }
    }
}
