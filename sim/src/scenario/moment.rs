//! What an invariant looks at.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use faultwire::time::Time;
use faultwire::trace::Trace;

use crate::run_state::RunState;

/// A run as an invariant sees it: at a moment of it, or at its end. It has the methods of the trace so far.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub(crate) now: Time,
    pub(crate) trace: &'a Trace,
    pub(crate) kept: &'a RunState,
}

impl Moment<'_> {
    /// The time since the start of the run.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The run's [state](crate::Scenario::state).
    ///
    /// # Panics
    /// If the scenario makes no state of that type.
    #[track_caller]
    pub fn state<S: Send + Sync + 'static>(&self) -> Arc<S> {
        self.kept.expect()
    }
}

impl Deref for Moment<'_> {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        self.trace
    }
}

impl fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment").field("now", &self.now).finish_non_exhaustive()
    }
}
