//! A client and a server of any language, once, under one plan.

use std::io::Write as _;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use faultwire::fault::{Action, FaultPlan, Fired};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::time::Time;
use faultwire::trace::Trace;

use super::place::{Place, Process, Testbed, Who};
use crate::error::{CommandError, unavailable};
use faultwire_conformance::report::harmless;
use faultwire_course::spoken::{Printed, Speech, Spoken};
use faultwire_course::{Delivery, Outcome};

/// How long the server may take until its socket is there.
const LISTEN_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(10);
/// How long the server runs on when the client has ended and nothing is late.
const LINGER: Duration = Duration::from_millis(300);
/// How long a server of a stream may take to end then, if it does.
const END_MAX: Duration = Duration::from_secs(2);
/// A datagram that is held back is let go after that time.
const HELD_MAX: Duration = Duration::from_millis(1_100);
/// So much a program may print in any case, in bytes; more where the messages are larger.
const PRINTED_MIN: usize = 256 * 1024;
/// So much of what the programs wrote to stderr is told, in bytes.
const COMPLAINTS_MAX: usize = 2_048;

/// The learner's commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    /// How long the client may take.
    pub(super) limit: Duration,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// What is wrong, if something is.
    pub(super) wrong: Option<String>,
    /// What the programs wrote to stderr.
    pub(super) complaints: String,
    pub(super) trace: Trace,
    pub(super) fired: Fired,
}

impl Pair<'_> {
    /// Runs both under a plan, with what they have to do; `None` where it is to stop.
    pub(super) fn run(
        &self,
        spoken: &Spoken,
        testbed: Testbed,
        plan: &FaultPlan,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Option<Course>, CommandError> {
        let place = Place::new(testbed, plan)?;
        let [client_lines, server_lines] = spoken
            .lines()
            .map(|lines| lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect::<Vec<u8>>());
        let printed_max = PRINTED_MIN.max(2 * (client_lines.len() + server_lines.len()));
        let mut server = place.start(Who::Server, self.server, server_lines, printed_max)?;
        let mut wrong = until_it_listens(spoken.speech, &place, &mut server, is_to_stop)?;
        let clock = OsNetwork::new();
        let (mut complaints, mut client_outcome) = (String::new(), Outcome::default());
        if wrong.is_none() && !is_to_stop() {
            let mut client = place.start(Who::Client, self.client, client_lines, printed_max)?;
            wrong = self.until_it_ends(&mut client, &mut server, plan, is_to_stop)?;
            client.end();
            client_outcome = outcome(&mut client)?;
            complaints.push_str(&complaint("client", &client));
        }
        let done = clock.now();
        if wrong.is_none() {
            wrong = after_the_client(spoken.speech, &mut server, plan, is_to_stop)?;
        }
        let ended = server.status()?;
        server.end();
        if is_to_stop() {
            return Ok(None);
        }
        complaints.push_str(&complaint("server", &server));
        let trace = place.trace();
        if wrong.is_none() {
            let server_outcome =
                Outcome { delivered: lines(&server.out.bytes()), error: ended.and_then(failure) };
            let run = Printed { client: &client_outcome, server: &server_outcome, done, trace: &trace };
            wrong = spoken.check(&run).err();
            let (name, printed) = match spoken.client_prints {
                true => ("client", &client_outcome),
                false => ("server", &server_outcome),
            };
            if printed.delivered.is_empty() && printed.error.is_none() && wrong.is_some() {
                complaints.push_str(&format!(
                    "(The {name} has printed nothing. Does it flush its output after each message?)\n"
                ));
            }
        }
        // How a server ends that is cut off forever, no other host can know; and its client may give up.
        if wrong.is_none() && plan.events.is_empty() {
            let server_error = ended.and_then(failure);
            let ends = [("client", client_outcome.error), ("server", server_error)];
            let mut errors = ends.into_iter().filter_map(|(name, error)| Some((name, error?)));
            wrong = errors.next().map(|(name, error)| format!("the {name} ended with {error}"));
            wrong = wrong.or_else(|| exception(&server));
        }
        Ok(Some(Course { wrong, complaints, trace, fired: place.fired() }))
    }

    /// Waits until the client has ended; what is wrong if it does not, or not well.
    fn until_it_ends(
        &self,
        client: &mut Process,
        server: &mut Process,
        plan: &FaultPlan,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, CommandError> {
        let clock = OsNetwork::new();
        loop {
            if let Some(status) = client.status()? {
                // No program means to end so, whatever it has found out.
                let killed = signal(status).map(|_| format!("the client ended with {}", how(status)));
                return Ok(flood(client, "client").or(killed));
            }
            if let Some(flood) = flood(client, "client").or_else(|| flood(server, "server")) {
                return Ok(Some(flood));
            }
            if let Some(status) = server.status()?
                && !status.success()
                && plan.events.is_empty()
            {
                return Ok(Some(format!("the server ended by itself ({})", how(status))));
            }
            if is_to_stop() {
                return Ok(None);
            }
            if clock.now().since_start() >= self.limit {
                let died = match server.status()? {
                    Some(status) => format!("; the server had ended by itself ({})", how(status)),
                    None => String::new(),
                };
                return Ok(Some(format!(
                    "the client had not ended after {} s, and was killed: does it wait for something that \
                     never comes, or go on forever?{died}",
                    self.limit.as_secs_f64()
                )));
            }
            thread::park_timeout(LOOK);
        }
    }
}

/// What the server does when the client has ended; what is wrong with it.
fn after_the_client(
    speech: Speech,
    server: &mut Process,
    plan: &FaultPlan,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<Option<String>, CommandError> {
    match speech {
        Speech::Datagrams => wait(late(plan), &mut || Ok(server.out.is_cut() || is_to_stop()))?,
        // What the kernel has still to send again comes too. A server that is done may end; one that serves
        // others need not.
        Speech::Stream => wait(late(plan) + END_MAX, &mut || {
            Ok(server.out.is_cut() || is_to_stop() || server.status()?.is_some())
        })?,
    }
    Ok(match server.status()? {
        Some(status) if speech == Speech::Datagrams => {
            Some(format!("the server ended by itself ({})", how(status)))
        }
        _ => flood(server, "server"),
    })
}

/// Waits until the server's socket is there; what is wrong if it does not come.
fn until_it_listens(
    speech: Speech,
    place: &Place,
    server: &mut Process,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<Option<String>, CommandError> {
    let clock = OsNetwork::new();
    while !place.is_listening()? {
        if let Some(status) = server.status()? {
            return Ok(Some(format!("the server ended before its socket was there ({})", how(status))));
        }
        if server.out.is_cut() {
            return Ok(flood(server, "server"));
        }
        if is_to_stop() {
            return Ok(None);
        }
        if clock.now().since_start() >= LISTEN_MAX {
            let (socket, binds) = match speech {
                Speech::Datagrams => ("UDP socket", "bind one to"),
                Speech::Stream => ("TCP socket that listens", "listen at"),
            };
            return Ok(Some(format!(
                "the server has no {socket} at port {} after {} s: does it {binds} FAULTWIRE_SERVER and \
                 FAULTWIRE_PORT?",
                place.server_port(),
                LISTEN_MAX.as_secs()
            )));
        }
        thread::park_timeout(LOOK);
    }
    Ok(None)
}

/// Waits for that long, or until something is so.
fn wait(span: Duration, is_over: &mut dyn FnMut() -> Result<bool, CommandError>) -> Result<(), CommandError> {
    let clock = OsNetwork::new();
    while clock.now().since_start() < span && !is_over()? {
        thread::park_timeout(LOOK);
    }
    Ok(())
}

/// What came of a program that has ended.
fn outcome(process: &mut Process) -> Result<Outcome, CommandError> {
    let error = process.status()?.and_then(failure);
    Ok(Outcome { delivered: lines(&process.out.bytes()), error })
}

fn failure(status: ExitStatus) -> Option<String> {
    (!status.success()).then(|| how(status))
}

/// How late something may come after all else.
fn late(plan: &FaultPlan) -> Duration {
    let of = |action: &Action| match action {
        Action::DelayUs(us) => Duration::from_micros(*us),
        Action::HoldFor(_) => HELD_MAX,
        _ => Duration::ZERO,
    };
    plan.faults.iter().map(|fault| of(&fault.action)).max().unwrap_or_default()
        + 2 * plan.delay_max()
        + LINGER
}

/// That an exception ended a part of the server, a thread, while the server goes on.
fn exception(server: &Process) -> Option<String> {
    const BEGINS: [&str; 2] = ["Traceback (most recent call last):", "' panicked at "];
    let text = server.err.text();
    let is_one = BEGINS.iter().any(|begin| text.contains(begin));
    is_one.then(|| "an exception ended the server, or a thread of it: stderr says which".to_owned())
}

fn flood(process: &Process, name: &str) -> Option<String> {
    process.out.is_cut().then(|| {
        let max = process.printed_max / 1024;
        format!(
            "the {name} printed more than {max} KiB, and was ended: does it print in a loop that never ends?"
        )
    })
}

fn how(status: ExitStatus) -> String {
    if let Some(signal) = signal(status) {
        return format!("signal {signal}");
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// What a program wrote to stderr, the end of it, if it wrote anything.
fn complaint(name: &str, process: &Process) -> String {
    let text = process.err.text();
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("The {name} wrote to stderr:\n{}\n", harmless(text)) }
}

/// How much of stderr is kept.
pub(super) const fn complaints_max() -> usize {
    COMPLAINTS_MAX
}

/// What was printed, as deliveries; a last line without its end counts.
fn lines(printed: &[u8]) -> Vec<Delivery> {
    let lines = printed.split_inclusive(|byte| *byte == b'\n');
    let message = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line).to_vec()
    };
    lines.map(|line| Delivery { at: Time::ZERO, message: message(line) }).collect()
}

/// What a program is given on stdin, however much it is.
pub(super) fn feed(bytes: Vec<u8>) -> std::io::Result<std::io::PipeReader> {
    let (reader, mut writer) = std::io::pipe()?;
    // A program that does not read leaves the pipe full, and closes it when it ends: then this ends too.
    thread::Builder::new().spawn(move || writer.write_all(&bytes))?;
    Ok(reader)
}

/// The machine has no thread or no process for it.
pub(super) fn no_place(error: std::io::Error) -> CommandError {
    unavailable("this machine has no room for the check").because(error)
}
