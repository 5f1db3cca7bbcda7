//! Which events of a long trace are drawn.

use std::collections::{BTreeMap, BTreeSet};

use super::super::flight::Flight;
use crate::model::{PacketId, What};
use crate::trace::Event;

/// Events that are not left out for themselves: to say so would take as much room.
const FEW: usize = 10;

/// Faults stand on the packets that they hit.
pub(super) fn is_fault(event: &Event) -> bool {
    matches!(event.what, What::Fault { .. })
}

/// Which events are drawn: all, or about as many as the limit: the first, the last, the marked one, those
/// around faults and notes, and the arrivals of drawn departures.
pub(super) fn kept(
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    events_max: usize,
    mark: Option<usize>,
) -> BTreeSet<usize> {
    let drawn = |index: &usize| !is_fault(events[*index]);
    if events.len() <= events_max {
        return (0..events.len()).filter(drawn).collect();
    }
    let quarter = events_max / 4;
    let mut kept: BTreeSet<usize> = (0..quarter).chain(events.len() - quarter..events.len()).collect();
    if let Some(mark) = mark {
        kept.extend(mark.saturating_sub(2)..(mark + 3).min(events.len()));
    }
    for (index, event) in events.iter().enumerate() {
        if kept.len() >= events_max {
            break;
        }
        let marked = matches!(
            event.what,
            What::Fault { .. }
                | What::Lost { .. }
                | What::Crashed(_)
                | What::Killed(_)
                | What::Restarted(_)
                | What::Partitioned(_)
                | What::Healed(_)
                | What::Note { .. }
                | What::Noted { .. }
        );
        if marked {
            kept.extend(index.saturating_sub(2)..(index + 3).min(events.len()));
        }
    }
    let landings: Vec<usize> = flights
        .values()
        .filter(|flight| kept.contains(&flight.departure))
        .flat_map(|flight| flight.landings.iter().map(|landing| landing.event))
        .collect();
    kept.extend(landings);
    let gaps: Vec<(usize, usize)> = kept.iter().copied().zip(kept.iter().copied().skip(1)).collect();
    for (from, to) in gaps.into_iter().filter(|(from, to)| to - from <= FEW) {
        kept.extend(from + 1..to);
    }
    kept.into_iter().filter(drawn).collect()
}
