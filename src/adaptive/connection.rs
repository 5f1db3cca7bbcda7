//! A connection to one peer: what a packet that came in means, and what the time decides.

mod output;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::config::{BUFFER_MIN, Config, Delivery, Order};
use super::congestion::Congestion;
use super::event::{Ended, Vitals};
use super::incoming::Incoming;
use super::numbers::Numbers;
use super::outgoing::Outgoing;
use super::packet::{Data, Frame, piece_max};
use super::recovery::{News, Recovery};
use crate::model::Time;

/// Packets that asked for an acknowledgement and got none yet, after which it is given at once (RFC 9000,
/// section 13.2.2).
const UNACKNOWLEDGED_MAX: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// How often the peer was asked for its id, and when to ask again.
    Opening {
        asked: u32,
        due: Time,
    },
    Open,
    /// All that there is to send is sent, then a fin.
    Closing {
        fin_sent: bool,
    },
    Ended(Ended),
}

/// A connection. Its packets have its id in `from`, and the peer's in `to`.
#[derive(Debug)]
pub(super) struct Connection {
    config: Config,
    pub(super) addr: SocketAddr,
    id: u64,
    peer: u64,
    state: State,
    next_number: u64,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    recovery: Recovery,
    arrived: Numbers,
    latest_at: Time,
    /// Packets that want an acknowledgement; when it is to be given at the latest.
    unacknowledged: u32,
    ack_due: Option<Time>,
    /// The limit that the peer was told last.
    told_limit: u64,
    /// The floors that the peer was told, and that it is known to know.
    told_floor: u64,
    known_floor: u64,
    /// The window that the peer began with: no message can be longer.
    peer_window: Option<u64>,
    wants_ping: bool,
    /// When something of the peer arrived, or it was asked for something, last.
    quiet_since: Time,
    /// How long from then it is asked whether it has room again.
    probe_wait: Duration,
    paced_until: Option<Time>,
    /// When it was last asked to open.
    opened_at: Time,
    lost: u64,
}

impl Connection {
    /// One that asks `addr` for a connection.
    pub(super) fn open(now: Time, config: &Config, addr: SocketAddr, id: u64) -> Connection {
        let state = State::Opening { asked: 0, due: now };
        Connection::new(now, config, addr, (id, 0), state)
    }

    /// One that a peer has asked for.
    pub(super) fn accept(now: Time, config: &Config, addr: SocketAddr, (id, peer): (u64, u64)) -> Connection {
        Connection::new(now, config, addr, (id, peer), State::Open)
    }

    fn new(now: Time, config: &Config, addr: SocketAddr, (id, peer): (u64, u64), state: State) -> Connection {
        let congestion = Congestion::new(config.datagram_max, now);
        Connection {
            addr,
            id,
            peer,
            state,
            next_number: 0,
            incoming: Incoming::new(config.receive_buffer),
            outgoing: Outgoing::new(piece_max(config.datagram_max), config.send_buffer),
            recovery: Recovery::new(config.timers(), congestion),
            arrived: Numbers::default(),
            latest_at: now,
            unacknowledged: 0,
            ack_due: None,
            told_limit: config.receive_buffer,
            told_floor: 1,
            known_floor: 1,
            peer_window: None,
            wants_ping: false,
            quiet_since: now,
            probe_wait: config.timeout_initial,
            paced_until: None,
            opened_at: now,
            lost: 0,
            config: config.clone(),
        }
    }

    /// Whether these are the ends that it has.
    pub(super) fn is_between(&self, addr: SocketAddr, peer: u64) -> bool {
        self.addr == addr && self.peer == peer && !matches!(self.state, State::Opening { .. })
    }

    /// Why it has ended, if it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        if let State::Ended(why) = self.state { Some(why) } else { None }
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether messages can (still) be given to it.
    pub(super) fn is_sending(&self) -> bool {
        matches!(self.state, State::Opening { .. } | State::Open)
    }

    /// The longest message, in bytes, that both ends have room for; the peer's room is known once it has
    /// answered.
    pub(super) fn message_max(&self) -> usize {
        let room = self.config.send_buffer.min(self.peer_window.unwrap_or(BUFFER_MIN));
        let room = room.saturating_sub(Outgoing::cost(0));
        self.config.message_max.min(usize::try_from(room).unwrap_or(usize::MAX))
    }

    pub(super) fn vitals(&self) -> Vitals {
        Vitals {
            round_trip: self.recovery.round_trip(),
            timeout: self.recovery.timeout(),
            congestion_window: self.recovery.congestion.window(),
            in_flight: self.recovery.in_flight(),
            packets: self.next_number,
            lost: self.lost,
        }
    }

    pub(super) fn send(&mut self, now: Time, data: Bytes, delivery: Delivery) -> u64 {
        self.outgoing.push(now, data, delivery)
    }

    pub(super) fn take(&mut self) -> Option<(Order, Bytes)> {
        self.incoming.take()
    }

    /// Ends it once all is sent.
    pub(super) fn close(&mut self) {
        match self.state {
            State::Opening { .. } => self.state = State::Ended(Ended::ByUs),
            State::Open => self.state = State::Closing { fin_sent: false },
            State::Closing { .. } | State::Ended(_) => {}
        }
    }

    /// The peer has answered with its id.
    pub(super) fn opened(&mut self, now: Time, peer: u64, window: u64) {
        let State::Opening { asked, .. } = self.state else { return };
        if asked == 1 {
            self.recovery.sample(now.since(self.opened_at));
        }
        (self.state, self.peer, self.quiet_since) = (State::Open, peer, now);
        self.hear_limit(window);
        // So that the peer learns that it has a connection, even if it is to speak first.
        self.wants_ping = true;
    }

    /// The peer does not know the connection.
    pub(super) fn gone(&mut self) {
        let why = match self.state {
            // It had all, and its fin's acknowledgement was lost.
            State::Closing { fin_sent: true } if self.outgoing.is_empty() => Ended::ByUs,
            State::Ended(why) => why,
            _ => Ended::Reset,
        };
        self.state = State::Ended(why);
    }

    fn hear_limit(&mut self, limit: u64) {
        self.peer_window.get_or_insert(limit);
        if self.outgoing.set_limit(limit) {
            self.probe_wait = self.recovery.timeout();
        }
    }

    /// A packet with data has arrived.
    pub(super) fn input(&mut self, now: Time, data: &Data<'_>) {
        if self.incoming.set_floor(data.floor, data.floor_start).is_err() {
            return;
        }
        self.quiet_since = now;
        self.hear_limit(data.limit);
        let asks = data.frames.iter().any(|frame| !matches!(frame, Frame::Ack { .. }));
        for frame in &data.frames {
            match frame {
                Frame::Ping | Frame::Fin => {}
                Frame::Ack { delay_us, ranges } => {
                    if ranges.first().is_some_and(|range| *range.end() >= self.next_number) {
                        // It has what was never sent.
                        return;
                    }
                    let delay = Duration::from_micros(u64::from(*delay_us));
                    let news = self.recovery.acknowledge(now, ranges, delay);
                    self.learn(news);
                }
                Frame::Piece(piece) => {
                    if self.ended().is_none() && self.incoming.accept(piece).is_err() {
                        return;
                    }
                }
            }
        }
        let before = self.arrived.latest();
        let is_next = before.map_or(data.number == 0, |latest| data.number == latest + 1);
        if self.arrived.insert(data.number) && before.is_none_or(|latest| data.number > latest) {
            self.latest_at = now;
        }
        if asks {
            self.unacknowledged += 1;
            let urgent = data.frames.iter().any(|frame| matches!(frame, Frame::Ping | Frame::Fin));
            let at_once = !is_next || urgent || self.unacknowledged >= UNACKNOWLEDGED_MAX;
            let due = if at_once { now } else { now + self.config.ack_delay };
            self.ack_due = Some(self.ack_due.map_or(due, |known| known.min(due)));
        }
        if data.frames.contains(&Frame::Fin) && self.ended().is_none() {
            let all_done = self.outgoing.is_empty() && matches!(self.state, State::Closing { .. });
            self.state = State::Ended(if all_done { Ended::ByUs } else { Ended::ByPeer });
        }
    }

    fn learn(&mut self, news: News) {
        for sent in &news.arrived {
            sent.pieces.iter().for_each(|piece| self.outgoing.acknowledged(*piece));
            self.known_floor = self.known_floor.max(sent.floor);
            if sent.fin && matches!(self.state, State::Closing { .. }) {
                self.state = State::Ended(Ended::ByUs);
            }
        }
        for (number, sent) in &news.lost {
            self.lost += 1;
            sent.pieces.iter().for_each(|piece| self.outgoing.lost(*piece, *number));
            if sent.fin
                && let State::Closing { fin_sent } = &mut self.state
            {
                *fin_sent = false;
            }
            self.told_floor = self.known_floor;
        }
    }

    /// When nothing is in flight: when to ask the peer whether it is still there, or whether it has room
    /// again.
    fn ask_at(&self) -> Option<Time> {
        let wait = if self.outgoing.is_blocked() { Some(self.probe_wait) } else { self.config.keep_alive };
        // A question that waits for the pacer is not asked again.
        let is_quiet = self.recovery.in_flight() == 0 && !self.wants_ping;
        wait.filter(|_| is_quiet).map(|wait| self.quiet_since + wait)
    }

    /// When [`on_timer`](Self::on_timer) is to be called, or a packet can be sent.
    pub(super) fn timer(&self) -> Option<Time> {
        let timers = match self.state {
            State::Opening { due, .. } => [Some(due), self.outgoing.deadline(), None, None, None],
            State::Ended(_) => [self.ack_due, None, None, None, None],
            State::Open | State::Closing { .. } => [
                self.recovery.timer(),
                self.ack_due,
                self.outgoing.deadline(),
                self.paced_until,
                self.ask_at(),
            ],
        };
        timers.into_iter().flatten().min()
    }

    /// What the time has decided.
    pub(super) fn on_timer(&mut self, now: Time) {
        if self.ended().is_some() {
            return;
        }
        self.outgoing.expire(now);
        if let State::Opening { asked, due } = self.state {
            if due <= now && asked > self.config.tries_max {
                self.state = State::Ended(Ended::TimedOut);
            }
            return;
        }
        let asks = self.ask_at().is_some_and(|due| due <= now);
        let before = self.recovery.expiries();
        let news = self.recovery.on_timer(now);
        self.learn(news);
        if self.recovery.expiries() > self.config.tries_max {
            self.state = State::Ended(Ended::TimedOut);
        } else if asks || self.recovery.expiries() > before {
            // After a timeout there is always something to be acknowledged.
            self.wants_ping = true;
            self.quiet_since = now;
            if self.outgoing.is_blocked() {
                self.probe_wait = (self.probe_wait * 2).min(self.config.timeout_max);
            }
        }
    }
}
