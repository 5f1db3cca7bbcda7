//! Hosts that may lose power or whose programs may be killed, and what that excuses in the programs of
//! others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::{EventKind, FaultPlan};
use faultwire::time::Time;

use super::{HostSpec, Program, Scenario};
use crate::net::Net;
use crate::run::{End, Run};

/// The hosts whose programs have ended.
type Ended = Arc<Mutex<BTreeSet<Arc<str>>>>;

impl Scenario {
    /// Runs it on its testbed, once. Where a host may crash, an error of a program after a peer's crash is no
    /// failure, and a client whose host is off is not waited for.
    pub(super) fn run_on_testbed(&self, plan: &FaultPlan) -> Run {
        if self.deaths.is_empty() {
            return self.testbed.run(self, plan);
        }
        let ended = Ended::default();
        let hosts = self.hosts.iter().map(|host| excused(host, &ended)).collect();
        let mut run = self.testbed.run(&Scenario { hosts, ..self.clone() }, plan);
        let is_out_of_time =
            matches!(run.end, End::Stalled { .. }) && run.elapsed >= Time::from(self.settings.time_max);
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over =
            |host: &HostSpec| !host.is_client || ended.contains(&host.name) || is_off(&run, &host.name);
        if is_out_of_time && self.hosts.iter().all(is_over) {
            run.end = End::Finished;
        }
        run
    }
}

/// A host whose program says when it has ended, and may report an error once a peer has crashed. A panic is
/// none.
fn excused(host: &HostSpec, ended: &Ended) -> HostSpec {
    let HostSpec { name, program, is_client, skew } = host.clone();
    let (ended, own) = (ended.clone(), name.clone());
    let program: Program = Arc::new(move |net: Net| {
        let (started, ended, own) = (program(net.clone()), ended.clone(), own.clone());
        Box::pin(async move {
            let result = started.await;
            ended.lock().unwrap_or_else(PoisonError::into_inner).insert(own);
            if net.has_crashed_peer() { Ok(()) } else { result }
        })
    });
    HostSpec { name, program, is_client, skew }
}

/// Whether a host was off, or its programs were dead, at the end of a run.
fn is_off(run: &Run, host: &str) -> bool {
    let events = || run.plan.events.iter().zip(&run.fired.events).filter(|(_, fired)| **fired);
    let deaths = events().filter(|(event, _)| event.kind.dies() == Some(host)).count();
    let restarts = events().filter(|(event, _)| event.kind == EventKind::Restart(host.to_owned())).count();
    deaths > restarts
}
