//! Everything of a picture finds its place.

use std::collections::{BTreeMap, BTreeSet};

use super::super::flight::Flight;
use super::super::layout::Label;
use super::SvgOptions;
use super::chart::{Chart, Room};
use super::columns::{self, Columns};
use super::label::{Bounds, Labels};
use super::letters::{BOLD, SIZE};
use super::picture::{Aside, HEAD, Picture, moment};
use super::place::{self, Kept};
use super::route::{self, Route};
use super::usual::Usual;
use crate::model::{Cut, HostId, PacketId, What};
use crate::trace::{Event, Trace, words};

/// How often all is placed anew so that words get room.
const ROUNDS: usize = 8;
/// Where there are more packets than that, the first round is the last: each takes time.
const MANY: usize = 400;
/// How much more room each time.
const MORE: f64 = 15.0;

/// What is drawn.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) trace: &'a Trace,
    pub(super) events: &'a [&'a Event],
    /// Those of which something is drawn, of all that there are.
    pub(super) flights: &'a BTreeMap<PacketId, Flight>,
    pub(super) packets: usize,
    /// Of the events that are drawn.
    pub(super) labels: &'a [Label],
    pub(super) kept: &'a BTreeSet<usize>,
    pub(super) usual: &'a Usual,
    pub(super) mark: Option<usize>,
    /// The second of two hosts stands at the left.
    pub(super) mirrored: bool,
}

impl<'a> Scene<'a> {
    pub(super) fn draw(self, options: &SvgOptions) -> String {
        let mut more = BTreeMap::new();
        let rounds = if self.flights.len() > MANY { 0 } else { ROUNDS };
        for _ in 0..rounds {
            let (picture, homeless) = self.picture(&more, false);
            if homeless.is_empty() {
                return picture.drawn(options);
            }
            for event in homeless {
                *more.entry(event).or_insert(0.0) += MORE;
            }
        }
        // As much of the words as there is a place for.
        self.picture(&more, true).0.drawn(options)
    }

    /// Places everything, and tells of which packets the words found no place, by their departures.
    fn picture(self, more: &BTreeMap<usize, f64>, is_last: bool) -> (Picture<'a>, Vec<usize>) {
        let hosts = self.trace.hosts();
        let said = self.labels.iter().map(|label| label.event).collect();
        let kept = Kept { kept: self.kept, usual: self.usual, one_lane: hosts.len() != 2, said: &said, more };
        let places = place::places(hosts.len(), self.events, self.flights, kept);
        let moments = || places.y.keys().map(|index| self.events[*index].at);
        let whole_ms = moments().all(|at| at.as_nanos().is_multiple_of(1_000_000));
        let times: Vec<String> = moments().map(|at| moment(at, whole_ms)).collect();
        let columns = Columns::new(hosts, self.labels, &places, &times, self.mirrored);
        let routes = route::routes(self.trace, self.flights, &places, &columns);
        let mut picture = Picture {
            scene: self,
            places,
            columns,
            routes,
            written: Vec::new(),
            asides: Vec::new(),
            cuts: Vec::new(),
            whole_ms,
        };
        picture.cuts = picture.cuts();
        let homeless = picture.write(is_last);
        (picture, homeless)
    }
}

impl Picture<'_> {
    /// Finds the places of all words; of which packets they have none.
    fn write(&mut self, is_last: bool) -> Vec<usize> {
        let mut chart = Chart::default();
        let bottom = self.bottom();
        for x in &self.columns.hosts {
            chart.pass((*x, HEAD), (*x, bottom));
        }
        for route in &self.routes {
            for points in route.legs.iter().flat_map(|leg| leg.points.windows(2)) {
                chart.pass(points[0], points[1]);
            }
            for (x, y) in &route.crosses {
                chart.take(Room::level(x - 6.0, y - 6.0, x + 6.0, y + 6.0));
            }
            for (x, y) in &route.bolts {
                chart.take(Room::level(x - 7.0, y - 13.0, x + 7.0, y + 13.0));
            }
        }
        for label in self.scene.labels {
            let room = self.places.y.get(&label.event).and_then(|y| self.columns.room(label, *y));
            room.into_iter().for_each(|room| chart.take(room));
        }
        let x = match (self.columns.calls, self.columns.hosts.as_slice()) {
            (Some(_), [a, b]) => (a.min(*b) + 2.0, a.max(*b) - 2.0),
            (_, hosts) => (hosts.first().copied().unwrap_or_default() + 2.0, self.columns.width - 4.0),
        };
        let bounds = Bounds { x, y: (HEAD, bottom) };
        let mut labels = Labels { chart: &mut chart, bounds };
        for Band { cut, left, right, y, is_cut } in self.bands() {
            let words = words::cut(&cut, if is_cut { "cut" } else { "mended" }, |host| {
                self.scene.trace.host_name(host).to_owned()
            });
            let half = (right - left) / 2.0;
            let at = labels.level((left + half, y + 4.0), half, &[0.0], &words, SIZE * BOLD);
            self.asides.push(Aside { at, class: "fault m halo", words });
        }
        for (y, words) in self.asides_wanted() {
            let half = (x.1 - x.0) / 2.0;
            let drops = [0.0, -15.0, 15.0];
            let at = labels.level((self.columns.middle(), y + 4.0), half, &drops, &words, columns::SMALL);
            self.asides.push(Aside { at, class: "soft m halo", words });
        }
        let mut homeless = Vec::new();
        let mut order: Vec<&Route> = self.routes.iter().collect();
        order.sort_by_key(|route| route.departure);
        for route in order {
            for wanted in &route.wanted {
                match labels.all(wanted) {
                    Some(written) => self.written.extend(written),
                    None if is_last => self.written.extend(labels.some(wanted)),
                    None => homeless.push(route.departure),
                }
            }
        }
        homeless
    }

    /// What is said of shortened time and of what is left out, and how far down.
    fn asides_wanted(&self) -> Vec<(f64, String)> {
        let waits = self.places.shortened.iter().map(|wait| (wait.y, about(wait.nanos)));
        let gone = self.places.left_out.iter().map(|gone| {
            let what = match gone.packets {
                0 => format!("{} events", gone.events),
                1 => "1 packet".to_owned(),
                packets => format!("{packets} packets"),
            };
            (gone.y, format!("… {what} left out, until {} ms …", words::moment(gone.until)))
        });
        waits.chain(gone).collect()
    }

    /// Where links are cut or mended.
    pub(super) fn bands(&self) -> Vec<Band> {
        let band = |(index, y): (&usize, &f64)| {
            let (cut, is_cut) = match &self.scene.events[*index].what {
                What::Partitioned(cut) => (*cut, true),
                What::Healed(cut) => (*cut, false),
                _ => return None,
            };
            let (a, b) = match cut.hosts {
                Some([a, b]) => self.columns.of(a).zip(self.columns.of(b))?,
                None => self.columns.hosts.first().copied().zip(self.columns.hosts.last().copied())?,
            };
            Some(Band { cut, left: a.min(b), right: a.max(b), y: *y, is_cut })
        };
        self.places.y.iter().filter_map(band).collect()
    }

    /// The stretches in which links are cut: left, top, right, bottom.
    fn cuts(&self) -> Vec<(f64, f64, f64, f64)> {
        let (mut cuts, mut open) = (Vec::new(), Vec::<Band>::new());
        for band in self.bands() {
            if band.is_cut && !open.iter().any(|it| it.cut.covers(&band.cut)) {
                open.push(band);
            } else if !band.is_cut {
                let (mended, left): (Vec<Band>, _) =
                    open.into_iter().partition(|it| band.cut.covers(&it.cut));
                cuts.extend(mended.into_iter().map(|it| (it.left, it.y, it.right, band.y)));
                open = left;
            }
        }
        cuts.extend(open.into_iter().map(|it| (it.left, it.y, it.right, self.bottom())));
        cuts
    }
}

/// Where a link is cut or mended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    cut: Cut<HostId>,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) y: f64,
    is_cut: bool,
}

/// A span of time, to three digits.
fn about(nanos: u64) -> String {
    let step = 10_u64.pow(nanos.max(1).ilog10().saturating_sub(2));
    words::span(nanos.saturating_add(step / 2) / step * step)
}
