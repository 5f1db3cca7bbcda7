//! What is on the wire and when it is due, in the order of (time, host, sequence).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::select::Way;
use super::{Delivery, DueWhat};
use crate::time::Time;
use crate::trace::HostId;

/// When something is due, and what it comes before where several are due at once.
type Key = (Time, HostId, u64);

/// What is due, and the event of the plan that it stands for, if it is one.
#[derive(Debug)]
struct Entry {
    key: Key,
    what: DueWhat,
    event: Option<usize>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// A packet that waits for others to overtake it.
#[derive(Debug)]
struct Held {
    way: Way,
    /// Packets of its direction that are still to come.
    left: u32,
    /// When it is due if they do not come.
    latest: Key,
    delivery: Delivery,
}

/// All that is on the wire.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BinaryHeap<Reverse<Entry>>,
    held: Vec<Held>,
    packets: usize,
    sequence: u64,
}

impl Queue {
    /// Packets on the wire, copies and held ones included.
    pub(super) fn packets(&self) -> usize {
        self.packets
    }

    fn key(&mut self, at: Time, host: HostId) -> Key {
        self.sequence += 1;
        (at, host, self.sequence)
    }

    fn push(&mut self, key: Key, what: DueWhat, event: Option<usize>) {
        self.due.push(Reverse(Entry { key, what, event }));
    }

    /// A packet is to arrive.
    pub(super) fn packet(&mut self, at: Time, delivery: Delivery) {
        self.packets += 1;
        let key = self.key(at, delivery.to);
        self.push(key, DueWhat::Packet(delivery), None);
    }

    /// An event of the plan happens to a host.
    pub(super) fn host(&mut self, at: Time, host: HostId, what: DueWhat, event: usize) {
        let key = self.key(at, host);
        self.push(key, what, Some(event));
    }

    /// A packet is to arrive behind others.
    pub(super) fn hold(&mut self, way: Way, behind: u32, latest: Time, delivery: Delivery) {
        self.packets += 1;
        let latest = self.key(latest, delivery.to);
        self.held.push(Held { way, left: behind, latest, delivery });
    }

    /// A packet that is due at `at` went this way: what waited for it comes right behind it.
    pub(super) fn overtaken(&mut self, way: Way, at: Time) {
        let mut index = 0;
        while let Some(held) = self.held.get_mut(index) {
            if held.way == way {
                held.left = held.left.saturating_sub(1);
            }
            if held.left > 0 {
                index += 1;
                continue;
            }
            let held = self.held.remove(index);
            // In a tie the deadline counts: a caller that looks ahead may have taken the packet at its deadline.
            let key = if at < held.latest.0 { self.key(at, held.delivery.to) } else { held.latest };
            self.push(key, DueWhat::Packet(held.delivery), None);
        }
    }

    fn next_held(&self) -> Option<(Key, usize)> {
        let held = self.held.iter().enumerate();
        held.map(|(index, held)| (held.latest, index)).min()
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        let due = self.due.peek().map(|Reverse(entry)| entry.key.0);
        if self.held.is_empty() {
            return due;
        }
        let held = self.next_held().map(|(key, _)| key.0);
        due.into_iter().chain(held).min()
    }

    /// Takes the next thing that is due, and the event of the plan that it stands for.
    pub(super) fn pop(&mut self) -> Option<(Time, DueWhat, Option<usize>)> {
        if !self.held.is_empty()
            && let Some((key, index)) = self.next_held()
            && self.due.peek().is_none_or(|Reverse(entry)| key < entry.key)
        {
            self.packets -= 1;
            return Some((key.0, DueWhat::Packet(self.held.remove(index).delivery), None));
        }
        let Reverse(entry) = self.due.pop()?;
        if matches!(entry.what, DueWhat::Packet(_)) {
            self.packets -= 1;
        }
        Some((entry.key.0, entry.what, entry.event))
    }
}
