//! What the commands on real sockets have in common.

use std::future::Future;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use faultwire_conformance::exit;
use faultwire_conformance::report::harmless;

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

/// Why a command ends without having done its job.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) code: u8,
    /// What went wrong, and what to do.
    pub(super) message: String,
}

/// The peer, or the system, did not do its part.
pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure { code: exit::CLAIM_FAILED, message: error.to_string() }
}

/// What the caller wrote cannot be used.
pub(super) fn usage(error: impl std::fmt::Display) -> Failure {
    Failure { code: exit::USAGE, message: error.to_string() }
}

/// As [`failed`], or as [`usage`] where the reason is a text that is no address.
pub(super) fn about_address(error: impl std::fmt::Display, source: &io::Error) -> Failure {
    // The system's own EINVAL has a number; a text that cannot be read has none.
    if source.kind() == io::ErrorKind::InvalidInput && source.raw_os_error().is_none() {
        usage(error)
    } else {
        failed(error)
    }
}

/// Runs a command on a runtime of its own; says on stderr why it failed, if it did.
pub(super) fn run(work: impl Future<Output = Result<u8, Failure>>) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            let message = format!("cannot start the asynchronous runtime: {error}");
            Err(Failure { code: exit::INTERNAL, message })
        }
    };
    done.unwrap_or_else(|failure| {
        tell(format_args!("error: {}", failure.message));
        failure.code
    })
}

/// A line of the result, on stdout; what is not text in it is replaced.
///
/// # Errors
/// As writing's. A reader that has seen enough and went away is none.
pub(super) fn result(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{}", harmless(&line.to_string())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(usage(format_args!("cannot write the result to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line about the work, on stderr; what is not text in it is replaced. Nobody may be there to read it.
pub(super) fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&line.to_string()));
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
    pub(super) fn new() -> Result<Stop, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let take =
                |kind| signal(kind).map_err(|error| failed(format_args!("cannot take signals: {error}")));
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
