use super::curve::{POINTS_MAX, thinned};
use super::pen::{bytes, nice, seconds};
use super::*;
use faultwire_sim::testbed;

#[test]
fn a_curve_keeps_its_highest_points_and_its_end() {
    let points: Vec<(u64, i64)> = (0..10_000).map(|at| (at, i64::from(at == 7_777))).collect();
    let thin = thinned(&points);
    assert!(thin.len() <= POINTS_MAX && thin.contains(&(7_777, 1)), "{}", thin.len());
    assert_eq!(thin.last(), Some(&(9_999, 0)));
}

/// Draws what a scenario does on `virtual` under a plan.
fn charts_of(scenario: &str, plan: &str) -> (Trace, Vec<String>) {
    use crate::engine::{ReplayOptions, replay, studies};
    let study = studies().into_iter().find(|study| study.name == scenario).expect("a study");
    let plan = faultwire::fault::FaultPlan::parse(&format!("format = 1\n{plan}"), "plan").expect("a plan");
    let testbed = testbed::VIRTUAL;
    let trace = replay(&ReplayOptions { study, plan, testbed, seed: 0 }).run.trace;
    let charts = charts(&trace, "id");
    (trace, charts)
}

/// A plan that drops a packet from the client to the server.
fn drop(packet: &str) -> String {
    format!("[[fault]]\ndirection = \"client->server\"\npacket = {{ {packet} }}\naction = \"drop\"\n")
}

#[test]
fn the_congestion_window_is_the_one_that_the_stack_went_by() {
    let (trace, _) = charts_of("tcp-dialogue", &drop("class = \"data\", nth = 1"));
    let client = trace.host("client").expect("the client");
    let told = trace.congestion_windows().iter().filter(|window| window.host == client);
    let bytes: Vec<u32> = told.map(|window| window.bytes).collect();
    // Ten segments (RFC 6928). At the third duplicate half of the 7 300 bytes in flight and three segments;
    // one more for the fourth (RFC 5681, section 3.2). At the end of recovery with nothing in flight two
    // segments (RFC 6582, section 3.2, step 3).
    assert_eq!(bytes, [14_600, 3_650 + 3 * 1_460, 3_650 + 4 * 1_460, 2 * 1_460]);
}

#[test]
fn a_transfer_has_a_curve_for_each_window_and_marks_for_what_made_it_fall() {
    let (trace, charts) = charts_of("tcp-transfer", &drop("class = \"data\", nth = 5"));
    assert!(!trace.congestion_windows().is_empty());
    let [curve] = charts.as_slice() else { panic!("one chart, not {}", charts.len()) };
    // In the chart and in its legend.
    assert_eq!(curve.matches("class=\"curve congestion\"").count(), 2, "{curve}");
    assert_eq!(curve.matches("class=\"mark lost\"").count(), 2, "{curve}");
    assert_eq!(curve.matches("class=\"mark\"").count(), 2, "{curve}");
    let about = curve.split("<desc").nth(1).and_then(|rest| rest.split("</desc>").next()).expect("words");
    assert!(about.contains("The congestion window is between "), "{about}");
    assert!(
        about.contains(" 1 segment lost, from ") && about.contains(" 1 fast retransmit, from "),
        "{about}"
    );
    assert!(curve.contains("time in ms"), "{curve}");
}

#[test]
fn a_closed_window_is_shown_with_its_probes() {
    let (_, charts) = charts_of("tcp-slow-reader", "");
    let curve = charts.first().expect("a window closes");
    assert!(
        curve.contains("bytes at first and closes") && curve.contains("class=\"curve window\""),
        "{curve}"
    );
}

#[test]
fn what_no_window_bounds_has_no_curve() {
    for scenario in ["tcp-both-ways", "udp-numbered", "tcp-dialogue"] {
        let (_, charts) = charts_of(scenario, "");
        assert!(charts.is_empty(), "{scenario}: {charts:?}");
    }
}

#[test]
fn the_waits_of_repeats_double_but_for_a_fast_one() {
    let plan: String =
        (1..=3).map(|nth| drop(&format!("class = \"data\", nth = 1, transmission = {nth}"))).collect();
    let (_, charts) = charts_of("tcp-dialogue", &plan);
    let waits = charts.iter().find(|chart| chart.contains("each repeat")).expect("four are sent");
    // The first is sent again at three duplicate acknowledgements: after a round trip.
    assert!(waits.contains("The waits one after the other: 2 ms (fast), 200 ms, 400 ms."), "{waits}");
    assert_eq!(waits.matches("class=\"bar\"").count(), 3);
}

#[test]
fn a_connection_that_follows_another_between_the_same_ports_has_a_curve_of_its_own() {
    let (trace, _) = charts_of("tcp-time-wait", "");
    let flows = flow::flows(&trace);
    // Both directions of two connections; none has bytes in flight that are the distance to another's
    // numbers.
    assert!(flows.len() >= 4, "{}", flows.len());
    for flow in &flows {
        assert!(flow.in_flight.iter().all(|(_, bytes)| (0..100_000).contains(bytes)), "{:?}", flow.in_flight);
    }
}

#[test]
fn rules_stand_at_round_numbers_with_units() {
    assert_eq!([3.0, 0.2, 120.0, 5_001.0].map(nice), [5.0, 1.0, 200.0, 10_000.0]);
    assert_eq!([0.0, 500.0, 1_500.0, 20_000.0].map(bytes), ["0", "500 B", "1.5 kB", "20 kB"]);
    assert_eq!([2e-6, 0.2, 1.6, 120.0].map(seconds), ["2 µs", "200 ms", "1.6 s", "120 s"]);
}
