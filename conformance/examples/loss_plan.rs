//! Writes a plan that loses a share of all packets, each drawn by itself: a random loss that is the same every time.
//!
//! `cargo run -p faultwire-conformance --example loss_plan -- PERCENT PACKETS SEED [DELAY_US] > loss.toml`: of the first PACKETS in
//! each direction, of whatever class, so that the same plan goes with TCP and with UDP.

use std::io::{self, Write as _};
use std::process::ExitCode;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Link, LinkNumbers, Packet, bounds};
use faultwire_sim::seed::derive;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = std::env::args().skip(1).map(|arg| arg.parse().ok()).collect();
    match numbers.as_deref() {
        Some([percent @ 0..=100, packets, seed]) => write(*percent, *packets, *seed, 1_000),
        Some([percent @ 0..=100, packets, seed, delay_us]) => write(*percent, *packets, *seed, *delay_us),
        _ => {
            let _ = writeln!(io::stderr(), "usage: loss_plan PERCENT PACKETS SEED [DELAY_US]");
            ExitCode::from(2)
        }
    }
}

fn write(percent: u64, packets: u64, seed: u64, delay_us: u64) -> ExitCode {
    let mut faults = Vec::new();
    for (from, to) in [("client", "server"), ("server", "client")] {
        let lost = (1..=packets).filter(|nth| derive(seed, &("loss", from, *nth)) % 100 < percent);
        faults.extend(lost.filter_map(|nth| u32::try_from(nth).ok()).map(|nth| Fault {
            direction: Direction::new(from, to),
            packet: Packet::nth(Class::Any, nth),
            action: Action::Drop,
        }));
    }
    if faults.len() > bounds::FAULTS_MAX {
        let most = bounds::FAULTS_MAX;
        let _ =
            writeln!(io::stderr(), "{} faults are more than the {most} that a plan may have", faults.len());
        return ExitCode::from(2);
    }
    let plan = FaultPlan {
        title: Some(format!(
            "{percent} % of the first {packets} packets each way are lost, drawn with seed {seed}"
        )),
        link: Link::Numbers(LinkNumbers { delay_us, mtu: 1500, rate_kbps: None }),
        faults,
        ..FaultPlan::default()
    };
    match io::stdout().write_all(plan.to_toml().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
