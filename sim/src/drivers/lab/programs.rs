//! The programs of a run in a lab: one for each host, or for each incarnation of a host that restarts.
//!
//! When a host loses power the wire cuts it off. Its program is dropped then, with all its sockets; what that
//! makes them send gets nowhere. A program that is killed is dropped too, and its host sends what closing its
//! sockets makes it send. What a program still called after its host had lost power is in no trace,
//! and how it ended counts for nothing. When the host starts again, so does its program, in the place that
//! the wire has there from then on.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::lab::{Forwarder, KernelHost, LabError, Power, Switch, Switched};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::time::Time;
use faultwire::trace::{HostId, Trace, What};
use tokio::task::JoinHandle;

use super::Host;
use super::patience::Patience;
use super::pool::Bench;
use crate::drivers::real::merged;
use crate::net::Net;
use crate::net::host_net::HostNet;
use crate::net::lab_host::{LabHost, Names};
use crate::net::recorded::{Log, Recorded};
use crate::program::{Guarded, QuietPanics, end_after_panics};
use crate::programs::Progress;
use crate::run::{End, Run};
use crate::run_state::RunState;
use crate::scenario::Scenario;
use crate::world::host_id;

/// How often it is looked whether a run goes on.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs the programs to their end: the run, and how many packets were lost in it outside of the plan.
pub(super) fn run(
    scenario: &Scenario,
    plan: &FaultPlan,
    hosts: &[Host],
    bench: &Bench,
    forwarder: &Forwarder,
    clock: &OsNetwork,
) -> Result<(Run, u64), String> {
    let _quiet = QuietPanics::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("tokio gave no runtime: {error}"))?;
    let mut programs = Programs::new(scenario, hosts, bench, forwarder, clock);
    let patience = Patience::under(plan, &scenario.settings);
    let calls = programs.trace.clone();
    let end = runtime.block_on(async {
        for index in 0..hosts.len() {
            programs.start(index, 0, 0)?;
        }
        tokio::select! {
            biased;
            end = programs.ending() => end,
            end = scenario.cancelled() => Ok(end),
            limit = stalls(patience, forwarder, &calls, clock) => {
                Ok(End::Stalled { limit: limit?, sockets: Vec::new() })
            }
        }
    })?;
    let end = end_after_panics(end, |host| {
        programs.trace.lock().unwrap_or_else(PoisonError::into_inner).host_name(host).to_owned()
    });
    // What programs still do as they are stopped does not count.
    let concluded = forwarder.conclude().map_err(|error| format!("a device tells nothing: {error}"))?;
    let elapsed = clock.now();
    let calls = std::mem::take(&mut *programs.trace.lock().unwrap_or_else(PoisonError::into_inner));
    let calls = programs.alive(calls, &concluded.trace);
    let kept = programs.kept.clone();
    drop((programs, runtime));
    if concluded.stats.untraced > 0 {
        return Err(format!("its trace has no room for {} events", concluded.stats.untraced));
    }
    let trace = merged(&calls, &concluded.trace);
    let run = Run { kept, ..Run::new(plan.clone(), trace, end, concluded.fired, elapsed) };
    Ok((run, concluded.stats.lost()))
}

/// Waits until a run has reached a limit: which one.
async fn stalls(
    patience: Patience,
    forwarder: &Forwarder,
    calls: &Mutex<Trace>,
    clock: &OsNetwork,
) -> Result<String, String> {
    let now = || clock.now().since(Time::ZERO);
    let (mut seen, mut last) = (None, now());
    loop {
        let stats = forwarder.stats().map_err(|error| format!("a device tells nothing: {error}"))?;
        let called = calls.lock().unwrap_or_else(PoisonError::into_inner).events().len();
        let here = Some((stats.taken, stats.handed_on, called));
        if here != seen {
            (seen, last) = (here, now());
        }
        if let Some(limit) = patience.is_over(now(), last) {
            return Ok(limit);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// An incarnation of a host's program: the host's index, and how often its programs had ended before. Each
/// has its own number in the trace of calls.
type Incarnation = (usize, u32);

/// The programs that run.
struct Programs<'a> {
    scenario: &'a Scenario,
    hosts: &'a [Host],
    bench: &'a Bench,
    forwarder: &'a Forwarder,
    clock: &'a OsNetwork,
    power: Power,
    names: Names,
    progress: Arc<Progress>,
    kept: RunState,
    /// The calls of all incarnations, each of which is a host of this trace, under its host's name.
    trace: Arc<Mutex<Trace>>,
    incarnations: Vec<Incarnation>,
    /// Of each host: the record of its calls, and its program.
    logs: Vec<Log>,
    running: Vec<Option<JoinHandle<()>>>,
}

impl<'a> Programs<'a> {
    fn new(
        scenario: &'a Scenario,
        hosts: &'a [Host],
        bench: &'a Bench,
        forwarder: &'a Forwarder,
        clock: &'a OsNetwork,
    ) -> Self {
        let first = (0..hosts.len()).map(|host| (host, 0));
        let later = hosts
            .iter()
            .enumerate()
            .flat_map(|(host, it)| (1..=it.restarts).map(move |incarnation| (host, incarnation)));
        let incarnations: Vec<Incarnation> = first.chain(later).collect();
        let trace = Trace::new(incarnations.iter().map(|(host, _)| hosts[*host].name.clone()));
        let trace = Arc::new(Mutex::new(trace));
        let log = |index: usize| {
            let clock = clock.clone();
            Log::new(trace.clone(), host_id(index), move || clock.now())
        };
        Programs {
            scenario,
            hosts,
            bench,
            forwarder,
            clock,
            power: forwarder.power(),
            names: Arc::new(hosts.iter().map(|host| (host.name.clone(), host.addrs)).collect()),
            progress: Arc::new(Progress::new(scenario)),
            kept: scenario.new_state(),
            logs: (0..hosts.len()).map(log).collect(),
            trace,
            incarnations,
            running: hosts.iter().map(|_| None).collect(),
        }
    }

    /// Starts a host's program, which has ended `generation` times before, `crashes` of them because the host
    /// lost power.
    fn start(&mut self, index: usize, generation: u32, crashes: u32) -> Result<(), String> {
        let host = &self.hosts[index];
        let life = self.incarnations.iter().position(|incarnation| *incarnation == (index, generation));
        let log =
            self.logs[index].again(host_id(life.ok_or("the wire started a host that it does not have")?));
        let place = self.scenario.place(index, generation, self.kept.clone());
        let net = match host.kernel {
            Some(kernel) => {
                let kernel = kernel + usize::try_from(crashes).unwrap_or(usize::MAX);
                let kernel = self.bench.hosts.get(kernel).ok_or("the lab has too few hosts")?;
                let net = kernel_net(self.clock, kernel, host, &self.names);
                Net::of(Recorded::new(net, log.clone()), place, log)
            }
            None => {
                let host =
                    self.forwarder.lab_stack_again(index, crashes).ok_or("the wire has no such host")?;
                let (clock, names) = (self.clock.clone(), self.names.clone());
                let host = LabHost { host, log: log.clone(), clock, names };
                Net::of(HostNet::new(host), place, log)
            }
        };
        let program =
            Guarded::new((self.scenario.hosts[index].program)(net), self.scenario.settings.polls_max);
        let (name, progress, power) = (host.name.clone(), self.progress.clone(), self.power.clone());
        self.running[index] = Some(tokio::spawn(async move {
            let result = program.await;
            if power.is_on(index, generation) {
                progress.ended(&name, result);
            }
        }));
        Ok(())
    }

    /// Waits until the run has ended; meanwhile ends and starts programs as the wire says.
    async fn ending(&mut self) -> Result<End, String> {
        let progress = self.progress.clone();
        let mut ending = std::pin::pin!(progress.ending());
        loop {
            let power = self.power.clone();
            let Switched { end, generation, crashes, what, .. } = tokio::select! {
                biased;
                switched = poll_fn(|cx| power.poll_switched(cx)) => switched,
                end = &mut ending => return Ok(end),
            };
            if what == Switch::Start {
                self.start(end, generation, crashes)?;
                continue;
            }
            self.kept.died(end, what == Switch::Crash);
            if let Some(program) = self.running[end].take() {
                program.abort();
                // It is gone, with its sockets, once this is ready; how it ended is of no interest.
                let _ = program.await;
                power.killed(end);
            }
        }
    }

    /// The calls that were made before their program was ended.
    fn alive(&self, calls: Trace, packets: &Trace) -> Trace {
        if self.incarnations.len() == self.hosts.len()
            && !packets.events().iter().any(|event| is_death(&event.what, None))
        {
            return calls;
        }
        let ends: Vec<_> = self
            .incarnations
            .iter()
            .map(|(host, generation)| {
                let crashes =
                    packets.events().iter().filter(|event| is_death(&event.what, Some(host_id(*host))));
                crashes.map(|event| event.at).nth(usize::try_from(*generation).unwrap_or(usize::MAX))
            })
            .collect();
        let mut alive = Trace::new(calls.hosts().iter().cloned());
        for event in calls.events() {
            let end = match &event.what {
                What::Call { host, .. } | What::Noted { host, .. } => {
                    ends.get(usize::from(host.0)).copied().flatten()
                }
                _ => None,
            };
            if end.is_none_or(|end| event.at < end) {
                alive.push(event.at, event.what.clone());
            }
        }
        alive
    }
}

/// Whether a host's programs ended, that one's or any.
fn is_death(what: &What, whose: Option<HostId>) -> bool {
    matches!(what, What::Crashed(host) | What::Killed(host) if whose.is_none_or(|whose| whose == *host))
}

/// The network of a host of the kernel: its sockets are made in its namespace.
fn kernel_net(clock: &OsNetwork, host: &KernelHost, own: &Host, names: &Names) -> OsNetwork {
    let host = host.clone();
    let mut net = clock.clone().with_sockets(move |domain, kind, protocol| {
        host.socket(domain, kind, protocol).map_err(|error| match error {
            LabError::Call { source, .. } => source,
            other => io::Error::other(other),
        })
    });
    // Streams are bound to the address of this run: that of an earlier one may still have connections with
    // the same port.
    net = own.addrs.into_iter().fold(net.with_open_datagrams(), OsNetwork::with_host_address);
    for (name, addrs) in names.iter() {
        for addr in addrs {
            net = net.with_name(name, *addr);
        }
    }
    net
}
