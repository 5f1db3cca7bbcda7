//! Lesson 0, mended: a message is a datagram.

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

/// Each message is a datagram, and each datagram a message.
#[derive(Debug, Default)]
pub struct Plain {
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Machine for Plain {
    fn send(&mut self, _now: Time, message: &[u8]) {
        self.datagrams.push_back(message.to_vec());
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        self.messages.push_back(datagram.to_vec());
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }
}
