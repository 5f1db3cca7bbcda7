//! Where a packet's parts lie: IP header, transport header, payload. What the wire carries may be anything, so
//! nothing here trusts a length.

use std::ops::Range;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// The parts of a packet, in bytes from its start. A part that the packet does not have is empty.
///
/// Extension headers of IPv6 count as IP header (RFC 8200, section 4). A fragment but the first has no transport
/// header: all behind its IP header is payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// IP header, transport header, payload.
    pub(crate) ranges: [Range<usize>; 3],
    /// A bit whose flip would say that the datagram carries no checksum (RFC 768), which is another matter than
    /// damage: the one bit set in a UDP checksum that has only that.
    pub(crate) spare_bit: Option<usize>,
}

impl Parts {
    /// Finds the parts. What is no IP packet is all IP header.
    pub(crate) fn of(packet: &[u8]) -> Parts {
        let (header, end, protocol) = ip_header(packet);
        let body = packet.get(header..end).unwrap_or_default();
        let transport = header
            + match protocol {
                Some(UDP | ICMP | ICMPV6) => 8.min(body.len()),
                Some(TCP) => {
                    let words = body.get(12).map_or(5, |byte| usize::from(byte >> 4));
                    (words * 4).clamp(20, 60).min(body.len())
                }
                _ => 0,
            };
        let spare_bit = (protocol == Some(UDP)).then(|| one_bit(body.get(6..8)?, header + 6)).flatten();
        Parts { ranges: [0..header, header..transport, transport..end], spare_bit }
    }

    /// What follows the headers.
    pub(crate) fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.ranges[2].clone()).unwrap_or_default()
    }
}

/// The IP header's length, the packet's end, and the protocol whose header comes next, if one does.
fn ip_header(packet: &[u8]) -> (usize, usize, Option<u8>) {
    let whole = (packet.len(), packet.len(), None);
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 20 => {
            let header = usize::from(packet[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            if header < 20 || total < header || total > packet.len() {
                return whole;
            }
            let offset = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff;
            (header, total, (offset == 0).then_some(packet[9]))
        }
        Some(6) if packet.len() >= 40 => {
            let total = 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            if total > packet.len() {
                return whole;
            }
            let (mut header, mut next) = (40, packet[6]);
            loop {
                let extension = match (next, packet.get(header..total)) {
                    // Hop-by-hop options, routing, destination options: length in units of eight bytes, less one.
                    (0 | 43 | 60, Some([_, length, ..])) => 8 * (usize::from(*length) + 1),
                    (44, Some([_, _, high, low, ..])) => {
                        if u16::from_be_bytes([*high, *low]) & 0xfff8 != 0 {
                            return ((header + 8).min(total), total, None);
                        }
                        8
                    }
                    _ => return (header, total, Some(next)),
                };
                next = packet[header];
                header = (header + extension).min(total);
            }
        }
        _ => whole,
    }
}

/// The only bit that is set in two bytes that start at byte `at`.
fn one_bit(bytes: &[u8], at: usize) -> Option<usize> {
    let value = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    (value.count_ones() == 1).then(|| at * 8 + value.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;

    fn built(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    }

    #[test]
    fn the_parts_of_a_datagram() {
        let v4 = built(|to| {
            let packet = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1, 2);
            packet.write(to, b"hello").unwrap();
        });
        assert_eq!(Parts::of(&v4).ranges, [0..20, 20..28, 28..33]);
        assert_eq!(Parts::of(&v4).payload(&v4), b"hello");
        let v6 = built(|to| {
            let packet = PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(1, 2);
            packet.write(to, b"").unwrap();
        });
        assert_eq!(Parts::of(&v6).ranges, [0..40, 40..48, 48..48]);
    }

    #[test]
    fn the_parts_of_a_segment_with_options() {
        let segment = built(|to| {
            let packet = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(1, 2, 3, 4)
                .options(&[etherparse::TcpOptionElement::MaximumSegmentSize(1460)])
                .unwrap();
            packet.write(to, b"abc").unwrap();
        });
        assert_eq!(Parts::of(&segment).ranges, [0..20, 20..44, 44..47]);
    }

    #[test]
    fn a_later_fragment_has_no_transport_header() {
        let mut v4 = vec![0; 40];
        v4[0] = 0x45;
        v4[3] = 40;
        v4[7] = 1;
        v4[9] = UDP;
        assert_eq!(Parts::of(&v4).ranges, [0..20, 20..20, 20..40]);
        let mut v6 = vec![0; 60];
        v6[0] = 0x60;
        v6[5] = 20;
        v6[6] = 44;
        v6[40] = UDP;
        assert_eq!(Parts::of(&v6).ranges, [0..48, 48..56, 56..60], "the first fragment has one");
        v6[43] = 8;
        assert_eq!(Parts::of(&v6).ranges, [0..48, 48..48, 48..60]);
    }

    #[test]
    fn a_checksum_of_one_bit_is_to_be_spared() {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[3] = 28;
        packet[9] = UDP;
        assert_eq!(Parts::of(&packet).spare_bit, None);
        packet[27] = 1;
        assert_eq!(Parts::of(&packet).spare_bit, Some(28 * 8 - 1));
        packet[26] = 1;
        assert_eq!(Parts::of(&packet).spare_bit, None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_parts_within_them(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), v4: bool) {
            if let Some(first) = bytes.first_mut() {
                *first = if v4 { 0x45 } else { 0x60 };
            }
            if let Some(length) = bytes.get_mut(if v4 { 2 } else { 4 }) {
                *length = 0;
            }
            let [ip, transport, payload] = Parts::of(&bytes).ranges;
            prop_assert_eq!(ip.start, 0);
            prop_assert_eq!(ip.end, transport.start);
            prop_assert_eq!(transport.end, payload.start);
            prop_assert!(transport.start <= transport.end && payload.start <= payload.end);
            prop_assert!(payload.end <= bytes.len());
        }
    }
}
