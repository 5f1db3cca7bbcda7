//! What takes up room in a picture: words, each in a box that may be turned, and the lines that pass.

use std::collections::BTreeMap;

/// A point.
pub(super) type At = (f64, f64);

/// Between two boxes, in pixels.
const MARGIN: f64 = 1.0;
/// The height of a strip, in pixels: boxes and lines are looked up by strips of the picture.
const STRIP: f64 = 64.0;

/// A box around words: it begins at a point, and lies along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) at: At,
    /// Of length 1.
    pub(super) along: At,
    /// From where to where, along the direction.
    pub(super) x: (f64, f64),
    /// From where to where, across the direction; downwards is positive.
    pub(super) y: (f64, f64),
}

impl Room {
    /// An upright box.
    pub(super) fn level(left: f64, top: f64, right: f64, bottom: f64) -> Room {
        Room { at: (0.0, 0.0), along: (1.0, 0.0), x: (left, right), y: (top, bottom) }
    }

    fn inside(&self, (x, y): At) -> At {
        let (dx, dy) = (x - self.at.0, y - self.at.1);
        (dx * self.along.0 + dy * self.along.1, dy * self.along.0 - dx * self.along.1)
    }

    pub(super) fn corners(&self) -> [At; 4] {
        let point = |x: f64, y: f64| {
            let (cos, sin) = self.along;
            (self.at.0 + x * cos - y * sin, self.at.1 + x * sin + y * cos)
        };
        [
            point(self.x.0, self.y.0),
            point(self.x.1, self.y.0),
            point(self.x.1, self.y.1),
            point(self.x.0, self.y.1),
        ]
    }

    /// How high and how deep it reaches.
    pub(super) fn span(&self) -> (f64, f64) {
        let ys = self.corners().map(|(_, y)| y);
        (ys.into_iter().fold(f64::INFINITY, f64::min), ys.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// How far to the left and to the right it reaches.
    pub(super) fn breadth(&self) -> (f64, f64) {
        let xs = self.corners().map(|(x, _)| x);
        (xs.into_iter().fold(f64::INFINITY, f64::min), xs.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// Whether the other lies wholly beyond one of the sides of this one.
    fn is_beside(&self, other: &Room) -> bool {
        let corners = other.corners().map(|corner| self.inside(corner));
        corners.iter().all(|(x, _)| *x <= self.x.0 - MARGIN)
            || corners.iter().all(|(x, _)| *x >= self.x.1 + MARGIN)
            || corners.iter().all(|(_, y)| *y <= self.y.0 - MARGIN)
            || corners.iter().all(|(_, y)| *y >= self.y.1 + MARGIN)
    }

    /// Two boxes are apart if one has a side that the other lies beyond.
    pub(super) fn meets(&self, other: &Room) -> bool {
        !self.is_beside(other) && !other.is_beside(self)
    }

    /// Whether a line from one point to the other passes through it.
    pub(super) fn is_crossed(&self, from: At, to: At) -> bool {
        let (a, b) = (self.inside(from), self.inside(to));
        let (mut begin, mut end) = (0.0_f64, 1.0_f64);
        for (start, delta, (low, high)) in [(a.0, b.0 - a.0, self.x), (a.1, b.1 - a.1, self.y)] {
            if delta.abs() < 1e-9 {
                if start <= low || start >= high {
                    return false;
                }
                continue;
            }
            let (near, far) = ((low - start) / delta, (high - start) / delta);
            begin = begin.max(near.min(far));
            end = end.min(near.max(far));
        }
        begin < end
    }
}

/// A line.
#[derive(Clone, Copy, Debug)]
struct Line {
    from: At,
    to: At,
}

/// Everything that takes up room.
#[derive(Debug, Default)]
pub(super) struct Chart {
    rooms: Strips<Room>,
    lines: Strips<Line>,
}

/// Things by the strips that they lie in.
#[derive(Debug)]
struct Strips<T>(BTreeMap<i64, Vec<(i64, T)>>);

impl<T> Default for Strips<T> {
    fn default() -> Self {
        Strips(BTreeMap::new())
    }
}

impl<T: Copy> Strips<T> {
    fn strips((top, bottom): (f64, f64)) -> (i64, i64) {
        ((top / STRIP).floor() as i64, (bottom / STRIP).floor() as i64)
    }

    fn add(&mut self, span: (f64, f64), it: T) {
        let (first, last) = Self::strips(span);
        for strip in first..=last {
            self.0.entry(strip).or_default().push((first, it));
        }
    }

    /// What shares a strip with that span, each once.
    fn near(&self, span: (f64, f64)) -> impl Iterator<Item = T> {
        let (first, last) = Self::strips(span);
        let strips = self.0.range(first..=last);
        strips.flat_map(move |(strip, things)| {
            let here = things.iter().filter(move |(begins, _)| (*begins).max(first) == *strip);
            here.map(|(_, thing)| *thing)
        })
    }
}

impl Chart {
    pub(super) fn take(&mut self, room: Room) {
        self.rooms.add(room.span(), room);
    }

    /// A line passes here.
    pub(super) fn pass(&mut self, from: At, to: At) {
        self.lines.add((from.1.min(to.1), from.1.max(to.1)), Line { from, to });
    }

    /// Whether nothing stands there.
    pub(super) fn is_free(&self, room: &Room) -> bool {
        let (top, bottom) = room.span();
        !self.rooms.near((top - MARGIN, bottom + MARGIN)).any(|other| other.meets(room))
    }

    /// How many lines pass there.
    pub(super) fn crossed(&self, room: &Room) -> usize {
        self.lines.near(room.span()).filter(|line| room.is_crossed(line.from, line.to)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(x: f64, y: f64, degrees: f64) -> Room {
        let turn = degrees.to_radians();
        Room { at: (x, y), along: (turn.cos(), turn.sin()), x: (0.0, 100.0), y: (-10.0, 3.0) }
    }

    #[test]
    fn boxes_meet_or_do_not() {
        let level = Room::level(0.0, 0.0, 100.0, 10.0);
        assert!(level.meets(&Room::level(99.0, 9.0, 120.0, 30.0)));
        assert!(!level.meets(&Room::level(101.5, 0.0, 120.0, 10.0)), "beside it");
        assert!(!turned(0.0, 0.0, 20.0).meets(&turned(0.0, 17.0, 20.0)), "parallel");
        assert!(turned(0.0, 0.0, 20.0).meets(&turned(0.0, 17.0, -20.0)), "they cross");
        // Their upright surroundings meet, they do not.
        assert!(!turned(0.0, 0.0, 45.0).meets(&Room::level(60.0, 0.0, 90.0, 10.0)));
    }

    #[test]
    fn lines_cross_boxes_or_pass_them() {
        let room = turned(0.0, 100.0, 10.0);
        assert!(room.is_crossed((50.0, 0.0), (50.0, 200.0)));
        assert!(!room.is_crossed((50.0, 0.0), (50.0, 90.0)), "it ends above");
        assert!(!room.is_crossed((0.0, 105.0), (100.0, 122.8)), "it lies below");
        assert!(room.is_crossed((30.0, 102.0), (30.1, 102.0)), "inside");
    }

    #[test]
    fn each_thing_is_found_once() {
        let mut chart = Chart::default();
        chart.pass((0.0, -500.0), (100.0, 900.0));
        chart.pass((0.0, 0.0), (100.0, 0.0));
        let tall = Room::level(0.0, -300.0, 100.0, 300.0);
        assert_eq!(chart.crossed(&tall), 2);
        chart.take(tall);
        assert!(!chart.is_free(&Room::level(10.0, 299.0, 20.0, 400.0)));
        assert!(chart.is_free(&Room::level(10.0, 302.0, 20.0, 400.0)));
    }
}
