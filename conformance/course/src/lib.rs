#![forbid(unsafe_code)]
//! The course: each lesson is a belief, a program that believes it, the smallest plan that breaks it, and the
//! idea that mends it, held against the same check under every plan.
//!
//! What a student reads is in `lessons/` beside this crate's `src/`: a folder for each lesson, with its text
//! and its programs. Here is the list of them ([`LESSONS`]), and what runs them: [`find`] looks for the
//! smallest plan that breaks a program, [`hold`] tries to break one with every plan. How one is added:
//! ARCHITECTURE.md.

pub mod attempts;
pub mod check;
mod conversations;
pub mod datagrams;
mod dialogue;
pub mod document;
mod exchange;
pub mod fairness;
mod flows;
pub mod learner;
#[path = "../lessons/packet.rs"]
pub mod packet;
pub mod plot;
mod replay;
mod search;
mod sources;
pub mod spoken;
#[expect(clippy::missing_errors_doc, reason = "each of the programs fails as its socket does")]
pub mod streams;
mod text;
pub mod throughput;
pub mod transport;
mod trials;
pub mod words;

use faultwire::fault::{Action, FaultPlan, PlanError};
use faultwire_sim::Scenario;

pub use conversations::{Conversations, Heard, Talker, Talks};
pub use dialogue::{Act, Desk, Dialogue, Outcome, Running, StreamProgram, Talk};
pub use exchange::{Delivery, Exchange, Factory, Program, TIMEOUT, Transfer, World, numbered_messages};
pub use flows::{Flows, Narrow, Share, Shares};
pub use replay::studies;
pub use search::{Broken, Held, HoldOptions, Worthless, find, hold};
pub use sources::{PYTHON, PythonPair, PythonProgram, RUST, RustProgram, RustSource};
pub use trials::{Programs, Trial};

/// The lessons, in the order of the course.
pub static LESSONS: &[&Lesson] = &[
    &datagrams::PLAIN,
    &datagrams::ACKNOWLEDGE,
    &datagrams::NUMBERS,
    &datagrams::ONE_BIT,
    &datagrams::GO_BACK_N,
    &datagrams::SELECTIVE_REPEAT,
    &datagrams::ADAPTIVE,
    &transport::CHECKSUM,
    &transport::FLOW_CONTROL,
    &transport::OPENING_AND_CLOSING,
    &transport::CONGESTION_CONTROL,
    &streams::ONE_READ,
    &streams::SHORT_WRITE,
    &streams::HALF_CLOSE,
    &streams::DEAD_PEER,
];

/// A lesson.
#[derive(Debug)]
pub struct Lesson {
    /// What it is called by on the command line: `3`.
    pub name: &'static str,
    /// The folder's name without its number, and a word for links: `sequence-numbers`.
    pub slug: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is about, in a line.
    pub line: &'static str,
    /// Why the believed program breaks under its smallest plan, in a sentence.
    pub why: &'static str,
    /// What a student reads: `lesson.md`. [`section`](Lesson::section) gives its parts.
    pub text: &'static str,
    /// The smallest plan that breaks the believed program: `breaks.toml`. The command
    /// `cargo run -p faultwire-course --example record_lessons` writes it.
    pub breaks: &'static str,
    /// Which faults may be part of the plan that breaks the believed program: all, but where a lesson is
    /// about one kind.
    pub shows: fn(&Action) -> bool,
    /// What is to be done, and both programs.
    pub task: Task,
}

/// What a lesson's programs have to do.
#[derive(Debug)]
pub enum Task {
    /// To bring messages across, as machines over datagrams.
    Datagrams(Exchange),
    /// To have conversations, each with a beginning and an end, as machines over datagrams.
    Conversations(Conversations),
    /// To share a narrow link, as two flows of messages over datagrams.
    Flows(Flows),
    /// To talk over a stream.
    Stream(Dialogue),
}

/// Which of a lesson's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that believes what one believes at first.
    Believed,
    /// The mended one.
    Mended,
}

impl Lesson {
    /// The lesson that is called so, by its name (`3`), its slug, or both as its folder has them (`03-…`).
    pub fn named(name: &str) -> Option<&'static Lesson> {
        let found = |lesson: &&&'static Lesson| {
            let number = name.trim_start_matches('0');
            let number = if number.is_empty() { "0" } else { number };
            lesson.name.eq_ignore_ascii_case(if name.is_empty() { name } else { number })
                || lesson.slug == name
                || lesson.folder() == name
        };
        LESSONS.iter().find(found).copied()
    }

    /// The folder's name: `03-one-bit-is-not-enough`.
    pub fn folder(&self) -> String {
        format!("{:0>2}-{}", self.name, self.slug)
    }

    /// The name of its scenario, in plan files and for `faultwire replay`: `lesson-3`.
    pub fn scenario_name(&self) -> String {
        format!("lesson-{}", self.name.to_lowercase())
    }

    /// A part of its text, by its heading (`The idea`), without the heading; empty where there is none.
    pub fn section(&self, heading: &str) -> &'static str {
        text::section(self.text, heading)
    }

    /// The hints for programs in a language (`Rust`), in order.
    pub fn hints(&self, language: &str) -> Vec<&'static str> {
        text::hints(self.text, language)
    }

    /// The smallest plan that breaks the believed program, as recorded.
    ///
    /// # Errors
    /// Where the file is no plan: a mistake in the lesson.
    pub fn recorded(&self) -> Result<FaultPlan, PlanError> {
        FaultPlan::parse(self.breaks, &format!("lessons/{}/breaks.toml", self.folder()))
    }

    /// What its file of the smallest plan says where this is what breaks the believed program.
    pub fn to_record(&self, broken: &Broken) -> FaultPlan {
        let (title, scenario) = (Some(broken.how.clone()), Some(self.scenario_name()));
        FaultPlan { title, scenario, ..broken.run.plan.clone() }
    }

    /// What its machines have to do over datagrams; none where the lesson is about something else.
    pub fn exchange(&self) -> Option<&Exchange> {
        match &self.task {
            Task::Datagrams(exchange) => Some(exchange),
            Task::Conversations(_) | Task::Flows(_) | Task::Stream(_) => None,
        }
    }

    /// What one of its programs is run in: a scenario for each link that the lesson speaks of. Each fails
    /// where the check does.
    pub fn scenarios(&self, side: Side) -> Vec<Scenario> {
        let name = &self.scenario_name();
        match (&self.task, side) {
            (Task::Datagrams(exchange), Side::Believed) => exchange.scenarios(name, &exchange.believed),
            (Task::Datagrams(exchange), Side::Mended) => exchange.scenarios(name, &exchange.mended),
            (Task::Conversations(task), Side::Believed) => task.scenarios(name, task.believed),
            (Task::Conversations(task), Side::Mended) => task.scenarios(name, task.mended),
            (Task::Flows(flows), Side::Believed) => flows.scenarios(name, flows.believed),
            (Task::Flows(flows), Side::Mended) => flows.scenarios(name, flows.mended),
            (Task::Stream(dialogue), Side::Believed) => dialogue.scenarios(name, &[dialogue.believed]),
            (Task::Stream(dialogue), Side::Mended) => dialogue.scenarios(name, dialogue.mended),
        }
    }
}

#[cfg(test)]
mod tests;
