//! A plan made ready for the wire: host names become numbers, and a packet finds what is meant for it.

use std::time::Duration;

use super::super::{
    Action, Anchor, Change, Class, Cut, Direction, EventKind, FaultPlan, Injection, Label, Lasts,
    LinkNumbers, Packet, PlanEvent, Rejection, When,
};
use super::queue::Switch;
use super::{Power, UnknownHost};
use crate::model::{HostId, Time};

/// A way over the link: who sends, who is to get it.
pub(super) type Way = (HostId, HostId);

/// Positions in a list of the plan, found by the packet that they name.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<(Key, Packet, usize)>);

type Key = (Way, Class, u32, Option<u32>);

impl Index {
    fn add(&mut self, way: Way, packet: Packet, position: usize) {
        self.0.push(((way, packet.class, packet.nth, packet.flow), packet, position));
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable_by_key(|&(key, _, position)| (key, position));
    }

    /// The positions of all selectors that name this packet, in ascending order.
    pub(super) fn find(&self, way: Way, label: &Label) -> Vec<usize> {
        /// So few are looked through sooner than searched.
        const FEW: usize = 8;
        let mut found = Vec::new();
        if self.0.len() <= FEW {
            for &((other, ..), ref packet, position) in &self.0 {
                if other == way && label.is(packet) {
                    found.push(position);
                }
            }
        } else {
            // All that a packet can be called by.
            let keys = [
                (way, label.class, label.nth, None),
                (way, label.class, label.nth_in_flow, Some(label.flow)),
                (way, Class::Any, label.nth_any, None),
                (way, Class::Any, label.nth_any_in_flow, Some(label.flow)),
            ];
            for key in keys {
                let first = self.0.partition_point(|(other, ..)| *other < key);
                let named = self.0[first..].iter().take_while(|(other, ..)| *other == key);
                found.extend(named.filter(|(_, packet, _)| label.is(packet)).map(|&(.., position)| position));
            }
        }
        found.sort_unstable();
        found
    }
}

/// What happens, with host numbers for names.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Partition(Cut<HostId>),
    Outage(Cut<HostId>, Lasts),
    Heal(Cut<HostId>),
    Switch(Switch),
    Inject(Way, Source),
}

/// What an injected packet is made from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Bytes(bytes::Bytes),
    /// The event's sample.
    Like(Change),
    Reject(Rejection),
}

/// The hosts' names, by their numbers.
#[derive(Clone, Copy)]
struct Names<'a>(&'a [String]);

impl Names<'_> {
    fn host(self, name: &String) -> Result<HostId, UnknownHost> {
        let index = self.0.iter().position(|host| host == name);
        index
            .and_then(|index| u16::try_from(index).ok())
            .map(HostId)
            .ok_or_else(|| UnknownHost { name: name.clone(), hosts: self.0.to_vec() })
    }

    fn way(self, direction: &Direction) -> Result<Way, UnknownHost> {
        Ok((self.host(&direction.from)?, self.host(&direction.to)?))
    }
}

/// A plan with host numbers for names.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The ways whose link differs from that of all hosts, in the plan's order.
    pub(super) links: Vec<(Way, LinkNumbers)>,
    /// The plan's faults by the packet that they name.
    pub(super) faults: Index,
    /// What the plan's faults do, in its order.
    pub(super) actions: Vec<Action>,
    /// The plan's events by the packet that they come before.
    pub(super) before: Index,
    /// The plan's events by the packet that they come after.
    pub(super) after: Index,
    /// The plan's events that make a packet from another, by that one.
    pub(super) samples: Index,
    /// How much later each event comes, in the plan's order.
    pub(super) waits: Vec<Duration>,
    /// The plan's events, in its order.
    pub(super) happenings: Vec<Happening>,
    /// What happens to the wire at a time.
    pub(super) timed: Vec<(Time, usize)>,
    /// Which hosts are turned off and on at a time, in the order of (time, plan).
    pub(super) switches: Vec<(Time, Switch)>,
}

impl Prepared {
    pub(super) fn new(plan: &FaultPlan, hosts: &[String]) -> Result<Prepared, UnknownHost> {
        let way = |direction: &Direction| Names(hosts).way(direction);
        let mut prepared = Prepared::default();
        for link in &plan.links {
            for direction in link.directions() {
                prepared.links.push((way(&direction)?, link.numbers(&plan.link)));
            }
        }
        for (position, fault) in plan.faults.iter().enumerate() {
            prepared.faults.add(way(&fault.direction)?, fault.packet, position);
            prepared.actions.push(fault.action.clone());
        }
        for event in &plan.events {
            prepared.add(event, hosts)?;
        }
        prepared.faults.sort();
        prepared.before.sort();
        prepared.after.sort();
        prepared.samples.sort();
        prepared.switches.sort_unstable_by_key(|&(at, switch)| (at, switch.event));
        Ok(prepared)
    }

    /// Adds an event at the end; events that name a packet are found once all are sorted.
    pub(super) fn add(&mut self, event: &PlanEvent, hosts: &[String]) -> Result<(), UnknownHost> {
        let names = Names(hosts);
        let position = self.happenings.len();
        let switch =
            |name, power| Ok(Happening::Switch(Switch { host: names.host(name)?, power, event: position }));
        let numbered = |cut: &Cut<String>| cut.try_map(|name| names.host(name));
        let happening = match &event.kind {
            EventKind::Partition(cut) => Happening::Partition(numbered(cut)?),
            EventKind::Outage { cut, lasts } => Happening::Outage(numbered(cut)?, *lasts),
            EventKind::Heal(cut) => Happening::Heal(numbered(cut)?),
            EventKind::Crash(name) => switch(name, Power::Off)?,
            EventKind::Kill(name) => switch(name, Power::Kill)?,
            EventKind::Restart(name) => switch(name, Power::On)?,
            EventKind::Inject(Injection::Bytes { direction, packet }) => {
                Happening::Inject(names.way(direction)?, Source::Bytes(packet.clone()))
            }
            EventKind::Inject(Injection::Like { direction, packet, change }) => {
                let way = names.way(direction)?;
                self.samples.add(way, *packet, position);
                Happening::Inject(way, Source::Like(change.clone()))
            }
            EventKind::Inject(Injection::Reject { direction, packet, rejection }) => {
                let (from, to) = names.way(direction)?;
                self.samples.add((from, to), *packet, position);
                Happening::Inject((to, from), Source::Reject(*rejection))
            }
        };
        match (&event.when, &happening) {
            (When::After(Anchor { direction, packet, .. }), _) => {
                self.after.add(names.way(direction)?, *packet, position);
            }
            (When::Before(Anchor { direction, packet, .. }), _) => {
                self.before.add(names.way(direction)?, *packet, position);
            }
            (When::AtUs(at), &Happening::Switch(switch)) => {
                self.switches.push((Time::from_micros(*at), switch));
            }
            (When::AtUs(at), _) => self.timed.push((Time::from_micros(*at), position)),
        }
        self.waits.push(match &event.when {
            When::After(anchor) => Duration::from_micros(anchor.wait_us),
            When::Before(_) | When::AtUs(_) => Duration::ZERO,
        });
        self.happenings.push(happening);
        Ok(())
    }
}
