//! `faultwire lesson check`: the lesson's check on a learner's own program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::ctrl_c;
use super::super::error::CommandError;
use super::super::live;
use super::super::output;
use super::Named;
use super::folder::{Folder, Language, shown};
use super::run::part;
use faultwire_conformance::exit;
use faultwire_conformance::report::harmless;
use faultwire_course::{LESSONS, Lesson};
use faultwire_sim::CancellationToken;
use watch::Files;

mod any;
mod cargo;
mod group;
mod output_of;
mod pair;
mod place;
mod relayed;
mod suite;
mod watch;

/// Check your own program: does any plan of faults break it?
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
In a folder that `lesson start` made in Rust, the crate is built, and its program is held against
the lesson's cases, every plan of up to two faults and a thousand random ones. The check reports the
smallest plan that breaks it, a panic, or a call that never returns, and ends every process that it
started.

Programs in any other language are two commands that speak UDP, or TCP in the lessons on streams:
  faultwire lesson check 1 --server 'python3 server.py' --client 'python3 client.py'
The client reads the messages from stdin, a line for each, and ends with exit code 0 when all is
done. The server prints each message that it delivers as a line on stdout, at once, and runs until
it is ended; a server that dies fails. (In lessons s3 and s4 the client reads the question, the
server the answer, and the client prints what it got.) Both find the server's address in
FAULTWIRE_SERVER and FAULTWIRE_PORT: the server has its socket there, the client sends or connects
there ({server} and {port} in a command stand for them). They run in the kernel's lab, or, where
the machine refuses that, on this host with a relay between them, which carries UDP only.
First comes the lesson's suite: no fault, the lesson's own plan, and its cases, with other messages
and plans of several faults. Then come --plans further plans of one and two faults. The result says
what was tried and what was not.

Exit: 0 it passes, 1 it does not, 2 wrong usage, 3 what it needs is unavailable, 130 stopped by
Ctrl-C, which is also how --watch ends.")]
pub(super) struct Args {
    /// The folder; with --server and --client the lesson
    #[arg(value_name = "DIR|LESSON", default_value = ".")]
    of: String,

    /// The server's command
    #[arg(long, value_name = "COMMAND", requires = "client")]
    server: Option<String>,

    /// The client's command
    #[arg(long, value_name = "COMMAND", requires = "server")]
    client: Option<String>,

    /// Check again whenever a file of the folder changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["server", "client"])]
    watch: bool,

    /// Where commands run [default: lab, where it is available]
    #[arg(long, value_enum)]
    testbed: Option<place::Testbed>,

    /// How many plans of one and two faults are tried on commands after the lesson's suite
    #[arg(long, value_name = "N", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1_000))]
    plans: u16,

    /// How long a crate's check may take, without the build; or a client in one run [default: 300; 10]
    #[arg(long, value_name = "SECONDS", value_parser = live::seconds)]
    timeout: Option<Duration>,
}

/// How long the check of a crate may take.
const CRATE_MAX: Duration = Duration::from_secs(300);

/// How long a client may take in one run.
const CLIENT_MAX: Duration = Duration::from_secs(10);

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passes,
    Fails,
    /// The learner stopped it.
    Stopped,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let stopping = ctrl_c::listen_for_the_end();
    if let (Some(server), Some(client)) = (&args.server, &args.client) {
        let lesson = Named { lesson: args.of.clone() }.find()?;
        let outcome = any::check(lesson, &args.asked(server, client), &stopping)?;
        match outcome {
            Outcome::Passes => passed(lesson, None)?,
            Outcome::Fails => {
                // A language of which nothing is known here has sockets, and no machines.
                let python = if lesson.in_python().is_some() { " --language python" } else { "" };
                output::emit(&format!("\nStuck? faultwire lesson hint {}{python}\n", lesson.name))?;
            }
            Outcome::Stopped => {}
        }
        return Ok(outcome.exit_code());
    }
    let path = PathBuf::from(&args.of);
    loop {
        // As they are before the check: what is changed while it runs is checked again.
        let files = Files::of(&path);
        let outcome = folder(args, &path, &stopping)?;
        if !args.watch || outcome == Outcome::Stopped {
            return Ok(outcome.exit_code());
        }
        output::tell(format_args!("\nwaiting for a change in {} (Ctrl-C ends it)", shown(&path)));
        if !files.until_changed(&path, &stopping) {
            return Ok(Outcome::Stopped.exit_code());
        }
    }
}

/// Checks what is in a learner's folder, once.
fn folder(args: &Args, path: &Path, stopping: &CancellationToken) -> Result<Outcome, CommandError> {
    let mut folder = Folder::open(path)?;
    if let Some(damage) = &folder.damage {
        output::tell(format_args!("note: what was known of your progress is lost: {}", harmless(damage)));
    }
    let outcome = match folder.progress.language {
        Language::Rust => cargo::check(&folder.path, args.timeout.unwrap_or(CRATE_MAX), stopping)?,
        Language::Python => {
            let [server, client] = any::of_python(&folder.path);
            any::check(folder.lesson, &args.asked(&server, &client), stopping)?
        }
    };
    if outcome != Outcome::Stopped {
        folder.progress.checked(outcome == Outcome::Passes);
        folder.save()?;
    }
    match outcome {
        Outcome::Passes => passed(folder.lesson, Some(folder.progress.language))?,
        Outcome::Fails => {
            output::emit(&format!("\nStuck? faultwire lesson hint {}\n", shown(&folder.path)))?;
        }
        Outcome::Stopped => {}
    }
    Ok(outcome)
}

impl Args {
    fn asked<'a>(&self, server: &'a str, client: &'a str) -> any::Asked<'a> {
        let limit = self.timeout.unwrap_or(CLIENT_MAX);
        any::Asked { server, client, testbed: self.testbed, plans: self.plans.into(), limit }
    }
}

impl Outcome {
    fn exit_code(self) -> u8 {
        match self {
            Outcome::Passes => exit::AS_CLAIMED,
            Outcome::Fails => exit::CLAIM_FAILED,
            Outcome::Stopped => exit::INTERRUPTED,
        }
    }
}

/// What is said at the end of a lesson, done in that language, or in any other.
fn passed(lesson: &Lesson, language: Option<Language>) -> Result<(), CommandError> {
    let mut out = format!("\nLesson {} is done.\n", lesson.name);
    out.push_str(&part("The idea", lesson.section("The idea")));
    out.push_str(&part("The question", lesson.section("The question")));
    let place = LESSONS.iter().position(|it| it.name == lesson.name);
    if let Some(next) = place.and_then(|place| LESSONS.get(place + 1)) {
        let more = match language {
            Some(Language::Python) if next.in_python().is_some() => " --language python",
            _ => "",
        };
        out.push_str(&format!("\nNext: faultwire lesson start {}{more}  ({})\n", next.name, next.title));
    }
    output::emit(&out)
}
