//! Panics in tasks that programs spawn, and programs that never wait.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faultwire::fault::{Action, Class, EventKind, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, NetStream, Result, Run, Scenario, Settings, handled, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TESTBEDS: [TestbedRef; 4] =
    [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS, testbed::LOOPBACK];

/// A server that starts a task for its connection, and a client that is content with whatever it reads.
fn end<F, Fut>(testbed: TestbedRef, serve: F) -> End
where
    F: Fn(NetStream) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let scenario = scenario("a task for each connection")
        .on(testbed)
        .server(move |net: Net| {
            let serve = serve.clone();
            async move {
                let listener = net.listen("0.0.0.0:7000", 8, &[]).await?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    serve(stream).await;
                }
                #[expect(unreachable_code, reason = "it gives the type of the error")]
                Ok::<(), std::io::Error>(())
            }
        })
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_all(b"question").await?;
            let _ = stream.read(&mut [0; 8]).await;
            // What the server does next is within the run.
            net.sleep(std::time::Duration::from_millis(20)).await;
            Ok(())
        });
    scenario.run(&FaultPlan::default()).end
}

async fn panics_over(mut stream: NetStream) {
    let len = stream.read(&mut [0; 8]).await.expect("it reads");
    panic!("{len} bytes are too many");
}

#[test]
fn a_panic_in_a_spawned_task_fails_the_run_of_its_host() {
    for testbed in TESTBEDS {
        let end = end(testbed, |stream| async { drop(tokio::spawn(panics_over(stream))) });
        let End::Failed { host, message } = end else { panic!("{testbed}: {end:?}") };
        assert_eq!(host.as_deref(), Some("server"), "{testbed}");
        assert!(
            message.contains("a spawned task panicked at sim/tests/suite/tasks.rs:"),
            "{testbed}: {message}"
        );
        assert!(message.ends_with(": 8 bytes are too many"), "{testbed}: {message}");
    }
}

#[test]
fn a_panic_that_makes_the_client_stall_is_named() {
    let scenario = scenario("stalls")
        .server(|net: Net| async move {
            let listener = net.listen("0.0.0.0:7000", 8, &[]).await?;
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async { panic!("before the answer") });
            let _open = stream;
            std::future::pending::<Result>().await
        })
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            let len = stream.read(&mut [0; 8]).await?;
            assert_eq!(len, 0);
            Ok(())
        });
    let End::Failed { message, .. } = scenario.run(&FaultPlan::default()).end else { panic!("it fails") };
    let then = "before the answer; then the run stalled: not done after 600 s of virtual time";
    assert!(message.ends_with(then), "{message}");
}

#[test]
fn a_panic_that_the_program_handles_is_no_failure() {
    for testbed in TESTBEDS {
        let joined = end(testbed, |stream| async {
            let error = tokio::spawn(panics_over(stream)).await.expect_err("it panics");
            handled(&error);
        });
        assert_eq!(joined, End::Finished, "{testbed}: a handle that is awaited");
        let caught = end(testbed, |stream| async move {
            drop(tokio::spawn(async move {
                let _stream = stream;
                assert!(catch_unwind(AssertUnwindSafe(|| panic!("caught"))).is_err());
            }));
        });
        assert_eq!(caught, End::Finished, "{testbed}: catch_unwind in a task");
        let within = end(testbed, |_| async {
            assert!(catch_unwind(AssertUnwindSafe(|| panic!("caught"))).is_err());
        });
        assert_eq!(within, End::Finished, "{testbed}: catch_unwind in the program");
    }
}

#[test]
fn a_panic_after_one_that_was_caught_is_seen() {
    let end = end(testbed::VIRTUAL, |stream| async move {
        drop(tokio::spawn(async move {
            assert!(catch_unwind(AssertUnwindSafe(|| panic!("caught"))).is_err());
            panics_over(stream).await;
        }));
    });
    assert!(matches!(end, End::Failed { .. }), "{end:?}");
}

#[test]
fn a_panic_in_one_run_is_not_told_of_the_next() {
    let failed = end(testbed::VIRTUAL, |stream| async { drop(tokio::spawn(panics_over(stream))) });
    assert!(matches!(failed, End::Failed { .. }), "{failed:?}");
    assert_eq!(end(testbed::VIRTUAL, |_| async {}), End::Finished);
}

#[test]
fn a_program_that_only_yields_is_stopped() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS] {
        let mut settings = Settings::default();
        settings.polls_max = 100_000;
        let scenario = scenario("only yields").on(testbed).settings(settings).client(|_| async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let End::Stalled { limit, .. } = scenario.run(&FaultPlan::default()).end else { panic!("{testbed}") };
        assert_eq!(limit, "100000 polls of the program at client: it never waits", "{testbed}");
    }
}

/// What a task says that was spawned and forgotten: the incarnation that it is of, and the millisecond.
type Beats = Arc<Mutex<Vec<(u32, u64)>>>;

/// A server with such a task, which wakes by tokio's clock and never calls a socket; the client asks it every
/// 20 ms, for 300 ms.
fn beating(testbed: TestbedRef, beats: &Beats) -> Scenario {
    let beats = beats.clone();
    scenario("beating")
        .on(testbed)
        .server(move |net: Net| {
            let beats = beats.clone();
            async move {
                if net.incarnation() == 0 {
                    beats.lock().unwrap().clear();
                }
                let clock = net.clone();
                drop(tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        let beat = (clock.incarnation(), clock.now().as_millis());
                        beats.lock().unwrap().push(beat);
                    }
                }));
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                loop {
                    let asked = socket.recv_from(&mut [0; 9]).await?;
                    socket.send_to(b"here", asked.from).await?;
                }
                #[expect(unreachable_code, reason = "it gives the type of the error")]
                Ok::<(), std::io::Error>(())
            }
        })
        .client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            socket.connect("server:7000").await?;
            for _ in 0..15 {
                let _ = socket.send(b"there?").await;
                net.sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        })
}

fn at(kind: EventKind, ms: u64) -> PlanEvent {
    PlanEvent::new(kind, When::AtUs(ms * 1_000))
}

#[test]
fn no_task_outlives_the_programs_of_its_host() {
    let [crash, kill, restart] = [EventKind::Crash, EventKind::Kill, EventKind::Restart]
        .map(|kind: fn(String) -> EventKind| kind("server".to_owned()));
    for (testbed, death) in [testbed::VIRTUAL, testbed::TURMOIL]
        .into_iter()
        .flat_map(|testbed| [(testbed, &crash), (testbed, &kill)])
    {
        let beats = Beats::default();
        let scenario = beating(testbed, &beats);
        let for_good = FaultPlan::new().events([at(death.clone(), 105)]);
        assert_eq!(scenario.run(&for_good).end, End::Finished);
        let seen: Vec<(u32, u64)> = (1..=10).map(|n| (0, 10 * n)).collect();
        assert_eq!(*beats.lock().unwrap(), seen, "{testbed}: {death:?}");

        let again = FaultPlan::new().events([at(death.clone(), 105), at(restart.clone(), 205)]);
        let runs = [(); 2].map(|()| (scenario.run(&again), std::mem::take(&mut *beats.lock().unwrap())));
        let [(first, seen), second] = runs;
        assert_eq!((&first, &seen), (&second.0, &second.1), "{testbed}: it repeats");
        assert!(first.fired.all() && first.end.is_finished(), "{testbed}: {:?}", first.end);
        let of = |life: u32| seen.iter().filter(move |beat| beat.0 == life).map(|beat| beat.1);
        assert!(of(0).all(|ms| ms <= 105) && of(0).count() == 10, "{testbed}: {death:?}: {seen:?}");
        assert!(of(1).all(|ms| ms > 205) && of(1).count() >= 8, "{testbed}: {death:?}: {seen:?}");
    }
}

/// With a runtime for each host time is the same as without.
#[test]
fn packets_and_timers_keep_their_times_beside_tasks_of_others() {
    let lost = FaultPlan::new().fault(["client", "server"], Packet::nth(Class::Datagram, 2), Action::Drop);
    let alone = beating(testbed::VIRTUAL, &Beats::default()).run(&lost);
    // The crash makes the run begin again, with a runtime for each host.
    let crash = at(EventKind::Crash("server".to_owned()), 299);
    let beside = beating(testbed::VIRTUAL, &Beats::default()).run(&lost.clone().events([crash]));
    let until = |run: &Run| -> String {
        let text = run.trace.text();
        text.lines().take_while(|line| !line.contains("crash")).map(|line| format!("{line}\n")).collect()
    };
    let (alone, beside) = (until(&alone), until(&beside));
    assert!(beside.lines().count() > 60 && alone.starts_with(&beside), "{alone}\n{beside}");
}

#[test]
fn a_program_knows_its_host_and_draws_by_the_seed() {
    for testbed in TESTBEDS {
        let drawn = |seed| {
            let draws = Arc::new(Mutex::new(BTreeMap::new()));
            let notes = [draws.clone(), draws.clone()];
            let [server, client] = notes.map(|notes| {
                move |net: Net| {
                    notes.lock().unwrap().insert(net.host().to_owned(), net.seed());
                    async move { Result::Ok(()) }
                }
            });
            let scenario = scenario("who").on(testbed).seed(seed).server(server).client(client);
            assert_eq!(scenario.run(&FaultPlan::default()).end, End::Finished, "{testbed}");
            draws.lock().unwrap().clone()
        };
        let draws = drawn(1);
        assert_eq!(draws.keys().collect::<Vec<_>>(), ["client", "server"], "{testbed}");
        assert_ne!(draws["client"], draws["server"], "{testbed}");
        assert_eq!(draws, drawn(1), "{testbed}");
        assert_ne!(draws, drawn(2), "{testbed}");
    }
}

#[test]
fn localhost_is_the_host_itself() {
    for testbed in TESTBEDS {
        let scenario = scenario("itself").on(testbed).client(|net: Net| async move {
            let here = net.datagram("127.0.0.1:7001", &[]).await?;
            let there = net.datagram("127.0.0.1:0", &[]).await?;
            there.connect("localhost:7001").await?;
            there.send(b"hello").await?;
            assert_eq!(here.recv_from(&mut [0; 9]).await?.len, 5);
            Ok(())
        });
        assert_eq!(scenario.run(&FaultPlan::default()).end, End::Finished, "{testbed}");
    }
    let End::Refused { why, .. } = scenario("no name")
        .host("localhost", |_| async { Ok::<(), std::io::Error>(()) })
        .client(|_| async { Ok(()) })
        .run(&FaultPlan::default())
        .end
    else {
        panic!("it is refused")
    };
    assert!(why.contains("`localhost` is no name"), "{why}");
}

#[tokio::test]
async fn a_scenario_runs_within_a_runtime_too() {
    for testbed in TESTBEDS {
        let asked = beating(testbed, &Beats::default());
        assert_eq!(asked.run(&FaultPlan::default()).end, End::Finished, "{testbed}");
    }
    beating(testbed::VIRTUAL, &Beats::default()).exhaustive(1).check();
}
