//! A program with all that it starts: a process group, of which nothing is left when it is dropped.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A program that was started, and what it has started.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    /// How it ended, once it has and is reaped.
    status: Option<ExitStatus>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// It has ended.
    Ended(ExitStatus),
    /// It still runs after that time.
    TooLong,
    /// It is to be stopped.
    Stopped,
}

impl Group {
    /// Starts it in a new process group.
    pub(super) fn start(command: &mut Command) -> io::Result<Group> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        Ok(Group { child: command.spawn()?, status: None })
    }

    /// Its process.
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it has ended, for no longer than that, and not when it is to stop. What it has left behind
    /// when it ended is killed.
    pub(super) fn wait(&mut self, limit: Duration, is_to_stop: &dyn Fn() -> bool) -> io::Result<Waited> {
        let clock = OsNetwork::new();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Waited::Ended(status));
            }
            if is_to_stop() {
                return Ok(Waited::Stopped);
            }
            if clock.now().since_start() >= limit {
                return Ok(Waited::TooLong);
            }
            thread::park_timeout(LOOK);
        }
    }

    /// Kills all of it.
    pub(super) fn kill(&mut self) {
        if self.status.is_none() {
            self.signal_all();
            // Nothing of a group that is gone is left to be killed.
            self.status = self.child.wait().ok();
        }
    }

    /// How it ended, if it has.
    #[cfg(unix)]
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        if self.status.is_some() {
            return Ok(self.status);
        }
        let pid = Pid::from_child(&self.child);
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(pid), look)?.is_some() {
            // Its number is its own until it is reaped: no other group can be hit.
            self.signal_all();
            self.status = Some(self.child.wait()?);
        }
        Ok(self.status)
    }

    #[cfg(not(unix))]
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    #[cfg(unix)]
    fn signal_all(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // There may be nothing left of it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    #[cfg(not(unix))]
    fn signal_all(&mut self) {
        let _ = self.child.kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::process::Stdio;

    fn shell(line: &str) -> Group {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped());
        Group::start(&mut command).expect("a shell")
    }

    /// The pipe is at its end only when nobody is left who could write to it.
    fn nobody_is_left(group: &mut Group) {
        let mut rest = String::new();
        let mut stdout = group.child().stdout.take().expect("a pipe");
        stdout.read_to_string(&mut rest).expect("the end");
    }

    #[test]
    fn what_runs_too_long_is_killed_with_all_that_it_has_started() {
        let mut group = shell("sleep 1000 & sleep 1000");
        assert_eq!(group.wait(Duration::from_millis(50), &|| false).unwrap(), Waited::TooLong);
        assert_eq!(group.wait(Duration::from_secs(50), &|| true).unwrap(), Waited::Stopped);
        group.kill();
        nobody_is_left(&mut group);
    }

    #[test]
    fn what_is_left_behind_is_killed() {
        let mut group = shell("sleep 1000 & exit 3");
        let waited = group.wait(Duration::from_secs(100), &|| false).unwrap();
        assert!(matches!(waited, Waited::Ended(status) if status.code() == Some(3)), "{waited:?}");
        nobody_is_left(&mut group);
        let mut group = shell("sleep 1000");
        let mut stdout = group.child().stdout.take().expect("a pipe");
        drop(group);
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }
}
