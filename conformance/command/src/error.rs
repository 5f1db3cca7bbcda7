//! Why a command did not do its job: whose fault that is, what caused it, and what to do about it.

use std::error::Error;
use std::{io, iter};

use faultwire::text::with_causes;
use faultwire_conformance::exit;

/// What went wrong, or what caused that.
type Cause = Box<dyn Error + Send + Sync>;

/// Whose fault an error is, as the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub(super) enum Fault {
    /// The peer or the system did not do its part.
    Failed = exit::CLAIM_FAILED,
    /// The caller's: wrong usage, wrong input, or a place where the result cannot be written.
    Usage = exit::USAGE,
    /// The machine has no such testbed, or no room for it.
    Unavailable = exit::NO_TESTBED,
    /// Ours.
    Internal = exit::INTERNAL,
}

/// The error of every command.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
#[non_exhaustive]
pub(super) struct CommandError {
    pub(super) fault: Fault,
    what: String,
    /// The error that this one reports, or its cause.
    source: Cause,
    help: Option<String>,
}

impl CommandError {
    fn new(fault: Fault, error: impl Into<Cause>) -> CommandError {
        let source = error.into();
        CommandError { fault, what: source.to_string(), source, help: None }
    }

    /// With what caused it.
    pub(super) fn because(self, cause: impl Into<Cause>) -> CommandError {
        CommandError { source: cause.into(), ..self }
    }

    /// With what to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> CommandError {
        CommandError { help: Some(help.into()), ..self }
    }

    /// With the name that was perhaps meant, and where all names are.
    pub(super) fn did_you_mean(self, nearest: Option<String>, all: &str) -> CommandError {
        let nearest = nearest.map(|nearest| format!("did you mean `{nearest}`? ")).unwrap_or_default();
        self.help(nearest + all)
    }

    /// What went wrong, why and what to do about it, with this between the two.
    pub(super) fn text(&self, before_help: &str) -> String {
        let help = self.help.as_ref().map(|help| format!("{before_help}{help}")).unwrap_or_default();
        with_causes(self) + &help
    }

    /// All of it, in a line.
    pub(super) fn in_a_line(&self) -> String {
        self.text("; ")
    }
}

/// The peer or the system did not do its part.
pub(super) fn failed(error: impl Into<Cause>) -> CommandError {
    CommandError::new(Fault::Failed, error)
}

/// What the caller wrote cannot be used.
pub(super) fn usage(error: impl Into<Cause>) -> CommandError {
    CommandError::new(Fault::Usage, error)
}

/// The machine does not have what was asked for.
pub(super) fn unavailable(error: impl Into<Cause>) -> CommandError {
    CommandError::new(Fault::Unavailable, error)
}

/// It is our fault, not the caller's.
pub(super) fn internal(error: impl Into<Cause>) -> CommandError {
    CommandError::new(Fault::Internal, error)
}

/// The result cannot be written in its format.
pub(super) fn unwritable(error: impl Into<Cause>) -> CommandError {
    internal("cannot write the result in this format").because(error)
}

/// The fault is the caller's where the cause is a text that is no address, and else the system's.
pub(super) fn about_address(error: impl Into<Cause>) -> CommandError {
    let error = error.into();
    let mut causes = iter::successors(Some(&*error as &(dyn Error + 'static)), |error| (*error).source());
    // The system's own EINVAL has a number; a text that cannot be read has none.
    let is_no_address =
        |source: &io::Error| source.kind() == io::ErrorKind::InvalidInput && source.raw_os_error().is_none();
    let source = causes.find_map(|cause| cause.downcast_ref());
    if source.is_some_and(is_no_address) { usage(error) } else { failed(error) }
}
