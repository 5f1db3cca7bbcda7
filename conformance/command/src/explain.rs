//! `faultwire explain`.

use std::fmt::Write as _;

use faultwire::fault::FaultPlan;
use faultwire::trace::DiagramOptions;
use faultwire_sim::testbed;

use super::error::CommandError;
use super::topic::claims_about;
use super::{output, select};
use faultwire_conformance::claim::{Claim, Modality};
use faultwire_conformance::engine::{self, AnyMutant, Explanation};
use faultwire_conformance::exit;
use faultwire_conformance::report::{Exhibit, paragraph, plan_in_words, replay_command};
use faultwire_conformance::study::{Search, Seen, Study, Verdict};

/// Lines of a diagram: the page is to be read, and `replay` draws the whole.
const LINES_MAX: usize = 40;

/// Explain a claim: what it says, why it is so, how it is tried, and a run that shows it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The claims: ids such as `udp/may-lose` or `may-lose`, or a family such as `udp`. Given a word
    /// (`reorder`), an errno (`ECONNRESET`) or a socket option (`TCP_NODELAY`), lists the claims that speak
    /// of it
    #[arg(value_name = "CLAIM", required = true)]
    claims: Vec<String>,

    /// The seed of random plans, ports and identifications
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// Draw with ASCII characters only [default: where the locale has no Unicode]
    #[arg(long)]
    ascii: bool,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let width = output::width();
    let (topics, names): (Vec<_>, Vec<_>) = args
        .claims
        .iter()
        .cloned()
        .partition(|name| !select::is_claims(name) && !claims_about(name).is_empty());
    for topic in &topics {
        output::emit(&of_topic(topic, width))?;
    }
    if names.is_empty() {
        return Ok(exit::AS_CLAIMED);
    }
    let claims = select::claims(&names)?;
    let mut all_shown = true;
    for (index, claim) in claims.into_iter().enumerate() {
        let explanation = engine::explain(claim, args.seed);
        all_shown &= explanation.evidence.is_some();
        let between = if index > 0 { "\n\n" } else { "" };
        output::emit(&format!(
            "{between}{}",
            page(&explanation, width, args.ascii || output::is_without_unicode())
        ))?;
    }
    Ok(if all_shown { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

/// The claims that speak of something, to choose from.
fn of_topic(topic: &str, width: usize) -> String {
    let claims = claims_about(topic);
    let mut out = format!("{topic} is no claim; these speak of it, and `faultwire explain` explains them:\n");
    let mut said = String::new();
    paragraph(&mut said, "", out.trim_end(), width);
    out = said;
    for claim in claims {
        let _ = writeln!(out, "\n{}", claim.id);
        paragraph(&mut out, "    ", claim.text, width);
    }
    out
}

/// All that is said of a claim.
fn page(explanation: &Explanation, width: usize, ascii: bool) -> String {
    let mut out = String::new();
    what(&mut out, explanation.claim, width);
    section(&mut out, "Why it is so");
    paragraph(&mut out, "  ", explanation.claim.why, width);
    how_it_is_tried(&mut out, explanation, width);
    if !explanation.mutants.is_empty() {
        section(&mut out, "Deliberate bugs that its check must see");
        list(&mut out, "  ", explanation.mutants.iter().map(|it| (it.name(), deed(*it))).collect(), width);
    }
    match &explanation.evidence {
        Some((Some(mutant), exhibit)) => {
            section(&mut out, &format!("The smallest run that exposes {}", mutant.name()));
            draw(&mut out, exhibit, width, ascii);
            if let Some(seen) = &explanation.sound {
                paragraph(&mut out, "  without the bug  ", &verdict(seen), width);
            }
        }
        Some((None, exhibit)) => {
            section(&mut out, "The smallest plan that shows it");
            draw(&mut out, exhibit, width, ascii);
            section(&mut out, "To run it again");
            // A title is as long as it likes; the page has said it.
            let plan = FaultPlan { title: None, ..exhibit.run.plan.clone() };
            let on = exhibit.drawn_on.to_string();
            let _ =
                writeln!(out, "{}", replay_command(output::command(), &plan.to_toml(), &on, exhibit.seed));
        }
        None => section(&mut out, "No run was found on virtual that shows it"),
    }
    out
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}");
}

fn what(out: &mut String, claim: &Claim, width: usize) {
    let _ = writeln!(out, "{}\n", claim.id);
    paragraph(out, "  ", claim.text, width);
    if !claim.conditions.is_empty() {
        paragraph(out, "  given     ", claim.conditions, width);
    }
    let modality = match (claim.modality, claim.conditions.is_empty()) {
        (Modality::Guaranteed, true) => "guaranteed: no plan of faults breaks it",
        (Modality::Guaranteed, false) => "guaranteed: under these conditions no plan of faults breaks it",
        (Modality::Possible, _) => "possible: there is a run that shows it",
    };
    paragraph(out, "  modality  ", modality, width);
    paragraph(out, "  source    ", claim.source, width);
}

fn how_it_is_tried(out: &mut String, explanation: &Explanation, width: usize) {
    section(out, "How it is tried");
    let mut efforts: Vec<(String, Vec<(&str, String)>)> = Vec::new();
    for study in &explanation.studies {
        let (effort, entry) = (how_hard(study), (study.name, study.about.to_owned()));
        match efforts.iter_mut().find(|(known, _)| *known == effort) {
            Some((_, entries)) => entries.push(entry),
            None => efforts.push((effort, vec![entry])),
        }
    }
    for (effort, entries) in efforts {
        paragraph(out, "  ", &effort, width);
        list(out, "    ", entries, width);
    }
    let settle = explanation.testbeds.iter().filter(|(_, refusal)| refusal.is_none());
    let settle: Vec<String> = settle.map(|(testbed, _)| testbed.to_string()).collect();
    paragraph(out, "  Settled on ", &settle.join(", "), width);
    for (testbed, refusal) in &explanation.testbeds {
        if let Some(why) = refusal {
            paragraph(out, &format!("  Not on {}: ", testbed), why, width);
        }
    }
}

/// Names with what is to be said of each, in two columns.
fn list(out: &mut String, before: &str, entries: Vec<(&str, String)>, width: usize) {
    let column = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, about) in entries {
        paragraph(out, &format!("{before}{name:column$}  "), &about, width);
    }
}

/// Which plans of a study are tried by default on `virtual`, as the head of a list.
fn how_hard(study: &Study) -> String {
    if let Some(why) = study.refusal(testbed::VIRTUAL) {
        return format!("Not on virtual ({why}):");
    }
    let Search { exhaustive, random, thorough_only, .. } = study.search;
    let mut parts = vec![match exhaustive {
        0 => "the run without faults".to_owned(),
        1 => "every plan of up to one fault of the grid".to_owned(),
        depth => format!("every plan of up to {depth} faults of the grid"),
    }];
    match (study.plans)(&(study.scenario)(testbed::VIRTUAL).on(testbed::VIRTUAL)).len() {
        0 => {}
        1 => parts.push("one special plan".to_owned()),
        count => parts.push(format!("{count} special plans")),
    }
    if random > 0 {
        parts.push(format!("{random} random plans"));
    }
    let last = parts.pop().unwrap_or_default();
    let all = if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) };
    let when = if thorough_only { ", with --thorough only" } else { "" };
    format!("On virtual {all}{when}:")
}

fn deed(mutant: AnyMutant) -> String {
    let about = mutant.about();
    match mutant {
        AnyMutant::Stack(_) => format!("{about} (in the stack)"),
        AnyMutant::Program(study, _) => format!("{about} (in the programs of {})", study.name),
    }
}

fn draw(out: &mut String, exhibit: &Exhibit, width: usize, ascii: bool) {
    let run = &exhibit.run;
    let scenario = run.plan.scenario.as_deref().unwrap_or_default();
    let _ = writeln!(out, "  scenario  {scenario}");
    paragraph(out, "  plan      ", &plan_in_words(&run.plan), width);
    let mut options = DiagramOptions::default();
    (options.width, options.lines_max, options.ascii, options.mark) =
        (width, LINES_MAX, ascii, exhibit.moment);
    let _ = writeln!(out, "\n{}", run.trace.diagram(&options));
    let said = exhibit.seen.as_ref().map(verdict).unwrap_or_default();
    paragraph(out, "  the check says  ", &said, width);
}

/// What a check says of a run.
fn verdict(seen: &Seen) -> String {
    match &seen.verdict {
        Verdict::Broken(how) => format!("BROKEN: {how}"),
        Verdict::Witnessed(how) => format!("witnessed: {how}"),
        Verdict::Fine if seen.exercised == 0 => "nothing to object to".to_owned(),
        Verdict::Fine if seen.exercised == 1 => "held; its situation occurs once".to_owned(),
        Verdict::Fine => format!("held; its situation occurs {} times", seen.exercised),
    }
}

#[cfg(test)]
mod tests;
