//! The lessons' machines by themselves: forged datagrams, and numbers that come round; and
//! their lessons on the other testbeds.

use std::collections::VecDeque;

use faultwire::time::Time;
use faultwire_sim::End;
use faultwire_sim::testbed::{self, TestbedRef};
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};

use super::super::packet::Packet;
use super::super::{LESSONS, Side, Task};
use super::{Duration, Lesson, Machine, adaptive, go_back_n, numbered, numbered_messages, selective_repeat};

/// All machines of the lessons.
fn machines() -> Vec<Box<dyn Machine>> {
    let of = |lesson: &&Lesson| match &lesson.task {
        Task::Datagrams(exchange) => vec![(exchange.believed.client)(), (exchange.mended.server)()],
        Task::Flows(flows) => vec![(flows.believed)(), (flows.mended)()],
        Task::Conversations(_) | Task::Stream(_) => Vec::new(),
    };
    LESSONS.iter().flat_map(of).collect()
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..10_u32, any::<u32>()];
    let packet = (any::<bool>(), number, proptest::collection::vec(any::<u8>(), 0..20));
    let packet = packet.prop_map(|(is_data, number, message)| {
        if is_data { Packet::Data(number, &message).to_bytes() } else { Packet::Ack(number).to_bytes() }
    });
    prop_oneof![3 => packet, 1 => proptest::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #[test]
    fn no_datagram_brings_a_machine_down(
        datagrams in proptest::collection::vec((datagram(), 0..500_u64), 0..30),
    ) {
        for mut machine in machines() {
            let mut now = Time::ZERO;
            let mut answers = 0;
            for (datagram, later) in &datagrams {
                if machine.is_ready() {
                    machine.send(now, b"message");
                }
                machine.on_datagram(now, datagram);
                now += Duration::from_millis(*later);
                if machine.next_timer().is_some_and(|timer| timer <= now) {
                    machine.on_timer(now);
                }
                while machine.next_datagram().is_some() {
                    answers += 1;
                }
                while machine.next_message().is_some() {}
            }
            prop_assert!(answers <= 10 * datagrams.len(), "{answers} datagrams for {}", datagrams.len());
        }
    }
}

/// Brings messages from one machine to the other, where of so many datagrams each way one is lost.
fn bring(mut sender: impl Machine, mut receiver: impl Machine, count: usize) -> Vec<Vec<u8>> {
    let (mut now, mut sent, mut lost) = (Time::ZERO, 0, 0);
    let messages = numbered_messages(count);
    let mut delivered = Vec::new();
    while sent < count || !sender.is_done() {
        assert!(now < Time::from_millis(600_000), "it does not come to an end");
        while sent < count && sender.is_ready() {
            sender.send(now, &messages[sent]);
            sent += 1;
        }
        let mut is_lost = || {
            lost += 1;
            lost % 5 == 0
        };
        let there: VecDeque<_> = std::iter::from_fn(|| sender.next_datagram()).collect();
        there.iter().filter(|_| !is_lost()).for_each(|it| receiver.on_datagram(now, it));
        delivered.extend(std::iter::from_fn(|| receiver.next_message()));
        let back: VecDeque<_> = std::iter::from_fn(|| receiver.next_datagram()).collect();
        now += Duration::from_millis(1);
        back.iter().filter(|_| !is_lost()).for_each(|it| sender.on_datagram(now, it));
        if sender.next_timer().is_some_and(|timer| timer <= now) {
            sender.on_timer(now);
        }
    }
    delivered
}

#[test]
fn numbers_come_round() {
    let count = 20;
    let start = u32::MAX - 7;
    let expected = numbered_messages(count);
    let sender = || numbered::Numbered::starting_at(start);
    assert_eq!(bring(sender(), sender(), count), expected);
    let go_back_n = || go_back_n::GoBackN::starting_at(start);
    assert_eq!(bring(go_back_n(), go_back_n(), count), expected);
    let selective = || selective_repeat::SelectiveRepeat::<adaptive::Adaptive>::starting_at(start);
    assert_eq!(bring(selective(), selective(), count), expected);
}

/// The recorded plans break the believed programs elsewhere too, and the mended ones hold under them.
fn on(testbed: TestbedRef, lessons: &[&Lesson]) {
    for lesson in lessons {
        let plan = lesson.recorded().unwrap();
        let run = |side| {
            let scenarios = lesson.scenarios(side).into_iter().map(|scenario| scenario.on(testbed));
            scenarios.map(|scenario| scenario.run(&plan).end).next_back()
        };
        let believed = run(Side::Believed);
        assert!(matches!(believed, Some(End::Failed { host: None, .. })), "{}: {believed:?}", lesson.name);
        assert_eq!(run(Side::Mended), Some(End::Finished), "{}", lesson.name);
    }
}

#[test]
fn the_lessons_run_in_turmoil() {
    let lessons = LESSONS.iter().filter(|lesson| !matches!(lesson.task, Task::Stream(_)));
    on(testbed::TURMOIL, &lessons.copied().collect::<Vec<_>>());
}

#[test]
fn the_lessons_run_over_real_sockets() {
    // The checks of the others are about time, and this machine may be busy.
    std::thread::scope(|scope| {
        for lesson in &LESSONS[..3] {
            scope.spawn(move || on(testbed::RELAY, &[lesson]));
        }
    });
}
