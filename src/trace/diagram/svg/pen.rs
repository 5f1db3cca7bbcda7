//! Lines, arrows and words of an SVG picture.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What is drawn so far.
#[derive(Debug, Default)]
pub(super) struct Pen(String);

/// A point.
type At = (f64, f64);

/// Pixels between an arrow and the words on it.
const ABOVE: f64 = 5.0;
/// Pixels between a host's line and the words on an arrow.
const BESIDE: f64 = 14.0;

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
        self.draw(format_args!("<g class=\"{class}\"><title>{}</title>", escaped(title)));
    }

    pub(super) fn close(&mut self) {
        self.draw(format_args!("</g>"));
    }

    pub(super) fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        self.draw(format_args!("<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>"));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, words: &str) {
        self.draw(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>",
            escaped(words)
        ));
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
             <rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" rx=\"3\"/>\
             <path transform=\"translate({left:.1} {y:.1})\" d=\"M0 -6L6 0L0 6L-6 0Z\"/></g>",
            y - 9.0,
            right - left
        ));
    }

    /// Something struck the packet here.
    pub(super) fn bolt(&mut self, x: f64, y: f64) {
        self.draw(format_args!(
            "<path class=\"bolt\" transform=\"translate({x:.1} {y:.1})\" d=\"M4 -13L-6 2H-1L-4 13L6 -3H1Z\"/>"
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
    pub(super) fn band(&mut self, left: f64, right: f64, y: f64, words: &str) {
        self.draw(format_args!(
            "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\"/>",
            y - 7.0,
            right - left
        ));
        self.text((left + right) / 2.0, y + 4.0, "fault m", words);
    }

    /// An arrow from one host's line to the other's.
    pub(super) fn arrow(&mut self, from: At, to: At, class: &str) {
        let turn = (to.1 - from.1).atan2(to.0 - from.0).to_degrees();
        self.line(from.0, from.1, to.0, to.1, class);
        self.draw(format_args!(
            "<path class=\"head\" transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" d=\"M-1 0L-11 -4.5L-8.5 0L-11 4.5Z\"/>",
            to.0, to.1
        ));
    }

    /// Words along an arrow, from where it leaves; what struck it behind them.
    pub(super) fn along(&mut self, from: At, to: At, words: &str, fault: &str) {
        let fault = match fault {
            "" => String::new(),
            fault => format!(" <tspan class=\"fault\">✱ {}</tspan>", escaped(fault)),
        };
        let (turn, rightwards) = upright(from, to);
        let (class, x) = if rightwards { ("halo", BESIDE) } else { ("halo r", -BESIDE) };
        self.draw(format_args!(
            "<text class=\"{class}\" transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" x=\"{x:.0}\" y=\"-{ABOVE}\">{}{fault}</text>",
            from.0, from.1, escaped(words)
        ));
    }

    /// Words where an arrow arrives.
    pub(super) fn at_the_end(&mut self, from: At, to: At, words: &str) {
        let (turn, rightwards) = upright(from, to);
        let (class, x) = if rightwards { ("fault halo r", -BESIDE) } else { ("fault halo", BESIDE) };
        self.draw(format_args!(
            "<text class=\"{class}\" transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" x=\"{x:.0}\" y=\"-{ABOVE}\">{}</text>",
            to.0, to.1, escaped(words)
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// How far words along a line are turned so that they stand upright, and whether the line goes to the right.
fn upright(from: At, to: At) -> (f64, bool) {
    let rightwards = to.0 >= from.0;
    let (dx, dy) = if rightwards { (to.0 - from.0, to.1 - from.1) } else { (from.0 - to.0, from.1 - to.1) };
    (dy.atan2(dx).to_degrees(), rightwards)
}

/// Text as it stands in XML; what XML cannot hold is replaced.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '<' | '>' | '&' | '"' | '\'') && (!c.is_control() || c == '\n');
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if plain(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    Cow::Owned(out)
}

/// The words, or as many letters of them as that.
pub(super) fn clipped(words: &str, letters: usize) -> Cow<'_, str> {
    if words.chars().count() <= letters {
        return Cow::Borrowed(words);
    }
    Cow::Owned(words.chars().take(letters.saturating_sub(1)).chain(['…']).collect())
}
