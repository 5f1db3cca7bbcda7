//! Devices that lose a packet outside of any plan, on purpose: to see that such a run counts for nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use faultwire::lab::Device;

/// In how many further runs of a scenario a packet is lost.
static RUNS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Makes each of the next `runs` runs of the named scenario lose a packet.
pub(crate) fn lose(scenario: &str, runs: u32) {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner).insert(scenario.to_owned(), runs);
}

/// The devices of a run's hosts; if the run is to lose a packet, the first one that its first host is to get.
pub(super) fn devices(scenario: &str, mut devices: Vec<Box<dyn Device>>) -> Vec<Box<dyn Device>> {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(left) = runs.get_mut(scenario).filter(|left| **left > 0)
        && !devices.is_empty()
    {
        *left -= 1;
        let device = devices.swap_remove(0);
        devices.push(Box::new(Lossy { device, is_to_lose: true }));
        let last = devices.len() - 1;
        devices.swap(0, last);
    }
    devices
}

#[derive(Debug)]
struct Lossy {
    device: Box<dyn Device>,
    is_to_lose: bool,
}

impl Device for Lossy {
    fn receive(&mut self) -> io::Result<Option<Bytes>> {
        self.device.receive()
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.is_to_lose) {
            return Err(io::Error::other("lost on purpose"));
        }
        self.device.send(packet)
    }

    fn unread(&mut self) -> io::Result<u64> {
        self.device.unread()
    }

    fn readable(&self) -> BorrowedFd<'_> {
        self.device.readable()
    }
}
