//! UDP (RFC 768): sending, and finding the socket that a datagram is for.

use std::net::SocketAddr;

use super::Stack;
use super::datagram::{Datagram, Peer, Queued, cost};
use super::icmp::Trouble;
use super::input::Arrived;
use super::mutant::Mutant;
use super::route::{Reach, Route};
use crate::model::{Domain, DropReason, Errno, Fd, Note, Received};
use crate::packet::{LEN_MAX, Outgoing, UDP_LEN, UdpDatagram, protocol, udp_header};

impl Stack {
    /// `sendto(2)`, or `send(2)` without an address. The order of the checks is Linux's (`udp_sendmsg`).
    pub(super) fn udp_send(&mut self, fd: Fd, data: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        self.bind_implicitly(fd)?;
        let socket = self.datagrams.get(fd)?;
        if socket.binding.domain == Domain::Inet && data.len() > LEN_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let to = match to {
            None => socket.peer.ok_or(Errno::EDESTADDRREQ)?,
            Some(to) if socket.binding.domain == Domain::Inet && to.is_ipv6() => {
                return Err(Errno::EAFNOSUPPORT);
            }
            Some(to) if to.port() == 0 => return Err(Errno::EINVAL),
            Some(to) => (to.ip().to_canonical(), to.port()),
        };
        if socket.binding.domain == Domain::Inet6 && socket.binding.v6_only && to.0.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        #[cfg(feature = "mutants")]
        let to = self.misdirected(fd, to);
        let route = self.config.route(to.0, socket.source)?;
        let unasked = route.reach == Reach::Broadcast && !socket.broadcast;
        let others = self.is(Mutant::BroadcastsForAll) && self.datagrams.iter().any(|(_, it)| it.broadcast);
        if unasked && !others && !self.is(Mutant::BroadcastsUnasked) {
            return Err(Errno::EACCES);
        }
        let longest = match route.path.payload_max() - UDP_LEN {
            max if self.is(Mutant::LimitTooLarge) => max + 1,
            max if self.is(Mutant::LimitTooSmall) => max - 1,
            max => max,
        };
        if data.len() > longest {
            return Err(Errno::EMSGSIZE);
        }
        self.udp_transmit(fd, route, to.1, data)?;
        self.run_loopback();
        Ok(data.len())
    }

    fn udp_transmit(&mut self, fd: Fd, route: Route, port: u16, data: &[u8]) -> Result<(), Errno> {
        let Route { path, reach } = route;
        let looped = reach == Reach::Broadcast || (reach == Reach::Multicast && self.is_member(path.dst()));
        let socket = self.datagrams.get_mut(fd)?;
        // As `sock_alloc_send_pskb` has it: a pending error comes first and is told by this call.
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.write_shut {
            return Err(Errno::EPIPE);
        }
        if !socket.is_writable() {
            return Err(Errno::EAGAIN);
        }
        let hop_limit = match reach {
            Reach::Multicast => socket.multicast_ttl,
            _ => socket.ttl,
        };
        let looped = looped && (socket.multicast_loop || reach == Reach::Broadcast);
        let head = udp_header(&path, socket.binding.port, port, data);
        let out = Outgoing { path, protocol: protocol::UDP, hop_limit, head: &head, body: data };
        #[cfg(feature = "mutants")]
        let padded = self.is(Mutant::PadsPackets).then(|| super::mutant::padded(&path, data));
        #[cfg(feature = "mutants")]
        let out = Outgoing { body: padded.as_deref().unwrap_or(data), ..out };
        #[cfg(feature = "mutants")]
        self.misdeed_before_send(fd, route);
        self.emit(Some(fd), reach, looped, &out)?;
        #[cfg(feature = "mutants")]
        self.misdeed_after_send(fd, reach, looped, &out);
        Ok(())
    }

    /// `recvfrom(2)`.
    pub(super) fn udp_receive(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        #[cfg(feature = "mutants")]
        let mutant = self.config.mutant;
        let socket = self.datagrams.get_mut(fd)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let Some(queued) = socket.queue.pop_front() else {
            return Err(Errno::EAGAIN);
        };
        socket.queued -= queued.cost;
        #[cfg(feature = "mutants")]
        let queued =
            if mutant.is_some() { socket.misdeed_on_receive(mutant, queued, buffer.len()) } else { queued };
        Ok(socket.copy(&queued, buffer))
    }

    pub(super) fn udp_peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        let socket = self.datagrams.get_mut(fd)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        socket.queue.front().map(|queued| socket.copy(queued, buffer)).ok_or(Errno::EAGAIN)
    }

    /// Takes in a datagram.
    pub(super) fn udp_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        let udp = UdpDatagram::read(arrived.payload()).ok_or(DropReason::Malformed)?;
        let path = arrived.parsed.path;
        if !udp.is_sound(&path) && !self.ignores_udp_checksum(arrived) {
            if self.is(Mutant::ComplainsOfDamage) {
                self.report(arrived, Trouble::Port);
            }
            return Err(DropReason::TransportChecksum);
        }
        let queued = Queued {
            payload: arrived.packet.slice_ref(udp.payload),
            from: (path.src(), udp.src),
            cost: cost(arrived.packet.len()),
        };
        if self.is(Mutant::SwallowsEmpty) && queued.payload.is_empty() {
            return Ok(());
        }
        let to = (path.dst(), udp.dst);
        if arrived.reach == Reach::Own {
            match self.udp_lookup(to, queued.from) {
                Some(fd) => {
                    #[cfg(feature = "mutants")]
                    self.misdeed_on_arrival(fd, arrived, queued.from);
                    self.udp_enqueue(fd, queued)
                }
                None => {
                    self.report(arrived, Trouble::Port);
                    Err(DropReason::NoSocket)
                }
            }
        } else {
            self.udp_deliver_to_all(to, &queued)
        }
    }

    /// Whether a deliberate bug takes a datagram with a wrong checksum.
    fn ignores_udp_checksum(&self, arrived: &Arrived<'_>) -> bool {
        let reassembled = arrived.packet.len() > self.config.mtu.into();
        self.is(Mutant::IgnoresUdpChecksum) || (self.is(Mutant::HandsOutHoles) && reassembled)
    }

    /// The one socket that a unicast datagram is for, as Linux scores them (`udp4_lib_lookup2`,
    /// `compute_score`): one bound to the very address before a wildcard, a connected one before one that is
    /// not, one of the packet's family before a dual-stack one, and among equals the last bound.
    pub(super) fn udp_lookup(&self, to: Peer, from: Peer) -> Option<Fd> {
        self.datagrams
            .iter()
            .filter(|(_, socket)| socket.binding.port == to.1 && socket.binding.port != 0)
            .filter(|(_, socket)| self.hears(socket, from))
            .filter_map(|(fd, socket)| {
                let specific = socket.binding.listens_to(to.0)?;
                let family = Domain::of(&SocketAddr::from(to)) == socket.binding.domain;
                Some(((specific, socket.peer.is_some(), family, socket.bound_at), fd))
            })
            .max_by_key(|(score, _)| *score)
            .map(|(_, fd)| fd)
    }

    /// A connected socket hears its peer alone.
    fn hears(&self, socket: &Datagram, from: Peer) -> bool {
        let any_port = self.is(Mutant::FiltersByAddress);
        self.is(Mutant::HearsStrangers)
            || socket.peer.is_none_or(|peer| peer == from || (any_port && peer.0 == from.0))
    }

    /// Delivers a broadcast or multicast datagram to every socket that matches. As with Linux's
    /// IP_MULTICAST_ALL, which is on by default, a socket need not have joined the group itself: its host
    /// must have.
    fn udp_deliver_to_all(&mut self, to: Peer, queued: &Queued) -> Result<(), DropReason> {
        let matches = |socket: &Datagram| {
            socket.binding.port == to.1
                && socket.binding.port != 0
                && self.hears(socket, queued.from)
                && socket.binding.listens_to(to.0).is_some()
        };
        let fds: Vec<Fd> =
            self.datagrams.iter().filter(|(_, socket)| matches(socket)).map(|(fd, _)| fd).collect();
        if fds.is_empty() {
            return Err(DropReason::NoSocket);
        }
        for fd in fds {
            if let Err(reason) = self.udp_enqueue(fd, queued.clone()) {
                self.note(Note::Dropped(reason));
            }
        }
        Ok(())
    }

    /// Puts a datagram into a socket's queue, unless that is full. An empty queue takes any (as Linux since
    /// 6.15).
    fn udp_enqueue(&mut self, fd: Fd, queued: Queued) -> Result<(), DropReason> {
        #[cfg(feature = "mutants")]
        let splits = self.is(Mutant::SplitsDatagrams);
        let Ok(socket) = self.datagrams.get_mut(fd) else {
            return Err(DropReason::NoSocket);
        };
        if !socket.queue.is_empty() && socket.queued + queued.cost > socket.recv_buffer {
            return Err(DropReason::BufferFull);
        }
        socket.queued += queued.cost;
        #[cfg(feature = "mutants")]
        if splits && queued.payload.len() >= 2 {
            socket.enqueue_halves(queued);
            self.changed(fd);
            return Ok(());
        }
        socket.queue.push_back(queued);
        self.changed(fd);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
