//! A server and a client, each in its host, from the server's start to the end of both.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use faultwire::lab::LabError;
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;

use super::hosts::{Hosts, with_cause};
use super::program::{Output, Started};

/// How long the server may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether the server listens.
const LOOK: Duration = Duration::from_millis(5);
/// How often it is looked whether all of it is to stop.
const STOP_LOOK: Duration = Duration::from_millis(100);

/// The commands of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    /// Whether the addresses in them are of IPv6.
    pub(super) ipv6: bool,
}

/// How the client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with that code.
    Exited(i32),
    /// By that signal.
    Signalled(i32),
    /// It took longer than it might, and was killed.
    TooLong,
    /// Somebody stopped all of it.
    Stopped,
}

/// What became of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) ended: Ended,
    /// How long the client ran.
    pub(super) took: Duration,
    /// How many packets the hosts had sent when it ended.
    pub(super) packets: u64,
}

/// Why a pair did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum PairError {
    /// The server does not serve.
    #[error("{0}")]
    Server(String),
    /// A call inside the lab failed.
    #[error("{}", with_cause(.0))]
    Lab(#[from] LabError),
    /// The system has no pipe or no thread.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Pair<'_> {
    /// Runs both until the client has ended, no longer than `limit`, or something is to stop it.
    pub(super) fn run(
        &self,
        hosts: &Hosts,
        limit: Duration,
        output: &Output,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Course, PairError> {
        let mut serving = Started::start(&hosts.server, "server", self.server, self.ipv6, output)?;
        if !listens(&mut serving, hosts, is_to_stop)? {
            serving.kill()?;
            return Ok(Course { ended: Ended::Stopped, took: Duration::ZERO, packets: 0 });
        }
        let clock = OsNetwork::new();
        let mut calling = Started::start(&hosts.client, "client", self.client, self.ipv6, output)?;
        let ended = loop {
            let left = limit.saturating_sub(clock.now().since_start());
            match calling.program.wait(left.min(STOP_LOOK))? {
                Some(status) => break how(status),
                None if left.is_zero() => break Ended::TooLong,
                None if is_to_stop() => break Ended::Stopped,
                None => {}
            }
        };
        let took = clock.now().since_start();
        let packets = hosts.forwarder.stats().map_or(0, |stats| stats.taken);
        match ended {
            Ended::Exited(_) | Ended::Signalled(_) => calling.finish_output(),
            Ended::TooLong => {
                output.note(format_args!("the client took longer than {limit:?}: it is killed"));
                calling.kill()?;
                calling.finish_output();
            }
            Ended::Stopped => {
                calling.kill()?;
                serving.kill()?;
            }
        }
        if ended != Ended::Stopped {
            serving.end()?;
        }
        Ok(Course { ended, took, packets })
    }
}

/// Waits until the server waits for clients; `false` where it is to stop before.
fn listens(serving: &mut Started, hosts: &Hosts, is_to_stop: &dyn Fn() -> bool) -> Result<bool, PairError> {
    let clock = OsNetwork::new();
    while !hosts.server.is_listening()? {
        if let Some(status) = serving.program.wait(LOOK)? {
            serving.finish_output();
            return Err(PairError::Server(format!("the server ended before it listened: {status}")));
        }
        if is_to_stop() {
            return Ok(false);
        }
        if clock.now().since_start() >= LISTEN_LIMIT {
            serving.end()?;
            let seconds = LISTEN_LIMIT.as_secs();
            return Err(PairError::Server(format!(
                "the server does not listen, {seconds} s after its start"
            )));
        }
    }
    Ok(true)
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signalled(signal.unwrap_or(0)),
    }
}
