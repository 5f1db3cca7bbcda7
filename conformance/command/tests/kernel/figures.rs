//! Linux's figures beside faultwire's, and bugs of our stack that the comparison must notice.

use std::path::Path;
use std::process::Command;
use std::thread;

use faultwire::lab::Profile;
use faultwire::stack::Mutant;
use faultwire_conformance::figures::{CompareError, Comparison, Line, Options, Verdict, compare, names};
use faultwire_conformance::progress::Silent;

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// `None`, and a line that says why, where the machine refuses.
fn measured(profile: Profile, mutant: Option<Mutant>, figures: &[&str]) -> Option<Comparison> {
    let figures: Vec<String> = figures.iter().map(|name| (*name).to_owned()).collect();
    let options = Options { profile, mutant, figures: &figures, program: Path::new(FAULTWIRE) };
    match compare(&options, &mut Silent) {
        Ok(comparison) => Some(comparison),
        Err(CompareError::Refused(refusal)) => {
            crate::require::skipped("lab", refusal);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_difference_from_the_kernel_is_allowed() {
    let both = thread::scope(|scope| {
        let both = Profile::ALL.map(|profile| scope.spawn(move || measured(profile, None, &[])));
        both.map(|comparison| comparison.join().expect("no panic"))
    });
    for comparison in both.into_iter().flatten() {
        let table = comparison.to_table(100);
        eprintln!("{table}");
        assert!(comparison.is_explained(), "{table}");
        let measured: Vec<_> = comparison.figures.iter().map(|line| line.id).collect();
        assert_eq!(measured, names().collect::<Vec<_>>());
        // Of a line that says allowed, the sentence is there, and the values differ.
        for line in comparison.figures.iter().filter(|line| line.verdict == Verdict::Allowed) {
            assert!(line.allowed.is_some() && line.linux != line.faultwire, "{line:?}");
        }
    }
}

/// Each bug, and the figure that shows it, where nothing allows what it does.
const BUGS: [(&str, &str); 8] = [
    ("never-backs-off", "data-growth"),
    ("never-fast-retransmits", "duplicates"),
    ("begins-large", "initial-window"),
    ("acknowledges-late", "ack-of-the-first"),
    ("acknowledges-seldom", "segments-per-ack"),
    ("never-probes", "probe-first-wait"),
    ("refuses-nobody", "closed-tcp-answer"),
    ("forgets-fin", "fin-first-wait"),
];

#[test]
fn a_bug_of_our_stack_is_a_difference_that_nothing_allows() {
    let lines: Vec<Option<Line>> = thread::scope(|scope| {
        let running: Vec<_> = BUGS
            .iter()
            .map(|(bug, figure)| {
                scope.spawn(move || {
                    let mutant: Mutant = bug.parse().expect("a mutant");
                    let comparison = measured(Profile::Fast, Some(mutant), &[figure])?;
                    assert!(!comparison.is_explained(), "{bug}: {}", comparison.to_table(100));
                    comparison.figures.into_iter().next()
                })
            })
            .collect();
        running.into_iter().map(|run| run.join().expect("no panic")).collect()
    });
    for ((bug, figure), line) in BUGS.iter().zip(lines) {
        let Some(line) = line else { return };
        let Line { id, linux, faultwire, verdict, why, .. } = &line;
        eprintln!("{bug}: {id}: linux {linux:?}, faultwire {faultwire:?}: {verdict:?} {why:?}");
        assert_eq!((line.id, line.rounds), (*figure, 3), "it is measured three times before it counts");
        // Linux was measured: our stack fails.
        assert!(line.linux.is_some(), "{bug}: {line:?}");
    }
}

#[test]
fn a_figure_that_there_is_not_is_wrong_usage() {
    let output = Command::new(FAULTWIRE).args(["compare", "data-grows"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: there is no figure `data-grows`; there are: syn-offers, "), "{said}");
}

#[test]
fn a_comparison_is_json_with_a_version() {
    let output = Command::new(FAULTWIRE)
        .args(["compare", "closed-udp-answer", "ttl", "--profile", "fast", "--format", "json"])
        .output()
        .expect("it starts");
    if output.status.code() == Some(3) {
        crate::require::skipped("lab", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((json["format"].as_u64(), json["profile"].as_str()), (Some(1), Some("fast")));
    let figures = json["figures"].as_array().expect("a list");
    assert_eq!(figures.len(), 2);
    assert_eq!(figures[1]["linux"], serde_json::json!({ "text": "port unreachable" }));
    assert_eq!(figures[1]["verdict"], "same");
}
