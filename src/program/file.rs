//! A file from a client to a server, over TCP and over the adaptive socket: the same bytes, the same check.
//!
//! The client says how many bytes will come (8 bytes `FWFILE01`, then their number, big-endian), and sends them. The server
//! answers with a receipt: how many have come, and their hash (SipHash-1-3 with a zero key; each 8 bytes, big-endian). Over
//! the adaptive socket all of that are reliable messages in one stream: the header, pieces of the file, the receipt.
//!
//! A server takes one file at a time: further clients wait.

mod over_adaptive;
mod over_tcp;

use std::hash::Hasher as _;
use std::io;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::ClientError;
use crate::adaptive::Vitals;

pub use over_adaptive::{adaptive_send, adaptive_server};
pub use over_tcp::{tcp_send, tcp_server};

const MAGIC: [u8; 8] = *b"FWFILE01";
const HEADER: usize = 16;
const RECEIPT: usize = 16;

/// What a server is given of a file, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A file of that many bytes begins. What came of one before it, without an end, is not all of that.
    Begin(u64),
    /// Its next bytes.
    Bytes(&'a [u8]),
    /// That was all of it.
    End,
}

/// What takes the files of a server.
pub type Keep<'a> = &'a mut (dyn FnMut(Part<'_>) -> io::Result<()> + Send);

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

/// Whether a receipt is the one for this file.
fn compare(addr: &str, data: &[u8], got: &[u8]) -> Result<(), ClientError> {
    let mut count = Count::default();
    count.take(data);
    if got == count.receipt() {
        return Ok(());
    }
    let (got, expected) = (got.to_vec(), count.receipt().to_vec());
    Err(ClientError::WrongAnswer { addr: addr.to_owned(), got, expected })
}
