//! A program in a host of the lab, and what becomes of its output.

use std::borrow::Cow;
use std::fs::File;
use std::io::{
    self, BufRead as _, BufReader, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write as _,
};
use std::os::fd::AsFd as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use faultwire::lab::{KernelHost, Program};

use super::pair::PairError;
use crate::output::tell;
use faultwire_conformance::report::harmless;

/// How long a program may take to end when it is asked to.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How long the output of a program that has ended is waited for.
const OUTPUT_LIMIT: Duration = Duration::from_secs(1);
/// A longer line of output is broken, in bytes.
const LINE_MAX: u64 = 8_192;
/// So much of a run's output is kept, in bytes.
const KEPT_MAX: usize = 256 * 1024;

/// What becomes of the programs' output.
#[derive(Clone, Debug)]
pub(super) enum Output {
    /// It is shown as it comes, each line with its host's name in front: stdout on stdout, stderr on stderr.
    /// What a pipe or a file gets is unchanged; on a terminal, control characters are replaced.
    Shown,
    /// It is kept, in the same form, and perhaps shown later.
    Kept(Kept),
}

/// Takes lines.
type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// Lines of output, as many as there is room for.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// What was kept so far, as it may stand on a terminal.
    pub(super) fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        harmless(&String::from_utf8_lossy(&kept)).into_owned()
    }

    fn push(&self, line: &[u8]) {
        const CUT: &[u8] = b"faultwire | there is more output, which is not kept\n";
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + line.len() <= KEPT_MAX {
            kept.extend_from_slice(line);
        } else if !kept.ends_with(CUT) {
            kept.extend_from_slice(CUT);
        }
    }
}

impl Output {
    /// A line about the programs.
    pub(super) fn note(&self, line: std::fmt::Arguments<'_>) {
        match self {
            Output::Shown => tell(line),
            Output::Kept(kept) => kept.push(format!("faultwire | {line}\n").as_bytes()),
        }
    }

    /// Where the lines of a stream go.
    fn sink(&self, shown: fn() -> Box<dyn io::Write>, is_terminal: bool) -> Sink {
        match self {
            // A reader that has gone away has seen enough; the program is not to notice.
            Output::Shown => Box::new(move |line| drop(shown().write_all(&as_shown(line, is_terminal)))),
            Output::Kept(kept) => {
                let kept = kept.clone();
                Box::new(move |line| kept.push(line))
            }
        }
    }
}

/// A line of a program's output, as it may be shown.
fn as_shown(line: &[u8], is_terminal: bool) -> Cow<'_, [u8]> {
    if !is_terminal {
        return Cow::Borrowed(line);
    }
    Cow::Owned(harmless(&String::from_utf8_lossy(line)).into_owned().into_bytes())
}

/// A program that was started.
#[derive(Debug)]
pub(super) struct Started {
    name: &'static str,
    pub(super) program: Program,
    output: Output,
    /// Each of its two streams says so when it is at its end.
    ends: mpsc::Receiver<()>,
}

impl Started {
    /// Has the shell of a host run that line, with these variables.
    pub(super) fn start(
        host: &KernelHost,
        name: &'static str,
        line: &str,
        environment: &[(String, String)],
        output: &Output,
    ) -> Result<Started, PairError> {
        let (said, stdout) = io::pipe()?;
        let (complained, stderr) = io::pipe()?;
        // The client gets what is piped into this command, if it is run once. A terminal belongs to one
        // program only: this one.
        let nothing = File::open("/dev/null")?;
        let own = io::stdin();
        let is_fed = matches!(output, Output::Shown) && name == "client" && !own.is_terminal();
        let stdin = if is_fed { own.as_fd() } else { nothing.as_fd() };
        let program = host.start(line, environment, [stdin, stdout.as_fd(), stderr.as_fd()])?;
        drop::<[PipeWriter; 2]>([stdout, stderr]);
        let (end, ends) = mpsc::channel();
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        carry(said, name, end.clone(), output.sink(|| Box::new(io::stdout()), out))?;
        carry(complained, name, end, output.sink(|| Box::new(io::stderr()), err))?;
        Ok(Started { name, program, output: output.clone(), ends })
    }

    /// Waits for the rest of its output. Something that it has left behind may keep it open.
    pub(super) fn finish_output(&mut self) {
        for _ in 0..2 {
            let _ = self.ends.recv_timeout(OUTPUT_LIMIT);
        }
    }

    /// Asks it, and what it has started, to end, and gives its status; kills what does not, which has none.
    pub(super) fn end(&mut self) -> Result<Option<ExitStatus>, PairError> {
        self.program.terminate()?;
        // What it has started may end later than it does, and have something to say: once it is reaped, they
        // are killed.
        self.finish_output();
        let status = self.program.wait(END_LIMIT)?;
        if status.is_none() {
            self.output
                .note(format_args!("the {} does not end when it is asked to: it is killed", self.name));
            self.kill()?;
        }
        self.finish_output();
        Ok(status)
    }

    /// Kills it.
    pub(super) fn kill(&mut self) -> Result<(), PairError> {
        self.program.kill()?;
        self.program.wait(END_LIMIT)?;
        Ok(())
    }
}

/// Carries a stream line by line, in its own thread.
fn carry(from: PipeReader, name: &'static str, end: mpsc::Sender<()>, mut to: Sink) -> io::Result<()> {
    let carry = move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line), Ok(1..)) {
            let mut shown = format!("{name} | ").into_bytes();
            shown.append(&mut line);
            if shown.last() != Some(&b'\n') {
                shown.push(b'\n');
            }
            to(&shown);
        }
        let _ = end.send(());
    };
    thread::Builder::new().spawn(carry).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_wrote_does_nothing_to_a_terminal() {
        let kept = Kept::default();
        kept.push("client | \u{1b}[2J\u{1b}]0;mine\u{7}\u{9b}2J\rover\tthere\r\n".as_bytes());
        kept.push(b"client | \x9b\xff\n");
        assert_eq!(
            kept.text(),
            "client | \u{fffd}[2J\u{fffd}]0;mine\u{fffd}\u{fffd}2J\u{fffd}over\tthere\n\
             client | \u{fffd}\u{fffd}\n"
        );
        // What is not shown on a terminal stays as it is.
        let line = b"client | \x1b[2J\xff\n";
        assert_eq!(*as_shown(line, false), *line);
        assert_eq!(*as_shown(line, true), *"client | \u{fffd}[2J\u{fffd}\n".as_bytes());
    }
}
