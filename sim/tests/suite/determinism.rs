//! Nothing but the plan and the seed decides a run: not the process, not the time of day, not the order of a
//! map.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Difference, Explorer, Net, Result, Scenario, scenario, testbed};

/// Two clients race for a server that answers whoever comes.
fn race() -> Scenario {
    let client = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let mut buffer = [0; 64];
        for n in 0..5u8 {
            socket.send(&[n; 40]).await?;
            let _ = net.timeout(Duration::from_millis(50), socket.recv_from(&mut buffer)).await;
        }
        Result::Ok(())
    };
    scenario("race").server(echo).client_on("left", client).client_on("right", client)
}

async fn echo(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 64];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

fn hashes() -> String {
    let actions = [Action::Drop, Action::Duplicate, Action::HoldFor(2), Action::DelayUs(60_000)];
    let fault = |action| Fault::new(["left", "server"], Packet::nth(Class::Datagram, 2), action);
    let plans = actions.map(|action| FaultPlan::new().faults([fault(action)]));
    let mut lines = String::new();
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for plan in &plans {
            let run = race().on(testbed).run(plan);
            assert!(run.fired.all() && run.end.is_finished());
            lines += &format!("trace {}\n", run.trace.hash());
        }
    }
    lines
}

/// What this test program prints when it runs one of its tests, with a variable that tells it so.
fn printed_by_another_process(test: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_ANOTHER_PROCESS, "1")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const IN_ANOTHER_PROCESS: &str = "IN_ANOTHER_PROCESS";

/// Runs itself in two further processes.
#[test]
fn another_process_sees_the_same() {
    let own = hashes();
    if std::env::var_os(IN_ANOTHER_PROCESS).is_some() {
        std::io::stdout().write_all(own.as_bytes()).unwrap();
        return;
    }
    for _ in 0..2 {
        let text = printed_by_another_process("determinism::another_process_sees_the_same");
        let printed: String =
            text.lines().filter(|line| line.starts_with("trace ")).map(|line| format!("{line}\n")).collect();
        assert_eq!(printed, own, "{text}");
    }
}

fn choosing(biased: bool) -> Scenario {
    scenario("choosing").server(echo).client(move |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        let server = net.resolve("server:7000").await?[0];
        let (one, two) = (socket.send_to(b"one", server), socket.send_to(b"two", server));
        if biased {
            tokio::select! { biased; _ = one => {} _ = two => {} }
        } else {
            tokio::select! { _ = one => {} _ = two => {} }
        }
        Ok(())
    })
}

#[test]
fn an_unbiased_choice_is_noticed() {
    assert_eq!(choosing(true).difference(), None);
    if cfg!(tokio_unstable) {
        // tokio takes a seed there: each choice repeats, and they are not the same for all seeds.
        for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
            let choosing = choosing(false).on(testbed);
            let chosen = |seed| {
                let seeded = choosing.clone().seed(seed);
                assert_eq!(seeded.difference(), None);
                let is_one = |line: &str| line.contains("send 3 B \"one\"");
                seeded.run(&FaultPlan::default()).trace.text().lines().any(is_one)
            };
            let ones = (0..32).filter(|seed| chosen(*seed)).count();
            assert!((1..32).contains(&ones), "{testbed}: {ones}");
        }
        return;
    }
    // Missed once in 128: not sixteen times in a row.
    let noticed = (0..16).find_map(|_| choosing(false).difference()).expect("the runs differ");
    assert!(noticed.is_of_bytes, "both send 3 bytes: {noticed}");
    assert!(noticed.lines.iter().all(|line| line.contains("send 3 B")), "{noticed}");
}

/// A client that asks each server in turn, in the order that `servers` says.
fn asking_in_order(servers: impl Fn() -> Vec<&'static str> + Send + Sync + 'static) -> Scenario {
    let servers = Arc::new(servers);
    let names = ["a", "b", "c", "d", "e", "f"];
    let asking = names.into_iter().fold(scenario("asking in order"), |it, name| it.host(name, echo));
    asking.client(move |net: Net| {
        let servers = servers();
        async move {
            for server in servers {
                ask(&net, &format!("{server}:7000"), b"there?", true).await?;
            }
            Ok(())
        }
    })
}

#[test]
fn the_order_of_a_hash_map_is_noticed() {
    #[expect(clippy::disallowed_types, reason = "it is what must be noticed")]
    let forgetful = asking_in_order(|| {
        let servers: std::collections::HashMap<_, ()> =
            ["a", "b", "c"].into_iter().map(|it| (it, ())).collect();
        servers.into_keys().collect()
    });
    let noticed = forgetful.difference().expect("the runs differ");
    assert!(!noticed.is_of_bytes, "{noticed}");
    assert!(complaint(forgetful.clone().exhaustive(1)).contains("the order of a HashMap"));
    // Told that this is so, it is searched.
    forgetful.nondeterministic().exhaustive(1).check();
}

/// Random numbers that are not the network's.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// Sends a request until an answer comes. A careful client takes none but its own.
async fn ask(net: &Net, server: &str, request: &[u8], is_careful: bool) -> Result {
    let socket = net.datagram("0.0.0.0:5000", &[]).await?;
    socket.connect(server).await?;
    exchange(net, &socket, request, is_careful).await
}

async fn exchange(
    net: &Net,
    socket: &faultwire_sim::NetDatagram,
    request: &[u8],
    is_careful: bool,
) -> Result {
    let mut buffer = [0; 64];
    for _ in 0..40 {
        socket.send(request).await?;
        let until = net.now() + Duration::from_millis(200);
        while let Ok(received) = net.timeout(until.since(net.now()), socket.recv_from(&mut buffer)).await {
            let answer = &buffer[..received?.len];
            if answer == request {
                return Ok(());
            }
            if !is_careful {
                return Err("the answer to another request".into());
            }
        }
    }
    Err("no answer".into())
}

/// A client whose three requests are random numbers, followed by up to `longer` bytes.
fn nonces(is_careful: bool, longer: u64) -> Scenario {
    scenario("nonces").server(echo).client(move |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        for _ in 0..3 {
            let mut request = random().to_be_bytes().to_vec();
            request.resize(8 + (random() % (longer + 1)) as usize, 0);
            exchange(&net, &socket, &request, is_careful).await?;
        }
        Ok(())
    })
}

fn complaint(explorer: Explorer) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| explorer.check())).expect_err("a complaint");
    failed.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn runs_that_differ_in_random_bytes_are_searched_and_that_is_said() {
    let Difference { is_of_bytes, lines: [one, two], .. } = nonces(true, 0).difference().expect("random");
    assert!(is_of_bytes && one != two && one.contains("client s0 send 8 B"), "{one}\n{two}");
    if std::env::var_os(IN_ANOTHER_PROCESS).is_some() {
        return nonces(true, 0).exhaustive(2).random(100).check();
    }
    let printed = printed_by_another_process(
        "determinism::runs_that_differ_in_random_bytes_are_searched_and_that_is_said",
    );
    assert!(printed.contains("nonces: no plan was found"), "{printed}");
    assert!(printed.contains("runs repeat in shape, not in bytes"), "{printed}");
    assert!(printed.contains("client s0 send 8 B \""), "where they differ first: {printed}");
    // A bug is found, made small and reported.
    let complaint = complaint(nonces(false, 0).exhaustive(1).random(100));
    assert!(complaint.contains("\n  duplicate client->server datagram 1\n"), "{complaint}");
    assert!(complaint.contains("10 of 10 runs under this plan fail"), "{complaint}");
    assert!(complaint.contains("runs repeat in shape, not in bytes"), "{complaint}");
}

#[test]
fn runs_that_differ_in_lengths_are_searched_if_the_scenario_says_so() {
    let noticed = nonces(true, 15).difference().expect("random");
    assert!(!noticed.is_of_bytes, "{noticed}");
    let refusal = complaint(nonces(true, 15).exhaustive(1));
    assert!(
        refusal.contains("differ, at event") && refusal.contains("`Scenario::nondeterministic`"),
        "{refusal}"
    );
    let lenient = nonces(true, 15).nondeterministic().exhaustive(2).random(100);
    lenient.check();
    let tried = lenient.explore().tried;
    assert!(tried.fault_free == 3 && tried.retries > 0, "a bit of the longest is not in all: {tried:?}");
    let complaint = complaint(nonces(false, 15).nondeterministic().exhaustive(1).random(100));
    assert!(complaint.contains("\n  duplicate client->server datagram 1\n"), "{complaint}");
    assert!(complaint.contains("10 of 10 runs under this plan fail"), "{complaint}");
    assert!(complaint.contains("runs need not repeat"), "{complaint}");
}

/// A client that gives up in every third run if its first request is lost. It says in each run which it is.
fn fails_now_and_then() -> Scenario {
    let runs = Arc::new(AtomicU32::new(0));
    scenario("now and then").server(echo).without_outages().client(move |net: Net| {
        let nth = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            let start = net.now();
            ask(&net, "server:7000", &nth.to_be_bytes(), true).await?;
            let was_lost = net.now().since(start) > Duration::from_millis(100);
            if was_lost && nth.is_multiple_of(3) { Err("a third of the runs".into()) } else { Ok(()) }
        }
    })
}

#[test]
fn a_plan_that_fails_now_and_then_is_reported_with_how_often_and_replays() {
    let complaint = complaint(fails_now_and_then().exhaustive(1));
    assert!(complaint.contains("client: a third of the runs"), "{complaint}");
    let rate = ["3 of 10 runs", "4 of 10 runs"];
    assert!(rate.iter().any(|rate| complaint.contains(rate)), "{complaint}");
    // One run in three shows it: a replay goes on until it is seen.
    let plan = FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, 1), Action::Drop);
    let scenario = fails_now_and_then();
    for _ in 0..3 {
        let failed = catch_unwind(AssertUnwindSafe(|| scenario.check_under(&plan)));
        assert!(failed.is_err());
    }
}

/// Without faults its runs repeat. It draws a random number only when it has to wait.
#[test]
fn a_failure_whose_runs_do_not_repeat_says_so() {
    let backing_off = scenario("backing off").server(echo).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        socket.send(b"there?").await?;
        let mut buffer = [0; 64];
        if net.timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await.is_err() {
            net.sleep(Duration::from_millis(random() % 1_000)).await;
            socket.send(b"still there?").await?;
            return Err("it gives up".into());
        }
        Ok(())
    });
    assert_eq!(backing_off.difference(), None);
    let complaint = complaint(backing_off.exhaustive(1));
    assert!(complaint.contains("a replay may not fail: two runs"), "{complaint}");
    assert!(complaint.contains("send 12 B \"still there?\""), "{complaint}");
}

/// What a run leaves behind is nothing: a circle of references would show as memory that only grows.
#[test]
fn a_run_leaves_no_program_behind() {
    let marker = std::sync::Arc::new(());
    let held = marker.clone();
    let holding = scenario("holding").server(move |net: Net| {
        let held = held.clone();
        async move {
            let result = echo(net).await;
            drop(held);
            result
        }
    });
    let holding = holding.client(|net: Net| async move {
        net.sleep(Duration::from_millis(5)).await;
        Ok(())
    });
    for testbed in
        [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS, testbed::LOOPBACK, testbed::RELAY]
    {
        for _ in 0..10 {
            assert!(holding.clone().on(testbed).run(&FaultPlan::default()).end.is_finished());
        }
    }
    drop(holding);
    assert_eq!(std::sync::Arc::strong_count(&marker), 1);
}
