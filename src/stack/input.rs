//! Up through IP: whose packet it is, and which protocol gets it.

use std::net::IpAddr;

use bytes::Bytes;

use super::Stack;
use super::icmp::Trouble;
use super::mutant::Mutant;
use super::reassembly::Expired;
use super::route::Reach;
use crate::model::{DropReason, Note};
use crate::packet::{self, Parsed, Path, Strictness, protocol};

/// A packet for this host, whole.
#[derive(Debug)]
pub(super) struct Arrived<'a> {
    pub(super) packet: &'a Bytes,
    pub(super) parsed: Parsed,
    pub(super) reach: Reach,
}

impl Arrived<'_> {
    /// What the packet carries, without copying it.
    pub(super) fn payload(&self) -> &[u8] {
        self.packet.get(self.parsed.payload.clone()).unwrap_or_default()
    }
}

impl Stack {
    /// Takes in a packet, from the wire or from this host itself.
    pub(super) fn receive(&mut self, packet: &Bytes, looped: bool) {
        if let Err(reason) = self.take_in(packet, looped) {
            self.note(Note::Dropped(reason));
        }
    }

    fn take_in(&mut self, packet: &Bytes, looped: bool) -> Result<(), DropReason> {
        let strictness = match self.is(Mutant::IgnoresIpChecksum) {
            true => Strictness::NoChecksum,
            false => Strictness::Full,
        };
        let parsed = packet::parse(packet, strictness)?;
        let reach = self.reach(&parsed.path, looped).ok_or(DropReason::NotForUs)?;
        if parsed.fragment.is_none() {
            return self.deliver(&Arrived { packet, parsed, reach });
        }
        let holes = self.is(Mutant::HandsOutHoles);
        let Some(whole) = self.reassembly.insert(self.now, packet, &parsed, reach, holes)? else {
            return Ok(());
        };
        let parsed = packet::parse(&whole, Strictness::Full)?;
        // Fragments of fragments are not a thing that anybody sends.
        if parsed.fragment.is_some() {
            return Err(DropReason::Malformed);
        }
        self.note(Note::Reassembled(parsed.payload.len() as u32));
        self.deliver(&Arrived { packet: &whole, parsed, reach })
    }

    /// Gives up the datagrams whose fragments did not come in time.
    pub(super) fn expire_fragments(&mut self) {
        while let Some(Expired { reach, first }) = self.reassembly.expire(self.now) {
            self.note(Note::Dropped(DropReason::Reassembly));
            // RFC 1122, section 3.3.2; RFC 8200, section 4.5: only if the first fragment came.
            if let Some((packet, parsed)) = first {
                self.report(&Arrived { packet: &packet, parsed, reach }, Trouble::ReassemblyTime);
            }
        }
    }

    /// Hands a whole packet to its protocol.
    fn deliver(&mut self, arrived: &Arrived<'_>) -> Result<(), DropReason> {
        match (arrived.parsed.protocol, arrived.parsed.path) {
            (protocol::UDP, _) => self.udp_input(arrived),
            (protocol::TCP, _) => self.tcp_input(arrived),
            (protocol::ICMP, Path::V4 { .. }) => self.icmp_v4_input(arrived),
            (protocol::ICMPV6, Path::V6 { .. }) => self.icmp_v6_input(arrived),
            // RFC 8200, section 4.7.
            (protocol::NO_NEXT_HEADER, Path::V6 { .. }) => Ok(()),
            _ => {
                self.report(arrived, Trouble::Protocol);
                Err(DropReason::NoSocket)
            }
        }
    }

    /// In what way a packet is for this host; `None` if it is not.
    fn reach(&self, path: &Path, looped: bool) -> Option<Reach> {
        let (src, dst) = (path.src(), path.dst());
        // Nobody has these addresses (RFC 1122, section 3.2.1.3; RFC 4291, section 2.7).
        if src.is_multicast() || src.is_unspecified() || self.config.is_broadcast(src) {
            return None;
        }
        // Loopback addresses, and one's own as a source, never come from outside ("martians").
        if !looped && (dst.is_loopback() || self.config.is_own(src)) {
            return None;
        }
        if self.config.is_own(dst) {
            Some(Reach::Own)
        } else if self.config.is_broadcast(dst) {
            (!self.is(Mutant::DeafToBroadcast)).then_some(Reach::Broadcast)
        } else if dst.is_multicast() && self.is_member(dst) {
            Some(Reach::Multicast)
        } else {
            None
        }
    }

    /// Whether this host receives what is sent to the group: a socket has joined it, or everybody is in it.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        let everybody = match group {
            // RFC 1112, section 4.
            IpAddr::V4(v4) => v4.octets() == [224, 0, 0, 1],
            // RFC 4291, section 2.7.1: all nodes of the interface and of the link.
            IpAddr::V6(v6) => matches!(v6.segments(), [0xff01 | 0xff02, 0, 0, 0, 0, 0, 0, 1]),
        };
        if self.is(Mutant::HearsEveryGroup) || self.is(Mutant::DeafToGroups) {
            return self.is(Mutant::HearsEveryGroup);
        }
        everybody || self.datagrams.iter().any(|(_, socket)| socket.groups.contains(&group))
    }
}
