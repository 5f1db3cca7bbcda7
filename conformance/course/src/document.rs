//! The course as a document: `lessons/README.md`, made from the lessons' texts, their recorded plans, the
//! traces of these plans' runs, and the throughput that is measured. Nothing of it is written by hand.
//!
//! `cargo run -p faultwire-course --example write_course` writes it, with its plots. A test makes it
//! anew and compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use faultwire::trace::DiagramOptions;
use faultwire_sim::search::Tried;
use faultwire_sim::{End, Run};
use serde::{Deserialize, Serialize};

use super::fairness::{self, Fairness, two_long_flows};
use super::throughput::{self, Figure, TOLERANCE, experiments, measure};
use super::words::{WIDTH, counts};
use super::{LESSONS, Lesson, Side};
use faultwire_conformance::report::plan_in_words;

/// The lines of a diagram at most: what is more is left out in its middle.
const DIAGRAM_LINES: usize = 40;

/// Why the document cannot be made: a mistake in the course.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritten(String);

/// The document and its pictures.
#[derive(Clone, Debug)]
pub struct Document {
    /// `lessons/README.md`.
    pub text: String,
    /// The files of `lessons/plots`: names and contents.
    pub plots: Vec<(String, String)>,
}

/// What a mended program was held against, as recorded in `lessons/held.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRecord {
    /// Runs without any fault.
    pub fault_free: u64,
    /// Runs with each single fault of the grid.
    pub singles: u64,
    /// Runs with each pair of them.
    pub pairs: u64,
    /// Runs under random plans.
    pub random: u64,
    /// Faults and events planned, over all runs.
    pub faults_planned: u64,
    /// How many of those took place.
    pub faults_fired: u64,
}

impl From<Tried> for HeldRecord {
    fn from(tried: Tried) -> Self {
        let Tried { fault_free, singles, pairs, random, faults_planned, faults_fired, .. } = tried;
        HeldRecord { fault_free, singles, pairs, random, faults_planned, faults_fired }
    }
}

/// The records of all lessons, by their names.
///
/// # Errors
/// Where the file is not as it is written.
pub fn held_records() -> Result<BTreeMap<String, HeldRecord>, Unwritten> {
    toml::from_str(include_str!("../lessons/held.toml"))
        .map_err(|error| Unwritten(format!("held.toml: {error}")))
}

/// The files with a lesson's programs, from `lessons/`: the believed ones, then the mended ones.
fn programs(lesson: &Lesson) -> (Vec<String>, Vec<String>) {
    let (believed, mended): (&[&str], &[&str]) = match lesson.name {
        "0" => (&["00/stream_of_bytes"], &["00/plain"]),
        "1" => (&["00/plain"], &["01/repeat"]),
        "2" => (&["01/repeat"], &["02/numbered"]),
        "3" => (&["03/alternating_bit"], &["02/numbered"]),
        "4" => (&["02/numbered"], &["04/go_back_n"]),
        "5" => (&["04/go_back_n"], &["05/selective_repeat"]),
        "6" => (&["05/selective_repeat", "05/patience"], &["05/selective_repeat", "06/adaptive"]),
        "7" => (&["05/selective_repeat", "06/adaptive"], &["07/checked"]),
        "8" => (&["08/bounded"], &["08/windowed"]),
        "9" => (&["09/unannounced"], &["09/conversation", "09/segment"]),
        "10" => (&["10/flow", "10/greedy"], &["10/flow", "10/aimd"]),
        "s1" => (&["s1/one_read"], &["s1/length", "s1/delimiter", "s1/fixed"]),
        _ => return both_here(lesson),
    };
    (paths(believed), paths(mended))
}

fn both_here(lesson: &Lesson) -> (Vec<String>, Vec<String>) {
    let here = |file: &str| vec![format!("{}/{file}.rs", lesson.folder())];
    (here("believed"), here("mended"))
}

/// `01/repeat` as `01-acknowledge-and-repeat/repeat.rs`.
fn paths(short: &[&str]) -> Vec<String> {
    let path = |short: &&str| {
        let (folder, file) = short.split_once('/')?;
        let lesson = LESSONS.iter().find(|lesson| lesson.folder().split('-').next() == Some(folder))?;
        Some(format!("{}/{file}.rs", lesson.folder()))
    };
    short.iter().filter_map(path).collect()
}

fn links(paths: &[String]) -> String {
    let links: Vec<String> = paths.iter().map(|path| format!("[`{path}`]({path})")).collect();
    links.join(", ")
}

/// The run of the believed program under its recorded plan.
fn broken_run(lesson: &Lesson) -> Result<Run, Unwritten> {
    let plan = lesson.recorded().map_err(|error| Unwritten(error.to_string()))?;
    let runs = lesson.scenarios(Side::Believed).into_iter().map(|scenario| scenario.run(&plan));
    let mut failed =
        runs.filter(|run| run.fired.all() && !matches!(run.end, End::Finished | End::Refused { .. }));
    failed
        .next()
        .ok_or_else(|| Unwritten(format!("the program of lesson {} holds under its plan", lesson.name)))
}

/// Makes the document: measures, runs, writes.
///
/// # Errors
/// [`Unwritten`] where a lesson is not as it should be, or a measurement is worth nothing.
pub fn document() -> Result<Document, Unwritten> {
    let figures = measure(experiments()).map_err(|error| Unwritten(error.to_string()))?;
    let flows =
        two_long_flows(fairness::TRAVEL, fairness::LATER).map_err(|error| Unwritten(error.to_string()))?;
    let mut plots: Vec<(String, String)> =
        figures.iter().map(|figure| (format!("{}.svg", figure.experiment.slug), figure.svg())).collect();
    plots.push(("fairness.svg".to_owned(), flows.svg()));
    let records = held_records()?;
    let mut text = beginning();
    for lesson in LESSONS {
        let record = records.get(lesson.name);
        let record =
            record.ok_or_else(|| Unwritten(format!("held.toml says nothing of lesson {}", lesson.name)))?;
        write_lesson(&mut text, lesson, record)?;
        if lesson.name == "10" {
            picture(&mut text, "The windows of two flows over time", "fairness");
            quoted(&mut text, &flows);
        }
    }
    write_throughput(&mut text, &figures);
    Ok(Document { text, plots })
}

fn beginning() -> String {
    let mut out = String::from(
        "<!-- Made by `cargo run -p faultwire-course --example write_course`: do not edit. -->\n\
         # From a datagram to a reliable stream\n\n\
         A course in network programming in which every step is a program that fails for a reason one can \
         see, and a change that makes it hold. Each lesson begins with what one believes. The smallest plan \
         of faults that breaks the program which believes it was found by search, and its run is drawn \
         below: time goes down, an arrow is a packet. Then come the idea, the mended program, and a question \
         to think about.\n\n\
         ```sh\n\
         faultwire lesson list          # the lessons\n\
         faultwire lesson run 2         # find the smallest plan again, and hold the mended program against \
         all\n\
         faultwire lesson start 2       # mend it yourself, in a folder of your own; `lesson check` says \
         whether it holds\n\
         faultwire lesson throughput    # measure what the programs make of a link\n\
         ```\n\n\
         `cargo run --release --` stands for `faultwire`. A recorded plan is replayed like any other, with a \
         picture of it or, on Linux, between two hosts of the real kernel. (Two plans break nothing there: \
         the kernel gives s2 twice the send buffer that it asks for; and in s4 it acknowledges the question \
         and its end apart, so that the crash leaves the client something to repeat.)\n\n\
         ```sh\n\
         faultwire replay conformance/course/lessons/02-sequence-numbers/breaks.toml --svg run.svg\n\
         faultwire replay conformance/course/lessons/02-sequence-numbers/breaks.toml --testbed lab\n\
         ```\n\n\
         The programs of lessons 0 to 10 are pure machines over datagrams, each a file to be read in one \
         sitting; those of s1 to s4 are programs over a stream.\n\n",
    );
    for lesson in LESSONS {
        let title = format!("Lesson {}: {}", lesson.name, lesson.title);
        let _ = writeln!(out, "- [{title}](#{}): {}", anchor(&title), lesson.line);
    }
    out.push_str("- [What the programs make of a link](#what-the-programs-make-of-a-link)\n");
    out
}

/// What a heading is called by in a link, on the usual sites.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn write_lesson(out: &mut String, lesson: &Lesson, record: &HeldRecord) -> Result<(), Unwritten> {
    let run = broken_run(lesson)?;
    let folder = lesson.folder();
    let (believed, mended) = programs(lesson);
    let part = |out: &mut String, title: &str, text: &str| {
        let _ = write!(out, "\n### {title}\n\n{text}\n");
    };
    let _ = write!(out, "\n## Lesson {}: {}\n\n*{}*\n", lesson.name, lesson.title, lesson.line);
    part(out, "What one believes", lesson.section("What one believes"));
    let _ = write!(out, "\nThe program that believes this: {}\n", links(&believed));
    let mut options = DiagramOptions::default();
    (options.width, options.lines_max) = (WIDTH, DIAGRAM_LINES);
    let shown = format!(
        "[`{folder}/breaks.toml`]({folder}/breaks.toml): {}\n\n```toml\n{}\n```\n\n```text\n{}\n```\n\n\
         **It fails:** {}. **Why:** {}",
        plan_in_words(&run.plan),
        lesson.breaks.trim_end(),
        run.trace.diagram(&options).trim_end(),
        escaped(run.plan.title.as_deref().unwrap_or_default()),
        lesson.why
    );
    part(out, "The smallest plan that breaks it", &shown);
    part(out, "The idea", lesson.section("The idea"));
    let tried = Tried {
        fault_free: record.fault_free,
        singles: record.singles,
        pairs: record.pairs,
        random: record.random,
        faults_planned: record.faults_planned,
        faults_fired: record.faults_fired,
        ..Tried::default()
    };
    let held = format!("{}\n\nIt holds {}.", links(&mended), counts(&tried));
    part(out, "The mended program", &held);
    part(out, "The question", lesson.section("The question"));
    Ok(())
}

/// Words of a run that are to stand as they are.
fn escaped(words: &str) -> String {
    let mut out = String::new();
    for c in words.chars() {
        if matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn picture(out: &mut String, words: &str, slug: &str) {
    let _ = write!(out, "\n![{words}](plots/{slug}.svg)\n");
}

fn quoted(out: &mut String, flows: &Fairness) {
    let words = flows.words();
    // Without the title.
    let words = words.split_once("\n\n").map_or("", |(_, words)| words);
    let _ = write!(out, "\n{}\n", words.trim_end());
}

fn write_throughput(out: &mut String, figures: &[Figure]) {
    let _ = write!(
        out,
        "\n## What the programs make of a link\n\n\
         A link carries one datagram after the other. Let the time that one takes be 1, and the time that it \
         travels *a*. The *utilisation* is the share of the time in which the link carries a message that \
         arrives and is new there. The points are measured, with the machines of the lessons, on a link that \
         has a rate and a delay; the curves are the formulas of the textbook (W. Stallings, \"Data and \
         Computer Communications\", the appendix on the performance of flow and error control). What is lost \
         is drawn message by message, {} plans for each point; acknowledgements are not lost. Every point is \
         within {:.0} % of its formula: a test fails where one is not, and `faultwire lesson throughput` \
         prints them all.\n",
        throughput::PLANS,
        TOLERANCE * 100.0,
    );
    for figure in figures {
        let experiment = &figure.experiment;
        let _ = write!(out, "\n### {}\n\n{}\n", experiment.title, experiment.about);
        picture(out, experiment.title, experiment.slug);
        let farthest = figure.largest_deviation() * 100.0;
        let _ = write!(out, "\nFarthest from its formula: {farthest:.1} %.\n");
    }
    let _ = write!(
        out,
        "\nThe formula for the go-back-N of lesson 4 is derived in \
         [`law.rs`](../src/throughput/law.rs), and the links are chosen in \
         [`way.rs`](../src/throughput/way.rs).\n"
    );
}

#[cfg(test)]
mod tests;
