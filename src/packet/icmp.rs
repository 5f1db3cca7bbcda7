//! ICMP and ICMPv6 messages (RFC 792, RFC 4443) as bytes.

use super::{Path, be16, be32};

/// Length of an ICMP header, in bytes.
pub(crate) const HEADER_LEN: usize = 8;
/// An error's IPv4 packet is no longer (RFC 1812, section 4.3.2.3).
const MAX_ERROR_V4: usize = 576;
/// An error's IPv6 packet is no longer (RFC 4443, section 2.4 c).
const MAX_ERROR_V6: usize = 1_280;

/// How many bytes of a packet an error over `path` quotes at most.
pub(crate) fn quoted_max(path: &Path) -> usize {
    let most = if path.is_v4() { MAX_ERROR_V4 } else { MAX_ERROR_V6 };
    most - path.header_len() - HEADER_LEN
}

/// Types of ICMP (RFC 792), and codes.
pub(crate) mod v4 {
    /// Echo reply.
    pub(crate) const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub(crate) const DESTINATION_UNREACHABLE: u8 = 3;
    /// Code of [`DESTINATION_UNREACHABLE`]: the protocol.
    pub(crate) const PROTOCOL_UNREACHABLE: u8 = 2;
    /// Code of [`DESTINATION_UNREACHABLE`]: the port.
    pub(crate) const PORT_UNREACHABLE: u8 = 3;
    /// Echo request.
    pub(crate) const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub(crate) const TIME_EXCEEDED: u8 = 11;
    /// Code of [`TIME_EXCEEDED`]: not all fragments came in time.
    pub(crate) const REASSEMBLY_TIME_EXCEEDED: u8 = 1;
    /// Parameter problem.
    pub(crate) const PARAMETER_PROBLEM: u8 = 12;
}

/// Types of ICMPv6 (RFC 4443), and codes.
pub(crate) mod v6 {
    /// Destination unreachable.
    pub(crate) const DESTINATION_UNREACHABLE: u8 = 1;
    /// Code of [`DESTINATION_UNREACHABLE`]: the port.
    pub(crate) const PORT_UNREACHABLE: u8 = 4;
    /// Packet too big.
    pub(crate) const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub(crate) const TIME_EXCEEDED: u8 = 3;
    /// Code of [`TIME_EXCEEDED`]: not all fragments came in time.
    pub(crate) const REASSEMBLY_TIME_EXCEEDED: u8 = 1;
    /// Parameter problem.
    pub(crate) const PARAMETER_PROBLEM: u8 = 4;
    /// Code of [`PARAMETER_PROBLEM`]: a next header that the host does not know.
    pub(crate) const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
    /// Echo request.
    pub(crate) const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub(crate) const ECHO_REPLY: u8 = 129;
}

/// What an ICMP message says, IPv4's and IPv6's alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IcmpMessage {
    /// No socket has the port.
    PortUnreachable,
    /// The host cannot be reached.
    HostUnreachable,
    /// The network cannot be reached.
    NetUnreachable,
    /// The packet is larger than the next link's MTU, in bytes, and may not be fragmented.
    TooBig(u32),
    /// The time to live came to its end, or fragments did not come together in time.
    TimeExceeded,
    /// An echo request.
    EchoRequest {
        /// Its identifier.
        id: u16,
        /// Its sequence number.
        seq: u16,
    },
    /// An echo reply.
    EchoReply {
        /// The request's identifier.
        id: u16,
        /// The request's sequence number.
        seq: u16,
    },
    /// Another one.
    Other {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
    },
}

impl IcmpMessage {
    /// Reads a message's header (8 bytes), ICMPv6's if it `is_v6`.
    pub fn read(bytes: &[u8], is_v6: bool) -> Option<IcmpMessage> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let (kind, code) = (header[0], header[1]);
        let (id, seq) = (be16(header, 4), be16(header, 6));
        // Codes: RFC 792; RFC 1191, section 4, for the MTU; RFC 4443, sections 3 and 4, for ICMPv6.
        Some(match (is_v6, kind, code) {
            (false, v4::DESTINATION_UNREACHABLE, 0) | (true, v6::DESTINATION_UNREACHABLE, 0) => {
                IcmpMessage::NetUnreachable
            }
            (false, v4::DESTINATION_UNREACHABLE, 1) | (true, v6::DESTINATION_UNREACHABLE, 3) => {
                IcmpMessage::HostUnreachable
            }
            (false, v4::DESTINATION_UNREACHABLE, v4::PORT_UNREACHABLE)
            | (true, v6::DESTINATION_UNREACHABLE, v6::PORT_UNREACHABLE) => IcmpMessage::PortUnreachable,
            (false, v4::DESTINATION_UNREACHABLE, 4) => IcmpMessage::TooBig(seq.into()),
            (true, v6::PACKET_TOO_BIG, _) => IcmpMessage::TooBig(be32(header, 4)),
            (false, v4::TIME_EXCEEDED, _) | (true, v6::TIME_EXCEEDED, _) => IcmpMessage::TimeExceeded,
            (false, v4::ECHO_REQUEST, 0) | (true, v6::ECHO_REQUEST, 0) => {
                IcmpMessage::EchoRequest { id, seq }
            }
            (false, v4::ECHO_REPLY, 0) | (true, v6::ECHO_REPLY, 0) => IcmpMessage::EchoReply { id, seq },
            _ => IcmpMessage::Other { kind, code },
        })
    }
}

/// The header of a message, with the checksum: type and code, then the word that the type gives a meaning.
pub(crate) fn header(path: &Path, [kind, code]: [u8; 2], word: [u8; 4], body: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = [kind, code, 0, 0, word[0], word[1], word[2], word[3]];
    let sum = path.checksum(path.icmp(), &[&header, body]);
    header[2..4].copy_from_slice(&sum.to_be_bytes());
    header
}
