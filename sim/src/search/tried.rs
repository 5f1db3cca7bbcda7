//! How hard was tried: what a search counts.

use std::fmt;
use std::ops::AddAssign;

use faultwire::fault::FaultPlan;

use super::FaultKinds;
use crate::run::{End, Run};

/// How hard was tried, in counts of runs.
///
/// A run counts under its kind only if all faults and events of its plan took place; else under
/// `not_applied`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Runs without any fault of the search: the base plan's, and those of a family's members.
    pub fault_free: u64,
    /// How many of those there are.
    pub fault_free_of: u64,
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
    pub without_hit: u64,
    /// Runs in which something planned did not take place: they prove nothing, and count nowhere else.
    pub not_applied: u64,
    /// Runs that the testbed refused: they count nowhere else.
    pub refused: u64,
    /// Runs made a second time to learn again what packets they have; they count nowhere else.
    pub repeated: u64,
    /// Runs in real time that were retries: packets were lost outside of the plan, something planned did not
    /// take place, or nothing was settled before.
    pub retries: u64,
    /// Of the runs made a second time, the ones that then had other packets: the runs depend on more than the
    /// plan.
    pub nondeterministic: u64,
    /// Plans under which a run failed once and not in the same way again: they count nowhere else.
    pub unconfirmed: u64,
    /// Faults and events planned, over all runs.
    pub faults_planned: u64,
    /// Faults and events that took place, over all runs.
    pub faults_fired: u64,
    /// The kinds of fault that took place in the runs that count, beside those of the base plan.
    pub kinds: FaultKinds,
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
        (!self.stopped && self.not_applied == 0 && self.refused == 0 && ran < of).then_some((ran, of))
    }
}

/// What follows "not tried: " for combinations of faults, by how many faults the largest combinations tried
/// had; the second form if there were random plans.
const COMBINATIONS: [[&str; 2]; 4] = [
    ["several faults at once", "single faults one by one"],
    ["two or more faults at once", "two or more faults at once other than at random"],
    ["three or more faults at once", "three or more faults at once other than at random"],
    ["four or more faults at once", "four or more faults at once other than at random"],
];

impl Tried {
    /// What the search did not try: kinds of fault of the plan language, combinations of faults, random
    /// plans.
    pub fn not_tried(&self) -> Vec<&'static str> {
        let mut not_tried: Vec<_> = self.kinds.missing().map(super::FaultKind::words).collect();
        let depth = [self.singles, self.pairs, self.triples].iter().take_while(|runs| **runs > 0).count();
        not_tried.push(COMBINATIONS[depth][usize::from(self.random > 0)]);
        if !self.stopped && self.fault_free < self.fault_free_of {
            not_tried.push("some members of the family (only a sample ran)");
        }
        if self.sampled().is_some() {
            not_tried.push("some plans of the grid (only a sample ran)");
        }
        if self.random == 0 {
            not_tried.push("random plans");
        }
        not_tried
    }

    /// [`not_tried`](Tried::not_tried) as a phrase: `not tried: outages of a link, crashes and random plans`.
    pub fn not_tried_words(&self) -> String {
        let not_tried = self.not_tried();
        match not_tried.split_last() {
            None => String::new(),
            Some((only, [])) => format!("not tried: {only}"),
            Some((last, others)) => format!("not tried: {} and {last}", others.join(", ")),
        }
    }

    /// How many runs of which kind count, as a phrase: `1 run without faults and 40 plans of one fault`.
    pub fn counts(&self) -> String {
        let counts = [
            (self.fault_free, "run", " without faults"),
            (self.singles, "plan", " of one fault"),
            (self.pairs, "plan", " of two faults"),
            (self.triples, "plan", " of three faults"),
            (self.random, "random plan", ""),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, what, of)| format!("{count} {what}{}{of}", if count == 1 { "" } else { "s" }))
            .collect();
        match counts.split_last() {
            None => "no run".to_owned(),
            Some((only, [])) => only.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
        }
    }
}

/// How hard was tried, and what was not.
impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.counts(), self.not_tried_words())
    }
}

impl Tried {
    /// Counts a run, under its kind if it took place in full; says whether it did. The base plan is what
    /// every run of the search has.
    pub fn count(&mut self, run: &Run, base: &FaultPlan, kind: impl FnOnce(&mut Tried) -> &mut u64) -> bool {
        self.retries += u64::from(run.retries);
        let nowhere = match run.end {
            End::Refused { .. } => &mut self.refused,
            End::Unconfirmed { .. } => &mut self.unconfirmed,
            _ => return self.count_made(run, base, kind),
        };
        *nowhere += 1;
        false
    }

    /// Counts a run that the testbed made.
    fn count_made(&mut self, run: &Run, base: &FaultPlan, kind: impl FnOnce(&mut Tried) -> &mut u64) -> bool {
        let planned = run.plan.faults.len() + run.plan.events.len();
        let fired = run.fired.count();
        self.faults_planned += planned as u64;
        self.faults_fired += fired as u64;
        let live = fired == planned;
        if live {
            self.kinds.add(&run.plan, base);
        }
        *(if live { kind(self) } else { &mut self.not_applied }) += 1;
        live
    }
}

impl AddAssign for Tried {
    fn add_assign(&mut self, other: Tried) {
        let Tried {
            fault_free,
            fault_free_of,
            singles,
            singles_of,
            pairs,
            pairs_of,
            triples,
            triples_of,
            random,
            without_hit,
            not_applied,
            refused,
            repeated,
            retries,
            nondeterministic,
            unconfirmed,
            faults_planned,
            faults_fired,
            kinds,
            stopped,
        } = other;
        self.fault_free += fault_free;
        self.fault_free_of += fault_free_of;
        self.singles += singles;
        self.singles_of += singles_of;
        self.pairs += pairs;
        self.pairs_of += pairs_of;
        self.triples += triples;
        self.triples_of += triples_of;
        self.random += random;
        self.without_hit += without_hit;
        self.not_applied += not_applied;
        self.refused += refused;
        self.repeated += repeated;
        self.retries += retries;
        self.nondeterministic += nondeterministic;
        self.unconfirmed += unconfirmed;
        self.faults_planned += faults_planned;
        self.faults_fired += faults_fired;
        self.kinds = self.kinds.and(kinds);
        self.stopped |= stopped;
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Action, Class, Direction, Fault, Packet};

    use super::*;

    #[test]
    fn what_was_not_tried_follows_from_what_was() {
        let nothing = Tried::default();
        assert_eq!(
            nothing.to_string(),
            "no run; not tried: lost packets, duplicate packets, delayed packets, reordered packets, damaged \
             packets, changed packets, rejected packets, outages of a link, crashes, killed programs, \
             restarts, injected packets, several faults at once and random plans"
        );
        let mut tried = Tried { fault_free: 1, singles: 4, singles_of: 4, random: 9, ..nothing };
        for action in [
            Action::Drop,
            Action::Duplicate,
            Action::DelayUs(1),
            Action::HoldFor(1),
            Action::CorruptBits(vec![0]),
        ] {
            let (direction, packet) = (Direction::new("client", "server"), Packet::nth(Class::Data, 1));
            let plan = FaultPlan::new().faults([Fault { direction, packet, action }]);
            tried.kinds.add(&plan, &FaultPlan::default());
        }
        assert_eq!(
            tried.to_string(),
            "1 run without faults, 4 plans of one fault and 9 random plans; not tried: changed packets, \
             rejected packets, outages of a link, crashes, killed programs, restarts, injected \
             packets and two or more faults at once other than at random"
        );
        let sample = Tried { pairs: 1, pairs_of: 7, random: 0, ..tried };
        assert!(
            sample.not_tried_words().ends_with(
                "three or more faults at once, some plans of the grid (only a sample ran) and random plans"
            ),
            "{sample}"
        );
    }
}
