//! What a program may do when its peer loses power: say so, and nothing else.

use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{EventKind, FaultPlan, PlanEvent, When};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire::stack::SocketOption;
use faultwire_sim::{End, Exploration, Net, Result, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the client does where no answer comes within five seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Report,
    Panic,
    Wait,
}

/// A client that asks over one connection, and a server that answers. Longer than an outage lasts it may
/// take.
fn asking(then: Then) -> Scenario {
    let server = |net: Net| async move {
        let reuse = SocketOption::ReuseAddress(true);
        let listener = net.listen("0.0.0.0:7000", 4, &[reuse]).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let Ok(question) = stream.read_u8().await else { continue };
            let _ = stream.write_u8(question).await;
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    scenario("asking").server(server).client(move |net: Net| async move {
        let all = async {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_u8(7).await?;
            stream.read_u8().await
        };
        match net.timeout(Duration::from_secs(30), all).await {
            Ok(Ok(_)) => Ok(()),
            _ if then == Then::Panic => panic!("no answer"),
            _ if then == Then::Wait => {
                net.sleep(Duration::from_secs(10_000)).await;
                Ok(())
            }
            _ => Result::Err("no answer".into()),
        }
    })
}

fn explored(scenario: Scenario) -> Exploration {
    let found = scenario.exhaustive(1).explore();
    let not_tried = found.tried.not_tried();
    assert!(!["crashes", "killed programs"].iter().all(|kind| not_tried.contains(kind)), "{not_tried:?}");
    assert_eq!(found.tried.not_applied, 0);
    found
}

#[test]
fn who_reports_that_its_peer_is_gone_is_right() {
    let deaths = [Scenario::crashes, Scenario::kills, Scenario::restarts];
    for scenario in deaths.map(|death| death(asking(Then::Report), "server")) {
        let found = explored(scenario);
        assert!(found.failures.is_empty(), "{:?}", found.failures[0].smallest);
        assert_eq!(found.tried.singles, found.tried.singles_of);
    }
}

#[test]
fn who_panics_or_waits_forever_is_wrong() {
    for (then, is_it) in [
        (
            Then::Panic,
            (|end| matches!(end, End::Failed { message, .. } if message.contains("no answer")))
                as fn(&End) -> bool,
        ),
        (Then::Wait, |end| matches!(end, End::Stalled { .. })),
    ] {
        let found = explored(asking(then).crashes("server"));
        let failure = found.failures.first().unwrap_or_else(|| panic!("{then:?}: nothing was found"));
        let plan = &failure.smallest.plan;
        assert!(is_it(&failure.smallest.end), "{then:?}: {:?}", failure.smallest.end);
        let [event] = plan.events.as_slice() else { panic!("{then:?}: {plan:?}") };
        assert_eq!(event.kind, EventKind::Crash("server".to_owned()));
    }
}

/// A program whose last word is a note.
#[test]
fn what_a_program_notes_changes_nothing_in_what_is_tried() {
    let noting = |notes: bool| {
        scenario("noting").server(|_| async { std::future::pending::<()>().await }).client(
            move |net: Net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                for number in 0..4 {
                    socket.send_to(&[number], "10.0.0.1:7000".parse()?).await?;
                    net.sleep(Duration::from_millis(50)).await;
                }
                if notes {
                    net.note("sent", 4);
                }
                Result::Ok(())
            },
        )
    };
    let tried = |notes| noting(notes).crashes("server").exhaustive(1).explore().tried;
    assert_eq!(tried(true), tried(false));
    assert!(!tried(true).not_tried().contains(&"crashes"), "{:?}", tried(true).not_tried());
}

#[test]
fn of_many_crashes_a_sample_is_tried() {
    let client = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        for number in 0..100 {
            socket.send_to(&[number], "10.0.0.1:7000".parse()?).await?;
            net.sleep(Duration::from_millis(5)).await;
        }
        Result::Ok(())
    };
    let scenario = scenario("many").server(|_| async { std::future::pending::<()>().await }).client(client);
    let mut after = Vec::new();
    let tried = scenario.crashes("server").exhaustive(1).runs_max(20).search(&mut |run| {
        let event = run.plan.events.iter().find(|event| event.kind.dies().is_some());
        after.extend(event.and_then(|event| event.when.anchor()).map(|anchor| anchor.packet.nth));
        ControlFlow::Continue(())
    });
    assert!((15..=20).contains(&after.len()), "{after:?}");
    assert!(tried.singles < 40 && tried.singles_of > 200 && tried.not_applied == 0, "{tried:?}");
    // For good, and with a restart: of each death at many moments.
    let (first, second) = after.split_at(after.len() / 2);
    assert!(first.is_sorted() && second.is_sorted() && second[0] < 30, "{after:?}");
}

#[test]
fn an_error_before_any_crash_is_a_failure() {
    let early = |net: Net| async move {
        net.connect("server:7001", &[]).await?;
        Result::Ok(())
    };
    let found =
        scenario("early").server(|_| async {}).client(early).crashes("server").exhaustive(1).explore();
    assert!(matches!(found.failures[0].smallest.end, End::Failed { .. }));
    assert!(found.failures[0].smallest.plan.events.is_empty());
}

/// Its host is off, so it cannot fail; the server goes on.
#[test]
fn a_client_that_lost_power_is_not_waited_for() {
    let found = explored(asking(Then::Report).crashes_for_good("client"));
    assert!(found.failures.is_empty(), "{:?}", found.failures[0].smallest);
    let mut crashed = 0;
    asking(Then::Report).crashes_for_good("client").exhaustive(1).search(&mut |run| {
        crashed += u32::from(run.plan.ends_programs());
        ControlFlow::Continue(())
    });
    assert!(crashed > 5, "{crashed}");
}

#[test]
fn a_server_that_panics_once_its_client_is_gone_is_wrong() {
    let server = |net: Net| async move {
        let reuse = SocketOption::ReuseAddress(true);
        let listener = net.listen("0.0.0.0:7000", 4, &[reuse]).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.read_u8().await.expect("a client that asks");
            let mut more = [0; 8];
            let _ = net.timeout(Duration::from_secs(20), stream.read(&mut more)).await.expect("an end");
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    let client = |net: Net| async move {
        let mut stream = net.connect("server:7000", &[]).await?;
        stream.write_u8(7).await?;
        net.sleep(Duration::from_secs(1)).await;
        Result::Ok(())
    };
    let found = explored(scenario("trusting").server(server).client(client).crashes("client"));
    let failure = found.failures.first().expect("a panic");
    assert!(matches!(&failure.smallest.end, End::Failed { host: Some(host), .. } if host == "server"));
}

#[test]
fn a_server_that_cannot_bind_its_port_in_time_wait_is_found() {
    let server = |net: Net| async move {
        let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let Ok(question) = stream.read_u8().await else { continue };
            let _ = stream.write_u8(question).await;
            // Its end of the connection is open until the client's is closed.
            let _ = stream.read_u8().await;
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    let client = |net: Net| async move {
        let mut stream = net.connect("server:7000", &[]).await?;
        stream.write_u8(7).await?;
        stream.read_u8().await?;
        drop(stream);
        net.sleep(Duration::from_secs(1)).await;
        Result::Ok(())
    };
    let found = explored(scenario("no reuse").server(server).client(client).restarts("server"));
    let failure = found.failures.first().expect("its port is in use");
    let End::Failed { host, message } = &failure.smallest.end else { panic!("{:?}", failure.smallest.end) };
    assert!(host.as_deref() == Some("server") && message.contains("in use"), "{message}");
    let kinds: Vec<&str> = failure.smallest.plan.events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["kill", "restart"]);
}

/// A host that was killed and then lost power starts once, and is up: its client is waited for.
#[test]
fn a_host_that_died_twice_and_started_once_is_not_off() {
    let client = |net: Net| async move {
        net.sleep(Duration::from_secs(7_000)).await;
        Result::Ok(())
    };
    let scenario = scenario("twice").client(client).restarts("client");
    let kinds: [fn(String) -> EventKind; 3] = [EventKind::Kill, EventKind::Crash, EventKind::Restart];
    let events = |kinds: &[fn(String) -> EventKind]| {
        let at = |(ms, kind): (u64, &fn(String) -> EventKind)| {
            PlanEvent::new(kind("client".to_owned()), When::AtUs(ms * 1_000))
        };
        FaultPlan::new().events((1..).zip(kinds).map(at))
    };
    let up = scenario.run(&events(&kinds));
    assert!(up.fired.all() && matches!(up.end, End::Stalled { .. }), "{:?}", up.end);
    let off = scenario.run(&events(&kinds[..2]));
    assert_eq!(off.end, End::Finished, "it is off, and not waited for");
}
