//! What all charts are drawn with.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 720.0;
pub(super) const LEFT: f64 = 66.0;
pub(super) const RIGHT: f64 = 24.0;
/// A line of the legend.
const LINE: f64 = 17.0;

/// A chart in the making.
pub(super) struct Pen {
    pub(super) svg: String,
    /// Where the next item of the legend stands: to the right, and how far down.
    legend: (f64, f64),
}

impl Pen {
    /// Begins a chart: its title, and in words what there is to see.
    pub(super) fn new(id: &str, height: f64, title: &str, about: &str) -> Pen {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fw-svg chart\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{about}</desc>\n\
             <rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n\
             <text x=\"{LEFT}\" y=\"18\" class=\"host\">{title}</text>\n"
        );
        Pen { svg, legend: (LEFT, 0.0) }
    }

    pub(super) fn end(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, words: &str) {
        let _ = writeln!(self.svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>");
    }

    pub(super) fn path(&mut self, class: &str, d: &str) {
        let _ = writeln!(self.svg, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// A line across, with what it stands for at its left.
    pub(super) fn rule(&mut self, y: f64, words: &str) {
        self.path("rule", &format!("M{LEFT} {y:.1}H{}", WIDTH - RIGHT));
        self.text(LEFT - 8.0, y + 4.0, "soft r", words);
    }

    /// An item of the legend: a piece of the curve, or the mark, with its name. What has no room goes to the
    /// next line.
    pub(super) fn legend(&mut self, y: f64, class: &str, mark: Option<&str>, words: &str) {
        let room = if mark.is_some() { 14.0 } else { 30.0 };
        // As wide as the widest of common letters make it.
        let width = room + words.chars().count() as f64 * 6.2;
        if self.legend.0 + width > WIDTH - RIGHT {
            self.legend = (LEFT, self.legend.1 + LINE);
        }
        let (x, y) = (self.legend.0, y + self.legend.1);
        match mark {
            Some(form) => self.mark(class, form, x + 5.0, y - 4.0),
            None => self.path(class, &format!("M{x:.1} {:.1}h24", y - 4.0)),
        }
        self.text(x + room, y, "soft", words);
        self.legend.0 = x + width + 14.0;
    }

    /// A form around a point.
    pub(super) fn mark(&mut self, class: &str, form: &str, x: f64, y: f64) {
        let _ = writeln!(
            self.svg,
            "<path class=\"{class}\" transform=\"translate({x:.1} {y:.1})\" d=\"{form}\"/>"
        );
    }
}

pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        ..=0.0 => "0".to_owned(),
        ..1000.0 => format!("{bytes:.0} B"),
        _ if bytes % 1000.0 == 0.0 => format!("{:.0} kB", bytes / 1e3),
        _ => format!("{:.1} kB", bytes / 1e3),
    }
}

pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        1e-3..1.0 => format!("{:.0} ms", seconds * 1e3),
        1.0..100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// The next round number: 1, 2 or 5 with noughts.
pub(super) fn nice(step: f64) -> f64 {
    let magnitude = 10_f64.powf(step.max(1.0).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * magnitude >= step).unwrap_or(10.0);
    factor * magnitude
}
