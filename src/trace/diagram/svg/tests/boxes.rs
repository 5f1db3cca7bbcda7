//! Reads a picture back: where its words stand and its arrows pass. It knows of nothing but the SVG.

/// A point.
type At = (f64, f64);

/// Words, and the box around them.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(crate) text: String,
    pub(crate) corners: [At; 4],
}

/// What a picture shows.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) size: At,
    pub(crate) words: Vec<Words>,
    /// The stretches of its arrows.
    pub(crate) arrows: Vec<(At, At)>,
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    parts.filter(|part| !part.is_empty()).map(|part| part.parse().expect("a number")).collect()
}

/// Reads a picture.
pub(crate) fn seen(svg: &str) -> Seen {
    let size = numbers(attribute(svg, "viewBox").expect("a view box"));
    let mut seen = Seen { size: (size[2], size[3]), words: Vec::new(), arrows: Vec::new() };
    for line in svg.lines() {
        if line.starts_with("<text ") {
            seen.words.push(words(line));
        } else if line.starts_with("<path class=\"arrow") && !line.contains("struck") {
            let ends = numbers(attribute(line, "d").expect("a path"));
            let points: Vec<At> = ends.chunks(2).map(|pair| (pair[0], pair[1])).collect();
            seen.arrows.extend(points.windows(2).map(|pair| (pair[0], pair[1])));
        }
    }
    seen
}

fn words(line: &str) -> Words {
    let (tag, rest) = line.split_once('>').expect("it ends");
    let class: Vec<&str> = attribute(tag, "class").unwrap_or_default().split(' ').collect();
    let has = |name: &str| class.contains(&name);
    let text: String = {
        let mut inside = false;
        let outside = rest.chars().filter(|c| {
            let tag = inside || *c == '<';
            inside = tag && *c != '>';
            !tag
        });
        outside.collect()
    };
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let size = if has("host") {
        15.0
    } else if has("time") || has("soft") {
        12.0
    } else {
        13.0
    };
    // About as wide as in Arial.
    let narrow = |c: char| " iljtfrI.,:[]".contains(c);
    let width = text.chars().map(|c| if narrow(c) { 0.3 } else { 0.556 }).sum::<f64>() * size;
    let number = |name: &str| attribute(tag, name).map_or(0.0, |value| numbers(value)[0]);
    let left = number("x")
        - if has("r") || has("time") {
            width
        } else if has("m") {
            width / 2.0
        } else {
            0.0
        };
    let turned = attribute(tag, "transform").map_or(vec![0.0, 0.0, 0.0], numbers);
    let (sin, cos) = turned[2].to_radians().sin_cos();
    let point = |x: f64, y: f64| (turned[0] + x * cos - y * sin, turned[1] + x * sin + y * cos);
    let (right, top, bottom) = (left + width, number("y") - size * 0.74, number("y") + size * 0.22);
    Words { text, corners: [point(left, top), point(right, top), point(right, bottom), point(left, bottom)] }
}

/// The part of a shape that lies to the right of a line, as seen along it.
fn cut(shape: &[At], from: At, to: At) -> Vec<At> {
    let side = |p: At| (to.0 - from.0) * (p.1 - from.1) - (to.1 - from.1) * (p.0 - from.0);
    let mut kept = Vec::new();
    for (index, p) in shape.iter().enumerate() {
        let q = shape[(index + 1) % shape.len()];
        let (a, b) = (side(*p), side(q));
        if a >= 0.0 {
            kept.push(*p);
        }
        if (a >= 0.0) != (b >= 0.0) {
            let share = a / (a - b);
            kept.push((p.0 + (q.0 - p.0) * share, p.1 + (q.1 - p.1) * share));
        }
    }
    kept
}

/// The area that two boxes share.
pub(crate) fn shared(a: &Words, b: &Words) -> f64 {
    let mut shape = a.corners.to_vec();
    for index in 0..4 {
        shape = cut(&shape, b.corners[index], b.corners[(index + 1) % 4]);
    }
    let area = |index: usize| {
        let (p, q): (At, At) = (shape[index], shape[(index + 1) % shape.len()]);
        p.0 * q.1 - q.0 * p.1
    };
    (0..shape.len()).map(area).sum::<f64>().abs() / 2.0
}

impl Seen {
    /// All words that share room with others, and all that reach out of the picture.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (index, words) in self.words.iter().enumerate() {
            let inside = |(x, y): &At| (0.0..=self.size.0).contains(x) && (0.0..=self.size.1).contains(y);
            if !words.corners.iter().all(inside) {
                faults.push(format!("outside: {words:?}"));
            }
            for other in &self.words[..index] {
                let area = shared(words, other);
                if area > 0.5 {
                    faults.push(format!("{area:.1} px² shared by {:?} and {:?}", words.text, other.text));
                }
            }
        }
        faults
    }

    /// How many arrows pass through words: of all pairs of both.
    pub(crate) fn crossings(&self) -> usize {
        let passes = |words: &Words, (from, to): (At, At)| {
            // As a box that is next to nothing wide.
            let thin = Words {
                text: String::new(),
                corners: [from, to, (to.0, to.1 + 0.2), (from.0, from.1 + 0.2)],
            };
            shared(&thin, words) > 0.5
        };
        let words = self.words.iter();
        words.map(|words| self.arrows.iter().filter(|arrow| passes(words, **arrow)).count()).sum()
    }
}
