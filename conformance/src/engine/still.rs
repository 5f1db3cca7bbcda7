//! Whether a replayed run still shows what its plan was found to show.

use faultwire_sim::End;
use faultwire_sim::testbed::TestbedRef;

use super::{Replayed, unit};
use crate::claim::{Claim, Modality};
use crate::study::{Study, Verdict};

/// What a run says of the claim that its plan was found to show (if it is possible) or to break (if it is
/// guaranteed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Still {
    /// The run shows it, or breaks it: in what way.
    Shows(String),
    /// It does not: why not, or what it says in place of that.
    Gone(String),
    /// The testbed cannot tell: why.
    CannotTell(String),
}

impl Replayed {
    /// Whether the run still shows, or breaks, a claim of its study.
    ///
    /// A run in which something planned did not take place shows nothing. One that did not come to its end
    /// can break a guaranteed claim, and shows no possible one: what it does not have may only not have
    /// happened yet.
    pub fn still(&self, claim: &'static Claim, study: &Study, testbed: TestbedRef) -> Still {
        let refuses = |why: &String| Still::CannotTell(why.clone());
        let specs = || study.checks.iter().filter(|spec| spec.claim == claim.id);
        let refused: Vec<String> = specs().filter_map(|spec| unit::refusal(study, spec, testbed)).collect();
        if refused.len() == specs().count() {
            let why = "the scenario says nothing of it".to_owned();
            return refused.first().map_or(Still::CannotTell(why), refuses);
        }
        if !self.run.fired.all() {
            return Still::Gone("something planned did not take place".to_owned());
        }
        let of_claim = || self.seen.iter().filter(|(of, _)| of.id == claim.id).map(|(_, seen)| seen);
        let finished = self.run.end.is_finished();
        let shown = of_claim().find_map(|seen| match &seen.verdict {
            Verdict::Broken(how) => Some(how),
            Verdict::Witnessed(how) if finished => Some(how),
            Verdict::Witnessed(_) | Verdict::Fine => None,
        });
        if let Some(how) = shown {
            return Still::Shows(how.clone());
        }
        let exercised: u64 = of_claim().map(|seen| seen.exercised).sum();
        Still::Gone(match (&self.run.end, claim.modality) {
            (End::Stalled { limit, .. }, _) => format!("the run stalled, not done after {limit}"),
            (End::Failed { message, .. }, _) => format!("the run failed: {message}"),
            (_, _) if exercised == 0 => "its situation did not occur".to_owned(),
            (_, Modality::Possible) => "its situation occurred, but not what it speaks of".to_owned(),
            (_, Modality::Guaranteed) => "it held".to_owned(),
        })
    }

    /// The moment of truth of the run: of that claim if the run shows it, else of the first that it shows or
    /// breaks.
    pub fn moment(&self, claim: Option<&Claim>, study: &Study) -> Option<usize> {
        let said = |of: &&(&Claim, crate::study::Seen)| of.1.verdict != Verdict::Fine;
        let mut found = self.seen.iter().filter(said);
        let own = found.clone().find(|(of, _)| claim.is_some_and(|claim| claim.id == of.id));
        let (of, seen) = own.or_else(|| found.next())?;
        let mut specs = study.checks.iter().filter(|spec| spec.claim == of.id);
        let spec = specs.find(|spec| (spec.check)(&self.run) == *seen)?;
        super::moment(&self.run, spec.check)
    }
}
