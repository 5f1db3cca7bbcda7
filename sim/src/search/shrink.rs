//! The shrinker: from any plan that shows something to one of which nothing can be left out.
//!
//! It serves generated plans, plans that users wrote, and plans found on real kernels alike: it sees a
//! plan and the answer to one question. First whole chunks of faults are left out (delta debugging: Zeller
//! and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), then each number is moved as
//! far down its steps as a bisection takes it; then every single step that there is gets tried, until none
//! of them still shows it. After each step all are tried again: what was needed before may not be needed
//! any more.
//!
//! A fault that is needed only because the packet it causes is counted is left out with the others
//! renumbered, one that is needed only because of what another does is left out while that one drops its
//! packet, and an event that is needed only because another undoes it is left out with that one. What every
//! plan of a scenario has stays: without it another thing would be tried than the scenario is about.

mod kept;

use std::collections::BTreeSet;
use std::hash::Hash;

use faultwire::fault::FaultPlan;
use siphasher::sip128::{Hasher128, SipHasher13};

use self::kept::Kept;
use super::steps::{
    Place, dropped_instead, item_count, recounted, steps, without_items, without_what_is_undone,
};

/// What bounds a shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkLimits {
    /// How many plans are run at most.
    pub runs_max: u64,
    /// Times move in whole ticks of this many microseconds: 1 allows all times.
    pub tick_us: u64,
}

impl ShrinkLimits {
    /// The default, where times move in ticks of `tick_us` microseconds.
    pub fn in_ticks(tick_us: u64) -> ShrinkLimits {
        ShrinkLimits { tick_us, ..ShrinkLimits::default() }
    }
}

impl Default for ShrinkLimits {
    /// 2000 runs, any time.
    fn default() -> Self {
        ShrinkLimits { runs_max: 2_000, tick_us: 1 }
    }
}

/// What shrinking gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest plan found that shows it.
    pub plan: FaultPlan,
    /// How many plans were run.
    pub runs: u64,
    /// Whether the plan that was handed in showed it. If not, it is handed back as it was.
    pub shown: bool,
    /// Whether each plan that is one step simpler was run and does not show it. Where it is `false` although
    /// the plan that was handed in showed it, the runs were used up.
    pub minimal: bool,
}

/// Makes a plan as small as it can be while it still shows what `shows` asks for.
///
/// A step leaves out a fault, an event or one of several flipped bits; names a packet without its flow or its
/// transmission; takes the default link; holds a packet behind the next one instead of for a time, which
/// means the same on every clock; or moves a number (`nth`, `transmission`, `flow`, `delay_us`, `hold_for`, a
/// bit's index, `at_us`) one step down: …, 50, 20, 10, 5, 2, 1, 0, as far as the number may go. No plan
/// that names one packet twice is asked about.
pub fn shrink(plan: &FaultPlan, shows: &mut dyn FnMut(&FaultPlan) -> bool, limits: &ShrinkLimits) -> Shrunk {
    shrink_from(&FaultPlan::default(), plan, shows, limits)
}

/// Like [`shrink`], for a plan that was made from `base`: the faults and events of `base` stay as they are.
pub fn shrink_from(
    base: &FaultPlan,
    plan: &FaultPlan,
    shows: &mut dyn FnMut(&FaultPlan) -> bool,
    limits: &ShrinkLimits,
) -> Shrunk {
    let kept = Kept::of(base, plan);
    let mut shrinker = Shrinker { shows, kept, refuted: BTreeSet::new(), runs: 0, limits: *limits };
    let mut best = plan.clone();
    // With no run at all nothing is known.
    let shown = shrinker.shows(plan) == Ok(true);
    let minimal = shown && shrinker.reduce(&mut best).is_ok();
    Shrunk { plan: best, runs: shrinker.runs, shown, minimal }
}

/// Whether a plan shows it, and none that is one step simpler does.
pub fn is_minimal(
    plan: &FaultPlan,
    shows: &mut dyn FnMut(&FaultPlan) -> bool,
    limits: &ShrinkLimits,
) -> bool {
    is_minimal_from(&FaultPlan::default(), plan, shows, limits)
}

/// Like [`is_minimal`], for a plan that was made from `base`.
pub fn is_minimal_from(
    base: &FaultPlan,
    plan: &FaultPlan,
    shows: &mut dyn FnMut(&FaultPlan) -> bool,
    limits: &ShrinkLimits,
) -> bool {
    let kept = Kept::of(base, plan);
    let mut simpler = steps(plan, limits.tick_us).filter(|simpler| kept.admits(simpler));
    shows(plan) && !simpler.any(|simpler| shows(&simpler))
}

/// The budget of runs is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spent;

struct Shrinker<'a> {
    shows: &'a mut dyn FnMut(&FaultPlan) -> bool,
    /// What no plan that is asked about lacks.
    kept: Kept,
    /// Plans that were run and do not show it, so that the last round over all steps costs only the new ones.
    refuted: BTreeSet<u128>,
    runs: u64,
    limits: ShrinkLimits,
}

impl Shrinker<'_> {
    fn shows(&mut self, plan: &FaultPlan) -> Result<bool, Spent> {
        if !self.kept.admits(plan) {
            return Ok(false);
        }
        let mut hasher = SipHasher13::new();
        plan.hash(&mut hasher);
        let name = hasher.finish128().as_u128();
        if self.refuted.contains(&name) {
            return Ok(false);
        }
        if self.runs >= self.limits.runs_max {
            return Err(Spent);
        }
        self.runs += 1;
        let shown = (self.shows)(plan);
        if !shown {
            self.refuted.insert(name);
        }
        Ok(shown)
    }

    /// Takes the simpler plan if it shows it.
    fn take(&mut self, best: &mut FaultPlan, simpler: FaultPlan) -> Result<bool, Spent> {
        let shown = self.shows(&simpler)?;
        if shown {
            *best = simpler;
        }
        Ok(shown)
    }

    fn reduce(&mut self, best: &mut FaultPlan) -> Result<(), Spent> {
        loop {
            self.leave_out(best)?;
            self.move_down(best)?;
            let more = without_what_is_undone(best).chain(recounted(best)).chain(dropped_instead(best));
            let mut simpler = steps(best, self.limits.tick_us).chain(more);
            let step = loop {
                match simpler.next() {
                    None => return Ok(()),
                    Some(plan) if self.shows(&plan)? => break plan,
                    Some(_) => {}
                }
            };
            drop(simpler);
            *best = step;
        }
    }

    /// Leaves out chunks of faults and events: halves, quarters, down to single ones.
    fn leave_out(&mut self, best: &mut FaultPlan) -> Result<(), Spent> {
        let mut chunk = item_count(best);
        while chunk > 0 {
            let mut start = 0;
            while start < item_count(best) {
                let end = (start + chunk).min(item_count(best));
                let simpler = without_items(best, start..end);
                // What stood behind the chunk has moved to its place.
                if !self.take(best, simpler)? {
                    start = end;
                }
            }
            // Of a plan that a coarse pass made small, no chunk is larger than half.
            chunk = (chunk / 2).min(item_count(best).div_ceil(2));
        }
        Ok(())
    }

    /// Moves each number down its steps, by bisection: the last one shows it, the next one does not.
    fn move_down(&mut self, best: &mut FaultPlan) -> Result<(), Spent> {
        for place in Place::all(best) {
            let Some(number) = place.get(best) else { continue };
            let lower: Vec<u64> = number.lower(self.limits.tick_us).collect();
            // Steps before `low` show it (or are the number itself); `high` and what is behind it need not.
            let (mut low, mut high) = (0, lower.len());
            // The lowest first: most numbers do not matter.
            let mut middle = lower.len().saturating_sub(1);
            while low < high {
                let simpler = lower.get(middle).and_then(|step| place.set(best, *step));
                let shown = match simpler {
                    Some(simpler) => self.take(best, simpler)?,
                    None => false,
                };
                if shown {
                    low = middle + 1;
                } else {
                    high = middle;
                }
                middle = low + (high.saturating_sub(low)) / 2;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
