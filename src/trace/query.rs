//! Questions to a trace: what was sent, what arrived, what became of a packet, what the programs did.

use bytes::Bytes;

use super::{Call, Event, HostId, LossReason, Note, PacketId, SocketId, Trace, What};
use crate::model::{Action, Errno, Label, Time};
use crate::packet::PacketView;

/// A packet that was put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sending<'a> {
    /// When.
    pub at: Time,
    /// The packet.
    pub packet: PacketId,
    /// Who sent it, or seems to have.
    pub from: HostId,
    /// Where the link carries it.
    pub to: HostId,
    /// What it is called by; `None` for one that was injected.
    pub label: Option<Label>,
    /// The whole IP packet, before any fault.
    pub bytes: &'a Bytes,
}

impl Sending<'_> {
    /// The packet, read.
    pub fn view(&self) -> Option<PacketView> {
        PacketView::parse(self.bytes)
    }
}

/// A packet that was handed to a host's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival<'a> {
    /// When.
    pub at: Time,
    /// The packet.
    pub packet: PacketId,
    /// 0, or 1 for the copy that a duplication made.
    pub copy: u8,
    /// The host.
    pub to: HostId,
    /// What arrived, where that differs from what was sent.
    pub altered: Option<&'a Bytes>,
}

/// A program's socket call that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramCall<'a> {
    /// When.
    pub at: Time,
    /// The host whose program called.
    pub host: HostId,
    /// The socket.
    pub socket: SocketId,
    /// The call.
    pub call: &'a Call,
    /// Its error, if it failed.
    pub error: Option<Errno>,
}

/// A value that a program noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Noted<'a> {
    /// When.
    pub at: Time,
    /// The host whose program it is.
    pub host: HostId,
    /// The value.
    pub value: &'a str,
}

/// The fate of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It reached its host, whole or altered.
    Arrived {
        /// How many copies of it.
        copies: u32,
        /// How many of them were altered.
        altered: u32,
    },
    /// A fault of the plan dropped it.
    Dropped,
    /// It was lost otherwise.
    Lost(LossReason),
    /// The run ended before.
    OnItsWay,
}

impl Fate {
    /// Whether no copy reached the host, and none will.
    pub fn is_lost(self) -> bool {
        matches!(self, Fate::Dropped | Fate::Lost(_))
    }

    /// Whether at least one copy reached the host just as it was sent.
    pub fn is_delivered(self) -> bool {
        matches!(self, Fate::Arrived { copies, altered } if copies > altered)
    }
}

impl Event {
    /// The packet put on the wire, if that is what happened.
    pub fn sending(&self) -> Option<Sending<'_>> {
        let (packet, from, to, label, bytes) = match &self.what {
            What::Sent { packet, from, to, label, bytes } => (packet, from, to, Some(*label), bytes),
            What::Injected { packet, from, to, bytes } => (packet, from, to, None, bytes),
            _ => return None,
        };
        Some(Sending { at: self.at, packet: *packet, from: *from, to: *to, label, bytes })
    }

    /// The arrival, if that is what happened.
    pub fn arrival(&self) -> Option<Arrival<'_>> {
        match &self.what {
            What::Arrived { packet, copy, to, altered } => Some(Arrival {
                at: self.at,
                packet: *packet,
                copy: *copy,
                to: *to,
                altered: altered.as_ref(),
            }),
            _ => None,
        }
    }

    /// The program's call, if that is what happened.
    pub fn program_call(&self) -> Option<ProgramCall<'_>> {
        match &self.what {
            What::Call { host, socket, call, error } => {
                Some(ProgramCall { at: self.at, host: *host, socket: *socket, call, error: *error })
            }
            _ => None,
        }
    }
}

impl Trace {
    /// The packets put on the wire, injected ones among them, in order.
    pub fn sendings(&self) -> impl DoubleEndedIterator<Item = Sending<'_>> {
        self.events().iter().filter_map(Event::sending)
    }

    /// The arrivals, in order.
    pub fn arrivals(&self) -> impl DoubleEndedIterator<Item = Arrival<'_>> {
        self.events().iter().filter_map(Event::arrival)
    }

    /// The arrivals of one packet: none, one, or one for each copy.
    pub fn arrivals_of(&self, packet: PacketId) -> impl DoubleEndedIterator<Item = Arrival<'_>> {
        self.arrivals().filter(move |arrival| arrival.packet == packet)
    }

    /// The programs' calls, in order.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = ProgramCall<'_>> {
        self.events().iter().filter_map(Event::program_call)
    }

    /// The calls of one host's programs, in order.
    pub fn calls_of(&self, host: HostId) -> impl DoubleEndedIterator<Item = ProgramCall<'_>> {
        self.calls().filter(move |call| call.host == host)
    }

    /// What the stacks told of their work: when, whose, what.
    pub fn notes(&self) -> impl DoubleEndedIterator<Item = (Time, HostId, Note)> {
        self.events().iter().filter_map(|event| match event.what {
            What::Note { host, note } => Some((event.at, host, note)),
            _ => None,
        })
    }

    /// What one host's stack told of its work.
    pub fn notes_of(&self, host: HostId) -> impl DoubleEndedIterator<Item = (Time, Note)> {
        self.notes().filter(move |(_, whose, _)| *whose == host).map(|(at, _, note)| (at, note))
    }

    /// The values that programs noted under a key, in order.
    pub fn noted(&self, key: &str) -> impl DoubleEndedIterator<Item = Noted<'_>> {
        self.events().iter().filter_map(move |event| match &event.what {
            What::Noted { host, key: it, value } if it == key => {
                Some(Noted { at: event.at, host: *host, value })
            }
            _ => None,
        })
    }

    /// How a packet was put on the wire.
    pub fn sending(&self, packet: PacketId) -> Option<Sending<'_>> {
        self.sendings().find(|sending| sending.packet == packet)
    }

    /// The fate of a packet.
    pub fn fate(&self, packet: PacketId) -> Fate {
        let (mut copies, mut altered) = (0, 0);
        let mut otherwise = Fate::OnItsWay;
        for event in self.events() {
            match &event.what {
                What::Arrived { packet: it, altered: change, .. } if *it == packet => {
                    copies += 1;
                    altered += u32::from(change.is_some());
                }
                What::Lost { packet: it, reason } if *it == packet => otherwise = Fate::Lost(*reason),
                What::Fault { packet: it, action: Action::Drop, .. } if *it == packet => {
                    otherwise = Fate::Dropped
                }
                _ => {}
            }
        }
        if copies > 0 { Fate::Arrived { copies, altered } } else { otherwise }
    }
}

#[cfg(test)]
mod tests;
