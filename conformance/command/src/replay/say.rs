//! Describes the result of a replayed run.

use std::fmt::Write as _;

use faultwire_sim::End;
use faultwire_sim::testbed::TestbedRef;

use super::super::given::Given;
use faultwire_conformance::claim::Modality;
use faultwire_conformance::engine::{Replayed, Still};
use faultwire_conformance::report::paragraph;
use faultwire_conformance::study::Verdict;

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// How a run ended.
pub(crate) fn end(end: &End) -> String {
    match end {
        End::Finished => "every client finished".to_owned(),
        End::Failed { host: Some(host), message } => format!("the program on {host} failed: {message}"),
        End::Failed { host: None, message } => format!("an invariant failed: {message}"),
        End::Stalled { limit, sockets } => {
            let at: String = sockets.iter().map(|socket| format!("; {socket}")).collect();
            format!("stalled, not done after {limit}{at}")
        }
        other => format!("{other:?}"),
    }
}

/// What is wrong with a run.
pub(super) enum Wrong {
    /// It breaks a guaranteed claim.
    Breaks(String),
    /// It did not come to its end, or something planned did not take place.
    Fails(String),
}

/// What is wrong with a run, whatever its plan was meant to show.
pub(super) fn wrong(replayed: &Replayed) -> Option<Wrong> {
    let run = &replayed.run;
    let broken = replayed.seen.iter().find_map(|(claim, seen)| match &seen.verdict {
        Verdict::Broken(how) => Some(Wrong::Breaks(format!("{}: {how}", claim.id))),
        Verdict::Fine | Verdict::Witnessed(_) => None,
    });
    if broken.is_some() {
        return broken;
    }
    if !run.end.is_finished() {
        return Some(Wrong::Fails(end(&run.end)));
    }
    let planned = run.fired.faults.len() + run.fired.events.len();
    let fired = run.fired.count();
    (fired < planned).then(|| Wrong::Fails(format!("{fired} of {planned} faults and events took place")))
}

/// Writes how the run ended, which faults fired, what the checks saw, and whether the plan still shows what
/// it was found to show. Returns whether all of that is as claimed.
pub(super) fn conclusion(
    out: &mut String,
    replayed: &Replayed,
    given: &Given,
    testbed: TestbedRef,
    width: usize,
) -> bool {
    let run = &replayed.run;
    out.push('\n');
    paragraph(out, "end       ", &format!("after {}: {}", run.elapsed, end(&run.end)), width);
    let planned = run.fired.faults.len() + run.fired.events.len();
    let _ = writeln!(out, "fired     {} of {planned} faults and events", run.fired.count());
    if !run.fired.all() {
        let why = "a fault that did not fire never met its packet: the packet was not sent, was lost before, \
                   was hit by another fault, or has no such bit";
        paragraph(out, "          ", why, width);
    }
    for (claim, seen) in &replayed.seen {
        let verdict = match &seen.verdict {
            Verdict::Fine if seen.exercised == 0 => {
                "not exercised: the run has no case that its check counts".to_owned()
            }
            Verdict::Fine if claim.modality == Modality::Possible => "not witnessed by this run".to_owned(),
            Verdict::Fine => format!("held, its situation occurred {}", times(seen.exercised)),
            Verdict::Witnessed(how) => format!("witnessed: {how}"),
            Verdict::Broken(how) => format!("BROKEN: {how}"),
        };
        paragraph(out, &format!("  {}  ", claim.id), &verdict, width);
    }
    let fine = wrong(replayed).is_none();
    let Some(claim) = given.claim else { return fine };
    let verb = match claim.modality {
        Modality::Possible => "witnesses",
        Modality::Guaranteed => "breaks",
    };
    let (said, as_claimed) = match replayed.still(claim, given.study, testbed) {
        Still::Shows(how) => {
            (format!("still {verb} it: {}: {how}", claim.id), claim.modality == Modality::Possible)
        }
        // What was broken once and holds now is as claimed.
        Still::Gone(why) => {
            (format!("NO LONGER {verb} it: {}: {why}", claim.id), claim.modality == Modality::Guaranteed)
        }
        Still::CannotTell(why) => (format!("cannot tell whether it {verb} {}: {why}", claim.id), false),
    };
    out.push('\n');
    paragraph(out, "", &said, width);
    fine && as_claimed
}
