//! What is under way, what of it has arrived, and what is lost (RFC 6298, RFC 9002).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::congestion::Congestion;
use super::outgoing::PieceId;
use crate::model::Time;
use crate::tcp;

/// Packets sent later and acknowledged that mean a loss (RFC 9002, section 6.1.1).
const LATER: u64 = 3;
/// Packets that are taken for lost and remembered, in case that they were only late.
const LATE_MAX: usize = 1_024;

/// A packet that asked for an acknowledgement.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Time,
    pub(super) bytes: u64,
    pub(super) pieces: Vec<PieceId>,
    pub(super) fin: bool,
    pub(super) floor: u64,
    is_lost: bool,
}

impl Sent {
    pub(super) fn new(at: Time, bytes: usize, pieces: Vec<PieceId>, fin: bool, floor: u64) -> Sent {
        Sent { at, bytes: bytes as u64, pieces, fin, floor, is_lost: false }
    }
}

/// What became of packets.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) arrived: Vec<Sent>,
    pub(super) lost: Vec<(u64, Sent)>,
}

/// The packets under way, the round trip, and the timeout.
#[derive(Debug)]
pub(super) struct Recovery {
    timers: tcp::Config,
    rtt: tcp::Rtt,
    latest: Duration,
    pub(super) congestion: Congestion,
    sent: BTreeMap<u64, Sent>,
    in_flight: u64,
    counted: usize,
    late: usize,
    acknowledged: Option<u64>,
    /// When the last packet was sent that asked for an acknowledgement.
    last: Time,
    /// Timeouts in a row.
    expiries: u32,
    /// Up to this packet the congestion window was what held back more.
    full_until: Option<u64>,
    /// When the next packet counts as lost since one that was sent later has arrived.
    overdue: Option<Time>,
}

impl Recovery {
    pub(super) fn new(timers: tcp::Config, congestion: Congestion) -> Recovery {
        Recovery {
            rtt: tcp::Rtt::new(&timers),
            timers,
            latest: Duration::ZERO,
            congestion,
            sent: BTreeMap::new(),
            in_flight: 0,
            counted: 0,
            late: 0,
            acknowledged: None,
            last: Time::ZERO,
            expiries: 0,
            full_until: None,
            overdue: None,
        }
    }

    /// Bytes that were sent and are neither acknowledged nor lost.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The smoothed round trip.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// The timeout in force.
    pub(super) fn timeout(&self) -> Duration {
        self.rtt.rto()
    }

    /// Timeouts in a row.
    pub(super) fn expiries(&self) -> u32 {
        self.expiries
    }

    /// A measured round trip.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        self.latest = round_trip;
        self.rtt.sample(round_trip, &self.timers);
    }

    /// A packet goes out.
    pub(super) fn sent(&mut self, number: u64, sent: Sent) {
        self.last = sent.at;
        self.in_flight += sent.bytes;
        debug_assert!(self.in_flight <= self.congestion.window(), "more is under way than may be");
        self.counted += 1;
        self.congestion.sent(sent.bytes);
        self.sent.insert(number, sent);
    }

    /// The congestion window, and nothing else, keeps more from being sent now.
    pub(super) fn note_full(&mut self) {
        self.full_until = self.sent.last_key_value().map(|(number, _)| *number);
    }

    /// The peer has these packets. Those that it had already said are left out.
    pub(super) fn acknowledge(&mut self, now: Time, ranges: &[RangeInclusive<u64>], delay: Duration) -> News {
        let mut news = News::default();
        let Some(latest) = ranges.first().map(|range| *range.end()) else { return news };
        if self.acknowledged.is_none_or(|known| latest > known) {
            self.acknowledged = Some(latest);
            if let Some(sent) = self.sent.get(&latest) {
                let round_trip = now.since(sent.at);
                // What the peer says of its own delay counts as far as it can be true.
                let own = round_trip.saturating_sub(delay);
                self.sample(if own >= self.latest / 2 { own } else { round_trip });
            }
        }
        for range in ranges {
            let numbers: Vec<u64> = self.sent.range(range.clone()).map(|(number, _)| *number).collect();
            for number in numbers {
                let Some(sent) = self.sent.remove(&number) else { continue };
                if sent.is_lost {
                    self.late -= 1;
                } else {
                    self.in_flight -= sent.bytes;
                    self.counted -= 1;
                    let was_full = self.full_until.is_some_and(|full| number <= full);
                    self.congestion.acknowledged(sent.at, sent.bytes, was_full);
                }
                news.arrived.push(sent);
            }
        }
        if !news.arrived.is_empty() {
            self.expiries = 0;
        }
        self.detect(now, &mut news);
        news
    }

    /// Which packets are lost, by those sent later that have arrived.
    fn detect(&mut self, now: Time, news: &mut News) {
        self.overdue = None;
        let Some(acknowledged) = self.acknowledged else { return };
        let round_trip = self.latest.max(self.rtt.smoothed().unwrap_or_default());
        let patience = (round_trip * 9 / 8).max(Duration::from_millis(1));
        let mut lost = Vec::new();
        for (number, sent) in self.sent.range(..acknowledged).filter(|(_, sent)| !sent.is_lost) {
            let due = sent.at + patience;
            if number + LATER <= acknowledged || due <= now {
                lost.push(*number);
            } else {
                self.overdue = Some(self.overdue.map_or(due, |known| known.min(due)));
            }
        }
        for number in lost {
            if let Some(sent) = self.lose(number) {
                self.congestion.lost(sent.at, now);
                news.lost.push((number, sent));
            }
        }
        self.forget();
    }

    fn lose(&mut self, number: u64) -> Option<Sent> {
        let sent = self.sent.get_mut(&number).filter(|sent| !sent.is_lost)?;
        sent.is_lost = true;
        self.in_flight -= sent.bytes;
        self.counted -= 1;
        self.late += 1;
        Some(sent.clone())
    }

    /// Those that were lost longest ago are not waited for any more.
    fn forget(&mut self) {
        while self.late > LATE_MAX {
            let oldest = self.sent.iter().find(|(_, sent)| sent.is_lost).map(|(number, _)| *number);
            match oldest {
                Some(oldest) => self.sent.remove(&oldest),
                None => return,
            };
            self.late -= 1;
        }
    }

    /// When [`on_timer`](Self::on_timer) is to be called.
    pub(super) fn timer(&self) -> Option<Time> {
        let timeout = (self.counted > 0).then(|| self.last + self.rtt.rto());
        self.overdue.into_iter().chain(timeout).min()
    }

    /// What the time has decided: a packet is overdue, or all that is under way is (RFC 6298, section 5.4 to
    /// 5.6).
    pub(super) fn on_timer(&mut self, now: Time) -> News {
        let mut news = News::default();
        if self.overdue.is_some_and(|due| due <= now) {
            self.detect(now, &mut news);
        }
        if self.counted > 0 && self.last + self.rtt.rto() <= now {
            self.congestion.timed_out(now, self.expiries == 0);
            self.expiries += 1;
            self.rtt.back_off(&self.timers);
            let all: Vec<u64> =
                self.sent.iter().filter(|(_, sent)| !sent.is_lost).map(|(number, _)| *number).collect();
            for number in all {
                news.lost.extend(self.lose(number).map(|sent| (number, sent)));
            }
            self.overdue = None;
            self.forget();
        }
        news
    }
}
