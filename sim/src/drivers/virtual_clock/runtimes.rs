//! A runtime for each host, so that a crash ends every task of its host, whoever spawned it.
//!
//! tokio does not tell when a runtime's next timer is due. So the clocks of all hosts go on together, by a
//! millisecond at a time, which is what tokio's timers are exact to; events of the world are to the
//! nanosecond all the same. An idle hour takes seconds here, and nothing on one runtime: this is for the
//! runs that need it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::time::Time;
use faultwire::trace::HostId;
use tokio::runtime::{LocalOptions, LocalRuntime};

use super::{NANOS_PER_MILLI, in_world, paused_runtime, program, step};
use crate::drivers::conclude;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::seed::derive;
use crate::world::{Shared, host_id};

/// Runs a scenario once.
pub(super) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    in_world(scenario, plan, |shared| on_runtimes(scenario, plan, shared))
        .unwrap_or_else(|why| scenario.refused(plan, why))
}

fn on_runtimes(scenario: &Scenario, plan: &FaultPlan, shared: &Arc<Shared>) -> Run {
    let mut hosts = Vec::new();
    for index in 0..scenario.hosts.len() {
        match Host::start(scenario, shared, index, (0, 0)) {
            Ok(host) => hosts.push(Some(host)),
            Err(error) => return scenario.troubled(plan, format!("tokio gave no runtime: {error}")),
        }
    }
    let mut millis = 0;
    while turn(shared, &mut hosts, millis) {
        let deaths = {
            let mut world = shared.lock();
            world.look();
            if world.is_decided() || world.is_out_of_time() {
                break;
            }
            let due = world.next_due();
            if due.as_nanos() / NANOS_PER_MILLI <= millis {
                world.now = world.now.max(due);
                step(&mut world, scenario, shared.driver.as_ref())
            } else {
                millis += 1;
                world.now = Time::from_millis(millis);
                Vec::new()
            }
        };
        for (HostId(host), generation) in deaths {
            let index = usize::from(host);
            // Its tasks are dropped here, all of them.
            hosts[index] = None;
            let Some(generation) = generation else { continue };
            match Host::start(scenario, shared, index, (generation, millis)) {
                Ok(host) => hosts[index] = Some(host),
                Err(error) => return scenario.troubled(plan, format!("tokio gave no runtime: {error}")),
            }
        }
    }
    conclude(shared, plan)
}

/// Lets the tasks of each host run until none can. False once the run is over.
fn turn(shared: &Shared, hosts: &mut [Option<Host>], millis: u64) -> bool {
    for host in hosts.iter_mut().flatten() {
        if shared.lock().is_decided() {
            return false;
        }
        host.turn(millis);
    }
    !shared.lock().is_decided()
}

/// The tasks of a host, while it lives.
struct Host {
    runtime: LocalRuntime,
    rest: Arc<Mutex<Rest>>,
    /// How far its clock is, in milliseconds of the run.
    millis: u64,
}

/// How a turn comes to its end.
#[derive(Default)]
struct Rest {
    /// The runtime has found no task that can run.
    is_parked: bool,
    /// Of the main task, while a turn lasts.
    waker: Option<Waker>,
}

fn lock(rest: &Mutex<Rest>) -> MutexGuard<'_, Rest> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    fn start(
        scenario: &Scenario,
        shared: &Arc<Shared>,
        index: usize,
        (generation, millis): (u32, u64),
    ) -> std::io::Result<Host> {
        let rest = Arc::new(Mutex::new(Rest::default()));
        let parked = rest.clone();
        let runtime = paused_runtime(derive(scenario.settings.seed, &("tokio", index, generation)))
            // With the main task woken the clock stays where it is.
            .on_thread_park(move || {
                let mut rest = lock(&parked);
                rest.is_parked = true;
                if let Some(waker) = &rest.waker {
                    waker.wake_by_ref();
                }
            })
            .build_local(LocalOptions::default())?;
        shared.runs_on(runtime.handle().id(), host_id(index));
        {
            let _entered = runtime.enter();
            let program = program(scenario, shared, index, generation);
            let shared = shared.clone();
            drop(runtime.handle().spawn(async move {
                let result = program.await;
                shared.lock().program_ended(host_id(index), result);
            }));
        }
        Ok(Host { runtime, rest, millis })
    }

    /// Moves its clock on, and lets its tasks run until none can.
    fn turn(&mut self, millis: u64) {
        let span = Duration::from_millis(millis - self.millis);
        self.millis = millis;
        self.runtime.block_on(async {
            if !span.is_zero() {
                // It lets the timers fire that are due.
                tokio::time::advance(span).await;
            }
            lock(&self.rest).is_parked = false;
            poll_fn(|cx| {
                let mut rest = lock(&self.rest);
                if rest.is_parked {
                    rest.waker = None;
                    return Poll::Ready(());
                }
                if rest.waker.is_none() {
                    rest.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            })
            .await;
        });
    }
}
