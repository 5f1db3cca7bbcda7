//! Real sockets of the operating system, all on this machine's loopback interface.
//!
//! On Linux each host of a run has an address of its own out of 127.0.0.0/8, so that runs side by side do not meet.
//! Elsewhere only 127.0.0.1 exists, and all hosts share it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::{FaultPlan, Fired};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::trace::{HostId, Trace};
use tokio::task::JoinSet;

use super::progress::Progress;
use crate::net::Net;
use crate::net::recorded::{Log, Recorded};
use crate::program::{Guarded, QuietPanics};
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// The loopback addresses of a run's hosts.
fn addresses(hosts: usize) -> Vec<IpAddr> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    if !cfg!(target_os = "linux") {
        return vec![IpAddr::V4(Ipv4Addr::LOCALHOST); hosts];
    }
    let run = std::process::id()
        .wrapping_mul(509)
        .wrapping_add(RUNS.fetch_add(1, Ordering::Relaxed));
    let [_, _, high, low] = run.to_be_bytes();
    let of = |host: usize| {
        Ipv4Addr::new(
            127,
            high.clamp(1, 254),
            low,
            u8::try_from(host + 1).unwrap_or(u8::MAX),
        )
    };
    (0..hosts).map(of).map(IpAddr::V4).collect()
}

/// Runs a scenario once, without faults.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let _quiet = QuietPanics::new();
    let names = scenario.host_names();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::refused(scenario, plan, format!("tokio gave no runtime: {error}")),
    };
    let trace = Arc::new(Mutex::new(Trace::new(names.iter().cloned())));
    let clock = OsNetwork::new();
    let end = runtime.block_on(async {
        let clients = scenario.hosts.iter().filter(|host| host.is_client).count();
        let progress = Arc::new(Progress::new(clients));
        let addrs = addresses(names.len());
        let mut programs = JoinSet::new();
        for (index, spec) in scenario.hosts.iter().enumerate() {
            let mut net = OsNetwork::new().with_host_address(addrs[index]);
            for (name, addr) in names.iter().zip(&addrs) {
                net = net.with_name(name, *addr);
            }
            let clock = clock.clone();
            let host = HostId(u16::try_from(index).unwrap_or(u16::MAX));
            let log = Log::new(trace.clone(), host, move || clock.now());
            let program = Guarded::new((spec.program)(Net::from(Recorded::new(net, log))));
            let (name, is_client, progress) = (spec.name.clone(), spec.is_client, progress.clone());
            programs.spawn(async move { progress.ended(&name, is_client, program.await) });
        }
        let limit = scenario.settings.real_time_max;
        let stalled = |_| End::Stalled {
            limit: format!("{} s", limit.as_secs()),
            sockets: Vec::new(),
        };
        tokio::time::timeout(limit, progress.ending())
            .await
            .unwrap_or_else(stalled)
    });
    let elapsed = clock.now();
    let trace = std::mem::take(&mut *trace.lock().unwrap_or_else(PoisonError::into_inner));
    Run {
        plan: plan.clone(),
        trace,
        end,
        fired: Fired::default(),
        elapsed,
    }
}
