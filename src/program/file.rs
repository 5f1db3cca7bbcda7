//! A file from a client to a server, over TCP and over the adaptive socket: the same bytes, the same check.
//!
//! The client says how many bytes will come (8 bytes `FWFILE01`, then their number, big-endian), and sends
//! them. The server answers with a receipt: how many have come, and their hash (SipHash-1-3 with a zero key;
//! each 8 bytes, big-endian). Over the adaptive socket all of that are reliable messages in one stream.
//!
//! A server takes files of many clients at once, within [`Limits`]. What goes wrong with one of them (it is
//! silent, too slow, too long, or cannot be kept) ends that one alone.

mod over_adaptive;
mod over_tcp;
#[cfg(test)]
mod tests;

use std::hash::Hasher as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{ClientError, Limits};
use crate::adaptive::Vitals;
use crate::model::Time;

pub use over_adaptive::{adaptive_send, adaptive_server};
pub use over_tcp::{tcp_send, tcp_server};

const MAGIC: [u8; 8] = *b"FWFILE01";
const HEADER: usize = 16;
/// Bytes of a receipt.
pub const RECEIPT: usize = 16;

/// Where a server puts the files that it takes.
pub trait Store: Send + Sync {
    /// A file of `length` bytes begins.
    ///
    /// # Errors
    /// Why it cannot be kept: its client is refused.
    fn begin(&self, length: u64) -> io::Result<Box<dyn Incoming>>;
}

/// A file that is on its way into a [`Store`]. Where it is dropped before its end, it must leave nothing
/// behind.
pub trait Incoming: Send {
    /// Its next bytes.
    ///
    /// # Errors
    /// Why they cannot be kept: the client is refused.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// That was all of it.
    ///
    /// # Errors
    /// Why it cannot be kept: the client is refused.
    fn end(self: Box<Self>) -> io::Result<()>;
}

/// A store that keeps nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discard;

impl Store for Discard {
    fn begin(&self, _length: u64) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(Discard))
    }
}

impl Incoming for Discard {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// What a client knows of a file that has arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivered {
    /// Its bytes.
    pub length: u64,
    /// From before the connection was asked for until the receipt was there.
    pub taken: Duration,
    /// What the adaptive socket has measured and done.
    pub vitals: Option<Vitals>,
}

impl Delivered {
    /// Megabits of the file for a second.
    pub fn goodput(&self) -> f64 {
        self.length as f64 * 8.0 / 1e6 / self.taken.as_secs_f64().max(1e-9)
    }
}

fn header(length: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&length.to_be_bytes());
    header
}

/// How many bytes will come.
fn promised(header: &[u8]) -> Option<u64> {
    let length = header.strip_prefix(&MAGIC)?;
    Some(u64::from_be_bytes(length.try_into().ok()?))
}

/// What has come of a file.
#[derive(Debug, Default)]
struct Count {
    length: u64,
    hasher: SipHasher13,
}

impl Count {
    fn take(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        self.hasher.write(data);
    }

    fn receipt(&self) -> [u8; RECEIPT] {
        let mut receipt = [0; RECEIPT];
        receipt[..8].copy_from_slice(&self.length.to_be_bytes());
        receipt[8..].copy_from_slice(&self.hasher.finish().to_be_bytes());
        receipt
    }
}

/// The receipt for this file.
pub fn receipt(data: &[u8]) -> [u8; RECEIPT] {
    let mut count = Count::default();
    count.take(data);
    count.receipt()
}

/// Whether a receipt is the one for this file.
fn compare(addr: &str, data: &[u8], got: &[u8]) -> Result<(), ClientError> {
    let expected = receipt(data);
    if got == expected {
        return Ok(());
    }
    let (got, expected) = (got.to_vec(), expected.to_vec());
    Err(ClientError::WrongAnswer { addr: addr.to_owned(), got, expected })
}

/// Why a client's file is not taken (any further).
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it sent something that is no file")]
    NoFile,
    #[error("its file has {length} bytes, more than the {max} that are allowed")]
    TooLong { length: u64, max: u64 },
    #[error("it sent more bytes than it had said")]
    TooMuch,
    #[error("its file cannot be kept: {0}")]
    NotKept(#[from] io::Error),
}

impl Refusal {
    /// Tells whoever runs the server, if there is something for them to do.
    fn tell(&self, client: SocketAddr) {
        match self {
            Refusal::NotKept(_) | Refusal::TooLong { .. } => tracing::warn!("refused {client}: {self}"),
            Refusal::NoFile | Refusal::TooMuch => tracing::info!("refused {client}: {self}"),
        }
    }
}

/// A client's file on its way.
struct Taking {
    head: Vec<u8>,
    /// What was promised, and what takes it, once there is a header.
    length: Option<u64>,
    file: Option<Box<dyn Incoming>>,
    count: Count,
    began: Time,
    heard: Time,
}

impl Taking {
    fn new(now: Time) -> Taking {
        let count = Count::default();
        Taking { head: Vec::new(), length: None, file: None, count, began: now, heard: now }
    }

    /// The next bytes of the stream. The receipt, if they were the last.
    fn take(
        &mut self,
        now: Time,
        mut data: &[u8],
        limits: &Limits,
        store: &dyn Store,
    ) -> Result<Option<[u8; RECEIPT]>, Refusal> {
        self.heard = now;
        if self.length.is_none() {
            let (head, rest) = data.split_at(data.len().min(HEADER - self.head.len()));
            self.head.extend_from_slice(head);
            data = rest;
            if self.head.len() < HEADER {
                return Ok(None);
            }
            let length = promised(&self.head).ok_or(Refusal::NoFile)?;
            if length > limits.file {
                return Err(Refusal::TooLong { length, max: limits.file });
            }
            self.length = Some(length);
            self.file = Some(store.begin(length)?);
        }
        let left = self.length.unwrap_or_default() - self.count.length;
        let file = self.file.as_mut().ok_or(Refusal::TooMuch)?;
        if data.len() as u64 > left {
            return Err(Refusal::TooMuch);
        }
        if !data.is_empty() {
            self.count.take(data);
            file.write(data)?;
        }
        if data.len() as u64 == left
            && let Some(file) = self.file.take()
        {
            file.end()?;
            return Ok(Some(self.count.receipt()));
        }
        Ok(None)
    }

    /// Whether all of the file has come.
    fn is_whole(&self) -> bool {
        self.length == Some(self.count.length) && self.file.is_none()
    }

    /// When it is refused unless more comes before: it is silent, or too slow.
    fn due(&self, limits: &Limits) -> Time {
        let earned = self.count.length / u64::from(limits.file_rate.max(1));
        let too_slow = self.began + limits.idle + Duration::from_secs(earned);
        (self.heard + limits.idle).min(too_slow)
    }
}
