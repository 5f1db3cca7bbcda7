//! What a message asks for, and what a socket is set to.

use std::time::Duration;

/// How much is done for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reliability {
    /// Each of its pieces is sent once; if one is lost, so is the message.
    Once,
    /// It is repeated until it is acknowledged, or that time is over. Then the sender is told, and the
    /// receiver passes over it. It may have arrived all the same: the acknowledgement can be what is missing.
    Within(Duration),
    /// It is repeated until it is acknowledged, or the peer is given up.
    Reliable,
}

/// Behind what a message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Order {
    /// As soon as it is whole.
    Unordered,
    /// Behind the messages that were sent before it in the stream of that number, those left out that are
    /// lost for good.
    Ordered(u8),
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// How much is done for it.
    pub reliability: Reliability,
    /// Behind what it is delivered.
    pub order: Order,
}

impl Delivery {
    /// Sent once, in no order: as a datagram, but never delivered twice, and of any length up to the bound.
    pub const ONCE: Delivery = Delivery { reliability: Reliability::Once, order: Order::Unordered };
    /// Repeated until it is acknowledged, in no order.
    pub const RELIABLE: Delivery = Delivery { reliability: Reliability::Reliable, order: Order::Unordered };

    /// Retransmitted for at most `time`, in no order.
    pub const fn within(time: Duration) -> Delivery {
        Delivery { reliability: Reliability::Within(time), order: Order::Unordered }
    }

    /// Like `self`, but ordered within stream number `stream`.
    #[must_use]
    pub const fn in_stream(self, stream: u8) -> Delivery {
        Delivery { order: Order::Ordered(stream), ..self }
    }
}

/// What a socket is set to. Both ends may differ in all of it. A number out of its bounds is taken as the
/// nearest one within them. No time is above a day, and none but [`Config::ack_delay`] below a millisecond.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The longest datagram that it sends, in bytes of UDP payload; 256 at the least. It takes longer ones.
    /// The default is 1200, which passes on every way that carries QUIC (RFC 9000, section 14).
    pub datagram_max: usize,
    /// Bytes that it keeps for each peer until its program takes them, 128 for each message included: the
    /// receiver's window. 4 KiB at the least, 1 MiB by default.
    pub receive_buffer: u64,
    /// Bytes of messages that it sends and keeps until they are acknowledged or given up. 1 MiB by default.
    pub send_buffer: u64,
    /// The longest message that is sent, in bytes. Besides, with 128 bytes more it must fit the buffers of
    /// both ends. 256 KiB.
    pub message_max: usize,
    /// Peers at once. 64. An address (with IPv6: a network of 64 bits) cannot connect while it has as many
    /// connections as are free for others, so it gets no more than half of them.
    pub peers_max: usize,
    /// Whether others may connect to it. Yes.
    pub accepting: bool,
    /// Timeouts in a row, each twice as long as the one before, after which a peer is given up. 10.
    pub tries_max: u32,
    /// A peer of which nothing was heard for that long is asked whether it is there; never, if `None`. 5 s.
    pub keep_alive: Option<Duration>,
    /// The timeout before a round trip was measured (RFC 6298, section 2.1). 1 s.
    pub timeout_initial: Duration,
    /// The least timeout. RFC 6298 (2.4) would rather have a second, Linux has 200 ms; here 50 ms, since the
    /// receiver says how long it held an acknowledgement back.
    pub timeout_min: Duration,
    /// The most that back-off makes of it. 5 s.
    pub timeout_max: Duration,
    /// How long an acknowledgement may wait for company. 5 ms.
    pub ack_delay: Duration,
    /// What the ids of connections are drawn from. A socket that others can reach wants one that they cannot
    /// guess, such as [`OsNetwork::random_seed`](crate::network::os::OsNetwork::random_seed); a simulation
    /// one that is the same each time.
    pub seed: u64,
}

/// The least [`Config::datagram_max`].
const DATAGRAM_MIN: usize = 256;
/// The most of it: what IPv4 carries.
const DATAGRAM_MOST: usize = 65_507;
/// The shortest time that anything is waited for, acknowledgements aside.
const TIME_LEAST: Duration = Duration::from_millis(1);
/// The longest time.
const TIME_MOST: Duration = Duration::from_secs(86_400);
/// The least that a buffer has, at either end.
pub(super) const BUFFER_MIN: u64 = 4_096;

impl Default for Config {
    fn default() -> Self {
        Config {
            datagram_max: 1200,
            receive_buffer: 1 << 20,
            send_buffer: 1 << 20,
            message_max: 256 << 10,
            peers_max: 64,
            accepting: true,
            tries_max: 10,
            keep_alive: Some(Duration::from_secs(5)),
            timeout_initial: Duration::from_secs(1),
            timeout_min: Duration::from_millis(50),
            timeout_max: Duration::from_secs(5),
            ack_delay: Duration::from_millis(5),
            seed: 0,
        }
    }
}

impl Config {
    /// Draws ids from this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Limits datagrams to this many bytes.
    #[must_use]
    pub fn with_datagram_max(mut self, bytes: usize) -> Self {
        self.datagram_max = bytes;
        self
    }

    /// Sets the size of each peer's receive and send buffers, in bytes.
    #[must_use]
    pub fn with_buffers(mut self, receive: u64, send: u64) -> Self {
        (self.receive_buffer, self.send_buffer) = (receive, send);
        self
    }

    /// Limits messages to this many bytes.
    #[must_use]
    pub fn with_message_max(mut self, bytes: usize) -> Self {
        self.message_max = bytes;
        self
    }

    /// Limits the number of peers.
    #[must_use]
    pub fn with_peers_max(mut self, peers: usize) -> Self {
        self.peers_max = peers;
        self
    }

    /// Sets whether others may connect to it.
    #[must_use]
    pub fn with_accepting(mut self, accepting: bool) -> Self {
        self.accepting = accepting;
        self
    }

    /// Gives a peer up after this many timeouts in a row.
    #[must_use]
    pub fn with_tries_max(mut self, tries: u32) -> Self {
        self.tries_max = tries;
        self
    }

    /// Each number within its bounds.
    pub(super) fn bounded(mut self) -> Self {
        self.datagram_max = self.datagram_max.clamp(DATAGRAM_MIN, DATAGRAM_MOST);
        self.message_max = self.message_max.min(1 << 29);
        self.receive_buffer = self.receive_buffer.clamp(BUFFER_MIN, 1 << 30);
        self.send_buffer = self.send_buffer.clamp(BUFFER_MIN, 1 << 30);
        self.ack_delay = self.ack_delay.min(TIME_MOST);
        let times = [&mut self.timeout_initial, &mut self.timeout_min, &mut self.timeout_max];
        for time in times.into_iter().chain(self.keep_alive.as_mut()) {
            *time = (*time).clamp(TIME_LEAST, TIME_MOST);
        }
        self.timeout_max = self.timeout_max.max(self.timeout_min);
        self
    }

    /// The timers, in the words of our TCP, whose estimator is used.
    pub(super) fn timers(&self) -> crate::tcp::Config {
        crate::tcp::Config {
            rto_initial: self.timeout_initial.clamp(self.timeout_min, self.timeout_max),
            rto_min: self.timeout_min,
            rto_max: self.timeout_max,
            ..crate::tcp::Config::default()
        }
    }
}
