//! The crate in `fixtures/example` is written as a user of the library would write it, and stands outside the
//! workspace. Here it is tested as its author would test it: the first store fails and says why, its plan
//! replays, and the mended store holds.

#![cfg(unix)] // The replay line is one for a POSIX shell.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use faultwire::fault::FaultPlan;

/// A build of its own: what it needs is built with other features than here.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/example");

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn example() -> PathBuf {
    root().join("fixtures/example")
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a shell in the example's directory makes of a line.
fn shell(line: &str) -> Output {
    let cargo = Path::new(env!("CARGO"));
    let mut path = OsString::from(cargo.parent().expect("cargo is in a directory"));
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    Command::new("sh")
        .args(["-c", line])
        .current_dir(example())
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", TARGET)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never")
        .env("RUST_BACKTRACE", "0")
        .env_remove("FAULTWIRE_PLAN")
        .env_remove("COLUMNS")
        .output()
        .expect("there is a shell")
}

/// What it printed, of which it failed or succeeded as it should.
fn printed(line: &str, code: i32) -> String {
    let output = shell(line);
    let (out, err) = (&output.stdout, &output.stderr);
    let printed = format!("{}\n{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert_eq!(output.status.code(), Some(code), "{line}\n{printed}");
    printed
}

const SUCCESS: i32 = 0;
const TEST_FAILED: i32 = 101;

#[test]
fn a_store_of_ones_own_fails_with_its_smallest_plan_and_passes_once_mended() {
    // The versions that are here already: nothing needs to be fetched.
    let lock = example().join("Cargo.lock");
    fs::copy(root().join("Cargo.lock"), &lock)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", lock.display()));
    let built = printed("cargo test --no-run", SUCCESS);
    // Here the libraries are built as a user gets them: without the feature that adds deliberate bugs.
    assert!(!built.contains("warning"), "{built}");

    let failed = printed("cargo test naive", TEST_FAILED);
    assert!(failed.contains("test naive_survives_any_two_faults ... FAILED"), "{failed}");
    let (message, replay) = message(&failed);
    let plan = "\n  duplicate client->server datagram 1\n";
    assert!(message.contains(plan), "the smallest plan, in words: {message}");
    let diagram = message.lines().any(|line| {
        line.trim_start().starts_with("ms") && line.contains("client") && line.ends_with("server")
    });
    assert!(diagram, "a column for each host: {message}");
    assert!(message.contains("✱ doubled"), "the fault is in the diagram: {message}");
    assert!(message.contains("right: \"new\""), "what the test said: {message}");
    let readme = text(root().join("README.md"));
    assert!(readme.contains(message), "README.md shows another message than this:\n{message}");

    // The line is there to be pasted.
    let again = printed(replay, TEST_FAILED);
    assert!(again.contains("my-store: it still fails under the plan"), "{again}");
    assert!(again.contains("✱ doubled"), "{again}");
    let mended = replay.replace("naive", "mended");
    assert_ne!(mended, replay);
    for line in [mended.as_str(), "cargo test mended"] {
        let passed = printed(line, SUCCESS);
        assert!(passed.contains("test mended_survives_any_two_faults ... ok"), "{passed}");
    }
}

/// The message of a failed check, and the command that it gives for a replay.
fn message(printed: &str) -> (&str, &str) {
    let begin = printed
        .find("my-store: a plan of faults breaks it")
        .unwrap_or_else(|| panic!("no message: {printed}"));
    let message = &printed[begin..];
    let (message, rest) =
        message.split_once("replay: ").unwrap_or_else(|| panic!("no replay line: {message}"));
    let replay = rest.lines().next().unwrap_or_default();
    assert!(replay.starts_with("FAULTWIRE_PLAN="), "{replay}");
    assert!(replay.ends_with(" cargo test naive_survives_any_two_faults"), "{replay}");
    (message, replay)
}

#[test]
fn the_readmes_plan_is_one() {
    let readme = text(root().join("README.md"));
    let shown = block(&readme, "toml");
    let plan = FaultPlan::parse(shown, "README.md").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.faults.len(), 1, "{shown}");
}

/// The first block of a language.
fn block<'a>(markdown: &'a str, language: &str) -> &'a str {
    let rest = markdown.split_once(&format!("```{language}\n"));
    let block = rest.and_then(|(_, rest)| rest.split_once("```"));
    block.unwrap_or_else(|| panic!("there is no block of {language}")).0
}

#[test]
fn the_readme_shows_the_examples_own_test() {
    let (readme, test) = (text(root().join("README.md")), text(example().join("tests/store.rs")));
    let shown = block(&readme, "rust");
    assert!(shown.contains("faultwire_sim::scenario"), "{shown}");
    assert!(test.contains(shown), "fixtures/example/tests/store.rs has no such test:\n{shown}");
}

#[test]
fn the_readmes_adaptive_socket_is_an_example_that_is_compiled() {
    let (readme, source) = (text(root().join("README.md")), text(root().join("src/adaptive.rs")));
    let after = readme.split_once("## A datagram socket that adapts itself").expect("the section").1;
    let shown: String = block(after, "rust").lines().map(|line| format!("//! {line}\n")).collect();
    assert!(shown.contains("AdaptiveSocket::bind"), "{shown}");
    assert!(
        source.contains(&shown),
        "the documentation of faultwire::adaptive has no such example:\n{shown}"
    );
}
