//! The stack's deliberate bugs. The list of them all is in [`crate::mutant`], what TCP's connections do is in
//! [`crate::tcp`].

#[cfg(feature = "mutants")]
mod deeds;

use super::Stack;
pub(super) use crate::mutant::Mutant;

#[cfg(feature = "mutants")]
pub(super) use deeds::{Deeds, Repeat, padded};

impl Stack {
    /// Whether this stack has that bug.
    #[cfg(feature = "mutants")]
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.config.mutant == Some(mutant)
    }

    /// No stack has a bug without the feature.
    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "the same shape as with the feature")]
    pub(super) const fn is(&self, _: Mutant) -> bool {
        false
    }
}

#[cfg(all(test, feature = "mutants"))]
mod tests;
