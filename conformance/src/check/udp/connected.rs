//! What a sender learns, and whom a connected socket hears.

use faultwire::errno::Errno;
use faultwire::trace::{Call, HostId};
use faultwire_sim::Run;

use super::datagrams::{Got, Sent, Talk, must_have_reached, name, packets};
use crate::study::Seen;

/// Errors of a send that the sender's own host makes.
const LOCAL: [Errno; 5] = [Errno::EMSGSIZE, Errno::ENETUNREACH, Errno::EAGAIN, Errno::EPERM, Errno::EACCES];

/// udp/sender-never-knows: whatever becomes of it, a send on an unconnected socket succeeds, and no later
/// call tells otherwise. It counts the sends of which nothing was received.
pub(super) fn sender_never_knows(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let in_vain = |sent: &&Sent<'_>| !sent.connected && talk.receives_of(sent) == 0;
    let in_vain = talk.taken().filter(in_vain).count() as u64;
    for sent in talk.sent.iter().filter(|sent| !sent.connected) {
        if let Some(error) = sent.error.filter(|error| !LOCAL.contains(error)) {
            return Seen::broken(in_vain, format!("the send of {} failed: {error}", name(sent.data)));
        }
    }
    for call in run.trace.calls() {
        let connected = talk.opened(call.host, call.socket).is_some_and(|opened| opened.is_connected());
        if let (Call::Recv { .. }, Some(error), false) = (call.call, call.error, connected) {
            return Seen::broken(in_vain, format!("a receive on an unconnected socket failed: {error}"));
        }
    }
    Seen::fine(in_vain)
}

/// udp/refused-when-connected: a send succeeded, a later call gave ECONNREFUSED, and the one after that did
/// not.
pub(super) fn refused_when_connected(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let connected: Vec<_> = talk.sockets.iter().filter(|opened| opened.is_connected()).collect();
    let mut sends = 0;
    for opened in connected {
        let calls = run.trace.calls_of(opened.host).filter(|call| call.socket == opened.socket);
        let (mut sent, mut refused) = (false, false);
        for call in calls {
            match (call.call, call.error) {
                (Call::Send { .. } | Call::Recv { .. }, Some(Errno::ECONNREFUSED)) if sent => refused = true,
                (Call::Send { .. }, None) => {
                    sends += 1;
                    if refused {
                        let how =
                            "a send to a closed port succeeded, a later call was refused, the next was not";
                        return Seen::witnessed(sends, how);
                    }
                    sent = true;
                }
                _ => {}
            }
        }
    }
    Seen::fine(sends)
}

/// Whether what a socket sent later than this, to another socket of that host, was heard there: so this came
/// as well.
fn is_heard_beside(talk: &Talk<'_>, sent: &Sent<'_>, host: HostId) -> bool {
    let is_later = |it: &&Sent<'_>| {
        (it.host, it.socket) == (sent.host, sent.socket) && it.at >= sent.at && it.to != sent.to
    };
    let heard =
        |it: &Sent<'_>| talk.got.iter().any(|got| got.host == host && got.peer.is_none() && got.is(it));
    talk.taken().filter(is_later).any(heard)
}

/// udp/connected-filters: whoever else sends to a connected socket is not heard. It counts their datagrams
/// that came; where the packets are not seen, those after which they were heard at another socket of the same
/// host.
pub(super) fn connected_filters(run: &Run) -> Seen {
    let talk = Talk::of(&run.trace);
    let packets = packets(&run.trace);
    let is_other = |got: &&Got<'_>| got.peer.is_some() && got.from != got.peer;
    if let Some(got) = talk.got.iter().find(is_other) {
        let (from, peer) = (got.from.map(|it| it.to_string()), got.peer.map(|it| it.to_string()));
        let how = format!(
            "a socket connected to {} received from {}",
            peer.unwrap_or_default(),
            from.unwrap_or_default()
        );
        return Seen::broken(1, how);
    }
    let mut others = 0;
    for opened in talk.sockets.iter().filter(|opened| opened.is_connected()) {
        for sent in talk.taken().filter(|sent| sent.host != opened.host) {
            let source = talk.opened(sent.host, sent.socket).map(|it| it.local.port());
            let is_to_it = sent.to.is_some_and(|to| {
                to.port() == opened.local.port()
                    && (opened.local.ip().is_unspecified() || opened.local.ip() == to.ip())
            });
            if !is_to_it || !must_have_reached(run, &packets, sent, opened) {
                continue;
            }
            if source != opened.peer().map(|peer| peer.port()) {
                let came = !packets.is_empty() || is_heard_beside(&talk, sent, opened.host);
                others += u64::from(came);
            } else if talk.receives_of(sent) == 0 {
                return Seen::broken(
                    others,
                    format!("{} came from the peer and was not heard", name(sent.data)),
                );
            }
        }
    }
    Seen::fine(others)
}
