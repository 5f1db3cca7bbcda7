//! turmoil's own sockets as the subject: the same programs, without our stack and without faults.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::time::Time;

use super::turmoil_ticks::{TICK, builder};
use crate::net::turmoil_net::TurmoilNet;
use crate::programs::Programs;
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// How turmoil's settings differ from its defaults: see [`Testbed::deviations`](super::Testbed::deviations).
pub(super) const DEVIATIONS: &[&str] = &[
    "messages take the delay of the plan's link, 1 ms by default, and not a random time of up to 100 ms: a \
     plan says what a link does",
    "the clock starts at the Unix epoch and random numbers come from the seed, not from the system: runs \
     repeat",
    "a simulation lasts as long as its scenario, not 10 s: some programs wait for minutes",
];

/// The latency that comes nearest to the link's delay: whole ticks, at least one.
fn latency(plan: &FaultPlan) -> Duration {
    let ticks = plan.link.numbers().delay().as_micros().div_ceil(TICK.as_micros()).max(1);
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let programs = Programs::new(scenario);
    let names: Arc<[String]> = programs.hosts().into();
    let mut sim = builder(scenario.settings.seed, latency(plan)).build();
    for (index, name) in names.iter().enumerate() {
        let program = Mutex::new(Some(programs.start(index, TurmoilNet::new(names.clone()))));
        sim.host(name.as_str(), move || {
            // No host starts twice: nothing crashes here.
            let program = program.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                if let Some(program) = program {
                    program.await;
                }
                Ok(())
            }
        });
    }
    let end = loop {
        if let Some(end) = programs.end() {
            break end;
        }
        if sim.elapsed() >= scenario.settings.time_max {
            break programs.out_of_time();
        }
        if let Err(error) = sim.step() {
            break End::Failed { host: None, message: format!("turmoil: {error}") };
        }
    };
    let elapsed = Time::from(sim.elapsed());
    let run = programs.into_run(plan, end, elapsed);
    drop(sim);
    run
}
