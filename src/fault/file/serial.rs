//! A plan in any format that serde writes, JSON for one: the same keys and values as in a plan file.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::{
    Action, Anchor, Change, Cut, EventKind, Fault, FaultPlan, Field, Injection, LabPair, Lasts, Link, Packet,
    PairLink, PlanEvent, Rejection, Value, When,
};
use super::change::{Written, checksums};
use super::link::{differs, numbers};

/// The entries of a packet's selector, in a map that may hold others.
fn selector<M: SerializeMap>(map: &mut M, packet: &Packet) -> Result<(), M::Error> {
    map.serialize_entry("class", packet.class.name())?;
    map.serialize_entry("nth", &packet.nth)?;
    if let Some(flow) = packet.flow {
        map.serialize_entry("flow", &flow)?;
    }
    if let Some(transmission) = packet.transmission {
        map.serialize_entry("transmission", &transmission)?;
    }
    Ok(())
}

impl Serialize for FaultPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", &1)?;
        if let Some(title) = &self.title {
            map.serialize_entry("title", title)?;
        }
        if let Some(scenario) = &self.scenario {
            map.serialize_entry("scenario", scenario)?;
        }
        if let Some(claim) = &self.claim {
            map.serialize_entry("claim", claim)?;
        }
        map.serialize_entry("link", &self.link)?;
        let links: Vec<_> = self.links.iter().filter(|link| differs(link)).collect();
        if !links.is_empty() {
            map.serialize_entry("links", &links)?;
        }
        if let Some(lab) = &self.lab {
            map.serialize_entry("lab", lab)?;
        }
        if !self.faults.is_empty() {
            map.serialize_entry("fault", &self.faults)?;
        }
        if !self.events.is_empty() {
            map.serialize_entry("event", &self.events)?;
        }
        map.end()
    }
}

impl Serialize for LabPair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("server", &self.server)?;
        map.serialize_entry("client", &self.client)?;
        if self.ipv6 {
            map.serialize_entry("ipv6", &true)?;
        }
        if let Some(profile) = &self.profile {
            map.serialize_entry("profile", profile)?;
        }
        if !self.tun.is_empty() {
            map.serialize_entry("tun", &self.tun)?;
        }
        if let Some(timeout) = self.timeout.and_then(|it| u64::try_from(it.as_millis()).ok()) {
            map.serialize_entry("timeout_ms", &timeout)?;
        }
        map.end()
    }
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Link::Profile(profile) => map.serialize_entry("profile", profile.name())?,
            Link::Numbers(numbers) => {
                map.serialize_entry("delay_us", &numbers.delay_us)?;
                if let Some(max) = numbers.delay_us_max.filter(|max| *max >= numbers.delay_us) {
                    map.serialize_entry("delay_us_max", &max)?;
                }
                map.serialize_entry("mtu", &numbers.mtu)?;
                if let Some(mtu) = numbers.host_mtu {
                    map.serialize_entry("host_mtu", &mtu)?;
                }
                if let Some(rate) = numbers.rate_kbps {
                    map.serialize_entry("rate_kbps", &rate)?;
                }
            }
        }
        map.end()
    }
}

impl Serialize for PairLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.hosts {
            [from, to] if self.one_way => map.serialize_entry("direction", &format!("{from}->{to}"))?,
            hosts => map.serialize_entry("between", hosts)?,
        }
        if let Some(profile) = self.profile {
            map.serialize_entry("profile", profile.name())?;
        }
        for (key, number) in numbers(self) {
            map.serialize_entry(key, &number)?;
        }
        map.end()
    }
}

impl Serialize for Packet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        selector(&mut map, self)?;
        map.end()
    }
}

impl Serialize for Anchor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("direction", &self.direction.to_string())?;
        selector(&mut map, &self.packet)?;
        if self.wait_us > 0 {
            map.serialize_entry("wait_us", &self.wait_us)?;
        }
        map.end()
    }
}

fn cut<S: Serializer>(map: &mut S::SerializeMap, cut: &Cut<String>) -> Result<(), S::Error> {
    match &cut.hosts {
        Some([from, to]) if cut.one_way => map.serialize_entry("direction", &format!("{from}->{to}"))?,
        Some(hosts) => map.serialize_entry("hosts", hosts)?,
        None => {}
    }
    if let Some(flow) = cut.flow {
        map.serialize_entry("flow", &flow)?;
    }
    match cut.longer_than {
        Some(bytes) => map.serialize_entry("longer_than", &bytes),
        None => Ok(()),
    }
}

/// The fields of a change, as a map.
struct Fields<'a>(&'a [(Field, Value)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in self.0 {
            match Written::of(*field, value) {
                Written::Number(number) => map.serialize_entry(field.name(), &number)?,
                Written::Text(text) => map.serialize_entry(field.name(), &text)?,
            }
        }
        map.end()
    }
}

fn change<S: Serializer>(map: &mut S::SerializeMap, change: &Change) -> Result<(), S::Error> {
    if !change.fields.is_empty() {
        map.serialize_entry("set", &Fields(&change.fields))?;
    }
    match change.bits[..] {
        [] => {}
        [bit] => map.serialize_entry("corrupt_bit", &bit)?,
        _ => map.serialize_entry("corrupt_bits", &change.bits)?,
    }
    match checksums(change) {
        Some(word) => map.serialize_entry("checksums", word),
        None => Ok(()),
    }
}

fn rejection<S: Serializer>(map: &mut S::SerializeMap, rejection: Rejection) -> Result<(), S::Error> {
    map.serialize_entry("reject", rejection.name())?;
    match rejection {
        Rejection::TooBig(mtu) => map.serialize_entry("mtu", &mtu),
        _ => Ok(()),
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Action::Drop => return serializer.serialize_str("drop"),
            Action::Duplicate => return serializer.serialize_str("duplicate"),
            _ => serializer.serialize_map(None)?,
        };
        match self {
            Action::Drop | Action::Duplicate => {}
            Action::DelayUs(micros) => map.serialize_entry("delay_us", micros)?,
            Action::HoldFor(packets) => map.serialize_entry("hold_for", packets)?,
            Action::CorruptBits(bits) => match bits[..] {
                [bit] => map.serialize_entry("corrupt_bit", &bit)?,
                _ => map.serialize_entry("corrupt_bits", bits)?,
            },
            Action::Change(change) => self::change::<S>(&mut map, change)?,
            Action::Reject(rejection) => self::rejection::<S>(&mut map, *rejection)?,
        }
        map.end()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("direction", &self.direction.to_string())?;
        map.serialize_entry("packet", &self.packet)?;
        map.serialize_entry("action", &self.action)?;
        map.end()
    }
}

impl Serialize for PlanEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind.name())?;
        match &self.kind {
            EventKind::Partition(cut) | EventKind::Heal(cut) => self::cut::<S>(&mut map, cut)?,
            EventKind::Outage { cut, lasts } => {
                self::cut::<S>(&mut map, cut)?;
                match lasts {
                    Lasts::Us(us) => map.serialize_entry("for_us", us)?,
                    Lasts::Retransmissions(count) => map.serialize_entry("retransmissions", count)?,
                }
            }
            EventKind::Crash(host) | EventKind::Kill(host) | EventKind::Restart(host) => {
                map.serialize_entry("host", host)?;
            }
            EventKind::Inject(Injection::Bytes { direction, packet }) => {
                map.serialize_entry("direction", &direction.to_string())?;
                map.serialize_entry("bytes", &format!("{packet:x}"))?;
            }
            EventKind::Inject(Injection::Like { direction, packet, change }) => {
                map.serialize_entry("like", &Anchor::new(direction.clone(), *packet))?;
                self::change::<S>(&mut map, change)?;
            }
            EventKind::Inject(Injection::Reject { direction, packet, rejection }) => {
                map.serialize_entry("like", &Anchor::new(direction.clone(), *packet))?;
                self::rejection::<S>(&mut map, *rejection)?;
            }
        }
        match &self.when {
            When::After(anchor) => map.serialize_entry("after", anchor)?,
            When::Before(anchor) => map.serialize_entry("before", anchor)?,
            When::AtUs(at) => map.serialize_entry("at_us", at)?,
        }
        map.end()
    }
}
