//! Lesson 9, mended: a conversation has a name that both sides have agreed on, and each says when it has said all.

use std::collections::VecDeque;
use std::time::Duration;

use faultwire::machine::Machine;
use faultwire::time::Time;

use super::segment::{Kind, Segment};
use crate::{TIMEOUT, Talker};

/// How long who closes first stays when both have said all, so that the other side is answered when it asks again: longer
/// than anything is on its way, and longer than the other side waits between two questions.
const TIME_WAIT: Duration = Duration::from_secs(2);

/// One conversation. All that it sends and that must arrive (the opening, each message, the end) has a number, and goes out
/// one at a time until it is acknowledged.
#[derive(Debug, Default)]
pub struct Conversation {
    /// What this side calls the conversation, once it has begun to, and what the other side calls it.
    mine: Option<u32>,
    yours: Option<u32>,
    /// The number of what is on its way or will be next; what that is, and when to send it again.
    next: u32,
    waiting: Option<(Kind, Vec<u8>, Time)>,
    /// The number of what is to come next: nothing came before the opening, which is 0.
    expected: u32,
    /// The program has nothing more to say; the end was sent; the other side's end has come.
    is_closing: bool,
    has_ended: bool,
    is_ended: bool,
    /// Who said first that it has said all, stays until then.
    stays_until: Option<Time>,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl Conversation {
    /// A name that no conversation has had for longer than a datagram can be late: the time, in microseconds. (What
    /// strangers must not guess needs more than that: RFC 9293, section 3.4.1.)
    fn name(now: Time) -> Option<u32> {
        Some((now.as_nanos() / 1_000) as u32 | 1)
    }

    fn put(&mut self, kind: Kind, number: u32, message: &[u8]) {
        let (mine, yours) = (self.mine.unwrap_or(0), self.yours.unwrap_or(0));
        let segment = Segment { kind, from: mine, to: yours, number, expected: self.expected, message };
        self.datagrams.push_back(segment.to_bytes());
    }

    /// Sends something that must arrive.
    fn begin(&mut self, now: Time, kind: Kind, message: &[u8]) {
        self.put(kind, self.next, message);
        self.waiting = Some((kind, message.to_vec(), now + TIMEOUT));
    }

    /// Says the end, when all that was said is acknowledged.
    fn end_if_all_is_said(&mut self, now: Time) {
        if self.is_closing && !self.has_ended && self.waiting.is_none() && self.is_open() {
            self.has_ended = true;
            self.begin(now, Kind::End, &[]);
        }
    }

    /// Both have named it, and the other side knows this side's name.
    fn is_open(&self) -> bool {
        self.yours.is_some() && self.next > 0
    }

    /// A peer begins a conversation, or answers the one that this side began.
    fn on_opening(&mut self, now: Time, opening: Segment<'_>) {
        match (self.mine, opening.to) {
            // Nobody talks here yet: name it too, and say so.
            (None, 0) => {
                (self.mine, self.yours, self.expected) = (Self::name(now), Some(opening.from), 1);
                self.begin(now, Kind::Open, &[]);
            }
            (Some(mine), to) if to == mine && self.yours.is_none_or(|yours| yours == opening.from) => {
                (self.yours, self.expected) = (Some(opening.from), self.expected.max(1));
                self.on_acknowledgement(now, opening.expected);
                self.put(Kind::Ack, self.next, &[]);
            }
            // An answer to an opening that this side knows nothing of, or no more: it was an old one.
            (_, to) if to != 0 => {
                let segment =
                    Segment { kind: Kind::Unknown, from: to, to: opening.from, ..Segment::default() };
                self.datagrams.push_back(segment.to_bytes());
            }
            _ => {}
        }
    }

    fn on_acknowledgement(&mut self, now: Time, expected: u32) {
        if self.waiting.is_some() && expected == self.next + 1 {
            self.next += 1;
            self.waiting = None;
            self.end_if_all_is_said(now);
        }
    }

    fn on_segment(&mut self, now: Time, segment: Segment<'_>) {
        self.on_acknowledgement(now, segment.expected);
        if segment.kind == Kind::Ack {
            return;
        }
        let mut stays = self.stays_until.is_some();
        if segment.number == self.expected {
            self.expected += 1;
            match segment.kind {
                Kind::End => (self.is_ended, stays) = (true, self.has_ended),
                _ => self.messages.push_back(segment.message.to_vec()),
            }
        }
        self.put(Kind::Ack, self.next, &[]);
        // Who ended first stays, from the last time on that the other side had to be answered.
        self.stays_until = stays.then_some(now + TIME_WAIT);
    }
}

impl Talker for Conversation {
    fn open(&mut self, now: Time) {
        self.mine = Self::name(now);
        self.begin(now, Kind::Open, &[]);
    }

    fn close(&mut self, now: Time) {
        self.is_closing = true;
        self.end_if_all_is_said(now);
    }

    fn is_ended(&self) -> bool {
        self.is_ended && self.messages.is_empty()
    }
}

impl Machine for Conversation {
    fn is_ready(&self) -> bool {
        self.is_open() && self.waiting.is_none() && !self.is_closing
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.begin(now, Kind::Data, message);
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        let Some(segment) = Segment::read(datagram) else { return };
        let is_of_this = self.mine == Some(segment.to) && self.yours == Some(segment.from);
        match segment.kind {
            Kind::Open => self.on_opening(now, segment),
            // The opening that was answered was an old one: wait for another.
            Kind::Unknown if is_of_this && !self.is_open() => *self = Conversation::default(),
            Kind::Data | Kind::End | Kind::Ack if is_of_this => self.on_segment(now, segment),
            _ => {}
        }
    }

    fn next_timer(&self) -> Option<Time> {
        let again = self.waiting.as_ref().map(|(_, _, again)| *again);
        again.or(self.stays_until)
    }

    fn on_timer(&mut self, now: Time) {
        match self.waiting.take() {
            Some((kind, message, _)) => self.begin(now, kind, &message),
            None => self.stays_until = self.stays_until.filter(|until| *until > now),
        }
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    fn is_done(&self) -> bool {
        let has_said_all = self.waiting.is_none() && (self.has_ended || !self.is_closing);
        has_said_all && (!self.is_closing || self.is_ended && self.stays_until.is_none())
    }
}
