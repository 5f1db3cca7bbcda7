//! Hosts of the real kernel and hosts of ours, with the wire between them, on the real clock.
//!
//! A run in which packets were lost outside of the plan proves nothing: it is made again, twice at most, and that is counted. (So is
//! one in which something planned did not take place: [`Scenario::run_in_full`].)

pub(crate) mod pool;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::FaultPlan;
use faultwire::lab::{End as WireEnd, Forwarder, KernelHost, LabError, Member, Profile};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::stack::{SocketOption, Stack, StackConfig};
use faultwire::trace::{Call, Trace, What};
use tokio::task::JoinSet;

use self::pool::{Bench, Kind, Subnet};
use super::Testbed;
use super::progress::Progress;
use super::real::merged;
use crate::net::Net;
use crate::net::our_net::{Names, OurNet};
use crate::net::recorded::{Log, Recorded};
use crate::program::{Guarded, QuietPanics};
use crate::run::{End, Run};
use crate::scenario::{REPEATS_MAX, Scenario};
use crate::seed;
use crate::world::host_id;

/// Hosts of the kernel in a lab at most.
const HOSTS_MAX: usize = 16;

/// Runs a scenario under a plan: once, or again where packets were lost outside of it.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan, testbed: Testbed) -> Run {
    let mut repeats = 0;
    loop {
        let run = match once(scenario, plan, testbed) {
            Ok((run, 0)) => run,
            Ok((_, lost)) if repeats == REPEATS_MAX => {
                let why =
                    format!("{lost} packets were lost outside of the plan, and in two more runs as well");
                super::troubled(scenario, plan, why)
            }
            Ok((_, lost)) => {
                tracing::debug!(scenario = scenario.name(), lost, "packets were lost outside of the plan");
                repeats += 1;
                continue;
            }
            Err(why) => super::refused(scenario, plan, why),
        };
        return Run { repeats, ..run };
    }
}

/// Which hosts are of the kernel.
///
/// The server is the host of that name, or, where there is none, each host for which a run does not wait.
fn of_the_kernel(scenario: &Scenario, testbed: Testbed) -> Vec<bool> {
    let has_server = scenario.hosts.iter().any(|host| host.name == "server");
    let is_server = scenario.hosts.iter().map(|host| match has_server {
        true => host.name == "server",
        false => !host.is_client,
    });
    is_server
        .map(|is_server| match testbed {
            Testbed::LabOursClient => is_server,
            Testbed::LabOursServer => !is_server,
            _ => true,
        })
        .collect()
}

/// The network of a host while a run lasts.
struct Host {
    name: String,
    addrs: [IpAddr; 2],
    /// Which of the lab's hosts it is, unless it is one of ours.
    kernel: Option<usize>,
}

/// One run, and how many packets were lost in it outside of the plan.
fn once(scenario: &Scenario, plan: &FaultPlan, testbed: Testbed) -> Result<(Run, u64), String> {
    let mtu = plan.link.numbers().mtu;
    let subnet = Subnet::fresh();
    let mut of_kernel = 0;
    let hosts: Vec<Host> = scenario
        .hosts
        .iter()
        .zip(of_the_kernel(scenario, testbed))
        .enumerate()
        .map(|(index, (spec, is_kernel))| {
            let kernel = is_kernel.then_some(of_kernel);
            of_kernel += usize::from(is_kernel);
            Host { name: spec.name.clone(), addrs: subnet.addrs(index), kernel }
        })
        .collect();
    if of_kernel > HOSTS_MAX {
        return Err(format!("it has {of_kernel} hosts of the kernel, more than {HOSTS_MAX}"));
    }
    let addrs: Vec<_> = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| host.kernel.is_some())
        .map(|(index, _)| subnet.host(index))
        .collect();
    let kind = Kind { hosts: of_kernel, mtu, profile: Profile::Fast };
    let mut bench = pool::take(&kind, &addrs).map_err(|error| told(&error))?;
    let before = lost(&bench).map_err(|error| told(&error))?;
    let run = with_wire(scenario, plan, &hosts, &mut bench)?;
    let after = lost(&bench).map_err(|error| told(&error))?;
    let lost = run.1 + after.saturating_sub(before);
    // What a device counts as lost it counts for all its life.
    if lost > 0 || joined_groups(&run.0.trace) {
        pool::end(bench);
    } else {
        pool::give_back(bench);
    }
    Ok((run.0, lost))
}

/// Whether a host joined or left a group. Its kernel says so again some time later, from the address that it has then.
fn joined_groups(trace: &Trace) -> bool {
    const IGMP: u8 = 2;
    trace.events().iter().any(|event| match &event.what {
        What::Call {
            call: Call::Option(SocketOption::JoinGroup(_) | SocketOption::LeaveGroup(_)), ..
        } => true,
        What::Sent { bytes, .. } => {
            bytes.first().is_some_and(|first| first >> 4 == 4) && bytes.get(9) == Some(&IGMP)
        }
        _ => false,
    })
}

/// An error and what caused it, in one line.
fn told(error: &LabError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("the lab is not to be had: {error}{cause}")
}

/// Packets that the devices of the lab's hosts lost so far.
fn lost(bench: &Bench) -> Result<u64, LabError> {
    bench.hosts.iter().try_fold(0, |sum, host| Ok(sum + host.counters()?.lost()))
}

/// Joins the hosts by a wire, runs the programs, and gives the devices back.
fn with_wire(
    scenario: &Scenario,
    plan: &FaultPlan,
    hosts: &[Host],
    bench: &mut Bench,
) -> Result<(Run, u64), String> {
    let clock = OsNetwork::new();
    let mut devices = std::mem::take(&mut bench.devices).into_iter();
    let mut members = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let end = match host.kernel {
            Some(_) => WireEnd::Device(devices.next().ok_or("the lab has too few devices")?),
            None => WireEnd::Stack(Box::new(stack(scenario, plan, host, index))),
        };
        members.push(Member { name: host.name.clone(), addrs: host.addrs.to_vec(), end });
    }
    let forwarder = Forwarder::among(plan, clock.clone(), members).map_err(|error| error.to_string())?;
    let done = programs(scenario, plan, hosts, bench, &forwarder, &clock);
    // All programs are gone, and their sockets with them.
    let devices = forwarder.stop().into_iter().filter_map(|end| match end {
        WireEnd::Device(device) => Some(device),
        WireEnd::Stack(_) => None,
    });
    bench.devices = devices.collect();
    done
}

/// A host of ours.
fn stack(scenario: &Scenario, plan: &FaultPlan, host: &Host, index: usize) -> Stack {
    let [IpAddr::V4(v4), IpAddr::V6(v6)] = host.addrs else { unreachable!("a host has one address of each") };
    let settings = &scenario.settings;
    let mut config = StackConfig::new(v4, v6);
    config.mtu = plan.link.numbers().mtu;
    config.tcp = settings.tcp.clone();
    config.seed = seed::derive(settings.seed, &("stack", index, 0_u32));
    #[cfg(feature = "mutants")]
    {
        config.mutant = settings.mutant;
    }
    Stack::new(config)
}

/// Runs the programs to their end.
fn programs(
    scenario: &Scenario,
    plan: &FaultPlan,
    hosts: &[Host],
    bench: &Bench,
    forwarder: &Forwarder,
    clock: &OsNetwork,
) -> Result<(Run, u64), String> {
    let _quiet = QuietPanics::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("tokio gave no runtime: {error}"))?;
    let names: Names = Arc::new(hosts.iter().map(|host| (host.name.clone(), host.addrs)).collect());
    let trace = Arc::new(Mutex::new(Trace::new(scenario.host_names())));
    let progress = Arc::new(Progress::new(scenario.hosts.iter().filter(|host| host.is_client).count()));
    let limit = scenario.settings.real_time_max;
    let mut running = JoinSet::new();
    let end = runtime.block_on(async {
        for (index, (spec, host)) in scenario.hosts.iter().zip(hosts).enumerate() {
            let now = clock.clone();
            let log = Log::new(trace.clone(), host_id(index), move || now.now());
            let net = match (host.kernel, forwarder.our_host(index)) {
                (Some(kernel), _) => {
                    Net::from(Recorded::new(kernel_net(clock, &bench.hosts[kernel], host, &names), log))
                }
                (None, Some(ours)) => {
                    Net::from(Recorded::new(OurNet::new(ours, clock.clone(), names.clone()), log))
                }
                (None, None) => return Err("the wire has no such host"),
            };
            let program = Guarded::new((spec.program)(net));
            let (name, is_client, progress) = (spec.name.clone(), spec.is_client, progress.clone());
            running.spawn(async move { progress.ended(&name, is_client, program.await) });
        }
        let stalled = |_| End::Stalled { limit: format!("{} s", limit.as_secs()), sockets: Vec::new() };
        Ok(tokio::time::timeout(limit, progress.ending()).await.unwrap_or_else(stalled))
    })?;
    // What programs still do as they are stopped does not count.
    let concluded = forwarder.conclude().map_err(|error| format!("a device tells nothing: {error}"))?;
    let elapsed = clock.now();
    let calls = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    drop((running, runtime));
    if concluded.stats.untraced > 0 {
        return Err(format!("its trace has no room for {} events", concluded.stats.untraced));
    }
    let trace = merged(&calls, &concluded.trace);
    let run = Run { plan: plan.clone(), trace, end, fired: concluded.fired, elapsed, repeats: 0 };
    Ok((run, concluded.stats.lost()))
}

/// The network of a host of the kernel: its sockets are made in its namespace.
fn kernel_net(clock: &OsNetwork, host: &KernelHost, own: &Host, names: &Names) -> OsNetwork {
    let host = host.clone();
    let mut net = clock.clone().with_sockets(move |domain, kind, protocol| {
        host.socket(domain, kind, protocol).map_err(|error| match error {
            LabError::Call { source, .. } => source,
            other => io::Error::other(other),
        })
    });
    // Streams are bound to the address of this run: that of an earlier one may still have connections with the same port.
    net = own.addrs.into_iter().fold(net.with_open_datagrams(), OsNetwork::with_host_address);
    for (name, addrs) in names.iter() {
        for addr in addrs {
            net = net.with_name(name, *addr);
        }
    }
    net
}
