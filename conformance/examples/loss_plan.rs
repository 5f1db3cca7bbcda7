//! Writes a plan that loses a share of all packets, each drawn by itself: a random loss that is the same
//! every time.
//!
//! `cargo run -p faultwire-conformance --example loss_plan -- PERCENT PACKETS SEED [DELAY_US] > loss.toml`:
//! of the first PACKETS in each direction, of whatever class, so that the same plan goes with TCP and with
//! UDP.

use std::io::{self, Write as _};
use std::process::ExitCode;

use faultwire_conformance::loss::random_loss;

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
    let plan = match random_loss(percent, packets, seed, delay_us) {
        Ok(plan) => plan,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    match io::stdout().write_all(plan.to_toml().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
