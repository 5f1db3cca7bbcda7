//! The search over fault plans: pure, and blind to how a run is made.
//!
//! [`Family`] says what varies before any fault does.
//!
//! Everything here gets its runs from a [`Runner`] and looks at nothing but the [`Run`]. [`Grid`] says which
//! single faults a packet can suffer; [`Sweep`] tries them all, and all combinations of them up to a depth,
//! each on the packets that the run before really showed; [`RandomSearch`] draws explicit lists of faults;
//! [`shrink`] makes any plan that shows something as small as it can be. Budgets are counts, never times, and
//! a plan is decided by what it is, never by the plans that came before it.

use std::fmt;

mod family;
mod grid;
mod kinds;
mod random;
mod random_faults;
mod shrink;
mod space;
mod steps;
mod sweep;
mod tried;

pub use family::{Family, Member};
pub use grid::Grid;
pub use kinds::{FaultKind, FaultKinds};
pub use random::{RandomFaultsSearch, RandomSearch, fit};
pub use random_faults::RandomFaults;
pub use shrink::{ShrinkLimits, Shrunk, is_minimal, is_minimal_from, shrink, shrink_from};
pub use space::PlanSpace;
pub use sweep::Sweep;
pub use tried::Tried;

pub(crate) use grid::{Site, after_the_plan, sites};
pub(crate) use space::{Death, HITS_PER_ITEM_MAX, plans};
pub(crate) use sweep::Sample;

use std::ops::ControlFlow;

use faultwire::fault::FaultPlan;

use crate::cancel::CancellationToken;
use crate::run::Run;
use crate::workers::in_order;

/// Makes the runs of a search.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    run: &'a (dyn Fn(&FaultPlan) -> Run + Sync),
    jobs: usize,
    token: &'a CancellationToken,
}

impl fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl<'a> Runner<'a> {
    /// Makes up to `jobs` runs at once. The token is cancelled where the search ends with runs under way.
    pub fn new(
        run: &'a (dyn Fn(&FaultPlan) -> Run + Sync),
        jobs: usize,
        token: &'a CancellationToken,
    ) -> Runner<'a> {
        Runner { run, jobs, token }
    }

    /// Runs the plans and visits the runs in order, until that breaks.
    pub(crate) fn all(
        &self,
        plans: &[FaultPlan],
        visit: &mut dyn FnMut(Run) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.each(plans.len(), &|index| (self.run)(&plans[index]), visit)
    }

    /// Does the work of each number below `count` and visits the results in order, until that breaks.
    fn each<T: Send>(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> T + Sync),
        visit: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        in_order(self.jobs, count, self.token, work, visit)
    }
}

#[cfg(test)]
pub(crate) mod tests;
