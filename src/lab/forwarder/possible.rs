//! Which plans a forwarder carries out, and why there may be none.

use std::io;

use super::Member;
use crate::fault::{EventKind, FaultPlan, UnknownHost, When};

/// Why there is no forwarder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwarderError {
    /// The plan speaks of other hosts.
    #[error(transparent)]
    UnknownHost(#[from] UnknownHost),
    /// The plan has an event that does not happen here.
    #[error("event {number} of the plan cannot happen in the lab: {why}")]
    Event {
        /// Which, from 1, in the order of the plan.
        number: usize,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// The system has no descriptor or no thread for it.
    #[error("the forwarder does not start")]
    Start(#[from] io::Error),
}

/// Whether a host's programs die in no other way than by being killed: the host itself is there to start
/// them.
fn is_only_killed(plan: &FaultPlan, name: &str) -> bool {
    let kinds = || plan.events.iter().map(|event| &event.kind);
    kinds().any(|kind| matches!(kind, EventKind::Kill(host) if host == name))
        && !kinds().any(|kind| matches!(kind, EventKind::Crash(host) if host == name))
}

/// Whether all of a plan's events can happen on the real clock, with what there is to start.
pub(super) fn possible(plan: &FaultPlan, members: &[Member]) -> Result<(), ForwarderError> {
    let mut spares: Vec<usize> = members.iter().map(|member| member.spares.len()).collect();
    for (index, event) in plan.events.iter().enumerate() {
        let is_refused = match (&event.kind, &event.when) {
            (_, When::AtUs(_)) => {
                Some("only a simulation has times that repeat: anchor it to a packet with `after`")
            }
            (EventKind::Restart(name), _) if is_only_killed(plan, name) => None,
            (EventKind::Restart(name), _) => {
                let at = members.iter().position(|member| member.name == *name);
                match at.and_then(|at| spares.get_mut(at)) {
                    Some(0) => Some("nothing is kept ready to start in the host's place"),
                    Some(left) => {
                        *left -= 1;
                        None
                    }
                    // The wire says which hosts there are.
                    None => None,
                }
            }
            _ => None,
        };
        if let Some(why) = is_refused {
            return Err(ForwarderError::Event { number: index + 1, why });
        }
    }
    Ok(())
}
