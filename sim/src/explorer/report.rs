//! The report of a failure, as text: the smallest plan, the diagram of its run, how that ended, and how it was
//! found.

use std::fmt::Display;
use std::path::PathBuf;

use faultwire::fault::FaultPlan;

use super::Failure;
use crate::failure::{replay_line, test_name};
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// Says all that is known of a failure, its file aside.
pub(super) fn failure(scenario: &Scenario, failure: &Failure) -> String {
    let base = &scenario.base;
    let Failure { found, found_in, smallest, is_minimal, shrink_runs, count, .. } = failure;
    let own = |plan: &FaultPlan| items(plan, base).filter(|(_, is_own)| *is_own).count();
    let what = match (own(&smallest.plan), items(base, base).count()) {
        (0, 0) => "it fails without any fault",
        (0, _) => "it fails with no fault but those of every run",
        _ => "a plan of faults breaks it",
    };
    let mut text = format!("{}: {what}\n\n", scenario.name);
    if let Some(member) = scenario.variant_of(&smallest.plan) {
        text += &format!("  with {}\n", member.replace('/', ", "));
    }
    if smallest.plan.link != base.link {
        let delay = smallest.plan.link.numbers().delay();
        text += &format!("  over a link that delays packets by {delay:?}\n");
    }
    text += &plan_lines(&smallest.plan, base);
    text += &format!("\n{}{}\nfound in run {found_in}", diagram(scenario, smallest), ending(smallest));
    text += &match own(&found.plan) {
        0 => ", which has no fault of the search".to_owned(),
        faults => format!(
            ", made smaller from {} to {} in {shrink_runs} runs; {}",
            counted(faults, "fault"),
            own(&smallest.plan),
            if *is_minimal { "nothing can be left out or lessened" } else { "it may not be the smallest" },
        ),
    };
    text.push('\n');
    if *count > 1 {
        text += &format!("{count} runs of the search failed in this way\n");
    }
    text
}

/// A failure of a further kind, in a few lines.
pub(super) fn further(scenario: &Scenario, failure: &Failure) -> String {
    let smallest = &failure.smallest;
    let head = format!("\nanother kind of failure: {}\n", ending(smallest));
    head + &plan_lines(&smallest.plan, &scenario.base)
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
pub(super) fn replay(saved: &Result<PathBuf, String>, failure: &Failure) -> String {
    match saved {
        Ok(path) => format!("replay: {}\n", replay_line(path, test_name().as_deref())),
        Err(why) => format!("the plan could not be saved: {why}\n{}\n", failure.smallest.plan.to_toml()),
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn diagram(scenario: &Scenario, run: &Run) -> String {
    run.trace.diagram(&scenario.diagram)
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
