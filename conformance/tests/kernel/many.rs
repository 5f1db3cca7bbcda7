//! Many small transfers between our TCP and the kernel's, each under a plan of its own; many labs.
//!
//! `FAULTWIRE_LAB_TRANSFERS` and `FAULTWIRE_LAB_LABS` say how many.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};

use crate::bench::{Bench, kernel_config, lab, no_faults};
use crate::streams::{CASES, bytes, connection, exchange};

/// Labs side by side.
const WORKERS: usize = 16;

/// What goes each way, in bytes.
const LENGTH: usize = 20_000;

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One to three faults, on packets that a transfer of this length may well have.
fn plan(seed: u64) -> FaultPlan {
    let mut drawn = bytes(seed, 64).into_iter().map(usize::from);
    let mut draw = |below: usize| drawn.next().unwrap_or(0) % below;
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..=draw(3) {
        let (from, to) = if draw(2) == 0 { ("ours", "kernel") } else { ("kernel", "ours") };
        let (class, most) = match draw(16) {
            0 => (Class::Syn, 1),
            1 | 2 => (Class::Fin, 1),
            3..6 => (Class::Ack, 5),
            _ => (Class::Data, 14),
        };
        let packet = Packet::nth(class, draw(most) as u32 + 1);
        let action = match draw(8) {
            0..3 => Action::Drop,
            3 => Action::Duplicate,
            4 => Action::HoldFor(1),
            5 => Action::HoldFor(3),
            6 => Action::DelayUs(250_000),
            // Up to the last byte of the smallest TCP segment.
            _ => Action::CorruptBits(vec![draw(40) as u32 * 8 + 3]),
        };
        let direction = Direction::new(from, to);
        if faults.iter().all(|other| (&other.direction, other.packet) != (&direction, packet)) {
            faults.push(Fault { direction, packet, action });
        }
    }
    FaultPlan { faults, ..no_faults() }
}

#[test]
fn many_transfers_under_random_faults() {
    let transfers = count("FAULTWIRE_LAB_TRANSFERS", 96);
    let (next, planned, fired) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    if lab(kernel_config()).is_none() {
        return;
    }
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= transfers {
                        return;
                    }
                    let plan = plan(1_000 + number as u64);
                    let bench = Bench::new(&plan).expect("the machine has allowed one");
                    let (own, theirs) = connection(&bench, CASES[number % CASES.len()], &[], |_| {});
                    exchange(&own, &theirs, LENGTH);
                    own.close();
                    drop(theirs);
                    bench.nothing_else_was_lost();
                    planned.fetch_add(plan.faults.len(), Ordering::Relaxed);
                    fired.fetch_add(bench.forwarder.fired().count(), Ordering::Relaxed);
                }
            });
        }
    });
    let (planned, fired) = (planned.into_inner(), fired.into_inner());
    eprintln!("{transfers} transfers: {fired} of {planned} faults took place");
    assert!(fired > planned / 2, "{fired} of {planned}");
}

/// Set for the process in which [`many_labs_leave_nothing_open`] counts.
const TO_COUNT: &str = "FAULTWIRE_TEST_TO_COUNT";

/// Labs come and go, and leave no descriptor and no process. This test counts in a process that has no other tests.
#[test]
fn many_labs_leave_nothing_open() {
    if std::env::var_os(TO_COUNT).is_none() {
        let counting = Command::new(std::env::current_exe().expect("this test has a path"))
            .args(["--exact", "many::many_labs_leave_nothing_open", "--nocapture"])
            .env(TO_COUNT, "1")
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&counting.stderr);
        eprint!("{said}");
        assert!(counting.status.success());
        return;
    }
    let count_in = |directory: &str| std::fs::read_dir(directory).expect("a table").count();
    let counts = || (count_in("/proc/self/fd"), count_in("/proc/self/task"));
    if lab(kernel_config()).is_none() {
        return;
    }
    let before = counts();
    for _ in 0..count("FAULTWIRE_LAB_LABS", 20) {
        let bench = Bench::new(&no_faults()).expect("the machine has allowed one");
        bench.kernel.socket(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        bench.close();
    }
    assert_eq!(counts(), before);
}
