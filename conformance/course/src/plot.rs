//! A plot of curves and points over an axis, as a standalone SVG file, readable on light and on dark
//! backgrounds.

use std::fmt::Write as _;

use faultwire::text::xml;
use faultwire::trace::SVG_STYLE;

const STYLE: &str = include_str!("plot/style.css");

const WIDTH: f64 = 640.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 40.0;
/// The height of the area between the axes.
const TALL: f64 = 270.0;
/// From the axis to the first line of the legend.
const LEGEND: f64 = 62.0;
/// A line of the legend.
const PITCH: f64 = 19.0;

/// How far apart the values of an axis stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// An axis: what is counted, and at which values there is a mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    name: String,
    marks: Vec<f64>,
    scale: Scale,
}

impl Axis {
    /// From the first of the marks to the last; at least two.
    pub fn linear(name: impl Into<String>, marks: &[f64]) -> Axis {
        Axis { name: name.into(), marks: marks.to_vec(), scale: Scale::Linear }
    }

    /// Like `linear`, but each factor of two is equally wide; above zero.
    pub fn logarithmic(name: impl Into<String>, marks: &[f64]) -> Axis {
        Axis { name: name.into(), marks: marks.to_vec(), scale: Scale::Logarithmic }
    }

    /// What is counted.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn ends(&self) -> (f64, f64) {
        (self.marks.first().copied().unwrap_or(0.0), self.marks.last().copied().unwrap_or(1.0))
    }

    /// Where a value stands: 0 at the first mark, 1 at the last.
    fn share(&self, value: f64) -> f64 {
        let (from, to) = self.ends();
        match self.scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Logarithmic => (value / from).ln() / (to / from).ln(),
        }
    }

    /// `steps` + 1 equally spaced values, from end to end.
    pub fn spread(&self, steps: u32) -> Vec<f64> {
        let (from, to) = self.ends();
        let at = |step| {
            let share = f64::from(step) / f64::from(steps);
            match self.scale {
                Scale::Linear => from + (to - from) * share,
                Scale::Logarithmic => from * (to / from).powf(share),
            }
        };
        (0..=steps).map(at).collect()
    }
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From point to point.
    Solid,
    /// From point to point, dashed: a curve to compare with.
    Dashed,
    /// From point to point, faint: only the points count.
    Faint,
    /// A value stays until the next one.
    Steps,
}

/// A curve, and points beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// The curve, from left to right.
    pub curve: Vec<(f64, f64)>,
    /// The points.
    pub points: Vec<(f64, f64)>,
    /// How the curve is drawn.
    pub kind: Kind,
}

/// A plot. It has colors and marks for four lines; further lines reuse them.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What the ids in it begin with.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What is to be seen, for those who cannot.
    pub about: String,
    /// What goes to the right.
    pub x: Axis,
    /// What goes up.
    pub y: Axis,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// Colors and marks.
const INKS: usize = 4;

impl Plot {
    /// As SVG 1.1.
    pub fn svg(&self) -> String {
        let rows = self.lines.len().div_ceil(2) as f64;
        let height = TOP + TALL + LEGEND + rows * PITCH;
        let (id, title, about) = (&self.id, xml(&self.title), xml(&self.about));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fw-svg plot\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{about}</desc>\n\
             <style>{SVG_STYLE}{STYLE}</style>\n\
             <rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" class=\"host\">{title}</text>\n"
        );
        self.axes(&mut svg);
        for (index, line) in self.lines.iter().enumerate() {
            self.line(&mut svg, index % INKS, line);
        }
        self.legend(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let right = LEFT + self.x.share(x).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
        (right, TOP + TALL - self.y.share(y).clamp(0.0, 1.0) * TALL)
    }

    fn axes(&self, svg: &mut String) {
        let (left, bottom) = (self.x.ends().0, self.y.ends().0);
        for mark in &self.y.marks {
            let (_, y) = self.at((left, *mark));
            let _ = writeln!(svg, "<path class=\"rule\" d=\"M{LEFT} {y:.1}H{}\"/>", WIDTH - RIGHT);
            text(svg, (LEFT - 8.0, y + 4.0), "soft r", &mark.to_string());
        }
        for mark in &self.x.marks {
            let (x, y) = self.at((*mark, bottom));
            let _ = writeln!(svg, "<path class=\"tick\" d=\"M{x:.1} {y:.1}V{:.1}\"/>", y + 5.0);
            text(svg, (x, y + 18.0), "soft m", &mark.to_string());
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(svg, (middle, TOP + TALL + 36.0), "soft m", &self.x.name);
        let _ = writeln!(
            svg,
            "<text class=\"soft m\" transform=\"translate(14 {:.1}) rotate(-90)\">{}</text>",
            TOP + TALL / 2.0,
            xml(&self.y.name)
        );
    }

    fn line(&self, svg: &mut String, ink: usize, line: &Line) {
        let mut path = String::new();
        for (index, point) in line.curve.iter().enumerate() {
            let (x, y) = self.at(*point);
            let _ = match (index, line.kind) {
                (0, _) => write!(path, "M{x:.1} {y:.1}"),
                (_, Kind::Steps) => write!(path, "H{x:.1}V{y:.1}"),
                _ => write!(path, "L{x:.1} {y:.1}"),
            };
        }
        let _ = writeln!(svg, "<path class=\"curve {} ink{ink}\" d=\"{path}\"/>", class(line.kind));
        for point in &line.points {
            mark(svg, ink, self.at(*point));
        }
    }

    fn legend(&self, svg: &mut String) {
        for (index, line) in self.lines.iter().enumerate() {
            let x = LEFT + (index % 2) as f64 * (WIDTH - LEFT - RIGHT) / 2.0;
            let y = TOP + TALL + LEGEND + (index / 2) as f64 * PITCH;
            let (ink, class) = (index % INKS, class(line.kind));
            let _ = writeln!(svg, "<path class=\"curve {class} ink{ink}\" d=\"M{x:.1} {:.1}h26\"/>", y - 4.0);
            if !line.points.is_empty() {
                mark(svg, ink, (x + 13.0, y - 4.0));
            }
            text(svg, (x + 34.0, y), "", &line.name);
        }
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Solid | Kind::Steps => "solid",
        Kind::Dashed => "dashed",
        Kind::Faint => "faint",
    }
}

/// A point: each ink has its own shape, for readers who cannot tell the colors apart.
fn mark(svg: &mut String, ink: usize, (x, y): (f64, f64)) {
    let form = match ink {
        0 => "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z",
        1 => "M-3.7 -3.7H3.7V3.7H-3.7Z",
        2 => "M0 -5L4.8 3.6H-4.8Z",
        _ => "M0 -5L5 0L0 5L-5 0Z",
    };
    let _ =
        writeln!(svg, "<path class=\"mark ink{ink}\" transform=\"translate({x:.1} {y:.1})\" d=\"{form}\"/>");
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", xml(words));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        Plot {
            id: "id".to_owned(),
            title: "a < b & c".to_owned(),
            about: "about".to_owned(),
            x: Axis::logarithmic("x", &[0.1, 1.0, 10.0]),
            y: Axis::linear("y", &[0.0, 1.0]),
            lines: vec![Line {
                name: "one".to_owned(),
                curve: vec![(0.1, 0.0), (10.0, 1.0)],
                points: vec![(1.0, 0.5)],
                kind: Kind::Solid,
            }],
        }
    }

    #[test]
    fn values_stand_where_the_axes_say() {
        let plot = plot();
        assert_eq!(plot.at((0.1, 0.0)), (LEFT, TOP + TALL));
        let middle = plot.at((1.0, 0.5));
        assert!((middle.0 - (LEFT + WIDTH - RIGHT) / 2.0).abs() < 1e-9 && middle.1 == TOP + TALL / 2.0);
        let beyond = plot.at((1e9, 7.0));
        assert_eq!(beyond, (WIDTH - RIGHT, TOP), "nothing is drawn outside");
    }

    #[test]
    fn an_axis_is_spread_as_it_is_drawn() {
        let spread = plot().x.spread(2);
        assert!((spread[1] - 1.0).abs() < 1e-9 && spread.len() == 3, "{spread:?}");
        assert_eq!(Axis::linear("", &[0.0, 4.0]).spread(2), [0.0, 2.0, 4.0]);
    }

    #[test]
    fn words_are_written_as_xml_has_them() {
        let svg = plot().svg();
        assert!(svg.contains("<title id=\"id-t\">a &lt; b &amp; c</title>"), "{svg}");
        assert_eq!(svg.matches("class=\"mark ink0\"").count(), 2, "in the plot and in the legend");
    }
}
