//! The progress bar: on stderr, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::Progress;

/// What is running, how fast, and how long it will take.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Bar {
        // Draws nothing where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(
            "{elapsed_precise} [{bar:16}] {human_pos}/{human_len} runs, {per_sec:>10}, {eta} left {wide_msg}",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(bar)
    }
}

impl Progress for Bar {
    fn begin(&mut self, what: &str, runs: u64) {
        self.0.set_message(what.to_owned());
        self.0.inc_length(runs);
    }

    fn more(&mut self, runs: u64) {
        self.0.inc_length(runs);
    }

    fn advance(&mut self, runs: u64) {
        self.0.inc(runs);
    }

    fn end(&mut self) {
        self.0.set_message("");
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
