//! What the commands on real sockets have in common.

use std::future::Future;
use std::time::Duration;

use clap::ValueEnum;

use super::error::{CommandError, failed, internal};

/// Which of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Program {
    /// Over TCP: what is sent comes back.
    TcpEcho,
    /// Over TCP: each line is answered with `ACK`.
    TcpReply,
    /// Over UDP: each datagram comes back.
    UdpEcho,
    /// Over UDP: each datagram is answered with `ACK`.
    UdpReply,
    /// Over TCP: a file from the client to the server.
    TcpFile,
    /// Over UDP, with the adaptive socket: the same.
    UdpFile,
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Program::TcpEcho => "tcp-echo",
            Program::TcpReply => "tcp-reply",
            Program::UdpEcho => "udp-echo",
            Program::UdpReply => "udp-reply",
            Program::TcpFile => "tcp-file",
            Program::UdpFile => "udp-file",
        })
    }
}

/// Runs a command on a new runtime.
pub(super) fn run(work: impl Future<Output = Result<u8, CommandError>>) -> Result<u8, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| internal("cannot start the asynchronous runtime").because(error))?.block_on(work)
}

/// Ctrl-C, and on Unix SIGTERM.
#[derive(Debug)]
pub(super) struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Stop {
    /// Takes the signals from here on: they no longer end the process by themselves.
    ///
    /// # Errors
    /// Where the system does not give them.
    pub(super) fn new() -> Result<Stop, CommandError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let take = |kind| signal(kind).map_err(|error| failed("cannot take signals").because(error));
            Ok(Stop { signals: [take(SignalKind::interrupt())?, take(SignalKind::terminate())?] })
        }
        #[cfg(not(unix))]
        Ok(Stop {})
    }

    /// Waits for one of them.
    pub(super) async fn wait(mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What an adaptive socket is set to here.
pub(super) fn adaptive(datagram_max: u16) -> faultwire::adaptive::Config {
    faultwire::adaptive::Config::default()
        .with_seed(faultwire::network::os::OsNetwork::random_seed())
        .with_datagram_max(usize::from(datagram_max))
}

/// A time in seconds, as written on the command line.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 86_400.0;
    const LEAST: f64 = 0.001;
    match text.parse::<f64>() {
        Ok(seconds) if (LEAST..=MOST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected seconds from {LEAST} to {MOST}, such as 5 or 0.5")),
    }
}
