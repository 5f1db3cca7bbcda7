//! Datagrams that carry their number, their length and a pattern, so that whatever became of them can be
//! seen.
//!
//! Layout: number, length, check word (4 bytes each, big-endian), then bytes that follow from the number. The
//! check word follows from number and length: where it is wrong the datagram was altered, and where the
//! length is more than what came it was cut.

use std::time::Duration;

use super::{ClientError, ServerError, stamp};
use crate::network::{Datagram as _, Network};

/// The shortest datagram of this kind, in bytes.
pub const SHORTEST: usize = 12;

/// The most datagrams of one series.
pub const MOST: u32 = 1_000_000;

/// Which of the reproducible sequences the pattern is taken from.
const SEED: u64 = 0xFA17_0002;

/// The datagram of that number, `length` bytes long ([`SHORTEST`] at least).
pub fn datagram(number: u32, length: usize) -> Vec<u8> {
    let mut data = vec![0; length.max(SHORTEST)];
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    data[..4].copy_from_slice(&number.to_be_bytes());
    data[4..8].copy_from_slice(&length.to_be_bytes());
    data[8..12].copy_from_slice(&check_word(number, length).to_be_bytes());
    stamp::fill(SEED ^ u64::from(number), 0, &mut data[SHORTEST..]);
    data
}

fn check_word(number: u32, length: u32) -> u32 {
    (stamp::mix(u64::from(number) << 32 | u64::from(length)) >> 32) as u32
}

/// What a received datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// As it was sent: its number.
    Whole(u32),
    /// The beginning of the datagram of that number.
    Cut(u32),
    /// None that was sent.
    Altered,
}

/// Tells what a received datagram is.
pub fn read(data: &[u8]) -> Piece {
    let word = |at: usize| {
        let bytes = data.get(at..at + 4)?;
        Some(bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)))
    };
    let (Some(number), Some(length), Some(check)) = (word(0), word(4), word(8)) else {
        return Piece::Altered;
    };
    if check != check_word(number, length) || data.len() > length as usize {
        return Piece::Altered;
    }
    let mut expected = vec![0; data.len() - SHORTEST];
    stamp::fill(SEED ^ u64::from(number), 0, &mut expected);
    if expected != data[SHORTEST..] {
        Piece::Altered
    } else if data.len() < length as usize {
        Piece::Cut(number)
    } else {
        Piece::Whole(number)
    }
}

/// What came of a series numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many were sent.
    pub expected: u32,
    /// How many of them came as they were sent, copies not counted.
    pub received: u32,
    /// The numbers that never came whole, in order.
    pub missing: Vec<u32>,
    /// The number of each further copy, in the order of coming.
    pub duplicates: Vec<u32>,
    /// The numbers that came after a higher one had come (RFC 4737 section 3.3), in the order of coming.
    pub out_of_order: Vec<u32>,
    /// The numbers that came cut short, in the order of coming.
    pub cut: Vec<u32>,
    /// How many datagrams arrived that were never sent like this, including numbers outside of the series.
    pub altered: u32,
}

impl Report {
    /// Whether each came once, whole and in order.
    pub fn is_perfect(&self) -> bool {
        self.received == self.expected
            && self.altered == 0
            && [&self.missing, &self.duplicates, &self.out_of_order, &self.cut]
                .iter()
                .all(|list| list.is_empty())
    }
}

/// Takes in datagrams and reports what came. Pure: it has no socket and no clock.
#[derive(Clone, Debug)]
struct Collector {
    seen: Vec<bool>,
    /// One more than the highest number that came.
    next: u32,
    report: Report,
}

impl Collector {
    /// For a series of `expected` datagrams ([`MOST`] at most).
    fn new(expected: u32) -> Self {
        let expected = expected.min(MOST);
        Collector {
            seen: vec![false; expected as usize],
            next: 0,
            report: Report { expected, ..Report::default() },
        }
    }

    /// Takes in what one receive gave.
    fn take(&mut self, data: &[u8]) -> Piece {
        let piece = read(data);
        let report = &mut self.report;
        // What lies behind the series has a number that its sender never used.
        let known = |number: u32| number < report.expected;
        match piece {
            Piece::Whole(number) if known(number) => {
                let seen = &mut self.seen[number as usize];
                if *seen {
                    push(&mut report.duplicates, number);
                } else {
                    *seen = true;
                    report.received += 1;
                    if number < self.next {
                        push(&mut report.out_of_order, number);
                    }
                    self.next = self.next.max(number + 1);
                }
            }
            Piece::Cut(number) if known(number) => push(&mut report.cut, number),
            _ => report.altered = report.altered.saturating_add(1),
        }
        piece
    }

    /// What came so far.
    fn report(&self) -> Report {
        let numbered = (0..).zip(&self.seen);
        Report {
            missing: numbered.filter(|(_, seen)| !**seen).map(|(number, _)| number).collect(),
            ..self.report.clone()
        }
    }
}

/// Adds to a list that a peer can make grow.
fn push(list: &mut Vec<u32>, number: u32) {
    if list.len() < MOST as usize {
        list.push(number);
    }
}

/// Sends `count` datagrams of `length` bytes to `addr`, with `gap` between them.
///
/// # Errors
/// [`ClientError::Address`], [`ClientError::Connect`] (no socket) and [`ClientError::Send`] (EMSGSIZE and
/// other local reasons): whether anything arrives is not known here.
pub async fn send<N: Network>(
    net: &N,
    addr: &str,
    count: u32,
    length: usize,
    gap: Duration,
) -> Result<(), ClientError> {
    let named = || addr.to_owned();
    let found = net.resolve(addr).await.map_err(|source| ClientError::Address { addr: named(), source })?;
    let Some(to) = found.first().copied() else {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(ClientError::Address { addr: named(), source });
    };
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let opened = net.datagram(any, &[]).await;
    let socket = opened.map_err(|source| ClientError::Connect { addr: named(), source })?;
    for number in 0..count.min(MOST) {
        if number > 0 && !gap.is_zero() {
            net.sleep(gap).await;
        }
        let sent = socket.send_to(&datagram(number, length), to).await;
        sent.map_err(|source| ClientError::Send { addr: named(), source })?;
    }
    Ok(())
}

/// Receives a series of `count` datagrams of up to `length` bytes, until nothing has come for as long as
/// `quiet`.
///
/// The series is that of the first sender whose datagram belongs to one: what comes from others does not
/// count.
///
/// It waits so long even when all have come: a duplicate may follow.
///
/// # Errors
/// [`ServerError::Receive`] if datagrams can no longer be received.
pub async fn receive<N: Network>(
    net: &N,
    socket: &N::Datagram,
    count: u32,
    length: usize,
    quiet: Duration,
) -> Result<Report, ServerError> {
    let mut collector = Collector::new(count);
    // One byte more: a longer datagram is not taken for a whole one.
    let mut buffer = vec![0; length.clamp(SHORTEST, u16::MAX.into()) + 1];
    let mut sender = None;
    let mut end = net.now() + quiet;
    loop {
        match net.timeout(end.since(net.now()), socket.recv_from(&mut buffer)).await {
            Ok(Ok(received)) => {
                let data = &buffer[..received.len];
                if sender.is_none() && read(data) != Piece::Altered {
                    sender = Some(received.from);
                }
                if sender.is_none_or(|sender| sender == received.from) {
                    collector.take(data);
                    end = net.now() + quiet;
                }
            }
            Ok(Err(source)) => return Err(ServerError::Receive { source }),
            Err(_) => return Ok(collector.report()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(expected: u32, pieces: &[Vec<u8>]) -> Report {
        let mut collector = Collector::new(expected);
        for piece in pieces {
            collector.take(piece);
        }
        collector.report()
    }

    #[test]
    fn what_became_of_a_series_is_told() {
        let sent: Vec<_> = (0..4).map(|number| datagram(number, 100)).collect();
        assert!(report(4, &sent).is_perfect());
        let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| sent[at].clone());
        assert_eq!(report(4, &[a.clone(), b.clone(), d.clone()]).missing, [2]);
        let told = report(4, &[b.clone(), a.clone(), c.clone(), d.clone()]);
        assert_eq!((told.received, told.out_of_order), (4, vec![0]));
        let told = report(4, &[a.clone(), a.clone(), b.clone(), c.clone(), d.clone(), a.clone()]);
        assert_eq!((told.received, told.duplicates, told.out_of_order), (4, vec![0, 0], vec![]));
        let told = report(4, &[a, b, c, d[..50].to_vec()]);
        assert_eq!((told.cut, told.missing, told.altered), (vec![3], vec![3], 0));
        let told = report(2, &sent);
        assert_eq!((told.received, told.altered), (2, 2));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let whole = datagram(7, 40);
        for bit in 0..whole.len() * 8 {
            let mut data = whole.clone();
            data[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(read(&data), Piece::Altered, "bit {bit}");
        }
        assert_eq!(read(&[whole, vec![0]].concat()), Piece::Altered);
        assert_eq!(read(&[]), Piece::Altered);
        assert_eq!(read(&datagram(7, 0)), Piece::Whole(7));
    }
}
