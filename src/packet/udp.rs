//! UDP datagrams (RFC 768) as bytes.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{Outgoing, Path, be16, protocol};

/// Length of a UDP header, in bytes.
pub(crate) const UDP_LEN: usize = 8;

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpDatagram<'a> {
    /// The source port.
    pub src: u16,
    /// The destination port.
    pub dst: u16,
    /// The data.
    pub payload: &'a [u8],
    checksum: u16,
    /// Header and data.
    whole: &'a [u8],
}

impl<'a> UdpDatagram<'a> {
    /// Reads a datagram; `None` where it is cut short or its length makes no sense. Bytes after its end are
    /// padding. Checks no checksum.
    pub fn read(bytes: &'a [u8]) -> Option<UdpDatagram<'a>> {
        let header: &[u8; UDP_LEN] = bytes.first_chunk()?;
        let whole = bytes.get(..be16(header, 4).into())?;
        Some(UdpDatagram {
            src: be16(header, 0),
            dst: be16(header, 2),
            payload: whole.get(UDP_LEN..)?,
            checksum: be16(header, 6),
            whole,
        })
    }

    /// Whether its checksum holds. Over IPv4 it need not have one, over IPv6 it must (RFC 8200, section 8.1).
    pub fn is_sound(&self, path: &Path) -> bool {
        match self.checksum {
            0 => path.is_v4(),
            _ => path.checksum(protocol::UDP, &[self.whole]) == 0,
        }
    }
}

/// The header of a datagram, with the checksum. A length beyond its field is 0 (RFC 2675, section 4).
pub(crate) fn udp_header(path: &Path, src: u16, dst: u16, data: &[u8]) -> [u8; UDP_LEN] {
    let len = u16::try_from(UDP_LEN + data.len()).unwrap_or(0);
    let mut header = [0; UDP_LEN];
    for (at, field) in [(0, src), (2, dst), (4, len)] {
        header[at..at + 2].copy_from_slice(&field.to_be_bytes());
    }
    // A sum of 0 goes out as 0xffff, since 0 says that there is none.
    let sum = match path.checksum(protocol::UDP, &[&header, data]) {
        0 => 0xffff,
        sum => sum,
    };
    header[6..].copy_from_slice(&u16::to_be_bytes(sum));
    header
}

/// The packet that carries a datagram; `None` where the families differ or it is longer than a packet can be.
pub fn datagram(from: SocketAddr, to: SocketAddr, hop_limit: u8, data: &[u8]) -> Option<Bytes> {
    let path = Path::new(from.ip(), to.ip())?;
    if UDP_LEN + data.len() > path.payload_max() {
        return None;
    }
    let head = udp_header(&path, from.port(), to.port(), data);
    Some(Outgoing { path, protocol: protocol::UDP, hop_limit, head: &head, body: data }.whole())
}
