//! Lesson 10: a flow of messages; another part of the program decides how many are in flight.
//!
//! Losses are noticed in two ways. Three acknowledgements in a row that ask for the same message say that later ones came:
//! that one is lost, and it is sent again at once (RFC 5681, section 3.2). Where nothing comes at all, the timer notices.

use std::collections::{BTreeMap, VecDeque};

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::datagrams::adaptive::Adaptive;
use crate::datagrams::patience::Patience;
use crate::packet::Packet;

/// How many messages that came early the receiver keeps.
const EARLY_MAX: u32 = 64;

/// This many acknowledgements that say nothing new mean a loss: fewer may come from datagrams that overtook each other.
const DUPLICATES: u32 = 3;

/// Decides how many messages may be on their way.
pub trait Control: Default + Send + 'static {
    /// The number of messages; at least one.
    fn window(&self) -> usize;
    /// How many more were acknowledged.
    fn acknowledged(&mut self, count: usize);
    /// One was lost, and those behind it came.
    fn lost(&mut self);
    /// Nothing arrived until the timeout.
    fn fell_silent(&mut self);
}

/// A message on its way.
#[derive(Debug)]
struct Sent {
    message: Vec<u8>,
    at: Time,
    is_repeated: bool,
}

/// Sends as many messages ahead as its control lets it. An acknowledgement says which number is expected next: all before it
/// have come. What came early is kept.
#[derive(Debug, Default)]
pub struct Flow<C> {
    control: C,
    patience: Adaptive,
    /// The number of the oldest message that is not acknowledged, and the messages from that one on.
    base: u32,
    window: VecDeque<Sent>,
    /// How often in a row an acknowledgement asked for that one.
    asked_again: u32,
    /// Until this number is acknowledged, a loss belongs to one that was noticed already.
    recovered_at: u32,
    /// When the timer was set.
    timer_from: Time,
    /// The number of the message that is to be delivered next, and what came early.
    expected: u32,
    early: BTreeMap<u32, Vec<u8>>,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl<C: Control> Flow<C> {
    /// How many messages may be on their way.
    pub fn window(&self) -> usize {
        self.control.window()
    }

    /// Sends the oldest message again.
    fn repeat(&mut self, now: Time) {
        if let Some(sent) = self.window.front_mut() {
            (sent.at, sent.is_repeated) = (now, true);
            self.datagrams.push_back(Packet::Data(self.base, &sent.message).to_bytes());
            self.timer_from = now;
        }
    }

    fn is_recovering(&self) -> bool {
        self.base < self.recovered_at
    }

    /// All that is on its way was sent before the loss was noticed.
    fn recover(&mut self) {
        self.recovered_at = self.base + self.window.len() as u32;
        self.asked_again = 0;
    }

    fn on_data(&mut self, number: u32, message: &[u8]) {
        if number >= self.expected && number - self.expected < EARLY_MAX {
            self.early.insert(number, message.to_vec());
        }
        while let Some(message) = self.early.remove(&self.expected) {
            self.messages.push_back(message);
            self.expected += 1;
        }
        self.datagrams.push_back(Packet::Ack(self.expected).to_bytes());
    }

    fn on_ack(&mut self, now: Time, expected: u32) {
        let count = expected.saturating_sub(self.base) as usize;
        if count > self.window.len() {
            return;
        }
        if count == 0 {
            self.asked_again += u32::from(expected == self.base && !self.window.is_empty());
            if self.asked_again == DUPLICATES && !self.is_recovering() {
                self.recover();
                self.control.lost();
                self.repeat(now);
            }
            return;
        }
        let newest = self.window.drain(..count).next_back();
        if let Some(sent) = newest.filter(|sent| !sent.is_repeated && !self.is_recovering()) {
            self.patience.answered(now.since(sent.at));
        }
        self.base = expected;
        self.asked_again = 0;
        self.timer_from = now;
        if self.is_recovering() {
            // Of what was sent before the loss was noticed, this one did not come either (RFC 6582).
            self.repeat(now);
        } else {
            self.control.acknowledged(count);
        }
    }
}

impl<C: Control> Machine for Flow<C> {
    fn is_ready(&self) -> bool {
        self.window.len() < self.window()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        let number = self.base + self.window.len() as u32;
        if self.window.is_empty() {
            self.timer_from = now;
        }
        self.datagrams.push_back(Packet::Data(number, message).to_bytes());
        self.window.push_back(Sent { message: message.to_vec(), at: now, is_repeated: false });
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        match Packet::read(datagram) {
            Some(Packet::Data(number, message)) => self.on_data(number, message),
            Some(Packet::Ack(number)) => self.on_ack(now, number),
            None => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        (!self.window.is_empty()).then(|| self.timer_from + self.patience.wait())
    }

    fn on_timer(&mut self, now: Time) {
        self.patience.waited_in_vain();
        self.control.fell_silent();
        self.recover();
        self.repeat(now);
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
