//! Adaptive machines with a wire between them that loses, repeats and changes packets, and programs that do
//! anything: no panic, no endless talk, and a bounded number of peers.

use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::net::SocketAddr;
use std::time::Duration;

use faultwire::adaptive::{Config, Delivery, Event, Machine, PeerId};
use faultwire::time::Time;
use siphasher::sip::SipHasher13;

use super::forge::Choice;

/// Datagrams at one moment: as many as the windows of all peers hold, and answers.
const AT_ONCE_MAX: usize = 20_000;
/// Datagrams that wait on the wire.
const WIRE_MAX: usize = 100;
/// Steps of a machine that has nothing to do any more.
const STEPS_MAX: usize = 10_000;
const PEERS_MAX: usize = 8;

struct World {
    machines: Vec<Machine>,
    addrs: Vec<SocketAddr>,
    peers: Vec<Vec<PeerId>>,
    /// From, to, what.
    wire: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    now: Time,
}

fn config(choice: &mut Choice<'_>, seed: u64) -> Config {
    let mut config = Config::default().with_seed(seed).with_peers_max(PEERS_MAX).with_buffers(8_192, 8_192);
    if choice.below(4) == 0 {
        let time =
            |choice: &mut Choice<'_>| choice.among(&[Duration::ZERO, Duration::from_secs(1), Duration::MAX]);
        (config.timeout_min, config.timeout_max) = (time(choice), time(choice));
        (config.timeout_initial, config.ack_delay) = (time(choice), time(choice));
        config.keep_alive = choice.is().then(|| time(choice));
        config.datagram_max = choice.among(&[0, 256, usize::MAX]);
        config.accepting = choice.is();
    }
    config
}

impl World {
    fn new(choice: &mut Choice<'_>) -> World {
        let machine = |seed, choice: &mut Choice<'_>| Machine::new(config(choice, seed), Time::ZERO);
        World {
            machines: (0..3).map(|seed| machine(seed, choice)).collect(),
            addrs: (1..=3).map(|host| SocketAddr::new([10, 0, 0, host].into(), 7_000)).collect(),
            peers: vec![Vec::new(); 3],
            wire: VecDeque::new(),
            now: Time::ZERO,
        }
    }

    /// Takes what the machines have for the wire; what there is no room for is lost.
    fn transmit(&mut self) {
        for (machine, from) in self.machines.iter_mut().zip(&self.addrs) {
            let longest = machine.config().datagram_max;
            let mut count = 0;
            while let Some(datagram) = machine.poll_transmit(self.now) {
                assert!(datagram.data.len() <= longest);
                count += 1;
                assert!(count <= AT_ONCE_MAX, "it never stops");
                if self.wire.len() < WIRE_MAX {
                    self.wire.push_back((*from, datagram.to, datagram.data));
                }
            }
            assert!(machine.peers() <= PEERS_MAX);
        }
    }

    fn arrive(&mut self, (from, to, data): &(SocketAddr, SocketAddr, Vec<u8>)) {
        if let Some(at) = self.addrs.iter().position(|addr| addr == to) {
            self.machines[at].input(self.now, *from, data);
        }
    }

    fn program(&mut self, choice: &mut Choice<'_>) {
        let at = choice.below(self.machines.len());
        let to = self.addrs[choice.below(self.addrs.len())];
        let machine = &mut self.machines[at];
        let known = self.peers[at].len();
        let peer = (known > 0).then(|| self.peers[at][choice.below(known)]);
        match (choice.below(8), peer) {
            (0, _) => {
                self.peers[at].extend(machine.connect(self.now, to));
                self.peers[at].truncate(2 * PEERS_MAX);
            }
            (1..=3, Some(peer)) => {
                let within = choice.among(&[Duration::ZERO, Duration::from_millis(100), Duration::MAX]);
                let delivery = choice.among(&[Delivery::ONCE, Delivery::RELIABLE, Delivery::within(within)]);
                let delivery = if choice.is() { delivery.in_stream(choice.below(3) as u8) } else { delivery };
                let _ = machine.send(self.now, peer, vec![7; choice.below(9_000)], delivery);
            }
            (4, Some(peer)) => machine.close(peer),
            (5, Some(peer)) => machine.forget(peer),
            _ => {
                for _ in 0..choice.below(4) {
                    if let Some(Event::Opened { peer, .. }) = machine.poll_event() {
                        self.peers[at].push(peer);
                    }
                }
            }
        }
    }

    /// Time passes: a moment, up to the next timer, or as much as there is.
    fn pass(&mut self, choice: &mut Choice<'_>) {
        let next = self.machines.iter().filter_map(Machine::next_timer).min();
        let later = match choice.below(8) {
            0..=3 => next.unwrap_or(self.now),
            4..=6 => self.now + Duration::from_millis(choice.below(3_000) as u64),
            _ => self.now + choice.among(&[Duration::from_secs(300), Duration::MAX]),
        };
        self.now = self.now.max(later);
        self.machines.iter_mut().for_each(|machine| machine.on_timer(self.now));
    }
}

/// Changes a datagram where it can do harm: the checksum is made right again.
fn change(choice: &mut Choice<'_>, data: &mut Vec<u8>) {
    match choice.below(4) {
        0 => data.truncate(choice.below(data.len() + 1)),
        1 => data.splice(data.len().saturating_sub(8).., choice.data(60)).for_each(drop),
        2 => {
            // Another number in one field.
            let at = 5 + 8 * choice.below(data.len() / 8 + 1);
            let number = choice.among(&[0, 1, 5, 128, 1 << 40, (1 << 62) - 1, u64::MAX]);
            if let Some(field) = data.get_mut(at..at + 8) {
                field.copy_from_slice(&number.to_be_bytes());
            }
        }
        _ => {
            if !data.is_empty() {
                let at = choice.below(data.len());
                data[at] = choice.below(256) as u8;
            }
        }
    }
    if let Some(end) = data.len().checked_sub(8) {
        let mut hasher = SipHasher13::new();
        hasher.write(&data[..end]);
        data[end..].copy_from_slice(&hasher.finish().to_be_bytes());
    }
}

pub(crate) fn fuzz(data: &[u8]) {
    let mut choice = Choice::Bytes(data);
    let mut world = World::new(&mut choice);
    while !choice.is_over() {
        match choice.below(8) {
            0 | 1 => world.program(&mut choice),
            2 => world.pass(&mut choice),
            3..=5 => {
                world.transmit();
                if let Some(datagram) = world.wire.pop_front() {
                    world.arrive(&datagram);
                }
            }
            6 => drop(world.wire.pop_front()),
            _ => {
                let Some(mut datagram) = world.wire.front().cloned() else { continue };
                if choice.is() {
                    change(&mut choice, &mut datagram.2);
                }
                world.arrive(&datagram);
            }
        }
    }
    // No peer answers any more: each machine gives its peers up.
    for machine in &mut world.machines {
        for _ in 0..STEPS_MAX {
            let mut count = 0;
            while machine.poll_transmit(world.now).is_some() || machine.poll_event().is_some() {
                count += 1;
                assert!(count <= AT_ONCE_MAX, "it never stops");
            }
            let Some(due) = machine.next_timer() else { break };
            if due == Time::MAX {
                break;
            }
            world.now = world.now.max(due);
            machine.on_timer(world.now);
        }
        let due = machine.next_timer();
        assert!(due.is_none_or(|due| due == Time::MAX), "it never rests, at {due:?}: {machine:?}");
    }
}
