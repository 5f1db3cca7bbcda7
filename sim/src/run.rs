//! A run: one scenario under one plan on one testbed, and all that is known of it afterwards.

use faultwire::fault::{FaultPlan, Fired, PlanEvent};
use faultwire::time::Time;
use faultwire::trace::Trace;

use crate::run_state::RunState;

/// What the message of such a failure begins with.
pub(crate) const STACK_FAILED: &str = "its stack cannot go on: ";

/// One scenario under one plan, run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The plan it ran under.
    pub plan: FaultPlan,
    /// What happened.
    pub trace: Trace,
    /// How it ended.
    pub end: End,
    /// Which of the plan's faults and events took place.
    pub fired: Fired,
    /// What its programs caused that is not in the plan, as events of a plan: see
    /// [`Net::cause`](crate::Net::cause).
    pub caused: Vec<PlanEvent>,
    /// When it ended, since its start.
    pub elapsed: Time,
    /// How often it was retried, in a lab, after packets were lost outside of the plan or a planned fault was
    /// not applied.
    pub retries: u32,
    /// Why it proves nothing, on a real machine: packets were lost outside of the plan. It is retried then.
    pub disturbed: Option<String>,
    /// What its programs wrote, on a testbed that runs commands.
    pub output: String,
    /// What it kept for its programs and invariants.
    pub(crate) kept: RunState,
}

impl Run {
    /// A run that was made once.
    pub fn new(plan: FaultPlan, trace: Trace, end: End, fired: Fired, elapsed: Time) -> Run {
        let (caused, disturbed, output, kept) = Default::default();
        Run { plan, trace, end, fired, caused, elapsed, retries: 0, disturbed, output, kept }
    }

    /// Whether the testbed could not run it.
    pub fn is_refused(&self) -> bool {
        matches!(self.end, End::Refused { .. })
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Every client came to its end.
    Finished,
    /// A program failed, or an invariant was broken.
    Failed {
        /// The host whose program it was; `None` for an invariant.
        host: Option<String>,
        /// Its error or its panic.
        message: String,
    },
    /// A limit was reached before the clients came to their end.
    Stalled {
        /// Which limit: `600 s of virtual time`, `1000000 events`.
        limit: String,
        /// What each host's sockets were at.
        sockets: Vec<String>,
    },
    /// It failed once, and not in the same way when it ran again under the same plan.
    Unconfirmed {
        /// How it failed.
        message: String,
    },
    /// The testbed could not run it.
    Refused {
        /// Why, and what would allow it.
        why: String,
        /// Whether that is trouble, a bug in faultwire or a problem of the machine, and not something that
        /// this testbed does not carry.
        is_trouble: bool,
    },
}

impl End {
    /// Whether every client came to its end.
    pub fn is_finished(&self) -> bool {
        matches!(self, End::Finished)
    }

    /// Whether a host's stack could not go on ([`HostStack::trouble`](faultwire::stack::HostStack::trouble)).
    pub fn is_of_the_stack(&self) -> bool {
        matches!(self, End::Failed { message, .. } if message.starts_with(STACK_FAILED))
    }
}
