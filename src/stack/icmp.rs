//! ICMP (RFC 792, RFC 4443): echo replies, errors that this host reports, and errors that it is told of.
//!
//! What an error does to a datagram socket is what Linux does without IP_RECVERR: the *hard* ones (port and
//! protocol unreachable, administratively prohibited, parameter problem, fragmentation needed) become the
//! pending error of a connected socket, once; the *soft* ones (network and host unreachable, time exceeded)
//! say nothing, and an unconnected socket is never told of any. As in `udp(7)`, `icmp_err_convert` and
//! `icmpv6_err_convert`.
//!
//! A TCP connection that is being opened ends with a hard error. A parameter problem is among these, as in
//! Linux, though RFC 9293 (3.9.2.2, MUST-56) counts it among the soft ones. Every other error ends nothing:
//! SO_ERROR tells it, and it takes the place of ETIMEDOUT if the connection gives up before anything is
//! acknowledged. (In Linux a soft error ends a connect too.)

use super::Stack;
use super::input::Arrived;
use super::mutant::Mutant;
use super::route::{Reach, Route};
use crate::model::{DropReason, Errno};
use crate::packet::icmp::{self, HEADER_LEN, v4, v6};
use crate::packet::{Outgoing, Path, Strictness, parse, ports, protocol};
use crate::tcp::Seq;

/// Hop limit of what this module sends.
const HOP_LIMIT: u8 = 64;

/// What an ICMP error means to those who sent the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) error: Errno,
    /// It will not pass by itself.
    pub(super) is_hard: bool,
}

impl Complaint {
    const fn hard(error: Errno) -> Option<Complaint> {
        Some(Complaint { error, is_hard: true })
    }

    const fn soft(error: Errno) -> Option<Complaint> {
        Some(Complaint { error, is_hard: false })
    }

    /// Linux's `icmp_err_convert`. `None` for messages that are no errors, and for undefined codes.
    fn of_v4(kind: u8, code: u8) -> Option<Complaint> {
        match (kind, code) {
            // Network unreachable, and for a type of service; host unreachable, likewise; source route
            // failed.
            (v4::DESTINATION_UNREACHABLE, 0 | 11) => Complaint::soft(Errno::ENETUNREACH),
            (v4::DESTINATION_UNREACHABLE, 1 | 12) => Complaint::soft(Errno::EHOSTUNREACH),
            (v4::DESTINATION_UNREACHABLE, 5) => Complaint::soft(Errno::EOPNOTSUPP),
            (v4::DESTINATION_UNREACHABLE, 2) => Complaint::hard(Errno::ENOPROTOOPT),
            (v4::DESTINATION_UNREACHABLE, 3) => Complaint::hard(Errno::ECONNREFUSED),
            (v4::DESTINATION_UNREACHABLE, 4) => Complaint::hard(Errno::EMSGSIZE),
            (v4::DESTINATION_UNREACHABLE, 6 | 9) => Complaint::hard(Errno::ENETUNREACH),
            (v4::DESTINATION_UNREACHABLE, 7) => Complaint::hard(Errno::EHOSTDOWN),
            // Linux's ENONET for 8, source host isolated, is not available elsewhere.
            (v4::DESTINATION_UNREACHABLE, 8 | 10 | 13..=15) => Complaint::hard(Errno::EHOSTUNREACH),
            (v4::TIME_EXCEEDED, _) => Complaint::soft(Errno::EHOSTUNREACH),
            (v4::PARAMETER_PROBLEM, _) => Complaint::hard(Errno::EPROTO),
            _ => None,
        }
    }

    /// Linux's `icmpv6_err_convert`. `None` for messages that are no errors, and for undefined codes.
    fn of_v6(kind: u8, code: u8) -> Option<Complaint> {
        match (kind, code) {
            // No route; beyond the scope of the source address, address unreachable.
            (v6::DESTINATION_UNREACHABLE, 0) => Complaint::soft(Errno::ENETUNREACH),
            (v6::DESTINATION_UNREACHABLE, 2 | 3) => Complaint::soft(Errno::EHOSTUNREACH),
            (v6::DESTINATION_UNREACHABLE, 1 | 5 | 6) => Complaint::hard(Errno::EACCES),
            (v6::DESTINATION_UNREACHABLE, 4) => Complaint::hard(Errno::ECONNREFUSED),
            (v6::PACKET_TOO_BIG, _) => Complaint::hard(Errno::EMSGSIZE),
            (v6::TIME_EXCEEDED, _) => Complaint::soft(Errno::EHOSTUNREACH),
            (v6::PARAMETER_PROBLEM, _) => Complaint::hard(Errno::EPROTO),
            _ => None,
        }
    }
}

/// What this host reports to the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No socket has the port.
    Port,
    /// The protocol is not spoken here.
    Protocol,
    /// Not all fragments came in time; the packet is the first of them.
    ReassemblyTime,
}

impl Stack {
    /// Reports trouble with a packet to its sender, where RFC 1122 (3.2.2) and RFC 4443 (2.4 e) allow it:
    /// never about a broadcast or a multicast, nor about an ICMP message. Packets from invalid sources were
    /// dropped before.
    pub(super) fn report(&mut self, arrived: &Arrived<'_>, trouble: Trouble) {
        let path = arrived.parsed.path;
        if arrived.reach != Reach::Own || arrived.parsed.protocol == path.icmp() {
            return;
        }
        let (kind, code, word) = match (path, trouble) {
            (Path::V4 { .. }, Trouble::Port) => (v4::DESTINATION_UNREACHABLE, v4::PORT_UNREACHABLE, 0),
            (Path::V4 { .. }, Trouble::Protocol) => {
                (v4::DESTINATION_UNREACHABLE, v4::PROTOCOL_UNREACHABLE, 0)
            }
            (Path::V4 { .. }, Trouble::ReassemblyTime) => {
                (v4::TIME_EXCEEDED, v4::REASSEMBLY_TIME_EXCEEDED, 0)
            }
            (Path::V6 { .. }, Trouble::ReassemblyTime) => {
                (v6::TIME_EXCEEDED, v6::REASSEMBLY_TIME_EXCEEDED, 0)
            }
            (Path::V6 { .. }, Trouble::Port) => (v6::DESTINATION_UNREACHABLE, v6::PORT_UNREACHABLE, 0),
            (Path::V6 { .. }, Trouble::Protocol) => {
                (v6::PARAMETER_PROBLEM, v6::UNRECOGNIZED_NEXT_HEADER, arrived.parsed.protocol_at as u32)
            }
        };
        let room = usize::from(self.config.mtu).saturating_sub(path.header_len() + HEADER_LEN);
        let room = room.min(icmp::quoted_max(&path));
        let whole = &arrived.packet[..arrived.parsed.payload.end];
        self.icmp_send(path, [kind, code], word.to_be_bytes(), &whole[..whole.len().min(room)]);
    }

    /// Answers the sender of a packet that came over `path`.
    fn icmp_send(&mut self, path: Path, [kind, code]: [u8; 2], word: [u8; 4], body: &[u8]) {
        // What came by multicast is answered from the host's own address.
        let from = (!path.dst().is_multicast()).then(|| path.dst());
        if let Ok(route) = self.config.route(path.src(), from) {
            self.icmp_emit(route, [kind, code], word, body);
        }
    }

    /// Sends a message.
    pub(super) fn icmp_emit(&mut self, route: Route, [kind, code]: [u8; 2], word: [u8; 4], body: &[u8]) {
        let path = route.path;
        let head = icmp::header(&path, [kind, code], word, body);
        let out = Outgoing { path, protocol: path.icmp(), hop_limit: HOP_LIMIT, head: &head, body };
        // A full transmit queue loses it, as ICMP may be lost anywhere.
        let _ = self.emit(None, route.reach, false, &out);
    }

    pub(super) fn icmp_v4_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        let (head, body) = self.split(arrived)?;
        // An echo to everybody goes unanswered (RFC 1122, section 3.2.2.6; Linux's default).
        if head[0] == v4::ECHO_REQUEST && arrived.reach == Reach::Own {
            self.icmp_send(arrived.parsed.path, [v4::ECHO_REPLY, 0], last4(head), body);
        }
        match Complaint::of_v4(head[0], head[1]) {
            Some(complaint) => self.told_of(body, complaint),
            None => Ok(()),
        }
    }

    pub(super) fn icmp_v6_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        let (head, body) = self.split(arrived)?;
        // RFC 4443, section 4.2: answered even where it came by multicast.
        if head[0] == v6::ECHO_REQUEST {
            self.icmp_send(arrived.parsed.path, [v6::ECHO_REPLY, 0], last4(head), body);
        }
        match Complaint::of_v6(head[0], head[1]) {
            Some(complaint) => self.told_of(body, complaint),
            None => Ok(()),
        }
    }

    /// The ICMP header and what follows it, if the checksum holds.
    fn split<'a>(&self, arrived: &'a Arrived<'_>) -> Result<(&'a [u8; HEADER_LEN], &'a [u8]), DropReason> {
        let (message, path) = (arrived.payload(), &arrived.parsed.path);
        let (head, body) = message.split_first_chunk().ok_or(DropReason::Malformed)?;
        if path.checksum(path.icmp(), &[message]) != 0 && !self.is(Mutant::IgnoresIcmpChecksum) {
            return Err(DropReason::IcmpChecksum);
        }
        Ok((head, body))
    }

    /// Tells a connected socket of an error, where `quoted` is the beginning of a packet that it sent.
    fn told_of(&mut self, quoted: &[u8], complaint: Complaint) -> Result<(), DropReason> {
        let parsed = parse(quoted, Strictness::Quoted)?;
        let first = parsed.fragment.is_none_or(|fragment| fragment.offset == 0);
        if !matches!(parsed.protocol, protocol::UDP | protocol::TCP) || !first {
            return Ok(());
        }
        // Eight bytes of the transport header must be there (RFC 792).
        let [header @ .., s0, s1, s2, s3] =
            quoted[parsed.payload].first_chunk::<8>().ok_or(DropReason::Malformed)?;
        let (src, dst) = ports(header).ok_or(DropReason::Malformed)?;
        let (ours, theirs) = ((parsed.path.src(), src), (parsed.path.dst(), dst));
        if parsed.protocol == protocol::TCP {
            let seq = Seq(u32::from_be_bytes([*s0, *s1, *s2, *s3]));
            return self.tcp_told_of([ours, theirs], seq, complaint);
        }
        let fd = self.udp_lookup(ours, theirs).ok_or(DropReason::NoSocket)?;
        let told_anyway = self.is(Mutant::TellsTheUnconnected);
        let Ok(socket) = self.datagrams.get_mut(fd) else {
            return Ok(());
        };
        if complaint.is_hard && (socket.peer.is_some() || told_anyway) {
            socket.error = Some(complaint.error);
            self.changed(fd);
        }
        Ok(())
    }
}

/// Identifier and sequence number of an echo.
fn last4(head: &[u8; HEADER_LEN]) -> [u8; 4] {
    [head[4], head[5], head[6], head[7]]
}

#[cfg(test)]
pub(super) mod tests;
