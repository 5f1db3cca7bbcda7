//! Putting fragments together again (RFC 791, section 3.2; RFC 8200, section 4.5; RFC 5722).
//!
//! A fragment that lies within what is already there is a duplicate and ignored. One that overlaps it in
//! part, or contradicts the end, spoils the whole datagram: it is thrown away with all its fragments, those
//! to come included. Bounded in number, memory and time; where there are too many, the oldest goes.

use bytes::Bytes;

use super::route::Reach;
use crate::model::{DropReason, Time};
use crate::packet::{Parsed, Path, reassembled};

/// Datagrams that are being put together at a time.
const MAX_DATAGRAMS: usize = 256;
/// What they may take up together, in bytes (Linux's `ipfrag_high_thresh`).
pub(super) const MAX_MEMORY: usize = 4 << 20;
/// Fragments of one datagram: 65 535 bytes over the smallest MTU, 68, are 1 366.
const MAX_PARTS: usize = 2_048;
/// What is counted for a fragment, and for a datagram, beside their bytes.
const OVERHEAD: usize = 128;
/// How long a datagram is waited for, in milliseconds: Linux's `ipfrag_time` for IPv4, RFC 8200's 60 s for
/// IPv6.
const TIMEOUT_MS: (u64, u64) = (30_000, 60_000);

/// Datagrams of which not all fragments are there.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The oldest first.
    partials: Vec<Partial>,
    memory: usize,
}

/// What fragments of one datagram have in common. IPv6 goes without the protocol (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    path: Path,
    protocol: Option<u8>,
    id: u32,
}

#[derive(Debug)]
struct Partial {
    key: Key,
    deadline: Time,
    reach: Reach,
    /// In the order of their offsets, without overlaps. Empty, with `spoiled`, once the datagram cannot be
    /// had.
    parts: Vec<Part>,
    spoiled: bool,
    /// Sum of the parts' lengths.
    have: usize,
    /// Length of the whole, once the last fragment is there.
    total: Option<usize>,
    /// Which part of the reassembly's memory is this one's.
    memory: usize,
    first: Option<First>,
}

/// The fragment with offset 0: it says what the datagram is, and an ICMP error would quote it.
#[derive(Debug)]
struct First {
    packet: Bytes,
    parsed: Parsed,
}

#[derive(Debug)]
struct Part {
    offset: usize,
    payload: Bytes,
}

impl Part {
    fn end(&self) -> usize {
        self.offset + self.payload.len()
    }
}

/// A datagram whose time ran out.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) reach: Reach,
    /// Its first fragment, if that came.
    pub(super) first: Option<(Bytes, Parsed)>,
}

impl Reassembly {
    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.partials.iter().map(|partial| partial.deadline).min()
    }

    /// Gives up the next datagram whose time has run out.
    pub(super) fn expire(&mut self, now: Time) -> Option<Expired> {
        let index = self.partials.iter().position(|partial| partial.deadline <= now)?;
        let partial = self.remove(index);
        Some(Expired { reach: partial.reach, first: partial.first.map(|first| (first.packet, first.parsed)) })
    }

    /// Takes in a fragment; gives the whole packet once it is complete. `holes` hands it out with what is
    /// missing zeroed as soon as its beginning and its end are there: a deliberate bug.
    pub(super) fn insert(
        &mut self,
        now: Time,
        packet: &Bytes,
        parsed: &Parsed,
        reach: Reach,
        holes: bool,
    ) -> Result<Option<Bytes>, DropReason> {
        let Some(fragment) = parsed.fragment else {
            return Ok(Some(packet.clone()));
        };
        let payload = packet.slice(parsed.payload.clone());
        let end = fragment.offset + payload.len();
        if payload.is_empty()
            || (fragment.more && !payload.len().is_multiple_of(8))
            || end > parsed.path.payload_max()
        {
            return Err(DropReason::Malformed);
        }
        let key = Key {
            path: parsed.path,
            protocol: parsed.path.is_v4().then_some(parsed.protocol),
            id: fragment.id,
        };
        let cost = packet.len() + OVERHEAD;
        let index = self.entry(now, key, reach, cost);
        let partial = &mut self.partials[index];
        if partial.spoiled {
            return Err(DropReason::Reassembly);
        }
        match partial.add(Part { offset: fragment.offset, payload }, fragment.more) {
            Added::Duplicate => return Ok(None),
            Added::Spoils => {
                self.memory -= partial.memory - OVERHEAD;
                partial.spoil();
                return Err(DropReason::Reassembly);
            }
            Added::New => {}
        }
        partial.memory += cost;
        self.memory += cost;
        if fragment.offset == 0 {
            partial.first = Some(First { packet: packet.clone(), parsed: parsed.clone() });
        }
        if partial.is_complete() || (holes && partial.total.is_some() && partial.first.is_some()) {
            return Ok(self.remove(index).assemble());
        }
        Ok(None)
    }

    /// Where the datagram is, made if there is none yet, with room for `cost` more bytes.
    fn entry(&mut self, now: Time, key: Key, reach: Reach, cost: usize) -> usize {
        // The one in question goes last, if it is there, and out of the way of being evicted for itself.
        let known = self.partials.iter().position(|partial| partial.key == key);
        let fresh = usize::from(known.is_none());
        let mut index = known;
        while self.memory + cost + fresh * OVERHEAD > MAX_MEMORY
            || self.partials.len() + fresh > MAX_DATAGRAMS
        {
            let oldest = usize::from(index == Some(0));
            if oldest >= self.partials.len() {
                break;
            }
            self.remove(oldest);
            index = index.map(|index| if index > oldest { index - 1 } else { index });
        }
        index.unwrap_or_else(|| {
            let (v4, v6) = TIMEOUT_MS;
            let wait = if key.path.is_v4() { v4 } else { v6 };
            self.memory += OVERHEAD;
            self.partials.push(Partial {
                key,
                deadline: now + std::time::Duration::from_millis(wait),
                reach,
                parts: Vec::new(),
                spoiled: false,
                have: 0,
                total: None,
                memory: OVERHEAD,
                first: None,
            });
            self.partials.len() - 1
        })
    }

    fn remove(&mut self, index: usize) -> Partial {
        let partial = self.partials.remove(index);
        self.memory -= partial.memory;
        partial
    }
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    New,
    Duplicate,
    Spoils,
}

impl Partial {
    fn add(&mut self, part: Part, more: bool) -> Added {
        let end = part.end();
        let after = self.parts.partition_point(|have| have.offset <= part.offset);
        if let Some(before) = after.checked_sub(1)
            && self.covers(before, end)
            && (more || self.total == Some(end))
        {
            return Added::Duplicate;
        }
        let overlaps = after.checked_sub(1).is_some_and(|before| self.parts[before].end() > part.offset)
            || self.parts.get(after).is_some_and(|next| next.offset < end);
        let beyond = match self.total {
            // The end is known: nothing may lie behind it, and what follows must not claim another.
            Some(total) => end > total || !more || end == total,
            None => !more && self.parts.last().is_some_and(|last| last.end() > end),
        };
        if overlaps || beyond || self.parts.len() >= MAX_PARTS {
            return Added::Spoils;
        }
        if !more {
            self.total = Some(end);
        }
        self.have += part.payload.len();
        self.parts.insert(after, part);
        Added::New
    }

    /// Whether the parts from `before` on reach to `end` without a gap. The caller knows that they begin
    /// early enough.
    fn covers(&self, before: usize, end: usize) -> bool {
        let mut reached = self.parts[before].offset;
        for part in &self.parts[before..] {
            if part.offset != reached {
                return false;
            }
            reached = part.end();
            if reached >= end {
                return true;
            }
        }
        false
    }

    fn is_complete(&self) -> bool {
        self.total == Some(self.have)
    }

    /// Keeps the place until the time is up, so that fragments to come are refused too.
    fn spoil(&mut self) {
        (self.parts, self.first, self.spoiled, self.memory) = (Vec::new(), None, true, OVERHEAD);
    }

    /// The whole packet; gaps are zeros.
    fn assemble(self) -> Option<Bytes> {
        let (first, total) = (self.first?, self.total?);
        let mut whole = reassembled(&first.parsed, total);
        let header = whole.len();
        for part in &self.parts {
            whole.resize(header + part.offset, 0);
            whole.extend_from_slice(&part.payload);
        }
        Some(whole.into())
    }
}

#[cfg(test)]
mod tests;
