//! A packet read back from its bytes: addresses and what the IP packet carries.
//!
//! For checks, diagrams and the trace's text. Checksums are not verified: a damaged packet is shown as it is, as long
//! as its lengths still make sense.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use etherparse::{IpNumber, IpSlice, Ipv6ExtensionSlice, TcpSlice, UdpSlice};

/// A whole IP packet, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketView {
    /// The source address.
    pub from: IpAddr,
    /// The destination address.
    pub to: IpAddr,
    /// IPv4's time to live, IPv6's hop limit.
    pub ttl: u8,
    /// The length of the IP header with its options and extension headers, in bytes.
    pub header_len: usize,
    /// What it carries.
    pub transport: Transport,
}

/// What an IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A whole UDP datagram (RFC 768).
    Udp {
        /// The source port.
        src: u16,
        /// The destination port.
        dst: u16,
        /// The data.
        payload: Bytes,
    },
    /// A piece of a larger packet (RFC 791 3.2, RFC 8200 4.5).
    Fragment {
        /// The identification that the pieces share.
        id: u32,
        /// Where the piece belongs, in bytes from the start of the whole payload.
        offset: u32,
        /// Whether others follow.
        more: bool,
        /// The protocol number of the whole.
        protocol: u8,
        /// The piece.
        payload: Bytes,
    },
    /// An ICMP or ICMPv6 message (RFC 792, RFC 4443).
    Icmp {
        /// What it says.
        message: IcmpMessage,
        /// What follows its first eight bytes: of an error the packet it is about, of an echo the data.
        payload: Bytes,
    },
    /// A TCP segment (RFC 9293 3.1).
    Tcp {
        /// The source port.
        src: u16,
        /// The destination port.
        dst: u16,
        /// The sequence number of its first byte (of its SYN, if it has one).
        seq: u32,
        /// The next sequence number that its sender expects; says nothing without the ACK flag.
        ack: u32,
        /// The control bits.
        flags: TcpFlags,
        /// The window on offer, unscaled.
        window: u16,
        /// The data.
        payload: Bytes,
    },
    /// Anything else, and what is too short or too odd to be what its protocol number says.
    Other {
        /// The protocol number.
        protocol: u8,
        /// The IP payload.
        payload: Bytes,
    },
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

/// The control bits of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgement counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: TcpFlags) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl std::fmt::Display for TcpFlags {
    /// `SYN+ACK`; `-` where none is set.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [(TcpFlags, &str); 6] = [
            (TcpFlags::SYN, "SYN"),
            (TcpFlags::FIN, "FIN"),
            (TcpFlags::RST, "RST"),
            (TcpFlags::PSH, "PSH"),
            (TcpFlags::URG, "URG"),
            (TcpFlags::ACK, "ACK"),
        ];
        let mut first = true;
        for (flag, name) in NAMES {
            if self.has(flag) {
                f.write_str(if first { "" } else { "+" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}

impl PacketView {
    /// Reads a whole IP packet; `None` where it is none, or its lengths contradict each other.
    pub fn parse(bytes: &Bytes) -> Option<PacketView> {
        let ip = IpSlice::from_slice(bytes).ok()?;
        let carried = ip.payload();
        let payload = bytes.slice_ref(carried.payload);
        let header_len = (carried.payload.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
        let (ttl, fragment) = match &ip {
            IpSlice::Ipv4(v4) => {
                let header = v4.header();
                let piece = (
                    u32::from(header.identification()),
                    u32::from(header.fragments_offset().value()) * 8,
                    header.more_fragments(),
                );
                (header.ttl(), carried.fragmented.then_some(piece))
            }
            IpSlice::Ipv6(v6) => {
                let piece = v6.extensions().clone().into_iter().find_map(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(header) => Some((
                        header.identification(),
                        u32::from(header.fragment_offset().value()) * 8,
                        header.more_fragments(),
                    )),
                    _ => None,
                });
                (v6.header().hop_limit(), piece.filter(|_| carried.fragmented))
            }
        };
        let transport = match fragment {
            Some((id, offset, more)) => {
                Transport::Fragment { id, offset, more, protocol: carried.ip_number.0, payload }
            }
            None => Transport::parse(carried.ip_number, payload),
        };
        Some(PacketView { from: ip.source_addr(), to: ip.destination_addr(), ttl, header_len, transport })
    }

    /// The source address with its port, of UDP and TCP.
    pub fn source(&self) -> Option<SocketAddr> {
        self.ports().map(|(src, _)| SocketAddr::new(self.from, src))
    }

    /// The destination address with its port, of UDP and TCP.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.ports().map(|(_, dst)| SocketAddr::new(self.to, dst))
    }

    fn ports(&self) -> Option<(u16, u16)> {
        match self.transport {
            Transport::Udp { src, dst, .. } | Transport::Tcp { src, dst, .. } => Some((src, dst)),
            _ => None,
        }
    }

    /// The data of a UDP datagram.
    pub fn udp_payload(&self) -> Option<&Bytes> {
        match &self.transport {
            Transport::Udp { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// What an ICMP message says.
    pub fn icmp(&self) -> Option<IcmpMessage> {
        match self.transport {
            Transport::Icmp { message, .. } => Some(message),
            _ => None,
        }
    }
}

impl Transport {
    /// Reads an IP payload.
    fn parse(protocol: IpNumber, payload: Bytes) -> Transport {
        let read = match protocol {
            IpNumber::UDP => Transport::udp(&payload),
            IpNumber::TCP => Transport::tcp(&payload),
            IpNumber::ICMP | IpNumber::IPV6_ICMP => Transport::icmp(protocol, &payload),
            _ => None,
        };
        read.unwrap_or(Transport::Other { protocol: protocol.0, payload })
    }

    fn udp(bytes: &Bytes) -> Option<Transport> {
        let udp = UdpSlice::from_slice(bytes).ok()?;
        Some(Transport::Udp {
            src: udp.source_port(),
            dst: udp.destination_port(),
            payload: bytes.slice_ref(udp.payload()),
        })
    }

    fn tcp(bytes: &Bytes) -> Option<Transport> {
        let tcp = TcpSlice::from_slice(bytes).ok()?;
        Some(Transport::Tcp {
            src: tcp.source_port(),
            dst: tcp.destination_port(),
            seq: tcp.sequence_number(),
            ack: tcp.acknowledgment_number(),
            // Byte 13 of the header holds the control bits; the two highest are ECN's (RFC 9293 3.1, RFC 3168).
            flags: TcpFlags(bytes.get(13).copied()? & 0x3f),
            window: tcp.window_size(),
            payload: bytes.slice_ref(tcp.payload()),
        })
    }

    fn icmp(protocol: IpNumber, bytes: &Bytes) -> Option<Transport> {
        let head = *bytes.first_chunk::<8>()?;
        let (kind, code) = (head[0], head[1]);
        let (high, low) = (u16::from_be_bytes([head[4], head[5]]), u16::from_be_bytes([head[6], head[7]]));
        // Types and codes: RFC 792; RFC 1191 4 for the MTU; RFC 4443 3 and 4 for ICMPv6.
        let message = match (protocol == IpNumber::ICMP, kind, code) {
            (true, 3, 0) | (false, 1, 0) => IcmpMessage::NetUnreachable,
            (true, 3, 1) | (false, 1, 3) => IcmpMessage::HostUnreachable,
            (true, 3, 3) | (false, 1, 4) => IcmpMessage::PortUnreachable,
            (true, 3, 4) => IcmpMessage::TooBig(u32::from(low)),
            (false, 2, _) => IcmpMessage::TooBig(u32::from(high) << 16 | u32::from(low)),
            (true, 11, _) | (false, 3, _) => IcmpMessage::TimeExceeded,
            (true, 8, 0) | (false, 128, 0) => IcmpMessage::EchoRequest { id: high, seq: low },
            (true, 0, 0) | (false, 129, 0) => IcmpMessage::EchoReply { id: high, seq: low },
            _ => IcmpMessage::Other { kind, code },
        };
        Some(Transport::Icmp { message, payload: bytes.slice(8..) })
    }
}

#[cfg(test)]
mod tests;
