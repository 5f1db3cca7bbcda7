//! The sender's side of messages: cut into pieces, repeated as long as each asks for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::config::{Delivery, Order, Reliability};
use super::packet::{MESSAGE_COST, Piece, pieces, span};
use crate::model::Time;

/// A piece by the number of its message and its own.
pub(super) type PieceId = (u64, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was not sent yet, or was lost.
    Due,
    /// It is under way in that packet (and perhaps in earlier ones that count as lost).
    Sent(u64),
    Acknowledged,
}

#[derive(Debug)]
struct Message {
    start: u64,
    data: Bytes,
    ordered: Option<(u8, u64)>,
    is_once: bool,
    deadline: Option<Time>,
    pieces: Vec<State>,
    left: usize,
}

impl Message {
    fn cost(&self) -> u64 {
        self.data.len() as u64 + MESSAGE_COST
    }
}

/// The messages for a peer, until they are acknowledged or given up.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Bytes of a piece.
    size: u16,
    room: u64,
    held: u64,
    next: u64,
    next_start: u64,
    messages: BTreeMap<u64, Message>,
    /// The latest message of each stream.
    streams: BTreeMap<u8, u64>,
    deadlines: BTreeSet<(Time, u64)>,
    lost: BTreeSet<PieceId>,
    /// The next piece that was never sent.
    fresh: PieceId,
    /// Up to where the peer has room.
    limit: u64,
    /// The latest message that was given up; 0 if none was.
    abandoned: u64,
    given_up: VecDeque<u64>,
}

impl Outgoing {
    pub(super) fn new(size: u16, room: u64) -> Outgoing {
        Outgoing {
            size,
            room,
            held: 0,
            next: 1,
            next_start: 0,
            messages: BTreeMap::new(),
            streams: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            lost: BTreeSet::new(),
            fresh: (1, 0),
            limit: 0,
            abandoned: 0,
            given_up: VecDeque::new(),
        }
    }

    /// How much room a message of this length takes.
    pub(super) fn cost(len: usize) -> u64 {
        len as u64 + MESSAGE_COST
    }

    /// Whether there is room for a message of this length.
    pub(super) fn has_room(&self, len: usize) -> bool {
        let waiting = self.given_up.len() as u64 * MESSAGE_COST;
        self.held + waiting + Self::cost(len) <= self.room
    }

    /// Takes a message; its number.
    pub(super) fn push(&mut self, now: Time, data: Bytes, delivery: Delivery) -> u64 {
        let number = self.next;
        let ordered = match delivery.order {
            Order::Unordered => None,
            Order::Ordered(stream) => Some((stream, self.streams.insert(stream, number).unwrap_or(0))),
        };
        let deadline = match delivery.reliability {
            Reliability::Within(time) => Some(now + time),
            Reliability::Once | Reliability::Reliable => None,
        };
        let count = pieces(data.len() as u32, self.size) as usize;
        let message = Message {
            start: self.next_start,
            ordered,
            is_once: delivery.reliability == Reliability::Once,
            deadline,
            pieces: vec![State::Due; count],
            left: count,
            data,
        };
        self.next += 1;
        self.next_start += message.cost();
        self.held += message.cost();
        self.deadlines.extend(deadline.map(|deadline| (deadline, number)));
        self.messages.insert(number, message);
        number
    }

    /// The first message that is not finished, and where it starts.
    pub(super) fn floor(&self) -> (u64, u64) {
        match self.messages.first_key_value() {
            Some((number, message)) => (*number, message.start),
            None => (self.next, self.next_start),
        }
    }

    /// Whether a message that was given up lies between the floor that the peer knows and the present one.
    pub(super) fn must_tell_floor(&self, known: u64) -> bool {
        known <= self.abandoned && known < self.floor().0
    }

    /// Whether every message is acknowledged or given up.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Messages that are neither acknowledged nor given up.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The next message that was given up because its time was over.
    pub(super) fn take_given_up(&mut self) -> Option<u64> {
        self.given_up.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// The peer has room up to there; whether that is more than before.
    pub(super) fn set_limit(&mut self, limit: u64) -> bool {
        let more = limit > self.limit;
        self.limit = self.limit.max(limit);
        more
    }

    /// The next piece to send: one that was lost, or the next that was never sent, if the peer has room for
    /// its message.
    pub(super) fn due(&mut self) -> Option<PieceId> {
        if let Some(lost) = self.lost.first() {
            return Some(*lost);
        }
        let (number, message) = self.messages.range(self.fresh.0..).next()?;
        if *number != self.fresh.0 {
            self.fresh = (*number, 0);
        }
        (message.start + message.cost() <= self.limit).then_some(self.fresh)
    }

    /// Whether there are messages, and the peer has no room for the next.
    pub(super) fn is_blocked(&self) -> bool {
        let next = self.messages.range(self.fresh.0..).next();
        self.lost.is_empty() && next.is_some_and(|(_, next)| next.start + next.cost() > self.limit)
    }

    /// A piece, as it is put into a packet.
    pub(super) fn piece(&self, (number, index): PieceId) -> Option<Piece<'_>> {
        let message = self.messages.get(&number)?;
        let total = message.data.len() as u32;
        Some(Piece {
            message: number,
            start: message.start,
            ordered: message.ordered,
            total,
            size: self.size,
            index,
            data: &message.data[span(total, self.size, index)],
        })
    }

    /// A piece was sent in that packet.
    pub(super) fn sent(&mut self, id: PieceId, packet: u64) {
        let Some(message) = self.messages.get_mut(&id.0) else { return };
        if !self.lost.remove(&id) && id == self.fresh {
            let is_last = id.1 as usize + 1 == message.pieces.len();
            self.fresh = if is_last { (id.0 + 1, 0) } else { (id.0, id.1 + 1) };
        }
        message.pieces[id.1 as usize] = State::Sent(packet);
    }

    /// A piece has arrived.
    pub(super) fn acknowledged(&mut self, id: PieceId) {
        let Some(message) = self.messages.get_mut(&id.0) else { return };
        let Some(state) = message.pieces.get_mut(id.1 as usize) else { return };
        if *state != State::Acknowledged {
            *state = State::Acknowledged;
            self.lost.remove(&id);
            message.left -= 1;
            if message.left == 0 {
                self.remove(id.0);
            }
        }
    }

    /// The packet was lost that a piece was sent in: the piece is due again, or its message given up.
    pub(super) fn lost(&mut self, id: PieceId, packet: u64) {
        let Some(message) = self.messages.get_mut(&id.0) else { return };
        let Some(state) = message.pieces.get_mut(id.1 as usize) else { return };
        if *state != State::Sent(packet) {
            return;
        }
        *state = State::Due;
        if message.is_once {
            self.abandon(id.0);
        } else {
            self.lost.insert(id);
        }
    }

    /// When the next message is given up.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    /// Gives up the messages whose time is over.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((time, number)) = self.deadlines.first().copied()
            && time <= now
        {
            self.abandon(number);
            self.given_up.push_back(number);
        }
    }

    fn abandon(&mut self, number: u64) {
        self.remove(number);
        self.abandoned = self.abandoned.max(number);
    }

    fn remove(&mut self, number: u64) {
        let Some(message) = self.messages.remove(&number) else { return };
        self.held -= message.cost();
        if let Some(deadline) = message.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        let lost: Vec<PieceId> = self.lost.range((number, 0)..=(number, u32::MAX)).copied().collect();
        for id in lost {
            self.lost.remove(&id);
        }
    }

    /// Bytes that are kept, [`MESSAGE_COST`] for each message included.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.held
    }
}
