//! What a packet's headers say of its class and flow.

use std::net::SocketAddr;

use etherparse::{IpNumber, LaxIpSlice, TcpSlice, UdpHeaderSlice};

use super::Class;

/// A flow, the same for both directions: the protocol and the two ends in ascending order.
pub(super) type FlowKey = (u8, SocketAddr, SocketAddr);

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) class: Class,
    pub(super) flow: Option<FlowKey>,
    /// Of a TCP segment.
    pub(super) segment: Option<Segment>,
}

/// Where a TCP segment lies in its direction's sequence space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) seq: u32,
    /// Bytes of data.
    pub(super) len: u32,
}

impl Seen {
    fn of(class: Class) -> Seen {
        Seen { class, flow: None, segment: None }
    }
}

/// Reads a packet's headers.
///
/// What is neither TCP, UDP, ICMP nor a fragment, or is too damaged to tell, is a message that stands for itself:
/// a datagram without a flow. IGMP goes with ICMP, as its successor in IPv6 does (RFC 3810).
pub(super) fn read(packet: &[u8]) -> Seen {
    let Ok((ip, _)) = LaxIpSlice::from_slice(packet) else {
        return Seen::of(Class::Datagram);
    };
    let payload = ip.payload();
    let protocol = payload.ip_number;
    if payload.fragmented {
        let first = is_first_fragment(&ip);
        let ports = payload.payload.first_chunk::<4>().filter(|_| first);
        return Seen {
            flow: match (protocol, ports) {
                (IpNumber::TCP | IpNumber::UDP, Some(&[a, b, c, d])) => {
                    Some(flow_key(&ip, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
                }
                _ => None,
            },
            ..Seen::of(Class::Fragment)
        };
    }
    match protocol {
        IpNumber::UDP => Seen {
            flow: UdpHeaderSlice::from_slice(payload.payload)
                .ok()
                .map(|udp| flow_key(&ip, udp.source_port(), udp.destination_port())),
            ..Seen::of(Class::Datagram)
        },
        IpNumber::TCP => match TcpSlice::from_slice(payload.payload) {
            Ok(tcp) => segment(&ip, &tcp),
            Err(_) => Seen::of(Class::Datagram),
        },
        IpNumber::ICMP | IpNumber::IPV6_ICMP | IpNumber::IGMP => Seen::of(Class::Icmp),
        _ => Seen::of(Class::Datagram),
    }
}

fn segment(ip: &LaxIpSlice<'_>, tcp: &TcpSlice<'_>) -> Seen {
    // A segment is far below 4 GiB: an IP packet is.
    let len = tcp.payload().len() as u32;
    let class = if tcp.syn() {
        Class::Syn
    } else if tcp.rst() {
        Class::Rst
    } else if len > 0 {
        Class::Data
    } else if tcp.fin() {
        Class::Fin
    } else {
        Class::Ack
    };
    Seen {
        class,
        flow: Some(flow_key(ip, tcp.source_port(), tcp.destination_port())),
        segment: Some(Segment { seq: tcp.sequence_number(), len }),
    }
}

fn flow_key(ip: &LaxIpSlice<'_>, source_port: u16, destination_port: u16) -> FlowKey {
    let source = SocketAddr::new(ip.source_addr(), source_port);
    let destination = SocketAddr::new(ip.destination_addr(), destination_port);
    (ip.payload().ip_number.0, source.min(destination), source.max(destination))
}

/// Whether the piece is the one that carries the transport header.
fn is_first_fragment(ip: &LaxIpSlice<'_>) -> bool {
    match ip {
        LaxIpSlice::Ipv4(v4) => v4.header().fragments_offset().value() == 0,
        // No further than the first fragment header: behind it a header may be cut short, and etherparse 0.21 steps into
        // such a one of a leniently read packet without looking at its length.
        LaxIpSlice::Ipv6(v6) => v6
            .extensions()
            .clone()
            .into_iter()
            .find_map(|extension| match extension {
                etherparse::Ipv6ExtensionSlice::Fragment(header) => {
                    Some(header.fragment_offset().value() == 0)
                }
                _ => None,
            })
            .unwrap_or(false),
    }
}
