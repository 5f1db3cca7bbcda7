//! A segment (RFC 9293, section 3.1), and its bytes.
//!
//! Of the options only the maximum segment size is spoken. Their places: window scale, timestamps and SACK
//! (RFC 7323, RFC 2018) would be further fields of [`Segment`]. The urgent pointer is not looked at: urgent
//! data stays in line.

use super::seq::Seq;
use crate::packet::{Path, TcpFlags, TcpSegment, max_segment_size};

/// What a segment says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) seq: Seq,
    /// The acknowledgement, if the ACK bit is set.
    pub(crate) ack: Option<Seq>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) psh: bool,
    pub(crate) window: u16,
    /// The maximum segment size option.
    pub(crate) mss: Option<u16>,
    pub(crate) text: &'a [u8],
}

impl<'a> Segment<'a> {
    /// A segment with nothing but a sequence number.
    pub(crate) fn at(seq: Seq) -> Segment<'a> {
        Segment {
            seq,
            ack: None,
            syn: false,
            fin: false,
            rst: false,
            psh: false,
            window: 0,
            mss: None,
            text: &[],
        }
    }

    /// SEG.LEN: the sequence numbers that it takes up.
    pub(crate) fn len(&self) -> u32 {
        self.text.len() as u32 + u32::from(self.syn) + u32::from(self.fin)
    }

    /// The sequence number behind its last.
    pub(crate) fn end(&self) -> Seq {
        self.seq + self.len()
    }

    /// The reset that answers a segment for which there is no connection (RFC 9293, section 3.10.7.1); none
    /// answers a reset.
    pub(crate) fn refusal(&self) -> Option<Segment<'static>> {
        if self.rst {
            return None;
        }
        Some(match self.ack {
            Some(ack) => Segment { rst: true, ..Segment::at(ack) },
            None => Segment { rst: true, ack: Some(self.end()), ..Segment::at(Seq(0)) },
        })
    }

    /// The source port, the destination port and the segment; `None` where the header is malformed.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(u16, u16, Segment<'a>)> {
        let tcp = TcpSegment::read(bytes)?;
        let is = |flag| tcp.flags.has(flag);
        let syn = is(TcpFlags::SYN);
        let segment = Segment {
            seq: Seq(tcp.seq),
            ack: is(TcpFlags::ACK).then_some(Seq(tcp.ack)),
            syn,
            fin: is(TcpFlags::FIN),
            rst: is(TcpFlags::RST),
            psh: is(TcpFlags::PSH),
            window: tcp.window,
            mss: if syn { max_segment_size(tcp.options) } else { None },
            text: tcp.payload,
        };
        Some((tcp.src, tcp.dst, segment))
    }

    /// Its header, with the checksum.
    pub(crate) fn header(&self, path: &Path, src: u16, dst: u16) -> Vec<u8> {
        let flags = [
            (self.ack.is_some(), TcpFlags::ACK),
            (self.syn, TcpFlags::SYN),
            (self.fin, TcpFlags::FIN),
            (self.rst, TcpFlags::RST),
            (self.psh, TcpFlags::PSH),
        ];
        let flags = flags.iter().filter(|(is, _)| *is).fold(0, |all, (_, flag)| all | flag.0);
        let option = self.mss.map(u16::to_be_bytes).map(|[high, low]| [2, 4, high, low]);
        TcpSegment {
            src,
            dst,
            seq: self.seq.0,
            ack: self.ack.map_or(0, |ack| ack.0),
            flags: TcpFlags(flags),
            window: self.window,
            options: option.as_ref().map_or(&[], |option| &option[..]),
            payload: self.text,
        }
        .header(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seq: u32, ack: Option<u32>, syn: bool, fin: bool, rst: bool, psh: bool, window: u16,
            mss: Option<u16>,
            text: Vec<u8>,
        ) {
            let segment = Segment {
                seq: Seq(seq), ack: ack.map(Seq), syn, fin, rst, psh, window, mss: mss.filter(|_| syn),
                text: &text,
            };
            let path = Path::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
            let bytes = [&segment.header(&path, 7, 9)[..], &text].concat();
            let (src, dst, read) = Segment::read(&bytes).unwrap();
            prop_assert_eq!((src, dst), (7, 9));
            prop_assert_eq!(format!("{read:?}"), format!("{segment:?}"));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Segment::read(&bytes);
        }
    }

    #[test]
    fn a_reset_is_never_answered() {
        assert!(Segment { rst: true, ..Segment::at(Seq(1)) }.refusal().is_none());
        let refusal = Segment { ack: Some(Seq(9)), ..Segment::at(Seq(1)) }.refusal().unwrap();
        assert_eq!((refusal.seq, refusal.ack), (Seq(9), None));
        let refusal = Segment { syn: true, text: b"abc", ..Segment::at(Seq(1)) }.refusal().unwrap();
        assert_eq!((refusal.seq, refusal.ack), (Seq(0), Some(Seq(5))));
    }
}
