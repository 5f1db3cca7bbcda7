use faultwire::fault::Action;
use faultwire_sim::search::is_minimal;
use faultwire_sim::testbed;

use super::*;
use crate::engine::studies;

/// A plan for the numbered datagrams: an action for each of some.
fn options(faults: &[(u32, &str)], claim: Option<&str>) -> ShrinkOptions {
    let mut text = "format = 1\n[link]\nprofile = \"wan\"\n".to_owned();
    for (nth, action) in faults {
        let packet = format!("packet = {{ class = \"datagram\", nth = {nth} }}");
        text += &format!("[[fault]]\ndirection = \"client->server\"\n{packet}\naction = {action}\n");
    }
    ShrinkOptions {
        study: studies().into_iter().find(|study| study.name == "udp-numbered").expect("a study"),
        plan: FaultPlan::parse(&text, "plan").expect("a plan"),
        testbed: testbed::VIRTUAL,
        seed: 0,
        claim: claim.map(|id| Claim::of(id).expect("a claim")),
        runs_max: 2_000,
    }
}

const DROP: &str = "\"drop\"";
const LATE: &str = "{ delay_us = 77000 }";

fn shrunk(options: &ShrinkOptions) -> Shrinking {
    shrink_plan(options, &mut |_| {}, &CancellationToken::default()).expect("it shows something")
}

#[test]
fn a_plan_becomes_as_small_as_it_can_be_and_the_path_says_how() {
    let options = options(&[(1, LATE), (2, "\"duplicate\""), (4, DROP), (99, DROP)], Some("udp/may-lose"));
    let mut told = 0;
    let done = shrink_plan(&options, &mut |_| told += 1, &CancellationToken::default()).expect("it shows it");
    assert_eq!(done.stopped, Stopped::Smallest);
    assert_eq!((done.goal.claim(), done.repeats), (Some("udp/may-lose"), None));
    assert_eq!(done.plan.claim.as_deref(), Some("udp/may-lose"));
    assert_eq!(done.plan.scenario.as_deref(), Some("udp-numbered"));
    let said: Vec<String> = done.plan.faults.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["drop client->server datagram 1"]);
    assert_eq!(done.plan.link, faultwire::fault::Link::default());
    assert!(done.how.starts_with("datagram \"1 of "), "{}", done.how);
    assert!(told <= done.runs, "{told} of {}", done.runs);
    // The path: in the order of the runs, from what never took place to the last change.
    assert!(done.steps.is_sorted_by_key(|step| step.runs), "{:?}", done.steps);
    assert!(done.steps.iter().all(|step| step.runs <= done.runs && !step.words.is_empty()));
    assert_eq!(done.steps[0].words, "left out: drop client->server datagram 99 (it never took place)");
    assert!(done.steps.iter().any(|step| step.words.ends_with("is now: drop client->server datagram 1")));
    // Nothing smaller shows it.
    let scenario = (options.study.scenario)(testbed::VIRTUAL).on(testbed::VIRTUAL);
    let mut shows = |plan: &FaultPlan| done.goal.seen_in(&scenario.run(plan)).is_some();
    assert!(is_minimal(&done.plan, &mut shows, &ShrinkLimits::default()));
}

#[test]
fn without_a_claim_it_is_the_first_thing_that_the_run_shows() {
    assert_eq!(shrunk(&options(&[(1, LATE)], None)).goal.claim(), Some("udp/may-reorder"));
    // What is not among it does not count.
    let nothing = options(&[(1, LATE)], Some("udp/may-duplicate"));
    let why =
        shrink_plan(&nothing, &mut |_| {}, &CancellationToken::default()).expect_err("it shows nothing");
    let said = "its run came to its end, and neither shows nor breaks udp/may-duplicate";
    assert_eq!(why, NotShrunk::ShowsNothing(said.to_owned()));
}

#[test]
fn a_break_and_a_bad_end_come_before_what_is_possible() {
    let options = options(&[(1, DROP)], None);
    let goals: Vec<String> =
        Goal::all(options.study, testbed::VIRTUAL, None).iter().map(ToString::to_string).collect();
    let at = |words: &str| goals.iter().position(|goal| goal == words).expect(words);
    assert!(at("it breaks udp/never-repeats") < at("its run fails"));
    assert!(at("its run stalls") < at("it shows udp/may-lose"));
}

#[test]
fn ticks_are_whole_where_time_goes_by_in_ticks() {
    let options =
        ShrinkOptions { testbed: testbed::TURMOIL, ..options(&[(1, LATE)], Some("udp/may-reorder")) };
    let mut path = Vec::new();
    let mut tell = |best: &FaultPlan| path.extend(best.faults.iter().map(|fault| fault.action.clone()));
    let done = shrink_plan(&options, &mut tell, &CancellationToken::default()).expect("it shows it");
    assert_eq!(done.stopped, Stopped::Smallest);
    // Down to one tick; in the end no time matters, only the order.
    path.dedup();
    assert_eq!(path, [Action::DelayUs(77_000), Action::DelayUs(1_000), Action::HoldFor(1)]);
}

#[test]
fn what_was_not_tried_is_not_said_to_be_the_smallest() {
    let mut options = options(&[(1, LATE), (2, DROP), (4, DROP)], Some("udp/may-lose"));
    options.runs_max = 2;
    let done = shrunk(&options);
    assert_eq!(done.stopped, Stopped::OutOfRuns);
    let token = CancellationToken::default();
    options.runs_max = 2_000;
    let mut told = 0;
    let mut stop = |_: &FaultPlan| {
        told += 1;
        if told == 3 {
            token.cancel();
        }
    };
    let done = shrink_plan(&options, &mut stop, &token).expect("it shows it");
    assert_eq!((done.stopped, done.runs), (Stopped::Interrupted, 3));
}
