//! Sequence numbers are counted modulo 2^32: where they begin changes nothing.

use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Listener as _, Network as _};
use faultwire::tcp::Config;
use faultwire::time::Time;
use faultwire::trace::DiagramOptions;
use faultwire_sim::{Net, Result, Run, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Bytes that go each way.
const LEN: u32 = 9_000;

/// Sends back all that comes once it has ended.
async fn serve(net: Net) -> Result {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).await?;
        stream.write_all(&asked).await?;
        stream.shutdown().await?;
    }
}

/// A transfer each way between hosts whose sequence numbers begin at `iss`.
fn transfer(iss: u32) -> Scenario {
    let mut tcp = Config::default();
    tcp.initial_sequence_number = Some(iss);
    scenario("transfer")
        .server(serve)
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            let sent: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
            stream.write_all(&sent).await?;
            stream.shutdown().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            assert!(answer == sent, "the answer is what was sent");
            Ok(())
        })
        .tcp(tcp)
}

/// What a run was, with sequence numbers counted from the initial ones.
fn story(run: &Run) -> (FaultPlan, Time, String) {
    assert!(run.end.is_finished(), "{:?}: {:?}", run.plan, run.end);
    (run.plan.clone(), run.elapsed, run.trace.diagram(&DiagramOptions::default()))
}

fn stories(iss: u32) -> Vec<(FaultPlan, Time, String)> {
    let mut stories = Vec::new();
    transfer(iss).exhaustive(1).search(&mut |run| {
        stories.push(story(run));
        ControlFlow::Continue(())
    });
    stories
}

#[test]
fn runs_under_every_single_fault_are_the_same_wherever_sequence_numbers_begin() {
    let usual = stories(1_000);
    assert!(usual.len() > 200, "{} runs", usual.len());
    for edge in [1 << 31, 0_u32] {
        // The SYN, the first byte, a byte in the middle or the FIN stands at 2^31 or 2^32.
        for before in [0, 1, LEN / 2, LEN + 1] {
            let iss = edge.wrapping_sub(before);
            let found = stories(iss);
            assert_eq!(usual.len(), found.len());
            for (usual, found) in usual.iter().zip(found) {
                assert_eq!(usual.0, found.0);
                assert!(usual == &found, "from {iss} under {:?}:\n{}\nelse\n{}", found.0, found.2, usual.2);
            }
        }
    }
}

/// A client loses power, comes back and connects from its old port, while the server still has the old
/// connection.
#[test]
fn a_syn_to_a_half_open_connection_goes_out_again_soon_after_the_reset() {
    let plan = r#"
format = 1
[[event]]
kind = "crash"
host = "client"
at_us = 200000
[[event]]
kind = "restart"
host = "client"
at_us = 300000
"#;
    let run = scenario("half open")
        .server(|net: Net| async move {
            let listener = net.listen("0.0.0.0:7000", 5, &[]).await?;
            let mut kept = Vec::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => kept.push(stream),
                    Err(error) => return Err::<(), _>(error),
                }
            }
        })
        .client(|net: Net| async move {
            let before = net.now();
            let _stream = net.connect_from("client:5000", "server:7000", &[]).await?;
            // The first connect takes a round trip; the second three, and the 10 ms until the SYN goes out
            // again.
            let most = if before > Time::ZERO { Duration::from_millis(20) } else { Duration::from_millis(2) };
            let took = net.now() - before;
            assert!(took <= most, "connected after {took:?}");
            net.sleep(Duration::from_secs(1)).await;
            Ok(())
        })
        .run(&FaultPlan::parse(plan, "plan").unwrap());
    assert!(run.end.is_finished(), "{:?}", run.end);
    let crashes =
        run.trace.events().iter().filter(|event| format!("{:?}", event.what).starts_with("Crashed"));
    assert_eq!(crashes.count(), 1);
}
