//! Expected failures of third-party subjects: `conformance/claims/expected-failures.toml`.
//!
//! Each must still fail: if one holds, the run fails, so that the list cannot rot.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::claim::{Text, line, read};

/// A claim that a subject is expected to break on a testbed.
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
    /// The claim's id.
    #[serde(deserialize_with = "line")]
    pub claim: Text,
    /// Why it fails.
    #[serde(deserialize_with = "line")]
    pub why: Text,
    /// The scenario, with its member, of the smallest run without faults in which it fails.
    pub case: Option<String>,
}

/// The list.
pub static EXPECTED_FAILURES: LazyLock<Vec<ExpectedFailure>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ExpectedFailures {
        expected_failure: Vec<ExpectedFailure>,
    }
    let text = include_str!("../claims/expected-failures.toml");
    read::<ExpectedFailures>(("expected-failures.toml", text)).expected_failure
});

/// Why a claim is expected to fail there, if it is.
pub fn expected(subject: &str, testbed: &str, claim: &str) -> Option<&'static str> {
    let mut listed = EXPECTED_FAILURES.iter();
    listed.find(|it| (it.subject, it.testbed, it.claim) == (subject, testbed, claim)).map(|it| it.why)
}

#[cfg(test)]
mod tests {
    use faultwire::fault::FaultPlan;
    use faultwire_sim::testbed::{self, TestbedRef};

    use super::*;
    use crate::claim::Claim;
    use crate::engine::{base_name, studies};
    use crate::study::Verdict;

    #[test]
    fn expected_failures_name_claims_that_exist_and_third_party_subjects() {
        for it in &*EXPECTED_FAILURES {
            assert!(Claim::of(it.claim).is_some(), "{}", it.claim);
            let is_where =
                |testbed: &TestbedRef| (testbed.name(), testbed.subject().name) == (it.testbed, it.subject);
            assert!(testbed::ALL.iter().any(is_where), "no testbed {}/{}", it.testbed, it.subject);
            assert_ne!(it.subject, "faultwire", "{}: our own failures are bugs", it.claim);
            assert!(!it.why.is_empty());
        }
    }

    /// The smallest case goes on failing, and the one below it does not.
    #[test]
    fn an_expected_failure_fails_in_its_smallest_case() {
        let mut cases = 0;
        for it in &*EXPECTED_FAILURES {
            let Some(case) = it.case.as_deref() else { continue };
            let is_where =
                |testbed: &&TestbedRef| (testbed.name(), testbed.subject().name) == (it.testbed, it.subject);
            let testbed = *testbed::ALL.iter().find(is_where).expect("a testbed");
            let studies = studies();
            let study = studies.iter().find(|study| study.name == base_name(case)).expect("a study");
            let spec = study.checks.iter().find(|spec| spec.claim == it.claim).expect("a check");
            let verdict = |case: &str| {
                let plan = FaultPlan::new().scenario(case);
                let run = (study.scenario)(testbed).on(testbed).run(&plan);
                assert!(run.end.is_finished(), "{case}: {:?}", run.end);
                (spec.check)(&run).verdict
            };
            assert!(matches!(verdict(case), Verdict::Broken(_)), "{case} on {testbed}");
            let (start, number) = case.rsplit_once('=').expect("a number");
            let below = number.parse::<u64>().expect("a number") - 1;
            assert_eq!(verdict(&format!("{start}={below}")), Verdict::Fine, "below {case} on {testbed}");
            cases += 1;
        }
        assert!(cases > 0);
    }
}
