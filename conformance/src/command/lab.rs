//! `faultwire lab`: a fault plan between any two programs, each in a host of its own of the real kernel.

use std::path::PathBuf;
use std::time::Duration;

use super::live;

#[cfg(target_os = "linux")]
mod pair;
#[cfg(target_os = "linux")]
mod profiles;

/// Put a fault plan between any two programs, each in a host of its own of this machine's kernel
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Linux only; no root needed. The shell runs each command in a network namespace with one
interface. {server} and {client} in a command stand for the addresses, and so do FAULTWIRE_SERVER
and FAULTWIRE_CLIENT in its environment. The client is started once a socket of the server waits
for it. Events at a time (at_us), crash and restart are for simulation only and refused.

Example, with a plan that drops the first data segment from client to server:
  faultwire lab --plan drop.toml --server 'python3 -m http.server' \\
    --client 'curl -sS http://{server}:8000/'

Exit: the client's own code, 128 + n where signal n ended it, 124 where it took too long. Before it
is started: 2 wrong usage or a wrong plan, 3 the machine refuses the lab, 1 anything else.")]
pub(super) struct Args {
    /// The fault plan; without one nothing goes wrong
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The server's command
    #[arg(long, value_name = "COMMAND")]
    server: String,
    /// The client's command
    #[arg(long, value_name = "COMMAND")]
    client: String,
    /// {server} and {client} are IPv6 addresses
    #[arg(long)]
    ipv6: bool,
    /// How long the client may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = live::seconds)]
    timeout: Duration,
    /// At the end, write all that happened there; - is stdout
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// At the end, write the packets there for Wireshark: an interface for each host, one for lost packets
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
}

/// Runs both, and gives the client's exit code.
#[cfg(target_os = "linux")]
pub(super) fn run(args: &Args) -> u8 {
    pair::run(args).unwrap_or_else(|failure| {
        live::tell(format_args!("error: {}", failure.message));
        failure.code
    })
}

/// Says that there is no lab here.
#[cfg(not(target_os = "linux"))]
pub(super) fn run(_: &Args) -> u8 {
    live::tell(format_args!("error: the lab is not to be had here: {ONLY_LINUX}"));
    crate::exit::NO_TESTBED
}

/// Why there is no lab on other systems.
#[cfg(not(target_os = "linux"))]
const ONLY_LINUX: &str = "its hosts are network namespaces, which only Linux has; use a Linux machine";

/// Whether this machine has a lab: how its hosts meet the wire, or why not.
///
/// # Errors
/// In a line: the step that is refused, the error, the likely cause and what would allow it.
#[cfg(target_os = "linux")]
pub(super) fn probe() -> Result<&'static str, String> {
    pair::probe()
}

/// Whether this machine has a lab: it has not.
///
/// # Errors
/// Why not.
#[cfg(not(target_os = "linux"))]
pub(super) fn probe() -> Result<&'static str, String> {
    Err(ONLY_LINUX.to_owned())
}

/// Tells of the profiles of kernel settings: what they are, what is absent here, and every setting if asked for.
#[cfg(target_os = "linux")]
pub(super) fn profiles(out: &mut String, settings: bool, width: usize) {
    profiles::tell(out, settings, width);
}

/// There are none where there is no lab.
#[cfg(not(target_os = "linux"))]
pub(super) fn profiles(_: &mut String, _: bool, _: usize) {}
