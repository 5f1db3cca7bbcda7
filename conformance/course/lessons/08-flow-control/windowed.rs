//! Lesson 8, mended: the receiver says how far the sender may go. (Go-back-N with a window that is told.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use super::ROOM;
use crate::TIMEOUT;

/// The most messages in flight, if the receiver has room for them.
const WINDOW: usize = 4;

/// The first byte of a message: its number and its bytes follow.
const DATA: u8 = 0;
/// The first byte of an acknowledgement: the number that is expected follows, and the first one that must not be sent yet.
const ACK: u8 = 1;
/// The first byte of a question, on which an acknowledgement is the answer. Nothing follows.
const ASK: u8 = 2;

/// Sends no message that the other side has not said it has room for.
///
/// Numbers must not come round here: a conversation has less than 2^32 messages.
#[derive(Debug, Default)]
pub struct Windowed {
    /// The number of the oldest message that is not acknowledged.
    base: u32,
    /// The messages from that one on, and how many of them were sent. One of them may not be allowed yet.
    window: VecDeque<Vec<u8>>,
    sent: usize,
    /// The first number that must not be sent: what the other side has said. Before it has said anything, one may be.
    limit: Option<u32>,
    /// When to send again, or to ask again.
    timer: Option<Time>,
    /// The number of the message that is to be received next.
    expected: u32,
    /// What the program has not fetched yet: [`ROOM`] at most.
    kept: VecDeque<Vec<u8>>,
    datagrams: VecDeque<Vec<u8>>,
}

impl Windowed {
    /// Sends what may be sent and was not.
    fn go_on(&mut self, now: Time) {
        let limit = self.limit.unwrap_or(1);
        for message in self.window.iter().skip(self.sent) {
            let number = self.base + self.sent as u32;
            if number >= limit {
                break;
            }
            self.datagrams.push_back([&[DATA], &number.to_be_bytes()[..], message].concat());
            self.sent += 1;
        }
        // While there is anything left, be it without leave, there is a timer: if the leave is lost, nobody repeats it.
        self.timer = (!self.window.is_empty()).then_some(self.timer.unwrap_or(now + TIMEOUT));
    }

    fn acknowledge(&mut self) {
        let room = (ROOM - self.kept.len()) as u32;
        let (expected, limit) = (self.expected.to_be_bytes(), (self.expected + room).to_be_bytes());
        self.datagrams.push_back([&[ACK], &expected[..], &limit].concat());
    }

    fn on_data(&mut self, number: u32, message: &[u8]) {
        if number == self.expected && self.kept.len() < ROOM {
            self.expected += 1;
            self.kept.push_back(message.to_vec());
        }
        self.acknowledge();
    }

    fn on_ack(&mut self, now: Time, expected: u32, limit: u32) {
        let acknowledged = expected.saturating_sub(self.base) as usize;
        if acknowledged > self.sent {
            return;
        }
        // An old acknowledgement has a lower limit: leave that was given is not taken back.
        let is_news = acknowledged > 0 || self.limit < Some(limit);
        self.limit = self.limit.max(Some(limit));
        self.base += acknowledged as u32;
        self.window.drain(..acknowledged);
        self.sent -= acknowledged;
        if is_news {
            self.timer = None;
            self.go_on(now);
        }
    }
}

impl Machine for Windowed {
    fn is_ready(&self) -> bool {
        self.window.len() < WINDOW
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.window.push_back(message.to_vec());
        self.go_on(now);
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        match datagram.split_first() {
            Some((&DATA, rest)) => {
                if let Some((number, message)) = rest.split_first_chunk() {
                    self.on_data(u32::from_be_bytes(*number), message);
                }
            }
            Some((&ACK, &[a, b, c, d, e, f, g, h])) => {
                self.on_ack(now, u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            }
            Some((&ASK, [])) => self.acknowledge(),
            _ => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        self.timer
    }

    fn on_timer(&mut self, now: Time) {
        self.timer = Some(now + TIMEOUT);
        if self.sent == 0 {
            self.datagrams.push_back(vec![ASK]);
        } else {
            self.sent = 0;
            self.go_on(now);
        }
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let message = self.kept.pop_front()?;
        if self.kept.len() + 1 == ROOM {
            // There was no room, and now there is: the other side may be waiting for it.
            self.acknowledge();
        }
        Some(message)
    }

    fn is_done(&self) -> bool {
        self.window.is_empty()
    }
}
