//! A search for plans that kill the server, while the client is content.

use std::process::Command;

use faultwire::fault::FaultPlan;

use crate::{FAULTWIRE, PYTHON, Pair, can, scratch, text};

#[test]
fn a_plan_that_kills_the_server_is_found_and_runs_by_itself() {
    if !can(&[PYTHON]) {
        return;
    }
    let pair = Pair::of_python("asserts-no-repeat");
    let (_folder, path, plan) = scratch();
    let output = pair.search(&["--out", &plan, "--timeout", "20", "--cases", "0"]).output();
    let output = output.expect("the command starts");
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}\n{told}");
    assert!(said.starts_with("the server exits with 1 under this plan:\n"), "{said}");
    assert!(said.contains("server | AssertionError"), "{said}");
    assert!(said.contains(&format!("to see it again:\n  faultwire lab --plan {plan}\n")), "{said}");

    let written = FaultPlan::read(&path).expect("a plan");
    assert_eq!(written.faults.len(), 1, "{written:?}");
    let title = written.title.unwrap_or_default();
    assert!(title.starts_with("the server exits with 1: "), "{title}");
    let lab = written.lab.expect("it holds both commands");
    assert_eq!((lab.server, lab.client, lab.ipv6), (pair.server, pair.client, false));

    // The plan is enough to run it again; it is drawn as text and as a picture.
    let picture = path.with_extension("svg");
    let output = Command::new(FAULTWIRE).args(["lab", "--plan", &plan, "--svg"]).arg(&picture).output();
    let output = output.expect("the command starts");
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}\n{told}");
    assert!(told.starts_with("the plan's server: "), "{told}");
    assert!(told.ends_with("error: the server exits with 1 by itself\n"), "{told}");
    let first = said.lines().find(|line| line.contains("─ datagram 1,")).expect("a diagram");
    assert!(first.trim_start().starts_with("0.000 "), "times count from the first packet: {said}");
    assert!(std::fs::read_to_string(picture).expect("a picture").starts_with("<svg"));

    let output = Command::new(FAULTWIRE).args(["replay", &plan]).output().expect("the command starts");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(&format!("run it with `faultwire lab --plan {plan}`")), "{told}");
    assert!(!told.contains("there are: "), "{told}");
}

#[test]
fn a_server_that_fails_when_it_is_asked_to_end_is_no_subject() {
    if !can(&[]) {
        return;
    }
    let echo = Pair::of_echo("there");
    let server = format!("trap 'exit 5' TERM; {} & wait", echo.server);
    let output = Pair { server, ..echo }.search(&[]).output().expect("the command starts");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let expected = "error: without any fault the server exits with 5 when it is asked to end (SIGTERM): \
                    it has to end with 0, or by SIGTERM when it is asked to\n";
    assert!(told.ends_with(expected), "{told}");
}
