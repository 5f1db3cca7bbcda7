//! The report as a table that fits a terminal of 80 columns. Below it: the witnesses, the skipped claims and
//! the failures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, LineStyle, Table, Width};

use super::words::{count, grouped, paragraph, plan};
use super::{Outcome, Report, Row, Standing};
use crate::claim::{CLAIMS, Claim, FAMILIES};

/// How the table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// The widest line, in columns.
    pub width: usize,
    /// Whether colors may be used.
    pub color: bool,
}

/// The fewest columns for claims before a testbed moves to another table.
const CLAIM_MIN: usize = 14;
/// The header of how often a claim's situation occurred.
const EXERCISED: &str = "exercised";
/// Columns that the counts take, with the blanks before them: `plans` has numbers of up to six columns.
const COUNTS: [usize; 2] = [7, EXERCISED.len()];
/// The longest word of the legend.
const WORD_WIDTH: usize = "UNWITNESSED".len();
/// The longest list of testbeds on a line with their claims.
const HEAD_MAX: usize = 36;

/// A column of outcomes.
#[derive(Clone, Copy)]
struct Bed {
    testbed: &'static str,
    subject: &'static str,
    /// Of its widest text.
    width: usize,
}

impl Bed {
    fn is_of(&self, row: &Row) -> bool {
        (row.testbed, row.subject) == (self.testbed, self.subject)
    }
}

/// Kinds of failure of a claim, beside the first, that are told.
const FURTHER_MAX: usize = 3;

/// The header of a testbed's column; a pair of subjects takes two lines.
fn head(testbed: &str, subject: &str) -> String {
    format!("{testbed}\n{}", subject.replacen('-', "-\n", 1))
}

/// Columns that testbeds and counts take, with the blanks between them.
fn taken(beds: &[Bed]) -> usize {
    beds.iter().map(|bed| bed.width + 1).sum::<usize>() + COUNTS.iter().sum::<usize>()
}

/// The testbeds in as few tables as the width allows.
fn parts(beds: &[Bed], width: usize) -> Vec<&[Bed]> {
    let mut parts = Vec::new();
    let mut rest = beds;
    while !rest.is_empty() {
        let fits = |count: &usize| taken(&rest[..*count]) + CLAIM_MIN <= width;
        let count = (1..=rest.len()).rev().find(fits).unwrap_or(1);
        // The subjects of a lab stay together.
        let is_lab = |index: usize| rest[index].testbed == "lab";
        let begins_lab = |count: &usize| is_lab(*count) && !is_lab(*count - 1);
        let count = if count < rest.len() && is_lab(count) {
            (1..=count).rev().find(begins_lab).unwrap_or(count)
        } else {
            count
        };
        let (part, other) = rest.split_at(count);
        parts.push(part);
        rest = other;
    }
    parts
}

impl Report {
    /// The report for people.
    pub fn to_table(&self, options: TableOptions) -> String {
        let mut out = String::new();
        let beds = self.beds();
        for (family, title) in FAMILIES {
            let rows: Vec<&Row> = self.claims_of(family).flat_map(|claim| self.rows_of(claim.id)).collect();
            if !rows.is_empty() && rows.iter().all(|row| row.outcome == Outcome::Skipped) {
                let _ = writeln!(out, "{title}: every claim is skipped, for the reason below\n");
            } else if !rows.is_empty() {
                for beds in parts(&beds, options.width) {
                    self.family(&mut out, family, title, beds, options);
                    out.push('\n');
                }
            }
        }
        self.legend(&mut out, options.width);
        self.witnesses(&mut out, options.width);
        self.skipped(&mut out, options.width);
        self.expected_failures(&mut out, options.width);
        self.failures(&mut out, options.width);
        self.conclusion(&mut out, options.width);
        out
    }

    /// The testbeds with their subjects, in the order in which they first appear.
    fn beds(&self) -> Vec<Bed> {
        let mut beds: Vec<Bed> = Vec::new();
        for row in &self.results {
            let cell = word(row).0.len();
            if let Some(bed) = beds.iter_mut().find(|bed| bed.is_of(row)) {
                bed.width = bed.width.max(cell);
                continue;
            }
            let head = head(row.testbed, row.subject);
            let width = head.lines().map(str::len).max().unwrap_or(0).max(cell);
            beds.push(Bed { testbed: row.testbed, subject: row.subject, width });
        }
        beds
    }

    fn claims_of(&self, family: &'static str) -> impl Iterator<Item = &'static Claim> {
        CLAIMS
            .iter()
            .filter(move |claim| claim.family() == family)
            .filter(|claim| self.rows_of(claim.id).next().is_some())
    }

    fn rows_of(&self, claim: &str) -> impl Iterator<Item = &Row> {
        self.results.iter().filter(move |row| row.claim == claim)
    }

    fn family(
        &self,
        out: &mut String,
        family: &'static str,
        title: &str,
        beds: &[Bed],
        options: TableOptions,
    ) {
        let mut table = Table::new();
        table.load_style(NOTHING.header_separator(LineStyle::none().fill('─')));
        if options.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let mut header = vec![Cell::new(title).add_attribute(Attribute::Bold)];
        header.extend(beds.iter().map(|bed| Cell::new(head(bed.testbed, bed.subject))));
        header.extend(["plans", EXERCISED].map(|it| Cell::new(it).set_alignment(CellAlignment::Right)));
        table.set_header(header);
        for claim in self.claims_of(family) {
            let is_here = |row: &&Row| beds.iter().any(|bed| bed.is_of(row));
            let rows: Vec<&Row> = self.rows_of(claim.id).filter(is_here).collect();
            let mut cells = vec![Cell::new(claim.slug()).set_delimiter('-')];
            for bed in beds {
                let row = rows.iter().find(|row| bed.is_of(row));
                cells.push(row.map_or_else(|| Cell::new(""), |row| cell(row)));
            }
            let plans = rows.iter().map(|row| row.exhaustive + row.random).sum();
            let exercised = rows.iter().map(|row| row.exercised).sum();
            cells.extend(
                [plans, exercised].map(|it| Cell::new(count(it)).set_alignment(CellAlignment::Right)),
            );
            table.add_row(cells);
        }
        // Every table of a report has the same columns.
        let claims = options.width.saturating_sub(taken(beds)).clamp(CLAIM_MIN - 3, 38);
        let fixed =
            |width: usize| ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX)));
        let mut constraints = vec![fixed(claims)];
        constraints.extend(beds.iter().map(|bed| fixed(bed.width + 1)));
        constraints.extend(COUNTS.map(fixed));
        table.set_constraints(constraints);
        let last = beds.len() + 2;
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, u16::from(index < last)));
        }
        for line in table.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    fn legend(&self, out: &mut String, width: usize) {
        let has = |outcome: Outcome| self.results.iter().any(|row| row.outcome == outcome);
        let stands = |standing: Standing| self.results.iter().any(|row| row.standing() == standing);
        let failed = |outcome: Outcome| {
            self.results.iter().any(|row| row.outcome == outcome && row.standing() == Standing::Failed)
        };
        let mut tell = |given: bool, word: &str, text: &str| {
            if given {
                paragraph(out, &format!("  {word:WORD_WIDTH$}  "), text, width);
            }
        };
        tell(has(Outcome::Held), "held", "guaranteed, and no run broke it");
        tell(has(Outcome::Witnessed), "witnessed", "possible, and a run shows it");
        tell(stands(Standing::ExpectedFailure), "xfail", "an expected failure: it fails as listed");
        tell(has(Outcome::Skipped), "-", "skipped, for the reason below");
        tell(failed(Outcome::Broken), "BROKEN", "guaranteed, but a run breaks it");
        tell(failed(Outcome::Unwitnessed), "UNWITNESSED", "possible, but no run shows it");
        tell(
            failed(Outcome::Unproven),
            "UNPROVEN",
            "the situation never occurred, or planned faults did not fire",
        );
        tell(failed(Outcome::Stalled), "STALLED", "a run reached its limit");
        tell(
            failed(Outcome::Failed),
            "FAILED",
            "a program failed, by an error that it should not get, or its stack did",
        );
        tell(has(Outcome::Error), "ERROR", "not settled: a bug in the suite or in a scenario's program");
        tell(stands(Standing::UnexpectedPass), "XPASS", "listed as an expected failure, but does not fail");
        tell(true, "plans", "fault plans run, over the testbeds of the table");
        tell(true, EXERCISED, "how often the situation that the claim describes occurred");
        if let Some(lab) = &self.lab {
            tell(true, "lab", &lab.words());
        }
        for deviation in &self.deviations {
            tell(true, deviation.subject, &deviation.words());
        }
    }

    /// The smallest plan for each possible claim that was witnessed.
    fn witnesses(&self, out: &mut String, width: usize) {
        let mut smallest: BTreeMap<usize, (&Row, usize)> = BTreeMap::new();
        for row in self.results.iter().filter(|row| row.outcome == Outcome::Witnessed) {
            let place = CLAIMS.iter().position(|claim| claim.id == row.claim).unwrap_or(usize::MAX);
            let size = row.plan.as_ref().map_or(0, |plan| plan.faults.len() + plan.events.len());
            let best = smallest.entry(place).or_insert((row, size));
            if size < best.1 {
                *best = (row, size);
            }
        }
        if smallest.is_empty() {
            return;
        }
        out.push('\n');
        paragraph(out, "", "The smallest plans that witness what is possible", width);
        let widest = smallest.values().map(|(row, _)| row.claim.len()).max().unwrap_or(0).min(36);
        for (row, _) in smallest.values() {
            let words = row.plan.as_ref().map_or_else(|| "no fault at all".to_owned(), plan);
            paragraph(out, &format!("  {:widest$}  ", row.claim), &words, width);
        }
    }

    fn skipped(&self, out: &mut String, width: usize) {
        if self.summary.skipped > 0 {
            let _ = writeln!(out, "\nSkipped ({})", self.summary.skipped);
            let rows = self.results.iter().filter(|row| row.outcome == Outcome::Skipped);
            let reasons = rows.map(|row| (row.why.as_deref().unwrap_or("no reason given"), row));
            self.by_reason(out, reasons, width);
        }
    }

    fn expected_failures(&self, out: &mut String, width: usize) {
        if self.summary.expected_failures > 0 {
            let _ = writeln!(out, "\nExpected failures ({})", self.summary.expected_failures);
            let rows = self.results.iter().filter(|row| row.standing() == Standing::ExpectedFailure);
            self.by_reason(out, rows.map(|row| (row.expected_failure.unwrap_or_default(), row)), width);
        }
    }

    /// Each reason once, with the testbeds and the claims that it is for.
    fn by_reason<'a>(&self, out: &mut String, rows: impl Iterator<Item = (&'a str, &'a Row)>, width: usize) {
        let mut reasons: Vec<(&str, Vec<&Row>)> = Vec::new();
        for (why, row) in rows {
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, rows)) => rows.push(row),
                None => reasons.push((why, vec![row])),
            }
        }
        for (why, rows) in reasons {
            paragraph(out, "  ", why, width);
            let mut places: Vec<(Vec<&'static str>, String)> = Vec::new();
            for bed in self.beds() {
                let of = |row: &&&Row| bed.is_of(row);
                let claims: Vec<&'static str> = rows.iter().filter(of).map(|row| row.claim).collect();
                let name = format!("{}/{}", bed.testbed, bed.subject);
                match places.iter_mut().find(|(others, _)| *others == claims) {
                    _ if claims.is_empty() => {}
                    Some((_, beds)) => *beds += &format!(", {name}"),
                    None => places.push((claims, name)),
                }
            }
            for (claims, beds) in places {
                let claims = self.summed_up(&claims);
                let widest = claims.iter().map(String::len).max().unwrap_or(0);
                let claims = claims.join(", ");
                // A long list of testbeds has a line of its own.
                if beds.len() > HEAD_MAX || beds.len() + widest + 7 > width {
                    paragraph(out, "    ", &format!("{beds}:"), width);
                    paragraph(out, "      ", &claims, width);
                } else {
                    paragraph(out, &format!("    {beds}: "), &claims, width);
                }
            }
        }
    }

    /// Claims by their ids; a family that is there as a whole by its name.
    fn summed_up(&self, ids: &[&'static str]) -> Vec<String> {
        let mut words = Vec::new();
        for (family, _) in FAMILIES {
            let all: Vec<&str> = self.claims_of(family).map(|claim| claim.id).collect();
            let these: Vec<&str> = all.iter().copied().filter(|id| ids.contains(id)).collect();
            if these.len() > 1 && these.len() == all.len() {
                words.push(format!("all of {family}/"));
            } else {
                words.extend(these.into_iter().map(str::to_owned));
            }
        }
        words
    }

    fn failures(&self, out: &mut String, width: usize) {
        for row in &self.results {
            let what = match row.standing() {
                Standing::Failed => failed_as(row.outcome).to_owned(),
                Standing::UnexpectedPass => "is listed as an expected failure, but does not fail".to_owned(),
                Standing::Error => "could not be settled".to_owned(),
                Standing::AsClaimed | Standing::ExpectedFailure | Standing::Skipped => continue,
            };
            out.push('\n');
            paragraph(out, "", &format!("{} {what} on {}", row.claim, bed(row)), width);
            if let Some(claim) = Claim::of(row.claim) {
                paragraph(out, "  claim   ", claim.text, width);
            }
            if let Some(reason) = row.expected_failure {
                paragraph(out, "  listed  ", reason, width);
            }
            if let Some(why) = &row.why {
                paragraph(out, "  why     ", why, width);
            }
            if let Some(smallest) = &row.plan {
                paragraph(out, "  plan    ", &plan(smallest), width);
            }
            if let Some(replay) = &row.replay {
                let _ = writeln!(out, "  replay  {replay}");
            }
            for failure in row.failures.iter().skip(1).take(FURTHER_MAX) {
                paragraph(out, "  also    ", &failure.how, width);
                if let Some(smallest) = &failure.plan {
                    paragraph(out, "  plan    ", &plan(smallest), width);
                }
            }
            if row.failures.len() > 1 + FURTHER_MAX {
                let more = row.failures.len() - 1 - FURTHER_MAX;
                let words = format!("{more} more kinds of failure, each with its plan: see --format json");
                paragraph(out, "  also    ", &words, width);
            }
        }
    }

    fn conclusion(&self, out: &mut String, width: usize) {
        let words = format!(
            "{}; {} runs, {} of {} planned faults fired; seed {}; {:.1} s. {}",
            self.tally(),
            grouped(self.tried.runs()),
            grouped(self.tried.faults_fired),
            grouped(self.tried.faults_planned),
            self.seed,
            self.elapsed.as_secs_f64(),
            self.verdict(),
        );
        out.push('\n');
        paragraph(out, "", &words, width);
    }

    /// How many rows have each outcome.
    fn tally(&self) -> String {
        let expected = self.summary.expected_failures;
        format!(
            "{} held, {} witnessed, {expected} expected {}, {} skipped",
            count_of(self, Outcome::Held),
            count_of(self, Outcome::Witnessed),
            if expected == 1 { "failure" } else { "failures" },
            self.summary.skipped,
        )
    }

    /// The verdict in a sentence.
    fn verdict(&self) -> String {
        let count = |wanted: &[Standing]| {
            let rows = self.results.iter().filter(|row| wanted.contains(&row.standing()));
            rows.count()
        };
        let failed = count(&[Standing::Failed, Standing::UnexpectedPass]);
        let errors = count(&[Standing::Error]);
        match (failed, errors) {
            (0, 0) if self.interrupted => "INTERRUPTED; what was done by then is as claimed.".to_owned(),
            (0, 0) if !self.untried.is_empty() => format!("NOT TRIED: {}.", self.untried.join(", ")),
            (0, 0) if count(&[Standing::AsClaimed]) == 0 => "Nothing was tried.".to_owned(),
            (0, 0) => "All as claimed.".to_owned(),
            (failed, errors) => {
                let mut words = format!("{failed} FAILED");
                if errors > 0 {
                    let _ = write!(words, ", {errors} could not be settled");
                }
                words.push_str(if self.interrupted { "; INTERRUPTED." } else { "." });
                words
            }
        }
    }

    /// The verdict and the tally in one line, for where the table is not shown.
    pub fn to_line(&self) -> String {
        format!("{} {}.", self.verdict(), self.tally())
    }
}

fn count_of(report: &Report, outcome: Outcome) -> usize {
    let fine = |row: &&Row| row.outcome == outcome && row.standing() == Standing::AsClaimed;
    report.results.iter().filter(fine).count()
}

fn bed(row: &Row) -> String {
    format!("{}/{}", row.testbed, row.subject)
}

fn failed_as(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Broken => "is BROKEN",
        Outcome::Unwitnessed => "is UNWITNESSED",
        Outcome::Unproven => "is UNPROVEN",
        Outcome::Stalled => "STALLED",
        Outcome::Failed => "FAILED",
        Outcome::Skipped => "is listed as an expected failure, but was SKIPPED",
        Outcome::Held | Outcome::Witnessed | Outcome::Error => "not as claimed",
    }
}

fn cell(row: &Row) -> Cell {
    let (word, color) = word(row);
    Cell::new(word).fg(color)
}

fn word(row: &Row) -> (&'static str, Color) {
    match (row.standing(), row.outcome) {
        (Standing::ExpectedFailure, _) => ("xfail", Color::Yellow),
        (Standing::UnexpectedPass, _) => ("XPASS", Color::Red),
        (_, Outcome::Held) => ("held", Color::Green),
        (_, Outcome::Witnessed) => ("witnessed", Color::Cyan),
        (Standing::Failed, Outcome::Skipped) => ("SKIPPED", Color::Red),
        (_, Outcome::Skipped) => ("-", Color::DarkGrey),
        (_, Outcome::Broken) => ("BROKEN", Color::Red),
        (_, Outcome::Unwitnessed) => ("UNWITNESSED", Color::Red),
        (_, Outcome::Unproven) => ("UNPROVEN", Color::Red),
        (_, Outcome::Stalled) => ("STALLED", Color::Red),
        (_, Outcome::Failed) => ("FAILED", Color::Red),
        (_, Outcome::Error) => ("ERROR", Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Tried;
    use super::*;
    use faultwire_sim::testbed;

    #[test]
    fn testbeds_that_do_not_fit_beside_the_others_get_a_table_of_their_own() {
        let row = |testbed| Row::new(&CLAIMS[0], testbed, Outcome::Witnessed);
        let rows = testbed::ALL.into_iter().map(row).collect();
        let beds = Report::new(0, rows, Tried::default(), Duration::ZERO).beds();
        let sizes = |width| parts(&beds, width).iter().map(|part| part.len()).collect::<Vec<_>>();
        // The subjects of the lab stay together.
        assert_eq!(sizes(80), [5, 3]);
        assert_eq!(sizes(110), [5, 3]);
        assert_eq!(sizes(120), [8]);
        assert_eq!(sizes(1), [1; 8]);
    }
}
