//! What the texts of lessons 7 to 10 say beside what every lesson is tried for.

use std::sync::{Arc, Mutex, PoisonError};

use faultwire::fault::FaultPlan;
use faultwire::machine::{Endpoint, Machine};
use faultwire_sim::{End, Net, Scenario, scenario};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::generals::General;
use super::segment::{Kind, Segment};
use super::*;
use crate::find;
use faultwire::time::Time;
use faultwire_conformance::progress::Silent;

#[test]
fn the_check_value_is_that_of_every_other_crc_32() {
    assert_eq!(checked::crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(checked::crc32(b""), 0);
}

#[test]
fn about_one_pair_of_bits_in_32_is_not_noticed_by_a_sum_and_none_by_a_crc() {
    // Of text it is fewer: its bytes are alike in their highest bits.
    let data: Vec<u8> = (0..60).map(|byte: u8| checked::crc32(&[byte]) as u8).collect();
    let sum = |data: &[u8]| {
        let words =
            data.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
        words.sum::<u32>() % 0xffff
    };
    let flipped = |bit: usize| {
        let mut data = data.clone();
        data[bit / 8] ^= 0x80 >> (bit % 8);
        data
    };
    let (mut pairs, mut unseen) = (0, 0);
    for one in 0..data.len() * 8 {
        assert_ne!(sum(&flipped(one)), sum(&data), "a single bit is always noticed");
        for other in 0..one {
            let mut both = flipped(one);
            both[other / 8] ^= 0x80 >> (other % 8);
            pairs += 1;
            unseen += usize::from(sum(&both) == sum(&data));
            assert_ne!(checked::crc32(&both), checked::crc32(&data));
        }
    }
    let one_in = pairs as f64 / unseen as f64;
    assert!((28.0..40.0).contains(&one_in), "one in {one_in}");
}

/// Lesson 8's machine, which never asks.
#[derive(Debug, Default)]
struct NeverAsks(windowed::Windowed);

impl Machine for NeverAsks {
    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.0.send(now, message);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.0.on_datagram(now, datagram);
    }
    fn next_timer(&self) -> Option<Time> {
        self.0.next_timer()
    }
    fn on_timer(&mut self, now: Time) {
        self.0.on_timer(now);
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        std::iter::from_fn(|| self.0.next_datagram()).find(|datagram| *datagram != [2])
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.0.next_message()
    }
    fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

#[test]
fn who_never_asks_waits_for_ever_when_one_leave_is_lost() {
    let Task::Datagrams(exchange) = &FLOW_CONTROL.task else { panic!("another task") };
    let scenarios = exchange.scenarios("never-asks", &both::<NeverAsks>());
    let broken = find(&scenarios, any_loss, &mut Silent).unwrap().expect("it holds");
    assert!(matches!(broken.run.end, End::Stalled { .. }), "{}", broken.how);
    assert_eq!(broken.run.plan.faults.len(), 1);
    assert_eq!(broken.run.plan.faults[0].direction.from, "server");
}

fn any_loss(action: &Action) -> bool {
    matches!(action, Action::Drop)
}

#[test]
fn a_lost_end_leaves_the_server_waiting() {
    let broken = find(&OPENING_AND_CLOSING.scenarios(crate::Side::Believed), any_loss, &mut Silent);
    let broken = broken.unwrap().expect("it holds");
    assert_eq!(broken.run.plan.faults.len(), 1);
    let End::Failed { host: None, message } = &broken.run.end else { panic!("{}", broken.how) };
    assert_eq!(
        message, "the check: the server had 1 of 2 conversations",
        "it took the second for the rest of the first"
    );
}

/// Who attacks, of the two generals.
type Decisions = Arc<Mutex<[bool; 2]>>;

/// Two generals who have agreed on so many messages. The run fails where one attacks alone.
fn generals(agreed: u8) -> Scenario {
    /// Longer than all messages take.
    const DAWN: Duration = Duration::from_millis(500);
    let decisions = Decisions::default();
    let decide = |decisions: &Decisions, which: usize, attacks| {
        decisions.lock().unwrap_or_else(PoisonError::into_inner)[which] = attacks;
    };
    let second = {
        let decisions = decisions.clone();
        move |net: Net| {
            let decisions = decisions.clone();
            async move {
                let mut endpoint = Endpoint::answer(&net, "0.0.0.0:7000", General::second(agreed)).await?;
                endpoint.linger(DAWN).await?;
                decide(&decisions, 1, endpoint.machine().attacks());
                Ok(())
            }
        }
    };
    let first = {
        let decisions = decisions.clone();
        move |net: Net| {
            let decisions = decisions.clone();
            async move {
                let mut endpoint = Endpoint::call(&net, "server:7000", General::first(agreed)).await?;
                endpoint.send(&[]).await?;
                endpoint.linger(DAWN).await?;
                decide(&decisions, 0, endpoint.machine().attacks());
                Ok(())
            }
        }
    };
    scenario("two-generals").client_on("server", second).client(first).invariant("the check", move |_| {
        match *decisions.lock().unwrap_or_else(PoisonError::into_inner) {
            [one, other] if one == other => Ok(()),
            [one, _] => Err(format!("only the {} general attacks", if one { "first" } else { "second" })),
        }
    })
}

#[test]
fn of_two_generals_one_is_sure_and_the_other_not_whatever_the_number_of_messages() {
    for agreed in 1..=10 {
        let scenario = generals(agreed);
        let run = scenario.run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{agreed} messages, none lost: both attack");
        let sent = run.trace.sendings().count();
        assert_eq!(sent, usize::from(agreed));
        let broken = find(&[scenario], any_loss, &mut Silent).unwrap();
        let broken = broken.unwrap_or_else(|| panic!("{agreed} messages are enough"));
        let [fault] = broken.run.plan.faults.as_slice() else { panic!("{}", broken.how) };
        let (from, nth) = if agreed % 2 == 1 { ("client", agreed / 2 + 1) } else { ("server", agreed / 2) };
        assert_eq!((fault.direction.from.as_str(), fault.packet.nth), (from, u32::from(nth)), "the last one");
        let alone = if from == "client" { "first" } else { "second" };
        assert_eq!(broken.how, format!("only the {alone} general attacks"), "who sent the last one");
    }
}

fn segment(kind: Kind, numbers: [u32; 4], message: &[u8]) -> Vec<u8> {
    let [from, to, number, expected] = numbers;
    Segment { kind, from, to, number, expected, message }.to_bytes()
}

proptest! {
    #[test]
    fn segments_are_read_as_they_were_written(numbers: [u32; 4], message: Vec<u8>, kind in 0..5_u8) {
        let bytes = [&[kind][..], &numbers.map(u32::to_be_bytes).concat(), &message].concat();
        let read = Segment::read(&bytes).expect("a segment");
        prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn no_segment_brings_a_conversation_down(
        segments in proptest::collection::vec(
            (0..5_u8, [0..4_u32, 0..4_u32, 0..4_u32, 0..4_u32], any::<bool>()), 0..30,
        ),
        calls: bool,
    ) {
        use crate::Talker as _;
        let mut machine = conversation::Conversation::default();
        let mut now = Time::ZERO;
        if calls {
            machine.open(now);
        }
        let (mut answers, mut peer) = (0, [0, 0]);
        for (kind, numbers, is_right) in &segments {
            now += Duration::from_millis(50);
            // Names are random, or the right ones.
            let [from, to, number, expected] = *numbers;
            let [mine, theirs] = peer;
            let (from, to) = if *is_right { (theirs, mine) } else { (from, to) };
            let kind = [Kind::Open, Kind::Data, Kind::End, Kind::Ack, Kind::Unknown][usize::from(*kind)];
            machine.on_datagram(now, &segment(kind, [from, to, number, expected], b"x"));
            if machine.is_ready() {
                machine.send(now, b"y");
            }
            if machine.next_timer().is_some_and(|timer| timer <= now) {
                machine.on_timer(now);
            }
            while let Some(datagram) = machine.next_datagram() {
                answers += 1;
                let sent = Segment::read(&datagram).expect("its own");
                peer = [sent.from, sent.to];
            }
            while machine.next_message().is_some() {}
        }
        prop_assert!(answers <= 4 * segments.len() + 1, "{answers}");
    }
}
