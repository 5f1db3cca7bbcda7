//! IP packets as bytes: reading them strictly, and building them with real headers and checksums.
//!
//! Left out: IPv4 options are skipped over, IPv6 extension headers are walked but not acted upon, and jumbograms
//! (RFC 2675) are malformed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use bytes::Bytes;
use etherparse::checksum::Sum16BitWords;
use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6FragmentHeader, Ipv6FragmentHeaderSlice,
    Ipv6Header, Ipv6HeaderSlice,
};

use crate::model::DropReason;

/// Largest IPv4 packet, and largest payload of an IPv6 packet, in bytes.
pub(super) const MAX_LEN: usize = 65_535;

/// Extension headers that are walked before a packet is called malformed.
const MAX_EXTENSIONS: usize = 8;

/// The addresses of a packet, both of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    V4 { src: Ipv4Addr, dst: Ipv4Addr },
    V6 { src: Ipv6Addr, dst: Ipv6Addr },
}

impl Path {
    /// `None` where the families differ.
    pub(super) fn new(src: IpAddr, dst: IpAddr) -> Option<Path> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Path::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Path::V6 { src, dst }),
            _ => None,
        }
    }

    pub(super) fn src(&self) -> IpAddr {
        match *self {
            Path::V4 { src, .. } => src.into(),
            Path::V6 { src, .. } => src.into(),
        }
    }

    pub(super) fn dst(&self) -> IpAddr {
        match *self {
            Path::V4 { dst, .. } => dst.into(),
            Path::V6 { dst, .. } => dst.into(),
        }
    }

    pub(super) fn is_v4(&self) -> bool {
        matches!(self, Path::V4 { .. })
    }

    /// Length of the IP header that [`build`](Outgoing::build) writes, in bytes.
    pub(super) fn header_len(&self) -> usize {
        if self.is_v4() { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN }
    }

    /// The sum of the pseudo-header (RFC 768; RFC 8200, section 8.1).
    pub(super) fn pseudo_header(&self, protocol: IpNumber, len: usize) -> Sum16BitWords {
        let mut sum = Sum16BitWords::new();
        let mut sum = match self {
            Path::V4 { src, dst } => sum.add_4bytes(src.octets()).add_4bytes(dst.octets()),
            Path::V6 { src, dst } => sum.add_16bytes(src.octets()).add_16bytes(dst.octets()),
        };
        // The length is at most 65 535 here, so IPv6's 32-bit field sums up to the same.
        sum.add_4bytes((len as u32).to_be_bytes()).add_2bytes([0, protocol.0])
    }
}

/// What an IP header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) path: Path,
    /// What the payload is; after IPv6 extension headers.
    pub(super) protocol: IpNumber,
    /// Where in the packet the number of the protocol stands.
    pub(super) protocol_at: usize,
    pub(super) hop_limit: u8,
    /// Where the payload lies in the packet.
    pub(super) payload: Range<usize>,
    /// Set if the packet is part of a larger one; then the payload is that part.
    pub(super) fragment: Option<Fragment>,
}

/// Which part of a larger packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) more: bool,
}

/// How strictly a packet is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It must be whole, with a sound IPv4 header checksum.
    Full,
    /// It must be whole; the header checksum is not looked at.
    NoChecksum,
    /// It is the beginning of a packet, as an ICMP error quotes it.
    Quoted,
}

/// Reads the IP headers.
pub(super) fn parse(packet: &[u8], strictness: Strictness) -> Result<Parsed, DropReason> {
    match packet.first().map(|first| first >> 4) {
        Some(4) => parse_v4(packet, strictness),
        Some(6) => parse_v6(packet, strictness),
        _ => Err(DropReason::Malformed),
    }
}

fn parse_v4(packet: &[u8], strictness: Strictness) -> Result<Parsed, DropReason> {
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| DropReason::Malformed)?;
    let check_sum = strictness == Strictness::Full;
    if check_sum && Sum16BitWords::new().add_slice(header.slice()).ones_complement() != 0 {
        return Err(DropReason::IpChecksum);
    }
    let mut payload = header.slice().len()..usize::from(header.total_len());
    if strictness == Strictness::Quoted {
        payload.end = payload.end.min(packet.len());
    }
    // A shorter total length than what came is padding by a link; a longer one is a packet cut short.
    if payload.end < payload.start || payload.end > packet.len() {
        return Err(DropReason::Malformed);
    }
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: header.identification().into(),
        offset: usize::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    Ok(Parsed {
        path: Path::V4 { src: header.source_addr(), dst: header.destination_addr() },
        protocol: header.protocol(),
        protocol_at: 9,
        hop_limit: header.ttl(),
        payload,
        fragment,
    })
}

fn parse_v6(packet: &[u8], strictness: Strictness) -> Result<Parsed, DropReason> {
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| DropReason::Malformed)?;
    let mut end = Ipv6Header::LEN + usize::from(header.payload_length());
    if strictness == Strictness::Quoted {
        end = end.min(packet.len());
    }
    let Some(packet) = packet.get(..end) else {
        return Err(DropReason::Malformed);
    };
    let mut protocol = header.next_header();
    let mut protocol_at = 6;
    let mut start = Ipv6Header::LEN;
    let mut fragment = None;
    for walked in 0.. {
        let rest = packet.get(start..).ok_or(DropReason::Malformed)?;
        match protocol {
            // RFC 8200, section 4.1: hop-by-hop options come first or not at all.
            IpNumber::IPV6_HEADER_HOP_BY_HOP if walked != 0 => return Err(DropReason::Malformed),
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::IPV6_ROUTE_HEADER => {
                let [next, units, _, segments_left, ..] = *rest else {
                    return Err(DropReason::Malformed);
                };
                // A host is no waypoint (RFC 8200, section 4.4; RFC 5095).
                if protocol == IpNumber::IPV6_ROUTE_HEADER && segments_left != 0 {
                    return Err(DropReason::Malformed);
                }
                (protocol, protocol_at) = (IpNumber(next), start);
                start += (usize::from(units) + 1) * 8;
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest).map_err(|_| DropReason::Malformed)?;
                (protocol, protocol_at) = (header.next_header(), start);
                start += Ipv6FragmentHeader::LEN;
                // An atomic fragment is a packet by itself (RFC 6946).
                if header.is_fragmenting_payload() {
                    fragment = Some(Fragment {
                        id: header.identification(),
                        offset: usize::from(header.fragment_offset().value()) * 8,
                        more: header.more_fragments(),
                    });
                    break;
                }
            }
            _ => break,
        }
        if walked == MAX_EXTENSIONS {
            return Err(DropReason::Malformed);
        }
    }
    if start > end {
        return Err(DropReason::Malformed);
    }
    Ok(Parsed {
        path: Path::V6 { src: header.source_addr(), dst: header.destination_addr() },
        protocol,
        protocol_at,
        hop_limit: header.hop_limit(),
        payload: start..end,
        fragment,
    })
}

/// A packet to be built: its payload is `head` followed by `body`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) path: Path,
    pub(super) protocol: IpNumber,
    pub(super) hop_limit: u8,
    pub(super) head: &'a [u8],
    pub(super) body: &'a [u8],
}

impl Outgoing<'_> {
    /// Length of the packet if it goes out whole, in bytes.
    pub(super) fn len(&self) -> usize {
        self.path.header_len() + self.head.len() + self.body.len()
    }

    /// How many packets this is on a link of that MTU.
    pub(super) fn pieces(&self, mtu: usize) -> usize {
        if self.len() <= mtu {
            return 1;
        }
        (self.head.len() + self.body.len()).div_ceil(self.room(mtu))
    }

    /// The payload of all fragments but the last, in bytes: a multiple of eight.
    fn room(&self, mtu: usize) -> usize {
        (mtu.saturating_sub(self.fragment_headers()) / 8).max(1) * 8
    }

    /// Length of the headers in front of a fragment, in bytes.
    fn fragment_headers(&self) -> usize {
        if self.path.is_v4() { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN + Ipv6FragmentHeader::LEN }
    }

    /// Builds the packet, or its fragments where it is larger than `mtu` (RFC 791, RFC 8200 section 4.5).
    ///
    /// `id` is used for fragments only: a whole packet is atomic (RFC 6864) and needs no identification.
    pub(super) fn build(&self, mtu: usize, id: u32, mut emit: impl FnMut(Bytes)) {
        if self.len() <= mtu {
            let mut packet = Vec::with_capacity(self.len());
            self.write_header(&mut packet, self.head.len() + self.body.len(), None);
            packet.extend_from_slice(self.head);
            packet.extend_from_slice(self.body);
            return emit(packet.into());
        }
        let (total, room) = (self.head.len() + self.body.len(), self.room(mtu));
        for offset in (0..total).step_by(room) {
            let end = total.min(offset + room);
            let fragment = Fragment { id, offset, more: end < total };
            let mut packet = Vec::with_capacity(self.fragment_headers() + end - offset);
            self.write_header(&mut packet, end - offset, Some(fragment));
            let head = self.head.len();
            packet.extend_from_slice(&self.head[offset.min(head)..end.min(head)]);
            packet.extend_from_slice(&self.body[offset.saturating_sub(head)..end.saturating_sub(head)]);
            emit(packet.into());
        }
    }

    /// `payload_len` must leave the packet within [`MAX_LEN`].
    fn write_header(&self, packet: &mut Vec<u8>, payload_len: usize, fragment: Option<Fragment>) {
        debug_assert!(payload_len <= MAX_LEN, "the payload fits the length field");
        match self.path {
            Path::V4 { src, dst } => {
                let mut header = Ipv4Header {
                    total_len: (Ipv4Header::MIN_LEN + payload_len) as u16,
                    // Linux's default, path MTU discovery, asks routers not to fragment what went out whole.
                    dont_fragment: fragment.is_none(),
                    time_to_live: self.hop_limit,
                    protocol: self.protocol,
                    source: src.octets(),
                    destination: dst.octets(),
                    ..Default::default()
                };
                if let Some(fragment) = fragment {
                    header.identification = fragment.id as u16;
                    header.more_fragments = fragment.more;
                    header.fragment_offset = in_units(fragment.offset);
                }
                header.header_checksum = header.calc_header_checksum();
                packet.extend_from_slice(&header.to_bytes());
            }
            Path::V6 { src, dst } => {
                let extra = if fragment.is_some() { Ipv6FragmentHeader::LEN } else { 0 };
                let header = Ipv6Header {
                    payload_length: (payload_len + extra) as u16,
                    next_header: if fragment.is_some() {
                        IpNumber::IPV6_FRAGMENTATION_HEADER
                    } else {
                        self.protocol
                    },
                    hop_limit: self.hop_limit,
                    source: src.octets(),
                    destination: dst.octets(),
                    ..Default::default()
                };
                packet.extend_from_slice(&header.to_bytes());
                if let Some(Fragment { id, offset, more }) = fragment {
                    let header = Ipv6FragmentHeader::new(self.protocol, in_units(offset), more, id);
                    packet.extend_from_slice(&header.to_bytes());
                }
            }
        }
    }
}

/// The header of the packet whose first fragment was `first`, with room for its `len` bytes of payload.
pub(super) fn whole(first: &Parsed, len: usize) -> Vec<u8> {
    let out = Outgoing {
        path: first.path,
        protocol: first.protocol,
        hop_limit: first.hop_limit,
        head: &[],
        body: &[],
    };
    let mut packet = Vec::with_capacity(first.path.header_len() + len);
    out.write_header(&mut packet, len, None);
    packet
}

/// A fragment offset in its field's units of eight bytes.
fn in_units(offset: usize) -> IpFragOffset {
    u16::try_from(offset / 8).ok().and_then(|units| IpFragOffset::try_new(units).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
