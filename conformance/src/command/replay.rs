//! `faultwire replay`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use faultwire::fault::FaultPlan;
use faultwire::trace::{DiagramOptions, SvgOptions};
use faultwire_sim::End;

use super::capture::{Capture, Subject};
use super::error::CommandError;
use super::{output, select};
use crate::check::Verdict;
use crate::claim::Modality;
use crate::engine::{self, ReplayOptions, Replayed};
use crate::exit;
use crate::report::{paragraph, plan_in_words};

/// Run a scenario once under a plan of faults, and draw what happened.
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

    /// The seed of ports and identifications
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// Every event as a line of text in place of the diagram
    #[arg(long)]
    trace: bool,

    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,

    /// Write the packets to this file for Wireshark: an interface for each host, one for lost packets
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,

    /// Draw it as an SVG picture into this file as well
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let plan = read(&args.plan)?;
    output::check_writable(args.svg.as_deref())?;
    let studies = engine::studies();
    let name = args.scenario.as_deref().or(plan.scenario.as_deref());
    let study = match name {
        Some(name) => select::study(name, &studies)?,
        None => {
            return Err(CommandError::NoScenario {
                path: args.plan.clone(),
                known: studies.iter().map(|study| study.name).collect(),
            });
        }
    };
    // A variant that the command line names is run in place of the plan's.
    let plan = match &args.scenario {
        Some(name) => FaultPlan { scenario: Some(name.clone()), ..plan },
        None => plan,
    };
    let testbed = select::testbed(&args.testbed)?;
    let cannot = |why: String| CommandError::CannotRun {
        scenario: study.name,
        testbed: select::full_name(testbed),
        why,
    };
    if let Some(why) = (study.refuses)(testbed) {
        return Err(cannot(why.to_owned()));
    }
    let out_error = |path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Out { path, source }
    };
    let capture = match &args.pcapng {
        Some(path) => Some(Capture::create(path).map_err(out_error(path))?),
        None => None,
    };
    let replayed = engine::replay(&ReplayOptions { study, plan, testbed, seed: args.seed });
    if let End::Refused { why } = &replayed.run.end {
        return Err(cannot(why.clone()));
    }
    let width = output::width();
    let mut out = String::new();
    if let Some(title) = &replayed.run.plan.title {
        paragraph(&mut out, "title     ", title, width);
    }
    paragraph(&mut out, "scenario  ", &format!("{}: {}", study.name, study.about), width);
    paragraph(&mut out, "plan      ", &plan_in_words(&replayed.run.plan), width);
    let _ = writeln!(out, "testbed   {}\n", select::full_name(testbed));
    if args.trace {
        out.push_str(&replayed.run.trace.text());
    } else {
        out.push_str(&replayed.run.trace.diagram(&DiagramOptions {
            width,
            ascii: args.ascii,
            ..DiagramOptions::default()
        }));
    }
    if let Some(path) = &args.svg {
        let title = replayed.run.plan.title.clone().unwrap_or_else(|| plan_in_words(&replayed.run.plan));
        let options = SvgOptions { title, ..SvgOptions::default() };
        output::emit_to(Some(path), &replayed.run.trace.svg(&options))?;
    }
    let as_claimed = conclusion(&mut out, &replayed, width);
    if let (Some(capture), Some(path)) = (capture, &args.pcapng) {
        let Replayed { run, .. } = &replayed;
        let bed = select::full_name(testbed);
        let what = format!("faultwire replay: the scenario {} on {bed}, seed {}", study.name, args.seed);
        let subject = Subject { what: &what, plan: &run.plan };
        let said = capture.write(&run.trace, subject).map_err(out_error(path))?;
        paragraph(&mut out, "pcapng    ", &said, width);
    }
    output::emit(&out)?;
    Ok(if as_claimed { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

/// The plan in a file, or from stdin.
fn read(path: &Path) -> Result<FaultPlan, CommandError> {
    if path != Path::new("-") {
        return Ok(FaultPlan::read(path)?);
    }
    Ok(FaultPlan::read_from(std::io::stdin().lock(), "stdin")?)
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// How the run ended, what fired and what the checks saw; whether nothing is wrong with it.
fn conclusion(out: &mut String, replayed: &Replayed, width: usize) -> bool {
    let run = &replayed.run;
    let mut fine = run.end.is_finished();
    out.push('\n');
    let end = match &run.end {
        End::Finished => "every client came to its end".to_owned(),
        End::Failed { host: Some(host), message } => format!("the program on {host} failed: {message}"),
        End::Failed { host: None, message } => format!("an invariant failed: {message}"),
        End::Stalled { limit, sockets } => {
            let at: String = sockets.iter().map(|socket| format!("; {socket}")).collect();
            format!("stalled, not done after {limit}{at}")
        }
        other => format!("{other:?}"),
    };
    paragraph(out, "end       ", &format!("after {}: {end}", run.elapsed), width);
    let planned = run.fired.faults.len() + run.fired.events.len();
    let _ = writeln!(out, "fired     {} of {planned} faults and events", run.fired.count());
    if !run.fired.all() {
        fine = false;
        let why = "what did not fire never met its packet: that was not sent, or was lost before, or hit by another \
                   fault already, or has no such bit";
        paragraph(out, "          ", why, width);
    }
    for (claim, seen) in &replayed.seen {
        let verdict = match &seen.verdict {
            Verdict::Fine if seen.exercised == 0 => "its situation did not occur".to_owned(),
            Verdict::Fine if claim.modality == Modality::Possible => "not shown by this run".to_owned(),
            Verdict::Fine => format!("held, its situation occurred {}", times(seen.exercised)),
            Verdict::Shown(how) => format!("shown: {how}"),
            Verdict::Broken(how) => {
                fine = false;
                format!("BROKEN: {how}")
            }
        };
        paragraph(out, &format!("  {}  ", claim.id), &verdict, width);
    }
    fine
}
