//! Who waits for which descriptor of a stack.

use std::task::Waker;

use crate::model::Fd;

/// Tasks that wait for descriptors of a [`HostStack`](super::HostStack), for its driver.
#[derive(Debug, Default)]
pub struct Waiters {
    waiting: Vec<(Fd, Waker)>,
}

impl Waiters {
    /// Wakes `waker` when the descriptor changes next.
    pub fn add(&mut self, fd: Fd, waker: &Waker) {
        if !self.waiting.iter().any(|(other, w)| *other == fd && w.will_wake(waker)) {
            self.waiting.push((fd, waker.clone()));
        }
    }

    /// The descriptor has changed.
    pub fn wake(&mut self, fd: Fd) {
        for (_, waker) in self.waiting.extract_if(.., |(other, _)| *other == fd) {
            waker.wake();
        }
    }
}
