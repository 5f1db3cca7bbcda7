//! A server and a client, each in its host, from the server's start to the end of both.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use faultwire::lab::{KernelHost, LabError, Switch, Switched};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;

use super::commands::filled;
use super::hosts::{CLIENT_END, Hosts, NAMES, SERVER_END};
use super::program::{Output, Started};
use crate::server_end::Death;

/// How long the server may take until it listens, whatever the timeout: at most, and at least.
const LISTEN_MAX: Duration = Duration::from_secs(30);
const LISTEN_MIN: Duration = Duration::from_secs(1);
/// The pause between two looks whether the server listens: it doubles up to the second. A look reads the
/// host's tables of sockets, which takes milliseconds.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_millis(100);
/// How often it is said that the server does not listen yet.
const SAY: Duration = Duration::from_secs(3);
/// How often it is looked whether all of it is to stop.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether a program is to be killed or to start, where its plan says so. A host that
/// loses power is cut off at once.
const POWER_LOOK: Duration = Duration::from_millis(2);
/// The signal that ends what loses power: SIGKILL.
pub(super) const KILLED: i32 = 9;
/// How long nothing is sent, once the client has ended well, until the server is asked to end; and after one
/// that failed: it may have failed because the server is about to die.
const QUIET: Duration = Duration::from_millis(50);
const QUIET_AFTER_FAILURE: Duration = Duration::from_millis(300);
/// How long that takes at most: longer than a delayed packet is under way.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// How long a server that has closed its sockets may take to end by itself.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// The commands of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) server: &'a str,
    pub(super) client: &'a str,
    /// Whether the addresses in them are of IPv6.
    pub(super) ipv6: bool,
    /// How long the server has to listen.
    pub(super) listen_limit: Duration,
    /// Whether a run is over as soon as the server has died: what the client makes of that is not asked.
    pub(super) ends_with_server: bool,
}

/// How long a server has to listen, where its client has that long.
pub(super) fn listen_limit(timeout: Option<Duration>) -> Duration {
    timeout.unwrap_or(LISTEN_MAX).clamp(LISTEN_MIN, LISTEN_MAX)
}

/// What a program has to do that has a TUN device.
const OPEN_TUN: &str = "a network stack opens /dev/net/tun and takes the device that FAULTWIRE_TUN names \
                        (TUNSETIFF with IFF_TUN | IFF_NO_PI); a program that uses the kernel's sockets runs \
                        without --tun";

/// How the client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with that code.
    Exited(i32),
    /// By that signal.
    Signalled(i32),
    /// It took longer than it might, and was killed.
    TooLong,
    /// The server died, and the client was killed.
    WithServer,
    /// The run was canceled.
    Stopped,
}

/// What became of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) ended: Ended,
    /// How the server died, if it did.
    pub(super) death: Option<Death>,
    /// How long the client ran.
    pub(super) took: Duration,
    /// How many packets the hosts had sent when it ended; where the server died, when that did.
    pub(super) packets: u64,
}

/// Why a pair did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum PairError {
    /// The server does not serve.
    #[error("{0}")]
    Server(String),
    /// A call inside the lab failed.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The system has no pipe or no thread.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Pair<'_> {
    /// Runs both until the client has ended, no longer than `limit`, and then the server; or until something
    /// is to stop it.
    pub(super) fn run(
        &self,
        hosts: &Hosts,
        limit: Duration,
        output: &Output,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Course, PairError> {
        let server = self.start(hosts, hosts.server(), SERVER_END, output)?;
        let mut running =
            Running { pair: self, hosts, output, client: None, server: Some(server), death: None };
        if !running.listens(is_to_stop)? {
            running.kill()?;
            return Ok(Course { ended: Ended::Stopped, death: None, took: Duration::ZERO, packets: 0 });
        }
        let clock = OsNetwork::new();
        running.switch(CLIENT_END, 0, Switch::Start)?;
        let ended = running.until_the_client_ends(&clock, limit, is_to_stop)?;
        let took = clock.now().since_start();
        let packets = hosts.forwarder.stats().map_or(0, |stats| stats.taken);
        if ended == Ended::Stopped {
            running.kill()?;
            return Ok(Course { ended, death: None, took, packets });
        }
        running.end_client(ended, limit)?;
        if hosts.has_tun(CLIENT_END) && !hosts.has_sent(CLIENT_END) {
            output.note(format_args!("the client has sent nothing through its TUN device: {OPEN_TUN}"));
        }
        running.settle(ended, is_to_stop)?;
        let death = running.end_server()?;
        let later = hosts.forwarder.stats().map_or(packets, |stats| stats.taken);
        Ok(Course { ended, death, took, packets: if death.is_some() { later } else { packets } })
    }

    /// Starts the program of an end in a host.
    fn start(
        &self,
        hosts: &Hosts,
        host: &KernelHost,
        end: usize,
        output: &Output,
    ) -> Result<Started, PairError> {
        let command = filled(if end == SERVER_END { self.server } else { self.client }, self.ipv6);
        Started::start(host, NAMES[end], &command, &hosts.environment(end, self.ipv6), output)
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
    /// The first death of a server.
    death: Option<Death>,
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
        let look = if self.hosts.ends_programs() { POWER_LOOK } else { STOP_LOOK };
        loop {
            let left = limit.saturating_sub(clock.now().since_start());
            let (status, switched) = match &self.client {
                Some(client) => (client.program.wait(left.min(look))?, power.switched()),
                None => (None, power.wait(left.min(STOP_LOOK))),
            };
            if let Some(status) = status {
                return Ok(how(status));
            }
            if self.look_at_server()? && self.pair.ends_with_server {
                return Ok(Ended::WithServer);
            }
            if let Some(Switched { end, generation, crashes, what, .. }) = switched {
                self.switch(end, crashes, what)?;
                let is_over = what != Switch::Start && !self.hosts.starts_again(end, generation);
                if end == CLIENT_END && is_over {
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

    /// Kills a program, or starts it in the host that has lost power `crashes` times.
    fn switch(&mut self, end: usize, crashes: u32, what: Switch) -> Result<(), PairError> {
        let name = NAMES[end];
        // It may have died before.
        self.look_at_server()?;
        let power = self.hosts.forwarder.power();
        let program = if end == SERVER_END { &mut self.server } else { &mut self.client };
        if let Some(mut program) = program.take() {
            match what {
                Switch::Kill => self.output.note(format_args!("the {name} is killed, its host goes on")),
                _ => self.output.note(format_args!("the {name} loses power: it is killed")),
            }
            program.kill()?;
        }
        match what {
            Switch::Crash => {}
            Switch::Kill => power.killed(end),
            Switch::Start => {
                let Some(host) = self.hosts.host(end, crashes) else { return Ok(()) };
                if !power.is_on(end, 0) {
                    self.output.note(format_args!("the {name} starts again"));
                }
                *program = Some(self.pair.start(self.hosts, host, end, self.output)?);
            }
        }
        Ok(())
    }

    /// Whether a server has died by now.
    fn look_at_server(&mut self) -> Result<bool, PairError> {
        if self.death.is_none()
            && let Some(server) = &self.server
            && let Some(status) = server.program.peek(Duration::ZERO)?
        {
            self.death = Death::of(status, false);
            if let Some(death) = self.death {
                self.output.note(format_args!("the server {death}"));
            }
        }
        Ok(self.death.is_some())
    }

    /// Ends the client, where it has not ended.
    fn end_client(&mut self, ended: Ended, limit: Duration) -> Result<(), PairError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        if ended == Ended::TooLong {
            self.output.note(format_args!("the client took longer than {limit:?}: it is killed"));
        }
        if matches!(ended, Ended::TooLong | Ended::WithServer) {
            client.kill()?;
        }
        client.finish_output();
        Ok(())
    }

    /// Lets what is under way arrive, and a server that ends by itself do so.
    fn settle(&mut self, ended: Ended, is_to_stop: &dyn Fn() -> bool) -> Result<(), PairError> {
        let clock = OsNetwork::new();
        let quiet = if ended == Ended::Exited(0) { QUIET } else { QUIET_AFTER_FAILURE };
        let forwarder = &self.hosts.forwarder;
        let (mut sent, mut since) = (forwarder.stats()?.taken, Duration::ZERO);
        while let Some(server) = &self.server
            && !is_to_stop()
        {
            let now = clock.now().since_start();
            let taken = forwarder.stats()?.taken;
            if taken != sent || forwarder.in_flight() > 0 {
                (sent, since) = (taken, now);
            }
            let is_quiet = now.saturating_sub(since) >= quiet;
            if now >= QUIET_MAX || (is_quiet && (now >= LAST_MOMENTS || self.is_server_listening()?)) {
                return Ok(());
            }
            if server.program.peek(quiet)?.is_some() {
                self.look_at_server()?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the server that runs now waits for clients.
    fn is_server_listening(&self) -> Result<bool, PairError> {
        match self.hosts.last(SERVER_END) {
            Some(host) => Ok(host.is_listening()?),
            None => Ok(true),
        }
    }

    /// Asks the server to end; says how one died.
    fn end_server(&mut self) -> Result<Option<Death>, PairError> {
        self.look_at_server()?;
        let Some(server) = &mut self.server else { return Ok(self.death) };
        let status = server.end()?;
        Ok(self.death.or(status.and_then(|status| Death::of(status, true))))
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
        let (clock, limit) = (OsNetwork::new(), self.pair.listen_limit);
        let Some(serving) = &mut self.server else { return Ok(false) };
        let (mut pause, mut said) = (LOOK, Duration::ZERO);
        let (listened, listens, what_to_do) = match self.hosts.has_tun(SERVER_END) {
            true => ("opened its TUN device", "has not opened its TUN device", format!(": {OPEN_TUN}")),
            false => ("listened", "does not listen", String::new()),
        };
        while !self.hosts.server().is_listening()? {
            let now = clock.now().since_start();
            if let Some(status) = serving.program.wait(pause.min(limit.saturating_sub(now)))? {
                serving.finish_output();
                return Err(PairError::Server(format!("the server ended before it {listened}: {status}")));
            }
            if is_to_stop() {
                return Ok(false);
            }
            if now >= limit {
                serving.end()?;
                return Err(PairError::Server(format!(
                    "the server {listens}, {limit:?} after its start{what_to_do}"
                )));
            }
            if now >= said + SAY {
                said = now;
                self.output.note(format_args!(
                    "the server {listens} yet, {} s after its start: it has {limit:?}",
                    now.as_secs()
                ));
            }
            pause = (pause * 2).min(LOOK_MAX);
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
