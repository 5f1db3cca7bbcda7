//! What stands in the command's way: no threads, no room, files that are none, results that would overwrite
//! the plan.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{SMALL, faultwire, require, run, text};

const PLAN: &str = "format = 1\nscenario = \"udp-numbered\"\n[[fault]]\ndirection = \"client->server\"\n\
                    packet = { class = \"datagram\", nth = 2 }\naction = \"drop\"\n";

fn folder() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = dir.path().join("plan.toml");
    fs::write(&plan, PLAN).expect("written");
    (dir, plan.to_str().expect("UTF-8").to_owned())
}

/// The command with no thread but its first: as somebody whose processes are as many as allowed.
#[cfg(target_os = "linux")]
fn without_threads(dir: &Path, args: &[&str]) -> Option<std::process::Output> {
    use std::os::unix::fs::PermissionsExt as _;
    // Whoever it runs as must be allowed to read it.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("its mode");
    let program = dir.join("faultwire");
    // Another process copies it: what a test starts may inherit a file that is open for writing here, and the
    // system starts no such file.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_faultwire")).arg(&program).status();
    assert!(copied.expect("cp, of POSIX").success());
    // root has no such limit. 60 001 is nobody who has other processes.
    let nobody = ["setpriv", "--reuid=60001", "--regid=60001", "--clear-groups"];
    let before: &[&str] = if rustix::process::geteuid().is_root() { &nobody } else { &["env"] };
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).args(["prlimit", "--nproc=1"]);
    command.arg(&program).args(args).stdin(Stdio::null()).env_remove("FAULTWIRE_LOG").env("NO_COLOR", "1");
    match command.output() {
        Ok(output) if !text(output.stderr.clone()).starts_with("setpriv:") => Some(output),
        Ok(output) => {
            require::skipped("setpriv", text(output.stderr));
            None
        }
        Err(error) => {
            require::skipped("setpriv", format_args!("it cannot be started ({error}): install util-linux"));
            None
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn work_is_done_where_no_thread_can_be_started() {
    let (dir, plan) = folder();
    fs::set_permissions(&plan, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("its mode");
    for args in
        [&SMALL[..], &["replay", &plan], &["shrink", &plan], &["mutants", "--help"], &["lesson", "run", "0"]]
    {
        let Some(output) = without_threads(dir.path(), args) else { return };
        let (code, stderr) = (output.status.code(), text(output.stderr));
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        if args == SMALL {
            let stdout = text(output.stdout);
            assert!(stdout.contains("All as claimed."), "{stdout}");
            assert!(stderr.contains("cannot listen for Ctrl-C"), "it was without threads: {stderr}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_needs_threads_says_that_the_machine_has_none() {
    let (dir, _) = folder();
    // Where anybody may write.
    let open = dir.path().join("open");
    fs::create_dir(&open).expect("made");
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("its mode");
    let out = open.join("plan.toml");
    let out = ["--out", out.to_str().expect("UTF-8")];
    let pair = ["--server", "sleep 9", "--client", "true"];
    let lesson = [&["lesson", "check", "1", "--testbed", "relay"], &pair[..]].concat();
    let commands = [
        [&["lab"], &pair[..]].concat(),
        [&["lab", "search"], &pair[..], &out[..]].concat(),
        vec!["compare"],
        vec!["verify", "--testbed", "lab"],
        lesson,
    ];
    for args in commands {
        let Some(output) = without_threads(dir.path(), &args) else { return };
        let (code, stderr) = (output.status.code(), text(output.stderr));
        assert_eq!(code, Some(3), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked") && stderr.contains("error: "), "{args:?}: {stderr}");
    }
}

#[cfg(unix)]
fn fifo(dir: &Path) -> String {
    let path = dir.join("fifo.toml");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo, of POSIX").success());
    path.to_str().expect("UTF-8").to_owned()
}

#[cfg(unix)]
#[test]
fn a_fifo_is_no_plan() {
    let (dir, plan) = folder();
    let fifo = fifo(dir.path());
    for args in [["replay", &fifo], ["shrink", &fifo], ["replay", "/dev/null"]] {
        let output = run(&args);
        let stderr = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("not a regular file"), "{stderr}");
    }
    // In a folder it is one wrong file beside the others.
    let output = run(&["replay", "--all", dir.path().to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(output.stdout).contains("not a regular file"));
    // A result that nobody reads is refused too.
    let output = run(&["replay", &plan, "--svg", &fifo]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn no_result_is_written_over_the_plan_or_over_another() {
    let (dir, plan) = folder();
    let other = dir.path().join("other");
    let other = other.to_str().expect("UTF-8");
    let link = dir.path().join("link.toml");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&plan, &link).expect("a link");
    #[cfg(not(unix))]
    fs::hard_link(&plan, &link).expect("a link");
    let link = link.to_str().expect("UTF-8");
    for args in [
        &["replay", &plan, "--svg", &plan][..],
        &["replay", &plan, "--pcapng", &plan],
        &["replay", &plan, "--pcapng", link],
        &["replay", &plan, "--pcapng", other, "--svg", other],
        &["shrink", &plan, "--out", &plan],
        &["relay", "--plan", &plan, "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--trace", &plan],
    ] {
        let output = run(args);
        let stderr = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("would be written over"), "{args:?}: {stderr}");
        assert_eq!(fs::read_to_string(&plan).expect("it is there"), PLAN, "{args:?}");
        assert!(!Path::new(other).exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_is_no_internal_fault() {
    let full = || fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    for args in [&["claims"][..], &["claims", "--format", "json"], &["--help"], &["scenarios"], &SMALL] {
        let output = faultwire(args).stdout(full()).output().expect("the command starts");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let stderr = text(faultwire(&["claims"]).stdout(full()).output().expect("it starts").stderr);
    assert!(stderr.contains("cannot write the result to stdout"), "{stderr}");
    let args: Vec<&str> = SMALL.into_iter().chain(["--out", "/dev/full"]).collect();
    assert_eq!(run(&args).status.code(), Some(2));
}

#[test]
fn a_filter_of_logs_that_is_none_is_refused() {
    let with = |filter: &str| {
        faultwire(&["claims", "udp"]).env("FAULTWIRE_LOG", filter).output().expect("it starts")
    };
    for filter in ["nonsense", "faultwire=loud", "debug,", "WARN,nonsense"] {
        let output = with(filter);
        let stderr = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{filter}: {stderr}");
        assert!(stderr.contains("expected off, error, warn, info, debug or trace"), "{stderr}");
    }
    for filter in ["", "off", "debug", "faultwire=debug,warn"] {
        assert_eq!(with(filter).status.code(), Some(0), "{filter}");
    }
}
