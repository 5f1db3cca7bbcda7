//! One connection, and a peer made by hand: which segments it believes, what it answers, and when.

mod receiving;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::{Config, Options, Outcome, Segment, Seq, State};
use crate::model::{Errno, Time};

const MSS: u32 = 1_000;
/// What the peer offers, and what this side does.
const WINDOW: u16 = 60_000;
/// The initial sequence numbers of this side and of the peer.
const NUMBERS: [(Seq, Seq); 4] = [
    (Seq(1_000), Seq(500_000)),
    (Seq((1 << 31) - 3), Seq(u32::MAX - 3)),
    (Seq(u32::MAX - 3), Seq((1 << 31) - 3)),
    (Seq(u32::MAX), Seq((1 << 31) - 30_000)),
];

fn options() -> Options {
    Options {
        mss: MSS as u16,
        mss_default: 536,
        send_buffer: 200_000,
        recv_buffer: WINDOW.into(),
        no_delay: false,
    }
}

fn open(iss: Seq) -> Connection {
    Connection::open(Arc::new(Config::default().bounded()), options(), iss)
}

/// A segment that was sent, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    seq: Seq,
    ack: Option<Seq>,
    len: usize,
    flags: String,
}

/// All that is to be sent now.
fn sent(connection: &mut Connection, now: Time) -> Vec<Sent> {
    let mut all = Vec::new();
    while let Some(segment) = connection.next_segment(now) {
        let flags = [(segment.syn, 'S'), (segment.fin, 'F'), (segment.rst, 'R')];
        all.push(Sent {
            seq: segment.seq,
            ack: segment.ack,
            len: segment.text.len(),
            flags: flags.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect(),
        });
    }
    connection.check().unwrap();
    all
}

fn said(connection: &mut Connection, now: Time, segment: &Segment<'_>) -> Vec<Sent> {
    assert_eq!(connection.arrives(segment, now), Outcome::Done, "{segment:?}");
    sent(connection, now)
}

/// What the peer of [`established`] says next: it acknowledges all that was sent.
fn from_peer(connection: &Connection, seq: Seq) -> Segment<'static> {
    Segment { ack: Some(connection.snd.nxt), window: WINDOW, ..Segment::at(seq) }
}

fn established((iss, irs): (Seq, Seq)) -> Connection {
    let mut connection = open(iss);
    assert_eq!(sent(&mut connection, Time::ZERO).len(), 1);
    let syn = Segment { syn: true, mss: Some(MSS as u16), ..from_peer(&connection, irs) };
    assert_eq!(said(&mut connection, Time::ZERO, &syn).len(), 1);
    assert_eq!((connection.state, connection.rcv.window()), (State::Established, WINDOW.into()));
    connection
}

/// This side has closed first, and the peer after it.
fn in_time_wait(numbers: (Seq, Seq)) -> Connection {
    let mut connection = established(numbers);
    connection.shut_write();
    sent(&mut connection, Time::ZERO);
    let fin = Segment { fin: true, ..from_peer(&connection, connection.rcv.nxt) };
    said(&mut connection, Time::ZERO, &fin);
    assert_eq!(connection.state, State::TimeWait);
    connection
}

#[test]
fn only_a_reset_at_the_number_that_is_expected_next_is_believed() {
    for numbers in NUMBERS {
        let window = u32::from(WINDOW);
        for (at, believed, answered) in [
            (0, true, false),
            (1, false, true),
            (window - 1, false, true),
            (window, false, true),
            (window + 1, false, false),
            (0_u32.wrapping_sub(1), false, false),
            (1 << 31, false, false),
        ] {
            let mut connection = established(numbers);
            let nxt = connection.rcv.nxt;
            let reset = Segment { rst: true, ..from_peer(&connection, nxt + at) };
            let answer = said(&mut connection, Time::ZERO, &reset);
            assert_eq!(connection.state == State::Closed, believed, "a reset at RCV.NXT + {at}, {numbers:?}");
            assert_eq!(connection.error, believed.then_some(Errno::ECONNRESET));
            assert_eq!(answer.len(), usize::from(answered), "a reset at RCV.NXT + {at}, {numbers:?}");
            if answered {
                assert_eq!((answer[0].ack, answer[0].len, &*answer[0].flags), (Some(nxt), 0, ""));
                // The next one comes too soon to be answered.
                assert_eq!(said(&mut connection, Time::ZERO, &reset), []);
                assert_eq!(said(&mut connection, Time::from_millis(500), &reset).len(), 1);
            }
        }
    }
}

#[test]
fn text_is_taken_from_within_the_window_and_nowhere_else() {
    for numbers in NUMBERS {
        let window = u32::from(WINDOW);
        // Where it begins, how long it is, and how much of it can be read.
        for (at, len, taken) in [
            (0, 1, 1),
            (0, MSS, MSS),
            (0_u32.wrapping_sub(1), 1, 0),
            (0_u32.wrapping_sub(1), 2, 1),
            (1, 1, 0),
            (window - 1, 1, 0),
            (window, 1, 0),
            (0, window, window),
            (0, window + 1, window),
            (0_u32.wrapping_sub(5), window + 9, window),
        ] {
            let mut connection = established(numbers);
            let text = vec![7; len as usize];
            let segment = Segment { text: &text, ..from_peer(&connection, connection.rcv.nxt + at) };
            said(&mut connection, Time::ZERO, &segment);
            let what = format!("{len} at RCV.NXT + {at}, {numbers:?}");
            assert_eq!(connection.rcv.readable(), taken as usize, "{what}");
            assert_eq!(connection.rcv.has_gap(), at == 1 || at == window - 1, "{what}");
        }
    }
}

#[test]
fn a_syn_within_the_window_is_challenged() {
    let mut connection = established(NUMBERS[0]);
    for (ms, at, answers) in [(0, 0, 1), (1, 500, 0), (600, 500, 1), (1_200, WINDOW.into(), 1)] {
        let nxt = connection.rcv.nxt;
        let syn = Segment { syn: true, ..Segment::at(nxt + at) };
        let answer = said(&mut connection, Time::from_millis(ms), &syn);
        assert_eq!(connection.state, State::Established);
        assert_eq!(answer.len(), answers, "{at} after {ms} ms");
        assert!(answer.iter().all(|sent| sent.ack == Some(nxt) && sent.flags.is_empty()), "{answer:?}");
    }
}

#[test]
fn a_syn_that_opens_nothing_does_not_end_time_wait() {
    for numbers in NUMBERS {
        for (syn_ack, fin, at) in
            [(false, false, 0), (true, false, 0), (true, false, 1), (true, false, 9_000), (false, true, 1)]
        {
            let mut connection = in_time_wait(numbers);
            let end = connection.timers.end;
            let nxt = connection.rcv.nxt;
            let ack = syn_ack.then_some(connection.snd.nxt);
            let syn = Segment { syn: true, fin, ack, ..Segment::at(nxt + at) };
            let answer = said(&mut connection, Time::from_millis(9), &syn);
            let what = format!("SYN-ACK {syn_ack}, FIN {fin}, at RCV.NXT + {at}, {numbers:?}");
            assert_eq!((connection.state, connection.timers.end), (State::TimeWait, end), "{what}");
            assert_eq!(answer.len(), 1, "{what}");
            assert_eq!((answer[0].ack, &*answer[0].flags), (Some(nxt), ""), "{what}");
        }
        let mut connection = in_time_wait(numbers);
        let syn = Segment { syn: true, ..Segment::at(connection.rcv.nxt + 1) };
        assert_eq!(connection.arrives(&syn, Time::ZERO), Outcome::OpensAnew);
    }
}

#[test]
fn only_the_peers_own_fin_begins_time_wait_anew() {
    let later = Time::from_millis(10_000);
    for (behind, restarts) in [(1, true), (2, false), (0, false), (5_000, false), (1 << 31, false)] {
        let mut connection = in_time_wait(NUMBERS[1]);
        let end = connection.timers.end.unwrap();
        let fin = Segment { fin: true, ..from_peer(&connection, connection.rcv.nxt - behind) };
        said(&mut connection, later, &fin);
        let expected = if restarts { later + connection.config.time_wait } else { end };
        assert_eq!(connection.timers.end, Some(expected), "{behind} behind RCV.NXT");
    }
}

#[test]
fn a_stray_fin_is_forgotten_once_text_has_passed_its_place() {
    for stray in [1, 100, 1_500] {
        let mut connection = established(NUMBERS[1]);
        let start = connection.rcv.nxt;
        let fin = |connection: &Connection, at| Segment { fin: true, ..from_peer(connection, start + at) };
        let segment = fin(&connection, stray);
        said(&mut connection, Time::ZERO, &segment);
        for at in [0, 1_000] {
            let segment = Segment { text: &[7; 1_000], ..from_peer(&connection, start + at) };
            said(&mut connection, Time::ZERO, &segment);
        }
        assert_eq!((connection.state, connection.rcv.readable()), (State::Established, 2_000));
        let segment = fin(&connection, 2_000);
        said(&mut connection, Time::ZERO, &segment);
        assert_eq!(connection.state, State::CloseWait, "a stray FIN at {stray}");
    }
}

#[test]
fn the_fin_that_follows_on_what_has_come_is_the_end_whatever_was_noted_ahead() {
    // Another FIN, and text beyond the end.
    for (fin, text) in [(true, &b""[..]), (false, b"stray")] {
        let mut connection = established(NUMBERS[0]);
        let start = connection.rcv.nxt;
        let stray = Segment { fin, text, ..from_peer(&connection, start + 3) };
        said(&mut connection, Time::ZERO, &stray);
        let last = Segment { fin: true, text: b"abc", ..from_peer(&connection, start) };
        let answer = said(&mut connection, Time::ZERO, &last);
        assert_eq!((connection.state, connection.rcv.readable()), (State::CloseWait, 3));
        assert_eq!(answer.last().unwrap().ack, Some(start + 4));
    }
    // One that comes ahead of its text still counts in its turn.
    let mut connection = established(NUMBERS[0]);
    let start = connection.rcv.nxt;
    let fin = Segment { fin: true, ..from_peer(&connection, start + 3) };
    said(&mut connection, Time::ZERO, &fin);
    let text = Segment { text: b"abc", ..from_peer(&connection, start) };
    said(&mut connection, Time::ZERO, &text);
    assert_eq!(connection.state, State::CloseWait);
}

#[test]
fn a_challenged_syn_goes_out_again_soon_and_once() {
    let mut connection = open(Seq(9));
    sent(&mut connection, Time::ZERO);
    let at = Time::from_millis(30);
    let reset = Segment { rst: true, ack: Some(Seq(5_000)), ..Segment::at(Seq(1)) };
    assert_eq!(connection.arrives(&reset, at), Outcome::Refuse);
    assert_eq!(connection.poll_timeout(), Some(Time::from_millis(1_000)), "a reset is no challenge");
    for ms in [30, 35] {
        let challenge = Segment { ack: Some(Seq(5_000)), ..Segment::at(Seq(1)) };
        assert_eq!(connection.arrives(&challenge, Time::from_millis(ms)), Outcome::Refuse);
        assert_eq!(connection.poll_timeout(), Some(Time::from_millis(40)));
    }
    connection.expire(Time::from_millis(40));
    assert_eq!(sent(&mut connection, Time::from_millis(40))[0].flags, "S");
    // From there on it is the timer's, as if nothing had happened.
    let challenge = Segment { ack: Some(Seq(5_000)), ..Segment::at(Seq(1)) };
    assert_eq!(connection.arrives(&challenge, Time::from_millis(50)), Outcome::Refuse);
    assert_eq!(connection.poll_timeout(), Some(Time::from_millis(1_000)));
    let syn = Segment { syn: true, mss: Some(1_000), ..from_peer(&connection, Seq(7)) };
    said(&mut connection, Time::from_millis(60), &syn);
    assert_eq!((connection.state, connection.congestion.cwnd), (State::Established, 10 * MSS));
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn one_lost_syn_costs_no_initial_window() {
    for (timeouts, segments) in [(0, 10), (1, 10), (2, 1), (3, 1)] {
        let mut connection = open(Seq(9));
        let mut now = Time::ZERO;
        sent(&mut connection, now);
        for _ in 0..timeouts {
            now = connection.poll_timeout().unwrap();
            connection.expire(now);
            assert_eq!(sent(&mut connection, now)[0].flags, "S");
        }
        let syn = Segment { syn: true, mss: Some(1_000), ..from_peer(&connection, Seq(7)) };
        said(&mut connection, now, &syn);
        connection.send(&[7; 50_000]).unwrap();
        assert_eq!(sent(&mut connection, now).len(), segments, "after {timeouts} timeouts");
    }
}

#[test]
fn a_small_window_is_used_within_a_second_whatever_the_timeout_was_backed_off_to() {
    for timeouts in [0, 8] {
        let mut connection = established(NUMBERS[2]);
        connection.send(&[7; 1_000]).unwrap();
        let mut now = Time::ZERO;
        sent(&mut connection, now);
        for _ in 0..timeouts {
            now = connection.poll_timeout().unwrap();
            connection.expire(now);
            assert_eq!(sent(&mut connection, now).len(), 1);
        }
        // All is acknowledged, but the window is small, and so it stays when the next text comes.
        let small = Segment { window: 100, ..from_peer(&connection, connection.rcv.nxt) };
        said(&mut connection, now, &small);
        connection.send(&[7; 1_000]).unwrap();
        assert_eq!(sent(&mut connection, now), []);
        let due = connection.poll_timeout().unwrap();
        let wait = due.since(now);
        assert!((Duration::from_millis(100)..=Duration::from_secs(1)).contains(&wait), "{wait:?}");
        connection.expire(due);
        assert_eq!(sent(&mut connection, due)[0].len, 100);
        assert_eq!(connection.timers.unanswered, 0, "it is no probe");
    }
}

#[test]
fn a_window_that_opens_a_little_is_not_left_to_the_timer_of_the_probe() {
    for probes in [0, 3] {
        let mut connection = established(NUMBERS[0]);
        connection.send(&[7; 1_000]).unwrap();
        let mut now = Time::ZERO;
        sent(&mut connection, now);
        // The timeout is backed off, so that the first probe is a minute away.
        for _ in 0..8 {
            now = connection.poll_timeout().unwrap();
            connection.expire(now);
            sent(&mut connection, now);
        }
        let closed = Segment { window: 0, ..from_peer(&connection, connection.rcv.nxt) };
        said(&mut connection, now, &closed);
        connection.send(&[7; 1_000]).unwrap();
        assert_eq!(sent(&mut connection, now), []);
        for _ in 0..probes {
            now = connection.poll_timeout().unwrap();
            connection.expire(now);
            assert_eq!(sent(&mut connection, now)[0].len, 1, "a probe");
        }
        assert!(connection.poll_timeout().unwrap().since(now) > Duration::from_secs(40));
        let small = Segment { window: 100, ..from_peer(&connection, connection.rcv.nxt) };
        assert_eq!(said(&mut connection, now, &small), []);
        assert!(connection.poll_timeout().unwrap().since(now) <= Duration::from_secs(1), "{probes} probes");
    }
}

#[test]
fn a_segment_size_of_zero_is_as_good_as_none() {
    for (named, expected) in
        [(None, 536), (Some(0), 536), (Some(1), 48), (Some(600), 600), (Some(9_000), 1_000)]
    {
        let mut connection = open(Seq(9));
        sent(&mut connection, Time::ZERO);
        let syn = Segment { syn: true, mss: named, ..from_peer(&connection, Seq(7)) };
        said(&mut connection, Time::ZERO, &syn);
        assert_eq!(connection.max_segment(), expected, "{named:?}");
    }
}

#[test]
fn a_soft_error_is_told_when_the_connection_gives_up_unless_something_got_through() {
    let until_it_gives_up = |connection: &mut Connection| {
        while let Some(due) = connection.poll_timeout() {
            connection.expire(due);
            sent(connection, due);
        }
        connection.take_error()
    };
    for established_first in [false, true] {
        let start = || {
            let mut connection = if established_first { established(NUMBERS[0]) } else { open(Seq(9)) };
            let _ = connection.send(b"text");
            sent(&mut connection, Time::ZERO);
            connection
        };
        let mut connection = start();
        assert_eq!(until_it_gives_up(&mut connection), Some(Errno::ETIMEDOUT));
        let mut connection = start();
        connection.unreachable(Errno::ENETUNREACH, false);
        connection.unreachable(Errno::EHOSTUNREACH, false);
        assert_eq!(connection.take_error(), None, "it goes on");
        assert_eq!(until_it_gives_up(&mut connection), Some(Errno::EHOSTUNREACH));
        assert_eq!(connection.take_any_error(), None, "once");
        // SO_ERROR tells it before that.
        let mut connection = start();
        connection.unreachable(Errno::ENETUNREACH, false);
        assert_eq!(connection.take_any_error(), Some(Errno::ENETUNREACH));
        assert_eq!(until_it_gives_up(&mut connection), Some(Errno::ETIMEDOUT));
        // A hard one ends an attempt to connect, and nothing else.
        let mut connection = start();
        connection.unreachable(Errno::ECONNREFUSED, true);
        assert_eq!(connection.state == State::Closed, !established_first);
        assert_eq!(until_it_gives_up(&mut connection), Some(Errno::ECONNREFUSED));
    }
    let mut connection = established(NUMBERS[0]);
    connection.send(b"text").unwrap();
    sent(&mut connection, Time::ZERO);
    connection.unreachable(Errno::EHOSTUNREACH, false);
    let ack = from_peer(&connection, connection.rcv.nxt);
    said(&mut connection, Time::ZERO, &ack);
    connection.send(b"more").unwrap();
    sent(&mut connection, Time::ZERO);
    assert_eq!(until_it_gives_up(&mut connection), Some(Errno::ETIMEDOUT));
}

#[test]
fn the_invariants_hold_however_much_went_before() {
    // As if so many bytes had gone each way already: both streams began that far behind. Sometimes 2^31 or
    // 2^32 falls between SND.NXT and the right edge of the window.
    for before in [0, 1 << 30, (1 << 31) - 30_000, 1 << 31, 3 << 30, 0_u32.wrapping_sub(30_000)] {
        let mut connection = established(NUMBERS[1]);
        connection.send(&[7; 9_000]).unwrap();
        connection.snd.iss = connection.snd.iss - before;
        connection.rcv.irs = connection.rcv.irs - before;
        assert_eq!(sent(&mut connection, Time::ZERO).len(), 9, "{before} bytes");
        let ack = from_peer(&connection, connection.rcv.nxt);
        said(&mut connection, Time::ZERO, &ack);
        let syn = Segment { syn: true, ..Segment::at(connection.rcv.irs) };
        said(&mut connection, Time::ZERO, &syn);
        assert_eq!(connection.state, State::Established);
    }
}

#[test]
fn no_configuration_makes_it_panic_or_repeat_without_a_pause() {
    let (none, most) = (Duration::ZERO, Duration::MAX);
    for (min, max, initial) in
        [(none, none, none), (most, none, none), (none, most, most), (most, most, most)]
    {
        for rest in [none, most] {
            let config = Config {
                rto_min: min,
                rto_max: max,
                rto_initial: initial,
                delayed_ack: rest,
                time_wait: rest,
                fin_wait_2: rest,
                ..Config::default()
            };
            let mut connection = established(NUMBERS[0]);
            connection.config = Arc::new(config.clone().bounded());
            connection.send(&[7; 9_000]).unwrap();
            let mut now = Time::from_millis(50);
            sent(&mut connection, now);
            // A round trip, then silence until it gives up; then probes of a closed window.
            let ack = from_peer(&connection, connection.rcv.nxt);
            said(&mut connection, now, &ack);
            connection.send(&[7; 9_000]).unwrap();
            sent(&mut connection, now);
            let closed = Segment { window: 0, text: b"x", ..from_peer(&connection, connection.rcv.nxt) };
            let mut waits = Vec::new();
            while let Some(due) = connection.poll_timeout() {
                waits.push(due.since(now));
                now = due;
                connection.expire(now);
                sent(&mut connection, now);
            }
            assert!(
                waits.len() == 16 && waits[1..].iter().all(|wait| !wait.is_zero()),
                "{config:?}: {waits:?}"
            );
            let mut connection = established(NUMBERS[0]);
            connection.config = Arc::new(config.bounded());
            let closed = Segment { ack: Some(connection.snd.nxt), ..closed };
            said(&mut connection, now, &closed);
            connection.send(&[7; 9_000]).unwrap();
            connection.shut_write();
            for _ in 0..100 {
                sent(&mut connection, now);
                now = connection.poll_timeout().unwrap_or(now);
                connection.expire(now);
            }
        }
    }
}
