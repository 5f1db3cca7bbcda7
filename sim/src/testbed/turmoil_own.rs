//! turmoil's own sockets as the subject: the same programs, no stack of ours, no faults.

use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::{FaultPlan, Fired};
use faultwire::time::Time;
use faultwire::trace::{HostId, Trace};

use super::turmoil_fabric::builder;
use crate::net::Net;
use crate::net::recorded::{Log, Recorded};
use crate::net::turmoil_net::TurmoilNet;
use crate::program::{Guarded, QuietPanics};
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// How the programs of a run without a world come to their end.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) clients_left: usize,
    pub(super) failure: Option<(String, String)>,
}

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let _quiet = QuietPanics::new();
    let names = scenario.host_names();
    let trace = Arc::new(Mutex::new(Trace::new(names.iter().cloned())));
    let clients_left = scenario.hosts.iter().filter(|host| host.is_client).count();
    let progress = Arc::new(Mutex::new(Progress {
        clients_left,
        failure: None,
    }));
    let mut sim = builder(scenario.settings.seed).build();
    for (index, spec) in scenario.hosts.iter().enumerate() {
        let (spec, trace, progress) = (spec.clone(), trace.clone(), progress.clone());
        let host = HostId(u16::try_from(index).unwrap_or(u16::MAX));
        sim.host(names[index].as_str(), move || {
            let clock = || turmoil::sim_elapsed().map_or(Time::ZERO, Time::from);
            let net = Net::from(Recorded::new(TurmoilNet, Log::new(trace.clone(), host, clock)));
            let program = Guarded::new((spec.program)(net));
            let (name, is_client, progress) = (spec.name.clone(), spec.is_client, progress.clone());
            async move {
                let result = program.await;
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(()) => progress.clients_left -= usize::from(is_client),
                    Err(message) => {
                        progress.failure.get_or_insert((name, message));
                    }
                }
                Ok(())
            }
        });
    }
    let end = loop {
        {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((host, message)) = progress.failure.take() {
                break End::Failed {
                    host: Some(host),
                    message,
                };
            }
            if progress.clients_left == 0 {
                break End::Finished;
            }
        }
        if sim.elapsed() >= scenario.settings.time_max {
            let limit = format!("{} s of virtual time", scenario.settings.time_max.as_secs());
            break End::Stalled {
                limit,
                sockets: Vec::new(),
            };
        }
        if let Err(error) = sim.step() {
            break End::Failed {
                host: None,
                message: format!("turmoil: {error}"),
            };
        }
    };
    let elapsed = Time::from(sim.elapsed());
    let trace = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    drop(sim);
    Run {
        plan: plan.clone(),
        trace,
        end,
        fired: Fired::default(),
        elapsed,
    }
}
