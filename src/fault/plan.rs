//! What a fault plan says: the types. [`file`](super::file) reads and writes them.

use std::time::Duration;

use bytes::Bytes;

use crate::model::{Action, Change, Cut, Packet, Rejection};

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
    /// The links between two hosts that differ from it: at most one for each direction.
    pub links: Vec<PairLink>,
    /// The commands of `faultwire lab` that it was found with.
    pub lab: Option<LabPair>,
    /// What happens to which packet, in the order of the file.
    pub faults: Vec<Fault>,
    /// What happens to hosts and links, and when.
    pub events: Vec<PlanEvent>,
}

impl FaultPlan {
    /// A plan without faults, over the default link.
    ///
    /// ```
    /// use faultwire::fault::{Action, Class, EventKind, FaultPlan, LinkNumbers, Packet, When};
    ///
    /// let data = Packet::nth(Class::Data, 2);
    /// let plan = FaultPlan::new()
    ///     .link(LinkNumbers::new(10_000, 1500))
    ///     .fault(["client", "server"], data, Action::Drop)
    ///     .event(EventKind::Crash("server".to_owned()), When::after(["client", "server"], data));
    /// assert_eq!((plan.faults.len(), plan.events.len()), (1, 1));
    /// ```
    pub fn new() -> Self {
        FaultPlan::default()
    }

    /// The plan with a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The plan for a scenario.
    #[must_use]
    pub fn scenario(mut self, name: impl Into<String>) -> Self {
        self.scenario = Some(name.into());
        self
    }

    /// The plan over another link.
    #[must_use]
    pub fn link(mut self, link: impl Into<Link>) -> Self {
        self.link = link.into();
        self
    }

    /// The plan with one more link that differs from that of all hosts.
    ///
    /// ```
    /// use faultwire::fault::{FaultPlan, PairLink, Profile};
    ///
    /// let far = PairLink { profile: Some(Profile::Wan), ..PairLink::between(["client", "replica"]) };
    /// let slow = PairLink { rate_kbps: Some(64), ..PairLink::one_way(["client", "server"]) };
    /// let plan = FaultPlan::new().link_between(far).link_between(slow);
    /// assert_eq!(plan.delay_max(), Profile::Wan.numbers().delay());
    /// ```
    #[must_use]
    pub fn link_between(self, link: PairLink) -> Self {
        self.links([link])
    }

    /// The plan with more links that differ from that of all hosts.
    #[must_use]
    pub fn links(mut self, links: impl IntoIterator<Item = PairLink>) -> Self {
        self.links.extend(links);
        self
    }

    /// The plan with one more fault.
    #[must_use]
    pub fn fault(self, direction: impl Into<Direction>, packet: Packet, action: Action) -> Self {
        self.faults([Fault::new(direction, packet, action)])
    }

    /// The plan with more faults.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// The plan with one more event.
    #[must_use]
    pub fn event(self, kind: EventKind, when: When) -> Self {
        self.events([PlanEvent::new(kind, when)])
    }

    /// The plan with more events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = PlanEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// The numbers of all links: first of the one for all hosts.
    fn numbers(&self) -> impl Iterator<Item = LinkNumbers> {
        let links = self.links.iter().map(|link| link.numbers(&self.link));
        std::iter::once(self.link.numbers()).chain(links)
    }

    /// The longest one-way delay of any link.
    pub fn delay_max(&self) -> Duration {
        self.numbers().map(|link| link.delay_max()).max().unwrap_or_default()
    }

    /// Whether the packets of a link have different delays, so that one may overtake another without a fault.
    pub fn delays_vary(&self) -> bool {
        self.numbers().any(|link| link.delay_max() > link.delay())
    }

    /// Whether a host crashes, its programs are killed, or they start again.
    pub fn ends_programs(&self) -> bool {
        let mut kinds = self.events.iter().map(|event| &event.kind);
        kinds.any(|kind| kind.dies().is_some() || matches!(kind, EventKind::Restart(_)))
    }

    /// How often a host starts again.
    pub fn restarts(&self, host: &str) -> u32 {
        let is_one = |kind: &EventKind| matches!(kind, EventKind::Restart(name) if name == host);
        self.events.iter().map(|event| u32::from(is_one(&event.kind))).sum()
    }
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
    /// The hosts, `server` or `client`, whose command is a network stack that has a TUN device.
    pub tun: Vec<String>,
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

impl From<LinkNumbers> for Link {
    fn from(numbers: LinkNumbers) -> Self {
        Link::Numbers(numbers)
    }
}

impl From<Profile> for Link {
    fn from(profile: Profile) -> Self {
        Link::Profile(profile)
    }
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
    /// One-way delay, in microseconds; the shortest, where it varies.
    pub delay_us: u64,
    /// The longest one-way delay, in microseconds: each packet is delayed by a whole number of microseconds
    /// from `delay_us` to this, all equally likely; `None` is the same delay for all.
    ///
    /// The number follows from the packet's name alone (its direction, and its place among all packets of
    /// it), so that a packet has the same delay in each run under the plan. Packets may overtake each
    /// other; with a rate, they still leave in order. An injected packet has no name and takes the
    /// shortest delay.
    pub delay_us_max: Option<u64>,
    /// Largest IP packet, in bytes. A longer one is lost, and no host is told.
    pub mtu: u16,
    /// The MTU that the hosts think the link has, in bytes; the link's own, if `None`. Where it is larger,
    /// the path is a black hole for long packets (RFC 2923).
    pub host_mtu: Option<u16>,
    /// Rate in kilobits per second; `None` is without a limit.
    pub rate_kbps: Option<u64>,
}

impl LinkNumbers {
    /// A link of this one-way delay in microseconds and this MTU in bytes, without a limit of its rate.
    pub const fn new(delay_us: u64, mtu: u16) -> Self {
        LinkNumbers { delay_us, delay_us_max: None, mtu, host_mtu: None, rate_kbps: None }
    }

    /// The MTU of the hosts, in bytes.
    pub fn host_mtu(&self) -> u16 {
        self.host_mtu.unwrap_or(self.mtu)
    }

    /// The one-way delay; the shortest, where it varies.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us)
    }

    /// The longest one-way delay.
    pub fn delay_max(&self) -> Duration {
        Duration::from_micros(self.delay_us_max.unwrap_or(0).max(self.delay_us))
    }
}

/// A link between two hosts that differs from the one between all of them, [`FaultPlan::link`].
///
/// It begins with the numbers of that one, or of a profile, and each number that is said takes the place of
/// theirs. The hosts' MTU is one for each host: for packets that fit into it and not into this link's, the
/// link is a black hole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PairLink {
    /// The two hosts: the first sends, if it is one way.
    pub hosts: [String; 2],
    /// Whether it is only what the first host sends to the second that goes over it.
    pub one_way: bool,
    /// The profile with whose numbers it begins; `None` is the link between all hosts.
    pub profile: Option<Profile>,
    /// One-way delay, in microseconds; the shortest, where it varies.
    pub delay_us: Option<u64>,
    /// The longest one-way delay, in microseconds, as in [`LinkNumbers`]; it counts beside `delay_us` only.
    pub delay_us_max: Option<u64>,
    /// Largest IP packet, in bytes.
    pub mtu: Option<u16>,
    /// Rate in kilobits per second.
    pub rate_kbps: Option<u64>,
}

impl PairLink {
    /// A link between two hosts, in both directions, that does not differ yet.
    pub fn between(hosts: [impl Into<String>; 2]) -> Self {
        PairLink {
            hosts: hosts.map(Into::into),
            one_way: false,
            profile: None,
            delay_us: None,
            delay_us_max: None,
            mtu: None,
            rate_kbps: None,
        }
    }

    /// A link from one host to another, such as `["client", "server"]`, that does not differ yet.
    pub fn one_way(direction: impl Into<Direction>) -> Self {
        let Direction { from, to } = direction.into();
        PairLink { one_way: true, ..PairLink::between([from, to]) }
    }

    /// Its numbers, where `link` is the one between all hosts.
    pub fn numbers(&self, link: &Link) -> LinkNumbers {
        let all = link.numbers();
        let begin = self.profile.map_or(all, Profile::numbers);
        let (delay_us, delay_us_max) = match self.delay_us {
            Some(delay_us) => (delay_us, self.delay_us_max),
            None => (begin.delay_us, begin.delay_us_max),
        };
        LinkNumbers {
            delay_us,
            delay_us_max,
            mtu: self.mtu.unwrap_or(begin.mtu),
            host_mtu: Some(all.host_mtu()),
            rate_kbps: self.rate_kbps.or(begin.rate_kbps),
        }
    }

    /// The directions in which it is the link: one or two.
    pub fn directions(&self) -> impl Iterator<Item = Direction> {
        let [a, b] = &self.hosts;
        let back = (!self.one_way).then(|| Direction::new(b, a));
        std::iter::once(Direction::new(a, b)).chain(back)
    }
}

/// The named link profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
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

impl Fault {
    /// A fault of a packet in a direction, such as `["client", "server"]`.
    pub fn new(direction: impl Into<Direction>, packet: Packet, action: Action) -> Self {
        Fault { direction: direction.into(), packet, action }
    }
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

impl<S: Into<String>> From<[S; 2]> for Direction {
    fn from([from, to]: [S; 2]) -> Self {
        Direction::new(from, to)
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

/// Something that happens to a host or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlanEvent {
    /// What happens.
    pub kind: EventKind,
    /// When.
    pub when: When,
}

impl PlanEvent {
    /// An event and its time.
    pub fn new(kind: EventKind, when: When) -> Self {
        PlanEvent { kind, when }
    }
}

/// What happens to a host or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Nothing more goes onto these links; what is on them still arrives.
    Partition(Cut<String>),
    /// The end of a partition.
    Heal(Cut<String>),
    /// A partition that ends by itself.
    Outage {
        /// What is cut.
        cut: Cut<String>,
        /// How long.
        lasts: Lasts,
    },
    /// The host loses power: its programs and its stack are gone; what left it still arrives.
    Crash(String),
    /// The host's programs die, and the host lives: it closes their sockets, so that peers are sent FIN, or
    /// RST where data was unread, and TIME-WAIT stays.
    Kill(String),
    /// The host starts again after a crash, with a new stack and new programs; after a kill its programs do,
    /// with the stack that there is.
    Restart(String),
    /// A packet that no host sent appears on the link.
    Inject(Injection),
}

impl EventKind {
    /// The host that crashes, or whose programs are killed.
    pub fn dies(&self) -> Option<&str> {
        match self {
            EventKind::Crash(host) | EventKind::Kill(host) => Some(host),
            _ => None,
        }
    }
}

/// A packet that no host sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Injection {
    /// These bytes.
    Bytes {
        /// The way it goes.
        direction: Direction,
        /// The whole IP packet.
        packet: Bytes,
    },
    /// A changed copy of a packet that was sent before, going the same way. It appears only if there was one.
    Like {
        /// The way of the packet that was sent.
        direction: Direction,
        /// The packet that was sent.
        packet: Packet,
        /// What differs.
        change: Change,
    },
    /// What the network tells the sender of a packet that was sent before, which may arrive all the same.
    /// It appears only if there was one, and where [`Action::Reject`] would do something.
    Reject {
        /// The way of the packet that was sent; the answer goes the other way.
        direction: Direction,
        /// The packet that was sent.
        packet: Packet,
        /// What its sender is told.
        rejection: Rejection,
    },
}

/// How long an outage lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lasts {
    /// For a time, in microseconds; in a lab and over a relay these are real ones.
    Us(u64),
    /// Until this many retransmissions of TCP were lost in it: data that was on the wire before, or another
    /// SYN or FIN of a flow.
    Retransmissions(u32),
}

/// When an event happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Right after a packet was put on the wire (and its own fault was applied), or some time later.
    After(Anchor),
    /// Right before a packet is put on the wire: a partition takes it too. Its anchor has no `wait_us`.
    Before(Anchor),
    /// At a time, in microseconds since the run began. Simulation only.
    AtUs(u64),
}

impl When {
    /// Right after a packet in a direction, such as `["client", "server"]`.
    pub fn after(direction: impl Into<Direction>, packet: Packet) -> Self {
        When::After(Anchor::new(direction, packet))
    }

    /// Right before a packet in a direction: a partition takes it too.
    pub fn before(direction: impl Into<Direction>, packet: Packet) -> Self {
        When::Before(Anchor::new(direction, packet))
    }

    /// The packet that it is anchored to.
    pub fn anchor(&self) -> Option<&Anchor> {
        match self {
            When::After(anchor) | When::Before(anchor) => Some(anchor),
            When::AtUs(_) => None,
        }
    }

    /// The packet that it is anchored to, to be changed.
    pub fn anchor_mut(&mut self) -> Option<&mut Anchor> {
        match self {
            When::After(anchor) | When::Before(anchor) => Some(anchor),
            When::AtUs(_) => None,
        }
    }
}

/// The packet that an event is anchored to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The way the packet goes.
    pub direction: Direction,
    /// Which packet.
    pub packet: Packet,
    /// How much later, in microseconds; in a lab and over a relay these are real ones.
    pub wait_us: u64,
}

impl Anchor {
    /// A packet in a direction, without a wait.
    pub fn new(direction: impl Into<Direction>, packet: Packet) -> Self {
        Anchor { direction: direction.into(), packet, wait_us: 0 }
    }

    /// Like this one, but an event comes these many microseconds later.
    #[must_use]
    pub fn later(self, wait_us: u64) -> Self {
        Anchor { wait_us, ..self }
    }
}
