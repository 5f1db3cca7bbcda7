//! What a capture shows, entry by entry: where, when, which bytes, and what there is to say of it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::model::{Action, HostId, PacketId, Time, What};
use crate::trace::{Trace, words};

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The packet left the host.
    Outbound(HostId),
    /// It arrived at the host.
    Inbound(HostId),
    /// It did not arrive.
    Lost,
    /// The plan put it on the wire.
    Injected,
}

impl Place {
    /// Whether this host sees the packet there.
    pub(super) fn is_at(self, host: HostId) -> bool {
        matches!(self, Place::Outbound(it) | Place::Inbound(it) if it == host)
    }
}

/// A packet at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) at: Time,
    pub(super) place: Place,
    /// The whole IP packet.
    pub(super) bytes: &'a Bytes,
    /// What hit it, in plain words.
    pub(super) comments: Vec<String>,
}

/// What befell packets: of most of them there is nothing to say.
struct Fates<'a> {
    /// The faults that hit a packet: their place in the plan, from 1, and what was done.
    faults: BTreeMap<PacketId, Vec<(usize, &'a Action)>>,
    /// Why a packet was lost, other than by a fault.
    losses: BTreeMap<PacketId, &'static str>,
}

impl<'a> Fates<'a> {
    fn of(trace: &'a Trace) -> Fates<'a> {
        let (mut faults, mut losses) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for event in trace.events() {
            match &event.what {
                What::Fault { packet, fault, action } => {
                    faults.entry(*packet).or_default().push((fault.saturating_add(1), action));
                }
                What::Lost { packet, reason } => {
                    losses.insert(*packet, words::loss(*reason));
                }
                _ => {}
            }
        }
        Fates { faults, losses }
    }

    /// What is said of a packet's entry. That it was lost is not said of a copy that arrived.
    fn comments(&self, trace: &Trace, packet: PacketId, sent: Option<&What>, place: Place) -> Vec<String> {
        let faults = self.faults.get(&packet);
        let loss = self.losses.get(&packet).filter(|_| !matches!(place, Place::Inbound(_)));
        let injected = match sent {
            Some(What::Injected { from, .. }) => {
                Some(format!("put on the wire by the plan: {} did not send it", trace.host_name(*from)))
            }
            _ => None,
        };
        if faults.is_none() && loss.is_none() {
            return injected.into_iter().collect();
        }
        let name = sent.map_or_else(|| "a packet".to_owned(), |sent| name(trace, sent));
        let faults = faults.into_iter().flatten();
        let faults = faults
            .map(|(number, action)| format!("fault {number} of the plan: {name} {}", words::action(action)));
        injected
            .into_iter()
            .chain(faults)
            .chain(loss.map(|reason| format!("{name} lost: {reason}")))
            .collect()
    }
}

/// `client->server data 3 of flow 2, transmission 2`.
fn name(trace: &Trace, sent: &What) -> String {
    let (from, to, label) = match sent {
        What::Sent { from, to, label, .. } => (from, to, Some(label)),
        What::Injected { from, to, .. } => (from, to, None),
        _ => return "a packet".to_owned(),
    };
    let way = format!("{}->{}", trace.host_name(*from), trace.host_name(*to));
    let Some(label) = label else { return format!("{way} injected packet") };
    let mut name = format!("{way} {} {}", label.class.name(), label.nth);
    if label.flow > 1 {
        name.push_str(&format!(" of flow {}", label.flow));
    }
    if label.transmission > 1 {
        name.push_str(&format!(", transmission {}", label.transmission));
    }
    name
}

/// The entries of a trace, in its order.
pub(super) fn entries(trace: &Trace) -> impl Iterator<Item = Entry<'_>> {
    let fates = Fates::of(trace);
    // Where each packet's bytes are.
    let mut sent: BTreeMap<PacketId, usize> = BTreeMap::new();
    // What happened to hosts and links since the entry before.
    let mut before: Vec<String> = Vec::new();
    trace.events().iter().enumerate().filter_map(move |(index, event)| {
        if let Some(happened) = happened(trace, &event.what) {
            before.push(format!("before this: {happened}"));
        }
        let mut entry = |packet, place, bytes, more: Option<String>, sent: Option<&_>| {
            let mut comments = std::mem::take(&mut before);
            comments.extend(fates.comments(trace, packet, sent, place));
            comments.extend(more);
            Some(Entry { at: event.at, place, bytes, comments })
        };
        match &event.what {
            what @ What::Sent { packet, from, bytes, .. } => {
                sent.insert(*packet, index);
                entry(*packet, Place::Outbound(*from), bytes, None, Some(what))
            }
            what @ What::Injected { packet, bytes, .. } => {
                sent.insert(*packet, index);
                entry(*packet, Place::Injected, bytes, None, Some(what))
            }
            What::Arrived { packet, copy, to, altered } => {
                let origin = origin(trace, &sent, *packet);
                let bytes = altered.as_ref().or(origin.and_then(bytes_of))?;
                let said = (*copy > 0).then(|| format!("copy {} of it", u16::from(*copy) + 1));
                entry(*packet, Place::Inbound(*to), bytes, said, origin)
            }
            What::Lost { packet, .. }
            | What::Fault { packet, action: Action::Drop | Action::Reject(_), .. } => {
                let origin = origin(trace, &sent, *packet);
                entry(*packet, Place::Lost, origin.and_then(bytes_of)?, None, origin)
            }
            _ => None,
        }
    })
}

/// What happened to a host or a link.
fn happened(trace: &Trace, what: &What) -> Option<String> {
    let name = |host: HostId| trace.host_name(host).to_owned();
    Some(match what {
        What::Noted { host, key, value } => format!("{} notes {}", name(*host), words::noted(key, value)),
        What::Partitioned(cut) => words::cut(cut, "cut", name),
        What::Healed(cut) => words::cut(cut, "mended", name),
        What::Crashed(host) => format!("{} crashes", name(*host)),
        What::Killed(host) => format!("the programs of {} are killed", name(*host)),
        What::Restarted(host) => format!("{} restarts", name(*host)),
        _ => return None,
    })
}

/// How a packet came onto the wire.
fn origin<'a>(trace: &'a Trace, sent: &BTreeMap<PacketId, usize>, packet: PacketId) -> Option<&'a What> {
    trace.events().get(*sent.get(&packet)?).map(|event| &event.what)
}

fn bytes_of(what: &What) -> Option<&Bytes> {
    match what {
        What::Sent { bytes, .. } | What::Injected { bytes, .. } => Some(bytes),
        _ => None,
    }
}
