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
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.tcp.is(mutant)
    }
}

#[cfg(all(test, feature = "mutants"))]
mod tests;
