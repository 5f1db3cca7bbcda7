//! Subjects of third parties: those that come with the command, and those that a file describes.

use std::process::Command;

use super::{refused, run, text};

const STACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/stacks");

/// The rows of one claim on one testbed, with no random plans.
fn verified(before: &[&str], more: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = run(&[before, &["verify", "--cases", "0", "--format", "json"], more].concat());
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {}", text(output.stderr))))
}

#[test]
fn a_subject_is_tried_and_fails_as_expected() {
    let (code, json) = verified(&[], &["tcp/push", "--testbed", "virtual/smoltcp"]);
    assert_eq!(code, Some(0), "{json}");
    let row = &json["results"][0];
    assert_eq!((&row["subject"], &row["outcome"]), (&"smoltcp".into(), &"broken".into()));
    assert!(row["expected_failure"].is_string());
    let failure = &row["failures"][0];
    assert_eq!(failure["confirmed"], "a_last_segment_with_a_fin_has_no_push");
    assert!(failure["plan"]["fault"].is_array() && failure["expected"].is_string(), "{failure}");
}

#[test]
fn an_unknown_subject_is_refused_with_the_names() {
    let said = refused(&["verify", "--subject", "smoltpc"]);
    assert!(said.contains("did you mean `smoltcp`?"), "{said}");
    let said = refused(&["verify", "--subject", "smoltcp", "--testbed", "turmoil"]);
    assert!(said.contains("the testbed `turmoil` has none of the subjects smoltcp"), "{said}");
}

#[test]
fn a_process_is_a_subject_by_its_file() {
    let python = Command::new("python3").arg("--version").output();
    if let Err(error) = python {
        return super::require::skipped("python3", format_args!("{error}: install it"));
    }
    let file = format!("{STACKS}/udp.toml");
    let (code, json) =
        verified(&["--third-party", &file], &["udp/never-repeats", "--testbed", "virtual/udppy"]);
    assert_eq!((code, &json["results"][0]["outcome"]), (Some(0), &"held".into()), "{json}");
    // What the file says that it lacks is skipped, for its reason.
    let (_, json) = verified(&["--third-party", &file], &["tcp/push", "--testbed", "virtual/udppy"]);
    assert_eq!(json["results"][0]["why"], "it has no TCP");
}

/// UDP that ends when the same packet comes a second time, except at the port of the adapter's test.
const MORTAL: &str = "
import sys, udp
request = udp.Host.request

def mortal(self, kind, arguments):
    if kind == 2 and arguments[22:24] not in (b'', bytes(2), bytes([0, 9])):
        seen = self.__dict__.setdefault('seen', set())
        if arguments in seen:
            sys.exit('the same again')
        seen.add(arguments)
    return request(self, kind, arguments)

udp.Host.request = mortal
udp.serve()
";

/// A stack that dies of a packet fails; the command and the machine are well.
#[test]
fn a_stack_that_dies_fails_with_the_plan_and_the_line_that_replays_it() {
    let python = Command::new("python3").arg("--version").output();
    if let Err(error) = python {
        return super::require::skipped("python3", format_args!("{error}: install it"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("my stack.toml");
    std::fs::write(folder.path().join("mine.py"), MORTAL).expect("it can be written");
    let subject = std::fs::read_to_string(format!("{STACKS}/udp.toml")).expect("it can be read");
    let command = format!("\"env\", \"PYTHONPATH={STACKS}\", \"python3\", \"mine.py\"");
    std::fs::write(&file, subject.replace("\"python3\", \"udp.py\"", &command)).expect("it can be written");

    let file = file.to_str().expect("text");
    let mut command = super::faultwire(&["--third-party", file, "verify", "udp/size-limit"]);
    command.args(["--testbed", "virtual/udppy", "--cases", "0"]).env("CARGO_TARGET_DIR", folder.path());
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = text(output.stdout);
    let joined = table.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("faultwire --third-party '{file}' replay ");
    for words in ["FAILED", "its stack cannot go on", "the same again", "duplicate", &line] {
        assert!(joined.contains(words), "{words}: {table}");
    }
    assert!(text(output.stderr).contains("udppy: adapter: "));
}

#[test]
fn an_adapter_is_tested_alone() {
    let output = run(&["verify", "--subject", "smoltcp", "--testbed", "virtual", "--adapter"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(output.stdout), "");
    assert!(text(output.stderr).starts_with("smoltcp: adapter: 47 requirements, "));
    let said = refused(&["verify", "--adapter"]);
    assert!(said.contains("name a subject with --subject"), "{said}");
}

#[test]
fn a_wrong_file_is_refused_with_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let head = "format = 1\nname = \"mine\"\nabout = \"so\"\n";
    let entry =
        "[[expected_failure]]\nsubject = \"other\"\ntestbed = \"virtual\"\nclaim = \"a/b\"\nwhy = \"so\"\n";
    for (contents, says) in [
        (format!("{head}command = []\n"), "`command` is a list of words"),
        (format!("{head}command = [\"a\"]\nlacks = 1\n"), "line 5, column 1"),
        (
            format!("{head}command = [\"a\"]\n[[lack]]\nwhat = \"tcp\"\nwhy = \"so\"\n"),
            "expected one of faults",
        ),
        (format!("{head}command = [\"a\"]\n{entry}"), "`virtual/other` is no testbed of mine"),
        (
            "format = 2\nname = \"mine\"\nabout = \"so\"\ncommand = [\"a\"]\n".to_owned(),
            "`format` is the version",
        ),
        (
            "format = 1\nname = \"My stack\"\nabout = \"so\"\ncommand = [\"a\"]\n".to_owned(),
            "`name` has 1 to 16",
        ),
    ] {
        std::fs::write(&path, &contents).expect("it can be written");
        let said = refused(&["--third-party", path.to_str().expect("text"), "testbeds"]);
        assert!(said.contains(says), "{contents}\n{said}");
    }
    let said = refused(&["--third-party", "/no/such/file.toml", "testbeds"]);
    assert!(said.contains("/no/such/file.toml cannot be read"), "{said}");
}

/// No claim is judged on a program that is not there, or is no such stack.
#[test]
fn a_process_that_is_no_stack_is_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let commands =
        [("[\"./nothing\"]", "cannot be started"), ("[\"echo\", \"hello\"]", "at request 1, init")];
    for (command, says) in commands {
        let file = format!("format = 1\nname = \"mine\"\nabout = \"so\"\ncommand = {command}\n");
        std::fs::write(&path, file).expect("it can be written");
        let path = path.to_str().expect("text");
        let output = run(&["--third-party", path, "verify", "udp/may-lose", "--testbed", "virtual/mine"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = text(output.stderr);
        assert!(said.contains("the testbed virtual/mine is unavailable: ") && said.contains(says), "{said}");
    }
}
