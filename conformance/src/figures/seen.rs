//! What a run's trace shows, as figures are read from it.

use std::time::Duration;

use faultwire::fault::{Class, Label};
use faultwire::packet::{IcmpMessage, TcpFlags, Transport, max_segment_size, tcp_options};
use faultwire::time::Time;
use faultwire::trace::{Fate, HostId, PacketId, Trace};

use super::value::Value;

/// A run that is over.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the programs noted of their calls.
    pub(super) said: Vec<String>,
    packets: Vec<Packet>,
}

/// The tried host is the first end of the wire.
pub(super) const TRIED: HostId = HostId(0);
const PEER: HostId = HostId(1);

/// A packet, read.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// When it was sent.
    pub(super) at: Time,
    /// When it first reached the other host, if it did.
    pub(super) arrived: Option<Time>,
    pub(super) from: HostId,
    pub(super) label: Label,
    pub(super) ttl: u8,
    /// What it carries.
    pub(super) transport: Transport,
    /// What a SYN offers.
    pub(super) offers: Option<Offers>,
}

/// Options of a SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) mss: Option<u16>,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
    pub(super) scale: Option<u8>,
}

/// The TCP header of a packet, and the length of its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcp {
    pub(super) src: u16,
    pub(super) dst: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: TcpFlags,
    pub(super) window: u16,
    pub(super) length: usize,
}

impl Packet {
    pub(super) fn tcp(&self) -> Option<Tcp> {
        match &self.transport {
            Transport::Tcp { src, dst, seq, ack, flags, window, payload, .. } => Some(Tcp {
                src: *src,
                dst: *dst,
                seq: *seq,
                ack: *ack,
                flags: *flags,
                window: *window,
                length: payload.len(),
            }),
            _ => None,
        }
    }

    /// An ICMP error: what it says and how many bytes it quotes.
    pub(super) fn icmp(&self) -> Option<(IcmpMessage, usize)> {
        match &self.transport {
            Transport::Icmp { message, payload } => Some((*message, payload.len())),
            _ => None,
        }
    }
}

impl Seen {
    pub(super) fn new(trace: &Trace, said: Vec<String>) -> Seen {
        let packets = trace.sendings().filter_map(|sending| {
            let view = sending.view()?;
            let offers = match &view.transport {
                Transport::Tcp { flags, options, .. } if flags.has(TcpFlags::SYN) => Some(offers(options)),
                _ => None,
            };
            Some(Packet {
                at: sending.at,
                arrived: arrival(trace, sending.packet),
                from: sending.from,
                label: sending.label?,
                ttl: view.ttl,
                transport: view.transport,
                offers,
            })
        });
        let packets = packets.collect();
        Seen { said, packets }
    }

    /// What the tried host sent, in order.
    pub(super) fn tried(&self) -> impl DoubleEndedIterator<Item = &Packet> {
        self.packets.iter().filter(|packet| packet.from == TRIED)
    }

    /// What its peer sent, in order.
    pub(super) fn peer(&self) -> impl DoubleEndedIterator<Item = &Packet> {
        self.packets.iter().filter(|packet| packet.from == PEER)
    }

    /// The tried host's packets of a class.
    pub(super) fn class(&self, class: Class) -> impl DoubleEndedIterator<Item = &Packet> {
        self.tried().filter(move |packet| packet.label.class == class)
    }

    /// The options that both sides' first SYN offers.
    pub(super) fn agreed(&self) -> Offers {
        let of =
            |host| self.packets.iter().filter(|packet| packet.from == host).find_map(|packet| packet.offers);
        match (of(TRIED), of(PEER)) {
            (Some(one), Some(two)) => Offers {
                mss: one.mss.min(two.mss),
                sack: one.sack && two.sack,
                timestamps: one.timestamps && two.timestamps,
                scale: one.scale.and(two.scale),
            },
            _ => Offers::default(),
        }
    }
}

fn arrival(trace: &Trace, packet: PacketId) -> Option<Time> {
    match trace.fate(packet) {
        Fate::Arrived { .. } => trace.arrivals_of(packet).next().map(|arrival| arrival.at),
        _ => None,
    }
}

/// What the options of a SYN offer.
fn offers(options: &[u8]) -> Offers {
    let mut offers = Offers { mss: max_segment_size(options), ..Offers::default() };
    for option in tcp_options(options) {
        match option {
            (3, [shift]) => offers.scale = Some(*shift),
            (4, []) => offers.sack = true,
            (8, _) => offers.timestamps = true,
            _ => {}
        }
    }
    offers
}

/// The times between the sendings of some packets.
pub(super) fn waits<'a>(packets: impl Iterator<Item = &'a Packet>) -> Vec<Duration> {
    let times: Vec<Time> = packets.map(|packet| packet.at).collect();
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

/// The first of some waits.
pub(super) fn first(waits: &[Duration]) -> Option<Value> {
    waits.first().map(|wait| Value::Seconds(wait.as_secs_f64()))
}

/// How each wait compares with the one before it; at least two of them, or nothing was shown.
pub(super) fn growth(waits: &[Duration]) -> Option<Value> {
    let ratios: Vec<f64> =
        waits.windows(2).map(|pair| pair[1].as_secs_f64() / pair[0].as_secs_f64().max(1e-6)).collect();
    (ratios.len() >= 2).then_some(Value::Ratios(ratios))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        // As Linux writes them: MSS, SACK permitted, timestamps, no-operation, window scale.
        let linux = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
        let expected = Offers { mss: Some(1460), sack: true, timestamps: true, scale: Some(7) };
        assert_eq!(offers(&linux), expected);
        assert_eq!(offers(&[]), Offers::default());
    }

    #[test]
    fn options_that_are_cut_short_end_them() {
        for options in [[2, 4, 5, 0xb4, 3, 0, 0, 0], [2, 4, 5, 0xb4, 3, 1, 4, 2], [2, 4, 5, 0xb4, 3, 9, 4, 2]]
        {
            let expected = Offers { mss: Some(1460), ..Offers::default() };
            assert_eq!(offers(&options), expected, "{options:?}");
        }
    }

    #[test]
    fn growth_needs_three_waits() {
        let seconds = |all: &[u64]| all.iter().map(|s| Duration::from_secs(*s)).collect::<Vec<_>>();
        assert_eq!(growth(&seconds(&[1, 2])), None);
        assert_eq!(growth(&seconds(&[1, 2, 4])), Some(Value::Ratios(vec![2.0, 2.0])));
    }
}
