//! `faultwire shrink`: what it prints, where it puts the plan, how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use faultwire::fault::FaultPlan;
use tempfile::TempDir;

/// A place of its own, with a plan in it.
struct Place {
    dir: TempDir,
    plan: PathBuf,
}

impl Place {
    /// A plan with a claim (or none) and an action for each of some datagrams.
    fn new(scenario: &str, claim: &str, faults: &[(u32, &str)]) -> Place {
        let dir = TempDir::new().expect("a directory");
        let claim = if claim.is_empty() { String::new() } else { format!("claim = \"{claim}\"\n") };
        let mut text = format!("format = 1\nscenario = \"{scenario}\"\n{claim}");
        for (nth, action) in faults {
            let packet = format!("packet = {{ class = \"datagram\", nth = {nth} }}");
            text += &format!("[[fault]]\ndirection = \"client->server\"\n{packet}\naction = {action}\n");
        }
        let plan = dir.path().join("plan.toml");
        std::fs::write(&plan, text).expect("a file");
        Place { dir, plan }
    }

    /// Runs the command there: its exit code and all that it says.
    fn run(&self, command: &str, plan: &Path, more: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_faultwire"))
            .arg(command)
            .arg(plan)
            .args(more)
            .current_dir(self.dir.path())
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_MANIFEST_DIR")
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().expect("no signal"), text(output.stdout) + &text(output.stderr))
    }

    fn shrink(&self, more: &[&str]) -> (i32, String) {
        self.run("shrink", &self.plan, more)
    }
}

const FOUR: [(u32, &str); 4] =
    [(1, "{ delay_us = 77000 }"), (2, "\"duplicate\""), (4, "\"drop\""), (99, "\"drop\"")];

#[test]
fn the_path_and_the_plan_are_one_plan_file() {
    let place = Place::new("udp-numbered", "udp/may-lose", &FOUR);
    let (code, said) = place.shrink(&[]);
    assert_eq!(code, 0, "{said}");
    let plan = FaultPlan::parse(&said, "stdout").expect("a plan");
    assert_eq!(plan.faults.len(), 1);
    // Nothing is left but that: no file was asked for.
    assert_eq!(std::fs::read_dir(place.dir.path()).expect("a folder").count(), 1);
    assert!(said.contains("# replay: faultwire replay - --testbed virtual/faultwire\n"), "{said}");
    let saved = place.dir.path().join("saved.toml");
    std::fs::write(&saved, &said).expect("written");
    let (code, replayed) = place.run("replay", &saved, &[]);
    assert_eq!(code, 0, "{replayed}");
    assert!(replayed.contains("\nstill witnesses it: udp/may-lose: "), "{replayed}");
    let here = place.dir.path().canonicalize().expect("a path");
    let said = said.replace(here.to_str().expect("UTF-8"), "DIR");
    insta::assert_snapshot!(said.replace(place.dir.path().to_str().expect("UTF-8"), "DIR"));
}

#[test]
fn a_file_gets_the_plan_alone() {
    let place = Place::new("udp-numbered", "", &FOUR);
    let (code, said) = place.shrink(&["--claim", "udp/may-duplicate", "--out", "small.toml", "--seed", "3"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.ends_with("replay: faultwire replay small.toml --testbed virtual/faultwire --seed 3\n"),
        "{said}"
    );
    let text = std::fs::read_to_string(place.dir.path().join("small.toml")).expect("the file");
    let plan = FaultPlan::parse(&text, "small.toml").expect("a plan");
    assert_eq!((plan.to_toml(), plan.claim.as_deref()), (text, Some("udp/may-duplicate")));
}

#[test]
fn what_shows_nothing_is_not_shrunk() {
    let place = Place::new("udp-numbered", "udp/may-lose", &FOUR[..2]);
    let (code, said) = place.shrink(&[]);
    assert_eq!(code, 1, "{said}");
    let why = "its run came to its end, and neither shows nor breaks udp/may-lose";
    assert_eq!(said, format!("it shows nothing on virtual/faultwire: {why}\n"));
}

#[test]
fn wrong_usage() {
    let place = Place::new("udp-numbered", "", &FOUR);
    for (more, said) in [
        (["--claim", "tcp/reset"], "says nothing of the claim `tcp/reset`"),
        (["--runs", "0"], "0 is not in 1..=1000000"),
        (["--testbed", "loopback"], "the testbed loopback/linux carries no faults"),
        (["--scenario", "udp-numberd"], "did you mean `udp-numbered`?"),
    ] {
        let (code, all) = place.shrink(&more);
        assert_eq!(code, 2, "{all}");
        assert!(all.contains(said), "{said}: {all}");
    }
}

#[test]
fn where_runs_do_not_repeat_the_smallest_plan_is_run_again() {
    let place = Place::new("udp-numbered", "udp/may-lose", &[(1, "\"drop\""), (3, "\"duplicate\"")]);
    let (code, said) = place.shrink(&["--testbed", "relay"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("# run again, it shows it in 10 of 10 runs: runs there do not repeat\n"), "{said}");
    assert_eq!(FaultPlan::parse(&said, "stdout").expect("a plan").faults.len(), 1);
}
