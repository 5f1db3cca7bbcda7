//! More than two: many peers at one socket, broadcast, groups.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use faultwire::errno::Errno;
use faultwire::stack::SocketOption;
use faultwire::trace::{Call, HostId, SocketId};
use faultwire_sim::Run;

use super::datagrams::{Opened, Sent, Talk, carriers, must_have_reached, name, packets};
use crate::study::Seen;

/// What the server answers: this, the request, and the answer's number.
pub(super) const ANSWER: &[u8] = b"re:";

/// udp/many-peers: one socket heard several peers and answered each of them, and no peer got
/// another's answer. Counts the peers that got their answer, if there were several.
pub(super) fn many_peers(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let mut answered: Vec<(HostId, SocketId, SocketAddr)> = Vec::new();
    for sent in &talk.sent {
        if let Some(error) = sent.error {
            return Seen::broken(1, format!("the send of {} failed: {error}", name(sent.data)));
        }
        let Some(to) = sent.to else { continue };
        let reached = |local: SocketAddr| {
            local.port() == to.port() && (local.ip().is_unspecified() || local.ip() == to.ip())
        };
        let addressees: Vec<_> =
            talk.sockets.iter().filter(|it| it.host != sent.host && reached(it.local)).collect();
        let [addressee] = addressees[..] else { continue };
        let mut heard = talk.got.iter().filter(|got| got.is(sent));
        if let Some(got) = heard.clone().find(|got| got.host != addressee.host) {
            let how =
                format!("{} went to {} and not to {to}", name(sent.data), run.trace.host_name(got.host));
            return Seen::broken(1, how);
        }
        if heard.next().is_none() {
            if must_have_reached(run, &packets, sent, addressee) {
                return Seen::broken(1, format!("{} to {to} was not received", name(sent.data)));
            }
        } else if sent.data.starts_with(ANSWER) && !answered.contains(&(sent.host, sent.socket, to)) {
            answered.push((sent.host, sent.socket, to));
        }
    }
    // What was answered to whom: each request by its own sender's address.
    for answer in talk.taken().filter(|sent| sent.data.starts_with(ANSWER)) {
        let request = talk.got.iter().find(|got| {
            got.host == answer.host
                && answer.data.strip_prefix(ANSWER).is_some_and(|rest| rest.starts_with(got.data))
        });
        let asker = request.and_then(|got| talk.origin(got));
        let local = asker.and_then(|asker| talk.opened(asker.host, asker.socket)).map(|it| it.local);
        if let (Some(local), Some(to)) = (local, answer.to)
            && local.port() != to.port()
        {
            let how =
                format!("{} was asked from port {} and answered to {to}", name(answer.data), local.port());
            return Seen::broken(1, how);
        }
    }
    let several =
        answered.iter().any(|one| answered.iter().any(|two| (one.0, one.1) == (two.0, two.1) && one != two));
    if several { Seen::fine(answered.len() as u64) } else { Seen::NOTHING }
}

/// For each send of a run, in order, whether its socket had SO_BROADCAST by then.
fn asked(run: &Run) -> Vec<bool> {
    let mut on: BTreeSet<(HostId, SocketId)> = BTreeSet::new();
    let mut asked = Vec::new();
    for call in run.trace.calls() {
        let socket = (call.host, call.socket);
        match call.call {
            Call::Option(SocketOption::Broadcast(true)) if call.error.is_none() => {
                on.insert(socket);
            }
            Call::Option(SocketOption::Broadcast(false)) if call.error.is_none() => {
                on.remove(&socket);
            }
            Call::Send { .. } => asked.push(on.contains(&socket)),
            _ => {}
        }
    }
    asked
}

/// Whether a host has no route to the broadcast address for sockets that are bound to none of its addresses:
/// their sends fail with ENETUNREACH, with or without SO_BROADCAST.
fn has_no_way(talk: &Talk<'_>, asked: &[bool], of: &Sent<'_>) -> bool {
    let is_unbound = |sent: &Sent<'_>| {
        talk.opened(sent.host, sent.socket).is_some_and(|opened| opened.local.ip().is_unspecified())
    };
    let to_all = |sent: &Sent<'_>| sent.host == of.host && sent.to.is_some_and(|to| is_broadcast(to.ip()));
    let mut tried =
        talk.sent.iter().zip(asked).filter(|(sent, asked)| **asked && to_all(sent) && is_unbound(sent));
    is_unbound(of) && tried.any(|(sent, _)| sent.error == Some(Errno::ENETUNREACH))
}

/// udp/broadcast-needs-asking: EACCES until SO_BROADCAST is set; then it reaches every host. It counts the
/// receives, where a send was refused before.
pub(super) fn broadcast_needs_asking(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let (mut refused, mut received) = (0, 0);
    let asked = asked(run);
    for (sent, may) in talk.sent.iter().zip(&asked) {
        let Some(to) = sent.to.filter(|to| is_broadcast(to.ip())) else {
            continue;
        };
        let unreachable = has_no_way(&talk, &asked, sent);
        if unreachable && sent.error == Some(Errno::ENETUNREACH) {
            continue;
        }
        if !may {
            refused += 1;
            if sent.error != Some(Errno::EACCES) {
                let was = sent.error.map_or("was taken".to_owned(), |error| format!("failed: {error}"));
                return Seen::broken(
                    refused,
                    format!("a broadcast that was not asked for {was}; EACCES is due"),
                );
            }
            if !carriers(&packets, sent).is_empty() {
                return Seen::broken(refused, "a broadcast was refused, and left all the same");
            }
            continue;
        }
        if let Some(error) = sent.error {
            return Seen::broken(refused, format!("a broadcast that was asked for failed: {error}"));
        }
        for socket in waiting(&talk, to.port()).filter(|it| it.host != sent.host) {
            let host = socket.host;
            if talk.got.iter().any(|got| got.host == host && got.is(sent)) {
                received += 1;
            } else if must_have_reached(run, &packets, sent, socket)
                || (!packets.is_empty()
                    && carriers(&packets, sent).iter().all(|packet| packet.sending.to != host))
            {
                let whom = run.trace.host_name(host);
                return Seen::broken(received, format!("{} was not received by {whom}", name(sent.data)));
            }
        }
    }
    if refused > 0 { Seen::fine(received) } else { Seen::NOTHING }
}

fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

/// The sockets on a port.
fn waiting<'t>(talk: &'t Talk<'_>, port: u16) -> impl Iterator<Item = &'t Opened> {
    talk.sockets.iter().filter(move |it| it.local.port() == port)
}

/// udp/multicast: who joined receives, who did not (or has left) does not. It counts the receives of members,
/// and the datagrams that others did not receive.
pub(super) fn multicast(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let (mut received, mut spared) = (0, 0);
    for sent in talk.taken() {
        let Some(to) = sent.to.filter(|to| to.ip().is_multicast()) else {
            continue;
        };
        for socket in waiting(&talk, to.port()) {
            let host = socket.host;
            let when = |wanted: SocketOption| {
                let mut calls = run.trace.calls_of(host).filter(|call| call.error.is_none());
                calls.find(|call| *call.call == Call::Option(wanted)).map(|call| call.at)
            };
            let joined = when(SocketOption::JoinGroup(to.ip()));
            let left = when(SocketOption::LeaveGroup(to.ip()));
            let whom = run.trace.host_name(host);
            let has = talk.got.iter().any(|got| got.host == host && got.data == sent.data);
            // What is on its way while somebody joins or leaves may go either way.
            let is_member = joined.is_some_and(|joined| joined <= sent.at) && left.is_none();
            let is_stranger = joined.is_none() || left.is_some_and(|left| left <= sent.at);
            match (has, is_stranger) {
                (true, true) => {
                    let how = format!(
                        "{} was received by {whom}, who is no member of {}",
                        name(sent.data),
                        to.ip()
                    );
                    return Seen::broken(received, how);
                }
                (false, true) => spared += 1,
                (true, false) => received += 1,
                (false, false) if is_member && must_have_reached(run, &packets, sent, socket) => {
                    let how =
                        format!("{} was not received by {whom}, a member of {}", name(sent.data), to.ip());
                    return Seen::broken(received, how);
                }
                (false, false) => {}
            }
        }
    }
    if received > 0 && spared > 0 { Seen::fine(received + spared) } else { Seen::NOTHING }
}
