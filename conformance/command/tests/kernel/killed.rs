//! What is left of a lab whose command was killed outright: nothing, whenever that was.
//!
//! `FAULTWIRE_LAB_KILLS` says how often.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::bench::{kernel_config, lab, pause};

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// In the environment of the command and of all that it starts.
const MARK: &str = "FAULTWIRE_TEST_MARK";

/// Commands that run side by side.
const WORKERS: usize = 4;

/// The last moment, in milliseconds after the start: the client runs by then.
const LATEST_MS: usize = 400;

#[test]
fn nothing_is_left_whenever_the_command_is_killed() {
    if lab(kernel_config()).is_none() {
        return;
    }
    let kills = std::env::var("FAULTWIRE_LAB_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let devices = devices();
    let next = AtomicUsize::new(0);
    let (programs, namespaces) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= kills {
                        return;
                    }
                    let (alive, entered) = kill_after(LATEST_MS * number / kills, number);
                    programs.fetch_add(alive, Ordering::Relaxed);
                    namespaces.fetch_add(entered, Ordering::Relaxed);
                }
            });
        }
    });
    let (programs, namespaces) = (programs.into_inner(), namespaces.into_inner());
    eprintln!("{kills} commands killed: {programs} processes and {namespaces} namespaces, nothing left");
    // Some were killed late enough to have had them.
    assert!(programs > kills && namespaces > 0);
    assert_eq!(self::devices(), devices);
}

/// Kills a command so long after its start; gives how many processes it had started then, and in how many
/// network namespaces of their own.
fn kill_after(milliseconds: usize, number: usize) -> (usize, usize) {
    let mark = format!("{}-{number}", std::process::id());
    // A child of a child, and, where there is setsid(1), one that has left the process group.
    let client = "setsid sleep 41 & sleep 41 & sleep 41";
    let server = format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000 & wait");
    let mut running = Command::new(FAULTWIRE)
        .args(["lab", "--server", &server, "--client", client, "--timeout", "40"])
        // A TUN device that a program may open outlives its maker, in its namespace alone.
        .args(["--tun", "client"].iter().take(if number % 2 == 1 { 2 } else { 0 }))
        .env(MARK, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    pause(Duration::from_millis(milliseconds as u64));
    let own = namespace(&PathBuf::from("/proc/self"));
    let processes = marked(&mark);
    let entered: BTreeSet<PathBuf> =
        processes.iter().filter_map(|path| namespace(path)).filter(|one| Some(one) != own.as_ref()).collect();
    running.kill().expect("it is ours");
    running.wait().expect("it is ours");
    for _ in 0..400 {
        // A namespace lives as long as a process in it or a mount of it does. Then its number is free:
        // another test's namespace may have it for a while.
        let alive: BTreeSet<PathBuf> = every_process().filter_map(|path| namespace(&path)).collect();
        if marked(&mark).is_empty() && entered.is_disjoint(&alive) {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("a table");
            assert!(entered.iter().all(|one| !mounts.contains(&*one.to_string_lossy())));
            return (processes.len(), entered.len());
        }
        pause(Duration::from_millis(25));
    }
    panic!("killed after {milliseconds} ms, the command leaves {:?} or one of {entered:?}", marked(&mark));
}

fn every_process() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("a table of processes").flatten();
    entries.map(|entry| entry.path()).filter(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok())
    })
}

/// The processes with that mark in their environment.
fn marked(mark: &str) -> Vec<PathBuf> {
    let wanted = format!("{MARK}={mark}");
    let has = |path: &PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    every_process().filter(has).collect()
}

/// The network namespace of a process, if it can be seen.
fn namespace(process: &std::path::Path) -> Option<PathBuf> {
    std::fs::read_link(process.join("ns/net")).ok()
}

/// The devices outside of all labs.
fn devices() -> BTreeSet<String> {
    let table = std::fs::read_to_string("/proc/net/dev").expect("a table of devices");
    table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}
