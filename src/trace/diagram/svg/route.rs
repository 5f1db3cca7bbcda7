//! The way of each packet over the picture: lines, where they end, and the words that they ask for.

use std::collections::BTreeMap;

use super::super::flight::Flight;
use super::super::pens::UNICODE;
use super::super::wording::said;
use super::chart::At;
use super::columns::Columns;
use super::letters;
use super::place::Places;
use crate::model::{LossReason, PacketId};
use crate::trace::{Trace, words};

/// How far a packet gets that is lost on its way, or that is still on it.
const SHARE: f64 = 0.62;
/// How far one gets that a host does not take in.
const SHARE_AT_HOST: f64 = 0.86;
/// Where those wait that are held up, one after the other.
const WAITS: [f64; 5] = [0.62, 0.54, 0.70, 0.47, 0.78];
/// What is held up for fewer pixels goes straight.
const WAIT_MIN: f64 = 12.0;
/// Where the sign of what is damaged stands.
const STRUCK: f64 = 0.84;

/// Letters of the words for a payload at most.
pub(super) const PREVIEW: usize = 18;

/// A packet's way.
#[derive(Debug)]
pub(super) struct Route {
    /// The event at which it leaves.
    pub(super) departure: usize,
    /// All that there is to say of it.
    pub(super) about: String,
    /// A fault hit it.
    pub(super) hit: bool,
    pub(super) legs: Vec<Leg>,
    pub(super) crosses: Vec<At>,
    pub(super) bolts: Vec<At>,
    pub(super) wanted: Vec<Wanted>,
}

/// A line of it.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) points: Vec<At>,
    pub(super) class: &'static str,
    pub(super) head: bool,
}

/// A straight stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub(super) from: At,
    pub(super) to: At,
}

/// Words that a way asks for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// What it is called by and carries, from where it leaves on; and what hit it.
    Name {
        track: Track,
        name: String,
        load: String,
        /// Words for the payload, where there is a place for them.
        preview: Option<String>,
        fault: Option<String>,
        /// The line ends in a cross: words have their place beyond it.
        ends: bool,
        /// Where it waits.
        waits: Option<Track>,
    },
    /// A word where a line ends.
    End { track: Track, words: String, beyond: bool },
}

/// The ways of all packets of which something is drawn, those that a fault hit last: they lie above the rest.
pub(super) fn routes(
    trace: &Trace,
    flights: &BTreeMap<PacketId, Flight>,
    places: &Places,
    columns: &Columns,
) -> Vec<Route> {
    let mut held = 0;
    let mut routes: Vec<Route> = flights
        .values()
        .filter_map(|flight| {
            let ends = (columns.of(flight.from)?, columns.of(flight.to)?);
            let placed = |event: usize| places.y.contains_key(&event);
            let any = placed(flight.departure) || flight.landings.iter().any(|landing| placed(landing.event));
            any.then(|| Drawn { trace, flight, places, ends }.route(&mut held))
        })
        .collect();
    routes.sort_by_key(|route| route.hit);
    routes
}

struct Drawn<'a> {
    trace: &'a Trace,
    flight: &'a Flight,
    places: &'a Places,
    /// Where the hosts' lines stand.
    ends: (f64, f64),
}

fn between(from: At, to: At, share: f64) -> At {
    (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
}

impl Drawn<'_> {
    fn route(&self, held: &mut usize) -> Route {
        let Drawn { flight, places, ends: (from, to), .. } = *self;
        let mut route = Route {
            departure: flight.departure,
            about: self.about(),
            hit: !flight.faults.is_empty(),
            legs: Vec::new(),
            crosses: Vec::new(),
            bolts: Vec::new(),
            wanted: Vec::new(),
        };
        let start = places.y.get(&flight.departure).map(|y| (from, *y));
        // Where it arrives, or would have arrived.
        let would = places.would_land.get(&flight.departure).map(|y| (to, *y));
        if let Some(start) = start.filter(|_| flight.landings.is_empty()) {
            let end = between(start, would.unwrap_or((to, start.1 + places.transit)), SHARE);
            let class = if flight.dropped { "arrow" } else { "arrow open" };
            route.leg(vec![start, end], class, false);
            if flight.dropped {
                route.crosses.push(end);
            }
            route.wanted.push(self.name(Track { from: start, to: end }, flight.dropped, None));
        }
        for (nth, landing) in flight.landings.iter().enumerate() {
            let Some(y) = places.y.get(&landing.event).copied() else { continue };
            let end = match (landing.lost, would) {
                (Some(_), Some(would)) => (to, would.1.max(y)),
                (Some(_), None) | (None, _) => (to, y),
            };
            // What left in the stretch that is left out comes from there.
            let begin = start.unwrap_or(((from + to) / 2.0, end.1 - places.transit / 2.0));
            let named = nth == 0;
            if let Some(reason) = landing.lost {
                let far = matches!(reason, LossReason::HostDown | LossReason::NotHandedOn);
                let dead = between(begin, end, if far { SHARE_AT_HOST } else { SHARE });
                route.leg(vec![begin, dead], "arrow", false);
                route.crosses.push(dead);
                if named {
                    route.wanted.push(self.name(Track { from: begin, to: dead }, false, None));
                }
                let words = words::loss(reason).to_owned();
                route.wanted.push(Wanted::End {
                    track: Track { from: begin, to: dead },
                    words,
                    beyond: true,
                });
                continue;
            }
            let class = if landing.copy > 0 { "arrow copy" } else { "arrow" };
            let late = would.filter(|would| flight.delayed && end.1 - would.1 >= WAIT_MIN && start.is_some());
            let track = match late {
                Some(would) => {
                    let share = WAITS[*held % WAITS.len()];
                    *held += 1;
                    let halt = between(begin, would, share);
                    let goes = (halt.0, end.1 - (would.1 - halt.1));
                    route.leg(vec![begin, halt], class, false);
                    route.leg(vec![halt, goes], "arrow held", false);
                    route.leg(vec![goes, end], class, true);
                    let track = Track { from: begin, to: halt };
                    if named {
                        let waits = Some(Track { from: halt, to: goes });
                        route.wanted.push(self.name(track, false, waits));
                    }
                    track
                }
                None => {
                    route.leg(vec![begin, end], class, true);
                    let track = Track { from: begin, to: end };
                    if named {
                        route.wanted.push(self.name(track, false, None));
                    }
                    track
                }
            };
            if flight.damaged {
                route.bolts.push(between(track.from, track.to, STRUCK));
            }
            if landing.copy > 0 {
                let words = "copy".to_owned();
                route.wanted.push(Wanted::End { track, words, beyond: false });
            }
        }
        route
    }

    fn about(&self) -> String {
        let Drawn { trace, flight, .. } = self;
        let name = |host| trace.host_name(host);
        let called =
            flight.called.as_deref().map_or_else(String::new, |called| format!(", {called} of a plan"));
        let words = said(&flight.words(), flight.preview.as_ref(), usize::MAX, &UNICODE);
        format!("{} to {}: {words}{called}", name(flight.from), name(flight.to))
    }

    fn name(&self, track: Track, ends: bool, waits: Option<Track>) -> Wanted {
        let fault = self.flight.faults.join(", ");
        Wanted::Name {
            track,
            name: self.flight.name.clone(),
            load: self.flight.load.clone(),
            preview: self.flight.preview.as_ref().and_then(|preview| preview.fitted(PREVIEW, &UNICODE)),
            fault: (!fault.is_empty()).then(|| format!("✱ {fault}")),
            ends,
            waits,
        }
    }
}

impl Route {
    fn leg(&mut self, points: Vec<At>, class: &'static str, head: bool) {
        self.legs.push(Leg { points, class, head });
    }
}

impl Track {
    pub(super) fn length(&self) -> f64 {
        (self.to.0 - self.from.0).hypot(self.to.1 - self.from.1)
    }

    /// The way it goes, of length 1, turned so that words along it stand upright; and whether it goes to the
    /// right.
    pub(super) fn upright(&self) -> (At, bool) {
        let length = self.length().max(1e-6);
        let (x, y) = ((self.to.0 - self.from.0) / length, (self.to.1 - self.from.1) / length);
        if x >= 0.0 { ((x, y), true) } else { ((-x, -y), false) }
    }
}

/// How wide the sign and the words of a fault are.
pub(super) fn bold(words: &str) -> f64 {
    letters::width(words, letters::SIZE) * letters::BOLD
}
