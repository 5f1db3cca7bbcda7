//! What is sent, and when: the congestion window, loss recovery, giving up, and when a writer is woken.

use super::*;
use crate::model::TcpNote;

/// The connection, ten full segments that it has sent, and the number of the first.
fn ten_sent() -> (Connection, Seq) {
    let mut connection = established(NUMBERS[1]);
    let first = connection.snd.nxt;
    connection.send(&[7; 10 * MSS as usize]).unwrap();
    assert_eq!(sent(&mut connection, Time::ZERO).len(), 10);
    (connection, first)
}

/// The peer acknowledges what lies before `ack`, and this side answers with these segments.
fn acknowledged(connection: &mut Connection, ms: u64, ack: Seq) -> Vec<Seq> {
    let segment = Segment { ack: Some(ack), ..from_peer(connection, connection.rcv.nxt) };
    said(connection, Time::from_millis(ms), &segment).iter().map(|sent| sent.seq).collect()
}

#[test]
fn three_duplicates_halve_the_window_and_each_partial_acknowledgement_fills_a_hole() {
    let (mut connection, first) = ten_sent();
    assert_eq!(connection.congestion.cwnd, 10 * MSS);
    for _ in 0..2 {
        assert_eq!(acknowledged(&mut connection, 50, first), []);
    }
    assert_eq!(acknowledged(&mut connection, 50, first), [first]);
    assert_eq!((connection.congestion.ssthresh, connection.congestion.cwnd), (5 * MSS, 8 * MSS));
    assert_eq!(connection.poll_timeout(), Some(Time::from_millis(250)));
    // RFC 6582, section 4: the first partial acknowledgement restarts the timer, the others do not.
    for (ms, acked, due) in [(60, 2, 260), (70, 4, 260), (80, 6, 260)] {
        let hole = first + acked * MSS;
        assert_eq!(acknowledged(&mut connection, ms, hole), [hole]);
        assert_eq!(connection.poll_timeout(), Some(Time::from_millis(due)), "{acked} acknowledged");
    }
    assert_eq!(acknowledged(&mut connection, 90, first + 10 * MSS), []);
    assert_eq!(connection.poll_timeout(), None, "nothing is outstanding");
    assert_eq!(connection.congestion.cwnd, 2 * MSS, "no burst follows");
}

#[test]
fn an_acknowledgement_is_no_duplicate_while_nothing_is_outstanding() {
    let (mut connection, first) = ten_sent();
    acknowledged(&mut connection, 1, first + 10 * MSS);
    let cwnd = connection.congestion.cwnd;
    for _ in 0..4 {
        assert_eq!(acknowledged(&mut connection, 2, first + 10 * MSS), []);
    }
    assert_eq!((connection.congestion.cwnd, connection.congestion.duplicates), (cwnd, 0));
}

#[test]
fn the_first_timeout_halves_the_threshold_and_the_next_leaves_it() {
    let (mut connection, first) = ten_sent();
    for _ in 0..2 {
        let due = connection.poll_timeout().unwrap();
        connection.expire(due);
        let again = sent(&mut connection, due);
        assert_eq!((again.len(), again[0].seq, again[0].len), (1, first, MSS as usize));
        assert_eq!((connection.congestion.ssthresh, connection.congestion.cwnd), (5 * MSS, MSS));
    }
    // Slow start: each acknowledgement lets out two segments more.
    assert_eq!(acknowledged(&mut connection, 900, first + MSS), [first + MSS, first + 2 * MSS]);
    assert_eq!(acknowledged(&mut connection, 900, first + 2 * MSS), [first + 3 * MSS, first + 4 * MSS]);
}

#[test]
fn a_pause_of_more_than_a_timeout_takes_the_window_back_to_the_initial_one() {
    for (pause, segments) in [(150, 20), (200, 20), (201, 10)] {
        let (mut connection, first) = ten_sent();
        for acked in 1..=10 {
            acknowledged(&mut connection, 0, first + acked * MSS);
        }
        connection.send(&[7; 30 * MSS as usize]).unwrap();
        let now = Time::from_millis(pause);
        assert_eq!(sent(&mut connection, now).len(), segments, "after {pause} ms");
    }
}

#[test]
fn a_fin_waits_for_the_congestion_window() {
    let (mut connection, first) = ten_sent();
    connection.shut_write();
    assert_eq!(sent(&mut connection, Time::ZERO), [], "ten segments are outstanding");
    assert_eq!(acknowledged(&mut connection, 1, first + MSS), [first + 10 * MSS]);
    assert_eq!(connection.snd.nxt, first + 10 * MSS + 1, "the FIN");
}

#[test]
fn acknowledgements_of_nothing_new_do_not_keep_a_connection_from_giving_up() {
    let (mut connection, first) = ten_sent();
    let mut timeouts = 0;
    while connection.state == State::Established && timeouts < 30 {
        timeouts += 1;
        let due = connection.poll_timeout().unwrap();
        connection.expire(due);
        sent(&mut connection, due);
        let ack = Segment { ack: Some(first), ..from_peer(&connection, connection.rcv.nxt) };
        connection.arrives(&ack, due);
        sent(&mut connection, due);
    }
    assert_eq!((timeouts, connection.error), (connection.config.retries + 1, Some(Errno::ETIMEDOUT)));
}

#[test]
fn a_writer_is_woken_once_a_third_of_its_buffer_is_free() {
    let (mut connection, first) = ten_sent();
    connection.set_send_buffer(12 * MSS as usize);
    for (acked, free, woken) in [(1, false, false), (2, true, true), (3, true, false), (10, true, false)] {
        connection.take_woken();
        assert_eq!(acknowledged(&mut connection, 1, first + acked * MSS), []);
        assert_eq!(connection.readiness().writable, free, "{acked} acknowledged");
        assert_eq!(connection.take_woken(), woken, "{acked} acknowledged");
    }
}

#[test]
fn memory_counts_what_is_not_acknowledged_not_read_and_ahead_of_its_turn() {
    let (mut connection, _) = ten_sent();
    let mut least = 10 * MSS as usize;
    assert!(connection.memory() >= least);
    for (at, len) in [(0, 3_000_usize), (9_000, 700), (20_000, 1)] {
        let text = vec![7; len];
        let seq = connection.rcv.irs + 1 + at;
        let segment = Segment { text: &text, ..from_peer(&connection, seq) };
        said(&mut connection, Time::ZERO, &segment);
        // The peer has acknowledged all that was sent, and the buffer may keep the memory or not.
        least = if at == 0 { len } else { least + len };
        assert!(connection.memory() >= least, "{} bytes, at least {least}", connection.memory());
    }
}

#[test]
fn a_connection_that_is_over_holds_no_memory() {
    let (mut connection, first) = ten_sent();
    let reset = Segment { rst: true, ..from_peer(&connection, connection.rcv.nxt) };
    said(&mut connection, Time::ZERO, &reset);
    assert_eq!((connection.state, connection.memory()), (State::Closed, 0));
    // It is not over, but at rest.
    let (mut connection, _) = ten_sent();
    let text = Segment { text: &[7; 30_000], ack: Some(first), ..from_peer(&connection, connection.rcv.nxt) };
    said(&mut connection, Time::ZERO, &text);
    assert_eq!(connection.receive(&mut [0; 30_000]), Ok(30_000));
    acknowledged(&mut connection, 1, first + 10 * MSS);
    assert_eq!(connection.memory(), 0);
}

#[test]
fn the_last_segment_of_what_was_written_is_pushed() {
    let mut connection = established(NUMBERS[0]);
    connection.send(&[7; 3 * MSS as usize]).unwrap();
    let mut pushed = Vec::new();
    while let Some(segment) = connection.next_segment(Time::ZERO) {
        pushed.push((segment.text.len(), segment.psh));
    }
    assert_eq!(pushed, [(1_000, false), (1_000, false), (1_000, true)]);
    connection.shut_write();
    let fin = connection.next_segment(Time::ZERO).unwrap();
    assert_eq!((fin.fin, fin.psh), (true, false), "there is nothing to push");
}

#[test]
fn a_small_segment_waits_for_an_acknowledgement_unless_delay_is_off() {
    // What is written after a small segment that is outstanding, what is sent of it, and with TCP_NODELAY.
    for (written, sent_at_once, without_delay) in [
        (1, &[][..], &[1][..]),
        (999, &[], &[999]),
        (1_000, &[1_000], &[1_000]),
        (1_001, &[1_000], &[1_000, 1]),
    ] {
        for no_delay in [false, true] {
            let mut connection = established(NUMBERS[0]);
            connection.send(b"x").unwrap();
            assert_eq!(sent(&mut connection, Time::ZERO).len(), 1);
            connection.set_no_delay(no_delay);
            connection.send(&vec![7; written]).unwrap();
            let lens: Vec<usize> = sent(&mut connection, Time::ZERO).iter().map(|sent| sent.len).collect();
            let expected = if no_delay { without_delay } else { sent_at_once };
            assert_eq!(lens, expected, "{written} bytes, TCP_NODELAY {no_delay}");
        }
    }
}

#[test]
fn half_of_the_largest_window_is_sent_at_once_where_less_waits() {
    // The peer never offered more than 600 bytes, so that no full segment will ever go out.
    for (window, len) in [(299, 0), (300, 300), (600, 600)] {
        let mut connection = open(Seq(9));
        sent(&mut connection, Time::ZERO);
        let ack = Some(connection.snd.nxt);
        let syn = Segment { syn: true, ack, mss: Some(MSS as u16), window: 600, ..Segment::at(Seq(7)) };
        said(&mut connection, Time::ZERO, &syn);
        let ack = Segment { window, ..from_peer(&connection, connection.rcv.nxt) };
        said(&mut connection, Time::ZERO, &ack);
        connection.send(&[7; 2_000]).unwrap();
        let total: usize = sent(&mut connection, Time::ZERO).iter().map(|sent| sent.len).sum();
        assert_eq!(total, len, "a window of {window}");
    }
}

#[test]
fn only_what_is_outstanding_can_be_reported() {
    let (mut connection, first) = ten_sent();
    acknowledged(&mut connection, 1, first + 2 * MSS);
    for (at, outstanding) in
        [(0, false), (2 * MSS - 1, false), (2 * MSS, true), (10 * MSS - 1, true), (10 * MSS, false)]
    {
        assert_eq!(connection.is_outstanding(first + at), outstanding, "{at} behind the first");
    }
}

#[test]
fn notes_tell_of_states_and_of_a_window_that_closes() {
    let mut connection = established(NUMBERS[0]);
    let states = [State::SynSent, State::Established].map(TcpNote::State);
    assert_eq!(connection.take_notes(), states);
    let mut buffer = vec![0; WINDOW.into()];
    for _ in 0..2 {
        for half in 1..=2 {
            let text = vec![7; usize::from(WINDOW) / 2];
            let segment = Segment { text: &text, ..from_peer(&connection, connection.rcv.nxt) };
            said(&mut connection, Time::ZERO, &segment);
            let expected: &[TcpNote] = if half == 2 { &[TcpNote::WindowClosed] } else { &[] };
            assert_eq!(connection.take_notes(), expected, "after half {half}");
        }
        // A probe is answered, and the window is as closed as before.
        let probe = Segment { text: b"x", ..from_peer(&connection, connection.rcv.nxt) };
        assert_eq!(said(&mut connection, Time::ZERO, &probe).len(), 1);
        assert_eq!(connection.take_notes(), []);
        assert_eq!(connection.receive(&mut buffer), Ok(WINDOW.into()));
        assert_eq!(sent(&mut connection, Time::ZERO).len(), 1, "the window is open again");
        assert_eq!(connection.take_notes(), []);
    }
}
