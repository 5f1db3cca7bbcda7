//! The connections of a host, found by their four-tuple: those of open sockets, those that wait for `accept`,
//! and those whose socket is closed but that are not over yet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::datagram::Peer;
use super::route::Route;
use crate::model::{Fd, State, Time};
use crate::tcp::Connection;

/// Connections of a host at most, half-open ones and those in TIME-WAIT among them. A new one takes the place
/// of the one that is nearest to the end of its TIME-WAIT, if there is one.
pub(super) const CONNECTIONS_MAX: usize = 8_192;

/// A connection's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionId(u32);

/// Who has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// An open socket.
    Socket(Fd),
    /// A listener: it is half-open.
    HalfOpen(Fd),
    /// A listener: it waits for `accept`.
    Waiting(Fd),
    /// None: its socket was closed.
    Nobody,
}

/// A connection and where it runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) ours: Peer,
    pub(super) theirs: Peer,
    pub(super) route: Route,
    pub(super) ttl: u8,
    /// Its socket had SO_REUSEADDR.
    pub(super) reuse: bool,
    pub(super) owner: Owner,
    pub(super) connection: Connection,
}

/// The four-tuple, what differs most in front.
type Tuple = (u16, u16, IpAddr, IpAddr);

fn tuple(ours: Peer, theirs: Peer) -> Tuple {
    (theirs.1, ours.1, theirs.0, ours.0)
}

/// The connections of a host.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_tuple: BTreeMap<Tuple, ConnectionId>,
}

#[derive(Debug)]
struct Slot {
    /// When its entry's next timer is due.
    due: Option<Time>,
    /// `None` while it is worked on, and while the slot is free.
    entry: Option<Box<Entry>>,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn find(&self, ours: Peer, theirs: Peer) -> Option<ConnectionId> {
        self.by_tuple.get(&tuple(ours, theirs)).copied()
    }

    /// A new connection; there must be none with its four-tuple.
    pub(super) fn add(&mut self, entry: Entry) -> ConnectionId {
        let key = tuple(entry.ours, entry.theirs);
        let slot = Slot { due: None, entry: Some(Box::new(entry)) };
        let id = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                ConnectionId(index)
            }
            None => {
                self.slots.push(slot);
                ConnectionId(self.slots.len() as u32 - 1)
            }
        };
        self.by_tuple.insert(key, id);
        id
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Entry> {
        self.slots.get(id.0 as usize)?.entry.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        self.slots.get_mut(id.0 as usize)?.entry.as_deref_mut()
    }

    /// Takes it out to be worked on; [`put_back`](Self::put_back) or [`forget`](Self::forget) follows.
    pub(super) fn take(&mut self, id: ConnectionId) -> Option<Box<Entry>> {
        self.slots.get_mut(id.0 as usize)?.entry.take()
    }

    pub(super) fn put_back(&mut self, id: ConnectionId, entry: Box<Entry>) {
        if let Some(slot) = self.slots.get_mut(id.0 as usize) {
            slot.due = entry.connection.poll_timeout();
            slot.entry = Some(entry);
        }
    }

    /// Takes one that is over out of the way of a new one with the same four-tuple.
    pub(super) fn unlink(&mut self, id: ConnectionId, entry: &Entry) {
        let key = tuple(entry.ours, entry.theirs);
        if self.by_tuple.get(&key) == Some(&id) {
            self.by_tuple.remove(&key);
        }
    }

    /// Frees the place of one that was taken out.
    pub(super) fn forget(&mut self, id: ConnectionId, entry: &Entry) {
        self.unlink(id, entry);
        self.slots[id.0 as usize].due = None;
        self.free.push(id.0);
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.slots.iter().filter_map(|slot| slot.due).min()
    }

    /// Those whose timers are due, in the order of their places.
    pub(super) fn due(&self, now: Time) -> Vec<ConnectionId> {
        let due = |slot: &Slot| slot.due.is_some_and(|due| due <= now);
        (0..).zip(&self.slots).filter(|(_, slot)| due(slot)).map(|(index, _)| ConnectionId(index)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Entry)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| Some((ConnectionId(index), slot.entry.as_deref()?)))
    }

    /// What must hold between any two calls; `Err` says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut empty: Vec<u32> =
            (0..).zip(&self.slots).filter(|(_, slot)| slot.entry.is_none()).map(|(index, _)| index).collect();
        let mut free = self.free.clone();
        empty.sort_unstable();
        free.sort_unstable();
        if empty != free {
            return Err(format!("of the table of connections {free:?} are free, {empty:?} are empty"));
        }
        for (key, id) in &self.by_tuple {
            if self.get(*id).is_none_or(|entry| tuple(entry.ours, entry.theirs) != *key) {
                return Err(format!("{key:?} leads to {id:?}, which is another connection or none"));
            }
        }
        for (index, slot) in (0..).zip(&self.slots) {
            let due = slot.entry.as_ref().and_then(|entry| entry.connection.poll_timeout());
            if due != slot.due {
                return Err(format!("connection {index} is due at {due:?}, noted is {:?}", slot.due));
            }
            let Some(entry) = &slot.entry else { continue };
            let found = self.find(entry.ours, entry.theirs) == Some(ConnectionId(index));
            let state = entry.connection.state();
            if found != (state != State::Closed) {
                return Err(format!("connection {index} in {state} is found by its addresses: {found}"));
            }
        }
        Ok(())
    }

    /// The connection in TIME-WAIT that will be over first.
    pub(super) fn nearest_to_end(&self) -> Option<ConnectionId> {
        let waiting = self
            .iter()
            .filter(|(_, entry)| entry.owner == Owner::Nobody && entry.connection.state() == State::TimeWait);
        waiting.min_by_key(|(_, entry)| entry.connection.poll_timeout()).map(|(id, _)| id)
    }
}
