//! What is acknowledged, and when; and what comes after the peer's end.

use super::*;

#[test]
fn an_acknowledgement_waits_for_company_only_where_nothing_is_missing() {
    // Where segments of a hundred bytes begin, one after the other, and which are acknowledged at once.
    for (segments, what) in [
        (&[(0, false)][..], "the first in order waits"),
        (&[(0, false), (100, true)], "two in order do not"),
        (&[(0, false), (100, true), (200, false)], "the third waits again"),
        (&[(100, true)], "what came early"),
        (&[(100, true), (0, true)], "what fills a gap"),
        (&[(100, true), (300, true), (0, true)], "what fills one of two"),
        (&[(0, false), (0, true)], "what came twice"),
        (&[(u32::from(WINDOW) - 50, true)], "what does not fit whole"),
    ] {
        let mut connection = established(NUMBERS[1]);
        let start = connection.rcv.nxt;
        for (at, at_once) in segments {
            let segment = Segment { text: &[7; 100], ..from_peer(&connection, start + *at) };
            let answer = said(&mut connection, Time::ZERO, &segment);
            assert_eq!(answer.len(), usize::from(*at_once), "{what}: {at}");
            assert_eq!(connection.poll_timeout().is_some(), !at_once, "{what}: {at}");
        }
        if let Some(due) = connection.poll_timeout() {
            assert_eq!(due, Time::from_millis(40), "{what}");
            connection.expire(due);
            assert_eq!(sent(&mut connection, due)[0].ack, Some(connection.rcv.nxt), "{what}");
        }
    }
}

#[test]
fn nothing_is_taken_behind_the_peers_fin() {
    for shuts_first in [None, Some(false), Some(true)] {
        let mut connection = established(NUMBERS[2]);
        let (start, una) = (connection.rcv.nxt, connection.snd.una);
        if shuts_first == Some(true) {
            connection.shut_write();
            sent(&mut connection, Time::ZERO);
        }
        let fin = Segment { fin: true, ack: Some(una), ..from_peer(&connection, start) };
        said(&mut connection, Time::ZERO, &fin);
        if shuts_first == Some(false) {
            connection.shut_write();
            sent(&mut connection, Time::ZERO);
        }
        let state = connection.state;
        let expected = match shuts_first {
            None => State::CloseWait,
            Some(false) => State::LastAck,
            Some(true) => State::Closing,
        };
        assert_eq!(state, expected);
        for fin in [false, true] {
            let text = Segment { text: b"more", fin, ack: Some(una), ..from_peer(&connection, start + 1) };
            said(&mut connection, Time::ZERO, &text);
            assert_eq!((connection.state, connection.rcv.nxt), (state, start + 1));
            assert_eq!(connection.receive(&mut [0; 9]), Ok(0), "the end, in {state}");
        }
    }
}

#[test]
fn a_syn_that_comes_again_is_answered_again() {
    let syn = Segment { syn: true, window: WINDOW, mss: Some(MSS as u16), ..Segment::at(Seq(70)) };
    let mut connection = Connection::answer(Arc::new(Config::default().bounded()), options(), Seq(9), &syn);
    let first = sent(&mut connection, Time::ZERO);
    assert_eq!((first.len(), first[0].seq, first[0].ack, &*first[0].flags), (1, Seq(9), Some(Seq(71)), "S"));
    for ms in 1..4 {
        assert_eq!(said(&mut connection, Time::from_millis(ms), &syn), first);
        assert_eq!(connection.state, State::SynReceived);
    }
}
