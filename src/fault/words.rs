//! The words that plans are written in: names of classes, profiles and events, directions, and whole faults
//! in plain words for diagrams and reports.

use std::fmt;
use std::str::FromStr;

use super::file::bounds;
use super::{
    Action, Anchor, Change, Class, Cut, Direction, EventKind, Fault, Field, Injection, Lasts, Packet,
    PlanEvent, Profile, Rejection, Value, When,
};

/// An unexpected word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}, found {found:?}")]
#[non_exhaustive]
pub struct UnknownWord {
    /// The word.
    pub found: String,
    /// The words that are allowed.
    pub expected: String,
}

/// Text that names no direction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no direction such as \"client->server\": {why}")]
#[non_exhaustive]
pub struct NotADirection {
    /// The text.
    pub found: String,
    /// What is wrong with it.
    pub why: &'static str,
}

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl $name {
            /// All there are.
            pub const ALL: [$name; [$($word),*].len()] = [$($name::$variant),*];

            /// The word for it in a plan file.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                $name::ALL.into_iter().find(|one| one.name() == word).ok_or_else(|| UnknownWord {
                    found: word.to_owned(),
                    expected: [$($word),*].join(", "),
                })
            }
        }
    )*};
}

words! {
    Class {
        Syn = "syn",
        Data = "data",
        Ack = "ack",
        Fin = "fin",
        Rst = "rst",
        Datagram = "datagram",
        Fragment = "fragment",
        Icmp = "icmp",
        Any = "any",
    }
    Profile { Pan = "pan", Lan = "lan", Man = "man", Wan = "wan" }
    Field {
        Version = "version",
        HeaderLength = "header_length",
        Dscp = "dscp",
        Ecn = "ecn",
        FlowLabel = "flow_label",
        TotalLength = "total_length",
        Id = "id",
        DontFragment = "dont_fragment",
        MoreFragments = "more_fragments",
        FragmentOffset = "fragment_offset",
        Ttl = "ttl",
        Protocol = "protocol",
        IpChecksum = "ip_checksum",
        Src = "src",
        Dst = "dst",
        SrcPort = "src_port",
        DstPort = "dst_port",
        Seq = "seq",
        Ack = "ack",
        DataOffset = "data_offset",
        Flags = "flags",
        Window = "window",
        Urgent = "urgent",
        Options = "options",
        UdpLength = "udp_length",
        IcmpType = "icmp_type",
        IcmpCode = "icmp_code",
        IcmpRest = "icmp_rest",
        Checksum = "checksum",
        Payload = "payload",
    }
}

impl Rejection {
    /// All there are; the MTU of [`TooBig`](Rejection::TooBig) says nothing here.
    pub const ALL: [Rejection; 7] = [
        Rejection::TcpReset,
        Rejection::NetUnreachable,
        Rejection::HostUnreachable,
        Rejection::PortUnreachable,
        Rejection::AdminProhibited,
        Rejection::TooBig(0),
        Rejection::TimeExceeded,
    ];

    /// The word for it in a plan file.
    pub const fn name(self) -> &'static str {
        match self {
            Rejection::TcpReset => "tcp-reset",
            Rejection::NetUnreachable => "net-unreachable",
            Rejection::HostUnreachable => "host-unreachable",
            Rejection::PortUnreachable => "port-unreachable",
            Rejection::AdminProhibited => "admin-prohibited",
            Rejection::TooBig(_) => "too-big",
            Rejection::TimeExceeded => "time-exceeded",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Value {
    /// `1`, `+1`, `10.0.0.9`, `4 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Add(number) => write!(f, "{number:+}"),
            Value::Addr(addr) => write!(f, "{addr}"),
            Value::Bytes(bytes) if bytes.len() == 1 => f.write_str("1 byte"),
            Value::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl fmt::Display for Change {
    /// `ttl = 1, seq +1, bit 7 flipped, checksums kept`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for (field, value) in &self.fields {
            parts.push(match value {
                Value::Add(_) => format!("{field} {value}"),
                _ => format!("{field} = {value}"),
            });
        }
        match self.bits[..] {
            [] => {}
            [bit] => parts.push(format!("bit {bit} flipped")),
            [first, second] => parts.push(format!("bits {first} and {second} flipped")),
            _ => parts.push(format!("{} bits flipped", self.bits.len())),
        }
        match (self.keeps_checksums, self.fields.is_empty() && !self.bits.is_empty()) {
            (true, false) => parts.push("checksums kept".to_owned()),
            (false, true) => parts.push("checksums fit".to_owned()),
            _ => {}
        }
        f.write_str(&parts.join(", "))
    }
}

impl Direction {
    /// Whether a plan can name a host so: 1 to 63 of `a`-`z`, `0`-`9` and `-`.
    pub fn is_host_name(name: &str) -> bool {
        (1..=bounds::HOST_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    }
}

impl FromStr for Direction {
    type Err = NotADirection;

    fn from_str(text: &str) -> Result<Self, NotADirection> {
        let wrong = |why| NotADirection { found: text.to_owned(), why };
        let (from, to) = text.split_once("->").ok_or_else(|| wrong("there is no `->`"))?;
        if !Direction::is_host_name(from) || !Direction::is_host_name(to) {
            return Err(wrong("a host's name is 1 to 63 of `a`-`z`, `0`-`9` and `-`"));
        }
        if from == to {
            return Err(wrong("the two hosts are the same"));
        }
        Ok(Direction::new(from, to))
    }
}

impl fmt::Display for Packet {
    /// `datagram 1`, `data 3 of flow 2, transmission 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            Class::Any => write!(f, "packet {}", self.nth)?,
            class => write!(f, "{class} {}", self.nth)?,
        }
        if let Some(flow) = self.flow {
            write!(f, " of flow {flow}")?;
        }
        if let Some(transmission) = self.transmission {
            write!(f, ", transmission {transmission}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Anchor {
    /// `client->server datagram 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.direction, self.packet)?;
        if self.wait_us > 0 {
            write!(f, " and {} us", self.wait_us)?;
        }
        Ok(())
    }
}

impl fmt::Display for Cut<String> {
    /// `client and server`, `server->client of flow 1`, `all links`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Some([from, to]) if self.one_way => write!(f, "{from}->{to}")?,
            Some([a, b]) => write!(f, "{a} and {b}")?,
            None => f.write_str("all links")?,
        }
        if let Some(flow) = self.flow {
            write!(f, " of flow {flow}")?;
        }
        match self.longer_than {
            Some(bytes) => write!(f, " above {bytes} bytes"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fault {
    /// `drop client->server datagram 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { direction, packet, action } = self;
        let packet = format_args!("{direction} {packet}");
        match action {
            Action::Drop => write!(f, "drop {packet}"),
            Action::Duplicate => write!(f, "duplicate {packet}"),
            Action::DelayUs(micros) => write!(f, "delay {packet} by {micros} us"),
            Action::HoldFor(1) => write!(f, "hold {packet} behind 1 packet"),
            Action::HoldFor(packets) => write!(f, "hold {packet} behind {packets} packets"),
            Action::CorruptBits(bits) => match bits[..] {
                [bit] => write!(f, "flip bit {bit} of {packet}"),
                _ => write!(f, "flip bits {bits:?} of {packet}"),
            },
            Action::Change(change) => write!(f, "change {packet}: {change}"),
            Action::Reject(Rejection::TooBig(mtu)) => write!(f, "reject {packet}: too-big, mtu {mtu}"),
            Action::Reject(rejection) => write!(f, "reject {packet}: {rejection}"),
        }
    }
}

impl EventKind {
    /// The word for it in a plan file.
    pub const fn name(&self) -> &'static str {
        match self {
            EventKind::Partition(_) => "partition",
            EventKind::Outage { .. } => "outage",
            EventKind::Heal(_) => "heal",
            EventKind::Crash(_) => "crash",
            EventKind::Kill(_) => "kill",
            EventKind::Restart(_) => "restart",
            EventKind::Inject(_) => "inject",
        }
    }
}

impl fmt::Display for EventKind {
    /// `partition client and server`, `crash server`, `inject tcp-reset for client->server data 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            EventKind::Partition(cut) | EventKind::Heal(cut) => write!(f, " {cut}"),
            EventKind::Outage { cut, lasts: Lasts::Us(us) } => write!(f, " {cut} for {us} us"),
            EventKind::Outage { cut, lasts: Lasts::Retransmissions(1) } => {
                write!(f, " {cut} until 1 retransmission is lost")
            }
            EventKind::Outage { cut, lasts: Lasts::Retransmissions(count) } => {
                write!(f, " {cut} until {count} retransmissions are lost")
            }
            EventKind::Crash(host) | EventKind::Kill(host) | EventKind::Restart(host) => write!(f, " {host}"),
            EventKind::Inject(Injection::Bytes { direction, packet }) => {
                write!(f, " {} bytes {direction}", packet.len())
            }
            EventKind::Inject(Injection::Like { direction, packet, change }) => {
                write!(f, " a copy of {direction} {packet}")?;
                if *change == Change::default() { Ok(()) } else { write!(f, " with {change}") }
            }
            EventKind::Inject(Injection::Reject { direction, packet, rejection }) => {
                write!(f, " {rejection} for {direction} {packet}")
            }
        }
    }
}

impl fmt::Display for PlanEvent {
    /// `crash server after client->server data 3`, `heal all links at 5000 us`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::After(anchor) => write!(f, "{} after {anchor}", self.kind),
            When::Before(anchor) => write!(f, "{} before {anchor}", self.kind),
            When::AtUs(at) => write!(f, "{} at {at} us", self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let direction = Direction::new("client", "server-2");
        assert_eq!(direction.to_string().parse(), Ok(direction));
        assert_eq!(
            "sync".parse::<Class>().unwrap_err().to_string(),
            "expected one of syn, data, ack, fin, rst, datagram, fragment, icmp, any, found \"sync\""
        );
    }

    #[test]
    fn a_direction_is_two_different_names() {
        for wrong in
            ["", "client", "client-server", "->server", "client->", "a->a", "A->b", "a -> b", "a->b->c"]
        {
            assert!(wrong.parse::<Direction>().is_err(), "{wrong:?}");
        }
        let long = format!("{}->b", "a".repeat(64));
        assert!(long.parse::<Direction>().is_err());
    }

    #[test]
    fn faults_and_events_read_as_plain_words() {
        let packet = Packet { flow: Some(2), transmission: Some(3), ..Packet::nth(Class::Data, 4) };
        let direction = Direction::new("client", "server");
        let fault = |action| Fault::new(direction.clone(), packet, action).to_string();
        let words = [
            fault(Action::Drop),
            fault(Action::Duplicate),
            fault(Action::DelayUs(1_500)),
            fault(Action::HoldFor(1)),
            fault(Action::HoldFor(3)),
            fault(Action::CorruptBits(vec![7])),
            fault(Action::CorruptBits(vec![7, 9])),
            PlanEvent::new(EventKind::Partition(Cut::ALL), When::AtUs(5)).to_string(),
            PlanEvent::new(
                EventKind::Heal(Cut::between(["a".into(), "b".into()])),
                When::after(direction, Packet::nth(Class::Any, 1)),
            )
            .to_string(),
            PlanEvent::new(EventKind::Crash("server".into()), When::AtUs(0)).to_string(),
        ];
        insta::assert_snapshot!(words.join("\n"), @r"
        drop client->server data 4 of flow 2, transmission 3
        duplicate client->server data 4 of flow 2, transmission 3
        delay client->server data 4 of flow 2, transmission 3 by 1500 us
        hold client->server data 4 of flow 2, transmission 3 behind 1 packet
        hold client->server data 4 of flow 2, transmission 3 behind 3 packets
        flip bit 7 of client->server data 4 of flow 2, transmission 3
        flip bits [7, 9] of client->server data 4 of flow 2, transmission 3
        partition all links at 5 us
        heal a and b after client->server packet 1
        crash server at 0 us
        ");
    }
}
