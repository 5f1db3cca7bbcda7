//! The explorer over simulated hosts, and over testbeds on which no two runs are the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;

use faultwire::fault::{Action, Class, Fault, Packet};
use faultwire::network::{Datagram as _, Network as _};

use super::*;
use crate::scenario;
use crate::scenario::{Capabilities, Clock, Subject, Testbed};
use crate::search::tests::toy::{self, Bug};

#[test]
fn a_host_that_may_crash_does_so_after_each_packet() {
    let scenario = scenario("crashing")
        .server(|net| async move {
            let socket = net.datagram("0.0.0.0:7000", &[]).await?;
            loop {
                let received = socket.recv_from(&mut [0; 8]).await?;
                socket.send_to(b"yes", received.from).await?;
            }
            #[expect(unreachable_code, reason = "it says of what type the errors are")]
            Ok::<(), std::io::Error>(())
        })
        .client(|net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            socket.connect("server:7000").await?;
            socket.send(b"there?").await?;
            socket.recv_from(&mut [0; 8]).await?;
            Ok(())
        })
        .crashes_for_good("server")
        .without_outages()
        .exhaustive(1);
    let mut ends = Vec::new();
    let tried = scenario.search(&mut |run| {
        if !run.plan.events.is_empty() {
            assert!(run.plan.faults.is_empty() && run.fired.all());
            ends.push(run.end.is_finished());
        }
        ControlFlow::Continue(())
    });
    assert_eq!(
        ends,
        [false, true],
        "after the question there is no answer; after the answer the server is not needed"
    );
    assert_eq!(tried.singles, tried.singles_of);
    assert_eq!(tried.not_applied, 0);
}

/// A testbed in real time, on which runs under one plan differ: `fails` says which fail, `messages` how many
/// messages go there, and `disturbed` how many runs under each plan are disturbed first.
#[derive(Debug)]
struct Changing {
    made: Mutex<BTreeMap<String, u32>>,
    messages: fn(&FaultPlan, u32) -> u8,
    fails: fn(&FaultPlan, u32) -> bool,
    disturbed: u32,
}

impl Default for Changing {
    fn default() -> Self {
        Changing { made: Mutex::default(), messages: |_, _| 1, fails: |_, _| false, disturbed: 0 }
    }
}

impl Testbed for Changing {
    fn name(&self) -> &'static str {
        "changing"
    }
    fn subject(&self) -> Subject {
        Subject::FAULTWIRE
    }
    fn about(&self) -> &'static str {
        "a testbed of a test"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { clock: Clock::Real, lacking: &[] }
    }
    fn run(&self, _: &Scenario, plan: &FaultPlan) -> Run {
        let mut made = self.made.lock().expect("no test panics here");
        let nth = made.entry(plan.to_toml()).and_modify(|nth| *nth += 1).or_default();
        let mut run = toy::run(plan, (self.messages)(plan, *nth), Bug::None);
        run.disturbed = (*nth < self.disturbed).then(|| "a packet was lost".to_owned());
        if (self.fails)(plan, *nth) {
            run.end = End::Failed { host: Some("client".to_owned()), message: "gives up".to_owned() };
        }
        run
    }
}

fn changing(messages: fn(&FaultPlan, u32) -> u8, fails: fn(&FaultPlan, u32) -> bool) -> Explorer {
    let scenario = testbed(Changing { messages, fails, ..Changing::default() });
    Explorer::from(scenario).repeats(Repeats::REAL_TIME)
}

/// A scenario on such a testbed.
fn testbed(changing: Changing) -> Scenario {
    scenario("changing").client(|_| async { Ok(()) }).on(Box::leak(Box::new(changing)))
}

fn dropped(nths: &[u32]) -> FaultPlan {
    let drop = |nth: &u32| Fault::new(["client", "server"], Packet::nth(Class::Datagram, *nth), Action::Drop);
    FaultPlan::new().faults(nths.iter().map(drop))
}

fn is_drop(plan: &FaultPlan) -> bool {
    plan.faults.iter().any(|fault| fault.action == Action::Drop)
}

#[test]
fn a_failure_that_is_not_seen_twice_counts_as_unconfirmed() {
    for (fails, confirmed) in [
        ((|plan, nth| is_drop(plan) && nth == 0) as fn(&FaultPlan, u32) -> bool, false),
        (|plan, _| is_drop(plan), true),
    ] {
        let found = changing(|_, _| 1, fails).exhaustive(1).jobs(3).explore();
        assert_eq!(!found.failures.is_empty(), confirmed, "{found:?}");
        assert_eq!(found.tried.unconfirmed, if confirmed { 0 } else { 2 });
    }
}

#[test]
fn faults_hit_packets_that_all_runs_without_faults_have() {
    let singles = |messages| {
        let visit = &mut |_: &Run| ControlFlow::Continue(());
        changing(messages, |_, _| false).exhaustive(1).search(visit).singles
    };
    let (one, two) = (singles(|_, _| 1), singles(|_, _| 2));
    assert_eq!(two, 2 * one);
    let now_and_then = singles(|plan, nth| if plan.faults.is_empty() && nth == 1 { 1 } else { 2 });
    assert_eq!(now_and_then, one);
}

#[test]
fn a_smaller_plan_is_taken_if_it_fails_each_time() {
    let both = |plan: &FaultPlan| plan.faults.len() == 2;
    let found = changing(|_, _| 2, move |plan, nth| plan.faults.len() == 2 || nth % 2 == 0);
    let run = found.scenario().run(&dropped(&[1, 2]));
    let failure = found.failure_in(&run);
    assert!(both(&failure.smallest.plan) && failure.is_minimal, "{failure:?}");
    assert_eq!(failure.rate, Some(Rate { failed: 10, of: 10 }));
}

#[test]
fn a_plan_that_fails_no_more_is_given_up_for_a_larger_one() {
    // With one fault it fails in the three runs of the shrinker, and never again.
    let found = changing(|_, _| 2, |plan, nth| plan.faults.len() == 2 || nth < 3);
    let run = found.scenario().run(&dropped(&[1, 2]));
    let failure = found.failure_in(&run);
    assert_eq!((failure.smallest.plan.faults.len(), failure.is_minimal), (2, false), "{failure:?}");
    assert_eq!(failure.rate, Some(Rate { failed: 10, of: 10 }));
}

#[test]
fn a_disturbed_run_is_retried_twice() {
    for (times, is_refused) in [(0, false), (1, false), (2, false), (3, true)] {
        let run = testbed(Changing { disturbed: times, ..Changing::default() }).run(&FaultPlan::default());
        assert_eq!((run.retries, run.is_refused()), (times.min(2), is_refused), "{:?}", run.end);
    }
}
