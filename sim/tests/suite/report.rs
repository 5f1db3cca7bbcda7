//! What the report of a failure says.

use faultwire::fault::{Action, Class, EventKind, FaultPlan, Packet, When};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Result, Scenario, scenario};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::scenario::{complaint, counter, counting, message};

fn redacted(text: &str, from: &str, to: &str, with: &str) -> String {
    let mut parts = text.split(from);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |redacted, part| {
        let end = part.find(to).expect("a replay line");
        format!("{redacted}{from}{with}{}", &part[end..])
    })
}

#[test]
fn a_failure_comes_with_its_smallest_plan_a_diagram_and_a_replay_line() {
    let message = complaint(counting().report(|diagram| diagram.width = 100).exhaustive(1));
    // Where the target directory is differs from place to place.
    insta::assert_snapshot!(redacted(&message, "FAULTWIRE_PLAN=", " cargo test", "[file]"));
}

#[test]
fn messages_are_shown_in_the_users_own_words() {
    let failed = complaint(counting().exhaustive(1));
    assert!(failed.contains("send 3 B: \"add\" ├─ datagram 1, 3 B: \"add\" ─"), "{failed}");
    let words = |message: &[u8]| match message {
        b"add" => Some("one more".to_owned()),
        _ => None,
    };
    let failed = complaint(counting().describe(words).exhaustive(1));
    assert!(failed.contains(" datagram 1, 3 B: one more ─"), "{failed}");
}

/// A client that asks a hundred times, and fails at its end.
#[test]
fn a_long_diagram_keeps_its_faults_and_its_end() {
    let patient = scenario("patient").server(counter).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let (mut lost, mut buffer) = (0, [0; 16]);
        for _ in 0..100 {
            socket.send(b"add").await?;
            let answer = net.timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await;
            lost += usize::from(answer.is_err());
        }
        assert_eq!(lost, 0, "lost");
        Result::Ok(())
    });
    let report = |lines: usize| {
        let scenario = patient.clone().report(|diagram| (diagram.width, diagram.lines_max) = (70, lines));
        complaint(scenario.exhaustive(1))
    };
    let short = report(12);
    let diagram: Vec<&str> = short.lines().skip_while(|line| !line.contains("client  ")).collect();
    assert!(diagram[..12].iter().all(|line| line.chars().count() <= 70), "{short}");
    for words in ["✱ dropped", "lines left out", "close │"] {
        assert!(diagram[..12].iter().any(|line| line.contains(words)), "{words}: {short}");
    }
    assert!(diagram[12].starts_with("client: panicked"), "{short}");
    assert!(!report(1_000).contains("lines left out"));
}

#[test]
fn a_crash_that_was_found_is_told_from_one_of_every_run_in_the_diagram() {
    let to_server = ["client", "server"];
    let late = FaultPlan::new()
        .fault(to_server, Packet::nth(Class::Datagram, 1), Action::DelayUs(1_000))
        .event(EventKind::Kill("other".into()), When::AtUs(1_000));
    let crashing = counting().host("other", counter).base_plan(late).crashes("server").without_outages();
    // The search crashes the server, and the client cannot go on.
    let report = complaint(crashing.exhaustive(1).kinds_max(9, 1_000));
    assert!(report.contains("† delayed by 1 ms") && report.contains("† in every run"), "{report}");
    assert!(report.contains("† other killed") && !report.contains("† server"), "{report}");
}

#[test]
fn a_report_says_where_the_run_leaves_the_one_without_faults() {
    let lost = complaint(counting().exhaustive(1));
    let words =
        "\nuntil 1.000 ms like the run without faults; then server: nothing instead of recv 3 B: \"add\"\n";
    assert!(lost.contains(words), "{lost}");
    let direction = ["server", "client"];
    let first = Packet::nth(Class::Datagram, 1);
    let doubled = FaultPlan::new().fault(direction, first, Action::Duplicate);
    let check = |scenario: Scenario| {
        let failed = catch_unwind(AssertUnwindSafe(|| scenario.check_under(&doubled)));
        message(failed.expect_err("it breaks it"))
    };
    let words =
        "until 2.000 ms like the run without faults; then client: recv 1 B: 01 instead of recv 1 B: 02";
    let twice = check(counting());
    assert!(twice.contains(words), "{twice}");
    // Faults of every run are in both.
    let second = Packet::nth(Class::Datagram, 2);
    let late = FaultPlan::new().fault(["client", "server"], second, Action::DelayUs(1_000));
    let words = "like the run without the faults that were found; then client: recv 1 B: 01";
    let twice = complaint(counting().base_plan(late).without_outages().exhaustive(1));
    assert!(twice.contains(words), "{twice}");
}
