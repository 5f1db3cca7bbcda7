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

const PLAIN: RustSource = single(lesson_file!("00-plain-datagrams/plain.rs"), "Plain");
const REPEAT: RustSource = single(lesson_file!("01-acknowledge-and-repeat/repeat.rs"), "Repeat");
const NUMBERED: RustSource = single(lesson_file!("02-sequence-numbers/numbered.rs"), "Numbered");
const GO_BACK_N: RustSource = single(lesson_file!("04-go-back-n/go_back_n.rs"), "GoBackN");

const SELECTIVE_TEXT: &str = lesson_file!("05-selective-repeat/selective_repeat.rs");
const PATIENCE: (&str, &str) = ("patience", lesson_file!("05-selective-repeat/patience.rs"));
const ADAPTIVE_MODULE: (&str, &str) = ("adaptive", lesson_file!("06-adaptive-timeout/adaptive.rs"));
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
        believed: single(lesson_file!("00-plain-datagrams/stream_of_bytes.rs"), "Bytes"),
        mended: PLAIN,
        gap: "The bytes of a message are spread over several datagrams, of which each may be lost, \
              late or doubled. Change `send`, `on_datagram` and `next_message`, such that only \
              messages that were sent are delivered.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "acknowledge-and-repeat",
        believed: PLAIN,
        mended: REPEAT,
        gap: "A lost datagram is lost for good, and no machine notices. Every message has to arrive at \
              least once; no two are alike. `is_ready`, `next_timer`, `on_timer` and `is_done` are \
              missing here (the trait says what they are for), and \
              `faultwire_course::TIMEOUT` is how long to wait before anything is tried \
              once more.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "sequence-numbers",
        believed: REPEAT,
        mended: NUMBERED,
        gap: "A message whose answer was lost is sent again, and delivered again. Each has to be \
              delivered once, and in order. Two messages may be alike. \
              (`faultwire_course::packet` may be of use.)",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "one-bit-is-not-enough",
        believed: single(lesson_file!("03-one-bit-is-not-enough/alternating_bit.rs"), "AlternatingBit"),
        mended: NUMBERED,
        gap: "A datagram may be held back until many more messages were delivered. Then its bit is the \
              one that is expected. Deliver each message once, and in order, whatever old datagrams \
              come.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "go-back-n",
        believed: NUMBERED,
        mended: GO_BACK_N,
        gap: "The link is empty most of the time: eight messages take eight round trips. They have to \
              be across in half of that, each once, and in order.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "selective-repeat",
        believed: GO_BACK_N,
        mended: SELECTIVE,
        gap: "One lost datagram has four messages sent again. Only what was lost may be sent again, \
              and each message still has to be delivered once, and in order.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "adaptive-timeout",
        believed: SELECTIVE,
        mended: ADAPTIVE,
        gap: "The machine itself is fine: it asks a `Patience` how long to wait, and tells it what it \
              sees. `patience::Fixed`, below, waits 200 ms on every link. Write another one that suits \
              each link, and put it into `Mine`.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "checksum",
        believed: ADAPTIVE,
        mended: RustSource {
            root: lesson_file!("07-checksum/checked.rs"),
            modules: &[("selective_repeat", SELECTIVE_TEXT), PATIENCE, ADAPTIVE_MODULE],
            machine: Some("Checked<selective_repeat::SelectiveRepeat<adaptive::Adaptive>>"),
        },
        gap: "The machine believes whatever comes, damaged or not, and UDP's sum does not see all \
              damage. Write a machine around this one that lets only whole messages through, and put \
              it into `Mine` below.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "flow-control",
        believed: RustSource {
            root: lesson_file!("08-flow-control/bounded.rs"),
            modules: &[("selective_repeat", SELECTIVE_TEXT), PATIENCE, ADAPTIVE_MODULE],
            machine: Some("Bounded<selective_repeat::SelectiveRepeat<adaptive::Adaptive>>"),
        },
        mended: single(lesson_file!("08-flow-control/windowed.rs"), "Windowed"),
        gap: "The sender sends more than the receiver has room for. Nothing may be thrown away for \
              want of room; and no loss may stop the flow forever.",
        gap_below: MACHINE,
    },
    RustProgram {
        slug: "opening-and-closing",
        believed: single(lesson_file!("09-opening-and-closing/unannounced.rs"), "Unannounced"),
        mended: RustSource {
            root: lesson_file!("09-opening-and-closing/conversation.rs"),
            modules: &[("segment", lesson_file!("09-opening-and-closing/segment.rs"))],
            machine: Some("Conversation"),
        },
        gap: "An old datagram can begin a conversation, and neither side learns whether the end \
              arrived. Each conversation has to bring its own messages, all of them, and nothing of \
              another's. (`open` and `close` say when the program begins and ends one; `is_ready` may \
              be false for a while.)",
        gap_below: "impl Talker for ",
    },
    RustProgram {
        slug: "congestion-control",
        believed: RustSource {
            root: lesson_file!("10-congestion-control/greedy.rs"),
            modules: &[FLOW],
            machine: Some("flow::Flow<Greedy>"),
        },
        mended: RustSource {
            root: lesson_file!("10-congestion-control/aimd.rs"),
            modules: &[FLOW],
            machine: Some("flow::Flow<Aimd>"),
        },
        gap: "Sixteen messages are on their way, whatever becomes of them, and the narrow link drops \
              some. Keep it busy, share it with others, and lose little. The machine itself, \
              `flow::Flow` below, is fine.",
        gap_below: "impl Control for ",
    },
    RustProgram {
        slug: "one-read-is-not-one-message",
        believed: pair(lesson_file!("s1-one-read-is-not-one-message/one_read.rs")),
        mended: pair(lesson_file!("s1-one-read-is-not-one-message/length.rs")),
        gap: "Nothing tells the server where a message ends, and one `read` gives what there is. \
              Change both programs, such that the server delivers the messages, each whole, however \
              the stream is cut.",
        gap_below: CLIENT,
    },
    RustProgram {
        slug: "a-short-write",
        believed: pair(SHORT_WRITE.1),
        mended: RustSource {
            root: lesson_file!("s2-a-short-write/mended.rs"),
            modules: &[SHORT_WRITE],
            machine: None,
        },
        gap: "Some of a message may not be written, and the client does not notice. Write all of each.",
        gap_below: CLIENT,
    },
    RustProgram {
        slug: "half-close",
        believed: pair(HALF_CLOSE.1),
        mended: RustSource {
            root: lesson_file!("s3-half-close/mended.rs"),
            modules: &[HALF_CLOSE],
            machine: None,
        },
        gap: "The way in which the server ends the connection can cost the client the answer. Change \
              that, such that the client always gets it.",
        gap_below: SERVER,
    },
    RustProgram {
        slug: "a-dead-peer",
        believed: pair(lesson_file!("s4-a-dead-peer/believed.rs")),
        mended: pair(lesson_file!("s4-a-dead-peer/mended.rs")),
        gap: "Where the server's host has lost power, the client waits forever. It has to end then, \
              with an error; but a server that is alive may take its time, and so may the network. \
              (`net.timeout(span, work).await` bounds a wait.)",
        gap_below: CLIENT,
    },
];
