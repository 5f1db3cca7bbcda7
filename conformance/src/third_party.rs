//! Third-party subjects: stacks and sockets that are not this project's, under its claims.

use faultwire_sim::testbed::{StackSubject, TestbedRef};

use crate::adapter;
use crate::claim::CLAIMS;
use crate::engine::{VerifyOptions, verify};
use crate::expected::{ExpectedFailure, ExpectedFailureError};
use crate::progress::Silent;
use crate::report::Report;

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
    pub fn expecting(mut self, name: &str, list: &str) -> Result<ThirdParty, ExpectedFailureError> {
        let list = ExpectedFailure::list(name, list)?;
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
        let stack = self.stack.as_ref()?;
        Some(adapter::test(&|config| stack.with_config(config), stack.lacking()))
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
