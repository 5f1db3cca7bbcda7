//! What goes wrong in a command: whose doing it was, and what to do about it.

use std::io;
use std::path::PathBuf;

use faultwire::fault::{PlanError, UnknownHost};

use super::capture::CaptureError;
use faultwire_conformance::exit;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("there is no claim `{found}`")]
    UnknownClaim { found: String, nearest: Option<String>, about: Vec<&'static str> },
    #[error("there is no testbed `{found}`")]
    UnknownTestbed { found: String, nearest: Option<String> },
    #[error("there is no scenario `{found}`")]
    UnknownScenario { found: String, nearest: Option<String>, known: Vec<&'static str> },
    #[error("there is no lesson `{found}`")]
    UnknownLesson { found: String, nearest: Option<String> },
    /// Something about a learner's folder or programs.
    #[error("{what}")]
    Lesson { what: String, help: String, code: u8, source: Option<io::Error> },
    #[error(transparent)]
    Worthless(#[from] faultwire_course::Worthless),
    #[error(transparent)]
    Unmeasured(#[from] faultwire_course::throughput::Unmeasured),
    #[error("the plan {} does not say which scenario it belongs to", path.display())]
    NoScenario { path: PathBuf, known: Vec<&'static str> },
    #[error("the plan {} belongs to two commands and not to a scenario", path.display())]
    LabPlan { path: PathBuf },
    #[error("in {}: {unknown}", path.display())]
    UnknownHost { path: PathBuf, unknown: UnknownHost, nearest: Option<String> },
    #[error("the scenario `{scenario}` does not run on the testbed {testbed}: {why}")]
    CannotRun { scenario: &'static str, testbed: String, why: String },
    #[error("the run of `{scenario}` on the testbed {testbed} could not be made: {why}")]
    Undone { scenario: &'static str, testbed: String, why: String },
    #[error("the scenario `{scenario}` says nothing of the claim `{claim}`")]
    ForeignClaim { claim: &'static str, scenario: &'static str, known: Vec<&'static str> },
    #[error("cannot list the folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the folder {} holds no plan file", path.display())]
    NoPlans { path: PathBuf },
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the testbed {testbed} is unavailable: {step}")]
    Unavailable { testbed: String, step: String, allow: String, source: Option<io::Error> },
    #[error("a page of HTML is not for a terminal")]
    PageOnTerminal,
    #[error("cannot write the result to {}", path.display())]
    Out { path: PathBuf, source: io::Error },
    #[error("{} would be written over", path.display())]
    SameFile { path: PathBuf },
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("cannot write the result to stdout")]
    Stdout(#[source] io::Error),
    #[error("FAULTWIRE_LOG says `{found}`")]
    Log { found: String },
    #[error("cannot write the result as JSON")]
    Json(#[from] serde_json::Error),
    #[error("cannot write the result as JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
    #[error("cannot write the result as a page")]
    Html(#[from] askama::Error),
}

impl CommandError {
    /// The exit code that goes with it.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            CommandError::UnknownClaim { .. }
            | CommandError::UnknownTestbed { .. }
            | CommandError::UnknownScenario { .. }
            | CommandError::UnknownLesson { .. }
            | CommandError::NoScenario { .. }
            | CommandError::LabPlan { .. }
            | CommandError::UnknownHost { .. }
            | CommandError::CannotRun { .. }
            | CommandError::ForeignClaim { .. }
            | CommandError::Folder { .. }
            | CommandError::NoPlans { .. }
            | CommandError::Plan(_)
            | CommandError::Capture(_)
            | CommandError::PageOnTerminal
            | CommandError::SameFile { .. }
            | CommandError::Log { .. }
            | CommandError::Stdout(_)
            | CommandError::Out { .. } => exit::USAGE,
            CommandError::Unavailable { .. } => exit::NO_TESTBED,
            CommandError::Lesson { code, .. } => *code,
            CommandError::Undone { .. }
            | CommandError::Worthless(_)
            | CommandError::Unmeasured(_)
            | CommandError::Json(_)
            | CommandError::Junit(_)
            | CommandError::Html(_) => exit::INTERNAL,
        }
    }

    /// What, why and what to do about it, in a line.
    pub(super) fn in_a_line(&self) -> String {
        let why = std::error::Error::source(self).map(|source| format!(": {source}")).unwrap_or_default();
        let help = self.help().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{self}{why}{help}")
    }

    /// What to do about it.
    pub(super) fn help(&self) -> Option<String> {
        let did_you_mean = |nearest: &Option<String>, all: &str| {
            Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? {all}"),
                None => all.to_owned(),
            })
        };
        match self {
            CommandError::UnknownClaim { found, about, .. } if !about.is_empty() => Some(format!(
                "these speak of it: {}; `faultwire claims {found}` lists them all",
                about.join(", ")
            )),
            CommandError::UnknownClaim { nearest, .. } => did_you_mean(
                nearest,
                "`faultwire claims` lists them; a family (`udp`) stands for all of its claims",
            ),
            CommandError::UnknownTestbed { nearest, .. } => did_you_mean(
                nearest,
                "`faultwire testbeds` lists them; `turmoil/faultwire` and `turmoil/turmoil` name one subject",
            ),
            CommandError::UnknownScenario { nearest, known, .. } => {
                did_you_mean(nearest, &format!("there are: {}", known.join(", ")))
            }
            CommandError::UnknownHost { nearest, .. } => {
                did_you_mean(nearest, "a direction is `from->to`, with hosts of the scenario")
            }
            CommandError::UnknownLesson { nearest, .. } => {
                did_you_mean(nearest, "`faultwire lesson list` lists them")
            }
            CommandError::NoScenario { known, .. } => {
                Some(format!("name it with --scenario; there are: {}", known.join(", ")))
            }
            CommandError::LabPlan { path } => {
                Some(format!("run it with `faultwire lab --plan {}`", path.display()))
            }
            CommandError::Unavailable { allow, .. } => Some(allow.clone()),
            CommandError::Lesson { help, .. } => Some(help.clone()),
            CommandError::Out { .. } | CommandError::Capture(CaptureError::File { .. }) => {
                Some("give a file in a directory that exists and is yours".to_owned())
            }
            CommandError::Log { .. } => Some(
                "expected off, error, warn, info, debug or trace, or a target with one: faultwire=debug"
                    .to_owned(),
            ),
            CommandError::SameFile { .. } => {
                Some("give each result a file of its own, other than the plan that is read".to_owned())
            }
            CommandError::PageOnTerminal => {
                Some("write it to a file with --out report.html, and open that in a browser".to_owned())
            }
            CommandError::ForeignClaim { known, .. } => Some(format!("it looks at: {}", known.join(", "))),
            CommandError::NoPlans { .. } => Some("plan files have names that end in .toml".to_owned()),
            CommandError::CannotRun { .. } => Some("choose another one with --testbed".to_owned()),
            CommandError::Folder { .. }
            | CommandError::Undone { .. }
            | CommandError::Worthless(_)
            | CommandError::Unmeasured(_)
            | CommandError::Plan(_)
            | CommandError::Capture(CaptureError::NoSuchHost { .. })
            | CommandError::Stdout(_)
            | CommandError::Json(_)
            | CommandError::Junit(_)
            | CommandError::Html(_) => None,
        }
    }
}
