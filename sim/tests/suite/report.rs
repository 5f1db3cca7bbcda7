//! What the report of a failure says.

use faultwire::fault::{Action, Class, EventKind, FaultPlan, Packet, When};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Result, Scenario, scenario, testbed};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::scenario::{complaint, counter, counting, message, trusting};

/// What a check under a plan panics with.
fn complaint_under(scenario: &Scenario, plan: &FaultPlan) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| scenario.check_under(plan)));
    message(failed.expect_err("the plan breaks it"))
}

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
    let words =
        "until 2.000 ms like the run without faults; then client: recv 1 B: 01 instead of recv 1 B: 02";
    let twice = complaint_under(&counting(), &doubled);
    assert!(twice.contains(words), "{twice}");
    // Faults of every run are in both.
    let second = Packet::nth(Class::Datagram, 2);
    let late = FaultPlan::new().fault(["client", "server"], second, Action::DelayUs(1_000));
    let words = "like the run without the faults that were found; then client: recv 1 B: 01";
    let twice = complaint(counting().base_plan(late).without_outages().exhaustive(1));
    assert!(twice.contains(words), "{twice}");
}

async fn telling_server(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    tokio::spawn(async { tracing::debug!("a task without a socket") });
    let (mut buffer, mut count) = ([0; 16], 0_u8);
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        count += 1;
        tracing::info_span!("request", count).in_scope(|| {
            tracing::info!(len = received.len, "answers");
            tracing::trace!("too little to tell");
        });
        socket.send_to(&[count], received.from).await?;
    }
}

async fn telling_client(net: Net) -> Result {
    tracing::warn!(tries = 2, "starts");
    let ended = trusting(net.clone()).await;
    let other = net.datagram("0.0.0.0:0", &[]).await?;
    let task = tokio::spawn(async move {
        other.send_to(b"bye", "10.0.0.1:9".parse().expect("an address")).await.expect("sent");
        tracing::error!("gives\nup");
    });
    task.await?;
    ended
}

/// What programs log in the failing run stands in the report: by time, with their hosts, and nothing of the
/// other runs.
#[test]
fn a_report_has_what_the_programs_logged_in_its_run() {
    let lost = FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, 2), Action::Drop);
    for (testbed, of_task) in [(testbed::VIRTUAL, "?       DEBUG"), (testbed::TURMOIL, "server  DEBUG")] {
        let chatty = scenario("chatty").on(testbed).server(telling_server).client(telling_client);
        let failed = complaint_under(&chatty, &lost);
        let logged = failed.split_once("logged in this run:\n").map(|(_, logged)| logged).unwrap_or_default();
        let lines: Vec<&str> = logged.lines().map(str::trim_start).collect();
        assert_eq!(lines.len(), if testbed == testbed::VIRTUAL { 5 } else { 4 }, "{failed}");
        for words in [
            "0.000 ms  client  WARN  starts tries=2",
            " server  INFO  request{count=1}: answers len=3",
            " ms  client  ERROR gives\\nup",
            of_task,
        ] {
            assert!(lines.iter().any(|line| line.contains(words)), "{testbed}: {words}: {failed}");
        }
        // In a runtime, as a test with `#[tokio::test]`.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(async { complaint_under(&chatty, &lost) }), failed);
        let few = chatty.clone().report(|diagram| diagram.lines_max = 2);
        assert!(complaint_under(&few, &lost).contains("earlier lines left out"));
    }
    // The last run of a search is the only one.
    let chatty = scenario("chatty").server(telling_server).client(telling_client);
    let failed = complaint(chatty.exhaustive(1));
    assert_eq!(failed.matches("WARN  starts").count(), 1, "{failed}");
}

/// Where a crash leaves a spawned task behind the run begins again, with a runtime for each host: what was
/// logged before that does not count, and the hosts of all tasks are known.
#[test]
fn a_run_that_begins_again_logs_once() {
    let server = |_: Net| async {
        tokio::spawn(async {
            for _ in 0..9 {
                tokio::time::sleep(Duration::from_millis(4)).await;
                tracing::debug!("ticks");
            }
        });
        std::future::pending::<Result>().await
    };
    let client = |net: Net| async move {
        net.sleep(Duration::from_millis(20)).await;
        tracing::info!("ends");
        Err("it fails".into())
    };
    let crash = FaultPlan::new().event(EventKind::Crash("server".into()), When::AtUs(10_000));
    let failed = complaint_under(&scenario("left behind").server(server).client(client), &crash);
    let logged = failed.split_once("logged in this run:\n").map(|(_, logged)| logged).unwrap_or_default();
    let lines: Vec<&str> = logged.lines().take_while(|line| !line.is_empty()).collect();
    let expected = [
        "   4.000 ms  server  DEBUG ticks",
        "   8.000 ms  server  DEBUG ticks",
        "  20.000 ms  client  INFO  ends",
    ];
    assert_eq!(lines, expected, "{failed}");
}
