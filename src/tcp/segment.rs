//! A segment (RFC 9293, section 3.1), and its bytes.
//!
//! Of the options only the maximum segment size is spoken. Their places: window scale, timestamps and SACK (RFC 7323,
//! RFC 2018) would be further fields of [`Segment`]. The urgent pointer is not looked at: urgent data stays in line.

use etherparse::{TcpHeader, TcpHeaderSlice, TcpOptionElement};

use super::seq::Seq;

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

    /// The reset that answers a segment for which there is no connection (RFC 9293, section 3.10.7.1); none answers a
    /// reset.
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
        let header = TcpHeaderSlice::from_slice(bytes).ok()?;
        let mss = match header.syn() {
            true => max_segment_option(header.options()),
            false => None,
        };
        let segment = Segment {
            seq: Seq(header.sequence_number()),
            ack: header.ack().then(|| Seq(header.acknowledgment_number())),
            syn: header.syn(),
            fin: header.fin(),
            rst: header.rst(),
            psh: header.psh(),
            window: header.window_size(),
            mss,
            text: &bytes[header.slice().len()..],
        };
        Some((header.source_port(), header.destination_port(), segment))
    }

    /// Its header, with a checksum of 0.
    pub(crate) fn header(&self, src: u16, dst: u16) -> TcpHeader {
        let mut header = TcpHeader::new(src, dst, self.seq.0, self.window);
        if let Some(ack) = self.ack {
            header.ack = true;
            header.acknowledgment_number = ack.0;
        }
        header.syn = self.syn;
        header.fin = self.fin;
        header.rst = self.rst;
        header.psh = self.psh;
        if let Some(mss) = self.mss {
            // Four bytes always fit.
            let _ = header.set_options(&[TcpOptionElement::MaximumSegmentSize(mss)]);
        }
        header
    }
}

/// The maximum segment size option. Others are skipped by their length (RFC 9293, section 3.2, MUST-6), which etherparse's
/// iterator does not do for kinds that it does not know; a malformed one ends the list.
fn max_segment_option(mut options: &[u8]) -> Option<u16> {
    loop {
        options = match *options {
            [] | [0, ..] => return None,
            [1, ..] => &options[1..],
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([high, low])),
            [_, len, ..] if len >= 2 => options.get(usize::from(len)..)?,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seq: u32, ack: Option<u32>, syn: bool, fin: bool, rst: bool, psh: bool, window: u16, mss: Option<u16>,
            text: Vec<u8>,
        ) {
            let segment = Segment {
                seq: Seq(seq), ack: ack.map(Seq), syn, fin, rst, psh, window, mss: mss.filter(|_| syn), text: &text,
            };
            let bytes = [&segment.header(7, 9).to_bytes()[..], &text].concat();
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
    fn options_that_nobody_knows_are_skipped() {
        assert_eq!(max_segment_option(&[30, 4, 9, 9, 1, 2, 4, 5, 0xb4]), Some(1_460));
        for odd in [&[2, 4, 5][..], &[30, 0, 2, 4, 5, 5], &[30, 9, 2], &[0, 2, 4, 1, 1], &[2, 3, 1, 1], &[8]]
        {
            assert_eq!(max_segment_option(odd), None, "{odd:?}");
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
