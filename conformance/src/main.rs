#![forbid(unsafe_code)]
//! The `faultwire` command.

mod command;

fn main() -> std::process::ExitCode {
    command::run()
}
