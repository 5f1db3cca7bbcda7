//! What may happen on the way, and what UDP itself never does.

use std::collections::BTreeSet;

use faultwire::fault::Action;

use faultwire::packet::{IcmpMessage, Transport};
use faultwire::trace::{Call, Fate};
use faultwire_sim::Run;

use super::datagrams::{OnWire, Talk, carriers, name, packets};
use crate::study::Seen;

/// UDP's header, in bytes.
const UDP_HEADER: usize = 8;

/// Whether the network did something: what the programs' own haste looks like proves nothing of it.
fn a_fault_hit(run: &Run) -> bool {
    run.fired.count() > 0
}

/// udp/may-lose: sent, and never received.
pub(super) fn may_lose(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let sends = talk.taken().count() as u64;
    match talk.taken().find(|sent| talk.receives_of(sent) == 0) {
        Some(lost) if a_fault_hit(run) && nothing_is_on_its_way(run) => {
            Seen::witnessed(sends, format!("{} was sent and never received", name(lost.data)))
        }
        _ => Seen::fine(sends),
    }
}

/// What is late is not lost: whether every packet has met its fate.
fn nothing_is_on_its_way(run: &Run) -> bool {
    run.trace.sendings().all(|sending| run.trace.fate(sending.packet) != Fate::OnItsWay)
}

/// udp/may-reorder: sent later, received earlier.
pub(super) fn may_reorder(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    // The number of each receive's send; a copy of what was received before overtakes nothing.
    let mut order: Vec<usize> = Vec::new();
    for got in &talk.got {
        let number = talk.sent.iter().position(|sent| sent.error.is_none() && got.is(sent));
        order.extend(number.filter(|number| !order.contains(number)));
    }
    let pairs = order.len().saturating_sub(1) as u64;
    for (index, later) in order.iter().enumerate() {
        let (late, early) = (&talk.sent[*later], order[..index].iter().max());
        let Some(early) = early.filter(|early| *early > later).map(|early| &talk.sent[*early]) else {
            continue;
        };
        if a_fault_hit(run) && (late.host, late.socket, late.to) == (early.host, early.socket, early.to) {
            let how = format!("{} was received after {}", name(late.data), name(early.data));
            return Seen::witnessed(pairs, how);
        }
    }
    Seen::fine(pairs)
}

/// udp/may-duplicate: sent once, received twice.
pub(super) fn may_duplicate(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let receives = talk.got.len() as u64;
    match talk.taken().find(|sent| talk.receives_of(sent) > 1) {
        Some(sent) if a_fault_hit(run) => {
            Seen::witnessed(receives, format!("{} was sent once and received twice", name(sent.data)))
        }
        _ => Seen::fine(receives),
    }
}

/// udp/never-repeats: one send, one packet (or one set of fragments), whatever happens to it. It counts the
/// sends that a fault hit: where there are faults, the wire that has them shows its packets too.
pub(super) fn never_repeats(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let mut hit = 0;
    for sent in talk.taken() {
        let carriers = carriers(&packets, sent);
        hit += u64::from(carriers.iter().any(|packet| packet.hit));
        let sends = talk.sends_like(sent);
        for packet in &carriers {
            if carriers.iter().filter(|other| packet.repeats(other)).count() > sends {
                let how =
                    format!("{} was put on the wire again after {}", name(sent.data), packet.sending.at);
                return Seen::broken(hit, how);
            }
        }
    }
    Seen::fine(hit)
}

/// How many copies the plan may have made of one datagram, beside the datagram itself.
pub(super) fn duplications(run: &Run) -> usize {
    run.plan.faults.iter().filter(|fault| fault.action == Action::Duplicate).count()
}

/// udp/lightweight: eight bytes of header, one packet for one message, and no other packet.
pub(super) fn lightweight(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let mtu = usize::from(run.plan.link.numbers().mtu);
    let mut sends = 0;
    let mut explained = BTreeSet::new();
    for sent in talk.taken() {
        let is_v4 = sent.to.is_none_or(|to| to.is_ipv4());
        let len = if is_v4 { 20 } else { 40 } + UDP_HEADER + sent.data.len();
        if len > mtu {
            return Seen::NOTHING;
        }
        sends += 1;
        let carriers = carriers(&packets, sent);
        if let Some(packet) = carriers.iter().find(|packet| packet.sending.bytes.len() != len) {
            let (cost, data) = (packet.sending.bytes.len(), sent.data.len());
            let how = format!(
                "{} cost a packet of {cost} bytes: more than {data} and its headers",
                name(sent.data)
            );
            return Seen::broken(sends, how);
        }
        if carriers.is_empty() {
            return Seen::broken(sends, format!("{} was taken and never put on the wire", name(sent.data)));
        }
        explained.extend(carriers.iter().map(|packet| packet.sending.packet));
    }
    // An ICMP error is another matter: the claim excludes it.
    let errors = packets.iter().filter(|packet| is_icmp_error(packet)).count();
    if packets.len() > explained.len() + errors {
        let all = packets.len() - errors;
        return Seen::broken(sends, format!("{sends} sends put {all} packets on the wire"));
    }
    Seen::fine(sends)
}

fn is_icmp_error(packet: &OnWire<'_>) -> bool {
    let message = packet.view.as_ref().and_then(|view| view.icmp());
    matches!(
        message,
        Some(
            IcmpMessage::PortUnreachable
                | IcmpMessage::HostUnreachable
                | IcmpMessage::NetUnreachable
                | IcmpMessage::TooBig(_)
                | IcmpMessage::TimeExceeded
                // A parameter problem: ICMP's type 12, ICMPv6's type 4.
                | IcmpMessage::Other { kind: 4 | 12, .. }
        )
    )
}

/// udp/no-connection: the first packet is the data, and the server did nothing but wait.
pub(super) fn no_connection(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let Some(first) = talk.sent.first() else {
        return Seen::NOTHING;
    };
    if let Some(error) = first.error {
        return Seen::broken(1, format!("the first send, with nothing before it, failed: {error}"));
    }
    let before = run.trace.calls().take_while(|call| !matches!(call.call, Call::Send { .. }));
    let mut prepared =
        before.filter(|call| !matches!(call.call, Call::Bind(_) | Call::Option(_) | Call::Close));
    if prepared.next().is_some() {
        // Somebody did more than bind: this run is not about the claim.
        return Seen::NOTHING;
    }
    let packets = packets(&run.trace);
    let Some(packet) = packets.first() else {
        // The packets are not seen: that the datagram was received has to do.
        return Seen::fine(u64::from(talk.receives_of(first) > 0));
    };
    let is_data = match packet.view.as_ref().map(|view| &view.transport) {
        Some(Transport::Udp { payload, .. }) => packet.sending.from == first.host && payload == first.data,
        _ => false,
    };
    if is_data {
        Seen::fine(1)
    } else {
        Seen::broken(1, "the first packet on the wire is not the first datagram")
    }
}
