//! The progress bar: on stderr, and only where that is a terminal.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use faultwire_conformance::progress::Progress;

/// How far it is, how fast, how long it will take, and what is running.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    runs: Arc<AtomicU64>,
    /// What is running, in the order of its start.
    running: Vec<String>,
}

impl Bar {
    pub(super) fn new() -> Bar {
        // Draws nothing where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let runs = Arc::new(AtomicU64::new(0));
        bar.set_style(style(runs.clone()));
        tick(&bar);
        Bar { bar, runs, running: Vec::new() }
    }

    fn tell_what_runs(&self) {
        self.bar.set_message(self.running.join(", "));
    }
}

/// How many runs were made of those that may be, how fast, and what came of them.
#[derive(Debug)]
pub(super) struct RunsBar(ProgressBar);

impl RunsBar {
    pub(super) fn new(runs_max: u64) -> RunsBar {
        let bar = ProgressBar::with_draw_target(Some(runs_max), ProgressDrawTarget::stderr());
        let template =
            "{elapsed} {human_pos} of at most {human_len} runs, {per_sec}, at most {left} left: {wide_msg}";
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("left", tell_left),
        );
        tick(&bar);
        RunsBar(bar)
    }

    /// A run was made; what there is by now.
    pub(super) fn ran(&mut self, now: &str) {
        self.0.inc(1);
        self.0.set_message(now.to_owned());
    }
}

impl Drop for RunsBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Draws the bar five times a second, where a thread can be started for that; else whenever something is
/// told.
fn tick(bar: &ProgressBar) {
    let can_start = std::thread::Builder::new()
        .spawn(|| ())
        .and_then(|thread| thread.join().map_err(|_| std::io::Error::other("it panicked")));
    if can_start.is_ok() {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
}

fn style(runs: Arc<AtomicU64>) -> ProgressStyle {
    let made = runs.clone();
    let template = "{elapsed} [{bar:12}] {pos}/{len}, {runs} runs, {rate}/s, {left} left: {wide_msg}";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("runs", move |_: &ProgressState, out: &mut dyn Write| {
            // Nobody is told if this fails.
            let _ = write!(out, "{}", HumanCount(made.load(Ordering::Relaxed)));
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
            let rate = runs.load(Ordering::Relaxed) as f64 / state.elapsed().as_secs_f64().max(0.001);
            let _ = write!(out, "{}", HumanCount(rate as u64));
        })
        .with_key("left", tell_left)
}

/// How long it will take, as far as that is known.
fn tell_left(state: &ProgressState, out: &mut dyn Write) {
    // Nobody is told if this fails.
    let _ = match left(state.elapsed(), state.pos(), state.len().unwrap_or(0)) {
        Some(left) => write!(out, "{}s", left.as_secs()),
        None => write!(out, "?"),
    };
}

/// How long it will take if the steps that are left take as long as those that are done: nothing is known
/// before the first.
fn left(elapsed: Duration, done: u64, steps: u64) -> Option<Duration> {
    let per_step = elapsed.as_secs_f64() / (done > 0).then_some(done as f64)?;
    Duration::try_from_secs_f64(per_step * steps.saturating_sub(done) as f64).ok()
}

impl Progress for Bar {
    fn begin(&mut self, steps: u64) {
        self.bar.inc_length(steps);
    }

    fn starts(&mut self, what: &str) {
        self.running.push(what.to_owned());
        self.tell_what_runs();
    }

    fn ran(&mut self, runs: u64) {
        self.runs.fetch_add(runs, Ordering::Relaxed);
    }

    fn done(&mut self, what: &str) {
        if let Some(place) = self.running.iter().position(|it| it == what) {
            self.running.remove(place);
        }
        self.bar.inc(1);
        self.tell_what_runs();
    }

    fn end(&mut self) {
        self.running.clear();
        self.tell_what_runs();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        let seconds = Duration::from_secs;
        assert_eq!(left(seconds(3), 0, 4), None);
        assert_eq!(left(seconds(3), 1, 4), Some(seconds(9)));
        assert_eq!(left(seconds(8), 4, 4), Some(Duration::ZERO));
    }
}
