//! What plans can say, in one run: its trace and its diagram, to be read.

use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire::trace::{DiagramOptions, HostId, What};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{Net, Run, scenario};

const PLAN: &str = r#"
format = 1
[[fault]]
direction = "client->server"
packet = { class = "datagram", nth = 1 }
action = { set = { ttl = 9, payload = "6162" } }
[[fault]]
direction = "server->client"
packet = { class = "datagram", nth = 1 }
action = { corrupt_bit = 231, checksums = "mend" }
[[fault]]
direction = "client->server"
packet = { class = "datagram", nth = 2 }
action = { reject = "port-unreachable" }
[[event]]
kind = "inject"
like = { direction = "client->server", class = "datagram", nth = 1 }
set = { src_port = "+1" }
after = { direction = "client->server", class = "datagram", nth = 3 }
[[event]]
kind = "inject"
like = { direction = "client->server", class = "datagram", nth = 3 }
reject = "too-big"
mtu = 1280
after = { direction = "client->server", class = "datagram", nth = 3 }
[[event]]
kind = "kill"
host = "server"
after = { direction = "client->server", class = "datagram", nth = 4 }
[[event]]
kind = "restart"
host = "server"
after = { direction = "client->server", class = "datagram", nth = 4, wait_us = 50_000 }
"#;

/// Five questions, each with 100 ms for an answer and a pause.
fn run(testbed: TestbedRef, plan: &str) -> Run {
    let server = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        let mut buffer = [0; 16];
        loop {
            let received = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..received.len], received.from).await?;
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    let client = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        for _ in 0..5 {
            // An error may be that of the question before: then nothing was sent.
            if socket.send(b"ping").await.is_err() {
                socket.send(b"ping").await?;
            }
            let _ = net.timeout(Duration::from_millis(100), socket.recv_from(&mut [0; 16])).await;
            net.sleep(Duration::from_millis(100)).await;
        }
        faultwire_sim::Result::Ok(())
    };
    let plan = FaultPlan::parse(plan, "the plan").expect("it is right");
    scenario("language").server(server).client(client).on(testbed).run(&plan)
}

#[test]
fn a_run_shows_what_its_plan_said() {
    let run = run(testbed::VIRTUAL, PLAN);
    assert!(run.end.is_finished() && run.fired.all(), "{:?} {:?}\n{}", run.end, run.fired, run.trace.text());
    insta::assert_snapshot!("trace", run.trace.text());
    insta::assert_snapshot!("diagram", run.trace.diagram(&DiagramOptions::default()));
}

#[test]
fn hosts_see_it_alike_in_turmoil() {
    let of = |testbed| {
        let run = run(testbed, PLAN);
        ["server", "client"].map(|name| run.trace.host_sequence(run.trace.host(name).expect("it is there")))
    };
    assert_eq!(of(testbed::VIRTUAL), of(testbed::TURMOIL));
}

const LINKS: &str = r#"
format = 1
[link]
delay_us = 2_000
mtu = 1500
[[links]]
direction = "client->server"
delay_us = 20_000
delay_us_max = 40_000
"#;

/// The delay of each packet, with its sender, in microseconds.
fn delays(run: &Run) -> Vec<(HostId, u64)> {
    let events = run.trace.events();
    let sent = events.iter().filter_map(|event| match event.what {
        What::Sent { packet, from, .. } => Some((packet, from, event.at)),
        _ => None,
    });
    sent.map(|(packet, from, at)| {
        let is_it = |what: &What| matches!(what, What::Arrived { packet: it, .. } if *it == packet);
        let arrived = events.iter().find(|event| is_it(&event.what)).expect("it arrives");
        (from, arrived.at.as_micros() - at.as_micros())
    })
    .collect()
}

#[test]
fn each_direction_has_its_delays_in_turmoil_too() {
    let exact = delays(&run(testbed::VIRTUAL, LINKS));
    let client = run(testbed::VIRTUAL, LINKS).trace.host("client").expect("it is there");
    let (there, back): (Vec<_>, Vec<_>) = exact.iter().partition(|(from, _)| *from == client);
    assert_eq!((there.len(), back.len()), (5, 5));
    assert!(back.iter().all(|(_, us)| *us == 2_000), "{back:?}");
    assert!(there.iter().all(|(_, us)| (20_000..=40_000).contains(us)), "{there:?}");
    assert!(there.windows(2).all(|two| two[0] != two[1]), "{there:?}");
    let ticks: Vec<_> = exact.iter().map(|(from, us)| (*from, us.next_multiple_of(1_000))).collect();
    assert_eq!(delays(&run(testbed::TURMOIL, LINKS)), ticks);
}

#[test]
fn a_testbed_without_our_wire_refuses_links_between_two_hosts_and_delays_that_vary() {
    for testbed in [testbed::LOOPBACK, testbed::TURMOIL_SOCKETS] {
        assert!(run(testbed, LINKS).is_refused(), "{testbed}");
        let varies = "format = 1\n[link]\ndelay_us = 1000\ndelay_us_max = 2000\nmtu = 1500\n";
        assert!(run(testbed, varies).is_refused(), "{testbed}");
    }
}
