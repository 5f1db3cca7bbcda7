#![forbid(unsafe_code)]
//! The `faultwire` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    faultwire_conformance::command::run(std::env::args_os())
}
