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
        gap_client: "what belongs together is spread over several datagrams. Let each datagram make sense without any \
                     other.",
        gap_server: "the server takes the bytes of all datagrams for one stream. It has to go with what the client \
                     sends.",
    },
    PythonProgram {
        slug: "acknowledge-and-repeat",
        believed: PYTHON_PLAIN,
        mended: PYTHON_REPEAT,
        gap_client: "nobody learns that a datagram was lost. Wait for an answer to each message, for 0.2 s \
                     (`sock.settimeout`), and send it again if none comes; an answer to another message is none.",
        gap_server: "the server answers nothing. `sender` is whom to answer; the answer has to say what it answers.",
    },
    PythonProgram {
        slug: "sequence-numbers",
        believed: PYTHON_REPEAT,
        mended: PYTHON_NUMBERED,
        gap_client: "give each message a number (`struct.pack(\">I\", number)` makes four bytes of it), and wait for the \
                     answer to that number.",
        gap_server: "a repeat is delivered as if it were new. Remember which number comes next; answer a repeat, but \
                     do not print it again.",
    },
    PythonProgram {
        slug: "one-bit-is-not-enough",
        believed: PythonPair {
            client: lesson_file!("03-one-bit-is-not-enough/python/believed_client.py"),
            server: lesson_file!("03-one-bit-is-not-enough/python/believed_server.py"),
        },
        mended: PYTHON_NUMBERED,
        gap_client: "a datagram that was held back looks like a new one, for its bit has come round. Widen the number: \
                     `struct.pack(\">I\", number)` makes four bytes of one that does not come round so soon.",
        gap_server: "deliver what has exactly the number that is expected; answer what has a lower one, and nothing else.",
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
        gap_client: "nothing in the stream says where a message ends. Write that too.",
        gap_server: "one `recv` gives what there is: less than a message, or more. Read until there is a whole message, \
                     however many reads that takes, and keep what comes behind it.",
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
        gap_client: "`send` says how much it took, and nobody looks. Send the rest again, in a loop of your own.",
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
        gap_server: "`close` closes both directions, while something of the client's may lie unread. Close the one that is \
                     done with (`shutdown`), and read the other to its end.",
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
        gap_client: "the client waits for ever where nobody is left. Give up when nothing comes for too long (`settimeout`), \
                     with an exit code that is not 0.",
        gap_server: "while it thinks, the server is as silent as a dead one. Say now and then that it is still there.",
    },
];
