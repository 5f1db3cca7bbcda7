//! The runs that a learner's two commands are held against, several side by side.
//!
//! First comes the lesson's suite: no fault, the plan that breaks the program that believes, and the lesson's
//! cases. Then come further plans: of one fault on the packets of the run without faults, and of two, the
//! second on the packets that the run under the first had.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Link};
use faultwire::trace::Trace;
use faultwire_sim::search::{FaultKinds, Grid};
use faultwire_sim::seed::derive;

use super::pair::{Course, Pair};
use super::place::Testbed;
use crate::bar::RunsBar;
use crate::error::{CommandError, internal};
use faultwire_conformance::report::plan_in_words;
use faultwire_course::spoken::Spoken;
use faultwire_course::{Lesson, Programs, TIMEOUT};
use faultwire_sim::CancellationToken;
use faultwire_sim::workers::in_order;

/// A run's number in its list, and its trace.
type Numbered = (usize, Trace);

/// What is tried in a run.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    kind: Kind,
    /// What happens, where it is a case of the lesson.
    pub(super) about: Option<&'static str>,
    spoken: Spoken,
    pub(super) plan: FaultPlan,
}

/// Why it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NoFault,
    /// It breaks the program that believes.
    Recorded,
    Trial,
    Single,
    Pair,
}

/// A run in which the programs do not do what they should.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) attempt: Attempt,
    pub(super) course: Course,
}

impl Found {
    pub(super) fn is_recorded(&self) -> bool {
        self.attempt.kind == Kind::Recorded
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
                    Kind::NoFault => &mut self.fault_free,
                    Kind::Recorded => &mut self.recorded,
                    Kind::Trial => &mut self.trials,
                    Kind::Single => &mut self.singles,
                    Kind::Pair => &mut self.pairs,
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
        let recorded = spoken.plan(lesson).map_err(internal)?;
        let base = FaultPlan::new().link(recorded.link);
        let attempt = |kind, plan| Attempt { kind, about: None, spoken: spoken.clone(), plan };
        let mut suite = vec![attempt(Kind::NoFault, base.clone())];
        if !(recorded.faults.is_empty() && recorded.events.is_empty()) {
            suite.push(attempt(Kind::Recorded, recorded.clone()));
        }
        suite.extend(lesson.trials(Programs::Commands).into_iter().map(|trial| Attempt {
            kind: Kind::Trial,
            about: Some(trial.about),
            spoken: spoken.with(&trial),
            plan: trial.plan,
        }));
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
        let mut faults = singles(&first, &base);
        faults.retain(|fault| recorded.faults != [fault.clone()]);
        let singles_of = faults.len();
        faults.truncate(self.plans - self.plans / 3);
        let under = |faults: Vec<Fault>| FaultPlan { faults, ..base.clone() };
        let one: Vec<Attempt> =
            faults.iter().map(|fault| attempt(Kind::Single, under(vec![fault.clone()]))).collect();
        let (traces, found) = level(&one)?;
        let (mut pairs, mut pairs_of) = (Vec::new(), 0);
        if found.is_none() {
            pairs = self::pairs(&traces, &one, &base);
            pairs_of = pairs.len();
            pairs.truncate(self.plans - one.len());
        }
        let two: Vec<Attempt> = pairs.into_iter().map(|faults| attempt(Kind::Pair, under(faults))).collect();
        let found = match found {
            None => level(&two)?.1,
            found => found,
        };
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

/// The faults on the packets of a run: the simplest first, each kind in the order of the packets.
fn singles(trace: &Trace, base: &FaultPlan) -> Vec<Fault> {
    let rtt = Duration::from_micros(2 * Link::numbers(&base.link).delay_us);
    let mut faults = Grid::new(rtt, TIMEOUT).faults(trace);
    // What is damaged is thrown away by the kernel, as if it were lost; and when a kernel sends a bare
    // acknowledgement depends on the moment.
    let class = [Class::Datagram, Class::Data, Class::Fin, Class::Syn];
    faults.retain(|fault| {
        class.contains(&fault.packet.class) && !matches!(fault.action, Action::CorruptBits(_))
    });
    faults.sort_by_key(|fault| match fault.action {
        Action::Drop => 0,
        Action::Duplicate => 1,
        Action::HoldFor(_) => 2,
        _ => 3,
    });
    faults
}

/// The pairs of faults of which the second is on a packet that the run under the first had, in an order that
/// mixes them.
fn pairs(traces: &[(usize, Trace)], firsts: &[Attempt], base: &FaultPlan) -> Vec<Vec<Fault>> {
    let (mut seen, mut pairs) = (BTreeSet::new(), Vec::new());
    for (number, trace) in traces {
        let first = &firsts[*number].plan.faults[0];
        let name = |fault: &Fault| (fault.direction.clone(), fault.packet);
        for second in singles(trace, base).into_iter().filter(|second| name(second) != name(first)) {
            let mut words = [first.to_string(), second.to_string()];
            words.sort();
            let key = derive(0, &("lesson pair", &words));
            if seen.insert(words) {
                pairs.push((key, vec![first.clone(), second]));
            }
        }
    }
    pairs.sort_by_key(|(key, _)| *key);
    pairs.into_iter().map(|(_, faults)| faults).collect()
}
