//! `faultwire mutants`.

use std::fmt::Write as _;

use super::bar::Bar;
use super::error::CommandError;
use super::{ctrl_c, output};
use faultwire_conformance::engine::{self, MutantRow};
use faultwire_conformance::exit;
use faultwire_conformance::report::{paragraph, plan_in_words};

/// Break the stack and the programs on purpose, and say which checks notice.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The seed of random plans, ports and identifications
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let token = ctrl_c::listen();
    let rows = {
        let mut bar = Bar::new();
        engine::mutants_until(args.seed, &mut bar, &token)
    };
    output::emit(&matrix(&rows, output::width()))?;
    Ok(exit_code(&rows))
}

/// A missed mutant outweighs all else; one whose search was interrupted is neither caught nor missed.
fn exit_code(rows: &[MutantRow]) -> u8 {
    let open = || rows.iter().filter(|row| !row.is_caught());
    if open().any(|row| !row.cut) {
        exit::CLAIM_FAILED
    } else if rows.iter().any(|row| row.cut) {
        exit::INTERRUPTED
    } else {
        exit::AS_CLAIMED
    }
}

/// The mutants by the claim that each breaks.
fn matrix(rows: &[MutantRow], width: usize) -> String {
    let mut out = String::new();
    let mut claims: Vec<&str> = Vec::new();
    for row in rows {
        if !claims.contains(&row.breaks) {
            claims.push(row.breaks);
        }
    }
    for claim in claims {
        let _ = writeln!(out, "{claim}");
        for row in rows.iter().filter(|row| row.breaks == claim) {
            let state = match (row.is_caught(), row.cut) {
                (true, _) => "caught",
                (false, true) => "not tried to the end",
                (false, false) => "MISSED",
            };
            paragraph(&mut out, &format!("  {state}  "), &format!("{}: {}", row.name, row.about), width);
            if let Some(plan) = &row.plan {
                paragraph(&mut out, "          by ", &plan_in_words(plan), width);
            }
            let others: Vec<&str> = row.caught_by.iter().copied().filter(|by| *by != claim).collect();
            if !others.is_empty() {
                paragraph(&mut out, "          breaks too: ", &others.join(", "), width);
            }
        }
    }
    let caught = rows.iter().filter(|row| row.is_caught()).count();
    let sizes: Vec<usize> = rows
        .iter()
        .filter_map(|row| row.plan.as_ref())
        .map(|plan| plan.faults.len() + plan.events.len())
        .collect();
    let (mean, largest) =
        (sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64, sizes.iter().max().unwrap_or(&0));
    let _ = writeln!(out, "\n{caught} of {} mutants caught", rows.len());
    let cut = rows.iter().filter(|row| row.cut && !row.is_caught()).count();
    if cut > 0 {
        let _ = writeln!(out, "INTERRUPTED: {cut} of them were not tried to the end");
    }
    let _ = writeln!(
        out,
        "smallest plans that show them: {mean:.2} faults and events on average, {largest} at most"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_mutant_stands_out() {
        let row = |name: &str, caught: bool| MutantRow {
            name: name.to_owned(),
            about: "sends every datagram twice".to_owned(),
            breaks: "udp/never-repeats",
            caught_by: if caught {
                ["udp/never-repeats", "udp/lightweight"].into()
            } else {
                ["udp/lightweight"].into()
            },
            plan: None,
            cut: false,
        };
        let mut rows = vec![row("twice", true), row("again", false)];
        insta::assert_snapshot!(matrix(&rows, 80));
        assert_eq!(exit_code(&rows), exit::CLAIM_FAILED);
        rows[1].cut = true;
        insta::assert_snapshot!("interrupted", matrix(&rows, 80));
        assert_eq!(exit_code(&rows), exit::INTERRUPTED);
        rows.pop();
        assert_eq!(exit_code(&rows), exit::AS_CLAIMED);
    }
}
