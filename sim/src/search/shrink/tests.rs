//! The shrinker against questions whose answers are known.

use faultwire::fault::{
    Action, Class, Cut, Direction, EventKind, Fault, Link, LinkNumbers, Packet, PairLink, PlanEvent, Profile,
    When,
};
use proptest::prelude::*;

use super::*;
use crate::search::steps::{names_no_packet_twice, step_down};

fn there() -> Direction {
    Direction::new("client", "server")
}

fn fault(nth: u32, action: Action) -> Fault {
    Fault::new(there(), Packet::nth(Class::Datagram, nth), action)
}

fn plan(faults: impl IntoIterator<Item = Fault>) -> FaultPlan {
    FaultPlan::new().faults(faults)
}

fn drops(nths: impl IntoIterator<Item = u32>) -> FaultPlan {
    plan(nths.into_iter().map(|nth| fault(nth, Action::Drop)))
}

fn shrunk(from: &FaultPlan, shows: impl Fn(&FaultPlan) -> bool) -> Shrunk {
    let limits = ShrinkLimits::default();
    let result = shrink(from, &mut |plan| shows(plan), &limits);
    assert!(result.minimal);
    assert!(is_minimal(&result.plan, &mut |plan| shows(plan), &limits));
    result
}

#[test]
fn steps_are_at_one_two_five() {
    let down = |number: u64| {
        std::iter::successors(step_down(number, 0, 1), |n| step_down(*n, 0, 1)).collect::<Vec<_>>()
    };
    assert_eq!(down(7), [5, 2, 1, 0]);
    assert_eq!(down(200), [100, 50, 20, 10, 5, 2, 1, 0]);
    assert_eq!(down(201)[..2], [200, 100]);
    assert_eq!(down(u64::MAX)[0], 10_000_000_000_000_000_000);
    assert_eq!(down(0), [0_u64; 0]);
    assert_eq!(step_down(1, 1, 1), None, "not below the floor");
    assert_eq!(step_down(1_500, 0, 1_000), Some(1_000), "onto a whole tick");
    assert_eq!(step_down(3_000, 0, 1_000), Some(2_000));
    assert_eq!(step_down(1_000, 1, 1_000), None);
}

#[test]
fn one_fault_of_sixty_four_is_found_in_few_runs() {
    for needed in [1, 2, 17, 33, 50, 64] {
        let shows = |plan: &FaultPlan| {
            let drops = |fault: &Fault| fault.action == Action::Drop && fault.packet.nth >= needed;
            plan.faults.iter().any(drops)
        };
        let result = shrunk(&drops(1..=64), shows);
        assert_eq!(result.plan.faults.len(), 1);
        let nth = u64::from(result.plan.faults[0].packet.nth);
        assert!(step_down(nth, 1, 1).is_none_or(|lower| lower < u64::from(needed)));
        assert!(result.runs < 40, "{} runs for {needed}", result.runs);
    }
}

#[test]
fn a_few_faults_of_sixty_four_are_found_in_few_runs() {
    for needed in [vec![3, 60], vec![31, 32], vec![1, 2], vec![5, 20, 47]] {
        let has = |plan: &FaultPlan, nth| plan.faults.iter().any(|fault| fault.packet.nth == nth);
        let result = shrunk(&drops(1..=64), |plan| needed.iter().all(|nth| has(plan, *nth)));
        assert_eq!(result.plan, drops(needed.iter().copied()));
        assert!(result.runs < 100, "{} runs for {needed:?}", result.runs);
    }
}

#[test]
fn faults_that_need_each_other_go_together() {
    // Showing it takes an even number of faults: none can go alone, which is what minimal means here.
    let result = shrunk(&drops(1..=64), |plan| plan.faults.len() % 2 == 0 && !plan.faults.is_empty());
    assert_eq!(result.plan.faults.len(), 2);
}

#[test]
fn numbers_go_down_to_where_they_matter() {
    let from = plan([fault(40, Action::DelayUs(987_654)), fault(41, Action::HoldFor(30))]);
    let result = shrunk(&from, |plan| {
        plan.faults.iter().any(|fault| matches!(fault.action, Action::DelayUs(us) if us >= 15_000))
            && plan.faults.iter().any(|fault| matches!(fault.action, Action::HoldFor(n) if n >= 3))
    });
    let actions: Vec<&Action> = result.plan.faults.iter().map(|fault| &fault.action).collect();
    assert_eq!(actions, [&Action::DelayUs(20_000), &Action::HoldFor(5)]);
    // Both want to be the first packet; only one can.
    assert_eq!(result.plan.faults[0].packet.nth, 1);
    assert_eq!(result.plan.faults[1].packet.nth, 2);
}

#[test]
fn times_stay_on_whole_ticks_where_asked() {
    let limits = ShrinkLimits { tick_us: 1_000, ..ShrinkLimits::default() };
    let from = plan([fault(1, Action::DelayUs(7_300))]);
    let mut asked = Vec::new();
    let result = shrink(
        &from,
        &mut |plan| {
            asked.extend(plan.faults.iter().map(|fault| fault.action.clone()));
            plan.faults.iter().any(|fault| matches!(fault.action, Action::DelayUs(us) if us >= 1_200))
        },
        &limits,
    );
    assert_eq!(result.plan, plan([fault(1, Action::DelayUs(2_000))]));
    let fits = |action: &Action| match action {
        Action::DelayUs(us) => us % 1_000 == 0 || *us == 7_300,
        action => *action == Action::HoldFor(1),
    };
    assert!(asked.iter().all(fits), "{asked:?}");
}

#[test]
fn where_the_order_alone_matters_no_time_is_left() {
    let from = plan([fault(3, Action::DelayUs(7_300)), fault(5, Action::DelayUs(20))]);
    let is_late = |fault: &Fault| matches!(fault.action, Action::DelayUs(_) | Action::HoldFor(_));
    let result = shrunk(&from, |plan| plan.faults.iter().filter(|fault| is_late(fault)).count() == 2);
    assert_eq!(result.plan, plan([fault(1, Action::HoldFor(1)), fault(2, Action::HoldFor(1))]));
}

#[test]
fn words_bits_links_and_events_that_do_not_matter_go() {
    let packet = Packet { flow: Some(3), transmission: Some(4), ..Packet::nth(Class::Data, 9) };
    let anchor = When::after(there(), packet);
    let from = FaultPlan {
        title: Some("kept".to_owned()),
        scenario: Some("kept".to_owned()),
        claim: Some("udp/kept".to_owned()),
        link: Link::Numbers(LinkNumbers { delay_us: 7, ..Profile::Lan.numbers() }),
        links: vec![PairLink { delay_us: Some(9), ..PairLink::between(["client", "server"]) }],
        lab: None,
        faults: vec![Fault::new(there(), packet, Action::CorruptBits(vec![300, 70, 1_000]))],
        events: vec![
            PlanEvent::new(EventKind::Partition(Cut::ALL), anchor.clone()),
            PlanEvent::new(EventKind::Heal(Cut::ALL), anchor),
            PlanEvent::new(EventKind::Crash("server".to_owned()), When::AtUs(123_456)),
        ],
    };
    let result = shrunk(&from, |plan| {
        let crash = |event: &PlanEvent| matches!(event.kind, EventKind::Crash(_));
        let late = |bits: &[u32]| bits.iter().any(|bit| *bit >= 64);
        let bit = |fault: &Fault| matches!(&fault.action, Action::CorruptBits(bits) if late(bits));
        plan.events.iter().any(crash) && plan.faults.iter().any(bit)
    });
    let expected = FaultPlan {
        link: Link::default(),
        faults: vec![Fault::new(there(), Packet::nth(Class::Data, 1), Action::CorruptBits(vec![100]))],
        events: vec![PlanEvent::new(EventKind::Crash("server".to_owned()), When::AtUs(0))],
        ..from
    };
    assert_eq!(result.plan, expected);
}

#[test]
fn a_damaged_packet_is_lost_where_that_shows_the_same() {
    let damaged = fault(3, Action::CorruptBits(vec![160, 170]));
    let is_hit = |plan: &FaultPlan| plan.faults.iter().any(|fault| fault.packet.nth == 3);
    assert_eq!(shrunk(&plan([damaged.clone()]), is_hit).plan, drops([3]));
    let is_damaged = |plan: &FaultPlan| {
        is_hit(plan) && plan.faults.iter().all(|fault| matches!(fault.action, Action::CorruptBits(_)))
    };
    let left = shrunk(&plan([damaged]), is_damaged).plan;
    assert!(matches!(&left.faults[0].action, Action::CorruptBits(bits) if bits.len() == 1), "{left:?}");
}

#[test]
fn other_values_are_tried_again_once_a_fault_is_left_out() {
    let delay = |plan: &FaultPlan| match plan.faults.last().map(|fault| &fault.action) {
        Some(Action::DelayUs(us)) => *us,
        _ => 0,
    };
    // Beside the other fault the delay must be long, and with a long one the other fault is needed.
    let from = plan([fault(1, Action::Duplicate), fault(2, Action::DelayUs(987_654))]);
    let result = shrunk(&from, |plan| match plan.faults.len() {
        2 => delay(plan) >= 50_000,
        _ => (1_000..=60_000).contains(&delay(plan)),
    });
    assert_eq!(result.plan, plan([fault(1, Action::DelayUs(1_000))]));
    // What is left of two faults does another thing than before.
    let from = plan([fault(1, Action::Drop), fault(2, Action::CorruptBits(vec![7]))]);
    let is_dropped = |plan: &FaultPlan| plan.faults.iter().all(|fault| fault.action == Action::Drop);
    let result = shrunk(&from, |plan| match plan.faults.len() {
        2 => !is_dropped(plan),
        1 => is_dropped(plan) && plan.faults[0].packet.nth == 2,
        _ => false,
    });
    assert_eq!(result.plan, drops([2]));
}

#[test]
fn what_is_undone_goes_with_what_undoes_it() {
    let at = |kind, us| PlanEvent::new(kind, When::AtUs(us));
    let host = || "server".to_owned();
    let from = FaultPlan {
        events: vec![
            at(EventKind::Partition(Cut::ALL), 1_000),
            at(EventKind::Crash(host()), 2_000),
            at(EventKind::Heal(Cut::ALL), 3_000),
            at(EventKind::Restart(host()), 4_000),
            at(EventKind::Partition(Cut::ALL), 5_000),
        ],
        ..drops([1])
    };
    // One of two alone does not take place, or the run never ends; the last partition matters.
    let result = shrunk(&from, |plan| {
        let count = |is: fn(&EventKind) -> bool| plan.events.iter().filter(|event| is(&event.kind)).count();
        let cuts = count(|kind| matches!(kind, EventKind::Partition(_)));
        let crashes = count(|kind| matches!(kind, EventKind::Crash(_)));
        cuts == count(|kind| matches!(kind, EventKind::Heal(_))) + 1
            && crashes == count(|kind| matches!(kind, EventKind::Restart(_)))
    });
    assert_eq!(result.plan.faults, []);
    assert_eq!(result.plan.events, [at(EventKind::Partition(Cut::ALL), 0)]);
}

#[test]
fn the_budget_is_kept_and_told() {
    let limits = ShrinkLimits { runs_max: 10, ..ShrinkLimits::default() };
    let has = |plan: &FaultPlan, nth| plan.faults.iter().any(|fault| fault.packet.nth == nth);
    let shows = |plan: &FaultPlan| has(plan, 3) && has(plan, 60);
    let mut asked = 0;
    let result = shrink(
        &drops(1..=64),
        &mut |plan| {
            asked += 1;
            shows(plan)
        },
        &limits,
    );
    assert_eq!((asked, result.runs, result.minimal), (10, 10, false));
    assert!(shows(&result.plan), "what was found so far still shows it");
}

#[test]
fn a_plan_that_does_not_show_it_comes_back_as_it_was() {
    let result = shrink(&drops(1..=3), &mut |_| false, &ShrinkLimits::default());
    assert_eq!(result, Shrunk { plan: drops(1..=3), runs: 1, shown: false, minimal: false });
}

#[test]
fn a_plan_that_needs_nothing_becomes_empty() {
    assert_eq!(shrunk(&drops(1..=64), |_| true).plan, FaultPlan::default());
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let action = prop_oneof![
        Just(Action::Drop),
        Just(Action::Duplicate),
        (1_u64..3_000_000).prop_map(Action::DelayUs),
        (1_u32..30).prop_map(Action::HoldFor),
        proptest::collection::btree_set(0_u32..12_000, 1..4)
            .prop_map(|bits| Action::CorruptBits(bits.into_iter().collect())),
    ];
    let packet = (1_u32..90, proptest::option::of(1_u32..4), proptest::option::of(2_u32..6));
    (packet, action).prop_map(|((nth, flow, transmission), action)| {
        Fault::new(there(), Packet { class: Class::Data, nth, flow, transmission }, action)
    })
}

/// What a synthetic failure takes.
#[derive(Clone, Debug)]
enum Need {
    Action(std::mem::Discriminant<Action>, u32),
    Delay(u64),
    Bit(u32),
    Flow(u32),
    Count(usize),
    OddSum,
}

impl Need {
    fn of(kind: u8, fault: &Fault, number: u32) -> Need {
        match kind {
            0 => Need::Action(std::mem::discriminant(&fault.action), number % fault.packet.nth.max(1)),
            1 => Need::Delay(u64::from(number)),
            2 => Need::Bit(number % 12_000),
            3 => Need::Flow(number % 4),
            4 => Need::Count(number as usize % 4),
            _ => Need::OddSum,
        }
    }

    fn met(&self, plan: &FaultPlan) -> bool {
        let any = |wanted: &dyn Fn(&Fault) -> bool| plan.faults.iter().any(wanted);
        match self {
            Need::Action(action, nth) => {
                any(&|fault| std::mem::discriminant(&fault.action) == *action && fault.packet.nth >= *nth)
            }
            Need::Delay(least) => any(&|fault| matches!(fault.action, Action::DelayUs(us) if us >= *least)),
            Need::Bit(least) => any(&|fault| match &fault.action {
                Action::CorruptBits(bits) => bits.iter().any(|bit| bit >= least),
                _ => false,
            }),
            Need::Flow(flow) => any(&|fault| fault.packet.flow == Some(*flow)),
            Need::Count(least) => plan.faults.len() >= *least,
            Need::OddSum => plan.faults.iter().map(|fault| fault.packet.nth).sum::<u32>() % 2 == 1,
        }
    }
}

proptest! {
    #[test]
    fn whatever_shows_it_ends_minimal(
        faults in proptest::collection::vec(any_fault(), 1..40),
        needs in proptest::collection::vec((0_u8..6, any::<prop::sample::Index>(), 0_u32..3_000_000), 1..4),
    ) {
        let mut from = FaultPlan::default();
        for fault in faults {
            from.faults.push(fault);
            if !names_no_packet_twice(&from.faults) {
                from.faults.pop();
            }
        }
        let mut needs: Vec<Need> =
            needs
                .iter()
                .map(|(kind, which, number)| Need::of(*kind, which.get(&from.faults), *number))
                .collect();
        needs.retain(|need| need.met(&from));
        let limits = ShrinkLimits { runs_max: 20_000, tick_us: 1 };
        let mut asked = 0;
        let mut shows = |plan: &FaultPlan| {
            assert!(names_no_packet_twice(&plan.faults));
            needs.iter().all(|need| need.met(plan))
        };
        let result = shrink(&from, &mut |plan| { asked += 1; shows(plan) }, &limits);
        prop_assert_eq!(result.runs, asked);
        prop_assert!(result.minimal, "{:?}", result);
        prop_assert!(is_minimal(&result.plan, &mut shows, &limits), "{:?} for {:?}", result, needs);
        let again = shrink(&from, &mut shows, &limits);
        prop_assert_eq!(again, result);
    }
}
