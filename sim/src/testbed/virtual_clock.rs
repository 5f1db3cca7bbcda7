//! The virtual clock: all hosts on one paused tokio runtime, and a queue of events to the nanosecond.
//!
//! tokio's paused clock jumps over idle time, but in whole milliseconds. So the world keeps its own time: within a
//! millisecond of tokio's clock the driver steps from event to event; beyond it a tokio sleep makes the clock jump.
//! The runtime's park hook wakes the driver exactly when no task can run and an event of the world is next.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use faultwire::fault::{DueWhat, FaultPlan};
use faultwire::time::Time;
use faultwire::trace::HostId;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use crate::net::Net;
use crate::net::stack_net::StackNet;
use crate::program::{Guarded, QuietPanics};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::world::{Fabric, Shared, World};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The fabric's view of tokio's clock: where it started, once the runtime runs.
struct VirtualClock {
    start: Arc<OnceLock<Instant>>,
}

impl Fabric for VirtualClock {
    fn now(&self) -> Time {
        self.start.get().map_or(Time::ZERO, |start| {
            Time::from(Instant::now().duration_since(*start))
        })
    }

    /// What is on the wire is in the world's queue already.
    fn put_on_wire(&self, _world: &mut World, _host: HostId) {}
}

/// What the park hook and the driver share.
#[derive(Default)]
struct Driving {
    /// The driver, waiting to be called.
    waker: Option<Waker>,
    /// The millisecond for which the driver's tokio sleep is set.
    armed: Option<u64>,
}

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let _quiet = QuietPanics::new();
    let settings = &scenario.settings;
    let clients = scenario.hosts.iter().filter(|host| host.is_client).count();
    let world = match World::new(&scenario.host_names(), clients, plan, settings) {
        Ok(world) => world,
        Err(error) => return super::refused(scenario, plan, error.to_string()),
    };
    let start = Arc::new(OnceLock::new());
    let shared = Shared::new(world, Box::new(VirtualClock { start: start.clone() }));
    let driving = Arc::new(Mutex::new(Driving::default()));

    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park({
            let (shared, driving) = (shared.clone(), driving.clone());
            move || on_park(&shared, &driving)
        })
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::refused(scenario, plan, format!("tokio gave no runtime: {error}")),
    };
    runtime.block_on(async {
        let begun = *start.get_or_init(Instant::now);
        let mut driver = Driver {
            scenario,
            shared: &shared,
            driving: &driving,
            start: begun,
            sleep: Box::pin(tokio::time::sleep_until(begun)),
            programs: Vec::new(),
        };
        for index in 0..scenario.hosts.len() {
            let program = driver.spawn(index, 0);
            driver.programs.push(program);
        }
        poll_fn(|cx| driver.poll(cx)).await;
    });
    let run = super::conclude(&shared, plan);
    drop(runtime);
    run
}

/// No task can run: call the driver if the next event is due before tokio's clock moves on, or if the sleep that
/// makes it move is not set for that event.
fn on_park(shared: &Shared, driving: &Mutex<Driving>) {
    let due = {
        let world = shared.lock();
        if world.is_decided() {
            None
        } else {
            Some((world.next_due(), world.now))
        }
    };
    let Some((due, now)) = due else { return };
    let mut driving = driving.lock().unwrap_or_else(PoisonError::into_inner);
    let due_ms = due.as_nanos() / NANOS_PER_MILLI;
    if (due_ms <= now.as_nanos() / NANOS_PER_MILLI || driving.armed != Some(due_ms))
        && let Some(waker) = driving.waker.take()
    {
        waker.wake();
    }
}

struct Driver<'a> {
    scenario: &'a Scenario,
    shared: &'a Arc<Shared>,
    driving: &'a Mutex<Driving>,
    start: Instant,
    sleep: Pin<Box<Sleep>>,
    programs: Vec<JoinHandle<()>>,
}

impl Driver<'_> {
    /// Starts a host's program.
    fn spawn(&self, index: usize, generation: u32) -> JoinHandle<()> {
        let spec = &self.scenario.hosts[index];
        let host = HostId(u16::try_from(index).unwrap_or(u16::MAX));
        let net = Net::from(StackNet::new(self.shared.clone(), host, generation));
        let program = Guarded::new((spec.program)(net));
        let (shared, is_client) = (self.shared.clone(), spec.is_client);
        tokio::spawn(async move {
            let result = program.await;
            shared.lock().program_ended(host, is_client, result);
        })
    }

    /// Steps through what is due within the current millisecond, one moment at a time, so that programs run between
    /// two moments; sets the tokio sleep for what comes later. Ready when the run is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut world = self.shared.lock();
        if world.is_decided() {
            return Poll::Ready(());
        }
        if world.is_out_of_time() {
            return Poll::Ready(());
        }
        let due = world.next_due();
        world.main = Some(cx.waker().clone());
        let due_ms = due.as_nanos() / NANOS_PER_MILLI;
        if due_ms <= world.now.as_nanos() / NANOS_PER_MILLI {
            world.now = world.now.max(due);
            let restarts = step(&mut world, self.scenario, self.shared.fabric.as_ref());
            let decided = world.is_decided();
            drop(world);
            for (host, generation) in restarts {
                let index = usize::from(host.0);
                self.programs[index].abort();
                if let Some(generation) = generation {
                    self.programs[index] = self.spawn(index, generation);
                }
            }
            self.wait(cx, None);
            return if decided { Poll::Ready(()) } else { Poll::Pending };
        }
        drop(world);
        self.wait(cx, Some(due_ms));
        self.sleep
            .as_mut()
            .reset(self.start + std::time::Duration::from_millis(due_ms));
        match self.sleep.as_mut().poll(cx) {
            // The clock stands there already: look again.
            Poll::Ready(()) => cx.waker().wake_by_ref(),
            Poll::Pending => {}
        }
        Poll::Pending
    }

    /// Lets the park hook call the driver again.
    fn wait(&self, cx: &Context<'_>, armed: Option<u64>) {
        let mut driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner);
        driving.armed = armed;
        driving.waker = Some(cx.waker().clone());
    }
}

/// Carries out everything that is due now. Says which hosts lost power (no generation) or started again.
fn step(world: &mut World, scenario: &Scenario, fabric: &dyn Fabric) -> Vec<(HostId, Option<u32>)> {
    let now = world.now;
    let mut power = Vec::new();
    while let Some(due) = {
        let World { wire, trace, .. } = &mut *world;
        wire.poll(now, trace)
    } {
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
            DueWhat::Restart(host) => {
                if world.restart(host, &scenario.settings) {
                    power.push((host, Some(world.host(host).generation)));
                }
            }
        }
    }
    world.advance_stacks(fabric);
    while let Some(waker) = world.timers.pop_due(now) {
        world.count_event();
        waker.wake();
    }
    power
}
