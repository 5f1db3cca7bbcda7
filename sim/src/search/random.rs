//! Random plans: explicit lists of faults, each of which took place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use bytes::Bytes;
use faultwire::fault::{Action, Class, Fault, FaultPlan};
use faultwire::packet::{PacketView, Transport, parts};
use faultwire::trace::{HostId, PacketId, Trace, What};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Family, HITS_PER_ITEM_MAX, PlanSpace, RandomFaults, Runner, Tried, plans};
use crate::run::Run;
use crate::seed::derive;

/// A search through random plans, numbered from 0. Plan i is the same whatever was run before it.
#[derive(Clone, Debug)]
pub struct RandomSearch<'a> {
    /// What the plans are made of.
    pub space: &'a PlanSpace,
    /// Decides the plans, together with the scenario's name and a plan's number.
    pub seed: u64,
    /// The scenario's name.
    pub scenario: &'a str,
    /// The number of the first plan.
    pub first: u64,
    /// How many plans.
    pub count: u64,
    /// How often a plan is drawn at most, until some of it takes place.
    pub draws_max: u32,
}

impl RandomSearch<'_> {
    /// The plan of that number, as it is drawn the nth time (from 0), before it is fitted.
    pub fn plan(&self, number: u64, draw: u32) -> FaultPlan {
        self.drawn(&plans(self.space), number, draw)
    }

    fn drawn(&self, plans: &impl Strategy<Value = FaultPlan>, number: u64, draw: u32) -> FaultPlan {
        let mut bytes = [0; 32];
        for (index, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
            let key = ("random plan", self.scenario, number, draw, index);
            chunk.copy_from_slice(&derive(self.seed, &key).to_le_bytes());
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        match plans.new_tree(&mut runner) {
            Ok(tree) => tree.current(),
            // The strategy rejects nothing, so there is always a tree; a plan without faults counts as
            // without a hit.
            Err(_) => FaultPlan::default(),
        }
    }

    /// Runs the plans, each fitted. A run that counts goes to `visit` with its fitted plan, until that
    /// breaks. One that the testbed refused is visited, and counts as refused.
    pub fn search(&self, runner: &Runner<'_>, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let plans = plans(self.space);
        let numbers = self.first..self.first.saturating_add(self.count);
        let drawn = |number, draw| self.drawn(&plans, number, draw);
        let adds = |plan: &FaultPlan| self.space.adds_to_base(plan);
        search(numbers, self.draws_max, self.space.base(), &drawn, &adds, runner, visit)
    }
}

/// A search through plans of random faults, numbered from 0. Plan i is the same whatever was run before it.
#[derive(Clone, Debug)]
pub struct RandomFaultsSearch<'a> {
    /// What the plans are drawn from.
    pub random_faults: &'a RandomFaults,
    /// The plan that theirs is added to.
    pub base: &'a FaultPlan,
    /// The scenario's family, if it has one: each plan is of one of its members.
    pub family: Option<&'a Family>,
    /// Decides the plans, together with the scenario's name and a plan's number.
    pub seed: u64,
    /// The scenario's name.
    pub scenario: &'a str,
    /// The number of the first plan.
    pub first: u64,
    /// How many plans.
    pub count: u64,
    /// How often a plan is drawn at most, until some of it takes place.
    pub draws_max: u32,
    /// Delays are whole numbers of this many microseconds.
    pub tick_us: u64,
}

impl RandomFaultsSearch<'_> {
    /// Runs the plans, each fitted: as [`RandomSearch::search`].
    pub fn search(&self, runner: &Runner<'_>, visit: &mut dyn FnMut(&Run) -> ControlFlow<()>) -> Tried {
        let numbers = self.first..self.first.saturating_add(self.count);
        let drawn = |number, draw| self.random_faults.plan(self, number, draw);
        let adds = |plan: &FaultPlan| plan.faults.len() > self.base.faults.len();
        search(numbers, self.draws_max, self.base, &drawn, &adds, runner, visit)
    }
}

/// Runs a plan for each number. A plan counts if a fault of the search took place, and nothing was hit too
/// often.
fn search(
    numbers: Range<u64>,
    draws_max: u32,
    base: &FaultPlan,
    drawn: &(dyn Fn(u64, u32) -> FaultPlan + Sync),
    adds: &(dyn Fn(&FaultPlan) -> bool + Sync),
    runner: &Runner<'_>,
    visit: &mut dyn FnMut(&Run) -> ControlFlow<()>,
) -> Tried {
    let mut tried = Tried::default();
    let is_fit = |run: &Run| {
        adds(&run.plan)
            && hits_per_item(&run.trace) <= HITS_PER_ITEM_MAX
            && damaged_fragments_per_datagram(run) <= 1
    };
    let count = usize::try_from(numbers.end - numbers.start).unwrap_or(usize::MAX);
    let fitted = |index: usize| {
        let number = numbers.start + index as u64;
        let draws = (0..draws_max.max(1)).map(|draw| fit((runner.run)(&drawn(number, draw))));
        draws.into_iter().find(|run| run.is_refused() || is_fit(run))
    };
    let ended = runner.each(count, &fitted, &mut |run| {
        let Some(run) = run else {
            tried.without_hit += 1;
            return ControlFlow::Continue(());
        };
        tried.count(&run, base, |tried| &mut tried.random);
        visit(&run)
    });
    tried.stopped = ended.is_break();
    tried
}

/// The run, with all that did not take place left out of its plan.
///
/// What did not take place changed nothing, so this is the run that the smaller plan would have made; only
/// the numbers by which its trace refers to the plan's faults are others.
pub fn fit(run: Run) -> Run {
    if run.fired.all() || run.is_refused() {
        return run;
    }
    let Run { mut plan, mut trace, mut fired, .. } = run;
    let mut place = 0;
    let places: Vec<usize> = fired
        .faults
        .iter()
        .map(|fired| {
            let here = place;
            place += usize::from(*fired);
            here
        })
        .collect();
    trace.renumber_faults(|fault| places.get(fault).copied().unwrap_or(fault));
    keep_fired(&mut plan.faults, &fired.faults);
    keep_fired(&mut plan.events, &fired.events);
    fired.faults.retain(|fired| *fired);
    fired.events.retain(|fired| *fired);
    Run { plan, trace, fired, ..run }
}

fn keep_fired<T>(items: &mut Vec<T>, fired: &[bool]) {
    let mut fired = fired.iter();
    items.retain(|_| fired.next().copied().unwrap_or(false));
}

/// What a packet carries, as far as a sender that repeats it repeats this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item<'a> {
    /// New data of a stream.
    Data(HostId, HostId, u32),
    /// A step of a connection.
    Step(HostId, HostId, u32, Class),
    /// An acknowledgement, by how far it goes: a later one that goes further makes up for it.
    Acknowledgement(HostId, HostId, u32, Option<u32>),
    /// A message, by its content: an answer that echoes it is the same exchange.
    Message(&'a [u8]),
}

/// How often the thing that was hit most often was hit.
fn hits_per_item(trace: &Trace) -> usize {
    let hit: Vec<PacketId> = trace
        .events()
        .iter()
        .filter_map(|event| match event.what {
            What::Fault { packet, .. } => Some(packet),
            _ => None,
        })
        .collect();
    if hit.len() <= HITS_PER_ITEM_MAX {
        return hit.len();
    }
    let mut hits: BTreeMap<Item<'_>, usize> = BTreeMap::new();
    for event in trace.events() {
        let What::Sent { packet, from, to, label, bytes } = &event.what else {
            continue;
        };
        if !hit.contains(packet) {
            continue;
        }
        let item = match label.class {
            Class::Data => Item::Data(*from, *to, label.nth),
            Class::Ack => Item::Acknowledgement(*from, *to, label.flow, acknowledged(bytes)),
            Class::Syn | Class::Fin | Class::Rst => Item::Step(*from, *to, label.flow, label.class),
            Class::Datagram | Class::Fragment | Class::Icmp | Class::Any => {
                let [_, _, payload] = parts(bytes);
                Item::Message(&bytes[payload])
            }
        };
        *hits.entry(item).or_default() += 1;
    }
    hits.values().copied().max().unwrap_or(0)
}

/// In how many of its fragments the datagram was damaged that was so in most. One bit flipped in each of two
/// fragments is two bits flipped in the datagram that is put together from them: its checksum may fit again,
/// which is no news (RFC 1071).
fn damaged_fragments_per_datagram(run: &Run) -> usize {
    let is_damage = |fault: &Fault| matches!(fault.action, Action::CorruptBits(_));
    let damages = |fault: usize| run.plan.faults.get(fault).is_some_and(is_damage);
    let events = run.trace.events();
    let hit: BTreeSet<PacketId> = events
        .iter()
        .filter_map(|event| match event.what {
            What::Fault { packet, fault, .. } if damages(fault) => Some(packet),
            _ => None,
        })
        .collect();
    let mut damaged: BTreeMap<(HostId, HostId, u32), usize> = BTreeMap::new();
    for event in events {
        let What::Sent { packet, from, to, label, bytes } = &event.what else { continue };
        if label.class == Class::Fragment && hit.contains(packet) {
            *damaged.entry((*from, *to, datagram(bytes))).or_default() += 1;
        }
    }
    damaged.values().copied().max().unwrap_or(0)
}

/// The identification of the datagram that a fragment is of.
fn datagram(packet: &Bytes) -> u32 {
    match PacketView::parse(packet).map(|view| view.transport) {
        Some(Transport::Fragment { id, .. }) => id,
        _ => 0,
    }
}

/// The acknowledgement number of a TCP segment.
fn acknowledged(packet: &Bytes) -> Option<u32> {
    match PacketView::parse(packet)?.transport {
        Transport::Tcp { ack, .. } => Some(ack),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use faultwire::errno::Errno;
    use faultwire::network::{Datagram as _, Network as _};

    use super::*;
    use crate::scenario;

    /// A datagram in three pieces, which may get lost.
    fn in_pieces() -> crate::Scenario {
        scenario("pieces")
            .server(|net| async move {
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                loop {
                    socket.recv_from(&mut [0; 8]).await?;
                }
                #[expect(unreachable_code, reason = "it says of what type the errors are")]
                Ok::<(), std::io::Error>(())
            })
            .client(|net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                socket.connect("server:7000").await?;
                match socket.send(&[7; 4_000]).await {
                    // Answers to damaged pieces come as errors of later calls.
                    Err(error) if error.raw_os_error() != Some(Errno::ECONNREFUSED.raw()) => {
                        Err(error.into())
                    }
                    _ => Ok(()),
                }
            })
    }

    #[test]
    fn no_random_plan_damages_two_pieces_of_one_datagram() {
        let mut damaged = [0_u32; 3];
        in_pieces().random(400).search_random(0, 400, &mut |run| {
            let faults = &run.plan.faults;
            let count = faults.iter().filter(|fault| matches!(fault.action, Action::CorruptBits(_))).count();
            damaged[count.min(2)] += 1;
            assert!(damaged_fragments_per_datagram(run) <= 1, "{:?}", run.plan);
            ControlFlow::Continue(())
        });
        assert!(damaged[0] > 50 && damaged[1] > 50 && damaged[2] == 0, "{damaged:?}");
    }
}
