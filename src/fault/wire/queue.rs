//! What is on the wire and when it is due, in the order of (time, host, sequence).
//!
//! Packets and what happens to hosts lie apart: packets may be taken ahead of time, the others may not.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::select::Way;
use super::{Delivery, Power};
use crate::model::{HostId, Time};

/// When something is due, and what it comes before where several are due at once.
type Key = (Time, HostId, u64);

/// Something that is due.
#[derive(Debug)]
struct Entry<T> {
    key: Key,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// An event of the plan that turns a host off or on, or kills its programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch {
    pub(super) host: HostId,
    pub(super) power: Power,
    /// Its position in the plan.
    pub(super) event: usize,
}

/// What the queue gave out.
#[derive(Debug)]
pub(super) enum Next {
    Packet(Delivery),
    Switch(Switch),
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
    due: BinaryHeap<Reverse<Entry<Delivery>>>,
    held: Vec<Held>,
    switches: BinaryHeap<Reverse<Entry<Switch>>>,
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

    /// A packet is to arrive.
    pub(super) fn packet(&mut self, at: Time, delivery: Delivery) {
        self.packets += 1;
        let key = self.key(at, delivery.to);
        self.due.push(Reverse(Entry { key, what: delivery }));
    }

    /// A host is to be turned off or on.
    pub(super) fn switch(&mut self, at: Time, what: Switch) {
        let key = self.key(at, what.host);
        self.switches.push(Reverse(Entry { key, what }));
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
            // In a tie the deadline counts: a caller that looks ahead may have taken the packet at its
            // deadline.
            let key = if at < held.latest.0 { self.key(at, held.delivery.to) } else { held.latest };
            self.due.push(Reverse(Entry { key, what: held.delivery }));
        }
    }

    fn next_held(&self) -> Option<(Key, usize)> {
        let held = self.held.iter().enumerate();
        held.map(|(index, held)| (held.latest, index)).min()
    }

    fn next_packet_key(&self) -> Option<Key> {
        let due = self.due.peek().map(|Reverse(entry)| entry.key);
        if self.held.is_empty() {
            return due;
        }
        let held = self.next_held().map(|(key, _)| key);
        due.into_iter().chain(held).min()
    }

    fn next_switch_key(&self) -> Option<Key> {
        self.switches.peek().map(|Reverse(entry)| entry.key)
    }

    /// When the next packet is due.
    pub(super) fn next_packet_due(&self) -> Option<Time> {
        self.next_packet_key().map(|(at, ..)| at)
    }

    /// When a host is to be turned off or on next.
    pub(super) fn next_switch_due(&self) -> Option<Time> {
        self.next_switch_key().map(|(at, ..)| at)
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.next_packet_due().into_iter().chain(self.next_switch_due()).min()
    }

    /// Takes the next thing that is due.
    pub(super) fn pop(&mut self) -> Option<(Time, Next)> {
        let is_switch = match (self.next_switch_key(), self.next_packet_key()) {
            (Some(switch), Some(packet)) => switch < packet,
            (switch, _) => switch.is_some(),
        };
        if is_switch {
            self.pop_switch().map(|(at, switch)| (at, Next::Switch(switch)))
        } else {
            self.pop_packet().map(|(at, delivery)| (at, Next::Packet(delivery)))
        }
    }

    /// Takes the next packet that is due.
    pub(super) fn pop_packet(&mut self) -> Option<(Time, Delivery)> {
        if !self.held.is_empty()
            && let Some((key, index)) = self.next_held()
            && self.due.peek().is_none_or(|Reverse(entry)| key < entry.key)
        {
            self.packets -= 1;
            return Some((key.0, self.held.remove(index).delivery));
        }
        let Reverse(entry) = self.due.pop()?;
        self.packets -= 1;
        Some((entry.key.0, entry.what))
    }

    /// Takes the next that turns a host off or on.
    pub(super) fn pop_switch(&mut self) -> Option<(Time, Switch)> {
        let Reverse(entry) = self.switches.pop()?;
        Some((entry.key.0, entry.what))
    }
}
