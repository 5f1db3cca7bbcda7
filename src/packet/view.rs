//! A packet read back from its bytes: addresses and what the IP packet carries.
//!
//! For checks, diagrams and the text of a trace. Checksums are not verified: a damaged packet is shown as it
//! is, as long as its lengths still make sense.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::{Fragment, IcmpMessage, Strictness, TcpFlags, TcpSegment, UdpDatagram, icmp, parse, protocol};

/// A whole IP packet, read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
        /// The options; [`tcp_options`](super::tcp_options) reads them.
        options: Bytes,
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

impl PacketView {
    /// Reads a whole IP packet; `None` where it is none, or its lengths contradict each other.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use faultwire::packet::{PacketView, Transport};
    ///
    /// let ping = b"\x45\0\0\x1c\0\0\0\0\x40\x01\0\0\x0a\0\0\x01\x0a\0\0\x02\x08\0\xf7\xff\0\0\0\0";
    /// let packet = PacketView::parse(&Bytes::from_static(ping)).expect("a packet");
    /// assert_eq!((packet.from.to_string(), packet.ttl), ("10.0.0.1".to_owned(), 64));
    /// assert!(matches!(packet.transport, Transport::Icmp { .. }));
    /// assert_eq!(PacketView::parse(&Bytes::from_static(b"not a packet")), None);
    /// ```
    pub fn parse(bytes: &Bytes) -> Option<PacketView> {
        let ip = parse(bytes, Strictness::Lengths).ok()?;
        let header_len = ip.payload.start;
        let payload = bytes.slice(ip.payload);
        let transport = match ip.fragment {
            Some(Fragment { id, offset, more }) => {
                // The field has 16 bits.
                Transport::Fragment { id, offset: offset as u32, more, protocol: ip.protocol, payload }
            }
            None => Transport::parse(ip.protocol, payload),
        };
        Some(PacketView { from: ip.path.src(), to: ip.path.dst(), ttl: ip.hop_limit, header_len, transport })
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
    fn parse(protocol: u8, payload: Bytes) -> Transport {
        let read = match protocol {
            protocol::UDP => UdpDatagram::read(&payload).map(|udp| Transport::Udp {
                src: udp.src,
                dst: udp.dst,
                payload: payload.slice_ref(udp.payload),
            }),
            protocol::TCP => TcpSegment::read(&payload).map(|tcp| Transport::Tcp {
                src: tcp.src,
                dst: tcp.dst,
                seq: tcp.seq,
                ack: tcp.ack,
                flags: tcp.flags,
                window: tcp.window,
                options: payload.slice_ref(tcp.options),
                payload: payload.slice_ref(tcp.payload),
            }),
            protocol::ICMP | protocol::ICMPV6 => IcmpMessage::read(&payload, protocol == protocol::ICMPV6)
                .map(|message| Transport::Icmp { message, payload: payload.slice(icmp::HEADER_LEN..) }),
            _ => None,
        };
        read.unwrap_or(Transport::Other { protocol, payload })
    }
}

#[cfg(test)]
mod tests;
