//! What a check is: a pure function over one run.
//!
//! A check is written once, whatever the testbed. It counts how often the situation that its claim speaks of
//! really occurred; one that never saw it proves nothing.

pub mod tcp;
pub mod udp;

use faultwire_sim::Run;

/// A check: looks at one run.
pub type Check = fn(&Run) -> Seen;

/// What a check saw in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How often the situation occurred that the claim speaks of.
    pub exercised: u64,
    /// What follows for the claim.
    pub verdict: Verdict,
}

/// What a run says of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against a guaranteed claim, and nothing that shows a possible one.
    Fine,
    /// It breaks a guaranteed claim: in what way.
    Broken(String),
    /// It shows a possible claim: in what way.
    Shown(String),
}

impl Seen {
    /// The situation did not occur.
    pub const NOTHING: Seen = Seen { exercised: 0, verdict: Verdict::Fine };

    /// The situation occurred so often, and all was well.
    pub const fn fine(exercised: u64) -> Seen {
        Seen { exercised, verdict: Verdict::Fine }
    }

    /// The claim was broken.
    pub fn broken(exercised: u64, how: impl Into<String>) -> Seen {
        Seen { exercised: exercised.max(1), verdict: Verdict::Broken(how.into()) }
    }

    /// The claim was shown.
    pub fn shown(exercised: u64, how: impl Into<String>) -> Seen {
        Seen { exercised: exercised.max(1), verdict: Verdict::Shown(how.into()) }
    }
}
