//! The search over fault plans: pure, and blind to how a run is made.
//!
//! [`Family`] says what varies before any fault does.
//!
//! Everything here takes `run: &mut dyn FnMut(&FaultPlan) -> Run` and looks at nothing but the
//! [`Run`](crate::Run). [`Grid`] says which single faults a packet can suffer; [`Sweep`] tries them all, and
//! all combinations of them up to a depth, each on the packets that the run before really showed;
//! [`RandomSearch`] draws explicit lists of faults; [`shrink`] makes any plan that shows something as small
//! as it can be. Budgets are counts, never times, and a plan is decided by what it is, never by the plans
//! that came before it.

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

pub(crate) use grid::sites;
pub(crate) use space::{HITS_PER_ITEM_MAX, plans};
use sweep::Sample;

#[cfg(test)]
mod tests;
