//! What a machine tells: events, how connections are, and why it does not take something.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::config::Order;

/// A connection of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(super) u64);

/// A message to a peer, numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// It was closed here, and the peer has all that was sent.
    ByUs,
    /// The peer has closed it: it has sent all, and takes no more.
    ByPeer,
    /// The peer does not know it, or no longer does: it restarted, or has given up.
    Reset,
    /// The peer did not answer.
    TimedOut,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer has connected.
    Opened {
        /// The peer.
        peer: PeerId,
        /// Its address.
        addr: SocketAddr,
    },
    /// A message has arrived.
    Message {
        /// Its sender.
        peer: PeerId,
        /// Its stream, if it is in one.
        order: Order,
        /// The message.
        data: Bytes,
    },
    /// A message was not acknowledged [within](super::Reliability::Within) its time.
    GivenUp {
        /// The peer.
        peer: PeerId,
        /// The message.
        message: MessageId,
    },
    /// The connection has ended, and what it had was taken. The peer's id means nothing from here on.
    Closed {
        /// The peer.
        peer: PeerId,
        /// Why.
        why: Ended,
        /// Messages that were neither acknowledged nor given up.
        unsent: usize,
    },
}

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its payload.
    pub data: Vec<u8>,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It was asked for.
    Opening,
    /// It is there.
    Open,
    /// It ends once all is sent.
    Closing,
    /// It has ended; what had arrived before can still be taken.
    Ended(Ended),
}

/// What a connection has measured and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vitals {
    /// The smoothed round trip, once there was one.
    pub round_trip: Option<Duration>,
    /// The timeout in force.
    pub timeout: Duration,
    /// The congestion window, in bytes.
    pub congestion_window: u64,
    /// Bytes that are under way.
    pub in_flight: u64,
    /// Packets sent.
    pub packets: u64,
    /// Packets that counted as lost.
    pub lost: u64,
}

/// Why a message, or a connection, is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such connection, or it has ended or is ending.
    #[error("the connection is closed")]
    Closed,
    /// There is no room for it now: the peer has to acknowledge, or the program to take events.
    #[error("no room for the message until others are acknowledged")]
    Full,
    /// It is longer than the buffers of both ends allow.
    #[error("the message is longer than {max} bytes, the most that both ends have room for")]
    TooLong {
        /// The most bytes.
        max: usize,
    },
    /// There are as many peers as [`Config::peers_max`](super::Config::peers_max) allows.
    #[error("as many connections as are allowed are open")]
    TooManyPeers,
}
