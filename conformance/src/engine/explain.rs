//! What there is to say of one claim: how it is tried, and evidence that is run on the spot.

use faultwire_sim::testbed::{self, TestbedRef};

use super::exhibit;
use super::{AnyMutant, ReplayOptions, base_name, replay, studies, unit};
use crate::claim::{Claim, Modality};
use crate::report::Exhibit;
use crate::study::{Seen, Study};

/// How a claim is tried, and a run to look at.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The claim.
    pub claim: &'static Claim,
    /// The studies that settle it.
    pub studies: Vec<&'static Study>,
    /// For each testbed, in the order of reports, why it cannot settle the claim, if it cannot.
    pub testbeds: Vec<(TestbedRef, Option<String>)>,
    /// The deliberate bugs that break it, where it is guaranteed.
    pub mutants: Vec<AnyMutant>,
    /// The smallest run on `virtual` that shows a possible claim, or that exposes the first mutant of a
    /// guaranteed one that such a run exposes, with that mutant.
    pub evidence: Option<(Option<AnyMutant>, Exhibit)>,
    /// What the check sees under the plan of a mutant's run, without the mutant.
    pub sound: Option<Seen>,
}

/// Explains a claim. It takes runs of a simulation: a fraction of a second.
pub fn explain(claim: &'static Claim, seed: u64) -> Explanation {
    let of_claim = |study: &&'static Study| study.checks.iter().any(|spec| spec.claim == claim.id);
    let studies: Vec<&'static Study> = studies().into_iter().filter(of_claim).collect();
    // Where no study of it can be tried, the reason of the first is told.
    let refusal = |testbed: TestbedRef| {
        let specs = studies.iter().flat_map(|study| study.checks.iter().map(move |spec| (study, spec)));
        let of_claim = specs.filter(|(_, spec)| spec.claim == claim.id);
        let refusals: Vec<_> = of_claim.map(|(study, spec)| unit::refusal(study, spec, testbed)).collect();
        let none_is_tried = refusals.iter().all(Option::is_some);
        refusals.into_iter().next().flatten().filter(|_| none_is_tried)
    };
    let mutants: Vec<AnyMutant> = AnyMutant::all().into_iter().filter(|it| it.breaks() == claim.id).collect();
    let evidence = match claim.modality {
        Modality::Possible => exhibit::witness(claim, seed).map(|exhibit| (None, exhibit)),
        Modality::Guaranteed => {
            let exposed =
                |mutant: &AnyMutant| exhibit::broken(*mutant, seed).map(|exhibit| (Some(*mutant), exhibit));
            mutants.iter().find_map(exposed)
        }
    };
    let sound = evidence.as_ref().and_then(|(mutant, exhibit)| {
        mutant.as_ref()?;
        without_the_bug(exhibit)
    });
    let testbeds = testbed::ALL.into_iter().map(|testbed| (testbed, refusal(testbed))).collect();
    Explanation { claim, studies, testbeds, mutants, evidence, sound }
}

fn without_the_bug(exhibit: &Exhibit) -> Option<Seen> {
    let plan = exhibit.run.plan.clone();
    let name = base_name(plan.scenario.as_deref()?);
    let study = studies().into_iter().find(|study| study.name == name)?;
    let replayed = replay(&ReplayOptions { study, plan, testbed: exhibit.drawn_on, seed: exhibit.seed });
    replayed.seen.into_iter().find(|(claim, _)| claim.id == exhibit.claim).map(|(_, seen)| seen)
}
