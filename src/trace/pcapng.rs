//! A trace as a capture file that Wireshark, tshark and others open: pcapng.
//!
//! Each host has an interface of its name. A packet stands there twice: on the interface of the host that it
//! left, outbound, as it was sent; and on that of the host where it arrived, inbound, as it came, once for
//! each copy. What was dropped by a fault or lost otherwise is on the interface `lost`, what the plan put on
//! the wire on `injected`. A packet that left and is on none of them was still on its way when the run ended.
//!
//! What hit a packet is a comment of each of its entries, and nothing else is: `frame.comment` finds the
//! faults. Times are those of the run, in nanoseconds, its start being 1970-01-01 00:00 UTC. Packets are
//! whole, from their IP header on.
//!
//! Wireshark's analysis of TCP takes all interfaces for one, and so each packet for a retransmission of
//! itself. A display filter does not change that; a file of what one host saw does:
//! [`Trace::write_pcapng_seen_by`].

mod entry;
mod writer;

use std::collections::BTreeSet;
use std::io;

use super::{HostId, Trace, What};
use crate::model::Action;
use entry::Place;

/// What a capture file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// Packets that left a host.
    pub sent: u64,
    /// Packets that arrived, copies among them.
    pub arrived: u64,
    /// Packets that a fault dropped, and those that were lost otherwise.
    pub lost: u64,
    /// Packets that the plan put on the wire.
    pub injected: u64,
    /// Packets that are not in the file: the trace does not hold them. Such is one to an address that no host
    /// has.
    pub missing: u64,
}

impl Captured {
    /// What a capture of this trace holds: of all of it, or of what one host saw.
    fn of(trace: &Trace, seen_by: Option<HostId>) -> Captured {
        let is_seen = |place: Place| seen_by.is_none_or(|host| place.is_at(host));
        let mut captured = Captured::default();
        let mut known = BTreeSet::new();
        for event in trace.events() {
            let (packet, place, is_whole) = match &event.what {
                What::Sent { packet, from, .. } => (packet, Place::Outbound(*from), true),
                What::Injected { packet, .. } => (packet, Place::Injected, true),
                What::Arrived { packet, to, altered, .. } => (packet, Place::Inbound(*to), altered.is_some()),
                What::Lost { packet, .. }
                | What::Fault { packet, action: Action::Drop | Action::Reject(_), .. } => {
                    (packet, Place::Lost, false)
                }
                _ => continue,
            };
            if let What::Sent { .. } | What::Injected { .. } = &event.what {
                known.insert(*packet);
            }
            if !is_seen(place) {
                continue;
            }
            let count = match place {
                Place::Outbound(_) => &mut captured.sent,
                Place::Inbound(_) => &mut captured.arrived,
                Place::Lost => &mut captured.lost,
                Place::Injected => &mut captured.injected,
            };
            if is_whole || known.contains(packet) {
                *count += 1;
            } else {
                captured.missing += 1;
            }
        }
        captured
    }
}

impl Trace {
    /// Writes the trace as pcapng, `comment` (which scenario, which plan) as the comment of the whole.
    ///
    /// It is written packet by packet; beside the trace it takes memory of a few words for each packet.
    ///
    /// # Errors
    /// Those of `out`; `InvalidInput` where a host's name is longer than the format allows, which is 65 535
    /// bytes.
    pub fn write_pcapng(&self, comment: &str, out: impl io::Write) -> io::Result<Captured> {
        self.write_entries(None, comment, out)
    }

    /// Like [`Trace::write_pcapng`], but only with the packets that one host sent and received, as a capture
    /// on that host. Wireshark's TCP analysis fits it.
    ///
    /// # Errors
    /// As for [`Trace::write_pcapng`].
    pub fn write_pcapng_seen_by(
        &self,
        host: HostId,
        comment: &str,
        out: impl io::Write,
    ) -> io::Result<Captured> {
        self.write_entries(Some(host), comment, out)
    }

    fn write_entries(
        &self,
        seen_by: Option<HostId>,
        comment: &str,
        out: impl io::Write,
    ) -> io::Result<Captured> {
        let captured = Captured::of(self, seen_by);
        let mut writer = writer::Writer::new(self, seen_by, &captured, comment, out)?;
        for entry in entry::entries(self) {
            if seen_by.is_none_or(|host| entry.place.is_at(host)) {
                writer.entry(&entry)?;
            }
        }
        writer.finish()?;
        Ok(captured)
    }
}

#[cfg(test)]
mod tests;
