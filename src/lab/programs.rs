//! The helper's side of programs: it starts them inside a host, and ends what is left of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    pidfd_open, set_child_subreaper, waitid, waitpid,
};

use super::sys;

/// So often it is looked for processes that programs have left behind: each that is killed may leave others.
const ROUNDS: usize = 100;

/// Programs that were started, by process number, until they are reaped; what is left at the end is killed.
#[derive(Debug, Default)]
pub(super) struct Programs {
    running: BTreeMap<u32, Child>,
    /// Whether there were any.
    were_any: bool,
}

/// Starts a shell's command in the calling thread's namespaces, in a new session and a new process group,
/// with these as its stdin, stdout and stderr. It has no terminal: one that opened `/dev/tty` from the
/// background would be stopped.
pub(super) fn start(line: &str, environment: &[(String, String)], stdio: [OwnedFd; 3]) -> io::Result<Child> {
    let [stdin, stdout, stderr] = stdio;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    sys::set_apart(&mut command);
    command.spawn()
}

impl Programs {
    /// None yet. What a program leaves behind, in whatever process group, is this process's child from here
    /// on: a daemon too.
    pub(super) fn new() -> Programs {
        // Without that, what leaves its group lives on; the rest is killed all the same.
        let _ = set_child_subreaper(Some(getpid()));
        Programs::default()
    }

    /// Keeps a program that was started; gives its number and a descriptor that is readable once it has
    /// ended.
    pub(super) fn add(&mut self, child: Child) -> io::Result<(u32, OwnedFd)> {
        let number = child.id();
        let ended = process(number).and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        self.running.insert(number, child);
        self.were_any = true;
        Ok((number, ended?))
    }

    /// Sends a signal to a program and to what it has started.
    pub(super) fn signal(&self, program: u32, signal: i32) -> io::Result<()> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let group = self.running.get(&program).map(Child::id).ok_or_else(gone)?;
        let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(kill_process_group(process(group)?, signal)?)
    }

    /// How a program ended, if it has. Its number and its process group stay as they are.
    pub(super) fn peek(&self, program: u32) -> io::Result<Option<ExitStatus>> {
        use std::os::unix::process::ExitStatusExt as _;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(ended) = waitid(WaitId::Pid(process(program)?), look)? else { return Ok(None) };
        // As wait(2) gives it: the exit code in the second byte, a signal in the first.
        let code = ended.exit_status().map(|code| (code & 0xff) << 8);
        Ok(code.or(ended.terminating_signal()).map(ExitStatus::from_raw))
    }

    /// How a program ended, which it has to have; what it has started and left behind is killed.
    pub(super) fn reap(&mut self, program: u32) -> io::Result<ExitStatus> {
        let mut child =
            self.running.remove(&program).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        // Before the number is free for others.
        let _ = process(program).map(|group| kill_process_group(group, Signal::KILL));
        child.wait()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let left: Vec<u32> = self.running.keys().copied().collect();
        for program in left {
            // It may have ended by itself.
            let _ = self.signal(program, libc::SIGKILL);
            let _ = self.reap(program);
        }
        if self.were_any {
            end_strays();
        }
    }
}

/// The orphans of this process: as long as it lives, they are its children, and when it is dropped they are
/// killed.
///
/// A helper that is killed outright ends its hosts' programs with it, but not what these have started in
/// groups of their own (daemons do so): that becomes this process's. It is for a command that starts nothing
/// but labs: every child that is left counts as an orphan.
#[derive(Debug)]
pub struct Orphans(());

impl Orphans {
    /// Takes them over.
    pub fn adopt() -> Orphans {
        // Without that they live on, where the helper is killed.
        let _ = set_child_subreaper(Some(getpid()));
        Orphans(())
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        end_strays();
    }
}

/// Kills what programs have left behind outside of their groups.
fn end_strays() {
    for _ in 0..ROUNDS {
        let strays = children().unwrap_or_default();
        if strays.is_empty() {
            return;
        }
        for stray in strays {
            // Some have ended by themselves.
            let _ = kill_process(stray, Signal::KILL);
            let _ = waitpid(Some(stray), WaitOptions::empty());
        }
    }
}

/// The processes whose parent this one is.
fn children() -> io::Result<Vec<Pid>> {
    let own = getpid().as_raw_nonzero().get();
    let numbers =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat"));
        stat.is_ok_and(|stat| parent(&stat) == Some(own))
    };
    Ok(numbers.filter(is_child).filter_map(|number| process(number).ok()).collect())
}

/// The parent in a process's line of proc_pid_stat(5): the second number behind the name, which may hold
/// anything.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn process(number: u32) -> io::Result<Pid> {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Whether any socket of the calling thread's network namespace waits for clients: a listening stream socket,
/// or a datagram socket with a port and without a peer.
///
/// To write a table of streams the kernel walks through the connections of all namespaces, which takes
/// milliseconds. So a table is read only where the kernel counts sockets of its kind in this one.
pub(super) fn is_listening() -> io::Result<bool> {
    let read = |name: &str| match fs::read_to_string(format!("/proc/thread-self/net/{name}")) {
        // A kernel without IPv6 has half of them only.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    };
    let counts = read("sockstat")? + &read("sockstat6")?;
    for (kind, table, state) in
        [("UDP:", "udp", "07"), ("UDP6:", "udp6", "07"), ("TCP:", "tcp", "0A"), ("TCP6:", "tcp6", "0A")]
    {
        if has_sockets(&counts, kind) && has_state(&read(table)?, state) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether there are sockets of a kind, by the counts that /proc shows: `TCP: inuse 1 orphan 0`. Where it
/// shows none of that kind, there may be.
fn has_sockets(counts: &str, kind: &str) -> bool {
    let count = counts.lines().find_map(|line| line.strip_prefix(kind)?.split_whitespace().nth(1));
    count != Some("0")
}

/// Whether a table of sockets, as /proc shows it, has one in that state: the fourth column, behind number and
/// addresses.
fn has_state(table: &str, state: &str) -> bool {
    table.lines().skip(1).any(|line| line.split_whitespace().nth(3) == Some(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_sockets_are_read() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21352 1
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 21353 1
";
        assert!(has_state(table, "0A"));
        assert!(has_state(table, "01"));
        assert!(!has_state(table, "07"));
        assert!(!has_state(table, "st"));
        assert!(!has_state("", "0A"));
    }

    #[test]
    fn the_counts_of_sockets_are_read() {
        let counts =
            "sockets: used 7\nTCP: inuse 1 orphan 0 tw 0 alloc 4 mem 0\nTCP6: inuse 0\nUDP: inuse 0 mem 0\n";
        assert!(has_sockets(counts, "TCP:"));
        assert!(!has_sockets(counts, "TCP6:") && !has_sockets(counts, "UDP:"));
        assert!(has_sockets(counts, "UDP6:"), "it is not counted");
    }

    #[test]
    fn the_parent_stands_behind_the_name() {
        assert_eq!(parent("7 (sleep) S 42 7 7 0"), Some(42));
        assert_eq!(parent("7 (a) S 9 (b) S 42 7 7 0"), Some(42));
        assert_eq!(parent("7 (sleep) S"), None);
        assert_eq!(parent(""), None);
    }
}
