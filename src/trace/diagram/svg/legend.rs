//! What the signs of a picture mean: of those that occur in it.

use super::columns::SMALL;
use super::letters;
use super::pen::Pen;

/// A sign that is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Truth,
    Fault,
    Lost,
    Struck,
    Held,
    Copy,
    Told,
    Open,
    Cut,
    Down,
    Shortened,
}

impl Sign {
    fn words(self) -> &'static str {
        match self {
            Sign::Truth => "the moment of truth",
            Sign::Fault => "fault of the plan",
            Sign::Lost => "lost",
            Sign::Struck => "damaged",
            Sign::Held => "held up on its way",
            Sign::Copy => "its copy",
            Sign::Told => "the stack’s own doing",
            Sign::Open => "still on its way",
            Sign::Cut => "link cut",
            Sign::Down => "host down",
            Sign::Shortened => "time is shortened",
        }
    }

    /// Draws it around a point, at most 20 pixels wide.
    fn draw(self, pen: &mut Pen, x: f64, y: f64) {
        match self {
            Sign::Truth => pen.diamond(x, y),
            Sign::Fault => pen.text(x, y + 4.0, "fault m", "✱"),
            Sign::Lost => pen.cross(x, y),
            Sign::Struck => pen.bolt(x, y, 0.7),
            Sign::Held => pen.line(x, y - 8.0, x, y + 8.0, "arrow held struck"),
            Sign::Copy => pen.line(x - 10.0, y, x + 10.0, y, "arrow copy struck"),
            Sign::Told => pen.dot(x, y),
            Sign::Open => pen.line(x - 10.0, y, x + 10.0, y, "arrow open"),
            Sign::Cut => pen.cut(x - 9.0, y - 7.0, x + 9.0, y + 7.0),
            Sign::Down => pen.line(x, y - 9.0, x, y + 9.0, "life down"),
            Sign::Shortened => pen.gap(x, y),
        }
    }
}

/// Between a sign and its words, and between two of them.
const GAPS: (f64, f64) = (17.0, 18.0);
/// A line of the legend.
const LINE: f64 = 22.0;

/// Where the signs stand that are no wider than that, each by the lines above it and its distance from the
/// left; and how many lines they take.
fn places(signs: &[Sign], width: f64) -> (Vec<(Sign, f64, f64)>, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for sign in signs {
        let takes = 10.0 + GAPS.0 + letters::width(sign.words(), SMALL);
        if x > 0.0 && x + takes > width {
            (x, y) = (0.0, y + LINE);
        }
        places.push((*sign, x, y));
        x += takes + GAPS.1;
    }
    (places, if signs.is_empty() { 0.0 } else { y + LINE })
}

/// How high the legend is.
pub(super) fn height(signs: &[Sign], width: f64) -> f64 {
    places(signs, width).1
}

/// Draws the legend, its top left corner there.
pub(super) fn draw(signs: &[Sign], pen: &mut Pen, left: f64, top: f64, width: f64) {
    for (sign, x, y) in places(signs, width).0 {
        let (x, y) = (left + x + 10.0, top + y + LINE / 2.0);
        sign.draw(pen, x, y);
        pen.text(x + GAPS.0, y + 4.0, "soft", sign.words());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_on_as_many_lines_as_it_takes() {
        let signs = [Sign::Truth, Sign::Fault, Sign::Lost, Sign::Told];
        assert_eq!(height(&[], 100.0), 0.0);
        assert_eq!(height(&signs, 2_000.0), LINE);
        assert_eq!(height(&signs, 10.0), 4.0 * LINE, "one on each line, however narrow");
        let (places, _) = places(&signs, 330.0);
        assert!(
            places.iter().all(|(sign, x, _)| x + letters::width(sign.words(), SMALL) < 330.0),
            "{places:?}"
        );
    }
}
