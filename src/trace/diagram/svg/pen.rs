//! Lines, arrows and words of an SVG picture.

use std::fmt::Write as _;

use super::chart::At;
use super::label::Written;
use crate::text::xml;

/// What is drawn so far.
#[derive(Debug, Default)]
pub(super) struct Pen(String);

impl Pen {
    /// SVG as it is.
    pub(super) fn raw(&mut self, svg: &str) {
        self.0.push_str(svg);
    }

    fn draw(&mut self, svg: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.0.write_fmt(svg);
        self.0.push('\n');
    }

    pub(super) fn open(&mut self, class: &str, title: &str) {
        self.draw(format_args!("<g class=\"{class}\"><title>{}</title>", xml(title)));
    }

    pub(super) fn close(&mut self) {
        self.draw(format_args!("</g>"));
    }

    pub(super) fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        self.draw(format_args!("<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>"));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, words: &str) {
        self.draw(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", xml(words)));
    }

    pub(super) fn dot(&mut self, x: f64, y: f64) {
        self.draw(format_args!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.2\"/>"));
    }

    pub(super) fn cross(&mut self, x: f64, y: f64) {
        self.draw(format_args!(
            "<path class=\"cross\" transform=\"translate({x:.1} {y:.1})\" d=\"M-5 -5L5 5M5 -5L-5 5\"/>"
        ));
    }

    /// The moment of truth: a band over the whole picture, with a sign at its left end.
    pub(super) fn truth(&mut self, left: f64, right: f64, y: f64) {
        self.draw(format_args!(
            "<g class=\"truth\"><title>the moment of truth</title>\
             <rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"20\" rx=\"3\"/>",
            y - 10.0,
            right - left
        ));
        self.diamond(left, y);
        self.close();
    }

    /// The sign of the moment of truth.
    pub(super) fn diamond(&mut self, x: f64, y: f64) {
        self.draw(format_args!(
            "<path class=\"diamond\" transform=\"translate({x:.1} {y:.1})\" d=\"M0 -6.5L6.5 0L0 6.5L-6.5 \
             0Z\"/>"
        ));
    }

    /// Something struck the packet here.
    pub(super) fn bolt(&mut self, x: f64, y: f64, size: f64) {
        self.draw(format_args!(
            "<path class=\"bolt\" transform=\"translate({x:.1} {y:.1}) scale({size})\" d=\"M4 -13L-6 2H-1L-4 \
             13L6 -3H1Z\"/>"
        ));
    }

    /// Time is shortened on this line.
    pub(super) fn gap(&mut self, x: f64, y: f64) {
        self.draw(format_args!(
            "<path class=\"break\" transform=\"translate({x:.1} {y:.1})\" \
             d=\"M-7 -1Q-3.5 -6 0 -1T7 -1V4Q3.5 9 0 4T-7 4Z\"/>"
        ));
    }

    /// What happens to a link.
    pub(super) fn band(&mut self, left: f64, right: f64, y: f64) {
        self.draw(format_args!(
            "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\"/>",
            y - 7.0,
            right - left
        ));
    }

    /// The head of an arrow.
    pub(super) fn head(&mut self, from: At, to: At) {
        let turn = (to.1 - from.1).atan2(to.0 - from.0).to_degrees();
        self.draw(format_args!(
            "<path class=\"head\" transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" d=\"M-1 0L-12 \
             -4.8L-9.2 0L-12 4.8Z\"/>",
            to.0, to.1
        ));
    }

    /// A line with corners.
    pub(super) fn path(&mut self, points: &[At], class: &str) {
        let mut path = String::new();
        for (nth, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if nth == 0 { 'M' } else { 'L' });
        }
        self.draw(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// Words on a packet.
    pub(super) fn written(&mut self, it: &Written) {
        let fault = match (it.words.is_empty(), it.fault.is_empty()) {
            (_, true) => String::new(),
            (true, false) => format!("<tspan class=\"fault\">{}</tspan>", xml(&it.fault)),
            (false, false) => format!(" <tspan class=\"fault\">{}</tspan>", xml(&it.fault)),
        };
        let class = if it.ends { "halo r" } else { "halo" };
        self.draw(format_args!(
            "<text class=\"{class}\" transform=\"translate({:.1} {:.1}) rotate({:.2})\" x=\"{:.1}\" \
             y=\"{:.1}\">{}{fault}</text>",
            it.at.0,
            it.at.1,
            it.turn,
            it.x,
            it.y,
            xml(&it.words)
        ));
    }

    /// A stretch of time in which a link is cut.
    pub(super) fn cut(&mut self, left: f64, top: f64, right: f64, bottom: f64) {
        self.draw(format_args!(
            "<rect class=\"cut\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            right - left,
            bottom - top
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}
