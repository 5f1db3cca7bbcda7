//! How a packet's bytes are changed, and how the network refuses a packet.

use std::net::IpAddr;

use bytes::Bytes;

/// A change of a packet's bytes: header fields, single bits, and whether the checksums are made to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    /// Header fields, and what becomes of each.
    pub fields: Vec<(Field, Value)>,
    /// Bits that are flipped after that, counted from the first bit of the IP header.
    pub bits: Vec<u32>,
    /// Whether checksums stay as they were, so that the change can be noticed. By default those of the IP
    /// header and of the transport are made to fit, but for one that is itself among the fields.
    pub keeps_checksums: bool,
}

impl Change {
    /// Sets one header field; the checksums are made to fit.
    pub fn set(field: Field, value: impl Into<Value>) -> Change {
        Change::default().and(field, value)
    }

    /// Flips bits; the checksums are made to fit.
    pub fn flip(bits: impl Into<Vec<u32>>) -> Change {
        Change { bits: bits.into(), ..Change::default() }
    }

    /// Like this one, with one more field.
    #[must_use]
    pub fn and(mut self, field: Field, value: impl Into<Value>) -> Change {
        self.fields.push((field, value.into()));
        self
    }

    /// Like this one, but the checksums stay as they were.
    #[must_use]
    pub fn keep_checksums(self) -> Change {
        Change { keeps_checksums: true, ..self }
    }
}

/// What becomes of a header field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// This number.
    Number(u64),
    /// Its own number and this one, modulo what the field can hold: sequence numbers of a real kernel are
    /// known in no other way.
    Add(i64),
    /// This address.
    Addr(IpAddr),
    /// These bytes.
    Bytes(Bytes),
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<IpAddr> for Value {
    fn from(addr: IpAddr) -> Value {
        Value::Addr(addr)
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Value {
        Value::Bytes(bytes)
    }
}

/// A field of a packet's headers (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The version of IP.
    Version,
    /// The length of IPv4's header, in words of 32 bits.
    HeaderLength,
    /// The differentiated services code point (RFC 2474).
    Dscp,
    /// Explicit congestion notification (RFC 3168): 0 not capable, 1 and 2 capable, 3 congestion experienced.
    Ecn,
    /// IPv6's flow label.
    FlowLabel,
    /// The length in bytes: of the whole packet in IPv4, of what follows the header in IPv6.
    TotalLength,
    /// IPv4's identification.
    Id,
    /// IPv4's flag that forbids fragments.
    DontFragment,
    /// IPv4's flag that more fragments follow.
    MoreFragments,
    /// IPv4's fragment offset, in units of 8 bytes.
    FragmentOffset,
    /// IPv4's time to live, IPv6's hop limit.
    Ttl,
    /// The number of what the packet carries.
    Protocol,
    /// IPv4's header checksum.
    IpChecksum,
    /// The source address.
    Src,
    /// The destination address.
    Dst,
    /// The source port of TCP and UDP.
    SrcPort,
    /// The destination port of TCP and UDP.
    DstPort,
    /// TCP's sequence number.
    Seq,
    /// TCP's acknowledgment number.
    Ack,
    /// The length of TCP's header, in words of 32 bits.
    DataOffset,
    /// TCP's eight control bits: CWR, ECE, URG, ACK, PSH, RST, SYN, FIN.
    Flags,
    /// TCP's window, unscaled.
    Window,
    /// TCP's urgent pointer.
    Urgent,
    /// TCP's options, up to 40 bytes, which are filled up with zeros to a multiple of four. The lengths
    /// follow.
    Options,
    /// UDP's length.
    UdpLength,
    /// The type of an ICMP message.
    IcmpType,
    /// The code of an ICMP message.
    IcmpCode,
    /// The second word of an ICMP message: an echo's identifier and number, an error's MTU.
    IcmpRest,
    /// The checksum of TCP, UDP or ICMP.
    Checksum,
    /// What follows the transport's header. The lengths follow.
    Payload,
}

impl Field {
    /// How many bits it has; none for addresses, options and the payload, which are no numbers.
    pub const fn bits(self) -> Option<u32> {
        match self {
            Field::Src | Field::Dst | Field::Options | Field::Payload => None,
            Field::DontFragment | Field::MoreFragments => Some(1),
            Field::Ecn => Some(2),
            Field::Version | Field::HeaderLength | Field::DataOffset => Some(4),
            Field::Dscp => Some(6),
            Field::Ttl | Field::Protocol | Field::Flags | Field::IcmpType | Field::IcmpCode => Some(8),
            Field::FragmentOffset => Some(13),
            Field::FlowLabel => Some(20),
            Field::TotalLength
            | Field::Id
            | Field::IpChecksum
            | Field::SrcPort
            | Field::DstPort
            | Field::Window
            | Field::Urgent
            | Field::UdpLength
            | Field::Checksum => Some(16),
            Field::Seq | Field::Ack | Field::IcmpRest => Some(32),
        }
    }

    /// Whether it is a checksum.
    pub const fn is_checksum(self) -> bool {
        matches!(self, Field::IpChecksum | Field::Checksum)
    }
}

/// How the network refuses a packet: what its sender is told, in the words of iptables' target REJECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// A TCP reset, as if there were no such connection (RFC 9293, section 3.5.2).
    TcpReset,
    /// ICMP: the network cannot be reached.
    NetUnreachable,
    /// ICMP: the host cannot be reached.
    HostUnreachable,
    /// ICMP: no socket has the port.
    PortUnreachable,
    /// ICMP: forbidden by an administrator.
    AdminProhibited,
    /// ICMP: fragmentation needed, or packet too big: the next link's MTU in bytes.
    TooBig(u16),
    /// ICMP: the time to live came to its end.
    TimeExceeded,
}
