//! What is on the wire. Numbers are big-endian, and below 2^62.
//!
//! ```text
//! packet  "FWA" version=1 kind:1  to:8  from:8  …  checksum:8
//! kind 1  open    window:8                     asks for a connection; `to` is 0
//! kind 2  opened  window:8                     `from` is the id that the packets of the connection go to
//! kind 3  gone    window:8, zero               the connection is not known here (any more)
//! kind 4  data    number:8  floor:8  floor_start:8  limit:8  frame…
//! frame 1 ping                                 asks for an acknowledgement, as all frames but that itself do
//! frame 2 fin                                  the sender has sent all and takes no more
//! frame 3 ack     delay_us:4  n:1  n × (first:8  last:8), from the latest down, with a gap between two
//! frame 4 piece   order:1  stream:1  message:8  start:8  after:8  total:4  size:2  index:4  bytes
//! ```
//!
//! `to` and `from` are the ids that the receiver and the sender have for the connection. Messages are
//! numbered from 1; `start` is where a message begins in the sequence of all messages, each of which takes
//! its length and [`MESSAGE_COST`] of it; all below `limit` the receiver has room for. Messages below `floor`
//! are acknowledged or given up; it starts at `floor_start`. `after` is the message before it in its stream,
//! 0 where there is none. A message of `total` bytes has pieces of `size` bytes, the last one of what is
//! left.
//!
//! The checksum is SipHash-1-3 with a zero key over all before it. UDP's 16 bits miss one damage in 65 536,
//! and two flipped bits that are a multiple of 16 apart often; a 64-bit hash misses practically
//! none. It is no signature: whoever can read the ids can forge packets.

use std::hash::Hasher as _;
use std::ops::RangeInclusive;

use siphasher::sip::SipHasher13;

use super::numbers::RANGES_MAX;

/// What a message takes beside its bytes in the sequence of messages, and in a buffer.
pub(super) const MESSAGE_COST: u64 = 128;

const MAGIC: [u8; 4] = [b'F', b'W', b'A', 1];
const CHECKSUM: usize = 8;
/// The least that a packet has, and all that one has that is not data.
pub(super) const SHORTEST: usize = MAGIC.len() + 1 + 8 + 8 + 8 + CHECKSUM;
/// A packet of data without frames.
const DATA: usize = MAGIC.len() + 1 + 8 + 8 + 32 + CHECKSUM;
const ACK: usize = 1 + 4 + 1;
const RANGE: usize = 16;
const PIECE: usize = 1 + 1 + 1 + 8 + 8 + 8 + 4 + 2 + 4;
/// The least size of a piece where a message has several.
const PIECE_MIN: u16 = 64;

/// Numbers are below this, so that sums of some stay in 64 bits.
const BOUND: u64 = 1 << 62;

/// How many bytes of a message fit a packet of `datagram_max` bytes, with the shortest acknowledgement beside
/// them.
pub(super) fn piece_max(datagram_max: usize) -> u16 {
    let room = datagram_max.saturating_sub(DATA + PIECE + ACK + 2 * RANGE);
    u16::try_from(room).unwrap_or(u16::MAX)
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// The receiver's id for the connection.
    pub(super) to: u64,
    /// The sender's.
    pub(super) from: u64,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    /// The sender's window.
    Open(u64),
    /// The sender's window.
    Opened(u64),
    Gone,
    Data(Data<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Data<'a> {
    pub(super) number: u64,
    pub(super) floor: u64,
    pub(super) floor_start: u64,
    pub(super) limit: u64,
    pub(super) frames: Vec<Frame<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Ping,
    Fin,
    Ack { delay_us: u32, ranges: Vec<RangeInclusive<u64>> },
    Piece(Piece<'a>),
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) message: u64,
    pub(super) start: u64,
    /// Its stream, and the message before it there.
    pub(super) ordered: Option<(u8, u64)>,
    pub(super) total: u32,
    pub(super) size: u16,
    pub(super) index: u32,
    pub(super) data: &'a [u8],
}

/// How many pieces of `size` bytes a message of `total` bytes has; at least one.
pub(super) fn pieces(total: u32, size: u16) -> u32 {
    total.div_ceil(u32::from(size.max(1))).max(1)
}

/// Where the bytes of a piece are in its message.
pub(super) fn span(total: u32, size: u16, index: u32) -> std::ops::Range<usize> {
    let start = (u64::from(index) * u64::from(size)).min(u64::from(total));
    let end = (start + u64::from(size)).min(u64::from(total));
    start as usize..end as usize
}

impl Frame<'_> {
    /// What it takes of a packet, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Frame::Ping | Frame::Fin => 1,
            Frame::Ack { ranges, .. } => ACK + RANGE * ranges.len(),
            Frame::Piece(piece) => PIECE + piece.data.len(),
        }
    }
}

/// What a packet of data takes with these frames, in bytes.
pub(super) fn data_len(frames: &[Frame<'_>]) -> usize {
    DATA + frames.iter().map(Frame::len).sum::<usize>()
}

/// What a piece takes of a packet beside its bytes.
pub(super) const PIECE_HEADER: usize = PIECE;

/// The checksum of these bytes.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish().to_be_bytes()
}

impl Packet<'_> {
    /// The packet as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let len = match &self.body {
            Body::Data(data) => data_len(&data.frames),
            _ => SHORTEST,
        };
        let mut out = Vec::with_capacity(len);
        let put = |out: &mut Vec<u8>, number: u64| out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&MAGIC);
        out.push(match self.body {
            Body::Open(_) => 1,
            Body::Opened(_) => 2,
            Body::Gone => 3,
            Body::Data(_) => 4,
        });
        put(&mut out, self.to);
        put(&mut out, self.from);
        match &self.body {
            Body::Open(window) | Body::Opened(window) => put(&mut out, *window),
            Body::Gone => put(&mut out, 0),
            Body::Data(data) => {
                for number in [data.number, data.floor, data.floor_start, data.limit] {
                    put(&mut out, number);
                }
                data.frames.iter().for_each(|frame| frame.encode(&mut out));
            }
        }
        let checksum = checksum(&out);
        out.extend_from_slice(&checksum);
        out
    }
}

impl Frame<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Ping => out.push(1),
            Frame::Fin => out.push(2),
            Frame::Ack { delay_us, ranges } => {
                out.push(3);
                out.extend_from_slice(&delay_us.to_be_bytes());
                out.push(u8::try_from(ranges.len()).unwrap_or(u8::MAX));
                for range in ranges.iter().take(usize::from(u8::MAX)) {
                    out.extend_from_slice(&range.start().to_be_bytes());
                    out.extend_from_slice(&range.end().to_be_bytes());
                }
            }
            Frame::Piece(piece) => {
                let (stream, after) = piece.ordered.unwrap_or((0, 0));
                out.extend_from_slice(&[4, u8::from(piece.ordered.is_some()), stream]);
                for number in [piece.message, piece.start, after] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                out.extend_from_slice(&piece.total.to_be_bytes());
                out.extend_from_slice(&piece.size.to_be_bytes());
                out.extend_from_slice(&piece.index.to_be_bytes());
                out.extend_from_slice(piece.data);
            }
        }
    }
}

/// Takes bytes from the front, as long as there are some.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes).filter(|number| *number < BOUND)
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` for whatever is not exactly one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let (bytes, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        let mut reader = Reader(bytes);
        if reader.take()? != MAGIC || checksum(bytes) != sum {
            return None;
        }
        let kind = reader.byte()?;
        let (to, from) = (u64::from_be_bytes(reader.take()?), u64::from_be_bytes(reader.take()?));
        let body = match kind {
            1 => Body::Open(reader.number()?),
            2 => Body::Opened(reader.number()?),
            3 => (reader.number()? == 0).then_some(Body::Gone)?,
            4 => Body::Data(Data::parse(&mut reader)?),
            _ => return None,
        };
        reader.0.is_empty().then_some(Packet { to, from, body })
    }
}

impl<'a> Data<'a> {
    fn parse(reader: &mut Reader<'a>) -> Option<Data<'a>> {
        let (number, floor) = (reader.number()?, reader.number()?);
        let (floor_start, limit) = (reader.number()?, reader.number()?);
        let mut frames = Vec::new();
        while let Some(kind) = reader.byte() {
            frames.push(match kind {
                1 => Frame::Ping,
                2 => Frame::Fin,
                3 => ack(reader)?,
                4 => Frame::Piece(piece(reader)?),
                _ => return None,
            });
        }
        Some(Data { number, floor, floor_start, limit, frames })
    }
}

fn ack<'a>(reader: &mut Reader<'a>) -> Option<Frame<'a>> {
    let delay_us = u32::from_be_bytes(reader.take()?);
    let count = usize::from(reader.byte()?);
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    if count == 0 || count > RANGES_MAX {
        return None;
    }
    for _ in 0..count {
        let (first, last) = (reader.number()?, reader.number()?);
        let below = ranges.last().is_none_or(|above| last + 1 < *above.start());
        if first > last || !below {
            return None;
        }
        ranges.push(first..=last);
    }
    Some(Frame::Ack { delay_us, ranges })
}

fn piece<'a>(reader: &mut Reader<'a>) -> Option<Piece<'a>> {
    let (order, stream) = (reader.byte()?, reader.byte()?);
    let (message, start, after) = (reader.number()?, reader.number()?, reader.number()?);
    let ordered = match (order, stream, after) {
        (0, 0, 0) => None,
        (1, stream, after) if after < message => Some((stream, after)),
        _ => return None,
    };
    let total = u32::from_be_bytes(reader.take()?);
    let size = u16::from_be_bytes(reader.take()?);
    let index = u32::from_be_bytes(reader.take()?);
    let pieces = pieces(total, size);
    if message == 0 || index >= pieces || size < PIECE_MIN {
        return None;
    }
    let data = reader.slice(span(total, size, index).len())?;
    Some(Piece { message, start, ordered, total, size, index, data })
}

#[cfg(test)]
mod tests;
