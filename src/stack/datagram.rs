//! A datagram socket: its addresses, options and the datagrams that wait in it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;

use super::binding::Binding;
use crate::model::{Domain, Errno, Readiness, Received};

/// SO_RCVBUF and SO_SNDBUF of a fresh socket, and the largest that can be asked for (Linux's `rmem_default`,
/// `rmem_max` and their like for sending). Asking doubles.
pub(super) const BUFFER_DEFAULT: usize = 212_992;
/// The least that SO_RCVBUF can be set to, doubled.
pub(super) const RECV_BUFFER_MIN: usize = 2_304;
/// The least that SO_SNDBUF can be set to, doubled.
pub(super) const SEND_BUFFER_MIN: usize = 4_608;

/// An address and a port.
pub(super) type Peer = (IpAddr, u16);

/// A datagram that waits to be received.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    /// A slice of the packet that it came in.
    pub(super) payload: Bytes,
    pub(super) from: Peer,
    /// What it costs of the receive buffer.
    pub(super) cost: usize,
}

/// A datagram socket.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) binding: Binding,
    /// Which address its datagrams bear, where that is settled.
    pub(super) source: Option<IpAddr>,
    /// The order in which sockets were bound: the last one wins among equals.
    pub(super) bound_at: u64,
    /// The program chose the address; dissolving an association keeps it.
    pub(super) address_locked: bool,
    /// The program chose the port; likewise.
    pub(super) port_locked: bool,
    pub(super) peer: Option<Peer>,
    pub(super) queue: VecDeque<Queued>,
    /// Sum of the costs in `queue`.
    pub(super) queued: usize,
    pub(super) recv_buffer: usize,
    pub(super) send_buffer: usize,
    /// Cost of its packets in the transmit queue.
    pub(super) unsent: usize,
    pub(super) error: Option<Errno>,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    pub(super) broadcast: bool,
    pub(super) keep_alive: bool,
    pub(super) linger: Option<Duration>,
    pub(super) ttl: u8,
    pub(super) multicast_ttl: u8,
    pub(super) multicast_loop: bool,
    pub(super) groups: Vec<IpAddr>,
    #[cfg(feature = "mutants")]
    pub(super) deeds: super::mutant::Deeds,
}

impl Datagram {
    pub(super) fn new(domain: Domain) -> Self {
        Datagram {
            binding: Binding::new(domain),
            source: None,
            bound_at: 0,
            address_locked: false,
            port_locked: false,
            peer: None,
            queue: VecDeque::new(),
            queued: 0,
            recv_buffer: BUFFER_DEFAULT,
            send_buffer: BUFFER_DEFAULT,
            unsent: 0,
            error: None,
            read_shut: false,
            write_shut: false,
            broadcast: false,
            keep_alive: false,
            linger: None,
            ttl: 64,
            multicast_ttl: 1,
            multicast_loop: true,
            groups: Vec::new(),
            #[cfg(feature = "mutants")]
            deeds: super::mutant::Deeds::default(),
        }
    }

    /// Gives a program a datagram that waits, cut to its buffer.
    pub(super) fn copy(&self, queued: &Queued, buffer: &mut [u8]) -> Received {
        let full_len = queued.payload.len();
        let len = full_len.min(buffer.len());
        buffer[..len].copy_from_slice(&queued.payload[..len]);
        Received { len, full_len, from: self.binding.shown(queued.from) }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.unsent < self.send_buffer
    }

    /// `udp_poll` of Linux.
    pub(super) fn readiness(&self) -> Readiness {
        Readiness {
            readable: !self.queue.is_empty() || self.read_shut,
            writable: self.is_writable(),
            error: self.error.is_some(),
            hang_up: self.read_shut && self.write_shut,
        }
    }
}

/// The unspecified address of a family.
pub(super) fn any(domain: Domain) -> IpAddr {
    match domain {
        Domain::Inet => Ipv4Addr::UNSPECIFIED.into(),
        Domain::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// What a packet costs of a socket's buffer: Linux's `truesize`, as measured on 6.18.
///
/// 256 bytes of bookkeeping, and the packet with 352 bytes of room and tail in a block of 576 bytes or of the
/// next power of two; from 16 KiB on, in whole pages. So 256 datagrams of 100 bytes fill the default buffer.
pub(super) fn cost(ip_packet_len: usize) -> usize {
    const BOOKKEEPING: usize = 256;
    let block = ip_packet_len + 352;
    BOOKKEEPING
        + match block {
            ..=576 => 576,
            577..=16_384 => block.next_power_of_two(),
            _ => block.next_multiple_of(4_096),
        }
}
