//! What is cut of the links between hosts.

/// Links that are cut or mended: all of them, or one, both ways or one way, for all that goes over it, for
/// one flow, or for long packets. Hosts are named in a plan, and numbered in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cut<H> {
    /// The link between two hosts; all links, if `None`.
    pub hosts: Option<[H; 2]>,
    /// Only the way from the first host to the second.
    pub one_way: bool,
    /// Only the packets of this flow, numbered as in [`Packet::flow`](super::Packet::flow). What has no flow
    /// passes.
    pub flow: Option<u32>,
    /// Only IP packets of more bytes than this.
    pub longer_than: Option<u16>,
}

impl<H> Cut<H> {
    /// All links.
    pub const ALL: Cut<H> = Cut { hosts: None, one_way: false, flow: None, longer_than: None };

    /// The link between two hosts, both ways.
    pub fn between(hosts: [H; 2]) -> Self {
        Cut { hosts: Some(hosts), ..Cut::ALL }
    }

    /// The way from one host to another.
    pub fn one_way(from_to: [H; 2]) -> Self {
        Cut { hosts: Some(from_to), one_way: true, ..Cut::ALL }
    }

    /// Like `self`, but of one flow alone.
    #[must_use]
    pub fn flow(self, flow: u32) -> Self {
        Cut { flow: Some(flow), ..self }
    }

    /// Like `self`, but of IP packets of more bytes than `bytes` alone.
    #[must_use]
    pub fn longer_than(self, bytes: u16) -> Self {
        Cut { longer_than: Some(bytes), ..self }
    }

    /// Like `self`, but with other names for the hosts.
    pub(crate) fn try_map<T, E>(&self, mut host: impl FnMut(&H) -> Result<T, E>) -> Result<Cut<T>, E> {
        let hosts = match &self.hosts {
            Some([a, b]) => Some([host(a)?, host(b)?]),
            None => None,
        };
        Ok(Cut { hosts, one_way: self.one_way, flow: self.flow, longer_than: self.longer_than })
    }
}

impl<H: PartialEq> Cut<H> {
    /// Whether it cuts an IP packet of `len` bytes from one host to another that belongs to a flow, or to
    /// none.
    pub fn takes(&self, from_to: [&H; 2], flow: Option<u32>, len: usize) -> bool {
        self.is_on(from_to)
            && self.flow.is_none_or(|own| flow == Some(own))
            && self.longer_than.is_none_or(|bytes| len > usize::from(bytes))
    }

    /// Whether it cuts all that another one cuts.
    pub fn covers(&self, other: &Cut<H>) -> bool {
        let flow = self.flow.is_none() || self.flow == other.flow;
        let len = self.longer_than.is_none_or(|own| other.longer_than.is_some_and(|bytes| bytes >= own));
        let link = match (&self.hosts, &other.hosts) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some([a, b])) => self.is_on([a, b]) && (other.one_way || self.is_on([b, a])),
        };
        flow && len && link
    }

    fn is_on(&self, [from, to]: [&H; 2]) -> bool {
        let is_way = |a: &H, b: &H| (a, b) == (from, to) || (!self.one_way && (b, a) == (from, to));
        self.hosts.as_ref().is_none_or(|[a, b]| is_way(a, b))
    }
}
