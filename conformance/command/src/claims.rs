//! `faultwire claims`.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::error::{CommandError, unwritable};
use super::topic::claims_about;
use super::{output, select};
use faultwire_conformance::claim::{Claim, FAMILIES, Modality};
use faultwire_conformance::exit;
use faultwire_conformance::report::paragraph;

/// List the claims.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The claims to list: ids such as `udp/may-lose` or `may-lose`, a family such as `udp`, or what claims
    /// speak of: a word (`reorder`), an errno (`ECONNRESET`), a socket option (`TCP_NODELAY`) [default: all]
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
    let claims = listed(&args.claims)?;
    let text = match args.format {
        Format::Human => human(&claims, output::width()),
        Format::Json => json(&claims)?,
        Format::Markdown => markdown(&claims),
    };
    output::emit(&text)?;
    Ok(exit::AS_CLAIMED)
}

/// The claims of these names, and those that speak of what else is named, in the order of the registry.
fn listed(names: &[String]) -> Result<Vec<&'static Claim>, CommandError> {
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let about = if select::is_claims(name) { Vec::new() } else { claims_about(name) };
        match about.as_slice() {
            [] => unknown.push(name.clone()),
            _ => ids.extend(about.into_iter().map(|claim| claim.id.to_owned())),
        }
    }
    ids.extend(unknown);
    select::claims(&ids)
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
            paragraph(&mut out, &format!("{}  ", claim.id), &format!("({}{plans})", claim.modality), width);
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
    Ok(serde_json::to_string_pretty(&list).map_err(unwritable)? + "\n")
}

fn markdown(claims: &[&'static Claim]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut out = String::from(
        "# The claims\n\n\
         <!-- Made by `faultwire claims --format markdown`: change conformance/claims/. -->\n\n\
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
        let all: Vec<_> = faultwire_conformance::claim::CLAIMS.iter().collect();
        for width in [40, 80] {
            for line in human(&all, width).lines() {
                assert!(line.chars().count() <= width, "{line}");
            }
        }
    }
}
