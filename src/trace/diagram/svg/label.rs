//! Where the words on packets stand: along their packet's line, from its start on; clear of all other words,
//! and where the fewest other lines pass.

use super::chart::{At, Chart, Room};
use super::letters::{self, SIZE};
use super::route::{Track, Wanted, bold};

/// From a line to the foot of the words above it.
const ABOVE: f64 = 5.0;
/// From a line to the foot of the words below it.
const BELOW: f64 = 14.0;
/// How far letters reach above and below their foot.
pub(super) const ASCENT: f64 = 10.0;
pub(super) const DESCENT: f64 = 3.2;
/// Between a line's end and the words on it.
const AHEAD: f64 = 13.0;
/// Between a cross and the words beyond it.
const BEYOND: f64 = 10.0;
/// Pixels between the places that are tried for words.
const STEP: f64 = 9.0;
/// The most places that are tried along one line.
const TRIES: f64 = 48.0;

/// Where words on no packet are tried, in shares of the room to each side.
const SIDES: [f64; 11] = [0.0, -0.2, 0.2, -0.4, 0.4, -0.6, 0.6, -0.8, 0.8, -1.0, 1.0];
/// What it costs to lie on other words: more than anything else.
const TAKEN: f64 = 10_000.0;

/// Words, and where they stand.
#[derive(Debug)]
pub(super) struct Written {
    /// The point that they are turned around.
    pub(super) at: At,
    /// How far, in degrees.
    pub(super) turn: f64,
    /// Their place from there.
    pub(super) x: f64,
    pub(super) y: f64,
    /// They end there; otherwise they begin.
    pub(super) ends: bool,
    pub(super) words: String,
    /// What hit the packet, behind the words or alone.
    pub(super) fault: String,
    pub(super) room: Room,
}

/// A place for words, and how bad it is.
struct Choice {
    written: Written,
    cost: f64,
}

/// What keeps words in the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

/// Puts words on a chart.
pub(super) struct Labels<'a> {
    pub(super) chart: &'a mut Chart,
    pub(super) bounds: Bounds,
}

impl Labels<'_> {
    /// The words that a way asks for, where there is a place for all of them. Those for its payload are left
    /// out where there is none for them.
    pub(super) fn all(&mut self, wanted: &Wanted) -> Option<Vec<Written>> {
        let choices = match wanted {
            Wanted::Name { track, name, load, preview, fault, .. } => {
                let words = if load.is_empty() { name.clone() } else { format!("{name}, {load}") };
                let fault = fault.as_deref();
                let whole = preview.as_ref().map(|preview| format!("{words}: {preview}"));
                let whole = whole.and_then(|words| self.named(wanted, track, &words, fault));
                whole.or_else(|| self.named(wanted, track, &words, fault))?
            }
            Wanted::End { track, words, beyond } => vec![self.end(track, words, *beyond)?],
        };
        Some(self.write(choices))
    }

    /// The words and what hit the packet, in one place or in two.
    fn named(&self, wanted: &Wanted, track: &Track, words: &str, fault: Option<&str>) -> Option<Vec<Choice>> {
        let together = self.best(along(track, words, fault.unwrap_or_default(), true), None);
        Some(match (together, fault) {
            (together, None) => vec![together?],
            (Some(together), Some(_)) if together.cost < 10.0 => vec![together],
            (together, Some(fault)) => match (self.apart(wanted, words, fault), together) {
                (Some(apart), Some(together))
                    if apart.iter().map(|it| it.cost).sum::<f64>() > together.cost =>
                {
                    vec![together]
                }
                (Some(apart), _) => apart,
                (None, together) => vec![together?],
            },
        })
    }

    /// As much of the words as there is a place for.
    pub(super) fn some(&mut self, wanted: &Wanted) -> Vec<Written> {
        let Wanted::Name { track, name, fault, .. } = wanted else { return Vec::new() };
        let mut choices = Vec::new();
        if let Some(fault) = fault {
            choices.extend(self.fault(wanted, fault, None));
        }
        let beside = choices.first().map(|choice: &Choice| choice.written.room);
        let short = letters::fitted(name, (track.length() - 2.0 * AHEAD).clamp(30.0, 90.0), SIZE);
        let named = self.best(along(track, name, "", true), beside);
        choices.extend(named.or_else(|| self.best(along(track, &short, "", true), beside)));
        self.write(choices)
    }

    /// Words on no packet, level, their middle at a point, or within `half` to its sides, or so far above or
    /// below.
    pub(super) fn level(&mut self, at: At, half: f64, drops: &[f64], words: &str, size: f64) -> At {
        let wide = letters::width(words, size) / 2.0;
        let room = |(x, y): At| Room::level(x - wide, y - ASCENT, x + wide, y + DESCENT);
        let sides = SIDES.iter().map(|share| share * (half - wide).max(0.0));
        let points = sides.flat_map(|side| drops.iter().map(move |drop| (side, *drop)));
        let tried = points.map(|(side, drop)| {
            let point = (at.0 + side, at.1 + drop);
            let place = room(point);
            let cost = (side.abs() + drop.abs()) * 0.02 + self.chart.crossed(&place) as f64 * 10.0;
            (point, if self.chart.is_free(&place) { cost } else { cost + TAKEN })
        });
        let point = tried.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(at, |(point, _)| point);
        self.chart.take(room(point));
        point
    }

    fn write(&mut self, choices: Vec<Choice>) -> Vec<Written> {
        choices.iter().for_each(|choice| self.chart.take(choice.written.room));
        choices.into_iter().map(|choice| choice.written).collect()
    }

    /// The words, and what hit the packet, in two places.
    fn apart(&self, wanted: &Wanted, words: &str, fault: &str) -> Option<Vec<Choice>> {
        let Wanted::Name { track, .. } = wanted else { return None };
        let named = self.best(along(track, words, "", true), None)?;
        let hit = self.fault(wanted, fault, Some(named.written.room))?;
        Some(vec![named, hit])
    }

    fn fault(&self, wanted: &Wanted, fault: &str, clear_of: Option<Room>) -> Option<Choice> {
        let Wanted::Name { track, ends, waits, .. } = wanted else { return None };
        let mut places = along(track, "", fault, true);
        if *ends {
            places.insert(0, beyond(track, fault));
        }
        if let Some(waits) = waits {
            places.extend(beside(waits, fault));
        }
        self.best(places, clear_of)
    }

    fn end(&self, track: &Track, words: &str, is_beyond: bool) -> Option<Choice> {
        let mut places = along(track, "", words, false);
        if is_beyond {
            places.insert(0, beyond(track, words));
        }
        self.best(places, None)
    }

    /// The best of the places that are free.
    fn best(&self, places: Vec<Choice>, clear_of: Option<Room>) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        for mut choice in places {
            if best.as_ref().is_some_and(|best| best.cost <= choice.cost) {
                continue;
            }
            let room = choice.written.room;
            choice.cost += self.chart.crossed(&room) as f64 * 10.0;
            if choice.written.y == BELOW {
                // Right above the next line they would seem to be of that.
                let beneath = Room { y: (room.y.0, room.y.1 + ABOVE), ..room };
                choice.cost += self.chart.crossed(&beneath) as f64 * 5.0;
            }
            if best.as_ref().is_some_and(|best| best.cost <= choice.cost) {
                continue;
            }
            let is_free = self.bounds.hold(&room)
                && clear_of.is_none_or(|other| !other.meets(&room))
                && self.chart.is_free(&room);
            if is_free {
                best = Some(choice);
            }
        }
        best
    }
}

impl Bounds {
    fn hold(&self, room: &Room) -> bool {
        let ((left, right), (top, bottom)) = (room.breadth(), room.span());
        left >= self.x.0 && right <= self.x.1 && top >= self.y.0 && bottom <= self.y.1
    }
}

/// How wide words are with what hit the packet behind them.
fn width(words: &str, fault: &str) -> f64 {
    let gap = if words.is_empty() || fault.is_empty() { 0.0 } else { letters::width(" ", SIZE) };
    letters::width(words, SIZE) + gap + bold(fault)
}

/// The places along a line, above and below it, the best those next to its start (or to its end).
fn along(track: &Track, words: &str, fault: &str, at_start: bool) -> Vec<Choice> {
    let (direction, rightwards) = track.upright();
    let width = width(words, fault);
    let room = track.length() - 2.0 * AHEAD - width;
    if room < 0.0 {
        return Vec::new();
    }
    let turn = direction.1.atan2(direction.0).to_degrees();
    let pitch = STEP.max(room / TRIES);
    let steps = (room / pitch).floor() as usize;
    let shifts = (0..=steps).map(|step| step as f64 * pitch);
    let place = |(shift, foot): (f64, f64)| {
        let from_start = AHEAD + if at_start { shift } else { room - shift };
        let (left, right) =
            if rightwards { (from_start, from_start + width) } else { (-from_start - width, -from_start) };
        let below = if foot > 0.0 { 3.0 } else { 0.0 };
        // Words lean to the end next to which they are to stand: they may be narrower than reckoned.
        let ends = rightwards != at_start;
        Choice {
            cost: shift * 0.02 + below,
            written: Written {
                at: track.from,
                turn,
                x: if ends { right } else { left },
                y: foot,
                ends,
                words: words.to_owned(),
                fault: fault.to_owned(),
                room: Room {
                    at: track.from,
                    along: direction,
                    x: (left, right),
                    y: (foot - ASCENT, foot + DESCENT),
                },
            },
        }
    };
    shifts.flat_map(|shift| [(shift, -ABOVE), (shift, BELOW)]).map(place).collect()
}

/// The place beyond the end of a line.
fn beyond(track: &Track, words: &str) -> Choice {
    let (direction, rightwards) = track.upright();
    let (near, far) = (BEYOND, BEYOND + bold(words));
    let (left, right) = if rightwards { (near, far) } else { (-far, -near) };
    let foot = 4.5;
    Choice {
        cost: 0.0,
        written: Written {
            at: track.to,
            turn: direction.1.atan2(direction.0).to_degrees(),
            x: if rightwards { left } else { right },
            y: foot,
            ends: !rightwards,
            words: String::new(),
            fault: words.to_owned(),
            room: Room {
                at: track.to,
                along: direction,
                x: (left, right),
                y: (foot - ASCENT, foot + DESCENT),
            },
        },
    }
}

/// The places beside a line that goes down, level.
fn beside(waits: &Track, words: &str) -> Vec<Choice> {
    let width = bold(words);
    let (top, bottom) = (waits.from.1.min(waits.to.1) + 8.0, waits.from.1.max(waits.to.1) - 8.0);
    let steps = ((bottom - top).max(0.0) / STEP).floor().min(60.0) as usize;
    let place = |step: usize, right: bool| {
        let foot = top + step as f64 * STEP + 4.0;
        let (x, from, to) = if right {
            (waits.from.0 + 8.0, waits.from.0 + 8.0, waits.from.0 + 8.0 + width)
        } else {
            (waits.from.0 - 8.0, waits.from.0 - 8.0 - width, waits.from.0 - 8.0)
        };
        Choice {
            cost: 1.0 + step as f64 * STEP * 0.02,
            written: Written {
                at: (0.0, 0.0),
                turn: 0.0,
                x,
                y: foot,
                ends: !right,
                words: String::new(),
                fault: words.to_owned(),
                room: Room::level(from, foot - ASCENT, to, foot + DESCENT),
            },
        }
    };
    (0..=steps).flat_map(|step| [place(step, true), place(step, false)]).collect()
}
