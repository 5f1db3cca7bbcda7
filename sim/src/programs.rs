//! The programs of a run whose testbed brings its own sockets.

mod progress;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::{FaultPlan, Fired};
use faultwire::network::Network;
use faultwire::time::Time;
use faultwire::trace::Trace;

use crate::net::Net;
use crate::net::recorded::{Log, Recorded};
use crate::program::{Guarded, QuietPanics, end_after_panics};
use crate::run::{End, Run};
use crate::run_state::RunState;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::world::host_id;

pub(crate) use progress::Progress;

/// The programs of a scenario's hosts, for a [`Testbed`](crate::testbed::Testbed) of yours whose sockets are
/// any [`Network`]: it starts each program over the network of its host, moves time until the run
/// [ends](Programs::end), and makes a [`Run`] of it. The programs' calls are recorded.
///
/// It belongs to the thread that the programs run on: their panics are failures of the run, and print
/// nothing while it lives.
///
/// ```
/// use std::time::Duration;
///
/// use faultwire::fault::FaultPlan;
/// use faultwire::network::{Network as _, os::OsNetwork};
/// use faultwire_sim::testbed::{Capabilities, Capability, Clock, Subject, Testbed};
/// use faultwire_sim::{End, Programs, Run, Scenario};
///
/// /// Both hosts on this machine, over the operating system's sockets.
/// #[derive(Debug)]
/// struct Here;
///
/// impl Testbed for Here {
///     fn name(&self) -> &'static str {
///         "here"
///     }
///     fn subject(&self) -> Subject {
///         Subject::LINUX
///     }
///     fn about(&self) -> &'static str {
///         "sockets of this machine"
///     }
///     fn capabilities(&self) -> Capabilities {
///         Capabilities { clock: Clock::Real, lacking: &[(Capability::Faults, "it carries no faults")] }
///     }
///     fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run {
///         let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
///         let Ok(runtime) = runtime else { return scenario.refused(plan, "no runtime".to_owned()) };
///         let programs = Programs::new(scenario);
///         let net = OsNetwork::new().with_name("server", [127, 0, 0, 1]);
///         let end = runtime.block_on(async {
///             for host in 0..programs.hosts().len() {
///                 tokio::spawn(programs.start(host, net.clone()));
///             }
///             let late = |_| End::Stalled { limit: "5 s".to_owned(), sockets: Vec::new() };
///             tokio::time::timeout(Duration::from_secs(5), programs.ending()).await.unwrap_or_else(late)
///         });
///         programs.into_run(plan, end, net.now())
///     }
/// }
///
/// let scenario = faultwire_sim::scenario("a socket").on(&Here).client(|net| async move {
///     net.datagram("127.0.0.1:0", &[]).await?;
///     Ok(())
/// });
/// let run = scenario.run(&FaultPlan::default());
/// assert!(run.end.is_finished());
/// assert_eq!(run.trace.calls().count(), 2); // bind and close
/// ```
#[derive(Debug)]
pub struct Programs {
    _quiet: QuietPanics,
    names: Vec<String>,
    scenario: Scenario,
    trace: Arc<Mutex<Trace>>,
    progress: Arc<Progress>,
    kept: RunState,
}

impl Programs {
    /// The programs of a scenario. None has started.
    pub fn new(scenario: &Scenario) -> Programs {
        let names = scenario.host_names();
        Programs {
            _quiet: QuietPanics::new(),
            scenario: scenario.clone(),
            trace: Arc::new(Mutex::new(Trace::new(names.iter().cloned()))),
            progress: Arc::new(Progress::new(scenario)),
            kept: scenario.new_state(),
            names,
        }
    }

    /// The names of the hosts, in their order.
    pub fn hosts(&self) -> &[String] {
        &self.names
    }

    /// The run's seed and limits.
    pub fn settings(&self) -> &Settings {
        &self.scenario.settings
    }

    /// The program of a host over its network. Poll it to its end, as a task; the program itself is called at
    /// the first poll. Its calls are recorded with the time that the network tells.
    ///
    /// # Panics
    /// If there is no host of that index.
    pub fn start(&self, host: usize, network: impl Network) -> impl Future<Output = ()> + Send + 'static {
        let (spec, place) =
            (self.scenario.hosts[host].clone(), self.scenario.place(host, 0, self.kept.clone()));
        let clock = network.clone();
        let log = Log::new(self.trace.clone(), host_id(host), move || clock.now());
        let (progress, polls_max) = (self.progress.clone(), self.scenario.settings.polls_max);
        async move {
            let net = Net::of(Recorded::new(network, log.clone()), place, log);
            let result = Guarded::new((spec.program)(net), polls_max).await;
            progress.ended(&spec.name, result);
        }
    }

    /// How the run has ended, if it has: every client has come to its end, or a program failed.
    pub fn end(&self) -> Option<End> {
        self.progress.end()
    }

    /// Waits until the run has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn ending(&self) -> End {
        self.progress.ending().await
    }

    /// The end of a run that has come to its limit of virtual time.
    pub fn out_of_time(&self) -> End {
        let limit = format!("{} s of virtual time", self.scenario.settings.time_max.as_secs());
        End::Stalled { limit, sockets: Vec::new() }
    }

    /// The run, which ended like this at that time after its start. No faults took place in it.
    pub fn into_run(self, plan: &FaultPlan, end: End, elapsed: Time) -> Run {
        self.concluded(plan, end, elapsed, |calls| (calls, Fired::default()))
    }

    /// The run, in view of tasks that panicked; `whole` adds what a wire carried to the calls of the
    /// programs.
    pub(crate) fn concluded(
        self,
        plan: &FaultPlan,
        end: End,
        elapsed: Time,
        whole: impl FnOnce(Trace) -> (Trace, Fired),
    ) -> Run {
        let trace = std::mem::take(&mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner));
        let end = end_after_panics(end, |host| trace.host_name(host).to_owned());
        let (trace, fired) = whole(trace);
        Run { kept: self.kept, ..Run::new(plan.clone(), trace, end, fired, elapsed) }
    }
}
