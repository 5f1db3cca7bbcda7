//! A figure: what it is called, how it is read, and which sentences allow it to differ.

use serde::Serialize;

use super::seen::{Offers, Seen};
use super::value::Value;

/// One line of the comparison, before it was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    /// A stable name, such as `data-first-wait`.
    pub(super) id: &'static str,
    /// What it is, in a few words.
    pub(super) title: &'static str,
    /// Reads it from a run; `None` where the run does not show it.
    pub(super) read: fn(&Seen) -> Option<Value>,
    /// What may allow a difference; the first that does is named.
    pub(super) sentences: &'static [Sentence],
}

/// What an RFC says that allows two figures to differ, within a condition.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sentence {
    /// Where it stands, such as `RFC 6298, section 2.4`.
    pub source: &'static str,
    /// What it says, in our words.
    pub says: &'static str,
    /// Whether it allows both of these.
    pub(super) allows: fn(&Measured, &Measured) -> bool,
}

/// A figure of one side, with what else a sentence may depend on.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) value: Value,
    /// The options that both hosts of the run offered when they connected.
    pub(super) agreed: Offers,
}

/// The sentence that allows a difference, as it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Allowed {
    /// Where it stands.
    pub source: &'static str,
    /// What it says.
    pub says: &'static str,
}

impl Figure {
    /// The first sentence that allows Linux's figure and faultwire's.
    pub(super) fn allowed(&self, linux: &Measured, faultwire: &Measured) -> Option<Allowed> {
        let found = self.sentences.iter().find(|sentence| (sentence.allows)(linux, faultwire))?;
        Some(Allowed { source: found.source, says: found.says })
    }
}
