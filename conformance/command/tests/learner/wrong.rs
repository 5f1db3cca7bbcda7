//! Wrong solutions in Python that look right: each is the mended program of its lesson with one idea changed,
//! and is to be rejected, for a reason that names what goes wrong.

use super::any_language::{PYTHON, testbeds};
use super::{Learner, contains, has};

/// Some lines of the mended client or server, and what stands in their place.
type Edit = (&'static str, &'static str, &'static str);

const CLIENT: &str = "client.py";
const SERVER: &str = "server.py";

/// A wrong solution: its idea, how it differs from the mended one, what its check says.
struct Wrong {
    idea: &'static str,
    edits: &'static [Edit],
    says: &'static [&'static str],
}

/// Each of them is rejected.
fn rejected(lesson: &str, wrong: &[Wrong]) {
    rejected_by(&["mine"], lesson, wrong);
}

/// Each of them, made from a lesson's mended programs, is rejected by the check with these arguments.
fn rejected_by(check: &[&str], lesson: &str, wrong: &[Wrong]) {
    if !has(PYTHON.0, PYTHON.1) || (lesson.starts_with('s') && !testbeds().contains(&"lab")) {
        return;
    }
    let learner = Learner::new();
    learner.says(&["start", lesson, "--dir", "mine", "--language", "python"], 0);
    let solution = learner.says(&["solution", "mine"], 0);
    let (client, server) = solution.split_once("# server.py").expect("two programs");
    for Wrong { idea, edits, says } in wrong {
        for (file, mended) in [(CLIENT, client), (SERVER, server)] {
            let mut text = mended.to_owned();
            for (_, lines, wrong) in edits.iter().filter(|(of, ..)| *of == file) {
                assert!(text.contains(lines), "{idea}: {lines} is not in the mended {file}");
                text = text.replace(lines, wrong);
            }
            learner.write(&format!("mine/{file}"), &text);
        }
        let args = [&["check"], check, &["--plans", "1", "--timeout", "8"]].concat();
        let said = learner.says(&args, 1);
        contains(&said, says);
        assert!(!said.contains("is done"), "{idea}: {said}");
        learner.left_nothing();
    }
}

/// Any acknowledgement will do.
const NAMES_NOTHING: Edit = (CLIENT, "if datagram == answer:", "if datagram[:1] == answer[:1]:");

#[test]
fn of_lesson_0() {
    rejected(
        "0",
        &[
            Wrong {
                idea: "reads up to 1024 bytes of a datagram",
                edits: &[(SERVER, "recvfrom(65535)", "recvfrom(1024)")],
                says: &["Case: messages of up to 1400 bytes", "(1024 bytes) was delivered but never sent"],
            },
            Wrong {
                idea: "sends each message as two datagrams, and joins what comes in a row",
                edits: &[
                    (
                        CLIENT,
                        "    sock.sendto(message, server)",
                        "    for part in (b'<' + message[:9], b'>' + message[9:]):\n        \
                         sock.sendto(part, server)",
                    ),
                    (
                        SERVER,
                        "    deliver(message)",
                        "    if message[:1] == b'<':\n        first = message[1:]\n    else:\n        \
                         deliver(first + message[1:])",
                    ),
                ],
                says: &["Case: the second and the third datagram are lost", "but never sent"],
            },
            Wrong {
                idea: "delivers nothing, which is no wrong message",
                edits: &[(SERVER, "    deliver(message)", "    pass")],
                says: &["it does not work without any fault", "message 1 was never delivered"],
            },
        ],
    );
}

#[test]
fn of_lesson_1() {
    rejected(
        "1",
        &[
            Wrong {
                idea: "takes any acknowledgement",
                edits: &[NAMES_NOTHING],
                // Which case shows it first depends on timing.
                says: &["Case: ", "message 2 was never delivered"],
            },
            Wrong {
                idea: "gives up after five attempts",
                edits: &[(CLIENT, "    while True:", "    for _ in range(5):")],
                says: &[
                    "Case: the first six datagrams of the client are lost",
                    "message 1 was never delivered (delivered: 2, 3)",
                ],
            },
            Wrong {
                idea: "acknowledges the first word of a message",
                edits: &[
                    (CLIENT, "is_answered(ACK + message)", "is_answered(ACK + message.split()[0])"),
                    (SERVER, "sendto(ACK + message, sender)", "sendto(ACK + message.split()[0], sender)"),
                ],
                // Which case shows it first depends on timing.
                says: &["Case: ", "message 2 was never delivered"],
            },
            Wrong {
                idea: "sends everything three times, and hopes",
                edits: &[
                    (CLIENT, "    while True:", "    for _ in range(3):"),
                    (
                        CLIENT,
                        "        if is_answered(ACK + message):\n            break",
                        "        time.sleep(0.01)",
                    ),
                ],
                says: &[
                    "Case: the first six datagrams of the client are lost",
                    "message 1 was never delivered",
                ],
            },
        ],
    );
}

#[test]
fn of_lesson_2() {
    rejected(
        "2",
        &[
            Wrong {
                idea: "knows a repeat by its content",
                edits: &[
                    (SERVER, "expected = 0\n", "last = None\nexpected = 0\n"),
                    (
                        SERVER,
                        "    if number == expected:\n",
                        "    if datagram[5:] != last:\n        last = datagram[5:]\n",
                    ),
                    (SERVER, "        expected += 1", "    if True:\n        expected = number + 1"),
                ],
                says: &["Case: several messages in a row are alike", "message 2 was never delivered"],
            },
            Wrong {
                idea: "remembers every content",
                edits: &[
                    (SERVER, "expected = 0\n", "seen = set()\nexpected = 0\n"),
                    (
                        SERVER,
                        "    if number == expected:\n",
                        "    if datagram[5:] not in seen:\n        seen.add(datagram[5:])\n",
                    ),
                    (SERVER, "        expected += 1", "    if True:\n        expected = number + 1"),
                ],
                says: &["Case: several messages in a row are alike", "message 2 was never delivered"],
            },
            Wrong {
                idea: "delivers whatever has another number than the last",
                edits: &[
                    (SERVER, "expected = 0\n", "last = None\nexpected = 0\n"),
                    (
                        SERVER,
                        "    if number == expected:\n",
                        "    if number != last:\n        last = number\n",
                    ),
                    (SERVER, "        expected += 1", "        expected = number + 1"),
                ],
                says: &["Case: message 1 comes once more", "message 1 was delivered 2 times"],
            },
        ],
    );
}

/// Numbers that come round.
macro_rules! modulo {
    ($modulus:literal) => {
        &[
            (CLIENT, "struct.pack(\">I\", number)", concat!("struct.pack(\">I\", number % ", $modulus, ")")),
            (SERVER, "expected += 1", concat!("expected = (expected + 1) % ", $modulus)),
            (SERVER, "if number < expected:", "if number != expected:"),
        ]
    };
}

const MODULO: &[Wrong] = &[
    Wrong {
        idea: "numbers modulo 4",
        edits: modulo!("4"),
        says: &["comes behind the 4th message", "message 1 was delivered 2 times"],
    },
    Wrong {
        idea: "numbers modulo 10",
        edits: modulo!("10"),
        says: &["comes behind the 60th message", "message 1 was delivered 2 times"],
    },
    Wrong {
        idea: "numbers modulo 3",
        edits: modulo!("3"),
        says: &["comes behind the 12th message", "message 1 was delivered 2 times"],
    },
];

#[test]
fn of_lesson_3() {
    rejected("3", MODULO);
}

/// A lesson without a template checks only that two commands are reliable, as lesson 3 does.
fn rejected_without_a_template(lesson: &str, wrong: &[Wrong]) {
    let commands = ["--server", "python3 -B mine/server.py", "--client", "python3 -B mine/client.py"];
    rejected_by(&[&[lesson], &commands[..]].concat(), "3", wrong);
}

/// A byte behind each message, made from all before it by an expression.
macro_rules! checked_by {
    ($sum:literal) => {
        &[
            (
                CLIENT,
                "sock.sendto(DATA + struct.pack(\">I\", number) + message, server)",
                concat!(
                    "data = DATA + struct.pack(\">I\", number) + message\n        ",
                    "sock.sendto(data + bytes([",
                    $sum,
                    "]), server)"
                ),
            ),
            (
                SERVER,
                "    if datagram[:1] != DATA",
                concat!(
                    "    data, check = datagram[:-1], datagram[-1:]\n    ",
                    "datagram = data if check == bytes([",
                    $sum,
                    "]) else b\"\"\n    if datagram[:1] != DATA"
                ),
            ),
        ]
    };
}

// Lessons 5, 6 and 8 have the same cases: see `lesson::trials`.
#[test]
fn of_lesson_4() {
    rejected_without_a_template("4", MODULO);
}

#[test]
fn of_lesson_7() {
    let says = &["was delivered but never sent"];
    let wrong = [
        Wrong { idea: "leaves it to the kernel's checksum", edits: &[], says },
        Wrong { idea: "adds the bytes up", edits: checked_by!("sum(data) % 256"), says },
        Wrong {
            idea: "counts the bits that are set",
            edits: checked_by!("sum(bin(byte).count('1') for byte in data) % 256"),
            says,
        },
    ];
    rejected_without_a_template("7", &wrong);
}

#[test]
fn of_lesson_s1() {
    const ONE_READ: Edit = (
        SERVER,
        "    data = b\"\"\n    while len(data) < count:\n        \
         part = sock.recv(count - len(data))\n        if not part:\n            \
         return None\n        data += part\n    return data\n",
        "    return sock.recv(count) or None\n",
    );
    rejected(
        "s1",
        &[
            Wrong {
                idea: "reads a message with one read",
                edits: &[ONE_READ],
                // Out of step, it takes text for a length: what comes of that depends on where it was cut.
                says: &["Case: messages of ", "It fails: "],
            },
            Wrong {
                idea: "throws a partial message away",
                edits: &[
                    ONE_READ,
                    (
                        SERVER,
                        "    if message is None:",
                        "    if message and len(message) < count:\n        continue\n    if message is None:",
                    ),
                ],
                says: &["Case: messages of up to 5000 bytes", "It fails: "],
            },
            Wrong {
                idea: "splits what one read gives at the marks in it",
                edits: &[
                    (CLIENT, "struct.pack(\">I\", len(message)) + message", "message + b\"\\n\""),
                    (
                        SERVER,
                        "while length := read_exactly(4):",
                        "while lines := sock.recv(65536):\n    for line in lines.splitlines():\n        \
                         deliver(line)\nwhile length := read_exactly(4):",
                    ),
                ],
                says: &["Case: messages of up to 5000 bytes", "was delivered but never sent"],
            },
            Wrong {
                idea: "has one byte for the length",
                edits: &[
                    (CLIENT, "\">I\"", "\">B\""),
                    (SERVER, "\">I\"", "\">B\""),
                    (SERVER, "read_exactly(4)", "read_exactly(1)"),
                ],
                says: &["Case: messages of up to 5000 bytes", "struct.error"],
            },
        ],
    );
}

#[test]
fn of_lesson_s2() {
    const LOOP: &str = "    while rest:\n        rest = rest[sock.send(rest) :]";
    rejected(
        "s2",
        &[
            Wrong {
                idea: "asks for a larger buffer",
                edits: &[
                    (CLIENT, "SO_SNDBUF, 8192", "SO_SNDBUF, 32_768"),
                    (CLIENT, LOOP, "    sock.send(rest)"),
                ],
                says: &["It fails: "],
            },
            Wrong {
                idea: "sends the rest once",
                edits: &[(CLIENT, LOOP, "    sock.send(rest[sock.send(rest) :])")],
                says: &["It fails: "],
            },
            Wrong {
                idea: "sends all of it again",
                edits: &[(CLIENT, LOOP, "    if sock.send(rest) < len(rest):\n        sock.sendall(rest)")],
                says: &["It fails: "],
            },
        ],
    );
}

#[test]
fn of_lesson_s3() {
    const ENDS: &str = "sock.shutdown(socket.SHUT_WR)\n";
    const READS: &str = "while sock.recv(1024):\n    pass\n";
    rejected(
        "s3",
        &[
            Wrong {
                idea: "waits a moment before it closes",
                edits: &[(SERVER, ENDS, "import time\n"), (SERVER, READS, "time.sleep(0.7)\n")],
                says: &["Case: the answer is lost again and again", "the client never got the answer"],
            },
            Wrong {
                idea: "closes one direction, and then the other without reading",
                edits: &[(SERVER, READS, "")],
                says: &["the client never got the answer"],
            },
            Wrong {
                idea: "reads once more",
                edits: &[(SERVER, READS, "sock.recv(1024)\n")],
                says: &["Case: 20 000 bytes come behind the question", "the client never got the answer"],
            },
            Wrong {
                idea: "answers, and dies",
                edits: &[(SERVER, READS, "while sock.recv(1024):\n    pass\nraise Exception('done')\n")],
                says: &["exit code 1", "Exception: done"],
            },
        ],
    );
}

#[test]
fn of_lesson_s4() {
    rejected(
        "s4",
        &[
            Wrong {
                idea: "gives up too soon",
                edits: &[(CLIENT, "SILENCE = 4", "SILENCE = 0.5")],
                says: &[
                    "Case: what the server sends first is lost three times",
                    "the client never got the answer",
                ],
            },
            Wrong {
                idea: "bounds the wait for the answer of a silent server",
                edits: &[
                    (CLIENT, "SILENCE = 4", "SILENCE = 0.8"),
                    (SERVER, "    sock.sendall(STILL_THERE)", "    pass"),
                ],
                says: &["it does not work without any fault", "the client never got the answer"],
            },
            Wrong {
                idea: "gives up as if all were well",
                edits: &[(CLIENT, "sys.exit(\"the server is gone\")", "sys.exit(0)")],
                says: &["the server is cut off forever", "the client never got the answer"],
            },
            Wrong {
                idea: "takes a heartbeat for the answer",
                edits: &[(CLIENT, ".replace(STILL_THERE, b\"\")", "")],
                says: &["it does not work without any fault", "the client got another answer: "],
            },
        ],
    );
}
