//! The datagram lessons: the task, the check and the programs of each.

#[path = "../lessons/06-adaptive-timeout/adaptive.rs"]
pub mod adaptive;
#[path = "../lessons/03-one-bit-is-not-enough/alternating_bit.rs"]
pub mod alternating_bit;
#[path = "../lessons/04-go-back-n/go_back_n.rs"]
pub mod go_back_n;
#[path = "../lessons/02-sequence-numbers/numbered.rs"]
pub mod numbered;
#[path = "../lessons/05-selective-repeat/patience.rs"]
pub mod patience;
#[path = "../lessons/00-plain-datagrams/plain.rs"]
pub mod plain;
#[path = "../lessons/01-acknowledge-and-repeat/repeat.rs"]
pub mod repeat;
#[path = "../lessons/05-selective-repeat/selective_repeat.rs"]
pub mod selective_repeat;
#[path = "../lessons/00-plain-datagrams/stream_of_bytes.rs"]
pub mod stream_of_bytes;

use std::time::Duration;

use faultwire::fault::{Action, Link, LinkNumbers, Profile};
use faultwire::machine::Machine;

use super::check::{
    all_delivered, all_delivered_without_faults, frugal, intact, none_twice, notices_losses, reliable, within,
};
use super::exchange::{Exchange, Program, World, numbered_messages};
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

/// Over a satellite that stands still above the equator: 36 000 km up, and down again, and the rest of the
/// way.
const SATELLITE: Link = Link::Numbers(LinkNumbers::new(150_000, 1500));

const PLAIN_PROGRAM: Program = both::<plain::Plain>();
const REPEAT_PROGRAM: Program = both::<repeat::Repeat>();
const NUMBERED_PROGRAM: Program = both::<numbered::Numbered>();
const GO_BACK_N_PROGRAM: Program = both::<go_back_n::GoBackN>();
const SELECTIVE_PROGRAM: Program = both::<selective_repeat::SelectiveRepeat<patience::Fixed>>();
const ADAPTIVE_PROGRAM: Program = both::<selective_repeat::SelectiveRepeat<adaptive::Adaptive>>();

/// Lesson 0.
pub(super) static PLAIN: Lesson = Lesson {
    name: "0",
    slug: "plain-datagrams",
    title: "Plain datagrams",
    line: "a datagram comes whole or not at all; between two of them there is nothing",
    why: "The bytes of one datagram came twice, and the receiver, who counts bytes, took the second copy for \
          the rest of the message and has been out of step ever since.",
    text: include_str!("../lessons/00-plain-datagrams/lesson.md"),
    breaks: include_str!("../lessons/00-plain-datagrams/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        world: World::PLAIN,
        check: |run| intact(run).and_then(|()| all_delivered_without_faults(run)),
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
    why: "The datagram was lost on its way, and neither side will ever know: the sender is told nothing, \
          and the receiver waits for nothing.",
    text: include_str!("../lessons/01-acknowledge-and-repeat/lesson.md"),
    breaks: include_str!("../lessons/01-acknowledge-and-repeat/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        world: World::PLAIN,
        check: |run| intact(run).and_then(|()| all_delivered(run)),
        believed: PLAIN_PROGRAM,
        mended: REPEAT_PROGRAM,
    }),
};

/// Lesson 2.
pub(super) static NUMBERS: Lesson = Lesson {
    name: "2",
    slug: "sequence-numbers",
    title: "Sequence numbers against duplicates",
    line: "who repeats makes duplicates: a number tells a repeat from something new",
    why: "The message had arrived, only its acknowledgement was lost; the sender cannot tell this from a \
          lost message, sends it again, and the receiver delivers it again.",
    text: include_str!("../lessons/02-sequence-numbers/lesson.md"),
    breaks: include_str!("../lessons/02-sequence-numbers/breaks.toml"),
    shows: losses,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        world: World::PLAIN,
        check: |run| none_twice(run).and_then(|()| reliable(run)),
        believed: REPEAT_PROGRAM,
        mended: NUMBERED_PROGRAM,
    }),
};

/// Lesson 3.
pub(super) static ONE_BIT: Lesson = Lesson {
    name: "3",
    slug: "one-bit-is-not-enough",
    title: "One bit is not enough",
    line: "in a network that reorders, an old datagram must not look like a new one",
    why: "The first copy of message 1 was overtaken by its repeat and by message 2; when it came, its bit \
          was the bit of message 3.",
    text: include_str!("../lessons/03-one-bit-is-not-enough/lesson.md"),
    breaks: include_str!("../lessons/03-one-bit-is-not-enough/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(4),
        links: lan,
        world: World::PLAIN,
        check: reliable,
        believed: both::<alternating_bit::AlternatingBit>(),
        mended: NUMBERED_PROGRAM,
    }),
};

/// Lesson 4.
pub(super) static GO_BACK_N: Lesson = Lesson {
    name: "4",
    slug: "go-back-n",
    title: "Go-back-N",
    line: "who waits for each answer uses little of the link: several at once",
    why: "Nothing went wrong: each of the eight messages waits for the acknowledgement of the one before, \
          and eight round trips of 100 ms are 800 ms.",
    text: include_str!("../lessons/04-go-back-n/lesson.md"),
    breaks: include_str!("../lessons/04-go-back-n/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(8),
        links: || vec![Link::Profile(Profile::Wan)],
        world: World::PLAIN,
        check: |run| {
            reliable(run)?;
            within(run, Duration::from_millis(400), Duration::from_millis(400))
        },
        believed: NUMBERED_PROGRAM,
        mended: GO_BACK_N_PROGRAM,
    }),
};

/// Lesson 5.
pub(super) static SELECTIVE_REPEAT: Lesson = Lesson {
    name: "5",
    slug: "selective-repeat",
    title: "Selective repeat",
    line: "the receiver keeps what comes early, and only what was lost is sent again",
    why: "One datagram was lost, and the three behind it arrived; the receiver threw them away, so the \
          sender must send all four again.",
    text: include_str!("../lessons/05-selective-repeat/lesson.md"),
    breaks: include_str!("../lessons/05-selective-repeat/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(6),
        links: lan,
        world: World::PLAIN,
        check: |run| {
            reliable(run)?;
            frugal(run)
        },
        believed: GO_BACK_N_PROGRAM,
        mended: SELECTIVE_PROGRAM,
    }),
};

/// Lesson 6.
pub(super) static ADAPTIVE: Lesson = Lesson {
    name: "6",
    slug: "adaptive-timeout",
    title: "An adaptive timeout",
    line: "how long to wait for an answer is measured, not guessed",
    why: "Nothing was lost: the answer takes 300 ms, and the sender, who waits for 200, sends every message \
          twice.",
    text: include_str!("../lessons/06-adaptive-timeout/lesson.md"),
    breaks: include_str!("../lessons/06-adaptive-timeout/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(6),
        links: || vec![Link::default(), SATELLITE],
        world: World::PLAIN,
        check: |run| {
            reliable(run)?;
            frugal(run)?;
            notices_losses(run, Duration::from_millis(30))
        },
        believed: SELECTIVE_PROGRAM,
        mended: ADAPTIVE_PROGRAM,
    }),
};

#[cfg(test)]
mod tests;
