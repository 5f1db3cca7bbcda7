//! How hard was tried: what a search counts.

use std::ops::AddAssign;

use crate::run::{End, Run};

/// How hard was tried, in counts of runs.
///
/// A run counts under its kind only if all faults and events of its plan took place; else it is `inert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Runs without any fault of the search.
    pub fault_free: u64,
    /// Runs with one fault of the grid.
    pub singles: u64,
    /// How many of those there are.
    pub singles_of: u64,
    /// Runs with two faults of the grid.
    pub pairs: u64,
    /// How many of those there are on top of the singles that ran.
    pub pairs_of: u64,
    /// Runs with three faults of the grid.
    pub triples: u64,
    /// How many of those there are on top of the pairs that ran.
    pub triples_of: u64,
    /// Runs under random plans.
    pub random: u64,
    /// Random plans that were given up: no fault of any draw took place.
    pub barren: u64,
    /// Runs in which something planned did not take place: they prove nothing, and count nowhere else.
    pub inert: u64,
    /// Runs that the testbed refused: they count nowhere else.
    pub refused: u64,
    /// Runs made a second time to learn again what packets they have; they count nowhere else.
    pub repeated: u64,
    /// Runs in a lab that were made anew: packets were lost outside of the plan, or something planned did not take place.
    pub again: u64,
    /// Of the runs made a second time, the ones that then had other packets: the runs depend on more than the plan.
    pub unsteady: u64,
    /// Faults and events planned, over all runs.
    pub faults_planned: u64,
    /// Faults and events that took place, over all runs.
    pub faults_fired: u64,
    /// Whether the visitor ended the search before its end.
    pub stopped: bool,
}

impl Tried {
    /// The runs of the sweep that count.
    pub fn exhaustive(&self) -> u64 {
        self.fault_free + self.singles + self.pairs + self.triples
    }

    /// All runs that count.
    pub fn runs(&self) -> u64 {
        self.exhaustive() + self.random
    }

    /// Where the cap on runs made the sweep take a sample: how many faulty plans it ran, and of how many.
    pub fn sampled(&self) -> Option<(u64, u64)> {
        let (ran, of) =
            (self.singles + self.pairs + self.triples, self.singles_of + self.pairs_of + self.triples_of);
        (!self.stopped && self.inert == 0 && self.refused == 0 && ran < of).then_some((ran, of))
    }
}

impl Tried {
    /// Counts a run, under its kind if it took place in full; says whether it did.
    pub(crate) fn count(&mut self, run: &Run, kind: impl FnOnce(&mut Tried) -> &mut u64) -> bool {
        self.again += u64::from(run.repeats);
        if matches!(run.end, End::Refused { .. }) {
            self.refused += 1;
            return false;
        }
        let planned = run.plan.faults.len() + run.plan.events.len();
        let fired = run.fired.count();
        self.faults_planned += planned as u64;
        self.faults_fired += fired as u64;
        let live = fired == planned;
        *(if live { kind(self) } else { &mut self.inert }) += 1;
        live
    }
}

impl AddAssign for Tried {
    fn add_assign(&mut self, other: Tried) {
        let Tried {
            fault_free,
            singles,
            singles_of,
            pairs,
            pairs_of,
            triples,
            triples_of,
            random,
            barren,
            inert,
            refused,
            repeated,
            again,
            unsteady,
            faults_planned,
            faults_fired,
            stopped,
        } = other;
        self.fault_free += fault_free;
        self.singles += singles;
        self.singles_of += singles_of;
        self.pairs += pairs;
        self.pairs_of += pairs_of;
        self.triples += triples;
        self.triples_of += triples_of;
        self.random += random;
        self.barren += barren;
        self.inert += inert;
        self.refused += refused;
        self.repeated += repeated;
        self.again += again;
        self.unsteady += unsteady;
        self.faults_planned += faults_planned;
        self.faults_fired += faults_fired;
        self.stopped |= stopped;
    }
}
