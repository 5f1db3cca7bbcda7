//! The pictures in a browser, which knows how wide letters are. Where there is none, that is said and the
//! test passes.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{faultwire, fixtures};

/// Scenarios of all kinds: two hosts and more, bursts, crossing packets, fragments, errors, IPv6.
const SCENARIOS: [&str; 12] = [
    "udp-multicast",
    "udp-many-peers",
    "udp-broadcast",
    "udp-fragments-v6",
    "udp-closed-port",
    "tcp-many-clients",
    "tcp-simultaneous-open",
    "tcp-simultaneous-close",
    "tcp-half-open",
    "tcp-dialogue",
    "tcp-partition",
    "tcp-bulk",
];

/// A page with all these pictures, and the measuring.
fn page(dir: &TempDir) -> String {
    let nothing = dir.path().join("nothing.toml");
    std::fs::write(&nothing, "format = 1\n").expect("a file");
    let nothing = nothing.to_str().expect("UTF-8").to_owned();
    let mut runs: Vec<Vec<String>> = std::fs::read_dir(fixtures())
        .expect("the folder")
        .map(|entry| vec![entry.expect("an entry").path().to_str().expect("UTF-8").to_owned()])
        .collect();
    runs.sort();
    runs.extend(SCENARIOS.map(|name| vec![nothing.clone(), "--scenario".to_owned(), name.to_owned()]));
    let mut page = String::from("<!doctype html><meta charset=\"utf-8\"><title>pictures</title><body>\n");
    for run in runs {
        let file = dir.path().join("picture.svg");
        let mut args = vec!["replay", "--svg", file.to_str().expect("UTF-8")];
        args.extend(run.iter().map(String::as_str));
        let (code, _, stderr) = faultwire(&args);
        assert_eq!(code, 0, "{run:?}: {stderr}");
        let svg = std::fs::read_to_string(&file).expect("a picture");
        let name = run.last().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        let _ = writeln!(page, "{}", svg.replacen("<svg ", &format!("<svg data-name=\"{name}\" "), 1));
    }
    let _ = writeln!(page, "<script>\n{}</script>", include_str!("measure.js"));
    page
}

#[test]
fn no_words_lie_on_others_in_a_browser() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("pictures.html");
    let browser =
        Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !browser.is_ok_and(|status| status.success()) {
        crate::require::skipped("chromium", "it cannot be started: install Debian's package chromium");
        return;
    }
    std::fs::write(&file, page(&dir)).expect("a file");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let measured = said.split_once("measured ").and_then(|(_, said)| said.split_once(";end"));
    let (measured, _) =
        measured.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)));
    let (words, faults) = measured.split_once(" words;").expect("how many");
    assert!(words.parse::<usize>().is_ok_and(|words| words > 1_000), "{measured}");
    assert_eq!(faults, "", "of {words} words");
}
