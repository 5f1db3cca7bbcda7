//! A search in which the hosts crash: to report that the peer is gone is right, to be killed by it is not.

use faultwire::fault::{EventKind, FaultPlan};

use crate::{FAULTWIRE, Pair, can, scratch, text};

/// A client that asks for three seconds, and then does something else.
fn asking(then: &str) -> Pair {
    let ask = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --timeout 0.5");
    let client = format!("for try in 1 2 3 4 5 6; do {ask} && exit 0; done; {then}");
    Pair { client, ..Pair::of_echo("there") }
}

#[test]
fn who_reports_that_its_peer_is_gone_is_right_and_who_is_killed_by_it_is_not() {
    if !can(&[]) {
        return;
    }
    let (_folder, path, plan) = scratch();
    let search = |then| {
        let output =
            asking(then).search(&["--crashes", "--jobs", "16", "--out", &plan, "--cases", "0"]).output();
        let output = output.expect("the command starts");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, told) = search("exit 1");
    assert_eq!(code, Some(0), "{said}\n{told}");
    assert!(
        said.contains("; not tried: changed packets, rejected packets, injected packets, two or more faults"),
        "{said}"
    );

    let (code, said, told) = search("kill -KILL $$");
    assert_eq!(code, Some(1), "{said}\n{told}");
    assert!(said.starts_with("the client is ended by signal 9 under this plan:\n  "), "{said}");
    assert!(said.contains("found by a plan of one crash in run "), "{said}");
    let written = FaultPlan::read(&path).expect("a plan");
    let [event] = written.events.as_slice() else { panic!("{written:?}") };
    assert!(written.faults.is_empty());
    assert_eq!(event.kind, EventKind::Crash("server".to_owned()));
}
