//! Expected failures of third-party subjects: those of faultwire's own list,
//! `conformance/claims/expected-failures.toml`, and those that come with a subject from outside.
//!
//! Each must still fail: if one holds, the run fails, so that a list cannot rot. One with a plan is run
//! under it; other failures of its kind are neither reported nor made smaller. In a pair with another
//! subject a failure may show, and need not.

use std::sync::LazyLock;

use faultwire::fault::{FaultPlan, PlanError};
use faultwire::text::without_values;
use faultwire_sim::testbed::TestbedRef;
use serde::{Deserialize, Deserializer};

use crate::claim::{Text, line, read};
use crate::study::base_name;

/// A kind of failure that a subject is expected to show on a testbed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpectedFailure {
    /// Whose TCP and UDP.
    #[serde(deserialize_with = "line")]
    pub subject: Text,
    /// Where.
    #[serde(deserialize_with = "line")]
    pub testbed: Text,
    /// The claim's id. None if a run stalls, or a program of it fails: then `scenario` says where.
    #[serde(default, deserialize_with = "some_line")]
    pub claim: Option<Text>,
    /// The scenario in which it shows; any if there is none.
    #[serde(default, deserialize_with = "some_line")]
    pub scenario: Option<Text>,
    /// How it shows, in the words of the report with `#` for each number; in any way if it is not said.
    #[serde(default, deserialize_with = "some_line")]
    pub how: Option<Text>,
    /// Why it fails.
    #[serde(deserialize_with = "line")]
    pub why: Text,
    /// The scenario, with its member, of the smallest run without faults in which it fails.
    pub case: Option<String>,
    /// The smallest plan under which it fails.
    #[serde(default, deserialize_with = "plan")]
    pub plan: Option<FaultPlan>,
    /// The test that shows it with the subject alone, without faultwire. It is unconfirmed without one: the
    /// failure may be the adapter's.
    #[serde(default, deserialize_with = "some_line")]
    pub confirmed: Option<Text>,
}

/// A failure of a run as it is told apart from others: whose claim it breaks, in which scenario, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// None if the run stalled or a program failed.
    pub(crate) claim: Option<&'a str>,
    pub(crate) scenario: &'a str,
    pub(crate) how: &'a str,
}

impl ExpectedFailure {
    /// Whether it is of a subject on a testbed.
    pub(crate) fn is_on(&self, testbed: TestbedRef) -> bool {
        (self.subject, self.testbed) == (testbed.subject().name, testbed.name())
    }

    /// Whether its subject takes part on a testbed with a third party's sockets: alone, or in a pair, in
    /// which a failure may not show.
    pub(crate) fn takes_part(&self, testbed: TestbedRef) -> bool {
        let subject = testbed.subject();
        let is_side = [subject.client, subject.server].contains(&self.subject);
        self.is_on(testbed) || (subject.is_foreign() && subject.client != subject.server && is_side)
    }

    /// Whether a failure is of this kind.
    pub(crate) fn explains(&self, shown: Shown<'_>) -> bool {
        self.claim == shown.claim
            && self.scenario.is_none_or(|scenario| scenario == base_name(shown.scenario))
            && self.how.is_none_or(|how| how == without_values(shown.how))
    }
}

/// Why a list of expected failures is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedFailureError {
    /// It is no TOML of this shape.
    #[error("{name} is not a list of expected failures")]
    Unreadable {
        /// The list's name.
        name: String,
        /// Where, and what is wrong.
        #[source]
        source: toml::de::Error,
    },
    /// An entry says neither what breaks nor where.
    #[error("{name}: entry {entry} has neither a claim nor a scenario")]
    Aimless {
        /// The list's name.
        name: String,
        /// Which entry, from 1.
        entry: usize,
    },
    /// An entry is of another subject.
    #[error("{name}: `{testbed}` is no testbed of {subject}")]
    Elsewhere {
        /// The list's name.
        name: String,
        /// The entry's testbed and subject.
        testbed: String,
        /// Whose list it is.
        subject: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    expected_failure: Vec<ExpectedFailure>,
}

/// faultwire's own list.
pub static EXPECTED_FAILURES: LazyLock<Vec<ExpectedFailure>> = LazyLock::new(|| {
    let text = include_str!("../claims/expected-failures.toml");
    read::<List>(("expected-failures.toml", text)).expected_failure
});

impl ExpectedFailure {
    /// Reads a list, in the shape of `conformance/claims/expected-failures.toml`. `name` stands in errors.
    ///
    /// # Errors
    /// If it is not such a list.
    pub fn list(name: &str, text: &str) -> Result<Vec<ExpectedFailure>, ExpectedFailureError> {
        let unreadable = |source| ExpectedFailureError::Unreadable { name: name.to_owned(), source };
        Ok(toml::from_str::<List>(text).map_err(unreadable)?.expected_failure)
    }
}

fn some_line<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text>, D::Error> {
    line(from).map(Some)
}

/// A plan as in a plan file.
fn plan<'de, D: Deserializer<'de>>(from: D) -> Result<Option<FaultPlan>, D::Error> {
    let text = String::deserialize(from)?;
    let refused = |error: PlanError| serde::de::Error::custom(faultwire::text::with_causes(&error));
    FaultPlan::parse(&text, "the plan of an expected failure").map(Some).map_err(refused)
}

#[cfg(test)]
mod tests {
    use faultwire_sim::testbed;

    use super::*;
    use crate::claim::Claim;

    fn testbed_of(it: &ExpectedFailure) -> TestbedRef {
        let found = testbed::ALL.into_iter().find(|testbed| it.is_on(*testbed));
        found.unwrap_or_else(|| panic!("no testbed {}/{}", it.testbed, it.subject))
    }

    #[test]
    fn expected_failures_name_claims_that_exist_and_third_party_subjects() {
        for it in &*EXPECTED_FAILURES {
            assert!(it.claim.is_some_and(|claim| Claim::of(claim).is_some()), "{:?}", it.claim);
            testbed_of(it);
            assert_ne!(it.subject, "faultwire", "{:?}: our own failures are bugs", it.claim);
            assert!(!it.why.is_empty());
        }
    }

    #[test]
    fn a_wrong_list_is_refused_with_the_place() {
        let entry = "[[expected_failure]]\nsubject = \"toy\"\ntestbed = \"virtual\"\nwhy = \"so\"\n";
        let refused =
            |text: &str| faultwire::text::with_causes(&ExpectedFailure::list("toy.toml", text).unwrap_err());
        assert!(refused(&format!("{entry}plam = \"\"\n")).contains("line 5"));
        let plan = refused(&format!("{entry}claim = \"tcp/reset\"\nplan = \"format = 9\"\n"));
        assert!(plan.contains("the plan of an expected failure:1:10"), "{plan}");
        let entry = format!("{entry}scenario = \"tcp-reset\"\n");
        assert_eq!(ExpectedFailure::list("toy.toml", &entry).expect("a list")[0].scenario, Some("tcp-reset"));
    }
}
