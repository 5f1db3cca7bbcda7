//! What a learner's two commands are held against, and in which order.
//!
//! First come the run without faults, the plan that breaks the program that believes, and the lesson's cases.
//! Then come further plans: of one fault on the packets of the run without faults or an outage that begins
//! with one of them, and of two faults, the second on the packets that the run under the first had.

use std::collections::BTreeSet;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Lasts, PlanError, PlanEvent};
use faultwire::trace::Trace;
use faultwire_sim::search::Grid;
use faultwire_sim::seed::derive;

use crate::spoken::Spoken;
use crate::{Lesson, Programs, TIMEOUT};

/// What is tried in one run.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Why it is tried.
    pub kind: AttemptKind,
    /// What happens, where it is a case of the lesson.
    pub about: Option<&'static str>,
    /// The task, with the case's own messages.
    pub spoken: Spoken,
    /// What goes wrong.
    pub plan: FaultPlan,
}

/// Why something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptKind {
    /// Nothing goes wrong.
    NoFault,
    /// The plan breaks the program that believes.
    Recorded,
    /// It is a case of a common mistake.
    Trial,
    /// One fault.
    Single,
    /// Two faults.
    Pair,
}

/// The attempts of a lesson.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    spoken: &'a Spoken,
    recorded: FaultPlan,
    base: FaultPlan,
}

impl Attempts<'_> {
    /// The attempts of this lesson.
    ///
    /// # Errors
    /// As [`Lesson::recorded`].
    pub fn of<'a>(lesson: &Lesson, spoken: &'a Spoken) -> Result<Attempts<'a>, PlanError> {
        let recorded = spoken.plan(lesson)?;
        let base = FaultPlan::new().link(recorded.link).links(recorded.links.clone());
        Ok(Attempts { spoken, recorded, base })
    }

    fn attempt(&self, kind: AttemptKind, plan: FaultPlan) -> Attempt {
        Attempt { kind, about: None, spoken: self.spoken.clone(), plan }
    }

    fn under(&self, kind: AttemptKind, faults: Vec<Fault>) -> Attempt {
        self.attempt(kind, FaultPlan { faults, ..self.base.clone() })
    }

    /// What comes first; the run without faults is the first of it.
    pub fn suite(&self, lesson: &Lesson) -> Vec<Attempt> {
        let mut suite = vec![self.attempt(AttemptKind::NoFault, self.base.clone())];
        if !(self.recorded.faults.is_empty() && self.recorded.events.is_empty()) {
            suite.push(self.attempt(AttemptKind::Recorded, self.recorded.clone()));
        }
        suite.extend(lesson.trials(Programs::Commands).into_iter().map(|trial| Attempt {
            kind: AttemptKind::Trial,
            about: Some(trial.about),
            spoken: self.spoken.with(&trial),
            plan: trial.plan,
        }));
        suite
    }

    /// Each plan of one fault on the packets of the run without faults, the simplest first, with every fourth
    /// place for an outage that ends, as long as there are some.
    pub fn singles(&self, without_faults: &Trace) -> Vec<Attempt> {
        let faults = singles(without_faults, &self.base).into_iter();
        let others = faults.filter(|fault| self.recorded.faults != [fault.clone()]);
        let mut singles: Vec<_> = others.map(|fault| self.under(AttemptKind::Single, vec![fault])).collect();
        for (place, outage) in (0..).zip(outages(without_faults)) {
            let plan = self.base.clone().events([outage]);
            singles.insert(singles.len().min(3 + 4 * place), self.attempt(AttemptKind::Single, plan));
        }
        singles
    }

    /// Each plan of two faults of which the second is on a packet that the run under the first had, in an
    /// order that mixes them. `ran` has the plans of one fault, each with the trace of its run.
    pub fn pairs<'t>(&self, ran: impl IntoIterator<Item = (&'t Attempt, &'t Trace)>) -> Vec<Attempt> {
        let (mut seen, mut pairs) = (BTreeSet::new(), Vec::new());
        let name = |fault: &Fault| (fault.direction.clone(), fault.packet);
        for (single, trace) in ran {
            let [first] = single.plan.faults.as_slice() else { continue };
            for second in singles(trace, &self.base).into_iter().filter(|second| name(second) != name(first))
            {
                let mut words = [first.to_string(), second.to_string()];
                words.sort();
                let key = derive(0, &("lesson pair", &words));
                if seen.insert(words) {
                    pairs.push((key, vec![first.clone(), second]));
                }
            }
        }
        pairs.sort_by_key(|(key, _)| *key);
        pairs.into_iter().map(|(_, faults)| self.under(AttemptKind::Pair, faults)).collect()
    }
}

/// How long an outage lasts: longer than a sender waits twice until it sends again.
const OUTAGE_US: u64 = 600_000;

/// The outages from the packets of a run on, in an order that mixes them: time is real, and only some are
/// tried.
fn outages(trace: &Trace) -> Vec<PlanEvent> {
    let grid = Grid::new(Duration::ZERO, TIMEOUT);
    let lasts = [Lasts::Retransmissions(2), Lasts::Us(OUTAGE_US)];
    let mut outages = grid.outages(lasts, u64::MAX).outages_in(trace);
    outages.sort_by_key(|outage| derive(0, &("lesson outage", &outage.to_string())));
    outages
}

/// The faults on the packets of a run: the simplest first, each kind in the order of the packets.
fn singles(trace: &Trace, base: &FaultPlan) -> Vec<Fault> {
    let rtt = 2 * base.delay_max();
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
