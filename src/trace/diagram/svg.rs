//! The time-space diagram of a trace as SVG: packets as arrows that slant by the time they took, what the stacks did
//! beside their host's line, and what the programs called outside.

mod pen;
mod place;

use super::flight::{self, Flight};
use super::layout::{self, Label};
use crate::fault::Action;
use crate::trace::{Event, HostId, Trace, What, words};
use pen::{Pen, clipped, escaped};
use place::{Most, Places};

/// The style that the diagrams need. A page that holds several needs it once.
pub const SVG_STYLE: &str = include_str!("svg/style.css");

/// How a diagram is drawn as SVG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvgOptions {
    /// About how many events are drawn at most; at least 20. What is too much is left out in the middle, and the
    /// diagram says how much.
    pub events_max: usize,
    /// What it is called by, for those who cannot see it.
    pub title: String,
    /// What the ids in it begin with: unlike those of other diagrams on the same page.
    pub id: String,
    /// Whether it is a file of its own, with its style in it; otherwise the page has [`SVG_STYLE`].
    pub alone: bool,
    /// The moment of truth: the event (its place in [`Trace::events`]) that is marked, and drawn before others.
    pub mark: Option<usize>,
}

impl Default for SvgOptions {
    /// 200 events, a file of its own.
    fn default() -> Self {
        SvgOptions {
            events_max: 200,
            title: "Time-space diagram".to_owned(),
            id: "diagram".to_owned(),
            alone: true,
            mark: None,
        }
    }
}

impl Trace {
    /// The time-space diagram of this trace as SVG 1.1, readable in light and in dark surroundings.
    ///
    /// ```
    /// use faultwire::trace::{SvgOptions, Trace};
    ///
    /// let trace = Trace::new(["client", "server"]);
    /// assert!(trace.svg(&SvgOptions::default()).starts_with("<svg"));
    /// ```
    pub fn svg(&self, options: &SvgOptions) -> String {
        let events = flight::set_up_first(self);
        let flights = flight::collect(&events);
        let labels = layout::labels(self, &events);
        let one_lane = self.hosts().len() != 2;
        let mark = options.mark.and_then(|mark| flight::place_of(self, &events, mark));
        let most = Most { events: options.events_max.max(20), mark };
        let places = place::places(self.hosts().len(), &events, &flights, most, one_lane);
        let columns = Columns::new(self.hosts().len(), &labels, &places);
        let mut picture =
            Picture { trace: self, events: &events, places: &places, columns, pen: Pen::default() };
        picture.begin(options, flights.len());
        let truth = mark.and_then(|mark| places.y.get(&mark)).copied();
        if let Some(y) = truth {
            let width = picture.columns.width;
            picture.pen.truth(TIMES + 5.0, width - 4.0, y);
        }
        picture.lines();
        picture.waits();
        for (index, event) in events.iter().enumerate() {
            if let What::Partitioned(link) | What::Healed(link) = &event.what {
                let words = if matches!(event.what, What::Healed(_)) { "link mended" } else { "link cut" };
                picture.band(index, *link, words);
            }
        }
        // What was hit lies above the rest.
        let hit = |flight: &&Flight| !flight.faults.is_empty();
        flights.values().filter(|flight| !hit(flight)).for_each(|flight| picture.packet(flight));
        flights.values().filter(hit).for_each(|flight| picture.packet(flight));
        labels.iter().for_each(|label| picture.words(label));
        let any = |is: fn(&Flight) -> bool| flights.values().any(is);
        let open = any(|flight| !flight.dropped && flight.landings.is_empty());
        picture.end(any(|flight| !flight.faults.is_empty()), open, truth.is_some())
    }
}

/// Room for a host's name above its line.
const HEAD: f64 = 40.0;
/// Between two hosts' lines: with two hosts, and with more.
const ROOM: [f64; 2] = [350.0, 190.0];
/// Letters of a label at most.
const LETTERS_MAX: usize = 34;
/// Pixels of a letter, about.
const LETTER: f64 = 7.0;
/// The room for times at the left.
const TIMES: f64 = 62.0;

/// Where the hosts' lines and the words stand.
struct Columns {
    hosts: Vec<f64>,
    /// With two hosts: where the calls begin (or end) outside the stacks' words.
    calls: Option<[f64; 2]>,
    width: f64,
}

impl Columns {
    fn new(hosts: usize, labels: &[Label], places: &Places) -> Columns {
        let widest = |host: usize, of_stack: bool| {
            let of = labels
                .iter()
                .filter(|it| it.host == host && it.of_stack == of_stack && places.y.contains_key(&it.event));
            of.map(|it| it.words.chars().count().min(LETTERS_MAX)).max().unwrap_or(0) as f64 * LETTER
        };
        if hosts == 2 {
            let (stacks, calls) = ([widest(0, true), widest(1, true)], [widest(0, false), widest(1, false)]);
            let gap = |width: f64| if width > 0.0 { 14.0 } else { 0.0 };
            let left = TIMES + 14.0 + calls[0].max(30.0) + gap(stacks[0]) + stacks[0] + 12.0;
            let right = left + ROOM[0];
            let outside =
                [left - 12.0 - stacks[0] - gap(stacks[0]), right + 12.0 + stacks[1] + gap(stacks[1])];
            return Columns {
                hosts: vec![left, right],
                calls: Some(outside),
                width: outside[1] + calls[1].max(50.0) + 12.0,
            };
        }
        let lane = |host| (widest(host, true).max(widest(host, false)) + 30.0).max(ROOM[1]);
        let mut at = TIMES + 40.0;
        let mut columns = Vec::new();
        for host in 0..hosts {
            columns.push(at);
            at += lane(host);
        }
        Columns { hosts: columns, calls: None, width: at.max(300.0) }
    }

    fn of(&self, host: HostId) -> Option<f64> {
        self.hosts.get(usize::from(host.0)).copied()
    }
}

struct Picture<'a> {
    trace: &'a Trace,
    events: &'a [&'a Event],
    places: &'a Places,
    columns: Columns,
    pen: Pen,
}

impl Picture<'_> {
    fn bottom(&self) -> f64 {
        self.places.bottom + 18.0
    }

    fn begin(&mut self, options: &SvgOptions, packets: usize) {
        let (width, height) = (self.columns.width, self.bottom() + 30.0);
        let id = escaped(&options.id);
        let hosts = self.trace.hosts().join(" and ");
        let until = self.events.last().map_or(0, |event| event.at.as_nanos());
        let left_out: usize = self.places.left_out.iter().map(|it| it.packets).sum();
        let mut about = format!(
            "Hosts {hosts} as vertical lines, time going down, {packets} packets as arrows within {}.",
            words::span(until)
        );
        if left_out > 0 {
            about.push_str(&format!(" {left_out} of them are left out."));
        }
        self.pen.raw(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fw-svg\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
            escaped(&options.title),
            escaped(&about),
        ));
        if options.alone {
            self.pen.raw(&format!("<style>\n{SVG_STYLE}</style>\n"));
        }
        self.pen.raw("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
        for (name, x) in self.trace.hosts().iter().zip(self.columns.hosts.clone()) {
            self.pen.text(x, HEAD - 16.0, "host m", &clipped(name, LETTERS_MAX));
        }
        self.pen.text(TIMES - 8.0, HEAD - 16.0, "time", "ms");
    }

    /// The hosts' lines, broken where a host is down.
    fn lines(&mut self) {
        let (top, bottom) = (HEAD - 6.0, self.bottom());
        for host in 0..self.columns.hosts.len() {
            let x = self.columns.hosts[host];
            let (mut from, mut down) = (top, false);
            for (index, y) in &self.places.y {
                let turn = match &self.events[*index].what {
                    What::Crashed(it) if usize::from(it.0) == host => true,
                    What::Restarted(it) if usize::from(it.0) == host => false,
                    _ => continue,
                };
                self.pen.line(x, from, x, *y, if down { "life down" } else { "life" });
                (from, down) = (*y, turn);
                if turn {
                    self.pen.cross(x, *y);
                }
            }
            self.pen.line(x, from, x, bottom, if down { "life down" } else { "life" });
        }
        let mut last = f64::NEG_INFINITY;
        let mut at = None;
        for (index, y) in &self.places.y {
            let event = self.events[*index];
            if at != Some(event.at) && *y >= last + 13.0 {
                let whole = event.at.as_nanos().is_multiple_of(1_000_000);
                let time = if whole { event.at.as_millis().to_string() } else { words::moment(event.at) };
                self.pen.text(TIMES - 8.0, y + 4.0, "time", &time);
                (last, at) = (*y, Some(event.at));
            }
        }
    }

    /// Where time is shortened, and where something is left out.
    fn waits(&mut self) {
        for wait in &self.places.shortened {
            for x in &self.columns.hosts {
                self.pen.gap(*x, wait.y);
            }
            let middle = self.middle();
            self.pen.text(middle, wait.y + 4.0, "soft m halo", &about(wait.nanos));
        }
        for gone in &self.places.left_out {
            for x in &self.columns.hosts {
                self.pen.gap(*x, gone.y);
            }
            let what = match gone.packets {
                0 => format!("{} events", gone.events),
                1 => "1 packet".to_owned(),
                packets => format!("{packets} packets"),
            };
            let words = format!("… {what} left out, until {} ms …", words::moment(gone.until));
            let middle = self.middle();
            self.pen.text(middle, gone.y + 4.0, "soft m halo", &words);
        }
    }

    fn middle(&self) -> f64 {
        let ends = self.columns.hosts.first().zip(self.columns.hosts.last());
        ends.map_or(self.columns.width / 2.0, |(first, last)| (first + last) / 2.0)
    }

    fn band(&mut self, index: usize, link: Option<[HostId; 2]>, words: &str) {
        let ends = match link {
            Some([a, b]) => self.columns.of(a).zip(self.columns.of(b)),
            None => self.columns.hosts.first().copied().zip(self.columns.hosts.last().copied()),
        };
        if let (Some((a, b)), Some(y)) = (ends, self.places.y.get(&index)) {
            self.pen.band(a.min(b), a.max(b), *y, words);
        }
    }

    fn packet(&mut self, flight: &Flight) {
        let (Some(from), Some(to)) = (self.columns.of(flight.from), self.columns.of(flight.to)) else {
            return;
        };
        let placed = |event: usize| self.places.y.contains_key(&event);
        if !placed(flight.departure) && !flight.landings.iter().any(|landing| placed(landing.event)) {
            return;
        }
        let name = |host| self.trace.host_name(host);
        let called =
            flight.called.as_deref().map_or_else(String::new, |called| format!(", {called} of a plan"));
        let mut about = format!("{} to {}: {}", name(flight.from), name(flight.to), flight.words());
        about.push_str(&called);
        let start = self.places.y.get(&flight.departure).copied();
        self.pen.open(if flight.faults.is_empty() { "packet" } else { "packet hit" }, &about);
        let fault = flight.faults.join(", ");
        if let Some(y) = start.filter(|_| flight.landings.is_empty()) {
            // It gets as far as half its way.
            let (x2, y2) = (from + (to - from) * 0.62, y + self.places.transit * 0.62);
            self.pen.line(from, y, x2, y2, if flight.dropped { "arrow" } else { "arrow open" });
            if flight.dropped {
                self.pen.cross(x2, y2);
            }
            self.pen.along((from, y), (x2, y2), &flight.words(), &fault);
        }
        for (nth, landing) in flight.landings.iter().enumerate() {
            let end = match (landing.lost, self.places.y.get(&landing.event)) {
                (None, Some(end)) => *end,
                (Some(_), Some(end)) => end.max(start.map_or(0.0, |y| y + self.places.transit * 0.7)),
                (_, None) => continue,
            };
            // What left in the stretch that is left out comes from there.
            let begin = match start {
                Some(y) => (from, y),
                None => ((from + to) / 2.0, end - self.places.transit / 2.0),
            };
            let class = if landing.copy > 0 { "arrow copy" } else { "arrow" };
            match landing.lost {
                None => self.pen.arrow(begin, (to, end), class),
                Some(reason) => {
                    let (x, y) = (begin.0 + (to - begin.0) * 0.8, begin.1 + (end - begin.1) * 0.8);
                    self.pen.line(begin.0, begin.1, x, y, class);
                    self.pen.cross(x, y);
                    self.pen.text(x, y + 17.0, "fault m halo", words::loss(reason));
                }
            }
            if flight.damaged {
                self.pen.bolt((begin.0 + to) / 2.0, (begin.1 + end) / 2.0);
            }
            if nth == 0 && start.is_some() {
                self.pen.along(begin, (to, end), &flight.words(), &fault);
            } else if landing.copy > 0 {
                self.pen.at_the_end(begin, (to, end), "copy");
            }
        }
        self.pen.close();
    }

    fn words(&mut self, label: &Label) {
        let (Some(x), Some(y)) =
            (self.columns.hosts.get(label.host).copied(), self.places.y.get(&label.event))
        else {
            return;
        };
        if label.of_stack {
            self.pen.dot(x, *y);
        }
        let leftwards = self.columns.calls.is_some() && label.host == 0;
        let at = match (self.columns.calls, label.of_stack) {
            (Some(calls), false) => calls[label.host.min(1)],
            _ => x + if leftwards { -12.0 } else { 12.0 },
        };
        let class = match (label.of_stack, label.fails) {
            (_, true) => "fails",
            (true, _) => "stack",
            (false, _) => "call",
        };
        let class = format!("{class}{}{}", if leftwards { " r" } else { "" }, self.columns.halo());
        self.pen.text(at, y + 4.0, &class, &clipped(&label.words, LETTERS_MAX));
    }

    fn end(mut self, faults: bool, open: bool, truth: bool) -> String {
        let lost = self
            .events
            .iter()
            .any(|event| matches!(event.what, What::Lost { .. } | What::Fault { action: Action::Drop, .. }));
        let told = self.events.iter().any(|event| matches!(event.what, What::Note { .. }));
        let signs = [
            (truth, "◆ the moment of truth"),
            (faults, "✱ fault of the plan"),
            (lost, "✗ lost"),
            (told, "● the stack’s own doing"),
            (open, "┈ still on its way"),
            (!self.places.shortened.is_empty(), "≈ time is shortened"),
        ];
        let legend: Vec<&str> = signs.iter().filter(|(is, _)| *is).map(|(_, words)| *words).collect();
        let y = self.bottom() + 20.0;
        self.pen.text(TIMES - 40.0, y, "soft", &legend.join("\u{2003}"));
        self.pen.finish()
    }
}

/// A span of time, to three digits.
fn about(nanos: u64) -> String {
    let step = 10_u64.pow(nanos.max(1).ilog10().saturating_sub(2));
    words::span((nanos + step / 2) / step * step)
}

impl Columns {
    /// With more hosts than two the words stand where arrows pass.
    fn halo(&self) -> &'static str {
        if self.calls.is_some() { "" } else { " halo" }
    }
}

#[cfg(test)]
mod tests;
