//! Many bytes one way over TCP, counted and hashed at both ends.
//!
//! The sender writes a header (8 bytes `FWBULK01`, then the number of bytes to come, big-endian), the bytes
//! of a fixed reproducible sequence, and its end-of-stream. The receiver compares each byte with the sequence
//! and answers with a receipt (bytes received, their hash, the offset of the first that is wrong or
//! `u64::MAX`; each 8 bytes, big-endian) and its own end-of-stream.

use std::future::Future;
use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::{Connection, Next, serve};
use super::{ClientError, Limits, ServerError, Tally, stamp};
use crate::network::Network;

const MAGIC: [u8; 8] = *b"FWBULK01";
const HEADER: usize = 16;
const RECEIPT: usize = 24;
const CHUNK: usize = 16 * 1024;
/// Which of the reproducible sequences is sent.
const SEED: u64 = 0xFA17_0001;

/// What a receiver says of the bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// How many came.
    pub length: u64,
    /// Their hash (SipHash-1-3 with a zero key).
    pub hash: u64,
    /// The offset of the first that is not what was sent.
    pub wrong_at: Option<u64>,
}

impl Receipt {
    /// The receipt for `length` bytes that arrived as they were sent.
    pub fn expected(length: u64) -> Receipt {
        let mut check = Check::default();
        let mut buffer = [0; 4096];
        while check.length < length {
            let len =
                usize::try_from(length - check.length).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            stamp::fill(SEED, check.length, &mut buffer[..len]);
            check.take(&buffer[..len]);
        }
        check.receipt()
    }

    fn to_bytes(self) -> [u8; RECEIPT] {
        let mut bytes = [0; RECEIPT];
        let fields = [self.length, self.hash, self.wrong_at.unwrap_or(u64::MAX)];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; RECEIPT]) -> Receipt {
        let mut fields = bytes.chunks_exact(8).map(|field| {
            let mut number = [0; 8];
            number.copy_from_slice(field);
            u64::from_be_bytes(number)
        });
        let mut next = || fields.next().unwrap_or(u64::MAX);
        let (length, hash, wrong_at) = (next(), next(), next());
        Receipt { length, hash, wrong_at: (wrong_at != u64::MAX).then_some(wrong_at) }
    }
}

/// Compares bytes with the sequence as they come, in whatever pieces.
#[derive(Debug, Default)]
struct Check {
    length: u64,
    hasher: SipHasher13,
    wrong_at: Option<u64>,
    expected: Vec<u8>,
}

impl Check {
    fn take(&mut self, data: &[u8]) {
        self.expected.resize(data.len(), 0);
        stamp::fill(SEED, self.length, &mut self.expected);
        if self.wrong_at.is_none() && self.expected != data {
            let first = self.expected.iter().zip(data).position(|(expected, got)| expected != got);
            self.wrong_at = first.map(|first| self.length + first as u64);
        }
        self.hasher.write(data);
        self.length += data.len() as u64;
    }

    fn receipt(&self) -> Receipt {
        Receipt { length: self.length, hash: self.hasher.finish(), wrong_at: self.wrong_at }
    }
}

/// Connects to a receiver, sends `length` bytes, and gives the receiver's receipt once it is known to be
/// right.
///
/// Each write, the connection and the receipt may take as long as `timeout`.
///
/// # Errors
/// [`ClientError::WrongAnswer`] where the receipt is not the one for these bytes; the others where it did not
/// come.
pub async fn send<N: Network>(
    net: &N,
    addr: &str,
    length: u64,
    timeout: Duration,
) -> Result<Receipt, ClientError> {
    let named = || addr.to_owned();
    let silent = || ClientError::NoAnswer { addr: named(), waited: timeout };
    let connected = net.timeout(timeout, net.connect(addr, &[])).await.map_err(|_| silent())?;
    let mut stream = connected.map_err(|source| ClientError::Connect { addr: named(), source })?;

    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&length.to_be_bytes());
    let failed = |source| ClientError::Send { addr: named(), source };
    super::server::write_all(net, &mut stream, &header, timeout).await.map_err(failed)?;
    let mut buffer = vec![0; CHUNK];
    let mut check = Check::default();
    while check.length < length {
        let len = usize::try_from(length - check.length).map_or(CHUNK, |rest| rest.min(CHUNK));
        stamp::fill(SEED, check.length, &mut buffer[..len]);
        check.take(&buffer[..len]);
        super::server::write_all(net, &mut stream, &buffer[..len], timeout).await.map_err(failed)?;
    }
    net.timeout(timeout, stream.shutdown()).await.map_err(|_| silent())?.map_err(failed)?;

    let mut answer = [0; RECEIPT];
    let mut got = 0;
    while got < RECEIPT {
        let read = net.timeout(timeout, stream.read(&mut answer[got..])).await.map_err(|_| silent())?;
        match read.map_err(|source| ClientError::Receive { addr: named(), source })? {
            0 => {
                let (got, expected) = (got as u64, RECEIPT as u64);
                return Err(ClientError::Closed { addr: named(), got, expected });
            }
            len => got += len,
        }
    }
    let receipt = Receipt::from_bytes(answer);
    if receipt != check.receipt() {
        let (got, expected) = (answer.to_vec(), check.receipt().to_bytes().to_vec());
        return Err(ClientError::WrongAnswer { addr: named(), got, expected });
    }
    Ok(receipt)
}

/// Receives from many senders at once, until `stop` completes.
///
/// A connection that does not begin with the header, or sends more than it said there, is cut off.
///
/// # Errors
/// [`ServerError::Accept`] if connections can no longer be accepted.
pub async fn server<N: Network>(
    net: &N,
    listener: N::Listener,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send,
) -> Result<Tally, ServerError> {
    serve(net, listener, limits, stop, connection).await
}

async fn connection<N: Network>(mut peer: Connection<N>) -> Tally {
    let mut tally = Tally::default();
    let mut header = [0; HEADER];
    let mut known = 0;
    let mut check = Check::default();
    let mut buffer = vec![0; CHUNK];
    loop {
        match peer.next(&mut buffer).await {
            Next::Data(len) => {
                let head = len.min(HEADER - known);
                header[known..known + head].copy_from_slice(&buffer[..head]);
                known += head;
                check.take(&buffer[head..len]);
                let promised = header[8..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                if known == HEADER && (header[..8] != MAGIC || check.length > promised) {
                    tally.refused += 1;
                    return tally;
                }
            }
            Next::End => {
                let receipt = check.receipt().to_bytes();
                let idle = peer.limits.idle;
                if known < HEADER || peer.write_all(&receipt).await.is_err() {
                    tally.refused += 1;
                    return tally;
                }
                let _ = peer.net.timeout(idle, peer.stream.shutdown()).await;
                tally.messages += 1;
                tally.bytes += check.length;
                return tally;
            }
            Next::Idle => {
                tally.idle += 1;
                return tally;
            }
            Next::Stop | Next::Failed => {
                tally.refused += 1;
                return tally;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Receipt, SEED};
    use crate::program::stamp;

    #[test]
    fn a_receipt_says_where_it_went_wrong() {
        let mut data = vec![0; 10_000];
        stamp::fill(SEED, 0, &mut data);
        let told = |data: &[u8]| {
            let mut check = Check::default();
            data.chunks(333).for_each(|piece| check.take(piece));
            check.receipt()
        };
        assert_eq!(told(&data), Receipt::expected(10_000));
        assert_eq!(Receipt::from_bytes(told(&data).to_bytes()), told(&data));
        data[7_001] ^= 1;
        assert_eq!(told(&data).wrong_at, Some(7_001));
        data.remove(0);
        assert_eq!((told(&data).wrong_at, told(&data).length), (Some(0), 9_999));
    }
}
