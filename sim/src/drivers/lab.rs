//! Hosts of the real kernel and hosts with our stack, with the wire between them, on the real clock.
//!
//! A run with unplanned packet loss is discarded and retried up to twice; retries are counted
//! ([`Run::disturbed`]). So is one in which something planned did not take place
//! ([`Scenario::run_in_full`]).
//!
//! A host that restarts after it lost power is a new, unused host with the same addresses, made before the
//! run: another namespace, or a new stack. So it keeps no socket, route or neighbor, and it is there at the
//! very packet that its start is anchored to.

pub mod helper;
#[cfg(feature = "mutants")]
mod lossy;
mod patience;
mod pool;
mod programs;

use std::net::IpAddr;
use std::sync::OnceLock;

use faultwire::fault::FaultPlan;
use faultwire::lab::{DeviceKind, End as WireEnd, Forwarder, LabError, Member};
use faultwire::network::os::OsNetwork;
use faultwire::stack::SocketOption;
use faultwire::text::with_causes;
use faultwire::trace::{Call, Trace, What};

use self::pool::{Bench, Kind, Subnet};
use crate::new_host::Role;
use crate::run::{End, Run, STACK_FAILED};
use crate::scenario::{Scenario, Subject, Unavailable};

/// Makes a lab, once in a process, which is kept for the first run. Says how its hosts meet the wire.
pub(crate) fn probe() -> Result<Option<&'static str>, Unavailable> {
    static FOUND: OnceLock<Result<DeviceKind, LabError>> = OnceLock::new();
    match FOUND.get_or_init(helper::probe) {
        Ok(DeviceKind::Tun) => Ok(Some("through a TUN device")),
        Ok(_) => Ok(Some(
            "through a pair of Ethernet devices and a packet socket (/dev/net/tun is not for this user)",
        )),
        Err(LabError::Refused(refusal)) => Err(Unavailable {
            step: refusal.step.text().to_owned(),
            allow: refusal.remedy(),
            source: Some(refusal.error()),
        }),
        Err(error) => Err(Unavailable {
            step: with_causes(error),
            allow: "this program has to be able to start itself again".to_owned(),
            source: None,
        }),
    }
}

/// Runs a scenario once under a plan.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan, subject: Subject) -> Run {
    match once(scenario, plan, subject) {
        Ok((run, 0)) => run,
        Ok((mut run, lost)) => {
            run.disturbed = Some(format!("{lost} packets were lost outside of the plan"));
            run
        }
        Err(why) => scenario.refused(plan, why),
    }
}

/// Which hosts are of the kernel.
fn of_the_kernel(scenario: &Scenario, subject: Subject) -> Vec<bool> {
    let of = |role: Role| if role.is_server { subject.server } else { subject.client };
    scenario.roles().into_iter().map(|role| of(role) == Subject::LINUX.name).collect()
}

/// The network of a host while a run lasts.
struct Host {
    name: String,
    addrs: [IpAddr; 2],
    /// Which of the lab's hosts it is, unless it has our stack. Those that start in its place follow.
    kernel: Option<usize>,
    /// How often the plan has it start again.
    restarts: u32,
}

/// One run, and how many packets were lost in it outside of the plan.
fn once(scenario: &Scenario, plan: &FaultPlan, subject: Subject) -> Result<(Run, u64), String> {
    let mtu = plan.link.numbers().host_mtu();
    let subnet = Subnet::fresh();
    let mut of_kernel = 0;
    let hosts: Vec<Host> = scenario
        .hosts
        .iter()
        .zip(of_the_kernel(scenario, subject))
        .enumerate()
        .map(|(index, (spec, is_kernel))| {
            let restarts = plan.restarts(&spec.name);
            let kernel = is_kernel.then_some(of_kernel);
            if is_kernel {
                of_kernel += 1 + restarts as usize;
            }
            Host { name: spec.name.to_string(), addrs: subnet.addrs(index), kernel, restarts }
        })
        .collect();
    let addrs: Vec<_> = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| host.kernel.is_some())
        .flat_map(|(index, host)| (0..=host.restarts).map(move |_| subnet.host(index)))
        .collect();
    let kind =
        Kind { hosts: of_kernel, mtu, profile: pool::PROFILE, is_patient: patience::every_outage_ends(plan) };
    // The kernel of a host that loses power goes on all the same, cut off, and that of one whose programs are
    // killed keeps what TIME-WAIT keeps: they are for no other run.
    let is_fresh = plan.ends_programs();
    let bench = if is_fresh { pool::take_fresh(&kind, &addrs) } else { pool::take(&kind, &addrs) };
    let mut bench = bench.map_err(unavailable)?;
    let before = bench.lab.lost().map_err(unavailable)?;
    let run = with_wire(scenario, plan, &hosts, &mut bench)?;
    let after = bench.lab.lost().map_err(unavailable)?;
    let lost = run.1 + after.saturating_sub(before);
    // What a device counts as lost it counts for all its life.
    if lost > 0 || is_fresh || joined_groups(&run.0.trace) {
        pool::end(bench);
    } else {
        pool::give_back(bench);
    }
    Ok((run.0, lost))
}

/// Whether a host joined or left a group. Its kernel says so again some time later, from the address that it
/// has then.
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

fn unavailable(error: LabError) -> String {
    let why = with_causes(&error);
    // That is the plan's doing.
    if let LabError::TooManyHosts { .. } = error { why } else { format!("the lab is unavailable: {why}") }
}

/// Joins the hosts by a wire, runs the programs, and gives the devices back.
fn with_wire(
    scenario: &Scenario,
    plan: &FaultPlan,
    hosts: &[Host],
    bench: &mut Bench,
) -> Result<(Run, u64), String> {
    let clock = OsNetwork::new();
    let devices = std::mem::take(&mut bench.devices);
    #[cfg(feature = "mutants")]
    let devices = lossy::devices(scenario.name(), devices);
    let mut devices = devices.into_iter();
    let mut members = Vec::new();
    let mtu = plan.link.numbers().host_mtu();
    let (roles, settings) = (scenario.roles(), &scenario.settings);
    for (index, (host, role)) in hosts.iter().zip(&roles).enumerate() {
        let [IpAddr::V4(v4), IpAddr::V6(v6)] = host.addrs else {
            unreachable!("a host has one address of each")
        };
        let addrs = (v4, v6);
        let mut end = |generation| match host.kernel {
            Some(_) => devices.next().map(WireEnd::Device).ok_or("the lab has too few devices"),
            None => Ok(WireEnd::Stack(settings.new_stack(role, (index, generation), addrs, mtu))),
        };
        members.push(Member {
            name: host.name.clone(),
            addrs: host.addrs.to_vec(),
            end: end(0)?,
            spares: (1..=host.restarts).map(end).collect::<Result<_, _>>()?,
        });
    }
    let forwarder = Forwarder::among(plan, clock.clone(), members).map_err(|error| error.to_string())?;
    let mut done = programs::run(scenario, plan, hosts, bench, &forwarder, &clock);
    // All programs are gone, and their sockets with them.
    for (index, end) in forwarder.stop().into_iter().enumerate() {
        match end {
            WireEnd::Device(device) => bench.devices.push(device),
            WireEnd::Stack(stack) => {
                if let (Ok((run, _)), Some(why)) = (&mut done, stack.trouble()) {
                    let host = hosts.get(index).map(|host| host.name.clone());
                    run.end = End::Failed { host, message: format!("{STACK_FAILED}{why}") };
                }
            }
        }
    }
    done
}
