//! The command line: its arguments, and what is done for each of them.

mod call;
mod live;
mod relay;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What TCP and UDP promise, settled by experiment; faults as data.
#[derive(Debug, Parser)]
#[command(
    name = "faultwire",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Call(call::Args),
    Relay(relay::Args),
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Relay(args) => relay::run(&args),
    };
    ExitCode::from(code)
}
