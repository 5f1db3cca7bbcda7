//! The ids of connections. The id that a server gives out proves by itself whom it was given to, and when.
//!
//! It is a hash of a secret, the client's address, the client's own id and the time; its low 16 bits are the
//! time. So the server keeps nothing until the first packet with data comes back with that id, which shows
//! that the address receives there. Then the id is used up. Used ids are remembered for as long as they are
//! valid, so that no old packet brings a closed connection back.
//!
//! The memory is bounded, and a full memory refuses no newcomer: the oldest id is forgotten, and from
//! then on no id that was given out before it is valid. Each source has a share of the memory, so an attack
//! from one address makes ids expire early for that address alone. However fast it is, a client needs only
//! one round trip between its id and its data.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::model::Time;

/// The clock of ids.
const TICK: Duration = Duration::from_millis(4);
/// An id is valid for that long, which is longer than a client with the usual configuration repeats its first
/// packet.
const VALID: Duration = Duration::from_secs(60);
/// The bits of an id that are its time.
const TIME_BITS: u64 = (1 << 16) - 1;
/// Used ids that are remembered, of all sources and of one.
const USED_MAX: usize = 16_384;
const USED_OF_SOURCE_MAX: usize = USED_MAX / 4;

/// Whom addresses belong to, as far as that can be told: an IPv4 address, or an IPv6 network of 64 bits.
pub(crate) fn source(addr: SocketAddr) -> IpAddr {
    match addr.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
}

/// The used ids of a source, by the tick in which each was given out. None from before `floor` is valid.
#[derive(Debug, Default)]
struct Share {
    used: BTreeSet<(u64, u64)>,
    floor: u64,
}

/// Makes ids, and knows which of them may make a connection.
#[derive(Debug)]
pub(super) struct Ids {
    keys: (u64, u64),
    used: BTreeMap<(u64, u64), IpAddr>,
    floor: u64,
    shares: BTreeMap<IpAddr, Share>,
}

impl Ids {
    /// Drawn from `seed` and `now`: a machine that was started again has others.
    pub(super) fn new(seed: u64, now: Time) -> Ids {
        let mut hasher = SipHasher13::new_with_keys(seed, now.as_nanos());
        hasher.write(b"adaptive");
        Ids { keys: (hasher.finish(), seed), used: BTreeMap::new(), floor: 0, shares: BTreeMap::new() }
    }

    /// A hash that no one else can compute.
    fn hash(&self, addr: SocketAddr, numbers: [u64; 2]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write(&addr.port().to_be_bytes());
        numbers.iter().for_each(|number| hasher.write(&number.to_be_bytes()));
        hasher.finish()
    }

    /// The id of the connection number `made` that is asked for here. It is not 0, which is no id.
    pub(super) fn own(&self, addr: SocketAddr, made: u64) -> u64 {
        self.hash(addr, [made, u64::MAX]).max(1)
    }

    /// The id for a client at `addr` whose own id is `peer`.
    pub(super) fn give(&self, now: Time, addr: SocketAddr, peer: u64) -> u64 {
        self.given_at(ticks(now.since_start()), addr, peer)
    }

    fn given_at(&self, tick: u64, addr: SocketAddr, peer: u64) -> u64 {
        self.hash(addr, [peer, tick]).max(TIME_BITS + 1) & !TIME_BITS | tick & TIME_BITS
    }

    /// When an id was given to that client, if it was and is valid: not too old, and not used up.
    pub(super) fn valid(&mut self, now: Time, addr: SocketAddr, peer: u64, id: u64) -> Option<u64> {
        let now = ticks(now.since_start());
        let tick = now.checked_sub(now.wrapping_sub(id) & TIME_BITS)?;
        if now - tick > ticks(VALID) || self.given_at(tick, addr, peer) != id {
            return None;
        }
        self.forget_before(now.saturating_sub(ticks(VALID)));
        let floor = self.shares.get(&source(addr)).map_or(0, |share| share.floor).max(self.floor);
        (tick >= floor && !self.used.contains_key(&(tick, id))).then_some(tick)
    }

    /// A [valid](Ids::valid) id makes its connection.
    pub(super) fn use_up(&mut self, addr: SocketAddr, tick: u64, id: u64) {
        let source = source(addr);
        self.used.insert((tick, id), source);
        let share = self.shares.entry(source).or_default();
        share.used.insert((tick, id));
        if share.used.len() > USED_OF_SOURCE_MAX
            && let Some(oldest) = share.used.pop_first()
        {
            share.floor = oldest.0 + 1;
            self.used.remove(&oldest);
        }
        if self.used.len() > USED_MAX
            && let Some(oldest) = self.forget_first()
        {
            self.floor = oldest + 1;
        }
    }

    /// Those from before that tick are no longer valid.
    fn forget_before(&mut self, tick: u64) {
        while self.used.first_key_value().is_some_and(|((first, _), _)| *first < tick) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) -> Option<u64> {
        let (oldest, source) = self.used.pop_first()?;
        if let Some(share) = self.shares.get_mut(&source) {
            share.used.remove(&oldest);
            if share.used.is_empty() {
                // All from before its floor are older than this one.
                self.shares.remove(&source);
            }
        }
        Some(oldest.0)
    }

    #[cfg(test)]
    pub(super) fn assert_invariants(&self) {
        assert!(self.used.len() <= USED_MAX && self.shares.len() <= self.used.len());
        assert_eq!(self.shares.values().map(|share| share.used.len()).sum::<usize>(), self.used.len());
        assert!(self.shares.values().all(|share| (1..=USED_OF_SOURCE_MAX).contains(&share.used.len())));
    }
}
