//! `faultwire verify`.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use faultwire::text::shell_word;
use faultwire_sim::failure;
use faultwire_sim::testbed::TestbedRef;

use super::bar::Bar;
use super::error::{CommandError, unwritable, usage};
use super::{ctrl_c, output, select};
use faultwire_conformance::engine::{self, VerifyOptions};
use faultwire_conformance::exit;
use faultwire_conformance::report::{Outcome, Report, Row, Standing, TableOptions};
use faultwire_conformance::third_party::ThirdParty;

/// Try every claim on every testbed, and say which hold.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    /// The claims to try: ids such as `udp/may-lose` or `may-lose`, or a family such as `udp` [default: all]
    #[arg(value_name = "CLAIM")]
    claims: Vec<String>,

    /// A testbed to try them on; may be given more than once [default: all that are available]
    #[arg(long = "testbed", value_name = "NAME")]
    testbeds: Vec<String>,

    /// A subject to try: faultwire, linux, turmoil or a third party's; may be given more than once
    /// [default: faultwire, linux and turmoil]
    #[arg(long = "subject", value_name = "NAME")]
    subjects: Vec<String>,

    /// Compare the stacks: one testbed for each, on which every host has it
    #[arg(long, conflicts_with_all = ["testbeds", "subjects"])]
    stacks: bool,

    /// Test the adapters of the third parties' stacks, and try no claim
    #[arg(long, conflicts_with_all = ["claims", "stacks", "cases", "thorough", "seed", "format", "out"])]
    adapter: bool,

    /// How many random plans each study tries, in place of its default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    cases: Option<u64>,

    /// Search much wider, for much longer
    #[arg(long)]
    thorough: bool,

    /// The seed of random plans, ports and identifications: the same seed gives the same result
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Write the result to this file in place of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table with explanations
    #[default]
    Human,
    /// The rows as JSON, format 1
    Json,
    /// JUnit XML: a suite for each family and testbed, a case for each row
    Junit,
    /// One page with filters, pictures and the commands that replay them
    Html,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let claims = select::claims(&args.claims)?;
    let select::Chosen { testbeds, unavailable } = match args.stacks {
        true => select::stacks(),
        false => select::testbeds(&args.testbeds, &args.subjects)?,
    };
    let has_lab = testbeds.iter().any(|it| it.is_live() && unavailable.iter().all(|(other, _)| other != it));
    let options = VerifyOptions {
        lab_settings: if has_lab { super::lab::settings() } else { None },
        unavailable,
        cases: args.cases,
        thorough: args.thorough,
        lab_plans: lab_plans(args),
        expected: select::expected_failures(),
        seed: args.seed,
        ..VerifyOptions::new(claims, testbeds)
    };
    if args.format == Format::Html && args.out.is_none() && io::stdout().is_terminal() {
        return Err(usage("a page of HTML is not for a terminal")
            .help("write it to a file with --out report.html, and open that in a browser"));
    }
    output::check_writable("the result", args.out.as_deref())?;
    test_adapters(&options, args.adapter)?;
    if args.adapter {
        return Ok(exit::AS_CLAIMED);
    }
    let token = ctrl_c::listen();
    let mut report = {
        let mut bar = Bar::new();
        engine::verify_until(&options, &mut bar, &token)
    };
    report.command = output::command().to_owned();
    keep_failures(&mut report);
    if !report.interrupted {
        for (name, why) in untried(&report.results, args) {
            output::tell(format_args!("{name}: nothing was tried: {why}"));
            report.untried.push(name);
        }
    }
    let text = match args.format {
        Format::Human => report.to_table(TableOptions {
            width: output::width(),
            color: args.out.is_none() && output::color_on_stdout(),
        }),
        Format::Json => report.to_json().map_err(unwritable)?,
        Format::Junit => report.to_junit().map_err(unwritable)?,
        Format::Html => report.to_html(&engine::exhibits(&report)).map_err(unwritable)?,
    };
    output::emit_to(args.out.as_deref(), &text)?;
    // Whoever sees the table has seen how it ended.
    if args.out.is_some() || args.format != Format::Human {
        output::tell(ending(&report, args));
    }
    Ok(report.exit_code())
}

/// Tests the adapters of the third parties' stacks that are tried: with a wrong one no claim says anything.
fn test_adapters(options: &VerifyOptions, alone: bool) -> Result<(), CommandError> {
    let is_tried = |third_party: &&ThirdParty| {
        let is_available = |testbed: &TestbedRef| options.unavailable.iter().all(|(it, _)| it != testbed);
        third_party.testbeds().iter().any(|it| options.testbeds.contains(it) && is_available(it))
    };
    let tried = select::third_parties().iter().filter(is_tried);
    let mut reports = tried.filter_map(|it| Some((it.name(), it.test_adapter()?))).peekable();
    if alone && reports.peek().is_none() {
        return Err(usage("none of these testbeds has a third party's stack, so that there is no adapter")
            .help("name a subject with --subject; `faultwire testbeds` lists them"));
    }
    for (name, report) in reports {
        let text = if alone { format!("{report:#}") } else { report.to_string() };
        let is_short = report.is_ok() && !alone;
        let shown = if is_short { text.lines().next().unwrap_or_default() } else { text.trim_end() };
        output::tell(format_args!("{name}: {shown}"));
        if !report.is_ok() {
            return Err(usage(format!("the adapter of `{name}` does not keep to the contract of a stack"))
                .help("mend what is listed above; until then no claim says anything of the stack"));
        }
    }
    Ok(())
}

/// The claims, families and testbeds on the command line of which nothing was tried, each with the first
/// reason.
fn untried(rows: &[Row], args: &Args) -> Vec<(String, String)> {
    let of_claim = |name: &str, row: &Row| {
        row.claim == name || row.claim.split('/').next() == Some(name.trim_end_matches('/'))
    };
    let on_testbed =
        |name: &str, row: &Row| row.testbed == name || format!("{}/{}", row.testbed, row.subject) == name;
    let reason = |name: &String, is_of: &dyn Fn(&str, &Row) -> bool| {
        let mut rows = rows.iter().filter(|row| is_of(name, row)).peekable();
        let first = rows.peek()?.why.clone();
        let nothing = rows.all(|row| row.outcome == Outcome::Skipped);
        nothing.then(|| (name.clone(), first.unwrap_or_default()))
    };
    let claims = args.claims.iter().filter_map(|name| reason(name, &of_claim));
    claims.chain(args.testbeds.iter().filter_map(|name| reason(name, &on_testbed))).collect()
}

/// How it ended, in a line, and where the result is.
fn ending(report: &Report, args: &Args) -> String {
    let line = report.to_line();
    match &args.out {
        None => line,
        // Most terminals open an address by a click.
        Some(path) if args.format == Format::Html => format!("{line} The page: {}", output::address(path)),
        Some(path) => format!("{line} Written to {}", path.display()),
    }
}

/// How many plans of one fault each study tries in a lab: its runs take real time, so that a verification of
/// everything tries the least.
fn lab_plans(args: &Args) -> u64 {
    let is_named = args.testbeds.iter().any(|name| name.starts_with("lab"));
    match (args.thorough, is_named) {
        (true, _) => 200,
        (false, true) => 3,
        (false, false) => 0,
    }
}

/// Puts the plan of each failure where it can be replayed from, and says how.
fn keep_failures(report: &mut Report) {
    let dir = failure::target_dir();
    let seed = report.seed;
    for row in report.results.iter_mut().filter(|row| row.standing() == Standing::Failed) {
        let Some(plan) = &row.plan else { continue };
        match failure::save(row.claim, plan, &dir) {
            Ok(path) => {
                row.replay = Some(replay_line(&path, row, seed));
            }
            Err(error) => {
                tracing::warn!(claim = row.claim, dir = %dir.display(), %error, "its plan was not saved")
            }
        }
    }
}

/// The line that makes a row's run again: there, with the subject where its testbed has two, and with that
/// seed.
fn replay_line(path: &Path, row: &Row, seed: u64) -> String {
    // A name alone stands for the only subject of a testbed, or for our stack.
    let is_enough = select::find(row.testbed).is_ok_and(|testbed| testbed == row.on);
    let subject = if is_enough { String::new() } else { format!("/{}", row.subject) };
    let seed = if seed == 0 { String::new() } else { format!(" --seed {seed}") };
    let (command, path) = (output::command(), shell_word(&path.to_string_lossy()));
    format!("{command} replay {path} --testbed {}{subject}{seed}", row.testbed)
}

#[cfg(test)]
mod tests {
    use faultwire_sim::testbed;

    use super::*;
    use crate::select;
    use faultwire_conformance::claim::Claim;

    #[test]
    fn the_line_that_replays_a_row_names_its_testbed_and_seed() {
        let claim = Claim::of("udp/may-lose").unwrap();
        for testbed in testbed::ALL {
            let row = Row::new(claim, testbed, Outcome::Broken);
            let line = replay_line(Path::new("a.toml"), &row, 0);
            let name = line.strip_prefix("faultwire replay a.toml --testbed ").unwrap();
            assert_eq!(select::find(name).unwrap(), testbed, "{line}");
            assert_eq!(replay_line(Path::new("a.toml"), &row, 7), format!("{line} --seed 7"));
        }
    }
}
