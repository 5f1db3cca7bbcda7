//! What a receive gives: whole datagrams, their length and sender, and nothing that was not sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::fault::Action;
use faultwire::packet::{IcmpMessage, PacketView, Path, Transport};
use faultwire::trace::{Fate, Sending};
use faultwire_sim::Run;

use super::datagrams::{Got, OnWire, Sent, Talk, carriers, must_have_reached, name, packets};
use super::delivery::duplications;
use crate::study::Seen;

/// udp/keeps-boundaries, where every receiver gives a buffer of `ROOM` bytes. It counts the receives at which
/// another datagram was sent already, or which filled the buffer.
pub(super) fn keeps_boundaries<const ROOM: usize>(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    // Where another one waits, or the buffer is too short, a boundary can be lost.
    let at_stake = |got: &&Got<'_>| got.others || got.data.len() == ROOM;
    let receives = talk.got.iter().filter(at_stake).count() as u64;
    for got in &talk.got {
        let Some(sent) = talk.origin(got) else {
            let how = format!("{} was received: no send was of that", name(got.data));
            return Seen::broken(receives, how);
        };
        let fits = sent.data.len().min(ROOM);
        if got.data.len() != fits {
            let (len, full) = (got.data.len(), sent.data.len());
            let how = format!("{len} bytes of {full} were received, with room for {ROOM}");
            return Seen::broken(receives, how);
        }
    }
    // What is left of a datagram that was cut is gone: it does not come again.
    let copies = 1 + duplications(run);
    let again = |sent: &&Sent<'_>| {
        let mut hosts: Vec<_> = talk.got.iter().filter(|got| got.is(sent)).map(|got| got.host).collect();
        hosts.sort_unstable();
        let most = hosts.chunk_by(|one, two| one == two).map(<[_]>::len).max();
        most.is_some_and(|most| most > copies * talk.sends_like(sent))
    };
    match talk.taken().find(again) {
        Some(sent) => Seen::broken(receives, format!("{} was handed out again", name(sent.data))),
        None => Seen::fine(receives),
    }
}

/// udp/length-and-sender: each receive tells both, and length zero is a datagram.
pub(super) fn length_and_sender(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let mut told = 0;
    for got in &talk.got {
        let Some(from) = got.from else {
            return Seen::broken(told, format!("{} came without its sender's address", name(got.data)));
        };
        let by_content = talk.taken().find(|sent| got.is(sent) && !got.data.is_empty());
        let Some(sent) = by_content.or_else(|| talk.origin(got)) else {
            if got.data.is_empty() {
                return Seen::broken(told, format!("an empty datagram came from {from}, who sent none"));
            }
            // Not what was sent: another claim's business.
            continue;
        };
        told += 1;
        if got.full_len != sent.data.len() {
            let how = format!("{} was told to have {} bytes", name(sent.data), got.full_len);
            return Seen::broken(told, how);
        }
        let local = talk.opened(sent.host, sent.socket).map(|opened| opened.local);
        let is_right = local.is_none_or(|local| {
            local.port() == from.port() && (local.ip().is_unspecified() || local.ip() == from.ip())
        });
        if !is_right {
            return Seen::broken(told, format!("{} was told to come from {from}", name(sent.data)));
        }
    }
    // An empty datagram that arrived was received, and no end of anything.
    let packets = packets(&run.trace);
    for sent in talk.taken().filter(|sent| sent.data.is_empty()) {
        let port = sent.to.map(|to| to.port());
        let waiting = talk.sockets.iter().filter(|it| it.host != sent.host && Some(it.local.port()) == port);
        for socket in waiting {
            let was_received = talk.got.iter().any(|got| got.host == socket.host && got.data.is_empty());
            if !was_received && must_have_reached(run, &packets, sent, socket) {
                return Seen::broken(told, "an empty datagram arrived and was not received");
            }
        }
    }
    Seen::fine(told)
}

/// udp/nothing-altered: what is damaged is dropped without a word. It counts the damaged packets that
/// arrived.
pub(super) fn nothing_altered(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let damaged = packets.iter().map(|packet| packet.altered.len() as u64).sum();
    if let Some(got) = talk.got.iter().find(|got| talk.origin(got).is_none()) {
        return Seen::broken(damaged, format!("{} was received, but never sent", name(got.data)));
    }
    for sent in talk.taken() {
        let carriers = carriers(&packets, sent);
        let [packet] = carriers[..] else {
            continue;
        };
        let copies = match packet.fate {
            Fate::Arrived { copies, altered } => copies - altered,
            _ => 0,
        };
        let harmless = packet.altered.iter().filter(|bytes| is_harmless(packet, bytes)).count();
        if talk.receives_of(sent) > copies as usize + harmless {
            let how = format!("{} was received although a bit of it was flipped on the way", name(sent.data));
            return Seen::broken(damaged, how);
        }
    }
    match packets.iter().find(|packet| is_complaint(packet, &packets)) {
        Some(packet) => {
            let how = format!("damage was answered with an ICMP error at {}", packet.sending.at);
            Seen::broken(damaged, how)
        }
        None => Seen::fine(damaged),
    }
}

/// udp/nothing-altered, of what tells of errors: a socket is refused only after an ICMP message about what it
/// sent that came whole. It counts those that came damaged.
pub(super) fn damaged_refusals(run: &Run) -> Seen {
    let trace = &run.trace;
    let talk = Talk::of(trace);
    let mut damaged = 0;
    // By the port of the socket that sent what a message is about: messages that came whole and were not told
    // yet.
    let mut whole: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for event in trace.events() {
        if let Some(arrival) = event.arrival()
            && let Some(about) = trace.sending(arrival.packet).and_then(|sending| quoted_port(&sending))
        {
            match arrival.altered {
                Some(_) => damaged += 1,
                None => *whole.entry(Some(about)).or_default() += 1,
            }
        }
        let Some(call) = event.program_call().filter(|it| it.error == Some(Errno::ECONNREFUSED)) else {
            continue;
        };
        let port = talk.opened(call.host, call.socket).map(|opened| opened.local.port());
        match whole.get_mut(&port).filter(|whole| **whole > 0) {
            Some(whole) => *whole -= 1,
            None => {
                return Seen::broken(damaged, "a refusal was told, and no whole ICMP message had come of it");
            }
        }
    }
    Seen::fine(damaged)
}

/// Of an ICMP message: the port that the datagram came from that it is about.
fn quoted_port(sending: &Sending<'_>) -> Option<u16> {
    let Transport::Icmp { payload, .. } = sending.view()?.transport else { return None };
    match PacketView::parse(&payload)?.transport {
        Transport::Udp { src, .. } => Some(src),
        _ => None,
    }
}

/// Whether damage left the datagram good: it is in a field of IPv6's header that no checksum covers (traffic
/// class, flow label, hop limit: RFC 8200, section 8.1), or says that there is no checksum (RFC 768, IPv4
/// only).
fn is_harmless(packet: &OnWire<'_>, altered: &[u8]) -> bool {
    let sent = packet.sending.bytes;
    let Some(at) = sent.iter().zip(altered).position(|(one, two)| one != two) else {
        return true;
    };
    match sent.first().map(|byte| byte >> 4) {
        Some(6) => matches!(at, 1..4 | 7) || (at == 0 && altered.first().is_some_and(|byte| byte >> 4 == 6)),
        Some(4) => altered.get(26..28) == Some(&[0, 0]),
        _ => false,
    }
}

/// Whether a packet is an ICMP error about damage. Of a next header that it does not know an IPv6 host may
/// complain, damaged or not (RFC 8200, section 4).
fn is_complaint(packet: &OnWire<'_>, packets: &[OnWire<'_>]) -> bool {
    let Some(PacketView { transport: Transport::Icmp { message, payload }, .. }) = &packet.view else {
        return false;
    };
    let of_next_header = matches!(message, IcmpMessage::Other { kind: 4, code: 1 });
    let quotes = |bytes: &Bytes| {
        let quoted = payload.len().min(bytes.len());
        quoted > 0 && payload[..quoted] == bytes[..quoted]
    };
    !of_next_header
        && packets
            .iter()
            .any(|about| about.altered.iter().any(|bytes| quotes(bytes) && !is_for_another(about, bytes)))
}

/// Whether the damage made a packet one for another host. IPv6's header has no checksum, so its
/// receiver may report such a packet as undeliverable (RFC 4443, 3.1), like any other.
fn is_for_another(packet: &OnWire<'_>, altered: &Bytes) -> bool {
    let path = Path::of(altered).filter(|path| !path.is_v4());
    path.is_some_and(|path| Path::of(packet.sending.bytes).is_none_or(|sent| sent.dst() != path.dst()))
}

/// udp/checksum-can-miss: two flipped bits cancel, and altered data is received. It counts the packets so
/// damaged.
pub(super) fn checksum_can_miss(run: &Run) -> Seen {
    let two_bits = |action: &Action| matches!(action, Action::CorruptBits(bits) if bits.len() == 2);
    let tried = run.plan.faults.iter().filter(|fault| two_bits(&fault.action)).count() as u64;
    let talk = Talk::of(&run.trace);
    match talk.got.iter().find(|got| talk.origin(got).is_none()) {
        Some(got) if tried > 0 => {
            Seen::witnessed(tried, format!("{} was received, but never sent", name(got.data)))
        }
        _ => Seen::fine(tried),
    }
}
