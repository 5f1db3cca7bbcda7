//! Which packet goes out next.

use super::{Connection, State};
use crate::adaptive::packet::{Body, Data, Frame, PIECE_HEADER, Packet, data_len};
use crate::adaptive::recovery::Sent;
use crate::model::Time;

/// The peer is told of more room once it is this part of the window.
const ROOMIER: u64 = 4;
/// Ranges of an acknowledgement beside which there is room for a piece.
const RANGES_BESIDE: usize = 2;
/// Bytes of a range.
const ACK_RANGE: usize = 16;

impl Connection {
    /// The next packet, as long as there is one to be sent now.
    pub(in crate::adaptive) fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        if let State::Opening { asked, due } = self.state {
            return self.ask_to_open(now, asked, due);
        }
        self.paced_until = None;
        let ack_is_due = self.ack_due.is_some_and(|due| due <= now);
        let limit = self.incoming.limit();
        let is_roomier = limit.saturating_sub(self.told_limit) >= self.config.receive_buffer / ROOMIER;
        let tells = ack_is_due || (is_roomier && self.ended().is_none());
        let sends = self.has_to_send() && self.may_send(now);
        if !tells && !sends {
            return None;
        }

        let number = self.next_number;
        let ack = self.ack(now);
        let is_long = matches!(&ack, Some(Frame::Ack { ranges, .. }) if ranges.len() > RANGES_BESIDE);
        let mut frames: Vec<Frame<'_>> = Vec::new();
        frames.extend(ack);
        let (mut ids, mut fin) = (Vec::new(), false);
        // A long acknowledgement goes alone: a piece might not fit beside it.
        let tracked = sends && !is_long;
        if tracked {
            let mut len = data_len(&frames);
            while let Some(id) = self.outgoing.due() {
                len += PIECE_HEADER + self.outgoing.piece(id).map_or(0, |piece| piece.data.len());
                if len > self.config.datagram_max {
                    break;
                }
                self.outgoing.sent(id, number);
                ids.push(id);
            }
            frames.extend(ids.iter().filter_map(|id| self.outgoing.piece(*id)).map(Frame::Piece));
            if let State::Closing { fin_sent } = &mut self.state
                && self.outgoing.is_empty()
                && !*fin_sent
            {
                (*fin_sent, fin) = (true, true);
                frames.push(Frame::Fin);
            }
            if ids.is_empty() && !fin {
                frames.push(Frame::Ping);
            }
            self.wants_ping = false;
        }
        let (floor, floor_start) = self.outgoing.floor();
        let data = Data { number, floor, floor_start, limit, frames };
        let bytes = Packet { to: self.peer, from: self.id, body: Body::Data(data) }.encode();
        if tracked {
            self.recovery.sent(number, Sent::new(now, bytes.len(), ids, fin, floor));
            self.told_floor = floor;
            self.quiet_since = now;
        }
        self.next_number += 1;
        self.told_limit = limit;
        self.unacknowledged = 0;
        self.ack_due = None;
        Some(bytes)
    }

    fn ask_to_open(&mut self, now: Time, asked: u32, due: Time) -> Option<Vec<u8>> {
        if due > now || asked > self.config.tries_max {
            return None;
        }
        let wait = self.recovery.timeout() * 2_u32.saturating_pow(asked.min(16));
        self.state = State::Opening { asked: asked + 1, due: now + wait.min(self.config.timeout_max) };
        self.opened_at = now;
        let body = Body::Open(self.config.receive_buffer);
        Some(Packet { to: 0, from: self.id, body }.encode())
    }

    /// Whether there is something to send that is to be acknowledged.
    fn has_to_send(&mut self) -> bool {
        match self.state {
            State::Opening { .. } | State::Ended(_) => false,
            State::Closing { fin_sent: false } if self.outgoing.is_empty() => true,
            State::Open | State::Closing { .. } => {
                self.wants_ping
                    || self.outgoing.due().is_some()
                    || self.outgoing.must_tell_floor(self.told_floor)
            }
        }
    }

    /// Whether the congestion window and the pacer let it out.
    fn may_send(&mut self, now: Time) -> bool {
        // A suspended machine measures a round trip of hours: the next datagram does not wait that long.
        let round_trip = self.recovery.round_trip().map(|trip| trip.min(self.recovery.timeout()));
        if !self.recovery.congestion.has_room(self.recovery.in_flight()) {
            self.recovery.note_full();
            return false;
        }
        self.paced_until = self.recovery.congestion.paced_until(now, round_trip);
        self.paced_until.is_none()
    }

    /// What has arrived, if that is to be said.
    fn ack(&self, now: Time) -> Option<Frame<'static>> {
        self.ack_due?;
        let room = self.config.datagram_max.saturating_sub(data_len(&[])) / ACK_RANGE;
        let ranges = self.arrived.ranges().take(room.saturating_sub(1).max(1)).collect();
        let delay_us = u32::try_from(now.since(self.latest_at).as_micros()).unwrap_or(u32::MAX);
        Some(Frame::Ack { delay_us, ranges })
    }
}
