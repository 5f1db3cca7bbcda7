//! Each check, on runs that it must see.

use faultwire::fault::FaultPlan;

use super::super::datagrams::alternating_bit::AlternatingBit;
use super::super::exchange::numbered_messages;
use super::super::{Lesson, Program, Side, Task};
use super::*;

/// What the checks say of three messages of which these (by their numbers, 9 is a stranger) were delivered.
fn said(delivered: &[usize], check: fn(&Transfer<'_>) -> Result<(), String>) -> String {
    let messages = numbered_messages(3);
    let trace = faultwire::trace::Trace::new(["server", "client"]);
    let message = |number: usize| messages.get(number - 1).cloned().unwrap_or_else(|| b"mess".to_vec());
    let delivered: Vec<_> =
        delivered.iter().map(|it| Delivery { at: Time::ZERO, message: message(*it) }).collect();
    let run = Transfer { messages: &messages, delivered: &delivered, done: Time::ZERO, trace: &trace };
    check(&run).err().unwrap_or_default()
}

#[test]
fn what_is_wrong_with_a_delivery_is_said() {
    assert_eq!(said(&[1, 2, 3], reliable), "");
    assert_eq!(said(&[3, 1, 1], intact), "");
    assert_eq!(said(&[1, 9], intact), "\"mess\" was delivered but never sent");
    assert_eq!(said(&[1, 3], all_delivered), "message 2 was never delivered (delivered: 1, 3)");
    assert_eq!(said(&[], all_delivered), "message 1 was never delivered (nothing was delivered)");
    assert_eq!(said(&[1, 2, 9, 2], none_twice), "message 2 was delivered 2 times (delivered: 1, 2, ?, 2)");
    assert_eq!(said(&[1, 3, 2], in_order), "message 2 was delivered after message 3 (delivered: 1, 3, 2)");
    for wrong in [&[1, 2, 3, 9][..], &[1, 2], &[1, 2, 3, 3], &[2, 1, 3]] {
        assert_ne!(said(wrong, reliable), "", "{wrong:?}");
    }
}

/// What a lesson's check says of its believed program over its nth link, under a plan.
fn believed(lesson: &str, link: usize, plan: &str) -> String {
    let lesson = Lesson::named(lesson).unwrap();
    let plan = FaultPlan::parse(plan, "plan").unwrap();
    match lesson.scenarios(Side::Believed)[link].run(&plan).end {
        faultwire_sim::End::Failed { message, .. } => message,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_fixed_timeout_is_too_long_over_a_short_link() {
    let drop_the_fifth = "format = 1\n[[fault]]\ndirection = \"client->server\"\naction = \"drop\"\n\
                          packet = { class = \"datagram\", nth = 5 }\n";
    let said = believed("6", 0, drop_the_fifth);
    assert_eq!(said, "the check: message 5 was sent again after 200 ms, and 30 ms are enough");
    // With nothing lost it is long enough.
    assert_eq!(believed("6", 0, "format = 1\n"), "Finished");
}

#[test]
fn a_machine_that_never_comes_to_an_end_stalls() {
    let lesson = Lesson::named("3").unwrap();
    let Task::Datagrams(exchange) = &lesson.task else { panic!("lesson {} has another task", lesson.name) };
    let deaf: Program =
        Program { server: || Box::<Deaf>::default(), client: || Box::<AlternatingBit>::default() };
    let run = exchange.scenarios("deaf", &deaf)[0].run(&FaultPlan::default());
    assert!(matches!(run.end, faultwire_sim::End::Stalled { .. }), "{:?}", run.end);
}

/// Never answers.
#[derive(Default)]
struct Deaf;

impl faultwire::machine::Machine for Deaf {
    fn send(&mut self, _now: Time, _message: &[u8]) {}
    fn on_datagram(&mut self, _now: Time, _datagram: &[u8]) {}
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        None
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        None
    }
}
