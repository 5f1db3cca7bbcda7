//! What the network tells the sender of a packet that it refuses.

use bytes::Bytes;

use super::icmp::{self, quoted_max, v4, v6};
use super::{Outgoing, Path, Strictness, TcpFlags, TcpSegment, parse, protocol};
use crate::model::Rejection;

/// The hop limit of an answer.
const HOP_LIMIT: u8 = 64;

/// The answer to a packet; `None` where none is sent to such a packet. It seems to come from where the packet
/// was going.
pub fn rejected(packet: &[u8], rejection: Rejection) -> Option<Bytes> {
    let ip = parse(packet, Strictness::Lengths).ok()?;
    let is_later = ip.fragment.is_some_and(|fragment| fragment.offset != 0);
    if ip.path.is_for_all() || is_later {
        return None;
    }
    let (path, body) = (ip.path.reversed(), &packet[ip.payload.clone()]);
    if rejection == Rejection::TcpReset {
        return if ip.protocol == protocol::TCP { reset(path, body) } else { None };
    }
    // The messages of ICMP that are no errors: an error is not answered.
    let is_error = match body.first() {
        Some(kind) if ip.protocol == protocol::ICMP => {
            matches!(*kind, v4::DESTINATION_UNREACHABLE | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM | 4 | 5)
        }
        Some(kind) if ip.protocol == protocol::ICMPV6 => *kind < v6::ECHO_REQUEST,
        _ => false,
    };
    if is_error {
        return None;
    }
    let (kind, code, word) = message(&path, rejection)?;
    let whole = &packet[..ip.payload.end];
    let quoted = &whole[..whole.len().min(quoted_max(&path))];
    let head = icmp::header(&path, [kind, code], word.to_be_bytes(), quoted);
    Some(Outgoing { path, protocol: path.icmp(), hop_limit: HOP_LIMIT, head: &head, body: quoted }.whole())
}

/// Type, code and second word (RFC 792; RFC 1191, section 4; RFC 1812, section 5.2.7.1; RFC 4443).
fn message(path: &Path, rejection: Rejection) -> Option<(u8, u8, u32)> {
    let (in_v4, in_v6) = match rejection {
        Rejection::TcpReset => return None,
        Rejection::NetUnreachable => {
            ((v4::DESTINATION_UNREACHABLE, 0, 0), (v6::DESTINATION_UNREACHABLE, 0, 0))
        }
        Rejection::HostUnreachable => {
            ((v4::DESTINATION_UNREACHABLE, 1, 0), (v6::DESTINATION_UNREACHABLE, 3, 0))
        }
        Rejection::PortUnreachable => (
            (v4::DESTINATION_UNREACHABLE, v4::PORT_UNREACHABLE, 0),
            (v6::DESTINATION_UNREACHABLE, v6::PORT_UNREACHABLE, 0),
        ),
        Rejection::AdminProhibited => {
            ((v4::DESTINATION_UNREACHABLE, 13, 0), (v6::DESTINATION_UNREACHABLE, 1, 0))
        }
        Rejection::TooBig(mtu) => {
            ((v4::DESTINATION_UNREACHABLE, 4, mtu.into()), (v6::PACKET_TOO_BIG, 0, mtu.into()))
        }
        Rejection::TimeExceeded => ((v4::TIME_EXCEEDED, 0, 0), (v6::TIME_EXCEEDED, 0, 0)),
    };
    Some(if path.is_v4() { in_v4 } else { in_v6 })
}

/// The reset that answers a segment of no connection (RFC 9293, section 3.10.7.1).
fn reset(path: Path, segment: &[u8]) -> Option<Bytes> {
    let segment = TcpSegment::read(segment).filter(|it| !it.flags.has(TcpFlags::RST))?;
    let (seq, ack, flags) = if segment.flags.has(TcpFlags::ACK) {
        (segment.ack, 0, TcpFlags::RST)
    } else {
        let numbers = [TcpFlags::SYN, TcpFlags::FIN].map(|flag| u32::from(segment.flags.has(flag)));
        let len = u32::try_from(segment.payload.len()).ok()? + numbers[0] + numbers[1];
        (0, segment.seq.wrapping_add(len), TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0))
    };
    let (src, dst) = (segment.dst, segment.src);
    let answer = TcpSegment { src, dst, seq, ack, flags, window: 0, options: &[], payload: &[] };
    Some(answer.packet(path, HOP_LIMIT))
}

#[cfg(test)]
mod tests;
