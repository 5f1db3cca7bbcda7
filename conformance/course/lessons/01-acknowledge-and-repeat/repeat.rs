//! Lesson 1, mended: send, wait for the answer, send again if none comes. (Stop-and-wait, without numbers.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::TIMEOUT;

/// The first byte of a datagram with a message.
const DATA: u8 = 0;
/// The first byte of one that acknowledges a message: the same message follows.
const ACK: u8 = 1;

/// Sends one message at a time, again and again, until the other side has sent it back.
#[derive(Debug, Default)]
pub struct Repeat {
    /// The message that is not acknowledged yet, and when to send it again.
    waiting: Option<(Vec<u8>, Time)>,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Machine for Repeat {
    fn is_ready(&self) -> bool {
        self.waiting.is_none()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.datagrams.push_back([&[DATA], message].concat());
        self.waiting = Some((message.to_vec(), now + TIMEOUT));
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        match datagram.split_first() {
            Some((&DATA, message)) => {
                self.datagrams.push_back([&[ACK], message].concat());
                self.messages.push_back(message.to_vec());
            }
            // An acknowledgement says what it acknowledges: one that comes late is not taken for the next message's.
            Some((&ACK, message)) if self.waiting.as_ref().is_some_and(|(it, _)| it == message) => {
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
            self.datagrams.push_back([&[DATA], message.as_slice()].concat());
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
