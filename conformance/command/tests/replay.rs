//! `faultwire replay`: whether a plan still shows what it showed, for one plan and for a folder.

#[path = "replay/pictures.rs"]
mod pictures;
#[path = "../../../src/require.rs"]
mod require;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plans")
}

/// Runs the command, and gives its exit code, its stdout and its stderr.
fn faultwire(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
    let output = command.args(args).stdin(Stdio::null()).env_remove("COLUMNS").output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// A plan of a scenario, with a claim and faults.
fn plan(scenario: &str, claim: &str, faults: &str) -> String {
    let claim = if claim.is_empty() { String::new() } else { format!("claim = \"{claim}\"\n") };
    format!("format = 1\nscenario = \"{scenario}\"\n{claim}[link]\nprofile = \"lan\"\n{faults}")
}

fn drop_datagram(nth: u32) -> String {
    let packet = format!("packet = {{ class = \"datagram\", nth = {nth} }}");
    format!("[[fault]]\ndirection = \"client->server\"\n{packet}\naction = \"drop\"\n")
}

/// Replays a plan; gives the exit code and what was said last.
fn replayed(plan: &str, more: &[&str]) -> (i32, String) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("plan.toml");
    std::fs::write(&path, plan).expect("a file");
    let args: Vec<&str> = ["replay", path.to_str().expect("UTF-8")].iter().chain(more).copied().collect();
    let (code, stdout, stderr) = faultwire(&args);
    let last = stdout.trim_end().rsplit("\n\n").next().unwrap_or_default().replace('\n', " ");
    (code, if stdout.is_empty() { stderr } else { last })
}

#[test]
fn a_witness_still_shows_it() {
    let (code, said) = replayed(&plan("udp-numbered", "udp/may-lose", &drop_datagram(2)), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("still witnesses it: udp/may-lose: datagram \"2 of client:"), "{said}");
}

#[test]
fn a_plan_that_shows_it_no_more_says_so_and_fails() {
    for (what, faults, why) in [
        ("no fault", String::new(), "its situation occurred, but not what it speaks of"),
        ("a fault that meets no packet", drop_datagram(999), "something planned did not take place"),
        // The first loss would show it.
        ("one of two faults", drop_datagram(1) + &drop_datagram(999), "something planned did not take place"),
    ] {
        let (code, said) = replayed(&plan("udp-numbered", "udp/may-lose", &faults), &[]);
        assert_eq!(code, 1, "{what}: {said}");
        assert_eq!(said, format!("NO LONGER witnesses it: udp/may-lose: {why}"), "{what}");
    }
}

#[test]
fn a_break_fails_for_as_long_as_it_breaks() {
    // turmoil's own sockets are known not to meet it; ours do.
    let broken = plan("tcp-reset", "tcp/reset", "");
    let (code, said) = replayed(&broken, &["--testbed", "turmoil/turmoil"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.starts_with("still breaks it: tcp/reset: "), "{said}");
    let (code, said) = replayed(&broken, &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said, "NO LONGER breaks it: tcp/reset: it held");
}

#[test]
fn what_cannot_be_told_is_neither() {
    let nagle = fixtures().join("tcp-nagle-delays.toml");
    let (code, stdout, _) = faultwire(&["replay", nagle.to_str().expect("UTF-8"), "--testbed", "loopback"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stdout.contains("\ncannot tell whether it witnesses tcp/nagle-delays: it looks at packets"),
        "{stdout}"
    );
}

#[test]
fn a_claim_that_the_scenario_does_not_look_at_is_wrong_usage() {
    for (claim, why) in [
        ("udp/may-loose", "did you mean `udp/may-lose`?"),
        ("tcp/head-of-line", "the scenario `udp-numbered` says nothing of the claim `tcp/head-of-line`"),
    ] {
        let (code, said) = replayed(&plan("udp-numbered", claim, ""), &[]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn the_moment_of_truth_stands_in_the_diagram() {
    let reordered = fixtures().join("udp-may-reorder.toml");
    let dir = TempDir::new().expect("a directory");
    let svg = dir.path().join("run.svg");
    let (path, svg_path) = (reordered.to_str().expect("UTF-8"), svg.to_str().expect("UTF-8"));
    let (_, wide, _) = faultwire(&["replay", path, "--svg", svg_path]);
    let (_, ascii, _) = faultwire(&["replay", path, "--ascii"]);
    for (text, sign) in [(wide, " ◆ "), (ascii, " ! ")] {
        let marks = |line: &&str| line.contains(sign) && !line.contains("the moment of truth");
        let marked: Vec<&str> = text.lines().filter(marks).collect();
        let [line] = marked[..] else { panic!("{text}") };
        assert!(line.ends_with("recv 40 B"), "it is the datagram that came late: {line}");
    }
    let svg = std::fs::read_to_string(svg).expect("the picture");
    assert_eq!(svg.matches("class=\"truth\"").count(), 1, "{svg}");
}

#[test]
fn all_fixtures_still_show_it() {
    let folder = fixtures();
    let folder = folder.to_str().expect("UTF-8");
    let count = std::fs::read_dir(folder).expect("the folder").count();
    for testbed in ["virtual", "turmoil"] {
        let (code, stdout, stderr) = faultwire(&["replay", "--all", folder, "--testbed", testbed]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let last = format!("{count} plans on {testbed}/faultwire: {count} still witnessed\n");
        assert!(stdout.ends_with(&last), "{stdout}");
        let names: Vec<&str> = stdout.lines().filter(|line| line.ends_with(".toml")).collect();
        assert!(names.is_sorted() && names.len() == count, "{stdout}");
        assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    }
    // Datagrams go through the relay too, whatever its clock does.
    let (code, stdout, _) = faultwire(&["replay", "--all", folder, "--testbed", "relay"]);
    assert_eq!(code, 0, "{stdout}");
    let last = format!("{count} plans on relay/linux: 4 still witnessed, {} skipped\n", count - 4);
    assert!(stdout.ends_with(&last), "{stdout}");
    // What a testbed cannot carry is skipped, with the reason.
    let (code, stdout, _) = faultwire(&["replay", "--all", folder, "--testbed", "turmoil/turmoil"]);
    assert_eq!(code, 1, "{stdout}");
    let mut lost = stdout.lines().skip_while(|line| !line.ends_with("  udp-may-lose.toml"));
    assert!(lost.next().is_some_and(|line| line.starts_with("skipped ")), "{stdout}");
    let why = "    udp/may-lose: the testbed turmoil/turmoil carries no faults";
    assert_eq!(lost.next(), Some(why), "{stdout}");
    assert!(stdout.contains("NO LONGER witnesses it"), "what turmoil is known not to do: {stdout}");
}

#[test]
fn one_wrong_file_does_not_keep_the_others_from_running() {
    let dir = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
    write("a-gone.toml", &plan("udp-numbered", "udp/may-lose", ""));
    write("b-held.toml", &plan("udp-lengths", "udp/length-and-sender", ""));
    write("c-fine.toml", &plan("udp-numbered", "", &drop_datagram(1)));
    write("d-inert.toml", &plan("udp-numbered", "", &drop_datagram(99)));
    write("f-shows.toml", &plan("udp-numbered", "udp/may-lose", &drop_datagram(1)));
    write("notes.txt", "no plan");
    let folder = dir.path().to_str().expect("UTF-8");
    let (code, stdout, _) = faultwire(&["replay", "--all", folder]);
    assert_eq!(code, 1, "{stdout}");
    write("e-wrong.toml", "format = 2\n");
    let (code, stdout, _) = faultwire(&["replay", "--all", folder]);
    assert_eq!(code, 2, "{stdout}");
    // Where lines end depends on how long the folder's name is.
    insta::assert_snapshot!(stdout.replace("\n    ", " ").replace(folder, "DIR"));
}

#[test]
fn a_folder_without_plans_shows_nothing() {
    let dir = TempDir::new().expect("a directory");
    let (code, _, stderr) = faultwire(&["replay", "--all", dir.path().to_str().expect("UTF-8")]);
    assert_eq!(code, 2, "{stderr}");
    let (code, _, stderr) = faultwire(&["replay", "--all", "/no/such/folder"]);
    assert_eq!(code, 2, "{stderr}");
    let (code, _, _) = faultwire(&["replay", "x.toml", "--all", "y"]);
    assert_eq!(code, 2);
}
