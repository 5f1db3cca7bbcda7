//! Whether a receiver can tell that a packet was damaged.

use super::{Strictness, UdpDatagram, parse, protocol};
use crate::model::DropReason;

/// Which checksum of a whole packet is wrong, if one is: the IPv4 header's, or that of the UDP datagram, TCP
/// segment or ICMP message in it. A fragment has only its header's.
pub(crate) fn wrong_checksum(packet: &[u8]) -> Option<DropReason> {
    let parsed = match parse(packet, Strictness::Full) {
        Ok(parsed) => parsed,
        Err(reason) => return (reason == DropReason::IpChecksum).then_some(reason),
    };
    if parsed.fragment.is_some() {
        return None;
    }
    let (path, payload) = (parsed.path, packet.get(parsed.payload)?);
    let is_wrong = match parsed.protocol {
        protocol::UDP => !UdpDatagram::read(payload)?.is_sound(&path),
        protocol::TCP => path.checksum(protocol::TCP, &[payload]) != 0,
        own if own == path.icmp() => path.checksum(own, &[payload]) != 0,
        _ => false,
    };
    let of =
        if parsed.protocol == path.icmp() { DropReason::IcmpChecksum } else { DropReason::TransportChecksum };
    is_wrong.then_some(of)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::packet::datagram;

    #[test]
    fn a_flipped_bit_shows_in_the_checksum_that_covers_it() {
        let [from, to] =
            ["10.0.0.1:5000", "10.0.0.2:7000"].map(|addr| addr.parse::<SocketAddr>().expect("one"));
        let packet = datagram(from, to, 64, b"some payload").expect("it fits");
        assert_eq!(wrong_checksum(&packet), None);
        for (byte, wrong) in [(8, DropReason::IpChecksum), (20, DropReason::TransportChecksum)] {
            let mut damaged = packet.to_vec();
            damaged[byte] ^= 1;
            assert_eq!(wrong_checksum(&damaged), Some(wrong), "byte {byte}");
        }
        // What has none, or is no packet, is not wrong.
        let mut without = packet.to_vec();
        without[26..28].fill(0);
        assert_eq!(wrong_checksum(&without), None);
        assert_eq!(wrong_checksum(&packet[..10]), None);
    }
}
