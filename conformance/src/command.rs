//! The `faultwire` command: its arguments, and what each of its parts prints.
//!
//! stdout carries the result, stderr the progress, the logs and the errors; the exit codes are in [`crate::exit`].

mod bar;
mod call;
mod capture;
mod claims;
mod compare;
mod ctrl_c;
mod error;
mod explain;
mod given;
mod lab;
#[cfg(target_os = "linux")]
mod lab_helper;
mod lesson;
mod live;
mod mutants;
mod output;
mod relay;
mod replay;
mod select;
mod serve;
mod shrink;
mod testbeds;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit;

/// What TCP and UDP promise, settled by experiment; and any network fault, reproduced on demand.
#[derive(Debug, Parser)]
#[command(
    name = "faultwire",
    version,
    max_term_width = 100,
    after_help = "Without a command: verify, with every claim on every testbed.\n\n\
                  Exit codes: 0 all as claimed; 1 a claim failed; 2 wrong usage or input;\n\
                  3 a testbed that was asked for is not to be had; 4 an internal fault;\n\
                  130 ended early by Ctrl-C, with the results so far, and nothing had failed.\n\
                  FAULTWIRE_LOG=debug shows what goes on (on stderr); NO_COLOR=1 switches colours off."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try every claim on every testbed, and tell which hold
    Verify(verify::Args),
    /// List the claims: what is said, under which conditions, and where it is written
    Claims(claims::Args),
    /// Explain a claim: what it says, why it is so, how it is tried, and a run that shows it
    Explain(explain::Args),
    /// Run a scenario once under a plan of faults, and draw what happened
    Replay(replay::Args),
    Shrink(shrink::Args),
    /// List the testbeds: where scenarios run, what each can show, and whether it is to be had here
    Testbeds(testbeds::Args),
    /// Break the stack and the programs on purpose, and tell which checks notice
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

/// Runs the command with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    logs();
    #[cfg(target_os = "linux")]
    faultwire_sim::lab::set_helper(lab::helper);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version go to stdout and are no error. A closed pipe is nobody's concern.
            let code = if usage.use_stderr() { exit::USAGE } else { exit::AS_CLAIMED };
            let _ = usage.print();
            return code.into();
        }
    };
    let result = match cli.command.unwrap_or_else(|| Command::Verify(verify::Args::default())) {
        Command::Verify(args) => verify::run(&args),
        Command::Claims(args) => claims::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Testbeds(args) => testbeds::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Serve(args) => Ok(serve::run(&args)),
        Command::Call(args) => Ok(call::run(&args)),
        Command::Relay(args) => Ok(relay::run(&args)),
        Command::Lab(args) => Ok(lab::run(&args)),
        Command::Lesson(args) => lesson::run(&args),
        Command::Compare(args) => compare::run(&args),
        #[cfg(target_os = "linux")]
        Command::LabHelper(args) => Ok(lab_helper::run(&args)),
    };
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            output::complain(&error);
            error.exit_code().into()
        }
    }
}

/// Logs go to stderr, as much of them as FAULTWIRE_LOG asks for: nothing below a warning if it says nothing.
fn logs() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("FAULTWIRE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::colour_on_stderr());
    // A second one in the same process (a test) changes nothing.
    let _ = logs.try_init();
}
