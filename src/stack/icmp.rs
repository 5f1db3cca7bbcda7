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

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, icmpv4, icmpv6};

use super::Stack;
use super::input::Arrived;
use super::mutant::Mutant;
use super::packet::{self, Outgoing, Path, Strictness};
use super::route::{Reach, Route};
use crate::model::{DropReason, Errno};

/// Length of an ICMP header, in bytes.
const HEADER_LEN: usize = 8;
/// An error's IPv4 packet is no longer (RFC 1812, section 4.3.2.3).
const MAX_ERROR_V4: usize = 576;
/// An error's IPv6 packet is no longer (RFC 4443, section 2.4 c).
const MAX_ERROR_V6: usize = 1_280;
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

    /// Linux's `icmp_err_convert`. `None` for what is no error, and for codes that nobody defined.
    fn of_v4(kind: u8, code: u8) -> Option<Complaint> {
        match (kind, code) {
            // Network unreachable, and for a type of service; host unreachable, likewise; source route
            // failed.
            (icmpv4::TYPE_DEST_UNREACH, 0 | 11) => Complaint::soft(Errno::ENETUNREACH),
            (icmpv4::TYPE_DEST_UNREACH, 1 | 12) => Complaint::soft(Errno::EHOSTUNREACH),
            (icmpv4::TYPE_DEST_UNREACH, 5) => Complaint::soft(Errno::EOPNOTSUPP),
            (icmpv4::TYPE_DEST_UNREACH, 2) => Complaint::hard(Errno::ENOPROTOOPT),
            (icmpv4::TYPE_DEST_UNREACH, 3) => Complaint::hard(Errno::ECONNREFUSED),
            (icmpv4::TYPE_DEST_UNREACH, 4) => Complaint::hard(Errno::EMSGSIZE),
            (icmpv4::TYPE_DEST_UNREACH, 6 | 9) => Complaint::hard(Errno::ENETUNREACH),
            (icmpv4::TYPE_DEST_UNREACH, 7) => Complaint::hard(Errno::EHOSTDOWN),
            // Linux's ENONET for 8, source host isolated, is not available elsewhere.
            (icmpv4::TYPE_DEST_UNREACH, 8 | 10 | 13..=15) => Complaint::hard(Errno::EHOSTUNREACH),
            (icmpv4::TYPE_TIME_EXCEEDED, _) => Complaint::soft(Errno::EHOSTUNREACH),
            (icmpv4::TYPE_PARAMETER_PROBLEM, _) => Complaint::hard(Errno::EPROTO),
            _ => None,
        }
    }

    /// Linux's `icmpv6_err_convert`. `None` for what is no error, and for codes that nobody defined.
    fn of_v6(kind: u8, code: u8) -> Option<Complaint> {
        match (kind, code) {
            // No route; beyond the scope of the source address, address unreachable.
            (icmpv6::TYPE_DST_UNREACH, 0) => Complaint::soft(Errno::ENETUNREACH),
            (icmpv6::TYPE_DST_UNREACH, 2 | 3) => Complaint::soft(Errno::EHOSTUNREACH),
            (icmpv6::TYPE_DST_UNREACH, 1 | 5 | 6) => Complaint::hard(Errno::EACCES),
            (icmpv6::TYPE_DST_UNREACH, 4) => Complaint::hard(Errno::ECONNREFUSED),
            (icmpv6::TYPE_PACKET_TOO_BIG, _) => Complaint::hard(Errno::EMSGSIZE),
            (icmpv6::TYPE_TIME_EXCEEDED, _) => Complaint::soft(Errno::EHOSTUNREACH),
            (icmpv6::TYPE_PARAMETER_PROBLEM, _) => Complaint::hard(Errno::EPROTO),
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
    /// Reports trouble with a packet to its sender, where RFC 1122 (3.2.2) and RFC 4443 (2.4 e) allow it: never about a
    /// broadcast or a multicast, nor about an ICMP message. Sources that are nobody's were dropped before.
    pub(super) fn report(&mut self, arrived: &Arrived<'_>, trouble: Trouble) {
        let path = arrived.parsed.path;
        let icmp = matches!(
            (arrived.parsed.protocol, path),
            (IpNumber::ICMP, Path::V4 { .. }) | (IpNumber::IPV6_ICMP, Path::V6 { .. })
        );
        if arrived.reach != Reach::Own || icmp {
            return;
        }
        let (kind, code, word) = match (path, trouble) {
            (Path::V4 { .. }, Trouble::Port) => (icmpv4::TYPE_DEST_UNREACH, icmpv4::CODE_DST_UNREACH_PORT, 0),
            (Path::V4 { .. }, Trouble::Protocol) => {
                (icmpv4::TYPE_DEST_UNREACH, icmpv4::CODE_DST_UNREACH_PROTOCOL, 0)
            }
            (Path::V4 { .. }, Trouble::ReassemblyTime) => {
                (icmpv4::TYPE_TIME_EXCEEDED, icmpv4::CODE_TIME_EXCEEDED_FRAG_REASSEMBLY_TIME_EXCEEDED, 0)
            }
            (Path::V6 { .. }, Trouble::ReassemblyTime) => {
                (icmpv6::TYPE_TIME_EXCEEDED, icmpv6::CODE_TIME_EXCEEDED_FRAGMENT_REASSEMBLY_TIME_EXCEEDED, 0)
            }
            (Path::V6 { .. }, Trouble::Port) => (icmpv6::TYPE_DST_UNREACH, icmpv6::CODE_DST_UNREACH_PORT, 0),
            (Path::V6 { .. }, Trouble::Protocol) => (
                icmpv6::TYPE_PARAMETER_PROBLEM,
                icmpv6::CODE_PARAM_PROBLEM_UNRECOG_NEXT_HEADER,
                arrived.parsed.protocol_at as u32,
            ),
        };
        let most = if path.is_v4() { MAX_ERROR_V4 } else { MAX_ERROR_V6 };
        let room = most.min(self.config.mtu.into()).saturating_sub(path.header_len() + HEADER_LEN);
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
        let protocol = if path.is_v4() { IpNumber::ICMP } else { IpNumber::IPV6_ICMP };
        let mut head = [kind, code, 0, 0, word[0], word[1], word[2], word[3]];
        let sum = checksum(&route.path, &head, body);
        head[2..4].copy_from_slice(&sum.to_be_bytes());
        let out = Outgoing { path: route.path, protocol, hop_limit: HOP_LIMIT, head: &head, body };
        // A full transmit queue loses it, as ICMP may be lost anywhere.
        let _ = self.emit(None, route.reach, false, &out);
    }

    pub(super) fn icmp_v4_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        let (head, body) = self.split(arrived)?;
        // An echo to everybody goes unanswered (RFC 1122, section 3.2.2.6; Linux's default).
        if head[0] == icmpv4::TYPE_ECHO_REQUEST && arrived.reach == Reach::Own {
            self.icmp_send(arrived.parsed.path, [icmpv4::TYPE_ECHO_REPLY, 0], last4(head), body);
        }
        match Complaint::of_v4(head[0], head[1]) {
            Some(complaint) => self.told_of(body, complaint),
            None => Ok(()),
        }
    }

    pub(super) fn icmp_v6_input(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        let (head, body) = self.split(arrived)?;
        // RFC 4443, section 4.2: answered even where it came by multicast.
        if head[0] == icmpv6::TYPE_ECHO_REQUEST {
            self.icmp_send(arrived.parsed.path, [icmpv6::TYPE_ECHO_REPLY, 0], last4(head), body);
        }
        match Complaint::of_v6(head[0], head[1]) {
            Some(complaint) => self.told_of(body, complaint),
            None => Ok(()),
        }
    }

    /// The ICMP header and what follows it, if the checksum holds.
    fn split<'a>(&self, arrived: &'a Arrived<'_>) -> Result<(&'a [u8; HEADER_LEN], &'a [u8]), DropReason> {
        let (head, body) = arrived.payload().split_first_chunk().ok_or(DropReason::Malformed)?;
        if checksum(&arrived.parsed.path, head, body) != 0 && !self.is(Mutant::IgnoresIcmpChecksum) {
            return Err(DropReason::IcmpChecksum);
        }
        Ok((head, body))
    }

    /// Tells a connected socket of an error, where `quoted` is the beginning of a packet that it sent.
    fn told_of(&mut self, quoted: &[u8], complaint: Complaint) -> Result<(), DropReason> {
        let parsed = packet::parse(quoted, Strictness::Quoted)?;
        let first = parsed.fragment.is_none_or(|fragment| fragment.offset == 0);
        if !matches!(parsed.protocol, IpNumber::UDP | IpNumber::TCP) || !first {
            return Ok(());
        }
        // Eight bytes of the transport header must be there (RFC 792).
        let Some(&header) = quoted[parsed.payload].first_chunk::<8>() else {
            return Err(DropReason::Malformed);
        };
        if parsed.protocol == IpNumber::TCP {
            return self.tcp_told_of(&parsed.path, header, complaint);
        }
        let [s0, s1, d0, d1, ..] = header;
        let ours = (parsed.path.src(), u16::from_be_bytes([s0, s1]));
        let theirs = (parsed.path.dst(), u16::from_be_bytes([d0, d1]));
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

/// The checksum over a message; 0 if one is in it and holds. ICMPv6 covers the pseudo-header (RFC 4443, section 2.3).
fn checksum(path: &Path, head: &[u8; HEADER_LEN], body: &[u8]) -> u16 {
    let sum = match path {
        Path::V4 { .. } => Sum16BitWords::new(),
        Path::V6 { .. } => path.pseudo_header(IpNumber::IPV6_ICMP, HEADER_LEN + body.len()),
    };
    sum.add_slice(head).add_slice(body).ones_complement().to_be()
}

#[cfg(test)]
pub(super) mod tests;
