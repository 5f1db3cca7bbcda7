//! Any bytes as a plan file. An accepted plan is the same when written and read again, and a wire can run it.
//! A refusal has a message.

use std::collections::BTreeSet;

use faultwire::fault::{Direction, EventKind, FaultPlan, Injection};

use super::forge::Choice;
use super::wire::carry;

pub(crate) fn fuzz(data: &[u8]) {
    match FaultPlan::read_from(data, "fuzz.toml") {
        Ok(plan) => {
            let text = plan.to_toml();
            let again = FaultPlan::parse(&text, "again.toml");
            assert_eq!(again.as_ref().ok(), Some(&plan), "{text}");
            // The file's own bytes decide which packets are sent.
            carry(&plan, hosts(&plan), &mut Choice::Bytes(data));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The hosts that a plan names, and two more.
fn hosts(plan: &FaultPlan) -> Vec<String> {
    let mut names = BTreeSet::from(["client".to_owned(), "server".to_owned()]);
    let mut way = |Direction { from, to }: &Direction| names.extend([from.clone(), to.clone()]);
    plan.links.iter().flat_map(|link| link.directions()).for_each(|direction| way(&direction));
    plan.faults.iter().for_each(|fault| way(&fault.direction));
    for event in &plan.events {
        if let Some(anchor) = event.when.anchor() {
            way(&anchor.direction);
        }
        match &event.kind {
            EventKind::Partition(cut) | EventKind::Heal(cut) | EventKind::Outage { cut, .. } => {
                if let Some([a, b]) = &cut.hosts {
                    way(&Direction::new(a, b));
                }
            }
            EventKind::Crash(host) | EventKind::Kill(host) | EventKind::Restart(host) => {
                way(&Direction::new(host, host))
            }
            EventKind::Inject(
                Injection::Bytes { direction, .. }
                | Injection::Like { direction, .. }
                | Injection::Reject { direction, .. },
            ) => way(direction),
        }
    }
    names.into_iter().collect()
}
