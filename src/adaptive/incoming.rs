//! The receiver's side of messages: put together, in order, once, and in bounded room.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::config::Order;
use super::packet::{MESSAGE_COST, Piece, pieces, span};

/// The packet says what its sender may not say: it is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

#[derive(Debug)]
enum State {
    /// Some of its pieces are there; which are not, and how many.
    Partial { data: Vec<u8>, missing: Vec<bool>, left: u32 },
    /// It is whole, and waits for another of its stream.
    Whole(Vec<u8>),
    /// It can be taken.
    Ready(Vec<u8>),
    /// It was taken.
    Taken,
}

#[derive(Debug)]
struct Message {
    start: u64,
    total: u32,
    size: u16,
    ordered: Option<(u8, u64)>,
    state: State,
}

impl Message {
    fn cost(&self) -> u64 {
        u64::from(self.total) + MESSAGE_COST
    }
}

/// The messages of a peer, until the program takes them.
///
/// The sender may use its sequence of messages up to [`limit`](Incoming::limit): the start of the first
/// message that is not taken (or given up by the sender), and the window. So there is always room for what is
/// missing. What an honest sender cannot do is refused, and what is kept stays within the window whatever is
/// sent.
#[derive(Debug)]
pub(super) struct Incoming {
    window: u64,
    /// Each message below is finished, or is in `messages` and whole.
    low: u64,
    low_start: u64,
    messages: BTreeMap<u64, Message>,
    /// Messages that are whole, by the one that they wait for.
    waiting: BTreeMap<u64, u64>,
    ready: VecDeque<u64>,
    /// What `messages` takes, those that were taken left out.
    held: u64,
}

impl Incoming {
    pub(super) fn new(window: u64) -> Incoming {
        Incoming {
            window,
            low: 1,
            low_start: 0,
            messages: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ready: VecDeque::new(),
            held: 0,
        }
    }

    /// Up to where the sender may use its sequence of messages. It never goes back.
    pub(super) fn limit(&self) -> u64 {
        let base = match self.messages.first_key_value() {
            Some((number, message)) if *number < self.low => message.start.min(self.low_start),
            _ => self.low_start,
        };
        base.saturating_add(self.window)
    }

    /// Whether there is a message to be taken.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Bytes that are kept, [`MESSAGE_COST`] for each message included.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Like `held`, but counted again. Panics if there are more messages than the window has room for.
    #[cfg(test)]
    pub(super) fn counted(&self) -> u64 {
        assert!(self.messages.len() as u64 <= self.window / MESSAGE_COST);
        assert!(self.waiting.len() + self.ready.len() <= self.messages.len());
        let kept = self.messages.values().filter(|message| !matches!(message.state, State::Taken));
        kept.map(Message::cost).sum()
    }

    /// The sender is done with all messages below `floor`: what is not whole of them never will be.
    pub(super) fn set_floor(&mut self, floor: u64, start: u64) -> Result<(), Refused> {
        if floor <= self.low {
            return Ok(());
        }
        if start < self.low_start {
            return Err(Refused);
        }
        let mut over = Vec::new();
        for (number, message) in self.messages.range(self.low..floor) {
            match message.state {
                State::Partial { .. } => over.push((*number, message.cost())),
                State::Taken => over.push((*number, 0)),
                State::Whole(_) | State::Ready(_) => {}
            }
        }
        for (number, cost) in over {
            self.messages.remove(&number);
            self.held -= cost;
        }
        (self.low, self.low_start) = (floor, start);
        self.advance();
        // What waited for one of those waits no longer, unless that one waits itself.
        let free: Vec<(u64, u64)> = self
            .waiting
            .range(..self.low)
            .filter(|(after, _)| self.is_delivered(**after))
            .map(|(after, number)| (*after, *number))
            .collect();
        for (after, number) in free {
            if self.waiting.remove(&after).is_some() {
                self.make_ready(number);
            }
        }
        Ok(())
    }

    /// A piece has arrived. It may have done so before.
    pub(super) fn accept(&mut self, piece: &Piece<'_>) -> Result<(), Refused> {
        let number = piece.message;
        if !self.messages.contains_key(&number) {
            if number < self.low {
                return Ok(());
            }
            self.begin(piece)?;
        }
        let Some(message) = self.messages.get_mut(&number) else { return Ok(()) };
        let is_the_same = (message.start, message.total, message.size, message.ordered)
            == (piece.start, piece.total, piece.size, piece.ordered);
        if !is_the_same {
            return Err(Refused);
        }
        let State::Partial { data, missing, left } = &mut message.state else { return Ok(()) };
        let Some(missing) = missing.get_mut(piece.index as usize).filter(|missing| **missing) else {
            return Ok(());
        };
        *missing = false;
        *left -= 1;
        data[span(piece.total, piece.size, piece.index)].copy_from_slice(piece.data);
        if *left == 0 {
            let whole = std::mem::take(data);
            message.state = State::Whole(whole);
            self.complete(number, piece.ordered.map(|(_, after)| after));
        }
        Ok(())
    }

    /// The first piece of a message: is there room for all of it?
    fn begin(&mut self, piece: &Piece<'_>) -> Result<(), Refused> {
        let message = Message {
            start: piece.start,
            total: piece.total,
            size: piece.size,
            ordered: piece.ordered,
            state: State::Taken,
        };
        let cost = message.cost();
        let fits = piece.start >= self.low_start
            && piece.start.saturating_add(cost) <= self.limit()
            && self.held + cost <= self.window
            && (self.messages.len() as u64) < self.window / MESSAGE_COST;
        if !fits {
            return Err(Refused);
        }
        let count = pieces(piece.total, piece.size);
        let (data, missing) = (vec![0; piece.total as usize], vec![true; count as usize]);
        let state = State::Partial { data, missing, left: count };
        self.held += cost;
        self.messages.insert(piece.message, Message { state, ..message });
        Ok(())
    }

    /// Whether nothing has to wait for a message any more.
    fn is_delivered(&self, number: u64) -> bool {
        match self.messages.get(&number) {
            None => number < self.low,
            Some(message) => matches!(message.state, State::Ready(_) | State::Taken),
        }
    }

    fn complete(&mut self, number: u64, after: Option<u64>) {
        match after {
            // Two that wait for the same one are no stream: the second is not made to wait.
            Some(after) if !self.is_delivered(after) && !self.waiting.contains_key(&after) => {
                self.waiting.insert(after, number);
            }
            _ => self.make_ready(number),
        }
    }

    /// It can be taken, and behind it what waits for it.
    fn make_ready(&mut self, number: u64) {
        let mut next = Some(number);
        while let Some(number) = next {
            let Some(message) = self.messages.get_mut(&number) else { return };
            if let State::Whole(data) = &mut message.state {
                message.state = State::Ready(std::mem::take(data));
                self.ready.push_back(number);
            }
            next = self.waiting.remove(&number);
        }
    }

    /// Takes the next message.
    pub(super) fn take(&mut self) -> Option<(Order, Bytes)> {
        let number = self.ready.pop_front()?;
        let message = self.messages.get_mut(&number)?;
        let State::Ready(data) = std::mem::replace(&mut message.state, State::Taken) else { return None };
        let order = message.ordered.map_or(Order::Unordered, |(stream, _)| Order::Ordered(stream));
        self.held -= message.cost();
        if number < self.low {
            self.messages.remove(&number);
        } else {
            self.advance();
        }
        Some((order, data.into()))
    }

    /// Forgets messages that were taken, as long as none is missing before them.
    fn advance(&mut self) {
        while let Some(message) = self.messages.get(&self.low)
            && matches!(message.state, State::Taken)
        {
            self.low_start = self.low_start.max(message.start + message.cost());
            self.messages.remove(&self.low);
            self.low += 1;
        }
    }
}
