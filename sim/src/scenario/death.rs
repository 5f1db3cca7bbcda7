//! Hosts that may lose power or whose programs may be killed, and what that excuses in the programs of
//! others.

use std::sync::Arc;

use faultwire::fault::FaultPlan;
use faultwire::time::Time;
use faultwire::trace::{Event, Trace, What};

use super::{HostSpec, Program, Scenario};
use crate::net::Net;
use crate::run::{End, Run};

impl Scenario {
    /// Runs it on its testbed, once. Where a host may crash, an error of a program after a peer's crash is no
    /// failure, and a client whose host is off is not waited for.
    pub(super) fn run_on_testbed(&self, plan: &FaultPlan) -> Run {
        if self.deaths.is_empty() {
            return self.testbed.run(self, plan);
        }
        let hosts = self.hosts.iter().map(excused).collect();
        let mut run = self.testbed.run(&Scenario { hosts, ..self.clone() }, plan);
        let is_out_of_time =
            matches!(run.end, End::Stalled { .. }) && run.elapsed >= Time::from(self.settings.time_max);
        let is_over = |host: &HostSpec| {
            !host.is_client || run.kept.has_ended(&host.name) || is_off(&run.trace, &host.name)
        };
        if is_out_of_time && self.hosts.iter().all(is_over) {
            run.end = End::Finished;
        }
        run
    }
}

/// A host whose program says when it has ended, and may report an error once a peer has crashed. A panic is
/// none.
fn excused(host: &HostSpec) -> HostSpec {
    let program = host.program.clone();
    let program: Program = Arc::new(move |net: Net| {
        let started = program(net.clone());
        Box::pin(async move {
            let result = started.await;
            net.ended();
            if net.has_crashed_peer() { Ok(()) } else { result }
        })
    });
    HostSpec { program, ..host.clone() }
}

/// Whether a host was off, or its programs were dead, at the end of a run.
fn is_off(trace: &Trace, host: &str) -> bool {
    let turn = |event: &Event| match event.what {
        What::Crashed(whose) | What::Killed(whose) => Some((whose, true)),
        What::Restarted(whose) => Some((whose, false)),
        _ => None,
    };
    let turns = trace.events().iter().filter_map(turn).filter(|(whose, _)| trace.host_name(*whose) == host);
    turns.last().is_some_and(|(_, is_off)| is_off)
}
