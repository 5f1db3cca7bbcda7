//! A host's stack in a process: what runs over it, and what becomes of a run whose process misbehaves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use faultwire::fault::{Action, Class, EventKind, FaultPlan, Packet, When};
use faultwire::program::{Limits, bind, udp};
use faultwire_sim::process::Program;
use faultwire_sim::{End, Scenario, scenario, testbed};

/// The stack of both hosts, or of the server alone.
fn over(scenario: Scenario, program: &Program, is_server_alone: bool) -> Scenario {
    let program = program.clone();
    scenario.stack(move |host| match is_server_alone && !host.is_server {
        true => host.faultwire(),
        false => program.stack(host.config),
    })
}

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output();
    let missing = |error: &_| crate::require::skipped("python3", format_args!("{error}: install it"));
    found.inspect_err(missing).is_ok()
}

fn stacks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/stacks")
}

/// A client that has four datagrams echoed, and tells how many were not.
fn udp_echo() -> Scenario {
    scenario("udp echo")
        .server(|net| async move {
            let socket = bind(&net, "0.0.0.0:7000").await?;
            udp::echo_server(&net, &socket, &Limits::default(), std::future::pending()).await.map(drop)
        })
        .client(|net| async move {
            let mut client = udp::Client::connect(&net, "server:7000", Duration::from_millis(200)).await?;
            let mut lost = 0;
            for number in 0..4_u8 {
                lost += u32::from(client.echo(&[number; 100]).await.is_err());
            }
            if lost == 0 { Ok(()) } else { Err(format!("{lost} lost").into()) }
        })
}

#[test]
fn a_stack_of_150_lines_of_python_is_a_host() {
    if !has_python() {
        return;
    }
    let program = Program::new("udp.py", [Path::new("python3"), &stacks().join("udp.py")]);
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for is_server_alone in [false, true] {
            let scenario = over(udp_echo(), &program, is_server_alone).on(testbed);
            let run = scenario.run(&FaultPlan::default());
            assert_eq!(run.end, End::Finished);
            assert_eq!(run.trace.hash(), scenario.run(&FaultPlan::default()).trace.hash());
            let lost =
                FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, 2), Action::Drop);
            let run = scenario.run(&lost);
            assert!(run.fired.all());
            assert!(matches!(&run.end, End::Failed { message, .. } if message == "1 lost"), "{:?}", run.end);
        }
    }
}

/// A shell script as a stack. It writes the number of its process to a file: this, and the file.
fn shell(script: &str, home: &Path) -> (Program, PathBuf) {
    let words = ["sh", "-c", &format!("echo $$ >>\"$0\"; {script}")].map(OsString::from);
    let pids = home.join("pids");
    (Program::new("hostile", words.into_iter().chain([pids.clone().into()])), pids)
}

/// What stands in the file of [`shell`].
fn pids(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_process_serves_one_host_after_another_and_ends_with_its_program() {
    if !has_python() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let script = format!("exec python3 '{}'", stacks().join("udp.py").display());
    let (program, file) = shell(&script, home.path());
    let scenario = over(udp_echo(), &program, false);
    // A server that loses power is a new host, while the process of the old one is still its own.
    let after = |nth| When::after(["client", "server"], Packet::nth(Class::Datagram, nth));
    let crash = FaultPlan::new()
        .event(EventKind::Crash("server".to_owned()), after(2))
        .event(EventKind::Restart("server".to_owned()), after(3));
    for (plan, processes) in [(FaultPlan::new(), 2), (crash, 3)] {
        let hashes: Vec<_> = (0..5).map(|_| scenario.run(&plan).trace.hash()).collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
        assert_eq!(pids(&file).len(), processes);
    }
    let is_running = |pid: &String| Path::new("/proc").join(pid).exists();
    assert!(pids(&file).iter().all(is_running));
    drop((program, scenario));
    assert!(!pids(&file).iter().any(is_running));
}

/// Longer than any of these processes takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// Runs over a process that misbehaves: why the run fails. Nothing is left of the process.
#[expect(clippy::disallowed_methods, reason = "a process has real time")]
fn failed(script: &str, python: &str, patience: Duration) -> String {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("stack.py"), python).unwrap();
    let (program, file) = shell(script, home.path());
    let program = program.patience(patience);
    let begun = Instant::now();
    let run = over(udp_echo(), &program, true).run(&FaultPlan::default());
    assert!(begun.elapsed() < patience + Duration::from_secs(5), "{script}");
    let End::Failed { message: why, .. } = run.end else { panic!("{script}: {:?}", run.end) };
    // A zombie would have its folder there. What the process started is killed too, but for init to wait for:
    // it has no command line once it has ended.
    let pids = pids(&file);
    assert!(!pids.first().is_some_and(|pid| Path::new("/proc").join(pid).exists()), "{script}");
    let runs = |pid: &String| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| !it.is_empty());
    while pids.iter().any(runs) {
        assert!(begun.elapsed() < LONG, "{script}");
    }
    assert!(why.starts_with("its stack cannot go on: hostile (`sh -c"), "{why}");
    assert!(why.len() < 3_000);
    why
}

#[test]
fn a_process_that_misbehaves_is_reported_and_leaves_nothing() {
    for (script, parts) in [
        (
            "echo out of luck >&2; exit 3",
            ["ended its output, at request 1, init; it ended with exit status: 3", "\nout of luck"],
        ),
        ("kill -9 $$", ["ended its output, at request 1, init", "it ended with signal: 9 (SIGKILL)"]),
        ("exec >&-; exec sleep 600", ["ended its output", "it was killed"]),
        (
            "echo hello, world; exec cat >&2",
            ["wrote a frame of 1751477356 bytes, more than 4194304", ": \"hello, world\\n\""],
        ),
        ("exec cat", ["wrote what is no answer", "at request 1, init"]),
        ("printf '\\0\\0\\20'; exec sleep 600", ["gave no answer within 400ms", "it was killed"]),
        ("exec yes", ["more than 4194304: \"y\\ny\\n", "y\\n\"…"]),
        ("exec sleep 600", ["gave no answer within 400ms, at request 1, init; it was killed", ""]),
        ("exec 3<&0; sleep 600 <&3 & echo $! >>\"$0\"; exit 0", ["gave no answer within 400ms", ""]),
        ("yes loud | head -c 200000 >&2", ["ended its output", "loud\nloud"]),
        ("yes loud >&2", ["gave no answer within 400ms", "loud\nloud"]),
        ("exec cat /dev/zero", ["wrote more than one answer", ""]),
    ] {
        let is_silent = parts[0].contains("no answer within");
        let patience = if is_silent { Duration::from_millis(400) } else { LONG };
        let why = failed(script, "", patience);
        assert!(parts.iter().all(|part| why.contains(part)), "{script}: {why}");
    }
}

/// Answers `init`, and then one more request.
const STACK: &str = "
import struct, sys, time

def ask():
    frame = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(4), 'big'))
    return int.from_bytes(frame[:4], 'big')

def answer(number, result=b'', errno=0, changed=0, packets=0):
    frame = struct.pack('>IHQHH', number, errno, 2**64 - 1, changed, packets) + result
    sys.stdout.buffer.write(struct.pack('>I', len(frame)) + frame)
    sys.stdout.buffer.flush()

answer(ask(), bytes([0, 1, 1]))
socket = ask()
";

#[test]
fn an_answer_that_is_none_is_reported() {
    if !has_python() {
        return;
    }
    let no_result = "wrote an answer whose result is not one of this request, at request 2, socket";
    for (act, part) in [
        ("answer(socket, bytes(4)); sys.exit(7)", "at request 3, bind; it ended with exit status: 7"),
        ("answer(socket, bytes(4)); 1 / 0", "ZeroDivisionError: division by zero"),
        ("answer(socket, bytes(3))", no_result),
        ("answer(socket, bytes(5))", no_result),
        ("answer(socket, b'', 9999)", "its error number 9999 is unknown"),
        ("answer(socket, bytes(4), 9)", "after the error 9 comes a result"),
        ("answer(socket, bytes(4), 0, 5000)", "it has 5000 changed descriptors, more than 4096"),
        ("answer(socket, bytes(4), 0, 0, 7)", "it ends before its result"),
        ("answer(socket + 1, bytes(4))", "wrote an answer to request 3, at request 2, socket"),
        ("answer(socket, bytes(4)); answer(socket, bytes(4))", "at request "),
        (
            "answer(socket, bytes(4)); time.sleep(0.1); ask(); answer(socket)",
            "an answer to request 2, at request 3",
        ),
    ] {
        let python = format!("{STACK}{act}\nask()\ntime.sleep(600)\n");
        let why = failed("exec python3 \"${0%pids}stack.py\"", &python, LONG);
        assert!(why.contains(part), "{act}: {why}");
    }
}

#[test]
fn a_program_that_is_not_there_is_reported() {
    let program = Program::new("nothing", ["/no/such/program", "twice"]);
    let end = over(udp_echo(), &program, false).run(&FaultPlan::default()).end;
    let End::Failed { message: why, .. } = end else { panic!("{end:?}") };
    let begins = "its stack cannot go on: nothing (`/no/such/program twice`) cannot be started: ";
    assert!(why.starts_with(begins), "{why}");
}
