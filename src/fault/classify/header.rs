//! What a packet's headers say of its class and flow.

use std::net::SocketAddr;

use super::Class;
use crate::packet::{Path, Strictness, TcpFlags, TcpSegment, UDP_LEN, parse, ports, protocol};

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
/// What is neither TCP, UDP, ICMP nor a fragment, or is too damaged to tell, is a message that stands for
/// itself: a datagram without a flow. IGMP goes with ICMP, as its successor in IPv6 does (RFC 3810).
pub(super) fn read(packet: &[u8]) -> Seen {
    let Ok(ip) = parse(packet, Strictness::Lenient) else {
        return Seen::of(Class::Datagram);
    };
    let payload = &packet[ip.payload];
    let flow = |ports| flow_key(&ip.path, ip.protocol, ports);
    if let Some(fragment) = ip.fragment {
        // The first one has the transport header.
        let has_ports = fragment.offset == 0 && matches!(ip.protocol, protocol::TCP | protocol::UDP);
        let ports = ports(payload).filter(|_| has_ports);
        return Seen { flow: ports.map(flow), ..Seen::of(Class::Fragment) };
    }
    match ip.protocol {
        protocol::UDP => {
            let ports = ports(payload).filter(|_| payload.len() >= UDP_LEN);
            Seen { flow: ports.map(flow), ..Seen::of(Class::Datagram) }
        }
        protocol::TCP => match TcpSegment::read(payload) {
            Some(tcp) => segment(flow((tcp.src, tcp.dst)), &tcp),
            None => Seen::of(Class::Datagram),
        },
        protocol::ICMP | protocol::ICMPV6 | protocol::IGMP => Seen::of(Class::Icmp),
        _ => Seen::of(Class::Datagram),
    }
}

fn segment(flow: FlowKey, tcp: &TcpSegment<'_>) -> Seen {
    // A segment is far below 4 GiB: an IP packet is.
    let len = tcp.payload.len() as u32;
    let class = if tcp.flags.has(TcpFlags::SYN) {
        Class::Syn
    } else if tcp.flags.has(TcpFlags::RST) {
        Class::Rst
    } else if len > 0 {
        Class::Data
    } else if tcp.flags.has(TcpFlags::FIN) {
        Class::Fin
    } else {
        Class::Ack
    };
    Seen { class, flow: Some(flow), segment: Some(Segment { seq: tcp.seq, len }) }
}

fn flow_key(path: &Path, protocol: u8, (src, dst): (u16, u16)) -> FlowKey {
    let source = SocketAddr::new(path.src(), src);
    let destination = SocketAddr::new(path.dst(), dst);
    (protocol, source.min(destination), source.max(destination))
}
