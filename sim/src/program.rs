//! Keeps a host's program: its panics, and those of the tasks that it spawns, become failures of its run.
//!
//! tokio catches a spawned task's panic and hands it to whoever awaits the task's handle. Stable tokio does
//! not tell whether anyone does. So each such panic is noted by the panic hook and fails the run, unless the
//! program catches it (`catch_unwind`) or reports it as handled ([`handled`]).

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll, ready};

use faultwire::trace::HostId;
use tokio::task::{Id, JoinError};

use crate::logs;
use crate::run::End;

/// A program of a host, started.
pub(crate) type ProgramFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Why a program did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its error or its panic.
    Failed(String),
    /// It was polled this often: it never waits for anything that takes time.
    Spins(u64),
}

/// The limit that a program hits which is polled too often.
pub(crate) fn polls_of(polls: u64, host: &str) -> String {
    format!("{polls} polls of the program at {host}: it never waits")
}

/// A program whose panic is its error, and whose polls are counted.
pub(crate) struct Guarded {
    program: ProgramFuture,
    polls: u64,
    polls_max: u64,
}

impl Guarded {
    pub(crate) fn new(program: ProgramFuture, polls_max: u64) -> Self {
        Guarded { program, polls: 0, polls_max }
    }
}

impl Future for Guarded {
    type Output = Result<(), Trouble>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls += 1;
        if self.polls > self.polls_max {
            return Poll::Ready(Err(Trouble::Spins(self.polls_max)));
        }
        PROGRAM.set(tokio::task::try_id());
        let program = &mut self.program;
        let polled = catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(cx)));
        PROGRAM.set(None);
        Poll::Ready(match polled {
            Ok(poll) => ready!(poll).map_err(Trouble::Failed),
            Err(panic) => Err(Trouble::Failed(panicked(panic.as_ref()))),
        })
    }
}

/// What a panic said.
pub(crate) fn message(panic: &dyn Any) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "with a value that is not text".to_owned()
    }
}

/// A panic of a task that a program spawned.
#[derive(Debug)]
struct TaskPanic {
    task: Id,
    /// The host for which the task made its last socket call, if it was the last task that made one.
    host: Option<HostId>,
    text: String,
}

thread_local! {
    static QUIET: Cell<u32> = const { Cell::new(0) };
    /// Whether work is done whose panic is caught ([`caught`]).
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic was that was not printed.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The task of the program that is being polled.
    static PROGRAM: Cell<Option<Id>> = const { Cell::new(None) };
    /// The task that made the last socket call, and its host.
    static CALLER: Cell<Option<(Id, HostId)>> = const { Cell::new(None) };
    /// The panics of spawned tasks in this run.
    static TASK_PANICS: RefCell<Vec<TaskPanic>> = const { RefCell::new(Vec::new()) };
}

/// The task that runs makes a socket call at `host`.
pub(crate) fn calls_at(host: HostId) {
    CALLER.set(tokio::task::try_id().map(|task| (task, host)));
    logs::calls_at(host);
}

/// Reports that the program has handled a spawned task's panic, so that it does not fail the run.
///
/// A panic in a task that was started with `tokio::spawn` fails the run of its host: stable tokio does not
/// tell whether anyone looks at the task's end. A program that awaits the task's `JoinHandle` and goes on
/// after its panic says so with this function. A panic that `std::panic::catch_unwind` catches within the
/// task needs no report. That takes a build with debug information, as `cargo test` makes; under `cargo test
/// --release` such a panic fails the run.
///
/// ```
/// # async fn supervise() {
/// let worker = tokio::spawn(async { /* … */ });
/// if let Err(error) = worker.await {
///     faultwire_sim::handled(&error);
///     // Start another worker.
/// }
/// # }
/// ```
pub fn handled(error: &JoinError) {
    TASK_PANICS.with_borrow_mut(|panics| panics.retain(|panic| panic.task != error.id()));
}

/// How a run ended, in view of the tasks that panicked in it: an unhandled panic is its failure.
pub(crate) fn end_after_panics(end: End, host_name: impl Fn(HostId) -> String) -> End {
    let panics = TASK_PANICS.take();
    let Some(first) = panics.into_iter().next() else { return end };
    let host = first.host.map(host_name);
    let then = match &end {
        End::Finished => String::new(),
        End::Failed { host: Some(host), message } => format!("; then {host}: {message}"),
        End::Failed { host: None, message } => format!("; then {message}"),
        End::Stalled { limit, .. } => format!("; then the run stalled: not done after {limit}"),
        End::Unconfirmed { .. } | End::Refused { .. } => return end,
    };
    End::Failed { host, message: format!("a spawned task {}{then}", first.text) }
}

/// While it lives, a panic of a program on this thread prints nothing: a search provokes thousands, and each
/// is reported by its run. Programs run in tokio tasks; a panic elsewhere is a bug of the simulation and is
/// printed.
#[derive(Debug)]
pub(crate) struct QuietPanics(());

impl QuietPanics {
    pub(crate) fn new() -> Self {
        hook();
        QUIET.set(QUIET.get() + 1);
        TASK_PANICS.take();
        QuietPanics(())
    }
}

impl Drop for QuietPanics {
    fn drop(&mut self) {
        QUIET.set(QUIET.get().saturating_sub(1));
    }
}

/// Has panics looked at before they are printed.
fn hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match tokio::task::try_id() {
            _ if IS_CAUGHT.get() => PLACE.set(info.location().map(ToString::to_string)),
            Some(task) if QUIET.get() > 0 => note(task, info),
            _ => before(info),
        }));
    });
}

/// Does some work of a stack from outside. Its panic prints nothing.
///
/// # Errors
/// That it panicked, and where.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    hook();
    IS_CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(false);
    result.map_err(|panic| format!("it {}", panicked(panic.as_ref())))
}

/// What a panic said that was not printed, and where it was.
fn panicked(panic: &dyn Any) -> String {
    let place = PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("panicked{place}: {}", message(panic))
}

/// Notes a panic in a task.
fn note(task: Id, info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string);
    if PROGRAM.get() == Some(task) {
        PLACE.set(place);
        return;
    }
    if is_caught_within_its_task(&Backtrace::force_capture().to_string()) {
        return;
    }
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    let text = format!("panicked{place}: {}", message(info.payload()));
    let host = CALLER.get().filter(|(caller, _)| *caller == task).map(|(_, host)| host);
    TASK_PANICS.with_borrow_mut(|panics| panics.push(TaskPanic { task, host, text }));
}

/// Whether a panic with this backtrace ends in a `catch_unwind` of the program, below tokio's own.
///
/// This looks at the source files of the frames. A build without debug information has none: there no panic
/// counts as caught.
fn is_caught_within_its_task(backtrace: &str) -> bool {
    let files = backtrace.lines().filter_map(|line| line.trim_start().strip_prefix("at "));
    for file in files.map(|file| file.replace('\\', "/")) {
        if file.contains("/tokio-") && file.contains("/src/runtime/task/") {
            return false;
        }
        if file.contains("library/std/src/panic.rs") {
            return true;
        }
    }
    false
}
