//! Protocols over datagrams as pure machines, and the [`Endpoint`] that runs one over a
//! [`Network`](crate::network::Network).
//!
//! A [`Machine`] is one side of a protocol. It owns no socket, clock, thread or random source: it is told
//! what comes and what time it is, and is asked what it wants. So the same machine runs in simulation,
//! through the relay and over the sockets of the operating system, and a test can hold it against any order
//! of events.

mod endpoint;

pub use endpoint::{Endpoint, EndpointError};

use crate::model::Time;

/// One side of a protocol over datagrams, as a pure machine.
///
/// Messages go in at the top ([`send`](Machine::send)) and come out there
/// ([`next_message`](Machine::next_message)); datagrams come in at the bottom
/// ([`on_datagram`](Machine::on_datagram)) and go out there ([`next_datagram`](Machine::next_datagram)).
/// Every call that may matter says what time it is. After each of `send`, `on_datagram` and `on_timer` the
/// caller fetches all datagrams; it fetches messages when the program asks for one.
///
/// ```
/// use std::collections::VecDeque;
///
/// use faultwire::machine::Machine;
/// use faultwire::time::Time;
///
/// /// Each message is a datagram.
/// #[derive(Default)]
/// struct Plain {
///     datagrams: VecDeque<Vec<u8>>,
///     messages: VecDeque<Vec<u8>>,
/// }
///
/// impl Machine for Plain {
///     fn send(&mut self, _now: Time, message: &[u8]) {
///         self.datagrams.push_back(message.to_vec());
///     }
///     fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
///         self.messages.push_back(datagram.to_vec());
///     }
///     fn next_datagram(&mut self) -> Option<Vec<u8>> {
///         self.datagrams.pop_front()
///     }
///     fn next_message(&mut self) -> Option<Vec<u8>> {
///         self.messages.pop_front()
///     }
/// }
/// ```
pub trait Machine: Send + 'static {
    /// Whether it takes another message now. A program waits until it does, so no machine needs an unbounded
    /// queue. By default, always.
    fn is_ready(&self) -> bool {
        true
    }

    /// The program hands over a message. Called only when the machine [is ready](Machine::is_ready).
    fn send(&mut self, now: Time, message: &[u8]);

    /// A datagram arrived. It may come from any host and may be damaged or forged: this must not panic.
    fn on_datagram(&mut self, now: Time, datagram: &[u8]);

    /// When to call [`on_timer`](Machine::on_timer), if nothing arrives before. By default, never.
    fn next_timer(&self) -> Option<Time> {
        None
    }

    /// The time from [`next_timer`](Machine::next_timer) has come.
    fn on_timer(&mut self, now: Time) {
        let _ = now;
    }

    /// The next datagram for the wire.
    fn next_datagram(&mut self) -> Option<Vec<u8>>;

    /// The next message for the program.
    fn next_message(&mut self) -> Option<Vec<u8>>;

    /// Whether no message is outstanding. By default always, which is right for a machine that sends and
    /// forgets.
    fn is_done(&self) -> bool {
        true
    }
}

impl<M: Machine + ?Sized> Machine for Box<M> {
    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        (**self).send(now, message);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        (**self).on_datagram(now, datagram);
    }
    fn next_timer(&self) -> Option<Time> {
        (**self).next_timer()
    }
    fn on_timer(&mut self, now: Time) {
        (**self).on_timer(now);
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        (**self).next_datagram()
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        (**self).next_message()
    }
    fn is_done(&self) -> bool {
        (**self).is_done()
    }
}
