//! What can go wrong for a client or a server, in words that say what to do.

use std::io;
use std::time::Duration;

use crate::adaptive;
use crate::model::Errno;

/// Why a client did not get what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text names no address.
    #[error("cannot use the address `{addr}`: {source}")]
    Address {
        /// The text.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// No connection, or no socket, could be made.
    #[error("cannot connect to {addr}: {source}{}", hint(source))]
    Connect {
        /// The peer.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// Sending failed.
    #[error("cannot send to {addr}: {source}{}", hint(source))]
    Send {
        /// The peer.
        addr: String,
        /// Why.
        source: io::Error,
    },
    /// Receiving failed.
    #[error("cannot receive from {addr}: {source}{}", hint(source))]
    Receive {
        /// The peer.
        addr: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing came in time.
    #[error(
        "no answer from {addr} within {} s: it is not there, is not answering, or the way loses packets",
        waited.as_secs_f64()
    )]
    NoAnswer {
        /// The peer.
        addr: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The peer ended the stream before its answer was complete.
    #[error("{addr} closed the connection after {got} of {expected} bytes of its answer")]
    Closed {
        /// The peer.
        addr: String,
        /// Bytes of the answer that came.
        got: u64,
        /// Bytes of the answer that were expected.
        expected: u64,
    },
    /// The answer is not the expected one.
    #[error("{addr} answered {}, expected {}", shown(got), shown(expected))]
    WrongAnswer {
        /// The peer.
        addr: String,
        /// What came.
        got: Vec<u8>,
        /// What was expected.
        expected: Vec<u8>,
    },
    /// The adaptive socket, or its connection, failed.
    #[error("cannot talk to {addr}: {source}")]
    Adaptive {
        /// The peer.
        addr: String,
        /// Why.
        source: adaptive::Error,
    },
    /// The message cannot be sent as one.
    #[error("the message cannot be sent: {why}")]
    Message {
        /// Why not.
        why: &'static str,
    },
}

impl ClientError {
    /// Whether it was only that no answer came: the next one may.
    pub fn is_no_answer(&self) -> bool {
        matches!(self, ClientError::NoAnswer { .. })
    }
}

/// Why a server could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It has no place to listen.
    #[error("cannot listen on {addr}: {source}{}", hint(source))]
    Listen {
        /// Where.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// Connections can no longer be accepted.
    #[error("can no longer accept connections: {source}{}", hint(source))]
    Accept {
        /// Why.
        source: io::Error,
    },
    /// The adaptive socket failed.
    #[error("cannot go on: {source}")]
    Adaptive {
        /// Why.
        source: adaptive::Error,
    },
    /// Datagrams can no longer be received.
    #[error("can no longer receive datagrams: {source}{}", hint(source))]
    Receive {
        /// Why.
        source: io::Error,
    },
}

/// What to do about an error of a socket call, to be put behind its message; empty where nothing is known.
pub fn hint(error: &io::Error) -> &'static str {
    match Errno::of(error) {
        Some(Errno::ECONNREFUSED) => {
            "; no program listens there: start the server, or check address and port"
        }
        Some(Errno::EADDRINUSE) => {
            "; another program has that port: stop it, or choose another port (0 picks a free one)"
        }
        Some(Errno::EADDRNOTAVAIL) => "; this machine does not have that address: choose one that it has",
        Some(Errno::EACCES | Errno::EPERM) => {
            "; a port below 1024 or a firewall needs privilege: choose a higher port, or allow it"
        }
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN) => {
            "; there is no way to that address: check it, and this machine's network"
        }
        Some(Errno::ETIMEDOUT) => {
            "; nothing came back: check the address, and that no firewall drops the packets"
        }
        Some(Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED) => "; the peer ended the connection",
        Some(Errno::EMSGSIZE) => "; a datagram holds at most 65507 bytes over IPv4: send less at once",
        Some(Errno::EMFILE) => "; too many sockets are open: allow fewer clients, or raise `ulimit -n`",
        Some(Errno::ENFILE) => {
            "; the whole system has too many files open: end what needs them, or raise its limit"
        }
        Some(Errno::EAFNOSUPPORT) => "; this machine does not have that address family",
        _ => "",
    }
}

/// Bytes as text, cut to what fits a line.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 48;
    let text = bytes[..bytes.len().min(MOST)].escape_ascii();
    let more = if bytes.len() > MOST { "…" } else { "" };
    format!("`{text}{more}` ({} bytes)", bytes.len())
}
