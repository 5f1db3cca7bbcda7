//! What a host keeps when it starts again, what a run keeps for its programs, and what must always be true.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use faultwire::fault::{Cut, EventKind, FaultPlan, PlanEvent, When};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, Result, Scenario, Skew, scenario};

const SIMULATED: [TestbedRef; 2] = [testbed::VIRTUAL, testbed::TURMOIL];

fn at(kind: EventKind, ms: u64) -> PlanEvent {
    PlanEvent::new(kind, When::AtUs(ms * 1_000))
}

/// What the disk of a host holds as its program starts, for each time that it does.
type Found = Mutex<Vec<Vec<(String, String)>>>;

/// A server that writes and dies; a client that waits.
fn writing(testbed: TestbedRef) -> Scenario {
    scenario("writing")
        .on(testbed)
        .state(Found::default)
        .host("server", |net: Net| async move {
            let disk = net.disk();
            let text = |file: &String| String::from_utf8(disk.read(file).unwrap()).unwrap();
            let found = disk.files().iter().map(|file| (file.clone(), text(file))).collect();
            net.state::<Found>().lock().unwrap().push(found);
            disk.write("synced", "old");
            disk.write("removed", "x");
            for file in ["synced", "removed"] {
                disk.sync(file);
            }
            disk.append("synced", ", not synced");
            disk.write("new", "not synced");
            disk.remove("removed");
            std::future::pending::<()>().await;
        })
        .client(|net: Net| async move {
            net.sleep(Duration::from_millis(100)).await;
            Ok(())
        })
}

#[test]
fn a_crash_keeps_what_was_synced_and_a_kill_what_was_written() {
    let files = |files: &[(&str, &str)]| -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let after_crash = files(&[("removed", "x"), ("synced", "old")]);
    let after_kill = files(&[("new", "not synced"), ("synced", "old, not synced")]);
    for testbed in SIMULATED {
        for (death, found) in
            [(EventKind::Crash as fn(String) -> EventKind, &after_crash), (EventKind::Kill, &after_kill)]
        {
            let host = || "server".to_owned();
            let plan = FaultPlan::new().events([at(death(host()), 10), at(EventKind::Restart(host()), 20)]);
            let wanted = vec![Vec::new(), found.clone()];
            let scenario = writing(testbed).invariant("the disk", move |run| {
                let found = run.state::<Found>().lock().unwrap().clone();
                if found == wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
            });
            // Twice: a disk is one run's.
            for _ in 0..2 {
                assert_eq!(scenario.run(&plan).end, End::Finished, "{testbed}: {:?}", plan.events);
            }
        }
    }
}

#[test]
fn a_state_is_new_in_each_run_and_when_a_run_begins_again() {
    let scenario = scenario("counted")
        .state(AtomicU32::default)
        .server(|net: Net| async move {
            net.state::<AtomicU32>().fetch_add(1, Ordering::Relaxed);
            // It makes the run begin again, with a runtime for each host.
            faultwire_sim::net::UdpSocket::bind("0.0.0.0:7").await?;
            std::future::pending::<Result>().await
        })
        .client(|net: Net| async move {
            net.sleep(Duration::from_millis(5)).await;
            Ok(())
        })
        .invariant("one start", |run| match run.state::<AtomicU32>().load(Ordering::Relaxed) {
            1 => Ok(()),
            starts => Err(format!("{starts} starts")),
        });
    for testbed in SIMULATED {
        for _ in 0..3 {
            assert_eq!(scenario.clone().on(testbed).run(&FaultPlan::default()).end, End::Finished);
        }
    }
}

#[test]
fn what_must_always_be_true_fails_at_the_moment_when_it_is_not() {
    let client = |net: Net| async move {
        for round in 0..10_u32 {
            net.state::<AtomicU32>().store(round, Ordering::Relaxed);
            net.note("round", round);
            net.sleep(Duration::from_millis(10)).await;
        }
        // By the end it is true again.
        net.state::<AtomicU32>().store(0, Ordering::Relaxed);
        Ok(())
    };
    for testbed in SIMULATED {
        let scenario = scenario("rounds").on(testbed).state(AtomicU32::default).client(client);
        let below = |run: &faultwire_sim::Moment<'_>| match run.state::<AtomicU32>().load(Ordering::Relaxed) {
            0..7 => Ok(()),
            round => Err(format!("round {round} at {}", run.now())),
        };
        let run = scenario.clone().always("below 7", below).run(&FaultPlan::default());
        let End::Failed { host: None, message } = &run.end else { panic!("{:?}", run.end) };
        assert!(message.starts_with("below 7: round 7 at 7"), "{message}");
        let rounds: Vec<_> = run.trace.noted("round").map(|noted| noted.value).collect();
        assert_eq!(rounds, ["0", "1", "2", "3", "4", "5", "6", "7"], "{testbed}");
        let diagram = run.trace.diagram(&Default::default());
        assert!(diagram.contains("round = 7"), "{diagram}");
        assert_eq!(
            scenario.clone().invariant("below 7", below).run(&FaultPlan::default()).end,
            End::Finished
        );
        // A panic is a failure too.
        let run = scenario.always("quiet", |_| panic!("loud")).run(&FaultPlan::default());
        let End::Failed { message, .. } = run.end else { panic!("{:?}", run.end) };
        assert!(message.starts_with("quiet: it panicked at ") && message.ends_with(": loud"), "{message}");
    }
}

#[test]
fn clocks_are_wrong_as_said() {
    let clock = |net: Net| async move {
        net.sleep(Duration::from_secs(10)).await;
        let shown = net.system_time().duration_since(UNIX_EPOCH)?.as_secs();
        net.note("clock", shown);
        Ok(())
    };
    for testbed in SIMULATED {
        let scenario = scenario("clocks").on(testbed).client_on("right", clock).client_on("late", clock);
        let late = Skew::behind(Duration::from_secs(60)).drifting(100_000);
        let run = scenario.skew("late", late).run(&FaultPlan::default());
        let mut shown: Vec<_> =
            run.trace.noted("clock").map(|it| (run.trace.host_name(it.host), it.value)).collect();
        shown.sort_unstable();
        assert_eq!(shown, [("late", "1699999951"), ("right", "1700000010")], "{testbed}");
    }
}

/// A register that promises to remember. The bug: it answers before the disk has it.
fn register(syncs_first: bool) -> Scenario {
    let server = move |net: Net| async move {
        let disk = net.disk();
        let socket = net.datagram("0.0.0.0:7", &[]).await?;
        loop {
            let mut byte = [0];
            let asked = socket.recv_from(&mut byte).await?;
            if byte == [b'?'] {
                let value = disk.read("value").unwrap_or_default();
                socket.send_to(&value, asked.from).await?;
                continue;
            }
            disk.write("value", byte);
            if syncs_first {
                disk.sync("value");
            }
            socket.send_to(b"ok", asked.from).await?;
            if !syncs_first {
                net.sleep(Duration::from_millis(30)).await;
                disk.sync("value");
            }
        }
        #[expect(unreachable_code, reason = "it gives the type of the error")]
        std::io::Result::Ok(())
    };
    scenario("register").server(server).client(|net: Net| async move {
        let ask = async |question: &'static [u8]| {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            socket.connect("server:7").await?;
            let mut answer = [0; 2];
            for _ in 0..20 {
                // An error is an answer to an earlier send: the server is starting.
                let _ = socket.send(question).await;
                let wait = Duration::from_millis(200);
                if let Ok(Ok(got)) = net.timeout(wait, socket.recv_from(&mut answer)).await {
                    return Ok(answer[..got.len].to_vec());
                }
            }
            Err(std::io::Error::from(std::io::ErrorKind::TimedOut))
        };
        if ask(b"7").await? == b"ok" {
            assert_eq!(ask(b"?").await?, b"7", "the value that it said it had");
        }
        Ok(())
    })
}

#[test]
fn a_crash_and_a_restart_find_what_was_promised_too_early() {
    let right = register(true).crashes("server").kills("server").exhaustive(1).random(200).explore();
    assert!(right.failures.is_empty(), "{:?}", right.failures[0].smallest);
    let wrong = register(false).crashes("server").exhaustive(1).explore();
    let smallest = &wrong.failures[0].smallest;
    let End::Failed { message, .. } = &smallest.end else { panic!("{:?}", smallest.end) };
    assert!(message.contains("the value that it said it had"), "{message}");
    let kinds: Vec<_> = smallest.plan.events.iter().map(|event| &event.kind).collect();
    let server = || "server".to_owned();
    assert_eq!(kinds, [&EventKind::Crash(server()), &EventKind::Restart(server())]);
    let mut died = [0; 2];
    register(true).crashes("server").random(200).search(&mut |run| {
        let restarts = run.plan.events.iter().any(|event| matches!(event.kind, EventKind::Restart(_)));
        died[usize::from(restarts)] += u32::from(run.plan.ends_programs());
        ControlFlow::Continue(())
    });
    assert!(died[0] > 10 && died[1] > 10, "random plans have deaths, for good and not: {died:?}");
}

/// Asks a server every 10 ms for as long as half a second; `directs` cuts the link and restarts the server
/// meanwhile.
fn directed(testbed: TestbedRef, directs: bool) -> Scenario {
    let scenario = scenario("directed")
        .on(testbed)
        .server(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:7", &[]).await?;
            loop {
                let asked = socket.recv_from(&mut [0; 9]).await?;
                socket.send_to(b"here", asked.from).await?;
            }
            #[expect(unreachable_code, reason = "it gives the type of the error")]
            std::io::Result::Ok(())
        })
        .client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            for _ in 0..50 {
                socket.send_to(b"there?", "10.0.0.1:7".parse()?).await?;
                net.sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        });
    scenario.host("director", move |net: Net| async move {
        let hosts = ["client", "server"].map(str::to_owned);
        let server = || "server".to_owned();
        for (pause_ms, kind) in [
            (103, EventKind::Partition(Cut::one_way(hosts.clone()))),
            (50, EventKind::Heal(Cut::one_way(hosts.clone()))),
            // It is mended: nothing happens, and nothing is to be told.
            (1, EventKind::Heal(Cut::one_way(hosts))),
            (50, EventKind::Crash(server())),
            (50, EventKind::Restart(server())),
        ] {
            net.sleep(Duration::from_millis(pause_ms)).await;
            if directs {
                net.cause(kind)?;
            }
        }
        let unknown = net.cause(EventKind::Crash("nowhere".to_owned()));
        assert_eq!(unknown.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        std::io::Result::Ok(())
    })
}

#[test]
fn what_programs_cause_is_told_as_events_of_a_plan() {
    for testbed in SIMULATED {
        let run = directed(testbed, true).run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{testbed}");
        assert!(run.plan.events.is_empty() && run.fired.events.is_empty());
        let times: Vec<_> = run.caused.iter().map(|event| event.when.clone()).collect();
        let wanted = [103, 153, 204, 254].map(|ms| When::AtUs(ms * 1_000));
        assert_eq!(times, wanted, "{testbed}: {:?}", run.caused);
        let plan = FaultPlan::new().events(run.caused.clone());
        let again = directed(testbed, false).run(&plan);
        assert!(again.fired.all() && again.caused.is_empty());
        if testbed.name() == "virtual" {
            assert_eq!(again.trace.text(), run.trace.text());
        }
    }
}
