//! The `faultwire` command from outside: help, wrong arguments, formats, exit codes, pipes.

#[path = "../../../src/require.rs"]
mod require;

#[path = "cli/impair.rs"]
mod impair;
#[path = "cli/lists.rs"]
mod lists;
#[path = "cli/lwip.rs"]
mod lwip;
#[path = "cli/third_party.rs"]
mod third_party;
#[path = "cli/trouble.rs"]
mod trouble;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command, away from anything that this terminal says of colours and widths.
fn faultwire(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
    command.args(args).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "FAULTWIRE_LOG"] {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    faultwire(args).output().expect("the command starts")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// What a wrong line is answered with: nothing on stdout, and the exit code of wrong usage.
fn refused(args: &[&str]) -> String {
    let output = run(args);
    let shown = args.join(" ");
    assert_eq!(output.status.code(), Some(2), "{shown}: {output:?}");
    assert_eq!(text(output.stdout), "", "{shown}");
    format!("$ faultwire {shown}\n{}\n", text(output.stderr))
}

fn all_refused(lines: &[&[&str]]) -> String {
    lines.iter().map(|line| refused(line)).collect()
}

#[test]
fn help() {
    let parts = [
        "",
        "verify",
        "claims",
        "explain",
        "replay",
        "shrink",
        "testbeds",
        "scenarios",
        "impair",
        "mutants",
        "serve",
        "call",
        "relay",
        "lab",
        "lab search",
        "compare",
        "lesson",
        "lesson run",
        "lesson start",
        "lesson check",
        "lesson hint",
        "lesson overview",
        "lesson throughput",
    ];
    for part in parts {
        let args: Vec<&str> = part.split_whitespace().chain(["--help"]).collect();
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0));
        let help = text(output.stdout);
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        insta::assert_snapshot!(format!("help_{}", part.replace(' ', "_")), help);
    }
}

/// What was requested by name and was tried nowhere is no success.
#[test]
fn a_name_of_which_nothing_was_tried_is_no_success() {
    let lines: [(&[&str], &[&str]); 4] = [
        // It looks at packets, or takes a fault: the loopback interface shows none and carries none.
        (&["tcp/initial-window"], &["tcp/initial-window", "loopback"]),
        (&["tcp/listens-and-connects", "udp/may-lose"], &["udp/may-lose"]),
        (&["udp/may-lose", "--format", "json"], &["udp/may-lose", "loopback"]),
        // Where one claim of a family is tried the family is, too.
        (&["udp"], &[]),
    ];
    for (args, untried) in lines {
        let args = [&["verify", "--testbed", "loopback"], args].concat();
        let output = run(&args);
        let code = if untried.is_empty() { 0 } else { 3 };
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let told = text(output.stderr);
        for name in ["tcp/listens-and-connects", "tcp/initial-window", "udp/may-lose", "loopback"] {
            let is_told = told.contains(&format!("{name}: nothing was tried: it "));
            assert_eq!(is_told, untried.contains(&name), "{args:?}: {name}: {told}");
        }
        let table = text(output.stdout);
        assert_eq!(table.contains("All as claimed"), untried.is_empty(), "{args:?}: {table}");
    }
}

#[test]
fn wrong_words() {
    insta::assert_snapshot!(all_refused(&[
        &["verfy"],
        &["--seed", "3"],
        &["verify", "--sede", "3"],
        &["verify", "--seed", "three"],
        &["verify", "--seed=-1"],
        &["verify", "--cases", "99999999999"],
        &["verify", "--format", "xml"],
    ]));
}

#[test]
fn wrong_names() {
    insta::assert_snapshot!(all_refused(&[
        &["verify", "udp/may-loose"],
        &["verify", "may-los"],
        &["claims", "sctp"],
        &["explain", "udp/may-loose"],
        &["explain", "zzzz"],
        &["explain"],
        &["verify", "--testbed", "vitual"],
        &["lesson", "show", "sequence-nubmers"],
        &["verify", "--testbed", "wire"],
        &["verify", "--testbed"],
    ]));
}

#[test]
fn wrong_values() {
    insta::assert_snapshot!(all_refused(&[
        &["claims", "--format", "yaml"],
        &["replay"],
        &["testbeds", "loopback"],
        &["mutants", "--seed", ""],
        &["verify", "udp/size-limit", "--testbed", "virtual", "--cases", "0", "--out", "/no/such/dir/x"],
    ]));
}

const OF_A_LAB: &str = "format = 1\n[lab]\nserver = \"python3 a.py\"\nclient = \"python3 b.py {server}\"\n";

const UNKNOWN_HOST: &str = r#"format = 1
[[fault]]
direction = "clinet->server"
packet = { class = "datagram", nth = 1 }
action = "drop"
"#;

#[test]
fn wrong_plans() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused_plan = |name: &str, content: Option<&str>, more: &[&str]| {
        let path = dir.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).expect("a file");
        }
        let args: Vec<&str> = ["replay", path.to_str().expect("UTF-8")].iter().chain(more).copied().collect();
        let shown = refused(&args).replace(dir.path().to_str().expect("UTF-8"), "DIR");
        // The scenarios that there are: a list that grows.
        match shown.split_once("there are:") {
            Some((before, _)) => format!("{before}there are: …\n\n"),
            None => shown,
        }
    };
    let shown = [
        refused_plan("missing.toml", None, &[]),
        refused_plan("typo.toml", Some("format = 1\n[[fault]]\ndirecton = \"client->server\"\n"), &[]),
        refused_plan("empty.toml", Some(""), &[]),
        refused_plan("binary.toml", Some("\0\0\0"), &[]),
        refused_plan("no-scenario.toml", Some("format = 1\n"), &[]),
        refused_plan("own-test.toml", Some("format = 1\nscenario = \"my-store\"\n"), &[]),
        refused_plan("lab.toml", Some(OF_A_LAB), &[]),
        refused_plan("lab-of-a-test.toml", Some(&format!("scenario = \"my-store\"\n{OF_A_LAB}")), &[]),
        refused_plan("host.toml", Some(UNKNOWN_HOST), &["--scenario", "udp-numbered"]),
        refused_plan("other.toml", Some("format = 1\n"), &["--scenario", "no-such-scenario"]),
    ];
    insta::assert_snapshot!(shown.concat());
}

#[test]
fn the_list_of_claims_in_the_documents_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CLAIMS.md");
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let made = text(run(&["claims", "--format", "markdown"]).stdout);
    assert!(written == made, "out of date: cargo run -- claims --format markdown > conformance/CLAIMS.md");
}

#[test]
fn claims_as_json() {
    let output = run(&["claims", "udp/may-lose", "udp/nothing-altered", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(text(output.stdout));
}

#[test]
fn claims_for_people() {
    let output = run(&["claims", "udp/nothing-altered", "tcp/no-boundaries"]);
    insta::assert_snapshot!(text(output.stdout));
}

#[test]
fn testbeds_are_listed() {
    let output = run(&["testbeds"]);
    assert_eq!(output.status.code(), Some(0));
    let list = text(output.stdout);
    for name in [
        "virtual/faultwire",
        "turmoil/faultwire",
        "turmoil/turmoil",
        "loopback/linux",
        "relay/linux",
        "lab/linux\n",
        "lab/faultwire-linux\n",
        "lab/linux-faultwire\n",
    ] {
        assert!(list.contains(name), "{name}: {list}");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
}

/// Each profile with the number of its settings and what this kernel does not take of them; each setting with
/// its reason.
#[test]
#[cfg(target_os = "linux")]
fn profiles_of_the_lab_are_listed() {
    let list = text(run(&["testbeds", "--settings"]).stdout);
    let (_, lab) = list.split_once("\nlab/linux-faultwire\n").expect("the lab is in the list");
    if lab.contains("NOT available") {
        return;
    }
    for profile in faultwire::lab::Profile::ALL {
        let heading = format!("    profile {profile}: {} settings", profile.pins().len());
        let (_, said) = lab.split_once(&heading).unwrap_or_else(|| panic!("{heading}: {lab}"));
        assert!(said.contains("absent here: "), "{lab}");
        for pin in profile.pins() {
            assert!(said.contains(&format!("{} = {}", pin.name, pin.value)), "{}: {said}", pin.name);
        }
    }
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert!(!text(run(&["testbeds"]).stdout).contains("ipv4/tcp_retries2"));
}

/// One small verification, for what must be true of every one.
const SMALL: [&str; 8] =
    ["verify", "udp/no-connection", "--testbed", "virtual", "--cases", "0", "--seed", "5"];

#[test]
fn piped_output_has_neither_colour_nor_bar() {
    let output = run(&SMALL);
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(stdout.contains("no-connection"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn a_result_as_json_keeps_to_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("report.json");
    let path = file.to_str().expect("UTF-8");
    let args: Vec<&str> = SMALL.into_iter().chain(["--format", "json", "--out", path]).collect();
    let output = run(&args);
    assert_eq!(text(output.stdout), "");
    let told = "All as claimed. 1 held, 0 witnessed, 0 expected failures, 0 skipped.";
    assert_eq!(text(output.stderr), format!("{told} Written to {path}\n"));
    let report = std::fs::read_to_string(&file).expect("the file");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["format"], &report["seed"]), (&1.into(), &5.into()));
    let row = report["results"][0].as_object().expect("a row");
    let keys: Vec<&str> = row.keys().map(String::as_str).collect();
    let contract = "claim modality testbed subject outcome expected_failure why exhaustive random exercised \
                    faults_planned faults_fired plan elapsed_ms";
    assert_eq!(keys.join(" "), contract);
    assert_eq!((&row["claim"], &row["testbed"]), (&"udp/no-connection".into(), &"virtual".into()));
}

#[test]
fn a_page_is_announced_with_the_verdict_and_its_address() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("my report.html");
    let path = path.to_str().expect("UTF-8");
    let output = run(&SMALL.into_iter().chain(["--format", "html", "--out", path]).collect::<Vec<_>>());
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(stdout, "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("All as claimed. 1 held, "), "{stderr}");
    assert!(stderr.contains(" The page: ") && stderr.trim_end().ends_with("report.html"), "{stderr}");
    // For a program there is the result alone on stdout, whole.
    let output = run(&SMALL.into_iter().chain(["--format", "junit"]).collect::<Vec<_>>());
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(stdout.starts_with("<?xml") && stdout.trim_end().ends_with("</testsuites>"), "{stdout}");
    assert_eq!(stderr, "All as claimed. 1 held, 0 witnessed, 0 expected failures, 0 skipped.\n");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = faultwire(&["claims", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // Nobody reads.
    drop(child.stdout.take());
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("piped");
    pipe.read_to_string(&mut stderr).expect("UTF-8");
    let status = child.wait().expect("it ends");
    assert_eq!((stderr.as_str(), status.code()), ("", Some(0)));
}

#[test]
fn a_page_is_not_written_to_a_terminal() {
    let line = format!(
        "'{}' verify udp/size-limit --testbed virtual --format html",
        env!("CARGO_BIN_EXE_faultwire")
    );
    let output = match Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output()
    {
        Ok(output) => output,
        Err(error) => {
            require::skipped("script", format_args!("it cannot be started ({error}): install bsdutils"));
            return;
        }
    };
    let said = text(output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("a page of HTML is not for a terminal") && said.contains("--out report.html"),
        "{said}"
    );
}
