//! What shrinking leaves alone: the faults and the events of the plan that all plans of a scenario are made
//! from.

use faultwire::fault::{Fault, FaultPlan, PlanEvent};

/// What every plan has that is asked about.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    faults: Vec<Fault>,
    events: Vec<PlanEvent>,
}

impl Kept {
    /// What of a base plan is in a plan. A plan that a user wrote may lack some of it on
    /// purpose.
    pub(super) fn of(base: &FaultPlan, plan: &FaultPlan) -> Kept {
        Kept { faults: common(&base.faults, &plan.faults), events: common(&base.events, &plan.events) }
    }

    /// Whether a plan has all of it.
    pub(super) fn admits(&self, plan: &FaultPlan) -> bool {
        common(&self.faults, &plan.faults).len() == self.faults.len()
            && common(&self.events, &plan.events).len() == self.events.len()
    }
}

/// What two lists have in common; what is in both of them twice is so here.
fn common<T: Clone + PartialEq>(one: &[T], other: &[T]) -> Vec<T> {
    let mut left: Vec<&T> = other.iter().collect();
    let mut is_there = |item: &&T| {
        let place = left.iter().position(|it| it == item);
        place.map(|place| left.swap_remove(place)).is_some()
    };
    one.iter().filter(|item| is_there(item)).cloned().collect()
}
