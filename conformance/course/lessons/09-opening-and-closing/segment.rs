//! What the mended machine of lesson 9 puts on the wire.
//!
//! One byte for the kind, then four numbers of four bytes each (big-endian), then the message.

/// What a segment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Begins a conversation, or answers that with the other side's name for it.
    Open,
    /// Carries a message.
    Data,
    /// Says that there is nothing more to come.
    End,
    /// Only acknowledges.
    Ack,
    /// The conversation is not known here.
    #[default]
    Unknown,
}

const KINDS: [Kind; 5] = [Kind::Open, Kind::Data, Kind::End, Kind::Ack, Kind::Unknown];

/// A datagram of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What it is.
    pub kind: Kind,
    /// What the sender calls the conversation.
    pub from: u32,
    /// What the receiver calls it; 0 where the sender does not know.
    pub to: u32,
    /// The number of this segment, if it has one.
    pub number: u32,
    /// The number that the sender expects next: all before it has come.
    pub expected: u32,
    /// The message.
    pub message: &'a [u8],
}

impl<'a> Segment<'a> {
    /// As bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let Segment { kind, from, to, number, expected, message } = self;
        let numbers = [from, to, number, expected].map(u32::to_be_bytes).concat();
        [&[kind as u8], numbers.as_slice(), message].concat()
    }

    /// From bytes; none where they are no segment.
    pub fn read(bytes: &'a [u8]) -> Option<Segment<'a>> {
        let (kind, mut rest) = bytes.split_first()?;
        let kind = *KINDS.get(usize::from(*kind))?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let (bytes, behind) = rest.split_first_chunk()?;
            (*number, rest) = (u32::from_be_bytes(*bytes), behind);
        }
        let [from, to, number, expected] = numbers;
        Some(Segment { kind, from, to, number, expected, message: rest })
    }
}
