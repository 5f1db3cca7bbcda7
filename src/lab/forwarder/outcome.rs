//! What a forwarder knows of a run when it is over.

use crate::fault::Fired;
use crate::trace::Trace;

/// What happened beside the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwarderStats {
    /// Packets taken from the ends.
    pub taken: u64,
    /// Packets handed to the ends.
    pub handed_on: u64,
    /// Packets that a device did not take: lost outside of the plan.
    pub not_handed_on: u64,
    /// Packets that a device had no room for until they were taken: lost outside of the plan.
    pub unread: u64,
    /// Errors of a device when a packet was to be received.
    pub receive_errors: u64,
    /// Events that the trace had no room for.
    pub untraced: u64,
    /// Packets from addresses that no host has any more: sockets of an earlier time sent them.
    pub stale: u64,
}

impl ForwarderStats {
    /// Packets that were lost outside of the plan.
    pub fn lost(&self) -> u64 {
        [self.not_handed_on, self.unread, self.receive_errors].into_iter().fold(0, u64::saturating_add)
    }
}

/// All that a forwarder knows of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Concluded {
    /// What happened.
    pub trace: Trace,
    /// Which of the plan's faults and events took place.
    pub fired: Fired,
    /// What happened beside the plan.
    pub stats: ForwarderStats,
}
