//! Two machines, the wire between them, and what became of what they sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use proptest::sample::Index;

use crate::adaptive::*;
use crate::model::Time;

/// One way.
const DELAY: Duration = Duration::from_millis(10);
/// A run that takes more steps than that hangs.
const STEPS_MAX: usize = 200_000;

/// What happens to a packet.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Arrives,
    Lost,
    Doubled,
    /// By that many milliseconds.
    Late(u64),
    /// In a bit.
    Damaged(Index, u8),
}

/// Machine 0 connects to machine 1.
pub(super) struct Pair {
    config: Config,
    pub(super) machines: [Machine; 2],
    peers: [Option<PeerId>; 2],
    pub(super) addrs: [SocketAddr; 2],
    /// What happens to the next packets; those after that arrive.
    pub(super) fates: VecDeque<Fate>,
    /// All packets are lost.
    pub(super) is_cut: bool,
    wire: BTreeMap<(Time, u64), (usize, Vec<u8>)>,
    count: u64,
    /// Every packet that was sent, by where it went.
    pub(super) sent: Vec<(usize, Vec<u8>)>,
    pub(super) now: Time,
    waiting: [VecDeque<(MessageId, Vec<u8>, Delivery)>; 2],
    given: [u64; 2],
    /// Whether the programs take what has arrived.
    pub(super) takes: [bool; 2],
    pub(super) got: [Vec<(Order, Vec<u8>)>; 2],
    pub(super) given_up: [Vec<MessageId>; 2],
    pub(super) ended: [Option<Ended>; 2],
    pub(super) unsent: [usize; 2],
}

impl Pair {
    /// Whose connection is there once the wire lets it.
    pub(super) fn new(config: &Config, fates: Vec<Fate>) -> Pair {
        let mut pair = Pair::unopened(config);
        pair.fates = fates.into();
        pair.run_until(|pair| pair.peers.iter().all(Option::is_some));
        pair
    }

    /// Whose connection was asked for.
    pub(super) fn unopened(config: &Config) -> Pair {
        let machine = |seed| Machine::new(config.clone().with_seed(seed), Time::ZERO);
        let addrs = ["10.0.0.1:1000", "10.0.0.2:2000"].map(|addr| addr.parse().expect("an address"));
        let mut machines = [machine(1), machine(2)];
        let peer = machines[0].connect(Time::ZERO, addrs[1]).expect("the first");
        Pair {
            config: config.clone(),
            machines,
            peers: [Some(peer), None],
            addrs,
            fates: VecDeque::new(),
            is_cut: false,
            wire: BTreeMap::new(),
            count: 0,
            sent: Vec::new(),
            now: Time::ZERO,
            waiting: Default::default(),
            given: [0; 2],
            takes: [true; 2],
            got: Default::default(),
            given_up: Default::default(),
            ended: [None; 2],
            unsent: [0; 2],
        }
    }

    fn peer(&self, end: usize) -> PeerId {
        self.peers[end].expect("it is connected")
    }

    pub(super) fn vitals(&self, end: usize) -> Vitals {
        self.machines[end].vitals(self.peer(end)).expect("it is connected")
    }

    pub(super) fn unsent(&self, end: usize) -> usize {
        self.waiting[end].len() + self.machines[end].unsent(self.peer(end))
    }

    /// Sends a message as soon as there is room for it.
    pub(super) fn send(&mut self, end: usize, data: &[u8], delivery: Delivery) -> MessageId {
        self.given[end] += 1;
        let id = MessageId(self.given[end]);
        self.waiting[end].push_back((id, data.to_vec(), delivery));
        self.offer(end);
        id
    }

    pub(super) fn try_send(&mut self, end: usize, data: &[u8]) -> Result<MessageId, SendError> {
        self.machines[end].send(self.now, self.peer(end), data.to_vec(), Delivery::RELIABLE)
    }

    fn offer(&mut self, end: usize) {
        while let Some((id, data, delivery)) = self.waiting[end].front() {
            let Some(peer) = self.peers[end] else { return };
            match self.machines[end].send(self.now, peer, data.clone(), *delivery) {
                Ok(given) => assert_eq!(given, *id),
                Err(SendError::Full | SendError::Closed) => return,
                Err(error) => panic!("{error}"),
            }
            self.waiting[end].pop_front();
        }
    }

    /// Takes what the machines have to tell.
    pub(super) fn collect(&mut self) {
        for end in 0..2 {
            while self.takes[end]
                && let Some(event) = self.machines[end].poll_event()
            {
                match event {
                    Event::Opened { peer, addr } => {
                        assert_eq!((end, addr), (1, self.addrs[0]));
                        self.peers[1] = Some(peer);
                    }
                    Event::Message { order, data, .. } => self.got[end].push((order, data.to_vec())),
                    Event::GivenUp { message, .. } => self.given_up[end].push(message),
                    Event::Closed { why, unsent, .. } => {
                        self.ended[end] = Some(why);
                        self.unsent[end] = unsent;
                    }
                }
            }
            self.offer(end);
        }
    }

    /// Puts on the wire what the machines have for it.
    pub(super) fn flush_transmits(&mut self) {
        for end in 0..2 {
            while let Some(datagram) = self.machines[end].poll_transmit(self.now) {
                assert_eq!(datagram.to, self.addrs[1 - end]);
                assert!(datagram.data.len() <= self.config.datagram_max);
                self.sent.push((1 - end, datagram.data.clone()));
                let fate = self.fates.pop_front().unwrap_or(Fate::Arrives);
                self.put(1 - end, datagram.data, if self.is_cut { Fate::Lost } else { fate });
                self.machines[end].assert_invariants();
            }
        }
    }

    fn put(&mut self, to: usize, mut data: Vec<u8>, fate: Fate) {
        let mut due = self.now + DELAY;
        let mut copies = 1;
        match fate {
            Fate::Arrives => {}
            Fate::Lost => copies = 0,
            Fate::Doubled => copies = 2,
            Fate::Late(ms) => due += Duration::from_millis(ms),
            Fate::Damaged(at, bit) => {
                let at = at.index(data.len());
                data[at] ^= 1 << bit;
            }
        }
        for _ in 0..copies {
            self.count += 1;
            self.wire.insert((due, self.count), (to, data.clone()));
        }
    }

    /// Does the next thing that is due. Whether there was one.
    pub(super) fn step(&mut self) -> bool {
        self.collect();
        self.flush_transmits();
        let arrives = self.wire.first_key_value().map(|((due, _), _)| *due);
        let timers = self.machines.iter().filter_map(Machine::next_timer);
        let Some(next) = timers.chain(arrives).min() else { return false };
        self.now = self.now.max(next);
        if arrives.is_some_and(|due| due <= self.now)
            && let Some((_, (to, data))) = self.wire.pop_first()
        {
            self.machines[to].input(self.now, self.addrs[1 - to], &data);
        }
        for machine in &mut self.machines {
            machine.on_timer(self.now);
            machine.assert_invariants();
        }
        self.collect();
        true
    }

    pub(super) fn run_until(&mut self, done: impl Fn(&Pair) -> bool) {
        for _ in 0..STEPS_MAX {
            if done(self) {
                return;
            }
            assert!(self.step(), "nothing will happen any more");
        }
        panic!("it hangs at {}", self.now);
    }

    /// Runs until all that was sent is acknowledged or given up, and has arrived.
    pub(super) fn settle(&mut self) {
        self.run_until(|pair| (0..2).all(|end| pair.unsent(end) == 0));
        let end = self.now + Duration::from_secs(2);
        self.run_until(|pair| pair.now >= end);
    }

    /// Closes it from that end, and runs until both ends have ended.
    pub(super) fn close(&mut self, end: usize) {
        let peer = self.peer(end);
        self.machines[end].close(peer);
        self.run_until(|pair| pair.ended.iter().all(Option::is_some));
    }

    /// That end is started again.
    pub(super) fn restart(&mut self, end: usize) {
        let seed = self.machines[end].config().seed;
        self.machines[end] = Machine::new(self.config.clone().with_seed(seed), self.now);
    }
}
