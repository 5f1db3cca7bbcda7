//! What a plan that was tried came to: a failure counts only if it is seen twice in the same way.

use faultwire::fault::FaultPlan;

use super::case::{Case, Counts, Tried};
use crate::error::CommandError;

/// What is known of a plan.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing: no run counts, or it was stopped.
    Open,
    /// Both programs succeed under it.
    Harmless(Case),
    /// The pair failed once, and a second run did not show the same.
    Once,
    /// The pair failed twice, in the same way.
    Fails(Case),
}

/// What a plan came to that was tried: `again` tries it a second time, which is asked for where the pair
/// failed.
pub(super) fn judge(
    tried: Tried,
    again: impl FnOnce(&FaultPlan) -> Result<Tried, CommandError>,
) -> Result<(Verdict, Counts), CommandError> {
    let Tried { case, mut counts } = tried;
    let Some(case) = case else { return Ok((Verdict::Open, counts)) };
    if case.fails.is_none() {
        return Ok((Verdict::Harmless(case), counts));
    }
    let Tried { case: second, counts: mut made } = again(&case.run.plan)?;
    // A run of it took place: it is not one of those that were given up.
    made.given_up = 0;
    counts += made;
    if second.is_some_and(|second| second.fails == case.fails) {
        return Ok((Verdict::Fails(case), counts));
    }
    counts.not_again += 1;
    Ok((Verdict::Once, counts))
}

#[cfg(test)]
mod tests {
    use super::super::case::Fails;
    use super::super::case::tests::{case, tried};
    use super::*;

    const EXITS: Option<Fails> = Some(Fails::Exits(1));

    fn verdict(first: Tried, second: Tried) -> (Verdict, Counts) {
        judge(first, |_| Ok(second)).expect("both were tried")
    }

    #[test]
    fn a_failure_counts_that_is_seen_twice_in_the_same_way() {
        let (verdict, counts) = verdict(tried(EXITS), tried(EXITS));
        assert!(matches!(verdict, Verdict::Fails(_)), "{verdict:?}");
        assert_eq!(counts, Counts { runs: 2, ..Counts::default() });
    }

    #[test]
    fn a_failure_that_is_not_seen_again_does_not_count() {
        let given_up = Counts { runs: 3, lost: 3, given_up: 1, ..Counts::default() };
        for second in [
            tried(None),
            tried(Some(Fails::Exits(2))),
            tried(Some(Fails::TooLong)),
            // Three attempts that prove nothing.
            Tried { case: None, counts: given_up },
            // Ctrl-C.
            Tried::default(),
        ] {
            let runs = 1 + second.counts.runs;
            let (verdict, counts) = verdict(tried(EXITS), second);
            assert!(matches!(verdict, Verdict::Once), "{verdict:?}");
            assert_eq!((counts.runs, counts.given_up, counts.not_again), (runs, 0, 1));
        }
    }

    #[test]
    fn what_does_not_fail_is_not_tried_again() {
        for (first, is_harmless) in [(Some(case(None)), true), (None, false)] {
            let first = Tried { case: first, counts: Counts::default() };
            let (verdict, counts) = judge(first, |_| panic!("tried again")).expect("it was tried");
            assert_eq!(matches!(verdict, Verdict::Harmless(_)), is_harmless, "{verdict:?}");
            assert_eq!(matches!(verdict, Verdict::Open), !is_harmless, "{verdict:?}");
            assert_eq!(counts, Counts::default());
        }
    }
}
