//! What programs log with `tracing` in a run: collected where a report asks for it, with virtual times and
//! the hosts of the programs.
//!
//! A host is known while its program runs, and for a task that it spawned once that has made a socket call,
//! or where each host has its runtime. Without the feature `logs` nothing is collected.

#[cfg(feature = "logs")]
mod layer;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use faultwire::time::Time;
use faultwire::trace::HostId;
use tokio::runtime::{self, Handle};
use tokio::task;

/// What the world's clock says; `None` while it cannot be asked.
type Clock = Box<dyn Fn() -> Option<Time>>;

thread_local! {
    static COLLECTOR: RefCell<Option<Collector>> = const { RefCell::new(None) };
}

/// An event that a program logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Time,
    /// The host of the program; `None` where that is not known.
    pub(crate) host: Option<HostId>,
    /// Its level, its spans and its words.
    pub(crate) words: String,
}

/// What was logged in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logs {
    /// The last lines.
    pub(crate) lines: Vec<Line>,
    /// How many came before them.
    pub(crate) left_out: usize,
}

/// Where the code runs that logs.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    /// The host whose program is polled.
    host: Option<HostId>,
    task: Option<task::Id>,
    runtime: Option<runtime::Id>,
}

#[derive(Default)]
struct Collector {
    lines_max: usize,
    lines: VecDeque<(Time, Spot, String)>,
    left_out: usize,
    clock: Option<Clock>,
    /// The last that the clock said.
    now: Time,
    /// The host whose program is polled.
    polled: Option<HostId>,
    /// Tasks and runtimes whose host is known.
    tasks: Vec<(task::Id, HostId)>,
    runtimes: Vec<(runtime::Id, HostId)>,
}

/// Does some work, and collects the last `lines_max` lines that programs log in it on this thread.
pub(crate) fn collected<T>(lines_max: usize, work: impl FnOnce() -> T) -> (T, Logs) {
    COLLECTOR.set(Some(Collector { lines_max, ..Collector::default() }));
    #[cfg(feature = "logs")]
    let result = layer::under(work);
    #[cfg(not(feature = "logs"))]
    let result = work();
    let logs = COLLECTOR.take().map(Collector::finish).unwrap_or_default();
    (result, logs)
}

/// A run begins, or begins again: it has this clock.
pub(crate) fn begin(clock: impl Fn() -> Option<Time> + 'static) {
    with(|collector| {
        *collector = Collector {
            lines_max: collector.lines_max,
            clock: Some(Box::new(clock)),
            ..Collector::default()
        };
    });
}

/// While it lives, the program of a host is polled.
pub(crate) struct Polled(Option<HostId>);

/// The program of a host is polled from here on.
pub(crate) fn polled(host: HostId) -> Polled {
    let mut before = None;
    with(|collector| {
        before = collector.polled.replace(host);
        if let Some(runtime) = runtime_id().filter(|id| !collector.runtimes.contains(&(*id, host))) {
            collector.runtimes.push((runtime, host));
        }
    });
    Polled(before)
}

impl Drop for Polled {
    fn drop(&mut self) {
        with(|collector| collector.polled = self.0);
    }
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Polled")
    }
}

/// The task that runs makes a socket call at `host`.
pub(crate) fn calls_at(host: HostId) {
    with(|collector| {
        if let Some(task) = task::try_id().filter(|id| !collector.tasks.iter().any(|(task, _)| task == id)) {
            collector.tasks.push((task, host));
        }
    });
}

fn with(change: impl FnOnce(&mut Collector)) {
    // A clock that logs would find it borrowed.
    COLLECTOR.with(|collector| {
        if let Ok(mut collector) = collector.try_borrow_mut()
            && let Some(collector) = collector.as_mut()
        {
            change(collector);
        }
    });
}

fn runtime_id() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

impl Collector {
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "nothing is logged without a layer"))]
    fn add(&mut self, words: String) {
        if let Some(now) = self.clock.as_ref().and_then(|clock| clock()) {
            self.now = now;
        }
        let spot = Spot { host: self.polled, task: task::try_id(), runtime: runtime_id() };
        self.lines.push_back((self.now, spot, words));
        if self.lines.len() > self.lines_max {
            self.lines.pop_front();
            self.left_out += 1;
        }
    }

    fn finish(self) -> Logs {
        let host = |spot: &Spot| {
            let task = || self.tasks.iter().find(|(task, _)| Some(*task) == spot.task);
            // A runtime of several hosts says nothing.
            let of_runtime = || {
                let mut hosts = self.runtimes.iter().filter(|(id, _)| Some(*id) == spot.runtime);
                hosts.next().filter(|_| hosts.next().is_none()).map(|(_, host)| *host)
            };
            spot.host.or_else(|| task().map(|(_, host)| *host)).or_else(of_runtime)
        };
        let line = |(at, spot, words): &(Time, Spot, String)| Line {
            at: *at,
            host: host(spot),
            words: words.clone(),
        };
        Logs { lines: self.lines.iter().map(line).collect(), left_out: self.left_out }
    }
}

impl Logs {
    /// The lines by time, each with its host; nothing if there are none.
    pub(crate) fn text(&self, host_name: impl Fn(HostId) -> String) -> String {
        let name = |line: &Line| line.host.map_or_else(|| "?".to_owned(), &host_name);
        let width = |of: &dyn Fn(&Line) -> usize| self.lines.iter().map(of).max().unwrap_or(0);
        let (times, names) = (width(&|line| line.at.to_string().len()), width(&|line| name(line).len()));
        let mut text = String::new();
        if self.left_out > 0 {
            let _ = writeln!(text, "  … {} earlier lines left out …", self.left_out);
        }
        for line in &self.lines {
            let _ =
                writeln!(text, "  {:>times$}  {:names$}  {}", line.at.to_string(), name(line), line.words);
        }
        if self.lines.iter().any(|line| line.host.is_none()) {
            text += "  ?: of a task that no host is known of\n";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_in_columns_and_those_without_a_host_are_explained() {
        let line = |ms, host, words: &str| Line { at: Time::from_millis(ms), host, words: words.to_owned() };
        let lines = vec![line(0, Some(HostId(1)), "INFO up"), line(1_200, None, "WARN late")];
        let logs = Logs { lines, left_out: 7 };
        let text = logs.text(|host| ["client", "server"][usize::from(host.0)].to_owned());
        let expected = [
            "  … 7 earlier lines left out …",
            "     0.000 ms  server  INFO up",
            "  1200.000 ms  ?       WARN late",
            "  ?: of a task that no host is known of",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(Logs::default().text(|_| String::new()), "");
    }
}
