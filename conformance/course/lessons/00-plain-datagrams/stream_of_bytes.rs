//! Lesson 0, believed: bytes go in at one end and come out at the other, as from a file.

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

/// The bytes that fit into a datagram.
const CHUNK: usize = 8;

/// Each message is its length (one byte) and its bytes; the bytes of all messages, one behind the other, are sent in
/// chunks, and taken apart again at the other side.
#[derive(Debug, Default)]
pub struct Bytes {
    datagrams: VecDeque<Vec<u8>>,
    received: VecDeque<u8>,
}

impl Machine for Bytes {
    fn send(&mut self, _now: Time, message: &[u8]) {
        let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
        let bytes = [&[length], &message[..length.into()]].concat();
        self.datagrams.extend(bytes.chunks(CHUNK).map(<[u8]>::to_vec));
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        self.received.extend(datagram);
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(*self.received.front()?);
        if self.received.len() <= length {
            return None;
        }
        self.received.pop_front();
        Some(self.received.drain(..length).collect())
    }
}
