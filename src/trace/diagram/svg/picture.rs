//! What a picture is made of, drawn from the back to the front.

use std::collections::BTreeSet;

use super::super::layout::Label;
use super::super::names;
use super::chart::At;
use super::columns::{self, Columns};
use super::label::Written;
use super::legend::{self, Sign};
use super::letters::{self, BOLD};
use super::pen::Pen;
use super::place::Places;
use super::route::Route;
use super::scene::Scene;
use super::{SVG_STYLE, SvgOptions};
use crate::model::{Time, What};
use crate::text::xml;
use crate::trace::words;

/// Room for a host's name above its line.
pub(super) const HEAD: f64 = 42.0;
/// From the middle of a stack's sign to its rim.
const DOT: f64 = 5.0;
/// Around the legend.
const EDGE: f64 = 16.0;

/// What stands where.
pub(super) struct Picture<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) places: Places,
    pub(super) columns: Columns,
    pub(super) routes: Vec<Route>,
    /// The words on packets.
    pub(super) written: Vec<Written>,
    /// The words on links, on shortened time and on what is left out.
    pub(super) asides: Vec<Aside>,
    /// From which time to which height a link is cut.
    pub(super) cuts: Vec<(f64, f64, f64, f64)>,
    /// All times are whole milliseconds.
    pub(super) whole_ms: bool,
}

/// Words that belong to no packet.
pub(super) struct Aside {
    pub(super) at: At,
    pub(super) class: &'static str,
    pub(super) words: String,
}

impl Picture<'_> {
    /// Where the hosts' lines end.
    pub(super) fn bottom(&self) -> f64 {
        self.places.bottom + 24.0
    }

    pub(super) fn drawn(&self, options: &SvgOptions) -> String {
        let mut pen = Pen::default();
        let signs = self.signs();
        let room = self.columns.width - 2.0 * EDGE;
        let height = self.bottom() + 8.0 + legend::height(&signs, room) + 8.0;
        self.begin(&mut pen, options, height);
        for (left, top, right, bottom) in &self.cuts {
            pen.cut(*left, *top, *right, *bottom);
        }
        if let Some(y) = self.truth() {
            pen.truth(self.columns.times + 8.0, self.columns.width - 4.0, y);
        }
        self.lines(&mut pen);
        for wait in &self.places.shortened {
            self.columns.hosts.iter().for_each(|x| pen.gap(*x, wait.y));
        }
        for gone in &self.places.left_out {
            self.columns.hosts.iter().for_each(|x| pen.gap(*x, gone.y));
        }
        self.bands().iter().for_each(|it| pen.band(it.left, it.right, it.y));
        let dots = self.dots();
        self.routes.iter().for_each(|route| packet(&mut pen, route, &dots));
        self.scene.labels.iter().for_each(|label| self.words(&mut pen, label));
        for Aside { at: (x, y), class, words } in &self.asides {
            pen.text(*x, *y, class, words);
        }
        self.written.iter().for_each(|written| pen.written(written));
        legend::draw(&signs, &mut pen, EDGE, self.bottom() + 8.0, room);
        pen.finish()
    }

    fn begin(&self, pen: &mut Pen, options: &SvgOptions, height: f64) {
        let width = self.columns.width;
        let id = xml(&options.id);
        let hosts = self.scene.trace.hosts();
        let until = self.scene.events.last().map_or(0, |event| event.at.as_nanos());
        let left_out: usize = self.places.left_out.iter().map(|it| it.packets).sum();
        let mut about = format!(
            "Hosts {} as vertical lines, time going down, {} packets as arrows within {}.",
            hosts.join(" and "),
            self.scene.packets,
            words::span(until)
        );
        if left_out > 0 {
            about.push_str(&format!(" {left_out} of them are left out."));
        }
        pen.raw(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fw-svg\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
            xml(&options.title),
            xml(&about),
        ));
        if options.alone {
            pen.raw(&format!("<style>\n{SVG_STYLE}</style>\n"));
        }
        pen.raw("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
        let names = names::told_apart(hosts, "…", &|host, words| {
            letters::width(words, columns::NAME) * BOLD <= self.columns.name_room(host)
        });
        for (name, x) in names.iter().zip(&self.columns.hosts) {
            pen.text(*x, HEAD - 17.0, "host m", name);
        }
        pen.text(self.columns.times, HEAD - 17.0, "time", "ms");
    }

    /// How far down the moment of truth is.
    fn truth(&self) -> Option<f64> {
        self.scene.mark.and_then(|mark| self.places.y.get(&mark)).copied()
    }

    /// The hosts' lines, broken where a host is down, and the times.
    fn lines(&self, pen: &mut Pen) {
        let (top, bottom) = (HEAD - 6.0, self.bottom());
        for (host, x) in self.columns.hosts.iter().enumerate() {
            let (mut from, mut down) = (top, false);
            for (index, y) in &self.places.y {
                let turn = match &self.scene.events[*index].what {
                    What::Crashed(it) if usize::from(it.0) == host => true,
                    What::Restarted(it) if usize::from(it.0) == host => false,
                    _ => continue,
                };
                pen.line(*x, from, *x, *y, if down { "life down" } else { "life" });
                (from, down) = (*y, turn);
                if turn {
                    pen.cross(*x, *y);
                }
            }
            pen.line(*x, from, *x, bottom, if down { "life down" } else { "life" });
        }
        let mut last = f64::NEG_INFINITY;
        let mut at = None;
        for (index, y) in &self.places.y {
            let time = self.scene.events[*index].at;
            if at != Some(time) && *y >= last + 14.0 {
                pen.text(self.columns.times, y + 4.0, "time", &moment(time, self.whole_ms));
                (last, at) = (*y, Some(time));
            }
        }
    }

    /// Where the signs of the stacks' words stand: host by host, and how far down in tenths of a pixel.
    fn dots(&self) -> BTreeSet<(i64, i64)> {
        let stacks = self.scene.labels.iter().filter(|label| label.of_stack);
        let at = |label: &Label| {
            Some(tenths((*self.columns.hosts.get(label.host)?, *self.places.y.get(&label.event)?)))
        };
        stacks.filter_map(at).collect()
    }

    fn words(&self, pen: &mut Pen, label: &Label) {
        let (Some(x), Some(y)) = (self.columns.beside(label), self.places.y.get(&label.event)) else {
            return;
        };
        if let Some(x) = self.columns.hosts.get(label.host).filter(|_| label.of_stack) {
            pen.dot(*x, *y);
        }
        let class = match (label.of_stack, label.fails) {
            (_, true) => "fails",
            (true, _) => "stack",
            (false, _) => "call",
        };
        let side = if self.columns.leftwards(label) { " r" } else { "" };
        // With more hosts than two the words stand where arrows pass.
        let halo = if self.columns.calls.is_some() { "" } else { " halo" };
        pen.text(x, y + 4.0, &format!("{class}{side}{halo}"), &columns::said(label));
    }

    /// The signs that occur.
    fn signs(&self) -> Vec<Sign> {
        let drawn = || self.places.y.keys().map(|index| &self.scene.events[*index].what);
        let leg = |class: &str| self.routes.iter().flat_map(|it| &it.legs).any(|leg| leg.class == class);
        let signs = [
            (Sign::Truth, self.truth().is_some()),
            (Sign::Fault, self.routes.iter().any(|route| route.hit)),
            (Sign::Lost, self.routes.iter().any(|route| !route.crosses.is_empty())),
            (Sign::Struck, self.routes.iter().any(|route| !route.bolts.is_empty())),
            (Sign::Held, leg("arrow held")),
            (Sign::Copy, leg("arrow copy")),
            (Sign::Told, drawn().any(|what| matches!(what, What::Note { .. }))),
            (Sign::Open, leg("arrow open")),
            (Sign::Cut, !self.cuts.is_empty()),
            (Sign::Down, drawn().any(|what| matches!(what, What::Crashed(_)))),
            (Sign::Shortened, !self.places.shortened.is_empty()),
        ];
        signs.into_iter().filter(|(_, occurs)| *occurs).map(|(sign, _)| sign).collect()
    }
}

fn tenths((x, y): At) -> (i64, i64) {
    ((x * 10.0).round() as i64, (y * 10.0).round() as i64)
}

/// A packet's lines and signs. A head ends before the sign of the stack's words.
fn packet(pen: &mut Pen, route: &Route, dots: &BTreeSet<(i64, i64)>) {
    pen.open(if route.hit { "packet hit" } else { "packet" }, &route.about);
    for leg in &route.legs {
        pen.path(&leg.points, leg.class);
        if let (true, [.., from, to]) = (leg.head, leg.points.as_slice()) {
            let length = (to.0 - from.0).hypot(to.1 - from.1).max(1.0);
            let back = if dots.contains(&tenths(*to)) { DOT / length } else { 0.0 };
            pen.head(*from, (to.0 + (from.0 - to.0) * back, to.1 + (from.1 - to.1) * back));
        }
    }
    route.crosses.iter().for_each(|(x, y)| pen.cross(*x, *y));
    route.bolts.iter().for_each(|(x, y)| pen.bolt(*x, *y, 1.0));
    pen.close();
}

pub(super) fn moment(at: Time, whole_ms: bool) -> String {
    if whole_ms { at.as_millis().to_string() } else { words::moment(at) }
}
