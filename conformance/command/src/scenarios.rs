//! `faultwire scenarios`.

use std::fmt::Write as _;

use faultwire_sim::testbed;

use super::error::CommandError;
use super::{output, select};
use faultwire_conformance::exit;
use faultwire_conformance::report::paragraph;
use faultwire_conformance::study::Study;

/// List the scenarios.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Only those whose names or descriptions hold this word
    #[arg(value_name = "WORD")]
    word: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let studies = select::studies();
    let word = args.word.as_deref().unwrap_or_default().to_lowercase();
    let holds = |study: &&&Study| study.name.contains(&word) || study.about.to_lowercase().contains(&word);
    let found: Vec<&Study> = studies.iter().filter(holds).copied().collect();
    if found.is_empty() {
        // What is asked for is no scenario: the error names those there are.
        select::study(&word, &studies)?;
    }
    output::emit(&list(&found, output::width()))?;
    Ok(exit::AS_CLAIMED)
}

fn list(studies: &[&Study], width: usize) -> String {
    let mut out = String::new();
    for study in studies {
        let _ = writeln!(out, "{}", study.name);
        paragraph(&mut out, "    ", study.about, width);
        let mut claims: Vec<&str> = study.checks.iter().map(|spec| spec.claim).collect();
        claims.dedup();
        if !claims.is_empty() {
            paragraph(&mut out, "    ", &format!("claims: {}", claims.join(", ")), width);
        }
        let without: Vec<String> = testbed::ALL
            .into_iter()
            .filter(|testbed| study.refusal(*testbed).is_some())
            .map(ToString::to_string)
            .collect();
        if !without.is_empty() {
            paragraph(&mut out, "    ", &format!("not on: {}", without.join(", ")), width);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_listed_within_the_width() {
        let studies = select::studies();
        for width in [40, 80] {
            let text = list(&studies, width);
            assert!(studies.iter().all(|study| text.lines().any(|line| line == study.name)));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
    }
}
