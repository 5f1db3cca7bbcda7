//! What a seed for the programs' random numbers costs: a run on a new thread, beside one on the caller's.
//!
//! `cargo bench -p faultwire-seeded`.

use divan::Bencher;
use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Scenario, scenario};

fn main() {
    divan::main();
}

/// Ten UDP echoes.
fn echoes() -> Scenario {
    let server = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        let mut buffer = [0; 200];
        loop {
            let received = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..received.len], received.from).await?;
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        std::io::Result::Ok(())
    };
    scenario("echoes").server(server).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        let server = net.resolve("server:7000").await?[0];
        let mut buffer = [0; 200];
        for n in 0..10 {
            socket.send_to(&[n; 100], server).await?;
            assert_eq!(socket.recv_from(&mut buffer).await?.len, 100);
        }
        Ok(())
    })
}

fn runs(bencher: Bencher<'_, '_>, scenario: &Scenario) {
    let plan = FaultPlan::default();
    bencher.bench_local(|| {
        let run = scenario.run(&plan);
        assert!(run.end.is_finished());
        run
    });
}

#[divan::bench]
fn callers_thread(bencher: Bencher<'_, '_>) {
    runs(bencher, &echoes());
}

#[divan::bench]
fn seeded(bencher: Bencher<'_, '_>) {
    runs(bencher, &echoes().randomness(faultwire_seeded::seed_thread));
}
