//! `faultwire lab`: a fault plan between any two programs, each in its own host of the real kernel; and the
//! search for a plan that makes them fail.

use std::path::PathBuf;
use std::time::Duration;

use super::capture::CaptureArgs;
use super::error::CommandError;
use super::live;

#[cfg(target_os = "linux")]
mod commands;
#[cfg(target_os = "linux")]
mod hosts;
#[cfg(target_os = "linux")]
mod once;
#[cfg(target_os = "linux")]
mod pair;
#[cfg(target_os = "linux")]
mod profiles;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod search;
#[cfg(target_os = "linux")]
mod warnings;

#[cfg(target_os = "linux")]
pub(super) use hosts::{Hosts, addresses, helper};

/// Put a fault plan between any two programs, each in its own host of this machine's kernel
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "\
Linux only; no root needed. The shell runs each command in a network namespace with one interface,
as the user who calls this, in a new session without a terminal. {server} and {client} in a
command stand for the addresses, and so do FAULTWIRE_SERVER and FAULTWIRE_CLIENT in its environment;
PYTHONUNBUFFERED=1 is there too. The client starts once a socket of the server waits for it: the
server may take as long for that as the client for everything, between 1 s and 30 s.

A lab is not a sandbox. Network and process numbers are its own; files, sockets named by a path, and
what root may do are not. Run only commands that you would run without it, a plan's [lab] included.
When the lab ends, so does every process that was started in it, daemons too.

The exit of both programs counts. Once the client has exited and no packet is in flight, the server
is asked to exit (SIGTERM). The server fails if it exits earlier with another code than 0, or then
with another code than 0 and not by that signal. A server that exits by itself with 0 is fine. A
worker or thread that dies while its server goes on is not noticed: let the server exit with it.
A host that a plan crashes is cut off and its program killed; when it restarts, the command runs
again in a new host. If the client does not restart, the run ends with 137. Events at a time (at_us)
are refused: they work in simulation only.

With --tun a command is its host's whole network stack, in any language: it opens the TUN device
that FAULTWIRE_TUN names, and reads and writes IP packets there. FAULTWIRE_ADDRESS is its address
with the prefix, FAULTWIRE_GATEWAY the other host, FAULTWIRE_MTU the MTU. The kernel has no address
there. The client starts once the server has opened the device.

With --plan the run is drawn at the end. Programs' output passes unchanged into a pipe or a file;
on a terminal, control characters in it are replaced.

Example, with a plan that drops the first data segment from client to server:
  faultwire lab --plan drop.toml --server 'python3 -m http.server' \\
    --client 'curl -sS http://{server}:8000/'
To find a plan that makes them fail: faultwire lab search --help

Ctrl-C or SIGTERM kills both programs; the trace and the pictures of the run so far are written.

Exit: the client's own code, 128 + n where signal n ended it, 124 where it took too long, 130 where
Ctrl-C or SIGTERM ended the lab. If that is 0: 1 where the server failed, 2 where a file could not
be written after the run. Before it starts: 2 wrong usage, a wrong plan or a file that cannot be
written, 3 the machine refuses the lab, 1 anything else."
)]
pub(super) struct Args {
    #[command(subcommand)]
    search: Option<Command>,
    #[command(flatten)]
    once: Option<OnceArgs>,
    // Not among those: what may be left away as a whole must hold its options itself, or clap never finds it
    // there.
    #[command(flatten)]
    capture: CaptureArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Search(SearchArgs),
}

/// The settings of the kernel that a pair's hosts have: those that this machine gives to new ones, or a
/// profile's. (No words on each: with them the help would be twice as long.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Settings {
    Own,
    Fast,
    Stock,
}

/// Reads a command.
#[cfg(target_os = "linux")]
fn command(text: &str) -> Result<String, String> {
    commands::checked(text)
}

/// Reads a command; there is nothing to run it in.
#[cfg(not(target_os = "linux"))]
fn command(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

/// What one run under one plan is told.
#[derive(Debug, clap::Args)]
struct OnceArgs {
    /// The fault plan; without one nothing goes wrong
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The server's command [default: the plan's]
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    server: Option<String>,
    /// The client's command [default: the plan's]
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    client: Option<String>,
    /// {server} and {client} are IPv6 addresses
    #[arg(long)]
    ipv6: bool,
    /// The hosts' kernel settings: its own, or pinned ones (`faultwire testbeds`) [default: the plan's,
    /// or own]
    #[arg(long, value_name = "NAME", value_enum)]
    profile: Option<Settings>,
    /// This host's command is a network stack with a TUN device; may be given for both [default: the plan's,
    /// for its own commands]
    #[arg(long, value_name = "HOST", value_parser = ["server", "client"])]
    tun: Vec<String>,
    /// How long the client may take [default: the plan's, or 60]
    #[arg(long, value_name = "SECONDS", value_parser = live::seconds)]
    timeout: Option<Duration>,
    /// Write every event to this file at the end; - is stdout
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw the run as an SVG picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Find the smallest fault plan that makes the client fail or kills the server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
First the pair runs without faults, and must succeed. Then it runs under every plan of one fault on
a packet that all of those runs had: each dropped; then the link cut from each on, one way or both,
for two retransmissions or a little more than a second (of more than 64 such outages an even sample
runs); then each doubled, held back, delayed, damaged. Then it runs under random plans of up to
eight faults. Several runs go on side by side, each in its own hosts; commands should not write to
the same files, or --jobs 1 keeps them apart. A lab is not a sandbox: see faultwire lab --help.

The client fails if it exits with another code than 0, is ended by a signal, or takes longer than it
may. The server fails if it ends with another code than 0 or by a signal, SIGTERM aside when it is
asked to end after the client. The first plan that makes the pair fail twice in the same way is made
smaller as long as it fails in that way, and written with both commands to a file that
`faultwire lab --plan` takes. With --kinds the search goes on: a failure of a kind that is known
(how the pair ended, what never arrived) is counted, and hides no other. A run in which packets were
lost outside of the plan, or the plan did not take place, is retried, twice at most.

Example:
  faultwire lab search --server 'python3 server.py' --client 'python3 client.py {server}'

Exit: 0 nothing was found, 1 a failing plan was found, or nothing is proven as not one of the plans
took place with a result that can be relied on, 2 wrong usage, or the pair fails without any fault,
3 the machine refuses the lab, 4 an internal fault, 130 stopped (Ctrl-C) with nothing found.")]
struct SearchArgs {
    /// The server's command
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    server: String,
    /// The client's command: exits with 0 if all is well, and with another code if not
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    client: String,
    /// {server} and {client} are IPv6 addresses
    #[arg(long)]
    ipv6: bool,
    /// The kernel's settings in the hosts: its own, or pinned ones that `faultwire testbeds` tells of
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Settings::Own)]
    profile: Settings,
    /// This host's command is a network stack with a TUN device; may be given for both
    #[arg(long, value_name = "HOST", value_parser = ["server", "client"])]
    tun: Vec<String>,
    /// How long the client may take under one fault; twice that under several, and more under an outage
    /// [default: ten times what it takes without faults, at least 5]
    #[arg(long, value_name = "SECONDS", value_parser = live::seconds)]
    timeout: Option<Duration>,
    /// Where the plan is written to; what is there is replaced
    #[arg(long, value_name = "FILE", default_value = "failing-plan.toml")]
    out: PathBuf,
    /// Also crash each host, and kill its program, after each packet: the server's for good, and so that it
    /// starts again; the client's for good. A program whose peer is gone may exit with any code, and has 30
    /// seconds more; it fails if it takes longer or is ended by a signal
    #[arg(long)]
    crashes: bool,
    /// How many random plans
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(..=1_000_000),
    )]
    cases: u64,
    /// The seed of the random plans
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Go on until this many kinds of failure are found; each plan after the first goes to
    /// NAME-2.toml, NAME-3.toml, …
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    kinds: u8,
    /// How many runs go on side by side [default: three for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
}

/// Runs both, and gives the client's exit code; or searches.
#[cfg(target_os = "linux")]
pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    // Of helpers that somebody killed.
    let _orphans = faultwire::lab::Orphans::adopt();
    match (&args.search, &args.once) {
        (Some(Command::Search(args)), _) => search::run(args),
        (None, Some(once)) => once::run(once, &args.capture),
        (None, None) => Err(super::error::usage(
            "--server and --client are missing; a plan that holds both commands is enough: --plan FILE",
        )),
    }
}

/// Says that there is no lab here.
#[cfg(not(target_os = "linux"))]
pub(super) fn run(_: &Args) -> Result<u8, CommandError> {
    Err(only_linux())
}

/// Why there is no lab on other systems.
#[cfg(not(target_os = "linux"))]
pub(super) fn only_linux() -> CommandError {
    super::error::unavailable(
        "the lab is unavailable: its hosts are network namespaces, which only Linux has; use a Linux machine",
    )
}

/// The settings that the kernel's hosts have in a verification, and which of them are absent here; `None`
/// where there is no lab.
#[cfg(target_os = "linux")]
pub(super) fn settings() -> Option<faultwire_conformance::report::LabSettings> {
    let (profile, unset) = faultwire_sim::lab::settings().ok()?;
    Some(faultwire_conformance::report::LabSettings::of(profile, &unset))
}

/// There is no lab.
#[cfg(not(target_os = "linux"))]
pub(super) fn settings() -> Option<faultwire_conformance::report::LabSettings> {
    None
}

/// Tells of the profiles of kernel settings: what they are, what is absent here, and every setting if asked
/// for.
#[cfg(target_os = "linux")]
pub(super) fn profiles(out: &mut String, settings: bool, width: usize) {
    profiles::tell(out, settings, width);
}

/// There are none where there is no lab.
#[cfg(not(target_os = "linux"))]
pub(super) fn profiles(_: &mut String, _: bool, _: usize) {}
