//! What a search says at the end.

use std::fmt::Write as _;
use std::path::Path;

use faultwire::text::shell_word;
use faultwire_sim::search::Tried;
use faultwire_sim::{End, Failure, Rate, Run};

use crate::lab::once::diagram;

/// What is said where many plans were tried, and nothing is known of any.
pub(super) const NOTHING_PROVEN: &str =
    "nothing is proven: no plan took place as planned with a result that can be relied on";

/// Who did what: `the client exits with 1`.
pub(super) fn ending(run: &Run) -> String {
    match &run.end {
        End::Failed { host, message } => format!("the {} {message}", host.as_deref().unwrap_or("run")),
        End::Stalled { .. } => "the client takes longer than it may".to_owned(),
        _ => "both programs succeed".to_owned(),
    }
}

/// What was tried and did no harm.
pub(super) fn harmless(tried: &Tried, packets: usize) -> String {
    let Tried { singles, singles_of, random, .. } = tried;
    format!(
        "both programs succeed under {singles} of {singles_of} plans of one fault on {packets} packets, and \
         under {random} random plans; {}",
        tried.not_tried_words()
    )
}

/// The runs, and those of them that proved nothing.
pub(super) fn counts(tried: &Tried) -> String {
    let Tried { retries, not_applied, refused, without_hit, unconfirmed, .. } = *tried;
    let mut text = format!("{} plans tried", tried.runs() + not_applied + refused + unconfirmed);
    for (count, what) in [
        (retries, "runs were retries: packets were lost outside of the plan, or it was not applied in full"),
        (not_applied + without_hit, "plans were not applied in full"),
        (refused, "plans gave no run that counts: packets were lost outside of them, or no server listened"),
        (unconfirmed, "plans made the pair fail once and not in the same way again: they count as neither"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {what}");
        }
    }
    text
}

/// The plan, what the programs said, the picture, how often it fails, and how to see it again.
pub(super) fn finding(failure: &Failure, without: Rate, path: &Path) -> String {
    let Failure { smallest, found, found_in, is_minimal, shrink_runs, rate, count, .. } = failure;
    let rate = rate.unwrap_or_default();
    let again =
        if rate.of > 0 && rate.failed == 0 { " at times, and did not do so again in the end" } else { "" };
    let mut text = format!("{} under this plan{again}:\n", ending(smallest));
    for fault in &smallest.plan.faults {
        let _ = writeln!(text, "  {fault}");
    }
    for event in &smallest.plan.events {
        let _ = writeln!(text, "  {event}");
    }
    if !smallest.output.is_empty() {
        let _ = write!(text, "\n{}", smallest.output);
    }
    let _ = writeln!(text, "\n{}", diagram(&smallest.trace));
    if rate.of > 0 {
        let _ = writeln!(text, "{}", how_often(rate, without));
    }
    let minimal =
        if *is_minimal { "nothing can be left out or lessened" } else { "it may not be the smallest" };
    let faults = match (found.plan.faults.len(), found.plan.events.len()) {
        (1, 0) => "a plan of one fault".to_owned(),
        (0, 1) => format!("a plan of one {}", found.plan.events[0].kind.name()),
        (0, 2) => format!("a plan of one {} and the restart", found.plan.events[0].kind.name()),
        (faults, _) => format!("a random plan of {faults} faults"),
    };
    let others = if *count > 1 { format!(", and {count} runs failed in this way") } else { String::new() };
    let _ = writeln!(
        text,
        "found by {faults} in run {found_in}{others}; made smaller in {shrink_runs} steps: {minimal}"
    );
    let path = path.display().to_string();
    let _ = write!(
        text,
        "the plan and both commands are in {path}; to see it again:\n  faultwire lab --plan {}",
        shell_word(&path),
    );
    text
}

fn how_often(with: Rate, without: Rate) -> String {
    let rate = |rate: Rate| format!("{} of {}", rate.failed, rate.of);
    let mut text = format!("fails {} runs under this plan", rate(with));
    if without.of > 0 {
        let _ = write!(text, "; {} without faults", rate(without));
    }
    if with.failed == 0 {
        text.push_str("\nit was not seen again: more than this plan is needed for it");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_as_it_is() {
        let rate = |failed, of| Rate { failed, of };
        assert_eq!(
            how_often(rate(10, 10), rate(0, 10)),
            "fails 10 of 10 runs under this plan; 0 of 10 without faults"
        );
        assert_eq!(
            how_often(rate(0, 10), rate(0, 10)),
            "fails 0 of 10 runs under this plan; 0 of 10 without faults\n\
             it was not seen again: more than this plan is needed for it"
        );
    }

    #[test]
    fn runs_that_prove_nothing_are_named() {
        let tried = Tried { singles: 7, ..Tried::default() };
        assert_eq!(counts(&tried), "7 plans tried");
        let once = counts(&Tried { unconfirmed: 1, ..tried });
        assert!(once.starts_with("8 plans tried; 1 plans made the pair fail once and not"), "{once}");
    }
}
