//! Lesson 8, believed: what a full buffer drops is sent again, so a full buffer does no harm.

use std::collections::VecDeque;

use faultwire::machine::Machine;
use faultwire::time::Time;

use super::ROOM;
use crate::packet::Packet;

/// A reliable machine whose program is slow: it keeps a limited number of messages. While there is no room, what
/// comes is dropped, as a socket does it.
#[derive(Debug, Default)]
pub struct Bounded<M> {
    machine: M,
    kept: VecDeque<Vec<u8>>,
}

impl<M: Machine> Machine for Bounded<M> {
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        let is_data = matches!(Packet::read(datagram), Some(Packet::Data(..)));
        if is_data && self.kept.len() >= ROOM {
            return;
        }
        self.machine.on_datagram(now, datagram);
        self.kept.extend(self.machine.next_message());
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        // What came early, and was kept until its turn, comes when there is room.
        let next = self.kept.pop_front();
        self.kept.extend(self.machine.next_message());
        next
    }

    fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.machine.send(now, message);
    }
    fn next_timer(&self) -> Option<Time> {
        self.machine.next_timer()
    }
    fn on_timer(&mut self, now: Time) {
        self.machine.on_timer(now);
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.machine.next_datagram()
    }
    fn is_done(&self) -> bool {
        self.machine.is_done()
    }
}
