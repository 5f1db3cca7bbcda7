//! A learner's own program, held against the check of a lesson: what the test of a crate that `faultwire
//! lesson start` wrote calls.
//!
//! A machine may do what no machine of the course does: panic, run in circles, talk without end. Whatever it
//! does, the learner is told what, and when: see `watch`. So it is with programs over a stream.

mod watch;

use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use faultwire::machine::Machine;
use faultwire_sim::Scenario;

use super::search::under;
use super::words::{WIDTH, counts, shown};
use super::{
    Broken, HoldOptions, Lesson, Program, Programs, StreamProgram, Talker, Task, Worthless, find, hold,
};
use faultwire_conformance::progress::Silent;
use faultwire_conformance::report::paragraph;
use watch::{CLIENT, EITHER, Patience, SERVER, watched, watched_run, watched_talker};

/// The environment variable with the file that [`check`] writes its verdict to, for `faultwire lesson check`.
pub const REPORT: &str = "FAULTWIRE_LESSON_REPORT";

/// The most faults of the grid in one plan.
const EXHAUSTIVE: usize = 2;

/// How many random plans a machine is held against, over each link.
pub const RANDOM_PLANS: u64 = 1_000;

/// How long one call of a machine may take, or one step of a program.
const CALL_MAX: Duration = Duration::from_secs(10);

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No plan breaks the machine.
    Holds,
    /// A plan breaks it.
    Broken,
    /// A call of it never comes back.
    Hangs,
    /// There is no such check, or it proves nothing.
    Nothing,
}

/// What a check comes to, with all that a learner is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In a word.
    pub kind: Kind,
    /// In many.
    pub text: String,
}

impl Verdict {
    /// For the file that [`REPORT`] names: the kind on the first line, then the text.
    pub fn to_report(&self) -> String {
        format!("{}\n{}", self.kind.word(), self.text)
    }

    /// What such a file says; none if it is none.
    pub fn of_report(report: &str) -> Option<Verdict> {
        let (word, text) = report.split_once('\n')?;
        let kinds = [Kind::Holds, Kind::Broken, Kind::Hangs, Kind::Nothing];
        let kind = kinds.into_iter().find(|kind| kind.word() == word)?;
        Some(Verdict { kind, text: text.to_owned() })
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Holds => "holds",
            Kind::Broken => "broken",
            Kind::Hangs => "hangs",
            Kind::Nothing => "nothing",
        }
    }
}

/// Holds a machine against a lesson's check: under no fault, under every plan of one and two faults of the
/// grid, and under random plans. Both hosts get one of it, as it is when it is new.
///
/// # Panics
/// Where a plan breaks the machine, with the smallest such plan, the diagram of its run and what the check
/// says; where one of its calls never comes back; where there is no such lesson, or it is about another kind
/// of program.
pub fn check<M: Machine + Default>(lesson: &str) {
    conclude(&examine::<M>(lesson, RANDOM_PLANS, CALL_MAX));
}

/// Like [`check`], for a machine that has conversations: lesson 9's.
///
/// # Panics
/// As [`check`].
pub fn check_talker<M: Talker + Default>(lesson: &str) {
    conclude(&examine_talker::<M>(lesson, RANDOM_PLANS, CALL_MAX));
}

/// Like [`check`], for programs that talk over a stream.
///
/// # Panics
/// As [`check`].
pub fn check_stream(lesson: &str, program: StreamProgram) {
    conclude(&examine_stream(lesson, program, RANDOM_PLANS, CALL_MAX));
}

fn conclude(verdict: &Verdict) {
    if let Some(path) = std::env::var_os(REPORT) {
        // Whoever asked for it sees that it is missing.
        let _ = std::fs::write(path, verdict.to_report());
    }
    assert!(verdict.kind == Kind::Holds, "\n{}", verdict.text);
}

/// What [`check`] finds, as a value: with `random` random plans, and `call_max` for each call of the machine.
pub fn examine<M: Machine + Default>(lesson: &str, random: u64, call_max: Duration) -> Verdict {
    let scenarios = |name: &str, task: &Task| match task {
        Task::Datagrams(exchange) => {
            let program = Program { client: watched::<M, CLIENT>, server: watched::<M, SERVER> };
            Some(exchange.scenarios(name, &program))
        }
        Task::Flows(flows) => Some(flows.scenarios(name, watched::<M, EITHER>)),
        Task::Conversations(_) | Task::Stream(_) => None,
    };
    examined(lesson, random, Patience::new::<M>(call_max), scenarios)
}

/// What [`check_talker`] finds, as [`examine`].
pub fn examine_talker<M: Talker + Default>(lesson: &str, random: u64, call_max: Duration) -> Verdict {
    let scenarios = |name: &str, task: &Task| match task {
        Task::Conversations(task) => Some(task.scenarios(name, watched_talker::<M>)),
        Task::Datagrams(_) | Task::Flows(_) | Task::Stream(_) => None,
    };
    examined(lesson, random, Patience::new::<M>(call_max), scenarios)
}

/// What [`check_stream`] finds, as [`examine`]. One at a time in a process: whose call it is that never comes
/// back is told by the kind of program.
pub fn examine_stream(lesson: &str, program: StreamProgram, random: u64, call_max: Duration) -> Verdict {
    let scenarios = move |name: &str, task: &Task| match task {
        Task::Stream(dialogue) => Some(dialogue.scenarios_within(name, &[program], watched_run)),
        Task::Datagrams(_) | Task::Conversations(_) | Task::Flows(_) => None,
    };
    examined(lesson, random, Patience::new::<StreamProgram>(call_max), scenarios)
}

/// Searches with the scenarios of a lesson; none where it is about another kind of program.
fn examined(
    lesson: &str,
    random: u64,
    mut patience: Patience,
    scenarios: impl Fn(&str, &Task) -> Option<Vec<Scenario>> + Send + Sync + 'static,
) -> Verdict {
    let nothing = |text: String| Verdict { kind: Kind::Nothing, text };
    let Some(lesson) = Lesson::named(lesson) else {
        return nothing(format!("there is no lesson `{lesson}`; `faultwire lesson list` lists them\n"));
    };
    let (give, given) = mpsc::channel();
    let search = move || {
        // Nobody listens any more where a call never came back.
        let _ = give.send(search(lesson, random, &scenarios));
    };
    // A thread of its own: what hangs there cannot be stopped, but it can be left alone.
    if let Err(error) = thread::Builder::new().name("lesson".to_owned()).spawn(search) {
        return nothing(format!("the system has no thread for the check: {error}\n"));
    }
    loop {
        match given.recv_timeout(patience.look()) {
            Ok(found) => return verdict(lesson, found),
            Err(RecvTimeoutError::Disconnected) => {
                return nothing("the check itself panicked: what it printed says where\n".to_owned());
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(text) = patience.stuck() {
                    return Verdict { kind: Kind::Hangs, text };
                }
            }
        }
    }
}

/// What a search comes to.
enum Found {
    /// Nothing breaks the program: what was tried, and how many cases of [`Lesson::trials`].
    Nothing(super::Held, usize),
    /// A plan breaks it; in a case, where there is one.
    Broken(Box<Broken>, Option<&'static str>),
}

/// First for the smallest plan of the kind that the lesson is about; then in the lesson's cases; then for any
/// plan.
fn search(
    lesson: &'static Lesson,
    random: u64,
    scenarios: &(impl Fn(&str, &Task) -> Option<Vec<Scenario>> + Sync),
) -> Result<Found, Worthless> {
    let name = lesson.scenario_name();
    let Some(first) = scenarios(&name, &lesson.task) else {
        let name = lesson.name;
        return Err(Worthless(format!("lesson {name} is about programs of another kind than this one")));
    };
    if let Some(broken) = find(&first, lesson.shows, &mut Silent)? {
        return Ok(Found::Broken(broken, None));
    }
    let trials = lesson.trials(Programs::Simulated);
    for trial in &trials {
        let task = lesson.task.with(trial).and_then(|task| scenarios(&name, &task));
        // The links of a lesson differ in what the plan of a case says itself.
        let Some(scenario) = task.and_then(|scenarios| scenarios.into_iter().next()) else { continue };
        if let Some(broken) = under(&scenario, &trial.plan)? {
            return Ok(Found::Broken(broken, Some(trial.about)));
        }
    }
    let scenarios = || scenarios(&name, &lesson.task).unwrap_or_default();
    let options = HoldOptions { exhaustive: EXHAUSTIVE, random };
    Ok(match hold(&scenarios, options, &mut Silent)? {
        Ok(held) => Found::Nothing(held, trials.len()),
        Err(broken) => Found::Broken(broken, None),
    })
}

fn verdict(lesson: &Lesson, found: Result<Found, Worthless>) -> Verdict {
    let mut text = String::new();
    let (program, programs) = match lesson.task {
        Task::Stream(_) => ("program", "programs"),
        _ => ("machine", "machine"),
    };
    let kind = match found {
        Ok(Found::Nothing(held, cases)) => {
            let cases = match cases {
                0 => String::new(),
                cases => format!("; nor any of {cases} cases of common mistakes"),
            };
            let words = format!("the {program} of lesson {}, {}{cases}", lesson.name, counts(&held.tried));
            paragraph(&mut text, "Not broken: ", &words, WIDTH);
            paragraph(&mut text, "Not tried:  ", &held.tried.not_tried().join(", "), WIDTH);
            Kind::Holds
        }
        Ok(Found::Broken(broken, case)) => {
            let _ =
                write!(text, "Lesson {}: a plan breaks the {programs}.\n\n{}", lesson.name, shown(&broken));
            if let Some(about) = case {
                paragraph(&mut text, "Case:     ", about, WIDTH);
            }
            let plan = &broken.run.plan;
            let is_recorded = case.is_none()
                && lesson.recorded().is_ok_and(|recorded| {
                    recorded.faults == plan.faults
                        && recorded.events == plan.events
                        && (recorded.link, &recorded.links) == (plan.link, &plan.links)
                });
            if is_recorded && lesson.to_record(&broken).to_toml() == lesson.breaks {
                paragraph(&mut text, "Why:      ", lesson.why, WIDTH);
            }
            Kind::Broken
        }
        Err(worthless) => {
            let _ = writeln!(text, "{worthless}");
            Kind::Nothing
        }
    };
    Verdict { kind, text }
}

#[cfg(test)]
mod tests;
