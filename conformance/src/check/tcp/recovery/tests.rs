//! The checks on connections put together by hand; the studies, and the mutants that their checks must see.

mod tape;

use std::ops::ControlFlow;

use faultwire::fault::FaultPlan;
use faultwire::stack::Mutant;
use faultwire_sim::{Settings, testbed};

use self::tape::{CLIENT, FULL, SERVER, Tape};
use super::scenarios::SMALL_BUFFER;
use super::{acknowledging, congestion, retransmission, segment_sizes, studies, windows};
use crate::check::tcp::lifecycle;
use crate::check::tcp::segments::{Flow, OPENER, flows};
use crate::claim::{Claim, Modality};
use crate::study::{Check, Seen, Verdict};

/// A small receive buffer, in bytes.
const SMALL: u32 = SMALL_BUFFER as u32;

fn broken(check: Check, tape: &Tape, until: u64) -> bool {
    matches!(check(&tape.until(until)).verdict, Verdict::Broken(_))
}

#[track_caller]
fn fine(check: Check, tape: &Tape, until: u64, exercised: u64) {
    assert_eq!(check(&tape.until(until)), Seen::fine(exercised));
}

#[test]
fn another_syn_on_the_same_ports_begins_another_connection() {
    let mut tape = Tape::connected(2);
    tape.at(3).another_syn(0);
    assert_eq!(flows(&tape.until(10)).len(), 1, "the same one, sent again");
    let late = tape.data(CLIENT, 1, 100);
    tape.at(5).another_syn(100_000).at(6).arrives(late);
    let run = tape.until(10);
    let flows = flows(&run);
    let [first, second] = flows.as_slice() else { panic!("{flows:?}") };
    assert_eq!(first.addrs, second.addrs);
    let arrived = |flow: &Flow| flow.arrivals_from(OPENER).filter(|(_, it)| it.len > 0).count();
    assert_eq!((arrived(first), arrived(second)), (1, 0), "what comes late is the first one's");
    assert_eq!(second.segments[0].seq, 0);
    let (place, last) = first.arrivals_from(OPENER).last().expect("it arrived");
    assert_eq!(place, run.trace.events().len() - 1);
    assert!(last.place < second.segments[0].place, "sent before the second SYN");
}

#[test]
fn what_is_lost_must_be_sent_again_in_time() {
    let mut tape = Tape::connected(2);
    tape.at(10).lost(CLIENT, 1, 100);
    fine(retransmission::retransmits, &tape, 100_000, 0);
    assert!(broken(retransmission::retransmits, &tape, 200_000));
    tape.at(210).carried(CLIENT, 1, 50).ack(SERVER, 1, 51).carried(CLIENT, 51, 50).ack(SERVER, 1, 101);
    fine(retransmission::retransmits, &tape, 200_000, 1);
}

#[test]
fn a_timer_that_doubles_may_wait_for_longer_than_any_other() {
    let last_at = |ms: u64| {
        let mut tape = Tape::connected(2);
        tape.at(10).lost(CLIENT, 1, 100).at(100_010).lost(CLIENT, 1, 100);
        tape.at(ms).carried(CLIENT, 1, 100).ack(SERVER, 1, 101);
        tape
    };
    fine(retransmission::retransmits, &last_at(300_010), 300_020, 2);
    assert!(broken(retransmission::retransmits, &last_at(320_010), 320_020));
}

#[test]
fn windows_are_scaled_where_both_sides_offer_it() {
    const NONE: &[u8] = &[];
    const THREE: &[u8] = &[3, 3, 3, 0];
    for (offers, scaled) in [([NONE, NONE], 100), ([THREE, NONE], 100), ([THREE, THREE], 800)] {
        let mut tape = Tape::new();
        tape.options = offers[0];
        tape.syn(true).options = offers[1];
        tape.window = 100;
        tape.answered();
        let windows: Vec<i64> = flows(&tape.until(10))[0].segments.iter().map(|it| it.window).collect();
        assert_eq!(windows[1..], [100, scaled], "a SYN's is never scaled");
    }
}

#[test]
fn a_scaled_window_may_be_rounded_down_and_no_further() {
    let offers = |windows: [u16; 2]| {
        let mut tape = Tape::new();
        (tape.options, tape.window) = (&[3, 3, 3, 0], 100);
        tape.syn(true).answered();
        for (window, ack) in windows.into_iter().zip([6, 11]) {
            tape.carried(CLIENT, ack - 5, 5);
            tape.window = window;
            tape.ack(SERVER, 1, ack);
        }
        tape
    };
    // The right edge is at 806, and then at 803.
    fine(segment_sizes::no_silly_offers, &offers([100, 99]), 10, 1);
    assert!(broken(segment_sizes::no_silly_offers, &offers([100, 98]), 10));
}

#[test]
fn what_is_not_lost_is_sent_once() {
    let mut tape = Tape::connected(2);
    tape.at(10).carried(CLIENT, 1, 100).carried(CLIENT, 101, 100).ack(SERVER, 1, 201);
    // The SYN, the SYN-ACK and two segments.
    fine(retransmission::sends_once, &tape, 1_000, 4);
    tape.at(20).carried(CLIENT, 101, 100);
    assert!(broken(retransmission::sends_once, &tape, 1_000));
    let mut tape = Tape::connected(2);
    // Half of it is new.
    tape.at(10).carried(CLIENT, 1, 100).carried(CLIENT, 51, 100);
    assert!(broken(retransmission::sends_once, &tape, 1_000));
}

#[test]
fn what_came_is_sent_again_too_where_its_acknowledgement_is_lost() {
    let mut tape = Tape::connected(2);
    tape.at(10).carried(CLIENT, 1, 100).lost_ack(SERVER, 1, 101);
    assert!(broken(retransmission::retransmits, &tape, 200_000));
    tape.at(210).carried(CLIENT, 1, 100).ack(SERVER, 1, 101);
    fine(retransmission::retransmits, &tape, 200_000, 0);
    // The acknowledgement of the SYN-ACK is lost, and nothing follows it.
    let mut tape = Tape::new();
    tape.syn(true).answered_in_vain();
    assert!(broken(retransmission::retransmits, &tape, 200_000));
}

#[test]
fn what_comes_behind_a_gap_or_fills_it_is_answered_at_once() {
    let mut tape = Tape::connected(2);
    tape.at(10).lost(CLIENT, 1, 100).carried(CLIENT, 101, 100);
    assert!(broken(acknowledging::answers_at_once, &tape, 100));
    tape.ack(SERVER, 1, 1);
    fine(acknowledging::answers_at_once, &tape, 100, 1);
    tape.at(210).carried(CLIENT, 1, 100);
    assert!(broken(acknowledging::answers_at_once, &tape, 300));
    tape.ack(SERVER, 1, 201);
    fine(acknowledging::answers_at_once, &tape, 300, 2);
    // What comes in order afterwards may wait.
    tape.at(220).carried(CLIENT, 201, 100);
    fine(acknowledging::answers_at_once, &tape, 300, 2);
}

#[test]
fn before_anything_was_measured_the_timeout_is_a_second_to_three() {
    for (wait, is_broken) in [(500, true), (1_000, false), (3_000, false), (10_000, true)] {
        let mut tape = Tape::new();
        tape.syn(false).at(wait).syn(true);
        assert_eq!(broken(retransmission::measures_rtt, &tape, 20_000), is_broken, "{wait}");
    }
}

#[test]
fn a_read_that_opens_the_window_is_told_of() {
    let of = |told: u64| {
        let mut tape = Tape::connected(2);
        tape.window = 0;
        tape.at(20).calls().carried(CLIENT, 1, SMALL).ack(SERVER, 1, 1 + SMALL);
        tape.window = SMALL as u16;
        tape.at(500).read(SMALL).at(told).ack(SERVER, 1, 1 + SMALL);
        tape
    };
    fine(windows::tells_of_room, &of(500), 1_000, 1);
    assert!(broken(windows::tells_of_room, &of(700), 1_000));
}

#[test]
fn each_wait_is_twice_the_last() {
    let waits = |second: u64| {
        let mut tape = Tape::connected(2);
        tape.at(10).lost(CLIENT, 1, 100).at(210).lost(CLIENT, 1, 100).at(210 + second).lost(CLIENT, 1, 100);
        tape
    };
    fine(retransmission::waits_longer, &waits(400), 1_000, 1);
    assert!(broken(retransmission::waits_longer, &waits(200), 1_000));
    assert!(broken(retransmission::waits_longer, &waits(900), 2_000));
    // Whatever is heard in between makes it another matter.
    let mut tape = Tape::connected(2);
    tape.at(10).lost(CLIENT, 1, 100).at(210).lost(CLIENT, 1, 100).at(300).ack(SERVER, 1, 1);
    tape.at(310).lost(CLIENT, 1, 100);
    fine(retransmission::waits_longer, &tape, 1_000, 0);
}

/// The client's first data is lost, and sent again so much later.
fn after_a_round_trip_of_100_ms(wait: u64) -> Tape {
    let mut tape = Tape::connected(100);
    tape.lost(CLIENT, 1, 100).at(100 + wait).carried(CLIENT, 1, 100);
    tape
}

#[test]
fn the_timeout_follows_the_round_trips() {
    // SRTT + 4 * RTTVAR is 300 ms; the least may be a second.
    for wait in [300, 600, 1_000] {
        fine(retransmission::measures_rtt, &after_a_round_trip_of_100_ms(wait), 5_000, 1);
    }
    assert!(broken(retransmission::measures_rtt, &after_a_round_trip_of_100_ms(200), 5_000));
    assert!(broken(retransmission::measures_rtt, &after_a_round_trip_of_100_ms(1_500), 5_000));
}

#[test]
fn what_was_sent_twice_measures_nothing() {
    let second = |wait: u64| {
        let mut tape = after_a_round_trip_of_100_ms(300);
        tape.at(410).ack(SERVER, 1, 101).lost(CLIENT, 101, 100);
        tape.at(410 + wait).carried(CLIENT, 101, 100);
        tape
    };
    fine(retransmission::measures_rtt, &second(600), 5_000, 2);
    assert!(broken(retransmission::measures_rtt, &second(300), 5_000));
    // The timer may have expired at the moment of the acknowledgement, and before it.
    let mut tie = Tape::connected(100);
    tie.carried(CLIENT, 1, 100).at(400).ack(SERVER, 1, 101).carried(CLIENT, 1, 100);
    tie.lost(CLIENT, 101, 100).at(1_000).carried(CLIENT, 101, 100);
    assert!(!broken(retransmission::measures_rtt, &tie, 5_000));
}

/// Six segments, of which the second is lost: the acknowledgement of the first and so many duplicates.
fn one_of_six(duplicates: u32) -> Tape {
    let mut tape = Tape::connected(2);
    tape.at(10).carried(CLIENT, 1, FULL).lost(CLIENT, 1 + FULL, FULL);
    (2..6).for_each(|nth| {
        tape.carried(CLIENT, 1 + nth * FULL, FULL);
    });
    tape.at(12);
    (0..=duplicates).for_each(|_| {
        tape.ack(SERVER, 1, 1 + FULL);
    });
    tape
}

#[test]
fn three_duplicates_are_answered_at_once() {
    fine(congestion::fast_retransmit, &one_of_six(2), 100, 0);
    let mut tape = one_of_six(3);
    assert!(broken(congestion::fast_retransmit, &tape, 100));
    tape.carried(CLIENT, 1 + FULL, FULL);
    fine(congestion::fast_retransmit, &tape, 100, 1);
    // Another window makes it no duplicate.
    let mut tape = one_of_six(2);
    tape.window -= 1;
    tape.ack(SERVER, 1, 1 + FULL);
    fine(congestion::fast_retransmit, &tape, 100, 0);
}

#[test]
fn of_three_segments_one_duplicate_is_of_a_copy() {
    let of = |segments: u32| {
        let mut tape = Tape::connected(2);
        tape.at(10).carried(CLIENT, 1, FULL).lost(CLIENT, 1 + FULL, FULL);
        (2..=segments).for_each(|nth| {
            tape.carried(CLIENT, 1 + nth * FULL, FULL);
        });
        tape.at(12);
        (0..=3).for_each(|_| {
            tape.ack(SERVER, 1, 1 + FULL);
        });
        tape
    };
    fine(congestion::fast_retransmit, &of(3), 100, 0);
    assert!(broken(congestion::fast_retransmit, &of(4), 100));
}

#[test]
fn what_was_under_way_at_the_last_loss_is_not_lost_once_more() {
    let mut tape = one_of_six(3);
    tape.carried(CLIENT, 1 + FULL, FULL).at(14).ack(SERVER, 1, 1 + 3 * FULL);
    (0..4).for_each(|_| {
        tape.ack(SERVER, 1, 1 + 3 * FULL);
    });
    fine(congestion::fast_retransmit, &tape, 100, 1);
}

/// So many segments at once.
fn burst(tape: &mut Tape, from: u32, to: u32) {
    (from..to).for_each(|nth| {
        tape.carried(CLIENT, 1 + nth * FULL, FULL);
    });
}

#[test]
fn the_first_flight_is_bounded() {
    let mut tape = Tape::connected(2);
    burst(&mut tape, 0, 10);
    fine(congestion::first_flight, &tape, 100, 1);
    burst(&mut tape, 10, 11);
    assert!(broken(congestion::first_flight, &tape, 100));
}

#[test]
fn after_a_syn_that_was_repeated_twice_it_is_one_segment() {
    for (repeats, is_broken) in [(1, false), (2, true)] {
        let mut tape = Tape::new();
        (0..repeats).for_each(|nth| {
            tape.at(nth * 1_000).syn(false);
        });
        tape.at(5_000).syn(true).answered();
        burst(&mut tape, 0, 2);
        assert_eq!(broken(congestion::first_flight, &tape, 10_000), is_broken);
    }
}

#[test]
fn each_acknowledgement_lets_out_one_more() {
    let mut tape = Tape::connected(2);
    burst(&mut tape, 0, 10);
    tape.at(4).ack(SERVER, 1, 1 + 2 * FULL);
    burst(&mut tape, 10, 13);
    fine(congestion::slow_start, &tape, 100, 2);
    burst(&mut tape, 13, 14);
    assert!(broken(congestion::slow_start, &tape, 100));
}

#[test]
fn after_a_timeout_it_is_one_segment() {
    let mut tape = one_of_six(1);
    tape.at(212).carried(CLIENT, 1 + FULL, FULL);
    fine(congestion::backs_off, &tape, 1_000, 1);
    let mut hasty = one_of_six(1);
    hasty.at(212).carried(CLIENT, 1 + FULL, FULL).carried(CLIENT, 1 + 2 * FULL, FULL);
    assert!(broken(congestion::backs_off, &hasty, 1_000));
    tape.at(214).ack(SERVER, 1, 1 + 6 * FULL);
    burst(&mut tape, 6, 8);
    fine(congestion::backs_off, &tape, 1_000, 2);
    burst(&mut tape, 8, 9);
    assert!(broken(congestion::backs_off, &tape, 1_000));
}

#[test]
fn after_a_fast_retransmit_it_is_half() {
    let mut tape = Tape::connected(2);
    burst(&mut tape, 0, 10);
    tape.at(4).ack(SERVER, 1, 1 + FULL);
    (0..3).for_each(|_| {
        tape.ack(SERVER, 1, 1 + FULL);
    });
    tape.carried(CLIENT, 1 + FULL, FULL).at(6).ack(SERVER, 1, 1 + 10 * FULL);
    // Half of nine segments, and two for what is not exact.
    burst(&mut tape, 10, 16);
    assert!(!broken(congestion::backs_off, &tape, 100));
    burst(&mut tape, 16, 18);
    assert!(broken(congestion::backs_off, &tape, 100));
}

#[test]
fn whatever_had_a_segment_sent_again_halves_the_window() {
    let mut tape = Tape::connected(2);
    burst(&mut tape, 0, 10);
    tape.at(4).ack(SERVER, 1, 1 + FULL).ack(SERVER, 1, 1 + FULL).ack(SERVER, 1, 1 + FULL);
    // The second duplicate is one too few, but it is taken for a loss.
    tape.carried(CLIENT, 1 + FULL, FULL).at(6).ack(SERVER, 1, 1 + 10 * FULL);
    burst(&mut tape, 10, 16);
    assert!(!broken(congestion::backs_off, &tape, 100));
    burst(&mut tape, 16, 18);
    assert!(broken(congestion::backs_off, &tape, 100));
}

#[test]
fn data_is_acknowledged_within_half_a_second() {
    let mut tape = Tape::connected(2);
    tape.at(10).carried(CLIENT, 1, 100);
    fine(acknowledging::acknowledges, &tape, 500, 0);
    assert!(broken(acknowledging::acknowledges, &tape, 600));
    tape.at(400).lost_ack(SERVER, 1, 101);
    fine(acknowledging::acknowledges, &tape, 600, 1);
}

#[test]
fn the_third_full_segment_finds_an_acknowledgement() {
    let mut tape = Tape::connected(2);
    burst(&mut tape, 0, 2);
    let mut third = Tape::connected(2);
    burst(&mut third, 0, 3);
    assert!(broken(acknowledging::every_second_segment, &third, 100));
    tape.ack(SERVER, 1, 1 + 2 * FULL);
    burst(&mut tape, 2, 3);
    fine(acknowledging::every_second_segment, &tape, 100, 1);
}

#[test]
fn nothing_goes_beyond_the_window_but_a_probe() {
    let mut tape = Tape::connected(2);
    tape.window = FULL as u16;
    tape.at(10).ack(SERVER, 1, 1);
    // The SYN-ACK offered more, and that stays offered.
    burst(&mut tape, 0, 1);
    assert_eq!(windows::within_the_offer(&tape.until(100)).verdict, Verdict::Fine);

    let small = || {
        let mut tape = Tape::new();
        tape.window = FULL as u16;
        tape.syn(true).answered();
        burst(&mut tape, 0, 1);
        tape
    };
    let mut tape = small();
    tape.carried(CLIENT, 1 + FULL, 1);
    assert!(broken(windows::within_the_offer, &tape, 100), "the window is not closed yet");
    let mut tape = small();
    tape.window = 0;
    tape.at(20).ack(SERVER, 1, 1 + FULL).at(220).carried(CLIENT, 1 + FULL, 1);
    fine(windows::within_the_offer, &tape, 300, 1);
    tape.carried(CLIENT, 1 + FULL, 2);
    assert!(broken(windows::within_the_offer, &tape, 300));
}

#[test]
fn the_studies_hold_without_faults_on_both_simulations() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for study in studies() {
            let scenario = (study.scenario)(testbed).on(testbed);
            let run = scenario.run(&base(&scenario));
            assert!(
                run.end.is_finished(),
                "{} on {testbed}: {:?}\n{}",
                study.name,
                run.end,
                run.trace.text()
            );
            for spec in study.checks {
                let seen = (spec.check)(&run);
                let is_broken = matches!(seen.verdict, Verdict::Broken(_));
                assert!(!is_broken, "{} on {testbed}: {seen:?}\n{}", spec.claim, run.trace.text());
            }
        }
    }
}

/// What every run of a scenario has.
fn base(scenario: &faultwire_sim::Scenario) -> FaultPlan {
    let mut base = FaultPlan::default();
    scenario.clone().exhaustive(0).search(&mut |run| {
        base = run.plan.clone();
        ControlFlow::Break(())
    });
    base
}

/// Whether a check of a study sees the mutant, with one fault or none.
fn sees(mutant: Mutant, claim: &str) -> bool {
    let mut settings = Settings::default();
    settings.mutant = Some(mutant);
    studies().iter().chain(lifecycle::studies()).any(|study| {
        let checks: Vec<Check> =
            study.checks.iter().filter(|spec| spec.claim == claim).map(|spec| spec.check).collect();
        if checks.is_empty() {
            return false;
        }
        let scenario = (study.scenario)(testbed::VIRTUAL).on(testbed::VIRTUAL).settings(settings.clone());
        let mut seen = false;
        scenario.exhaustive(study.search.exhaustive.min(1)).search(&mut |run| {
            seen = checks.iter().any(|check| matches!(check(run).verdict, Verdict::Broken(_)));
            if seen { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        seen
    })
}

#[test]
fn every_mutant_of_these_claims_is_seen_under_one_fault() {
    let ours = |claim: &str| studies().iter().flat_map(|study| study.checks).any(|spec| spec.claim == claim);
    let unseen: Vec<&str> = Mutant::ALL
        .iter()
        .filter(|mutant| ours(mutant.breaks()) && !sees(**mutant, mutant.breaks()))
        .map(|mutant| mutant.name())
        .collect();
    assert!(unseen.is_empty(), "nobody sees {unseen:?}");
}

#[test]
fn every_guaranteed_claim_here_has_a_mutant() {
    for spec in studies().iter().flat_map(|study| study.checks) {
        let claim = Claim::of(spec.claim).expect("a claim of the registry");
        let has = Mutant::ALL.iter().any(|mutant| mutant.breaks() == spec.claim);
        assert!(has || claim.modality == Modality::Possible, "{}", spec.claim);
    }
}
