//! The datagrams of the machines from lesson 2 on: data with its number, and acknowledgements.
//!
//! On the wire: one byte for the kind (0 data, 1 acknowledgement), four for the number (big-endian), then the message.

/// A datagram of the course's protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A message and its number.
    Data(u32, &'a [u8]),
    /// What came; each protocol says what the number means.
    Ack(u32),
}

impl<'a> Packet<'a> {
    /// As bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, number, message): (u8, u32, &[u8]) = match self {
            Packet::Data(number, message) => (0, number, message),
            Packet::Ack(number) => (1, number, &[]),
        };
        [&[kind], &number.to_be_bytes()[..], message].concat()
    }

    /// From bytes; none where they are no such datagram.
    pub fn read(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let (kind, rest) = bytes.split_first()?;
        let (number, message) = rest.split_first_chunk()?;
        let number = u32::from_be_bytes(*number);
        match (kind, message) {
            (0, message) => Some(Packet::Data(number, message)),
            (1, []) => Some(Packet::Ack(number)),
            _ => None,
        }
    }
}
