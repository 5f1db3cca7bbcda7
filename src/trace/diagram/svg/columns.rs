//! Where the hosts' lines and the words beside them stand.

use super::super::layout::Label;
use super::super::pens::UNICODE;
use super::super::wording;
use super::chart::Room;
use super::label::{ASCENT, DESCENT};
use super::letters::{self, SIZE};
use super::place::Places;
use super::route::PREVIEW;
use crate::model::HostId;

/// Between two hosts' lines: with two hosts, and with more.
const ROOM: [f64; 2] = [430.0, 220.0];
/// Pixels of words beside a host's line at most.
const WORDS_MAX: f64 = 250.0;
/// From a host's line to the stack's words.
const BESIDE: f64 = 12.0;
/// Pixels of a host's name.
pub(super) const NAME: f64 = 15.0;
/// Pixels of times and of the legend.
pub(super) const SMALL: f64 = 12.0;
/// The least room for times at the left.
const TIMES_MIN: f64 = 46.0;

/// Where the hosts' lines and the words stand.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) hosts: Vec<f64>,
    /// With two hosts: where the calls begin (or end) outside the stacks' words.
    pub(super) calls: Option<[f64; 2]>,
    /// Where the times end.
    pub(super) times: f64,
    pub(super) width: f64,
}

impl Columns {
    pub(super) fn new(
        names: &[String],
        labels: &[Label],
        places: &Places,
        times: &[String],
        mirrored: bool,
    ) -> Columns {
        let longest = times.iter().map(|time| letters::width(time, SMALL)).fold(0.0, f64::max);
        let times = longest.max(TIMES_MIN) + 8.0;
        let widest = |host: usize, of_stack: bool| {
            let of = labels
                .iter()
                .filter(|it| it.host == host && it.of_stack == of_stack && places.y.contains_key(&it.event));
            of.map(wide).fold(0.0, f64::max)
        };
        if let [one, other] = names {
            let half = |name: &str| letters::width(name, NAME) * letters::BOLD / 2.0;
            let gap = |width: f64| if width > 0.0 { 14.0 } else { 0.0 };
            let outside = |host: usize, name: &str| {
                let (stack, calls) = (widest(host, true), widest(host, false));
                let inner = BESIDE + stack + gap(stack);
                (inner, (inner + calls).max(half(name).min(WORDS_MAX / 2.0)))
            };
            let (one, other) = (outside(0, one), outside(1, other));
            let (of_left, of_right) = if mirrored { (other, one) } else { (one, other) };
            let left = times + 14.0 + of_left.1;
            let right = left + ROOM[0];
            let (mut hosts, mut calls) = ([left, right], [left - of_left.0, right + of_right.0]);
            if mirrored {
                hosts.reverse();
                calls.reverse();
            }
            let width = right + of_right.1 + 14.0;
            return Columns { hosts: hosts.to_vec(), calls: Some(calls), times, width };
        }
        let lane = |host| (widest(host, true).max(widest(host, false)) + 30.0).max(ROOM[1]);
        let mut at = times + 60.0;
        let mut columns = Vec::new();
        for host in 0..names.len() {
            columns.push(at);
            at += lane(host);
        }
        Columns { hosts: columns, calls: None, times, width: at.max(300.0) }
    }

    pub(super) fn of(&self, host: HostId) -> Option<f64> {
        self.hosts.get(usize::from(host.0)).copied()
    }

    pub(super) fn middle(&self) -> f64 {
        let ends = self.hosts.first().zip(self.hosts.last());
        ends.map_or(self.width / 2.0, |(first, last)| (first + last) / 2.0)
    }

    /// Whether the words beside a host's line stand to its left.
    pub(super) fn leftwards(&self, label: &Label) -> bool {
        self.calls.is_some()
            && self.hosts.get(label.host).is_some_and(|x| self.hosts.iter().all(|it| x <= it))
    }

    /// Where the words begin, or end where they stand to the left of the line.
    pub(super) fn beside(&self, label: &Label) -> Option<f64> {
        let x = *self.hosts.get(label.host)?;
        match (self.calls, label.of_stack) {
            (Some(calls), false) => calls.get(label.host).copied(),
            _ => Some(x + if self.leftwards(label) { -BESIDE } else { BESIDE }),
        }
    }

    /// The room that words at that height take.
    pub(super) fn room(&self, label: &Label, y: f64) -> Option<Room> {
        let (x, width) = (self.beside(label)?, wide(label));
        let (left, right) = if self.leftwards(label) { (x - width, x) } else { (x, x + width) };
        Some(Room::level(left, y + 4.0 - ASCENT, right, y + 4.0 + DESCENT))
    }

    /// How wide a host's name may be.
    pub(super) fn name_room(&self, host: usize) -> f64 {
        let x = self.hosts.get(host).copied().unwrap_or_default();
        let before = self.hosts.iter().copied().filter(|it| *it < x).fold(f64::NEG_INFINITY, f64::max);
        let behind = self.hosts.iter().copied().filter(|it| *it > x).fold(f64::INFINITY, f64::min);
        let left = if before.is_finite() { (x - before) / 2.0 } else { x - self.times };
        let right = if behind.is_finite() { (behind - x) / 2.0 } else { self.width - x };
        2.0 * left.min(right) - 8.0
    }
}

/// The words, as many as there is room for.
pub(super) fn said(label: &Label) -> String {
    letters::fitted(&words(label), WORDS_MAX / weight(label), SIZE).into_owned()
}

fn words(label: &Label) -> String {
    let room = label.words.chars().count() + 2 + PREVIEW;
    wording::said(&label.words, label.preview.as_ref(), room, &UNICODE)
}

fn weight(label: &Label) -> f64 {
    if label.fails { letters::BOLD } else { 1.0 }
}

fn wide(label: &Label) -> f64 {
    (letters::width(&words(label), SIZE) * weight(label)).min(WORDS_MAX)
}
