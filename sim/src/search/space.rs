//! proptest strategies for fault plans: explicit lists of faults on packets that a run is known to have.
//!
//! A fault carries the name of its packet, so a list can be shortened without its rest meaning something
//! else.

use std::collections::BTreeMap;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet, bounds};
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
        }
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
    let fault = (0..targets, draws(space));
    let space = space.clone();
    vec(fault, 1..=space.faults_max).prop_map(move |draws| space.plan(&draws)).sboxed()
}

fn draws(space: &PlanSpace) -> impl Strategy<Value = Draw> + use<> {
    // Short delays are as interesting as long ones: every order of magnitude is drawn as often.
    let magnitudes = u64::BITS - space.delay_us_max.leading_zeros();
    let delay_us_max = space.delay_us_max;
    let delay = (1..=magnitudes, any::<u64>()).prop_map(move |(bits, any)| {
        let below = (any >> (u64::BITS - bits)).max(1);
        Draw::Delay(below.min(delay_us_max))
    });
    prop_oneof![
        3 => Just(Draw::Drop),
        2 => Just(Draw::Duplicate),
        2 => delay,
        2 => (1..=space.hold_max).prop_map(Draw::Hold),
        2 => any::<u32>().prop_map(Draw::Corrupt),
    ]
}
