//! Ctrl-C: long work ends with the results so far.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use faultwire::fault::FaultPlan;
use tempfile::TempDir;

/// A command at work, which listens for Ctrl-C by now.
struct Work {
    child: Child,
    stderr: BufReader<ChildStderr>,
    _dir: TempDir,
}

impl Work {
    fn start(args: &[&str]) -> Work {
        let dir = TempDir::new().expect("a directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_faultwire"))
            .args(args)
            .current_dir(dir.path())
            .env("FAULTWIRE_LOG", "faultwire=debug")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_MANIFEST_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut work = Work { child, stderr, _dir: dir };
        work.wait_for("Ctrl-C ends the work");
        work
    }

    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).expect("text"), 0, "it ended without: {words}");
        }
    }

    fn press(&self) {
        self.signal("INT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
    }

    /// Its exit code, and what it said on stdout.
    #[expect(
        clippy::disallowed_methods,
        reason = "both pipes are read at once, or the command waits forever"
    )]
    fn end(&mut self) -> (Option<i32>, String) {
        let mut stdout = self.child.stdout.take().expect("piped");
        let reader = thread::spawn(move || {
            let mut said = String::new();
            stdout.read_to_string(&mut said).map(|_| said)
        });
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).expect("text");
        let code = self.child.wait().expect("it ends").code();
        (code, reader.join().expect("no panic").expect("text"))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_verification_ends_with_the_rows_that_it_has() {
    let mut work = Work::start(&["verify", "--thorough", "--testbed", "virtual", "--format", "json"]);
    work.press();
    work.wait_for("interrupted: here are the results so far");
    let (code, stdout) = work.end();
    assert_eq!(code, Some(130), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("JSON, whole");
    let rows = report["results"].as_array().expect("rows");
    assert_eq!(rows.len(), faultwire_conformance::claim::CLAIMS.len());
    let cut: Vec<_> = rows
        .iter()
        .filter(|row| row["why"].as_str().is_some_and(|why| why.starts_with("interrupted: ")))
        .collect();
    assert!(!cut.is_empty(), "a thorough search takes longer than that: {stdout}");
    assert!(cut.iter().all(|row| row["outcome"] == "skipped"), "{cut:?}");
}

#[test]
fn sigterm_ends_work_with_its_results_too() {
    for args in [&["verify", "--thorough", "--testbed", "virtual"][..], &["mutants"]] {
        let mut work = Work::start(args);
        work.signal("TERM");
        work.wait_for("interrupted: here are the results so far");
        let (code, stdout) = work.end();
        assert_eq!(code, Some(130), "{stdout}");
        assert!(stdout.contains("INTERRUPTED") || args == ["mutants"], "{stdout}");
    }
}

#[test]
fn mutants_that_were_not_tried_are_not_missed() {
    let mut work = Work::start(&["mutants"]);
    work.press();
    let (code, stdout) = work.end();
    assert_eq!(code, Some(130), "{stdout}");
    assert!(stdout.contains("not tried to the end") && stdout.contains("\nINTERRUPTED: "), "{stdout}");
    assert!(!stdout.contains("MISSED"), "{stdout}");
}

#[test]
fn a_shrinking_gives_the_smallest_plan_so_far() {
    let dir = TempDir::new().expect("a directory");
    let plan = dir.path().join("plan.toml");
    let mut text = "format = 1\nscenario = \"udp-numbered\"\n".to_owned();
    for nth in 1..=4 {
        let packet = format!("packet = {{ class = \"datagram\", nth = {nth} }}");
        text += &format!("[[fault]]\ndirection = \"client->server\"\n{packet}\naction = \"drop\"\n");
    }
    std::fs::write(&plan, text).expect("a file");
    // A run over real sockets takes its time.
    let mut work = Work::start(&["shrink", plan.to_str().expect("UTF-8"), "--testbed", "relay"]);
    work.wait_for("the plan shows what it has to");
    work.press();
    let (code, stdout) = work.end();
    assert_eq!(code, Some(130), "{stdout}");
    assert!(stdout.contains("INTERRUPTED: there may be smaller ones"), "{stdout}");
    let smallest = FaultPlan::parse(&stdout, "stdout").expect("a plan");
    assert_eq!(smallest.claim.as_deref(), Some("udp/may-lose"));
    assert!(!smallest.faults.is_empty());
}

#[test]
fn measurements_that_were_not_made_are_not_told() {
    let mut work = Work::start(&["lesson", "throughput"]);
    work.press();
    let (code, stdout) = work.end();
    assert_eq!(code, Some(130), "{stdout}");
    assert!(stdout.contains("INTERRUPTED: ") && !stdout.contains("fairness"), "{stdout}");
}

#[test]
fn the_second_one_ends_it_at_once() {
    let mut work = Work::start(&["verify", "--thorough", "--testbed", "virtual"]);
    work.press();
    work.wait_for("interrupted: ");
    work.press();
    assert_eq!(work.end().0, Some(130));
}
