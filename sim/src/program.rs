//! Keeps a host's program: its panic becomes its error, and its end is told to the world.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll, ready};

/// A program of a host, started.
pub(crate) type ProgramFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A program whose panic is its error.
pub(crate) struct Guarded {
    program: ProgramFuture,
}

impl Guarded {
    pub(crate) fn new(program: ProgramFuture) -> Self {
        Guarded { program }
    }
}

impl Future for Guarded {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let program = &mut self.program;
        let polled = catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(cx)));
        match polled {
            Ok(poll) => Poll::Ready(ready!(poll)),
            Err(panic) => {
                let place = PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
                Poll::Ready(Err(format!("panicked{place}: {}", message(panic.as_ref()))))
            }
        }
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "with a value that is not text".to_owned()
    }
}

thread_local! {
    static QUIET: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic was that was not printed.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// While it lives, a panic of a program on this thread prints nothing: a search provokes thousands, and each is
/// reported by its run. Programs run in tokio tasks; a panic elsewhere is our own mistake and is printed.
#[derive(Debug)]
pub(crate) struct QuietPanics(());

impl QuietPanics {
    pub(crate) fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if QUIET.get() == 0 || tokio::task::try_id().is_none() {
                    before(info);
                } else {
                    PLACE.set(info.location().map(ToString::to_string));
                }
            }));
        });
        QUIET.set(QUIET.get() + 1);
        QuietPanics(())
    }
}

impl Drop for QuietPanics {
    fn drop(&mut self) {
        QUIET.set(QUIET.get().saturating_sub(1));
    }
}
