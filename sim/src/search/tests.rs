//! The search as a whole, over the real wire.

pub(crate) mod toy;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use faultwire::fault::{Action, Class, Cut, EventKind, Fault, FaultPlan, Packet, PlanEvent, When};
use faultwire::trace::What;

use self::toy::{Bug, TIMEOUT};
use super::*;
use crate::run::{End, Run};

fn grid() -> Grid {
    Grid::new(Duration::from_millis(2), TIMEOUT)
}

fn there(nth: u32, action: Action) -> Fault {
    Fault::new(["client", "server"], Packet::nth(Class::Datagram, nth), action)
}

/// A plan's faults, whatever their order.
fn names(plan: &FaultPlan) -> BTreeSet<String> {
    plan.faults.iter().map(|fault| format!("{fault:?}")).collect()
}

/// All plans that a sweep shows its visitor, and what it says that it tried.
fn swept(sweep: &Sweep<'_>, messages: u8) -> (Vec<FaultPlan>, Tried) {
    let mut plans = Vec::new();
    let tried = sweep.search(&runner(&|plan| toy::run(plan, messages, Bug::None)), &mut |run| {
        assert!(run.fired.all());
        assert_eq!(run.end, End::Finished, "{:?}", run.plan);
        plans.push(run.plan.clone());
        ControlFlow::Continue(())
    });
    (plans, tried)
}

fn runner<'a>(run: &'a (dyn Fn(&FaultPlan) -> Run + Sync)) -> Runner<'a> {
    static TOKEN: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::default);
    Runner::new(run, 1, &TOKEN)
}

fn sweep<'a>(base: &'a FaultPlan, grid: &'a Grid, depth: u8) -> Sweep<'a> {
    Sweep { base, base_runs: 1, members: &[], grid, depth, runs_max: None, seed: 1 }
}

#[test]
fn the_grid_has_ten_faults_for_a_datagram() {
    let run = toy::run(&FaultPlan::default(), 1, Bug::None);
    let faults = grid().faults(&run.trace);
    let mut actions: Vec<Action> = faults[..10].iter().map(|fault| fault.action.clone()).collect();
    let mut bits: Vec<u32> = Vec::new();
    actions.retain(|action| match action {
        Action::CorruptBits(bit) => {
            bits.extend(bit.iter().copied());
            false
        }
        _ => true,
    });
    assert_eq!(
        actions,
        [
            Action::Drop,
            Action::Duplicate,
            Action::DelayUs(1_000),
            Action::DelayUs(51_000),
            Action::DelayUs(101_000),
            Action::HoldFor(1),
            Action::HoldFor(3),
        ]
    );
    assert_eq!(bits.len(), 3);
    assert!(bits[0] < 160 && (160..224).contains(&bits[1]) && (224..256).contains(&bits[2]), "{bits:?}");
    assert_eq!(faults.len(), 20);
    assert_eq!(faults, grid().faults(&run.trace));
}

#[test]
fn the_grid_can_be_widened_and_rounded() {
    let run = toy::run(&FaultPlan::default(), 1, Bug::None);
    let micros = Duration::from_micros;
    let odd = Grid::new(micros(300), micros(1_700));
    assert_eq!(odd.delays_us(), [150, 2_700, 4_400]);
    assert_eq!(odd.whole_ticks().delays_us(), [1_000, 3_000, 5_000]);
    let without = Grid::new(Duration::ZERO, Duration::ZERO);
    assert_eq!(without.delays_us(), [1_000]);
    let wide = grid().holds([1, 2, 0, 2, 5]).bits_per_part(16);
    let faults = wide.faults(&run.trace);
    let distinct: BTreeSet<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
    assert_eq!(faults.len(), distinct.len());
    assert_eq!(faults.len(), 2 * (2 + 3 + 3 + 3 * 16));
}

#[test]
fn a_sweep_has_every_plan_that_can_take_place_once_and_no_other() {
    let (base, grid) = (FaultPlan::default(), grid());
    let (plans, tried) = swept(&sweep(&base, &grid, 2), 2);
    assert_eq!((tried.fault_free, tried.singles, tried.singles_of), (1, 40, 40));
    assert_eq!((tried.pairs, tried.not_applied, tried.sampled()), (tried.pairs_of, 0, None));
    assert_eq!(tried.faults_planned, tried.singles + 2 * tried.pairs);
    assert_eq!(tried.faults_planned, tried.faults_fired);
    assert_eq!(plans.len() as u64, tried.runs());
    let found: BTreeSet<BTreeSet<String>> = plans.iter().map(names).collect();
    assert_eq!(found.len(), plans.len(), "no plan twice, in whatever order");

    // By brute force: every fault that any single fault's run has room for, combined with every other.
    let mut faults = Vec::new();
    for plan in &plans[..41] {
        for fault in grid.faults(&toy::run(plan, 2, Bug::None).trace) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    assert!(faults.len() > 40, "some packets are there only because of a fault");
    let mut possible = BTreeSet::from([BTreeSet::new()]);
    for (index, first) in faults.iter().enumerate() {
        for second in &faults[index..] {
            let mut plan = FaultPlan::new().faults([first.clone()]);
            if second != first {
                plan.faults.push(second.clone());
            }
            if toy::run(&plan, 2, Bug::None).fired.all() {
                possible.insert(names(&plan));
            }
        }
    }
    assert_eq!(found, possible);
}

#[test]
fn a_sweep_of_depth_three_and_one_of_depth_none() {
    let base = FaultPlan::default();
    let grid = Grid::new(Duration::ZERO, Duration::ZERO).delays([]).holds([]).bits_per_part(0);
    let (plans, tried) = swept(&sweep(&base, &grid, 3), 2);
    assert_eq!((tried.not_applied, tried.triples), (0, tried.triples_of));
    assert!(tried.triples > tried.pairs && tried.pairs > tried.singles && tried.singles == 8);
    assert_eq!(plans.iter().map(names).collect::<BTreeSet<_>>().len(), plans.len());
    let sizes: Vec<usize> = plans.iter().map(|plan| plan.faults.len()).collect();
    assert!(sizes.is_sorted(), "the smallest plans first");
    let (plans, tried) = swept(&sweep(&base, &grid, 0), 2);
    assert_eq!((plans.len(), tried.runs()), (1, 1));
}

#[test]
fn packets_that_are_not_kept_come_from_a_second_run() {
    let (base, grid) = (FaultPlan::default(), grid());
    let sweep = sweep(&base, &grid, 2);
    let plans = |kept_max| {
        let mut plans = Vec::new();
        let tried =
            sweep.search_keeping(kept_max, &runner(&|plan| toy::run(plan, 3, Bug::None)), &mut |run| {
                plans.push(run.plan.clone());
                ControlFlow::Continue(())
            });
        (plans, tried)
    };
    let (kept, tried) = plans(1_000_000);
    assert_eq!(tried.repeated, 0);
    let (repeated, tried) = plans(0);
    assert!(tried.repeated > 0 && tried.nondeterministic == 0);
    assert_eq!(kept, repeated);
}

#[test]
fn runs_that_depend_on_more_than_the_plan_are_noticed() {
    let (base, grid) = (FaultPlan::default(), grid());
    let calls = AtomicU32::new(0);
    let run = |plan: &FaultPlan| {
        let messages = if calls.fetch_add(1, Ordering::Relaxed) < 19 { 2 } else { 1 };
        toy::run(plan, messages, Bug::None)
    };
    let tried = sweep(&base, &grid, 2).search_keeping(0, &runner(&run), &mut |_| ControlFlow::Continue(()));
    assert!(tried.nondeterministic > 0 && tried.not_applied > 0, "{tried:?}");
}

#[test]
fn a_testbed_that_ignores_plans_proves_nothing() {
    let (base, grid) = (FaultPlan::default(), grid());
    let mut shown = 0;
    let ignoring = |plan: &FaultPlan| {
        let run = toy::run(&FaultPlan::default(), 2, Bug::None);
        let fired = faultwire::fault::Fired { faults: vec![false; plan.faults.len()], events: Vec::new() };
        Run { plan: plan.clone(), fired, ..run }
    };
    let tried = sweep(&base, &grid, 2).search(&runner(&ignoring), &mut |_| {
        shown += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((shown, tried.runs(), tried.not_applied, tried.pairs_of), (1, 1, 40, 0));
    assert_eq!((tried.faults_planned, tried.faults_fired), (40, 0));
}

#[test]
fn a_capped_sweep_is_a_sample_and_says_so() {
    let (base, grid) = (FaultPlan::default(), grid());
    let (all, _) = swept(&sweep(&base, &grid, 2), 2);
    let capped = |runs_max, seed| Sweep { runs_max: Some(runs_max), seed, ..sweep(&base, &grid, 2) };
    let (plans, tried) = swept(&capped(200, 1), 2);
    assert_eq!((plans.len(), tried.runs(), tried.singles), (200, 200, 40));
    assert_eq!(tried.sampled(), Some((199, 40 + tried.pairs_of)));
    assert!(plans.iter().all(|plan| all.contains(plan)));
    let last = all.iter().position(|plan| plan == &plans[199]).unwrap();
    assert!(last + 100 > all.len(), "spread over all of them: {last} of {}", all.len());
    assert_eq!(plans, swept(&capped(200, 1), 2).0);
    assert_ne!(plans, swept(&capped(200, 2), 2).0);
    let (plans, tried) = swept(&capped(10, 1), 2);
    assert_eq!((plans.len(), tried.singles, tried.pairs), (10, 9, 0));
    assert!(tried.sampled().is_some());
}

#[test]
fn a_visitor_ends_a_sweep() {
    let (base, grid) = (FaultPlan::default(), grid());
    let mut visits = 0;
    let tried = sweep(&base, &grid, 2).search(&runner(&|plan| toy::run(plan, 2, Bug::None)), &mut |_| {
        visits += 1;
        if visits == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((visits, tried.runs(), tried.stopped), (5, 5, true));
}

#[test]
fn a_base_plan_is_in_every_run_and_what_it_cuts_is_left_alone() {
    let after = |nth| When::after(["client", "server"], Packet::nth(Class::Datagram, nth));
    let event = |kind, when| PlanEvent { kind, when };
    // The second packet is sent into the cut, and so is the third, whose loss mends it.
    let base = FaultPlan::new().faults([there(1, Action::Duplicate)]).events([
        event(EventKind::Partition(Cut::ALL), after(1)),
        event(EventKind::Heal(Cut::ALL), after(3)),
    ]);
    let grid = grid();
    let (plans, tried) = swept(&sweep(&base, &grid, 2), 2);
    assert_eq!(tried.not_applied, 0);
    assert!(tried.pairs > 0);
    for plan in plans {
        assert_eq!(plan.faults[0], base.faults[0]);
        assert!(
            plan.faults[1..].iter().all(|fault| fault.direction.from == "server" || fault.packet.nth > 3)
        );
    }
}

#[test]
fn a_refused_run_is_shown_and_does_not_count() {
    let base = FaultPlan::new().event(EventKind::Crash("stranger".to_owned()), When::AtUs(0));
    let mut shown = 0;
    let tried = sweep(&base, &grid(), 2).search(&runner(&|plan| toy::run(plan, 2, Bug::None)), &mut |run| {
        shown += 1;
        assert!(matches!(run.end, End::Refused { .. }));
        ControlFlow::Continue(())
    });
    assert_eq!((shown, tried.runs(), tried.refused), (1, 0, 1));
}

fn random<'a>(space: &'a PlanSpace, count: u64) -> RandomSearch<'a> {
    RandomSearch { space, seed: 1, scenario: "toy", first: 0, count, draws_max: 20 }
}

fn space(messages: u8) -> PlanSpace {
    let base = FaultPlan::default();
    PlanSpace::of(&base, &toy::run(&base, messages, Bug::None).trace, &grid())
}

#[test]
fn every_random_plan_that_counts_took_place_and_is_what_it_says() {
    let space = space(3);
    let (mut sizes, mut actions, mut beyond) = (BTreeSet::new(), BTreeSet::new(), false);
    let tried = random(&space, 300).search(&runner(&|plan| toy::run(plan, 3, Bug::None)), &mut |run| {
        assert!(run.fired.all() && !run.plan.faults.is_empty());
        assert_eq!(run.end, End::Finished, "{:?}", run.plan);
        let again = toy::run(&run.plan, 3, Bug::None);
        assert_eq!(again.trace.hash(), run.trace.hash(), "fitted, the plan makes the same run");
        assert_eq!(&again, run);
        let packets: BTreeSet<String> =
            run.plan.faults.iter().map(|fault| format!("{} {:?}", fault.direction, fault.packet)).collect();
        assert_eq!(packets.len(), run.plan.faults.len(), "no packet named twice");
        sizes.insert(run.plan.faults.len());
        for fault in &run.plan.faults {
            actions.insert(format!("{:?}", std::mem::discriminant(&fault.action)));
            beyond |= fault.packet.nth > 3;
        }
        ControlFlow::Continue(())
    });
    assert_eq!((tried.random, tried.without_hit, tried.not_applied), (300, 0, 0));
    assert_eq!(tried.faults_planned, tried.faults_fired);
    assert!(tried.faults_fired > 600, "{}", tried.faults_fired);
    assert_eq!(actions.len(), 5, "every kind of action");
    assert!(sizes.contains(&1) && sizes.contains(&6), "{sizes:?}");
    assert!(beyond, "packets that only faults bring about are hit too");
}

#[test]
fn a_random_plan_is_the_same_whatever_came_before() {
    let space = space(3);
    let plans = |first, count| {
        let mut plans = Vec::new();
        let search = RandomSearch { first, ..random(&space, count) };
        search.search(&runner(&|plan| toy::run(plan, 3, Bug::None)), &mut |run| {
            plans.push(run.plan.clone());
            ControlFlow::Continue(())
        });
        plans
    };
    let all = plans(0, 40);
    assert_eq!(all[25..], plans(25, 15));
    assert!(all.iter().map(names).collect::<BTreeSet<_>>().len() > 30, "they differ");
    let other = RandomSearch { scenario: "other", ..random(&space, 1) };
    assert_ne!(other.plan(0, 0), random(&space, 1).plan(0, 0));
}

#[test]
fn nothing_is_hit_more_often_than_anything_gives_up() {
    // One message: whatever is drawn, its repeats carry the same bytes. Only drops of it could break the
    // client.
    let space = space(1).faults_max(40);
    let tried = random(&space, 200).search(&runner(&|plan| toy::run(plan, 1, Bug::None)), &mut |run| {
        assert!(run.plan.faults.len() <= HITS_PER_ITEM_MAX, "{:?}", run.plan);
        ControlFlow::Continue(())
    });
    assert_eq!(tried.random + tried.without_hit, 200);
    assert!(tried.random > 150);
}

#[test]
fn where_nothing_is_sent_there_is_no_random_plan() {
    let nothing = || {
        Run::new(
            FaultPlan::default(),
            faultwire::trace::Trace::new(["client", "server"]),
            End::Finished,
            Default::default(),
            faultwire::Time::ZERO,
        )
    };
    let space = PlanSpace::of(&FaultPlan::default(), &nothing().trace, &grid());
    assert_eq!(space.packets(), 0);
    let tried = random(&space, 3).search(&runner(&|_| nothing()), &mut |_| ControlFlow::Continue(()));
    assert_eq!((tried.random, tried.without_hit), (0, 3));
}

/// The first failure that a sweep meets, made minimal.
fn smallest(bug: Bug) -> Shrunk {
    let (base, grid) = (FaultPlan::default(), grid());
    let mut failing = None;
    sweep(&base, &grid, 2).search(&runner(&|plan| toy::run(plan, 3, bug)), &mut |run| {
        if run.end.is_finished() {
            return ControlFlow::Continue(());
        }
        failing = Some(run.plan.clone());
        ControlFlow::Break(())
    });
    let mut shows = |plan: &FaultPlan| matches!(toy::run(plan, 3, bug).end, End::Failed { .. });
    let limits = ShrinkLimits::default();
    let shrunk = shrink(&failing.unwrap(), &mut shows, &limits);
    assert!(shrunk.minimal && is_minimal(&shrunk.plan, &mut shows, &limits));
    assert!(toy::run(&shrunk.plan, 3, bug).fired.all(), "nothing in a minimal plan is idle");
    shrunk
}

#[test]
fn a_planted_bug_is_found_and_shrunk_to_its_one_fault() {
    let shrunk = smallest(Bug::TakesRepeats);
    assert_eq!(shrunk.plan.faults, [there(1, Action::Duplicate)]);
    let shrunk = smallest(Bug::TakesAnyAck);
    assert_eq!(shrunk.plan.faults, [there(2, Action::Duplicate)], "its second answer passes for the third's");
}

#[test]
fn a_bug_that_takes_two_faults_is_found_with_two() {
    let shrunk = smallest(Bug::GivesUpEarly);
    assert_eq!(shrunk.plan.faults.len(), 2, "{:?}", shrunk.plan);
}

#[test]
fn large_random_failures_shrink_to_the_same_few_faults() {
    let space = space(3);
    let limits = ShrinkLimits::default();
    let mut failures = 0;
    random(&space, 200).search(&runner(&|plan| toy::run(plan, 3, Bug::GivesUpEarly)), &mut |run| {
        if !run.end.is_finished() {
            failures += 1;
            let mut shows = |plan: &FaultPlan| !toy::run(plan, 3, Bug::GivesUpEarly).end.is_finished();
            let shrunk = shrink(&run.plan, &mut shows, &limits);
            assert!(shrunk.minimal && shrunk.runs < 200, "{}", shrunk.runs);
            assert!(is_minimal(&shrunk.plan, &mut shows, &limits), "{:?}", shrunk.plan);
            assert_eq!(shrunk.plan.faults.len(), 2, "{:?}", shrunk.plan);
        }
        ControlFlow::Continue(())
    });
    assert!(failures > 20, "{failures}");
}

#[test]
fn a_fault_beyond_a_packets_end_is_left_out_when_fitted() {
    let plan = FaultPlan::new().faults([
        there(1, Action::CorruptBits(vec![100_000])),
        there(99, Action::Drop),
        there(2, Action::Drop),
    ]);
    let fitted = fit(toy::run(&plan, 2, Bug::None));
    assert_eq!(fitted.plan.faults, [there(2, Action::Drop)]);
    assert_eq!(fitted, toy::run(&fitted.plan, 2, Bug::None));
    let refers = |what: &What| matches!(what, What::Fault { fault: 0, .. });
    assert!(fitted.trace.events().iter().any(|event| refers(&event.what)));
    assert_eq!(toy::sent(&fitted.trace).len() as u32, fitted.trace.packet_count());
}
