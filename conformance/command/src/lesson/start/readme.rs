//! The README.md of a learner's folder: the lesson's text, without the idea that is to be found, and what to
//! do.

use super::Language;
use faultwire_course::spoken::{Speech, Spoken};
use faultwire_course::{Lesson, Task};

/// For a lesson in that language.
pub(super) fn of(lesson: &Lesson, language: Language) -> String {
    let (name, title) = (lesson.name, lesson.title);
    let believes = lesson.section("What one believes");
    let question = lesson.section("The question");
    let to_do = to_do(lesson, language);
    let messages = messages(lesson);
    format!(
        "# Lesson {name}: {title}\n\n## What one believes\n\n{believes}\n\n\
         ## What to do\n\n{to_do}{messages}\n\
         The idea, if you would rather read it than find it: `faultwire lesson show {name}`.\n\n\
         ## The question\n\nWhen it passes:\n\n{question}\n",
    )
}

/// What the messages may be like, where that matters.
fn messages(lesson: &Lesson) -> &'static str {
    match lesson.slug {
        "plain-datagrams" => "\nA message has up to 1400 bytes.\n",
        "acknowledge-and-repeat" => "\nA message has up to 1400 bytes. No two of them are alike.\n",
        "sequence-numbers" => "\nA message has up to 1400 bytes. Two in a row may be alike.\n",
        "one-bit-is-not-enough" => {
            "\nA message has up to 1400 bytes. Two in a row may be alike, and there may be\n\
             hundreds of them.\n"
        }
        "one-read-is-not-one-message" => {
            "\nA message has up to 5000 bytes (in Rust 1000), all of them printable text.\n"
        }
        "a-short-write" => "\nThere may be more to write than any buffer holds.\n",
        "half-close" => "\nBehind the question may come much more than one read gives.\n",
        _ => "",
    }
}

fn to_do(lesson: &Lesson, language: Language) -> String {
    match (language, &lesson.task) {
        (Language::Rust, Task::Stream(_)) => [RUST_STREAM, IN_RUST].concat(),
        (Language::Rust, Task::Conversations(_)) => [RUST_MACHINE, TALKER_CALLS, IN_RUST, DAMAGED].concat(),
        (Language::Rust, Task::Datagrams(_) | Task::Flows(_)) => [RUST_MACHINE, IN_RUST, DAMAGED].concat(),
        (Language::Python, _) => {
            let spoken = Spoken::of(lesson);
            let is = |speech| spoken.as_ref().is_some_and(|spoken| spoken.speech == speech);
            let programs = match &spoken {
                Some(spoken) if spoken.client_prints => PYTHON_QUESTION,
                _ if is(Speech::Stream) => PYTHON_STREAM,
                _ => PYTHON_DATAGRAMS,
            };
            let place = if is(Speech::Stream) { IN_THE_LAB } else { IN_THE_LAB_OR_NOT };
            [programs, IN_PYTHON, place].concat()
        }
    }
}

const RUST_MACHINE: &str = "\
`src/lib.rs` is the program that believes it: a machine, of which both hosts
have one. Messages go in with `send` and come out with `next_message`; what goes
over the network goes out with `next_datagram` and comes in with `on_datagram`.
It has no socket and no clock: it is told what comes and what time it is. These
are all its calls; those with a value in brackets need not be written, and have
that value then.

    is_ready()               may the program hand over a message now? [true]
    send(now, message)       the program hands one over
    on_datagram(now, bytes)  a datagram came from the other host
    next_timer()             when to be called if nothing comes before [None]
    on_timer(now)            that time has come
    next_datagram()          the next datagram for the other host
    next_message()           the next message for the program
    is_done()                is nothing outstanding any more? [true]

";

const TALKER_CALLS: &str = "\
And for a conversation, of which each has a new machine:

    open(now)                the program begins one (at the side that calls)
    close(now)               the program has nothing more to say
    is_ended()               has the other side nothing more to say?

";

const RUST_STREAM: &str = "\
`src/lib.rs` has the programs that believe it: `client` and `server`, each with
its end of one TCP connection. `desk.messages()` are the messages, and
`desk.deliver(…)` hands over what came. `net.sleep(…)`, `net.now()` and
`net.timeout(span, work)` are their clock, for time is simulated here too:
a check takes seconds in which hours pass.

";

const IN_RUST: &str = "\
    faultwire lesson check      # finds the smallest plan that breaks it
    faultwire lesson hint       # a hint, and another one each time
    faultwire lesson solution

Mend it where it says THE GAP. It passes when none of the lesson's cases, no
plan of up to two faults and none of a thousand random ones breaks it. (`cargo
test` makes the same check; `faultwire lesson check --watch` makes it whenever
you save a file.)
";

const DAMAGED: &str = "\
\nWhatever comes may be damaged or made up: a machine must not panic.
";

const PYTHON_DATAGRAMS: &str = "\
`client.py` and `server.py` are the programs that believe it. The client reads
the messages from stdin, a line for each, and ends with exit code 0 when there
is nothing left to do. The server prints each message that it delivers as a line
on stdout, at once. Both find the server's address in the environment variables
FAULTWIRE_SERVER and FAULTWIRE_PORT; the server binds a UDP socket there, and
the client sends there. The client is started when the server's socket is there.
The server runs until it is ended.
";

const PYTHON_STREAM: &str = "\
`client.py` and `server.py` are the programs that believe it. The client reads
the messages from stdin, a line for each, and ends with exit code 0 when there
is nothing left to do. The server prints each message that it delivers as a line
on stdout, at once. Both find the server's address in the environment variables
FAULTWIRE_SERVER and FAULTWIRE_PORT; the server listens there (TCP), and the
client connects there. The client is started when the server listens.
";

const PYTHON_QUESTION: &str = "\
`client.py` and `server.py` are the programs that believe it. The client reads
what it has to say from stdin, a line for each thing, and the server its answer.
The client prints the answer that it got as a line on stdout, and ends with exit
code 0; with another one where it knows that no answer will come. Both find the
server's address in the environment variables FAULTWIRE_SERVER and
FAULTWIRE_PORT; the server listens there (TCP), and the client connects there.
The client is started when the server listens.
";

const IN_PYTHON: &str = "
    faultwire lesson check      # runs both with faults between them
    faultwire lesson hint       # a hint, and another one each time
    faultwire lesson solution

Mend them where they say THE GAP. (`faultwire lesson check --watch` checks again
whenever you save a file.)";

const IN_THE_LAB: &str = " Each run has a real network between the two, in
the kernel: this takes Linux, and no root. It passes when nothing of this breaks
it: no fault, the lesson's own plan, its cases, and some plans of one and two
faults.
";

const IN_THE_LAB_OR_NOT: &str = " Each run has a real network between the two,
in the kernel where the machine allows it. It passes when nothing of this breaks
it: no fault, the lesson's own plan, its cases, and some plans of one and two
faults.
";

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_course::LESSONS;

    #[test]
    fn nothing_is_too_wide() {
        for lesson in LESSONS {
            for language in [Language::Rust, Language::Python] {
                for line in of(lesson, language).lines() {
                    assert!(line.chars().count() <= 80, "{line}");
                }
            }
        }
    }
}
