//! The lessons in Rust.

use super::{RustProgram, RustSource};

/// Where a gap is, in most of the files.
const MACHINE: &str = " Machine for ";
const CLIENT: &str = "pub async fn client";
const SERVER: &str = "pub async fn server";

/// A program of one file.
const fn single(root: &'static str, machine: &'static str) -> RustSource {
    RustSource { root, modules: &[], machine: Some(machine) }
}

/// Two programs over a stream.
const fn pair(root: &'static str) -> RustSource {
    RustSource { root, modules: &[], machine: None }
}

const PLAIN: RustSource = single(lesson_file!("00-plain-datagrams/rung.rs"), "Plain");
const REPEAT: RustSource = single(lesson_file!("01-acknowledge-and-repeat/rung.rs"), "Repeat");
const NUMBERED: RustSource = single(lesson_file!("02-sequence-numbers/rung.rs"), "Numbered");
const GO_BACK_N: RustSource = single(lesson_file!("04-go-back-n/rung.rs"), "GoBackN");

const SELECTIVE_TEXT: &str = lesson_file!("05-selective-repeat/rung.rs");
const PATIENCE: (&str, &str) = ("patience", lesson_file!("05-selective-repeat/patience.rs"));
const ADAPTIVE_MODULE: (&str, &str) = ("adaptive", lesson_file!("06-adaptive-time-out/rung.rs"));
const SELECTIVE: RustSource = RustSource {
    root: SELECTIVE_TEXT,
    modules: &[PATIENCE],
    machine: Some("SelectiveRepeat<patience::Fixed>"),
};
const ADAPTIVE: RustSource = RustSource {
    root: SELECTIVE_TEXT,
    modules: &[PATIENCE, ADAPTIVE_MODULE],
    machine: Some("SelectiveRepeat<adaptive::Adaptive>"),
};

const FLOW: (&str, &str) = ("flow", lesson_file!("10-congestion-control/flow.rs"));
const SHORT_WRITE: (&str, &str) = ("short_write_believed", lesson_file!("s2-a-short-write/believed.rs"));
const HALF_CLOSE: (&str, &str) = ("half_close_believed", lesson_file!("s3-half-close/believed.rs"));

/// The lessons that can be done in Rust.
pub static RUST: &[RustProgram] = &[
    RustProgram {
        slug: "plain-datagrams",
        believed: single(lesson_file!("00-plain-datagrams/believed.rs"), "Bytes"),
        mended: PLAIN,
        gap: "What belongs together is spread over several datagrams, of which each may be lost, late or doubled. \
              Change `send`, `on_datagram` and `next_message` such that each datagram makes sense without any other.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "acknowledge-and-repeat",
        believed: PLAIN,
        mended: REPEAT,
        gap: "Nobody learns that a datagram was lost. Let the receiver answer each message, and the sender repeat what \
              is not answered. A datagram then has to say whether it is a message or an answer; `is_ready`, \
              `next_timer`, `on_timer` and `is_done` are missing here (the trait says what they are for), and \
              `faultwire_conformance::lesson::TIMEOUT` is how long to wait.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "sequence-numbers",
        believed: REPEAT,
        mended: NUMBERED,
        gap: "A repeat is delivered as if it were a new message. Give each message a number, and let the receiver \
              remember which one it expects. `faultwire_conformance::lesson::packet::Packet` writes and reads \
              datagrams with numbers.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "one-bit-is-not-enough",
        believed: single(lesson_file!("03-one-bit-is-not-enough/believed.rs"), "AlternatingBit"),
        mended: NUMBERED,
        gap: "A datagram that was held back looks like a new one, for its bit has come round. Widen the number: \
              `next`, `expected`, and what is done with a message that is not the expected one.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "go-back-n",
        believed: NUMBERED,
        mended: GO_BACK_N,
        gap: "The link is empty most of the time: the next message waits for the acknowledgement of the one before. \
              Keep several messages in `waiting`, and let `is_ready` be true while there are fewer than four.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "selective-repeat",
        believed: GO_BACK_N,
        mended: SELECTIVE,
        gap: "What comes early is thrown away, and has to be sent again. Let the receiver keep it until its turn \
              comes and acknowledge it for itself, and the sender repeat only what was not acknowledged: a timer for \
              each message.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "adaptive-time-out",
        believed: SELECTIVE,
        mended: ADAPTIVE,
        gap: "The machine itself is fine: it asks a `Patience` how long to wait, and tells it what it sees. \
              `patience::Fixed`, below, does not listen. Write another one that measures, and put it into `Mine`.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "checksum",
        believed: ADAPTIVE,
        mended: RustSource {
            root: lesson_file!("07-checksum/rung.rs"),
            modules: &[("selective_repeat", SELECTIVE_TEXT), PATIENCE, ADAPTIVE_MODULE],
            machine: Some("Checked<selective_repeat::SelectiveRepeat<adaptive::Adaptive>>"),
        },
        gap: "Whatever comes is believed. Write a machine around this one that adds a remainder to each datagram \
              that goes out, and throws away what comes with a wrong one; put it into `Mine` below.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "flow-control",
        believed: RustSource {
            root: lesson_file!("08-flow-control/believed.rs"),
            modules: &[("selective_repeat", SELECTIVE_TEXT), PATIENCE, ADAPTIVE_MODULE],
            machine: Some("Bounded<selective_repeat::SelectiveRepeat<adaptive::Adaptive>>"),
        },
        mended: single(lesson_file!("08-flow-control/rung.rs"), "Windowed"),
        gap: "The sender does not know how much room the receiver has. Let each acknowledgement say it, and the sender \
              keep to it; and think of the acknowledgement that is lost when there was no room.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "opening-and-closing",
        believed: single(lesson_file!("09-opening-and-closing/believed.rs"), "Unannounced"),
        mended: RustSource {
            root: lesson_file!("09-opening-and-closing/rung.rs"),
            modules: &[("segment", lesson_file!("09-opening-and-closing/segment.rs"))],
            machine: Some("Conversation"),
        },
        gap: "An old datagram can begin a conversation, and nobody learns whether the end arrived. Give each \
              conversation a name that both sides have agreed on before anything counts (`open` begins that; `is_ready` \
              is false until then); and number, acknowledge and repeat the end like a message.",
        gap_below: "impl Talker for ",
    },
    RustProgram {
        slug: "congestion-control",
        believed: RustSource {
            root: lesson_file!("10-congestion-control/believed.rs"),
            modules: &[FLOW],
            machine: Some("flow::Flow<Greedy>"),
        },
        mended: RustSource {
            root: lesson_file!("10-congestion-control/rung.rs"),
            modules: &[FLOW],
            machine: Some("flow::Flow<Aimd>"),
        },
        gap: "Sixteen messages are on their way, whatever becomes of them. Keep a window that grows while messages are \
              acknowledged and shrinks when one is lost. The machine itself, `flow::Flow` below, is fine.",
        gap_below: "impl Control for ",
    },
    RustProgram {
        slug: "one-read-is-not-one-message",
        believed: pair(lesson_file!("s1-one-read-is-not-one-message/believed.rs")),
        mended: pair(lesson_file!("s1-one-read-is-not-one-message/length.rs")),
        gap: "Nothing in the stream says where a message ends. Write that too, and let the server read until it has a \
              whole message, however many reads that takes.",
        gap_below: CLIENT,
    },
    RustProgram {
        slug: "a-short-write",
        believed: pair(SHORT_WRITE.1),
        mended: RustSource {
            root: lesson_file!("s2-a-short-write/rung.rs"),
            modules: &[SHORT_WRITE],
            machine: None,
        },
        gap: "`write` says how much it took, and nobody looks. Write the rest again, in a loop of your own.",
        gap_below: CLIENT,
    },
    RustProgram {
        slug: "half-close",
        believed: pair(HALF_CLOSE.1),
        mended: RustSource {
            root: lesson_file!("s3-half-close/rung.rs"),
            modules: &[HALF_CLOSE],
            machine: None,
        },
        gap: "The server closes both directions while something of the client's may lie unread. Close the one that it is \
              done with, and read the other to its end.",
        gap_below: SERVER,
    },
    RustProgram {
        slug: "a-dead-peer",
        believed: pair(lesson_file!("s4-a-dead-peer/believed.rs")),
        mended: pair(lesson_file!("s4-a-dead-peer/rung.rs")),
        gap: "The client waits for ever where nobody is left. Let the server say now and then that it is still there, and \
              the client give up when it hears nothing for too long: `net.timeout(span, work).await` ends a wait.",
        gap_below: CLIENT,
    },
];
