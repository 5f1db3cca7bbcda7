//! Claims on the testbed `lab`: the kernel against itself, and our stack against the kernel in both roles.

use std::process::Command;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Listener as _, Network as _};
use faultwire::trace::What;
use faultwire_sim::{Run, Testbed, scenario};
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
        eprintln!("skipped: {said}");
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
        for subject in ["kernel", "ours-kernel", "kernel-ours"] {
            let row = rows.iter().find(|row| row["claim"] == claim && row["subject"] == subject);
            let row = row.expect("a row for each");
            let settled = if claim.contains("may") { "witnessed" } else { "held" };
            assert_eq!(row["outcome"], settled, "{row}");
            assert!(row["exercised"].as_u64() > Some(0), "{row}");
            // Plans were carried out, and runs that were not in full are told.
            assert!(row["faults_fired"].as_u64() > Some(2), "{row}");
            assert!(row["repeats"].is_u64(), "{row}");
        }
    }
}

const SUBJECTS: [Testbed; 3] = [Testbed::Lab, Testbed::LabOursClient, Testbed::LabOursServer];

/// A run that leaves all that it can in its hosts: a connection with data that nobody reads, and whose ends just go.
fn untidy(testbed: Testbed) -> Run {
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
fn idle(testbed: Testbed) -> Run {
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
        eprintln!("skipped: {error}");
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
