//! What a fresh simulation costs: two hosts, ten UDP echoes of 100 bytes, and an idle hour.
//!
//! Each case builds its simulation, runs it and drops it. `floor` is the least that tokio asks for: a paused
//! runtime, two tasks and two channels, a sleep of a millisecond for each way, no stack. `turmoil_plain` is
//! turmoil alone.
//!
//! `cargo bench -p faultwire-sim` (with `-p`: built with the whole workspace, the stack has its mutants
//! compiled in).

use std::time::{Duration, SystemTime};

use divan::Bencher;
use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{Net, Result, Scenario, scenario};

const ECHOES: usize = 10;
const SIZE: usize = 100;

fn main() {
    divan::main();
}

async fn server(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 2 * SIZE];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

async fn client(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    let server = net.resolve("server:7000").await?[0];
    let mut buffer = [0; 2 * SIZE];
    for n in 0..ECHOES {
        socket.send_to(&[n as u8; SIZE], server).await?;
        assert_eq!(socket.recv_from(&mut buffer).await?.len, SIZE);
    }
    Ok(())
}

fn echoes(testbed: TestbedRef) -> Scenario {
    scenario("echoes").server(server).client(client).on(testbed)
}

fn ours(bencher: Bencher<'_, '_>, scenario: &Scenario) {
    let plan = FaultPlan::default();
    bencher.bench_local(|| {
        let run = scenario.run(&plan);
        assert!(run.end.is_finished());
        run
    });
}

#[divan::bench]
fn floor(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let delay = Duration::from_millis(1);
            let (to_server, mut at_server) = tokio::sync::mpsc::channel::<Vec<u8>>(64);
            let (to_client, mut at_client) = tokio::sync::mpsc::channel::<Vec<u8>>(64);
            tokio::spawn(async move {
                while let Some(message) = at_server.recv().await {
                    tokio::time::sleep(delay).await;
                    to_client.send(message).await.unwrap();
                }
            });
            let client = tokio::spawn(async move {
                for n in 0..ECHOES {
                    tokio::time::sleep(delay).await;
                    to_server.send(vec![n as u8; SIZE]).await.unwrap();
                    assert_eq!(at_client.recv().await.unwrap().len(), SIZE);
                }
            });
            client.await.unwrap();
        });
    });
}

#[divan::bench(name = "virtual")]
fn virtual_clock(bencher: Bencher<'_, '_>) {
    ours(bencher, &echoes(testbed::VIRTUAL));
}

#[divan::bench]
fn turmoil_plain(bencher: Bencher<'_, '_>) {
    use turmoil::net::UdpSocket;
    let tick = Duration::from_millis(1);
    bencher.bench_local(|| {
        let mut sim = turmoil::Builder::new()
            .tick_duration(tick)
            .min_message_latency(tick)
            .max_message_latency(tick)
            .epoch(SystemTime::UNIX_EPOCH)
            .rng_seed(0)
            .build();
        sim.host("server", || async {
            let socket = UdpSocket::bind("0.0.0.0:7000").await?;
            let mut buffer = [0; 2 * SIZE];
            loop {
                let (len, from) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..len], from).await?;
            }
        });
        sim.client("client", async {
            let socket = UdpSocket::bind("0.0.0.0:7001").await?;
            let mut buffer = [0; 2 * SIZE];
            for n in 0..ECHOES {
                socket.send_to(&[n as u8; SIZE], ("server", 7000)).await?;
                assert_eq!(socket.recv_from(&mut buffer).await?.0, SIZE);
            }
            Ok(())
        });
        sim.run().unwrap();
    });
}

#[divan::bench(name = "turmoil")]
fn turmoil_testbed(bencher: Bencher<'_, '_>) {
    ours(bencher, &echoes(testbed::TURMOIL));
}

#[divan::bench]
fn virtual_idle_hour(bencher: Bencher<'_, '_>) {
    let idle = scenario("idle hour").server(server).client(|net| async move {
        net.sleep(Duration::from_secs(3600)).await;
        Ok(())
    });
    let mut settings = faultwire_sim::Settings::default();
    settings.time_max = Duration::from_secs(7200);
    ours(bencher, &idle.settings(settings));
}
