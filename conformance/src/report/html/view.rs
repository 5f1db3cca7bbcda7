//! What the page shows, in the words and signs that it shows it in.

use std::fmt::Write as _;

use super::super::words::count;
use super::figure::Figure;
use crate::claim::{CLAIMS, Claim, FAMILIES};
use crate::report::{Outcome, Report, Row, Standing};

/// A testbed with a subject: a column of the matrix.
pub(super) struct Bed {
    pub(super) name: &'static str,
    pub(super) subject: &'static str,
}

impl Bed {
    /// Which no two share: `turmoil/faultwire`.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.name, self.subject)
    }
}

/// An outcome as it is shown: never by its color alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// For style and filters: `held`.
    pub(super) key: &'static str,
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
    pub(super) means: &'static str,
}

const KINDS: [Kind; 12] = [
    kind("held", "✓", "held", "guaranteed, and no run broke it"),
    kind("witnessed", "◆", "witnessed", "possible, and a run shows it"),
    kind("xfail", "≈", "xfail", "an expected failure: it fails as listed"),
    kind("skipped", "–", "skipped", "not tried there, for the reason given"),
    kind("broken", "✗", "broken", "guaranteed, but a run breaks it"),
    kind("unwitnessed", "◇", "unwitnessed", "possible, but no run shows it"),
    kind("unproven", "○", "unproven", "the situation never occurred, or planned faults did not fire"),
    kind("stalled", "∞", "stalled", "a run reached its limit"),
    kind("failed", "✗", "failed", "a program failed: a call gave an error that it should not"),
    kind("fine", "!", "xpass", "listed as an expected failure, but does not fail"),
    kind("missed", "!", "not tried", "listed as an expected failure, but was not tried"),
    kind("error", "?", "error", "not settled: a bug in the suite or in a scenario’s program"),
];

const fn kind(key: &'static str, sign: &'static str, word: &'static str, means: &'static str) -> Kind {
    Kind { key, sign, word, means }
}

impl Kind {
    /// Whether it is not as claimed.
    pub(super) fn fails(&self) -> bool {
        !["held", "witnessed", "xfail", "skipped"].contains(&self.key)
    }

    fn of(row: &Row) -> Kind {
        let key = match (row.standing(), row.outcome) {
            (Standing::ExpectedFailure, _) => "xfail",
            (Standing::UnexpectedPass, _) => "fine",
            (_, Outcome::Held) => "held",
            (_, Outcome::Witnessed) => "witnessed",
            (Standing::Failed, Outcome::Skipped) => "missed",
            (_, Outcome::Skipped) => "skipped",
            (_, Outcome::Broken) => "broken",
            (_, Outcome::Unwitnessed) => "unwitnessed",
            (_, Outcome::Unproven) => "unproven",
            (_, Outcome::Stalled) => "stalled",
            (_, Outcome::Failed) => "failed",
            (_, Outcome::Error) => "error",
        };
        KINDS.into_iter().find(|kind| kind.key == key).unwrap_or(KINDS[KINDS.len() - 1])
    }
}

/// A number at the head of the page.
pub(super) struct Stat {
    pub(super) kind: Kind,
    pub(super) rows: usize,
}

/// A family of claims.
pub(super) struct Group<'a> {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) claims: Vec<Entry<'a>>,
}

/// A claim.
pub(super) struct Entry<'a> {
    pub(super) claim: &'static Claim,
    /// Its id without what an anchor cannot hold.
    pub(super) anchor: String,
    pub(super) cells: Vec<Option<Cell<'a>>>,
    pub(super) worst: Kind,
    pub(super) plans: String,
    pub(super) exercised: String,
    pub(super) figures: Vec<Figure>,
    /// What the text filter looks through.
    pub(super) words: String,
}

/// A claim on a testbed.
pub(super) struct Cell<'a> {
    pub(super) bed: String,
    pub(super) subject: &'static str,
    pub(super) testbed: &'static str,
    pub(super) kind: Kind,
    pub(super) why: Option<&'a str>,
    pub(super) expected_failure: Option<&'static str>,
    pub(super) grid: String,
    pub(super) random: String,
    pub(super) exercised: String,
    pub(super) fired: String,
}

/// Rows of a claim that are not as claimed, all in the same way.
pub(super) struct Failure<'a> {
    pub(super) claim: &'static str,
    pub(super) anchor: String,
    pub(super) kind: Kind,
    pub(super) places: String,
    pub(super) why: Option<&'a str>,
}

pub(super) fn beds(report: &Report) -> Vec<Bed> {
    let mut beds: Vec<Bed> = Vec::new();
    for row in &report.results {
        if !beds.iter().any(|bed| (bed.name, bed.subject) == (row.testbed, row.subject)) {
            beds.push(Bed { name: row.testbed, subject: row.subject });
        }
    }
    beds
}

/// The outcomes that occur, in the order of the legend.
pub(super) fn kinds(report: &Report) -> Vec<Kind> {
    KINDS.into_iter().filter(|kind| report.results.iter().any(|row| Kind::of(row) == *kind)).collect()
}

pub(super) fn stats(report: &Report) -> Vec<Stat> {
    let rows = |kind: Kind| report.results.iter().filter(|row| Kind::of(row) == kind).count();
    kinds(report).into_iter().map(|kind| Stat { kind, rows: rows(kind) }).collect()
}

/// What is not as claimed, in the order of the rows.
pub(super) fn failures(report: &Report) -> Vec<Failure<'_>> {
    let mut failures: Vec<Failure<'_>> = Vec::new();
    for row in &report.results {
        let kind = Kind::of(row);
        if !kind.fails() {
            continue;
        }
        let place = Bed { name: row.testbed, subject: row.subject }.id();
        match failures.iter_mut().find(|other| other.claim == row.claim && other.kind == kind) {
            Some(other) => {
                other.places.push_str(", ");
                other.places.push_str(&place);
            }
            None => failures.push(Failure {
                claim: row.claim,
                anchor: anchor(row.claim),
                kind,
                places: place,
                why: row.why.as_deref(),
            }),
        }
    }
    failures
}

/// A claim's id without what an anchor cannot hold.
fn anchor(claim: &str) -> String {
    claim.replace('/', "-")
}

/// How all of it stands, and that in words.
pub(super) fn verdict(report: &Report) -> (&'static str, String) {
    let count =
        |wanted: &[Standing]| report.results.iter().filter(|row| wanted.contains(&row.standing())).count();
    let failed = count(&[Standing::Failed, Standing::UnexpectedPass]);
    let errors = count(&[Standing::Error]);
    let missing = interrupted(report);
    match (failed, errors) {
        (0, 0) if report.interrupted => {
            ("nothing", format!("Interrupted: what was done by then is as claimed; {missing} missing."))
        }
        (0, 0) if !report.untried.is_empty() => {
            ("nothing", format!("Not tried: {}.", report.untried.join(", ")))
        }
        (0, 0) if count(&[Standing::AsClaimed]) == 0 => ("nothing", "Nothing was tried.".to_owned()),
        (0, 0) => ("fine", "All as claimed.".to_owned()),
        (failed, errors) => {
            let mut words = format!("{failed} not as claimed");
            if errors > 0 {
                let _ = write!(words, ", {errors} could not be settled");
            }
            if report.interrupted {
                let _ = write!(words, "; interrupted: {missing} missing");
            }
            ("failed", words + ".")
        }
    }
}

/// How many results there would be more of, had the work not been ended early.
fn interrupted(report: &Report) -> String {
    let cut = |row: &&Row| row.why.as_deref().is_some_and(|why| why.starts_with("interrupted: "));
    match report.results.iter().filter(cut).count() {
        1 => "1 result is".to_owned(),
        cut => format!("{cut} results are"),
    }
}

pub(super) fn groups<'a>(report: &'a Report, beds: &[Bed], figures: Vec<Figure>) -> Vec<Group<'a>> {
    let mut figures = figures;
    let mut entry = |claim: &'static Claim| {
        let rows: Vec<&Row> = report.results.iter().filter(|row| row.claim == claim.id).collect();
        if rows.is_empty() {
            return None;
        }
        let cells: Vec<Option<Cell<'a>>> = beds
            .iter()
            .map(|bed| {
                let of = |row: &&&Row| (row.testbed, row.subject) == (bed.name, bed.subject);
                rows.iter().find(of).map(|row| cell(row, bed))
            })
            .collect();
        let present: Vec<Kind> = cells.iter().flatten().map(|cell| cell.kind).collect();
        // Failures first, then what was settled, then what was not tried.
        let order = [
            "error",
            "broken",
            "unwitnessed",
            "unproven",
            "failed",
            "stalled",
            "fine",
            "missed",
            "held",
            "witnessed",
            "xfail",
        ];
        let worst = order.iter().find_map(|key| present.iter().copied().find(|kind| kind.key == *key));
        let (own, others) =
            std::mem::take(&mut figures).into_iter().partition(|figure| figure.claim == claim.id);
        figures = others;
        Some(Entry {
            claim,
            anchor: anchor(claim.id),
            worst: worst.unwrap_or(KINDS[3]),
            plans: count(rows.iter().map(|row| row.exhaustive + row.random).sum()),
            exercised: count(rows.iter().map(|row| row.exercised).sum()),
            figures: own,
            words: format!("{} {} {} {} {}", claim.id, claim.text, claim.why, claim.conditions, claim.source)
                .to_lowercase(),
            cells,
        })
    };
    let of_family = |(family, title): (&'static str, &'static str)| Group {
        id: family,
        title,
        claims: CLAIMS.iter().filter(|claim| claim.family() == family).filter_map(&mut entry).collect(),
    };
    FAMILIES.into_iter().map(of_family).filter(|group| !group.claims.is_empty()).collect()
}

fn cell<'a>(row: &'a Row, bed: &Bed) -> Cell<'a> {
    Cell {
        bed: bed.id(),
        subject: bed.subject,
        testbed: bed.name,
        kind: Kind::of(row),
        why: row.why.as_deref(),
        expected_failure: row.expected_failure,
        grid: count(row.exhaustive),
        random: count(row.random),
        exercised: count(row.exercised),
        fired: format!("{} of {}", count(row.faults_fired), count(row.faults_planned)),
    }
}
