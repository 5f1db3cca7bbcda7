//! The moment of truth: the event from which on a run says what a check sees in it.

use faultwire_sim::{End, Run};

use crate::study::{Check, Verdict};

/// Looks into a run at most, each of which reads the run from its beginning.
const LOOKS_MAX: usize = 512;

/// The place (in [`Trace::events`](faultwire::trace::Trace::events)) of the event from which on the run says
/// what the check says of the whole, in the same words, whatever came after it. None where the check says
/// that all is well.
///
/// It is found by looking at the run as it was before its last event, before the last two, and so on. In runs
/// of very many events the first steps are coarse: what was said once, and was not for a while, may then be
/// passed over.
pub fn moment(run: &Run, check: Check) -> Option<usize> {
    let verdict = check(run).verdict;
    let all = run.trace.events().len();
    if verdict == Verdict::Fine || all == 0 {
        return None;
    }
    // How many events it takes until all is said.
    let mut said = all;
    let mut stride = (2 * all).div_ceil(LOOKS_MAX).max(1);
    loop {
        let mut cut = run.clone();
        // Not at its end, whatever the whole came to.
        cut.end = End::Stalled { limit: "a look into the run".to_owned(), sockets: Vec::new() };
        let mut before = said;
        while let Some(fewer) = before.checked_sub(stride).filter(|fewer| *fewer > 0) {
            cut.trace.truncate(fewer);
            cut.elapsed = run.trace.events()[fewer - 1].at;
            if check(&cut).verdict != verdict {
                break;
            }
            before = fewer;
        }
        said = before;
        if stride == 1 {
            return Some(said - 1);
        }
        stride = (stride / 16).max(1);
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::FaultPlan;
    use faultwire::time::Time;
    use faultwire::trace::{HostId, Trace, What};

    use super::*;
    use crate::study::Seen;

    /// A run of `events` events, one a millisecond.
    fn run(events: u64) -> Run {
        let mut trace = Trace::new(["client", "server"]);
        for ms in 0..events {
            trace.push(Time::from_nanos(ms * 1_000_000), What::Restarted(HostId(0)));
        }
        Run::new(
            FaultPlan::default(),
            trace,
            End::Finished,
            faultwire::fault::Fired { faults: Vec::new(), events: Vec::new() },
            Time::from_nanos(events * 1_000_000),
        )
    }

    #[test]
    fn it_is_the_event_that_settles_it() {
        let after_seven: Check = |run| match run.trace.events().len() {
            7.. => Seen::witnessed(1, "seven"),
            _ => Seen::fine(1),
        };
        for events in [7, 8, 500, 513, 20_000] {
            assert_eq!(moment(&run(events), after_seven), Some(6), "{events}");
        }
        assert_eq!(moment(&run(6), after_seven), None);
        assert_eq!(moment(&run(0), |_| Seen::witnessed(1, "at once")), None);
    }

    #[test]
    fn what_is_said_of_the_whole_alone_is_settled_at_its_end() {
        let at_the_end: Check = |run| match run.end.is_finished() {
            true => Seen::broken(1, "it ended"),
            false => Seen::fine(1),
        };
        let in_other_words: Check = |run| Seen::witnessed(1, format!("{} of them", run.trace.events().len()));
        let by_the_clock: Check = |run| Seen::witnessed(1, run.elapsed.to_string());
        for check in [at_the_end, in_other_words, by_the_clock] {
            assert_eq!(moment(&run(40), check), Some(39));
        }
    }

    #[test]
    fn what_was_unsaid_in_between_is_settled_by_what_said_it_again() {
        let not_at_five: Check = |run| match run.trace.events().len() {
            5 => Seen::fine(1),
            _ => Seen::witnessed(1, "it"),
        };
        assert_eq!(moment(&run(9), not_at_five), Some(5));
        assert_eq!(moment(&run(4), not_at_five), Some(0));
    }
}
