//! Tests a TCP/IP stack behind [`HostStack`](faultwire::stack::HostStack) for what a driver relies on,
//! before any claim is judged on it.
//!
//! Each [`Requirement`] is tried on two new hosts with a perfect link between them. None looks at how TCP
//! recovers, or at any detail of an RFC: a stack that fails has a wrong adapter, and what claims say of its
//! TCP means nothing until that is right.
//!
//! ```
//! use faultwire::stack::Stack;
//! use faultwire_conformance::adapter;
//! use faultwire_sim::testbed::StackSubject;
//!
//! // Here `Stack` stands for yours.
//! let mine = StackSubject::new("mine", "my stack", |host| Box::new(Stack::new(host.config)));
//! let report = adapter::test(&mine);
//! assert!(report.is_ok(), "{report}");
//! ```
//!
//! Read on in this order: `pair` (the hosts, the link, the calls), `wire` (time and packets), `changes` (what
//! wakes a program), `calls` (what the calls answer), `data` (what arrives).

mod calls;
mod changes;
mod data;
mod pair;
mod wire;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use faultwire::stack::Domain;
use faultwire_sim::testbed::{Capability, StackSubject};

use self::pair::{Pair, Trial};
use crate::report::paragraph;

/// Columns of a report.
const WIDTH: usize = 80;
/// Breaches that a report tells with their transcripts; what comes later often follows from the first ones.
const TRANSCRIPTS_MAX: usize = 5;

/// Something that a driver relies on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Requirement {
    /// Its name: `changes/once`.
    pub id: &'static str,
    /// What it asks for.
    pub text: &'static str,
    needs: &'static [Capability],
    trial: fn(&mut Pair<'_>) -> Trial,
}

const fn requirement(
    id: &'static str,
    text: &'static str,
    needs: &'static [Capability],
    trial: fn(&mut Pair<'_>) -> Trial,
) -> Requirement {
    Requirement { id, text, needs, trial }
}

/// All requirements, in the order of a report.
pub fn requirements() -> impl Iterator<Item = &'static Requirement> {
    [wire::REQUIREMENTS, changes::REQUIREMENTS, calls::REQUIREMENTS, data::REQUIREMENTS].into_iter().flatten()
}

/// What was found of a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The stack keeps to it.
    Met,
    /// The stack does not.
    NotMet(Breach),
    /// Not tried, since the stack lacks something: the reason.
    Skipped(String),
}

/// How a stack does not keep to a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// The family of the addresses.
    pub domain: Domain,
    /// What was expected, and what was found.
    pub found: String,
    /// The last calls, packets and changes before, the latest last.
    pub transcript: Vec<String>,
}

/// What was found of a stack's adapter. As text it fits 80 columns; `{:#}` lists what is met, too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Each requirement with what was found.
    pub results: Vec<(&'static Requirement, Outcome)>,
}

/// Tries all requirements on a stack, with IPv4 and with IPv6. What needs something that the stack lacks is
/// skipped.
pub fn test(stack: &StackSubject) -> Report {
    let why =
        |needs: &[Capability]| stack.lacking().iter().find(|(it, _)| needs.contains(it)).map(|(_, why)| *why);
    let streams = why(&[Capability::Streams]).is_none();
    let v6 = why(&[Capability::Ipv6]).is_none().then_some(Domain::Inet6);
    let results = requirements().map(|requirement| {
        let mut domains = [Some(Domain::Inet), v6].into_iter().flatten();
        let outcome = match why(requirement.needs) {
            Some(why) => Outcome::Skipped(why.to_owned()),
            None => domains
                .find_map(|domain| attempt(requirement, stack, (domain, streams)))
                .map_or(Outcome::Met, Outcome::NotMet),
        };
        (requirement, outcome)
    });
    Report { results: results.collect() }
}

/// Tries a requirement once.
fn attempt(requirement: &Requirement, stack: &StackSubject, with: (Domain, bool)) -> Option<Breach> {
    let mut pair = Pair::new(stack, with);
    let result = (requirement.trial)(&mut pair);
    let (transcript, cut) = pair.end();
    // What a trial finds once a stack was cut off means nothing.
    let found = cut.map_or(result, Err).err()?;
    Some(Breach { domain: with.0, found, transcript })
}

/// What the stack may simply not have, and not have declared.
fn missing(needs: &[Capability], breach: &Breach) -> Option<Capability> {
    let says_so = ["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP", "ENOPROTOOPT"];
    let is_refused = says_so.iter().any(|errno| breach.found.contains(errno));
    match needs {
        _ if is_refused && breach.domain == Domain::Inet6 => Some(Capability::Ipv6),
        [Capability::Icmp] => Some(Capability::Icmp),
        [needed] if is_refused => Some(*needed),
        _ => None,
    }
}

impl Report {
    /// Whether no requirement is known not to be met.
    pub fn is_ok(&self) -> bool {
        self.not_met().next().is_none()
    }

    /// The requirements that the stack does not keep to.
    pub fn not_met(&self) -> impl Iterator<Item = (&'static Requirement, &Breach)> {
        self.results.iter().filter_map(|(requirement, outcome)| match outcome {
            Outcome::NotMet(breach) => Some((*requirement, breach)),
            Outcome::Met | Outcome::Skipped(_) => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |is: fn(&Outcome) -> bool| self.results.iter().filter(|(_, outcome)| is(outcome)).count();
        let met = count(|outcome| *outcome == Outcome::Met);
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let not_met = self.results.len() - met - skipped;
        let total = self.results.len();
        writeln!(f, "adapter: {total} requirements, {met} met, {not_met} not met, {skipped} skipped")?;
        let (mut out, mut told, mut skipped) = (String::new(), 0, Vec::<(&String, Vec<&str>)>::new());
        let mut undeclared = BTreeSet::new();
        for (Requirement { id, text, needs, .. }, outcome) in &self.results {
            match outcome {
                Outcome::Met if f.alternate() => paragraph(&mut out, &format!("  {id:24}  "), text, WIDTH),
                Outcome::Met => {}
                Outcome::Skipped(why) => match skipped.iter_mut().find(|(other, _)| *other == why) {
                    Some((_, ids)) => ids.push(*id),
                    None => skipped.push((why, vec![*id])),
                },
                Outcome::NotMet(breach) => {
                    let Breach { domain, found, transcript } = breach;
                    let family = if *domain == Domain::Inet { "IPv4" } else { "IPv6" };
                    let _ = writeln!(out, "\nNOT MET {id}");
                    paragraph(&mut out, "  ", text, WIDTH);
                    paragraph(&mut out, "  ", &format!("With {family}: {found}."), WIDTH);
                    if let Some(missing) = missing(needs, breach) {
                        undeclared.insert(missing.name());
                    }
                    told += 1;
                    if told > TRANSCRIPTS_MAX {
                        continue;
                    }
                    out.push_str("  After:\n");
                    for line in transcript {
                        paragraph(&mut out, "    ", line, WIDTH);
                    }
                }
            }
        }
        if told > TRANSCRIPTS_MAX {
            let more = told - TRANSCRIPTS_MAX;
            let rest = format!("What led to {more} more is left out: it often follows from the first ones.");
            out.push('\n');
            paragraph(&mut out, "", &rest, WIDTH);
        }
        if !undeclared.is_empty() {
            let names: Vec<_> = undeclared.into_iter().collect();
            let declare = format!(
                "If the stack is not meant to have it ({}), declare that, with the reason: \
                 `.lacks(Capability::…, \"…\")`, or `[[lack]]` in its file.",
                names.join(", ")
            );
            out.push('\n');
            paragraph(&mut out, "", &declare, WIDTH);
        }
        for (why, ids) in skipped {
            out.push('\n');
            paragraph(&mut out, "", &format!("Skipped, since {why}: {}", ids.join(", ")), WIDTH);
        }
        f.write_str(&out)
    }
}
