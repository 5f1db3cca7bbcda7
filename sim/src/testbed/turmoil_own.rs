//! turmoil's own sockets as the subject: the same programs, no stack of ours, no faults.

use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::{FaultPlan, Fired};
use faultwire::time::Time;
use faultwire::trace::Trace;

use super::progress::Progress;
use super::turmoil_fabric::builder;
use crate::net::Net;
use crate::net::recorded::{Log, Recorded};
use crate::net::turmoil_net::TurmoilNet;
use crate::program::{Guarded, QuietPanics, end_after_panics};
use crate::run::{End, Run};
use crate::scenario::Scenario;
use crate::world::host_id;

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let _quiet = QuietPanics::new();
    let names: Arc<[String]> = scenario.host_names().into();
    let trace = Arc::new(Mutex::new(Trace::new(names.iter().cloned())));
    let progress = Arc::new(Progress::new(scenario));
    let mut sim = builder(scenario.settings.seed).build();
    let polls_max = scenario.settings.polls_max;
    for (index, spec) in scenario.hosts.iter().enumerate() {
        let (spec, trace, progress, names) = (spec.clone(), trace.clone(), progress.clone(), names.clone());
        let host = host_id(index);
        sim.host(scenario.hosts[index].name.as_str(), move || {
            let clock = || turmoil::sim_elapsed().map_or(Time::ZERO, Time::from);
            let net = Net::from(Recorded::new(
                TurmoilNet::new(names.clone()),
                Log::new(trace.clone(), host, clock),
            ));
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
    Run { plan: plan.clone(), trace, end, fired: Fired::default(), elapsed, repeats: 0 }
}
