//! Real sockets of the operating system, all on this machine's loopback interface.
//!
//! On Linux each host of a run has its own address from 127.0.0.0/8, so that runs side by side do not
//! meet. Elsewhere only 127.0.0.1 exists, and all hosts share it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Fired};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::relay::{Relay, RelayConfig, RelayError};
use faultwire::time::Time;
use faultwire::trace::{Trace, What};
use tokio::task::JoinSet;

use crate::programs::Programs;
use crate::run::{End, Run};
use crate::scenario::{Scenario, Unavailable};

/// The loopback addresses of a run's hosts.
fn addresses(hosts: usize) -> Vec<IpAddr> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    if !cfg!(target_os = "linux") {
        return vec![IpAddr::V4(Ipv4Addr::LOCALHOST); hosts];
    }
    let run = std::process::id().wrapping_mul(509).wrapping_add(RUNS.fetch_add(1, Ordering::Relaxed));
    let [_, _, high, low] = run.to_be_bytes();
    let of =
        |host: usize| Ipv4Addr::new(127, high.clamp(1, 254), low, u8::try_from(host + 1).unwrap_or(u8::MAX));
    (0..hosts).map(of).map(IpAddr::V4).collect()
}

/// A probe waits for longer only where something is in its way.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// Whether a stream reaches another socket of this machine.
pub(super) fn probe_stream() -> Result<(), Unavailable> {
    let [host] = *addresses(1) else { return Ok(()) };
    let listener = TcpListener::bind((host, 0)).map_err(failed("a TCP socket cannot be bound"))?;
    let to = listener.local_addr().map_err(failed("a TCP socket has no address"))?;
    let connected = TcpStream::connect_timeout(&to, PROBE_TIME);
    connected.map(drop).map_err(failed("a TCP socket cannot be connected to another of this machine"))
}

/// Whether a datagram does.
pub(super) fn probe_datagram() -> Result<(), Unavailable> {
    let [host, other] = *addresses(2) else { return Ok(()) };
    let bind = |host| UdpSocket::bind((host, 0)).map_err(failed("a UDP socket cannot be bound"));
    let (one, other) = (bind(host)?, bind(other)?);
    let to = other.local_addr().map_err(failed("a UDP socket has no address"))?;
    one.send_to(b"probe", to).map_err(failed("no datagram can be sent to another socket of this machine"))?;
    let received = other.set_read_timeout(Some(PROBE_TIME)).and_then(|()| other.recv(&mut [0; 5]));
    received.map(drop).map_err(failed("a datagram to another socket of this machine does not arrive"))
}

fn failed(step: &str) -> impl FnOnce(io::Error) -> Unavailable {
    let allow = "it needs sockets on addresses of 127.0.0.0/8 that reach each other: allow that to this \
                 process (and set the loopback interface up), or leave the testbed out";
    move |source| Unavailable { step: step.to_owned(), allow: allow.to_owned(), source: Some(source) }
}

/// Runs a scenario once; with a relay, the datagrams between its hosts go through the wire.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan, relayed: bool) -> Run {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return scenario.troubled(plan, format!("tokio gave no runtime: {error}")),
    };
    runtime.block_on(run_in(scenario, plan, relayed))
}

async fn run_in(scenario: &Scenario, plan: &FaultPlan, relayed: bool) -> Run {
    let programs = Programs::new(scenario);
    let names = scenario.host_names();
    let addrs = addresses(names.len() + 1);
    let clock = OsNetwork::new();
    let relay = if relayed {
        match relay(plan, &clock, &names, &addrs) {
            Ok(relay) => Some(Arc::new(relay)),
            Err(error) => return scenario.refused(plan, error.to_string()),
        }
    } else {
        None
    };
    let mut tasks = JoinSet::new();
    for index in 0..names.len() {
        tasks.spawn(programs.start(index, network(index, &clock, &names, &addrs, relay.as_ref())));
    }
    let limit = scenario.settings.real_time_max;
    let stalled = |_| End::Stalled { limit: format!("{} s", limit.as_secs()), sockets: Vec::new() };
    let end = tokio::select! {
        biased;
        end = tokio::time::timeout(limit, programs.ending()) => end.unwrap_or_else(stalled),
        end = scenario.cancelled() => end,
    };
    programs.concluded(plan, end, clock.now(), |calls| match &relay {
        Some(relay) => (merged(&calls, &relay.trace()), relay.fired()),
        None => (calls, Fired::default()),
    })
}

/// A host's network. Names stand for the hosts' addresses; with a relay, other hosts are reached through it.
fn network(
    index: usize,
    clock: &OsNetwork,
    names: &[String],
    addrs: &[IpAddr],
    relay: Option<&Arc<Relay>>,
) -> OsNetwork {
    let mut net = clock.clone().with_host_address(addrs[index]);
    for (name, addr) in names.iter().zip(addrs) {
        net = net.with_name(name, *addr);
    }
    let Some(relay) = relay.cloned() else { return net };
    let others: Vec<(String, IpAddr)> =
        names.iter().cloned().zip(addrs.iter().copied()).filter(|(name, _)| *name != names[index]).collect();
    net.with_resolver(move |name, port| {
        let (_, addr) = others.iter().find(|(other, _)| other == name)?;
        Some(relay.listen(SocketAddr::new(*addr, port)).map_err(io::Error::other))
    })
}

/// The relay, at the address that is left over.
fn relay(
    plan: &FaultPlan,
    clock: &OsNetwork,
    names: &[String],
    addrs: &[IpAddr],
) -> Result<Relay, RelayError> {
    let mut config = RelayConfig::default();
    config.net = clock.clone().with_host_address(addrs[names.len()]);
    // The relay knows `client` and `server` by the part that they play.
    let is_further = |(name, _): &(String, IpAddr)| ![&config.client, &config.server].contains(&name);
    config.hosts = names.iter().cloned().zip(addrs.iter().copied()).filter(is_further).collect();
    Relay::new(plan, config)
}

/// What the programs called and what the relay carried, in the order of time.
pub(super) fn merged(calls: &Trace, packets: &Trace) -> Trace {
    let mut trace = Trace::new(packets.hosts().iter().cloned());
    for _ in 0..packets.packet_count() {
        trace.next_packet();
    }
    let mut called = calls.events().iter().peekable();
    let mut push_calls = |trace: &mut Trace, until: Time| {
        while let Some(event) = called.next_if(|event| event.at <= until) {
            let mut what = event.what.clone();
            if let What::Call { host, .. } | What::Noted { host, .. } = &mut what {
                *host = trace.host(calls.host_name(*host)).unwrap_or(*host);
            }
            trace.push(event.at, what);
        }
    };
    let mut windows = packets.congestion_windows().iter().peekable();
    for (place, event) in packets.events().iter().enumerate() {
        push_calls(&mut trace, event.at);
        while let Some(window) = windows.next_if(|window| window.place <= place) {
            trace.push(window.at, window.what());
        }
        trace.push(event.at, event.what.clone());
    }
    for window in windows {
        trace.push(window.at, window.what());
    }
    push_calls(&mut trace, Time::MAX);
    trace
}
