//! A server and a client, each in its host, from the server's start to the end of both.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use faultwire::lab::{KernelHost, LabError, Profile, Switched};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;

use super::hosts::{CLIENT_END, Hosts, NAMES, SERVER_END, with_cause};
use super::program::{Output, Started};

/// How long the server may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether the server listens.
const LOOK: Duration = Duration::from_millis(5);
/// How often it is looked whether all of it is to stop.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether a host has lost power, or starts again, where its plan says so. It is cut off at once.
const POWER_LOOK: Duration = Duration::from_millis(2);
/// The signal that ends what loses power: SIGKILL.
const KILLED: i32 = 9;

/// The commands of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    /// Whether the addresses in them are of IPv6.
    pub(super) ipv6: bool,
    /// The pinned settings of the hosts' kernel, if they are to have any.
    pub(super) profile: Option<Profile>,
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
        let server = self.start(hosts.server(), SERVER_END, output)?;
        let mut running = Running { pair: self, hosts, output, client: None, server: Some(server) };
        if !running.listens(is_to_stop)? {
            running.kill()?;
            return Ok(Course { ended: Ended::Stopped, took: Duration::ZERO, packets: 0 });
        }
        let clock = OsNetwork::new();
        running.switch(CLIENT_END, 0, true)?;
        let ended = running.until_the_client_ends(&clock, limit, is_to_stop)?;
        let took = clock.now().since_start();
        let packets = hosts.forwarder.stats().map_or(0, |stats| stats.taken);
        running.end(ended, limit)?;
        Ok(Course { ended, took, packets })
    }

    /// Starts the program of an end in a host.
    fn start(&self, host: &KernelHost, end: usize, output: &Output) -> Result<Started, PairError> {
        let command = if end == SERVER_END { self.server } else { self.client };
        Started::start(host, NAMES[end], command, self.ipv6, output)
    }
}

/// A pair that runs.
struct Running<'a> {
    pair: &'a Pair<'a>,
    hosts: &'a Hosts,
    output: &'a Output,
    /// `None` while its host has no power.
    client: Option<Started>,
    server: Option<Started>,
}

impl Running<'_> {
    /// Waits for the client's end; meanwhile does to the programs what the wire does to their hosts.
    fn until_the_client_ends(
        &mut self,
        clock: &OsNetwork,
        limit: Duration,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Ended, PairError> {
        let power = self.hosts.forwarder.power();
        let look = if self.hosts.may_lose_power() { POWER_LOOK } else { STOP_LOOK };
        loop {
            let left = limit.saturating_sub(clock.now().since_start());
            let (status, switched) = match &self.client {
                Some(client) => (client.program.wait(left.min(look))?, power.switched()),
                None => (None, power.wait(left.min(STOP_LOOK))),
            };
            if let Some(status) = status {
                return Ok(how(status));
            }
            if let Some(Switched { end, generation, is_on, .. }) = switched {
                self.switch(end, generation, is_on)?;
                if end == CLIENT_END && !is_on && self.hosts.host(end, generation).is_none() {
                    // It never starts again.
                    return Ok(Ended::Signalled(KILLED));
                }
            } else if left.is_zero() {
                return Ok(Ended::TooLong);
            } else if is_to_stop() {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// A host lost power, or has it: its program is killed, or started.
    fn switch(&mut self, end: usize, generation: u32, is_on: bool) -> Result<(), PairError> {
        let name = NAMES[end];
        let program = if end == SERVER_END { &mut self.server } else { &mut self.client };
        if let Some(mut program) = program.take() {
            self.output.note(format_args!("the {name} loses power: it is killed"));
            program.kill()?;
        }
        if is_on && let Some(host) = self.hosts.host(end, generation) {
            if generation > 0 {
                self.output.note(format_args!("the {name} starts again"));
            }
            *program = Some(self.pair.start(host, end, self.output)?);
        }
        Ok(())
    }

    /// Ends both.
    fn end(mut self, ended: Ended, limit: Duration) -> Result<(), PairError> {
        if ended == Ended::Stopped {
            return self.kill();
        }
        if let Some(client) = &mut self.client {
            if ended == Ended::TooLong {
                self.output.note(format_args!("the client took longer than {limit:?}: it is killed"));
                client.kill()?;
            }
            client.finish_output();
        }
        match &mut self.server {
            Some(server) => server.end(),
            None => Ok(()),
        }
    }

    /// Kills what runs.
    fn kill(&mut self) -> Result<(), PairError> {
        for mut program in [self.client.take(), self.server.take()].into_iter().flatten() {
            program.kill()?;
        }
        Ok(())
    }

    /// Waits until the server waits for clients; `false` where it is to stop before.
    fn listens(&mut self, is_to_stop: &dyn Fn() -> bool) -> Result<bool, PairError> {
        let clock = OsNetwork::new();
        let Some(serving) = &mut self.server else { return Ok(false) };
        while !self.hosts.server().is_listening()? {
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
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signalled(signal.unwrap_or(0)),
    }
}
