//! `faultwire lesson start|check|hint|solution` as a learner uses them: the crate that is started fails its
//! check, the mended one passes, and whatever a program does, it is told, and nothing of it is left running.
//!
//! With `FAULTWIRE_LESSON_CRATE=1` the crate is built here, offline, beside what is built for the tests.
//! Without, or where there is no cargo, that test is skipped with the reason, or fails if FAULTWIRE_REQUIRE
//! names it.
#![cfg(target_os = "linux")] // It looks into /proc for what is left.

#[path = "../../../src/require.rs"]
mod require;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[path = "learner/any_language.rs"]
mod any_language;
#[path = "learner/wrong.rs"]
mod wrong;

/// The build directory of the tests: most of what the crate needs lies there.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/..");

/// A learner, in a folder of their own.
struct Learner {
    root: tempfile::TempDir,
}

impl Learner {
    fn new() -> Learner {
        Learner { root: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
        command.arg("lesson").args(args).current_dir(self.root.path());
        command.env("PATH", any_language::path());
        command
            .env("CARGO_TARGET_DIR", TARGET)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What `faultwire lesson …` printed, which ended with that code.
    fn says(&self, args: &[&str], code: i32) -> String {
        let output = self.command(args).output().expect("the command starts");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// No process is left that was started for a program in this learner's folder.
    fn left_nothing(&self) {
        let root = self.root.path().to_str().expect("text").as_bytes();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let of = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let is_ours = |text: &[u8]| text.windows(root.len()).any(|part| part == root);
            let here =
                fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.root.path()));
            let command = of("cmdline");
            assert!(
                !here && !is_ours(&command) && !is_ours(&of("environ")),
                "{} is left: {}",
                entry.path().display(),
                String::from_utf8_lossy(&command)
            );
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// All of these are said, wherever lines break.
fn contains(said: &str, words: &[&str]) {
    let flat: Vec<&str> = said.split_whitespace().collect();
    let flat = flat.join(" ");
    for word in words {
        assert!(flat.contains(word), "{word}: {said}");
    }
}

fn has(tool: &str, argument: &str) -> bool {
    let found = Command::new(tool).arg(argument).stdin(Stdio::null()).output();
    if let Err(error) = &found {
        require::skipped(tool, format_args!("it cannot be started ({error}): install it"));
    }
    found.is_ok()
}

#[test]
fn a_process_that_is_left_is_seen() {
    let learner = Learner::new();
    learner.left_nothing();
    let mut left = Command::new("sleep").arg("1000").current_dir(learner.root.path()).spawn().expect("sleep");
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| learner.left_nothing()));
    left.kill().expect("it runs");
    left.wait().expect("it ends");
    assert!(seen.is_err());
    learner.left_nothing();
}

#[test]
fn a_folder_is_started_once() {
    let learner = Learner::new();
    let said = learner.says(&["start", "2"], 0);
    contains(
        &said,
        &["lesson-2-sequence-numbers: lesson 2", "It depends on the source in /", "lesson check"],
    );
    let program = learner.read("lesson-2-sequence-numbers/src/lib.rs");
    assert!(program.contains("    // THE GAP: "), "{program}");
    assert!(program.ends_with("pub type Mine = Repeat;\n"), "{program}");
    learner.write("lesson-2-sequence-numbers/src/lib.rs", "mine");
    contains(&learner.says(&["start", "2"], 2), &["cannot make", "nothing was changed there", "--dir"]);
    assert_eq!(learner.read("lesson-2-sequence-numbers/src/lib.rs"), "mine");
    contains(
        &learner.says(&["start", "2", "--dir", "x", "--source", "/"], 2),
        &["no source tree of faultwire"],
    );
    contains(
        &learner.says(&["start", "10", "--language", "python"], 2),
        &["no template in Python", "lesson start 10` has it in Rust"],
    );
    assert!(!learner.path("x").exists());
    contains(&learner.says(&["check", "."], 2), &["not the folder of a lesson"]);
}

#[test]
fn hints_come_one_by_one_and_the_list_knows_how_far_one_is() {
    let learner = Learner::new();
    learner.says(&["start", "1", "--dir", "mine"], 0);
    contains(&learner.says(&["hint", "mine"], 0), &["Hint 1 of 3"]);
    contains(&learner.says(&["hint", "1"], 0), &["Hint 2 of 3"]);
    contains(&learner.says(&["list"], 0), &["→ mine: started, 2 hints"]);
    learner.write("mine/.faultwire-progress.toml", "format = 1\nlesson = \"1\"\nchecks = 2\npasses = true\n");
    contains(&learner.says(&["list"], 0), &["→ mine: passes, 2 checks"]);
    contains(
        &learner.says(&["overview", "--out", "page.html"], 0),
        &["page.html: 1 of 15 lessons pass", "Next: faultwire lesson start 2"],
    );
    contains(&learner.read("page.html"), &["<code>mine</code> passes, 2 checks", "1 of 15 lessons pass"]);
    contains(&learner.says(&["hint", "2"], 0), &["Hint 1 of 3", "hint 2 --number 2"]);
    contains(&learner.says(&["hint", "2", "--number", "9"], 0), &["Hint 3 of 3", "lesson solution 2"]);
    contains(&learner.says(&["solution", "2", "--language", "python"], 0), &["# client.py", "expected = 0"]);
    // A folder's language is that of its hints and its solution.
    learner.says(&["start", "2", "--dir", "snake", "--language", "python"], 0);
    let next = ["hint", "snake"];
    learner.says(&next, 0);
    contains(&learner.says(&next, 0), &["Hint 2 of 3", "struct.pack"]);
    contains(&learner.says(&next, 0), &["Hint 3 of 3", "lesson solution 2 --language python"]);
    contains(
        &learner.says(&["hint", "snake", "--number", "2", "--language", "rust"], 0),
        &["lesson::packet"],
    );
    for of in ["snake", "2"] {
        contains(&learner.says(&["solution", of], 0), &["# client.py", "expected = 0"]);
    }
    contains(&learner.says(&["solution", "mine"], 0), &["impl Machine for Repeat"]);
}

/// Whether the crate is to be built here: that takes minutes.
fn is_built() -> bool {
    let asked = std::env::var_os("FAULTWIRE_LESSON_CRATE").is_some();
    if !asked {
        require::skipped(
            "learner-crate",
            "building a crate takes minutes: FAULTWIRE_LESSON_CRATE=1 runs this test",
        );
    }
    asked
}

/// A machine for lesson 1 that does this when a datagram comes.
fn machine(on_datagram: &str) -> String {
    format!(
        "use faultwire::machine::Machine;\nuse faultwire::time::Time;\n\
         #[derive(Default)]\npub struct Mine(Vec<Vec<u8>>);\n\
         fn deeper(depth: u64) -> u64 {{ if depth == u64::MAX {{ 0 }} else {{ 1 + \
         std::hint::black_box(deeper(depth + 1)) }} }}\n\
         impl Machine for Mine {{\n\
         fn send(&mut self, _now: Time, message: &[u8]) {{ self.0.push(message.to_vec()) }}\n\
         fn on_datagram(&mut self, _now: Time, _datagram: &[u8]) {{ {on_datagram}; let _ = deeper; }}\n\
         fn next_datagram(&mut self) -> Option<Vec<u8>> {{ self.0.pop() }}\n\
         fn next_message(&mut self) -> Option<Vec<u8>> {{ None }}\n}}\n"
    )
}

#[test]
fn a_crate_fails_its_check_until_it_is_mended_and_leaves_nothing_behind() {
    if !is_built() || !has(env!("CARGO"), "--version") {
        return;
    }
    let learner = Learner::new();
    learner.says(&["start", "1", "--dir", "mine"], 0);
    let check = |more: &[&str], code| {
        let said = learner.says(&[&["check", "mine"], more].concat(), code);
        learner.left_nothing();
        said
    };
    contains(
        &check(&[], 1),
        &[
            "drop client->server datagram 1",
            "✱ dropped ✗",
            "message 1 was never delivered",
            "Why: The datagram was lost",
        ],
    );

    learner.write("mine/src/lib.rs", "pub struct Mine; impl Nothing for Mine {}");
    contains(&check(&[], 1), &["cannot find trait `Nothing`", "It does not compile"]);
    learner.write("mine/src/lib.rs", &machine("panic!(\"who would have thought\")"));
    contains(
        &check(&[], 1),
        &["no fault at all", "server: panicked at src/lib.rs", "who would have thought"],
    );
    learner.write("mine/src/lib.rs", &machine("loop {}"));
    contains(&check(&[], 1), &["It hangs: on_datagram of the server's machine, given \"message 1"]);
    contains(&check(&["--timeout", "1"], 1), &["did not come to an end within 1 s"]);
    learner.write("mine/src/lib.rs", &machine("self.0.push(vec![deeper(0) as u8])"));
    contains(&check(&[], 1), &["The check was cut off", "stack"]);
    learner.write("mine/src/lib.rs", &machine("loop { self.0.push(vec![0; 1 << 24]) }"));
    contains(&check(&[], 1), &["The check was cut off", "memory allocation"]);

    let solution = learner.says(&["solution", "1"], 0);
    learner.write("mine/src/lib.rs", &solution);
    contains(
        &check(&[], 0),
        &["Not broken: the machine of lesson 1, under every plan", "The question", "lesson start 2"],
    );
    contains(&learner.says(&["list"], 0), &["→ mine: passes, 8 checks"]);
    streams(&learner);
    all_templates(&learner);
    // The source may go away later.
    let manifest = learner.read("mine/Cargo.toml").replace("path = \"/", "path = \"/no/such/place/");
    learner.write("mine/Cargo.toml", &manifest);
    contains(&check(&[], 3), &["no longer exists", "--source PATH"]);
}

/// Programs over a stream: as they are started, and worse ones.
fn streams(learner: &Learner) {
    learner.says(&["start", "s4", "--dir", "stream"], 0);
    let check = |code| {
        let said = learner.says(&["check", "stream"], code);
        learner.left_nothing();
        said
    };
    contains(&check(1), &["Lesson s4: a plan breaks the programs", "Why: The request is acknowledged"]);
    let template = learner.read("stream/src/lib.rs");
    let client = |does: &str| {
        let (head, rest) = template.split_once("    let [question, ..]").expect("a line of the template");
        learner.write("stream/src/lib.rs", &format!("{head}    {does}\n    let [question, ..]{rest}"));
    };
    client("if true { panic!(\"who would have thought\") }");
    contains(&check(1), &["no fault at all", "client: panicked at src/lib.rs", "who would have thought"]);
    client("while desk.messages().len() > 1 {}");
    contains(&check(1), &["It hangs: a step of the client's program has not come back for 10 s"]);
    learner.write("stream/src/lib.rs", &learner.says(&["solution", "s4"], 0));
    contains(&check(0), &["Not broken: the program of lesson s4"]);
}

/// Every template is a crate whose check fails, and every solution one whose check passes; all of them in one
/// crate.
fn all_templates(learner: &Learner) {
    use faultwire_course::{Lesson, RUST, Task};
    let (mut program, mut test) = (String::new(), String::new());
    let header = "use faultwire_course::StreamProgram;\n\
                  use \
                  faultwire_course::learner::{Kind, examine, examine_stream, examine_talker};\n\
                  use std::time::Duration;\n";
    test.push_str(header);
    for (index, lesson) in RUST.iter().enumerate() {
        let of = Lesson::named(lesson.slug).expect("a lesson");
        for (what, text, kind) in
            [("t", lesson.template(of.name), "Broken"), ("s", lesson.solution(), "Holds")]
        {
            let module = format!("{what}{index}");
            learner.write(&format!("mine/src/{module}.rs"), &text);
            program.push_str(&format!("pub mod {module};\n"));
            let slug = lesson.slug;
            let rest = "20, Duration::from_secs(60)";
            let verdict = match of.task {
                Task::Stream(_) => format!(
                    "examine_stream(\"{slug}\", StreamProgram {{ client: |net, stream, desk| \
                     Box::pin(learner::{module}::client(net, stream, desk)), server: |net, stream, desk| \
                     Box::pin(learner::{module}::server(net, stream, desk)) }}, {rest})"
                ),
                Task::Conversations(_) => {
                    format!("examine_talker::<learner::{module}::Mine>(\"{slug}\", {rest})")
                }
                _ => format!("examine::<learner::{module}::Mine>(\"{slug}\", {rest})"),
            };
            test.push_str(&format!(
                "#[test]\nfn {module}() {{\n    let verdict = {verdict};\n    \
                 assert_eq!(verdict.kind, Kind::{kind}, \"{{}}\", verdict.text);\n}}\n"
            ));
        }
    }
    let manifest = learner.read("mine/Cargo.toml");
    let tokio = "[dependencies]\ntokio = { version = \"1\", features = [\"io-util\"] }\n";
    learner.write("mine/Cargo.toml", &manifest.replace("[dependencies]\n", tokio));
    learner.write("mine/src/lib.rs", &program);
    learner.write("mine/tests/all.rs", &test);
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--test", "all"]).current_dir(learner.path("mine"));
    let output =
        command.env("CARGO_TARGET_DIR", TARGET).env("CARGO_NET_OFFLINE", "true").output().expect("cargo");
    assert!(output.status.success(), "{}", said(&output));
    assert!(Path::new(TARGET).is_dir());
}
