//! Whom a datagram server answers: never itself, and never another responder in a loop.
//!
//! A datagram's source address is whatever its sender wrote there. Two servers that answer everything can
//! thus be set upon each other with one forged datagram, and would go on forever (CVE-1999-0103,
//! CVE-2024-2169). So a datagram is not answered if
//!
//! 1. its source is no single host: unspecified, broadcast or multicast, or port 0;
//! 2. its source port is below 1024: those are services (echo 7, chargen 19, …), not clients. `inetd` does
//!    the same;
//! 3. its source port is the server's own: it comes from the server itself or from its like on another host;
//! 4. its peer has used up its answers. Echoes of an echo are told from new datagrams by what was last sent
//!    to the peer, and count much sooner than those; whoever stays quiet for the idle timeout starts anew.
//!
//! Rule 4 ends every loop, however many datagrams are in it, because each one that is not answered is gone,
//! and no datagram is under way for as long as the idle timeout. Clients seldom notice: it takes ten
//! thousand repetitions of the same bytes, or a million datagrams, without a pause.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::{Limits, stamp};
use crate::model::Time;

/// The lowest port of a client.
const FIRST_CLIENT_PORT: u16 = 1024;

/// How many datagrams last sent to a peer are recognised when they come back.
const REMEMBERED: usize = 64;

/// Keeps account of a server's peers.
#[derive(Debug)]
pub(super) struct Guard {
    own_port: u16,
    limits: Limits,
    peers: BTreeMap<SocketAddr, Peer>,
    met: u64,
}

#[derive(Debug)]
struct Peer {
    heard: Time,
    answers: u32,
    reflections: u32,
    sent: VecDeque<u64>,
}

impl Guard {
    pub(super) fn new(own: SocketAddr, limits: Limits) -> Self {
        Guard { own_port: own.port(), limits, peers: BTreeMap::new(), met: 0 }
    }

    /// How many peers there have been.
    pub(super) fn met(&self) -> u64 {
        self.met
    }

    /// Whether to echo a datagram. The answer `true` takes note that it is sent back.
    pub(super) fn may_echo(&mut self, now: Time, from: SocketAddr, data: &[u8]) -> bool {
        let Some(peer) = self.peer(now, from) else {
            return false;
        };
        let hash = stamp::hash(data);
        if peer.sent.contains(&hash) {
            if peer.reflections == 0 {
                return false;
            }
            peer.reflections -= 1;
        } else {
            if peer.sent.len() == REMEMBERED {
                peer.sent.pop_front();
            }
            peer.sent.push_back(hash);
        }
        true
    }

    /// Whether to answer a datagram with something that is recognised by itself when it comes back.
    pub(super) fn may_answer(&mut self, now: Time, from: SocketAddr) -> bool {
        self.peer(now, from).is_some()
    }

    /// The account of a peer that may be answered once more, and is.
    fn peer(&mut self, now: Time, from: SocketAddr) -> Option<&mut Peer> {
        if !is_client(from) || from.port() == self.own_port {
            return None;
        }
        if !self.peers.contains_key(&from) {
            self.met += 1;
            if self.peers.len() >= self.limits.clients.max(1) {
                let quietest = self.peers.iter().min_by_key(|(_, peer)| peer.heard).map(|(addr, _)| *addr);
                quietest.and_then(|addr| self.peers.remove(&addr));
            }
        }
        let limits = &self.limits;
        let fresh = || Peer {
            heard: now,
            answers: limits.answers,
            reflections: limits.reflections,
            sent: VecDeque::new(),
        };
        let peer = self.peers.entry(from).or_insert_with(fresh);
        if now.since(peer.heard) >= limits.idle {
            *peer = fresh();
        }
        peer.heard = now;
        peer.answers = peer.answers.checked_sub(1)?;
        Some(peer)
    }
}

/// Whether an address can be a client's: rules 1 and 2.
fn is_client(from: SocketAddr) -> bool {
    let single = match from.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    single && from.port() >= FIRST_CLIENT_PORT
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn guard(limits: Limits) -> Guard {
        Guard::new(addr("10.0.0.1:7000"), limits)
    }

    #[test]
    fn services_and_groups_are_not_answered() {
        let mut guard = guard(Limits::default());
        for refused in [
            "10.0.0.2:7",
            "10.0.0.2:19",
            "10.0.0.2:1023",
            "10.0.0.2:0",
            "10.0.0.1:7000",
            "10.0.0.2:7000",
            "0.0.0.0:5000",
            "255.255.255.255:5000",
            "224.0.0.1:5000",
            "[::]:5000",
            "[ff02::1]:5000",
        ] {
            assert!(!guard.may_answer(Time::ZERO, addr(refused)), "{refused}");
            assert!(!guard.may_echo(Time::ZERO, addr(refused), b"x"), "{refused}");
        }
        assert_eq!(guard.met(), 0);
        for client in ["10.0.0.2:1024", "10.0.0.1:65535", "[::1]:5000"] {
            assert!(guard.may_answer(Time::ZERO, addr(client)), "{client}");
        }
    }

    #[test]
    fn reflections_count_sooner_than_news_and_quiet_forgives() {
        let limits = Limits::default().with_answers(3, 10).with_idle(Duration::from_secs(60));
        let mut guard = guard(limits);
        let peer = addr("10.0.0.2:5000");
        let mut echo = |at: u64, data: &[u8]| guard.may_echo(Time::from_millis(at), peer, data);
        let same: Vec<bool> = (0..6).map(|_| echo(0, b"again")).collect();
        assert_eq!(same, [true, true, true, true, false, false]);
        let news: Vec<bool> = (0..6).map(|n| echo(1, &[n])).collect();
        assert_eq!(news, [true, true, true, true, false, false], "ten answers in all, refused ones included");
        assert!(!echo(60_000, b"again"), "it was not quiet for long enough");
        assert!(echo(120_000, b"again"));
    }

    #[test]
    fn the_quietest_peer_makes_room() {
        let mut guard = guard(Limits::default().with_clients(2).with_answers(9, 1));
        let [a, b, c] = ["10.0.0.2:5000", "10.0.0.3:5000", "10.0.0.4:5000"].map(addr);
        assert!(guard.may_answer(Time::from_millis(1), a));
        assert!(guard.may_answer(Time::from_millis(2), b));
        assert!(guard.may_answer(Time::from_millis(3), c), "a is forgotten");
        assert!(!guard.may_answer(Time::from_millis(4), b), "b is not");
        assert_eq!((guard.peers.len(), guard.met()), (2, 3));
    }
}
