//! Namespaces: entering them, and threads that live in one.

use std::fs::{self, File};
use std::io;
use std::sync::mpsc;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, set_parent_process_death_signal, waitpid};
use rustix::thread::UnshareFlags;

use super::refusal::{Refusal, Step};
use super::sys;

/// Enters a new network namespace, for the wires' ends of devices; and before that a user namespace,
/// where this process may not make network namespaces.
///
/// The process must have one thread only. Its user and group keep their numbers; inside the new namespace it
/// has all rights over what belongs to that: user_namespaces(7).
///
/// # Errors
/// [`Refusal`] of the user namespace, or of the network namespace where another error than a missing right
/// stops it.
pub(super) fn enter() -> Result<(), Refusal> {
    match sys::unshare(UnshareFlags::NEWNET) {
        Ok(()) => return Ok(()),
        Err(Errno::PERM) => {}
        Err(error) => return Err(Refusal::at(Step::NetworkNamespace)(error)),
    }
    // Read before: inside they are the overflow numbers until the maps are written.
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    sys::unshare(UnshareFlags::NEWUSER).map_err(Refusal::at(Step::UserNamespace))?;
    // Without root a group map is taken only after the process gave up setgroups(2).
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ] {
        fs::write(file, text).map_err(Refusal::at(Step::Identity))?;
    }
    sys::unshare(UnshareFlags::NEWNET).map_err(Refusal::at(Step::NetworkNamespace))
}

/// The exit code of a child that cannot start processes. Nothing else exits with it.
const NO_PROC: i32 = 77;

/// Which part of the helper this process is, once it has split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It does the work. When it ends, the kernel kills every process that was started in it, daemons
    /// included; if the machine refuses that (the error number), whatever is its child or grandchild by then
    /// is killed by hand.
    Worker(Result<(), i32>),
    /// The worker was its child, and has ended.
    Done,
}

/// Continues in a new PID namespace, with a `/proc` that shows it: pid_namespaces(7). This process waits
/// for the one inside. Where the machine refuses that, or the `/proc`, without which programs would mistake
/// their numbers, this process itself goes on.
///
/// The process must have one thread only.
pub(super) fn split() -> Part {
    let child = match sys::fork_apart() {
        Ok(Some(child)) => child,
        Ok(None) => {
            let is_inside = set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
            if is_inside && sys::mount_own_proc().is_ok() {
                return Part::Worker(Ok(()));
            }
            std::process::exit(NO_PROC);
        }
        Err(error) => return Part::Worker(Err(error.raw_os_error().unwrap_or(0))),
    };
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) | Ok(None) => {}
            Ok(Some((_, status))) if status.exit_status() == Some(NO_PROC) => {
                return Part::Worker(Err(libc::EACCES));
            }
            _ => return Part::Done,
        }
    }
}

/// A network namespace, and the thread that works inside it.
#[derive(Debug)]
pub(super) struct Namespace {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Namespace {
    /// A new one, empty: its loopback device is down.
    ///
    /// # Errors
    /// [`Refusal`] of the network namespace.
    pub(super) fn new() -> Result<Namespace, Refusal> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let work = move || todo.into_iter().for_each(|job: Job| job());
        thread::Builder::new().spawn(work).map_err(Refusal::at(Step::NetworkNamespace))?;
        let namespace = Namespace { jobs };
        namespace
            .run(|| sys::unshare(UnshareFlags::NEWNET))
            .unwrap_or(Err(Errno::SRCH))
            .map_err(Refusal::at(Step::NetworkNamespace))?;
        Ok(namespace)
    }

    /// Its own descriptor: network_namespaces(7).
    pub(super) fn descriptor(&self) -> io::Result<File> {
        self.run(|| File::open("/proc/thread-self/ns/net")).unwrap_or_else(|| Err(Errno::SRCH.into()))
    }

    /// Does something inside, and gives its result; `None` if the thread has died.
    pub(super) fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = mpsc::channel();
        let job = Box::new(move || {
            // Nobody drops the receiver before there is a result.
            let _ = done.send(what());
        });
        self.jobs.send(job).ok()?;
        result.recv().ok()
    }
}
