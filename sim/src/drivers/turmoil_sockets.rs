//! turmoil's own sockets as the subject: the same programs, without our stack and without faults.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Fired};
use faultwire::time::Time;
use faultwire::trace::Trace;

use super::progress::Progress;
use super::turmoil_ticks::{TICK, builder};
use crate::net::Net;
use crate::net::recorded::{Log, Recorded};
use crate::net::turmoil_net::TurmoilNet;
use crate::program::{Guarded, QuietPanics, end_after_panics};
use crate::run::{End, Run};
use crate::scenario::Scenario;
use crate::world::host_id;

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
    let _quiet = QuietPanics::new();
    let names: Arc<[String]> = scenario.host_names().into();
    let trace = Arc::new(Mutex::new(Trace::new(names.iter().cloned())));
    let progress = Arc::new(Progress::new(scenario));
    let mut sim = builder(scenario.settings.seed, latency(plan)).build();
    let polls_max = scenario.settings.polls_max;
    for (index, spec) in scenario.hosts.iter().enumerate() {
        let (spec, trace, progress, names) = (spec.clone(), trace.clone(), progress.clone(), names.clone());
        let host = host_id(index);
        sim.host(scenario.hosts[index].name.as_str(), move || {
            let clock = || turmoil::sim_elapsed().map_or(Time::ZERO, Time::from);
            let net =
                Net::new(Recorded::new(TurmoilNet::new(names.clone()), Log::new(trace.clone(), host, clock)));
            let program = Guarded::new((spec.program)(net), polls_max);
            let (name, progress) = (spec.name.clone(), progress.clone());
            async move {
                let result = program.await;
                progress.ended(&name, result);
                Ok(())
            }
        });
    }
    let end = loop {
        if let Some(end) = progress.end() {
            break end;
        }
        if sim.elapsed() >= scenario.settings.time_max {
            let limit = format!("{} s of virtual time", scenario.settings.time_max.as_secs());
            break End::Stalled { limit, sockets: Vec::new() };
        }
        if let Err(error) = sim.step() {
            break End::Failed { host: None, message: format!("turmoil: {error}") };
        }
    };
    let elapsed = Time::from(sim.elapsed());
    let trace = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    let end = end_after_panics(end, |host| trace.host_name(host).to_owned());
    drop(sim);
    Run::new(plan.clone(), trace, end, Fired::default(), elapsed)
}
