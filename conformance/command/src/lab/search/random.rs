//! Random plans of several faults, on packets that the runs so far had.
//!
//! One of the plans of one fault comes first; what is added are faults on packets of any run, or on packets
//! that came only under that first fault: retransmissions, answers to a request that was repeated. So most of
//! what is drawn takes place.

use std::collections::BTreeSet;

use faultwire::fault::{Fault, FaultPlan};
use faultwire::trace::Trace;
use faultwire_sim::search::Grid;
use faultwire_sim::seed::derive;

use super::plans::{Name, name, names};

/// Faults of a plan: least and most.
pub(super) const FAULTS: std::ops::RangeInclusive<u64> = 2..=4;
/// So many faults are kept for each plan of one fault.
const FOLLOWERS_MAX: usize = 200;
/// A fault is drawn so often at most until its packet has none yet.
const DRAWS_MAX: u64 = 16;

/// What random plans are made of.
#[derive(Clone, Debug)]
pub(super) struct Pool<'a> {
    /// The plans of one fault.
    singles: &'a [FaultPlan],
    /// For each of them, the faults on packets that came only under it.
    followers: Vec<Vec<Fault>>,
    grid: Grid,
    /// The packets of the runs without faults.
    known: &'a BTreeSet<Name>,
}

impl<'a> Pool<'a> {
    /// One that knows of no run under a fault yet.
    pub(super) fn new(singles: &'a [FaultPlan], grid: Grid, known: &'a BTreeSet<Name>) -> Pool<'a> {
        Pool { singles, followers: vec![Vec::new(); singles.len()], grid, known }
    }

    /// Learns what packets there were under the plan of one fault of that number.
    pub(super) fn learn(&mut self, number: usize, trace: &Trace) {
        let Some(followers) = self.followers.get_mut(number) else { return };
        if names(trace).is_subset(self.known) {
            return;
        }
        let faults = self.grid.faults(trace).into_iter();
        *followers = faults.filter(|fault| !self.known.contains(&name(fault))).take(FOLLOWERS_MAX).collect();
    }

    /// The plan of that number, as it is drawn the nth time; `None` where there are not packets enough.
    pub(super) fn plan(&self, seed: u64, number: u64, draw: u32) -> Option<FaultPlan> {
        let pick = |what: &str, which: u64, of: usize| {
            let drawn = derive(seed, &("lab search", what, number, draw, which)).checked_rem(of as u64)?;
            usize::try_from(drawn).ok()
        };
        let first = pick("first", 0, self.singles.len())?;
        let mut plan = self.singles[first].clone();
        let wanted =
            *FAULTS.start() as usize + pick("faults", 0, (FAULTS.end() - FAULTS.start() + 1) as usize)?;
        let followers = &self.followers[first];
        for place in 1..wanted as u64 {
            let drawn = (0..DRAWS_MAX).find_map(|again| {
                let which = place * DRAWS_MAX + again;
                let fault = if !followers.is_empty() && pick("follows", which, 2)? == 0 {
                    &followers[pick("follower", which, followers.len())?]
                } else {
                    self.singles[pick("other", which, self.singles.len())?].faults.first()?
                };
                let is_hit = plan.faults.iter().any(|other| name(other) == name(fault));
                (!is_hit).then(|| fault.clone())
            });
            plan.faults.extend(drawn);
        }
        (plan.faults.len() as u64 >= *FAULTS.start()).then_some(plan)
    }
}
