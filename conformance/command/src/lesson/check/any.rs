//! A learner's client and server of any language: where they run, and what is said of their check.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use faultwire_sim::search::{FaultKind, FaultKinds};

use super::Outcome;
use super::pair::Pair;
use super::place::Testbed;
use super::suite::{Counts, Found, Suite};
use crate::error::{CommandError, usage};
use crate::output::{self, tell};
use crate::select::not_available;
use faultwire_conformance::report::paragraph;
use faultwire_course::Lesson;
use faultwire_course::spoken::{Speech, Spoken};
use faultwire_course::words::{WIDTH, plan_and_diagram};
use faultwire_sim::CancellationToken;

/// The most runs side by side: each has two programs, and they must be in time.
const JOBS_MAX: usize = 8;

/// The commands, and how hard they are tried.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    pub(super) testbed: Option<Testbed>,
    /// How many plans are tried beside the lesson's suite.
    pub(super) plans: usize,
    /// How long the client may take in a run.
    pub(super) limit: Duration,
}

/// The commands of a folder with Python programs.
pub(super) fn of_python(folder: &Path) -> [String; 2] {
    let quoted = folder.display().to_string().replace('\'', "'\\''");
    ["server.py", "client.py"].map(|file| format!("cd -- '{quoted}' && exec python3 -B {file}"))
}

/// Checks both programs; says what came of it.
pub(super) fn check(
    lesson: &Lesson,
    asked: &Asked<'_>,
    stopping: &CancellationToken,
) -> Result<Outcome, CommandError> {
    let Some(spoken) = Spoken::of(lesson) else {
        return Err(usage(format!("lesson {} has no check for programs of any language", lesson.name))
            .help(format!("`faultwire lesson start {}` has it in Rust", lesson.name)));
    };
    let testbed = testbed(asked.testbed, lesson, spoken.speech)?;
    let pair = Pair { server: asked.server, client: asked.client, limit: asked.limit };
    let place = match testbed {
        Testbed::Lab => "between two hosts of the kernel",
        Testbed::Relay => "on this host, with a relay between the two",
    };
    tell(format_args!("lesson {}: {place}", lesson.name));
    if let Some(note) = spoken.note {
        tell(format_args!("note: {note}"));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = (2 * processors).clamp(2, JOBS_MAX);
    let suite = Suite { pair, testbed, plans: asked.plans, jobs, stopping };
    let (found, counts) =
        suite.run(lesson, &spoken).map_err(|error| error.help("this is no fault of your programs"))?;
    if stopping.is_cancelled() {
        return Ok(Outcome::Stopped);
    }
    let mut out = String::new();
    let outcome = match found {
        Some(found) => {
            out.push_str(&words(lesson, &found));
            Outcome::Fails
        }
        None if counts.kinds == FaultKinds::default() => {
            let why = "no fault of any plan took place: do the two talk to each other over the address \
                       that they are given?";
            paragraph(&mut out, "Nothing is proven: ", why, WIDTH);
            Outcome::Fails
        }
        None => {
            paragraph(&mut out, "Not broken: ", &format!("by {}, {place}", tried(&counts)), WIDTH);
            paragraph(&mut out, "Not tried:  ", &not_tried(&counts), WIDTH);
            Outcome::Passes
        }
    };
    let some_plans = |count: usize| if count == 1 { "1 plan".to_owned() } else { format!("{count} plans") };
    if counts.nondeterministic > 0 {
        let _ = writeln!(out, "({} broke it in one run of three)", some_plans(counts.nondeterministic));
    }
    if counts.not_applied > 0 {
        let what = "did not take place: a packet that was to be hit never came";
        let _ = writeln!(out, "({} {what})", some_plans(counts.not_applied));
    }
    output::emit(&out)?;
    Ok(outcome)
}

/// What did not break them.
fn tried(counts: &Counts) -> String {
    let mut tried = vec![match counts.fault_free {
        1 => "a run without faults".to_owned(),
        runs => format!("{runs} runs without faults"),
    }];
    if counts.recorded > 0 {
        tried.push("the plan that breaks the program you start from".to_owned());
    }
    if counts.trials > 0 {
        let cases = if counts.trials == 1 { "case" } else { "cases" };
        tried.push(format!("{} {cases} of common mistakes", counts.trials));
    }
    tried.push(format!("{} of {} plans of one fault", counts.singles, counts.singles_of));
    tried.push(format!("{} of {} of two", counts.pairs, counts.pairs_of));
    let last = tried.pop().unwrap_or_default();
    format!("{}, and {last}", tried.join(", "))
}

/// What it does not say anything about. (What is damaged a kernel drops, as if it were lost.)
fn not_tried(counts: &Counts) -> String {
    let mut not_tried: Vec<_> = counts.kinds.missing().map(FaultKind::words).collect();
    if counts.singles < counts.singles_of || counts.pairs < counts.pairs_of {
        not_tried.push("the other plans of one and two faults (--plans tries more)");
    }
    not_tried.extend(["three or more faults at once other than in the cases", "random plans"]);
    not_tried.join(", ")
}

/// Where they run: in a lab, where it is available and nothing else was asked for. Of a stream a relay
/// carries nothing.
fn testbed(asked: Option<Testbed>, lesson: &Lesson, speech: Speech) -> Result<Testbed, CommandError> {
    if asked == Some(Testbed::Relay) {
        return match speech {
            Speech::Datagrams => Ok(Testbed::Relay),
            Speech::Stream => {
                let what =
                    format!("lesson {} is about a stream, and a relay carries datagrams only", lesson.name);
                Err(usage(what).help("it needs the lab, whose kernels carry any TCP: leave out --testbed"))
            }
        };
    }
    match (faultwire_sim::testbed::LAB.probe(), asked, speech) {
        (Ok(_), _, _) => Ok(Testbed::Lab),
        (Err(no), None, Speech::Datagrams) => {
            tell(format_args!("there is no lab here ({}): a relay will do", no.step));
            Ok(Testbed::Relay)
        }
        (Err(mut no), _, _) => {
            if speech == Speech::Stream {
                no.allow.push_str(" (a relay carries no TCP; in Rust the lesson needs no lab)");
            }
            Err(not_available("lab", no))
        }
    }
}

/// What is said of a program that waits forever in simulation, and of a command that does.
const NEVER_ENDS: &str = "it never comes to an end";
const NOT_ENDED: &str = "the client had not ended";

/// How something fails, without what differs from one world to another: what is quoted or in brackets, and
/// the reason behind a colon.
fn gist(how: &str) -> String {
    if how.starts_with(NEVER_ENDS) || how.starts_with(NOT_ENDED) {
        return NEVER_ENDS.to_owned();
    }
    let unquoted: String = how.split('"').step_by(2).collect();
    let open = unquoted.split_once(" (").map_or(unquoted.as_str(), |(gist, _)| gist);
    open.split_once(": ").map_or(open, |(gist, _)| gist).to_owned()
}

/// A failure: its plan, its diagram, what is wrong.
fn words(lesson: &Lesson, found: &Found) -> String {
    let Found { attempt, course } = found;
    let (plan, how) = (&attempt.plan, course.wrong.as_deref().unwrap_or_default());
    let mut out = format!("Lesson {}: ", lesson.name);
    if plan.faults.is_empty() && plan.events.is_empty() {
        out.push_str("it does not work without any fault.\n\n");
    } else {
        out.push_str("a plan breaks the programs.\n\n");
    }
    out.push_str(&plan_and_diagram(plan, &course.trace));
    paragraph(&mut out, "It fails: ", how, WIDTH);
    if let Some(about) = attempt.about {
        paragraph(&mut out, "Case:     ", about, WIDTH);
    }
    if !course.fired.all() {
        let note = "not all of the plan took place in this run: they fail without it too, now and then";
        paragraph(&mut out, "Note:     ", note, WIDTH);
    }
    if found.is_recorded() {
        paragraph(&mut out, "Plan:     ", "the smallest that breaks the program you start from", WIDTH);
        if !plan.events.is_empty() {
            let note = "the server is cut off forever; no host can tell that from one without power";
            paragraph(&mut out, "          ", note, WIDTH);
        }
        // It fails as that one does, and for the same reason.
        if plan.title.as_deref().is_some_and(|title| gist(title) == gist(how)) {
            paragraph(&mut out, "Why:      ", lesson.why, WIDTH);
        }
    }
    if !course.complaints.is_empty() {
        let _ = write!(out, "\n{}", course.complaints);
    }
    out
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
            ("\"a: (b\" was delivered but never sent", "\"b\" was delivered but never sent"),
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
