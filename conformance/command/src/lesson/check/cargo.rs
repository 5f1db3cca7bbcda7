//! A crate that a learner writes: built, and its check run, by cargo.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Outcome;
use super::group::{Group, Waited};
use super::output_of::{Keep, Kept};
use crate::error::{CommandError, internal, unavailable, usage};
use crate::lesson::folder::shown;
use crate::output::{self, tell};
use faultwire_conformance::report::harmless;
use faultwire_course::learner::{Kind, REPORT, Verdict};
use faultwire_sim::CancellationToken;

/// How long a build may take: the first one builds all of this program.
const BUILD_MAX: Duration = Duration::from_secs(3_600);

/// How much memory the check may take, in KiB: a machine that never stops collecting must not take all there
/// is.
const MEMORY_MAX_KIB: u64 = 4 * 1024 * 1024;

/// So much of what the test printed is shown where it says nothing else, in bytes.
const SHOWN_MAX: usize = 4_096;

/// The verdict's file, in the learner's folder while the check runs.
const REPORT_FILE: &str = ".faultwire-verdict";

/// How long the rest of the output is waited for.
const OUTPUT_MAX: Duration = Duration::from_secs(1);

/// Builds the crate in a folder, and runs its check for no longer than `limit`.
pub(super) fn check(
    folder: &Path,
    limit: Duration,
    stopping: &CancellationToken,
) -> Result<Outcome, CommandError> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(usage(format!("{} has no Cargo.toml", shown(folder)))
            .help("`faultwire lesson start` makes a folder that has one"));
    }
    if let Some(gone) = gone(&folder.join("Cargo.toml")) {
        let what = format!("{gone} no longer exists, and the crate depends on it");
        let help = "it was the source of faultwire: mend the paths in Cargo.toml, or start again with \
                    --source PATH";
        return Err(unavailable(what).help(help));
    }
    let is_first = is_first(folder);
    let why = if is_first {
        " (the first time this takes minutes: it builds what the check is made of)"
    } else {
        ""
    };
    tell(format_args!("building{why}"));
    match build(folder, is_first, stopping)? {
        Waited::Ended(status) if status.success() => {}
        Waited::Ended(_) => {
            output::emit("It does not compile: the compiler says above what it does not understand.\n")?;
            return Ok(Outcome::Fails);
        }
        Waited::TooLong => {
            output::emit(&format!("The build took longer than {} s, and was ended.\n", BUILD_MAX.as_secs()))?;
            return Ok(Outcome::Fails);
        }
        Waited::Stopped => return Ok(Outcome::Stopped),
    }
    tell(format_args!("checking"));
    test(folder, limit, stopping)
}

/// The source tree that a crate depends on, where that is no longer there.
fn gone(manifest: &Path) -> Option<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).ok()?.parse().ok()?;
    let dependencies = manifest.get("dependencies")?.as_table()?;
    let paths = dependencies.values().filter_map(|dependency| dependency.get("path")?.as_str());
    // What is wrong with the rest of it, cargo says better.
    paths.map(str::to_owned).find(|path| Path::new(path).is_absolute() && !Path::new(path).is_dir())
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

const TEST: [&str; 3] = ["test", "--test", "lesson"];

/// Whether nothing was built yet for any lesson beside this one.
fn is_first(folder: &Path) -> bool {
    let is_elsewhere = std::env::var_os("CARGO_TARGET_DIR").is_some();
    !is_elsewhere && !folder.join(super::super::start::TARGET).join("debug").is_dir()
}

fn build(folder: &Path, is_first: bool, stopping: &CancellationToken) -> Result<Waited, CommandError> {
    let mut command = Command::new(cargo());
    // What the compiler says goes straight to the learner, colours and all.
    command.args(TEST).arg("--no-run").current_dir(folder).stdin(Stdio::null());
    // Who has to wait for minutes sees that something happens.
    if !is_first {
        command.arg("--quiet");
    }
    let mut group = Group::start(&mut command).map_err(no_cargo)?;
    group.wait(BUILD_MAX, &|| stopping.is_cancelled()).map_err(no_cargo)
}

/// Runs the test, and says what came of it.
fn test(folder: &Path, limit: Duration, stopping: &CancellationToken) -> Result<Outcome, CommandError> {
    let failed = |error: io::Error| {
        internal("the check cannot be run").because(error).help("is the folder yours to write to?")
    };
    let report = folder.canonicalize().map_err(failed)?.join(REPORT_FILE);
    let _ = fs::remove_file(&report);
    let mut command = bounded(cargo());
    command.args(TEST).arg("--quiet").current_dir(folder).env(REPORT, &report).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::start(&mut command).map_err(no_cargo)?;
    let mut streams = Vec::new();
    if let Some(stdout) = group.child().stdout.take() {
        streams.push(Kept::of(stdout, Keep::Last(SHOWN_MAX)).map_err(failed)?);
    }
    if let Some(stderr) = group.child().stderr.take() {
        streams.push(Kept::of(stderr, Keep::Last(SHOWN_MAX)).map_err(failed)?);
    }
    let waited = group.wait(limit, &|| stopping.is_cancelled()).map_err(failed)?;
    group.kill();
    let verdict = fs::read_to_string(&report).ok().and_then(|text| Verdict::of_report(&text));
    // It may not be there.
    let _ = fs::remove_file(&report);
    let printed = || -> String {
        streams.iter().for_each(|stream| stream.finish(OUTPUT_MAX));
        streams.iter().map(|stream| stream.text()).collect()
    };
    let (outcome, said) = match (waited, verdict) {
        (Waited::Stopped, _) => return Ok(Outcome::Stopped),
        (Waited::TooLong, _) => (
            Outcome::Fails,
            format!(
                "The check did not come to an end within {} s, and was ended with all that it\n\
                 had started. Does the program do more work than it needs to, or is there a loop\n\
                 in it that hardly ends? (--timeout SECONDS gives it more time.)\n",
                limit.as_secs_f64()
            ),
        ),
        (Waited::Ended(status), Some(verdict)) if status.success() == (verdict.kind == Kind::Holds) => {
            let outcome = if verdict.kind == Kind::Holds { Outcome::Passes } else { Outcome::Fails };
            (outcome, verdict.text)
        }
        (Waited::Ended(status), None) if status.success() => (
            Outcome::Fails,
            "The tests passed, but the lesson's check did not come to its end among them. Does\n\
             the program end the process itself, or is tests/lesson.rs not as it was?\n"
                .to_owned(),
        ),
        (Waited::Ended(_), _) => (
            Outcome::Fails,
            format!(
                "The check was cut off: the program crashed, or ended by itself, or another test\n\
                 of it failed. Does a function call itself without end, or a collection grow\n\
                 without end? The last it printed:\n\n{}\n",
                harmless(printed().trim_end())
            ),
        ),
    };
    output::emit(&said)?;
    Ok(outcome)
}

/// A command that may take only so much memory, where the system can see to that.
fn bounded(program: OsString) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -v {MEMORY_MAX_KIB}; exec \"$0\" \"$@\"")).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn no_cargo(source: io::Error) -> CommandError {
    unavailable("cargo cannot be started").because(source).help("it comes with Rust: https://rustup.rs")
}
