//! The scenario as a test: a program that a fault breaks fails with the smallest plan, and its mended form holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Result, Scenario, Settings, Testbed, scenario};

async fn counter(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let (mut buffer, mut count) = ([0; 16], 0u8);
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        count += 1;
        socket.send_to(&[count], received.from).await?;
    }
}

/// Adds one, twice, and believes that nothing is lost or doubled.
async fn trusting(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    socket.connect("server:7000").await?;
    let mut buffer = [0; 16];
    for expected in 1..=2 {
        socket.send(b"add").await?;
        net.timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await??;
        assert_eq!(buffer[0], expected, "the count");
    }
    Ok(())
}

fn counting() -> Scenario {
    scenario("counting").server(counter).client(trusting).exhaustive(1)
}

fn message(failed: Box<dyn std::any::Any + Send>) -> String {
    failed.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_failure_comes_with_its_smallest_plan_a_diagram_and_a_replay_line() {
    let failed = catch_unwind(|| counting().check()).expect_err("one lost datagram breaks it");
    let message = message(failed);
    // Where the target directory is differs from place to place.
    let message = regex_free_redaction(&message, "FAULTWIRE_PLAN=", " cargo test", "[file]");
    insta::assert_snapshot!(message);
}

fn regex_free_redaction(text: &str, from: &str, to: &str, with: &str) -> String {
    let start = text.find(from).expect("a replay line") + from.len();
    let end = start + text[start..].find(to).expect("a replay line");
    format!("{}{with}{}", &text[..start], &text[end..])
}

#[test]
fn faults_that_do_no_harm_are_no_failure() {
    let quiet = scenario("nobody speaks").server(counter).client(|net: Net| async move {
        net.sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    quiet.exhaustive(2).random(10).check();
}

#[test]
fn a_broken_invariant_is_a_failure_of_the_run() {
    let loud = counting().exhaustive(0).invariant("silence", |trace| match trace.packet_count() {
        0 => Ok(()),
        n => Err(format!("{n} packets")),
    });
    let message = message(catch_unwind(AssertUnwindSafe(|| loud.check())).expect_err("there are packets"));
    assert!(message.contains("silence: 4 packets"), "{message}");
}

#[test]
fn a_client_that_waits_for_ever_stalls_and_its_sockets_are_told() {
    for testbed in [Testbed::Virtual, Testbed::Turmoil] {
        let waiting = scenario("waiting").on(testbed).server(counter).client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:5000", &[]).await?;
            socket.recv_from(&mut [0]).await?;
            Ok(())
        });
        let mut settings = Settings::default();
        settings.time_max = Duration::from_secs(5);
        let run = waiting.settings(settings).run(&FaultPlan::default());
        let told = format!("{:?}", run.end);
        assert!(told.contains("5 s of virtual time") && told.contains("0.0.0.0:5000"), "{told}");
    }
}
