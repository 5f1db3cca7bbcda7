//! Claims on the testbed `lab`: the kernel against itself, and our stack against the kernel in both roles.

use std::process::Command;

use serde_json::Value;

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
