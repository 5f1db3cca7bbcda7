//! Cases that every lesson's check tries beside its search: messages and plans that catch the mistakes people
//! make.
//!
//! A search over a few short messages, no two of them alike, cannot tell a number from a comparison of
//! contents, nor a number of two bits from one of 32. A case brings other messages, a plan of several faults,
//! or both.

use std::time::Duration;

use faultwire::fault::{
    Action, Anchor, Class, Cut, Direction, EventKind, Fault, FaultPlan, LinkNumbers, Packet, PlanEvent, When,
};

use super::{Dialogue, Exchange, Lesson, Task};

/// A case: one run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What happens in it, as a learner is told: `message 1 comes twice, and message 2 is lost`.
    pub about: &'static str,
    /// The messages; the lesson's own if `None`.
    pub messages: Option<fn() -> Vec<Vec<u8>>>,
    /// What goes wrong, and over which link.
    pub plan: FaultPlan,
}

/// What the programs under a check are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// Machines or programs in Rust, in simulation.
    Simulated,
    /// Two commands of any language, over a kernel's sockets.
    Commands,
}

impl Lesson {
    /// Its cases, in the order in which they are tried. Empty where its search says enough.
    pub fn trials(&self, programs: Programs) -> Vec<Trial> {
        match (self.slug, programs) {
            ("plain-datagrams", _) => [large_datagrams(), vec![halves_lost()]].concat(),
            ("acknowledge-and-repeat", _) => [repeats(), large_datagrams()].concat(),
            ("sequence-numbers", _) => [twins(), repeats(), vec![overtaken()]].concat(),
            ("one-bit-is-not-enough", _) => [wrapped(), twins(), repeats()].concat(),
            ("one-read-is-not-one-message", Programs::Simulated) => small_segments(),
            ("one-read-is-not-one-message", Programs::Commands) => large_messages(),
            ("a-short-write", Programs::Commands) => vec![full_buffer()],
            ("half-close", _) => vec![much_unread(), answer_lost_often(4)],
            // Lessons 4 to 8 ask more of machines, but of commands only that they are reliable.
            (_, Programs::Commands) if matches!(self.task, Task::Datagrams(_)) => {
                [wrapped(), twins(), repeats(), vec![overtaken()]].concat()
            }
            ("a-dead-peer", Programs::Simulated) => vec![sign_lost_often()],
            ("a-dead-peer", Programs::Commands) => vec![sign_lost_often(), cut_after_a_sign()],
            _ => Vec::new(),
        }
    }
}

impl Task {
    /// Like `self`, but with the messages of a case, if it has some. Conversations and flows keep their own
    /// messages.
    pub fn with(&self, trial: &Trial) -> Option<Task> {
        match (self, trial.messages) {
            (Task::Datagrams(exchange), Some(messages)) => {
                Some(Task::Datagrams(Exchange { messages, ..*exchange }))
            }
            (Task::Datagrams(exchange), None) => Some(Task::Datagrams(*exchange)),
            (Task::Stream(dialogue), Some(messages)) => {
                Some(Task::Stream(Dialogue { messages, ..*dialogue }))
            }
            (Task::Stream(dialogue), None) => Some(Task::Stream(*dialogue)),
            (Task::Conversations(_) | Task::Flows(_), _) => None,
        }
    }
}

/// The two ways.
const UP: [&str; 2] = ["client", "server"];
const DOWN: [&str; 2] = ["server", "client"];

/// What happens to the nth datagram of a direction.
fn datagram(way: [&str; 2], nth: u32, action: Action) -> Fault {
    Fault::new(way, Packet::nth(Class::Datagram, nth), action)
}

/// What happens to the nth data segment of a direction.
fn data(way: [&str; 2], nth: u32, action: Action) -> Fault {
    Fault::new(way, Packet::nth(Class::Data, nth), action)
}

/// The first data segment of a direction is lost, and so is each retransmission until it was sent that often.
fn lost_often(way: [&str; 2], times: u32) -> Vec<Fault> {
    let sent = |transmission| {
        let packet = Packet { transmission: Some(transmission), ..Packet::nth(Class::Data, 1) };
        Fault::new(way, packet, Action::Drop)
    };
    std::iter::once(data(way, 1, Action::Drop)).chain((2..=times).map(sent)).collect()
}

fn plan(faults: impl Into<Vec<Fault>>) -> FaultPlan {
    FaultPlan::new().faults(faults.into())
}

fn over(delay: Duration, mtu: u16, rate_kbps: Option<u64>, faults: impl Into<Vec<Fault>>) -> FaultPlan {
    let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
    plan(faults).link(LinkNumbers { rate_kbps, ..LinkNumbers::new(delay_us, mtu) })
}

/// A case with the lesson's own messages.
fn own(about: &'static str, plan: FaultPlan) -> Trial {
    Trial { about, messages: None, plan }
}

/// A case with other messages.
fn with(about: &'static str, messages: fn() -> Vec<Vec<u8>>, plan: FaultPlan) -> Trial {
    Trial { about, messages: Some(messages), plan }
}

/// Longer than the bit of time for which a sender of the course waits.
const LATE: Action = Action::DelayUs(250_000);

/// Messages that a program which reads 1024 bytes at a time cuts.
fn large_datagrams() -> Vec<Trial> {
    let messages = || [1, 600, 1_400].into_iter().map(filled).collect();
    vec![
        with("messages of up to 1400 bytes", messages, plan([])),
        with(
            "messages of up to 1400 bytes, and the second comes twice",
            messages,
            plan([datagram(UP, 2, Action::Duplicate)]),
        ),
    ]
}

/// A message of `length` bytes, different from those of other lengths.
fn filled(length: usize) -> Vec<u8> {
    let mut message = format!("{length}:").into_bytes();
    message.resize(length.max(1), b'a' + (length % 26) as u8);
    message.truncate(length.max(1));
    message
}

/// Where a message goes in two datagrams, these are the end of one and the beginning of the next.
fn halves_lost() -> Trial {
    own(
        "the second and the third datagram are lost",
        plan([datagram(UP, 2, Action::Drop), datagram(UP, 3, Action::Drop)]),
    )
}

/// What a sender that repeats must get right.
fn repeats() -> Vec<Trial> {
    let six = |way| (1..=6).map(|nth| datagram(way, nth, Action::Drop)).collect::<Vec<_>>();
    vec![
        own(
            "message 1 comes twice, and message 2 is lost while it waits for its own answer",
            plan([datagram(UP, 1, Action::Duplicate), datagram(UP, 2, Action::Drop)]),
        ),
        own(
            "the first answer to message 1 comes when message 2 waits for its own, and message 2 is lost",
            plan([datagram(DOWN, 1, LATE), datagram(UP, 3, Action::Drop)]),
        ),
        own("the first six datagrams of the client are lost", plan(six(UP))),
        own("the first six answers of the server are lost", plan(six(DOWN))),
    ]
}

/// Messages whose contents do not tell them from retransmissions.
fn twins() -> Vec<Trial> {
    let messages = || {
        let words = ["again", "again", "again", "other", "other", "again"];
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    };
    vec![
        with("several messages in a row are alike", messages, plan([])),
        with(
            "several messages in a row are alike, and an answer is lost",
            messages,
            plan([datagram(DOWN, 2, Action::Drop)]),
        ),
        with(
            "several messages in a row are alike, and one of them is lost",
            messages,
            plan([datagram(UP, 2, Action::Drop)]),
        ),
    ]
}

fn overtaken() -> Trial {
    own("message 1 comes once more when message 3 was delivered", plan([datagram(UP, 1, Action::HoldFor(3))]))
}

/// The first datagram comes when its number has come round, for every modulus that divides the number of
/// messages in between: 2, 4; 3, 6, 12; 5, 10, 15, 20, 30, 60; 25, 50, 100; and the powers of two up to a
/// byte.
fn wrapped() -> Vec<Trial> {
    let messages = || (1..=300).map(|number| format!("message {number}").into_bytes()).collect();
    // A fast link: all of them pass in a fraction of the second for which a packet can be held back.
    let held = |behind| {
        let faults = [datagram(UP, 1, Action::HoldFor(behind))];
        over(Duration::from_micros(100), 1_500, None, faults)
    };
    vec![
        with("300 messages, and the first datagram comes behind the 4th message", messages, held(4)),
        with("300 messages, and the first datagram comes behind the 12th message", messages, held(12)),
        with("300 messages, and the first datagram comes behind the 60th message", messages, held(60)),
        with("300 messages, and the first datagram comes behind the 100th message", messages, held(100)),
        with("300 messages, and the first datagram comes behind the 256th message", messages, held(256)),
    ]
}

/// Messages of several segments each, of which some begin in one that another message ends in.
fn small_segments() -> Vec<Trial> {
    let messages = || (0..12).map(|number| format!("message {number:.<192}").into_bytes()).collect();
    let link = |faults: Vec<Fault>| over(Duration::from_millis(200), 100, None, faults);
    vec![
        with("messages that are larger than a segment", messages, link(Vec::new())),
        with(
            "messages that are larger than a segment, and the end of one is late",
            messages,
            link(vec![data(UP, 4, LATE)]),
        ),
    ]
}

/// Messages that come in many pieces, with ends of messages anywhere in them.
fn large_messages() -> Vec<Trial> {
    let sizes = || [1, 5_000, 1_448, 1_449, 2].into_iter().map(filled).collect();
    let many = || (0..12).map(|number| format!("message {number:.<692}").into_bytes()).collect();
    vec![
        with("messages of up to 5000 bytes", sizes, plan([])),
        with(
            "messages of up to 5000 bytes, and the end of one is late",
            sizes,
            // The first message is a segment, and the second is four.
            plan([data(UP, 5, LATE)]),
        ),
        with("messages of up to 5000 bytes, and the first is lost", sizes, plan([data(UP, 1, Action::Drop)])),
        with(
            "messages of 700 bytes over a link that is slow and carries 100 bytes at a time",
            many,
            over(Duration::from_millis(50), 100, None, []),
        ),
    ]
}

/// Messages longer than any buffer that a program can ask for by default (`net.core.wmem_max` is 212 992
/// bytes, which Linux doubles), and many times what one write takes with the lesson's buffer, which is up to
/// 54 kB.
fn full_buffer() -> Trial {
    let messages = || (b'a'..=b'c').map(|letter| vec![letter; 500_000]).collect();
    let link = over(Duration::from_millis(1), 1_500, Some(8_000), []);
    with("three messages of 500 000 bytes over a link that carries a megabyte in a second", messages, link)
}

/// More than one read gives comes behind the question.
fn much_unread() -> Trial {
    let messages = || vec![b"GET the answer".to_vec(), vec![b'm'; 20_000], b"42".to_vec()];
    with(
        "20 000 bytes come behind the question, and the answer is lost",
        messages,
        plan([data(DOWN, 1, Action::Drop)]),
    )
}

fn answer_lost_often(times: u32) -> Trial {
    own("the answer is lost again and again, for longer than a second", plan(lost_often(DOWN, times)))
}

fn sign_lost_often() -> Trial {
    own("what the server sends first is lost three times: it is alive, and slow", plan(lost_often(DOWN, 3)))
}

fn cut_after_a_sign() -> Trial {
    let [from, to] = DOWN;
    let after = Anchor::new(Direction::new(from, to), Packet::nth(Class::Data, 1));
    let cut = PlanEvent::new(EventKind::Partition(Cut::ALL), When::After(after));
    own("the server loses power when it has sent something", FaultPlan::new().events([cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_same_cases_in_all_lessons_on_reliable_datagrams_without_a_template() {
        let cases = |name| {
            let lesson = Lesson::named(name).expect("a lesson");
            let about = lesson.trials(Programs::Commands).into_iter().map(|trial| trial.about);
            about.collect::<Vec<_>>()
        };
        assert!(cases("4").len() > 10);
        for lesson in ["5", "6", "7", "8"] {
            assert_eq!(cases(lesson), cases("4"), "{lesson}");
        }
    }
}
