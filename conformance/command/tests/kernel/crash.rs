//! Hosts of a lab that lose power and start again.

use std::time::Duration;

use faultwire::fault::{Class, FaultPlan};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire::trace::{Call, HostId, LossReason, What};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, Run, scenario};
use tokio::io::AsyncReadExt as _;

use crate::bench::helper;

const SUBJECTS: [TestbedRef; 3] =
    [testbed::LAB, testbed::LAB_FAULTWIRE_CLIENT, testbed::LAB_FAULTWIRE_SERVER];

/// Whether this machine has a lab; says why not.
fn is_here() -> bool {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    faultwire_sim::lab::probe().inspect_err(|error| crate::require::skipped("lab", error)).is_ok()
}

fn plan(text: &str) -> FaultPlan {
    FaultPlan::parse(&format!("format = 1\n{text}"), "the plan").expect("it is right")
}

fn event(kind: &str, host: &str, direction: &str, class: &str, nth: u32) -> String {
    format!(
        "[[event]]\nkind = \"{kind}\"\nhost = \"{host}\"\n\
         after = {{ direction = \"{direction}\", class = \"{class}\", nth = {nth} }}\n"
    )
}

/// A client holds a connection to the server, and asks it by datagrams in which of its lives it is, until it
/// is in the second one.
fn two_lives(testbed: TestbedRef, plan: &FaultPlan) -> Run {
    scenario("two lives")
        .server(move |net: Net| {
            let life = net.incarnation() + 1;
            async move {
                let listener = net.listen("0.0.0.0:7000", 16, &[]).await?;
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                // Only the first life has it: nothing of it is left for the second one.
                let _stream = if life == 1 { Some(listener.accept().await?) } else { None };
                loop {
                    let asked = socket.recv_from(&mut [0; 8]).await?;
                    socket.send_to(&life.to_be_bytes(), asked.from).await?;
                }
                #[expect(unreachable_code, reason = "it says what the error is")]
                Ok::<(), std::io::Error>(())
            }
        })
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            let server = net.resolve("server:7000").await?;
            let server = *server.iter().find(|addr| addr.is_ipv4()).expect("it has one");
            let mut answer = [0; 8];
            loop {
                socket.send_to(b"?", server).await?;
                let answered = net.timeout(Duration::from_millis(200), socket.recv_from(&mut answer)).await;
                if matches!(answered, Ok(Ok(_))) && answer[..4] == 2_u32.to_be_bytes() {
                    break;
                }
            }
            // The server that it was connected to ended nothing.
            let ended = net.timeout(Duration::from_millis(50), stream.read(&mut [0; 8])).await;
            assert!(ended.is_err(), "{ended:?}");
            Ok(())
        })
        .on(testbed)
        .run(plan)
}

#[test]
fn a_host_that_loses_power_says_nothing_more_and_starts_with_nothing() {
    if !is_here() {
        return;
    }
    // Its first answer is under way when it crashes, and so is the second question.
    let plan = plan(
        &(event("crash", "server", "server->client", "datagram", 1)
            + &event("restart", "server", "client->server", "datagram", 4)),
    );
    for testbed in SUBJECTS {
        let run = two_lives(testbed, &plan);
        let text = run.trace.text();
        assert!(run.end.is_finished(), "{testbed}: {:?}\n{text}", run.end);
        assert!(run.fired.all(), "{text}");
        let events = run.trace.events();
        let place = |is: &dyn Fn(&What) -> bool| {
            events.iter().position(|event| is(&event.what)).unwrap_or_else(|| panic!("{testbed}: {text}"))
        };
        let crashed = place(&|what| matches!(what, What::Crashed(_)));
        let restarted = place(&|what| matches!(what, What::Restarted(_)));
        assert!(crashed < restarted, "{text}");
        let server = run.trace.host("server").expect("it is there");
        let down = &events[crashed..restarted];
        let of_server = |what: &What| match what {
            What::Sent { from, .. } => *from == server,
            What::Call { host, .. } => *host == server,
            What::Arrived { to, .. } => *to == server,
            _ => false,
        };
        assert!(!down.iter().any(|event| of_server(&event.what)), "{text}");
        // What had left it arrives, and what came to it is lost.
        let arrives = |what: &What| matches!(what, What::Arrived { to, .. } if *to != server);
        assert!(down.iter().any(|event| arrives(&event.what)), "{text}");
        let lost = |what: &What| matches!(what, What::Lost { reason: LossReason::HostDown, .. });
        assert!(down.iter().any(|event| lost(&event.what)), "{text}");
        // The second life has sockets of its own, at the same address and ports.
        let binds = |event: &&faultwire::trace::Event| match &event.what {
            What::Call { host, call: Call::Bind(_) | Call::Listen(_), error: None, .. } => *host == server,
            _ => false,
        };
        assert_eq!(events[..crashed].iter().filter(binds).count(), 2, "{text}");
        assert_eq!(events[restarted..].iter().filter(binds).count(), 2, "{text}");
        // Whichever life called, it is the same host.
        let strange = run.trace.calls().find(|call| call.host > HostId(1));
        assert!(strange.is_none() && run.trace.hosts().len() == 2, "{strange:?}");
    }
}

/// A client that loses power does not end by that: its second life does.
#[test]
fn a_run_waits_for_the_second_life_of_a_client() {
    if !is_here() {
        return;
    }
    let plan = plan(
        &(event("crash", "client", "client->server", "datagram", 1)
            + &event("restart", "client", "server->client", "datagram", 2)),
    );
    for testbed in SUBJECTS {
        let run = scenario("a client starts again")
            .server(|net: Net| async move {
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                let asked = socket.recv_from(&mut [0; 8]).await?;
                loop {
                    // Nobody is there for the first ones; then nobody has asked.
                    socket.send_to(b"!", asked.from).await?;
                    net.sleep(Duration::from_millis(20)).await;
                }
                #[expect(unreachable_code, reason = "it says what the error is")]
                Ok::<(), std::io::Error>(())
            })
            .client(|net: Net| async move {
                let socket = net.datagram("0.0.0.0:7001", &[]).await?;
                let server = net.resolve("server:7000").await?;
                let server = *server.iter().find(|addr| addr.is_ipv4()).expect("it has one");
                socket.send_to(b"?", server).await?;
                socket.recv_from(&mut [0; 8]).await?;
                Ok(())
            })
            .on(testbed)
            .run(&plan);
        let text = run.trace.text();
        assert!(run.end.is_finished() && run.fired.all(), "{testbed}: {:?}\n{text}", run.end);
        let client = run.trace.host("client").expect("it is there");
        let asked = run.trace.events().iter().filter(|event| match &event.what {
            What::Sent { from, label, .. } => (*from, label.packet().class) == (client, Class::Datagram),
            _ => false,
        });
        assert_eq!(asked.count(), 2, "once in each life: {text}");
    }
}

/// The programs of a stack that panics get EIO; the run fails for the panic.
#[test]
fn a_stack_that_panics_fails_its_run() {
    if !is_here() {
        return;
    }
    let run = scenario("no stack")
        .on(testbed::LAB_FAULTWIRE_CLIENT)
        .server(|_| std::future::pending::<std::io::Result<()>>())
        .client(|net: Net| async move {
            net.datagram("0.0.0.0:0", &[]).await?;
            Ok(())
        })
        .stack(|_| panic!("no memory"))
        .run(&FaultPlan::default());
    let End::Failed { host: Some(host), message } = &run.end else { panic!("{:?}", run.end) };
    assert_eq!(host, "client");
    assert!(message.starts_with("its stack cannot go on: it panicked at "), "{message}");
}

#[test]
fn a_plan_that_a_lab_cannot_carry_is_refused_with_the_reason() {
    if !is_here() {
        return;
    }
    let crash = plan("[[event]]\nkind = \"crash\"\nhost = \"server\"\nat_us = 5000\n");
    let many = event("restart", "server", "client->server", "datagram", 1).repeat(20);
    for (plan, why) in [(crash, "only a simulation has times that repeat"), (plan(&many), "16 hosts at most")]
    {
        let run = two_lives(testbed::LAB, &plan);
        assert!(
            matches!(&run.end, End::Refused { why: it, is_trouble: false } if it.contains(why)),
            "{:?}",
            run.end
        );
    }
}
