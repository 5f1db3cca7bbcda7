//! Lesson 9, believed: a conversation begins with its first message and ends when one says so.

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::packet::Packet;
use crate::{TIMEOUT, Talker};

/// The datagram that ends a conversation.
const END: &[u8] = &[2];

/// Sends one numbered message at a time, from number 0 on, until it is acknowledged; then says that this was all.
#[derive(Debug, Default)]
pub struct Unannounced {
    next: u32,
    waiting: Option<(Vec<u8>, Time)>,
    expected: u32,
    is_closing: bool,
    is_ended: bool,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Talker for Unannounced {
    fn open(&mut self, _now: Time) {}

    fn close(&mut self, _now: Time) {
        // Who never said anything has nothing to end. The end comes behind all that was said.
        self.is_closing = self.next > 0 || self.waiting.is_some();
        if self.is_closing && self.waiting.is_none() {
            self.datagrams.push_back(END.to_vec());
        }
    }

    fn is_ended(&self) -> bool {
        self.is_ended && self.messages.is_empty()
    }
}

impl Machine for Unannounced {
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
                if number < self.expected {
                    self.datagrams.push_back(Packet::Ack(number).to_bytes());
                }
            }
            Some(Packet::Ack(number)) if self.waiting.is_some() && number == self.next => {
                self.next = self.next.wrapping_add(1);
                self.waiting = None;
                if self.is_closing {
                    self.datagrams.push_back(END.to_vec());
                }
            }
            // What ends before it began is an old one.
            None if datagram == END && self.expected > 0 => self.is_ended = true,
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
