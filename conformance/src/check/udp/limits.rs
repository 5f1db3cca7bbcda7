//! How large a datagram may be, what its fragments are worth one by one, and what a full buffer does.

use std::net::SocketAddr;

use faultwire::errno::Errno;
use faultwire::fault::Action;
use faultwire::trace::{Call, HostId};
use faultwire_sim::Run;

use super::datagrams::{OnWire, Opened, Talk, carriers, must_have_reached, name, packets};
use crate::study::Seen;

/// The longest payload over IPv4, in bytes: 65 535 less the headers of IP and UDP.
pub(super) const MAX_V4: usize = 65_507;
/// The longest payload over IPv6, which does not count its own header.
pub(super) const MAX_V6: usize = 65_527;

/// udp/size-limit: up to the limit a datagram is taken, goes in pieces no larger than the MTU and arrives
/// whole; above it, it is EMSGSIZE, and nothing leaves. It counts the sends of either kind, where there are
/// both.
pub(super) fn size_limit(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let mtu = usize::from(run.plan.link.numbers().mtu);
    let (mut within, mut above) = (0, 0);
    for sent in &talk.sent {
        let max = if sent.to.is_none_or(|to| to.is_ipv4()) { MAX_V4 } else { MAX_V6 };
        let len = sent.data.len();
        if len > max {
            above += 1;
            if sent.error != Some(Errno::EMSGSIZE) {
                let was = sent.error.map_or("was taken".to_owned(), |error| format!("failed: {error}"));
                return Seen::broken(
                    above,
                    format!("a send of {len} bytes {was}; EMSGSIZE is due above {max}"),
                );
            }
            if !carriers(&packets, sent).is_empty() {
                return Seen::broken(
                    above,
                    format!("a send of {len} bytes was refused, and left all the same"),
                );
            }
            continue;
        }
        if let Some(error) = sent.error {
            return Seen::broken(within, format!("a send of {len} bytes failed: {error}"));
        }
        within += 1;
        if let Some(packet) = carriers(&packets, sent).iter().find(|packet| packet.sending.bytes.len() > mtu)
        {
            let how = format!("a packet of {} bytes left over an MTU of {mtu}", packet.sending.bytes.len());
            return Seen::broken(within, how);
        }
        if let Some(socket) = addressee(&talk, sent.to, sent.host)
            && must_have_reached(run, &packets, sent, socket)
            && !talk.got.iter().any(|got| got.host == socket.host && got.data == sent.data)
        {
            return Seen::broken(within, format!("{len} bytes were sent and not received whole"));
        }
    }
    if within > 0 && above > 0 { Seen::fine(within + above) } else { Seen::NOTHING }
}

/// The socket for what is sent to an address, as far as the port tells.
fn addressee<'t>(talk: &'t Talk<'_>, to: Option<SocketAddr>, from: HostId) -> Option<&'t Opened> {
    let to = to?;
    let fits = |local: SocketAddr| local.port() == to.port() && local.is_ipv4() == to.is_ipv4();
    talk.sockets.iter().find(|it| it.host != from && fits(it.local))
}

/// udp/one-fragment-lost: where a fragment did not arrive, nothing of its datagram was received; where all
/// arrived, in any order, the datagram was. It counts the datagrams of which some fragments arrived and some
/// did not.
pub(super) fn one_fragment_lost(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    // Over IPv6 no checksum protects the numbers that tell which datagram a fragment belongs to.
    let is_undamaged = !run.plan.faults.iter().any(|it| matches!(it.action, Action::CorruptBits(_)));
    let mut torn = 0;
    for sent in talk.taken() {
        let fragments = carriers(&packets, sent);
        let lost = |packet: &&&OnWire<'_>| packet.fate.is_lost();
        let gone = fragments.iter().filter(lost).count();
        if fragments.len() > 1
            && is_undamaged
            && let Some(socket) = addressee(&talk, sent.to, sent.host)
            && must_have_reached(run, &packets, sent, socket)
            && !talk.got.iter().any(|got| got.host == socket.host && got.data == sent.data)
        {
            let how = format!("{} was not received, and all its fragments had come", name(sent.data));
            return Seen::broken(torn, how);
        }
        if fragments.len() < 2 || gone == 0 || gone == fragments.len() {
            continue;
        }
        torn += 1;
        let begins_alike = |data: &[u8]| {
            let head = data.len().min(8);
            head > 0 && sent.data.starts_with(&data[..head])
        };
        if talk.got.iter().any(|got| got.is(sent) || begins_alike(got.data)) {
            let how = format!(
                "{} was received without {gone} of its {} fragments",
                name(sent.data),
                fragments.len()
            );
            return Seen::broken(torn, how);
        }
    }
    match talk.got.iter().find(|got| torn > 0 && talk.origin(got).is_none()) {
        Some(got) => Seen::broken(torn, format!("{} was reassembled, but never sent", name(got.data))),
        None => Seen::fine(torn),
    }
}

/// udp/no-flow-control: on a network that loses nothing, datagrams were taken and not received.
pub(super) fn no_flow_control(run: &Run) -> Seen {
    let mut options = run.trace.calls().filter(|call| matches!(call.call, Call::Option(_)));
    if options.any(|call| call.error.is_some()) {
        // The receiver's buffer could not be set.
        return Seen::NOTHING;
    }
    let talk = Talk::of(&run.trace);
    let sends = talk.taken().count() as u64;
    let lost = talk.taken().filter(|sent| talk.receives_of(sent) == 0).count();
    let faultless = run.plan.faults.is_empty() && run.plan.events.is_empty();
    // A receiver that heard nothing at all was not too slow, but absent.
    if faultless && lost > 0 && !talk.got.is_empty() {
        return Seen::witnessed(sends, format!("{lost} of {sends} datagrams were lost without a fault"));
    }
    Seen::fine(sends)
}
