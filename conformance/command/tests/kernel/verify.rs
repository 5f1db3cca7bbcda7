//! Claims on the testbed `lab`: the kernel against itself, and our stack against the kernel in both roles.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Listener as _, Network as _};
use faultwire::trace::{Call, What};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{Run, scenario};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::bench::helper;

/// The rows of a verification, or `None`, and a line that says why, where the machine refuses a lab.
fn rows(args: &[&str]) -> Option<Vec<Value>> {
    let output = Command::new(env!("CARGO_BIN_EXE_faultwire"))
        .arg("verify")
        .args(args)
        .args(["--testbed", "lab", "--format", "json"])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) {
        crate::require::skipped("lab", said);
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    Some(report["results"].as_array().expect("rows").clone())
}

#[test]
fn claims_are_settled_on_all_three_subjects() {
    let claims = ["udp/never-repeats", "udp/may-reorder", "tcp/half-close", "tcp/in-order", "tcp/reset"];
    let Some(rows) = rows(&claims) else { return };
    for claim in claims {
        for subject in ["linux", "faultwire-linux", "linux-faultwire"] {
            let row = rows.iter().find(|row| row["claim"] == claim && row["subject"] == subject);
            let row = row.expect("a row for each");
            let settled = if claim.contains("may") { "witnessed" } else { "held" };
            assert_eq!(row["outcome"], settled, "{row}");
            assert!(row["exercised"].as_u64() > Some(0), "{row}");
            // Plans were carried out, and runs that were not in full are told.
            assert!(row["faults_fired"].as_u64() > Some(2), "{row}");
            assert!(row["retries"].is_u64(), "{row}");
        }
    }
}

const SUBJECTS: [TestbedRef; 3] =
    [testbed::LAB, testbed::LAB_FAULTWIRE_CLIENT, testbed::LAB_FAULTWIRE_SERVER];

/// A run that leaves all that it can in its hosts: a connection with data that nobody reads, and whose ends
/// just go.
fn untidy(testbed: TestbedRef) -> Run {
    let plan = FaultPlan::default();
    scenario("untidy")
        .server(|net| async move {
            let listener = net.listen("0.0.0.0:7000", 16, &[]).await?;
            let (_stream, _) = listener.accept().await?;
            std::future::pending::<std::io::Result<()>>().await
        })
        .client(|net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_all(&[7; 20_000]).await?;
            Ok(())
        })
        .on(testbed)
        .run(&plan)
}

/// A run in which nothing happens, for longer than a repeat takes.
fn idle(testbed: TestbedRef) -> Run {
    scenario("idle")
        .server(|_| std::future::pending::<()>())
        .client(|net| async move {
            net.sleep(Duration::from_millis(700)).await;
            Ok(())
        })
        .on(testbed)
        .run(&FaultPlan::default())
}

/// Labs are used again, and what an earlier run left in one is in no later run's trace.
#[test]
fn nothing_of_a_run_is_left_for_the_next_one() {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    if let Err(error) = faultwire_sim::lab::probe() {
        crate::require::skipped("lab", error);
        return;
    }
    for testbed in SUBJECTS {
        for _ in 0..3 {
            let run = untidy(testbed);
            assert!(run.end.is_finished(), "{:?}", run.end);
            assert!(run.trace.packet_count() > 10, "{}", run.trace.text());
            let run = idle(testbed);
            assert!(run.end.is_finished(), "{:?}", run.end);
            let is_packet = |what: &What| !matches!(what, What::Call { .. } | What::Note { .. });
            assert!(!run.trace.events().iter().any(|event| is_packet(&event.what)), "{}", run.trace.text());
        }
    }
}

/// The kernel gives up by the time that repeats *would* take with the least timeout, not by their number.
/// Where a connection's timeout is larger than that, few repeats of a profile that has cases short are too
/// few for a plan that hits a packet five times: a server that has closed is given up in silence, and its
/// client waits forever.
#[test]
fn no_side_gives_up_before_the_faults_are_over() {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    if let Err(error) = faultwire_sim::lab::probe() {
        crate::require::skipped("lab", error);
        return;
    }
    let drops: String = (1..=5)
        .map(|transmission| {
            format!(
                "[[fault]]\ndirection = \"server->client\"\naction = \"drop\"\n\
                 packet = {{ class = \"data\", nth = 2, transmission = {transmission} }}\n"
            )
        })
        .collect();
    // A round trip of 160 ms makes a timeout of half a second, and five of its waits fifteen seconds.
    let text = format!("format = 1\n[link]\ndelay_us = 80000\nmtu = 1500\n{drops}");
    let plan = FaultPlan::parse(&text, "plan").expect("a plan");
    let studies = faultwire_conformance::engine::studies();
    let study = studies.into_iter().find(|study| study.name == "tcp-exchange").expect("a study");
    let run = (study.scenario)(testbed::LAB).on(testbed::LAB).run_in_full(&plan);
    assert!(run.end.is_finished(), "{:?}\n{}", run.end, run.trace.text());
    assert!(run.fired.all(), "{:?}\n{}", run.fired, run.trace.text());
    // It is what the plan was made for: the server was gone while its data was still to be repeated.
    let server = run.trace.host("server").expect("a host");
    let closed = run.trace.calls_of(server).find(|call| matches!(call.call, Call::Close)).expect("it closes");
    assert!(run.elapsed.since(closed.at) > Duration::from_millis(12_600), "{}", run.trace.text());
}

/// A run in a lab takes real time, up to minutes: Ctrl-C does not wait for its end.
#[test]
fn a_run_is_ended_when_the_work_is_interrupted() {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    if let Err(error) = faultwire_sim::lab::probe() {
        crate::require::skipped("lab", error);
        return;
    }
    let dir = tempfile::TempDir::new().expect("a directory");
    // Nothing comes through any more: the kernel goes on for a dozen seconds until it gives up, and fails the
    // claim then.
    let cut = "format = 1\nscenario = \"tcp-exchange\"\nclaim = \"tcp/every-byte\"\n[[event]]\nkind = \
               \"partition\"\n\
               after = { direction = \"client->server\", class = \"data\", nth = 1 }\n";
    std::fs::write(dir.path().join("cut.toml"), cut).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_faultwire"))
        .args(["replay", "--testbed", "lab", "--all"])
        .arg(dir.path())
        .env("FAULTWIRE_LOG", "faultwire=debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("replaying") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "it ended too early");
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{said}");
    assert!(said.contains("INTERRUPTED: 1 of 1 plan was not replayed"), "{said}");
}
