//! A host's device, from the side of the wire.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::packet::PacketSocket;
use super::refusal::{Refusal, Step};
use super::sys;

/// Where the kernel makes TUN devices.
const NODE: &str = "/dev/net/tun";

/// The TUN device in the host of a program that is its own network stack ([`HostConfig::tun`]).
///
/// [`HostConfig::tun`]: super::HostConfig::tun
pub const PROGRAM_TUN: &str = "tun0";

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
    /// The system's; the packet is lost then. [`io::ErrorKind::NetworkDown`]: nothing runs that could take
    /// it, so that the host is down.
    fn send(&mut self, packet: &[u8]) -> io::Result<()>;

    /// Packets that the host sent and that were lost here before they were received: there was no room.
    ///
    /// # Errors
    /// The system's.
    fn unread(&mut self) -> io::Result<u64>;

    /// A descriptor that is readable when there is something to receive.
    fn readable(&self) -> BorrowedFd<'_>;
}

/// How a host meets the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// A TUN device: needs access to `/dev/net/tun`.
    Tun,
    /// One end of a pair of Ethernet devices, with a packet socket on the other end: needs no device node.
    Packet,
    /// A TUN device that a program in the host opens, as it is the host's stack; with a packet socket on the
    /// device's other side.
    ProgramTun,
}

impl DeviceKind {
    /// The device that another process made.
    pub(super) fn device(self, descriptor: OwnedFd) -> Box<dyn Device> {
        match self {
            DeviceKind::Tun => Box::new(Tun { descriptor, buffer: vec![0; PACKET_MAX] }),
            DeviceKind::Packet => Box::new(PacketSocket::ethernet(descriptor)),
            DeviceKind::ProgramTun => Box::new(PacketSocket::program_tun(descriptor)),
        }
    }
}

/// A TUN device: what the host sends is read from it, and what is written to it arrives at the host.
#[derive(Debug)]
pub(super) struct Tun {
    descriptor: OwnedFd,
    buffer: Vec<u8>,
}

impl Tun {
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
        let length = read(&self.descriptor, &mut self.buffer)?;
        Ok(length.map(|length| Bytes::copy_from_slice(&self.buffer[..length])))
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        if EtherType::of(packet).is_none() {
            // The device would refuse what is neither IPv4 nor IPv6 (EINVAL); a host throws it away.
            return Ok(());
        }
        write(&self.descriptor, packet)
    }

    fn unread(&mut self) -> io::Result<u64> {
        // It has no room of its own: what its queue has no room for the host itself counts.
        Ok(0)
    }

    fn readable(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// What the device has; `None` where that is nothing.
pub(super) fn read(descriptor: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::io::read(&descriptor, &mut *buffer) {
            Ok(length) => return Ok(Some(length)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn write(descriptor: impl AsFd, packet: &[u8]) -> io::Result<()> {
    loop {
        match rustix::io::write(&descriptor, packet) {
            Err(Errno::INTR) => {}
            other => return Ok(other.map(drop)?),
        }
    }
}

/// The protocol that an Ethernet frame names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EtherType {
    V4,
    V6,
}

impl EtherType {
    /// That of an IP packet, by its version.
    pub(super) fn of(packet: &[u8]) -> Option<EtherType> {
        match packet.first()? >> 4 {
            4 => Some(EtherType::V4),
            6 => Some(EtherType::V6),
            _ => None,
        }
    }

    /// As it stands in a frame.
    pub(super) fn bytes(self) -> [u8; 2] {
        match self {
            EtherType::V4 => [0x08, 0x00],
            EtherType::V6 => [0x86, 0xdd],
        }
    }
}
