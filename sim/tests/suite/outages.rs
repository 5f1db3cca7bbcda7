//! Programs that only an outage breaks, and what outages do to those that wait long enough.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{Action, Class, Cut, EventKind, FaultPlan, Lasts, Packet, When};
use faultwire::network::{Datagram as _, Listener as _, Network as _, Stream as _};
use faultwire::stack::SocketOption;
use faultwire_sim::{End, Net, Result, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Takes orders, one connection after another, until one comes twice.
async fn shop(net: Net) -> io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    let mut orders = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Ok(order) = stream.read_u8().await else { continue };
        if orders.contains(&order) {
            return Err(io::Error::other(format!("order {order} came twice")));
        }
        orders.push(order);
        let _ = stream.write_u8(order).await;
    }
}

/// Orders again over a new connection where no answer comes for `patience`.
fn buyer(patience: Duration) -> Scenario {
    scenario("buyer").server(shop).client(move |net: Net| async move {
        loop {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_u8(7).await?;
            if let Ok(answer) = net.timeout(patience, stream.read_u8()).await {
                return Ok(answer.map(drop)?);
            }
        }
    })
}

/// Thinks, answers and waits for thanks, and aborts where none come for 1.5 s.
async fn thanked(net: Net) -> io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Ok(question) = stream.read_u8().await else { continue };
        // Longer than an acknowledgement waits for data to go with.
        net.sleep(ms(100)).await;
        let _ = stream.write_u8(question).await;
        if net.timeout(ms(1_500), stream.read_u8()).await.is_err() {
            stream.set_option(SocketOption::Linger(Some(Duration::ZERO)))?;
        }
    }
}

/// Waits for the answer without a timeout, and asks again where the connection breaks.
fn waits_forever() -> Scenario {
    scenario("waits-forever").server(thanked).client(|net: Net| async move {
        loop {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_u8(42).await?;
            if stream.read_u8().await.is_ok() {
                return Ok(stream.write_u8(1).await?);
            }
        }
    })
}

/// Sends back each datagram.
async fn echo(net: Net) -> io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 16];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

/// Sends a number, and says whether it came back in time.
async fn ping(net: &Net, socket: &impl faultwire::network::Datagram, number: u8) -> Result<bool> {
    socket.send(&[number]).await?;
    let (until, mut buffer) = (net.now() + ms(300), [0; 16]);
    while let Ok(received) = net.timeout(until.since(net.now()), socket.recv_from(&mut buffer)).await {
        received?;
        if buffer[0] == number {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks three times within a second.
fn three_quick_tries() -> Scenario {
    scenario("three-quick-tries").timeout(ms(300)).server(echo).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        for number in 1..=2 {
            let mut tries = 0;
            while !ping(&net, &socket, number).await? {
                tries += 1;
                if tries == 3 {
                    return Err("the server is down".into());
                }
            }
        }
        Ok(())
    })
}

/// Takes a peer for dead that misses two beats in a row.
fn two_missed_beats() -> Scenario {
    scenario("two-missed-beats").timeout(ms(300)).server(echo).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let mut missed = 0;
        for beat in 1..=4 {
            let next = net.now() + ms(300);
            missed = if ping(&net, &socket, beat).await? { 0 } else { missed + 1 };
            if missed == 2 {
                return Err("the server is dead".into());
            }
            net.sleep(next.since(net.now())).await;
        }
        Ok(())
    })
}

/// Closes a connection on which nothing comes for two seconds.
fn idle_means_gone() -> Scenario {
    let server = |net: Net| async move {
        let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            if let Ok(Ok(name)) = net.timeout(ms(2_000), stream.read_u8()).await {
                let _ = stream.write_u8(name).await;
            }
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        io::Result::Ok(())
    };
    scenario("idle-means-gone").server(server).client(|net: Net| async move {
        let mut stream = net.connect("server:7000", &[]).await?;
        stream.write_u8(7).await?;
        Ok(stream.read_u8().await.map(drop)?)
    })
}

/// Has two seconds for all.
fn one_deadline() -> Scenario {
    scenario("one-deadline").server(shop).client(|net: Net| async move {
        let all = async {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_u8(7).await?;
            stream.read_u8().await
        };
        Ok(net.timeout(ms(2_000), all).await?.map(drop)?)
    })
}

/// Uploads all again over a new connection where a line is not acknowledged within a second.
fn starts_over() -> Scenario {
    let server = |net: Net| async move {
        let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
        let mut lines = 0;
        loop {
            let (mut stream, _) = listener.accept().await?;
            while stream.read_u8().await.is_ok() {
                lines += 1;
                let _ = stream.write_u8(lines).await;
            }
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        io::Result::Ok(())
    };
    scenario("starts-over").server(server).client(|net: Net| async move {
        'over: loop {
            let mut stream = net.connect("server:7000", &[]).await?;
            let mut count = 0;
            for line in 1..=3 {
                stream.write_u8(line).await?;
                match net.timeout(ms(1_000), stream.read_u8()).await {
                    Ok(acknowledged) => count = acknowledged?,
                    Err(_) => continue 'over,
                }
            }
            return if count == 3 { Ok(()) } else { Err(format!("the log has {count} lines").into()) };
        }
    })
}

#[test]
fn what_no_fault_of_a_packet_breaks_one_outage_does() {
    let all = [
        waits_forever(),
        buyer(ms(1_000)),
        three_quick_tries(),
        two_missed_beats(),
        idle_means_gone(),
        one_deadline(),
        starts_over(),
    ];
    for scenario in all {
        let name = scenario.name().to_owned();
        let without = scenario.clone().without_outages().exhaustive(1).explore();
        assert!(without.failures.is_empty(), "{name}: {:?}", without.failures[0].smallest.plan);
        let found = scenario.exhaustive(1).explore();
        assert!(!found.failures.is_empty(), "{name}: no outage breaks it");
        for failure in found.failures {
            let plan = &failure.smallest.plan;
            let [event] = plan.events.as_slice() else { panic!("{name}: {plan:?}") };
            assert!(plan.faults.is_empty() && failure.is_minimal, "{name}: {plan:?}");
            assert!(matches!(event.kind, EventKind::Outage { .. }), "{name}: {event}");
        }
    }
}

#[test]
fn an_answer_that_never_comes_is_a_stall() {
    let found = waits_forever().exhaustive(1).explore();
    let is_stall = |end: &End| matches!(end, End::Stalled { .. });
    assert!(found.failures.iter().any(|it| is_stall(&it.smallest.end)), "{:?}", found.failures);
}

#[test]
fn who_waits_long_enough_is_broken_by_no_outage() {
    let mut ended = 0;
    let tried = buyer(Duration::from_secs(60)).exhaustive(1).search(&mut |run| {
        assert!(run.end.is_finished(), "{:?} {:?}\n{}", run.end, run.plan.events, run.trace.text());
        let counts =
            |kind: &EventKind| matches!(kind, EventKind::Outage { lasts: Lasts::Retransmissions(_), .. });
        ended += u32::from(run.plan.events.iter().any(|event| counts(&event.kind)));
        ControlFlow::Continue(())
    });
    assert_eq!((tried.singles, tried.not_applied), (tried.singles_of, 0));
    assert!(ended > 8, "{ended} outages of the handshake, the order, the answer and the end");
    assert!(!tried.not_tried().contains(&"outages of a link"));
}

/// What an outage keeps from happening is no part of a base plan, whatever that has.
#[test]
fn outages_begin_once_all_of_the_base_plan_has_taken_place() {
    let to_server = || ["client", "server"];
    let data = Packet::nth(Class::Data, 1);
    let partition = || EventKind::Partition(Cut::between(to_server().map(str::to_owned)));
    let heal = || EventKind::Heal(Cut::between(to_server().map(str::to_owned)));
    let again = || When::after(to_server(), Packet { transmission: Some(2), ..data });
    let bases = [
        FaultPlan::new().fault(to_server(), data, Action::Drop),
        FaultPlan::new().fault(to_server(), data, Action::Drop).fault(
            to_server(),
            Packet { transmission: Some(2), ..data },
            Action::Duplicate,
        ),
        FaultPlan::new().event(partition(), When::before(to_server(), data)).event(heal(), again()),
        FaultPlan::new().event(partition(), When::AtUs(100)).event(heal(), When::AtUs(4_000_000)),
        FaultPlan::new().event(
            EventKind::Outage {
                cut: Cut::one_way(to_server().map(str::to_owned)),
                lasts: Lasts::Us(700_000),
            },
            When::before(to_server(), Packet::nth(Class::Syn, 1)),
        ),
    ];
    for (number, base) in bases.into_iter().enumerate() {
        let own = base.events.len();
        let scenario = buyer(Duration::from_secs(60)).base_plan(base);
        let mut outages = 0;
        let tried = scenario.exhaustive(1).search(&mut |run| {
            outages += u32::from(run.plan.events.len() > own);
            ControlFlow::Continue(())
        });
        assert_eq!((tried.singles, tried.not_applied), (tried.singles_of, 0), "{number}: {tried:?}");
        assert!(outages > 0, "{number}: {tried:?}");
    }
}

#[test]
fn of_more_plans_than_may_run_some_are_outages() {
    let mut outages = 0;
    let tried = buyer(Duration::from_secs(60)).exhaustive(1).runs_max(21).search(&mut |run| {
        outages += u32::from(!run.plan.events.is_empty());
        ControlFlow::Continue(())
    });
    assert_eq!((tried.fault_free, tried.singles), (1, 20));
    assert!((2..10).contains(&outages), "{outages}");
    assert!(tried.not_tried().contains(&"some plans of the grid (only a sample ran)"));
}
