//! Lesson 5: how long a sender waits. Selective repeat works with any answer to that; lesson 6 has a better one.

use std::time::Duration;

use crate::TIMEOUT;

/// How long to wait for an acknowledgement.
pub trait Patience: Send + 'static {
    /// How long after a message was sent it is sent again.
    fn wait(&self) -> Duration;
    /// A message that was sent only once was acknowledged after that long.
    fn answered(&mut self, after: Duration);
    /// It waited in vain.
    fn waited_in_vain(&mut self);
}

/// A constant time for every message, whatever the network is like.
#[derive(Debug, Default)]
pub struct Fixed;

impl Patience for Fixed {
    fn wait(&self) -> Duration {
        TIMEOUT
    }
    fn answered(&mut self, _after: Duration) {}
    fn waited_in_vain(&mut self) {}
}
