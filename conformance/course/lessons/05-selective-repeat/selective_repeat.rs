//! Lesson 5, mended: the receiver keeps what comes early, and only what was lost is sent again. (Selective repeat.)

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use super::patience::Patience;
use crate::packet::Packet;

/// The most messages in flight, and the most that are kept until it is their turn, by default.
pub const WINDOW: usize = 4;

/// A message on its way.
#[derive(Debug)]
struct Sent {
    message: Vec<u8>,
    /// When, last.
    at: Time,
    is_repeated: bool,
    is_acknowledged: bool,
}

/// Sends up to a window of messages ahead; each is acknowledged for itself, and has a timer for itself.
///
/// Numbers go round after 2^32 messages; a window must be less than half of that. Whatever is late by less than half of
/// that is known as old.
#[derive(Debug)]
pub struct SelectiveRepeat<P> {
    patience: P,
    /// The number of the oldest message that is not acknowledged.
    base: u32,
    /// The messages from that one on.
    window: VecDeque<Sent>,
    /// The number of the message that is to be delivered next.
    expected: u32,
    /// What came early, from that number on: a place for each message of a window, of which the first is always empty.
    early: VecDeque<Option<Vec<u8>>>,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl<P: Patience + Default> Default for SelectiveRepeat<P> {
    fn default() -> Self {
        SelectiveRepeat::with_window(WINDOW)
    }
}

impl<P: Patience + Default> SelectiveRepeat<P> {
    /// A machine with at most `window` messages in flight, which keeps as many; at least one.
    pub fn with_window(window: usize) -> Self {
        SelectiveRepeat {
            patience: P::default(),
            base: 0,
            window: VecDeque::new(),
            expected: 0,
            early: vec![None; window].into(),
            datagrams: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    /// A machine whose first message, and that of the other side, has this number in place of 0.
    pub fn starting_at(number: u32) -> Self {
        SelectiveRepeat { base: number, expected: number, ..Self::default() }
    }
}

impl<P: Patience> SelectiveRepeat<P> {
    /// A message came: it is kept or delivered, if it is new; and acknowledged, if it was ever sent.
    fn on_data(&mut self, number: u32, message: &[u8]) {
        let ahead = number.wrapping_sub(self.expected);
        if let Some(place) = self.early.get_mut(ahead as usize) {
            *place = Some(message.to_vec());
            while let Some(message) = self.early[0].take() {
                self.messages.push_back(message);
                self.expected = self.expected.wrapping_add(1);
                self.early.rotate_left(1);
            }
        } else if ahead < u32::MAX / 2 {
            // No sender is so far ahead.
            return;
        }
        self.datagrams.push_back(Packet::Ack(number).to_bytes());
    }

    fn on_ack(&mut self, now: Time, number: u32) {
        let place = number.wrapping_sub(self.base) as usize;
        let Some(sent) = self.window.get_mut(place).filter(|sent| !sent.is_acknowledged) else {
            return;
        };
        sent.is_acknowledged = true;
        // Of a message that was repeated nobody knows which of the copies was acknowledged (Karn's rule).
        if !sent.is_repeated {
            self.patience.answered(now.since(sent.at));
        }
        while self.window.front().is_some_and(|sent| sent.is_acknowledged) {
            self.window.pop_front();
            self.base = self.base.wrapping_add(1);
        }
    }
}

impl<P: Patience> Machine for SelectiveRepeat<P> {
    fn is_ready(&self) -> bool {
        self.window.len() < self.early.len()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        let number = self.base.wrapping_add(self.window.len() as u32);
        self.datagrams.push_back(Packet::Data(number, message).to_bytes());
        self.window.push_back(Sent {
            message: message.to_vec(),
            at: now,
            is_repeated: false,
            is_acknowledged: false,
        });
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        match Packet::read(datagram) {
            Some(Packet::Data(number, message)) => self.on_data(number, message),
            Some(Packet::Ack(number)) => self.on_ack(now, number),
            None => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        let waiting = self.window.iter().filter(|sent| !sent.is_acknowledged);
        waiting.map(|sent| sent.at + self.patience.wait()).min()
    }

    fn on_timer(&mut self, now: Time) {
        let wait = self.patience.wait();
        for (place, sent) in (0..).zip(&mut self.window) {
            if !sent.is_acknowledged && sent.at + wait <= now {
                (sent.at, sent.is_repeated) = (now, true);
                let number = self.base.wrapping_add(place);
                self.datagrams.push_back(Packet::Data(number, &sent.message).to_bytes());
            }
        }
        self.patience.waited_in_vain();
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    fn is_done(&self) -> bool {
        self.window.is_empty()
    }
}
