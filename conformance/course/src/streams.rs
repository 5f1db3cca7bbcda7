//! The lessons on streams: what each has to do, its check, its programs.

#[path = "../lessons/s4-a-dead-peer/believed.rs"]
pub mod dead_peer_believed;
#[path = "../lessons/s4-a-dead-peer/mended.rs"]
pub mod dead_peer_mended;
#[path = "../lessons/s1-one-read-is-not-one-message/delimiter.rs"]
pub mod delimiter;
#[path = "../lessons/s1-one-read-is-not-one-message/fixed.rs"]
pub mod fixed;
#[path = "../lessons/s3-half-close/believed.rs"]
pub mod half_close_believed;
#[path = "../lessons/s3-half-close/mended.rs"]
pub mod half_close_mended;
#[path = "../lessons/s1-one-read-is-not-one-message/length.rs"]
pub mod length;
#[path = "../lessons/s1-one-read-is-not-one-message/one_read.rs"]
pub mod one_read;
#[path = "../lessons/s2-a-short-write/believed.rs"]
pub mod short_write_believed;
#[path = "../lessons/s2-a-short-write/mended.rs"]
pub mod short_write_mended;

use faultwire::fault::{Action, Link};
use faultwire::stack::SocketOption;
use faultwire::trace::What;

use super::check::shown;
use super::dialogue::{Dialogue, Outcome, StreamProgram, Talk};
use super::{Lesson, Task, numbered_messages};

/// The two programs of a module, for the network of the scenarios.
macro_rules! programs {
    ($module:ident) => {
        StreamProgram {
            client: |net, stream, desk| Box::pin($module::client(net, stream, desk)),
            server: |net, stream, desk| Box::pin($module::server(net, stream, desk)),
        }
    };
}

fn any(_: &Action) -> bool {
    true
}

fn lan() -> Vec<Link> {
    vec![Link::default()]
}

/// Neither program ended with an error.
fn no_error(talk: &Talk<'_>) -> Result<(), String> {
    for (name, outcome) in [("client", talk.client), ("server", talk.server)] {
        if let Some(error) = &outcome.error {
            return Err(format!("the {name}'s program failed: {error}"));
        }
    }
    Ok(())
}

/// The server's program delivered each message once, whole and in order.
fn all_at_the_server(talk: &Talk<'_>) -> Result<(), String> {
    let mut expected = talk.messages.iter();
    for delivery in &talk.server.delivered {
        match expected.next() {
            Some(message) if *message == delivery.message => {}
            _ => return Err(format!("{} was delivered but never sent", shown(&delivery.message))),
        }
    }
    match expected.len() {
        0 => no_error(talk),
        missing => {
            let first = talk.messages.len() - missing + 1;
            let why = talk.server.error.as_ref().map_or(String::new(), |error| format!(" ({error})"));
            Err(format!("message {first} was never delivered{why}"))
        }
    }
}

/// The client's program got the answer, once.
fn answered(talk: &Talk<'_>) -> Result<(), String> {
    let Outcome { delivered, error } = talk.client;
    let got: Vec<&[u8]> = delivered.iter().map(|delivery| delivery.message.as_slice()).collect();
    let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    match (got.as_slice(), talk.messages) {
        ([], _) => Err(format!("the client never got the answer{why}")),
        ([answer], [.., expected]) if answer == expected => Ok(()),
        ([other], _) => Err(format!("the client got another answer: {}", shown(other))),
        (several, _) => Err(format!("the client delivered {} answers, and there is one", several.len())),
    }
}

/// The client comes to an end: with the answer, or, if the server lost power (or is cut off forever, which
/// looks the same), with an error, as there will be none.
fn answered_or_told(talk: &Talk<'_>) -> Result<(), String> {
    let is_gone = |what: &What| matches!(what, What::Crashed(_) | What::Partitioned(_));
    let is_dead = talk.trace.events().iter().any(|event| is_gone(&event.what));
    match is_dead && talk.client.delivered.is_empty() && talk.client.error.is_some() {
        true => Ok(()),
        false => answered(talk),
    }
}

/// Lesson s1.
pub(super) static ONE_READ: Lesson = Lesson {
    name: "s1",
    slug: "one-read-is-not-one-message",
    title: "One read is not one message",
    line: "a stream has no messages in it: who wants some must say where each ends",
    why: "What the lost segment carried comes late, and with it comes what was sent after it: TCP hands both \
          over as one run of bytes, in which nothing says where the first message ends.",
    text: include_str!("../lessons/s1-one-read-is-not-one-message/lesson.md"),
    breaks: include_str!("../lessons/s1-one-read-is-not-one-message/breaks.toml"),
    shows: any,
    task: Task::Stream(Dialogue {
        messages: || numbered_messages(3),
        real_messages: || numbered_messages(3),
        of_server: 0,
        links: lan,
        options: &[SocketOption::NoDelay(true)],
        may_die: false,
        check: all_at_the_server,
        believed: programs!(one_read),
        mended: &[programs!(length), programs!(delimiter), programs!(fixed)],
    }),
};

/// Messages that, each with its length before it, fill two segments: they are acknowledged at once.
fn large_messages() -> Vec<Vec<u8>> {
    (b'a'..=b'd').map(|letter| vec![letter; 2 * 1_460 - 4]).collect()
}

/// Messages of which the kernel takes only a part at a time into a small buffer.
fn larger_messages() -> Vec<Vec<u8>> {
    (b'a'..=b'b').map(|letter| vec![letter; 100_000]).collect()
}

/// Lesson s2.
pub(super) static SHORT_WRITE: Lesson = Lesson {
    name: "s2",
    slug: "a-short-write",
    title: "A short write",
    line: "a write may take less than it was given; the rest must be written again",
    why: "Until the lost segment is acknowledged, all that is written stays in the send buffer; there was no \
          room for the whole of a message, the write took what there was room for and said so, and the \
          program did not look.",
    text: include_str!("../lessons/s2-a-short-write/lesson.md"),
    breaks: include_str!("../lessons/s2-a-short-write/breaks.toml"),
    shows: any,
    task: Task::Stream(Dialogue {
        messages: large_messages,
        real_messages: larger_messages,
        of_server: 0,
        links: lan,
        options: &[SocketOption::NoDelay(true), SocketOption::SendBuffer(5_000)],
        may_die: false,
        check: all_at_the_server,
        believed: programs!(short_write_believed),
        mended: &[programs!(short_write_mended)],
    }),
};

fn question_and_more() -> Vec<Vec<u8>> {
    vec![b"GET the answer".to_vec(), b"and more that is not read".to_vec(), b"42".to_vec()]
}

/// Lesson s3.
pub(super) static HALF_CLOSE: Lesson = Lesson {
    name: "s3",
    slug: "half-close",
    title: "Half-close",
    line: "who has said all may still have to listen: close one direction at a time",
    why: "The server closed both directions while bytes of the client's lay unread, and its TCP said so with \
          a reset; the answer was lost on its way, and after a reset TCP does not retransmit it.",
    text: include_str!("../lessons/s3-half-close/lesson.md"),
    breaks: include_str!("../lessons/s3-half-close/breaks.toml"),
    shows: any,
    task: Task::Stream(Dialogue {
        messages: question_and_more,
        real_messages: question_and_more,
        of_server: 1,
        links: lan,
        options: &[],
        may_die: false,
        check: answered,
        believed: programs!(half_close_believed),
        mended: &[programs!(half_close_mended)],
    }),
};

fn question() -> Vec<Vec<u8>> {
    vec![b"the question".to_vec(), b"the answer".to_vec()]
}

/// Lesson s4.
pub(super) static DEAD_PEER: Lesson = Lesson {
    name: "s4",
    slug: "a-dead-peer",
    title: "A dead peer",
    line: "silence says nothing: who waits must decide for how long",
    why: "The request is acknowledged, so the client's TCP has nothing outstanding and sends nothing that \
          could go unanswered; a host without power says nothing either. Both are silent forever.",
    text: include_str!("../lessons/s4-a-dead-peer/lesson.md"),
    breaks: include_str!("../lessons/s4-a-dead-peer/breaks.toml"),
    shows: any,
    task: Task::Stream(Dialogue {
        messages: question,
        real_messages: question,
        of_server: 1,
        links: lan,
        options: &[],
        may_die: true,
        check: answered_or_told,
        believed: programs!(dead_peer_believed),
        mended: &[programs!(dead_peer_mended)],
    }),
};
