//! Words on arrows and beside hosts' lines, and those for payloads in the room that is left.

use super::layout::Arrow;
use super::payloads::Preview;
use super::pens::{Pens, clip};

/// Columns of a short preview, and of what stands before it.
const SHORT: usize = 2 + 16;

/// Words, and behind them those for the payload, as far as there is room for them.
pub(super) fn said(words: &str, preview: Option<&Preview>, room: usize, pens: &Pens) -> String {
    let left = room.saturating_sub(words.chars().count() + 2);
    match preview.and_then(|preview| preview.fitted(left, pens)) {
        Some(preview) => format!("{words}: {preview}"),
        None => words.to_owned(),
    }
}

impl Arrow {
    /// All that there is to say of it, and of its payload what the room allows.
    pub(super) fn sentence(&self, room: usize, pens: &Pens) -> String {
        let mut tail = self.tail(pens);
        if !tail.is_empty() {
            tail.insert_str(0, ", ");
        }
        let room = room.saturating_sub(tail.chars().count());
        said(&self.head(), self.preview.as_ref(), room, pens) + &tail
    }

    /// The sign of its faults.
    fn sign(&self, pens: &Pens) -> char {
        if self.is_usual { pens.usual } else { pens.fault }
    }

    /// What it is called by and carries.
    fn head(&self) -> String {
        if self.load.is_empty() { self.name.clone() } else { format!("{}, {}", self.name, self.load) }
    }

    /// The room that all its words take on it, with a short preview.
    pub(super) fn wants(&self, pens: &Pens) -> usize {
        let head = said(&self.head(), self.preview.as_ref(), self.head().chars().count() + SHORT, pens);
        1 + takes(&head) + takes(&self.tail(pens))
    }

    /// What hit it and how it ended.
    fn tail(&self, pens: &Pens) -> String {
        let mut words = String::new();
        if !self.faults.is_empty() {
            words = format!("{} {}", self.sign(pens), self.faults);
        }
        if !self.end.is_empty() {
            if !words.is_empty() {
                words.push_str(", ");
            }
            words.push_str(&self.end);
        }
        words
    }

    /// What is written on it near its start and near its end, as much as there is room for. The words of the
    /// payload have what the others leave.
    pub(super) fn labels(&self, room: usize, pens: &Pens) -> (String, String) {
        let head = self.head();
        let fault = if self.faults.is_empty() {
            self.end.clone()
        } else {
            format!("{} {}", self.sign(pens), self.faults)
        };
        // Of a fault at least the sign is kept; a range is left out before the name of what bears it is cut.
        let sign = if self.faults.is_empty() { String::new() } else { self.sign(pens).to_string() };
        let short = self.name.split(" [").next().unwrap_or_default();
        let mut choices =
            vec![(head.as_str(), self.tail(pens)), (&head, fault.clone()), (&self.name, fault.clone())];
        if !self.faults.is_empty() {
            choices.push((short, fault));
        }
        choices.extend([(self.name.as_str(), sign.clone()), (short, sign.clone())]);
        match choices.into_iter().find(|(head, tail)| 1 + takes(head) + takes(tail) <= room) {
            Some((words, tail)) if words == head => {
                let room = room.saturating_sub(4 + takes(&tail));
                (said(&head, self.preview.as_ref(), room, pens), tail)
            }
            Some((head, tail)) => (head.to_owned(), tail),
            None => (clip(short, room.saturating_sub(4 + takes(&sign)), pens), sign),
        }
    }
}

/// The room that words take on an arrow: blanks around them, and a dash.
fn takes(words: &str) -> usize {
    if words.is_empty() { 0 } else { words.chars().count() + 3 }
}
