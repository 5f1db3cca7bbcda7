//! Which plans a search tries.

use std::collections::BTreeSet;
use std::time::Duration;

use faultwire::fault::{Action, Direction, Fault, FaultPlan, Packet};
use faultwire::trace::{Trace, What};
use faultwire_sim::search::Grid;

/// What a packet is called by.
pub(super) type Name = (Direction, Packet);

/// The plans of a search.
#[derive(Clone, Debug)]
pub(super) struct Plans {
    /// Those of one fault, in the order in which they are tried.
    pub(super) singles: Vec<FaultPlan>,
    /// How many packets they hit.
    pub(super) packets: usize,
    /// The packets of any run without faults.
    pub(super) known: BTreeSet<Name>,
}

/// The single faults. The delays: half a round trip; longer than a kernel waits for an acknowledgement (200
/// ms at least); longer than it waits for the answer to a SYN, and many a program for a datagram's (1 s).
pub(super) fn grid() -> Grid {
    let delays = [1, 250, 1_100].map(Duration::from_millis);
    Grid::new(Duration::from_millis(2), Duration::from_millis(250)).delays(delays)
}

impl Plans {
    /// The plans for a pair whose fault-free runs left these traces.
    ///
    /// A fault needs a packet that is there whenever the pair runs. Pure acknowledgements, for example, are
    /// not as many in each run: those beyond what all runs had are left out.
    pub(super) fn of(traces: &[Trace]) -> Option<Plans> {
        let first = traces.first()?;
        let each: Vec<_> = traces.iter().map(names).collect();
        let mut faults = grid().faults(first);
        faults.retain(|fault| each.iter().all(|names| names.contains(&name(fault))));
        // The simplest first; each kind in the order of the packets.
        faults.sort_by_key(|fault| rank(&fault.action));
        let packets: BTreeSet<_> = faults.iter().map(name).collect();
        let plan = |fault| FaultPlan::new().faults([fault]);
        Some(Plans {
            packets: packets.len(),
            known: each.into_iter().flatten().collect(),
            singles: faults.into_iter().map(plan).collect(),
        })
    }
}

/// The name of the packet that a fault hits.
pub(super) fn name(fault: &Fault) -> Name {
    (fault.direction.clone(), fault.packet)
}

/// The names of a run's packets.
pub(super) fn names(trace: &Trace) -> BTreeSet<Name> {
    let sent = trace.events().iter().filter_map(|event| match &event.what {
        What::Sent { from, to, label, .. } => {
            Some((Direction::new(trace.host_name(*from), trace.host_name(*to)), label.packet()))
        }
        _ => None,
    });
    sent.collect()
}

fn rank(action: &Action) -> u8 {
    match action {
        Action::Drop => 0,
        Action::Duplicate => 1,
        Action::HoldFor(_) => 2,
        Action::DelayUs(_) => 3,
        Action::CorruptBits(_) => 4,
    }
}
