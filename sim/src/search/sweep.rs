//! The adaptive sweep: all combinations of the grid's faults up to a depth, each on packets that really
//! exist.
//!
//! After the fault-free run comes every single fault, and then every single outage that ends; then, for each
//! run of a plan of faults, every further fault on the packets that *its own* trace shows after the last one
//! that a fault hit. So what is sent only because
//! of the first fault is hit too. Nothing planned this way can fail to take place, as a run does not differ
//! from its parent's before the new fault's packet is sent; and each combination comes up exactly once, in
//! the order in which its packets are sent, as no fault changes what was sent before it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use faultwire::fault::{Action, Direction, Fault, FaultPlan, Label, Packet, PlanEvent};
use faultwire::trace::{HostId, PacketId, Trace, What};

use super::grid::{Site, after_the_plan, sites};
use super::{Grid, Runner, Tried};
use crate::run::Run;
use crate::seed::derive;

/// How many packets of parents are kept between levels; a second run of the parent tells the rest.
const KEPT_SITES_MAX: usize = 50_000;

/// A sweep over the plans that add faults of a grid to a base plan.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    /// The plan that the faults are added to: its link, its events, and faults that every run has.
    pub base: &'a FaultPlan,
    /// How often the base plan runs. Faults hit only packets that each of these runs has.
    pub base_runs: usize,
    /// Further plans without faults, which run right after the base plan: the members of a
    /// [`Family`](super::Family).
    pub members: &'a [FaultPlan],
    /// The single faults, and the outages.
    pub grid: &'a Grid,
    /// How many of the faults are combined: 0 is the fault-free run alone. More than 3 is 3. Outages are
    /// combined with nothing.
    pub depth: u8,
    /// How many runs count at most, the members aside. Where there are more plans than that, an even sample
    /// of the first level that does not fit is run: drawn by the seed, the same in every process.
    pub runs_max: Option<u64>,
    /// Decides the sample.
    pub seed: u64,
}

/// A run whose plan is extended at the next level.
struct Parent {
    /// Its index among the parents of the level before; meaningless at the first level.
    parent: usize,
    /// What it added to that one; none at the first level.
    fault: Option<Fault>,
    /// How many plans extend it.
    children: u64,
    /// The packets that those hit, if kept.
    sites: Option<Vec<Site>>,
}

impl Sweep<'_> {
    /// Sweeps. Each run that counts goes to `visit`, the smallest plans first, until that breaks. A run whose
    /// plan did not take place in full is counted as not applied, and not visited; one that the testbed
    /// refused is visited.
    pub fn search(&self, runner: &Runner<'_>, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        self.search_keeping(KEPT_SITES_MAX, runner, visit)
    }

    pub(super) fn search_keeping(
        &self,
        kept_max: usize,
        runner: &Runner<'_>,
        visit: &mut dyn FnMut(&Run) -> ControlFlow<()>,
    ) -> Tried {
        let mut search = Search {
            sweep: self,
            kept_max,
            runner,
            visit,
            tried: Tried::default(),
            hosts: Vec::new(),
            steady: None,
            kept: 0,
            levels: Vec::new(),
            outages: Vec::new(),
        };
        if search.all().is_break() {
            search.tried.stopped = true;
        }
        search.tried
    }
}

struct Search<'a> {
    sweep: &'a Sweep<'a>,
    runner: &'a Runner<'a>,
    visit: &'a mut dyn FnMut(&Run) -> ControlFlow<()>,
    tried: Tried,
    hosts: Vec<String>,
    /// The packets that each run of the base plan has, where it has several.
    steady: Option<BTreeSet<Name>>,
    kept: usize,
    kept_max: usize,
    levels: Vec<Vec<Parent>>,
    /// The outages from the packets of the fault-free run on.
    outages: Vec<PlanEvent>,
}

impl Search<'_> {
    fn all(&mut self) -> ControlFlow<()> {
        let depth = usize::from(self.sweep.depth.min(3));
        let mut first = None;
        let plans = vec![self.sweep.base.clone(); self.sweep.base_runs.max(1)];
        self.each(&plans, 0, &mut |search, run, live| {
            if !live {
                return;
            }
            if search.sweep.base_runs > 1 {
                let names = names(&run.trace);
                match &mut search.steady {
                    Some(steady) => steady.retain(|name| names.contains(name)),
                    None => search.steady = Some(names),
                }
            }
            first.get_or_insert(run);
        })?;
        self.each(self.sweep.members, 0, &mut |_, _, _| {})?;
        let Some(run) = first.filter(|_| depth > 0) else { return ControlFlow::Continue(()) };
        self.hosts = run.trace.hosts().to_vec();
        self.outages = self.outages(&run);
        let root = self.parent(0, None, &run, 0);
        self.levels.push(vec![root]);
        for level in 1..=depth {
            self.level(level, level < depth)?;
        }
        ControlFlow::Continue(())
    }

    /// Runs the plans of a level, or a sample of them, and collects the parents of the next level.
    fn level(&mut self, level: usize, goes_on: bool) -> ControlFlow<()> {
        let of: u64 = self.levels[level - 1].iter().map(|parent| parent.children).sum();
        match level {
            1 => self.tried.singles_of = of + self.outages.len() as u64,
            2 => self.tried.pairs_of = of,
            _ => self.tried.triples_of = of,
        }
        // The members of a family are outside of this budget.
        let ran = self.tried.exhaustive() - self.tried.fault_free.saturating_sub(1);
        let left = self.sweep.runs_max.map_or(u64::MAX, |max| max.saturating_sub(ran));
        let outages = if level == 1 { self.some_outages(of, left) } else { Vec::new() };
        let left = left - (outages.len() as u64).min(left);
        let mut chosen = Sample::new(self.sweep.seed, level as u64, of, left).peekable();
        let mut parents = Vec::new();
        let mut before = 0;
        for index in 0..self.levels[level - 1].len() {
            let end = before + self.levels[level - 1][index].children;
            if chosen.peek().is_some_and(|next| *next < end) || !outages.is_empty() {
                let plan = self.plan(level - 1, index);
                let sites = self.sites(level - 1, index, &plan);
                let (mut site, mut site_start) = (0, before);
                let mut plans = Vec::new();
                while let Some(next) = chosen.next_if(|next| *next < end) {
                    while let Some(count) = sites.get(site).map(|site| self.sweep.grid.count(site))
                        && site_start + count <= next
                    {
                        site_start += count;
                        site += 1;
                    }
                    let Some(fault) = sites
                        .get(site)
                        .and_then(|site| self.sweep.grid.fault(&self.hosts, site, next - site_start))
                    else {
                        // The parent was run again and had fewer packets: said by `nondeterministic`.
                        continue;
                    };
                    plans.push(plan.clone().faults([fault]));
                }
                // There are some at the first level alone, which has one parent.
                plans.extend(outages.iter().map(|outage| plan.clone().events([outage.clone()])));
                if self.sweep.base_runs > 1 {
                    // Runs take real time: the simplest faults first.
                    let before = plan.faults.len();
                    plans.sort_by_key(|plan| rank(plan.faults.get(before).map(|fault| &fault.action)));
                }
                let faults = plan.faults.len();
                self.each(&plans, level, &mut |search, run, live| {
                    // What fails already hides how a further fault would make it fail.
                    let has_fault = run.plan.faults.len() > faults;
                    if goes_on && live && has_fault && run.end.is_finished() {
                        let fault = run.plan.faults.last().cloned();
                        parents.push(search.parent(index, fault, &run, level));
                    }
                })?;
            }
            before = end;
        }
        self.levels.push(parents);
        ControlFlow::Continue(())
    }

    /// The outages that begin with packets of a run of the base plan, once all that is in that plan has taken
    /// place: what they keep from happening is no part of it.
    fn outages(&self, run: &Run) -> Vec<PlanEvent> {
        let trace = &run.trace;
        let mut sites = self.extensions(0, run);
        after_the_plan(trace, &mut sites);
        sites.iter().flat_map(|site| self.sweep.grid.outages_from(trace, site)).collect()
    }

    /// As many outages of all as belong into a sample of `left` of the level's plans, beside `faults` others.
    fn some_outages(&self, faults: u64, left: u64) -> Vec<PlanEvent> {
        let all = self.outages.len() as u64;
        let share = u128::from(left) * u128::from(all) / u128::from((faults + all).max(1));
        let take = u64::try_from(share).unwrap_or(all).min(self.sweep.grid.outages_max());
        let chosen = Sample::new(self.sweep.seed, Sample::OUTAGES, all, take);
        chosen.filter_map(|index| self.outages.get(usize::try_from(index).ok()?).cloned()).collect()
    }

    /// Runs plans, counts each run, shows it to the visitor, and then to `next` with whether it took place in
    /// full.
    fn each(
        &mut self,
        plans: &[FaultPlan],
        level: usize,
        next: &mut dyn FnMut(&mut Self, Run, bool),
    ) -> ControlFlow<()> {
        let runner = self.runner;
        runner.all(plans, &mut |run| {
            let live = self.tried.count(&run, self.sweep.base, |tried| match level {
                0 => &mut tried.fault_free,
                1 => &mut tried.singles,
                2 => &mut tried.pairs,
                _ => &mut tried.triples,
            });
            if live || run.is_refused() {
                (self.visit)(&run)?;
            }
            next(self, run, live);
            ControlFlow::Continue(())
        })
    }

    fn parent(&mut self, parent: usize, fault: Option<Fault>, run: &Run, level: usize) -> Parent {
        let sites = self.extensions(level, run);
        let children = sites.iter().map(|site| self.sweep.grid.count(site)).sum();
        let keep = self.kept + sites.len() <= self.kept_max;
        if keep {
            self.kept += sites.len();
        }
        Parent { parent, fault, children, sites: keep.then_some(sites) }
    }

    /// The plan of a parent.
    fn plan(&self, mut level: usize, mut index: usize) -> FaultPlan {
        let mut faults = Vec::new();
        while level > 0 {
            let parent = &self.levels[level][index];
            faults.extend(parent.fault.clone());
            (level, index) = (level - 1, parent.parent);
        }
        let mut plan = self.sweep.base.clone();
        plan.faults.extend(faults.into_iter().rev());
        plan
    }

    /// The packets that the children of a parent hit.
    fn sites(&mut self, level: usize, index: usize, plan: &FaultPlan) -> Vec<Site> {
        if let Some(sites) = self.levels[level][index].sites.take() {
            self.kept -= sites.len();
            return sites;
        }
        let run = (self.runner.run)(plan);
        let sites = self.extensions(level, &run);
        let children: u64 = sites.iter().map(|site| self.sweep.grid.count(site)).sum();
        self.tried.repeated += 1;
        self.tried.nondeterministic += u64::from(children != self.levels[level][index].children);
        sites
    }

    /// The packets that can be hit next in a run with `level` faults on top of the base plan: those that were
    /// sent after the last fault's packet, and that no fault of the base plan names.
    fn extensions(&self, level: usize, run: &Run) -> Vec<Site> {
        let trace = &run.trace;
        let Sweep { base, grid, .. } = self.sweep;
        let last = (base.faults.len() + level).checked_sub(1).filter(|_| level > 0);
        let hit = last.and_then(|last| {
            trace.events().iter().find_map(|event| match event.what {
                What::Fault { packet, fault, .. } if fault == last => Some(packet),
                _ => None,
            })
        });
        // What is sent after the run's end does nothing to it.
        let is_in_time = |packet| trace.sending(packet).is_none_or(|it| it.at <= run.elapsed);
        let mut sites =
            sites(trace, |packet: PacketId| hit.is_none_or(|hit| packet > hit) && is_in_time(packet));
        sites.retain(|site| grid.hits(site));
        if let Some(steady) = self.steady.as_ref().filter(|_| level == 0) {
            sites.retain(|site| steady.contains(&name(trace, site.from, site.to, site.label)));
        }
        if !base.faults.is_empty() {
            sites.retain(|site| {
                !base.faults.iter().any(|fault| {
                    site.label.is(&fault.packet)
                        && fault.direction.from == trace.host_name(site.from)
                        && fault.direction.to == trace.host_name(site.to)
                })
            });
        }
        sites
    }
}

/// How simple a plan is, by its last action; one without is of an outage.
fn rank(action: Option<&Action>) -> u8 {
    match action {
        Some(Action::Drop) => 0,
        None => 1,
        Some(Action::Duplicate) => 2,
        Some(Action::HoldFor(_)) => 3,
        Some(Action::DelayUs(_)) => 4,
        Some(Action::CorruptBits(_)) => 5,
        Some(Action::Change(_)) => 6,
        Some(Action::Reject(_)) => 7,
    }
}

/// What a plan calls a packet.
type Name = (Direction, Packet);

fn name(trace: &Trace, from: HostId, to: HostId, label: Label) -> Name {
    (Direction::new(trace.host_name(from), trace.host_name(to)), label.packet())
}

/// The names of a run's packets.
pub(crate) fn names(trace: &Trace) -> BTreeSet<Name> {
    trace.sendings().filter_map(|it| Some(name(trace, it.from, it.to, it.label?))).collect()
}

/// Some of the numbers below `of`, ascending: all of them, or one from each of `take` stretches of equal
/// length.
pub(crate) struct Sample {
    seed: u64,
    level: u64,
    of: u64,
    take: u64,
    next: u64,
}

impl Sample {
    /// Stands for the outages, as its number does for a level.
    const OUTAGES: u64 = 0;
    /// Stands for the deaths of hosts.
    pub(crate) const DEATHS: u64 = u64::MAX;

    pub(crate) fn new(seed: u64, level: u64, of: u64, take: u64) -> Sample {
        Sample { seed, level, of, take: take.min(of), next: 0 }
    }
}

impl Iterator for Sample {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.next >= self.take {
            return None;
        }
        let at = |stretch: u64| {
            let start = u128::from(stretch) * u128::from(self.of) / u128::from(self.take);
            u64::try_from(start).unwrap_or(u64::MAX)
        };
        let (start, end) = (at(self.next), at(self.next + 1));
        let key = ("sweep sample", self.level, self.next);
        let number = start + derive(self.seed, &key) % (end - start).max(1);
        self.next += 1;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_all_is_all_in_order() {
        let all: Vec<u64> = Sample::new(7, 1, 100, 100).collect();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(Sample::new(7, 1, 100, u64::MAX).count(), 100);
        assert_eq!(Sample::new(7, 1, 0, 5).count(), 0);
        assert_eq!(Sample::new(7, 1, 5, 0).count(), 0);
    }

    #[test]
    fn a_sample_is_even_and_decided_by_its_seed() {
        let sample: Vec<u64> = Sample::new(7, 1, 1_000_000, 100).collect();
        for (stretch, number) in (0u64..).zip(&sample) {
            assert_eq!(number / 10_000, stretch);
        }
        assert_eq!(sample, Sample::new(7, 1, 1_000_000, 100).collect::<Vec<_>>());
        assert_ne!(sample, Sample::new(8, 1, 1_000_000, 100).collect::<Vec<_>>());
    }
}
