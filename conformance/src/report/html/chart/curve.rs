//! Bytes in flight and the windows that bound them, over time.

use std::fmt::Write as _;

use super::flow::{Flow, Mark, Point};
use super::pen::{LEFT, Pen, RIGHT, WIDTH, bytes, nice, seconds};

/// Points of a curve at most: between two of them the highest is kept.
pub(super) const POINTS_MAX: usize = 300;
/// Marks of a kind at most.
const MARKS_MAX: usize = 60;
/// A window more than this many times the bytes in flight would leave the curve flat.
const ABOVE_MAX: i64 = 3;

const HEIGHT: f64 = 320.0;
const TOP: f64 = 76.0;
/// Where the legend stands, of one line or of two.
const LEGEND: f64 = 39.0;
/// Where the time runs.
const FLOOR: f64 = HEIGHT - 62.0;

/// Each kind of mark: its form around a point, its name for one and for several.
const MARKS: [(Mark, &str, [&str; 2]); 4] = [
    (Mark::Lost, "M-4 -4L4 4M4 -4L-4 4", ["segment lost", "segments lost"]),
    (Mark::FastRetransmit, "M0 -5L5 0L0 5L-5 0Z", ["fast retransmit", "fast retransmits"]),
    (Mark::Timeout, "M0 -5L5 4H-5Z", ["timeout", "timeouts"]),
    (Mark::Probe, "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z", ["window probe", "window probes"]),
];

/// At most `POINTS_MAX` points: the highest of each stretch, and the last.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    let stretch = points.len().div_ceil(POINTS_MAX - 1).max(1);
    let highest = points.chunks(stretch).filter_map(|chunk| chunk.iter().copied().max_by_key(|(_, y)| *y));
    let mut thin: Vec<Point> = highest.collect();
    if thin.last() != points.last() {
        thin.extend(points.last());
    }
    thin
}

/// What is drawn, and how far it reaches.
struct Curve<'a> {
    flow: &'a Flow,
    from: u64,
    until: u64,
    /// The most bytes in flight.
    most: i64,
    offered: Vec<Point>,
    congestion: Vec<Point>,
    /// The top of the chart, and from rule to rule.
    top: f64,
    step: f64,
}

pub(super) fn svg(flow: &Flow, id: &str) -> String {
    let curve = Curve::new(flow);
    let title = "Bytes in flight over time, as the sender knows them";
    let mut pen = Pen::new(&format!("{id}-flight"), HEIGHT, title, &curve.about());
    curve.axes(&mut pen);
    curve.lines(&mut pen);
    curve.marks(&mut pen);
    pen.end()
}

fn most(points: &[Point]) -> i64 {
    points.iter().map(|(_, y)| *y).max().unwrap_or(0)
}

fn least(points: &[Point]) -> i64 {
    points.iter().map(|(_, y)| *y).min().unwrap_or(i64::MAX)
}

impl<'a> Curve<'a> {
    fn new(flow: &'a Flow) -> Curve<'a> {
        let from = flow.in_flight.first().map_or(0, |(at, _)| *at);
        let until = flow.in_flight.last().map_or(1, |(at, _)| *at).max(from + 1);
        let flying = most(&flow.in_flight).max(1);
        let within = |points: &[Point]| -> Vec<Point> {
            let mut points: Vec<Point> =
                points.iter().copied().filter(|(at, _)| (from..=until).contains(at)).collect();
            // It stays as it is until it changes.
            let last = points.last().map(|(_, bytes)| (until, *bytes));
            points.extend(last);
            points
        };
        let (offered, congestion) = (within(&flow.offered), within(&flow.congestion));
        let drawn = |points: Vec<Point>, fits: bool| if fits { points } else { Vec::new() };
        let fits = most(&offered) <= flying.saturating_mul(ABOVE_MAX) || flow.was_closed;
        let offered = drawn(offered, fits);
        let fits = least(&congestion) <= flying.max(most(&offered)).saturating_mul(3) / 2;
        let congestion = drawn(congestion, fits);
        let bound = flying.saturating_mul(ABOVE_MAX).max(most(&offered));
        let reach = flying.max(most(&offered)).max(most(&congestion).min(bound));
        let step = nice(reach as f64 / 5.0);
        let top = (reach as f64 / step).ceil() * step;
        Curve { flow, from, until, most: flying, offered, congestion, top, step }
    }

    fn span(&self) -> f64 {
        (self.until - self.from) as f64
    }

    fn x(&self, at: u64) -> f64 {
        LEFT + (at.saturating_sub(self.from) as f64 / self.span()).min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, bytes: f64) -> f64 {
        FLOOR - bytes.clamp(0.0, self.top) / self.top * (FLOOR - TOP)
    }

    /// In words, for those who do not see it.
    fn about(&self) -> String {
        let over = seconds(self.span() / 1e9);
        let mut about = format!("At most {} bytes in flight, over {over}.", self.most);
        if let Some((_, first)) = self.offered.first() {
            let (least, most) = (least(&self.offered), most(&self.offered));
            let _ = match least {
                0 => write!(about, " The window on offer is {first} bytes at first and closes."),
                _ => write!(about, " The window on offer is between {least} and {most} bytes."),
            };
        }
        if !self.congestion.is_empty() {
            let steps = thinned(&self.congestion);
            let falls = steps.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
            let (least, most) = (least(&self.congestion), most(&self.congestion));
            let _ = write!(about, " The congestion window is between {least} and {most} bytes");
            let _ = match falls {
                0 => write!(about, " and never falls."),
                1 => write!(about, " and falls once."),
                _ => write!(about, " and falls {falls} times."),
            };
        }
        for (mark, _, names) in MARKS {
            let mut at = self.flow.marks.iter().filter(|(_, it)| *it == mark).map(|(at, _)| *at);
            let count = at.clone().count();
            if let Some(first) = at.next() {
                let name = names[usize::from(count > 1)];
                let _ = write!(about, " {count} {name}, from {} ms on.", first as f64 / 1e6);
            }
        }
        about
    }

    fn axes(&self, pen: &mut Pen) {
        let mut level = 0.0;
        while level <= self.top + self.step / 2.0 {
            pen.rule(self.y(level), &bytes(level));
            level += self.step;
        }
        // Times stand at round numbers, in the unit that suits.
        let (unit, name) = match self.span() {
            ..5e6 => (1e3, "time in µs"),
            5e6..5e9 => (1e6, "time in ms"),
            _ => (1e9, "time in s"),
        };
        let step = nice(self.span() / unit / 6.0) * unit;
        let mut at = (self.from as f64 / step).ceil() * step;
        while at <= self.until as f64 {
            let x = self.x(at as u64);
            pen.path("tick", &format!("M{x:.1} {FLOOR}v5"));
            pen.text(x, FLOOR + 18.0, "soft m", &format!("{:.0}", at / unit));
            at += step;
        }
        pen.text(WIDTH - RIGHT, FLOOR + 34.0, "soft r", name);
    }

    fn steps(&self, points: &[Point]) -> String {
        let mut path = String::new();
        for (index, (at, bytes)) in thinned(points).into_iter().enumerate() {
            let (x, y) = (self.x(at), self.y(bytes as f64));
            let _ = if index == 0 { write!(path, "M{x:.1} {y:.1}") } else { write!(path, "H{x:.1}V{y:.1}") };
        }
        path
    }

    fn lines(&self, pen: &mut Pen) {
        let flight = self.steps(&self.flow.in_flight);
        let (left, right) = (self.x(self.from), self.x(self.until));
        pen.path("area", &format!("{flight}V{FLOOR}H{left:.1}Z"));
        pen.path("curve", &flight);
        if !self.offered.is_empty() {
            pen.path("curve window", &self.steps(&self.offered));
        }
        if !self.congestion.is_empty() {
            pen.path("curve congestion", &self.steps(&self.congestion));
        }
        pen.path("axis", &format!("M{left:.1} {FLOOR}H{right:.1}"));
        pen.legend(LEGEND, "curve", None, "bytes in flight");
        if !self.offered.is_empty() {
            pen.legend(LEGEND, "curve window", None, "window on offer");
        }
        if !self.congestion.is_empty() {
            let above = most(&self.congestion) as f64 > self.top;
            let words = if above { "congestion window, in part above" } else { "congestion window" };
            pen.legend(LEGEND, "curve congestion", None, words);
        }
        if self.flow.in_flight.len() > POINTS_MAX {
            pen.text(LEFT, FLOOR + 50.0, "soft", "Summed up: the highest of each stretch.");
        }
    }

    /// What happened at the foot of the chart, so that a fall of the curve has its reason below it.
    fn marks(&self, pen: &mut Pen) {
        let mut names = Vec::new();
        for (mark, form, words) in MARKS {
            let at: Vec<u64> =
                self.flow.marks.iter().filter(|(_, it)| *it == mark).map(|(at, _)| *at).collect();
            let class = if mark == Mark::Lost { "mark lost" } else { "mark" };
            for at in at.iter().filter(|at| (self.from..=self.until).contains(at)).take(MARKS_MAX) {
                let x = self.x(*at);
                if mark != Mark::Lost {
                    pen.path("since", &format!("M{x:.1} {TOP}V{FLOOR}"));
                }
                pen.mark(class, form, x, FLOOR);
            }
            if !at.is_empty() {
                names.push((class, form, words[usize::from(at.len() > 1)]));
            }
        }
        for (class, form, words) in names {
            pen.legend(LEGEND, class, Some(form), words);
        }
    }
}
