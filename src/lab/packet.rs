//! Devices with a packet socket: packet(7).
//!
//! One needs no device node: a pair of Ethernet devices, the host's and the wire's, with the socket on the
//! wire's. The other is for a program that is its host's stack: a TUN device that the program opens, with the
//! socket on the kernel's side. The kernel does not forward: it has no address there and no route, so that it
//! throws away what the socket takes a copy of, and no TTL changes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use socket2::{Domain, Socket, Type};

use super::device::{Device, EtherType, PROGRAM_TUN, Tun, read, write};
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

/// A packet socket on the wire's end of a pair, or on a program's TUN device.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: OwnedFd,
    /// Length of the header in front of each IP packet, in bytes: Ethernet's, or none.
    header: usize,
    buffer: Vec<u8>,
    frame: Vec<u8>,
    unread: u64,
}

impl PacketSocket {
    /// One on a pair, which another process made.
    pub(super) fn ethernet(socket: OwnedFd) -> PacketSocket {
        PacketSocket { socket, header: HEADER, buffer: vec![0; FRAME_MAX], frame: Vec::new(), unread: 0 }
    }

    /// One on a program's TUN device, which another process made.
    pub(super) fn program_tun(socket: OwnedFd) -> PacketSocket {
        PacketSocket { header: 0, ..PacketSocket::ethernet(socket) }
    }

    /// Makes a TUN device for a program in the calling thread's namespace: ready to use, and not open.
    pub(super) fn make_program_tun(mtu: u16, queue: u32) -> Result<OwnedFd, Refusal> {
        // This kernel is no host: it says nothing, and hands nothing on.
        for (name, value) in [("ipv6/conf/default/disable_ipv6", "1"), ("ipv4/ip_forward", "0")] {
            settings::set_if_there(name, value)?;
        }
        let tun = Tun::make(PROGRAM_TUN)?;
        sys::keep_tun(&tun).map_err(Refusal::at(Step::TunDevice))?;
        let refused = Refusal::at(Step::Link);
        let mut netlink = Netlink::open().map_err(Refusal::at(Step::Netlink))?;
        let index = netlink.index(PROGRAM_TUN).map_err(&refused)?;
        netlink.set_sizes(index, mtu.into(), queue).map_err(&refused)?;
        netlink.set_up(index).map_err(&refused)?;
        let loopback = netlink.index("lo").map_err(&refused)?;
        netlink.set_up(loopback).map_err(&refused)?;
        listen(index).map_err(Refusal::at(Step::PacketSocket))
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
        settings::set_if_there("ipv6/conf/default/disable_ipv6", "1")?;
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

impl PacketSocket {
    /// Hands a packet to a program's TUN device. That gives the same error where its queue is full and where
    /// no program has it open; one that has opened it since gets the packet.
    fn send_to_program(&self, packet: &[u8]) -> io::Result<()> {
        match write(&self.socket, packet) {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            other => return other,
        }
        match sys::has_link(&self.socket, PROGRAM_TUN)? {
            true => write(&self.socket, packet),
            false => Err(io::ErrorKind::NetworkDown.into()),
        }
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
            let (header, packet) = self.buffer[..length].split_at(self.header.min(length));
            let fits = |kind: EtherType| header.is_empty() || header.ends_with(&kind.bytes());
            if EtherType::of(packet).is_some_and(fits) {
                return Ok(Some(Bytes::copy_from_slice(packet)));
            }
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        // A host throws away what is neither.
        let Some(kind) = EtherType::of(packet) else { return Ok(()) };
        if self.header == 0 {
            return self.send_to_program(packet);
        }
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
