//! Changes of a packet's bytes, as plans ask for them.

use std::net::IpAddr;

use bytes::Bytes;

use super::tcp::OPTIONS_MAX;
use super::udp::UdpDatagram;
use super::{LEN_MAX, Parsed, Path, Strictness, TCP_LEN, UDP_LEN, checksum, icmp, parse, parts, protocol};
use crate::model::{Change, Field, Value};

/// The packet with a change; `None` where it lacks a field or a bit, where a value does not fit, where a
/// checksum of a whole would have to fit of which this is a fragment, or where nothing changes.
pub(crate) fn changed(packet: &[u8], change: &Change) -> Option<Bytes> {
    let Change { fields, bits, keeps_checksums } = change;
    let mut altered = packet.to_vec();
    for (field, value) in fields {
        if let Value::Bytes(bytes) = value {
            altered = resized(&altered, *field, bytes)?;
        }
    }
    for (field, value) in fields.iter().filter(|(field, _)| !field.is_checksum()) {
        set(&mut altered, *field, value)?;
    }
    flip(&mut altered, bits)?;
    if !keeps_checksums {
        mend(packet, &mut altered)?;
    }
    for (field, value) in fields.iter().filter(|(field, _)| field.is_checksum()) {
        set(&mut altered, *field, value)?;
    }
    (altered != packet).then(|| altered.into())
}

/// Flips bits; `None` where one lies beyond the packet's end.
pub(crate) fn flip(packet: &mut [u8], bits: &[u32]) -> Option<()> {
    for &bit in bits {
        *packet.get_mut(usize::try_from(bit / 8).ok()?)? ^= 0x80 >> (bit % 8);
    }
    Some(())
}

/// Where a field lies: its first bit, and how many it has.
fn place(field: Field, packet: &[u8], ip: &Parsed) -> Option<(usize, usize)> {
    let of_ip =
        |v4: Option<(usize, usize)>, v6: Option<(usize, usize)>| if ip.path.is_v4() { v4 } else { v6 };
    let transport = |protocols: &[u8], at: usize| {
        let is_there =
            protocols.contains(&ip.protocol) && ip.fragment.is_none_or(|fragment| fragment.offset == 0);
        is_there.then_some((ip.payload.start * 8 + at, field.bits()? as usize))
    };
    const ICMP: [u8; 2] = [protocol::ICMP, protocol::ICMPV6];
    let (first, bits) = match field {
        Field::Version => Some((0, 4)),
        Field::HeaderLength => of_ip(Some((4, 4)), None),
        Field::Dscp => of_ip(Some((8, 6)), Some((4, 6))),
        Field::Ecn => of_ip(Some((14, 2)), Some((10, 2))),
        Field::FlowLabel => of_ip(None, Some((12, 20))),
        Field::TotalLength => of_ip(Some((16, 16)), Some((32, 16))),
        Field::Id => of_ip(Some((32, 16)), None),
        Field::DontFragment => of_ip(Some((49, 1)), None),
        Field::MoreFragments => of_ip(Some((50, 1)), None),
        Field::FragmentOffset => of_ip(Some((51, 13)), None),
        Field::Ttl => of_ip(Some((64, 8)), Some((56, 8))),
        Field::Protocol => Some((ip.protocol_at * 8, 8)),
        Field::IpChecksum => of_ip(Some((80, 16)), None),
        Field::Src => of_ip(Some((96, 32)), Some((64, 128))),
        Field::Dst => of_ip(Some((128, 32)), Some((192, 128))),
        Field::SrcPort => transport(&[protocol::TCP, protocol::UDP], 0),
        Field::DstPort => transport(&[protocol::TCP, protocol::UDP], 16),
        Field::Seq => transport(&[protocol::TCP], 32),
        Field::Ack => transport(&[protocol::TCP], 64),
        Field::DataOffset => transport(&[protocol::TCP], 96),
        Field::Flags => transport(&[protocol::TCP], 104),
        Field::Window => transport(&[protocol::TCP], 112),
        Field::Urgent => transport(&[protocol::TCP], 144),
        Field::UdpLength => transport(&[protocol::UDP], 32),
        Field::IcmpType => transport(&ICMP, 0),
        Field::IcmpCode => transport(&ICMP, 8),
        Field::IcmpRest => transport(&ICMP, 32),
        Field::Checksum => match ip.protocol {
            protocol::TCP => transport(&[protocol::TCP], 128),
            protocol::UDP => transport(&[protocol::UDP], 48),
            _ => transport(&ICMP, 16),
        },
        Field::Options | Field::Payload => None,
    }?;
    (first + bits <= packet.len() * 8).then_some((first, bits))
}

/// Sets a field. Bytes are set by [`resized`].
fn set(packet: &mut [u8], field: Field, value: &Value) -> Option<()> {
    if let Value::Bytes(_) = value {
        return Some(());
    }
    let ip = parse(packet, Strictness::Lenient).ok()?;
    let (first, bits) = place(field, packet, &ip)?;
    let number = match value {
        Value::Addr(addr) => {
            let octets: &[u8] = match addr {
                IpAddr::V4(addr) => &addr.octets(),
                IpAddr::V6(addr) => &addr.octets(),
            };
            let at = packet.get_mut(first / 8..(first + bits) / 8)?;
            return (field.bits().is_none() && at.len() == octets.len()).then(|| at.copy_from_slice(octets));
        }
        Value::Number(number) => *number,
        // Wraps around as the field does: what is beyond it is left out below.
        Value::Add(number) => read(packet, first, bits).wrapping_add_signed(*number) & mask(bits),
        Value::Bytes(_) => return None,
    };
    if field.bits().is_none() || number > mask(bits) {
        return None;
    }
    for bit in 0..bits {
        let (byte, mask) = ((first + bit) / 8, 0x80 >> ((first + bit) % 8));
        if number >> (bits - 1 - bit) & 1 == 1 { packet[byte] |= mask } else { packet[byte] &= !mask }
    }
    Some(())
}

fn mask(bits: usize) -> u64 {
    1_u64.checked_shl(bits as u32).map_or(u64::MAX, |above| above - 1)
}

fn read(packet: &[u8], first: usize, bits: usize) -> u64 {
    let bit = |bit: usize| u64::from(packet[bit / 8] >> (7 - bit % 8) & 1);
    (first..first + bits).fold(0, |number, at| number << 1 | bit(at))
}

/// The packet with other TCP options or another payload, and the lengths that follow from that.
fn resized(packet: &[u8], field: Field, bytes: &[u8]) -> Option<Vec<u8>> {
    let ip = parse(packet, Strictness::Lengths).ok().filter(|ip| ip.fragment.is_none())?;
    let [_, transport, payload] = parts(packet);
    let mut altered = packet[..transport.end].to_vec();
    match field {
        Field::Payload => altered.extend_from_slice(bytes),
        Field::Options if ip.protocol == protocol::TCP && bytes.len() <= OPTIONS_MAX => {
            altered.truncate(transport.start + TCP_LEN);
            altered.extend_from_slice(bytes);
            altered.resize(transport.start + TCP_LEN + bytes.len().next_multiple_of(4), 0);
            altered.extend_from_slice(&packet[payload]);
        }
        _ => return None,
    }
    // A header that is cut short has no lengths to set.
    if altered.len() > LEN_MAX || transport.is_empty() {
        return None;
    }
    let number = |len: usize| Value::Number(len as u64);
    let header_len = if ip.path.is_v4() { 0 } else { ip.path.header_len() };
    let total = number(altered.len() - header_len);
    let (udp, words) = (number(altered.len() - transport.start), number((TCP_LEN + bytes.len()).div_ceil(4)));
    if ip.protocol == protocol::UDP {
        set(&mut altered, Field::UdpLength, &udp)?;
    }
    if field == Field::Options {
        set(&mut altered, Field::DataOffset, &words)?;
    }
    set(&mut altered, Field::TotalLength, &total)?;
    Some(altered)
}

/// Makes the checksums of a changed packet fit, as far as its lengths say what they cover. `None` for a
/// fragment of which a part is changed that the whole's checksum covers.
fn mend(before: &[u8], packet: &mut [u8]) -> Option<()> {
    let Ok(ip) = parse(packet, Strictness::Lenient) else { return Some(()) };
    if ip.path.is_v4() {
        // No other header has one.
        let end = ip.payload.start.min(usize::from(packet[0] & 0xf) * 4);
        packet[10..12].fill(0);
        let sum = checksum(&packet[..end]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let old = parse(before, Strictness::Lenient).ok();
    if ip.fragment.is_some() || old.as_ref().is_some_and(|old| old.fragment.is_some()) {
        let covered =
            |packet: &[u8], ip: &Parsed| (ip.path, ip.protocol, packet[ip.payload.clone()].to_vec());
        let is_same = old.is_some_and(|old| covered(before, &old) == covered(packet, &ip));
        return is_same.then_some(());
    }
    mend_transport(&mut packet[ip.payload.clone()], &ip.path, ip.protocol);
    Some(())
}

fn mend_transport(body: &mut [u8], path: &Path, protocol: u8) {
    let (at, end) = match protocol {
        protocol::TCP if body.len() >= TCP_LEN => (16, body.len()),
        // A datagram without a checksum has none to mend.
        protocol::UDP if body.len() >= UDP_LEN && body[6..8] != [0, 0] => {
            (6, UdpDatagram::read(body).map_or(body.len(), |udp| UDP_LEN + udp.payload.len()))
        }
        protocol::ICMP | protocol::ICMPV6 if body.len() >= icmp::HEADER_LEN => (2, body.len()),
        _ => return,
    };
    body[at..at + 2].fill(0);
    let sum = match path.checksum(protocol, &[&body[..end]]) {
        0 if protocol == protocol::UDP => 0xffff,
        sum => sum,
    };
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests;
