//! A stack as a host in a lab: it runs on the real clock, and calls can wait.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::forwarder::{Life, Shared};
use crate::model::{Errno, Fd, HostStack};

/// Why a call that was to wait gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The call failed.
    #[error(transparent)]
    Failed(#[from] Errno),
    /// It would have to wait longer.
    #[error("nothing came in time")]
    TooLong,
}

/// A [`HostStack`] at an end of a [`Forwarder`](super::Forwarder), for programs in any thread.
#[derive(Clone, Debug)]
pub struct LabStack {
    shared: Arc<Shared>,
    life: Life,
}

impl LabStack {
    pub(super) fn new(shared: Arc<Shared>, life: Life) -> LabStack {
        LabStack { shared, life }
    }

    /// Makes calls that do not wait; `None` when the host has lost power, or the forwarder has ended.
    pub fn call<T>(&self, call: impl FnOnce(&mut dyn HostStack) -> T) -> Option<T> {
        self.shared.with_stack(self.life, call)
    }

    /// Makes a call on a descriptor. Where it would have to wait, the task is woken when the descriptor's
    /// readiness changes; it waits forever once the host has lost power, or the forwarder has ended.
    pub fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>> {
        self.shared.poll(self.life, cx, fd, call)
    }

    /// Makes a call, and makes it again whenever something happened, for as long as it answers `EAGAIN`.
    ///
    /// # Errors
    /// [`WaitError::Failed`] with its own error; [`WaitError::TooLong`] after `limit`, or when the host has
    /// lost power, or the forwarder has ended.
    pub fn wait<T>(
        &self,
        limit: Duration,
        mut call: impl FnMut(&mut dyn HostStack) -> Result<T, Errno>,
    ) -> Result<T, WaitError> {
        let answer = self.shared.wait(self.life, limit, |stack| match call(stack) {
            Err(Errno::EAGAIN) => None,
            other => Some(other),
        });
        Ok(answer.ok_or(WaitError::TooLong)??)
    }
}
