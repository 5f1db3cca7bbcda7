//! A machine that refuses a lab: here one where nobody may make a user namespace, or a network namespace.
//!
//! It is made of a user namespace that allows none inside: user_namespaces(7), namespaces(7). Where the tools
//! for that (unshare, setpriv of util-linux) are missing, or the machine allows no user namespace in the
//! first place, a test is skipped with the reason, or fails if FAULTWIRE_REQUIRE names it.

use std::process::{Command, Output};

use serde_json::Value;

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// Runs `faultwire` without any right, where that limit is 0; `None`, and a line that says why, where that
/// cannot be made.
fn without(limit: &str, rights: &str, args: &[&str]) -> Option<Output> {
    let script = format!("echo 0 > /proc/sys/user/{limit} && exec setpriv {rights} \"$@\"");
    let run = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", &script, "sh"]).args(words).output()
    };
    match run(&["true"]) {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            crate::require::skipped("lab", String::from_utf8_lossy(&output.stderr).trim_end());
            return None;
        }
        Err(error) => {
            crate::require::skipped(
                "unshare",
                format_args!("it cannot be started ({error}): install util-linux"),
            );
            return None;
        }
    }
    Some(run(&[&[FAULTWIRE], args].concat()).expect("it started before"))
}

const NO_RIGHTS: &str = "--bounding-set=-all --inh-caps=-all";

#[test]
fn each_step_that_is_refused_is_told_with_error_cause_and_remedy() {
    for (limit, rights, step, remedy) in [
        ("max_user_namespaces", NO_RIGHTS, "a user namespace cannot be made", "user.max_user_namespaces"),
        ("max_net_namespaces", "", "a network namespace cannot be made", "user.max_net_namespaces"),
    ] {
        let lab = ["lab", "--server", "true", "--client", "true"];
        let named = ["verify", "udp/may-lose", "--testbed", "lab"];
        for args in [&lab[..], &named[..]] {
            let Some(Output { status, stdout, stderr }) = without(limit, rights, args) else { return };
            let said = String::from_utf8_lossy(&stderr);
            assert_eq!(status.code(), Some(3), "{args:?}: {said}");
            assert!(stdout.is_empty(), "{args:?}");
            for part in [step, "(os error 28)", "likely cause: ", remedy] {
                assert!(said.contains(part), "{args:?}: {part}: {said}");
            }
        }
    }
}

#[test]
fn a_verification_of_all_testbeds_skips_the_lab_and_says_why() {
    let all = ["verify", "udp/may-lose", "--format", "json"];
    let Some(Output { status, stdout, stderr }) = without("max_user_namespaces", NO_RIGHTS, &all) else {
        return;
    };
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
    let report: Value = serde_json::from_slice(&stdout).expect("it is JSON");
    let rows = report["results"].as_array().expect("rows");
    let labs: Vec<&Value> = rows.iter().filter(|row| row["testbed"] == "lab").collect();
    assert_eq!(labs.len(), 3, "{report}");
    for row in labs {
        assert_eq!(row["outcome"], "skipped");
        let why = row["why"].as_str().expect("a reason");
        for part in ["a user namespace cannot be made", "(os error 28)", "likely cause: ", "sysctl -w"] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
    assert!(rows.iter().any(|row| row["outcome"] == "witnessed"), "the others are tried: {report}");
    assert_eq!(report.get("lab"), None, "there was none");
}
