//! `--pcapng FILE`: what was on the wire, for Wireshark.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use faultwire::fault::FaultPlan;
use faultwire::trace::{Captured, Trace};

use crate::report::plan_in_words;

/// What a capture is of: said in its own comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// What ran, and where: `the scenario udp/echo on virtual/ours, seed 0`.
    pub(super) what: &'a str,
    /// The plan it ran under.
    pub(super) plan: &'a FaultPlan,
}

/// A file for a capture.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Capture<'a> {
    /// Makes the file, which is empty until [`write`](Capture::write): whether that is possible is told now, not after hours.
    pub(super) fn create(path: &'a Path) -> io::Result<Capture<'a>> {
        Ok(Capture { path, file: File::create(path)? })
    }

    /// Writes a trace to it as pcapng, and says what is in it. The comment of the whole has the plan in words, and as the
    /// plan file that it is.
    pub(super) fn write(self, trace: &Trace, subject: Subject<'_>) -> io::Result<String> {
        let Subject { what, plan } = subject;
        let comment = format!("{what}\nplan: {}\n\n{}", plan_in_words(plan), plan.to_toml());
        let captured = trace.write_pcapng(&comment, BufWriter::new(self.file))?;
        Ok(format!("{}: {}", self.path.display(), in_words(captured)))
    }
}

/// `3 packets sent, 2 arrived, 1 lost`.
fn in_words(captured: Captured) -> String {
    let Captured { sent, arrived, lost, injected, missing } = captured;
    if captured == Captured::default() {
        return "no packet: this testbed does not show them, or nothing was sent".to_owned();
    }
    let packets = if sent == 1 { "packet" } else { "packets" };
    let mut text = format!("{sent} {packets} sent, {arrived} arrived, {lost} lost");
    if injected > 0 {
        text.push_str(&format!(", {injected} injected"));
    }
    if missing > 0 {
        text.push_str(&format!("; {missing} of which the trace has no bytes are not in it"));
    }
    text
}
