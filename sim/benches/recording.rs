//! What recording costs: the same runs with and without a trace, in turns, and how many times longer the
//! traced ones take.
//!
//! `cargo bench -p faultwire-sim --bench recording` (with `-p`: built with the whole workspace, the stack has
//! its mutants compiled in). It fails where a ratio is above [`RATIO_MAX`].
//!
//! Runs are timed in short batches, one of each kind in turn. The ratio is the median over the pairs, so that
//! whatever else the machine does hits both alike; the times are medians too. The dropping of the trace
//! counts as part of its run.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire_sim::{Net, Result, Scenario, Settings, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How many times as long a traced run may take.
const RATIO_MAX: f64 = 1.3;
/// Pairs of batches.
const PAIRS: usize = 2_001;
/// What a batch takes, roughly: less than what a busy system gives a thread at a time.
const BATCH: Duration = Duration::from_millis(1);

const DATAGRAM: usize = 100;
const STREAM: usize = 20_000;

async fn datagram_server(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 2 * DATAGRAM];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

async fn datagram_client(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    let server = net.resolve("server:7000").await?[0];
    let mut buffer = [0; 2 * DATAGRAM];
    for n in 0..10 {
        socket.send_to(&[n; DATAGRAM], server).await?;
        assert_eq!(socket.recv_from(&mut buffer).await?.len, DATAGRAM);
    }
    Ok(())
}

async fn stream_server(net: Net) -> std::io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    let (mut stream, _) = listener.accept().await?;
    let mut buffer = [0; 2048];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..len]).await?;
    }
}

async fn stream_client(net: Net) -> Result {
    let stream = net.connect("server:7000", &[]).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let write = async {
        to.write_all(&[7; STREAM]).await?;
        to.shutdown().await
    };
    let mut echo = Vec::with_capacity(STREAM);
    let (written, read) = tokio::join!(write, from.read_to_end(&mut echo));
    written?;
    read?;
    assert_eq!(echo.len(), STREAM);
    Ok(())
}

/// A plan that drops these data segments of the client's.
fn drops(nths: &[u32]) -> FaultPlan {
    let faults =
        nths.iter().map(|nth| Fault::new(["client", "server"], Packet::nth(Class::Data, *nth), Action::Drop));
    FaultPlan::new().faults(faults)
}

/// The time that a batch takes.
fn time(scenario: &Scenario, plan: &FaultPlan, runs: u32) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "what a benchmark measures is real time")]
    let begun = Instant::now();
    for _ in 0..runs {
        let run = scenario.run(plan);
        assert!(run.end.is_finished(), "{:?}", run.end);
    }
    begun.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures a scenario, says what was seen, and gives the ratio.
fn measure(name: &str, traced: Scenario, plan: &FaultPlan) -> f64 {
    let mut settings = Settings::default();
    settings.trace = false;
    let untraced = traced.clone().settings(settings);
    let run = traced.run(plan);
    let without = untraced.run(plan);
    assert!(without.trace.events().is_empty() && run.trace.packet_count() == without.trace.packet_count());
    assert_eq!((&run.end, &run.fired, run.elapsed), (&without.end, &without.fired, without.elapsed));

    let once = time(&untraced, plan, 10) / 10;
    let runs = u32::try_from(BATCH.as_nanos() / once.as_nanos().max(1)).unwrap_or(u32::MAX).max(1);
    let micros = |scenario| time(scenario, plan, runs).as_secs_f64() * 1e6 / f64::from(runs);
    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let (traced_took, untraced_took) = if pair % 2 == 0 {
            let first = micros(&traced);
            (first, micros(&untraced))
        } else {
            let first = micros(&untraced);
            (micros(&traced), first)
        };
        with.push(traced_took);
        without.push(untraced_took);
        ratios.push(traced_took / untraced_took);
    }
    let [with, without, ratio] = [with, without, ratios].map(median);
    let events = run.trace.events().len();
    println!(
        "{name:36} traced {with:6.1} us   untraced {without:6.1} us   ratio {ratio:.2}   ({events} events)"
    );
    ratio
}

fn main() -> ExitCode {
    let datagrams = || scenario("datagrams").server(datagram_server).client(datagram_client);
    let streams = || scenario("streams").server(stream_server).client(stream_client);
    let ratios = [
        measure("10 datagrams of 100 B, echoed", datagrams(), &FaultPlan::default()),
        measure("20 kB on a stream, echoed", streams(), &FaultPlan::default()),
        measure("20 kB on a stream, echoed, 3 losses", streams(), &drops(&[2, 7, 11])),
    ];
    match ratios.into_iter().all(|ratio| ratio <= RATIO_MAX) {
        true => ExitCode::SUCCESS,
        false => {
            println!("a ratio is above {RATIO_MAX}");
            ExitCode::FAILURE
        }
    }
}
