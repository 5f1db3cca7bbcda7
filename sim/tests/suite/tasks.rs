//! Panics in tasks that programs spawn, and programs that never wait.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::fault::FaultPlan;
use faultwire::network::{Listener as _, Network as _};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, NetStream, Result, Settings, handled, scenario};
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
