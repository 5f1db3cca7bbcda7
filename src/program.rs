//! The clients and servers, written once against the seam: they run over real sockets and in simulation.
//!
//! | program | over TCP | over UDP |
//! |---|---|---|
//! | echo: what is sent comes back | [`tcp::echo_server`], [`tcp::Client::echo`] | [`udp::echo_server`], [`udp::Client::echo`] |
//! | reply: each message is answered with [`ACKNOWLEDGEMENT`] | [`tcp::reply_server`], [`tcp::Client::ask`] | [`udp::reply_server`], [`udp::Client::ask`] |
//! | bulk: many bytes one way, counted and hashed | [`bulk`] | |
//! | file: a file one way, compared by its hash | [`file::tcp_send`], [`file::tcp_server`] | [`file::adaptive_send`], [`file::adaptive_server`] |
//! | numbered: datagrams that show what became of them | | [`numbered`] |
//!
//! A *message* of the reply protocol is, over UDP, a datagram; over TCP, which has no boundaries, a line:
//! bytes up to a newline (an unterminated rest at the end of the stream is one too). Any `nc` can hold such a
//! conversation.
//!
//! Servers serve many clients at once, within [`Limits`], until the future they are given completes. All time
//! passes through the seam.
//!
//! ```
//! use std::time::Duration;
//!
//! use faultwire::network::Listener as _;
//! use faultwire::network::os::OsNetwork;
//! use faultwire::program::{Limits, bulk, listen};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let net = OsNetwork::new();
//! let listener = listen(&net, "127.0.0.1:0").await?;
//! let addr = listener.local_addr()?.to_string();
//! let limits = Limits::default();
//! let sending = bulk::send(&net, &addr, 100_000, Duration::from_secs(10));
//! let (stop, stopped) = tokio::sync::oneshot::channel();
//! let server = bulk::server(&net, listener, &limits, async { drop(stopped.await) });
//! let (receipt, tally) = tokio::join!(async { (sending.await, stop.send(())).0 }, server);
//! assert_eq!((receipt?.length, tally?.clients), (100_000, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bulk;
pub mod file;
pub mod numbered;
pub mod tcp;
pub mod udp;

mod error;
mod guard;
mod server;
mod stamp;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use error::{ClientError, ServerError, hint};
pub use server::{bind, listen};

/// What the reply servers answer each message with.
///
/// A udp reply server never answers a datagram that is exactly this: it would be another server's answer.
pub const ACKNOWLEDGEMENT: &[u8] = b"ACK\n";

/// What a server allows its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections served at once (more wait in the backlog); peers that a datagram server remembers (the one
    /// that has been quiet longest is forgotten for a new one).
    pub clients: usize,
    /// A connection without progress for that long is closed; a datagram peer quiet for that long is
    /// forgotten.
    pub idle: Duration,
    /// The longest message in bytes: a line with its newline, or a datagram. A longer line ends its
    /// connection, a longer datagram is not answered.
    pub message: usize,
    /// How long connections may take to finish what they have in hand once the server is told to stop.
    pub grace: Duration,
    /// Answers that a datagram peer gets to datagrams that are copies of what it was last sent, until it has
    /// been quiet for [`idle`](Limits::idle). An echo server on the other side is such a peer.
    pub reflections: u32,
    /// Answers that a datagram peer gets at all, until it has been quiet for [`idle`](Limits::idle).
    pub answers: u32,
    /// The longest file that is taken, in bytes.
    pub file: u64,
    /// The least rate of a file, in bytes a second: one that falls behind it by [`idle`](Limits::idle) is
    /// refused.
    pub file_rate: u32,
}

impl Default for Limits {
    /// 1024 clients, 60 s of idleness, messages of 64 KiB, 1 s of grace, 10 000 reflections, 1 000 000
    /// answers, files of 1 GiB, 1 KiB/s.
    fn default() -> Self {
        Limits {
            clients: 1024,
            idle: Duration::from_secs(60),
            message: 64 * 1024,
            grace: Duration::from_secs(1),
            reflections: 10_000,
            answers: 1_000_000,
            file: 1 << 30,
            file_rate: 1 << 10,
        }
    }
}

impl Limits {
    /// Limits the clients at once (at least one).
    #[must_use]
    pub fn with_clients(mut self, clients: usize) -> Self {
        self.clients = clients.max(1);
        self
    }

    /// Sets the idle timeout.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Limits the length of a message, in bytes (at least one).
    #[must_use]
    pub fn with_message(mut self, message: usize) -> Self {
        self.message = message.max(1);
        self
    }

    /// Limits the length of a file, in bytes.
    #[must_use]
    pub fn with_file(mut self, file: u64) -> Self {
        self.file = file;
        self
    }

    /// Limits the answers to reflections and the answers in all.
    #[must_use]
    pub fn with_answers(mut self, reflections: u32, answers: u32) -> Self {
        self.reflections = reflections;
        self.answers = answers;
        self
    }
}

/// What a server did, told when it stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Connections accepted, or datagram peers met (one that was forgotten counts again).
    pub clients: u64,
    /// Messages answered (pieces echoed, on a stream).
    pub messages: u64,
    /// Bytes received in them.
    pub bytes: u64,
    /// Connections closed for being idle.
    pub idle: u64,
    /// Connections that failed or were cut off, datagrams that were not answered or could not be.
    pub refused: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.clients += other.clients;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.idle += other.idle;
        self.refused += other.refused;
    }
}
