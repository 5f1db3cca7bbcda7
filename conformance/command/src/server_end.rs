//! Whether the way in which a server ended is a failure of the run.
//!
//! The end of every program is part of a verdict. A server serves until it is asked to end (SIGTERM) after
//! the client did; it may as well end by itself with 0, as one does that serves a single client. Anything
//! else is a *death*: a signal, another exit code, a panic, before or after it was asked. Where the harness
//! itself kills it (its host loses power, it does not end when asked), that is no death.
//!
//! What counts is the status of the command, which is that of its shell: a worker that dies under a server
//! that goes on is not noticed.

use std::fmt;
use std::process::ExitStatus;

/// SIGTERM, by which a server is asked to end.
const SIGTERM: i32 = 15;

/// Whether a program that exits with this code says itself that it failed: a shell exits with 128 and the
/// signal's number where a signal ended its command.
pub(super) fn is_reported(code: i32) -> bool {
    !(129..160).contains(&code)
}

/// The unexpected end of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    status: ExitStatus,
    was_asked: bool,
}

impl Death {
    /// Whether a server that ended with this status died; `was_asked`: the harness had sent it SIGTERM.
    pub(super) fn of(status: ExitStatus, was_asked: bool) -> Option<Death> {
        // A shell whose command SIGTERM ended exits with 128 + 15.
        let is_asked_for = signal(status) == Some(SIGTERM) || status.code() == Some(128 + SIGTERM);
        let is_expected = status.success() || (was_asked && is_asked_for);
        (!is_expected).then_some(Death { status, was_asked })
    }
}

impl PartialEq for Death {
    /// Two deaths are of one kind if their status is the same. Whether it was asked to end by then is a
    /// matter of moments.
    fn eq(&self, other: &Death) -> bool {
        self.status == other.status
    }
}

impl Eq for Death {}

impl Death {
    /// Whether it exited by itself, with a code that says so.
    pub(super) fn is_reported(&self) -> bool {
        self.status.code().is_some_and(is_reported)
    }

    /// What the server does, whenever it was: `exits with 101`.
    pub(super) fn status(&self) -> String {
        match (signal(self.status), self.status.code()) {
            (Some(signal), _) => format!("is ended by signal {signal}"),
            (None, Some(code)) => format!("exits with {code}"),
            (None, None) => "ends without an exit code".to_owned(),
        }
    }
}

impl fmt::Display for Death {
    /// What the server does: `exits with 101 by itself`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status())?;
        f.write_str(if self.was_asked { " when it is asked to end (SIGTERM)" } else { " by itself" })
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(all(test, unix))]
pub(super) mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// A status as wait(2) gives it.
    pub(in super::super) fn death(status: i32) -> Death {
        Death::of(ExitStatus::from_raw(status), false).expect("a death")
    }

    #[test]
    fn a_server_dies_by_a_signal_or_by_another_code_than_0() {
        let (code, signal) = (|code: i32| code << 8, |signal: i32| signal);
        for (status, asked, said) in [
            (code(0), false, None),
            (code(0), true, None),
            (signal(15), true, None),
            (code(143), true, None),
            (signal(15), false, Some("is ended by signal 15 by itself")),
            (code(143), false, Some("exits with 143 by itself")),
            (signal(11), false, Some("is ended by signal 11 by itself")),
            (code(101), false, Some("exits with 101 by itself")),
            (code(1), true, Some("exits with 1 when it is asked to end (SIGTERM)")),
            (signal(6), true, Some("is ended by signal 6 when it is asked to end (SIGTERM)")),
        ] {
            let death = Death::of(ExitStatus::from_raw(status), asked);
            assert_eq!(death.map(|death| death.to_string()).as_deref(), said, "{status} {asked}");
        }
    }

    #[test]
    fn deaths_of_one_kind_have_one_status() {
        let asked = Death::of(ExitStatus::from_raw(1 << 8), true).expect("a death");
        assert_eq!(death(1 << 8), asked);
        assert_ne!(death(1 << 8), death(2 << 8));
        assert_ne!(death(1 << 8), death(1));
    }
}
