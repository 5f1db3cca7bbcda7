//! What the checks ask of the packets of a connection.

use std::net::SocketAddr;

use bytes::Bytes;
use faultwire::trace::{Event, HostId, PacketView, TcpFlags, Trace, Transport};

/// A TCP segment and where it was seen.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The event's place in the trace.
    pub(super) place: usize,
    /// The host that sent it, or that it arrived at.
    pub(super) host: HostId,
    /// Whether it arrived (as it was sent), or was sent.
    pub(super) arrived: bool,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: TcpFlags,
    pub(super) payload: Bytes,
}

impl Segment {
    fn read(place: usize, host: HostId, arrived: bool, bytes: &Bytes) -> Option<Segment> {
        let view = PacketView::parse(bytes)?;
        let (from, to) = (view.source()?, view.destination()?);
        match view.transport {
            Transport::Tcp { seq, ack, flags, payload, .. } => {
                Some(Segment { place, host, arrived, from, to, seq, ack, flags, payload })
            }
            _ => None,
        }
    }

    pub(super) fn has(&self, flags: TcpFlags) -> bool {
        self.flags.has(flags)
    }

    /// Whether it opens a connection: a SYN that acknowledges nothing.
    pub(super) fn is_opening(&self) -> bool {
        self.has(TcpFlags::SYN) && !self.has(TcpFlags::ACK)
    }
}

/// All segments that were sent, and those that arrived as they were sent, in order.
pub(super) fn segments(trace: &Trace) -> Vec<Segment> {
    let mut sent: Vec<Option<(HostId, Bytes)>> = Vec::new();
    let mut all = Vec::new();
    for (place, event) in trace.events().iter().enumerate() {
        if let Some(sending) = event.sending() {
            let index = sending.packet.0 as usize;
            if sent.len() <= index {
                sent.resize(index + 1, None);
            }
            sent[index] = Some((sending.from, sending.bytes.clone()));
            // What was injected nobody sent.
            if sending.label.is_some() {
                all.extend(Segment::read(place, sending.from, false, sending.bytes));
            }
        } else if let Some(arrival) = Event::arrival(event).filter(|arrival| arrival.altered.is_none())
            && let Some(Some((_, bytes))) = sent.get(arrival.packet.0 as usize)
        {
            all.extend(Segment::read(place, arrival.to, true, bytes));
        }
    }
    all
}

/// `a - b` of sequence numbers.
pub(super) fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}
