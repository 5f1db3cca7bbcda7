//! Lesson 2, mended: every message has a number, so that a repeat is known as one. (Stop-and-wait.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::TIMEOUT;
use crate::packet::Packet;

/// Sends one numbered message at a time, until its number is acknowledged; delivers the one whose turn it is.
///
/// Numbers go round after 2^32 messages. A datagram that is late by less than half of that is known as an old one.
#[derive(Debug, Default)]
pub struct Numbered {
    /// The number of the message that is, or will be, on its way.
    next: u32,
    /// That message and when to send it again.
    waiting: Option<(Vec<u8>, Time)>,
    /// The number of the message that is to be delivered next.
    expected: u32,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Numbered {
    /// A machine whose first message, and that of the other side, has this number in place of 0.
    pub fn starting_at(number: u32) -> Self {
        Numbered { next: number, expected: number, ..Numbered::default() }
    }
}

impl Machine for Numbered {
    fn is_ready(&self) -> bool {
        self.waiting.is_none()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.datagrams.push_back(Packet::Data(self.next, message).to_bytes());
        self.waiting = Some((message.to_vec(), now + TIMEOUT));
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        match Packet::read(datagram) {
            Some(Packet::Data(number, message)) => {
                if number == self.expected {
                    self.expected = self.expected.wrapping_add(1);
                    self.messages.push_back(message.to_vec());
                }
                // A repeat is acknowledged again: the first acknowledgement may be lost.
                if is_before(number, self.expected) {
                    self.datagrams.push_back(Packet::Ack(number).to_bytes());
                }
            }
            Some(Packet::Ack(number)) if self.waiting.is_some() && number == self.next => {
                self.next = self.next.wrapping_add(1);
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

/// Whether one number comes before another on the circle of all numbers (RFC 1982).
fn is_before(one: u32, other: u32) -> bool {
    other.wrapping_sub(one).wrapping_sub(1) < u32::MAX / 2
}
