//! The report as JUnit XML, for what shows the results of tests: CI systems above all.
//!
//! A suite for each family of claims and testbed, a case for each of its rows. A claim that failed is a
//! failure, with its smallest plan and the line that replays it; an expected failure that fails as listed is
//! a skipped case that says so, since JUnit has no other word for it; what could not be tried is skipped with
//! its reason. There is no date in it: the same rows give the same text, times aside.

use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{Outcome, Report, Row, Standing, words};
use crate::claim::{Claim, FAMILIES};

impl Report {
    /// The report as JUnit XML, with a line feed at its end.
    ///
    /// # Errors
    /// Where the XML cannot be written; no value of these types is known to be such.
    pub fn to_junit(&self) -> Result<String, SerializeError> {
        let mut report = quick_junit::Report::new("faultwire");
        report.set_time(self.elapsed);
        for (family, _) in FAMILIES {
            for (testbed, subject) in self.testbeds() {
                let mine = |row: &&Row| {
                    (row.testbed, row.subject) == (testbed, subject)
                        && Claim::of(row.claim).is_some_and(|claim| claim.family() == family)
                };
                let rows: Vec<&Row> = self.results.iter().filter(mine).collect();
                if !rows.is_empty() {
                    report.add_test_suite(suite(family, testbed, subject, &rows, self.seed));
                }
            }
        }
        report.to_string()
    }

    /// The testbeds with their subjects, in the order of the rows.
    fn testbeds(&self) -> Vec<(&'static str, &'static str)> {
        let mut testbeds = Vec::new();
        for row in &self.results {
            if !testbeds.contains(&(row.testbed, row.subject)) {
                testbeds.push((row.testbed, row.subject));
            }
        }
        testbeds
    }
}

fn suite(family: &str, testbed: &str, subject: &str, rows: &[&Row], seed: u64) -> TestSuite {
    let name = format!("{family}.{testbed}.{subject}");
    let mut suite = TestSuite::new(&name);
    suite.set_time(Duration::from_millis(rows.iter().map(|row| row.elapsed_ms).sum()));
    suite.add_properties([
        Property::new("testbed", testbed),
        Property::new("subject", subject),
        Property::new("seed", seed.to_string()),
    ]);
    for row in rows {
        let slug = Claim::of(row.claim).map_or(row.claim, Claim::slug);
        let mut case = TestCase::new(slug, status(row));
        case.set_classname(&name);
        case.set_time(Duration::from_millis(row.elapsed_ms));
        if row.outcome != Outcome::Skipped {
            case.set_system_out(tried(row));
        }
        suite.add_test_case(case);
    }
    suite
}

fn status(row: &Row) -> TestCaseStatus {
    let outcome = outcome(row.outcome);
    let why = row.why.as_deref().unwrap_or(outcome);
    match row.standing() {
        Standing::AsClaimed => TestCaseStatus::success(),
        Standing::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why);
            status
        }
        Standing::ExpectedFailure => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("expected failure").set_description(about(row));
            status.set_message(format!("{outcome}, as expected: {}", row.expected_failure.unwrap_or(why)));
            status
        }
        Standing::Failed => failure(NonSuccessKind::Failure, outcome, why, row),
        Standing::UnexpectedPass => {
            let why = format!(
                "{outcome}, though it is listed as an expected failure: {}",
                row.expected_failure.unwrap_or_default()
            );
            failure(NonSuccessKind::Failure, "expected failure that does not fail", &why, row)
        }
        Standing::Error => failure(NonSuccessKind::Error, outcome, why, row),
    }
}

fn failure(kind: NonSuccessKind, ty: &str, why: &str, row: &Row) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(why).set_description(about(row));
    status
}

/// The claim, what was seen, the smallest plan, and how to see it again.
fn about(row: &Row) -> String {
    let mut text = String::from("\n");
    let mut line = |name: &str, what: &str| {
        let _ = writeln!(text, "{name:8} {what}");
    };
    line("claim", Claim::of(row.claim).map_or(row.claim, |claim| claim.text));
    if let Some(why) = &row.why {
        line("why", why);
    }
    if let Some(plan) = &row.plan {
        line("plan", &words::plan(plan));
    }
    if let Some(replay) = &row.replay {
        line("replay", replay);
    }
    text
}

/// How hard it was tried.
fn tried(row: &Row) -> String {
    let mut text = format!(
        "{}: {} plans of the grid, {} random ones; {} of {} planned faults and events took place; \
         its situation occurred {} times",
        outcome(row.outcome),
        row.exhaustive,
        row.random,
        row.faults_fired,
        row.faults_planned,
        row.exercised,
    );
    if let (Outcome::Witnessed, Some(plan)) = (row.outcome, &row.plan) {
        let _ = write!(text, "; shown by: {}", words::plan(plan));
    }
    text
}

/// The word of the JSON report.
fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Broken => "broken",
        Outcome::Witnessed => "witnessed",
        Outcome::Unwitnessed => "unwitnessed",
        Outcome::Unproven => "unproven",
        Outcome::Stalled => "stalled",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
        Outcome::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use faultwire::fault::Action;
    use faultwire_sim::search::Tried;
    use faultwire_sim::testbed;

    use super::super::tests::{plan, row, sample};
    use super::*;

    /// A row of each standing.
    fn all_standings() -> Report {
        let rows = vec![
            Row {
                exhaustive: 12,
                exercised: 12,
                elapsed_ms: 1_250,
                ..row("udp/keeps-boundaries", testbed::VIRTUAL, Outcome::Held)
            },
            Row {
                plan: Some(plan(Action::Drop)),
                faults_planned: 1,
                faults_fired: 1,
                ..row("udp/may-lose", testbed::VIRTUAL, Outcome::Witnessed)
            },
            Row {
                why: Some("the program got <1> & \"2\"\u{0}, not 1".to_owned()),
                plan: Some(plan(Action::DelayUs(220_000))),
                replay: Some("faultwire replay target/faultwire/a.toml --testbed virtual".to_owned()),
                ..row("tcp/in-order", testbed::VIRTUAL, Outcome::Broken)
            },
            row("tcp/every-byte", testbed::VIRTUAL, Outcome::Unproven),
            Row {
                why: Some("600 s of virtual time".to_owned()),
                ..row("tcp/both-ways", testbed::VIRTUAL, Outcome::Stalled)
            },
            Row::skipped(
                Claim::of("udp/may-lose").unwrap(),
                testbed::LOOPBACK,
                "the testbed carries no faults",
            ),
            Row {
                expected_failure: Some("it throws away what was not read"),
                ..row("tcp/close-flushes", testbed::TURMOIL_SOCKETS, Outcome::Broken)
            },
            Row {
                expected_failure: Some("it has no half-close"),
                ..row("tcp/half-close", testbed::TURMOIL_SOCKETS, Outcome::Held)
            },
            Row {
                why: Some("a check panicked".to_owned()),
                ..row("udp/multicast", testbed::VIRTUAL, Outcome::Error)
            },
        ];
        Report::new(7, rows, Tried::default(), Duration::from_millis(12_345))
    }

    #[test]
    fn a_case_for_each_row() {
        let mut report = all_standings();
        let shown = ["udp/may-lose", "tcp/in-order", "tcp/close-flushes", "udp/multicast"];
        report.results.retain(|row| shown.contains(&row.claim));
        insta::assert_snapshot!(report.to_junit().unwrap());
    }

    #[test]
    fn what_is_read_back_counts_what_the_report_counts() {
        for report in [all_standings(), sample()] {
            let read = quick_junit::Report::deserialize_from_str(&report.to_junit().unwrap()).unwrap();
            let standing = |wanted: &[Standing]| {
                report.results.iter().filter(|row| wanted.contains(&row.standing())).count()
            };
            assert_eq!(read.tests, report.results.len());
            assert_eq!(read.failures, standing(&[Standing::Failed, Standing::UnexpectedPass]));
            assert_eq!(read.errors, standing(&[Standing::Error]));
            assert_eq!(read.skipped, standing(&[Standing::Skipped, Standing::ExpectedFailure]));
            let ended = |suite: &TestSuite| suite.test_cases.iter().all(|case| case.time.is_some());
            assert!(read.test_suites.iter().all(ended), "a case without its time");
            let counts = read.test_suites.iter().fold([0; 4], |sum, suite| {
                assert_eq!(suite.tests, suite.test_cases.len(), "{}", suite.name.as_str());
                let mine = [suite.tests, suite.failures, suite.errors, suite.skipped];
                std::array::from_fn(|index| sum[index] + mine[index])
            });
            assert_eq!(counts, [read.tests, read.failures, read.errors, read.skipped]);
            let mut names: Vec<_> = read.test_suites.iter().map(|suite| suite.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), read.test_suites.len(), "a suite stands twice");
        }
    }

    /// Which elements stand in which, with which attributes: the shape that Jenkins' schema for JUnit
    /// (junit-10.xsd) describes.
    #[test]
    fn the_shape_of_the_document() {
        let xml = all_standings().to_junit().unwrap();
        let (mut open, mut shape) = (Vec::new(), BTreeSet::new());
        for tag in xml.split('<').skip(1).filter_map(|piece| piece.split_once('>')).map(|(tag, _)| tag) {
            if tag.starts_with('?') {
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
            // Values hold neither quotes nor anything that looks like a name before one: those are escaped.
            let names = attributes.split('"').step_by(2).map(|name| name.trim_matches([' ', '=', '/']));
            let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
            let line = format!("{} > {name} {}", open.last().unwrap_or(&"document"), names.join(" "));
            shape.insert(line.trim_end().to_owned());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        insta::assert_snapshot!(shape.into_iter().collect::<Vec<_>>().join("\n"), @r"
        document > testsuites name tests skipped failures errors time
        properties > property name value
        testcase > error message type
        testcase > failure message type
        testcase > skipped message
        testcase > skipped message type
        testcase > system-out
        testsuite > properties
        testsuite > testcase name classname time
        testsuites > testsuite name tests skipped errors failures time
        ");
    }
}
