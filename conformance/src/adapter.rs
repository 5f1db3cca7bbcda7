//! Tests a TCP/IP stack behind [`HostStack`] for what a driver relies on, before any claim is judged on it.
//!
//! Each [`Requirement`] is tried on two new hosts with a perfect link between them. None looks at how TCP
//! recovers, or at any detail of an RFC: a stack that fails has a wrong adapter, and what claims say of its
//! TCP means nothing until that is right.
//!
//! ```
//! use faultwire::stack::Stack;
//! use faultwire_conformance::adapter;
//!
//! let report = adapter::test(&|config| Box::new(Stack::new(config)), &[]);
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

use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::stack::{Domain, HostStack, StackConfig};
use faultwire_sim::testbed::Capability;

use self::pair::{Make, Pair, Transcript, Trial};
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
    /// The stack panicked.
    pub is_panic: bool,
}

/// What was found of a stack's adapter. As text it fits 80 columns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Each requirement with what was found.
    pub results: Vec<(&'static Requirement, Outcome)>,
}

/// Tries all requirements on a stack that `stack` makes, with IPv4 and with IPv6. `lacking` says what the
/// stack cannot do, each with the reason: what needs that is skipped.
pub fn test(stack: &dyn Fn(StackConfig) -> Box<dyn HostStack>, lacking: &[(Capability, &str)]) -> Report {
    let why = |needs: &[Capability]| lacking.iter().find(|(it, _)| needs.contains(it)).map(|(_, why)| *why);
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
fn attempt(requirement: &Requirement, stack: Make<'_>, with: (Domain, bool)) -> Option<Breach> {
    let mut transcript = Transcript::default();
    let trial = || (requirement.trial)(&mut Pair::new(stack, with, &mut transcript));
    let result = catch_unwind(AssertUnwindSafe(trial));
    let is_panic = result.is_err();
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(format!("the stack panicked: {text}"))
    });
    // What a trial finds once a stack was cut off means nothing.
    let cut = transcript.cut.take().map_or(Ok(()), Err);
    let found = if is_panic { result } else { cut.and(result) }.err()?;
    Some(Breach { domain: with.0, found, transcript: transcript.lines.into(), is_panic })
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
        for (Requirement { id, text, .. }, outcome) in &self.results {
            match outcome {
                Outcome::Met => {}
                Outcome::Skipped(why) => match skipped.iter_mut().find(|(other, _)| *other == why) {
                    Some((_, ids)) => ids.push(*id),
                    None => skipped.push((why, vec![*id])),
                },
                Outcome::NotMet(Breach { domain, found, transcript, .. }) => {
                    let family = if *domain == Domain::Inet { "IPv4" } else { "IPv6" };
                    let _ = writeln!(out, "\nNOT MET {id}");
                    paragraph(&mut out, "  ", text, WIDTH);
                    paragraph(&mut out, "  ", &format!("With {family}: {found}."), WIDTH);
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
        for (why, ids) in skipped {
            out.push('\n');
            paragraph(&mut out, "", &format!("Skipped, since {why}: {}", ids.join(", ")), WIDTH);
        }
        f.write_str(&out)
    }
}
