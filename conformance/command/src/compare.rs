//! `faultwire compare`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::error::{CommandError, failed, unavailable, unwritable, usage};
use super::output;
use faultwire_conformance::exit;

/// Measure Linux's TCP and faultwire's under the same plans, and name what allows each difference
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Linux only; no root needed. In one run the tried host is the kernel, in the other it is our stack.
The peer is the kernel in both; plan and programs are the same. It takes about ten seconds; Ctrl-C
or SIGTERM ends it at once, without a result.

Exit: 0 every figure was measured and every difference is allowed by a sentence of an RFC; 1 not so;
2 wrong usage; 3 the machine refuses the lab.")]
pub(super) struct Args {
    /// The figures to measure, such as `data-growth`; all, if none is named
    #[arg(value_name = "FIGURE")]
    figures: Vec<String>,
    /// The settings of the kernel: `faultwire testbeds --settings` lists them
    #[arg(long, value_enum, default_value_t = Profile::Stock)]
    profile: Profile,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write the result there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Cases are short, and segments as regular as the kernel lets them be
    Fast,
    /// The defaults that the kernel's documentation names
    Stock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table, and what allows the differences
    Human,
    /// An object with the version of its format and the figures
    Json,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    output::check_writable("the result", args.out.as_deref())?;
    let (text, code) = measured(args)?;
    output::emit_to(args.out.as_deref(), &text)?;
    Ok(code)
}

/// The result, and the exit code for it.
#[cfg(target_os = "linux")]
fn measured(args: &Args) -> Result<(String, u8), CommandError> {
    use super::bar::Bar;
    use faultwire_conformance::figures::{CompareError, Options, compare};
    let program = std::env::current_exe().map_err(failed)?;
    let profile = match args.profile {
        Profile::Fast => faultwire::lab::Profile::Fast,
        Profile::Stock => faultwire::lab::Profile::Stock,
    };
    let options = Options { profile, mutant: None, figures: &args.figures, program: &program };
    let measured = compare(&options, &mut Bar::new());
    let comparison = measured.map_err(|error| match error {
        CompareError::Refused(_) | CompareError::Start(_) => unavailable(error),
        _ => usage(error),
    })?;
    let text = match args.format {
        Format::Human => comparison.to_table(output::width()),
        Format::Json => serde_json::to_string_pretty(&comparison).map_err(unwritable)? + "\n",
    };
    Ok((text, if comparison.is_explained() { exit::AS_CLAIMED } else { exit::CLAIM_FAILED }))
}

/// There is no lab.
#[cfg(not(target_os = "linux"))]
fn measured(_: &Args) -> Result<(String, u8), CommandError> {
    Err(super::lab::only_linux())
}
