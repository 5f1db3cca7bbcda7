//! What packets are called, and what may happen to one.

use super::{Change, Rejection};

/// A packet named by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Its class.
    pub class: Class,
    /// The nth of its class in its direction (of its flow, where one is named), counted from 1. For
    /// [`Class::Data`] the nth segment whose first byte is new on the wire.
    pub nth: u32,
    /// The flow, numbered from 1 in the order of appearance on the wire between the two hosts; any, if
    /// `None`.
    pub flow: Option<u32>,
    /// Of [`Class::Data`]: the kth segment that covers that byte, counted from 1; 1 if `None`. Where a
    /// retransmission comes in smaller pieces each of them counts, so that no two segments share a name.
    pub transmission: Option<u32>,
}

impl Packet {
    /// The nth packet of a class.
    pub fn nth(class: Class, nth: u32) -> Self {
        Packet { class, nth, flow: None, transmission: None }
    }
}

/// What a packet is. Decided before any fault is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A TCP segment with SYN.
    Syn,
    /// A TCP segment with data (a FIN beside the data does not make it a `Fin`).
    Data,
    /// A TCP segment with an acknowledgement and nothing else.
    Ack,
    /// A TCP segment with FIN and no data.
    Fin,
    /// A TCP segment with RST.
    Rst,
    /// A whole UDP datagram, or any packet of no other class.
    Datagram,
    /// A piece of a fragmented IP packet, the first one included.
    Fragment,
    /// An ICMP, ICMPv6 or IGMP message.
    Icmp,
    /// Every packet.
    Any,
}

impl Class {
    /// Whether the nth of it is the same packet in each run of a real kernel. Not so of bare
    /// acknowledgements, and of all packets taken together: how many acknowledgements there are is a matter
    /// of moments there.
    pub fn is_steady(self) -> bool {
        !matches!(self, Class::Ack | Class::Any)
    }
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It never arrives.
    Drop,
    /// It arrives twice, the copy right behind the first.
    Duplicate,
    /// It arrives this many microseconds later than it would have.
    DelayUs(u64),
    /// It arrives right behind the nth packet that is sent after it in its direction, after one second at the
    /// latest.
    HoldFor(u32),
    /// These bits of the IP packet are flipped, counted from the first bit of the IP header (bit 0 is the
    /// most significant bit of byte 0). One bit is `corrupt_bit` in a plan file, several are `corrupt_bits`.
    ///
    /// Not each is noticed: IPv6 has no header checksum, and the transport's covers the addresses, but
    /// neither the traffic class, nor the flow label, nor the hop limit (RFC 8200, section 8.1).
    CorruptBits(Vec<u32>),
    /// It arrives with changed bytes. Does nothing to a packet that lacks one of the fields or bits, or that
    /// already is as it would become, or to a fragment whose whole has a checksum that would have to fit.
    Change(Change),
    /// It never arrives, and the network tells its sender so: the answer appears on the link at once, and
    /// seems to come from where the packet was going. Does nothing to a packet that no such answer is sent
    /// to: one that is no TCP segment, or a reset itself, for a reset; an ICMP error, a multicast or a later
    /// fragment for an ICMP error (RFC 1122, section 3.2.2).
    Reject(Rejection),
}

/// All that a packet is called by: the classifier's answer, from which a selector that names it can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Its class; never [`Class::Any`].
    pub class: Class,
    /// The nth of its class in its direction, over all flows.
    pub nth: u32,
    /// The nth of its class in its direction, within its flow.
    pub nth_in_flow: u32,
    /// The nth packet of any class in its direction, over all flows.
    pub nth_any: u32,
    /// The nth packet of any class in its direction, within its flow.
    pub nth_any_in_flow: u32,
    /// Its flow; 0 for what has none (ICMP, and fragments but the first).
    pub flow: u32,
    /// For data: which transmission of its first byte this is, from 1. For the rest 1.
    pub transmission: u32,
}

impl Label {
    /// The shortest selector that names this packet.
    pub fn packet(&self) -> Packet {
        Packet {
            class: self.class,
            nth: self.nth,
            flow: None,
            transmission: (self.transmission > 1).then_some(self.transmission),
        }
    }

    /// Whether it is known to be sent again: data that was on the wire before, or another SYN or FIN of a
    /// flow.
    pub fn is_retransmission(&self) -> bool {
        match self.class {
            Class::Data => self.transmission > 1,
            Class::Syn | Class::Fin => self.flow > 0 && self.nth_in_flow > 1,
            _ => false,
        }
    }

    /// Whether a selector names this packet.
    pub fn is(&self, packet: &Packet) -> bool {
        let (nth, transmission) = match (packet.class, packet.flow) {
            // Every packet counts, whatever it is a repeat of.
            (Class::Any, None) => (self.nth_any, 1),
            (Class::Any, Some(_)) => (self.nth_any_in_flow, 1),
            (_, Some(_)) => (self.nth_in_flow, self.transmission),
            (_, None) => (self.nth, self.transmission),
        };
        (packet.class == Class::Any || packet.class == self.class)
            && packet.nth == nth
            && packet.flow.is_none_or(|flow| flow == self.flow)
            && packet.transmission.unwrap_or(1) == transmission
    }
}
