//! Where in the picture each event stands: time goes down, true to scale where little happens apart, and shortened
//! where nothing happens for long.

use std::collections::{BTreeMap, BTreeSet};

use super::super::flight::Flight;
use crate::time::Time;
use crate::trace::{Event, HostId, PacketId, What};

/// Pixels that a packet's usual time on the way takes.
const TRANSIT: f64 = 40.0;
/// What takes longer than so many usual transits is shortened.
const TRUE_TO_SCALE: f64 = 1.6;
/// The most pixels that a wait takes.
const WAIT_MAX: f64 = 96.0;
/// What takes longer than so many usual transits is marked as shortened.
const MARKED: f64 = 6.0;
/// Between two lines of words, in pixels.
const LINE: f64 = 15.0;
/// Between two packets that leave the same host.
const DEPARTURES: f64 = 17.0;
/// Between two packets that reach the same host.
const ARRIVALS: f64 = 7.0;
/// Events that are not left out for themselves: to say so would take as much room.
const FEW: usize = 10;
/// What a stretch that is left out takes.
const LEFT_OUT: f64 = 38.0;
/// Where the first event stands.
pub(super) const TOP: f64 = 62.0;

/// A stretch of events that is left out.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) y: f64,
    pub(super) events: usize,
    pub(super) packets: usize,
    pub(super) until: Time,
}

/// A wait that takes fewer pixels than it should.
#[derive(Debug)]
pub(super) struct Shortened {
    pub(super) y: f64,
    pub(super) nanos: u64,
}

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Places {
    /// By event: how far down.
    pub(super) y: BTreeMap<usize, f64>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) shortened: Vec<Shortened>,
    /// How far down a packet gets in the usual time.
    pub(super) transit: f64,
    pub(super) bottom: f64,
}

/// Lines of words and arrows that the next must keep clear of.
#[derive(Clone, Copy)]
struct Taken {
    calls: f64,
    stack: f64,
    departure: f64,
    arrival: f64,
}

/// How many events are placed.
#[derive(Clone, Copy)]
pub(super) struct Most {
    /// About so many at most.
    pub(super) events: usize,
    /// One that is placed before others.
    pub(super) mark: Option<usize>,
}

/// Places the events, at most about so many of them. `one_lane` where calls and the stack's words share a lane.
pub(super) fn places(
    hosts: usize,
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    most: Most,
    one_lane: bool,
) -> Places {
    let kept = kept(events, flights, most);
    let unit = usual_transit(flights);
    let far = f64::NEG_INFINITY;
    let mut taken = vec![Taken { calls: far, stack: far, departure: far, arrival: far }; hosts];
    let mut places = Places {
        y: BTreeMap::new(),
        left_out: Vec::new(),
        shortened: Vec::new(),
        transit: TRANSIT,
        bottom: TOP,
    };
    let mut y = TOP;
    let mut before: Option<(usize, Time)> = None;
    for index in kept {
        let event = events[index];
        if let Some((last, at)) = before {
            let gone = events.get(last + 1..index).unwrap_or_default();
            if gone.iter().any(|event| !is_fault(event)) {
                let packets = gone.iter().filter(|event| event.sending().is_some()).count();
                let until = gone.last().map_or(at, |event| event.at);
                places.left_out.push(LeftOut {
                    y: y + LEFT_OUT / 2.0 + 8.0,
                    events: gone.len(),
                    packets,
                    until,
                });
                y += LEFT_OUT + 16.0;
            } else {
                let nanos = event.at.as_nanos().saturating_sub(at.as_nanos());
                let transits = nanos as f64 / unit;
                let wait = pixels(transits);
                if transits > MARKED {
                    places.shortened.push(Shortened { y: y + wait / 2.0, nanos });
                }
                y += wait;
            }
        }
        let clear = |host: HostId, pick: fn(&Taken) -> f64, room: f64| {
            taken.get(usize::from(host.0)).map_or(far, |taken| pick(taken) + room)
        };
        y = y.max(match &event.what {
            What::Sent { from, .. } | What::Injected { from, .. } => {
                clear(*from, |it| it.departure, DEPARTURES)
            }
            What::Arrived { to, .. } => clear(*to, |it| it.arrival, ARRIVALS),
            What::Call { host, .. } => clear(*host, |it| it.calls, LINE),
            What::Note { host, .. } => clear(*host, |it| it.stack, LINE),
            What::Crashed(host) | What::Restarted(host) => clear(*host, |it| it.calls.max(it.stack), LINE),
            What::Partitioned(_) | What::Healed(_) => {
                taken.iter().map(|it| it.departure.max(it.arrival)).fold(far, f64::max) + LINE
            }
            _ => far,
        });
        let mut take = |host: HostId, set: &dyn Fn(&mut Taken)| {
            if let Some(taken) = taken.get_mut(usize::from(host.0)) {
                set(taken);
            }
        };
        match &event.what {
            What::Sent { from, .. } | What::Injected { from, .. } => take(*from, &|it| it.departure = y),
            What::Arrived { to, .. } => take(*to, &|it| it.arrival = y),
            What::Call { host, .. } => take(*host, &|it| {
                it.calls = y;
                it.stack = if one_lane { y } else { it.stack };
            }),
            What::Note { host, .. } => take(*host, &|it| {
                it.stack = y;
                it.calls = if one_lane { y } else { it.calls };
            }),
            What::Crashed(host) | What::Restarted(host) => take(*host, &|it| (it.calls, it.stack) = (y, y)),
            What::Partitioned(_) | What::Healed(_) => {
                taken.iter_mut().for_each(|it| (it.departure, it.arrival) = (y, y));
            }
            _ => {}
        }
        places.y.insert(index, y);
        places.bottom = places.bottom.max(y);
        before = Some((index, event.at));
    }
    // A packet that was lost gets as far as another would.
    let dies = |flight: &&Flight| flight.dropped || flight.landings.is_empty();
    for flight in flights.values().filter(dies) {
        if let Some(y) = places.y.get(&flight.departure) {
            places.bottom = places.bottom.max(y + TRANSIT);
        }
    }
    places
}

/// How many pixels a wait of so many usual transits takes.
fn pixels(transits: f64) -> f64 {
    if transits <= TRUE_TO_SCALE {
        return transits * TRANSIT;
    }
    (TRUE_TO_SCALE * TRANSIT + 8.0 * (transits / TRUE_TO_SCALE).log2()).min(WAIT_MAX)
}

/// The median time on the way, in nanoseconds.
fn usual_transit(flights: &BTreeMap<PacketId, Flight>) -> f64 {
    let arrived = flights.values().flat_map(|flight| {
        let ends = flight.landings.iter().filter(|landing| landing.lost.is_none());
        ends.map(|landing| landing.at.as_nanos().saturating_sub(flight.at.as_nanos()))
    });
    let mut nanos: Vec<u64> = arrived.filter(|nanos| *nanos > 0).collect();
    nanos.sort_unstable();
    nanos.get(nanos.len() / 2).map_or(1e6, |nanos| *nanos as f64)
}

/// Faults stand on the packets that they hit.
fn is_fault(event: &Event) -> bool {
    matches!(event.what, What::Fault { .. })
}

/// Which events are drawn: all, or the first, the last, those around faults and notes as far as they go, and the
/// arrivals of what is seen to leave.
fn kept(events: &[&Event], flights: &BTreeMap<PacketId, Flight>, most: Most) -> BTreeSet<usize> {
    let Most { events: events_max, mark } = most;
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
                | What::Restarted(_)
                | What::Partitioned(_)
                | What::Healed(_)
                | What::Note { .. }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_waits_take_more_room_up_to_a_bound() {
        let waits: Vec<f64> = [0.0, 0.5, 1.0, 1.6, 2.0, 10.0, 1e3].map(pixels).to_vec();
        assert!(waits.is_sorted() && waits[1] * 2.0 == waits[2], "{waits:?}");
        assert_eq!(pixels(f64::MAX), WAIT_MAX);
    }
}
