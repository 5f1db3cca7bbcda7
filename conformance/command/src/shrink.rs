//! `faultwire shrink`.

use std::fmt::Write as _;
use std::path::PathBuf;

use faultwire::fault::FaultPlan;

use super::bar::RunsBar;
use super::error::CommandError;
use super::given::{Given, claim, given};
use super::replay::undone;
use super::{ctrl_c, output, select};
use faultwire_conformance::engine::{self, NotShrunk, ShrinkOptions, Shrinking, Stopped};
use faultwire_conformance::exit;

/// Shrink a plan to the smallest one that still shows the same thing, and print the steps.
///
/// What it shows is the claim that the plan names or `--claim`; without either the first thing that its run
/// shows: a broken claim, a program that fails, a stall, a possible claim.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` for stdin
    #[arg(value_name = "PLAN")]
    plan: PathBuf,

    /// The scenario to run [default: the one that the plan names]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,

    /// Where to run it
    #[arg(long, value_name = "NAME", default_value = "virtual")]
    testbed: String,

    /// What every smaller plan must go on to show, or to break [default: the claim that the plan names]
    #[arg(long, value_name = "ID")]
    claim: Option<String>,

    /// Write the smallest plan to this file; without, all is on stdout, with the path as comments of the plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// How many plans are run at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000)
    )]
    runs: u64,

    /// The seed of ports and identifications
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let Given { plan, study, claim: of_plan } = given(&args.plan, args.scenario.as_deref())?;
    let testbed = select::testbed(&args.testbed)?;
    let bed = testbed.to_string();
    let claim = args.claim.as_deref().map(|id| claim(id, study)).transpose()?.or(of_plan);
    if let Some(why) = study.refusal(testbed) {
        return Err(undone(study, testbed, why.to_owned(), false));
    }
    output::check_distinct(Some(&args.plan), &[args.out.as_deref()])?;
    output::check_writable("the result", args.out.as_deref())?;
    let options = ShrinkOptions { study, plan, testbed, seed: args.seed, claim, runs_max: args.runs };
    let token = ctrl_c::listen();
    let done = {
        let mut bar = RunsBar::new(args.runs);
        engine::shrink_plan(&options, &mut |best| bar.ran(&items(best)), &token)
    };
    let done = match done {
        Ok(done) => done,
        Err(NotShrunk::CannotRun(why)) => return Err(undone(study, testbed, why, false)),
        Err(NotShrunk::Trouble(why)) => return Err(undone(study, testbed, why, true)),
        Err(NotShrunk::Interrupted) => {
            output::emit("INTERRUPTED: the plan had shown nothing by then\n")?;
            return Ok(exit::INTERRUPTED);
        }
        Err(NotShrunk::ShowsNothing(why)) => {
            output::emit(&format!("it shows nothing on {bed}: {why}\n"))?;
            return Ok(exit::CLAIM_FAILED);
        }
    };
    if args.out.is_some() {
        output::emit_to(args.out.as_deref(), &done.plan.to_toml())?;
    }
    let seed = if args.seed == 0 { String::new() } else { format!(" --seed {}", args.seed) };
    // What stands on stdout is a plan file itself.
    let file = args.out.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let command = output::command();
    let said = path(&done, &options.plan, &bed, &format!("{command} replay {file} --testbed {bed}{seed}"));
    output::emit(&if args.out.is_some() { said } else { as_comments(&said) + &done.plan.to_toml() })?;
    Ok(match (done.stopped, done.repeats) {
        (Stopped::Interrupted, _) => exit::INTERRUPTED,
        // The plan that was found shows nothing when it is run again.
        (_, Some((0, _))) => exit::CLAIM_FAILED,
        _ => exit::AS_CLAIMED,
    })
}

/// How large a plan is.
fn items(plan: &FaultPlan) -> String {
    match plan.faults.len() + plan.events.len() {
        0 => "no fault at all".to_owned(),
        1 => "1 fault or event".to_owned(),
        count => format!("{count} faults and events"),
    }
}

/// What it shows, the steps, and how sure it is that it ends there.
fn path(done: &Shrinking, from: &FaultPlan, bed: &str, replay: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "what it shows on {bed}: {}", done.goal);
    let _ = writeln!(out, "from {}:", items(from));
    let runs = |count: u64| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    let width = runs(done.runs).len();
    for step in &done.steps {
        let _ = writeln!(out, "  after {:>width$}  {}", runs(step.runs), step.words);
    }
    let end = match done.stopped {
        Stopped::Smallest => "no plan that is one step simpler shows it",
        Stopped::OutOfRuns => "the runs are used up: there may be smaller ones (--runs)",
        Stopped::Interrupted => "INTERRUPTED: there may be smaller ones",
    };
    let _ = writeln!(out, "to {}, {} in all: {end}", items(&done.plan), runs(done.runs));
    let _ = writeln!(out, "it shows: {}", done.how);
    if let Some((again, of)) = done.repeats {
        let _ = writeln!(out, "run again, it shows it in {again} of {of} runs: runs there do not repeat");
    }
    let _ = writeln!(out, "replay: {replay}");
    out
}

/// A text as comments of a plan file.
fn as_comments(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}
