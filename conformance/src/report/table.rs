//! The report as a table that fits a terminal of 80 columns, and below it what failed, what was shown, and
//! what was not tried.

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
    /// Whether colours may be used.
    pub colour: bool,
}

/// The least columns of a claim.
const CLAIM_MIN: usize = 14;
/// Columns of a number.
const COUNT_WIDTH: u16 = 6;
/// The widest word of a cell.
const CELL_WIDTH: usize = 7;
/// Testbeds in so many characters stand in front of their claims.
const HEAD_MAX: usize = 36;

/// Columns that a testbed takes.
fn bed_width((testbed, subject): &(&str, &str)) -> usize {
    testbed.len().max(subject.len()).max(CELL_WIDTH)
}

/// Columns that testbeds and counts take, with what stands between them.
fn taken(beds: &[(&str, &str)]) -> usize {
    beds.iter().map(|bed| bed_width(bed) + 1).sum::<usize>() + 2 * usize::from(COUNT_WIDTH) + 1
}

/// The testbeds in as few tables as the width allows.
fn parts<'a>(
    beds: &'a [(&'static str, &'static str)],
    width: usize,
) -> Vec<&'a [(&'static str, &'static str)]> {
    let mut parts = Vec::new();
    let mut rest = beds;
    while !rest.is_empty() {
        let fits = |count: &usize| taken(&rest[..*count]) + CLAIM_MIN <= width;
        let count = (1..=rest.len()).rev().find(fits).unwrap_or(1);
        // The subjects of a lab stay together.
        let begins_lab = |count: &usize| (rest[*count].0 == "lab") && rest[*count - 1].0 != "lab";
        let count = if count < rest.len() && rest[count].0 == "lab" {
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
            if self.claims_of(family).next().is_some() {
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
    fn beds(&self) -> Vec<(&'static str, &'static str)> {
        let mut beds = Vec::new();
        for row in &self.results {
            if !beds.contains(&(row.testbed, row.subject)) {
                beds.push((row.testbed, row.subject));
            }
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
        beds: &[(&str, &str)],
        options: TableOptions,
    ) {
        let mut table = Table::new();
        table.load_style(NOTHING.header_separator(LineStyle::none().fill('─')));
        if options.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let mut header = vec![Cell::new(title).add_attribute(Attribute::Bold)];
        header.extend(beds.iter().map(|(testbed, subject)| Cell::new(format!("{testbed}\n{subject}"))));
        header.extend(["plans", "seen"].map(|it| Cell::new(it).set_alignment(CellAlignment::Right)));
        table.set_header(header);
        for claim in self.claims_of(family) {
            let is_here = |row: &&Row| beds.contains(&(row.testbed, row.subject));
            let rows: Vec<&Row> = self.rows_of(claim.id).filter(is_here).collect();
            let mut cells = vec![Cell::new(claim.slug()).set_delimiter('-')];
            for (testbed, subject) in beds {
                let row = rows.iter().find(|row| (row.testbed, row.subject) == (testbed, subject));
                cells.push(row.map_or_else(|| Cell::new(""), |row| cell(row)));
            }
            let plans = rows.iter().map(|row| row.exhaustive + row.random).sum();
            let seen = rows.iter().map(|row| row.exercised).sum();
            cells.extend([plans, seen].map(|it| Cell::new(count(it)).set_alignment(CellAlignment::Right)));
            table.add_row(cells);
        }
        // Every table of a report has the same columns.
        let beds_widths: Vec<usize> = beds.iter().map(bed_width).collect();
        let claims = options.width.saturating_sub(taken(beds)).clamp(CLAIM_MIN, 38);
        let fixed =
            |width: usize| ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX)));
        let mut constraints = vec![fixed(claims)];
        constraints.extend(beds_widths.iter().map(|width| fixed(width + 1)));
        constraints.extend([fixed(usize::from(COUNT_WIDTH) + 1), fixed(usize::from(COUNT_WIDTH))]);
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
                paragraph(out, &format!("  {word:CELL_WIDTH$}  "), text, width);
            }
        };
        tell(has(Outcome::Held), "held", "guaranteed, and nothing that was tried broke it");
        tell(has(Outcome::Witnessed), "shown", "possible, and a run shows it");
        tell(stands(Standing::ExpectedFailure), "xfail", "an expected failure: it fails as listed");
        tell(has(Outcome::Skipped), "-", "skipped, for the reason below");
        tell(failed(Outcome::Broken), "BROKEN", "guaranteed, but a run breaks it");
        tell(failed(Outcome::Unwitnessed), "UNSEEN", "possible, but no run shows it");
        tell(
            failed(Outcome::Unproven),
            "UNTRIED",
            "the situation never occurred, or planned faults did not fire",
        );
        tell(failed(Outcome::Stalled), "STALLED", "a run reached its limit");
        tell(
            has(Outcome::Error),
            "ERROR",
            "the suite cannot tell: its own fault, or that of a scenario's program",
        );
        tell(stands(Standing::UnexpectedPass), "XPASS", "listed as an expected failure, but does not fail");
        tell(true, "plans", "fault plans that were run, over the testbeds of the table");
        tell(true, "seen", "how often the situation occurred that the claim speaks of");
        if let Some(lab) = &self.lab {
            tell(true, "lab", &lab.words());
        }
        for deviation in &self.deviations {
            tell(true, deviation.subject, &deviation.words());
        }
    }

    /// The smallest plan for each possible claim that was shown.
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
        paragraph(out, "", "The smallest plans that show what is possible", width);
        let widest = smallest.values().map(|(row, _)| row.claim.len()).max().unwrap_or(0).min(36);
        for (row, _) in smallest.values() {
            let words = row.plan.as_ref().map_or_else(|| "no fault at all".to_owned(), plan);
            paragraph(out, &format!("  {:widest$}  ", row.claim), &words, width);
        }
    }

    fn skipped(&self, out: &mut String, width: usize) {
        let mut reasons: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in self.results.iter().filter(|row| row.outcome == Outcome::Skipped) {
            let why = row.why.as_deref().unwrap_or("no reason given");
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, rows)) => rows.push(row),
                None => reasons.push((why, vec![row])),
            }
        }
        if reasons.is_empty() {
            return;
        }
        let _ = writeln!(out, "\nSkipped ({})", self.summary.skipped);
        for (why, rows) in reasons {
            paragraph(out, "  ", why, width);
            let mut places: Vec<(Vec<&'static str>, String)> = Vec::new();
            for (testbed, subject) in self.beds() {
                let of = |row: &&&Row| (row.testbed, row.subject) == (testbed, subject);
                let claims: Vec<&'static str> = rows.iter().filter(of).map(|row| row.claim).collect();
                match places.iter_mut().find(|(others, _)| *others == claims) {
                    _ if claims.is_empty() => {}
                    Some((_, beds)) => *beds += &format!(", {testbed}/{subject}"),
                    None => places.push((claims, format!("{testbed}/{subject}"))),
                }
            }
            for (claims, beds) in places {
                let claims = self.summed_up(&claims).join(", ");
                // Many testbeds have a line of their own.
                if beds.len() > HEAD_MAX {
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

    fn expected_failures(&self, out: &mut String, width: usize) {
        let rows = || self.results.iter().filter(|row| row.standing() == Standing::ExpectedFailure);
        if rows().next().is_none() {
            return;
        }
        let _ = writeln!(out, "\nExpected failures ({})", self.summary.expected_failures);
        for row in rows() {
            let words =
                format!("{} on {}: {}", row.claim, bed(row), row.expected_failure.unwrap_or_default());
            paragraph(out, "  ", &words, width);
        }
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

    /// How many rows stand how.
    fn tally(&self) -> String {
        format!(
            "{} held, {} shown, {} expected failures, {} skipped",
            count_of(self, Outcome::Held),
            count_of(self, Outcome::Witnessed),
            self.summary.expected_failures,
            self.summary.skipped,
        )
    }

    /// How all of it stands, in a sentence.
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

    /// The verdict and how many rows stand how, in one line: for where the table is not seen.
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
        Outcome::Unwitnessed => "is UNSEEN",
        Outcome::Unproven => "is UNTRIED",
        Outcome::Stalled => "STALLED",
        Outcome::Skipped => "is listed as an expected failure, but was SKIPPED",
        Outcome::Held | Outcome::Witnessed | Outcome::Error => "not as claimed",
    }
}

fn cell(row: &Row) -> Cell {
    let (word, colour) = match (row.standing(), row.outcome) {
        (Standing::ExpectedFailure, _) => ("xfail", Color::Yellow),
        (Standing::UnexpectedPass, _) => ("XPASS", Color::Red),
        (_, Outcome::Held) => ("held", Color::Green),
        (_, Outcome::Witnessed) => ("shown", Color::Cyan),
        (Standing::Failed, Outcome::Skipped) => ("SKIPPED", Color::Red),
        (_, Outcome::Skipped) => ("-", Color::DarkGrey),
        (_, Outcome::Broken) => ("BROKEN", Color::Red),
        (_, Outcome::Unwitnessed) => ("UNSEEN", Color::Red),
        (_, Outcome::Unproven) => ("UNTRIED", Color::Red),
        (_, Outcome::Stalled) => ("STALLED", Color::Red),
        (_, Outcome::Error) => ("ERROR", Color::Red),
    };
    Cell::new(word).fg(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_sim::testbed;

    #[test]
    fn testbeds_that_do_not_fit_beside_the_others_get_a_table_of_their_own() {
        let beds: Vec<_> =
            testbed::ALL.iter().map(|testbed| (testbed.name(), testbed.subject().name)).collect();
        let sizes = |width| parts(&beds, width).iter().map(|part| part.len()).collect::<Vec<_>>();
        // The subjects of the lab stay together.
        assert_eq!(sizes(80), [5, 3]);
        assert_eq!(sizes(90), [5, 3]);
        assert_eq!(sizes(100), [8]);
        assert_eq!(sizes(1), [1; 8]);
    }
}
