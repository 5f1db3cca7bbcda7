//! `faultwire lesson run`.

use std::fmt::Write as _;

use faultwire::fault::Link;
use faultwire::trace::DiagramOptions;
use faultwire_sim::search::Tried;

use super::super::bar::Bar;
use super::super::error::CommandError;
use super::super::output;
use super::Named;
use crate::exit;
use crate::lesson::{self, Broken, HoldOptions, Lesson, Side};
use crate::report::{grouped, paragraph, plan_in_words};

/// The widest line, in columns.
const WIDTH: usize = 80;

/// Up to so many faults of the grid in one plan.
const EXHAUSTIVE: usize = 2;

/// Find the smallest plan of faults that breaks the program that believes, and hold the mended one against all
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    lesson: Named,

    /// Only hold the mended program against all plans
    #[arg(long)]
    mended: bool,

    /// How many random plans the mended program is held against, beside all plans of up to two faults
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    cases: u64,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let lesson = args.lesson.find()?;
    output::emit(&format!("Lesson {}: {}\n", lesson.name, lesson.title))?;
    let mut fine = true;
    if !args.mended {
        output::emit(&part("What one believes", lesson.section("What one believes")))?;
        let (text, broken) = believed(lesson)?;
        output::emit(&text)?;
        fine &= broken;
        output::emit(&part("The idea", lesson.section("The idea")))?;
    }
    let (text, held) = mended(lesson, args.cases)?;
    output::emit(&text)?;
    fine &= held;
    if !args.mended {
        output::emit(&part("The question", lesson.section("The question")))?;
    }
    Ok(if fine { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

fn part(title: &str, text: &str) -> String {
    format!("\n{title}\n{}\n\n{text}\n", "─".repeat(title.chars().count()))
}

/// The smallest plan that breaks the believed program, and whether there is one.
fn believed(lesson: &Lesson) -> Result<(String, bool), CommandError> {
    let found = lesson::find(&lesson.scenarios(Side::Believed), lesson.shows, &mut Bar::new())?;
    let Some(broken) = found else {
        return Ok((
            part("It does not break", "No plan was found that breaks the program that believes this."),
            false,
        ));
    };
    let mut out = part("The smallest plan that breaks it", "").trim_end().to_owned();
    out.push_str("\n\n");
    out.push_str(&shown(&broken));
    paragraph(&mut out, "Why: ", lesson.why, WIDTH);
    Ok((out, true))
}

/// A failure: its plan, its diagram, what the check says, how it was found.
pub(super) fn shown(broken: &Broken) -> String {
    let mut out = String::new();
    let plan = &broken.run.plan;
    let mut words = plan_in_words(plan);
    if plan.link != Link::default() {
        let delay_ms = plan.link.numbers().delay_us / 1_000;
        let _ = write!(words, ", over a link that takes {delay_ms} ms each way");
    }
    paragraph(&mut out, "  ", &words, WIDTH);
    let options = DiagramOptions { width: WIDTH, lines_max: 40, ..DiagramOptions::default() };
    let _ = write!(out, "\n{}\n", broken.run.trace.diagram(&options));
    paragraph(&mut out, "It fails: ", &broken.how, WIDTH);
    let smallest = if broken.is_minimal {
        "nothing of the plan can be left out or lessened"
    } else {
        "it may not be the smallest plan"
    };
    let plans = counted(broken.tried.runs(), "plan");
    let found = format!("after {plans}, and {} to lessen it; {smallest}", counted(broken.shrink_runs, "run"));
    paragraph(&mut out, "Found:    ", &found, WIDTH);
    out
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// What came of holding the mended program against every plan, and whether it held.
fn mended(lesson: &Lesson, cases: u64) -> Result<(String, bool), CommandError> {
    let options = HoldOptions { exhaustive: EXHAUSTIVE, random: cases };
    let result = lesson::hold(&|| lesson.scenarios(Side::Mended), options, &mut Bar::new())?;
    let mut out = part("The mended program, under the same check", "").trim_end().to_owned();
    out.push_str("\n\n");
    let held = match result {
        Ok(held) => {
            paragraph(&mut out, "It holds: ", &counts(&held.tried), WIDTH);
            true
        }
        Err(broken) => {
            out.push_str("It breaks:\n\n");
            out.push_str(&shown(&broken));
            false
        }
    };
    Ok((out, held))
}

/// How hard was tried, in words.
pub(super) fn counts(tried: &Tried) -> String {
    format!(
        "under every plan of no fault ({}), one ({}) and two ({}), and {} random ones of up to eight; {} of {} planned \
         faults took place",
        grouped(tried.fault_free),
        grouped(tried.singles),
        grouped(tried.pairs),
        grouped(tried.random),
        grouped(tried.faults_fired),
        grouped(tried.faults_planned),
    )
}
