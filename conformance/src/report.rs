//! What comes out of a verification: a row for each claim and testbed, as JSON, as JUnit XML and as a table.

mod exhibit;
mod html;
mod junit;
mod lab;
mod table;
mod words;

use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire_sim::search::Tried;
use faultwire_sim::testbed::TestbedRef;
use serde::Serialize;

use crate::claim::{Claim, Modality, Text};
use crate::exit;

pub use exhibit::{Exhibit, Reason};
pub use lab::{AbsentSetting, LabSettings};
pub use table::TableOptions;
pub use words::{grouped, harmless, paragraph, plan as plan_in_words, replay_command};

/// What was found of a claim on a testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Guaranteed: nothing broke it, and it was exercised.
    Held,
    /// Guaranteed: something broke it.
    Broken,
    /// Possible: a run shows it.
    Witnessed,
    /// Possible: no run showed it.
    Unwitnessed,
    /// Never exercised, or planned faults did not fire: nothing is proven.
    Unproven,
    /// A run reached a limit before its clients came to their end.
    Stalled,
    /// A program of the scenario failed over a third party's sockets: a call gave an error that it should
    /// not.
    Failed,
    /// Not tried here, for a reason.
    Skipped,
    /// The suite cannot tell: a plan could not be run, a program of the scenario failed over our stack or the
    /// kernel's, or the suite panicked.
    Error,
}

/// A claim on a testbed: the row of the JSON contract, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The claim's id.
    pub claim: &'static str,
    /// In what way it is meant.
    pub modality: Modality,
    /// Where it was tried.
    pub testbed: &'static str,
    /// Whose TCP and UDP.
    pub subject: &'static str,
    /// What was found.
    pub outcome: Outcome,
    /// Why it is expected to fail: the row must fail then.
    pub expected_failure: Option<&'static str>,
    /// Why, of whatever is neither held nor witnessed; in what way it was shown.
    pub why: Option<String>,
    /// How many plans of the grid were run, the fault-free one among them.
    pub exhaustive: u64,
    /// How many random plans were run.
    pub random: u64,
    /// How often the situation occurred that the claim speaks of, over all runs.
    pub exercised: u64,
    /// Faults and events of all plans that were run.
    pub faults_planned: u64,
    /// Those of them that took place.
    pub faults_fired: u64,
    /// The smallest plan known for a witness or a break.
    pub plan: Option<FaultPlan>,
    /// The kinds of failure, if it was broken, failed or stalled, each with its smallest plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Real time that its runs took, in milliseconds.
    pub elapsed_ms: u64,
    /// How many runs were retries, in a lab and where there were any: packets were lost outside of the plan,
    /// something planned did not take place, or the claim was still open (unwitnessed, unproven) after runs
    /// in real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
    /// The command line that replays the plan; of the table and of JUnit.
    #[serde(skip)]
    pub replay: Option<String>,
    /// Where it was tried.
    #[serde(skip)]
    pub on: TestbedRef,
}

/// A kind of failure, of which there may be several in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// How it shows, in its smallest run.
    pub how: String,
    /// The smallest plan known to show it.
    pub plan: Option<FaultPlan>,
    /// Why it is expected, if it is.
    pub expected: Option<Text>,
    /// The test that shows it with the subject alone, without faultwire.
    pub confirmed: Option<Text>,
}

impl Row {
    /// A row of a claim on a testbed, with nothing tried yet.
    pub fn new(claim: &Claim, testbed: TestbedRef, outcome: Outcome) -> Row {
        Row {
            claim: claim.id,
            modality: claim.modality,
            testbed: testbed.name(),
            subject: testbed.subject().name,
            outcome,
            expected_failure: None,
            why: None,
            exhaustive: 0,
            random: 0,
            exercised: 0,
            faults_planned: 0,
            faults_fired: 0,
            plan: None,
            failures: Vec::new(),
            elapsed_ms: 0,
            retries: None,
            replay: None,
            on: testbed,
        }
    }

    /// A row that was not tried, for a reason.
    pub fn skipped(claim: &Claim, testbed: TestbedRef, why: impl Into<String>) -> Row {
        Row { why: Some(why.into()), ..Row::new(claim, testbed, Outcome::Skipped) }
    }

    /// How the row counts. An expected failure must fail (the claim is broken, or nothing shows it), and in
    /// no kind that is not listed. A row that passes or was not settled although it is listed counts as
    /// failed.
    pub fn standing(&self) -> Standing {
        let is_listed = self.expected_failure.is_some();
        let as_listed = is_listed && self.failures.iter().all(|failure| failure.expected.is_some());
        match self.outcome {
            Outcome::Error => Standing::Error,
            Outcome::Skipped if !is_listed => Standing::Skipped,
            Outcome::Held | Outcome::Witnessed if !is_listed => Standing::AsClaimed,
            Outcome::Held | Outcome::Witnessed => Standing::UnexpectedPass,
            Outcome::Broken | Outcome::Unwitnessed if as_listed => Standing::ExpectedFailure,
            Outcome::Stalled | Outcome::Failed if as_listed && !self.failures.is_empty() => {
                Standing::ExpectedFailure
            }
            _ => Standing::Failed,
        }
    }

    /// Whether it is of a third party's sockets.
    pub fn is_foreign(&self) -> bool {
        self.on.subject().is_foreign()
    }
}

/// How a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Held or witnessed.
    AsClaimed,
    /// It failed, as expected.
    ExpectedFailure,
    /// Not tried.
    Skipped,
    /// It failed.
    Failed,
    /// It was expected to fail, and did not: the list is out of date.
    UnexpectedPass,
    /// The suite itself failed.
    Error,
}

/// How many rows had which outcome. An expected failure that fails as listed counts as `expected_failures`
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the number of rows of that outcome")]
pub struct Summary {
    pub held: u64,
    pub broken: u64,
    pub witnessed: u64,
    pub unwitnessed: u64,
    pub unproven: u64,
    pub stalled: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    pub skipped: u64,
    pub error: u64,
    pub expected_failures: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How the settings of a subject differ from its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// Where.
    pub testbed: &'static str,
    /// Whose TCP and UDP.
    pub subject: &'static str,
    /// Each difference with its reason.
    pub settings: &'static [&'static str],
}

/// All that a verification found: the JSON contract, format 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of the format.
    pub format: u32,
    /// The seed.
    pub seed: u64,
    /// A row for each claim and testbed.
    pub results: Vec<Row>,
    /// How many rows had which outcome.
    pub summary: Summary,
    /// The kernel's settings in the lab, where there are rows of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabSettings>,
    /// Subjects among the rows that did not run with their defaults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
    /// Claims, families and testbeds that were requested by name and of which nothing was tried; of the exit
    /// code and of the verdict.
    #[serde(skip)]
    pub untried: Vec<String>,
    /// What was run in all, each run once, however many claims it served; of the table only.
    #[serde(skip)]
    pub tried: Tried,
    /// Real time that all of it took; of the table and of JUnit.
    #[serde(skip)]
    pub elapsed: Duration,
    /// The work was asked to end early; of the exit code and of what is said last. The rows say which of them
    /// that cut short.
    #[serde(skip)]
    pub interrupted: bool,
    /// How the command is called that replays its plans; of the page only.
    #[serde(skip)]
    pub command: String,
}

impl Report {
    /// A report of these rows.
    pub fn new(seed: u64, results: Vec<Row>, tried: Tried, elapsed: Duration) -> Report {
        let mut summary = Summary::default();
        for row in &results {
            let count = match row.outcome {
                _ if row.standing() == Standing::ExpectedFailure => &mut summary.expected_failures,
                Outcome::Held => &mut summary.held,
                Outcome::Broken => &mut summary.broken,
                Outcome::Witnessed => &mut summary.witnessed,
                Outcome::Unwitnessed => &mut summary.unwitnessed,
                Outcome::Unproven => &mut summary.unproven,
                Outcome::Stalled => &mut summary.stalled,
                Outcome::Failed => &mut summary.failed,
                Outcome::Skipped => &mut summary.skipped,
                Outcome::Error => &mut summary.error,
            };
            *count += 1;
        }
        let deviations = deviations(&results);
        Report {
            format: 1,
            seed,
            results,
            summary,
            lab: None,
            deviations,
            untried: Vec::new(),
            tried,
            elapsed,
            interrupted: false,
            command: "faultwire".to_owned(),
        }
    }

    /// The exit code that goes with it: an internal fault first, since nothing else can be trusted then.
    pub fn exit_code(&self) -> u8 {
        let any = |standing| self.results.iter().any(|row| row.standing() == standing);
        if any(Standing::Error) {
            exit::INTERNAL
        } else if any(Standing::Failed) || any(Standing::UnexpectedPass) {
            exit::CLAIM_FAILED
        } else if self.interrupted {
            exit::INTERRUPTED
        } else if !self.untried.is_empty() {
            exit::NO_TESTBED
        } else {
            exit::AS_CLAIMED
        }
    }

    /// The report as JSON, indented, with a line feed at its end.
    ///
    /// # Errors
    /// Where serde cannot write it; no value of these types is known to be such.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The subjects of rows that were tried and did not run with their defaults.
fn deviations(rows: &[Row]) -> Vec<Deviation> {
    let mut testbeds: Vec<TestbedRef> = Vec::new();
    for row in rows.iter().filter(|row| row.outcome != Outcome::Skipped) {
        if !row.on.deviations().is_empty() && !testbeds.contains(&row.on) {
            testbeds.push(row.on);
        }
    }
    testbeds
        .into_iter()
        .map(|testbed| Deviation {
            testbed: testbed.name(),
            subject: testbed.subject().name,
            settings: testbed.deviations(),
        })
        .collect()
}

impl Deviation {
    /// All of it, in a line.
    fn words(&self) -> String {
        format!("it runs with its defaults but for this: {}", self.settings.join("; "))
    }
}

#[cfg(test)]
mod tests;
