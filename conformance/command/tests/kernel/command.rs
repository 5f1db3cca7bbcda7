//! `faultwire lab`: two programs, each in a host of its own, under a plan.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::bench::{kernel_config, lab, pause};

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// Whether this machine has a lab; says why not.
fn is_here() -> bool {
    lab(kernel_config()).is_some()
}

fn plan(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("plan.toml");
    std::fs::write(&path, format!("format = 1\n{text}")).expect("it is written");
    (directory, path)
}

fn command(server: &str, client: &str, more: &[&str]) -> Command {
    let mut command = Command::new(FAULTWIRE);
    command.args(["lab", "--server", server, "--client", client]).args(more).stdin(Stdio::null());
    // What a program finds there is the lab's doing.
    command.env_remove("PYTHONUNBUFFERED");
    command
}

fn run(server: &str, client: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(server, client, more).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn two_programs_talk_and_the_plan_takes_place() {
    if !is_here() {
        return;
    }
    let (_directory, path) = plan(
        "[[fault]]\ndirection = \"client->server\"\npacket = { class = \"data\", nth = 1 }\naction = \
         \"drop\"\n",
    );
    let path = path.to_str().expect("text");
    for (any, addr, more) in [("0.0.0.0", "{server}", vec![]), ("[::]", "[{server}]", vec!["--ipv6"])] {
        let server = format!("{FAULTWIRE} serve tcp-echo --listen {any}:7000");
        let client =
            format!("{FAULTWIRE} call tcp-echo {addr}:7000 --message there; echo $FAULTWIRE_SERVER; exit 7");
        let (code, said, complained) =
            run(&server, &client, &[&["--plan", path, "--trace", "-"][..], &more].concat());
        assert_eq!(code, Some(7), "{complained}");
        for line in [
            "fault 1: took place: drop client->server data 1",
            "1 of 1 took place",
            if more.is_empty() { "client | 10.0.0.2" } else { "client | fd00::2" },
        ] {
            assert!(said.lines().any(|said| said == line), "{line}: {said}");
        }
        assert!(said.contains("client->server data 1 transmission 2: tcp"), "{said}");
        assert!(complained.contains("server | listening on "), "{complained}");
        assert!(!complained.contains("outside of the plan"), "{complained}");
    }
}

#[test]
fn a_drawn_impairment_is_carried_out() {
    if !is_here() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("plan.toml");
    let path = path.to_str().expect("text");
    let words =
        ["impair", "loss gemodel 20% 60% corrupt 10% delay 5ms 2ms", "--class", "data", "--out", path];
    assert!(Command::new(FAULTWIRE).args(words).status().expect("it starts").success());
    let server = format!("{FAULTWIRE} serve tcp-echo --listen 0.0.0.0:7000");
    let client = format!("{FAULTWIRE} call tcp-echo {{server}}:7000 --count 20 --timeout 30");
    let (code, said, complained) = run(&server, &client, &["--plan", path]);
    assert_eq!(code, Some(0), "{said}{complained}");
    for action in ["drop", "flip bit", "delay"] {
        assert!(
            said.lines().any(|line| line.contains(&format!(": took place: {action} "))),
            "{action}: {said}"
        );
    }
    assert!(!complained.contains("outside of the plan"), "{complained}");
}

#[test]
fn a_plan_that_the_lab_cannot_carry_out_is_refused() {
    if !is_here() {
        return;
    }
    let (_directory, stranger) = plan("[[event]]\nkind = \"crash\"\nhost = \"mallory\"\nat_us = 5\n");
    let (code, _, complained) = run("true", "true", &["--plan", stranger.to_str().expect("text")]);
    assert_eq!(code, Some(2));
    let place = "plan.toml:4:8: found the host \"mallory\", expected a host of this run: client or server";
    assert!(complained.contains(place), "{complained}");
    let (_directory, crash) = plan("[[event]]\nkind = \"crash\"\nhost = \"server\"\nat_us = 5\n");
    let (code, _, complained) = run("true", "true", &["--plan", crash.to_str().expect("text")]);
    assert_eq!(code, Some(2));
    assert!(complained.starts_with("error: event 1 of the plan cannot happen in the lab"), "{complained}");
}

#[test]
fn a_program_whose_host_loses_power_is_killed_and_starts_again_in_a_fresh_one() {
    if !is_here() {
        return;
    }
    let (_directory, path) = plan(
        "[[event]]\nkind = \"crash\"\nhost = \"server\"\n\
         after = { direction = \"client->server\", class = \"data\", nth = 1 }\n\
         [[event]]\nkind = \"restart\"\nhost = \"server\"\n\
         after = { direction = \"client->server\", class = \"data\", nth = 1, transmission = 2 }\n",
    );
    let server = format!("echo begun; exec {FAULTWIRE} serve tcp-echo --listen 0.0.0.0:7000");
    // Its first connection is reset: the server that starts again knows nothing of it.
    let call = format!("{FAULTWIRE} call tcp-echo {{server}}:7000 --message there");
    let client = format!("{call} && exit 9; until {call}; do sleep 0.1; done");
    let (code, said, complained) =
        run(&server, &client, &["--plan", path.to_str().expect("text"), "--trace", "-"]);
    assert_eq!(code, Some(0), "{said}{complained}");
    for line in ["event 1: took place: crash server after client->server data 1", "2 of 2 took place"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert_eq!(said.lines().filter(|line| *line == "server | begun").count(), 2, "{said}");
    assert!(complained.contains("the server loses power: it is killed"), "{complained}");
    assert!(complained.contains("the server starts again"), "{complained}");
    assert!(!complained.contains("outside of the plan"), "{complained}");
    assert!(said.contains("server->client rst"), "{said}");
}

#[test]
fn a_client_whose_host_loses_power_for_good_is_ended_by_that() {
    if !is_here() {
        return;
    }
    let (_directory, path) = plan(
        "[[event]]\nkind = \"crash\"\nhost = \"client\"\n\
         after = { direction = \"client->server\", class = \"syn\", nth = 1 }\n",
    );
    let server = format!("exec {FAULTWIRE} serve tcp-echo --listen 0.0.0.0:7000");
    let client = format!("{FAULTWIRE} call tcp-echo {{server}}:7000 --message there");
    let (code, said, complained) = run(&server, &client, &["--plan", path.to_str().expect("text")]);
    assert_eq!(code, Some(128 + 9), "{said}{complained}");
    assert!(said.lines().any(|line| line == "1 of 1 took place"), "{said}");
}

#[test]
fn a_fault_on_a_packet_that_is_another_one_in_each_run_is_marked() {
    if !is_here() {
        return;
    }
    let fault = |class: &str| {
        format!(
            "[[fault]]\ndirection = \"client->server\"\npacket = {{ class = \"{class}\", nth = 1 }}\naction \
             = \"drop\"\n"
        )
    };
    let (_directory, both) = plan(&(fault("data") + &fault("ack")));
    let (code, said, complained) = run(&server(), "true", &["--plan", both.to_str().expect("text")]);
    assert_eq!(code, Some(0), "{complained}");
    assert!(complained.contains("warning: fault 2 of the plan counts bare acknowledgements"), "{complained}");
    assert!(!complained.contains("fault 1"), "{complained}");
    assert!(said.contains("0 of 2 took place"), "{said}");
}

#[test]
fn many_faults_are_told_of_in_few_lines() {
    if !is_here() {
        return;
    }
    let fault = |nth: u32| {
        let packet = format!("{{ class = \"any\", nth = {nth} }}");
        format!(
            "[[fault]]\ndirection = \"server->client\"\npacket = {packet}\naction = {{ delay_us = 10 }}\n"
        )
    };
    let (_directory, path) = plan(&(1..=200).map(fault).collect::<String>());
    let client = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --message there");
    let (code, said, complained) = run(&server(), &client, &["--plan", path.to_str().expect("text")]);
    assert_eq!(code, Some(0), "{complained}");
    assert_eq!(complained.matches("warning: ").count(), 1, "{complained}");
    let warning = "warning: 200 parts of the plan (fault 1, fault 2, fault 3, and 197 more) count bare";
    assert!(complained.contains(warning), "{complained}");
    for line in ["fault 1: took place: delay server->client packet 1 by 10 us", "1 of 200 took place"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert!(said.contains("\n199 others did not take place\n"), "{said}");
    assert_eq!(said.matches("took place: ").count(), 1, "{said}");
}

#[test]
fn a_file_that_cannot_be_written_is_wrong_usage_and_nothing_runs() {
    for option in ["--pcapng", "--svg", "--trace"] {
        let (code, said, complained) = run("echo ran", "echo ran", &[option, "/nowhere/file"]);
        assert_eq!(code, Some(2), "{option}: {complained}");
        assert!(complained.contains("/nowhere/file") && !said.contains("ran"), "{said}{complained}");
    }
}

#[test]
fn a_placeholder_with_a_slip_is_wrong_usage() {
    let (code, _, complained) = run("true", "echo {sever}", &[]);
    assert_eq!(code, Some(2), "{complained}");
    assert!(complained.contains("no placeholder {sever}; did you mean {server}?"), "{complained}");
}

#[test]
fn a_server_that_does_not_listen_has_as_long_as_the_client() {
    if !is_here() {
        return;
    }
    let (code, _, complained) = run("exec sleep 100", "true", &["--timeout", "4"]);
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains("the server does not listen yet, "), "{complained}");
    assert!(complained.ends_with("error: the server does not listen, 4s after its start\n"), "{complained}");
}

/// A server that ends in some way once its client asks for it with a file, and the client, which waits for
/// that.
fn that_ends(how: &str, folder: &std::path::Path) -> (String, String) {
    let [ask, done] = ["ask", "done"].map(|name| folder.join(name).display().to_string());
    let server = format!(
        "{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000 & until test -e '{ask}'; do sleep 0.05; done; \
         kill $!; wait $!; touch '{done}'; {how}"
    );
    let client = format!(
        "{FAULTWIRE} call udp-echo {{server}}:7000 --message there && touch '{ask}'; \
         until test -e '{done}'; do sleep 0.05; done; sleep 0.3"
    );
    (server, client)
}

#[test]
fn the_end_of_the_server_counts() {
    if !is_here() {
        return;
    }
    for (how, expected) in [
        ("exit 0", None),
        ("exit 3", Some("error: the server exits with 3 by itself\n")),
        ("kill -KILL $$", Some("error: the server is ended by signal 9 by itself\n")),
        ("kill -TERM $$", Some("error: the server is ended by signal 15 by itself\n")),
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        let (server, client) = that_ends(how, folder.path());
        let (code, said, complained) = run(&server, &client, &[]);
        assert_eq!(code, Some(i32::from(expected.is_some())), "{how}: {said}{complained}");
        match expected {
            Some(expected) => assert!(complained.ends_with(expected), "{how}: {complained}"),
            None => assert!(!complained.contains("error: "), "{complained}"),
        }
    }
    // Asked to end, it may do so with 0 or by the signal.
    let trapped = |code: u8| format!("trap 'exit {code}' TERM; {}", server());
    let client = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --message there");
    assert_eq!(run(&trapped(0), &client, &[]).0, Some(0));
    let (code, _, complained) = run(&trapped(5), &client, &[]);
    assert_eq!(code, Some(1), "{complained}");
    let expected = "error: the server exits with 5 when it is asked to end (SIGTERM)\n";
    assert!(complained.ends_with(expected), "{complained}");
    // A client that fails has the say.
    assert_eq!(run(&trapped(5), "exit 7", &[]).0, Some(7));
}

#[test]
fn a_file_that_cannot_be_written_hides_neither_the_others_nor_the_client() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let picture = folder.path().join("run.svg");
    let files = ["--trace", "/dev/full", "--svg", picture.to_str().expect("text")];
    for (client, expected) in [("exit 7", 7), ("exit 0", 2)] {
        let (code, _, complained) = run(&server(), client, &files);
        assert_eq!(code, Some(expected), "{complained}");
        assert!(complained.contains("/dev/full"), "{complained}");
        std::fs::remove_file(&picture).expect("it is drawn");
    }
}

#[test]
fn programs_say_at_once_what_they_have_to_say_and_have_no_terminal() {
    if !is_here() {
        return;
    }
    let client = "echo $PYTHONUNBUFFERED; stty -echo </dev/tty || exit 5";
    let (code, said, complained) = run(&server(), client, &[]);
    assert_eq!(code, Some(5), "{complained}");
    assert!(said.starts_with("client | 1\n"), "{said}");
    // Not even where the command itself has one: from the background, that would stop them (SIGTTOU).
    const ON_A_TERMINAL: &str =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let server = server();
    let arguments = ["lab", "--timeout", "20", "--server", &server, "--client", client];
    let on_a_terminal =
        Command::new("python3").args(["-c", ON_A_TERMINAL, FAULTWIRE]).args(arguments).output();
    match on_a_terminal {
        Err(error) => {
            crate::require::skipped("python3", format_args!("it cannot be started ({error}): install it"));
        }
        Ok(output) => assert_eq!(output.status.code(), Some(5), "{output:?}"),
    }
}

#[test]
fn a_server_that_does_not_serve_is_told_of() {
    if !is_here() {
        return;
    }
    let (code, _, complained) = run("echo no; exit 3", "true", &[]);
    assert_eq!(code, Some(1));
    assert_eq!(complained, "error: the server ended before it listened: exit status: 3\n");
}

/// A server in the shell's background, so that it is a child of a child; the clients of the tests wait.
fn server() -> String {
    format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000 & wait")
}

/// A client of three processes. The second one leaves its process group, as a daemon does, and says so once
/// it has.
fn three_that_sleep(mark: &str) -> String {
    format!("sleep {mark} & setsid sh -c 'echo begun; exec sleep $0' {mark} & sleep {mark}")
}

#[test]
fn a_client_that_takes_too_long_is_ended_with_all_that_it_started() {
    if !is_here() {
        return;
    }
    let mark = format!("31.{}1", std::process::id());
    let (code, said, complained) = run(&server(), &three_that_sleep(&mark), &["--timeout", "1"]);
    assert_eq!(code, Some(124), "{complained}");
    // The server is asked to end, and has its say.
    assert!(said.starts_with("client | begun\nserver | served 0 clients"), "{said}");
    assert!(!is_running(&mark));
}

#[test]
fn nothing_runs_on_when_the_command_is_killed() {
    // Outright, and as Ctrl-C does it: the command with all of its process group.
    for (number, how) in ["kill -KILL", "kill -INT -"].into_iter().enumerate() {
        if !is_here() {
            return;
        }
        nothing_runs_on_after(how, &format!("31.{}{}", std::process::id(), number + 2));
    }
}

#[test]
fn a_lab_that_is_asked_to_end_writes_what_it_has() {
    for (number, signal) in ["INT", "TERM"].into_iter().enumerate() {
        if !is_here() {
            return;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let files = ["trace", "svg"].map(|name| directory.path().join(name));
        let [trace, svg] = files.each_ref().map(|path| path.to_str().expect("text"));
        let mark = format!("31.{}{}", std::process::id(), number + 6);
        let call = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --message there");
        let client = format!("{call}; {}", three_that_sleep(&mark));
        let mut running = command(&server(), &client, &["--trace", trace, "--svg", svg])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let said = BufReader::new(running.stdout.take().expect("piped"));
        assert!(said.lines().map_while(Result::ok).any(|line| line == "client | begun"));
        let kill = format!("kill -{signal} {}", running.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
        let output = running.wait_with_output().expect("it is ours");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{signal}: {complained}");
        assert!(complained.contains("interrupted: ending what was started"), "{signal}: {complained}");
        let trace = std::fs::read_to_string(trace).expect("a trace");
        assert!(trace.contains("client") && trace.lines().count() > 4, "{signal}: {trace}");
        assert!(std::fs::read_to_string(svg).expect("a picture").starts_with("<svg"), "{signal}");
        assert!(!is_running(&mark), "{signal}");
    }
}

fn nothing_runs_on_after(how: &str, mark: &str) {
    let mut running = command(&server(), &three_that_sleep(mark), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("it starts");
    let said = BufReader::new(running.stdout.take().expect("piped"));
    let begun = said.lines().map_while(Result::ok).any(|line| line == "client | begun");
    assert!(begun);
    let kill =
        if how.ends_with('-') { format!("{how}{}", running.id()) } else { format!("{how} {}", running.id()) };
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
    running.wait().expect("it is ours");
    for _ in 0..200 {
        if !is_running(mark) {
            return;
        }
        pause(Duration::from_millis(20));
    }
    panic!("the client's sleep is still there after {how}");
}

#[test]
fn nothing_runs_on_when_the_lab_s_helper_is_killed() {
    if !is_here() {
        return;
    }
    let mark = format!("31.{}5", std::process::id());
    let mut running = command(&server(), &three_that_sleep(&mark), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(running.stdout.take().expect("piped"));
    let begun = said.lines().map_while(Result::ok).any(|line| line == "client | begun");
    assert!(begun && is_running(&mark));
    let helper = format!("kill -KILL $(cat /proc/{0}/task/{0}/children)", running.id());
    assert!(Command::new("sh").args(["-c", &helper]).status().expect("sh").success());
    let output = running.wait_with_output().expect("it is ours");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert!(complained.contains("error: the lab's helper ended"), "{complained}");
    assert!(!is_running(&mark), "what the client had started runs on");
}

#[test]
fn nothing_runs_on_when_the_command_and_its_helper_are_killed_at_once() {
    let Some(lab) = lab(kernel_config()) else { return };
    if let Some(error) = lab.0.processes_refused() {
        crate::require::skipped("lab", format_args!("PID namespaces are refused ({error}): run it as root"));
        return;
    }
    let mark = format!("31.{}6", std::process::id());
    let mut running = command(&server(), &three_that_sleep(&mark), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(running.stdout.take().expect("piped"));
    assert!(said.lines().map_while(Result::ok).any(|line| line == "client | begun") && is_running(&mark));
    // Nobody is left who could end the daemon: neither who started it nor who would inherit it.
    let both = format!("kill -KILL {0} $(cat /proc/{0}/task/{0}/children)", running.id());
    assert!(Command::new("sh").args(["-c", &both]).status().expect("sh").success());
    running.wait().expect("it is ours");
    for _ in 0..200 {
        if !is_running(&mark) {
            return;
        }
        pause(Duration::from_millis(20));
    }
    panic!("the client's daemon is still there");
}

/// Whether a process has that argument.
fn is_running(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("a table of processes").flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes()))
}
