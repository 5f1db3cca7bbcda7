//! From a scenario with a planted bug to the one fault that shows it, over the real stacks and the real wire.

use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{Action, FaultPlan};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire_sim::search::{ShrinkLimits, is_minimal};
use faultwire_sim::{End, Net, Result, Run, Scenario, Signature, scenario};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What is wrong with the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// The server adds a number again when its request comes again.
    AddsRepeats,
    /// The client takes any answer for the one to its last request.
    TakesAnyAnswer,
    /// The client asks once.
    NeverAsksAgain,
}

const BUGS: [Bug; 3] = [Bug::AddsRepeats, Bug::TakesAnyAnswer, Bug::NeverAsksAgain];

/// Adds the numbers that it is sent, each with its number in a sequence; answers with that and the sum.
async fn adder(net: Net, bug: Bug) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let (mut sum, mut last) = (0, 0);
    let mut buffer = [0; 16];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        let [sequence, number] = buffer[..received.len] else {
            continue;
        };
        if sequence == last + 1 || bug == Bug::AddsRepeats {
            (sum, last) = (sum + number, sequence);
        }
        if sequence <= last {
            socket.send_to(&[sequence, sum], received.from).await?;
        }
    }
}

/// Has numbers added, one after the other, and looks at the last sum.
async fn client(net: Net, bug: Bug, messages: u8, timeout: Duration) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    socket.connect("server:7000").await?;
    let mut sum = 0;
    let mut buffer = [0; 16];
    for sequence in 1..=messages {
        let mut tries = if bug == Bug::NeverAsksAgain { 1 } else { 12 };
        'asked: loop {
            if tries == 0 {
                return Err(format!("no answer to request {sequence}").into());
            }
            tries -= 1;
            socket.send(&[sequence, 10 + sequence]).await?;
            let until = net.now() + timeout;
            while let Ok(received) = net.timeout(until.since(net.now()), socket.recv_from(&mut buffer)).await
            {
                received?;
                if buffer[0] == sequence || bug == Bug::TakesAnyAnswer {
                    sum = buffer[1];
                    break 'asked;
                }
            }
        }
    }
    let expected: u8 = (1..=messages).map(|sequence| 10 + sequence).sum();
    if sum == expected { Ok(()) } else { Err(format!("{sum} is not {expected}").into()) }
}

fn adding(bug: Bug, messages: u8, timeout: Duration) -> Scenario {
    scenario("adding")
        .server(move |net| adder(net, bug))
        .client(move |net| client(net, bug, messages, timeout))
        .timeout(timeout)
}

#[test]
fn the_programs_without_a_bug_survive_two_faults_and_many() {
    // Twelve tries of 50 ms each are over before a long outage is.
    let scenario = adding(Bug::None, 2, Duration::from_millis(50)).without_outages();
    let scenario = scenario.exhaustive(2).random(200);
    let mut runs = 0;
    let tried = scenario.search(&mut |run| {
        assert_eq!(run.end, End::Finished, "{}", run.plan.to_toml());
        assert!(run.fired.all());
        runs += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(tried.runs(), runs);
    assert_eq!((tried.fault_free, tried.singles, tried.random), (1, 40, 200));
    assert!(tried.pairs > 700 && tried.pairs == tried.pairs_of, "{tried:?}");
    assert_eq!((tried.not_applied, tried.refused, tried.without_hit, tried.nondeterministic), (0, 0, 0, 0));
    assert_eq!(tried.faults_planned, tried.faults_fired);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_planted_bug_is_found_with_one_fault_that_replays(
        bug in proptest::sample::select(&BUGS[..]),
        messages in 2_u8..6,
        timeout_ms in 5_u64..300,
        seed: u64,
    ) {
        let scenario = adding(bug, messages, Duration::from_millis(timeout_ms)).seed(seed);
        let found = scenario.clone().exhaustive(1).explore();
        let failure = &found.failures[0];
        let plan = &failure.smallest.plan;
        prop_assert_eq!(plan.faults.len(), 1);
        prop_assert!(failure.is_minimal && failure.smallest.fired.all());
        let mut fails = |plan: &FaultPlan| matches!(scenario.run(plan).end, End::Failed { .. });
        prop_assert!(is_minimal(plan, &mut fails, &ShrinkLimits::default()), "{}", plan.to_toml());
        let read = FaultPlan::parse(&plan.to_toml(), "smallest.toml").expect("a plan file");
        let again = scenario.run(&read);
        prop_assert_eq!(again.trace.hash(), failure.smallest.trace.hash());
        prop_assert_eq!(&again.end, &failure.smallest.end);
    }
}

/// Asks once for each number over UDP, and waits for less than half a second over TCP.
fn hasty() -> [Scenario; 2] {
    let over_udp = adding(Bug::NeverAsksAgain, 3, Duration::from_millis(60));
    let server = |net: Net| async move {
        let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            while let Ok(number) = stream.read_u8().await {
                let _ = stream.write_u8(number).await;
            }
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    let over_tcp = scenario("hasty").server(server).client(|net: Net| async move {
        let all = async {
            let mut stream = net.connect("server:7000", &[]).await?;
            for number in 1..=3 {
                stream.write_u8(number).await?;
                stream.read_u8().await?;
            }
            std::io::Result::Ok(())
        };
        Ok(net.timeout(Duration::from_millis(450), all).await??)
    });
    [over_udp, over_tcp]
}

#[test]
fn no_smallest_plan_has_damage_where_a_loss_shows_the_same() {
    let (mut shrunk, mut damaged) = (0, 0);
    let damages = |plan: &FaultPlan| plan.faults.iter().any(|it| matches!(it.action, Action::CorruptBits(_)));
    for scenario in hasty() {
        let mut failing = Vec::new();
        scenario.clone().random(0).search_random(0, 400, &mut |run| {
            if !run.end.is_finished() && failing.len() < 50 {
                failing.push(run.clone());
            }
            ControlFlow::Continue(())
        });
        for run in failing {
            let kind = Signature::of(&run).expect("it failed");
            let mut shows = |run: &Run| {
                run.fired.all() && Signature::of(run).is_some_and(|signature| signature.ends_like(&kind))
            };
            let smallest = scenario.shrink(&run.plan, &mut shows);
            assert!(smallest.minimal, "{:?}", smallest.plan);
            for (place, fault) in smallest.plan.faults.iter().enumerate() {
                if matches!(fault.action, Action::CorruptBits(_)) {
                    let mut lost = smallest.plan.clone();
                    lost.faults[place].action = Action::Drop;
                    assert!(!shows(&scenario.run(&lost)), "a loss shows it too: {:?}", smallest.plan);
                }
            }
            (shrunk, damaged) = (shrunk + 1, damaged + u32::from(damages(&run.plan)));
        }
    }
    assert_eq!(shrunk, 100);
    assert!(damaged > 20, "{damaged} of the plans damage a packet");
}
