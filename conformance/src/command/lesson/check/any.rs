//! A learner's client and server of any language, under the lesson's plan and plans of one fault.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use faultwire::fault::{Action, Class, FaultPlan, Link};
use faultwire::trace::Trace;
use faultwire_sim::search::Grid;

use super::Outcome;
use super::pair::{Course, Pair};
use super::place::Testbed;
use crate::command::bar::RunsBar;
use crate::command::ctrl_c;
use crate::command::error::CommandError;
use crate::command::lab;
use crate::command::live::{Failure, tell};
use crate::command::output;
use crate::exit;
use crate::interrupt::Interrupt;
use crate::lesson::spoken::{Speech, Spoken};
use crate::lesson::words::{WIDTH, plan_and_diagram};
use crate::lesson::{Lesson, TIMEOUT};
use crate::report::{paragraph, plan_in_words};

/// The commands, and how hard they are tried.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    pub(super) testbed: Option<Testbed>,
    /// How many plans of one fault are tried.
    pub(super) plans: usize,
    /// How long the client may take in a run.
    pub(super) limit: Duration,
}

/// The commands of a folder with Python programs.
pub(super) fn of_python(folder: &Path) -> [String; 2] {
    let quoted = folder.display().to_string().replace('\'', "'\\''");
    ["server.py", "client.py"].map(|file| format!("cd '{quoted}' && exec python3 -B {file}"))
}

/// Checks both programs; says what came of it.
pub(super) fn check(lesson: &Lesson, asked: &Asked<'_>) -> Result<Outcome, CommandError> {
    let Some(spoken) = Spoken::of(lesson) else {
        return Err(CommandError::Lesson {
            what: format!("lesson {} has no check for programs of any language", lesson.name),
            help: format!("`faultwire lesson start {}` has it in Rust", lesson.name),
            code: exit::USAGE,
            source: None,
        });
    };
    let failed = |failure: Failure| CommandError::Lesson {
        what: failure.message,
        help: "this is no fault of your programs".to_owned(),
        code: failure.code,
        source: None,
    };
    let testbed = testbed(asked.testbed, lesson, spoken.speech)?;
    let pair = Pair { server: asked.server, client: asked.client, spoken: &spoken, limit: asked.limit };
    let place = match testbed {
        Testbed::Lab => "between two hosts of the kernel",
        Testbed::Relay => "on this host, with a relay between the two",
    };
    tell(format_args!("lesson {}: {place}", lesson.name));
    if let Some(note) = spoken.note {
        tell(format_args!("note: {note}"));
    }
    let stopping = ctrl_c::listen_for_the_end();
    // No fault, the lesson's own plan, the others.
    let bar = RunsBar::new(2 + asked.plans as u64);
    let mut search = Search { pair, testbed, stopping: &stopping, tried: 0, inert: 0, unsteady: 0, bar };
    let found = search.run(lesson, asked.plans).map_err(failed)?;
    let Search { tried, inert, unsteady, bar, .. } = search;
    drop(bar);
    if stopping.is_asked() {
        return Ok(Outcome::Stopped);
    }
    let mut out = String::new();
    let outcome = match found {
        None => {
            let held = format!(
                "under no fault, and under {} plans of faults that took place, {place}",
                tried.saturating_sub(1)
            );
            paragraph(&mut out, "It holds: ", &held, WIDTH);
            Outcome::Passes
        }
        Some(found) => {
            out.push_str(&found.words(lesson));
            Outcome::Fails
        }
    };
    if unsteady > 0 {
        let _ = writeln!(out, "({} plans broke it once and not a second time: they do not count)", unsteady);
    }
    if inert > 0 {
        let _ = writeln!(out, "({} plans did not take place: the packet that they name did not come)", inert);
    }
    output::emit(&out)?;
    Ok(outcome)
}

/// Where they run: in a lab, where it is to be had and nothing else was asked for. Of a stream a relay carries nothing.
fn testbed(asked: Option<Testbed>, lesson: &Lesson, speech: Speech) -> Result<Testbed, CommandError> {
    if asked == Some(Testbed::Relay) {
        return match speech {
            Speech::Datagrams => Ok(Testbed::Relay),
            Speech::Stream => Err(CommandError::Lesson {
                what: format!("lesson {} is about a stream, and a relay carries datagrams only", lesson.name),
                help: "it needs the lab, whose kernels carry any TCP: leave out --testbed".to_owned(),
                code: exit::USAGE,
                source: None,
            }),
        };
    }
    match (lab::probe(), asked, speech) {
        (Ok(_), _, _) => Ok(Testbed::Lab),
        (Err(no), None, Speech::Datagrams) => {
            tell(format_args!("there is no lab here ({}): a relay will do", no.step));
            Ok(Testbed::Relay)
        }
        (Err(no), _, _) => Err(CommandError::Unavailable {
            testbed: "lab".to_owned(),
            step: no.step,
            allow: match speech {
                Speech::Datagrams => no.allow,
                Speech::Stream => {
                    format!("{} (a relay carries no TCP; in Rust the lesson needs no lab)", no.allow)
                }
            },
            source: no.errno.map(std::io::Error::from_raw_os_error),
        }),
    }
}

struct Search<'a> {
    pair: Pair<'a>,
    testbed: Testbed,
    stopping: &'a Interrupt,
    /// Runs that prove something.
    tried: u64,
    inert: u64,
    unsteady: u64,
    bar: RunsBar,
}

/// What is said of a program that waits for ever in simulation, and of a command that does.
const NEVER_ENDS: &str = "it never comes to an end";
const NOT_ENDED: &str = "the client had not ended";

/// How something fails, without what differs from one world to another: what is quoted or in brackets, and the reason behind
/// a colon.
fn gist(how: &str) -> String {
    if how.starts_with(NEVER_ENDS) || how.starts_with(NOT_ENDED) {
        return NEVER_ENDS.to_owned();
    }
    let unquoted: String = how.split('"').step_by(2).collect();
    let open = unquoted.split_once(" (").map_or(unquoted.as_str(), |(gist, _)| gist);
    open.split_once(": ").map_or(open, |(gist, _)| gist).to_owned()
}

/// A plan under which the programs do not do what they should.
struct Found {
    plan: FaultPlan,
    course: Course,
    is_recorded: bool,
}

impl Search<'_> {
    /// The first plan that breaks the pair: no fault, the lesson's own, plans of one fault.
    fn run(&mut self, lesson: &Lesson, plans: usize) -> Result<Option<Found>, Failure> {
        let recorded = self.pair.spoken.plan(lesson).map_err(super::pair::ours)?;
        let base = FaultPlan { link: recorded.link, ..FaultPlan::default() };
        let Some(first) = self.once(&base)? else { return Ok(None) };
        self.tried += 1;
        if first.wrong.is_some() {
            return Ok(Some(Found { plan: base, course: first, is_recorded: false }));
        }
        if !(recorded.faults.is_empty() && recorded.events.is_empty())
            && let Some(course) = self.breaks(&recorded)?
        {
            return Ok(Some(Found { plan: recorded, course, is_recorded: true }));
        }
        for plan in
            singles(&first.trace, &base).into_iter().filter(|it| it.faults != recorded.faults).take(plans)
        {
            if self.stopping.is_asked() {
                return Ok(None);
            }
            if let Some(course) = self.breaks(&plan)? {
                return Ok(Some(Found { plan, course, is_recorded: false }));
            }
        }
        Ok(None)
    }

    fn once(&mut self, plan: &FaultPlan) -> Result<Option<Course>, Failure> {
        let course = self.pair.run(self.testbed, plan, &|| self.stopping.is_asked())?;
        self.bar.ran(&plan_in_words(plan));
        Ok(course)
    }

    /// The run, if the plan breaks the pair, twice.
    fn breaks(&mut self, plan: &FaultPlan) -> Result<Option<Course>, Failure> {
        for attempt in 0..2 {
            let Some(course) = self.once(plan)? else { return Ok(None) };
            if !course.fired.all() && course.wrong.is_none() {
                self.inert += 1;
                return Ok(None);
            }
            if course.wrong.is_none() {
                self.unsteady += attempt;
                break;
            }
            if attempt == 1 {
                return Ok(Some(course));
            }
        }
        self.tried += 1;
        Ok(None)
    }
}

impl Found {
    fn words(&self, lesson: &Lesson) -> String {
        let mut out = format!("Lesson {}: ", lesson.name);
        let how = self.course.wrong.as_deref().unwrap_or_default();
        if self.plan.faults.is_empty() && self.plan.events.is_empty() {
            out.push_str("it does not work without any fault.\n\n");
        } else {
            out.push_str("a plan breaks the programs.\n\n");
        }
        out.push_str(&plan_and_diagram(&self.plan, &self.course.trace));
        paragraph(&mut out, "It fails: ", how, WIDTH);
        if !self.course.fired.all() {
            let note = "not all of the plan took place in this run: they fail without it too, now and then";
            paragraph(&mut out, "Note:     ", note, WIDTH);
        }
        if self.is_recorded {
            paragraph(&mut out, "Plan:     ", "the smallest that breaks the program that believes", WIDTH);
            if !self.plan.events.is_empty() {
                let note = "the server is cut off for ever; nobody can tell that from a host without power";
                paragraph(&mut out, "          ", note, WIDTH);
            }
            // It fails as that one does, and for the same reason.
            if self.plan.title.as_deref().is_some_and(|title| gist(title) == gist(how)) {
                paragraph(&mut out, "Why:      ", lesson.why, WIDTH);
            }
        }
        if !self.course.complaints.is_empty() {
            let _ = write!(out, "\n{}", self.course.complaints);
        }
        out
    }
}

/// The plans of one fault on a datagram of a run: the simplest first, each kind in the order of the datagrams.
fn singles(trace: &Trace, base: &FaultPlan) -> Vec<FaultPlan> {
    let rtt = Duration::from_micros(2 * Link::numbers(&base.link).delay_us);
    let mut faults = Grid::new(rtt, TIMEOUT).faults(trace);
    // What is damaged is thrown away by the kernel, as if it were lost; and when a kernel sends a bare acknowledgement
    // depends on the moment.
    let class = [Class::Datagram, Class::Data, Class::Fin, Class::Syn];
    faults.retain(|fault| {
        class.contains(&fault.packet.class) && !matches!(fault.action, Action::CorruptBits(_))
    });
    faults.sort_by_key(|fault| match fault.action {
        Action::Drop => 0,
        Action::Duplicate => 1,
        Action::HoldFor(_) => 2,
        _ => 3,
    });
    faults.into_iter().map(|fault| FaultPlan { faults: vec![fault], ..base.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::gist;

    #[test]
    fn the_same_failure_is_known_in_both_worlds() {
        for (recorded, seen) in [
            (
                "the client never got the answer: reset (os error 104)",
                "the client never got the answer: exit code 1",
            ),
            ("\"a: (b\" was delivered, which nobody sent", "\"b\" was delivered, which nobody sent"),
            (
                "it never comes to an end (stopped after 3600 s of virtual time)",
                "the client had not ended after 10 s, and was killed: does it wait?",
            ),
        ] {
            assert_eq!(gist(recorded), gist(seen));
        }
        assert_ne!(gist("message 1 was never delivered (2)"), gist("message 2 was never delivered (2)"));
    }
}
