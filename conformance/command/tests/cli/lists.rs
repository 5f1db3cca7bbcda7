//! What the command lists and explains, and that it fits the terminal.

use std::process::{Command, Stdio};

use super::{SMALL, faultwire, require, run, text};

#[test]
fn claims_are_found_by_what_they_speak_of() {
    for (word, id) in [
        ("reorder", "udp/may-reorder"),
        ("rst", "tcp/reset"),
        ("partition", "tcp/silence-is-not-noticed"),
        ("loss", "udp/may-lose"),
        ("timeout", "tcp/gives-up"),
        ("ECONNRESET", "tcp/reset"),
        ("SO_REUSEADDR", "tcp/time-wait"),
        ("TCP_NODELAY", "tcp/nagle-delays"),
    ] {
        for command in ["explain", "claims"] {
            let output = run(&[command, word]);
            let stdout = text(output.stdout);
            assert_eq!(output.status.code(), Some(0), "{command} {word}: {}", text(output.stderr));
            assert!(
                stdout.lines().any(|line| line.split(' ').next() == Some(id)),
                "{command} {word}: {stdout}"
            );
        }
    }
    // To verify is work: nothing is guessed, and the error says what there is.
    let output = run(&["verify", "rst"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(output.stderr).contains("these speak of it: tcp/reset"));
}

#[test]
fn a_claim_may_be_named_by_its_second_part() {
    for args in [&["verify", "may-lose", "--testbed", "virtual", "--cases", "0"][..], &["claims", "may-lose"]]
    {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{}", text(output.stderr));
        assert!(text(output.stdout).contains("may-lose"));
    }
}

#[test]
fn scenarios_are_listed() {
    let list = text(run(&["scenarios"]).stdout);
    for name in ["udp-numbered", "tcp-transfer", "lesson-3"] {
        assert!(list.lines().any(|line| line == name), "{list}");
    }
    let some = text(run(&["scenarios", "backlog"]).stdout);
    assert!(some.contains("tcp-backlog") && !some.contains("udp-numbered"), "{some}");
    assert_eq!(run(&["scenarios", "nothing-like-it"]).status.code(), Some(2));
}

#[test]
fn the_plan_file_has_a_reference() {
    let reference = text(run(&["plan"]).stdout);
    assert!(reference.contains("\nEXAMPLE\n"), "{reference}");
    let help = text(run(&["help", "plan"]).stdout);
    assert!(reference.lines().all(|line| help.contains(line)), "{help}");
    insta::assert_snapshot!(reference);
    let schema = text(run(&["plan", "--schema"]).stdout);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Lists and tables keep to the width. A line that is to be copied to a shell stays whole.
#[test]
fn what_is_printed_fits_the_terminal() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/plans");
    let plan = std::fs::read_dir(plan).expect("fixtures").flatten().next().expect("a plan").path();
    let plan = plan.to_str().expect("UTF-8");
    let verify = ["verify", "udp", "--testbed", "virtual", "--testbed", "loopback", "--cases", "0"];
    for args in [
        &["claims"][..],
        &["testbeds", "--settings"],
        &["scenarios"],
        &["lesson", "list"],
        &["explain", "loss"],
        &["explain", "may-lose"],
        &["replay", plan],
        &verify,
        &SMALL,
    ] {
        for width in [40, 60, 80, 110] {
            let output = faultwire(args).env("COLUMNS", width.to_string()).output().expect("it starts");
            let stdout = text(output.stdout);
            assert!(stdout.lines().count() > 3, "{args:?}");
            for line in stdout.lines().take_while(|line| !line.contains("To run it again")) {
                assert!(line.chars().count() <= width, "{args:?} at {width}: {line}");
            }
        }
    }
}

/// A terminal that does not know its size, as under some debuggers and in containers, counts as one of 80
/// columns.
#[test]
fn a_terminal_of_no_size_is_one_of_80_columns() {
    let line = format!("stty cols 0 rows 0; '{}' claims udp", env!("CARGO_BIN_EXE_faultwire"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).env_remove("COLUMNS");
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            require::skipped("script", format_args!("it cannot be started ({error}): install bsdutils"));
            return;
        }
    };
    let said = text(output.stdout);
    let widest = said.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
    assert!((70..=80).contains(&widest), "{widest}: {said}");
}
