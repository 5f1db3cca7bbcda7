//! TCP between the connections and IP: segments to their connection or listener, and out of it; timers; what
//! follows for the sockets.

use std::net::IpAddr;

use super::Stack;
use super::connections::{CONNECTIONS_MAX, ConnectionId, Entry, Owner};
use super::datagram::Peer;
use super::icmp::Complaint;
use super::input::Arrived;
use super::mutant::Mutant;
use super::route::{Reach, Route};
use super::stream::{Listener, Stream};
use crate::model::{DropReason, Errno, Fd, Note, State, TcpNote, Time};
use crate::packet::{Outgoing, TCP_LEN, protocol};
use crate::tcp::{Connection, MSS_DEFAULT, Options, Outcome, Segment, Seq, initial_sequence_number};

/// By how much a connection that takes the place of one in TIME-WAIT begins behind it (RFC 9293, section
/// 3.6.1).
const REOPEN_GAP: u32 = 65_537;

impl Stack {
    /// Takes in a segment.
    pub(super) fn tcp_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        // RFC 9293, section 3.9.2.3: never for many.
        if arrived.reach != Reach::Own {
            return Err(DropReason::NotForUs);
        }
        let (bytes, path) = (arrived.payload(), arrived.parsed.path);
        let sound = path.checksum(protocol::TCP, &[bytes]) == 0;
        let trusts_bare = self.is(Mutant::TrustsBareSegments);
        if !sound && !self.is(Mutant::IgnoresTcpChecksum) && !trusts_bare {
            return Err(DropReason::TransportChecksum);
        }
        let (src, dst, segment) = Segment::read(bytes).ok_or(DropReason::Malformed)?;
        if !sound && trusts_bare && !segment.text.is_empty() {
            return Err(DropReason::TransportChecksum);
        }
        let (ours, theirs) = ((path.dst(), dst), (path.src(), src));
        let any_peer = self.is(Mutant::MixesPeers) && !segment.syn;
        let any_host = self.is(Mutant::MixesHosts);
        let found = match any_peer || any_host {
            true => self.connections.iter().find(|(_, e)| e.ours.1 == dst && (any_peer || e.theirs.1 == src)),
            false => None,
        };
        let found = found.map(|(id, _)| id);
        let Some(id) = found.or_else(|| self.connections.find(ours, theirs)) else {
            return self.tcp_listen(ours, theirs, &segment, None);
        };
        if self.must_wait(id, &segment) {
            return Err(DropReason::BufferFull);
        }
        match self.drive(id, |connection, now| connection.arrives(&segment, now)) {
            Some(Outcome::Refuse) => self.refuse(ours, theirs, &segment),
            // As Linux has it: where nobody listens, TIME-WAIT goes on, and answers.
            Some(Outcome::OpensAnew) if self.tcp_lookup(ours).is_none() => {
                self.drive(id, |connection, _| connection.acknowledge());
                Ok(())
            }
            Some(Outcome::OpensAnew) => {
                let last = self.drive(id, |connection, _| connection.make_way());
                self.tcp_listen(ours, theirs, &segment, last)
            }
            Some(Outcome::Done) | None => Ok(()),
        }
    }

    /// A segment for no connection: a listener's (RFC 9293, section 3.10.7.2), or none's (section
    /// 3.10.7.1). `last` is where the connection ended that it takes the place of.
    fn tcp_listen(
        &mut self,
        ours: Peer,
        theirs: Peer,
        segment: &Segment<'_>,
        last: Option<Seq>,
    ) -> Result<(), DropReason> {
        let Some(fd) = self.tcp_lookup(ours) else {
            let silent = match segment.syn {
                true => self.is(Mutant::RefusesNobody),
                false => self.is(Mutant::SilentToStrangers),
            };
            if silent {
                return Err(DropReason::NoSocket);
            }
            return self.refuse(ours, theirs, segment).and(Err(DropReason::NoSocket));
        };
        if segment.rst {
            return Err(DropReason::NoSocket);
        }
        if segment.ack.is_some() {
            if self.is(Mutant::SilentToStrangers) {
                return Err(DropReason::NoSocket);
            }
            return self.refuse(ours, theirs, segment);
        }
        // As in Linux a FIN beside a SYN is nothing that a peer means.
        if !segment.syn || segment.fin {
            return Err(DropReason::NoSocket);
        }
        let listener = self.streams.get(fd).ok().and_then(Stream::listener);
        let is_accepted = |it: &Entry| it.ours == ours && matches!(it.owner, Owner::Socket(_));
        let accepted = || self.connections.iter().filter(|(_, it)| is_accepted(it)).count();
        let is_crowded =
            |it: &Listener| self.is(Mutant::CountsAccepted) && it.queue.len() + accepted() > it.backlog;
        let has_room = |it: &Listener| it.has_room() && !is_crowded(it);
        let room = listener.is_some_and(has_room) || self.is(Mutant::OverfillsBacklog);
        if !(room && self.has_room_for_connection()) {
            return Err(DropReason::BufferFull);
        }
        let listener = self.streams.get(fd).map_err(|_| DropReason::NoSocket)?;
        let route = self.config.route(theirs.0, Some(ours.0)).map_err(|_| DropReason::NotForUs)?;
        let options = self.connection_options(listener, &route);
        let fresh = self.iss(ours, theirs);
        let iss = last.map_or(fresh, |last| fresh.max(last + REOPEN_GAP));
        let entry = Entry {
            ours,
            theirs,
            route,
            ttl: listener.ttl,
            reuse: listener.binding.reuse,
            owner: Owner::HalfOpen(fd),
            connection: Connection::answer(self.tcp.clone(), options, iss, segment),
        };
        if let Some(listener) = self.streams.get_mut(fd).ok().and_then(Stream::listener_mut) {
            listener.half_open += 1;
        }
        let id = self.connections.add(entry);
        self.drive(id, |_, _| ());
        Ok(())
    }

    /// Whether a segment would complete a handshake whose listener has no room for another connection. As in
    /// Linux it is dropped; the SYN-ACK goes out again by its timer, and its answer is another chance.
    fn must_wait(&self, id: ConnectionId, segment: &Segment<'_>) -> bool {
        let Some(Entry { owner: Owner::HalfOpen(fd), connection, .. }) = self.connections.get(id) else {
            return false;
        };
        let listener = self.streams.get(*fd).ok().and_then(Stream::listener);
        let full = listener.is_some_and(Listener::is_full) && !self.is(Mutant::OverfillsBacklog);
        full && connection.is_completed_by(segment)
    }

    /// The listener that a segment is for. There is one at most: `listen` refuses addresses that overlap.
    fn tcp_lookup(&self, to: Peer) -> Option<Fd> {
        let listens = |socket: &Stream| {
            socket.binding.port == to.1
                && socket.listener().is_some()
                && socket.binding.listens_to(to.0).is_some()
        };
        self.streams.iter().find(|(_, socket)| listens(socket)).map(|(fd, _)| fd)
    }

    /// Answers a segment for which there is no connection.
    fn refuse(&mut self, ours: Peer, theirs: Peer, segment: &Segment<'_>) -> Result<(), DropReason> {
        let zero = self.is(Mutant::ResetsWithZero);
        let refusal = segment.refusal().map(|it| Segment { seq: if zero { Seq(0) } else { it.seq }, ..it });
        if let Some(refusal) = refusal
            && let Ok(route) = self.config.route(theirs.0, Some(ours.0))
        {
            self.emit_segment(&route, 64, ours.1, theirs.1, &refusal);
        }
        Ok(())
    }

    /// What a new connection over a route begins with.
    pub(super) fn connection_options(&self, socket: &Stream, route: &Route) -> Options {
        let mtu = match route.reach {
            Reach::Own => usize::from(u16::MAX),
            _ => usize::from(self.config.mtu.max(68)),
        };
        let room = mtu.saturating_sub(route.path.header_len() + TCP_LEN).max(1) as u16;
        Options {
            mss: socket.max_segment.map_or(room, |most| most.min(room)),
            mss_default: MSS_DEFAULT[usize::from(!route.path.is_v4())],
            send_buffer: socket.send_buffer / 2,
            recv_buffer: if self.is(Mutant::OffersDouble) {
                socket.recv_buffer
            } else {
                socket.recv_buffer / 2
            },
            no_delay: socket.no_delay,
        }
    }

    /// The initial sequence number of a connection that begins now.
    pub(super) fn iss(&self, ours: Peer, theirs: Peer) -> Seq {
        if let Some(number) = self.tcp.initial_sequence_number {
            return Seq(number);
        }
        initial_sequence_number(self.config.seed, &(ours, theirs), self.now)
    }

    /// Whether one more connection fits in; one in TIME-WAIT makes way.
    pub(super) fn has_room_for_connection(&mut self) -> bool {
        if self.connections.len() < CONNECTIONS_MAX {
            return true;
        }
        let Some(id) = self.connections.nearest_to_end() else {
            return false;
        };
        if let Some(entry) = self.connections.take(id) {
            self.connections.forget(id, &entry);
        }
        true
    }

    /// Fires the timers that are due.
    pub(super) fn expire_connections(&mut self) {
        if self.connections.poll_timeout().is_none_or(|due| due > self.now) {
            return;
        }
        for id in self.connections.due(self.now) {
            self.drive(id, Connection::expire);
        }
    }

    /// Does something with a connection, and all that follows from it: segments, notes, wake-ups, its end.
    pub(super) fn drive<R>(
        &mut self,
        id: ConnectionId,
        act: impl FnOnce(&mut Connection, Time) -> R,
    ) -> Option<R> {
        let mut entry = self.connections.take(id)?;
        let result = act(&mut entry.connection, self.now);
        let Entry { ours, theirs, route, ttl, .. } = *entry;
        while let Some(segment) = entry.connection.next_segment(self.now) {
            self.emit_segment(&route, ttl, ours.1, theirs.1, &segment);
        }
        #[cfg(feature = "mutants")]
        let sound = self.config.mutant.is_none();
        #[cfg(not(feature = "mutants"))]
        let sound = true;
        if sound {
            debug_assert_eq!(entry.connection.check(), Ok(()), "an invariant of the connection");
        }
        for note in entry.connection.take_notes() {
            self.note(Note::Tcp { port: ours.1, peer: theirs.1, note });
        }
        if let Some(bytes) = entry.connection.take_congestion_window() {
            let note = TcpNote::CongestionWindow(bytes);
            self.note(Note::Tcp { port: ours.1, peer: theirs.1, note });
        }
        self.follow(id, entry);
        Some(result)
    }

    /// What a connection's state means for its owner.
    fn follow(&mut self, id: ConnectionId, mut entry: Box<Entry>) {
        let (state, woken) = (entry.connection.state(), entry.connection.take_woken());
        if state == State::Closed {
            self.connections.unlink(id, &entry);
        }
        let overfills = self.is(Mutant::OverfillsBacklog);
        match entry.owner {
            Owner::Nobody if state == State::Closed => return self.connections.forget(id, &entry),
            Owner::HalfOpen(fd) if state != State::SynReceived || self.is(Mutant::AcceptsEarly) => {
                if let Some(listener) = self.streams.get_mut(fd).ok().and_then(Stream::listener_mut) {
                    listener.half_open -= 1;
                    if state == State::Closed || (overfills && listener.is_full()) {
                        return self.connections.forget(id, &entry);
                    }
                    listener.queue.push_back(id);
                    entry.owner = Owner::Waiting(fd);
                    self.changed(fd);
                }
            }
            Owner::Socket(fd) if woken => self.changed(fd),
            _ => {}
        }
        self.connections.put_back(id, entry);
    }

    /// Puts a segment on its way.
    fn emit_segment(&mut self, route: &Route, ttl: u8, src: u16, dst: u16, segment: &Segment<'_>) {
        let path = route.path;
        let head = segment.header(&path, src, dst);
        let out = Outgoing { path, protocol: protocol::TCP, hop_limit: ttl, head: &head, body: segment.text };
        // A full transmit queue loses the segment, as a full queue of a device does.
        let _ = self.emit(None, route.reach, false, &out);
    }

    /// An ICMP error about the segment with this sequence number that this host sent. It counts only for what
    /// is outstanding (RFC 5927, section 4.1), and ends no connection that is established.
    pub(super) fn tcp_told_of(
        &mut self,
        [ours, theirs]: [Peer; 2],
        seq: Seq,
        complaint: Complaint,
    ) -> Result<(), DropReason> {
        let id = self.connections.find(ours, theirs).ok_or(DropReason::NoSocket)?;
        self.drive(id, |connection, _| {
            // A packet that is too big says nothing of the peer.
            if complaint.error != Errno::EMSGSIZE && connection.is_outstanding(seq) {
                connection.unreachable(complaint.error, complaint.is_hard);
            }
        });
        Ok(())
    }

    /// Whether a connection that no socket has any more keeps a port busy.
    pub(super) fn is_port_left_busy(&self, port: u16, local: IpAddr, may_share: bool) -> bool {
        self.connections.iter().any(|(_, entry)| {
            let same = local.is_unspecified() || entry.ours.0 == local;
            entry.ours.1 == port && same && entry.owner == Owner::Nobody && !(may_share && entry.reuse)
        })
    }
}

#[cfg(test)]
mod tests;
