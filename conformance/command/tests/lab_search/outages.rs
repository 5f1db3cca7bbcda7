//! A search for what no fault of a packet breaks, and an outage does.

use std::process::Child;

use faultwire::fault::{EventKind, FaultPlan};

use crate::{PYTHON, Pair, can, scratch, text};

/// Pairs of `fixtures/programs`, and how the client of each fails.
const PAIRS: [(&str, &str); 7] = [
    ("orders-twice", "exits with 1"),
    ("three-quick-tries", "exits with 1"),
    ("waits-forever", "takes longer than it may"),
    ("two-missed-beats", "exits with 1"),
    ("idle-means-gone", "exits with 1"),
    ("one-deadline", "exits with 1"),
    ("starts-over", "exits with 1"),
];
/// How many of the pairs are searched, if `FAULTWIRE_LAB_PAIRS` does not say it.
const SEARCHED: usize = 2;
/// How many searches go on side by side: their runs mostly wait.
const SEARCHES: usize = 3;

/// A search, and where it writes the plan that it finds.
fn begin(name: &str, plan: &str) -> Child {
    // As long as a busy machine may take to start Python; an outage is added to it.
    let search = Pair::of_python(name).search(&["--out", plan, "--timeout", "3", "--cases", "0"]).spawn();
    search.expect("the command starts")
}

#[test]
fn what_no_packet_breaks_and_an_outage_does_is_found() {
    if !can(&[PYTHON]) {
        return;
    }
    let count = std::env::var("FAULTWIRE_LAB_PAIRS");
    let count = count.map_or(SEARCHED, |count| count.parse().expect("a number of pairs"));
    for pairs in PAIRS[..count.min(PAIRS.len())].chunks(SEARCHES) {
        let places: Vec<_> = pairs.iter().map(|_| scratch()).collect();
        let searches: Vec<Child> =
            pairs.iter().zip(&places).map(|((name, _), (.., plan))| begin(name, plan)).collect();
        for ((search, (name, how)), (_folder, path, plan)) in searches.into_iter().zip(pairs).zip(&places) {
            let output = search.wait_with_output().expect("it is ours");
            let (said, told) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(1), "{name}: {said}\n{told}");
            let begin = format!("the client {how} under this plan:\n  outage ");
            assert!(said.starts_with(&begin), "{name}: {said}");
            assert!(said.contains("\nfound by a plan of one outage in run "), "{name}: {said}");
            let written = FaultPlan::read(path).expect("a plan");
            let is_outage = |kind: &EventKind| matches!(kind, EventKind::Outage { .. });
            let [event] = written.events.as_slice() else { panic!("{name}: {written:?}") };
            assert!(written.faults.is_empty() && is_outage(&event.kind), "{name}: {written:?}");

            let replay = Pair::of_python(name).lab(&["--plan", plan]).output().expect("the command starts");
            let said = text(&replay.stdout);
            assert!(!replay.status.success() && said.contains("1 of 1 took place"), "{name}: {said}");
        }
    }
}
