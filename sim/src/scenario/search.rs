//! The search for a plan that breaks a scenario.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{Anchor, Direction, EventKind, FaultPlan, PlanEvent, When};

use super::{Capability, Clock, Scenario};
use crate::run::{End, Run};
use crate::search::{Grid, PlanSpace, RandomFaultsSearch, RandomSearch, Sweep, Tried};

/// How often a random plan of which nothing took place is drawn anew.
const DRAWS_MAX: u32 = 32;

/// How often a run in a lab is made again.
pub(crate) const RETRIES_MAX: u32 = 2;

/// A plan under which a scenario fails.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run under the plan as it was found.
    pub found: Run,
    /// The run under the smallest plan.
    pub smallest: Run,
    /// Whether leaving out or lessening anything of the smallest plan was tried and no longer fails.
    pub is_minimal: bool,
    /// How many runs the shrinking took.
    pub shrink_runs: u64,
    /// What was tried before the failure was found.
    pub tried: Tried,
}

/// The programs' own timeout, where nothing is said of it.
const TIMEOUT: Duration = Duration::from_millis(200);
/// The same in a lab. Random plans delay packets by four of it at most: less than programs listen there for
/// what is late.
const TIMEOUT_IN_LAB: Duration = Duration::from_millis(60);

impl Scenario {
    /// The single faults that a sweep tries on each packet.
    pub fn grid(&self) -> Grid {
        let rtt = self.base.link.numbers().delay() * 2;
        let timeout = self.timeout.unwrap_or(if self.testbed.is_live() { TIMEOUT_IN_LAB } else { TIMEOUT });
        let grid = Grid::new(rtt, timeout).cancelling_bits(self.cancelling_bits);
        match self.testbed.clock() {
            Clock::Ticks(_) => grid.whole_ticks(),
            Clock::Real if self.testbed.is_live() => grid.steady(),
            _ => grid,
        }
    }

    /// Runs it once under a plan; in a lab again, twice at most, where something planned did not take place.
    pub fn run_in_full(&self, plan: &FaultPlan) -> Run {
        let mut run = self.run(plan);
        for _ in 0..RETRIES_MAX {
            let is_refused = matches!(run.end, End::Refused { .. });
            if !self.testbed.is_live() || run.fired.all() || is_refused || self.is_cancelled() {
                break;
            }
            let retries = run.retries + 1;
            run = self.run(plan);
            run.retries += retries;
        }
        run
    }

    /// Runs the scenario under every plan of the search, the smallest first (a family's members before any
    /// fault), and hands each run that counts to `visit`, until that breaks.
    pub fn search(&self, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let grid = self.grid();
        let run = &mut |plan: &FaultPlan| self.run_in_full(plan);
        let depth = u8::try_from(self.exhaustive).unwrap_or(u8::MAX);
        let (members, of) = self.members();
        let sweep = Sweep {
            base: &self.base,
            members: &members,
            grid: &grid,
            depth,
            runs_max: self.runs_max,
            seed: self.settings.seed,
        };
        let mut tried = sweep.search(run, visit);
        tried.fault_free_of = 1 + of;
        if !tried.stopped && self.exhaustive > 0 {
            tried += self.search_crashes(visit);
        }
        if !tried.stopped && self.random > 0 {
            tried += self.search_random(0, self.random, visit);
        }
        tried
    }

    /// The plans of the members of its family that run, and how many members there are beside the ordinary
    /// one.
    fn members(&self) -> (Vec<FaultPlan>, u64) {
        let Some(family) = &self.family else { return (Vec::new(), 0) };
        let (members, of) = family.members(self.testbed.has(Capability::Delay), self.settings.seed);
        (members.iter().map(|member| member.plan(&self.base, &self.name)).collect(), of)
    }

    /// Runs the scenario under `count` random plans from the one numbered `first` on, and hands each run that
    /// counts to `visit`, until that breaks. A plan is the same whatever range it is asked for in.
    pub fn search_random(
        &self,
        first: u64,
        count: u64,
        visit: &mut dyn FnMut(&Run) -> ControlFlow<()>,
    ) -> Tried {
        let run = &mut |plan: &FaultPlan| self.run(plan);
        let (seed, scenario, draws_max) = (self.settings.seed, self.name.as_str(), DRAWS_MAX);
        let tick_us = self.testbed.clock().tick_us();
        if let Some(random_faults) = &self.random_faults {
            let base = &self.base;
            let family = self.family.as_deref();
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
            return search.search(run, visit);
        }
        let fault_free = run(&self.base);
        let mut space = PlanSpace::of(&self.base, &fault_free.trace, &self.grid());
        if tick_us > 1 {
            space = space.whole_ticks();
        }
        if space.packets() == 0 {
            return Tried::default();
        }
        RandomSearch { space: &space, seed, scenario, first, count, draws_max }.search(run, visit)
    }

    /// Runs the scenario with one crash of the host that may crash, after each packet of the fault-free run.
    fn search_crashes(&self, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let mut tried = Tried::default();
        let Some(host) = &self.crashes else { return tried };
        let fault_free = self.run(&self.base);
        let trace = &fault_free.trace;
        let mut names = BTreeSet::new();
        for sending in trace.sendings() {
            let Some(label) = sending.label else { continue };
            let direction = Direction::new(trace.host_name(sending.from), trace.host_name(sending.to));
            if !names.insert((direction.clone(), label.packet())) {
                continue;
            }
            let mut plan = self.base.clone();
            let anchor = Anchor { direction, packet: label.packet() };
            plan.events.push(PlanEvent::new(EventKind::Crash(host.clone()), When::After(anchor)));
            tried.singles_of += 1;
            let run = self.run(&plan);
            let counts = tried.count(&run, &self.base, |tried| &mut tried.singles);
            if (counts || matches!(run.end, End::Refused { .. })) && visit(&run).is_break() {
                tried.stopped = true;
                break;
            }
        }
        tried
    }

    /// Searches for a plan under which the scenario fails, and shrinks it; or tells how hard it was tried.
    ///
    /// # Errors
    /// How hard it was tried, where nothing failed.
    pub fn find_failure(&self, found: &mut dyn FnMut(&Run)) -> Result<Box<Failure>, Box<Tried>> {
        let mut failed = None;
        let tried = self.search(&mut |run| {
            if run.end.is_finished() {
                return ControlFlow::Continue(());
            }
            failed = Some(run.clone());
            ControlFlow::Break(())
        });
        let Some(failed) = failed else {
            return Err(Box::new(tried));
        };
        found(&failed);
        let is_refused = |run: &Run| matches!(run.end, End::Refused { .. });
        if is_refused(&failed) {
            let smallest = failed.clone();
            return Ok(Box::new(Failure {
                found: failed,
                smallest,
                is_minimal: false,
                shrink_runs: 0,
                tried,
            }));
        }
        let shrunk = self.shrink(&failed.plan, &mut |run| !run.end.is_finished() && !is_refused(run));
        let smallest = self.run(&shrunk.plan);
        Ok(Box::new(Failure {
            found: failed,
            smallest,
            is_minimal: shrunk.minimal,
            shrink_runs: shrunk.runs,
            tried,
        }))
    }
}

#[cfg(test)]
mod tests {
    use faultwire::network::{Datagram as _, Network as _};

    use super::*;
    use crate::scenario;

    #[test]
    fn a_host_that_may_crash_does_so_after_each_packet() {
        let scenario = scenario("crashing")
            .server(|net| async move {
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                loop {
                    let received = socket.recv_from(&mut [0; 8]).await?;
                    socket.send_to(b"yes", received.from).await?;
                }
                #[expect(unreachable_code, reason = "it says of what type the errors are")]
                Ok::<(), std::io::Error>(())
            })
            .client(|net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                socket.connect("server:7000").await?;
                socket.send(b"there?").await?;
                socket.recv_from(&mut [0; 8]).await?;
                Ok(())
            })
            .crashes("server")
            .exhaustive(1);
        let mut ends = Vec::new();
        let tried = scenario.search(&mut |run| {
            if !run.plan.events.is_empty() {
                assert!(run.plan.faults.is_empty() && run.fired.all());
                ends.push(run.end.is_finished());
            }
            ControlFlow::Continue(())
        });
        assert_eq!(
            ends,
            [false, true],
            "after the question nobody answers, after the answer nobody misses it"
        );
        assert_eq!(tried.singles, tried.singles_of);
        assert_eq!(tried.not_applied, 0);
    }
}
