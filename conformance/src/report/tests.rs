use faultwire::fault::{Action, Class, Packet};
use faultwire_sim::testbed::{self, Capability, TestbedRef};

use super::*;

pub(super) fn plan(action: Action) -> FaultPlan {
    FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, 1), action)
}

pub(super) fn row(id: &str, testbed: TestbedRef, outcome: Outcome) -> Row {
    Row::new(Claim::of(id).expect("a claim"), testbed, outcome)
}

pub(super) fn sample() -> Report {
    let mut rows = Vec::new();
    for claim in CLAIMS_OF_THE_SAMPLE {
        let claim = Claim::of(claim).expect("a claim");
        // Those of a table that fits 80 columns.
        for testbed in testbed::ALL.into_iter().filter(|testbed| !testbed.is_live()) {
            if claim.over_plans && !testbed.has(Capability::Faults) {
                rows.push(Row::skipped(
                    claim,
                    testbed,
                    "the testbed carries no faults, and the claim is about them",
                ));
                continue;
            }
            let outcome = match claim.modality {
                Modality::Guaranteed => Outcome::Held,
                Modality::Possible => Outcome::Witnessed,
            };
            let faults = u64::from(claim.over_plans);
            rows.push(Row {
                exhaustive: 1 + 9_071 * faults,
                random: 256 * faults,
                exercised: 123_456 * faults + 3,
                faults_planned: 20_000 * faults,
                faults_fired: 20_000 * faults,
                plan: (outcome == Outcome::Witnessed && claim.over_plans).then(|| plan(Action::Drop)),
                ..Row::new(claim, testbed, outcome)
            });
        }
    }
    let tried = Tried {
        fault_free: 1,
        singles: 2_000,
        random: 256,
        faults_planned: 40_000,
        faults_fired: 40_000,
        ..Tried::default()
    };
    Report::new(7, rows, tried, Duration::from_millis(12_345))
}

const CLAIMS_OF_THE_SAMPLE: [&str; 6] = [
    "udp/no-connection",
    "udp/may-lose",
    "udp/no-flow-control",
    "tcp/half-close",
    "tcp/both-ways",
    "tcp/first-send-after-close-succeeds",
];

const PLAIN: TableOptions = TableOptions { width: 80, color: false };

fn table(report: &Report) -> String {
    let text = report.to_table(PLAIN);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    assert!(!text.contains('\u{1b}'), "color");
    text
}

#[test]
fn a_table_of_what_is_as_claimed() {
    let report = sample();
    assert_eq!(report.exit_code(), exit::AS_CLAIMED);
    insta::assert_snapshot!(table(&report));
}

#[test]
fn a_table_of_failures() {
    let known = Row {
        expected_failure: Some("its close throws away what the peer has not read"),
        ..row("tcp/close-flushes", testbed::TURMOIL_SOCKETS, Outcome::Broken)
    };
    let rows = vec![
        Row {
            why: Some("the server's program received datagram 1 twice, though it was sent once".to_owned()),
            plan: Some(plan(Action::DelayUs(220_000))),
            replay: Some("faultwire replay target/faultwire/udp-never-repeats.toml".to_owned()),
            exhaustive: 12,
            exercised: 12,
            ..row("udp/never-repeats", testbed::VIRTUAL, Outcome::Broken)
        },
        row("udp/never-repeats", testbed::TURMOIL, Outcome::Unproven),
        row("udp/may-reorder", testbed::VIRTUAL, Outcome::Unwitnessed),
        Row {
            why: Some("600 s of virtual time".to_owned()),
            ..row("udp/may-reorder", testbed::TURMOIL, Outcome::Stalled)
        },
        row("udp/may-lose", testbed::VIRTUAL, Outcome::Error),
        known.clone(),
        Row { outcome: Outcome::Held, claim: "tcp/half-close", ..known },
    ];
    let report = Report::new(0, rows, Tried::default(), Duration::from_secs(1));
    assert_eq!(report.exit_code(), exit::INTERNAL);
    insta::assert_snapshot!(table(&report));
}

#[test]
fn color_where_it_is_wanted() {
    let colored = sample().to_table(TableOptions { color: true, ..PLAIN });
    assert!(colored.contains('\u{1b}'));
}

#[test]
fn a_known_failure_must_fail() {
    let known = |outcome| Row {
        expected_failure: Some("reason"),
        ..row("tcp/reset", testbed::TURMOIL_SOCKETS, outcome)
    };
    let code = |row| Report::new(0, vec![row], Tried::default(), Duration::ZERO).exit_code();
    assert_eq!(code(known(Outcome::Broken)), exit::AS_CLAIMED);
    assert_eq!(code(known(Outcome::Unwitnessed)), exit::AS_CLAIMED);
    // Not in the way that it is known to fail.
    for outcome in [Outcome::Unproven, Outcome::Stalled, Outcome::Skipped] {
        assert_eq!(code(known(outcome)), exit::CLAIM_FAILED, "{outcome:?}");
    }
    let claim = Claim::of("tcp/reset").expect("a claim");
    assert_eq!(code(Row::skipped(claim, testbed::TURMOIL_SOCKETS, "no sockets")), exit::AS_CLAIMED);
    assert_eq!(code(known(Outcome::Held)), exit::CLAIM_FAILED);
    assert_eq!(code(known(Outcome::Error)), exit::INTERNAL);
    assert_eq!(code(row("tcp/reset", testbed::LOOPBACK, Outcome::Broken)), exit::CLAIM_FAILED);
    assert_eq!(code(row("tcp/reset", testbed::LOOPBACK, Outcome::Skipped)), exit::AS_CLAIMED);
}

#[test]
fn the_json_contract() {
    let rows = vec![Row {
        why: Some("datagram 1 never arrived".to_owned()),
        plan: Some(plan(Action::HoldFor(1))),
        exhaustive: 3,
        exercised: 2,
        faults_planned: 2,
        faults_fired: 2,
        replay: Some("not part of it".to_owned()),
        ..row("udp/may-lose", testbed::VIRTUAL, Outcome::Witnessed)
    }];
    let report = Report::new(18_446_744_073_709_551_615, rows, Tried::default(), Duration::from_secs(1));
    insta::assert_snapshot!(report.to_json().unwrap());
}

/// A subject that does not run with its defaults is told in every form of the report, unless nothing of it
/// ran.
#[test]
fn each_form_of_the_report_states_how_settings_differ_from_the_defaults() {
    let report = |outcome| {
        let rows = vec![row("tcp/reset", testbed::TURMOIL_SOCKETS, outcome)];
        Report::new(0, rows, Tried::default(), Duration::ZERO)
    };
    let held = report(Outcome::Held);
    let json: serde_json::Value = serde_json::from_str(&held.to_json().unwrap()).unwrap();
    let settings = json["deviations"][0]["settings"].as_array().unwrap();
    assert_eq!(json["deviations"][0]["subject"], "turmoil");
    assert_eq!(settings.len(), testbed::TURMOIL_SOCKETS.deviations().len());
    let table = held.to_table(TableOptions { width: 1_000, ..PLAIN });
    let page = held.to_html(&[]).unwrap();
    for setting in settings {
        let setting = setting.as_str().unwrap();
        assert!(table.contains(setting) && page.contains(&setting.replace('\'', "&#39;")), "{setting}");
    }
    assert_eq!(report(Outcome::Skipped).deviations, []);
    let rows = vec![row("tcp/reset", testbed::VIRTUAL, Outcome::Held)];
    assert_eq!(Report::new(0, rows, Tried::default(), Duration::ZERO).deviations, []);
}

#[test]
fn counts_fit_their_column() {
    for number in
        [0, 9, 999, 1_000, 99_999, 100_000, 999_999, 1_000_000, 99_999_999, 100_000_000, 999_999_999]
    {
        assert!(words::count(number).len() <= 6, "{}", words::count(number));
    }
    assert_eq!(words::count(70_123), "70 123");
    assert_eq!(words::count(1_234_567), "1.2 M");
}
