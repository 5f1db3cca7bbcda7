//! What plans can say, in one run: its trace and its diagram, to be read.

use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire::trace::DiagramOptions;
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
fn run(testbed: TestbedRef) -> Run {
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
    let plan = FaultPlan::parse(PLAN, "the plan").expect("it is right");
    scenario("language").server(server).client(client).on(testbed).run(&plan)
}

#[test]
fn a_run_shows_what_its_plan_said() {
    let run = run(testbed::VIRTUAL);
    assert!(run.end.is_finished() && run.fired.all(), "{:?} {:?}\n{}", run.end, run.fired, run.trace.text());
    insta::assert_snapshot!("trace", run.trace.text());
    insta::assert_snapshot!("diagram", run.trace.diagram(&DiagramOptions::default()));
}

#[test]
fn hosts_see_it_alike_in_turmoil() {
    let of = |testbed| {
        let run = run(testbed);
        ["server", "client"].map(|name| run.trace.host_sequence(run.trace.host(name).expect("it is there")))
    };
    assert_eq!(of(testbed::VIRTUAL), of(testbed::TURMOIL));
}
