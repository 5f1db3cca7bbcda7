//! `faultwire lab search` from outside: what it finds in the beginners' programs, that it finds nothing in
//! right ones, and that nothing of it is left behind. And `faultwire lab` with programs that are not ours.
//!
//! Where the machine refuses a lab, or has no python3, nc or curl, each test is skipped with the reason, or
//! fails if FAULTWIRE_REQUIRE names it.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "a test that counts prints the count")]

#[path = "../../../src/require.rs"]
mod require;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use faultwire::fault::FaultPlan;

#[path = "lab_search/crashes.rs"]
mod crashes;
#[path = "lab_search/ended.rs"]
mod ended;
#[path = "lab_search/outages.rs"]
mod outages;
#[path = "lab_search/real.rs"]
mod real;
#[path = "lab_search/server.rs"]
mod server;

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// How often a found plan is replayed.
const REPLAYS: usize = 10;
/// How many of those go on side by side.
const SIDE_BY_SIDE: usize = 2;

/// Two commands.
#[derive(Clone, Debug)]
struct Pair {
    server: String,
    client: String,
}

impl Pair {
    /// A pair of `fixtures/programs`.
    fn of_python(name: &str) -> Pair {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/programs").join(name);
        // Itself: `python3` may be a script that looks for it first, each time. -S: without the machine's
        // packages, which may take long to look through.
        let itself = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let itself = text(&itself.expect("python3").stdout);
        let python = |file: &str| format!("'{}' -S '{}'", itself.trim_end(), folder.join(file).display());
        Pair { server: python("server.py"), client: format!("{} {{server}}", python("client.py")) }
    }

    /// An echo server and a client that asks it once.
    fn of_echo(message: &str) -> Pair {
        Pair {
            server: format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000"),
            client: format!("{FAULTWIRE} call udp-echo {{server}}:7000 --message {message}"),
        }
    }

    /// `faultwire lab` with it.
    fn lab(&self, more: &[&str]) -> Command {
        self.command(&["lab"], more)
    }

    /// `faultwire lab search` with it.
    fn search(&self, more: &[&str]) -> Command {
        self.command(&["lab", "search"], more)
    }

    fn command(&self, words: &[&str], more: &[&str]) -> Command {
        let mut command = Command::new(FAULTWIRE);
        command.args(words).args(["--server", &self.server, "--client", &self.client]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Whether this machine has a lab and these tools; says what is missing.
fn can(tools: &[(&str, &str)]) -> bool {
    for (tool, argument) in tools {
        let found = Command::new(tool).arg(argument).stdin(Stdio::null()).output();
        if let Err(error) = found {
            require::skipped(tool, format_args!("it cannot be started ({error}): install it"));
            return false;
        }
    }
    let output = Pair::of_echo("there").lab(&[]).output().expect("the command starts");
    if output.status.code() == Some(3) {
        require::skipped("lab", text(&output.stderr).trim_end());
        return false;
    }
    assert!(output.status.success(), "{output:?}");
    true
}

const PYTHON: (&str, &str) = ("python3", "-V");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scratch() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    let name = plan.to_str().expect("text").to_owned();
    (folder, plan, name)
}

/// The search finds a plan of one fault, and the plan makes the client fail when it is replayed.
fn is_found(name: &str, timeout: &str) {
    if !can(&[PYTHON]) {
        return;
    }
    let pair = Pair::of_python(name);
    let (_folder, path, plan) = scratch();
    let output = pair
        .search(&["--out", &plan, "--timeout", timeout, "--cases", "0"])
        .output()
        .expect("the command starts");
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}\n{told}");
    let rate = said.lines().find(|line| line.starts_with("fails ")).expect("it says how often");
    eprintln!("{name}: {rate}");
    for expected in ["✱ fault of the plan", "found by a plan of one fault ", "runs"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let written = FaultPlan::read(&path).expect("a plan");
    assert_eq!(written.faults.len(), 1, "{written:?}");
    assert!(said.contains(&format!("\n  {}\n", written.faults[0])), "{said}");
    assert!(written.title.is_some_and(|title| title.starts_with("the client ")));

    let mut failed = 0;
    for batch in (0..REPLAYS).collect::<Vec<_>>().chunks(SIDE_BY_SIDE) {
        let replay =
            |_: &usize| pair.lab(&["--plan", &plan, "--timeout", timeout]).spawn().expect("it starts");
        let running: Vec<Child> = batch.iter().map(replay).collect();
        for replay in running {
            let Output { status, stdout, .. } = replay.wait_with_output().expect("it is ours");
            let took_place = text(&stdout).contains("1 of 1 took place");
            failed += usize::from(!status.success() && took_place);
        }
    }
    eprintln!("{name}: replayed with `faultwire lab --plan`, it failed {failed} of {REPLAYS} times");
    assert!(failed >= 9, "{failed} of {REPLAYS}: {said}");
}

#[test]
fn a_client_that_waits_for_ever_is_found() {
    // As long as a busy machine may take to start Python, and more.
    is_found("no-timeout", "5");
}

#[test]
fn a_request_that_is_done_twice_is_found() {
    is_found("retry-without-numbers", "10");
}

#[test]
fn an_order_that_is_taken_for_granted_is_found() {
    is_found("assumes-order", "10");
}

#[test]
fn a_wait_that_is_shorter_than_the_kernels_is_found() {
    is_found("impatient", "10");
}

#[test]
fn nothing_is_found_in_a_right_pair() {
    if !can(&[PYTHON]) {
        return;
    }
    let (_folder, path, plan) = scratch();
    let search =
        Pair::of_python("right-udp").search(&["--out", &plan, "--timeout", "20", "--cases", "0"]).output();
    let output = search.expect("the command starts");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", text(&output.stderr));
    let tried = "nothing found: both programs succeed under 72 of 72 plans of one fault on 6 packets";
    assert!(said.starts_with(tried), "{said}");
    let not_tried = "; not tried: changed packets, rejected packets, crashes, killed programs, restarts, \
                     injected packets, two or more faults at once and random plans\n";
    assert!(said.contains(not_tried), "{said}");
    assert!(!path.exists());
}

#[test]
fn random_plans_of_several_faults_are_tried() {
    if !can(&[]) {
        return;
    }
    // Succeeds unless both of its datagrams get lost, and no outage is long enough for that.
    let pair = Pair {
        client: format!(
            "{FAULTWIRE} call udp-echo {{server}}:7000 --timeout 0.1 || \
             {{ sleep 1.4; {FAULTWIRE} call udp-echo {{server}}:7000 --timeout 0.1; }}"
        ),
        ..Pair::of_echo("there")
    };
    let (_folder, path, plan) = scratch();
    let output = pair.search(&["--out", &plan, "--cases", "200"]).output().expect("the command starts");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}\n{}", text(&output.stderr));
    assert!(said.contains("found by a random plan of "), "{said}");
    assert_eq!(FaultPlan::read(&path).expect("a plan").faults.len(), 2, "{said}");
}

#[test]
fn a_pair_that_does_not_work_is_not_searched() {
    if !can(&[]) {
        return;
    }
    let echo = Pair::of_echo("there");
    let failing = Pair { client: "echo no luck; exit 7".to_owned(), ..echo.clone() };
    let silent = Pair { client: "true".to_owned(), ..echo.clone() };
    let absent = Pair { server: "exit 3".to_owned(), ..echo };
    for (pair, complaint) in [
        (failing, "error: without any fault the client exits with 7: it has to exit with 0\n"),
        (absent, "error: without any fault, the server ended before it listened: exit status: 3\n"),
        (
            silent,
            "error: no packet goes between the two that a fault could hit: does the client call {server}?\n",
        ),
    ] {
        let output = pair.search(&[]).output().expect("the command starts");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.ends_with(complaint), "{told}");
        assert_eq!(told.contains("client | no luck\n"), pair.client.contains("no luck"), "{told}");
        assert!(!Path::new("failing-plan.toml").exists());
    }
}

#[test]
fn the_programs_have_the_users_own_identity() {
    if !can(&[]) {
        return;
    }
    const WHO: &str = "id -u; id -g; grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status";
    let pair = Pair { client: WHO.to_owned(), ..Pair::of_echo("there") };
    let inside = pair.lab(&[]).output().expect("the command starts");
    let outside = Command::new("sh").args(["-c", WHO]).output().expect("sh");
    let said = text(&inside.stdout);
    let said: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("client | ")).collect();
    assert_eq!(said, text(&outside.stdout).lines().collect::<Vec<_>>());
}

#[test]
fn a_server_may_have_any_port() {
    if !can(&[]) {
        return;
    }
    let port = |command: String| command.replace(":7000", ":80");
    let Pair { server, client } = Pair::of_echo("there");
    let output = Pair { server: port(server), client: port(client) }.lab(&[]).output();
    let output = output.expect("the command starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_plan_that_cannot_be_written_is_told_of_before_the_search() {
    let output = Pair::of_echo("there").search(&["--out", "/nowhere/plan.toml"]).output();
    let output = output.expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("error: cannot write the plan to /nowhere/plan.toml: "));
}
