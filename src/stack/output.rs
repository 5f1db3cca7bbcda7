//! Down through IP: fragments, the transmit queue, and the way back to this host itself.

use bytes::Bytes;

use super::Stack;
use super::datagram::cost;
use super::route::Reach;
use crate::model::{Errno, Fd};
use crate::packet::Outgoing;

/// Packets that wait for the wire; a send that does not fit in is `ENOBUFS`.
pub(super) const MAX_TRANSMIT: usize = 4_096;
/// What this host sends to itself is cut into fragments above this, in bytes, as Linux's `lo` does.
const LOOPBACK_MTU: usize = 65_536;

/// A packet that waits for the wire.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) packet: Bytes,
    /// The socket whose send buffer it takes up.
    pub(super) sender: Option<Fd>,
}

impl Stack {
    /// Sends a packet on its way, in fragments if need be; `looped` is whether this host gets what goes to
    /// many.
    ///
    /// # Errors
    /// `ENOBUFS` where the transmit queue has no room for it.
    pub(super) fn emit(
        &mut self,
        sender: Option<Fd>,
        reach: Reach,
        looped: bool,
        out: &Outgoing<'_>,
    ) -> Result<(), Errno> {
        let mtu = match reach {
            Reach::Own => LOOPBACK_MTU,
            _ => usize::from(self.config.mtu.max(68)),
        };
        let pieces = out.pieces(mtu);
        let wire = match reach {
            Reach::Own => false,
            // ip(7): a multicast datagram with TTL 0 does not leave the host.
            Reach::Multicast => out.hop_limit > 0,
            Reach::Link | Reach::Broadcast => true,
        };
        if wire && self.transmit.len() + pieces > MAX_TRANSMIT {
            return Err(Errno::ENOBUFS);
        }
        let id = self.next_id;
        if pieces > 1 {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let (mut unsent, mut bytes) = (0, 0);
        let Stack { transmit, looped: loopback, .. } = &mut *self;
        out.build(mtu, id, |packet| {
            if looped || reach == Reach::Own {
                loopback.push_back(packet.clone());
            }
            if wire {
                unsent += cost(packet.len());
                bytes += packet.len();
                transmit.push_back(Waiting { packet, sender });
            }
        });
        self.transmit_bytes += bytes;
        if let Some(socket) = sender.and_then(|fd| self.datagrams.get_mut(fd).ok()) {
            socket.unsent += unsent;
        }
        Ok(())
    }

    /// A packet of the socket has left.
    pub(super) fn sent(&mut self, fd: Fd, len: usize) {
        let Ok(socket) = self.datagrams.get_mut(fd) else {
            return;
        };
        let was = socket.is_writable();
        socket.unsent = socket.unsent.saturating_sub(cost(len));
        if socket.is_writable() && !was {
            self.changed(fd);
        }
    }

    /// Receives what this host sent to itself. What that provokes (an ICMP error) is received in turn, and
    /// provokes nothing more.
    pub(super) fn run_loopback(&mut self) {
        while let Some(packet) = self.looped.pop_front() {
            self.receive(&packet, true);
        }
    }
}
