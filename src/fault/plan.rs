//! What a fault plan says: the types. [`file`](super::file) reads and writes them.

use std::time::Duration;

use bytes::Bytes;

/// A finite list of faults and events on a link: all that will go wrong in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FaultPlan {
    /// What the plan shows, in a sentence.
    pub title: Option<String>,
    /// The scenario it was found with, where one is known: replay uses it.
    pub scenario: Option<String>,
    /// What it was found to break or to show, by its name: `udp/may-lose`. Replay says whether it still does.
    pub claim: Option<String>,
    /// The link between the hosts.
    pub link: Link,
    /// The commands of `faultwire lab` that it was found with.
    pub lab: Option<LabPair>,
    /// What happens to which packet, in the order of the file.
    pub faults: Vec<Fault>,
    /// What happens to hosts and links, and when.
    pub events: Vec<PlanEvent>,
}

/// Two commands for the hosts `server` and `client` of `faultwire lab`, and how they are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabPair {
    /// The server's command, for the shell.
    pub server: String,
    /// The client's command, for the shell.
    pub client: String,
    /// Whether the addresses in them are of IPv6.
    pub ipv6: bool,
    /// The name of the kernel's settings.
    pub profile: Option<String>,
    /// How long the client may take, in whole milliseconds.
    pub timeout: Option<Duration>,
}

/// The link between the hosts: a named profile or numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// A named profile.
    Profile(Profile),
    /// Numbers of one's own.
    Numbers(LinkNumbers),
}

impl Default for Link {
    fn default() -> Self {
        Link::Profile(Profile::Lan)
    }
}

impl Link {
    /// The numbers behind the name.
    pub fn numbers(&self) -> LinkNumbers {
        match self {
            Link::Profile(profile) => profile.numbers(),
            Link::Numbers(numbers) => *numbers,
        }
    }
}

/// What a link is like, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkNumbers {
    /// One-way delay, in microseconds.
    pub delay_us: u64,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Rate in kilobits per second; `None` is without a limit.
    pub rate_kbps: Option<u64>,
}

impl LinkNumbers {
    /// The one-way delay.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us)
    }
}

/// The named link profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// A personal area network (Bluetooth class).
    Pan,
    /// A local area network: 1 ms one way, MTU 1500, no rate limit. The default.
    Lan,
    /// A metropolitan area network.
    Man,
    /// A wide area network.
    Wan,
}

/// One fault: which packet, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The way the packet goes.
    pub direction: Direction,
    /// Which packet.
    pub packet: Packet,
    /// What happens to it.
    pub action: Action,
}

/// A way over the link, by the names of the two hosts: `client->server`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Direction {
    /// The sending host.
    pub from: String,
    /// The receiving host.
    pub to: String,
}

impl Direction {
    /// From one host to another.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Direction { from: from.into(), to: to.into() }
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

/// A packet named by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Its class.
    pub class: Class,
    /// The nth of its class in its direction (of its flow, where one is named), counted from 1. For
    /// [`Class::Data`] the nth segment whose first byte is new on the wire.
    pub nth: u32,
    /// The flow, numbered from 1 in the order of appearance on the wire between the two hosts; any, if `None`.
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
    /// A whole UDP datagram, or what is none of the others.
    Datagram,
    /// A piece of a fragmented IP packet, the first one included.
    Fragment,
    /// An ICMP, ICMPv6 or IGMP message.
    Icmp,
    /// Every packet.
    Any,
}

impl Class {
    /// Whether the nth of it is the same packet in each run of a real kernel. Not so of bare acknowledgements, and of all
    /// packets taken together: how many acknowledgements there are is a matter of moments there.
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
    /// It arrives that many microseconds later than it would have.
    DelayUs(u64),
    /// It arrives right behind the nth packet that is sent after it in its direction, after one second at the latest.
    HoldFor(u32),
    /// These bits of the IP packet are flipped, counted from the first bit of the IP header (bit 0 is the most
    /// significant bit of byte 0). One bit is `corrupt_bit` in a plan file, several are `corrupt_bits`.
    ///
    /// Not each is noticed: IPv6 has no header checksum, and the transport's covers the addresses, but neither the
    /// traffic class, nor the flow label, nor the hop limit (RFC 8200, section 8.1).
    CorruptBits(Vec<u32>),
}

/// Something that happens to a host or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlanEvent {
    /// What happens.
    pub kind: EventKind,
    /// When.
    pub when: When,
}

/// What happens to a host or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Nothing more goes onto the link between the two hosts (all links, if `None`); what is on it still arrives.
    Partition(Option<[String; 2]>),
    /// The end of a partition.
    Heal(Option<[String; 2]>),
    /// The host loses power: its programs and its stack are gone; what left it still arrives.
    Crash(String),
    /// The host starts again, with a new stack and new programs.
    Restart(String),
    /// A packet that nobody sent appears on the link.
    Inject {
        /// The way it goes.
        direction: Direction,
        /// The whole IP packet.
        packet: Bytes,
    },
}

/// When an event happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Right after a packet was put on the wire (and its own fault was applied).
    After(Anchor),
    /// At a time, in microseconds since the run began. Simulation only.
    AtUs(u64),
}

/// The packet that an event is anchored to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The way the packet goes.
    pub direction: Direction,
    /// Which packet.
    pub packet: Packet,
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
