//! A run that a report shows.

use faultwire_sim::Run;
use faultwire_sim::testbed::TestbedRef;

use super::Outcome;
use crate::study::Seen;

/// A run to look at, for a claim.
#[derive(Clone, Debug)]
pub struct Exhibit {
    /// The claim's id.
    pub claim: &'static str,
    /// Why it is worth a look.
    pub reason: Reason,
    /// The testbeds on which a verification found it, with their subjects; none for an example.
    pub found_on: Vec<(&'static str, &'static str)>,
    /// Whether it is an expected failure there.
    pub is_expected: bool,
    /// In what way it was shown or broken there.
    pub how: Option<String>,
    /// Where it was run to be drawn.
    pub drawn_on: TestbedRef,
    /// The run, under its plan, which names its scenario.
    pub run: Run,
    /// What the claim's check saw in it.
    pub seen: Option<Seen>,
    /// The moment of truth: the event at which that was settled.
    pub moment: Option<usize>,
    /// The seed.
    pub seed: u64,
}

/// Why a run is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The smallest plan that a verification found: it ended in this.
    Found(Outcome),
    /// A run in which the situation occurred, and all was well.
    Example,
}

impl Exhibit {
    /// How it ended where it was found.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.reason {
            Reason::Found(outcome) => Some(outcome),
            Reason::Example => None,
        }
    }
}
