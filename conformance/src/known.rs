//! Known failures of subjects that are not ours.
//!
//! Each must still fail: one that holds is a failure of the run, so that the list cannot rot.

/// A claim that a subject is known not to meet on a testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFailure {
    /// Whose TCP and UDP.
    pub subject: &'static str,
    /// Where.
    pub testbed: &'static str,
    /// The claim's id.
    pub claim: &'static str,
    /// Why it fails.
    pub reason: &'static str,
}

/// The list.
pub const KNOWN_FAILURES: &[KnownFailure] = &[];

/// The reason why a claim is known to fail there.
pub fn known(subject: &str, testbed: &str, claim: &str) -> Option<&'static str> {
    KNOWN_FAILURES
        .iter()
        .find(|it| (it.subject, it.testbed, it.claim) == (subject, testbed, claim))
        .map(|it| it.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Claim;

    #[test]
    fn known_failures_are_of_claims_that_exist_and_not_ours() {
        for it in KNOWN_FAILURES {
            assert!(Claim::of(it.claim).is_some(), "{}", it.claim);
            assert_ne!(it.subject, "ours", "{}: our own failures are bugs", it.claim);
            assert!(!it.reason.is_empty());
        }
    }
}
