//! Machines as learners write them: right, wrong, and worse.

use std::thread;

use faultwire::time::Time;

mod wrong;

use super::*;
use crate::datagrams::{numbered::Numbered, plain::Plain, repeat::Repeat};

fn of<M: Machine + Default>(lesson: &str) -> Verdict {
    examine::<M>(lesson, 50, Duration::from_secs(60))
}

fn says(verdict: &Verdict, kind: Kind, words: &[&str]) {
    assert_eq!(verdict.kind, kind, "{}", verdict.text);
    let flat: Vec<&str> = verdict.text.split_whitespace().collect();
    let flat = flat.join(" ");
    for word in words {
        assert!(flat.contains(word), "{word}: {}", verdict.text);
    }
}

#[test]
fn the_mended_machine_holds() {
    says(
        &of::<Repeat>("1"),
        Kind::Holds,
        &["every plan of no fault (1), one (", "6 cases of common mistakes", "Not tried: "],
    );
}

#[test]
fn the_believed_machine_breaks_under_the_recorded_plan() {
    let lost = "drop client->server datagram 1";
    says(
        &of::<Plain>("1"),
        Kind::Broken,
        &[lost, "message 1 was never delivered", "Why: The datagram was lost"],
    );
    says(&of::<Repeat>("2"), Kind::Broken, &["drop server->client datagram 1", "delivered 2 times"]);
}

#[test]
fn what_is_no_lesson_is_said() {
    says(&of::<Plain>("77"), Kind::Nothing, &["no lesson `77`"]);
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let verdict = Verdict { kind: Kind::Hangs, text: "a\n\nb\n".to_owned() };
    assert_eq!(Verdict::of_report(&verdict.to_report()), Some(verdict));
    for wrong in ["", "holds", "fine\n", "\n\n"] {
        assert_eq!(Verdict::of_report(wrong), None, "{wrong:?}");
    }
}

/// A machine that does what another one does, but for one thing.
macro_rules! spoiled {
    ($name:ident, { $($spoiled:tt)* }, [$($kept:ident),*]) => {
        #[derive(Default)]
        struct $name(Numbered);
        impl Machine for $name {
            $($spoiled)*
            $(spoiled!(@ $kept);)*
        }
    };
    (@ send) => { fn send(&mut self, now: Time, message: &[u8]) { self.0.send(now, message); } };
    (@ on_datagram) => {
        fn on_datagram(&mut self, now: Time, datagram: &[u8]) { self.0.on_datagram(now, datagram); }
    };
    (@ on_timer) => { fn on_timer(&mut self, now: Time) { self.0.on_timer(now); } };
    (@ next_datagram) => { fn next_datagram(&mut self) -> Option<Vec<u8>> { self.0.next_datagram() } };
    (@ next_message) => { fn next_message(&mut self) -> Option<Vec<u8>> { self.0.next_message() } };
    (@ rest) => {
        fn is_ready(&self) -> bool { self.0.is_ready() }
        fn next_timer(&self) -> Option<Time> { self.0.next_timer() }
        fn is_done(&self) -> bool { self.0.is_done() }
    };
}

spoiled!(
    Panics,
    {
        fn on_timer(&mut self, _now: Time) {
            panic!("I never thought of that")
        }
    },
    [send, on_datagram, next_datagram, next_message, rest]
);

#[test]
fn a_panic_is_told_with_its_plan() {
    let verdict = of::<Panics>("2");
    says(&verdict, Kind::Broken, &["drop", "client: panicked at", "I never thought of that"]);
}

spoiled!(
    Hangs,
    {
        fn on_timer(&mut self, _now: Time) {
            loop {
                thread::park();
            }
        }
    },
    [send, on_datagram, next_datagram, next_message, rest]
);

#[test]
fn a_call_that_never_comes_back_is_told_with_what_it_was_given() {
    let verdict = examine::<Hangs>("2", 50, Duration::from_secs(2));
    says(
        &verdict,
        Kind::Hangs,
        &["on_timer of the client's machine", "send of the client's machine, given \"message 1"],
    );
}

spoiled!(
    Waits,
    {
        fn on_timer(&mut self, _now: Time) {}
    },
    [send, on_datagram, next_datagram, next_message, rest]
);

#[test]
fn a_timer_that_is_always_due_is_told() {
    says(&of::<Waits>("2"), Kind::Broken, &["wanted its timer 1000 times"]);
}

#[derive(Default)]
struct NeverDone(Plain);
impl Machine for NeverDone {
    spoiled!(@ send);
    spoiled!(@ on_datagram);
    spoiled!(@ next_datagram);
    spoiled!(@ next_message);
    fn is_done(&self) -> bool {
        false
    }
}

#[test]
fn a_machine_that_is_never_done_is_told() {
    says(&of::<NeverDone>("0"), Kind::Broken, &["no fault at all", "it never comes to an end"]);
}

spoiled!(
    Chatters,
    {
        fn next_message(&mut self) -> Option<Vec<u8>> {
            Some(b"and another thing".to_vec())
        }
    },
    [send, on_datagram, on_timer, next_datagram, rest]
);

#[test]
fn messages_without_end_are_told() {
    says(&of::<Chatters>("2"), Kind::Broken, &["does it ever say None?"]);
}

spoiled!(
    Talks,
    {
        fn next_datagram(&mut self) -> Option<Vec<u8>> {
            (!self.0.is_done()).then(|| vec![0])
        }
    },
    [send, on_datagram, on_timer, next_message, rest]
);

#[test]
fn datagrams_without_end_are_told() {
    says(&of::<Talks>("2"), Kind::Broken, &["sent a datagram 1000 times at one moment"]);
}
