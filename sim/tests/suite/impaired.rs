//! Drawn impairments in a scenario.

use faultwire::fault::{Action, Draw, Impairment};
use faultwire::network::{Listener as _, Network as _};
use faultwire_sim::{Net, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const BYTES: usize = 50_000;

async fn sink(net: Net) -> faultwire_sim::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 1, &[]).await?;
    let (mut stream, _) = listener.accept().await?;
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await?;
    assert_eq!(got, vec![7; BYTES]);
    Ok(stream.write_all(b"all").await?)
}

/// TCP brings all bytes over a link that loses, damages, doubles, delays and reorders, for each seed, and
/// each seed gives another run, which repeats.
#[test]
fn a_transfer_over_an_impaired_link_is_whole_and_repeats() {
    let words = "loss gemodel 2% 30% corrupt 2% duplicate 2% delay 20ms 5ms 25% distribution normal";
    let impairment: Impairment = words.parse().expect("netem's words");
    let transfer = scenario("impaired").server(sink).client(|net: Net| async move {
        let mut stream = net.connect("server:7000", &[]).await?;
        stream.write_all(&vec![7; BYTES]).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert_eq!(answer, b"all");
        Ok(())
    });
    let mut hashes = Vec::new();
    for seed in 0..20 {
        let plan = impairment.plan(&Draw::new(seed, 60)).expect("few faults");
        let run = transfer.run(&plan);
        assert!(run.end.is_finished(), "seed {seed}: {:?}", run.end);
        assert_eq!(run.trace.hash(), transfer.run(&plan).trace.hash(), "seed {seed}");
        hashes.push(run.trace.hash());
        // The first SYN and its answer are within the first packets of each way, so something was drawn for
        // packets that there are.
        let is_first = |nth: u32| (1..=10).contains(&nth);
        for (fault, fired) in plan.faults.iter().zip(&run.fired.faults) {
            assert!(*fired || !is_first(fault.packet.nth), "seed {seed}: {fault}");
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
    let (plan, kinds) = (impairment.plan(&Draw::new(0, 60)).expect("few faults"), std::mem::discriminant);
    let found: Vec<_> = plan.faults.iter().map(|fault| kinds(&fault.action)).collect();
    for action in [Action::Drop, Action::Duplicate, Action::DelayUs(1), Action::CorruptBits(vec![1])] {
        assert!(found.contains(&kinds(&action)), "{action:?}");
    }
}
