#![forbid(unsafe_code)]
//! The `faultwire` command: its arguments, and what each of its parts prints.
//!
//! stdout carries the result, stderr the progress, the logs and the errors; the exit codes are in
//! [`faultwire_conformance::exit`].
//!
//! A crate that has its own stack or sockets makes a command of [`main`] that knows them too:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use faultwire::stack::Stack;
//! use faultwire_conformance::third_party::ThirdParty;
//! use faultwire_sim::testbed::StackSubject;
//!
//! fn main() -> ExitCode {
//!     // Here `Stack` stands for yours.
//!     let mine = StackSubject::new("mine", "my stack", |host| Box::new(Stack::new(host.config)));
//!     faultwire_command::main(vec![ThirdParty::stack(mine)])
//! }
//! ```
//!
//! Then `cargo run -- verify --subject mine` tries every claim on it.

mod bar;
mod call;
mod capture;
mod claims;
mod compare;
mod ctrl_c;
mod error;
mod explain;
mod given;
mod impair;
mod lab;
#[cfg(target_os = "linux")]
mod lab_helper;
mod lesson;
mod live;
mod mutants;
mod output;
mod plan;
mod relay;
mod replay;
mod scenarios;
mod select;
mod serve;
mod server_end;
mod shrink;
mod testbeds;
mod topic;
mod verify;

use std::env::VarError;
use std::ffi::OsString;
use std::io;
use std::panic::{self, AssertUnwindSafe};
#[cfg(unix)]
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Once;

use clap::{Parser, Subcommand};

use error::{CommandError, usage};
use faultwire_conformance::exit;
use faultwire_conformance::third_party::ThirdParty;

/// What TCP and UDP promise, settled by experiment; and any network fault, reproduced on demand.
#[derive(Debug, Parser)]
#[command(
    name = "faultwire",
    version,
    max_term_width = 100,
    after_help = "Without a command: verify, with every claim on every testbed.\n\n\
                  Exit codes: 0 all as claimed; 1 a claim failed; 2 wrong usage or input,\n\
                  or a result that cannot be written; 3 a testbed requested by name is unavailable;\n\
                  4 an internal fault; 130 interrupted by Ctrl-C or SIGTERM: the results so far are\n\
                  printed, and nothing had failed.\n\
                  FAULTWIRE_LOG=debug logs to stderr; NO_COLOR=1 switches colors off; COLUMNS sets the width."
)]
struct Cli {
    /// A file that describes a third party's stack as a process (fixtures/stacks/README.md), which is a
    /// subject then; may be given more than once
    #[cfg(unix)]
    #[arg(long = "third-party", value_name = "FILE")]
    third_parties: Vec<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try every claim on every testbed, and say which hold
    Verify(verify::Args),
    /// List the claims with their conditions and sources
    Claims(claims::Args),
    /// Explain a claim: what it says, why it is so, how it is tested, and a run that shows it
    Explain(explain::Args),
    /// Run a scenario once under a plan of faults, and draw what happened
    Replay(replay::Args),
    Shrink(shrink::Args),
    /// List the testbeds: where scenarios run, what each can show, and whether it is available here
    Testbeds(testbeds::Args),
    /// List the scenarios that `replay` and `shrink` run, with the claims that each settles
    Scenarios(scenarios::Args),
    Plan(plan::Args),
    Impair(impair::Args),
    /// Break the stack and the programs on purpose, and say which checks notice
    Mutants(mutants::Args),
    Serve(serve::Args),
    Call(call::Args),
    Relay(relay::Args),
    Lab(lab::Args),
    Compare(compare::Args),
    Lesson(lesson::Args),
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    LabHelper(lab_helper::Args),
}

/// Runs the command with the arguments of this process. It knows these subjects beside its own: `verify
/// --subject NAME` tries them, `replay --testbed virtual/NAME` runs a plan on them.
///
/// Call it first thing in `main`, before any thread starts: for a lab it makes network namespaces, which a
/// process with threads cannot. A panic ends it with [`exit::INTERNAL`].
pub fn main(third_parties: Vec<ThirdParty>) -> ExitCode {
    report_panics();
    let run = || dispatch(std::env::args_os(), third_parties);
    guarded(|| run().unwrap_or_else(|error| output::complain(&error))).into()
}

/// Has each panic that is printed, on whatever thread, followed by what to do about it.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            before(info);
            output::tell(
                "error: an internal fault: please report it, with the lines above and the command line",
            );
        }));
    });
}

/// The exit code of some work; that of an internal fault if it panics.
fn guarded(work: impl FnOnce() -> u8) -> u8 {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(exit::INTERNAL)
}

fn dispatch(
    args: impl IntoIterator<Item = OsString>,
    mut third_parties: Vec<ThirdParty>,
) -> Result<u8, CommandError> {
    logs()?;
    #[cfg(target_os = "linux")]
    faultwire_sim::lab::set_helper(lab::helper);
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version go to stdout and are no error.
            let code = if usage.use_stderr() { exit::USAGE } else { exit::AS_CLAIMED };
            return Ok(match usage.print() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => exit::USAGE,
                _ => code,
            });
        }
    };
    #[cfg(unix)]
    for path in &cli.third_parties {
        third_parties.push(ThirdParty::from_file(path).map_err(usage)?);
    }
    #[cfg(unix)]
    output::set_command(args.first().map_or("".as_ref(), OsString::as_os_str), &cli.third_parties);
    // Set once: the first call in a process decides.
    let _ = select::THIRD_PARTIES.set(third_parties);
    match cli.command.unwrap_or_else(|| Command::Verify(verify::Args::default())) {
        Command::Verify(args) => verify::run(&args),
        Command::Claims(args) => claims::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Testbeds(args) => testbeds::run(&args),
        Command::Scenarios(args) => scenarios::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Impair(args) => impair::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Relay(args) => relay::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Lesson(args) => lesson::run(&args),
        Command::Compare(args) => compare::run(&args),
        #[cfg(target_os = "linux")]
        Command::LabHelper(args) => lab_helper::run(&args),
    }
}

/// Logs go to stderr, as much of them as FAULTWIRE_LOG asks for; by default nothing below a warning.
fn logs() -> Result<(), CommandError> {
    use tracing_subscriber::EnvFilter;
    let wanted = match std::env::var("FAULTWIRE_LOG") {
        Ok(wanted) if !wanted.is_empty() => wanted,
        Ok(_) | Err(VarError::NotPresent) => "warn".to_owned(),
        Err(VarError::NotUnicode(found)) => found.to_string_lossy().into_owned(),
    };
    let refused = || {
        usage(format!("FAULTWIRE_LOG says `{wanted}`"))
            .help("expected off, error, warn, info, debug or trace, or a target with one: faultwire=debug")
    };
    if !wanted.split(',').all(is_log_directive) {
        return Err(refused());
    }
    let filter = EnvFilter::try_new(&wanted).map_err(|_| refused())?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A reader of stderr that goes away must not end a server.
        .log_internal_errors(false)
        .with_ansi(output::color_on_stderr());
    // A second one in the same process (a test) changes nothing.
    let _ = logs.try_init();
    Ok(())
}

/// Whether it is a level, or a target with one. A word alone would be the target of that name, which is a
/// level misspelled.
fn is_log_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    levels.iter().any(|it| it.eq_ignore_ascii_case(level.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_fault() {
        assert_eq!(guarded(|| exit::CLAIM_FAILED), exit::CLAIM_FAILED);
        assert_eq!(guarded(|| panic!("on purpose, in a test")), exit::INTERNAL);
        // Workers' panics reach the thread that waits for them.
        let by_a_worker = || {
            let work = |_: &u8, _: &std::sync::mpsc::Sender<()>| panic!("on purpose, in a test");
            faultwire_sim::workers::side_by_side(&[(&[1, 2], 2)], &work, &mut |()| {});
            exit::AS_CLAIMED
        };
        assert_eq!(guarded(by_a_worker), exit::INTERNAL);
    }

    #[test]
    fn a_log_filter_names_levels() {
        assert!(
            ["debug", "WARN", "faultwire=trace", "faultwire::tcp=debug"].into_iter().all(is_log_directive)
        );
        assert!(!["nonsense", "", "faultwire=loud", "faultwire"].into_iter().any(is_log_directive));
    }
}
