//! The scenario as a test: searches, and panics with the smallest plan, its diagram and the line that replays
//! it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use faultwire::fault::FaultPlan;
use faultwire::trace::DiagramOptions;

use super::{Failure, Scenario};
use crate::failure::{planned_by_environment, replay_line, save, target_dir, test_name};
use crate::run::{End, Run};
use crate::search::Tried;

/// How often the base plan is run to see whether runs repeat. An even choice between two is missed once in
/// 128.
const REPEATS: usize = 8;

impl Scenario {
    /// Searches for a plan under which the scenario fails.
    ///
    /// Finding none does not mean that there is none: what was tried, and which kinds of fault were not, is
    /// printed (the test harness shows it with `--nocapture`), and [`find_failure`](Self::find_failure)
    /// returns it.
    ///
    /// With `FAULTWIRE_PLAN` set to a plan file, that plan alone is run: one whose `scenario` is another's is
    /// left to that one.
    ///
    /// # Panics
    /// If a plan is found. It is in `target/faultwire/` then, made as small as it can be, and the message
    /// shows it with its diagram and the line that replays it. Also if the search is worth nothing, since no
    /// fault took place, or if the same plan gave different runs: see [`difference`](Self::difference).
    #[track_caller]
    pub fn check(&self) {
        match planned_by_environment() {
            Some(Ok(plan)) if plan.scenario.is_none() || self.is_named_by(&plan) => {
                return self.check_plan(&plan);
            }
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(_)) | None => {}
        }
        if let Some(difference) = self.difference() {
            panic!("{}: {difference}", self.name);
        }
        // Kept before it is made smaller: shrinking runs the programs again, and anything may happen in them.
        let mut kept = None;
        match self.find_failure(&mut |found| kept = self.keep(&found.plan).ok()) {
            Err(tried) => {
                if let Some(why) = self.worthless(&tried) {
                    panic!("{}: {why}", self.name);
                }
                tell(&format!("{}: no plan was found that breaks it under {tried}", self.name));
            }
            Ok(failure) => panic!("{}", self.report(&failure, kept)),
        }
    }

    /// Why a search that found nothing says nothing, if so.
    fn worthless(&self, tried: &Tried) -> Option<String> {
        let asked = self.exhaustive > 0 || self.random > 0;
        if tried.not_applied > 0 {
            Some(format!("in {} runs a planned fault did not take place", tried.not_applied))
        } else if tried.nondeterministic > 0 {
            Some(format!("{} runs differed from an earlier one under the same plan", tried.nondeterministic))
        } else if asked && tried.runs() == tried.fault_free {
            Some("no fault could be tried: nothing was put on the wire that a plan could hit".to_owned())
        } else if self.random > 0 && tried.random == 0 {
            Some("of no random plan anything took place".to_owned())
        } else {
            None
        }
    }

    /// Runs the base plan several times in simulation and says where two of the runs differ, if they do.
    ///
    /// Then the programs depend on more than the plan and the seed, and a plan that was found need not fail
    /// again: a `tokio::select!` without `biased;`, the order of a `HashMap`, a clock or a random source of
    /// their own.
    pub fn difference(&self) -> Option<String> {
        if !self.testbed.is_simulated() {
            return None;
        }
        let first = self.run(&self.base);
        let hash = first.trace.hash();
        let other = (1..REPEATS).map(|_| self.run(&self.base)).find(|run| run.trace.hash() != hash)?;
        let (first, other) = (first.trace.text(), other.trace.text());
        let line = first.lines().zip(other.lines()).position(|(one, two)| one != two);
        let line = line.unwrap_or_else(|| first.lines().count().min(other.lines().count()));
        let of = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
        Some(format!(
            "two runs under the same plan and seed differ, at event {line}:\n  {}\n  {}\n\
             its programs depend on something else: a tokio::select! without `biased;`, the order of a \
             HashMap, a clock or random numbers that are not the network's",
            of(&first),
            of(&other),
        ))
    }

    /// Whether a plan names this scenario or a variant of it.
    fn is_named_by(&self, plan: &FaultPlan) -> bool {
        plan.scenario.as_ref() == Some(&self.name) || self.variant_of(plan).is_some()
    }

    /// Runs one plan.
    #[track_caller]
    fn check_plan(&self, plan: &FaultPlan) {
        let run = self.run(plan);
        let shown = format!("{}{}", diagram(&run), ending(&run));
        if !run.fired.all() {
            panic!("{}: part of the plan did not take place: {:?}\n{shown}", self.name, run.fired);
        }
        if !run.end.is_finished() {
            panic!("{}: it still fails under the plan\n{shown}", self.name);
        }
    }

    /// Puts a plan that fails where it can be found again, before anything else can go wrong.
    fn keep(&self, plan: &FaultPlan) -> Result<PathBuf, String> {
        let mut plan = plan.clone();
        if !self.is_named_by(&plan) {
            plan.scenario = Some(self.name.clone());
        }
        let dir = target_dir();
        save(&self.name, &plan, &dir).map_err(|error| format!("{}: {error}", dir.join("faultwire").display()))
    }

    /// Says all that is known of a failure, and puts its smallest plan in the place of the one kept before.
    fn report(&self, failure: &Failure, kept: Option<PathBuf>) -> String {
        let Failure { found, smallest, is_minimal, shrink_runs, tried } = failure;
        let mut text = String::new();
        let writing = "writing to a String does not fail";
        if smallest.plan.faults.is_empty() && smallest.plan.events.is_empty() {
            writeln!(text, "{}: it fails without any fault\n", self.name).expect(writing);
        } else {
            writeln!(text, "{}: a plan of faults breaks it\n", self.name).expect(writing);
        }
        if let Some(member) = self.variant_of(&smallest.plan) {
            writeln!(text, "  with {}", member.replace('/', ", ")).expect(writing);
        }
        if smallest.plan.link != self.base.link {
            let delay = smallest.plan.link.numbers().delay();
            writeln!(text, "  over a link that delays packets by {delay:?}").expect(writing);
        }
        for fault in &smallest.plan.faults {
            writeln!(text, "  {fault}").expect(writing);
        }
        for event in &smallest.plan.events {
            writeln!(text, "  {event}").expect(writing);
        }
        writeln!(text, "\n{}{}", diagram(smallest), ending(smallest)).expect(writing);
        let size = |plan: &FaultPlan| plan.faults.len() + plan.events.len();
        writeln!(
            text,
            "found after {}\nmade smaller from {} to {} in {shrink_runs} runs; {}",
            tried.counts(),
            counted(size(&found.plan), "fault"),
            size(&smallest.plan),
            if *is_minimal { "nothing can be left out or lessened" } else { "it may not be the smallest" },
        )
        .expect(writing);
        match self.keep(&smallest.plan) {
            Ok(path) => {
                if let Some(larger) = kept.filter(|kept| *kept != path) {
                    // If it stays, it is one file too many, no more.
                    let _ = fs::remove_file(larger);
                }
                writeln!(text, "replay: {}", replay_line(&path, test_name().as_deref()))
            }
            Err(error) => writeln!(text, "the plan could not be saved: {error}\n{}", smallest.plan.to_toml()),
        }
        .expect(writing);
        text
    }
}

/// Prints a line to stdout, which a test harness captures.
#[expect(clippy::print_stdout, reason = "a passing test has no other way to say what it did not try")]
fn tell(line: &str) {
    println!("{line}");
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn diagram(run: &Run) -> String {
    run.trace.diagram(&DiagramOptions::default())
}

/// How a run ended, in a line or a few.
fn ending(run: &Run) -> String {
    match &run.end {
        End::Finished => "it finished".to_owned(),
        End::Failed { host: Some(host), message } => format!("{host}: {message}"),
        End::Failed { host: None, message } => message.clone(),
        End::Stalled { limit, sockets } if sockets.is_empty() => format!("stalled: not done after {limit}"),
        End::Stalled { limit, sockets } => {
            format!("stalled: not done after {limit}\n  {}", sockets.join("\n  "))
        }
        End::Refused { why, .. } => format!("it could not be run: {why}"),
    }
}
