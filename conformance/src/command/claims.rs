//! `faultwire claims`.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::error::CommandError;
use super::{output, select};
use crate::claim::{Claim, FAMILIES, Modality};
use crate::exit;
use crate::report::paragraph;

/// List the claims.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The claims to list: ids such as `udp/may-lose`, or a family such as `udp`; all, if none is named
    #[arg(value_name = "CLAIM")]
    claims: Vec<String>,

    /// How the list is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Paragraphs
    Human,
    /// An object with the version of its format and the claims
    Json,
    /// Tables, one for each family
    Markdown,
}

#[derive(Serialize)]
struct List {
    format: u32,
    claims: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    modality: Modality,
    text: &'static str,
    conditions: Option<&'static str>,
    source: &'static str,
    over_plans: bool,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let claims = select::claims(&args.claims)?;
    let text = match args.format {
        Format::Human => human(&claims, output::width()),
        Format::Json => json(&claims)?,
        Format::Markdown => markdown(&claims),
    };
    output::emit(&text)?;
    Ok(exit::AS_CLAIMED)
}

fn families<'a>(
    claims: &'a [&'static Claim],
) -> impl Iterator<Item = (&'static str, Vec<&'static Claim>)> + 'a {
    FAMILIES.iter().filter_map(move |(family, title)| {
        let members: Vec<_> = claims.iter().copied().filter(|claim| claim.family() == *family).collect();
        (!members.is_empty()).then_some((*title, members))
    })
}

fn human(claims: &[&'static Claim], width: usize) -> String {
    let mut out = String::new();
    for (title, members) in families(claims) {
        let _ = writeln!(out, "{title}\n");
        for claim in members {
            let plans = if claim.over_plans { ", tried under fault plans" } else { "" };
            let _ = writeln!(out, "{}  ({}{plans})", claim.id, claim.modality);
            paragraph(&mut out, "    ", claim.text, width);
            if !claim.conditions.is_empty() {
                paragraph(&mut out, "    given: ", claim.conditions, width);
            }
            paragraph(&mut out, "    source: ", claim.source, width);
            out.push('\n');
        }
    }
    out
}

fn json(claims: &[&'static Claim]) -> Result<String, CommandError> {
    let entry = |claim: &&'static Claim| Entry {
        id: claim.id,
        modality: claim.modality,
        text: claim.text,
        conditions: (!claim.conditions.is_empty()).then_some(claim.conditions),
        source: claim.source,
        over_plans: claim.over_plans,
    };
    let list = List { format: 1, claims: claims.iter().map(entry).collect() };
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

fn markdown(claims: &[&'static Claim]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut out = String::from(
        "# The claims\n\n<!-- Made by `faultwire claims --format markdown`: change conformance/src/claim/registry/. -->\n\n\
         G: guaranteed, no plan breaks it under its conditions. P: possible, there is a run that shows it.\n",
    );
    for (title, members) in families(claims) {
        let _ = write!(out, "\n## {title}\n\n| id | | claim | source |\n|---|---|---|---|\n");
        for claim in members {
            let modality = match claim.modality {
                Modality::Guaranteed => "G",
                Modality::Possible => "P",
            };
            let given = if claim.conditions.is_empty() {
                String::new()
            } else {
                format!(" *Given:* {}", claim.conditions)
            };
            let _ = writeln!(
                out,
                "| {} | {modality} | {}{} | {} |",
                claim.id,
                cell(claim.text),
                cell(&given),
                cell(claim.source)
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_list_is_too_wide() {
        let all: Vec<_> = crate::claim::CLAIMS.iter().collect();
        for line in human(&all, 80).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
