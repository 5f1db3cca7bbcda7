//! `faultwire lesson run`.

use super::super::bar::Bar;
use super::super::error::{CommandError, internal};
use super::super::output;
use super::Named;
use faultwire_conformance::exit;
use faultwire_conformance::report::paragraph;
use faultwire_course::words::{WIDTH, counts, shown};
use faultwire_course::{self, HoldOptions, Lesson, Side};

/// The most faults of the grid in one plan.
const EXHAUSTIVE: usize = 2;

/// Find the smallest plan of faults that breaks the program that believes, and hold the mended one against
/// all
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Each part is printed when it is done. Ctrl-C or SIGTERM ends it at once.

Exit: 0 the first program broke and the mended one held; 1 not so; 2 wrong usage; 4 an internal fault.")]
pub(super) struct Args {
    #[command(flatten)]
    lesson: Named,

    /// Only hold the mended program against all plans
    #[arg(long)]
    mended: bool,

    /// How many random plans the mended program is held against, beside all plans of up to two faults
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(0..=10_000_000),
    )]
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

pub(super) fn part(title: &str, text: &str) -> String {
    format!("\n{title}\n{}\n\n{text}\n", "─".repeat(title.chars().count()))
}

/// The smallest plan that breaks the believed program, and whether there is one.
fn believed(lesson: &Lesson) -> Result<(String, bool), CommandError> {
    let found = faultwire_course::find(&lesson.scenarios(Side::Believed), lesson.shows, &mut Bar::new());
    let Some(broken) = found.map_err(internal)? else {
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

/// What came of holding the mended program against every plan, and whether it held.
fn mended(lesson: &Lesson, cases: u64) -> Result<(String, bool), CommandError> {
    let options = HoldOptions { exhaustive: EXHAUSTIVE, random: cases };
    let result = faultwire_course::hold(&|| lesson.scenarios(Side::Mended), options, &mut Bar::new());
    let mut out = part("The mended program, under the same check", "").trim_end().to_owned();
    out.push_str("\n\n");
    let held = match result.map_err(internal)? {
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
