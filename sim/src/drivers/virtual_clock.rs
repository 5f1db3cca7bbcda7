//! The virtual clock: all hosts on one paused tokio runtime, and a queue of events to the nanosecond.
//!
//! tokio's paused clock jumps over idle time, but in whole milliseconds. So the world keeps its own time:
//! within a millisecond of tokio's clock the driver steps from event to event; beyond it a tokio sleep makes
//! the clock jump. The runtime's park hook, called when no task can run, wakes the driver for the next event
//! or sets that sleep.
//!
//! On one runtime, nothing ends a task that a program has spawned and forgotten, and nothing says whose task
//! it is. If there are such tasks when a host's programs come to their end before their time, or if a task
//! opens a socket without saying for which host, the run begins again, with a [runtime](runtimes) for each.

mod runtimes;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use faultwire::fault::{DueWhat, FaultPlan};
use faultwire::time::Time;
use faultwire::trace::HostId;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use crate::net::Net;
use crate::net::here::InRun;
use crate::net::sim_host::SimHost;
use crate::program::{Guarded, QuietPanics};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::seed::derive;
use crate::world::{Driver, Shared, World, host_id};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Nothing is between the world and its programs: what is on the wire is in the world's queue already, and
/// the world's time is set by [`on_unpark`] and by the driver.
struct VirtualClock;

impl Driver for VirtualClock {
    fn put_on_wire(&self, _world: &mut World, _host: HostId) {}
}

/// What the hooks and the driver share, once the runtime runs.
struct Driving {
    start: Instant,
    /// The driver: the main task of the runtime.
    waker: Waker,
    /// Makes tokio's clock move to the next event's millisecond; wakes the driver there.
    sleep: Pin<Box<Sleep>>,
    /// The millisecond for which it is set.
    armed: Option<u64>,
}

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let (run, begins_again) = in_world(scenario, plan, |shared| {
        let run = on_one_runtime(scenario, plan, shared);
        (run, shared.begins_again())
    })
    .unwrap_or_else(|why| (scenario.refused(plan, why), false));
    if begins_again { runtimes::run(scenario, plan) } else { run }
}

/// Does something with a fresh world, to which the tasks on this thread belong meanwhile.
///
/// # Errors
/// The plan does not suit the hosts.
fn in_world<T>(
    scenario: &Scenario,
    plan: &FaultPlan,
    drive: impl FnOnce(&Arc<Shared>) -> T,
) -> Result<T, String> {
    let _quiet = QuietPanics::new();
    let world = World::new(scenario.roles(), plan, &scenario.settings).map_err(|error| error.to_string())?;
    let shared = Shared::new(world, Box::new(VirtualClock));
    scenario.begin(&mut shared.lock());
    let _in_run = InRun::new(&shared);
    let result = drive(&shared);
    // Wakers keep a runtime's inside alive, and that keeps its hooks, which may keep the world: cut the
    // circle.
    shared.lock().forget_wakers();
    Ok(result)
}

/// Runs a scenario once, all hosts on one runtime.
fn on_one_runtime(scenario: &Scenario, plan: &FaultPlan, shared: &Arc<Shared>) -> Run {
    let driving = Arc::new(Mutex::new(None));
    let runtime = paused_runtime(derive(scenario.settings.seed, &"tokio"))
        .on_thread_park({
            let (shared, driving) = (shared.clone(), driving.clone());
            move || on_park(&shared, &mut driving.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .on_thread_unpark({
            let (shared, driving) = (shared.clone(), driving.clone());
            move || on_unpark(&shared, &driving.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return scenario.troubled(plan, format!("tokio gave no runtime: {error}")),
    };
    runtime.block_on(async {
        let mut runner = Runner { scenario, shared, driving: &driving, programs: Vec::new() };
        for index in 0..scenario.hosts.len() {
            let program = runner.spawn(index, 0);
            runner.programs.push(program);
        }
        poll_fn(|cx| runner.poll(cx)).await;
    });
    let run = super::conclude(shared, plan);
    drop(runtime);
    // The hooks keep it, and it keeps the runtime's timer.
    *driving.lock().unwrap_or_else(PoisonError::into_inner) = None;
    run
}

/// A runtime whose clock is paused. The order in which `tokio::select!` without `biased;` polls its branches
/// follows from the seed where tokio is built such that this can be said.
#[cfg_attr(not(tokio_unstable), expect(unused_variables, reason = "stable tokio takes no seed"))]
fn paused_runtime(seed: u64) -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    builder
}

/// The program of a host, which starts as it is polled first.
fn program(scenario: &Scenario, shared: &Arc<Shared>, index: usize, generation: u32) -> Guarded {
    let place = scenario.place(index, generation, shared.lock().kept.clone());
    let net = Net::of_stack(SimHost::new(shared.clone(), host_id(index), generation), place);
    Guarded::new((scenario.hosts[index].program)(net), scenario.settings.polls_max)
}

/// No task can run. If the next event of the world is due before tokio's clock moves on, the driver is
/// called; else the clock is made to move to it.
fn on_park(shared: &Shared, driving: &mut Option<Driving>) {
    let Some(driving) = driving else { return };
    let (due, now) = {
        let mut world = shared.lock();
        if world.is_decided() {
            return;
        }
        world.look();
        (world.next_due(), world.now)
    };
    let due_ms = due.as_nanos() / NANOS_PER_MILLI;
    if due_ms <= now.as_nanos() / NANOS_PER_MILLI {
        driving.waker.wake_by_ref();
    } else if driving.armed != Some(due_ms) {
        driving.armed = Some(due_ms);
        driving.sleep.as_mut().reset(driving.start + Duration::from_millis(due_ms));
        let mut cx = Context::from_waker(&driving.waker);
        if driving.sleep.as_mut().poll(&mut cx).is_ready() {
            driving.waker.wake_by_ref();
        }
    }
}

/// tokio's clock may have moved: a paused clock moves only while the runtime is parked.
fn on_unpark(shared: &Shared, driving: &Option<Driving>) {
    if let Some(driving) = driving {
        let now = Time::from(Instant::now().duration_since(driving.start));
        let mut world = shared.lock();
        world.now = world.now.max(now);
    }
}

struct Runner<'a> {
    scenario: &'a Scenario,
    shared: &'a Arc<Shared>,
    driving: &'a Mutex<Option<Driving>>,
    programs: Vec<JoinHandle<()>>,
}

impl Runner<'_> {
    /// Starts a host's program.
    fn spawn(&self, index: usize, generation: u32) -> JoinHandle<()> {
        let program = program(self.scenario, self.shared, index, generation);
        let host = host_id(index);
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let result = program.await;
            shared.lock().program_ended(host, result);
        })
    }

    /// Carries out what is due at the next moment, if that lies within the current millisecond; programs run
    /// before the moment after it. Ready when the run is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begin(cx) {
            // The programs come first: nothing happens before they were started.
            return Poll::Pending;
        }
        let mut world = self.shared.lock();
        if self.shared.begins_again() || world.is_decided() || world.is_out_of_time() {
            return Poll::Ready(());
        }
        let due = world.next_due();
        if due.as_nanos() / NANOS_PER_MILLI <= world.now.as_nanos() / NANOS_PER_MILLI {
            world.now = world.now.max(due);
            let power = step(&mut world, self.scenario, self.shared.driver.as_ref());
            if world.is_decided() {
                return Poll::Ready(());
            }
            drop(world);
            self.switch(power);
            if self.shared.begins_again() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// At the first poll, and says so: shows the hooks how to call the driver.
    fn begin(&self, cx: &Context<'_>) -> bool {
        let mut driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = driving.is_none();
        if is_first {
            let start = Instant::now();
            let sleep = Box::pin(tokio::time::sleep_until(start));
            *driving = Some(Driving { start, waker: cx.waker().clone(), sleep, armed: None });
            self.shared.lock().main = Some(cx.waker().clone());
        }
        is_first
    }

    /// Stops the programs of hosts that lost power or were killed, starts those of hosts that start again.
    fn switch(&mut self, power: Vec<(HostId, Option<u32>)>) {
        let alive = self.programs.iter().filter(|program| !program.is_finished()).count();
        let has_death = power.iter().any(|(_, generation)| generation.is_none());
        if has_death && Handle::current().metrics().num_alive_tasks() > alive {
            // The programs came to their end beside tasks that may be theirs.
            self.shared.begin_again();
        }
        for (host, generation) in power {
            let index = usize::from(host.0);
            self.programs[index].abort();
            if let Some(generation) = generation {
                self.programs[index] = self.spawn(index, generation);
            }
        }
    }
}

/// Carries out everything that is due now. Returns which hosts' programs are gone (`None`) or restarted.
fn step(world: &mut World, scenario: &Scenario, driver: &dyn Driver) -> Vec<(HostId, Option<u32>)> {
    let now = world.now;
    let mut power = Vec::new();
    // On a link without delay a packet and its answer are due at once: only the limit ends such an exchange.
    while world.limit_hit.is_none()
        && let Some(due) = {
            let World { wire, trace, .. } = &mut *world;
            wire.poll(now, trace)
        }
    {
        world.count_event();
        match due.what {
            DueWhat::Packet(delivery) => {
                let to = delivery.to;
                world.arrive(delivery);
                world.settle(to);
            }
            DueWhat::Crash(host) => {
                world.crash(host);
                power.push((host, None));
            }
            DueWhat::Kill(host) => {
                world.kill(host, driver);
                power.push((host, None));
            }
            DueWhat::Restart(host) => {
                if world.restart(host, &scenario.settings) {
                    power.push((host, Some(world.host(host).generation)));
                }
            }
        }
    }
    world.advance_stacks(driver);
    while let Some(waker) = world.timers.pop_due(now) {
        world.count_event();
        waker.wake();
    }
    power
}
