//! A sleep on the world's own timers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use faultwire::time::Time;

use crate::world::{Shared, TimerId};

/// Ends when the world's time has come to `due`.
#[derive(Debug)]
pub(super) struct Sleep {
    shared: Arc<Shared>,
    due: Time,
    timer: Option<TimerId>,
}

impl Sleep {
    pub(super) fn new(shared: Arc<Shared>, due: Time) -> Self {
        Sleep { shared, due, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut world = shared.lock();
        world.count_event();
        if world.is_silent() {
            return Poll::Pending;
        }
        if world.now >= self.due {
            if let Some(timer) = self.timer.take() {
                world.timers.cancel(timer);
            }
            return Poll::Ready(());
        }
        match self.timer {
            Some(timer) => world.timers.renew(timer, cx.waker()),
            None => self.timer = Some(world.timers.set(self.due, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.shared.lock().timers.cancel(timer);
        }
    }
}
