//! A study: a scenario, what is looked at in each of its runs, and how hard its plans are searched.
//!
//! A check is written once, whatever the testbed, as a function of the run alone; one run serves all checks
//! of its study. It counts how often the situation that its claim speaks of really occurred; one that never
//! saw it proves nothing. A study says what it needs of a testbed.

use faultwire::fault::FaultPlan;
use faultwire_sim::testbed::{Capability, TestbedRef};
use faultwire_sim::{Explorer, Run, Scenario};

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
    /// It is a witness of a possible claim: in what way.
    Witnessed(String),
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

    /// The run is a witness of the claim.
    pub fn witnessed(exercised: u64, how: impl Into<String>) -> Seen {
        Seen { exercised: exercised.max(1), verdict: Verdict::Witnessed(how.into()) }
    }
}

/// A scenario and what is looked at in its runs.
#[derive(Clone, Copy, Debug)]
pub struct Study {
    /// The scenario's name, which `replay --scenario` takes.
    pub name: &'static str,
    /// What the hosts do, in a sentence.
    pub about: &'static str,
    /// The scenario, for a testbed: over real sockets its waits are shorter.
    pub scenario: fn(TestbedRef) -> Scenario,
    /// What is looked at.
    pub checks: &'static [CheckSpec],
    /// What a testbed must be able to do to carry the scenario.
    pub needs: &'static [Capability],
    /// How hard its plans are searched.
    pub search: Search,
    /// Plans that no grid holds, tried one after the other. Where runs repeat they may follow from one of the
    /// scenario.
    pub plans: fn(&Scenario) -> Vec<FaultPlan>,
    /// Deliberately broken programs in place of the scenario's own.
    pub mutants: &'static [ProgramMutant],
}

impl Study {
    /// Why a testbed cannot carry the scenario, if it cannot.
    pub fn refusal(&self, testbed: TestbedRef) -> Option<&'static str> {
        self.needs.iter().find_map(|need| testbed.lacks(*need))
    }

    /// The search through every plan of up to `exhaustive` faults and the study's own plans, of which
    /// `select` makes those that are tried.
    pub(crate) fn explorer(
        &self,
        scenario: Scenario,
        exhaustive: usize,
        select: impl Fn(&Run, &dyn Fn() -> Vec<FaultPlan>) -> Vec<FaultPlan> + Send + Sync + 'static,
    ) -> Explorer {
        let (plans, of) = (self.plans, scenario.clone());
        scenario.exhaustive(exhaustive).plans(move |fault_free| select(fault_free, &|| plans(&of)))
    }
}

/// How hard a study's plans are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// The most faults of the grid in one plan; every such plan is run.
    pub exhaustive: usize,
    /// The number of random plans.
    pub random: u64,
    /// Run one in this many requested random plans; raise it for slow scenarios.
    pub one_in: u64,
    /// Run only if a wide search is requested.
    pub thorough_only: bool,
}

impl Search {
    /// The default: every plan of up to two faults, and 256 random ones.
    pub const PLANS: Search = Search::of(2, 256);
    /// The fault-free run alone: for what no plan has a part in.
    pub const FAULT_FREE: Search = Search::of(0, 0);

    /// Every plan of up to `exhaustive` faults of the grid, and `random` random ones.
    pub const fn of(exhaustive: usize, random: u64) -> Search {
        Search { exhaustive, random, one_in: 1, thorough_only: false }
    }

    /// Runs one in `one_in` of the requested random plans.
    pub const fn one_in(self, one_in: u64) -> Search {
        Search { one_in, ..self }
    }

    /// Runs only if a wide search is requested.
    pub const fn thorough_only(self) -> Search {
        Search { thorough_only: true, ..self }
    }
}

/// A check and what a testbed must offer for it.
#[derive(Clone, Copy, Debug)]
pub struct CheckSpec {
    /// The claim's id.
    pub claim: &'static str,
    /// The check.
    pub check: Check,
    /// What a testbed must be able to do to settle it, beside what its study needs.
    pub needs: &'static [Capability],
    /// Why a live testbed cannot settle it, if it cannot: what a real kernel or a real clock is free to do
    /// differently each time.
    pub not_live: Option<&'static str>,
}

impl CheckSpec {
    /// A check that looks at the programs' calls alone.
    pub const fn of_calls(claim: &'static str, check: Check) -> Self {
        CheckSpec { claim, check, needs: &[], not_live: None }
    }

    /// A check that looks at packets too.
    pub const fn of_packets(claim: &'static str, check: Check) -> Self {
        CheckSpec { claim, check, needs: &[Capability::Packets], not_live: None }
    }

    /// Like `self`, but needs a fault.
    pub const fn under_faults(self) -> Self {
        let needs: &[Capability] = match self.needs {
            [] => &[Capability::Faults],
            _ => &[Capability::Faults, Capability::Packets],
        };
        CheckSpec { needs, ..self }
    }

    /// Like `self`, but a live testbed cannot settle it, for the reason `why`.
    pub const fn not_live(self, why: &'static str) -> Self {
        CheckSpec { not_live: Some(why), ..self }
    }
}

/// A deliberately broken program, to prove that a check sees it.
#[derive(Clone, Copy, Debug)]
pub struct ProgramMutant {
    /// Its name.
    pub name: &'static str,
    /// What it does wrong.
    pub about: &'static str,
    /// The claim whose check must see it.
    pub breaks: &'static str,
    /// The scenario with the broken program in it.
    pub scenario: fn(TestbedRef) -> Scenario,
}

/// For [`Study::plans`]: none beyond the grid and the random ones.
pub fn no_further_plans(_: &Scenario) -> Vec<FaultPlan> {
    Vec::new()
}

/// A scenario's name without the words of a variant.
pub fn base_name(name: &str) -> &str {
    name.split_once('/').map_or(name, |(base, _)| base)
}
