//! A client and a server in Python, and worse ones, in a lab or with a relay between them.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::{Learner, contains, has, said};

pub(super) const PYTHON: (&str, &str) = ("python3", "-V");

/// Where a lab is refused, the lab's part of a test says so and is left out.
pub(super) fn testbeds() -> Vec<&'static str> {
    let learner = Learner::new();
    let args = ["check", "0", "--server", "false", "--client", "true", "--testbed", "lab"];
    let output = learner.command(&args).output().expect("the command starts");
    if output.status.code() == Some(3) {
        crate::require::skipped("lab", said(&output).trim());
        return vec!["relay"];
    }
    vec!["relay", "lab"]
}

/// A `python3` that starts soon: Python itself, where the machine's is a script that looks for it each time,
/// and without the packages of the machine, which no lesson needs.
fn python() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let itself = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let itself = itself.map_or_else(|_| Vec::new(), |itself| itself.stdout);
        let made = concat!(env!("CARGO_TARGET_TMPDIR"), "/python/python3");
        // Another process writes it: what a test starts may inherit a file that is open here, and the
        // system starts no such file.
        let write =
            r#"mkdir -p "${2%/*}" && printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$1" >"$2" && chmod 755 "$2""#;
        let itself = String::from_utf8_lossy(&itself);
        let written = Command::new("sh").args(["-c", write, "sh", itself.trim_end(), made]).status();
        assert!(written.expect("sh").success());
        made.to_owned()
    })
}

/// The search path, with that `python3` in front.
pub(super) fn path() -> OsString {
    let place = Path::new(python()).parent().map(Path::to_owned).unwrap_or_default();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(place).chain(std::env::split_paths(&others));
    std::env::join_paths(all.filter(|path| !path.as_os_str().is_empty())).expect("a search path")
}

/// The templates of a lesson fail as they should, and the solutions pass.
fn done_in_python(lesson: &str, when: &str, how: &str) {
    if !has(PYTHON.0, PYTHON.1) {
        return;
    }
    let learner = Learner::new();
    let testbeds = testbeds();
    learner.says(&["start", lesson, "--dir", lesson, "--language", "python"], 0);
    let is_stream = lesson.starts_with('s');
    let carried = || testbeds.iter().filter(|testbed| !is_stream || **testbed == "lab");
    let folder = format!("./{lesson}");
    let check = |testbed, code| {
        let args = ["check", &folder, "--testbed", testbed, "--plans", "1", "--timeout", "8"];
        let said = learner.says(&args, code);
        learner.left_nothing();
        said
    };
    for testbed in carried() {
        contains(&check(testbed, 1), &[when, how, "lesson hint"]);
    }
    let solution = learner.says(&["solution", &folder], 0);
    let (client, server) = solution.split_once("# server.py").expect("two programs");
    learner.write(&format!("{lesson}/client.py"), client);
    learner.write(&format!("{lesson}/server.py"), server);
    for testbed in carried() {
        contains(&check(testbed, 0), &["Not broken: by", "Not tried: ", "is done."]);
    }
    if is_stream {
        contains(&check("relay", 2), &["a relay carries datagrams only"]);
    } else {
        contains(&learner.says(&["list"], 0), &[&format!("→ {lesson}: passes,")]);
    }
}

const PLAN: &str = "a plan breaks the programs";

/// Each is a test of its own: they wait, and go on side by side.
macro_rules! done_in_python {
    ($($test:ident: $lesson:literal, $when:expr, $how:literal;)*) => {
        $(
            #[test]
            fn $test() {
                done_in_python($lesson, $when, $how);
            }
        )*
    };
}

done_in_python! {
    the_template_of_lesson_0_fails_and_the_solution_passes: "0", PLAN, "but never sent";
    the_template_of_lesson_1_fails_and_the_solution_passes:
        "1", PLAN, "Why: The datagram was lost on its way";
    the_template_of_lesson_2_fails_and_the_solution_passes: "2", PLAN, "message 1 was delivered 2 times";
    the_template_of_lesson_3_fails_and_the_solution_passes: "3", PLAN, "message 1 was delivered 2 times";
    the_template_of_lesson_s1_fails_and_the_solution_passes: "s1", PLAN, "but never sent";
    // The kernel takes a part of a large message, whatever the network does.
    the_template_of_lesson_s2_fails_and_the_solution_passes:
        "s2", "it does not work without any fault", "It fails: ";
    the_template_of_lesson_s3_fails_and_the_solution_passes:
        "s3", PLAN, "Why: The server closed both directions";
    the_template_of_lesson_s4_fails_and_the_solution_passes: "s4", PLAN, "Why: The request is acknowledged";
}

/// A server that delivers whatever comes.
const SERVER: &str = "\
import os, socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ['FAULTWIRE_SERVER'], int(os.environ['FAULTWIRE_PORT'])))
while True:
    data, sender = sock.recvfrom(2048)
    print(data.decode())
";

#[test]
fn whatever_programs_do_with_a_relay_it_is_told_and_nothing_is_left() {
    whatever_programs_do_is_told("relay");
}

#[test]
fn whatever_programs_do_in_a_lab_it_is_told_and_nothing_is_left() {
    whatever_programs_do_is_told("lab");
}

fn whatever_programs_do_is_told(testbed: &str) {
    if !has(PYTHON.0, PYTHON.1) || !testbeds().contains(&testbed) {
        return;
    }
    let learner = Learner::new();
    let python = python();
    let forever = "import time, subprocess\nsubprocess.Popen(['sleep', '1000'])\nwhile True: time.sleep(100)";
    let bound = SERVER.split("while").next().expect("a part");
    let flood = format!("{bound}while True: print('x' * 1000)");
    let dies = format!("{bound}sock.recvfrom(9)\nraise Exception('no more')");
    let stays = format!("{SENDS}import time\ntime.sleep(1)");
    let ignores =
        format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{bound}time.sleep(1000)");
    let cases: [(&str, &str, &str, &[&str]); 8] = [
        (
            "crash",
            SERVER,
            "raise Exception('not today')",
            &["the client ended with exit code 1", "not today"],
        ),
        ("hang", SERVER, forever, &["the client had not ended after 3 s, and was killed"]),
        (
            "early",
            "import sys\nsys.exit(7)",
            "",
            &["the server ended before its socket was there (exit code 7)"],
        ),
        ("deaf", forever, "", &["the server has no UDP socket at port"]),
        ("flood", &flood, forever, &["the server printed more than 256 KiB", "never ends?"]),
        ("chatty", SERVER, "while True: print('y' * 1000)", &["the client printed more than 256 KiB"]),
        ("dies", &dies, &stays, &["the server ended by itself (exit code 1)", "no more"]),
        ("silent", &ignores, SENDS, &["message 1 was never delivered (nothing was delivered)", "flush"]),
    ];
    if testbed == "lab" {
        let args = ["check", "s1", "--server", "sleep 1000", "--client", "true", "--testbed", testbed];
        contains(&learner.says(&args, 1), &["the server has no TCP socket that listens at port"]);
        learner.left_nothing();
    }
    for (name, server, client, words) in &cases {
        let (server_file, client_file) = (format!("{name}_server.py"), format!("{name}_client.py"));
        learner.write(&server_file, server);
        learner.write(&client_file, client);
        let command = |file: &str| format!("'{python}' '{}'", learner.path(file).display());
        let (server, client) = (command(&server_file), command(&client_file));
        let args =
            ["check", "1", "--server", &server, "--client", &client, "--testbed", testbed, "--timeout", "3"];
        contains(&learner.says(&args, 1), words);
        learner.left_nothing();
    }
}

/// A client that sends its messages and forgets them.
const SENDS: &str = "\
import os, socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for line in sys.stdin:
    sock.sendto(line.strip().encode(), (os.environ['FAULTWIRE_SERVER'], int(os.environ['FAULTWIRE_PORT'])))
";

#[test]
fn an_exception_in_a_thread_of_the_server_is_a_failure_though_it_lives_on() {
    if !has(PYTHON.0, PYTHON.1) {
        return;
    }
    let learner = Learner::new();
    learner.says(&["start", "0", "--dir", "mine", "--language", "python"], 0);
    let solution = learner.says(&["solution", "mine"], 0);
    let (client, server) = solution.split_once("# server.py").expect("two programs");
    learner.write("mine/client.py", client);
    let dies = "import threading\ndef die():\n    raise Exception('no more')\n\
                threading.Thread(target=die).start()\nwhile True:";
    learner.write("mine/server.py", &server.replacen("while True:", dies, 1));
    let said = learner.says(&["check", "mine", "--plans", "1", "--timeout", "5"], 1);
    contains(&said, &["an exception ended the server, or a thread of it", "no more"]);
}

#[test]
fn a_folder_is_checked_again_when_a_file_changes_until_ctrl_c() {
    if !has(PYTHON.0, PYTHON.1) || !has("kill", "-l") {
        return;
    }
    let learner = Learner::new();
    learner.says(&["start", "0", "--dir", "mine", "--language", "python"], 0);
    let solution = learner.says(&["solution", "mine"], 0);
    let (client, server) = solution.split_once("# server.py").expect("two programs");
    let args = ["check", "mine", "--watch", "--plans", "1", "--testbed", "relay"];
    let mut child = learner.command(&args).spawn().expect("the command starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("waiting for a change in mine")));
    learner.write("mine/client.py", client);
    learner.write("mine/server.py", server);
    assert!(lines.any(|line| line.contains("waiting for a change in mine")));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let said = said(&output);
    let (fails, passes) = (said.find("a plan breaks the programs"), said.find("Lesson 0 is done."));
    assert!(fails.is_some_and(|fails| passes.is_some_and(|passes| fails < passes)), "{said}");
    learner.left_nothing();
    let args = ["check", "0", "--server", "a", "--client", "b", "--watch"];
    contains(&learner.says(&args, 2), &["--watch"]);
}

#[test]
fn commands_need_each_other_and_a_lesson() {
    let learner = Learner::new();
    contains(&learner.says(&["check", "1", "--server", "true"], 2), &["--client"]);
    contains(&learner.says(&["check", "99", "--server", "a", "--client", "b"], 2), &["no lesson `99`"]);
}

#[test]
fn a_check_that_is_stopped_leaves_nothing() {
    if !has(PYTHON.0, PYTHON.1) || !has("kill", "-l") {
        return;
    }
    let learner = Learner::new();
    learner.write("server.py", SERVER);
    learner
        .write("client.py", "import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(1000)");
    let command = |file: &str| format!("'{}' '{}'", python(), learner.path(file).display());
    let (server, client) = (command("server.py"), command("client.py"));
    for testbed in testbeds() {
        let started = learner.path(testbed);
        let client = format!("{client} '{}'", started.display());
        let args = [
            "check",
            "1",
            "--server",
            &server,
            "--client",
            &client,
            "--testbed",
            testbed,
            "--timeout",
            "900",
        ];
        let child = learner.command(&args).spawn().expect("the command starts");
        while !started.exists() {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
        assert!(killed.success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        learner.left_nothing();
    }
}
