//! A stack's process: its pipes, and the time that it has for an answer.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use faultwire::errno::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::frame::{FRAME_MAX, VERSION};

/// How long a process has to end by itself, once its standard input has ended.
const GRACE: Duration = Duration::from_millis(500);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Bytes kept of what it writes to its standard error.
const SAID_MAX: usize = 2_048;
/// Bytes of what is no answer that are shown.
const SHOWN_MAX: usize = 60;
/// Bytes read at once.
const READ_MAX: usize = 1 << 16;

/// What a process did in place of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("ended its output")]
    Ended,
    #[error("gave no answer within {0:?}")]
    Silent(Duration),
    #[error("wrote before it had read the request: {0}")]
    Early(String),
    #[error("wrote a frame of {len} bytes, more than {FRAME_MAX}: {shown}")]
    TooLong { len: usize, shown: String },
    #[error("wrote more than one answer")]
    More,
    #[error("wrote what is no answer: {0}")]
    NoAnswer(String),
    #[error("wrote an answer to request {0}")]
    WrongNumber(u32),
    #[error("wrote an answer whose result is not one of this request")]
    OtherResult,
    #[error("has version {0} of the protocol, not {VERSION}")]
    OtherVersion(u16),
    #[error("cannot be this host: {0}")]
    NoHost(Errno),
    #[error("could not be asked: {0}")]
    Pipe(#[from] io::Error),
}

/// A process that runs, with the pipes to it. It is ended when dropped, with all that it started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// `None` once it was told to end.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// `None` once it has closed it.
    stderr: Option<ChildStderr>,
    /// What it wrote beyond the frames that were taken.
    input: BytesMut,
    said: Vec<u8>,
    buffer: Box<[u8]>,
    /// Requests so far.
    pub(super) asked: u32,
    /// It said that it can become a new host.
    pub(super) can_restart: bool,
}

impl Process {
    /// Starts a command: the program and its arguments.
    pub(super) fn start(command: &[OsString], folder: Option<&Path>) -> io::Result<Process> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        // A group for it and for what it starts, so that all of it can be ended.
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        for pipe in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Process {
            child,
            stdin: Some(stdin),
            stdout,
            stderr: Some(stderr),
            input: BytesMut::new(),
            said: Vec::new(),
            buffer: vec![0; READ_MAX].into(),
            asked: 0,
            can_restart: false,
        })
    }

    /// Whether it has not ended yet.
    pub(super) fn is_running(&mut self) -> bool {
        !has_ended(&self.child)
    }

    /// Writes a frame and reads one, without its length.
    pub(super) fn exchange(&mut self, frame: &[u8], patience: Duration) -> Result<Bytes, Fault> {
        let deadline = Deadline::after(patience);
        self.write(frame, deadline)?;
        let answer = loop {
            if let Some(answer) = self.take_frame()? {
                break answer;
            }
            self.wait(false, deadline)?;
            if !self.read()? {
                return Err(Fault::Ended);
            }
        };
        if self.input.is_empty() { Ok(answer) } else { Err(Fault::More) }
    }

    fn write(&mut self, mut frame: &[u8], deadline: Deadline) -> Result<(), Fault> {
        while !frame.is_empty() {
            let Some(stdin) = &mut self.stdin else { return Err(Fault::Ended) };
            match stdin.write(frame) {
                Ok(written) => frame = &frame[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(true, deadline)?;
                    if !self.read()? {
                        return Err(Fault::Ended);
                    }
                    if !self.input.is_empty() {
                        return Err(Fault::Early(shown(&self.input)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Fault::Ended),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until it has written something or, if `to_write`, can be written to. Listens meanwhile to its
    /// standard error.
    fn wait(&mut self, to_write: bool, deadline: Deadline) -> Result<(), Fault> {
        loop {
            let left = deadline.left().ok_or(Fault::Silent(deadline.patience))?;
            let mut fds = Vec::with_capacity(3);
            fds.push(PollFd::new(&self.stdout, PollFlags::IN));
            if to_write && let Some(stdin) = &self.stdin {
                fds.push(PollFd::new(stdin, PollFlags::OUT));
            }
            let pipes = fds.len();
            if let Some(stderr) = &self.stderr {
                fds.push(PollFd::new(stderr, PollFlags::IN));
            }
            poll_for(&mut fds, left)?;
            let is_ready = |fds: &[PollFd<'_>]| fds.iter().any(|fd| !fd.revents().is_empty());
            let (is_done, speaks) = (is_ready(&fds[..pipes]), is_ready(&fds[pipes..]));
            if speaks {
                self.listen();
            }
            if is_done {
                return Ok(());
            }
        }
    }

    /// Reads what it has written; false at the end of it.
    fn read(&mut self) -> Result<bool, Fault> {
        loop {
            match self.stdout.read(&mut self.buffer) {
                Ok(len) => {
                    self.input.extend_from_slice(&self.buffer[..len]);
                    return Ok(len > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a frame that is complete, without its length.
    fn take_frame(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(len) = self.input.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        if len > FRAME_MAX {
            return Err(Fault::TooLong { len, shown: shown(&self.input) });
        }
        if self.input.len() < 4 + len {
            return Ok(None);
        }
        Ok(Some(self.input.split_to(4 + len).freeze().slice(4..)))
    }

    /// Reads what it has written to its standard error; keeps the end of it.
    fn listen(&mut self) {
        // At most about what a pipe holds: it may write on and on.
        for _ in 0..4 {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut self.buffer) {
                Ok(0) => self.stderr = None,
                Ok(len) => {
                    self.said.extend(&self.buffer[..len]);
                    self.said.drain(..self.said.len().saturating_sub(SAID_MAX));
                }
                Err(_) => return,
            }
        }
    }

    /// Ends it after a fault, and tells what became of it and what it last wrote to its standard error.
    pub(super) fn end(mut self, fault: &Fault) -> String {
        let grace = if matches!(fault, Fault::Ended) { GRACE } else { Duration::ZERO };
        let became = match self.stop(grace) {
            Some(status) => format!("it ended with {status}"),
            None => "it was killed".to_owned(),
        };
        self.listen();
        match String::from_utf8_lossy(&self.said).trim() {
            "" => became,
            said => format!("{became}; its standard error ends with:\n{said}"),
        }
    }

    /// Closes its standard input, gives it a moment to end, and kills what is left. Returns how it ended by
    /// itself, if it did.
    fn stop(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.stdin = None;
        let deadline = Deadline::after(grace);
        while !has_ended(&self.child) && deadline.left().is_some() {
            self.listen();
            if poll_for(&mut [], LOOK_EVERY).is_err() {
                break;
            }
        }
        let by_itself = has_ended(&self.child);
        // As long as it was not waited for, the group is its own. What it started may have outlived it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait().ok();
        status.filter(|_| by_itself)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.stdin.is_some() {
            self.stop(GRACE);
        }
    }
}

/// Whether it has ended; it is not waited for.
fn has_ended(child: &Child) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // What cannot be looked at is killed.
    matches!(waitid(WaitId::Pid(Pid::from_child(child)), look), Ok(Some(_)))
}

/// What a process wrote, as far as it is shown: printable, and not all of it.
fn shown(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
    format!("\"{}\"{}", shown.escape_ascii(), if bytes.len() > SHOWN_MAX { "…" } else { "" })
}

fn poll_for(fds: &mut [PollFd<'_>], span: Duration) -> io::Result<()> {
    let nanos = i64::from(span.subsec_nanos());
    let span = Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: nanos };
    match poll(fds, Some(&span)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// When patience ends.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    begun: Instant,
    patience: Duration,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process has real time for an answer; no result depends on it"
)]
impl Deadline {
    fn after(patience: Duration) -> Deadline {
        Deadline { begun: Instant::now(), patience }
    }

    /// What is left, if anything is.
    fn left(self) -> Option<Duration> {
        self.patience.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero())
    }
}
