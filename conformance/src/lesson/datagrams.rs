//! The ladder of datagram lessons: what each has to do, its check, its programs.

#[path = "../../lessons/01-acknowledge-and-repeat/rung.rs"]
pub mod acknowledge;
#[path = "../../lessons/02-sequence-numbers/rung.rs"]
pub mod numbers;
#[path = "../../lessons/00-plain-datagrams/rung.rs"]
pub mod plain;
#[path = "../../lessons/00-plain-datagrams/believed.rs"]
pub mod stream_of_bytes;

use faultwire::fault::{Action, Link};
use faultwire::machine::Machine;

use super::check::{all_delivered, intact, none_twice, reliable};
use super::exchange::{Exchange, Program, numbered_messages};
use super::{Lesson, Task};

/// A program whose two sides are the same machine, as it is when it is new.
const fn both<M: Machine + Default>() -> Program {
    Program::both(|| Box::new(M::default()))
}

fn any(_: &Action) -> bool {
    true
}

/// A network that loses datagrams, and does them no other harm.
fn losses(action: &Action) -> bool {
    matches!(action, Action::Drop)
}

fn lan() -> Vec<Link> {
    vec![Link::default()]
}

const PLAIN_PROGRAM: Program = both::<plain::Plain>();
const ACKNOWLEDGE_PROGRAM: Program = both::<acknowledge::Repeat>();
const NUMBERS_PROGRAM: Program = both::<numbers::Numbered>();

/// Lesson 0.
pub(super) static PLAIN: Lesson = Lesson {
    name: "0",
    slug: "plain-datagrams",
    title: "Plain datagrams",
    line: "a datagram comes whole or not at all; between two of them there is nothing",
    why: "The bytes of one datagram came twice, and the receiver, who counts bytes, took the second copy for \
          the rest of the message and has been out of step ever since.",
    text: include_str!("../../lessons/00-plain-datagrams/lesson.md"),
    breaks: include_str!("../../lessons/00-plain-datagrams/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        check: intact,
        believed: both::<stream_of_bytes::Bytes>(),
        mended: PLAIN_PROGRAM,
    }),
};

/// Lesson 1.
pub(super) static ACKNOWLEDGE: Lesson = Lesson {
    name: "1",
    slug: "acknowledge-and-repeat",
    title: "Acknowledge and repeat",
    line: "what is lost is sent again, by the one who waits in vain for an answer",
    why: "The datagram was lost on its way, and nobody will ever know: the sender is told nothing, and the \
          receiver waits for nothing.",
    text: include_str!("../../lessons/01-acknowledge-and-repeat/lesson.md"),
    breaks: include_str!("../../lessons/01-acknowledge-and-repeat/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        check: |run| intact(run).and_then(|()| all_delivered(run)),
        believed: PLAIN_PROGRAM,
        mended: ACKNOWLEDGE_PROGRAM,
    }),
};

/// Lesson 2.
pub(super) static NUMBERS: Lesson = Lesson {
    name: "2",
    slug: "sequence-numbers",
    title: "Sequence numbers against duplicates",
    line: "who repeats makes duplicates: a number tells a repeat from something new",
    why: "The message had arrived, only its acknowledgement was lost; the sender cannot tell this from a lost \
          message, sends it again, and the receiver delivers it again.",
    text: include_str!("../../lessons/02-sequence-numbers/lesson.md"),
    breaks: include_str!("../../lessons/02-sequence-numbers/breaks.toml"),
    shows: losses,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        check: |run| none_twice(run).and_then(|()| reliable(run)),
        believed: ACKNOWLEDGE_PROGRAM,
        mended: NUMBERS_PROGRAM,
    }),
};
