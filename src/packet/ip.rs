//! Reading IP headers, and the addresses and checksums that go with them.
//!
//! Left out: IPv4 options are skipped, IPv6 extension headers are walked but not acted upon, and jumbograms
//! (RFC 2675) are malformed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{LEN_MAX, be16, be32, protocol};
use crate::model::DropReason;

/// Length of an IPv4 header without options, in bytes.
pub(super) const V4_LEN: usize = 20;
/// Length of an IPv6 header without extension headers, in bytes.
pub(super) const V6_LEN: usize = 40;
/// Length of an IPv6 fragment header, in bytes.
pub(super) const FRAGMENT_LEN: usize = 8;

/// Extension headers that a host walks before it calls a packet malformed.
const EXTENSIONS_MAX: usize = 8;

/// The addresses of a packet, both of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// IPv4 addresses.
    V4 {
        /// The source.
        src: Ipv4Addr,
        /// The destination.
        dst: Ipv4Addr,
    },
    /// IPv6 addresses.
    V6 {
        /// The source.
        src: Ipv6Addr,
        /// The destination.
        dst: Ipv6Addr,
    },
}

impl Path {
    /// `None` where the families differ.
    pub fn new(src: IpAddr, dst: IpAddr) -> Option<Path> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Path::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Path::V6 { src, dst }),
            _ => None,
        }
    }

    /// Reads the addresses and nothing else: `None` where the packet ends before they do.
    pub fn of(packet: &[u8]) -> Option<Path> {
        match packet.first()? >> 4 {
            4 => {
                let header: &[u8; V4_LEN] = packet.first_chunk()?;
                let addr = |at| Ipv4Addr::from(be32(header, at));
                Some(Path::V4 { src: addr(12), dst: addr(16) })
            }
            6 => {
                let (_, addrs) = packet.first_chunk::<V6_LEN>()?.split_at(8);
                let (src, dst) = (addrs.first_chunk::<16>()?, addrs.last_chunk::<16>()?);
                Some(Path::V6 { src: Ipv6Addr::from(*src), dst: Ipv6Addr::from(*dst) })
            }
            _ => None,
        }
    }

    /// The source address.
    pub fn src(&self) -> IpAddr {
        match *self {
            Path::V4 { src, .. } => src.into(),
            Path::V6 { src, .. } => src.into(),
        }
    }

    /// The destination address.
    pub fn dst(&self) -> IpAddr {
        match *self {
            Path::V4 { dst, .. } => dst.into(),
            Path::V6 { dst, .. } => dst.into(),
        }
    }

    /// The way back.
    pub fn reversed(self) -> Path {
        match self {
            Path::V4 { src, dst } => Path::V4 { src: dst, dst: src },
            Path::V6 { src, dst } => Path::V6 { src: dst, dst: src },
        }
    }

    /// Whether the addresses are IPv4's.
    pub fn is_v4(&self) -> bool {
        matches!(self, Path::V4 { .. })
    }

    /// Whether the link carries it to every host: the destination is a multicast address, the limited
    /// broadcast address, or the broadcast address of a network with a prefix of 24 bits, as links have here.
    pub(crate) fn is_for_all(&self) -> bool {
        match self {
            Path::V4 { dst, .. } => dst.is_multicast() || dst.octets()[3] == 255,
            Path::V6 { dst, .. } => dst.is_multicast(),
        }
    }

    /// Length of the IP header of a whole packet as [`Outgoing`](super::Outgoing) writes it, in bytes.
    pub(crate) fn header_len(&self) -> usize {
        if self.is_v4() { V4_LEN } else { V6_LEN }
    }

    /// The longest payload that the length field allows, in bytes: IPv6 does not count its header.
    pub(crate) fn payload_max(&self) -> usize {
        if self.is_v4() { LEN_MAX - V4_LEN } else { LEN_MAX }
    }

    /// The protocol number of the family's ICMP.
    pub fn icmp(&self) -> u8 {
        if self.is_v4() { protocol::ICMP } else { protocol::ICMPV6 }
    }

    /// The checksum over a transport's header and data; 0 if a checksum in them holds.
    ///
    /// It covers a pseudo-header (RFC 768; RFC 8200, section 8.1), except with IPv4's ICMP (RFC 792).
    pub fn checksum(&self, protocol: u8, parts: &[&[u8]]) -> u16 {
        let mut sum = 0;
        if protocol != protocol::ICMP {
            // The length is at most 65 535 here, so IPv6's 32-bit field sums up to the same.
            let len: usize = parts.iter().map(|part| part.len()).sum();
            sum = len as u64 + u64::from(protocol);
            sum += match self {
                Path::V4 { src, dst } => sum_of(&src.octets()) + sum_of(&dst.octets()),
                Path::V6 { src, dst } => sum_of(&src.octets()) + sum_of(&dst.octets()),
            };
        }
        fold(parts.iter().fold(sum, |sum, part| sum + sum_of(part)))
    }
}

/// The Internet checksum (RFC 1071); 0 if a checksum in the bytes holds.
pub fn checksum(bytes: &[u8]) -> u16 {
    fold(sum_of(bytes))
}

/// The sum of 16-bit words, in 32-bit steps. An odd length counts as one more byte of 0.
fn sum_of(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    sum + u64::from(u32::from_be_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// What the IP headers of a packet say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed {
    /// The addresses.
    pub path: Path,
    /// What the payload is; after IPv6 extension headers.
    pub protocol: u8,
    /// Where in the packet the number of the protocol stands.
    pub protocol_at: usize,
    /// IPv4's time to live, IPv6's hop limit.
    pub hop_limit: u8,
    /// Where the payload lies in the packet.
    pub payload: Range<usize>,
    /// Set if the packet is part of a larger one; then the payload is that part.
    pub fragment: Option<Fragment>,
}

/// Which part of a larger packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fragment {
    /// The identification that the parts share.
    pub id: u32,
    /// Where the part belongs, in bytes from the start of the whole payload.
    pub offset: usize,
    /// Whether others follow.
    pub more: bool,
}

/// How strictly a packet is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strictness {
    /// As a host reads it: whole, with a sound IPv4 header checksum, and nothing that a host must refuse.
    Full,
    /// Like `Full`, but any header checksum will do.
    NoChecksum,
    /// As a host reads the beginning of a packet that an ICMP error quotes.
    Quoted,
    /// As an observer reads it: the lengths make sense, nothing else is asked.
    Lengths,
    /// As far as it can be read: a packet whose length makes no sense ends where the bytes do, and an
    /// extension header that makes no sense is payload.
    Lenient,
}

impl Strictness {
    fn is_host(self) -> bool {
        matches!(self, Strictness::Full | Strictness::NoChecksum | Strictness::Quoted)
    }

    /// Where a packet of `len` bytes ends whose headers end at `start` and say that it ends at `stated`.
    fn end(self, start: usize, stated: usize, len: usize) -> Result<usize, DropReason> {
        // A shorter length than what came is padding by a link; a longer one is a packet cut short.
        match self {
            _ if (start..=len).contains(&stated) => Ok(stated),
            Strictness::Quoted if stated > len => Ok(len),
            Strictness::Lenient => Ok(len),
            _ => Err(DropReason::Malformed),
        }
    }
}

/// Reads the IP headers.
///
/// # Errors
/// Why a host would drop the packet: [`DropReason::Malformed`] or [`DropReason::IpChecksum`].
pub fn parse(packet: &[u8], strictness: Strictness) -> Result<Parsed, DropReason> {
    let path = Path::of(packet).ok_or(DropReason::Malformed)?;
    let mut parsed = match path {
        Path::V4 { .. } => parse_v4(packet, path, strictness)?,
        Path::V6 { .. } => parse_v6(packet, path, strictness)?,
    };
    for walked in 0.. {
        // A host looks no further before it has the whole packet. In a later fragment no header follows.
        if parsed.fragment.is_some_and(|fragment| strictness.is_host() || fragment.offset != 0) {
            break;
        }
        match Extension::read(&parsed, &packet[parsed.payload.clone()], walked, strictness) {
            Ok(Some(Extension { next, len, fragment })) => {
                (parsed.protocol, parsed.protocol_at) = (next, parsed.payload.start);
                parsed.payload.start += len;
                parsed.fragment = parsed.fragment.or(fragment);
            }
            Ok(None) => break,
            Err(_) if strictness == Strictness::Lenient => break,
            Err(reason) => return Err(reason),
        }
    }
    Ok(parsed)
}

fn parse_v4(packet: &[u8], path: Path, strictness: Strictness) -> Result<Parsed, DropReason> {
    let header: &[u8; V4_LEN] = packet.first_chunk().ok_or(DropReason::Malformed)?;
    let start = usize::from(header[0] & 0xf) * 4;
    if start < V4_LEN || start > packet.len() {
        return Err(DropReason::Malformed);
    }
    if strictness == Strictness::Full && checksum(&packet[..start]) != 0 {
        return Err(DropReason::IpChecksum);
    }
    let end = strictness.end(start, be16(header, 2).into(), packet.len())?;
    let place = be16(header, 6);
    let fragment = Fragment {
        id: be16(header, 4).into(),
        offset: usize::from(place & 0x1fff) * 8,
        more: place & 0x2000 != 0,
    };
    Ok(Parsed {
        path,
        protocol: header[9],
        protocol_at: 9,
        hop_limit: header[8],
        payload: start..end,
        fragment: fragment.is_part().then_some(fragment),
    })
}

fn parse_v6(packet: &[u8], path: Path, strictness: Strictness) -> Result<Parsed, DropReason> {
    let header: &[u8; V6_LEN] = packet.first_chunk().ok_or(DropReason::Malformed)?;
    let stated = match be16(header, 4) {
        // An observer takes it for a jumbogram, or for a length that was not filled in yet.
        0 if !strictness.is_host() => packet.len(),
        len => V6_LEN + usize::from(len),
    };
    let end = strictness.end(V6_LEN, stated, packet.len())?;
    Ok(Parsed {
        path,
        protocol: header[6],
        protocol_at: 6,
        hop_limit: header[7],
        payload: V6_LEN..end,
        fragment: None,
    })
}

impl Fragment {
    /// Whether it is part of a larger packet. An atomic fragment is a packet by itself (RFC 6946).
    fn is_part(&self) -> bool {
        self.more || self.offset != 0
    }
}

/// A header between the IP header and what it carries.
struct Extension {
    next: u8,
    /// In bytes.
    len: usize,
    fragment: Option<Fragment>,
}

impl Extension {
    /// Reads the extension header that `rest` begins with, if it begins with one.
    fn read(
        parsed: &Parsed,
        rest: &[u8],
        walked: usize,
        strictness: Strictness,
    ) -> Result<Option<Extension>, DropReason> {
        let (number, is_v4, is_host) = (parsed.protocol, parsed.path.is_v4(), strictness.is_host());
        let is_extension = match number {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::FRAGMENT | protocol::DESTINATION_OPTIONS => {
                !is_v4
            }
            // Hosts here do not speak it.
            protocol::AUTHENTICATION => !is_host && (!is_v4 || walked == 0),
            _ => false,
        };
        if !is_extension {
            return Ok(None);
        }
        let header: &[u8; 8] = rest.first_chunk().ok_or(DropReason::Malformed)?;
        let units = usize::from(header[1]);
        let len = match number {
            protocol::FRAGMENT => FRAGMENT_LEN,
            protocol::AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        let is_wrong = match number {
            // RFC 8200, section 4.1: hop-by-hop options come first or not at all.
            protocol::HOP_BY_HOP => walked != 0,
            // A host is no waypoint (RFC 8200, section 4.4; RFC 5095).
            protocol::ROUTING => is_host && header[3] != 0,
            protocol::AUTHENTICATION => units == 0,
            _ => false,
        };
        if is_wrong || len > rest.len() || (is_host && walked == EXTENSIONS_MAX) {
            return Err(DropReason::Malformed);
        }
        let place = be16(header, 2);
        let fragment =
            Fragment { id: be32(header, 4), offset: usize::from(place & !7), more: place & 1 != 0 };
        let is_fragment = number == protocol::FRAGMENT && fragment.is_part();
        Ok(Some(Extension { next: header[0], len, fragment: is_fragment.then_some(fragment) }))
    }
}
