//! All peers of a socket: how a connection begins, and which one a packet is for.
//!
//! A client asks for a connection with its own id. The server answers with an id for this client and
//! keeps nothing. The first packet with data that carries both ids from that address proves that the address
//! receives there, and makes the connection (`ids`). No source gets more connections than are still free for
//! the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

use super::config::{Config, Delivery};
use super::connection::Connection;
use super::event::{Event, MessageId, PeerId, SendError, Status, Transmit, Vitals};
use super::ids::{Ids, source};
use super::packet::{Body, Packet};
use crate::model::Time;

/// Answers that wait to be sent at most. More are left out: they are asked for again.
const ANSWERS_MAX: usize = 256;

/// The protocol, as a pure machine: it has no socket, clock, thread or random source.
///
/// After each call: [`poll_transmit`](Machine::poll_transmit) until it gives nothing,
/// [`poll_event`](Machine::poll_event) as the program likes, and [`on_timer`](Machine::on_timer) at
/// [`next_timer`](Machine::next_timer). The time never goes back.
///
/// ```
/// use faultwire::Time;
/// use faultwire::adaptive::{Config, Delivery, Event, Machine};
///
/// let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
/// let mut client = Machine::new(Config::default().with_seed(1), Time::ZERO);
/// let mut server = Machine::new(Config::default().with_seed(2), Time::ZERO);
/// let now = Time::from_millis(1);
/// let peer = client.connect(now, b).unwrap();
/// client.send(now, peer, "hello", Delivery::ONCE).unwrap();
/// for _ in 0..2 {
///     while let Some(datagram) = client.poll_transmit(now) {
///         server.input(now, a, &datagram.data);
///     }
///     while let Some(datagram) = server.poll_transmit(now) {
///         client.input(now, b, &datagram.data);
///     }
/// }
/// assert!(matches!(server.poll_event(), Some(Event::Opened { .. })));
/// assert!(matches!(server.poll_event(), Some(Event::Message { data, .. }) if &data[..] == b"hello"));
/// ```
#[derive(Debug)]
pub struct Machine {
    config: Config,
    ids: Ids,
    made: u64,
    connections: BTreeMap<u64, Connection>,
    answers: VecDeque<Transmit>,
    accepted: VecDeque<u64>,
    /// Connections that may have something to send, or to tell, and when each has a timer.
    sending: BTreeSet<u64>,
    telling: BTreeSet<u64>,
    timers: BTreeSet<(Time, u64)>,
    timer_of: BTreeMap<u64, Time>,
    last_told: u64,
}

impl Machine {
    /// One without peers. Its ids are drawn from the configuration's seed and `now`, so that one that was
    /// started again has others.
    pub fn new(config: Config, now: Time) -> Machine {
        let config = config.bounded();
        Machine {
            ids: Ids::new(config.seed, now),
            config,
            made: 0,
            connections: BTreeMap::new(),
            answers: VecDeque::new(),
            accepted: VecDeque::new(),
            sending: BTreeSet::new(),
            telling: BTreeSet::new(),
            timers: BTreeSet::new(),
            timer_of: BTreeMap::new(),
            last_told: 0,
        }
    }

    /// What it is set to.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Asks `addr` for a connection. Messages may be sent at once.
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`].
    pub fn connect(&mut self, now: Time, addr: SocketAddr) -> Result<PeerId, SendError> {
        if self.connections.len() >= self.config.peers_max {
            return Err(SendError::TooManyPeers);
        }
        self.made += 1;
        let id = self.ids.own(addr, self.made);
        self.connections.insert(id, Connection::open(now, &self.config, addr, id));
        self.touched(id);
        Ok(PeerId(id))
    }

    /// Takes a message for a peer; its number there.
    ///
    /// # Errors
    /// [`SendError::Full`] until there is room; [`SendError::TooLong`], [`SendError::Closed`].
    pub fn send(
        &mut self,
        now: Time,
        peer: PeerId,
        data: impl Into<Bytes>,
        delivery: Delivery,
    ) -> Result<MessageId, SendError> {
        let data = data.into();
        let connection = self.connections.get_mut(&peer.0).filter(|connection| connection.is_sending());
        let connection = connection.ok_or(SendError::Closed)?;
        let max = connection.message_max();
        if data.len() > max {
            return Err(SendError::TooLong { max });
        }
        if !connection.outgoing.has_room(data.len()) {
            return Err(SendError::Full);
        }
        let number = connection.send(now, data, delivery);
        self.touched(peer.0);
        Ok(MessageId(number))
    }

    /// Ends the connection once all messages are acknowledged or given up. What the peer has not sent by then
    /// it cannot send any more; what has arrived can still be taken.
    pub fn close(&mut self, peer: PeerId) {
        if let Some(connection) = self.connections.get_mut(&peer.0) {
            connection.close();
            self.touched(peer.0);
        }
    }

    /// Drops a connection at once, silently: the peer notices when it next sends something.
    pub fn forget(&mut self, peer: PeerId) {
        self.connections.remove(&peer.0);
        self.accepted.retain(|id| *id != peer.0);
        self.touched(peer.0);
    }

    /// Whether there is anything of a connection to be taken, its end left out.
    pub(super) fn has_events_of(&self, peer: PeerId) -> bool {
        let has =
            |connection: &Connection| connection.incoming.is_ready() || connection.outgoing.has_given_up();
        self.accepted.contains(&peer.0) || self.connections.get(&peer.0).is_some_and(has)
    }

    /// How a connection is; `None` once it is closed and that was told, or if there never was one.
    pub fn status(&self, peer: PeerId) -> Option<Status> {
        let connection = self.connections.get(&peer.0)?;
        Some(match connection.ended() {
            Some(why) => Status::Ended(why),
            None if connection.is_opening() => Status::Opening,
            None if connection.is_sending() => Status::Open,
            None => Status::Closing,
        })
    }

    /// Messages to a peer that are neither acknowledged nor given up.
    pub fn unsent(&self, peer: PeerId) -> usize {
        self.connections.get(&peer.0).map_or(0, |connection| connection.outgoing.len())
    }

    /// What a connection has measured and done.
    pub fn vitals(&self, peer: PeerId) -> Option<Vitals> {
        self.connections.get(&peer.0).map(Connection::vitals)
    }

    /// Connections, those that have ended and still have something to be taken included.
    pub fn peers(&self) -> usize {
        self.connections.len()
    }

    /// A datagram has arrived. Whatever is not a packet of a connection is left alone.
    pub fn input(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some(packet) = Packet::parse(datagram) else { return };
        if from.port() == 0 {
            // Nothing can be sent there.
            return;
        }
        match packet.body {
            Body::Open(_) if self.config.accepting => {
                let id = self.ids.give(now, from, packet.from);
                let body = Body::Opened(self.config.receive_buffer);
                self.answer(from, &Packet { to: packet.from, from: id, body });
            }
            Body::Open(_) => {}
            Body::Opened(window) => {
                if let Some(connection) = self.connections.get_mut(&packet.to)
                    && connection.addr == from
                {
                    connection.opened(now, packet.from, window);
                    self.touched(packet.to);
                }
            }
            Body::Gone => {
                if let Some(connection) = self.connections.get_mut(&packet.to)
                    && connection.is_between(from, packet.from)
                {
                    connection.gone();
                    self.touched(packet.to);
                }
            }
            Body::Data(data) => {
                let is_there = self.connections.contains_key(&packet.to);
                if !is_there && !self.accept(now, from, packet.to, packet.from) {
                    return;
                }
                if let Some(connection) = self.connections.get_mut(&packet.to)
                    && connection.is_between(from, packet.from)
                {
                    connection.input(now, &data);
                    self.touched(packet.to);
                }
            }
        }
    }

    /// A packet of a connection that is not there: makes it, if its id says so, or says that it is gone.
    /// Whether it is there now.
    fn accept(&mut self, now: Time, from: SocketAddr, to: u64, peer: u64) -> bool {
        let given = self.ids.valid(now, from, peer, to).filter(|_| self.config.accepting);
        let Some(given) = given else {
            self.answer(from, &Packet { to: peer, from: to, body: Body::Gone });
            return false;
        };
        if !self.has_room_for(from) {
            // Its client asks again.
            return false;
        }
        self.ids.use_up(from, given, to);
        self.connections.insert(to, Connection::accept(now, &self.config, from, (to, peer)));
        self.accepted.push_back(to);
        true
    }

    /// Whether there is room for another connection from there: its source must not have more than are free.
    fn has_room_for(&self, addr: SocketAddr) -> bool {
        let free = self.config.peers_max.saturating_sub(self.connections.len());
        let from = source(addr);
        self.connections.values().filter(|connection| source(connection.addr) == from).count() < free
    }

    fn answer(&mut self, to: SocketAddr, packet: &Packet<'_>) {
        if self.answers.len() < ANSWERS_MAX {
            self.answers.push_back(Transmit { to, data: packet.encode() });
        }
    }

    /// Something of a connection has changed.
    fn touched(&mut self, id: u64) {
        let timer = self.connections.get(&id).and_then(Connection::timer);
        let before = match timer {
            Some(timer) => self.timer_of.insert(id, timer),
            None => self.timer_of.remove(&id),
        };
        if before != timer {
            before.map(|before| self.timers.remove(&(before, id)));
            self.timers.extend(timer.map(|timer| (timer, id)));
        }
        if let Some(connection) = self.connections.get(&id) {
            self.sending.insert(id);
            let tells = connection.incoming.is_ready()
                || connection.outgoing.has_given_up()
                || connection.ended().is_some();
            if tells {
                self.telling.insert(id);
            }
        }
    }

    /// When [`on_timer`](Machine::on_timer) is to be called.
    pub fn next_timer(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Does what the time has decided.
    pub fn on_timer(&mut self, now: Time) {
        let due: Vec<u64> = self.timers.range(..=(now, u64::MAX)).map(|(_, id)| *id).collect();
        for id in due {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.on_timer(now);
            }
            self.touched(id);
        }
    }

    /// The next datagram to be sent now.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        while let Some(id) = self.sending.first().copied() {
            let polled = self.connections.get_mut(&id).and_then(|connection| {
                Some(Transmit { to: connection.addr, data: connection.poll_transmit(now)? })
            });
            self.touched(id);
            if polled.is_some() {
                return polled;
            }
            self.sending.remove(&id);
        }
        None
    }

    /// The next thing that has happened. Peers take turns.
    ///
    /// What is not taken stays in the peer's buffer: it is its sender that has to wait.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(id) = self.accepted.pop_front() {
            let addr = self.connections.get(&id)?.addr;
            return Some(Event::Opened { peer: PeerId(id), addr });
        }
        loop {
            let after = self.last_told.saturating_add(1);
            let id = self.telling.range(after..).next().or_else(|| self.telling.first()).copied()?;
            self.last_told = id;
            if let Some(event) = self.event_of(id) {
                return Some(event);
            }
            self.telling.remove(&id);
        }
    }

    fn event_of(&mut self, id: u64) -> Option<Event> {
        let connection = self.connections.get_mut(&id)?;
        let peer = PeerId(id);
        if let Some((order, data)) = connection.take() {
            self.touched(id);
            return Some(Event::Message { peer, order, data });
        }
        if let Some(message) = connection.outgoing.take_given_up() {
            return Some(Event::GivenUp { peer, message: MessageId(message) });
        }
        let why = connection.ended()?;
        let unsent = connection.outgoing.len();
        self.forget(peer);
        Some(Event::Closed { peer, why, unsent })
    }
}

#[cfg(test)]
impl Machine {
    /// What holds between any two calls.
    pub(super) fn assert_invariants(&self) {
        assert!(self.connections.len() <= self.config.peers_max && self.answers.len() <= ANSWERS_MAX);
        for connection in self.connections.values() {
            assert!(connection.incoming.held() <= self.config.receive_buffer);
            assert_eq!(connection.incoming.held(), connection.incoming.counted());
            assert!(connection.outgoing.held() <= self.config.send_buffer);
        }
        self.ids.assert_invariants();
        assert!(self.timer_of.len() == self.timers.len() && self.timers.len() <= self.connections.len());
    }
}
