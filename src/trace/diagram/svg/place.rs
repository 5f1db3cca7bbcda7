//! Where in the picture each event stands: time goes down, true to scale where little happens apart, and
//! shortened where nothing happens for long.

use std::collections::{BTreeMap, BTreeSet};

use super::super::flight::Flight;
use super::keep::is_fault;
use super::usual::Usual;
use crate::model::{Call, HostId, PacketId, Time, What};
use crate::trace::Event;

/// Pixels that a packet's usual time on the way takes.
const TRANSIT: f64 = 46.0;
/// Waits longer than this, in usual transits, are shortened.
const TRUE_TO_SCALE: f64 = 1.6;
/// The most pixels that a wait takes.
const WAIT_MAX: f64 = 108.0;
/// The fewest pixels that a wait takes.
const LATER: f64 = 4.0;
/// Waits longer than this, in usual transits, are marked as shortened.
const MARKED: f64 = 6.0;
/// Between two lines of words, in pixels.
const LINE: f64 = 17.0;
/// Between two packets that leave the same host: room for the words on the second, also where both are steep.
const DEPARTURES: f64 = 21.0;
/// Between two packets that reach the same host: nearly the same, so that those of a burst stay side by side.
const ARRIVALS: f64 = 19.0;
/// From a packet that reaches a host to one that leaves it: the words on the second begin below the first.
const TURN: f64 = 13.0;
/// Between words and a packet that leaves, where both stand at the same side of a host's line.
const BESIDE: f64 = 15.0;
/// What a stretch that is left out takes.
const LEFT_OUT: f64 = 38.0;
/// Where the first event stands.
pub(super) const TOP: f64 = 66.0;

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
    /// By the departures of packets that never arrive, or late by a fault: where they would have arrived.
    pub(super) would_land: BTreeMap<usize, f64>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) shortened: Vec<Shortened>,
    /// How far down a packet gets in the usual time.
    pub(super) transit: f64,
    pub(super) bottom: f64,
}

/// What is placed, and how.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    /// The events.
    pub(super) kept: &'a BTreeSet<usize>,
    pub(super) usual: &'a Usual,
    /// Calls and the stack's words share a lane, at the side where packets leave.
    pub(super) one_lane: bool,
    /// The events that have words beside their host's line.
    pub(super) said: &'a BTreeSet<usize>,
    /// By event: extra pixels below it.
    pub(super) more: &'a BTreeMap<usize, f64>,
}

/// What the next must keep clear of at a host.
#[derive(Clone, Copy)]
struct Taken {
    calls: f64,
    stack: f64,
    departure: f64,
    arrival: f64,
}

/// What is placed.
#[derive(Clone, Copy)]
enum Item {
    Event(usize),
    /// The packet with this departure would have arrived here.
    WouldLand(usize, HostId),
}

struct Placer<'a> {
    events: &'a [&'a Event],
    taken: Vec<Taken>,
    one_lane: bool,
    said: &'a BTreeSet<usize>,
    /// The usual time on the way.
    unit: f64,
    y: f64,
    /// The last event that was placed, and the time of the last item.
    last: Option<usize>,
    time: Option<Time>,
    places: Places,
}

/// Places the events that are kept.
pub(super) fn places(
    hosts: usize,
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    Kept { kept, usual, one_lane, said, more }: Kept<'_>,
) -> Places {
    let far = f64::NEG_INFINITY;
    let mut placer = Placer {
        events,
        taken: vec![Taken { calls: far, stack: far, departure: far, arrival: far }; hosts],
        one_lane,
        said,
        unit: usual.all,
        y: TOP,
        last: None,
        time: None,
        places: Places {
            y: BTreeMap::new(),
            would_land: BTreeMap::new(),
            left_out: Vec::new(),
            shortened: Vec::new(),
            transit: TRANSIT,
            bottom: TOP,
        },
    };
    for (at, item) in items(events, flights, kept, usual) {
        placer.place(at, item);
        if let Item::Event(index) = item {
            placer.y += more.get(&index).copied().unwrap_or_default();
        }
    }
    let mut places = placer.places;
    // What is still on its way goes down as others do.
    for flight in flights.values().filter(|flight| flight.landings.is_empty()) {
        if let Some(y) = places.y.get(&flight.departure) {
            places.bottom = places.bottom.max(y + TRANSIT);
        }
    }
    places
}

/// The events that are kept and, between them, where packets would have landed.
fn items(
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    kept: &BTreeSet<usize>,
    usual: &Usual,
) -> Vec<(Time, Item)> {
    let strays = flights.values().filter(|flight| flight.strays() && kept.contains(&flight.departure));
    let mut would: Vec<(Time, usize, HostId)> =
        strays.map(|flight| (usual.landing(flight), flight.departure, flight.to)).collect();
    would.sort_unstable_by_key(|(at, departure, _)| (*at, *departure));
    let mut would = would.into_iter().peekable();
    let mut items = Vec::new();
    for index in kept {
        let event = events[*index];
        // Those that left together land together, in the order in which they left.
        let left = match &event.what {
            What::Arrived { packet, .. } => flights.get(packet).map(|flight| flight.departure),
            _ => None,
        };
        let before = |it: &(Time, usize, HostId)| {
            it.0 < event.at || it.0 == event.at && left.is_some_and(|left| it.1 < left)
        };
        while let Some((at, departure, to)) = would.next_if(before) {
            items.push((at, Item::WouldLand(departure, to)));
        }
        items.push((event.at, Item::Event(*index)));
    }
    items.extend(would.map(|(at, departure, to)| (at, Item::WouldLand(departure, to))));
    items
}

impl Placer<'_> {
    fn place(&mut self, at: Time, item: Item) {
        self.wait(at, item);
        match item {
            Item::Event(index) => {
                self.event(&self.events[index].what, self.said.contains(&index));
                self.places.y.insert(index, self.y);
                self.last = Some(index);
            }
            Item::WouldLand(departure, to) => {
                self.arrival(to);
                self.places.would_land.insert(departure, self.y);
            }
        }
        self.places.bottom = self.places.bottom.max(self.y);
        self.time = Some(at);
    }

    /// Goes down by the time that has passed, or over what is left out.
    fn wait(&mut self, at: Time, item: Item) {
        let Some(time) = self.time else { return };
        if let (Item::Event(index), Some(last)) = (item, self.last) {
            let gone = self.events.get(last + 1..index).unwrap_or_default();
            if gone.iter().any(|event| !is_fault(event)) {
                self.places.left_out.push(LeftOut {
                    y: self.y + LEFT_OUT / 2.0 + 8.0,
                    events: gone.len(),
                    packets: gone.iter().filter(|event| event.sending().is_some()).count(),
                    until: gone.last().map_or(at, |event| event.at),
                });
                self.y += LEFT_OUT + 16.0;
                return;
            }
        }
        let nanos = at.as_nanos().saturating_sub(time.as_nanos());
        let transits = nanos as f64 / self.unit;
        let wait = pixels(transits);
        if transits > MARKED {
            self.places.shortened.push(Shortened { y: self.y + wait / 2.0, nanos });
        }
        // What happens later stands lower, however little later.
        self.y += if nanos > 0 { wait.max(LATER) } else { 0.0 };
    }

    fn event(&mut self, what: &What, has_words: bool) {
        let one_lane = self.one_lane;
        let below = |it: &Taken, words: f64| {
            let arrow = if one_lane { it.departure + BESIDE } else { f64::NEG_INFINITY };
            (words + LINE).max(arrow)
        };
        match what {
            What::Sent { from, .. } | What::Injected { from, .. } => self.at(
                *from,
                |it| {
                    let words = if one_lane { it.calls + BESIDE } else { f64::NEG_INFINITY };
                    (it.departure + DEPARTURES).max(it.arrival + TURN).max(words)
                },
                |it, y| it.departure = y,
            ),
            What::Arrived { to, .. } if has_words => self.at(
                *to,
                |it| (it.arrival + ARRIVALS).max(below(it, it.calls)),
                |it, y| {
                    (it.arrival, it.calls, it.stack) = (y, y, if one_lane { y } else { it.stack });
                },
            ),
            What::Arrived { to, .. } => self.arrival(*to),
            What::Call { host, call, .. } => {
                let both =
                    |it: &mut Taken, y| (it.calls, it.stack) = (y, if one_lane { y } else { it.stack });
                // What is sent stands where it leaves.
                let sends = matches!(call, Call::Send { .. });
                let leaves = |it: &Taken| if sends { it.departure + DEPARTURES } else { f64::NEG_INFINITY };
                let arrives = |it: &Taken| if one_lane { it.arrival + BESIDE } else { f64::NEG_INFINITY };
                self.at(*host, |it| below(it, it.calls).max(leaves(it)).max(arrives(it)), both);
            }
            What::Noted { host, .. } => {
                let both =
                    |it: &mut Taken, y| (it.calls, it.stack) = (y, if one_lane { y } else { it.stack });
                self.at(*host, |it| below(it, it.calls), both);
            }
            What::Note { host, .. } => {
                let both =
                    |it: &mut Taken, y| (it.stack, it.calls) = (y, if one_lane { y } else { it.calls });
                self.at(*host, |it| below(it, it.stack), both);
            }
            What::Crashed(host) | What::Killed(host) | What::Restarted(host) => {
                self.at(*host, |it| it.calls.max(it.stack) + LINE, |it, y| (it.calls, it.stack) = (y, y));
            }
            What::Partitioned(_) | What::Healed(_) => {
                let words = |it: &Taken| if one_lane { it.calls } else { f64::NEG_INFINITY };
                let clear = self.taken.iter().map(|it| it.departure.max(it.arrival).max(words(it)) + LINE);
                self.y = clear.fold(self.y, f64::max);
                for taken in &mut self.taken {
                    (taken.departure, taken.arrival) = (self.y, self.y);
                    if one_lane {
                        (taken.calls, taken.stack) = (self.y, self.y);
                    }
                }
            }
            What::Lost { .. } | What::Fault { .. } => {}
        }
    }

    fn arrival(&mut self, to: HostId) {
        self.at(to, |it| it.arrival + ARRIVALS, |it, y| it.arrival = y);
    }

    /// Goes down until it is clear of what stands at that host, and takes the place.
    fn at(&mut self, host: HostId, clear: impl Fn(&Taken) -> f64, take: impl Fn(&mut Taken, f64)) {
        if let Some(taken) = self.taken.get_mut(usize::from(host.0)) {
            self.y = self.y.max(clear(taken));
            take(taken, self.y);
        }
    }
}

/// How many pixels a wait takes, from its length in usual transits.
fn pixels(transits: f64) -> f64 {
    if transits <= TRUE_TO_SCALE {
        return transits * TRANSIT;
    }
    (TRUE_TO_SCALE * TRANSIT + 8.0 * (transits / TRUE_TO_SCALE).log2()).min(WAIT_MAX)
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
