//! The testbeds: each drives the hosts of a scenario through a run.

#[cfg(all(feature = "lab", target_os = "linux"))]
pub(crate) mod lab;
mod real;
mod turmoil_sockets;
pub(crate) mod turmoil_ticks;
pub(crate) mod virtual_clock;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::fault::FaultPlan;

use crate::program::{end_after_panics, message};
use crate::run::{End, Run};
use crate::scenario::{Capabilities, Capability, Clock, Scenario, Subject, Testbed, TestbedRef, Unavailable};
use crate::world::Shared;

/// Simulated hosts with our stack, on a clock that jumps over idle time.
pub const VIRTUAL: TestbedRef = &BuiltIn {
    name: "virtual",
    subject: Subject::FAULTWIRE,
    about: "simulated hosts with our stack, on a clock that jumps over idle time",
    clock: Clock::Virtual,
    lacking: &[],
    deviations: &[],
    probe: || Ok(None),
    run: |scenario, plan, _| guarded(scenario, plan, virtual_clock::run),
};

/// Simulated hosts with our stack in turmoil; time passes in ticks of one millisecond.
pub const TURMOIL: TestbedRef = &BuiltIn {
    name: "turmoil",
    subject: Subject::FAULTWIRE,
    about: "simulated hosts with our stack, in turmoil; time passes in ticks of 1 ms",
    clock: Clock::Ticks(1_000),
    lacking: &[(Capability::Minutes, "it takes minutes, in ticks of a millisecond")],
    deviations: &[],
    probe: || Ok(None),
    run: |scenario, plan, _| guarded(scenario, plan, turmoil_ticks::run),
};

/// Simulated hosts with turmoil's own sockets. No faults.
pub const TURMOIL_SOCKETS: TestbedRef = &BuiltIn {
    name: "turmoil",
    subject: Subject::TURMOIL,
    about: "simulated hosts with turmoil's own sockets",
    clock: Clock::Ticks(1_000),
    lacking: &[
        NO_FAULTS,
        NO_PACKETS,
        NO_MTU,
        (Capability::Ipv6, "a turmoil host has one address, and here that is an IPv4 one"),
        (Capability::Options, "turmoil's sockets have no such option"),
    ],
    deviations: turmoil_sockets::DEVIATIONS,
    probe: || Ok(None),
    run: |scenario, plan, _| turmoil_sockets::run(scenario, plan),
};

/// The operating system's sockets on the loopback interface. No faults.
pub const LOOPBACK: TestbedRef = &BuiltIn {
    name: "loopback",
    subject: Subject::LINUX,
    about: "the operating system's sockets, over the loopback interface",
    clock: Clock::Real,
    lacking: &[
        NO_FAULTS,
        NO_PACKETS,
        NO_MTU,
        NO_IPV6,
        (Capability::Delay, "the loopback interface has no delay"),
        (Capability::Group, "the loopback interface has one host, which is all of its broadcast and groups"),
        NO_SECONDS,
        NO_MINUTES,
    ],
    deviations: &[],
    probe: || real::probe_stream().and_then(|()| real::probe_datagram()).map(|()| None),
    run: |scenario, plan, _| real::run(scenario, plan, false),
};

/// The operating system's datagram sockets with the wire between them in user space.
pub const RELAY: TestbedRef = &BuiltIn {
    name: "relay",
    subject: Subject::LINUX,
    about: "the operating system's datagram sockets, with the wire between them in this process",
    clock: Clock::Real,
    lacking: &[
        NO_PACKETS,
        NO_MTU,
        NO_IPV6,
        (Capability::Streams, "the relay carries datagrams only"),
        (Capability::Addresses, HIDDEN),
        (Capability::Group, HIDDEN),
        (Capability::Icmp, "an ICMP error ends at the relay"),
        (
            Capability::Fragments,
            "a datagram is one packet on the relay, whatever its length, and the relay's own headers take \
             room",
        ),
        (Capability::Damage, "the relay forwards from its own address and drops corrupted packets itself"),
        NO_SECONDS,
        NO_MINUTES,
    ],
    deviations: &[],
    probe: || real::probe_datagram().map(|()| None),
    run: |scenario, plan, _| real::run(scenario, plan, true),
};

/// Hosts of this machine's kernel, each a network namespace, with the wire between them.
pub const LAB: TestbedRef = &BuiltIn {
    subject: Subject::LINUX,
    about: "hosts of this machine's kernel, each a network namespace, with the wire between them",
    ..A_LAB
};

/// Like [`LAB`], but all hosts except the server use our stack.
pub const LAB_FAULTWIRE_CLIENT: TestbedRef = &BuiltIn {
    subject: Subject { name: "faultwire-linux", client: "faultwire", server: "linux" },
    about: "the lab, with our stack on every host except the server",
    ..A_LAB
};

/// Like [`LAB`], but the server uses our stack.
pub const LAB_FAULTWIRE_SERVER: TestbedRef = &BuiltIn {
    subject: Subject { name: "linux-faultwire", client: "linux", server: "faultwire" },
    about: "the lab, with our stack on the server",
    ..A_LAB
};

/// All testbeds, in the order of reports.
pub const ALL: [TestbedRef; 8] =
    [VIRTUAL, TURMOIL, TURMOIL_SOCKETS, LOOPBACK, RELAY, LAB, LAB_FAULTWIRE_CLIENT, LAB_FAULTWIRE_SERVER];

const A_LAB: BuiltIn = BuiltIn {
    name: "lab",
    subject: Subject::LINUX,
    about: "",
    clock: Clock::Real,
    lacking: &[
        (Capability::Acknowledgements, "it takes a lost acknowledgement, and no plan of a lab names those"),
        (
            Capability::SequenceNumbers,
            "a real kernel draws its sequence numbers anew in each run: no segment made beforehand fits them",
        ),
        NO_SECONDS,
        NO_MINUTES,
    ],
    // Its reports name the profile of kernel settings that the hosts had.
    deviations: &[],
    probe: probe_lab,
    run: in_lab,
};

type Lack = (Capability, &'static str);

const NO_FAULTS: Lack = (Capability::Faults, "it takes a fault, and this testbed carries none");
const NO_PACKETS: Lack =
    (Capability::Packets, "it looks at packets, and this testbed shows the programs' calls alone");
const NO_MTU: Lack = (Capability::Mtu, "the plan cannot set the link's MTU");
const NO_IPV6: Lack = (Capability::Ipv6, "the hosts have addresses of IPv4's loopback network only");
const NO_SECONDS: Lack = (Capability::Seconds, "its waits take long, and here they are real");
const NO_MINUTES: Lack = (Capability::Minutes, "it takes minutes, and here they are real");
/// What the relay lacks for being one.
const HIDDEN: &str = "the relay stands between one client and one server, whom it hides from each other";

/// One of these testbeds.
struct BuiltIn {
    name: &'static str,
    subject: Subject,
    about: &'static str,
    clock: Clock,
    lacking: &'static [Lack],
    deviations: &'static [&'static str],
    probe: fn() -> Result<Option<&'static str>, Unavailable>,
    run: fn(&Scenario, &FaultPlan, Subject) -> Run,
}

impl fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self as &dyn Testbed, f)
    }
}

impl Testbed for BuiltIn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn subject(&self) -> Subject {
        self.subject
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { clock: self.clock, lacking: self.lacking }
    }

    fn probe(&self) -> Result<Option<&'static str>, Unavailable> {
        (self.probe)()
    }

    fn deviations(&self) -> &'static [&'static str] {
        self.deviations
    }

    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run {
        (self.run)(scenario, plan, self.subject)
    }
}

#[cfg(all(feature = "lab", target_os = "linux"))]
use lab::{probe as probe_lab, run as in_lab};

#[cfg(not(all(feature = "lab", target_os = "linux")))]
fn in_lab(scenario: &Scenario, plan: &FaultPlan, _: Subject) -> Run {
    scenario.refused(plan, "a lab takes Linux, and the feature `lab` of faultwire-sim".to_owned())
}

#[cfg(not(all(feature = "lab", target_os = "linux")))]
fn probe_lab() -> Result<Option<&'static str>, Unavailable> {
    let step = "its hosts are network namespaces, which only Linux has, and the feature `lab` makes them";
    Err(Unavailable { step: step.to_owned(), allow: "leave the testbed out".to_owned(), source: None })
}

/// Runs a scenario with our stack. A panic outside of its programs is a bug in the simulator: the run counts
/// as one that could not be made, and keeps the plan that caused the panic.
fn guarded(scenario: &Scenario, plan: &FaultPlan, run: fn(&Scenario, &FaultPlan) -> Run) -> Run {
    // The run's state is dropped with it.
    catch_unwind(AssertUnwindSafe(|| run(scenario, plan))).unwrap_or_else(|panic| {
        scenario.troubled(plan, format!("the simulation panicked: {}", message(panic.as_ref())))
    })
}

/// The result of a simulated run that is over. Its programs are dropped next; nothing they do then counts.
fn conclude(shared: &Shared, plan: &FaultPlan) -> Run {
    let mut world = shared.lock();
    world.over = true;
    let end = if let Some((host, message)) = world.failure.take() {
        End::Failed { host: host.map(|host| world.trace.host_name(host).to_owned()), message }
    } else if let Some(limit) = world.limit_hit.take() {
        End::Stalled { limit, sockets: world.sockets() }
    } else {
        End::Finished
    };
    let end = end_after_panics(end, |host| world.trace.host_name(host).to_owned());
    let caused = world.wire.caused();
    let run = Run::new(plan.clone(), std::mem::take(&mut world.trace), end, world.fired(), world.now);
    Run { caused, kept: world.kept.clone(), ..run }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use faultwire::network::{Datagram as _, Network as _};

    use super::*;
    use crate::{Net, scenario};

    /// Wakers, hooks and programs refer to the world and to one another: a circle among them would keep every
    /// run's world forever.
    #[test]
    fn the_world_ends_with_its_run() {
        for testbed in [VIRTUAL, TURMOIL] {
            let worlds = Arc::new(Mutex::new(Vec::new()));
            let seen = worlds.clone();
            let scenario = scenario("short life").on(testbed).server(|net: Net| async move {
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                socket.recv_from(&mut [0]).await
            });
            let scenario = scenario.client(move |net: Net| {
                seen.lock().unwrap().extend(net.world());
                async move {
                    let long = net.timeout(Duration::from_secs(9), net.sleep(Duration::from_secs(3)));
                    long.await.map_err(Into::into)
                }
            });
            assert!(scenario.run(&FaultPlan::default()).end.is_finished());
            let worlds = worlds.lock().unwrap();
            assert_eq!(worlds.len(), 1);
            assert!(worlds.iter().all(|world| world.upgrade().is_none()), "{testbed}");
        }
    }
}
