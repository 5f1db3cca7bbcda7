//! The test of adapters: faultwire's stack passes, and adapters with a mistake fail.

#[path = "adapter/wrong.rs"]
mod wrong;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use faultwire::stack::{Mutant, Stack};
use faultwire_conformance::adapter::{self, Outcome, Report};
use faultwire_sim::testbed::{Capability, StackSubject};
use wrong::{Mistake, Wrong};

fn wrong(mistake: Mistake) -> StackSubject {
    StackSubject::new("wrong", "an adapter with a mistake", move |host| {
        Box::new(Wrong::new(host.config, mistake))
    })
}

fn of(mistake: Mistake) -> Report {
    adapter::test(&wrong(mistake))
}

fn ids(report: &Report) -> Vec<&'static str> {
    report.not_met().map(|(requirement, _)| requirement.id).collect()
}

#[test]
fn faultwires_stack_meets_all() {
    let ours = StackSubject::new("ours", "faultwire's stack", |host| Box::new(Stack::new(host.config)));
    let report = adapter::test(&ours);
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.results.len(), adapter::requirements().count());
    assert!(report.results.iter().all(|(_, outcome)| *outcome == Outcome::Met), "nothing is skipped");
}

#[test]
fn each_mistake_is_found() {
    let (mut table, mut broken) = (String::new(), BTreeSet::new());
    for mistake in Mistake::ALL {
        let report = of(*mistake);
        let text = report.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let is_told = report.not_met().any(|(_, breach)| !breach.found.contains("it panicked"));
        let panics = [Mistake::PanicsWhenShort, Mistake::PanicsWhenQuoted].contains(mistake);
        assert_eq!(is_told, !panics, "{mistake:?}\n{text}");
        let ids = ids(&report);
        if ids.len() < 20 {
            broken.extend(ids.iter().copied());
        }
        let rest = ids.len().saturating_sub(5);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let _ = writeln!(table, "{mistake:?}: {}{more}", ids[..ids.len() - rest].join(" "));
    }
    // Each requirement is there for something.
    let all: BTreeSet<_> = adapter::requirements().map(|requirement| requirement.id).collect();
    assert_eq!(all.difference(&broken).collect::<Vec<_>>(), Vec::<&&str>::new(), "no mistake breaks them");
    insta::assert_snapshot!(table);
}

#[test]
fn a_report_tells_what_led_to_it() {
    // More than are told with what led to them.
    assert!(of(Mistake::Small).to_string().contains(" more is left out: it often"));
    insta::assert_snapshot!("a_lost_wake_up", of(Mistake::LostReset));
    insta::assert_snapshot!("a_livelock", of(Mistake::NeverIdle));
    let panic = of(Mistake::PanicsWhenShort).to_string();
    let (before, place) = panic.split_once("wrong.rs:").expect("the place");
    let after = place.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    insta::assert_snapshot!("a_panic", format!("{before}wrong.rs:LINE:{after}"));
}

/// Bugs of TCP are for the claims. Those below are bugs of the socket calls, too.
#[test]
fn bugs_of_tcp_are_no_wrong_adapter() {
    let fails = |mutant: &&Mutant| {
        let mutant = **mutant;
        let stack = StackSubject::new("mutant", "faultwire's stack with a bug", move |mut host| {
            host.config.mutant = Some(mutant);
            Box::new(Stack::new(host.config))
        });
        !adapter::test(&stack.lacks(Capability::Ipv6, "to save time")).is_ok()
    };
    let names: Vec<_> = Mutant::ALL.iter().filter(fails).map(|mutant| mutant.name()).collect();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn what_a_stack_lacks_is_skipped() {
    let lacking = [
        (Capability::Streams, "it has no TCP"),
        (Capability::Ipv6, "it has no IPv6"),
        (Capability::Icmp, "it ignores ICMP"),
    ];
    let small = |lacking: &[(Capability, &'static str)]| {
        lacking.iter().fold(wrong(Mistake::Small), |stack, (what, why)| stack.lacks(*what, why))
    };
    let report = adapter::test(&small(&lacking));
    assert!(report.is_ok(), "{report}");
    let skipped = |why: &str| {
        report.results.iter().filter(|(_, outcome)| *outcome == Outcome::Skipped(why.to_owned())).count()
    };
    assert_eq!((skipped("it has no TCP"), skipped("it ignores ICMP")), (23, 1), "{report}");
    for missing in 0..lacking.len() {
        let mut declared = lacking.to_vec();
        let (what, _) = declared.remove(missing);
        let report = adapter::test(&small(&declared));
        let told = report.to_string();
        assert!(
            !report.is_ok() && told.contains(&format!("not meant to have it ({})", what.name())),
            "{told}"
        );
    }
}
