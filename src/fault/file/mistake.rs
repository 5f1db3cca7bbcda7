//! What is wrong with a plan file, and where.

use std::io;
use std::ops::Range;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read: the system's doing.
    #[error("cannot read the plan {file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The file says something that a plan cannot say: its author's doing.
    #[error(transparent)]
    Wrong(#[from] Box<Mistake>),
}

impl PlanError {
    /// What is wrong in the file, if the file could be read.
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            PlanError::Unreadable { .. } => None,
            PlanError::Wrong(mistake) => Some(mistake),
        }
    }
}

/// Something wrong in a plan file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: found {found}, expected {expected}{}", suffix(hint.as_deref()))]
#[non_exhaustive]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The bytes of the file's text that it is about.
    pub span: Range<usize>,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// What could be done about it.
    pub hint: Option<String>,
}

fn suffix(hint: Option<&str>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}

/// The line and the column (in characters) of a place in a text, both counted from 1.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
