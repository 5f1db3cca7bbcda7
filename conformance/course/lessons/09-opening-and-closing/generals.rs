//! Lesson 9, the two generals: two sides that must do the same, and can only send messages that may be lost.

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

/// One of two generals who attack together or not at all. They have agreed on a number of messages, which each is the answer
/// to the one before: "at dawn", "I know", "I know that you know", and so on. Who has received every message that was to come
/// to him attacks.
#[derive(Debug)]
pub struct General {
    /// How many messages were agreed on.
    agreed: u8,
    /// The number of the next message to come to him; the first is 1.
    awaited: u8,
    datagrams: VecDeque<Vec<u8>>,
}

impl General {
    /// The one who sends the first message.
    pub fn first(agreed: u8) -> General {
        General { agreed, awaited: 2, datagrams: VecDeque::new() }
    }

    /// The one who receives it.
    pub fn second(agreed: u8) -> General {
        General { agreed, awaited: 1, datagrams: VecDeque::new() }
    }

    /// Whether he is sure enough to attack.
    pub fn attacks(&self) -> bool {
        self.awaited > self.agreed
    }
}

impl Machine for General {
    fn send(&mut self, _now: Time, _message: &[u8]) {
        self.datagrams.push_back(vec![1]);
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        if datagram == [self.awaited] {
            if self.awaited < self.agreed {
                self.datagrams.push_back(vec![self.awaited + 1]);
            }
            self.awaited = self.awaited.saturating_add(2);
        }
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        None
    }
}
