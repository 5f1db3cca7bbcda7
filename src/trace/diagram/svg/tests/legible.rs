//! No words in a picture lie on others, and none reach out of it.

use crate::fault::Cut;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::boxes::{Seen, seen};
use super::*;
use crate::model::Call;
use crate::trace::sample::addr;

/// One thing that happens: after a while, from which host to which, how many bytes, and which fault hits it.
#[derive(Clone, Debug)]
struct Step {
    after_us: u64,
    from: u16,
    to: u16,
    bytes: usize,
    transit_us: u64,
    fault: Option<Action>,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Action::Drop)),
        1 => Just(Some(Action::Duplicate)),
        1 => Just(Some(Action::CorruptBits(vec![300, 301]))),
        1 => Just(Some(Action::HoldFor(2))),
        1 => (1_u64..400_000).prop_map(|us| Some(Action::DelayUs(us))),
    ];
    let after = prop_oneof![3 => Just(0), 2 => 0..50_u64, 2 => 0..3_000_u64, 1 => 0..900_000_u64];
    let transit = prop_oneof![4 => Just(1_000_u64), 1 => 1..5_000_u64];
    (after, 0..4_u16, 1..4_u16, 0..3_000_usize, transit, fault).prop_map(
        |(after_us, from, way, bytes, transit_us, fault)| Step {
            after_us,
            from,
            to: from + way,
            bytes: bytes % 1_400,
            transit_us,
            fault,
        },
    )
}

/// The trace of these steps between so many hosts, with calls beside each.
fn trace(hosts: usize, steps: &[Step]) -> Trace {
    let mut sample = match hosts {
        2 => Sample::new(),
        _ => Sample::of(["client", "server", "third"]),
    };
    let id = |host: u16| HostId(host % u16::try_from(hosts).expect("few"));
    let mut now = 0;
    let mut due = Vec::new();
    for step in steps {
        now += step.after_us;
        land(&mut sample, &mut due, now);
        let (from, mut to) = (id(step.from), id(step.to));
        if from == to {
            to = id(step.to + 1);
        }
        sample.at_us(now);
        // At times links are cut, and mended.
        match step.bytes % 11 {
            0 => drop(sample.push(What::Partitioned(Cut::between([from, to])))),
            1 => drop(sample.push(What::Partitioned(Cut::ALL))),
            2 | 3 => drop(sample.push(What::Healed(Cut::ALL))),
            _ => {}
        }
        let packet = sample.send(from, to, &vec![7; step.bytes]);
        let arrives = now + step.transit_us;
        match step.fault.clone() {
            None => due.push((arrives, packet, 0, to)),
            Some(action) => {
                sample.fault(packet, action.clone());
                match action {
                    Action::Drop | Action::Reject(_) => {}
                    Action::Duplicate => {
                        due.extend([(arrives, packet, 0, to), (arrives + 700, packet, 1, to)])
                    }
                    Action::DelayUs(us) => due.push((arrives + us, packet, 0, to)),
                    Action::HoldFor(_) => due.push((arrives + 900, packet, 0, to)),
                    Action::CorruptBits(_) | Action::Change(_) => due.push((arrives, packet, 0, to)),
                }
            }
        }
    }
    land(&mut sample, &mut due, u64::MAX / 2_000);
    sample.trace
}

type Due = (u64, crate::trace::PacketId, u8, HostId);

/// What is due by then arrives.
fn land(sample: &mut Sample, due: &mut Vec<Due>, until: u64) {
    due.sort_by_key(|(at, packet, copy, _)| (*at, *packet, *copy));
    while due.first().is_some_and(|(at, ..)| *at <= until) {
        let (at, packet, copy, to) = due.remove(0);
        sample.at_us(at).arrives(packet, copy, to);
        if copy == 0 {
            sample.call(to, Call::Recv { from: Some(addr(to)), data: b"x".as_slice().into(), full_len: 1 });
        }
    }
}

fn picture(trace: &Trace) -> Seen {
    let svg = drawn(trace, 2_000);
    assert_eq!(svg, drawn(trace, 2_000), "the same each time");
    let seen = seen(&svg);
    assert_eq!(seen.faults(), [""; 0], "{svg}");
    seen
}

proptest! {
    // The same traces each time: a rare one that is not drawn well must not fail another day's change.
    #![proptest_config(ProptestConfig {
        cases: 250, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default()
    })]

    #[test]
    fn words_never_lie_on_words_between_two_hosts(steps in prop::collection::vec(step(), 1..32)) {
        let trace = trace(2, &steps);
        let seen = picture(&trace);
        // And none was left out: what each packet is called by stands in the picture.
        for nth in 1..=steps.iter().filter(|step| step.from % 2 == 0).count() {
            let name = format!("datagram {nth}");
            let stands = seen.words.iter().any(|words| words.text.starts_with(&name));
            let words: Vec<_> = seen.words.iter().map(|words| &words.text).collect();
            prop_assert!(stands, "{name}: {words:?}");
        }
    }

    #[test]
    fn words_never_lie_on_words_between_three_hosts(steps in prop::collection::vec(step(), 1..24)) {
        picture(&trace(3, &steps));
    }
}

/// A burst from one side, at once, under a fault on its first packet.
fn burst(packets: usize, first: Option<Action>) -> Trace {
    let mut steps: Vec<Step> = (0..packets)
        .map(|_| Step { after_us: 0, from: 0, to: 1, bytes: 1_000, transit_us: 1_000, fault: None })
        .collect();
    steps[0].fault = first;
    trace(2, &steps)
}

#[test]
fn the_words_of_a_burst_stand_clear_of_all_arrows() {
    for packets in [1, 2, 5, 12, 16] {
        for fault in [None, Some(Action::Drop), Some(Action::CorruptBits(vec![300]))] {
            let seen = picture(&burst(packets, fault.clone()));
            assert_eq!(seen.crossings(), 0, "{packets} {fault:?}");
        }
        let late = picture(&burst(packets, Some(Action::DelayUs(1))));
        assert_eq!(late.crossings(), 0, "{packets}");
    }
    // More of them at once are so steep that lines pass through words; none lie on others. It takes no long
    // time.
    picture(&burst(60, None));
    picture(&burst(500, None));
}

/// Two packets that leave at once, one to each side, cross in the middle: their words stand aside.
#[test]
fn the_words_of_what_crosses_stand_aside() {
    let step = |from| Step { after_us: 0, from, to: 1 - from, bytes: 100, transit_us: 1_000, fault: None };
    let seen = picture(&trace(2, &[step(0), step(1)]));
    assert_eq!((seen.arrows.len(), seen.crossings()), (2, 0));
}

/// Placing words takes time in proportion to the packets.
#[test]
fn a_large_picture_is_placed_as_well() {
    let mut sample = Sample::new();
    for ms in 0..3_000 {
        sample.carried(ms, CLIENT, SERVER, DATA);
    }
    let svg = drawn(&sample.trace, 100_000);
    assert_eq!(count(&svg, "class=\"packet"), 3_000);
}
