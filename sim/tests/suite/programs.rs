//! The programs of the core run in simulation as they are, and see what the plan does to them.

use std::time::Duration;

use faultwire::fault::{Action, Class, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Network as _};
use faultwire::program::{ClientError, Limits, bind, bulk, listen, numbered, tcp, udp};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Result, scenario};

const SIMULATED: [TestbedRef; 2] = [testbed::VIRTUAL, testbed::TURMOIL];
const PATIENCE: Duration = Duration::from_millis(200);

fn plan(direction: (&str, &str), nth: u32, action: Action) -> FaultPlan {
    FaultPlan::new().fault([direction.0, direction.1], Packet::nth(Class::Datagram, nth), action)
}

#[test]
fn udp_programs_tell_what_the_plan_did() {
    let up = ("client", "server");
    for testbed in SIMULATED {
        for (echo, plan, lost, stale) in [
            (true, FaultPlan::default(), vec![], 0),
            (false, FaultPlan::default(), vec![], 0),
            (true, plan(up, 2, Action::Drop), vec![1], 0),
            (false, plan(("server", "client"), 3, Action::Drop), vec![2], 0),
            // The second copy of the first echo, and the one that is late, come while another is waited for.
            (true, plan(up, 1, Action::Duplicate), vec![], 1),
            (true, plan(up, 1, Action::DelayUs(201_000)), vec![0], 1),
            (true, plan(up, 1, Action::CorruptBits(vec![230])), vec![0], 0),
        ] {
            let expected = (lost.clone(), stale);
            let run = scenario("udp programs")
                .on(testbed)
                .server(move |net| async move {
                    let socket = bind(&net, "0.0.0.0:7000").await?;
                    let forever = std::future::pending();
                    let served = match echo {
                        true => udp::echo_server(&net, &socket, &Limits::default(), forever).await,
                        false => udp::reply_server(&net, &socket, &Limits::default(), forever).await,
                    };
                    served.map(drop)
                })
                .client(move |net| {
                    let expected = expected.clone();
                    async move {
                        let mut client = udp::Client::connect(&net, "server:7000", PATIENCE).await?;
                        let mut lost = Vec::new();
                        for number in 0..4_u8 {
                            let message = [number; 100];
                            let taken = match echo {
                                true => client.echo(&message).await,
                                false => client.ask(&message).await,
                            };
                            match taken {
                                Ok(_) => {}
                                Err(ClientError::NoAnswer { .. }) => lost.push(number),
                                Err(error) => return Err(error.into()),
                            }
                        }
                        assert_eq!((lost, client.stale()), expected);
                        Ok(())
                    }
                })
                .run(&plan);
            assert_eq!(run.end, End::Finished, "{testbed} {plan:?}");
            assert!(run.fired.all());
        }
    }
}

#[test]
fn a_numbered_series_shows_each_fault() {
    let up = ("client", "server");
    for testbed in SIMULATED {
        for (plan, seen) in [
            (FaultPlan::default(), "received 5"),
            (plan(up, 2, Action::Drop), "received 4, missing [1]"),
            (plan(up, 2, Action::Duplicate), "received 5, duplicates [1]"),
            (plan(up, 2, Action::HoldFor(2)), "received 5, out of order [1]"),
            (plan(up, 2, Action::CorruptBits(vec![300])), "received 4, missing [1]"),
        ] {
            let run = scenario("numbered")
                .on(testbed)
                .client_on("server", move |net| async move {
                    let socket = bind(&net, "0.0.0.0:7000").await?;
                    let quiet = Duration::from_secs(2);
                    let report = numbered::receive(&net, &socket, 5, 100, quiet).await?;
                    let mut told = format!("received {}", report.received);
                    for (what, list) in [
                        ("missing", &report.missing),
                        ("duplicates", &report.duplicates),
                        ("out of order", &report.out_of_order),
                    ] {
                        if !list.is_empty() {
                            told += &format!(", {what} {list:?}");
                        }
                    }
                    assert_eq!(told, seen);
                    assert_eq!(report.altered, 0);
                    Ok(())
                })
                .client(|net| async move {
                    // The server's socket is there before the first datagram.
                    net.sleep(Duration::from_millis(5)).await;
                    let gap = Duration::from_millis(1);
                    Ok(numbered::send(&net, "server:7000", 5, 100, gap).await?)
                })
                .run(&plan);
            assert_eq!(run.end, End::Finished, "{testbed} {plan:?}");
        }
    }
}

/// Two echo or reply servers, the second of which seems to have asked the first something: how many datagrams
/// are on the wire in the half minute after that.
fn datagrams_between(testbed: TestbedRef, echo: [bool; 2]) -> u32 {
    let limits = || Limits::default().with_answers(50, 1_000);
    let serve = |echo: bool, port: u16, start: bool| {
        move |net: faultwire_sim::Net| async move {
            let socket = bind(&net, &format!("0.0.0.0:{port}")).await?;
            if start {
                // As if it were forged: from the server's own port.
                let to = net.resolve("first:7001").await?;
                socket.send_to(b"x", to[0]).await?;
            }
            let forever = std::future::pending();
            match echo {
                true => udp::echo_server(&net, &socket, &limits(), forever).await?,
                false => udp::reply_server(&net, &socket, &limits(), forever).await?,
            };
            Result::<()>::Ok(())
        }
    };
    let run = scenario("two responders")
        .on(testbed)
        .host("first", serve(echo[0], 7001, false))
        .host("second", serve(echo[1], 7002, true))
        .client(|net| async move {
            net.sleep(Duration::from_secs(30)).await;
            Ok(())
        })
        .run(&FaultPlan::default());
    assert_eq!(run.end, End::Finished);
    run.trace.packet_count()
}

#[test]
fn two_responders_soon_leave_each_other_alone() {
    for testbed in SIMULATED {
        // The forged one and the acknowledgement of it, which nobody answers.
        assert_eq!(datagrams_between(testbed, [false, false]), 2);
        // The echo server sends the acknowledgement back, which is not answered.
        assert_eq!(datagrams_between(testbed, [false, true]), 3);
        // Each answers what is new to it and fifty reflections; the forged one comes on top.
        assert_eq!(datagrams_between(testbed, [true, true]), 1 + 2 * 51);
    }
}

#[test]
fn tcp_programs_run_on_every_testbed_that_carries_streams() {
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS, testbed::LOOPBACK] {
        let run = scenario("tcp programs")
            .on(testbed)
            .server(|net| async move {
                let [echo, reply, bulk] = [
                    listen(&net, "0.0.0.0:7000").await?,
                    listen(&net, "0.0.0.0:7001").await?,
                    listen(&net, "0.0.0.0:7002").await?,
                ];
                let limits = Limits::default();
                let forever = std::future::pending;
                tokio::try_join!(
                    tcp::echo_server(&net, echo, &limits, forever()),
                    tcp::reply_server(&net, reply, &limits, forever()),
                    bulk::server(&net, bulk, &limits, forever()),
                )
                .map(drop)?;
                Result::<()>::Ok(())
            })
            .client(|net| async move {
                net.sleep(Duration::from_millis(20)).await;
                let patience = Duration::from_secs(5);
                let mut client = tcp::Client::connect(&net, "server:7000", patience).await?;
                for length in [0, 1, 100, 200_000] {
                    client.echo(&vec![7; length]).await?;
                }
                client.finish().await?;
                let mut client = tcp::Client::connect(&net, "server:7001", patience).await?;
                for message in [&b"hello"[..], b"", &[7; 50_000]] {
                    client.ask(message).await?;
                }
                client.finish().await?;
                let receipt = bulk::send(&net, "server:7002", 300_000, patience).await?;
                assert_eq!(receipt, bulk::Receipt::expected(300_000));
                Ok(())
            })
            .run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{testbed}");
    }
}
