//! The pairs of programs that come with a plan, between kernels: cut links, rejected packets, a killed
//! server.

use std::path::Path;
use std::process::Command;

use crate::bench::{kernel_config, lab};

/// What `faultwire lab` prints for a pair of programs in `fixtures/programs`, under the plan beside them. It
/// exits with `code`.
fn shown(pair: &str, events: Option<&str>, code: i32) -> Option<String> {
    lab(kernel_config())?;
    if let Err(error) = Command::new("python3").arg("--version").output() {
        crate::require::skipped("python3", format_args!("it cannot be started ({error}): install it"));
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/programs").join(pair);
    let mut plan = std::fs::read_to_string(folder.join("plan.toml")).expect("a plan");
    if let Some(events) = events {
        let own = plan.find("[[event]]").expect("its events come last");
        plan.replace_range(own.., events);
    }
    let own = tempfile::tempdir().expect("a directory");
    let file = own.path().join("plan.toml");
    std::fs::write(&file, plan).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
    let output =
        command.current_dir(&folder).arg("lab").arg("--plan").arg(&file).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}{text}");
    Some(text + &said)
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|other| other.contains(line)), "{line}: {text}");
    }
}

#[test]
fn one_way_is_cut_and_the_other_is_not() {
    let Some(text) = shown("acknowledgements-cut", None, 0) else { return };
    let took_place = "event 1: took place: partition server->client after server->client data 1";
    has(&text, &["server | has 10", "client | sent", took_place, "server->client cut"]);
}

#[test]
fn one_connection_is_cut_and_a_new_one_is_not() {
    let Some(text) = shown("forgotten-connection", None, 0) else { return };
    has(
        &text,
        &["client | first: ok", "client | kept: timed out", "client | new: ok", "link cut for flow 1"],
    );
}

#[test]
fn an_outage_ends_by_time_and_by_retransmissions() {
    let after = "after = { direction = \"server->client\", class = \"data\", nth = 1, wait_us = 100_000 }";
    for (lasts, words) in [
        ("for_us = 900_000", "outage all links of flow 1 for 900000 us"),
        ("retransmissions = 2", "outage all links of flow 1 until 2 retransmissions are lost"),
    ] {
        let events = format!("[[event]]\nkind = \"outage\"\nflow = 1\n{lasts}\n{after}\n");
        let Some(text) = shown("forgotten-connection", Some(&events), 0) else { return };
        let words = format!("{words} after server->client data 1 and 100000 us");
        has(&text, &["client | first: ok", "client | kept: ok", &words, "link mended for flow 1"]);
        let lost = text.lines().filter(|line| line.contains("✗ link cut")).count();
        assert!(lost >= 2, "the question and its repeats were lost: {text}");
    }
}

#[test]
fn the_next_segment_of_one_connection_is_answered_by_a_reset() {
    let fault = "[[fault]]\ndirection = \"client->server\"\npacket = { class = \"data\", nth = 2 }\n\
                 action = { reject = \"tcp-reset\" }\n";
    let Some(text) = shown("forgotten-connection", Some(fault), 0) else { return };
    let words =
        ["client | kept: [Errno 104] Connection reset by peer", "client | new: ok", "rejected: tcp-reset"];
    has(&text, &words);
}

#[test]
fn a_router_tells_a_socket_of_the_path_mtu() {
    let Some(text) = shown("too-big", None, 0) else { return };
    has(&text, &["client | 1000 answered 1000", "rejected: too-big, mtu 1200"]);
    let told = text.lines().filter(|line| *line == "client | 1400 [Errno 90] Message too long").count();
    assert_eq!(told, 2, "the kernel remembers: {text}");
}

#[test]
fn a_killed_server_leaves_its_port_in_time_wait() {
    let Some(text) = shown("killed-server", None, 1) else { return };
    let killed =
        ["client | answer: b''", "the server is killed, its host goes on", "the server starts again"];
    has(&text, &killed);
    has(&text, &["server | OSError: [Errno 98] Address already in use", "client | again: [Errno 111]"]);
}
