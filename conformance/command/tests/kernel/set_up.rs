//! What a lab is made of, and what is left of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::{Bench, helper, kernel_config, lab, no_faults, pause};

/// The kernel says nothing of itself: an idle link carries nothing, so that every packet on it is somebody's
/// doing.
#[test]
fn an_idle_link_is_silent() {
    let Some(bench) = Bench::new(&no_faults()) else { return };
    pause(Duration::from_millis(1_500));
    assert_eq!(bench.forwarder.trace().text(), "hosts faultwire linux\n");
    bench.close();
}

#[test]
fn settings_that_the_kernel_does_not_have_are_told() {
    let config = kernel_config().with_setting("ipv4/tcp_sack", "0").with_setting("ipv4/no_such_setting", "1");
    let Some((lab, ..)) = lab(config) else { return };
    let unset: Vec<_> = lab.unset().iter().map(|setting| setting.name.as_str()).collect();
    assert_eq!(unset, ["ipv4/no_such_setting"]);
}

#[test]
fn a_helper_ends_with_its_lab() {
    let Some((lab, host, device)) = lab(kernel_config()) else { return };
    let helper = lab.helper_id();
    assert!(is_alive(helper));
    drop((lab, host, device));
    assert!(!is_alive(helper));
}

/// Set for the process that [`a_killed_process_leaves_nothing_behind`] kills.
const TO_BE_KILLED: &str = "FAULTWIRE_TEST_TO_BE_KILLED";

/// This test starts itself in another process, which makes a lab and waits, and kills that process outright.
#[test]
fn a_killed_process_leaves_nothing_behind() {
    if std::env::var_os(TO_BE_KILLED).is_some() {
        let made = lab(kernel_config());
        eprintln!("helper {}", made.as_ref().map_or(0, |(lab, ..)| lab.helper_id()));
        pause(Duration::from_secs(60));
        return;
    }
    let mut process = Command::new(std::env::current_exe().expect("this test has a path"))
        .args(["--exact", "set_up::a_killed_process_leaves_nothing_behind", "--nocapture"])
        .env(TO_BE_KILLED, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(process.stderr.take().expect("piped"));
    let mut lines = said.lines().map(|line| line.expect("text"));
    let helper = lines.find_map(|line| line.strip_prefix("helper ").and_then(|id| id.parse().ok()));
    let helper: u32 = helper.expect("the helper's number");
    let was_alive = is_alive(helper);
    process.kill().expect("it is ours");
    process.wait().expect("it is ours");
    if helper == 0 {
        // Refused, which the other process has said.
        let _ = lab(kernel_config());
        return;
    }
    assert!(was_alive);
    // It has nobody to be waited for by: it goes by itself, soon.
    for _ in 0..200 {
        if !is_alive(helper) {
            return;
        }
        pause(Duration::from_millis(50));
    }
    panic!("the helper {helper} is still there");
}

/// A helper that nobody asks for anything ends: its stdin is no channel.
#[test]
fn a_helper_without_a_lab_says_so() {
    let output = helper().stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "error: stdin is no channel of a lab: the lab starts this command itself: ";
    assert!(said.starts_with(expected), "{said}");
}

/// Whether there is such a process; one that has ended but was not waited for is not.
fn is_alive(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.is_ok_and(|text| !text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}
