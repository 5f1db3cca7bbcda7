//! A program inside a host: this process's side.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::channel::{Answer, Request};
use super::host::{Helper, KernelHost, LabError, failed};

/// A program that runs inside a host; it is killed, with all that it has started, at the latest when its lab
/// ends.
#[derive(Debug)]
pub struct Program {
    helper: Arc<Helper>,
    number: u32,
    /// Readable once the program has ended.
    ended: OwnedFd,
}

impl KernelHost {
    /// Starts a command of the shell inside the host, with these variables added to its environment, and
    /// these as its stdin, stdout and stderr.
    ///
    /// # Errors
    /// [`LabError::Call`] where it cannot be started; [`LabError::Gone`].
    pub fn start(
        &self,
        line: &str,
        environment: &[(String, String)],
        stdio: [BorrowedFd<'_>; 3],
    ) -> Result<Program, LabError> {
        let request =
            Request::Start { host: self.index, line: line.to_owned(), environment: environment.to_vec() };
        let (answer, descriptors) = self.helper.ask_with(&request, &stdio)?;
        match (answer, descriptors.into_iter().next()) {
            (Answer::Started { program }, Some(ended)) => {
                Ok(Program { helper: Arc::clone(&self.helper), number: program, ended })
            }
            (Answer::Failed { errno }, _) => Err(failed("starting the program", errno)),
            _ => Err(LabError::Gone),
        }
    }

    /// Whether a socket of the host waits for clients: a listening one, or a datagram socket with a port.
    /// Of a host whose stack is a program: whether the program has the TUN device open.
    ///
    /// # Errors
    /// [`LabError::Call`] where the system does not tell; [`LabError::Gone`].
    pub fn is_listening(&self) -> Result<bool, LabError> {
        match self.helper.ask(&Request::Listening { host: self.index })?.0 {
            Answer::Listening { listening } => Ok(listening),
            Answer::Failed { errno } => Err(failed("looking for sockets", errno)),
            _ => Err(LabError::Gone),
        }
    }
}

impl Program {
    /// Waits until it has ended, no longer than `limit`; `None` if it runs on. What is left of its process
    /// group is killed then.
    ///
    /// # Errors
    /// [`LabError::Call`], [`LabError::Gone`]; also where this was answered before.
    pub fn wait(&self, limit: Duration) -> Result<Option<ExitStatus>, LabError> {
        if !self.is_over(limit)? {
            return Ok(None);
        }
        match self.helper.ask(&Request::Reap { program: self.number })?.0 {
            Answer::Ended { status } => Ok(Some(ExitStatus::from_raw(status))),
            Answer::Failed { errno } => Err(failed("waiting for the program", errno)),
            _ => Err(LabError::Gone),
        }
    }

    /// Like [`wait`](Program::wait), but leaves what it has started running, and may be asked again. An error
    /// once [`wait`](Program::wait) has answered.
    ///
    /// # Errors
    /// [`LabError::Call`], [`LabError::Gone`].
    pub fn peek(&self, limit: Duration) -> Result<Option<ExitStatus>, LabError> {
        if !self.is_over(limit)? {
            return Ok(None);
        }
        match self.helper.ask(&Request::Peek { program: self.number })?.0 {
            Answer::Peeked { status } => Ok(status.map(ExitStatus::from_raw)),
            Answer::Failed { errno } => Err(failed("looking at the program", errno)),
            _ => Err(LabError::Gone),
        }
    }

    /// Whether it has ended, within `limit`.
    fn is_over(&self, limit: Duration) -> Result<bool, LabError> {
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let mut descriptors = [PollFd::from_borrowed_fd(self.ended.as_fd(), PollFlags::IN)];
        match poll(&mut descriptors, Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => Err(LabError::Call { call: "waiting for the program", source: error.into() }),
        }
    }

    /// Asks it, and what it has started, to end (SIGTERM).
    ///
    /// # Errors
    /// [`LabError::Call`], [`LabError::Gone`].
    pub fn terminate(&self) -> Result<(), LabError> {
        self.signal(libc::SIGTERM)
    }

    /// Kills it, and what it has started (SIGKILL).
    ///
    /// # Errors
    /// [`LabError::Call`], [`LabError::Gone`].
    pub fn kill(&self) -> Result<(), LabError> {
        self.signal(libc::SIGKILL)
    }

    fn signal(&self, signal: i32) -> Result<(), LabError> {
        match self.helper.ask(&Request::Signal { program: self.number, signal })?.0 {
            Answer::Done => Ok(()),
            // It has ended already.
            Answer::Failed { errno: libc::ESRCH } => Ok(()),
            Answer::Failed { errno } => Err(LabError::Call {
                call: "ending the program",
                source: io::Error::from_raw_os_error(errno),
            }),
            _ => Err(LabError::Gone),
        }
    }
}
