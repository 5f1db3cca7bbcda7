//! What TCP segments are called, the way textbooks do: sequence numbers are counted from each side's initial
//! one, so that the SYN has number 0 and the first byte number 1; a range names its first and its last.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::model::{Class, Label};
use crate::packet::{PacketView, TcpFlags, Transport};

/// Numbers so far behind the initial one are shown as negative; what lies further away is ahead of it.
const BEHIND_MAX: u32 = 1 << 24;

/// What was seen of each direction of each connection, by its sender's and its receiver's address.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<(SocketAddr, SocketAddr), Stream>);

/// One direction.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// The initial sequence number.
    isn: u32,
    /// The sequence number behind the highest that was sent.
    end: u32,
    /// A SYN-ACK was sent.
    answered: bool,
    /// The last acknowledgement that was sent, the window that came with it, and how many duplicates of it
    /// there were.
    acked: Option<(u32, u16, u32)>,
}

/// A segment in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// What it is called by: `data 3 [2049:3072]`.
    pub(super) name: String,
    /// What else there is to say of it: `ack 1, window 0`.
    pub(super) load: String,
}

/// The parts of a segment that words are made of.
struct Segment {
    seq: u32,
    ack: Option<u32>,
    flags: TcpFlags,
    window: u16,
    len: u32,
}

impl Streams {
    /// The words for a segment; `None` for other packets. Injected segments (without a label) leave no mark.
    pub(super) fn words(&mut self, view: &PacketView, label: Option<&Label>) -> Option<Words> {
        let Transport::Tcp { seq, ack, flags, window, payload, .. } = &view.transport else { return None };
        let segment = Segment {
            seq: *seq,
            ack: flags.has(TcpFlags::ACK).then_some(*ack),
            flags: *flags,
            window: *window,
            len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        };
        let (from, to) = (view.source()?, view.destination()?);
        let peer = self.0.get(&(to, from)).copied();
        let own = self.0.get(&(from, to)).copied();
        let Some(label) = label else {
            let base = |stream: Option<Stream>| stream.map_or(0, |stream| stream.isn);
            let mut words = segment.name(None, base(own), false);
            words.push_str(&segment.acknowledges(base(peer)));
            return Some(Words { name: "injected".to_owned(), load: words });
        };
        let own = segment.follow(own);
        let again = own.is_some_and(|(_, again)| again);
        let before = own.map(|(stream, _)| stream).unwrap_or(Stream::since(segment.seq.wrapping_sub(1)));
        let peer_isn = peer.map(|peer| peer.isn).or(segment.ack.map(|ack| ack.wrapping_sub(1)));
        let mut name = segment.name(Some(label), before.isn, again);
        let mut load = Vec::new();
        let mut acked = before.acked;
        if let Some(ack) = segment.ack {
            let relative = relative(ack, peer_isn.unwrap_or_default());
            let (last, last_window, duplicates) =
                acked.map_or((None, segment.window, 0), |(last, window, count)| (Some(last), window, count));
            let same = last == Some(ack);
            let is_bare = label.class == Class::Ack;
            // RFC 5681, section 2: the other side waits for an acknowledgement, and nothing else is new
            // either.
            let waits = peer.is_some_and(|peer| relative_is_ahead(peer.end, ack));
            let duplicate = same && is_bare && waits && segment.window == last_window && segment.window > 0;
            let duplicates = if duplicate { duplicates + 1 } else { 0 };
            match (is_bare, label.class) {
                (true, _) => name = format!("ack {relative}"),
                (_, Class::Rst) => {}
                _ if !same => load.push(format!("ack {relative}")),
                _ => {}
            }
            let reopens = last_window == 0 && segment.window > 0;
            if label.class != Class::Rst && (segment.window == 0 || reopens || is_bare && same && !duplicate)
            {
                if segment.window == last_window && segment.window > 0 {
                    load.push("again".to_owned());
                } else {
                    load.push(format!("window {}", segment.window));
                }
            } else if duplicate {
                load.push(format!("duplicate {duplicates}"));
            }
            if label.class != Class::Rst {
                acked = Some((ack, segment.window, duplicates));
            }
            if label.class == Class::Rst {
                load.push(format!("ack {relative}"));
            }
        }
        if label.class != Class::Rst {
            self.0.insert((from, to), Stream { acked, ..before });
        }
        if label.flow > 1 {
            name = format!("flow {} {name}", label.flow);
        }
        Some(Words { name, load: load.join(", ") })
    }
}

impl Stream {
    fn since(isn: u32) -> Stream {
        Stream { isn, end: isn.wrapping_add(1), answered: false, acked: None }
    }
}

impl Segment {
    /// The sequence numbers that it takes up.
    fn takes(&self) -> u32 {
        self.len + u32::from(self.flags.has(TcpFlags::SYN)) + u32::from(self.flags.has(TcpFlags::FIN))
    }

    /// The direction after this segment, and whether it was sent before; `None` where nothing is known of the
    /// direction and this segment does not begin it.
    fn follow(&self, own: Option<Stream>) -> Option<(Stream, bool)> {
        let begins = self.flags.has(TcpFlags::SYN) && own.is_none_or(|own| own.isn != self.seq);
        let before = match own {
            _ if begins => Stream { end: self.seq, ..Stream::since(self.seq) },
            Some(own) => own,
            None => return None,
        };
        let end = self.seq.wrapping_add(self.takes());
        let is_new = relative_is_ahead(end, before.end);
        let answers = self.flags.has(TcpFlags::SYN) && self.ack.is_some();
        let end = if is_new { end } else { before.end };
        let after = Stream { end, answered: before.answered || answers, ..before };
        // The SYN-ACK of a simultaneous open is another segment than the SYN before it (RFC 9293, figure 7).
        let is_first = answers && !before.answered;
        Some((after, !is_new && self.takes() > 0 && !is_first))
    }

    /// What it is called by. Data is numbered as plans number it.
    fn name(&self, label: Option<&Label>, isn: u32, again: bool) -> String {
        let at = |offset: u32| relative(self.seq.wrapping_add(offset), isn);
        let again = if again { " again" } else { "" };
        let fin = self.flags.has(TcpFlags::FIN);
        if self.flags.has(TcpFlags::SYN) {
            let flags = TcpFlags(self.flags.0 & !TcpFlags::PSH.0);
            return format!("{flags}{again}");
        }
        if self.flags.has(TcpFlags::RST) {
            return if self.seq == 0 { "RST".to_owned() } else { format!("RST [{}]", at(0)) };
        }
        if self.len > 0 {
            let nth = label.map_or_else(String::new, |label| format!(" {}", label.nth));
            let again = if label.is_some_and(|label| label.transmission > 1) { " again" } else { "" };
            let with = if fin { "+FIN" } else { "" };
            return match self.len {
                1 => format!("data{nth}{with}{again} [{}]", at(0)),
                len => format!("data{nth}{with}{again} [{}:{}]", at(0), at(len - 1)),
            };
        }
        if fin {
            return format!("FIN{again} [{}]", at(0));
        }
        format!("{} [{}]", self.flags, at(0))
    }

    /// Its acknowledgement, behind other words.
    fn acknowledges(&self, isn: u32) -> String {
        self.ack.map_or_else(String::new, |ack| format!(", ack {}", relative(ack, isn)))
    }
}

/// A sequence number counted from the initial one.
fn relative(number: u32, isn: u32) -> i64 {
    let ahead = number.wrapping_sub(isn);
    if ahead > u32::MAX - BEHIND_MAX { i64::from(ahead) - (1 << 32) } else { i64::from(ahead) }
}

/// Whether a sequence number lies ahead of another (RFC 9293, section 3.4).
fn relative_is_ahead(number: u32, other: u32) -> bool {
    number.wrapping_sub(other).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_around() {
        assert_eq!(relative(5, u32::MAX), 6);
        assert_eq!(relative(u32::MAX, 0), -1);
        assert_eq!(relative(3_000_000_000, 0), 3_000_000_000);
        assert!(relative_is_ahead(2, u32::MAX));
        assert!(!relative_is_ahead(u32::MAX, 2));
        assert!(!relative_is_ahead(7, 7));
    }
}
