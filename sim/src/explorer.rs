//! The explorer: it searches for the plans under which a scenario fails, tells kinds of failure apart, and
//! makes the plan of each kind as small as it can be.

mod check;
mod difference;
mod failures;
mod report;
mod shrink;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use faultwire::fault::{EventKind, FaultPlan, PlanEvent, When};

use crate::run::{End, Run};
use crate::scenario::{Capability, Scenario};
use crate::search::{
    Death, Grid, PlanSpace, RandomFaultsSearch, RandomSearch, Runner, Sample, Site, Sweep, Tried,
    after_the_plan, sites,
};

pub use difference::Difference;
pub use failures::{Event, Exploration, Failure, Rate, Signature};

/// How often a random plan is drawn until some of it takes place.
const DRAWS_MAX: u32 = 32;

/// Plans that follow from the run without faults.
type Further = Arc<dyn Fn(&Run) -> Vec<FaultPlan> + Send + Sync>;

/// How hard a scenario is searched for plans under which it fails. By default it runs once, without faults.
///
/// ```
/// use faultwire_sim::prelude::*;
///
/// # fn main() {
/// // A client that takes the first answer for the answer to its last question.
/// let scenario = faultwire_sim::scenario("impatient")
///     .server(|net: Net| async move {
///         let socket = net.datagram("0.0.0.0:7000", &[]).await?;
///         let mut byte = [0];
///         loop {
///             let asked = socket.recv_from(&mut byte).await?;
///             socket.send_to(&byte, asked.from).await?;
///         }
///         # #[expect(unreachable_code)]
///         # Ok::<(), std::io::Error>(())
///     })
///     .client(|net: Net| async move {
///         let socket = net.datagram("0.0.0.0:0", &[]).await?;
///         socket.connect("server:7000").await?;
///         for number in 0..3_u8 {
///             socket.send(&[number]).await?;
///             let mut answer = [u8::MAX];
///             net.timeout(Duration::from_millis(500), socket.recv_from(&mut answer)).await??;
///             assert_eq!(answer, [number]);
///         }
///         Ok(())
///     });
/// // `check` would panic with the smallest plan; `explore` returns what was found.
/// let found = scenario.exhaustive(1).explore();
/// assert_eq!(found.failures[0].smallest.plan.faults.len(), 1);
/// assert!(found.tried.runs() > 10);
/// # }
/// ```
#[derive(Clone)]
pub struct Explorer {
    scenario: Scenario,
    exhaustive: usize,
    random: u64,
    runs_max: Option<u64>,
    further: Option<Further>,
    jobs: usize,
    repeats: Repeats,
    kinds_max: usize,
    runs_after_failure: u64,
}

/// How often runs are made under one plan, where no two runs need be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repeats {
    /// Runs without faults. Faults hit only packets that each of them has.
    pub without_faults: usize,
    /// Further runs that must fail in the same way before a failure counts.
    pub to_confirm: usize,
    /// Runs that must all fail in the same way before a smaller plan is taken.
    pub to_shrink: usize,
    /// Runs under the smallest plan, and without faults, that tell how often each fails.
    pub to_rate: usize,
}

impl Repeats {
    /// For runs that repeat: one run settles everything.
    pub const NONE: Repeats = Repeats { without_faults: 1, to_confirm: 0, to_shrink: 1, to_rate: 0 };
    /// For simulated runs that do not repeat. No run is disturbed there, so one that fails counts.
    pub const SIMULATED: Repeats = Repeats { to_confirm: 0, ..Repeats::REAL_TIME };
    /// For runs in real time.
    pub const REAL_TIME: Repeats = Repeats { without_faults: 3, to_confirm: 1, to_shrink: 3, to_rate: 10 };

    /// Like this, with another number of runs without faults.
    #[must_use]
    pub const fn without_faults(self, runs: usize) -> Repeats {
        Repeats { without_faults: runs, ..self }
    }
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explorer { scenario, exhaustive, random, runs_max, jobs, repeats, .. } = self;
        f.debug_struct("Explorer")
            .field("scenario", scenario)
            .field("exhaustive", exhaustive)
            .field("random", random)
            .field("runs_max", runs_max)
            .field("jobs", jobs)
            .field("repeats", repeats)
            .finish_non_exhaustive()
    }
}

impl From<Scenario> for Explorer {
    fn from(scenario: Scenario) -> Self {
        let repeats = match scenario.is_nondeterministic {
            true => Repeats::SIMULATED,
            false => Repeats::NONE,
        };
        Explorer {
            scenario,
            exhaustive: 0,
            random: 0,
            runs_max: None,
            further: None,
            jobs: 1,
            repeats,
            kinds_max: 4,
            runs_after_failure: 1_000,
        }
    }
}

impl Scenario {
    /// A search that tries every plan of up to `faults` faults of the grid.
    #[must_use]
    pub fn exhaustive(self, faults: usize) -> Explorer {
        Explorer::from(self).exhaustive(faults)
    }

    /// A search that tries `plans` random plans.
    #[must_use]
    pub fn random(self, plans: u64) -> Explorer {
        Explorer::from(self).random(plans)
    }
}

impl Explorer {
    /// Tries every plan of up to `faults` faults of the grid: each further fault on the packets that the run
    /// before really had. An [outage](Scenario::without_outages) that ends counts as one fault.
    #[must_use]
    pub fn exhaustive(mut self, faults: usize) -> Self {
        self.exhaustive = faults;
        self
    }

    /// Tries `plans` random plans.
    #[must_use]
    pub fn random(mut self, plans: u64) -> Self {
        self.random = plans;
        self
    }

    /// Runs at most `runs` plans of the exhaustive search, and at most `runs` more in which a host
    /// [crashes](Scenario::crashes) or is killed: even samples where there are more.
    #[must_use]
    pub fn runs_max(mut self, runs: u64) -> Self {
        self.runs_max = Some(runs);
        self
    }

    /// Tries further plans, which may follow from the run without faults.
    #[must_use]
    pub fn plans(mut self, further: impl Fn(&Run) -> Vec<FaultPlan> + Send + Sync + 'static) -> Self {
        self.further = Some(Arc::new(further));
        self
    }

    /// Makes up to `jobs` runs at once; 1 by default.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// How often runs are repeated; by default [`Repeats::NONE`], and [`Repeats::SIMULATED`] where the
    /// scenario is [`nondeterministic`](Scenario::nondeterministic).
    #[must_use]
    pub fn repeats(mut self, repeats: Repeats) -> Self {
        self.repeats = repeats;
        self
    }

    /// Ends the search with this many kinds of failure, or `runs` runs after the first. By default 4 kinds,
    /// and 1000 runs.
    #[must_use]
    pub fn kinds_max(mut self, kinds: usize, runs: u64) -> Self {
        self.kinds_max = kinds;
        self.runs_after_failure = runs;
        self
    }

    /// What it searches.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Runs the scenario under every plan of the search, the smallest first (a family's members before any
    /// fault), and hands each run that counts to `visit`, until that breaks.
    pub fn search(&self, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let Scenario { base, settings, testbed, .. } = &self.scenario;
        let (members, of) = self.members();
        let grid = match self.repeats.without_faults {
            0 | 1 => self.scenario.grid(),
            _ => self.scenario.grid().any_class(),
        };
        let sweep = Sweep {
            base,
            base_runs: self.repeats.without_faults,
            members: &members,
            grid: &grid,
            depth: u8::try_from(self.exhaustive).unwrap_or(u8::MAX),
            runs_max: self.runs_max,
            seed: settings.seed,
        };
        let mut fault_free = None;
        let is_needed = self.further.is_some() || !self.scenario.deaths.is_empty();
        let mut tried = self.runs(Scenario::run_in_full, |runner| {
            sweep.search(runner, &mut |run| {
                if is_needed && fault_free.is_none() {
                    fault_free = Some(run.clone());
                }
                visit(run)
            })
        });
        tried.fault_free_of = self.repeats.without_faults.max(1) as u64 + of;
        let has_faults = testbed.has(Capability::Faults);
        if let Some(run) = fault_free.filter(|run| has_faults && !run.is_refused() && !tried.stopped) {
            let mut plans = Vec::new();
            for death in self.scenario.deaths.iter().filter(|_| self.exhaustive > 0) {
                plans.extend(deaths(base, &run, &self.scenario.grid(), death));
            }
            let of = plans.len() as u64;
            tried.singles_of += of;
            if let Some(take) = self.runs_max.filter(|take| *take < of) {
                let sample = Sample::new(settings.seed, Sample::DEATHS, of, take);
                plans =
                    sample.filter_map(|number| plans.get(usize::try_from(number).ok()?).cloned()).collect();
            }
            if let Some(further) = &self.further {
                plans.extend(further(&run));
            }
            tried += self.under(&plans, visit);
        }
        if !tried.stopped && self.random > 0 {
            tried += self.search_random(0, self.random, visit);
        }
        tried
    }

    /// Makes the runs of a part of the search.
    fn runs<T>(&self, run: fn(&Scenario, &FaultPlan) -> Run, part: impl FnOnce(&Runner<'_>) -> T) -> T {
        let token = self.scenario.cancellation.child_token();
        let scenario = self.scenario.clone().cancelled_by(&token);
        let run = |plan: &FaultPlan| {
            let first = run(&scenario, plan);
            let Some(signature) = Signature::of(&first).filter(|_| !first.is_refused()) else { return first };
            let mut others = (0..self.repeats.to_confirm).map(|_| scenario.run_in_full(plan));
            match others.find(|run| !Signature::of(run).is_some_and(|it| it.ends_like(&signature))) {
                Some(_) => Run { end: End::Unconfirmed { message: signature.to_string() }, ..first },
                None => first,
            }
        };
        part(&Runner::new(&run, self.jobs, &token))
    }

    /// The plans of the members of its family that run, and how many members there are beside the ordinary
    /// one.
    fn members(&self) -> (Vec<FaultPlan>, u64) {
        let Scenario { family, testbed, settings, base, name, .. } = &self.scenario;
        let Some(family) = family else { return (Vec::new(), 0) };
        let (members, of) = family.members(testbed.has(Capability::Delay), settings.seed);
        (members.iter().map(|member| member.plan(base, name)).collect(), of)
    }

    /// Runs the scenario under these plans. Those that count do so as plans of one fault.
    fn under(&self, plans: &[FaultPlan], visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let mut tried = Tried::default();
        let ended = self.runs(Scenario::run_in_full, |runner| {
            runner.all(plans, &mut |run| {
                let counts = tried.count(&run, &self.scenario.base, |tried| &mut tried.singles);
                if counts || run.is_refused() { visit(&run) } else { ControlFlow::Continue(()) }
            })
        });
        tried.stopped = ended.is_break();
        tried
    }

    /// Runs the scenario under `count` random plans from the one numbered `first` on, and hands each run that
    /// counts to `visit`, until that breaks. A plan depends on its number, and not on the range.
    pub fn search_random(
        &self,
        first: u64,
        count: u64,
        visit: &mut dyn FnMut(&Run) -> ControlFlow<()>,
    ) -> Tried {
        let Scenario { base, family, settings, testbed, name: scenario, random_faults, .. } = &self.scenario;
        let (seed, draws_max, tick_us) = (settings.seed, DRAWS_MAX, testbed.clock().tick_us());
        self.runs(Scenario::run, |runner| {
            if let Some(random_faults) = random_faults {
                let family = family.as_deref();
                let search = RandomFaultsSearch {
                    random_faults,
                    base,
                    family,
                    seed,
                    scenario,
                    first,
                    count,
                    draws_max,
                    tick_us,
                };
                return search.search(runner, visit);
            }
            let fault_free = self.scenario.run(base);
            let mut space = PlanSpace::of(base, &fault_free.trace, &self.scenario.grid());
            space = space.deaths(self.scenario.deaths.clone());
            if tick_us > 1 {
                space = space.whole_ticks();
            }
            if space.packets() == 0 {
                return Tried::default();
            }
            RandomSearch { space: &space, seed, scenario, first, count, draws_max }.search(runner, visit)
        })
    }
}

/// The death of a host, or of its programs, after each packet of a run, once all that is in the base plan has
/// taken place, and before the run ends.
fn deaths(base: &FaultPlan, run: &Run, grid: &Grid, death: &Death) -> Vec<FaultPlan> {
    let (Death { kind, host, restarts }, trace) = (death, &run.trace);
    let is_in_time = |packet| trace.sending(packet).is_some_and(|sending| sending.at < run.elapsed);
    let mut sites = sites(trace, is_in_time);
    sites.retain(|site| grid.hits(site));
    after_the_plan(trace, &mut sites);
    let plan = |site: &Site| {
        let ends = [trace.host_name(site.from), trace.host_name(site.to)];
        let event = |kind| PlanEvent::new(kind, When::after(ends, site.label.packet()));
        let restart = restarts.then(|| event(EventKind::Restart(host.clone())));
        base.clone().events([event(kind(host.clone()))]).events(restart)
    };
    sites.iter().map(plan).collect()
}

#[cfg(test)]
mod tests;
