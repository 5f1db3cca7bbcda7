//! The IP packets that stand for real datagrams.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::packet::{Strictness, UdpDatagram, datagram, parse, protocol};

/// The hop limit that hosts give their packets (RFC 1700's recommended default).
const HOPS: u8 = 64;

/// The packet that carries a datagram; `None` where the families differ or it is longer than a packet can be.
pub(super) fn wrap(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Option<Bytes> {
    datagram(from, to, HOPS, data)
}

/// The datagram in a packet: from, to, payload. `None` where a host would throw the packet away: it is no
/// whole IP packet with a UDP datagram in it, or a checksum is wrong.
pub(super) fn unwrap(packet: &Bytes) -> Option<(SocketAddr, SocketAddr, Bytes)> {
    let ip = parse(packet, Strictness::Full).ok()?;
    // Fragments are not made here: what looks like one was damaged, and the rest would never come.
    if ip.fragment.is_some() || ip.protocol != protocol::UDP {
        return None;
    }
    let udp = UdpDatagram::read(&packet[ip.payload])?;
    let ends = (SocketAddr::new(ip.path.src(), udp.src), SocketAddr::new(ip.path.dst(), udp.dst));
    udp.is_sound(&ip.path).then(|| (ends.0, ends.1, packet.slice_ref(udp.payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(v6: bool) -> (SocketAddr, SocketAddr) {
        let [from, to] =
            if v6 { ["[::1]:5000", "[fd00::2]:7000"] } else { ["127.0.0.1:5000", "10.0.0.2:7000"] };
        (from.parse().expect("an address"), to.parse().expect("an address"))
    }

    #[test]
    fn a_datagram_survives_its_packet_whatever_its_length() {
        for v6 in [false, true] {
            let (from, to) = addrs(v6);
            for len in [0, 1, 2, 99, 1_472, 65_507] {
                let data: Vec<u8> = (0..len).map(|n: u32| (n * 7) as u8).collect();
                let packet = wrap(from, to, &data).expect("it fits");
                assert_eq!(unwrap(&packet), Some((from, to, data.into())));
            }
        }
        let (v4, v6) = (addrs(false).0, addrs(true).1);
        assert_eq!(wrap(v4, v6, b"x"), None);
        assert_eq!(wrap(v4, addrs(false).1, &[0; 65_508]), None);
    }

    #[test]
    fn a_flipped_bit_never_changes_what_is_handed_on() {
        for v6 in [false, true] {
            let (from, to) = addrs(v6);
            let packet = wrap(from, to, b"some payload").expect("it fits");
            let mut passed = Vec::new();
            for bit in 0..packet.len() * 8 {
                let mut altered = packet.to_vec();
                altered[bit / 8] ^= 0x80 >> (bit % 8);
                if let Some(got) = unwrap(&altered.into()) {
                    assert_eq!(got, (from, to, Bytes::from_static(b"some payload")), "bit {bit}");
                    passed.push(bit);
                }
            }
            // IPv6 has no header checksum: traffic class and flow label (bits 4 to 31) and hop limit (56 to
            // 63) are nobody's business at the far end.
            let free: Vec<usize> = (4..32).chain(56..64).filter(|_| v6).collect();
            assert_eq!(passed, free);
        }
    }
}
