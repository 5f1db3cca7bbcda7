//! Writing IP packets, whole or in fragments.

use bytes::Bytes;

use super::ip::{FRAGMENT_LEN, V4_LEN, V6_LEN};
use super::{Fragment, LEN_MAX, Parsed, Path, checksum, protocol};

/// A packet to be built: its payload is `head` followed by `body`.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The addresses.
    pub path: Path,
    /// What the payload is.
    pub protocol: u8,
    /// IPv4's time to live, IPv6's hop limit.
    pub hop_limit: u8,
    /// The transport header.
    pub head: &'a [u8],
    /// What follows it.
    pub body: &'a [u8],
}

impl Outgoing<'_> {
    /// Length of the packet if it goes out whole, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.path.header_len() + self.payload_len()
    }

    fn payload_len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// How many packets this is on a link of that MTU.
    pub(crate) fn pieces(&self, mtu: usize) -> usize {
        if self.len() <= mtu { 1 } else { self.payload_len().div_ceil(self.room(mtu)) }
    }

    /// The payload of all fragments but the last, in bytes: a multiple of eight.
    fn room(&self, mtu: usize) -> usize {
        (mtu.saturating_sub(self.fragment_headers()) / 8).max(1) * 8
    }

    /// Length of the headers in front of a fragment, in bytes.
    fn fragment_headers(&self) -> usize {
        self.path.header_len() + if self.path.is_v4() { 0 } else { FRAGMENT_LEN }
    }

    /// Builds the packet whole.
    pub fn whole(&self) -> Bytes {
        let mut packet = Vec::with_capacity(self.len());
        self.write_header(&mut packet, self.payload_len(), None);
        packet.extend_from_slice(self.head);
        packet.extend_from_slice(self.body);
        packet.into()
    }

    /// Builds the packet, or its fragments where it is larger than `mtu` (RFC 791, RFC 8200 section 4.5).
    ///
    /// `id` is used for fragments only: a whole packet is atomic (RFC 6864) and needs no identification.
    pub(crate) fn build(&self, mtu: usize, id: u32, mut emit: impl FnMut(Bytes)) {
        if self.len() <= mtu {
            return emit(self.whole());
        }
        let (total, room) = (self.payload_len(), self.room(mtu));
        for offset in (0..total).step_by(room) {
            let end = total.min(offset + room);
            let fragment = Fragment { id, offset, more: end < total };
            let mut packet = Vec::with_capacity(self.fragment_headers() + end - offset);
            self.write_header(&mut packet, end - offset, Some(fragment));
            let head = self.head.len();
            packet.extend_from_slice(&self.head[offset.min(head)..end.min(head)]);
            packet.extend_from_slice(&self.body[offset.saturating_sub(head)..end.saturating_sub(head)]);
            emit(packet.into());
        }
    }

    /// `payload_len` must leave the packet within [`LEN_MAX`].
    fn write_header(&self, packet: &mut Vec<u8>, payload_len: usize, fragment: Option<Fragment>) {
        debug_assert!(payload_len <= LEN_MAX, "the payload fits the length field");
        match self.path {
            Path::V4 { src, dst } => {
                let [len_high, len_low] = ((V4_LEN + payload_len) as u16).to_be_bytes();
                let (id, place) = match fragment {
                    Some(Fragment { id, offset, more }) => {
                        (id as u16, (offset / 8) as u16 & 0x1fff | u16::from(more) << 13)
                    }
                    // Linux's default, path MTU discovery, asks routers not to fragment what went out whole.
                    None => (0, 0x4000),
                };
                let ([id_high, id_low], [place_high, place_low]) = (id.to_be_bytes(), place.to_be_bytes());
                packet.extend_from_slice(&[0x45, 0, len_high, len_low, id_high, id_low]);
                packet.extend_from_slice(&[place_high, place_low, self.hop_limit, self.protocol, 0, 0]);
                packet.extend_from_slice(&src.octets());
                packet.extend_from_slice(&dst.octets());
                let sum = checksum(packet);
                packet[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            Path::V6 { src, dst } => {
                let (extra, next) = match fragment {
                    Some(_) => (FRAGMENT_LEN, protocol::FRAGMENT),
                    None => (0, self.protocol),
                };
                let [len_high, len_low] = ((payload_len + extra) as u16).to_be_bytes();
                packet.extend_from_slice(&[0x60, 0, 0, 0, len_high, len_low, next, self.hop_limit]);
                packet.extend_from_slice(&src.octets());
                packet.extend_from_slice(&dst.octets());
                debug_assert_eq!(packet.len(), V6_LEN, "the header");
                if let Some(Fragment { id, offset, more }) = fragment {
                    packet.extend_from_slice(&[self.protocol, 0]);
                    packet.extend_from_slice(&(offset as u16 & !7 | u16::from(more)).to_be_bytes());
                    packet.extend_from_slice(&id.to_be_bytes());
                }
            }
        }
    }
}

/// The header of the packet whose first fragment was `first`, with room for its `len` bytes of payload.
pub(crate) fn reassembled(first: &Parsed, len: usize) -> Vec<u8> {
    let &Parsed { path, protocol, hop_limit, .. } = first;
    let mut packet = Vec::with_capacity(path.header_len() + len);
    Outgoing { path, protocol, hop_limit, head: &[], body: &[] }.write_header(&mut packet, len, None);
    packet
}
