//! What mutants do beyond leaving something out: extra packets, and datagrams cut and glued.

use std::time::Duration;

use bytes::Bytes;

use super::super::Stack;
use super::super::datagram::{Datagram, Peer, Queued};
use super::super::input::Arrived;
use super::super::output::Waiting;
use super::super::route::{Reach, Route};
use super::Mutant;
use crate::model::{Fd, Time};
use crate::packet::icmp::{v4, v6};
use crate::packet::{Outgoing, Path};

/// How long [`Mutant::RepeatsUnanswered`] waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);
/// Packets that it remembers at most.
const MAX_REPEATS: usize = 256;

/// What a mutant remembers of a socket.
#[derive(Debug, Default)]
pub(in super::super) struct Deeds {
    greeted: bool,
    first_from: Option<Peer>,
}

/// A packet that [`Mutant::RepeatsUnanswered`] will send again.
#[derive(Debug)]
pub(in super::super) struct Repeat {
    at: Time,
    fd: Fd,
    packet: Bytes,
}

impl Stack {
    /// The destination that a mutant sends to instead.
    pub(in super::super) fn misdirected(&self, fd: Fd, to: Peer) -> Peer {
        let first = self.datagrams.get(fd).ok().and_then(|socket| socket.deeds.first_from);
        first.filter(|_| self.is(Mutant::AnswersTheFirst)).unwrap_or(to)
    }

    /// What a mutant does before a datagram goes out.
    pub(in super::super) fn misdeed_before_send(&mut self, fd: Fd, route: Route) {
        if !self.is(Mutant::GreetsFirst) {
            return;
        }
        let Ok(socket) = self.datagrams.get_mut(fd) else {
            return;
        };
        if !std::mem::replace(&mut socket.deeds.greeted, true) {
            let kind = if route.path.is_v4() { v4::ECHO_REQUEST } else { v6::ECHO_REQUEST };
            self.icmp_emit(route, [kind, 0], [0; 4], b"hello");
        }
    }

    /// What a mutant does after a datagram went out.
    pub(in super::super) fn misdeed_after_send(
        &mut self,
        fd: Fd,
        reach: Reach,
        looped: bool,
        out: &Outgoing<'_>,
    ) {
        if self.is(Mutant::SendsTwice) {
            let _ = self.emit(Some(fd), reach, looped, out);
        }
        if self.is(Mutant::RepeatsUnanswered) && reach == Reach::Link {
            let (at, repeats) = (self.now + PATIENCE, &mut self.repeats);
            out.build(self.config.mtu.into(), self.next_id, |packet| {
                if repeats.len() < MAX_REPEATS {
                    repeats.push(Repeat { at, fd, packet });
                }
            });
        }
    }

    pub(in super::super) fn next_repeat(&self) -> Option<Time> {
        self.repeats.first().map(|repeat| repeat.at)
    }

    pub(in super::super) fn repeat_unanswered(&mut self) {
        let due = self.repeats.partition_point(|repeat| repeat.at <= self.now);
        for Repeat { packet, .. } in self.repeats.drain(..due) {
            self.transmit_bytes += packet.len();
            self.transmit.push_back(Waiting { packet, sender: None });
        }
    }

    /// What a mutant does when a datagram arrives at a socket.
    pub(in super::super) fn misdeed_on_arrival(&mut self, fd: Fd, arrived: &Arrived<'_>, from: Peer) {
        self.repeats.retain(|repeat| repeat.fd != fd);
        if let Ok(socket) = self.datagrams.get_mut(fd) {
            socket.deeds.first_from.get_or_insert(from);
        }
        let path = arrived.parsed.path;
        if self.is(Mutant::Acknowledges)
            && let Ok(route) = self.config.route(path.src(), None)
        {
            let kind = if path.is_v4() { v4::ECHO_REPLY } else { v6::ECHO_REPLY };
            self.icmp_emit(route, [kind, 0], [0; 4], b"thanks");
        }
    }
}

impl Datagram {
    /// What a mutant makes of a datagram that is about to be received into a buffer of that length.
    pub(in super::super) fn misdeed_on_receive(
        &mut self,
        mutant: Option<Mutant>,
        mut queued: Queued,
        buffer: usize,
    ) -> Queued {
        match mutant {
            Some(Mutant::MergesDatagrams) => self.merge_next(&mut queued),
            Some(Mutant::KeepsTheRest) => self.put_back(&queued, buffer),
            Some(Mutant::WrongSenderPort) => queued.from.1 = queued.from.1.wrapping_add(1),
            _ => {}
        }
        queued
    }

    /// For [`Mutant::SplitsDatagrams`]: the second half waits behind the first.
    pub(in super::super) fn enqueue_halves(&mut self, queued: Queued) {
        let half = queued.payload.len() / 2;
        let rest = Queued { payload: queued.payload.slice(half..), cost: 0, ..queued };
        self.queue.push_back(Queued { payload: queued.payload.slice(..half), ..queued });
        self.queue.push_back(rest);
    }

    /// For [`Mutant::MergesDatagrams`]: the next datagram's bytes are part of this one.
    fn merge_next(&mut self, queued: &mut Queued) {
        if let Some(next) = self.queue.pop_front() {
            self.queued -= next.cost;
            queued.payload = [&queued.payload[..], &next.payload[..]].concat().into();
        }
    }

    /// For [`Mutant::KeepsTheRest`]: what the buffer had no room for waits in front.
    fn put_back(&mut self, queued: &Queued, len: usize) {
        if len < queued.payload.len() {
            self.queue.push_front(Queued { payload: queued.payload.slice(len..), cost: 0, ..*queued });
        }
    }
}

/// For [`Mutant::PadsPackets`]: the body with four bytes behind it, where that still fits.
pub(in super::super) fn padded(path: &Path, data: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if data.len() + path.header_len() < 65_000 { b"pad!" } else { b"" };
    [data, padding].concat()
}
