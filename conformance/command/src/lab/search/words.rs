//! What a search says at the end.

use std::fmt::{self, Write as _};

use faultwire::text::shell_word;
use faultwire_sim::search::{FaultKinds, Tried};

use super::case::Counts;
use super::finding::{Finding, Rate};
use crate::lab::SearchArgs;
use crate::lab::once::diagram;

/// What was tried and did no harm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Harmless {
    /// Plans of one fault under which the pair succeeds,
    pub(super) singles: u64,
    /// of so many,
    pub(super) singles_of: usize,
    /// on so many packets.
    pub(super) packets: usize,
    /// Random plans under which it does.
    pub(super) random: u64,
    /// The kinds of fault that took place in all of these.
    pub(super) kinds: FaultKinds,
}

/// What is said where many plans were tried, and nothing is known of any.
pub(super) fn nothing_proven(plans: &str) -> String {
    format!("nothing is proven: not one of {plans} took place as planned with a result that can be relied on")
}

impl fmt::Display for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Harmless { singles, singles_of, packets, random, kinds } = *self;
        let tried = Tried {
            fault_free: 1,
            singles,
            singles_of: singles_of as u64,
            random,
            kinds,
            ..Tried::default()
        };
        write!(
            f,
            "both programs succeed under {singles} of {singles_of} plans of one fault on {packets} packets, \
             and under {random} random plans of 2 to 4 faults; {}",
            tried.not_tried_words()
        )
    }
}

/// The runs, and those of them that proved nothing.
pub(super) fn counts(counts: &Counts) -> String {
    let Counts { runs, lost, unfired, by_itself, unserved, given_up, undrawn, not_again } = *counts;
    let mut text = format!("{runs} runs");
    for (count, what) in [
        (lost, "lost packets outside of the plan"),
        (unfired, "had a plan that did not take place in full"),
        (
            by_itself,
            "failed though nothing of their plan took place: the programs fail by themselves at times",
        ),
        (unserved, "had a server that did not listen"),
        (given_up, "plans were given up, as no run of them took place as planned"),
        (undrawn, "random plans could not be drawn: the runs have too few packets"),
        (
            not_again,
            "plans made the pair fail once and not again in the same way: they count neither as found nor as \
             harmless",
        ),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {what}");
        }
    }
    text
}

/// The plan, what the programs said, the picture, how often it fails, and how to see it again.
pub(super) fn finding(finding: &Finding, args: &SearchArgs) -> String {
    let Finding { case, fails, found, steps, is_minimal, rates } = finding;
    let plan = &case.run.plan;
    let mut text = if finding.is_seen_again() {
        format!("{fails} under this plan:\n")
    } else {
        format!("{fails} under this plan at times, and did not do so again in the end:\n")
    };
    for fault in &plan.faults {
        let _ = writeln!(text, "  {fault}");
    }
    if !case.said.is_empty() {
        let _ = write!(text, "\n{}", case.said);
    }
    let _ = writeln!(text, "\n{}", diagram(&case.run.trace));
    if let Some((with, without)) = rates {
        let _ = writeln!(text, "{}", how_often(with, without));
    }
    let smallest =
        if *is_minimal { "nothing can be left out or lessened" } else { "it may not be the smallest" };
    let _ = writeln!(text, "found by {found}; made smaller in {steps} steps: {smallest}");
    let path = args.out.display().to_string();
    let _ = write!(
        text,
        "the plan and both commands are in {path}; to see it again:\n  faultwire lab --plan {}",
        shell_word(&path),
    );
    text
}

fn how_often(with: &Rate, without: &Rate) -> String {
    let rate = |rate: &Rate| format!("{} of {}", rate.failed, rate.of);
    let mut text = match with.of {
        0 => "no further run under this plan took place as planned".to_owned(),
        _ => format!("fails {} runs under this plan", rate(with)),
    };
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
    fn what_was_not_tried_is_named() {
        use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
        let mut kinds = FaultKinds::default();
        let fault = |action| Fault::new(["client", "server"], Packet::nth(Class::Data, 1), action);
        let drop = FaultPlan::new().faults([fault(Action::Drop)]);
        kinds.add(&drop, &FaultPlan::default());
        let said = Harmless { singles: 4, singles_of: 4, packets: 4, random: 0, kinds }.to_string();
        for kind in ["outages of a link", "crashes", "restarts", "duplicate packets", "random plans"] {
            assert!(said.contains(kind), "{kind}: {said}");
        }
        assert!(!said.contains("lost packets"), "{said}");
    }

    #[test]
    fn a_rate_is_told_as_it_is() {
        let rate = |failed, of| Rate { failed, of, last: None };
        assert_eq!(
            how_often(&rate(10, 10), &rate(0, 10)),
            "fails 10 of 10 runs under this plan; 0 of 10 without faults"
        );
        assert_eq!(
            how_often(&rate(0, 10), &rate(0, 10)),
            "fails 0 of 10 runs under this plan; 0 of 10 without faults\n\
             it was not seen again: more than this plan is needed for it"
        );
        let none = how_often(&rate(0, 0), &rate(0, 0));
        assert!(none.starts_with("no further run under this plan took place as planned\n"), "{none}");
    }

    #[test]
    fn runs_that_prove_nothing_are_named() {
        assert_eq!(counts(&Counts { runs: 7, ..Counts::default() }), "7 runs");
        let once = Counts { runs: 7, not_again: 1, ..Counts::default() };
        assert_eq!(
            counts(&once),
            "7 runs; 1 plans made the pair fail once and not again in the same way: they count neither as \
             found nor as harmless"
        );
        let lossy = Counts { runs: 7, lost: 2, ..Counts::default() };
        assert_eq!(counts(&lossy), "7 runs; 2 lost packets outside of the plan");
    }
}
