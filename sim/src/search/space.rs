//! proptest strategies for fault plans: explicit lists of faults on packets that a run is known to have.
//!
//! A fault carries the name of its packet, so a list can be shortened without its rest meaning something
//! else.

use std::collections::BTreeMap;

use faultwire::fault::{
    Action, Anchor, Class, Direction, EventKind, Fault, FaultPlan, Packet, PlanEvent, When, bounds,
};
use faultwire::trace::Trace;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Grid, sites};

/// How often a thing that is sent again may be hit by a plan: less often than anything gives up.
pub(crate) const HITS_PER_ITEM_MAX: usize = 5;

/// The packets that random plans hit, and what may happen to them.
#[derive(Clone, Debug)]
pub struct PlanSpace {
    base: FaultPlan,
    targets: Vec<Target>,
    faults_max: usize,
    delay_us_max: u64,
    tick_us: u64,
    hold_max: u32,
    deaths: Vec<Death>,
}

/// The death of a host or of its programs, for random plans.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    /// The event: [`EventKind::Crash`] or [`EventKind::Kill`] of the host.
    pub(crate) kind: fn(String) -> EventKind,
    pub(crate) host: String,
    /// Whether it starts again then.
    pub(crate) restarts: bool,
}

/// A packet that a plan can name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    direction: Direction,
    packet: Packet,
    /// Pairs of its bits that cancel in the checksum.
    pairs: Vec<[u32; 2]>,
    /// Its length: that of the packet itself, or of the largest of its class for one that is yet to be seen.
    bits: u32,
}

/// What a strategy draws for one death: which one, after which packet and how much later, and for how long if
/// it ends.
type DrawnDeath = (usize, usize, u64, u64);

/// Deaths in a random plan at most.
const DEATHS_MAX: usize = 3;

/// What a strategy draws for one fault, before it knows the packet's length.
#[derive(Clone, Debug)]
enum Draw {
    Drop,
    Duplicate,
    Delay(u64),
    Hold(u32),
    Corrupt(u32),
}

impl PlanSpace {
    /// Plans of one to eight faults on the packets of a fault-free run, and on those that may follow in their
    /// place: of each class in each direction some beyond the last, of each data segment the next
    /// transmissions.
    ///
    /// Delays go up to twice the longest of the grid. The plans have the link and the events of `base`, and
    /// its faults before their own.
    pub fn of(base: &FaultPlan, trace: &Trace, grid: &Grid) -> PlanSpace {
        let longest = grid.delays_us().iter().copied().max().unwrap_or(1_000);
        PlanSpace {
            base: base.clone(),
            targets: targets(base, trace, grid),
            faults_max: 8,
            delay_us_max: longest.saturating_mul(2).clamp(1, *bounds::DELAY_US.end()),
            tick_us: 1,
            hold_max: 5,
            deaths: Vec::new(),
        }
    }

    /// Every other plan also has some of these, at any time after a packet; one that restarts does so up to
    /// four times the longest delay later.
    pub(crate) fn deaths(mut self, deaths: Vec<Death>) -> PlanSpace {
        self.deaths = deaths;
        self
    }

    /// At most `faults` faults in a plan; at least one.
    pub fn faults_max(mut self, faults: usize) -> PlanSpace {
        self.faults_max = faults.max(1);
        self
    }

    /// Delays of whole milliseconds only.
    pub fn whole_ticks(mut self) -> PlanSpace {
        self.tick_us = 1_000;
        self
    }

    /// The plan that the faults are added to.
    pub(crate) fn base(&self) -> &FaultPlan {
        &self.base
    }

    /// How many packets the plans can name.
    pub fn packets(&self) -> usize {
        self.targets.len()
    }

    /// Whether a plan has a fault that the base plan does not have.
    pub(crate) fn adds_to_base(&self, plan: &FaultPlan) -> bool {
        plan.faults.iter().any(|fault| !self.base.faults.contains(fault))
            || plan.events.iter().any(|event| !self.base.events.contains(event))
    }

    /// The events of the deaths that were drawn.
    fn events(&self, drawn: &[DrawnDeath]) -> Vec<PlanEvent> {
        let ticks = |us: u64| us.div_ceil(self.tick_us).saturating_mul(self.tick_us);
        let mut events = Vec::new();
        for (death, target, wait_us, pause_us) in drawn {
            let (Some(death), Some(target)) = (self.deaths.get(*death), self.targets.get(*target)) else {
                continue;
            };
            let anchor = Anchor::new(target.direction.clone(), target.packet);
            let at = |us| When::After(anchor.clone().later(ticks(us)));
            events.push(PlanEvent::new((death.kind)(death.host.clone()), at(*wait_us)));
            if death.restarts {
                let again = EventKind::Restart(death.host.clone());
                events.push(PlanEvent::new(again, at(wait_us.saturating_add(*pause_us))));
            }
        }
        events
    }

    fn plan(&self, draws: &[(usize, Draw)]) -> FaultPlan {
        // Of two faults for one packet the first drawn stays.
        let mut chosen = BTreeMap::new();
        for (target, draw) in draws {
            chosen.entry(*target).or_insert(draw);
        }
        let mut plan = self.base.clone();
        plan.faults.extend(chosen.into_iter().filter_map(|(target, draw)| {
            let target = self.targets.get(target)?;
            Some(Fault::new(
                target.direction.clone(),
                target.packet,
                match draw {
                    Draw::Drop => Action::Drop,
                    Draw::Duplicate => Action::Duplicate,
                    Draw::Delay(us) => {
                        Action::DelayUs(us.div_ceil(self.tick_us).saturating_mul(self.tick_us))
                    }
                    Draw::Hold(packets) => Action::HoldFor(*packets),
                    Draw::Corrupt(bit) => Action::CorruptBits(corrupted(target, *bit)),
                },
            ))
        }));
        plan
    }
}

/// Which bits of a packet are flipped: one, or, of a packet that has pairs that cancel, every other time such
/// a pair.
fn corrupted(target: &Target, any: u32) -> Vec<u32> {
    let pair = match (any % 2, target.pairs.len()) {
        (0, pairs @ 1..) => target.pairs.get(any as usize / 2 % pairs),
        _ => None,
    };
    pair.map_or_else(|| vec![any % target.bits.max(1)], |pair| pair.to_vec())
}

/// The packets of a run, and those that may come in their place when faults hit them.
fn targets(base: &FaultPlan, trace: &Trace, grid: &Grid) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut classes: BTreeMap<(Direction, Class), (u32, u32)> = BTreeMap::new();
    for site in sites(trace, |_| true).into_iter().filter(|site| grid.hits(site)) {
        let direction = Direction::new(trace.host_name(site.from), trace.host_name(site.to));
        let bits: u32 = site.bits.iter().map(|(_, bits)| bits).sum();
        let (last, largest) = classes.entry((direction.clone(), site.label.class)).or_default();
        *last = site.label.nth.max(*last);
        *largest = bits.max(*largest);
        let pairs = grid.pairs(&site).collect();
        targets.push(Target { direction, packet: site.label.packet(), pairs, bits });
    }
    for ((direction, class), (last, bits)) in &classes {
        let beyond = HITS_PER_ITEM_MAX as u32;
        let mut more = |packet| {
            let target = Target { direction: direction.clone(), packet, pairs: Vec::new(), bits: *bits };
            if !targets.iter().any(|known| known.direction == target.direction && known.packet == packet) {
                targets.push(target);
            }
        };
        for nth in *last + 1..=*last + beyond {
            more(Packet::nth(*class, nth));
        }
        if *class == Class::Data {
            for nth in 1..=*last {
                for transmission in 2..=3 {
                    more(Packet { transmission: Some(transmission), ..Packet::nth(*class, nth) });
                }
            }
        }
    }
    // A packet that the base plan hits is left to it.
    targets.retain(|target| {
        !base.faults.iter().any(|fault| fault.direction == target.direction && fault.packet == target.packet)
    });
    targets
}

/// Plans of a space: lists of faults, no packet named twice.
///
/// A fault may name a packet that its run then does not have; [`fit`](super::fit) leaves such faults
/// out.
pub(crate) fn plans(space: &PlanSpace) -> SBoxedStrategy<FaultPlan> {
    let targets = space.targets.len();
    if targets == 0 {
        return Just(space.base.clone()).sboxed();
    }
    let fault = || (0..targets, draws(space));
    let this = space.clone();
    if space.deaths.is_empty() {
        return vec(fault(), 1..=space.faults_max).prop_map(move |draws| this.plan(&draws)).sboxed();
    }
    let longest = space.delay_us_max.saturating_mul(4);
    let death = (0..space.deaths.len(), 0..targets, magnitude(space.delay_us_max), magnitude(longest));
    let living = vec(fault(), 1..=space.faults_max).prop_map(|faults| (faults, Vec::new()));
    let dying = (vec(fault(), 0..=space.faults_max), vec(death, 1..=DEATHS_MAX));
    let plan = move |(faults, deaths): (Vec<_>, Vec<_>)| this.plan(&faults).events(this.events(&deaths));
    prop_oneof![living, dying].prop_map(plan).sboxed()
}

/// A span in microseconds, up to a longest: every order of magnitude is drawn as often, since short ones are
/// as interesting as long ones.
fn magnitude(longest_us: u64) -> impl Strategy<Value = u64> + use<> {
    let magnitudes = u64::BITS - longest_us.max(1).leading_zeros();
    (1..=magnitudes, any::<u64>())
        .prop_map(move |(bits, any)| (any >> (u64::BITS - bits)).max(1).min(longest_us.max(1)))
}

fn draws(space: &PlanSpace) -> impl Strategy<Value = Draw> + use<> {
    let delay = magnitude(space.delay_us_max).prop_map(Draw::Delay);
    prop_oneof![
        3 => Just(Draw::Drop),
        2 => Just(Draw::Duplicate),
        2 => delay,
        2 => (1..=space.hold_max).prop_map(Draw::Hold),
        2 => any::<u32>().prop_map(Draw::Corrupt),
    ]
}
