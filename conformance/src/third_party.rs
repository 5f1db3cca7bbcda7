//! Third-party subjects: stacks and sockets that are not this project's, under its claims.

#[cfg(unix)]
mod file;

use faultwire::fault::FaultPlan;
use faultwire_sim::testbed::{StackSubject, TestbedRef};

use crate::adapter;
use crate::claim::CLAIMS;
use crate::engine::{self, VerifyOptions, base_name, verify};
use crate::expected::{ExpectedFailure, ExpectedFailureError};
use crate::progress::Silent;
use crate::report::Report;
use crate::study::Verdict;

#[cfg(unix)]
pub use file::SubjectFileError;

/// A subject from outside, where it is tried, and how it is expected to fail.
///
/// ```
/// use faultwire::stack::Stack;
/// use faultwire_conformance::third_party::ThirdParty;
/// use faultwire_sim::testbed::StackSubject;
///
/// // Here `Stack` stands for yours.
/// let mine = StackSubject::new("mine", "my stack", |host| Box::new(Stack::new(host.config)));
/// let mine = ThirdParty::stack(mine);
/// assert!(mine.test_adapter().is_none_or(|report| report.is_ok()));
/// assert_eq!(mine.testbeds()[0].to_string(), "virtual/mine");
/// ```
#[derive(Clone, Debug)]
pub struct ThirdParty {
    name: &'static str,
    about: &'static str,
    testbeds: Vec<TestbedRef>,
    stack: Option<StackSubject>,
    expected: Vec<ExpectedFailure>,
}

impl ThirdParty {
    /// A stack, on the testbeds that [`StackSubject::testbeds`] makes of it.
    pub fn stack(stack: StackSubject) -> ThirdParty {
        ThirdParty {
            name: stack.name(),
            about: stack.about(),
            testbeds: stack.testbeds(),
            stack: Some(stack),
            expected: Vec::new(),
        }
    }

    /// Sockets that come with a testbed of their own.
    pub fn sockets(testbed: TestbedRef) -> ThirdParty {
        ThirdParty {
            name: testbed.subject().name,
            about: testbed.about(),
            testbeds: vec![testbed],
            stack: None,
            expected: Vec::new(),
        }
    }

    /// Adds the failures that are expected, as a list in the shape of
    /// `conformance/claims/expected-failures.toml`. `name` stands in errors.
    ///
    /// # Errors
    /// If it is not such a list, or an entry names another subject's testbed.
    pub fn expecting(self, name: &str, list: &str) -> Result<ThirdParty, ExpectedFailureError> {
        self.expecting_all(name, ExpectedFailure::list(name, list)?)
    }

    fn expecting_all(
        mut self,
        name: &str,
        list: Vec<ExpectedFailure>,
    ) -> Result<ThirdParty, ExpectedFailureError> {
        if let Some(index) = list.iter().position(|it| it.claim.is_none() && it.scenario.is_none()) {
            return Err(ExpectedFailureError::Aimless { name: name.to_owned(), entry: index + 1 });
        }
        for entry in &list {
            if !self.testbeds.iter().any(|testbed| entry.is_on(*testbed)) {
                let (name, testbed) = (name.to_owned(), format!("{}/{}", entry.testbed, entry.subject));
                return Err(ExpectedFailureError::Elsewhere { name, testbed, subject: self.name });
            }
        }
        self.expected.extend(list);
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A description in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Where it is tried; first the one on which every host has it.
    pub fn testbeds(&self) -> &[TestbedRef] {
        &self.testbeds
    }

    /// How it is expected to fail.
    pub fn expected(&self) -> &[ExpectedFailure] {
        &self.expected
    }

    /// Tests the adapter of a stack: whether it keeps to the contract of
    /// [`HostStack`](faultwire::stack::HostStack). No claim is worth judging before it does.
    pub fn test_adapter(&self) -> Option<adapter::Report> {
        self.stack.as_ref().map(adapter::test)
    }

    /// Tries every claim on the first of its testbeds, on which every host has it.
    pub fn verify(&self) -> Report {
        let options = VerifyOptions {
            expected: self.expected.clone(),
            ..VerifyOptions::new(CLAIMS.iter().collect(), self.testbeds[..1].to_vec())
        };
        verify(&options, &mut Silent)
    }
}

/// Runs the case of an expected failure on its testbed: it must break the claim, and the case with the next
/// smaller number must not. An entry without a case has nothing to check.
///
/// # Errors
/// What is wrong with the entry.
pub fn check_case(entry: &ExpectedFailure, testbed: TestbedRef) -> Result<(), String> {
    let Some(case) = entry.case.as_deref() else { return Ok(()) };
    let check = engine::studies()
        .into_iter()
        .filter(|study| study.name == base_name(case))
        .find_map(|study| Some((study, study.checks.iter().find(|spec| Some(spec.claim) == entry.claim)?)));
    let (study, spec) = check.ok_or_else(|| format!("{case}: no study of that name has the claim"))?;
    let breaks = |case: &str| {
        let run = (study.scenario)(testbed).on(testbed).run(&FaultPlan::new().scenario(case));
        match (spec.check)(&run).verdict {
            _ if !run.end.is_finished() => Err(format!("{case}: {:?}", run.end)),
            verdict => Ok(matches!(verdict, Verdict::Broken(_))),
        }
    };
    let (start, number) = case.rsplit_once('=').ok_or_else(|| format!("{case} has no number"))?;
    let number: u64 = number.parse().map_err(|error| format!("{case}: {error}"))?;
    let below = format!("{start}={}", number.saturating_sub(1));
    match (breaks(case)?, breaks(&below)?) {
        (true, false) => Ok(()),
        (false, _) => Err(format!("{case} breaks nothing")),
        (true, true) => Err(format!("{below} breaks it too")),
    }
}

#[cfg(test)]
mod tests {
    use faultwire_sim::testbed;

    use super::*;
    use crate::expected::EXPECTED_FAILURES;

    #[test]
    fn an_expected_failure_fails_in_its_smallest_case() {
        assert!(EXPECTED_FAILURES.iter().any(|it| it.case.is_some()));
        for it in &*EXPECTED_FAILURES {
            let testbed = testbed::ALL.into_iter().find(|testbed| it.is_on(*testbed)).expect("a testbed");
            assert_eq!(check_case(it, testbed), Ok(()));
        }
    }
}
