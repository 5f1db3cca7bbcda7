//! Sleeps of programs, to the nanosecond: tokio's own are rounded to the millisecond.

use std::collections::BTreeMap;
use std::task::Waker;

use faultwire::time::Time;

/// A sleep that has not ended; ordered by (time, order of asking).
pub(crate) type TimerId = (Time, u64);

/// The sleeps that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    waiting: BTreeMap<TimerId, Waker>,
    asked: u64,
}

impl Timers {
    /// Sets a timer.
    pub(crate) fn set(&mut self, due: Time, waker: Waker) -> TimerId {
        self.asked += 1;
        let id = (due, self.asked);
        self.waiting.insert(id, waker);
        id
    }

    /// Changes who is woken.
    pub(crate) fn renew(&mut self, id: TimerId, waker: &Waker) {
        if let Some(old) = self.waiting.get_mut(&id) {
            old.clone_from(waker);
        }
    }

    /// Takes a timer back.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        self.waiting.remove(&id);
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the next one that is due at `now` or before.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Waker> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
