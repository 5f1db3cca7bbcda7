//! A host's device, from the side of the wire.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::refusal::{Refusal, Step};
use super::sys;

/// Where the kernel makes TUN devices.
const NODE: &str = "/dev/net/tun";

/// Largest packet that a device gives, in bytes.
const PACKET_MAX: usize = 65_536;

/// Where a host of the kernel meets the wire: whole IP packets out and in, never waiting.
pub trait Device: Debug + Send {
    /// The next packet that the host sent, if there is one.
    ///
    /// # Errors
    /// The system's, other than `EAGAIN`.
    fn receive(&mut self) -> io::Result<Option<Bytes>>;

    /// Hands a packet to the host.
    ///
    /// # Errors
    /// The system's; the packet is lost then.
    fn send(&mut self, packet: &[u8]) -> io::Result<()>;

    /// A descriptor that is readable when there is something to receive.
    fn readable(&self) -> BorrowedFd<'_>;
}

/// A TUN device: what the host sends is read from it, and what is written to it arrives at the host.
#[derive(Debug)]
pub struct Tun {
    descriptor: OwnedFd,
    buffer: Vec<u8>,
}

impl Tun {
    /// One that another process made.
    pub(super) fn from_descriptor(descriptor: OwnedFd) -> Tun {
        Tun { descriptor, buffer: vec![0; PACKET_MAX] }
    }

    /// Makes one in the calling thread's network namespace; it is down and has no address.
    ///
    /// # Errors
    /// [`Refusal`] of the node or of the device.
    pub(super) fn make(name: &str) -> Result<OwnedFd, Refusal> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let node = rustix::fs::open(NODE, flags, Mode::empty()).map_err(Refusal::at(Step::TunNode))?;
        sys::make_tun(&node, name).map_err(Refusal::at(Step::TunDevice))?;
        Ok(node)
    }
}

impl Device for Tun {
    fn receive(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match rustix::io::read(&self.descriptor, self.buffer.as_mut_slice()) {
                Ok(length) => return Ok(Some(Bytes::copy_from_slice(&self.buffer[..length]))),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        loop {
            match rustix::io::write(&self.descriptor, packet) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn readable(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
