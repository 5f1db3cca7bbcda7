//! Packets as bytes: one reader and one writer of IP, TCP, UDP and ICMP.
//!
//! [`parse`] reads the IP headers, as strictly as its caller asks for ([`Strictness`]). [`TcpSegment`],
//! [`UdpDatagram`] and [`IcmpMessage`] read what follows them, [`PacketView`] reads all of a packet, and
//! [`parts`] says where the parts lie. [`Outgoing`] writes packets, in fragments where they exceed the MTU.

mod change;
mod damage;
pub(crate) mod icmp;
mod ip;
mod reject;
mod tcp;
mod udp;
mod view;
mod write;

use std::ops::Range;

pub(crate) use change::{changed, flip};
pub(crate) use damage::wrong_checksum;
pub use icmp::IcmpMessage;
pub use ip::{Fragment, Parsed, Path, Strictness, checksum, parse};
pub use reject::rejected;
pub(crate) use tcp::TCP_LEN;
pub use tcp::{TcpFlags, TcpSegment, max_segment_size, tcp_options};
pub(crate) use udp::UDP_LEN;
pub(crate) use udp::udp_header;
pub use udp::{UdpDatagram, datagram};
pub use view::{PacketView, Transport};
pub use write::Outgoing;
pub(crate) use write::reassembled;

/// Largest IPv4 packet, and largest payload of an IPv6 packet, in bytes.
pub(crate) const LEN_MAX: usize = 65_535;

/// Protocol numbers, which are also IPv6's next header values (IANA's registry).
pub mod protocol {
    /// IPv6 hop-by-hop options (RFC 8200, section 4.3).
    pub(crate) const HOP_BY_HOP: u8 = 0;
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// IGMP (RFC 1112).
    pub const IGMP: u8 = 2;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// The IPv6 routing header (RFC 8200, section 4.4).
    pub(crate) const ROUTING: u8 = 43;
    /// The IPv6 fragment header (RFC 8200, section 4.5).
    pub(crate) const FRAGMENT: u8 = 44;
    /// The authentication header (RFC 4302).
    pub(crate) const AUTHENTICATION: u8 = 51;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// Nothing follows the IPv6 headers (RFC 8200, section 4.7).
    pub(crate) const NO_NEXT_HEADER: u8 = 59;
    /// IPv6 destination options (RFC 8200, section 4.6).
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
}

/// Where a packet's IP header, transport header and payload lie, in bytes from its start.
///
/// IPv6 extension headers are part of the IP header. A part that the packet does not have is empty: only the
/// first fragment has a transport header. What is no IP packet is all IP header.
pub fn parts(packet: &[u8]) -> [Range<usize>; 3] {
    let Ok(ip) = parse(packet, Strictness::Lengths) else {
        return [0..packet.len(), packet.len()..packet.len(), packet.len()..packet.len()];
    };
    let Range { start, end } = ip.payload;
    let body = &packet[start..end];
    let header_len = match ip.protocol {
        _ if ip.fragment.is_some_and(|fragment| fragment.offset != 0) => 0,
        protocol::UDP | protocol::ICMP | protocol::ICMPV6 => 8.min(body.len()),
        protocol::TCP => TcpSegment::read(body).map_or(0, |segment| body.len() - segment.payload.len()),
        _ => 0,
    };
    [0..start, start..start + header_len, start + header_len..end]
}

/// Source and destination port, from the beginning of a UDP or TCP header.
pub(crate) fn ports(transport: &[u8]) -> Option<(u16, u16)> {
    transport.first_chunk::<4>().map(|head| (be16(head, 0), be16(head, 2)))
}

/// The 16-bit number at a place in a header that holds it.
fn be16<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

/// The 32-bit number at a place in a header that holds it.
fn be32<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from(be16(header, at)) << 16 | u32::from(be16(header, at + 2))
}

#[cfg(test)]
mod tests;
