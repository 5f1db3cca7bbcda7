//! Where a learner's client and server run, with a plan between them: two hosts of the kernel's in a lab, or,
//! where the machine refuses that, this host with a relay.

use std::io::{self, PipeReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Fired};
use faultwire::trace::Trace;

use super::group::{Group, Waited};
use super::output_of::{Keep, Kept};
use super::pair::{complaints_max, feed};
use super::relayed::Relayed;
use crate::error::{CommandError, internal};
#[cfg(target_os = "linux")]
use crate::lab::{Hosts, addresses};

/// Where the server listens in a lab, where every port is free.
const LAB_PORT: u16 = 7000;
/// How long the rest of a program's output is waited for.
const OUTPUT_MAX: Duration = Duration::from_secs(1);

/// Where a pair can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Testbed {
    // Two hosts of the kernel's (Linux).
    Lab,
    // This host, with a relay between the two.
    Relay,
}

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Client,
    Server,
}

/// Where a pair runs.
#[derive(Debug)]
pub(super) enum Place {
    #[cfg(target_os = "linux")]
    Lab(Hosts),
    Relay(Relayed),
}

impl Place {
    /// With that plan between the two.
    pub(super) fn new(testbed: Testbed, plan: &FaultPlan) -> Result<Place, CommandError> {
        match testbed {
            #[cfg(target_os = "linux")]
            Testbed::Lab => {
                if plan.ends_programs() {
                    // The wire would cut a host off, but nobody ends its program here, and nobody starts it
                    // again.
                    let why =
                        "a plan in which programs end or start again cannot be tried with commands here";
                    return Err(crate::error::usage(why));
                }
                Hosts::start(plan, None, &[]).map(Place::Lab)
            }
            #[cfg(not(target_os = "linux"))]
            Testbed::Lab => Err(crate::lab::only_linux()),
            Testbed::Relay => Relayed::start(plan).map(Place::Relay),
        }
    }

    /// Starts a shell command with `stdin`. It may print at most `printed_max` bytes.
    pub(super) fn start(
        &self,
        who: Who,
        line: &str,
        stdin: Vec<u8>,
        printed_max: usize,
    ) -> Result<Process, CommandError> {
        let (host, port) = match self {
            #[cfg(target_os = "linux")]
            Place::Lab(_) => (addresses(false).1.to_string(), LAB_PORT),
            Place::Relay(relayed) => ("127.0.0.1".to_owned(), relayed.port(who)),
        };
        let line = line.replace("{server}", &host).replace("{port}", &port.to_string());
        let environment = [
            ("FAULTWIRE_SERVER".to_owned(), host),
            ("FAULTWIRE_PORT".to_owned(), port.to_string()),
            ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ];
        let stdin = feed(stdin).map_err(internal)?;
        self.spawn(who, &line, &environment, stdin, printed_max).map_err(internal)
    }

    fn spawn(
        &self,
        who: Who,
        line: &str,
        environment: &[(String, String)],
        stdin: PipeReader,
        printed_max: usize,
    ) -> io::Result<Process> {
        let (out, stdout) = io::pipe()?;
        let (err, stderr) = io::pipe()?;
        let running = match self {
            #[cfg(target_os = "linux")]
            Place::Lab(hosts) => {
                use std::os::fd::AsFd as _;
                let host = match who {
                    Who::Client => hosts.client(),
                    Who::Server => hosts.server(),
                };
                let program = host.start(line, environment, [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
                drop((stdout, stderr));
                Running::InLab(program.map_err(io::Error::other)?)
            }
            Place::Relay(_) => {
                let _ = who;
                let mut command = Command::new("sh");
                command.arg("-c").arg(line).envs(environment.iter().map(|(name, value)| (name, value)));
                command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
                Running::Here(Group::start(&mut command)?)
            }
        };
        let out = Kept::of(out, Keep::First(printed_max))?;
        let err = Kept::of(err, Keep::Last(complaints_max()))?;
        Ok(Process { running, status: None, out, err, printed_max })
    }

    /// Whether the server's socket is there.
    pub(super) fn is_listening(&self) -> Result<bool, CommandError> {
        match self {
            #[cfg(target_os = "linux")]
            Place::Lab(hosts) => hosts.server().is_listening().map_err(internal),
            Place::Relay(relayed) => relayed.is_listening().map_err(internal),
        }
    }

    /// Where the server is to listen.
    pub(super) fn server_port(&self) -> u16 {
        match self {
            #[cfg(target_os = "linux")]
            Place::Lab(_) => LAB_PORT,
            Place::Relay(relayed) => relayed.port(Who::Server),
        }
    }

    /// What happened so far.
    pub(super) fn trace(&self) -> Trace {
        match self {
            #[cfg(target_os = "linux")]
            Place::Lab(hosts) => hosts.forwarder.trace(),
            Place::Relay(relayed) => relayed.relay.trace(),
        }
    }

    /// Which of the plan's faults took place.
    pub(super) fn fired(&self) -> Fired {
        match self {
            #[cfg(target_os = "linux")]
            Place::Lab(hosts) => hosts.forwarder.fired(),
            Place::Relay(relayed) => relayed.relay.fired(),
        }
    }
}

/// A program that was started.
#[derive(Debug)]
pub(super) struct Process {
    running: Running,
    status: Option<ExitStatus>,
    pub(super) out: Kept,
    pub(super) err: Kept,
    pub(super) printed_max: usize,
}

#[derive(Debug)]
enum Running {
    #[cfg(target_os = "linux")]
    InLab(faultwire::lab::Program),
    Here(Group),
}

impl Process {
    /// How it ended, if it has. What it has left behind is gone then too.
    pub(super) fn status(&mut self) -> Result<Option<ExitStatus>, CommandError> {
        if self.status.is_none() {
            self.status = match &mut self.running {
                #[cfg(target_os = "linux")]
                Running::InLab(program) => program.wait(Duration::ZERO).map_err(internal)?,
                Running::Here(group) => match group.wait(Duration::ZERO, &|| false).map_err(internal)? {
                    Waited::Ended(status) => Some(status),
                    Waited::TooLong | Waited::Stopped => None,
                },
            };
        }
        Ok(self.status)
    }

    /// Kills it, with all that it has started, and reads the rest of its output.
    pub(super) fn end(&mut self) {
        match &mut self.running {
            #[cfg(target_os = "linux")]
            Running::InLab(program) if self.status.is_none() => {
                // It may have ended just now; what is left goes with the lab.
                let _ = program.kill();
                self.status = program.wait(OUTPUT_MAX).ok().flatten();
            }
            #[cfg(target_os = "linux")]
            Running::InLab(_) => {}
            Running::Here(group) => group.kill(),
        }
        self.out.finish(OUTPUT_MAX);
        self.err.finish(OUTPUT_MAX);
    }
}
