//! `faultwire lesson throughput`.

use std::path::PathBuf;

use super::super::error::CommandError;
use super::super::output;
use crate::exit;
use crate::lesson::fairness::{LATER, TRAVEL, two_long_flows};
use crate::lesson::throughput::{experiments, measure};

/// Measure how much of a link the course's machines use, beside the textbook's formulas
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Write the plots there too, each as an SVG file
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    if let Some(dir) = &args.svg {
        std::fs::create_dir_all(dir).map_err(|source| CommandError::Out { path: dir.clone(), source })?;
    }
    let mut fine = true;
    for (number, figure) in measure(experiments())?.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n\n" };
        output::emit(&format!("{gap}{}", figure.table()))?;
        for point in figure.outliers() {
            fine = false;
            let (series, x) = (point.series, point.x);
            output::emit(&format!(
                "Too far: {series} at {x:.2}: {:.3} and not {:.3}\n",
                point.measured, point.expected
            ))?;
        }
        if let Some(dir) = &args.svg {
            let path = dir.join(format!("{}.svg", figure.experiment.slug));
            output::emit_to(Some(&path), &figure.svg())?;
        }
    }
    let flows = two_long_flows(TRAVEL, LATER)?;
    output::emit(&format!("\n\n{}", flows.words()))?;
    if let Some(dir) = &args.svg {
        output::emit_to(Some(&dir.join("fairness.svg")), &flows.svg())?;
    }
    Ok(if fine { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}
