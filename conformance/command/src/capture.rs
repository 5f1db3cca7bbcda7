//! `--pcapng FILE`: what was on the wire, for Wireshark.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use faultwire::fault::FaultPlan;
use faultwire::files;
use faultwire::trace::{Captured, HostId, Trace};

use super::error::{CommandError, usage};
use super::output;
use faultwire_conformance::report::plan_in_words;

/// What a capture is of: said in its own comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// What ran, and where: `the scenario udp/echo on virtual/faultwire, seed 0`.
    pub(super) what: &'a str,
    /// The plan it ran under.
    pub(super) plan: &'a FaultPlan,
}

/// The options of the commands that can make a capture.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CaptureArgs {
    /// Write the packets to this file for Wireshark: an interface for each host, one for lost packets
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,

    /// Of the packets only what this host sent and got, which is what Wireshark's analysis of TCP is right
    /// for
    #[arg(long, value_name = "HOST", requires = "pcapng")]
    seen_by: Option<String>,
}

/// A file for a capture.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    path: &'a Path,
    seen_by: Option<&'a str>,
}

impl CaptureArgs {
    /// The capture, if one is wanted. Whether its file can be written is told now, not after hours. `hosts`:
    /// those of the trace to come.
    pub(super) fn create(&self, hosts: &[String]) -> Result<Option<Capture<'_>>, CommandError> {
        let Some(path) = self.pcapng.as_deref() else { return Ok(None) };
        let seen_by = self.seen_by.as_deref();
        if let Some(name) = seen_by {
            find(hosts, name)?;
        }
        output::check_writable("the packets", Some(path))?;
        Ok(Some(Capture { path, seen_by }))
    }

    /// Where the packets are to be written.
    pub(super) fn path(&self) -> Option<&Path> {
        self.pcapng.as_deref()
    }
}

impl Capture<'_> {
    /// Writes a trace to it as pcapng, and says what is in it. The comment of the whole has the plan in
    /// words, and as the plan file that it is.
    pub(super) fn write(self, trace: &Trace, subject: Subject<'_>) -> Result<String, CommandError> {
        let Subject { what, plan } = subject;
        let comment = format!("{what}\nplan: {}\n\n{}", plan_in_words(plan), plan.to_toml());
        let host = self.seen_by.map(|name| find(trace.hosts(), name)).transpose()?;
        let captured = files::replace(self.path, |file| {
            let mut out = BufWriter::new(file);
            let captured = match host {
                None => trace.write_pcapng(&comment, &mut out),
                Some(host) => trace.write_pcapng_seen_by(host, &comment, &mut out),
            }?;
            out.flush()?;
            Ok(captured)
        });
        let captured = captured.map_err(|error| output::unwritten("the packets", self.path, error))?;
        Ok(format!("{}: {}", self.path.display(), in_words(captured, self.seen_by)))
    }
}

fn find(hosts: &[String], name: &str) -> Result<HostId, CommandError> {
    let found = (0..).map(HostId).zip(hosts).find(|(_, host)| *host == name);
    let unknown = || {
        let known = hosts.join(", ");
        usage(format!("there is no host `{name}` whose packets could be written; there are: {known}"))
    };
    found.map(|(id, _)| id).ok_or_else(unknown)
}

/// `3 packets sent, 2 arrived, 1 lost`.
fn in_words(captured: Captured, seen_by: Option<&str>) -> String {
    let Captured { sent, arrived, lost, injected, missing, .. } = captured;
    if captured == Captured::default() {
        return "no packet: this testbed does not show them, or nothing was sent".to_owned();
    }
    let packets = if sent == 1 { "packet" } else { "packets" };
    let mut text = match seen_by {
        None => format!("{sent} {packets} sent, {arrived} arrived, {lost} lost"),
        Some(name) => format!("as {name} saw it, {sent} {packets} sent, {arrived} arrived"),
    };
    if injected > 0 {
        text.push_str(&format!(", {injected} injected"));
    }
    if missing > 0 {
        text.push_str(&format!("; {missing} of which the trace has no bytes are not in it"));
    }
    text
}
