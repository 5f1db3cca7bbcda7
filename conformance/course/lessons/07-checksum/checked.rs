//! Lesson 7, mended: behind each datagram comes a remainder (a CRC) that sees what a sum does not.

use faultwire::machine::Machine;
use faultwire::time::Time;

/// Any machine, whose datagrams are checked end to end: what is damaged is as good as lost.
#[derive(Debug, Default)]
pub struct Checked<M> {
    machine: M,
}

impl<M: Machine> Machine for Checked<M> {
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        let Some((inside, check)) = datagram.split_last_chunk() else { return };
        if crc32(inside) == u32::from_be_bytes(*check) {
            self.machine.on_datagram(now, inside);
        }
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        let mut datagram = self.machine.next_datagram()?;
        let check = crc32(&datagram).to_be_bytes();
        datagram.extend_from_slice(&check);
        Some(datagram)
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
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.machine.next_message()
    }
    fn is_done(&self) -> bool {
        self.machine.is_done()
    }
}

/// The CRC-32 of Ethernet and zlib (IEEE 802.3): the bytes as one long number, divided without carries by a number of 33
/// bits; what remains. A table makes it fast; this is what the table is made from.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = remainder & 1;
            remainder >>= 1;
            if carry == 1 {
                remainder ^= 0xedb8_8320;
            }
        }
    }
    !remainder
}
