//! TCP segments (RFC 9293, section 3.1) as bytes.

use bytes::Bytes;

use super::{Outgoing, Path, be16, be32, protocol};

/// Length of a TCP header without options, in bytes.
pub(crate) const TCP_LEN: usize = 20;
/// Options of a TCP header at most, in bytes.
pub(super) const OPTIONS_MAX: usize = 40;

/// The control bits of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgement counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: TcpFlags) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl std::fmt::Display for TcpFlags {
    /// `SYN+ACK`; `-` where none is set.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [(TcpFlags, &str); 6] = [
            (TcpFlags::SYN, "SYN"),
            (TcpFlags::FIN, "FIN"),
            (TcpFlags::RST, "RST"),
            (TcpFlags::PSH, "PSH"),
            (TcpFlags::URG, "URG"),
            (TcpFlags::ACK, "ACK"),
        ];
        let mut first = true;
        for (flag, name) in NAMES {
            if self.has(flag) {
                f.write_str(if first { "" } else { "+" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSegment<'a> {
    /// The source port.
    pub src: u16,
    /// The destination port.
    pub dst: u16,
    /// The sequence number of its first byte (of its SYN, if it has one).
    pub seq: u32,
    /// The next sequence number that its sender expects; says nothing without the ACK flag.
    pub ack: u32,
    /// The control bits, without ECN's.
    pub flags: TcpFlags,
    /// The window on offer, unscaled.
    pub window: u16,
    /// The options as they stand in the header; [`tcp_options`] reads them.
    pub options: &'a [u8],
    /// The data.
    pub payload: &'a [u8],
}

impl<'a> TcpSegment<'a> {
    /// Reads a segment; `None` where the header is cut short or its length makes no sense. Checks no
    /// checksum.
    pub fn read(bytes: &'a [u8]) -> Option<TcpSegment<'a>> {
        let header: &[u8; TCP_LEN] = bytes.first_chunk()?;
        let end = usize::from(header[12] >> 4) * 4;
        Some(TcpSegment {
            src: be16(header, 0),
            dst: be16(header, 2),
            seq: be32(header, 4),
            ack: be32(header, 8),
            // The two highest bits are ECN's (RFC 3168).
            flags: TcpFlags(header[13] & 0x3f),
            window: be16(header, 14),
            options: bytes.get(TCP_LEN..end)?,
            payload: &bytes[end..],
        })
    }

    /// Its header, with the checksum. Options are filled up to whole 32-bit words; beyond 40 bytes they are
    /// cut.
    pub fn header(&self, path: &Path) -> Vec<u8> {
        let options = &self.options[..self.options.len().min(OPTIONS_MAX)];
        let len = TCP_LEN + options.len().next_multiple_of(4);
        let mut header = Vec::with_capacity(len);
        header.extend_from_slice(&self.src.to_be_bytes());
        header.extend_from_slice(&self.dst.to_be_bytes());
        header.extend_from_slice(&self.seq.to_be_bytes());
        header.extend_from_slice(&self.ack.to_be_bytes());
        header.extend_from_slice(&[(len as u8 / 4) << 4, self.flags.0]);
        header.extend_from_slice(&self.window.to_be_bytes());
        // The checksum, and the urgent pointer.
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(options);
        header.resize(len, 0);
        let sum = path.checksum(protocol::TCP, &[&header, self.payload]);
        header[16..18].copy_from_slice(&sum.to_be_bytes());
        header
    }

    /// The packet that carries it.
    pub fn packet(&self, path: Path, hop_limit: u8) -> Bytes {
        let head = self.header(&path);
        Outgoing { path, protocol: protocol::TCP, hop_limit, head: &head, body: self.payload }.whole()
    }
}

/// The options of a TCP header: kind and value (RFC 9293, section 3.2). Unknown ones are read by their
/// length; a malformed one ends the list, and no-operations are skipped.
pub fn tcp_options(options: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = options;
    std::iter::from_fn(move || {
        while let [1, after @ ..] = rest {
            rest = after;
        }
        let (kind, len) = match *rest {
            [] | [0, ..] | [_] => return None,
            [kind, len, ..] => (kind, usize::from(len)),
        };
        let value = rest.get(2..len)?;
        rest = &rest[len..];
        Some((kind, value))
    })
}

/// The maximum segment size that the options of a SYN announce, in bytes.
pub fn max_segment_size(options: &[u8]) -> Option<u16> {
    tcp_options(options).find_map(|option| match option {
        (2, [high, low]) => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    })
}
