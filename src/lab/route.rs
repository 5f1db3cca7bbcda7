//! Where a packet of a lab goes: to the host that has its destination, or to all others.

use std::net::IpAddr;

/// Source and destination of a whole IP packet.
pub(super) fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let v4 = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok().map(IpAddr::from);
    let v6 = |at: usize| <[u8; 16]>::try_from(packet.get(at..at + 16)?).ok().map(IpAddr::from);
    match packet.first()? >> 4 {
        4 => Some((v4(12)?, v4(16)?)),
        6 => Some((v6(8)?, v6(24)?)),
        _ => None,
    }
}

/// Whether an address means every host of the link, whose networks have prefixes of 24 bits, or those of a group: the
/// link carries it to all.
pub(super) fn is_for_all(addr: &IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_multicast() || v4.octets()[3] == 255,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_short_packets_have_none() {
        let mut v4 = vec![0; 20];
        v4[0] = 0x45;
        v4[12..].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 255]);
        let (from, to) = addresses(&v4).expect("it has both");
        assert_eq!((from.to_string(), to.to_string()), ("10.0.0.1".to_owned(), "10.0.0.255".to_owned()));
        assert!(is_for_all(&to) && !is_for_all(&from));
        let mut v6 = vec![0; 40];
        v6[0] = 0x60;
        (v6[8], v6[23], v6[24], v6[39]) = (0xfd, 1, 0xff, 2);
        let (from, to) = addresses(&v6).expect("it has both");
        assert_eq!((from.to_string(), to.to_string()), ("fd00::1".to_owned(), "ff00::2".to_owned()));
        assert!(is_for_all(&to) && !is_for_all(&from));
        for packet in [&v4[..19], &v6[..39], &[0x10; 40], &[]] {
            assert_eq!(addresses(packet), None);
        }
    }
}
