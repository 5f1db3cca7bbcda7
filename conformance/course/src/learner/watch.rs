//! A look at each call of a learner's machine, and at each step of a program: whether it comes back, and what
//! came before it.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::machine::Machine;
use faultwire::time::Time;

use crate::words::WIDTH;
use crate::{Running, StreamProgram, Talker};
use faultwire_conformance::report::paragraph;

/// How many calls are remembered.
const REMEMBERED: usize = 8;

/// How many bytes of a call's argument are remembered.
const BYTES_MAX: usize = 24;

/// The most messages that a machine may deliver in a row. One that has more never stops.
const MESSAGES_MAX: u32 = 10_000;

/// How often it is looked whether a call comes back.
const LOOK: Duration = Duration::from_millis(250);

/// Whose machine it is: unknown where a lesson makes both hosts' machines alike.
pub(super) const CLIENT: u8 = 0;
pub(super) const SERVER: u8 = 1;
pub(super) const EITHER: u8 = 2;
const MACHINES: [&str; 3] = ["the client's machine", "the server's machine", "a machine"];

/// A call of a machine, or a step of a program.
#[derive(Clone, Debug)]
struct Call {
    /// What was called: `the client's machine`.
    of: &'static str,
    name: &'static str,
    at: Option<Time>,
    /// The first bytes of what it was given, and how many there were.
    given: Option<(Vec<u8>, usize)>,
}

impl Call {
    fn words(&self) -> String {
        let mut words = format!("{} of {}", self.name, self.of);
        if let Some((bytes, length)) = &self.given {
            let more = if bytes.len() < *length { "…" } else { "" };
            let _ = write!(words, ", given \"{}{more}\" ({length} bytes)", bytes.escape_ascii());
        }
        if let Some(at) = self.at {
            let _ = write!(words, ", at {} ms", at.as_millis());
        }
        words
    }
}

/// The calls of the machines that one thread runs: how many there were, whether the last one has come back,
/// and the last ones themselves.
#[derive(Debug, Default)]
struct Calls {
    count: u64,
    is_inside: bool,
    last: VecDeque<Call>,
}

type Slot = Arc<Mutex<Calls>>;

fn lock(slot: &Slot) -> MutexGuard<'_, Calls> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those of all threads, by the kind of machine.
static SLOTS: Mutex<Vec<(TypeId, Slot)>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Vec<(TypeId, Slot)>> = const { RefCell::new(Vec::new()) };
}

/// This thread's.
fn own<M: 'static>() -> Slot {
    let kind = TypeId::of::<M>();
    OWN.with_borrow_mut(|own| {
        if let Some((_, slot)) = own.iter().find(|(of, _)| *of == kind) {
            return slot.clone();
        }
        let slot = Slot::default();
        own.push((kind, slot.clone()));
        SLOTS.lock().unwrap_or_else(PoisonError::into_inner).push((kind, slot.clone()));
        slot
    })
}

/// A new machine, of which each call is noted.
pub(super) fn watched<M: Machine + Default, const WHOSE: u8>() -> Box<dyn Machine> {
    Box::new(Watched::<M>::new(WHOSE))
}

/// Like `watched`, for a machine that has conversations.
pub(super) fn watched_talker<M: Talker + Default>() -> Box<dyn Talker> {
    Box::new(Watched::<M>::new(EITHER))
}

/// A program over a stream, of which each step is noted: what it does from one `.await` that waits to the
/// next.
pub(super) fn watched_run(whose: &'static str, run: Running) -> Running {
    struct Steps(&'static str, Slot, Running);
    impl Future for Steps {
        type Output = io::Result<()>;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            let Steps(of, slot, run) = &mut *self;
            let call = || Call { of, name: "a step", at: None, given: None };
            noted(slot, call, || run.as_mut().poll(context))
        }
    }
    Box::pin(Steps(whose, own::<StreamProgram>(), run))
}

/// Makes a call, and notes that it is made and has come back. (One that panics has come back too.)
fn noted<T>(slot: &Slot, call: impl FnOnce() -> Call, make: impl FnOnce() -> T) -> T {
    struct Back<'a>(&'a Slot);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            lock(self.0).is_inside = false;
        }
    }
    {
        let mut calls = lock(slot);
        calls.count += 1;
        calls.is_inside = true;
        // Questions that were answered say little of what came before.
        if calls.last.back().is_some_and(|call| call.at.is_none()) {
            calls.last.pop_back();
        }
        if calls.last.len() == REMEMBERED {
            calls.last.pop_front();
        }
        calls.last.push_back(call());
    }
    let _back = Back(slot);
    make()
}

/// A machine of which each call is noted.
struct Watched<M> {
    machine: M,
    of: &'static str,
    slot: Slot,
    /// How many messages it has delivered with nothing in between.
    in_a_row: u32,
}

impl<M: Default + 'static> Watched<M> {
    fn new(whose: u8) -> Watched<M> {
        let (slot, of) = (own::<M>(), MACHINES[usize::from(whose)]);
        let made = noted(&slot, || Call { of, name: "default", at: None, given: None }, M::default);
        Watched { machine: made, of, slot, in_a_row: 0 }
    }
}

impl<M> Watched<M> {
    fn call(
        &self,
        name: &'static str,
        at: Option<Time>,
        given: Option<&[u8]>,
    ) -> impl FnOnce() -> Call + use<M> {
        let of = self.of;
        let given = given.map(|bytes| (bytes[..bytes.len().min(BYTES_MAX)].to_vec(), bytes.len()));
        move || Call { of, name, at, given }
    }
}

impl<M: Machine> Machine for Watched<M> {
    fn is_ready(&self) -> bool {
        noted(&self.slot, self.call("is_ready", None, None), || self.machine.is_ready())
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.in_a_row = 0;
        let call = self.call("send", Some(now), Some(message));
        noted(&self.slot, call, || self.machine.send(now, message));
    }

    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.in_a_row = 0;
        let call = self.call("on_datagram", Some(now), Some(datagram));
        noted(&self.slot, call, || self.machine.on_datagram(now, datagram));
    }

    fn next_timer(&self) -> Option<Time> {
        noted(&self.slot, self.call("next_timer", None, None), || self.machine.next_timer())
    }

    fn on_timer(&mut self, now: Time) {
        self.in_a_row = 0;
        let call = self.call("on_timer", Some(now), None);
        noted(&self.slot, call, || self.machine.on_timer(now));
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        let call = self.call("next_datagram", None, None);
        noted(&self.slot, call, || self.machine.next_datagram())
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let call = self.call("next_message", None, None);
        let message = noted(&self.slot, call, || self.machine.next_message());
        self.in_a_row = if message.is_some() { self.in_a_row + 1 } else { 0 };
        assert!(
            self.in_a_row <= MESSAGES_MAX,
            "next_message has brought {MESSAGES_MAX} messages in a row, with nothing in between: does it \
             ever say None?"
        );
        message
    }

    fn is_done(&self) -> bool {
        noted(&self.slot, self.call("is_done", None, None), || self.machine.is_done())
    }
}

impl<M: Talker> Talker for Watched<M> {
    fn open(&mut self, now: Time) {
        let call = self.call("open", Some(now), None);
        noted(&self.slot, call, || self.machine.open(now));
    }

    fn close(&mut self, now: Time) {
        let call = self.call("close", Some(now), None);
        noted(&self.slot, call, || self.machine.close(now));
    }

    fn is_ended(&self) -> bool {
        noted(&self.slot, self.call("is_ended", None, None), || self.machine.is_ended())
    }
}

/// Looks, from outside, whether calls come back.
#[derive(Debug)]
pub(super) struct Patience {
    kind: TypeId,
    call_max: Duration,
    /// For each thread: the call that it was in at the last look, and since how many looks.
    seen: Vec<(u64, u32)>,
}

impl Patience {
    /// For machines of that kind; for programs over a stream, [`StreamProgram`].
    pub(super) fn new<M: 'static>(call_max: Duration) -> Patience {
        Patience { kind: TypeId::of::<M>(), call_max, seen: Vec::new() }
    }

    /// How long to wait until the next look.
    pub(super) fn look(&self) -> Duration {
        LOOK.min(self.call_max)
    }

    /// Looks; what is to be said where a call has not come back for too long.
    pub(super) fn stuck(&mut self) -> Option<String> {
        let slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind: Vec<Slot> =
            slots.iter().filter(|(kind, _)| *kind == self.kind).map(|(_, slot)| slot.clone()).collect();
        drop(slots);
        self.seen.resize(of_kind.len(), (0, 0));
        let look = self.look();
        for (slot, (count, looks)) in of_kind.iter().zip(&mut self.seen) {
            let calls = lock(slot);
            *looks = if calls.is_inside && calls.count == *count { *looks + 1 } else { 0 };
            *count = calls.count;
            if look * *looks >= self.call_max {
                return Some(never_comes_back(&calls, self.call_max));
            }
        }
        None
    }
}

fn never_comes_back(calls: &Calls, call_max: Duration) -> String {
    let mut text = String::new();
    let mut last = calls.last.iter().rev();
    let Some(stuck) = last.next() else { return text };
    let head = format!("{} has not come back for {} s.", stuck.words(), call_max.as_secs_f64());
    paragraph(&mut text, "It hangs: ", &head, WIDTH);
    paragraph(
        &mut text,
        "          ",
        "Is there a loop in it that never ends, or does it wait for something?",
        WIDTH,
    );
    for (index, call) in last.enumerate() {
        if index == 0 {
            text.push_str("\nThe calls before it, the last one first:\n");
        }
        paragraph(&mut text, "  - ", &call.words(), WIDTH);
    }
    text
}
