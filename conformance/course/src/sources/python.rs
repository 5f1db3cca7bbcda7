//! The lessons in Python.

use super::{PythonPair, PythonProgram};

const PYTHON_PLAIN: PythonPair = PythonPair {
    client: lesson_file!("00-plain-datagrams/python/client.py"),
    server: lesson_file!("00-plain-datagrams/python/server.py"),
};
const PYTHON_REPEAT: PythonPair = PythonPair {
    client: lesson_file!("01-acknowledge-and-repeat/python/client.py"),
    server: lesson_file!("01-acknowledge-and-repeat/python/server.py"),
};
const PYTHON_NUMBERED: PythonPair = PythonPair {
    client: lesson_file!("02-sequence-numbers/python/client.py"),
    server: lesson_file!("02-sequence-numbers/python/server.py"),
};

/// The side that delivers, where before each message comes its length.
const PYTHON_FRAMED_SERVER: &str = lesson_file!("s1-one-read-is-not-one-message/python/server.py");
/// The side that asks.
const PYTHON_ASKS: &str = lesson_file!("s3-half-close/python/client.py");

/// The lessons that can be done from a template in Python.
pub static PYTHON: &[PythonProgram] = &[
    PythonProgram {
        slug: "plain-datagrams",
        believed: PythonPair {
            client: lesson_file!("00-plain-datagrams/python/believed_client.py"),
            server: lesson_file!("00-plain-datagrams/python/believed_server.py"),
        },
        mended: PYTHON_PLAIN,
        gap_client: "the bytes of a message are spread over several datagrams, of which each may be lost, \
                     late or doubled. Change what is sent, such that only messages that were sent are \
                     delivered.",
        gap_server: "the server takes what comes for one stream of bytes. Change that, such that it goes \
                     with what the client sends.",
    },
    PythonProgram {
        slug: "acknowledge-and-repeat",
        believed: PYTHON_PLAIN,
        mended: PYTHON_REPEAT,
        gap_client: "a lost datagram is lost for good, and the client does not notice. Every message has \
                     to arrive at least once, and the client ends when all have. No two messages are \
                     alike.",
        gap_server: "the client cannot know what has arrived here. Change that. (`sender` is the client's \
                     address.)",
    },
    PythonProgram {
        slug: "sequence-numbers",
        believed: PYTHON_REPEAT,
        mended: PYTHON_NUMBERED,
        gap_client: "a message whose answer was lost is sent again, and delivered again. Each has to be \
                     delivered once, and in order. Two messages may be alike.",
        gap_server: "the server cannot tell a repeat from a new message. Two messages may be alike.",
    },
    PythonProgram {
        slug: "one-bit-is-not-enough",
        believed: PythonPair {
            client: lesson_file!("03-one-bit-is-not-enough/python/believed_client.py"),
            server: lesson_file!("03-one-bit-is-not-enough/python/believed_server.py"),
        },
        mended: PYTHON_NUMBERED,
        gap_client: "a datagram may be held back until many more messages were delivered. Then its bit is \
                     the one that is expected.",
        gap_server: "deliver each message once, and in order, whatever old datagrams come.",
    },
    PythonProgram {
        slug: "one-read-is-not-one-message",
        believed: PythonPair {
            client: lesson_file!("s1-one-read-is-not-one-message/python/believed_client.py"),
            server: lesson_file!("s1-one-read-is-not-one-message/python/believed_server.py"),
        },
        mended: PythonPair {
            client: lesson_file!("s1-one-read-is-not-one-message/python/client.py"),
            server: PYTHON_FRAMED_SERVER,
        },
        gap_client: "nothing tells the server where a message ends. Change that.",
        gap_server: "one `recv` gives what there is: less than a message, or more. Deliver the messages, \
                     each whole, however the stream is cut.",
    },
    PythonProgram {
        slug: "a-short-write",
        believed: PythonPair {
            client: lesson_file!("s2-a-short-write/python/believed_client.py"),
            server: PYTHON_FRAMED_SERVER,
        },
        mended: PythonPair {
            client: lesson_file!("s2-a-short-write/python/client.py"),
            server: PYTHON_FRAMED_SERVER,
        },
        gap_client: "some of a message may not be written, and the client does not notice. Write all of \
                     each.",
        gap_server: "",
    },
    PythonProgram {
        slug: "half-close",
        believed: PythonPair {
            client: PYTHON_ASKS,
            server: lesson_file!("s3-half-close/python/believed_server.py"),
        },
        mended: PythonPair { client: PYTHON_ASKS, server: lesson_file!("s3-half-close/python/server.py") },
        gap_client: "",
        gap_server: "the way in which the server ends the connection can cost the client the answer. \
                     Change that, such that the client always gets it.",
    },
    PythonProgram {
        slug: "a-dead-peer",
        believed: PythonPair {
            client: lesson_file!("s4-a-dead-peer/python/believed_client.py"),
            server: lesson_file!("s4-a-dead-peer/python/believed_server.py"),
        },
        mended: PythonPair {
            client: lesson_file!("s4-a-dead-peer/python/client.py"),
            server: lesson_file!("s4-a-dead-peer/python/server.py"),
        },
        gap_client: "where the server's host has lost power, the client waits forever. It has to end \
                     then, with an exit code that is not 0; but a server that is alive may take its time, \
                     and so may the network.",
        gap_server: "while it thinks, the server looks as a dead one does. Change that.",
    },
];
