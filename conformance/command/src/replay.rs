//! `faultwire replay`.

mod folder;
pub(super) mod say;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use faultwire::trace::{DiagramOptions, SvgOptions};
use faultwire_sim::End;
use faultwire_sim::testbed::TestbedRef;

use super::capture::{CaptureArgs, Subject};
use super::error::{CommandError, internal, usage};
use super::given::given;
use super::{output, select};
use faultwire_conformance::engine::{self, ReplayOptions, Replayed};
use faultwire_conformance::exit;
use faultwire_conformance::report::{paragraph, plan_in_words};
use faultwire_conformance::study::Study;

/// Run a scenario once under a plan of faults, and draw what happened.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` for stdin
    #[arg(value_name = "PLAN", required_unless_present = "all")]
    plan: Option<PathBuf>,

    /// Replay every plan file (*.toml) of this folder in place of one: an entry for each
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["plan", "scenario", "trace", "ascii", "pcapng", "seen_by", "svg"]
    )]
    all: Option<PathBuf>,

    /// The scenario to run [default: the one that the plan names]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,

    /// Where to run it
    #[arg(long, value_name = "NAME", default_value = "virtual")]
    testbed: String,

    /// The seed of ports and identifications
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// Every event as a line of text in place of the diagram
    #[arg(long)]
    trace: bool,

    /// Draw with ASCII characters only [default: where the locale has no Unicode]
    #[arg(long)]
    ascii: bool,

    #[command(flatten)]
    capture: CaptureArgs,

    /// Draw it as an SVG picture into this file as well
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    match (&args.all, &args.plan) {
        (Some(folder), _) => folder::run(folder, select::testbed(&args.testbed)?, args.seed),
        (None, Some(path)) => one(args, path),
        (None, None) => Ok(exit::USAGE),
    }
}

fn one(args: &Args, path: &Path) -> Result<u8, CommandError> {
    output::check_distinct(Some(path), &[args.svg.as_deref(), args.capture.path()])?;
    output::check_writable("the result", args.svg.as_deref())?;
    let given = given(path, args.scenario.as_deref())?;
    let study = given.study;
    let testbed = select::testbed(&args.testbed)?;
    if let Some(why) = study.refusal(testbed) {
        return Err(undone(study, testbed, why.to_owned(), false));
    }
    let capture = args.capture.create(&(study.scenario)(testbed).host_names())?;
    let plan = given.plan.clone();
    let replayed = engine::replay(&ReplayOptions { study, plan, testbed, seed: args.seed });
    if let End::Refused { why, is_trouble } = &replayed.run.end {
        return Err(undone(study, testbed, why.clone(), *is_trouble));
    }
    let mark = replayed.moment(given.claim, study);
    let width = output::width();
    let mut out = String::new();
    if let Some(title) = &replayed.run.plan.title {
        paragraph(&mut out, "title     ", title, width);
    }
    paragraph(&mut out, "scenario  ", &format!("{}: {}", study.name, study.about), width);
    paragraph(&mut out, "plan      ", &plan_in_words(&replayed.run.plan), width);
    let _ = writeln!(out, "testbed   {}\n", testbed);
    if args.trace {
        out.push_str(&replayed.run.trace.text());
    } else {
        let mut options = DiagramOptions::default();
        (options.width, options.mark) = (width, mark);
        options.ascii = args.ascii || output::is_without_unicode();
        out.push_str(&replayed.run.trace.diagram(&options));
    }
    if let Some(path) = &args.svg {
        let title = replayed.run.plan.title.clone().unwrap_or_else(|| plan_in_words(&replayed.run.plan));
        let mut options = SvgOptions::default();
        (options.title, options.mark) = (title, mark);
        output::emit_to(Some(path), &replayed.run.trace.svg(&options))?;
    }
    let as_claimed = say::conclusion(&mut out, &replayed, &given, testbed, width);
    if let Some(capture) = capture {
        let Replayed { run, .. } = &replayed;
        let bed = testbed.to_string();
        let what = format!("faultwire replay: the scenario {} on {bed}, seed {}", study.name, args.seed);
        let subject = Subject { what: &what, plan: &run.plan };
        let said = capture.write(&run.trace, subject)?;
        paragraph(&mut out, "pcapng    ", &said, width);
    }
    output::emit(&out)?;
    Ok(if as_claimed { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

/// The error of a run that was not made: the testbed does not carry it, or there was trouble.
pub(super) fn undone(study: &Study, testbed: TestbedRef, why: String, is_trouble: bool) -> CommandError {
    let name = study.name;
    if is_trouble {
        return internal(format!("the run of `{name}` on the testbed {testbed} could not be made: {why}"));
    }
    usage(format!("the scenario `{name}` does not run on the testbed {testbed}: {why}"))
        .help("choose another one with --testbed")
}
