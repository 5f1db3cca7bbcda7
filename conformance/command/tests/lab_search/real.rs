//! Programs that are not ours, under faults: what arrives is what was sent.

use std::fs;
use std::process::Command;

use crate::{PYTHON, Pair, can, text};

/// Bytes that differ from place to place.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_file_goes_through_netcat() {
    if !can(&[("nc", "-h")]) {
        return;
    }
    let help = Command::new("nc").arg("-h").output().expect("nc");
    if !text(&help.stderr).contains("[-46CDdFhklNnrStUuvZz]") {
        crate::require::skipped("nc", "only OpenBSD's has the option -N: install netcat-openbsd");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to, plan] = ["from", "to", "plan.toml"].map(|name| folder.path().join(name));
    fs::write(&from, bytes(300_000)).expect("it is written");
    let fault = |packet: &str, action: &str| {
        format!("[[fault]]\ndirection = \"client->server\"\npacket = {packet}\naction = {action}\n")
    };
    let faults = [
        fault("{ class = \"syn\", nth = 1 }", "\"drop\""),
        fault("{ class = \"data\", nth = 3 }", "\"drop\""),
        fault("{ class = \"data\", nth = 3, transmission = 2 }", "\"drop\""),
        fault("{ class = \"data\", nth = 20 }", "{ hold_for = 3 }"),
        fault("{ class = \"data\", nth = 40 }", "\"duplicate\""),
        fault("{ class = \"data\", nth = 60 }", "{ corrupt_bit = 999 }"),
    ];
    fs::write(&plan, format!("format = 1\n{}", faults.concat())).expect("it is written");
    let pair = Pair {
        server: format!("nc -l 7000 >'{}'", to.display()),
        client: format!("nc -N {{server}} 7000 <'{}'", from.display()),
    };
    let output = pair.lab(&["--plan", plan.to_str().expect("text")]).output().expect("it starts");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", text(&output.stderr));
    assert!(said.contains("6 of 6 took place"), "{said}");
    assert!(fs::read(&to).expect("it arrived") == bytes(300_000), "it is not what was sent");
}

#[test]
fn curl_gets_a_page_of_pythons_server() {
    if !can(&[PYTHON, ("curl", "--version")]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("page"), bytes(200_000)).expect("it is written");
    let (to, plan) = (folder.path().join("to"), folder.path().join("plan.toml"));
    let fault = |direction: &str, packet: &str, action: &str| {
        format!("[[fault]]\ndirection = \"{direction}\"\npacket = {packet}\naction = {action}\n")
    };
    let faults = [
        fault("client->server", "{ class = \"data\", nth = 1 }", "\"drop\""),
        fault("server->client", "{ class = \"syn\", nth = 1 }", "\"duplicate\""),
        fault("server->client", "{ class = \"data\", nth = 5 }", "\"drop\""),
        fault("server->client", "{ class = \"data\", nth = 30 }", "{ delay_us = 300000 }"),
    ];
    fs::write(&plan, format!("format = 1\n{}", faults.concat())).expect("it is written");
    let pair = Pair {
        server: format!("python3 -m http.server 8000 --directory '{}'", folder.path().display()),
        client: format!("curl -sS --noproxy '*' -o '{}' http://{{server}}:8000/page", to.display()),
    };
    let output = pair.lab(&["--plan", plan.to_str().expect("text")]).output().expect("it starts");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", text(&output.stderr));
    assert!(said.contains("4 of 4 took place"), "{said}");
    assert!(fs::read(&to).expect("it arrived") == bytes(200_000), "it is not what was sent");
}
