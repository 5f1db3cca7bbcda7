//! Two machines with a wire between them that loses, doubles, delays and damages.

mod hostile;
mod pair;

use std::time::Duration;

use proptest::prelude::*;

use self::pair::{Fate, Pair};
use super::*;

const MS: Duration = Duration::from_millis(1);

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Doubled),
        1 => (1_u64..300).prop_map(Fate::Late),
        1 => (any::<prop::sample::Index>(), 0_u8..8).prop_map(|(at, bit)| Fate::Damaged(at, bit)),
    ];
    // Two in a row always get through, now and then: who loses everything eleven times gives up, and may.
    prop::collection::vec(fate, 0..120).prop_map(|fates| {
        let parts = fates.chunks(5).map(|part| [part, &[Fate::Arrives, Fate::Arrives]].concat());
        parts.collect::<Vec<_>>().concat()
    })
}

/// A message by its length, what it asks for, and which end sends it.
fn messages(longest: usize) -> impl Strategy<Value = Vec<(usize, Delivery, usize)>> {
    let reliability = prop_oneof![
        Just(Reliability::Once),
        Just(Reliability::Reliable),
        (1_u64..400).prop_map(|ms| Reliability::Within(Duration::from_millis(ms))),
    ];
    let order = prop_oneof![Just(Order::Unordered), (0_u8..3).prop_map(Order::Ordered)];
    let delivery = (reliability, order).prop_map(|(reliability, order)| Delivery { reliability, order });
    prop::collection::vec((0..longest, delivery, 0_usize..2), 1..40)
}

/// Bytes that say which message of which end they are, if there is room.
fn content(end: usize, number: usize, len: usize) -> Vec<u8> {
    let head = format!("{end}/{number}/");
    head.bytes().chain((0..).map(|at: usize| (at * 31 + number) as u8)).take(len).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What each message asks for it gets, whatever the wire does for a while.
    #[test]
    fn each_message_gets_what_it_asks_for(
        fates in fates(), messages in messages(3_000), buffer in 4_096_u64..40_000,
        datagram_max in 256_usize..1_500,
    ) {
        let config = Config::default().with_buffers(buffer, buffer).with_datagram_max(datagram_max);
        let mut pair = Pair::new(&config, fates);
        let mut sent = [Vec::new(), Vec::new()];
        for (index, (len, delivery, end)) in messages.into_iter().enumerate() {
            let data = content(end, index, len);
            let id = pair.send(end, &data, delivery);
            sent[end].push((id, data, delivery));
        }
        pair.settle();
        for (end, sent) in sent.iter().enumerate() {
            let got = &pair.got[1 - end];
            let given_up = &pair.given_up[end];
            for (id, data, delivery) in sent {
                // Short ones may be alike.
                let alike = sent.iter().filter(|(_, other, ..)| other == data).count();
                let copies = got.iter().filter(|(_, got)| got == data).count();
                prop_assert!(copies <= alike, "message {id:?} came {copies} times");
                match delivery.reliability {
                    Reliability::Reliable => prop_assert!(copies >= 1, "{id:?} is missing"),
                    Reliability::Within(_) => {
                        prop_assert!(copies >= 1 || given_up.contains(id), "{id:?}: not told");
                    }
                    Reliability::Once => {}
                }
                if given_up.contains(id) {
                    prop_assert!(matches!(delivery.reliability, Reliability::Within(_)));
                }
            }
            for stream in 0..3 {
                let order = Order::Ordered(stream);
                let mut expected = sent.iter().filter(|(.., delivery)| delivery.order == order);
                for (_, got) in got.iter().filter(|(of, _)| *of == order) {
                    prop_assert!(expected.any(|(_, data, _)| data == got), "out of order in stream {stream}");
                }
            }
        }
    }

    /// More than any buffer holds, in one stream each way: every byte, once, in order; then a close that both
    /// see.
    #[test]
    fn a_stream_arrives_whole_and_is_closed(fates in fates(), count in 1_usize..60) {
        let config = Config::default().with_buffers(8_192, 8_192);
        let mut pair = Pair::new(&config, fates);
        for number in 0..count {
            for end in 0..2 {
                pair.send(end, &content(end, number, 700), Delivery::RELIABLE.in_stream(7));
            }
        }
        pair.settle();
        for end in 0..2 {
            let expected: Vec<_> = (0..count).map(|number| content(1 - end, number, 700)).collect();
            let got: Vec<_> = pair.got[end].iter().map(|(_, data)| data.clone()).collect();
            prop_assert_eq!(got, expected);
        }
        pair.close(0);
        prop_assert_eq!(&pair.ended, &[Some(Ended::ByUs), Some(Ended::ByPeer)]);
    }
}

#[test]
fn a_peer_that_answers_nothing_is_given_up_in_bounded_time() {
    let config = Config::default();
    let mut pair = Pair::new(&config, Vec::new());
    pair.send(0, b"there?", Delivery::RELIABLE);
    pair.settle();
    let start = pair.now;
    pair.is_cut = true;
    pair.send(0, b"still?", Delivery::RELIABLE);
    pair.run_until(|pair| pair.ended == [Some(Ended::TimedOut); 2]);
    // Eleven timeouts from 50 ms on, none above 5 s; the other end first asks after its keep-alive.
    let took = pair.now.since(start);
    assert!(took > Duration::from_secs(20) && took < Duration::from_secs(60), "{took:?}");
    assert_eq!(pair.unsent, [1, 0]);
}

#[test]
fn nobody_there_is_told_after_the_tries() {
    let mut pair = Pair::unopened(&Config::default().with_tries_max(3));
    pair.is_cut = true;
    pair.run_until(|pair| pair.ended[0].is_some());
    assert_eq!(pair.ended[0], Some(Ended::TimedOut));
    assert!(pair.now.since_start() < Duration::from_secs(30));
}

#[test]
fn a_peer_that_was_started_again_says_so() {
    let config = Config::default();
    let mut pair = Pair::new(&config, Vec::new());
    pair.send(0, b"before", Delivery::RELIABLE);
    pair.settle();
    pair.restart(1);
    pair.send(0, b"after", Delivery::RELIABLE);
    let start = pair.now;
    pair.run_until(|pair| pair.ended[0].is_some());
    assert_eq!((pair.ended[0], pair.unsent[0]), (Some(Ended::Reset), 1));
    assert!(pair.now.since(start) < 100 * MS, "at once");
    assert!(pair.got[1].iter().all(|(_, data)| data == b"before"));
}

#[test]
fn what_is_sent_once_is_not_repeated_and_the_rest_goes_on_without_it() {
    let fates = [Fate::Arrives, Fate::Arrives, Fate::Arrives, Fate::Arrives];
    let mut pair = Pair::new(&Config::default(), fates.to_vec());
    pair.settle();
    pair.fates.extend([Fate::Lost]);
    let once = Delivery::ONCE.in_stream(1);
    pair.send(0, &[1; 900], once);
    pair.send(0, &[2; 900], once);
    pair.send(0, &[3; 900], Delivery::RELIABLE.in_stream(1));
    pair.settle();
    let got: Vec<u8> = pair.got[1].iter().map(|(_, data)| data[0]).collect();
    assert_eq!(got, [2, 3]);
}

#[test]
fn what_has_a_time_is_given_up_when_it_is_over() {
    let mut pair = Pair::new(&Config::default(), Vec::new());
    pair.settle();
    pair.is_cut = true;
    let start = pair.now;
    let id = pair.send(0, b"now or never", Delivery::within(300 * MS));
    pair.run_until(|pair| !pair.given_up[0].is_empty());
    assert_eq!((&pair.given_up[0][..], pair.now.since(start)), (&[id][..], 300 * MS));
    pair.is_cut = false;
    pair.send(0, b"later", Delivery::RELIABLE.in_stream(0));
    pair.settle();
    assert_eq!(pair.got[1], [(Order::Ordered(0), b"later".to_vec())]);
}

#[test]
fn a_receiver_that_takes_nothing_holds_its_sender_back() {
    let config = Config::default().with_buffers(16_384, 1 << 20);
    let mut pair = Pair::new(&config, Vec::new());
    pair.takes[1] = false;
    for number in 0..100 {
        pair.send(0, &content(0, number, 1_000), Delivery::RELIABLE.in_stream(0));
    }
    for _ in 0..2_000 {
        pair.step();
    }
    assert!(pair.unsent(0) >= 85, "{} of 100", pair.unsent(0));
    pair.takes[1] = true;
    pair.settle();
    assert_eq!(pair.got[1].len(), 100);
}

#[test]
fn the_window_opens_again_though_the_news_of_it_was_lost() {
    let config = Config::default().with_buffers(4_096, 1 << 20);
    let mut pair = Pair::new(&config, Vec::new());
    pair.takes[1] = false;
    for number in 0..10 {
        pair.send(0, &content(0, number, 1_000), Delivery::RELIABLE.in_stream(0));
    }
    for _ in 0..200 {
        pair.step();
    }
    // The receiver takes what it has, and all that it says of that is lost.
    pair.takes[1] = true;
    pair.is_cut = true;
    pair.collect();
    pair.flush_transmits();
    pair.is_cut = false;
    pair.settle();
    assert_eq!(pair.got[1].len(), 10);
}

#[test]
fn what_is_too_long_or_too_much_is_refused() {
    let mut pair = Pair::new(&Config::default().with_buffers(8_192, 8_192), Vec::new());
    pair.settle();
    assert_eq!(pair.try_send(0, &[0; 9_000]), Err(SendError::TooLong { max: 8_064 }));
    assert!(pair.try_send(0, &[0; 8_064]).is_ok());
    assert_eq!(pair.try_send(0, &[]), Err(SendError::Full));
    pair.settle();
    assert_eq!(pair.got[1].len(), 1);
    pair.close(0);
    assert_eq!(pair.try_send(0, &[]), Err(SendError::Closed));
}

#[test]
fn the_window_grows_on_a_good_way_and_shrinks_on_loss() {
    let mut pair = Pair::new(&Config::default(), Vec::new());
    let start = pair.vitals(0).congestion_window;
    for number in 0..300 {
        pair.send(0, &content(0, number, 1_000), Delivery::RELIABLE);
    }
    pair.settle();
    let grown = pair.vitals(0);
    assert!(grown.congestion_window > 4 * start, "{grown:?}");
    assert_eq!(grown.lost, 0);
    assert_eq!(grown.round_trip.map(|round_trip| round_trip.as_millis()), Some(20));
    pair.fates.extend([Fate::Arrives, Fate::Lost]);
    for number in 0..10 {
        pair.send(0, &content(0, number, 1_000), Delivery::RELIABLE);
    }
    pair.settle();
    let after = pair.vitals(0);
    assert_eq!((after.lost, after.congestion_window), (1, grown.congestion_window / 2));
}
