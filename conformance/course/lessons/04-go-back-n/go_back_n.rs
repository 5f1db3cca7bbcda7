//! Lesson 4, mended: several messages are on their way at once; after a loss all of them are sent again. (Go-back-N.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::TIMEOUT;
use crate::packet::Packet;

/// The most messages in flight, by default.
pub const WINDOW: usize = 4;

/// Sends up to a window of messages ahead of the acknowledgements; takes them in their order, or not at all.
///
/// An acknowledgement says which number is expected next: it stands for all before that one. Numbers go round after 2^32
/// messages; what is late by less than half of that is known as old.
#[derive(Debug)]
pub struct GoBackN {
    window: usize,
    /// The number of the oldest message that is not acknowledged.
    base: u32,
    /// The messages that are not acknowledged, from that one on.
    waiting: VecDeque<Vec<u8>>,
    /// When to send them all again.
    again: Option<Time>,
    /// The number of the message that is to be delivered next.
    expected: u32,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Default for GoBackN {
    fn default() -> Self {
        GoBackN::with_window(WINDOW)
    }
}

impl GoBackN {
    /// A machine with at most `window` messages in flight.
    pub fn with_window(window: usize) -> Self {
        GoBackN {
            window,
            base: 0,
            waiting: VecDeque::new(),
            again: None,
            expected: 0,
            datagrams: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    /// A machine whose first message, and that of the other side, has this number in place of 0.
    pub fn starting_at(number: u32) -> Self {
        GoBackN { base: number, expected: number, ..GoBackN::default() }
    }
}

impl Machine for GoBackN {
    fn is_ready(&self) -> bool {
        self.waiting.len() < self.window
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.datagrams.push_back(Packet::Data(number(self.base, self.waiting.len()), message).to_bytes());
        self.waiting.push_back(message.to_vec());
        self.again.get_or_insert(now + TIMEOUT);
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        match Packet::read(datagram) {
            Some(Packet::Data(number, message)) => {
                if number == self.expected {
                    self.expected = self.expected.wrapping_add(1);
                    self.messages.push_back(message.to_vec());
                }
                // Whatever it was: this is what is needed next.
                self.datagrams.push_back(Packet::Ack(self.expected).to_bytes());
            }
            Some(Packet::Ack(expected)) => {
                // How many messages it newly acknowledges. An old one says nothing new.
                let news = expected.wrapping_sub(self.base) as usize;
                if (1..=self.waiting.len()).contains(&news) {
                    self.waiting.drain(..news);
                    self.base = expected;
                    self.again = (!self.waiting.is_empty()).then_some(now + TIMEOUT);
                }
            }
            None => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        self.again
    }

    fn on_timer(&mut self, now: Time) {
        for (index, message) in self.waiting.iter().enumerate() {
            self.datagrams.push_back(Packet::Data(number(self.base, index), message).to_bytes());
        }
        self.again = Some(now + TIMEOUT);
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The number of the message `places` places after message `base`.
fn number(base: u32, places: usize) -> u32 {
    base.wrapping_add(places as u32)
}
