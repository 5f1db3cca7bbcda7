//! A scenario becomes a run: under a plan, on its testbed, with a state of the run's own.

use std::time::Duration;

use faultwire::fault::{Direction, FaultPlan, Fired};
use faultwire::time::Time;
use faultwire::trace::Trace;

use super::{Capability, HOSTS_MAX, HostSpec, Invariant, Moment, Scenario, memory};
use crate::logs::{self, Logs};
use crate::net::Place;
use crate::net::address::LOCALHOST;
use crate::new_host::Role;
use crate::program::caught;
use crate::run::{End, Run};
use crate::run_state::RunState;
use crate::world::World;

/// How often a run on a real machine is retried.
const RETRIES_MAX: u32 = 2;

/// Bytes of a scenario's name at most.
const NAME_MAX: usize = 200;

impl Scenario {
    /// The parts of its hosts. The server is the host of that name; if there is none, each host that no run
    /// waits for.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let has_server = self.hosts.iter().any(|host| &*host.name == "server");
        let is_server = |host: &HostSpec| if has_server { &*host.name == "server" } else { !host.is_client };
        let role = |host: &HostSpec| Role {
            name: host.name.clone(),
            is_server: is_server(host),
            is_client: host.is_client,
        };
        self.hosts.iter().map(role).collect()
    }

    /// Who the program of the host with this index is, after it was ended so often before its time.
    pub(crate) fn place(&self, index: usize, incarnation: u32, kept: RunState) -> Place {
        let HostSpec { name, skew, .. } = &self.hosts[index];
        let (host, skew) = (name.clone(), *skew);
        Place { host, index, incarnation, skew, seed: self.settings.seed, kept }
    }

    /// Why it cannot be run anywhere, if it cannot.
    fn refusal(&self) -> Option<String> {
        if self.name.is_empty() || self.name.len() > NAME_MAX || self.name.contains(char::is_control) {
            return Some(format!("a scenario's name has 1 to {NAME_MAX} bytes and no control characters"));
        }
        if !self.hosts.iter().any(|host| host.is_client) {
            return Some("it has no client: a run ends when its clients have ended".to_owned());
        }
        if self.hosts.len() > HOSTS_MAX {
            return Some(format!("it has {} hosts, more than {HOSTS_MAX}", self.hosts.len()));
        }
        if let Some(why) = self.family.as_ref().and_then(|family| family.refusal()) {
            return Some(why);
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if !Direction::is_host_name(&host.name) {
                return Some(format!("`{}` is no host name: 1 to 63 of a-z, 0-9 and -", host.name));
            }
            if &*host.name == LOCALHOST {
                return Some("`localhost` is no name for a host: it stands for each host itself".to_owned());
            }
            if self.hosts[..index].iter().any(|other| other.name == host.name) {
                return Some(format!("it has two hosts named `{}`", host.name));
            }
        }
        None
    }

    /// The words of a plan's `scenario` behind this one's name, if it names a variant of it.
    pub(crate) fn variant_of<'a>(&self, plan: &'a FaultPlan) -> Option<&'a str> {
        plan.scenario.as_ref()?.strip_prefix(&self.name)?.strip_prefix('/')
    }

    /// Runs it once under a plan, on its testbed.
    pub fn run(&self, plan: &FaultPlan) -> Run {
        self.on_a_thread(|| self.run_here(plan)).unwrap_or_else(|why| self.troubled(plan, why))
    }

    /// Runs it once under a plan, and collects the last `lines_max` lines that its programs log.
    pub(crate) fn run_logged(&self, plan: &FaultPlan, lines_max: usize) -> (Run, Logs) {
        let run = || logs::collected(lines_max, || self.run_here(plan));
        self.on_a_thread(run).unwrap_or_else(|why| (self.troubled(plan, why), Logs::default()))
    }

    fn run_here(&self, plan: &FaultPlan) -> Run {
        if let Some(why) = self.refusal() {
            return self.refused(plan, why);
        }
        match (self.variant_of(plan), &self.variants) {
            (Some(words), Some(variants)) => match variants(words) {
                Some(Scenario { hosts, make_state, .. }) => {
                    let make_state = make_state.or_else(|| self.make_state.clone());
                    Scenario { hosts, make_state, ..self.clone() }.run_there(plan)
                }
                None => self.refused(plan, format!("{} has no variant `{words}`", self.name)),
            },
            _ => self.run_there(plan),
        }
    }

    /// What a run keeps that begins.
    pub(crate) fn new_state(&self) -> RunState {
        RunState::new(self.make_state.as_ref())
    }

    /// Gives a world what its run keeps, and what must always be true in it.
    pub(crate) fn begin(&self, world: &mut World) {
        world.kept = self.new_state();
        if !self.always.is_empty() {
            let (always, kept) = (self.always.clone(), world.kept.clone());
            world.watch =
                Some(Box::new(move |now, trace| broken(&always, &Moment { now, trace, kept: &kept })));
        }
    }

    /// Runs it under a plan. Where runs do not repeat, as in a lab, a run in which a planned fault was
    /// not applied is retried, at most twice.
    pub fn run_in_full(&self, plan: &FaultPlan) -> Run {
        let mut run = self.run(plan);
        let repeats = !self.testbed.is_live() && !self.is_nondeterministic;
        for _ in 0..RETRIES_MAX {
            if repeats || run.fired.all() || run.is_refused() || self.is_cancelled() {
                break;
            }
            let retries = run.retries + 1;
            run = self.run(plan);
            run.retries += retries;
        }
        run
    }

    fn run_there(&self, plan: &FaultPlan) -> Run {
        memory::keep_for_the_next_run();
        let is_faulty = !plan.faults.is_empty() || !plan.events.is_empty();
        if is_faulty && !self.testbed.has(Capability::Faults) {
            return self.refused(plan, format!("the testbed {} carries no faults", self.testbed));
        }
        if (!plan.links.is_empty() || plan.delays_vary()) && !self.testbed.has(Capability::Faults) {
            let why = format!("the testbed {} has one link for all packets, of one delay", self.testbed);
            return self.refused(plan, why);
        }
        let mut retries = 0;
        loop {
            let mut run = self.run_and_look(plan);
            let Some(why) = run.disturbed.take() else { return Run { retries, ..run } };
            if self.is_cancelled() {
                return self.refused(plan, "it was cancelled".to_owned());
            }
            tracing::debug!(scenario = self.name, why, "the run was disturbed");
            if retries == RETRIES_MAX {
                let run = self.troubled(plan, format!("{why}, and in two more runs as well"));
                return Run { retries, ..run };
            }
            retries += 1;
        }
    }

    /// Runs it once, and looks at the invariants then.
    fn run_and_look(&self, plan: &FaultPlan) -> Run {
        let mut run = self.run_on_testbed(plan);
        if run.end.is_finished() {
            let moment = Moment { now: run.elapsed, trace: &run.trace, kept: &run.kept };
            let message = broken(&self.always, &moment).or_else(|| broken(&self.invariants, &moment));
            run.end = message.map_or(End::Finished, |message| End::Failed { host: None, message });
        }
        run
    }

    /// A run that its testbed does not carry, and why.
    pub fn refused(&self, plan: &FaultPlan, why: String) -> Run {
        self.not_run(plan, End::Refused { why, is_trouble: false })
    }

    /// A run that its testbed carries, and could not do.
    pub(crate) fn troubled(&self, plan: &FaultPlan, why: String) -> Run {
        self.not_run(plan, End::Refused { why, is_trouble: true })
    }

    fn not_run(&self, plan: &FaultPlan, end: End) -> Run {
        let (faults, events) = (vec![false; plan.faults.len()], vec![false; plan.events.len()]);
        Run::new(plan.clone(), Trace::new(self.host_names()), end, Fired { faults, events }, Time::ZERO)
    }

    /// Whether its token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Waits until its token is cancelled, and says how the run ends then.
    pub(crate) async fn cancelled(&self) -> End {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        while !self.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        End::Refused { why: "it was cancelled".to_owned(), is_trouble: false }
    }
}

/// What of these does not hold.
fn broken(invariants: &[(String, Invariant)], moment: &Moment<'_>) -> Option<String> {
    let broken = |(name, holds): &(String, Invariant)| {
        let result = caught(|| holds(moment)).unwrap_or_else(Err);
        result.err().map(|message| format!("{name}: {message}"))
    };
    invariants.iter().find_map(broken)
}
