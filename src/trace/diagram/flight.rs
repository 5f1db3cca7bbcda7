//! The packets of a trace, each from its departure to its landings, and whether it can be drawn on one line.

use std::collections::{BTreeMap, BTreeSet};

use super::payloads::{Payloads, Preview};
use super::segments::{Streams, Words};
use crate::model::{Action, Call, HostId, Label, LossReason, Note, PacketId, Time, What};
use crate::packet::{self, PacketView, Transport};
use crate::trace::{Event, Sending, Trace, words};

/// Packets that are longer on their way than this many events are drawn in two halves without looking closer.
const LOOK_AHEAD_EVENTS: usize = 2_000;

/// A packet on its way.
#[derive(Debug)]
pub(super) struct Flight {
    /// The event at which it left.
    pub(super) departure: usize,
    pub(super) at: Time,
    pub(super) from: HostId,
    pub(super) to: HostId,
    /// What it is called by: `datagram 2`.
    pub(super) name: String,
    /// What it carries: `100 B`.
    pub(super) load: String,
    /// Words for its payload.
    pub(super) preview: Option<Preview>,
    /// What a plan calls it by, where it can: `ack 2`.
    pub(super) called: Option<String>,
    /// The faults that hit it, in words.
    pub(super) faults: Vec<String>,
    /// The events that tell of them.
    pub(super) hits: Vec<usize>,
    /// A fault dropped it.
    pub(super) dropped: bool,
    /// A fault flipped bits of it.
    pub(super) damaged: bool,
    /// A fault made it late.
    pub(super) delayed: bool,
    /// Its ends, in order.
    pub(super) landings: Vec<Landing>,
    /// Whether its departure and its first landing are one line.
    pub(super) whole: bool,
}

/// A packet's end, or one of them.
#[derive(Debug)]
pub(super) struct Landing {
    /// The event.
    pub(super) event: usize,
    pub(super) at: Time,
    pub(super) copy: u8,
    pub(super) lost: Option<LossReason>,
    /// It was damaged so that the receiver can tell, and whose stack does not say what it did about it: what
    /// is wrong, in words.
    pub(super) wrong: Option<String>,
}

/// The events, the calls that set a host's sockets up at the very beginning before all others: nothing had
/// reached the host yet, so that they could as well have come first, and a packet that is on its way
/// meanwhile stays on one line.
pub(super) fn set_up_first(trace: &Trace) -> Vec<&Event> {
    let mut active = BTreeSet::new();
    let begun = trace.events().first().map(|event| event.at);
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for event in trace.events() {
        let host = match &event.what {
            What::Call { host, .. } | What::Note { host, .. } | What::Noted { host, .. } => Some(*host),
            What::Sent { from, .. } => Some(*from),
            What::Arrived { to, .. } => Some(*to),
            What::Crashed(host) | What::Killed(host) | What::Restarted(host) => Some(*host),
            _ => None,
        };
        let sets_up = matches!(
            &event.what,
            What::Call { call: Call::Bind(_) | Call::Listen(_) | Call::Option(_), error: None, .. }
        );
        if sets_up && Some(event.at) == begun && host.is_some_and(|host| !active.contains(&host)) {
            first.push(event);
        } else {
            active.extend(host);
            rest.push(event);
        }
    }
    first.extend(rest);
    first
}

/// Where an event of the trace stands among these events. A fault stands where the packet that it hits
/// leaves.
pub(super) fn place_of(trace: &Trace, events: &[&Event], mark: usize) -> Option<usize> {
    let event = trace.events().get(mark)?;
    let of = match &event.what {
        What::Fault { packet, .. } => *packet,
        _ => return events.iter().position(|other| std::ptr::eq(*other, event)),
    };
    let leaves = |event: &&Event| event.sending().is_some_and(|sending| sending.packet == of);
    events.iter().position(leaves)
}

/// Where these events of the trace stand among the events.
pub(super) fn places_of(trace: &Trace, events: &[&Event], wanted: &BTreeSet<usize>) -> BTreeSet<usize> {
    let wanted = wanted.iter().filter_map(|place| trace.events().get(*place));
    let wanted: BTreeSet<*const Event> = wanted.map(std::ptr::from_ref).collect();
    let is_wanted = |(_, event): &(usize, &&Event)| wanted.contains(&std::ptr::from_ref(**event));
    events.iter().enumerate().filter(is_wanted).map(|(index, _)| index).collect()
}

/// All packets among the events, by number.
pub(super) fn collect(events: &[&Event], payloads: &Payloads) -> BTreeMap<PacketId, Flight> {
    let mut flights: BTreeMap<PacketId, Flight> = BTreeMap::new();
    let mut streams = Streams::default();
    for (index, event) in events.iter().enumerate() {
        if let Some(sending) = event.sending() {
            flights.insert(sending.packet, Flight::new(index, &sending, &mut streams, payloads));
            continue;
        }
        match &event.what {
            What::Fault { packet, action, .. } => {
                if let Some(flight) = flights.get_mut(packet) {
                    flight.faults.push(words::action(action));
                    flight.hits.push(index);
                    flight.dropped |= matches!(action, Action::Drop | Action::Reject(_));
                    flight.damaged |= matches!(action, Action::CorruptBits(_) | Action::Change(_));
                    flight.delayed |= matches!(action, Action::DelayUs(_) | Action::HoldFor(_));
                }
            }
            What::Arrived { packet, copy, to, altered } => {
                if let Some(flight) = flights.get_mut(packet) {
                    let says = events.get(index + 1).is_some_and(|next| discards(&next.what, *to));
                    let altered = altered.as_ref().filter(|_| !says);
                    let wrong = altered.and_then(|bytes| damage(events[flight.departure], bytes));
                    let landing = Landing { event: index, at: event.at, copy: *copy, lost: None, wrong };
                    flight.landings.push(landing);
                }
            }
            What::Lost { packet, reason } => {
                if let Some(flight) = flights.get_mut(packet) {
                    flight.landings.push(Landing {
                        event: index,
                        at: event.at,
                        copy: 0,
                        lost: Some(*reason),
                        wrong: None,
                    });
                }
            }
            _ => {}
        }
    }
    // In the order of departure: whether one is whole depends on those that left before it.
    for id in flights.keys().copied().collect::<Vec<_>>() {
        let whole = flights.get(&id).is_some_and(|flight| is_whole(events, &flights, flight));
        if let Some(flight) = flights.get_mut(&id) {
            flight.whole = whole;
        }
    }
    flights
}

/// Whether a host's stack tells that it threw a packet away.
fn discards(what: &What, host: HostId) -> bool {
    matches!(what, What::Note { host: whose, note: Note::Dropped(_) } if *whose == host)
}

/// Which checksum of a damaged packet is wrong that was right when it left, in words.
fn damage(departure: &Event, arrived: &[u8]) -> Option<String> {
    let sent = departure.sending()?;
    let wrong = packet::wrong_checksum(arrived).filter(|_| packet::wrong_checksum(sent.bytes).is_none())?;
    Some(format!("{} wrong", words::drop_reason(wrong)))
}

impl Flight {
    fn new(departure: usize, sending: &Sending<'_>, streams: &mut Streams, payloads: &Payloads) -> Flight {
        let view = sending.view();
        let Words { name, load } = said_of(sending, view.as_ref(), streams);
        Flight {
            departure,
            at: sending.at,
            from: sending.from,
            to: sending.to,
            name,
            load,
            preview: view.and_then(|view| payloads.of_packet(&view)),
            called: sending.label.map(|label| called(&label)),
            faults: Vec::new(),
            hits: Vec::new(),
            dropped: false,
            damaged: false,
            delayed: false,
            landings: Vec::new(),
            whole: false,
        }
    }
}

impl Flight {
    /// Whether it did not arrive as others do: it was lost, or is late by a fault.
    pub(super) fn strays(&self) -> bool {
        let ended = |landing: &Landing| self.delayed || landing.lost.is_some();
        self.dropped || self.landings.first().is_some_and(ended)
    }

    /// What it is called by and what it carries.
    pub(super) fn words(&self) -> String {
        if self.load.is_empty() { self.name.clone() } else { format!("{}, {}", self.name, self.load) }
    }
}

/// What a plan calls a packet by.
fn called(label: &Label) -> String {
    let mut name = format!("{} {}", label.class.name(), label.nth);
    if label.transmission > 1 {
        name.push_str(" again");
    }
    name
}

/// What a packet is called by, and what it carries.
fn said_of(sending: &Sending<'_>, view: Option<&PacketView>, streams: &mut Streams) -> Words {
    let segment = view.and_then(|view| streams.words(view, sending.label.as_ref()));
    segment.unwrap_or_else(|| Words {
        name: sending.label.map_or_else(|| "injected".to_owned(), |label| called(&label)),
        load: match view.map(|view| &view.transport) {
            Some(Transport::Udp { payload, .. } | Transport::Other { payload, .. }) => {
                format!("{} B", payload.len())
            }
            Some(Transport::Fragment { offset, payload, .. }) => format!("{} B at {offset}", payload.len()),
            Some(Transport::Icmp { message, .. }) => words::icmp(*message),
            Some(Transport::Tcp { .. }) | None => format!("{} B", sending.bytes.len()),
        },
    })
}

/// Whether nothing that the receiver sees comes between a packet's departure and its landing.
fn is_whole(events: &[&Event], flights: &BTreeMap<PacketId, Flight>, flight: &Flight) -> bool {
    if flight.dropped {
        return true;
    }
    let Some(landing) = flight.landings.first() else {
        return false;
    };
    if flight.delayed || landing.event.saturating_sub(flight.departure) > LOOK_AHEAD_EVENTS {
        return false;
    }
    let between = events.get(flight.departure + 1..landing.event).unwrap_or_default();
    // Whether the last thing at the receiver was an arrival drawn further up: what its program does at that
    // very moment is drawn there too.
    let mut arrived_above = None;
    between.iter().all(|event| match &event.what {
        What::Arrived { packet, to, .. } if *to == flight.to => {
            let above = flights.get(packet).is_some_and(|other| {
                other.whole
                    && other.departure < flight.departure
                    && other.landings.first().is_some_and(|first| first.at == event.at)
            });
            arrived_above = above.then_some(event.at);
            above
        }
        What::Call { host, .. } | What::Note { host, .. } if *host == flight.to => {
            arrived_above.take() == Some(event.at)
        }
        What::Sent { from, .. } => *from != flight.to,
        What::Noted { .. }
        | What::Crashed(_)
        | What::Killed(_)
        | What::Restarted(_)
        | What::Partitioned(_)
        | What::Healed(_) => false,
        _ => true,
    })
}
