//! Where a scenario runs.

#[cfg(all(feature = "lab", target_os = "linux"))]
mod lab;
mod memory;
mod progress;
mod real;
pub(crate) mod turmoil_fabric;
mod turmoil_own;
pub(crate) mod virtual_clock;

#[cfg(all(feature = "lab", feature = "mutants", target_os = "linux"))]
pub(crate) use lab::lossy as lab_lossy;
#[cfg(all(feature = "lab", target_os = "linux"))]
pub(crate) use lab::pool as lab_pool;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::fault::FaultPlan;
use faultwire::time::Time;
use faultwire::trace::Trace;

use crate::program::{end_after_panics, message};
use crate::run::{End, Run};
use crate::scenario::Scenario;
use crate::world::Shared;

/// Where a scenario runs, and whose TCP and UDP its programs use there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Testbed {
    /// Simulated hosts with our stack on a clock that jumps over idle time.
    Virtual,
    /// Simulated hosts with our stack in turmoil; time goes by in ticks of one millisecond.
    Turmoil,
    /// turmoil's own sockets. No faults.
    TurmoilOwn,
    /// The operating system's sockets on the loopback interface. No faults.
    Loopback,
    /// The operating system's datagram sockets with the wire between them in user space.
    Relay,
    /// Hosts of this machine's kernel, each a network namespace, with the wire between them.
    Lab,
    /// The same, where all hosts but the server have our stack.
    LabOursClient,
    /// The same, where the server has our stack.
    LabOursServer,
}

impl Testbed {
    /// All testbeds, in the order of reports.
    pub const ALL: [Testbed; 8] = [
        Testbed::Virtual,
        Testbed::Turmoil,
        Testbed::TurmoilOwn,
        Testbed::Loopback,
        Testbed::Relay,
        Testbed::Lab,
        Testbed::LabOursClient,
        Testbed::LabOursServer,
    ];

    /// The testbed's name.
    pub fn name(self) -> &'static str {
        match self {
            Testbed::Virtual => "virtual",
            Testbed::Turmoil | Testbed::TurmoilOwn => "turmoil",
            Testbed::Loopback => "loopback",
            Testbed::Relay => "relay",
            Testbed::Lab | Testbed::LabOursClient | Testbed::LabOursServer => "lab",
        }
    }

    /// Whose TCP and UDP is tried there; where there are two, the client's and the server's.
    pub fn subject(self) -> &'static str {
        match self {
            Testbed::Virtual | Testbed::Turmoil => "ours",
            Testbed::TurmoilOwn => "turmoil",
            Testbed::Loopback | Testbed::Relay | Testbed::Lab => "kernel",
            Testbed::LabOursClient => "ours-kernel",
            Testbed::LabOursServer => "kernel-ours",
        }
    }

    /// Whether it is a lab: hosts of the real kernel with the wire between them.
    pub fn is_lab(self) -> bool {
        self.name() == "lab"
    }

    /// Whether runs repeat bit for bit.
    pub fn is_simulated(self) -> bool {
        matches!(self, Testbed::Virtual | Testbed::Turmoil | Testbed::TurmoilOwn)
    }

    /// Whether a plan's faults can be applied there.
    pub fn carries_faults(self) -> bool {
        matches!(self, Testbed::Virtual | Testbed::Turmoil | Testbed::Relay) || self.is_lab()
    }

    /// Whether the trace shows the packets on the wire.
    pub fn shows_packets(self) -> bool {
        matches!(self, Testbed::Virtual | Testbed::Turmoil) || self.is_lab()
    }

    /// Whether packets go over a link whose delay a plan says.
    pub fn has_link(self) -> bool {
        self != Testbed::Loopback
    }

    /// How the subject's settings differ from its defaults, each with the reason; empty if they do not.
    ///
    /// The lab is not among them: its reports name the profile of kernel settings that the hosts had.
    pub fn deviations(self) -> &'static [&'static str] {
        match self {
            Testbed::TurmoilOwn => turmoil_own::DEVIATIONS,
            _ => &[],
        }
    }

    /// Whether time goes by in ticks of a millisecond, so that a plan's times are rounded up to them.
    pub fn has_ticks(self) -> bool {
        matches!(self, Testbed::Turmoil | Testbed::TurmoilOwn)
    }

    /// Runs a scenario once under a plan.
    pub(crate) fn run(self, scenario: &Scenario, plan: &FaultPlan) -> Run {
        memory::keep_for_the_next_run();
        let is_faulty = !plan.faults.is_empty() || !plan.events.is_empty();
        if is_faulty && !self.carries_faults() {
            return refused(scenario, plan, format!("the testbed {self} carries no faults"));
        }
        match self {
            Testbed::Virtual => guarded(scenario, plan, virtual_clock::run),
            Testbed::Turmoil => guarded(scenario, plan, turmoil_fabric::run),
            Testbed::TurmoilOwn => turmoil_own::run(scenario, plan),
            Testbed::Loopback => real::run(scenario, plan, false),
            Testbed::Relay => real::run(scenario, plan, true),
            Testbed::Lab | Testbed::LabOursClient | Testbed::LabOursServer => in_lab(scenario, plan, self),
        }
    }
}

impl fmt::Display for Testbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Testbed::TurmoilOwn => f.write_str("turmoil (its own sockets)"),
            other => f.write_str(other.name()),
        }
    }
}

/// Runs a scenario in a lab.
#[cfg(all(feature = "lab", target_os = "linux"))]
fn in_lab(scenario: &Scenario, plan: &FaultPlan, testbed: Testbed) -> Run {
    lab::run(scenario, plan, testbed)
}

/// Says that there is no lab here.
#[cfg(not(all(feature = "lab", target_os = "linux")))]
fn in_lab(scenario: &Scenario, plan: &FaultPlan, _: Testbed) -> Run {
    refused(scenario, plan, "a lab takes Linux, and the feature `lab` of faultwire-sim".to_owned())
}

/// Runs a scenario with our stack. A panic outside of its programs is a mistake of ours: the plan that brings
/// it about is kept, in a run that counts as one that could not be done.
fn guarded(scenario: &Scenario, plan: &FaultPlan, run: fn(&Scenario, &FaultPlan) -> Run) -> Run {
    // What the run leaves half done ends with it.
    catch_unwind(AssertUnwindSafe(|| run(scenario, plan))).unwrap_or_else(|panic| {
        troubled(scenario, plan, format!("the simulation panicked: {}", message(panic.as_ref())))
    })
}

/// A run that the testbed does not carry.
pub(crate) fn refused(scenario: &Scenario, plan: &FaultPlan, why: String) -> Run {
    undone(scenario, plan, End::Refused { why, is_trouble: false })
}

/// A run that the testbed carries, and could not do.
pub(crate) fn troubled(scenario: &Scenario, plan: &FaultPlan, why: String) -> Run {
    undone(scenario, plan, End::Refused { why, is_trouble: true })
}

fn undone(scenario: &Scenario, plan: &FaultPlan, end: End) -> Run {
    Run {
        plan: plan.clone(),
        trace: Trace::new(scenario.host_names()),
        end,
        fired: faultwire::fault::Fired {
            faults: vec![false; plan.faults.len()],
            events: vec![false; plan.events.len()],
        },
        elapsed: Time::ZERO,
        repeats: 0,
    }
}

/// What is known of a simulated run that is over. Nothing that its programs still do (they are dropped next)
/// counts.
fn conclude(shared: &Shared, plan: &FaultPlan) -> Run {
    let mut world = shared.lock();
    world.over = true;
    let end = if let Some((host, message)) = world.failure.take() {
        End::Failed { host: Some(world.trace.host_name(host).to_owned()), message }
    } else if let Some(limit) = world.limit_hit.take() {
        End::Stalled { limit, sockets: world.sockets() }
    } else {
        End::Finished
    };
    let end = end_after_panics(end, |host| world.trace.host_name(host).to_owned());
    Run {
        plan: plan.clone(),
        trace: std::mem::take(&mut world.trace),
        end,
        fired: world.fired(),
        elapsed: world.now,
        repeats: 0,
    }
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
        for testbed in [Testbed::Virtual, Testbed::Turmoil] {
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
