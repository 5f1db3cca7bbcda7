//! A lesson for programs of any language: two commands, which are judged by what they read and print, and by
//! what goes over the network between them.

use faultwire::fault::{Cut, EventKind, FaultPlan, PlanError};
use faultwire::time::Time;
use faultwire::trace::Trace;

use super::check::reliable;
use super::dialogue::Outcome;
use super::{Delivery, Lesson, Talk, Task, Transfer, Trial};

/// What the two commands speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// UDP.
    Datagrams,
    /// TCP.
    Stream,
}

/// What two commands have to do in a lesson.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// What they speak.
    pub speech: Speech,
    /// The messages, in order. The last `of_server` of them are lines of the server's stdin, the others of
    /// the client's.
    pub messages: Vec<Vec<u8>>,
    /// See `messages`.
    pub of_server: usize,
    /// Whether the client has to print something, and not the server.
    pub client_prints: bool,
    /// What is not checked, where the lesson asks for more than can be seen.
    pub note: Option<&'static str>,
    check: Check,
}

#[derive(Clone, Copy, Debug)]
enum Check {
    Transfer(fn(&Transfer<'_>) -> Result<(), String>),
    Talk(fn(&Talk<'_>) -> Result<(), String>),
}

/// What came of a run of two commands.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    /// The lines that the client printed, and how it failed, if it did.
    pub client: &'a Outcome,
    /// The server's.
    pub server: &'a Outcome,
    /// When the client had ended.
    pub done: Time,
    /// All that happened.
    pub trace: &'a Trace,
}

impl Spoken {
    /// What a lesson asks of commands; none where they cannot do it.
    pub fn of(lesson: &Lesson) -> Option<Spoken> {
        match &lesson.task {
            Task::Datagrams(exchange) => {
                // Up to lesson 3 all that is asked for is in what is delivered.
                let is_all = matches!(lesson.name.parse::<u32>(), Ok(0..=3));
                let note = "checked is whether each message comes once, whole and in order; how long it \
                            takes and how much is sent is not";
                Some(Spoken {
                    speech: Speech::Datagrams,
                    messages: (exchange.messages)(),
                    of_server: 0,
                    client_prints: false,
                    note: (!is_all).then_some(note),
                    check: Check::Transfer(if is_all { exchange.check } else { reliable }),
                })
            }
            Task::Stream(dialogue) => Some(Spoken {
                speech: Speech::Stream,
                messages: (dialogue.real_messages)(),
                of_server: dialogue.of_server,
                client_prints: dialogue.of_server > 0,
                note: None,
                check: Check::Talk(dialogue.check),
            }),
            Task::Conversations(_) | Task::Flows(_) => None,
        }
    }

    /// Like `self`, but with the messages of a case, if it has some.
    pub fn with(&self, trial: &Trial) -> Spoken {
        let messages = trial.messages.map_or_else(|| self.messages.clone(), |messages| messages());
        Spoken { messages, ..self.clone() }
    }

    /// The lines that the client and the server are given.
    pub fn lines(&self) -> [&[Vec<u8>]; 2] {
        let (client, server) = self.messages.split_at(self.messages.len().saturating_sub(self.of_server));
        [client, server]
    }

    /// The plan that breaks the naive program, in a form for real hosts. A host that loses power is cut off
    /// forever instead: its peer cannot tell the two apart.
    ///
    /// # Errors
    /// As [`Lesson::recorded`].
    pub fn plan(&self, lesson: &Lesson) -> Result<FaultPlan, PlanError> {
        let mut plan = lesson.recorded()?;
        for event in &mut plan.events {
            if matches!(event.kind, EventKind::Crash(_)) {
                event.kind = EventKind::Partition(Cut::ALL);
            }
        }
        Ok(plan)
    }

    /// What the lesson's check says of a run.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, run: &Printed<'_>) -> Result<(), String> {
        let &Printed { client, server, done, trace } = run;
        let messages = self.messages.as_slice();
        match self.check {
            Check::Transfer(check) => {
                for (name, outcome) in [("client", client), ("server", server)] {
                    if let Some(error) = &outcome.error {
                        return Err(format!("the {name} ended with {error}"));
                    }
                }
                let delivered: &[Delivery] = &server.delivered;
                check(&Transfer { messages, delivered, done, trace })
            }
            Check::Talk(check) => check(&Talk { messages, client, server, trace }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LESSONS;
    use faultwire::trace::What;

    fn printed(lines: &[&[u8]], error: Option<&str>) -> Outcome {
        let delivery = |line: &&[u8]| Delivery { at: Time::ZERO, message: line.to_vec() };
        Outcome { delivered: lines.iter().map(delivery).collect(), error: error.map(str::to_owned) }
    }

    #[test]
    fn messages_are_lines() {
        for spoken in LESSONS.iter().filter_map(|lesson| Spoken::of(lesson)) {
            let [client, server] = spoken.lines();
            assert!(!client.is_empty() && client.len() + server.len() == spoken.messages.len());
            assert!(spoken.messages.iter().flatten().all(|byte| (32..127).contains(byte)));
        }
    }

    #[test]
    fn who_waits_for_one_that_is_gone_may_say_so_and_nobody_else() {
        let lesson = Lesson::named("s4").unwrap();
        let spoken = Spoken::of(lesson).unwrap();
        let plan = spoken.plan(lesson).unwrap();
        assert!(matches!(plan.events[0].kind, EventKind::Partition(Cut::ALL)));
        let (told, answered) = (printed(&[], Some("exit code 1")), printed(&[b"the answer"], None));
        let (mut cut, whole) = (Trace::new(["client", "server"]), Trace::new(["client", "server"]));
        cut.push(Time::ZERO, What::Partitioned(Cut::ALL));
        let check = |client, trace| {
            let server = &printed(&[], None);
            spoken.check(&Printed { client, server, done: Time::ZERO, trace })
        };
        assert_eq!(check(&told, &cut), Ok(()));
        assert_eq!(check(&answered, &cut), Ok(()));
        assert_eq!(check(&answered, &whole), Ok(()));
        assert!(check(&told, &whole).unwrap_err().contains("never got the answer: exit code 1"));
    }

    #[test]
    fn a_client_that_fails_has_not_done_it() {
        let spoken = Spoken::of(Lesson::named("0").unwrap()).unwrap();
        let all: Vec<&[u8]> = spoken.messages.iter().map(Vec::as_slice).collect();
        let (server, trace) = (printed(&all, None), Trace::new(["client", "server"]));
        let check = |client: &Outcome| {
            spoken.check(&Printed { client, server: &server, done: Time::ZERO, trace: &trace })
        };
        assert_eq!(check(&printed(&[], None)), Ok(()));
        assert_eq!(check(&printed(&[], Some("signal 9"))).unwrap_err(), "the client ended with signal 9");
    }
}
