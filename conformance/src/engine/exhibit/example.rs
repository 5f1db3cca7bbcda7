//! A run in which the situation of a guaranteed claim occurs and all is well.

use std::ops::ControlFlow;

use faultwire::fault::{Action, Class, FaultPlan};
use faultwire_sim::{Run, Scenario, testbed};

use super::super::finding::named;
use super::settled_by;
use crate::claim::Claim;
use crate::report::{Exhibit, Reason};
use crate::study::{CheckSpec, Seen, Study, Verdict};

/// Runs of a claim that are looked at for one that is shorter.
const TRIES: u64 = 80;
/// Like `TRIES`, until the first is found.
const TRIES_MAX: u64 = 2_000;
/// Events of a run that are enough for a picture: with one so short the search is over.
const EVENTS_ENOUGH: usize = 90;

/// Claims that a certain run shows best: the study, and its plan.
const CHOSEN: [(&str, &str, &str); 4] = [
    // The burst at the beginning, and its growth, with nothing in the way.
    ("tcp/initial-window", "tcp-transfer", NO_FAULT),
    ("tcp/slow-start", "tcp-transfer", NO_FAULT),
    // All that is under way is lost: one segment, slow start up to half, then a segment for each round trip.
    // These are long enough to be seen beside the timeout.
    (
        "tcp/backs-off-on-loss",
        "tcp-transfer",
        "format = 1
[link]
delay_us = 25000
mtu = 1500
[[event]]
kind = \"partition\"
after = { direction = \"client->server\", class = \"data\", nth = 8 }
[[event]]
kind = \"heal\"
at_us = 200000
",
    ),
    // A window that closes and opens.
    ("tcp/flow-control", "tcp-slow-reader", NO_FAULT),
];
const NO_FAULT: &str = "format = 1\n";

/// A short run of a guaranteed claim in which its situation occurred: under a lost packet with data, if the
/// claim is about faults, else under another fault, else without.
pub(super) fn example(claim: &'static Claim, seed: u64) -> Option<Exhibit> {
    let studies = settled_by(claim, testbed::VIRTUAL);
    if let Some(chosen) = chosen(claim, &studies, seed) {
        return Some(chosen);
    }
    let mut best = Best { claim, seed, found: None };
    for (study, spec) in studies {
        best.look_through(study, spec);
    }
    best.found.map(|(_, exhibit)| exhibit)
}

fn chosen(
    claim: &'static Claim,
    studies: &[(&'static Study, &'static CheckSpec)],
    seed: u64,
) -> Option<Exhibit> {
    let (_, name, plan) = CHOSEN.into_iter().find(|(id, _, _)| *id == claim.id)?;
    let (study, spec) = studies.iter().find(|(study, _)| study.name == name)?;
    let run = scenario(study, seed).run(&FaultPlan::parse(plan, name).ok()?);
    let seen = (spec.check)(&run);
    shows(&run, &seen).then(|| exhibit(claim, study, run, seen, seed))
}

fn scenario(study: &Study, seed: u64) -> Scenario {
    (study.scenario)(testbed::VIRTUAL).seed(seed).on(testbed::VIRTUAL)
}

/// The situation occurred in it, and all was well.
fn shows(run: &Run, seen: &Seen) -> bool {
    seen.exercised > 0 && seen.verdict == Verdict::Fine && run.end.is_finished() && run.fired.all()
}

fn exhibit(claim: &'static Claim, study: &Study, mut run: Run, seen: Seen, seed: u64) -> Exhibit {
    run.plan = named(run.plan, study.name);
    Exhibit {
        claim: claim.id,
        reason: Reason::Example,
        found_on: Vec::new(),
        is_expected: false,
        how: None,
        drawn_on: testbed::VIRTUAL,
        run,
        seen: Some(seen),
        moment: None,
        seed,
    }
}

/// The best run so far. The less the better: how far from what is wanted, and how long.
struct Best {
    claim: &'static Claim,
    seed: u64,
    found: Option<((u8, usize), Exhibit)>,
}

impl Best {
    /// Looks through the sweep of a study, and then through the plans that it brings.
    fn look_through(&mut self, study: &'static Study, spec: &'static CheckSpec) {
        let depth = usize::from(self.claim.over_plans && study.search.exhaustive > 0);
        let scenario = scenario(study, self.seed);
        let over_plans = self.claim.over_plans;
        let mut tries = 0;
        let mut look = |run: &Run| {
            tries += 1;
            self.look_at(study, spec, run);
            let enough = self.found.as_ref().is_some_and(|(rank, _)| rank.0 == 0 && rank.1 <= EVENTS_ENOUGH);
            let tries_max = if self.found.is_some() { TRIES } else { TRIES_MAX };
            if enough || tries >= tries_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let own = move |_: &Run, own: &dyn Fn() -> _| if over_plans { own() } else { Vec::new() };
        study.explorer(scenario, depth, own).search(&mut look);
    }

    fn look_at(&mut self, study: &'static Study, spec: &'static CheckSpec, run: &Run) {
        let seen = (spec.check)(run);
        let rank =
            (if self.claim.over_plans { far_from_lost_data(&run.plan) } else { 0 }, run.trace.events().len());
        let is_better = self.found.as_ref().is_none_or(|(other, _)| rank < *other);
        if is_better && shows(run, &seen) {
            self.found = Some((rank, exhibit(self.claim, study, run.clone(), seen, self.seed)));
        }
    }
}

/// 0 for a plan that drops a packet with data, 1 for another fault, 2 for none.
fn far_from_lost_data(plan: &FaultPlan) -> u8 {
    let is_it = |class| matches!(class, Class::Data | Class::Datagram);
    match plan.faults.as_slice() {
        [] if plan.events.is_empty() => 2,
        [fault] if fault.action == Action::Drop && is_it(fault.packet.class) => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{CLAIMS, Modality};

    #[test]
    fn every_guaranteed_claim_that_is_settled_by_simulation_has_an_example() {
        for claim in CLAIMS.iter().filter(|claim| claim.modality == Modality::Guaranteed) {
            let found = example(claim, 0);
            let exhibit = found.unwrap_or_else(|| panic!("{}: no run shows its situation", claim.id));
            assert!(exhibit.seen.is_some_and(|seen| seen.exercised > 0), "{}", claim.id);
        }
    }

    #[test]
    fn what_was_chosen_still_shows_it() {
        for (id, name, plan) in CHOSEN {
            let claim = Claim::of(id).expect(id);
            let exhibit = example(claim, 0).expect(id);
            assert_eq!(exhibit.run.plan.scenario.as_deref(), Some(name), "{id}");
            let plan = FaultPlan::parse(plan, id).expect(id);
            assert_eq!(
                (&exhibit.run.plan.faults, &exhibit.run.plan.events),
                (&plan.faults, &plan.events),
                "{id}"
            );
        }
    }
}
