//! What holds of a stack between any two calls. All tests ask this one function.

use super::Stack;
use super::connections::{ConnectionId, Entry, Owner};
use super::output::MAX_TRANSMIT;
use super::stream::Role;
use crate::model::{Fd, State};

impl Stack {
    /// Whether everything is as it must be between any two calls, whatever arrived and whatever programs did:
    /// of each TCP connection its sequence numbers, timers and buffers; of the table of connections that each
    /// is found, and that owners and sockets know each other; of listeners that their counts are right; of
    /// the queues their sums.
    ///
    /// It is for tests. A peer that lies cannot make it fail: it speaks of this side alone.
    ///
    /// # Errors
    /// What does not hold, in words. That is a bug of the stack.
    pub fn check(&self) -> Result<(), String> {
        self.connections.check()?;
        for (id, entry) in self.connections.iter() {
            entry
                .connection
                .check()
                .and_then(|()| self.check_owner(id, entry))
                .map_err(|what| format!("{what}: {:?} to {:?}", entry.ours, entry.theirs))?;
        }
        for (fd, socket) in self.streams.iter() {
            self.check_role(fd, &socket.role).map_err(|what| format!("{what}: {fd:?}, {socket:?}"))?;
        }
        self.check_queues()
    }

    fn check_owner(&self, id: ConnectionId, entry: &Entry) -> Result<(), String> {
        let state = entry.connection.state();
        let sound = match entry.owner {
            Owner::Nobody => state != State::Closed,
            Owner::Socket(fd) => self.streams.get(fd).is_ok_and(|socket| socket.connection() == Some(id)),
            Owner::HalfOpen(fd) => state == State::SynReceived && self.is_listener(fd),
            Owner::Waiting(fd) => state != State::SynReceived && self.is_listener(fd),
        };
        if sound {
            Ok(())
        } else {
            Err(format!("a connection in {state} has the wrong owner, {:?}", entry.owner))
        }
    }

    fn is_listener(&self, fd: Fd) -> bool {
        self.streams.get(fd).is_ok_and(|socket| socket.listener().is_some())
    }

    fn check_role(&self, fd: Fd, role: &Role) -> Result<(), String> {
        let owns = |id, owner| self.connections.get(id).is_some_and(|entry| entry.owner == owner);
        let count = |owner| self.connections.iter().filter(|(_, entry)| entry.owner == owner).count();
        match role {
            Role::Fresh => Ok(()),
            Role::Connected { id, .. } if owns(*id, Owner::Socket(fd)) => Ok(()),
            Role::Connected { .. } => Err("a socket's connection is not its own".to_owned()),
            Role::Listener(listener) => {
                let (half_open, waiting) = (count(Owner::HalfOpen(fd)), count(Owner::Waiting(fd)));
                if listener.half_open != half_open || listener.queue.len() != waiting {
                    return Err(format!(
                        "a listener counts wrong: {half_open} are half-open, {waiting} wait"
                    ));
                }
                match listener.queue.iter().all(|id| owns(*id, Owner::Waiting(fd))) {
                    true => Ok(()),
                    false => Err("what waits at a listener is not its own".to_owned()),
                }
            }
        }
    }

    fn check_queues(&self) -> Result<(), String> {
        let bytes: usize = self.transmit.iter().map(|waiting| waiting.packet.len()).sum();
        if bytes != self.transmit_bytes || self.transmit.len() > MAX_TRANSMIT {
            return Err(format!("{} packets wait for the wire, {bytes} bytes", self.transmit.len()));
        }
        if !self.looped.is_empty() {
            return Err("packets to this host itself are not received".to_owned());
        }
        let mut changed: Vec<Fd> = self.changed.iter().copied().collect();
        changed.sort_unstable();
        let told = self.streams.told().chain(self.datagrams.told());
        let mut told: Vec<Fd> = told.collect();
        told.sort_unstable();
        match changed == told {
            true => Ok(()),
            false => Err(format!("descriptors {changed:?} are to be told of, {told:?} are marked so")),
        }
    }
}
