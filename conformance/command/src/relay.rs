//! `faultwire relay`: a fault plan between two programs on real UDP sockets.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use faultwire::fault::{FaultPlan, Fired, PlanFile};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::relay::{Relay, RelayConfig, RelayError, RelayStats};
use faultwire::trace::Trace;
use faultwire_conformance::exit;

use super::capture::{Capture, CaptureArgs, Subject};
use super::error::{CommandError, about_address, failed, usage};
use super::live::{self, Stop};
use super::output::{self, check_distinct, result, tell};

/// Put a fault plan between two UDP programs: clients send to --listen instead of to --to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On Ctrl-C it says which of the plan's faults and events took place. Each datagram is one packet, whatever the
plan's mtu; events at a time (at_us), crash and restart are for simulation only and refused.

Example, with a plan that drops the second datagram from client to server:
  faultwire serve udp-echo --listen 127.0.0.1:10000 &
  faultwire relay --plan drop.toml --listen 127.0.0.1:10001 --to 127.0.0.1:10000 &
  faultwire call udp-echo 127.0.0.1:10001 --count 3 --timeout 1

Exit: 0 stopped by Ctrl-C or SIGTERM, 1 cannot listen, 2 wrong usage or a wrong plan.")]
pub(super) struct Args {
    /// The fault plan
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Where clients send to; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where the server is
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// At the end, write all that happened there; - is stdout
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    capture: CaptureArgs,
    /// What the plan calls the host of the clients
    #[arg(long, value_name = "NAME", default_value = "client")]
    client: String,
    /// What the plan calls the host of the server
    #[arg(long, value_name = "NAME", default_value = "server")]
    server: String,
}

/// Relays until it is told to stop.
pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    live::run(relay(args))
}

async fn relay(args: &Args) -> Result<u8, CommandError> {
    let file = PlanFile::read(&args.plan).map_err(usage)?;
    file.check_hosts(&[&args.client, &args.server]).map_err(usage)?;
    let plan = file.plan;
    let mut config = RelayConfig::default();
    config.client.clone_from(&args.client);
    config.server.clone_from(&args.server);
    config.net = OsNetwork::new();
    let server = addresses(&config.net, &args.to).await?;
    let Some(to) = server.first().copied() else {
        return Err(failed(format!("`{}` has no address", args.to)));
    };
    let listen = addresses(&config.net, &args.listen).await?;
    // `localhost` stands for both families: the server's goes with the server.
    let listen = listen.iter().find(|addr| addr.is_ipv4() == to.is_ipv4()).or(listen.first()).copied();
    let Some(listen) = listen else {
        return Err(failed(format!("`{}` has no address", args.listen)));
    };
    output::check_writable("the trace", args.trace.as_deref().filter(|path| *path != Path::new("-")))?;
    let written = [args.trace.as_deref(), args.capture.path()];
    check_distinct(Some(&args.plan), &written)?;
    let capture = args.capture.create(&[args.client.clone(), args.server.clone()])?;
    let stop = Stop::new()?;
    let relay = Relay::new(&plan, config).map_err(refused)?;
    let at = relay.listen_on(listen, to).map_err(refused)?;
    tell(format_args!("listening on {at}, relaying to {to}, stop with Ctrl-C"));
    stop.wait().await;

    took_place(&plan, &relay.fired())?;
    warn(&relay.stats());
    if let Some(path) = &args.trace {
        write(path, &relay.trace().text())?;
    }
    if let Some(capture) = capture {
        let what = format!("faultwire relay from {at} to {to}");
        write_capture(capture, &relay.trace(), Subject { what: &what, plan: &plan })?;
    }
    Ok(exit::AS_CLAIMED)
}

async fn addresses(net: &OsNetwork, text: &str) -> Result<Vec<SocketAddr>, CommandError> {
    net.resolve(text).await.map_err(about_address)
}

fn refused(error: RelayError) -> CommandError {
    match error {
        RelayError::Listen { .. } => failed(error),
        _ => usage(error),
    }
}

/// Faults and events that did not take place are named up to this many; beyond, they are counted.
const MISSED_MAX: usize = 8;

/// Says of each fault and event whether it took place; of many that did not, how many they are.
pub(super) fn took_place(plan: &FaultPlan, fired: &Fired) -> Result<(), CommandError> {
    let word = |fired: Option<&bool>| {
        if fired == Some(&true) { "took place" } else { "did not take place" }
    };
    let planned = plan.faults.len() + plan.events.len();
    let missed = planned.saturating_sub(fired.count());
    let is_told = |fired: Option<&bool>| missed <= MISSED_MAX || fired == Some(&true);
    for (index, fault) in plan.faults.iter().enumerate() {
        let fired = fired.faults.get(index);
        if is_told(fired) {
            result(format_args!("fault {}: {}: {fault}", index + 1, word(fired)))?;
        }
    }
    for (index, event) in plan.events.iter().enumerate() {
        let fired = fired.events.get(index);
        if is_told(fired) {
            result(format_args!("event {}: {}: {event}", index + 1, word(fired)))?;
        }
    }
    if missed > MISSED_MAX {
        result(format_args!("{missed} others did not take place"))?;
    }
    result(format_args!("{} of {planned} took place", fired.count()))
}

/// Says what was lost outside of the plan.
fn warn(stats: &RelayStats) {
    for (count, what) in [
        (stats.too_many_clients, "datagrams were thrown away: too many clients at once"),
        (stats.too_many_packets, "datagrams were thrown away: too many packets under way"),
        (stats.unsent, "datagrams could not be sent on: the system refused them (is the server running?)"),
        (stats.untraced, "events are missing at the end of the trace: it is full"),
    ] {
        if count > 0 {
            tell(format_args!("warning: {count} {what}"));
        }
    }
}

/// Writes a trace; `-` is stdout.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    if path == Path::new("-") { output::emit(text) } else { output::write("the trace", path, text) }
}

/// Writes the capture, and says what is in it.
pub(super) fn write_capture(
    capture: Capture<'_>,
    trace: &Trace,
    subject: Subject<'_>,
) -> Result<(), CommandError> {
    tell(capture.write(trace, subject)?);
    Ok(())
}
