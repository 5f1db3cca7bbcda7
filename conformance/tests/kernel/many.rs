//! Many small transfers between our TCP and the kernel's, each under a plan of its own; many labs.
//!
//! `FAULTWIRE_LAB_TRANSFERS` and `FAULTWIRE_LAB_LABS` say how many.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};
use faultwire::lab::{End, Forwarder, HostConfig, KernelHost, Lab, LabHost};
use faultwire::stack::Domain;

use crate::bench::{Bench, FAMILIES, LIMIT, helper, kernel_config, lab, no_faults};
use crate::streams::{CASES, bytes, connection, exchange};

/// Labs side by side.
const WORKERS: usize = 16;

/// What goes each way, in bytes.
const LENGTH: usize = 20_000;

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Does the work for every number below `count`, [`WORKERS`] at a time.
fn side_by_side(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
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
    let (planned, fired) = (AtomicUsize::new(0), AtomicUsize::new(0));
    if lab(kernel_config()).is_none() {
        return;
    }
    side_by_side(transfers, |number| {
        let plan = plan(1_000 + number as u64);
        let bench = Bench::new(&plan).expect("the machine has allowed one");
        let (own, theirs) = connection(&bench, CASES[number % CASES.len()], &[], |_| {});
        exchange(&own, &theirs, LENGTH);
        own.close();
        drop(theirs);
        bench.nothing_else_was_lost();
        planned.fetch_add(plan.faults.len(), Ordering::Relaxed);
        fired.fetch_add(bench.forwarder.fired().count(), Ordering::Relaxed);
    });
    let (planned, fired) = (planned.into_inner(), fired.into_inner());
    eprintln!("{transfers} transfers: {fired} of {planned} faults took place");
    assert!(fired > planned / 2, "{fired} of {planned}");
}

/// The third pairing: two hosts of the kernel, under the same plans; `ours` is one of the two here.
#[test]
fn many_transfers_from_kernel_to_kernel() {
    let transfers = count("FAULTWIRE_LAB_TRANSFERS", 48);
    let fired = AtomicUsize::new(0);
    if lab(kernel_config()).is_none() {
        return;
    }
    side_by_side(transfers, |number| {
        let took_place = between_kernels(&plan(1_000 + number as u64), FAMILIES[number % 2]);
        fired.fetch_add(took_place, Ordering::Relaxed);
    });
    let fired = fired.into_inner();
    eprintln!("{transfers} transfers from kernel to kernel: {fired} faults took place");
    assert!(fired > transfers / 2, "{fired}");
}

/// One transfer each way at once; gives how many of the plan's faults took place.
fn between_kernels(plan: &FaultPlan, family: Domain) -> usize {
    let HostConfig { v4, v6, .. } = kernel_config();
    let other = HostConfig::new(Ipv4Addr::new(10, 70, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    let (_lab, hosts) =
        Lab::start(helper(), &[other, kernel_config()], None).expect("the machine has allowed one");
    let [one, two] = <[LabHost; 2]>::try_from(hosts).expect("two were asked for");
    let ends = [("ours", End::Device(one.device)), ("kernel", End::Device(two.device))];
    let forwarder = Forwarder::start(plan, ends).expect("the plan can be carried out");
    let addr = SocketAddr::new(if family == Domain::Inet { v4.into() } else { v6.into() }, 7000);
    let socket = |host: &KernelHost| {
        let domain = socket2::Domain::for_address(addr);
        host.socket(domain, socket2::Type::STREAM, None).expect("a socket")
    };
    let listener = socket(&two.host);
    listener.bind(&addr.into()).expect("a free port");
    listener.listen(1).expect("it listens");
    let client = socket(&one.host);
    client.connect_timeout(&addr.into(), LIMIT).expect("the other host accepts");
    let (server, _) = TcpListener::from(listener).accept().expect("the client is there");
    let streams = [TcpStream::from(client), server];
    let data = [bytes(1, LENGTH), bytes(2, LENGTH)];
    thread::scope(|scope| {
        for (index, mut stream) in streams.iter().enumerate() {
            let (own, others) = (&data[index], &data[1 - index]);
            stream.set_read_timeout(Some(LIMIT)).expect("an option that each socket has");
            scope.spawn(move || {
                stream.write_all(own).expect("the other host takes it");
                stream.shutdown(Shutdown::Write).expect("a connection");
                let mut got = Vec::new();
                stream.read_to_end(&mut got).expect("the end comes");
                assert!(got == *others, "{} bytes of {}", got.len(), others.len());
            });
        }
    });
    for host in [&one.host, &two.host] {
        assert_eq!(host.counters().expect("the kernel counts").lost(), 0);
    }
    let stats = forwarder.stats().expect("the devices count");
    assert_eq!((stats.not_handed_on, stats.unread), (0, 0), "{stats:?}");
    forwarder.fired().count()
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
