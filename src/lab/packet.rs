//! The device that needs no device node: a pair of Ethernet devices, the host's and the wire's, and a packet
//! socket on the wire's: packet(7).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use socket2::{Domain, Socket, Type};

use super::device::{Device, EtherType, read, write};
use super::namespace::Namespace;
use super::netlink::{Netlink, PairEnd};
use super::refusal::{Refusal, Step};
use super::settings;
use super::sys;

/// The Ethernet addresses of each pair: the link has no other hosts.
const HOST: [u8; 6] = [2, 0, 0, 0, 0, 1];
const WIRE: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Length of the Ethernet header, in bytes.
const HEADER: usize = 14;

/// Largest frame, in bytes.
const FRAME_MAX: usize = 65_536 + HEADER;

/// What the socket's buffer is asked to hold, in bytes: what overflows there is lost outside of any plan.
const BUFFER: usize = 64 * 1024 * 1024;

/// The ethtool commands that leave work to hardware which is not there: ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO.
const LEFT_TO_HARDWARE: [u32; 4] = [0x17, 0x1f, 0x24, 0x2c];

/// A packet socket on the wire's end of a pair.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
    frame: Vec<u8>,
    unread: u64,
}

impl PacketSocket {
    /// One that another process made.
    pub(super) fn new(socket: OwnedFd) -> PacketSocket {
        PacketSocket { socket, buffer: vec![0; FRAME_MAX], frame: Vec::new(), unread: 0 }
    }

    /// Makes the pair: the wire's end in the calling thread's namespace, the host's, which is called
    /// `device`, in the host's; that one is down and has no address.
    pub(super) fn make(
        host: &Namespace,
        device: &'static str,
        number: usize,
        mtu: u16,
    ) -> Result<OwnedFd, Refusal> {
        let refused = Refusal::at::<io::Error>(Step::Pair);
        // The wire's end is no host: it says nothing of its own.
        match settings::set("ipv6/conf/default/disable_ipv6", "1") {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => {
                return Err(Refusal::new(Step::Settings, &error));
            }
            _ => {}
        }
        let name = format!("wire{number}");
        let namespace = host.descriptor().map_err(&refused)?;
        let mut netlink = Netlink::open().map_err(Refusal::at(Step::Netlink))?;
        let (here, there) = (PairEnd { name: &name, address: WIRE }, PairEnd { name: device, address: HOST });
        netlink.add_pair(here, there, namespace.as_fd()).map_err(|error| refused(error.into()))?;
        let index = netlink.index(&name).map_err(Refusal::at(Step::Link))?;
        netlink.set_sizes(index, mtu.into(), 0).map_err(Refusal::at(Step::Link))?;
        netlink.set_silent(index).map_err(Refusal::at(Step::Link))?;
        host.run(move || without_offload(device)).unwrap_or(Ok(())).map_err(&refused)?;
        without_offload(&name).map_err(&refused)?;
        netlink.set_up(index).map_err(Refusal::at(Step::Link))?;
        listen(index).map_err(Refusal::at(Step::PacketSocket))
    }
}

/// A packet socket that takes what arrives at a device.
fn listen(index: u32) -> io::Result<OwnedFd> {
    // Without a protocol it takes nothing until it is bound.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    sys::ignore_own(&socket)?;
    sys::bypass_queue(&socket)?;
    // As root the size is not limited by net.core.rmem_max.
    if sys::force_receive_buffer(&socket, BUFFER).is_err() {
        socket.set_recv_buffer_size(BUFFER)?;
    }
    sys::bind_to_device(&socket, index)?;
    Ok(socket.into())
}

/// Has the system finish every packet itself: as large as the MTU, with its checksum.
fn without_offload(device: &str) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    for command in LEFT_TO_HARDWARE {
        sys::switch_off(&socket, device, command)?;
    }
    Ok(())
}

impl Device for PacketSocket {
    fn receive(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(length) = read(&self.socket, &mut self.buffer)? else { return Ok(None) };
            let (header, packet) = self.buffer[..length].split_at(HEADER.min(length));
            if EtherType::of(packet).is_some_and(|kind| header.ends_with(&kind.bytes())) {
                return Ok(Some(Bytes::copy_from_slice(packet)));
            }
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        // A host throws away what is neither.
        let Some(kind) = EtherType::of(packet) else { return Ok(()) };
        self.frame.clear();
        for part in [&HOST[..], &WIRE, &kind.bytes(), packet] {
            self.frame.extend_from_slice(part);
        }
        write(&self.socket, &self.frame)
    }

    fn unread(&mut self) -> io::Result<u64> {
        self.unread += u64::from(sys::unread(&self.socket)?);
        Ok(self.unread)
    }

    fn readable(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
