//! The scenario as a test: searches, and panics with the smallest plan, its diagram and the line that replays
//! it.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use faultwire::fault::FaultPlan;
use faultwire::text::with_causes;
use faultwire::trace::DiagramOptions;

use super::{Event, Exploration, Explorer, Failure, Signature};
use crate::failure::{planned_by_environment, replay_line, save, target_dir, test_name};
use crate::run::{End, Run};
use crate::scenario::Scenario;
use crate::search::Tried;

impl Scenario {
    /// Runs it without faults, as [`Explorer::check`] does with faults.
    ///
    /// # Panics
    /// Like [`Explorer::check`].
    #[track_caller]
    pub fn check(&self) {
        Explorer::from(self.clone()).check();
    }

    /// Runs it under one plan, such as one that broke it before: once, or up to eight times where runs
    /// [differ](Self::difference).
    ///
    /// # Panics
    /// If it fails, with the diagram; also if part of the plan did not take place, since that shows nothing.
    #[track_caller]
    pub fn check_under(&self, plan: &FaultPlan) {
        if let Err(why) = self.stands(plan) {
            panic!("{}: {why}", self.name);
        }
    }

    /// Runs it under each plan file (`*.toml`) of a folder that names this scenario: those that broke it
    /// once, kept so that they do not again. Other scenarios' files are left to them. A relative path
    /// starts at the current directory, which `cargo test` sets to the package's.
    ///
    /// ```no_run
    /// # let my_store = faultwire_sim::scenario("my-store");
    /// // Moved there from target/faultwire/.
    /// my_store.check_kept("tests/plans");
    /// ```
    ///
    /// # Panics
    /// Like [`check_under`](Self::check_under), with the names of all files whose plans fail; also if the
    /// folder or one of its plans cannot be read, or none of them names this scenario.
    #[track_caller]
    pub fn check_kept(&self, folder: impl AsRef<Path>) {
        let (folder, name) = (folder.as_ref(), &self.name);
        let unreadable = |error: io::Error| -> ! { panic!("{name}: {}: {error}", folder.display()) };
        let entries = fs::read_dir(folder).unwrap_or_else(|error| unreadable(error));
        let paths = entries.map(|entry| entry.unwrap_or_else(|error| unreadable(error)).path());
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension() == Some("toml".as_ref())).collect();
        paths.sort();
        let plan = |path| FaultPlan::read(path).unwrap_or_else(|error| panic!("{}", with_causes(&error)));
        let plans = paths.iter().map(|path| (path, plan(path)));
        let kept: Vec<_> = plans.filter(|(_, plan)| self.is_named_by(plan)).collect();
        if kept.is_empty() {
            let files = counted(paths.len(), "plan file");
            panic!("{name}: none of the {files} in {} has scenario = \"{name}\"", folder.display());
        }
        let fails = |(path, plan): &(&PathBuf, FaultPlan)| {
            self.stands(plan).err().map(|why| format!("{}: {why}", path.display()))
        };
        let failed: Vec<String> = kept.iter().filter_map(fails).collect();
        if !failed.is_empty() {
            let (of, plans) = (failed.len(), counted(kept.len(), "kept plan"));
            panic!("{name}: {of} of {plans} failed\n{}", failed.join("\n"));
        }
    }

    /// Whether a plan names this scenario or a variant of it.
    fn is_named_by(&self, plan: &FaultPlan) -> bool {
        plan.scenario.as_ref() == Some(&self.name) || self.variant_of(plan).is_some()
    }
}

impl Explorer {
    /// Searches for plans under which the scenario fails.
    ///
    /// Finding none does not mean that there is none: what was tried, and which kinds of fault were not, is
    /// printed (the test harness shows it with `--nocapture`), and [`explore`](Self::explore) returns it.
    ///
    /// With `FAULTWIRE_PLAN` set to a plan file, that plan alone is run: one whose `scenario` is another's is
    /// left to that one.
    ///
    /// # Panics
    /// If a plan is found. It is in `target/faultwire/` then, made as small as it can be, and the message
    /// shows it with its diagram and the line that replays it; further kinds of failure are listed with their
    /// plans. Also if the search proves nothing, since no fault took place, or if runs under the same plan
    /// [differ](Scenario::difference) in their shape, and the scenario is not
    /// [`nondeterministic`](Scenario::nondeterministic). Where they differ in bytes alone the search goes on
    /// and says so.
    #[track_caller]
    pub fn check(&self) {
        let scenario = &self.scenario;
        match planned_by_environment() {
            Some(Ok(plan)) if plan.scenario.is_none() || scenario.is_named_by(&plan) => {
                return scenario.check_under(&plan);
            }
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(_)) | None => {}
        }
        let judgement = self.judgement().unwrap_or_else(|why| panic!("{}: {why}", scenario.name));
        // Kept before it is made smaller: shrinking runs the programs again, and anything may happen in them.
        let mut kept = Vec::new();
        let Exploration { tried, failures } = judgement.explorer().explore_by(&Signature::of, &mut |event| {
            if let Event::Found(run) = event {
                kept.extend(scenario.keep(&run.plan));
            }
        });
        let Some((first, others)) = failures.split_first() else {
            let (name, note) = (&scenario.name, judgement.note());
            if let Some(why) = self.worthless(&tried) {
                panic!("{name}: {why}\n{note}");
            }
            let found = format!("{name}: no plan was found that breaks it under {tried}\n{note}");
            return tell((found + &left_out(&tried)).trim_end());
        };
        let mut text = scenario.report(first);
        text += &judgement.of(first);
        let saved: Vec<_> = failures.iter().map(|it| scenario.keep(&it.smallest.plan)).collect();
        for larger in kept.iter().filter(|path| !saved.iter().flatten().any(|it| it == *path)) {
            // If it stays, it is one file too many, no more.
            let _ = fs::remove_file(larger);
        }
        text += &replay(&saved[0], first);
        for (failure, saved) in others.iter().zip(&saved[1..]) {
            text += &format!("\nanother kind of failure: {}\n", ending(&failure.smallest));
            text += &plan_lines(&failure.smallest.plan, &scenario.base);
            text += &replay(saved, failure);
        }
        panic!("{text}");
    }

    /// Why a search that found nothing says nothing, if so.
    fn worthless(&self, tried: &Tried) -> Option<String> {
        let asked = self.exhaustive > 0 || self.random > 0;
        let repeats = !self.scenario.is_nondeterministic;
        if repeats && tried.not_applied > 0 {
            Some(format!("in {} runs a planned fault did not take place", tried.not_applied))
        } else if repeats && tried.nondeterministic > 0 {
            Some(format!("{} runs differed from an earlier one under the same plan", tried.nondeterministic))
        } else if asked && tried.runs() == tried.fault_free {
            Some("no fault could be tried: nothing was put on the wire that a plan could hit".to_owned())
        } else if self.random > 0 && tried.random == 0 {
            Some("of no random plan anything took place".to_owned())
        } else {
            None
        }
    }
}

impl Scenario {
    /// Runs one plan.
    ///
    /// # Errors
    /// That it fails, or that the run shows nothing.
    fn stands(&self, plan: &FaultPlan) -> Result<(), String> {
        let run = self.run_for_failure(plan);
        let shown = || format!("{}{}", diagram(&run), ending(&run));
        if !run.fired.all() {
            return Err(format!("part of the plan did not take place: {:?}\n{}", run.fired, shown()));
        }
        if !run.end.is_finished() {
            return Err(format!("it still fails under the plan\n{}", shown()));
        }
        Ok(())
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

    /// Says all that is known of a failure, its file aside.
    fn report(&self, failure: &Failure) -> String {
        let Failure { found, found_in, smallest, is_minimal, shrink_runs, count, .. } = failure;
        let own = |plan: &FaultPlan| items(plan, &self.base).filter(|(_, is_own)| *is_own).count();
        let what = match (own(&smallest.plan), items(&self.base, &self.base).count()) {
            (0, 0) => "it fails without any fault",
            (0, _) => "it fails with no fault but those of every run",
            _ => "a plan of faults breaks it",
        };
        let mut text = format!("{}: {what}\n\n", self.name);
        if let Some(member) = self.variant_of(&smallest.plan) {
            text += &format!("  with {}\n", member.replace('/', ", "));
        }
        if smallest.plan.link != self.base.link {
            let delay = smallest.plan.link.numbers().delay();
            text += &format!("  over a link that delays packets by {delay:?}\n");
        }
        text += &plan_lines(&smallest.plan, &self.base);
        text += &format!("\n{}{}\nfound in run {found_in}", diagram(smallest), ending(smallest));
        text += &match own(&found.plan) {
            0 => ", which has no fault of the search".to_owned(),
            faults => format!(
                ", made smaller from {} to {} in {shrink_runs} runs; {}",
                counted(faults, "fault"),
                own(&smallest.plan),
                if *is_minimal {
                    "nothing can be left out or lessened"
                } else {
                    "it may not be the smallest"
                },
            ),
        };
        text.push('\n');
        if *count > 1 {
            text += &format!("{count} runs of the search failed in this way\n");
        }
        text
    }
}

/// The faults and events of a plan, and whether each is its own, and not the base plan's.
fn items<'a>(plan: &'a FaultPlan, base: &'a FaultPlan) -> impl Iterator<Item = (&'a dyn Display, bool)> {
    let faults = plan.faults.iter().map(|it| (it as &dyn Display, !base.faults.contains(it)));
    faults.chain(plan.events.iter().map(|it| (it as &dyn Display, !base.events.contains(it))))
}

/// The faults and events of a plan, a line each.
fn plan_lines(plan: &FaultPlan, base: &FaultPlan) -> String {
    let line = |(item, is_own)| format!("  {item}{}\n", if is_own { "" } else { " (in every run)" });
    items(plan, base).map(line).collect()
}

/// How to replay a failure, whose plan was saved or could not be.
fn replay(saved: &Result<PathBuf, String>, failure: &Failure) -> String {
    match saved {
        Ok(path) => format!("replay: {}\n", replay_line(path, test_name().as_deref())),
        Err(why) => format!("the plan could not be saved: {why}\n{}\n", failure.smallest.plan.to_toml()),
    }
}

/// Prints a line to stdout, which a test harness captures.
#[expect(clippy::print_stdout, reason = "a passing test has no other way to say what it did not try")]
fn tell(line: &str) {
    println!("{line}");
}

/// The runs that a search which found nothing does not count, where runs do not repeat.
fn left_out(tried: &Tried) -> String {
    let mut text = String::new();
    if tried.not_applied > 0 {
        text +=
            &format!("{} more runs prove nothing: a planned fault did not take place\n", tried.not_applied);
    }
    if tried.unconfirmed > 0 {
        text += &format!("{} more plans failed once, and not when they ran again\n", tried.unconfirmed);
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn diagram(run: &Run) -> String {
    run.trace.diagram(&DiagramOptions::default())
}

/// How a run ended, in a line or a few.
pub(super) fn ending(run: &Run) -> String {
    match &run.end {
        End::Finished => "it finished".to_owned(),
        End::Failed { host: Some(host), message } => format!("{host}: {message}"),
        End::Failed { host: None, message } => message.clone(),
        End::Stalled { limit, sockets } if sockets.is_empty() => format!("stalled: not done after {limit}"),
        End::Stalled { limit, sockets } => {
            format!("stalled: not done after {limit}\n  {}", sockets.join("\n  "))
        }
        End::Unconfirmed { message } => format!("it failed once: {message}"),
        End::Refused { why, .. } => format!("it could not be run: {why}"),
    }
}
