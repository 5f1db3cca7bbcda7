//! Lesson 3, believed: only two messages are ever in play, so one bit tells them apart. (The alternating bit protocol.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::TIMEOUT;
use crate::packet::Packet;

/// Stop-and-wait whose numbers are 0, 1, 0, 1, …
#[derive(Debug, Default)]
pub struct AlternatingBit {
    /// The bit of the message that is, or will be, on its way.
    next: u32,
    /// That message and when to send it again.
    waiting: Option<(Vec<u8>, Time)>,
    /// The bit of the message that is to be delivered next.
    expected: u32,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Machine for AlternatingBit {
    fn is_ready(&self) -> bool {
        self.waiting.is_none()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.datagrams.push_back(Packet::Data(self.next, message).to_bytes());
        self.waiting = Some((message.to_vec(), now + TIMEOUT));
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        match Packet::read(datagram) {
            Some(Packet::Data(bit, message)) if bit <= 1 => {
                if bit == self.expected {
                    self.expected = 1 - self.expected;
                    self.messages.push_back(message.to_vec());
                }
                // What is not the next one can only be the one before, again.
                self.datagrams.push_back(Packet::Ack(bit).to_bytes());
            }
            Some(Packet::Ack(bit)) if self.waiting.is_some() && bit == self.next => {
                self.next = 1 - self.next;
                self.waiting = None;
            }
            _ => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        self.waiting.as_ref().map(|(_, again)| *again)
    }

    fn on_timer(&mut self, now: Time) {
        if let Some((message, again)) = &mut self.waiting {
            self.datagrams.push_back(Packet::Data(self.next, message).to_bytes());
            *again = now + TIMEOUT;
        }
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    fn is_done(&self) -> bool {
        self.waiting.is_none()
    }
}
