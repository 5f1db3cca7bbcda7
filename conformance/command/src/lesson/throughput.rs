//! `faultwire lesson throughput`.

use std::path::PathBuf;

use super::super::bar::Bar;
use super::super::error::{CommandError, internal};
use super::super::{ctrl_c, output};
use faultwire_conformance::exit;
use faultwire_course::fairness::{LATER, TRAVEL, two_long_flows};
use faultwire_course::throughput::{experiments, measure_until};

/// Measure how much of a link the course's machines use, beside the textbook's formulas
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Write the plots there too, each as an SVG file
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    if let Some(dir) = &args.svg {
        std::fs::create_dir_all(dir).map_err(|error| output::unwritten("the result", dir, error))?;
    }
    let mut fine = true;
    let experiments = experiments();
    let count = experiments.len();
    let token = ctrl_c::listen();
    let figures = {
        let mut bar = Bar::new();
        measure_until(experiments, &mut bar, &token).map_err(internal)?
    };
    for (number, figure) in figures.iter().enumerate() {
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
    if token.is_cancelled() {
        let gap = if figures.is_empty() { "" } else { "\n" };
        output::emit(&format!("{gap}INTERRUPTED: {} of {count} experiments were measured\n", figures.len()))?;
        return Ok(if fine { exit::INTERRUPTED } else { exit::CLAIM_FAILED });
    }
    let flows = two_long_flows(TRAVEL, LATER).map_err(internal)?;
    output::emit(&format!("\n\n{}", flows.words()))?;
    if let Some(dir) = &args.svg {
        output::emit_to(Some(&dir.join("fairness.svg")), &flows.svg())?;
    }
    Ok(if fine { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}
