//! Many small transfers between our TCP and the kernel's, each under a plan of its own; many labs.
//!
//! `FAULTWIRE_LAB_TRANSFERS` (for each pairing) and `FAULTWIRE_LAB_LABS` say how many.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};
use faultwire::lab::{End, Forwarder, HostConfig, KernelHost, Lab, LabHost, Profile};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::stack::{Domain, Kind, Protocol};
use faultwire::time::Time;

use crate::bench::{Bench, FAMILIES, LIMIT, helper, kernel_config, lab, no_faults};
use crate::streams::{Client, bytes, connection, exchange};

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

/// One to three faults, on packets that a transfer of this length has, or may well have.
fn plan(seed: u64) -> FaultPlan {
    let mut drawn = bytes(seed, 64).into_iter().map(usize::from);
    let mut draw = |below: usize| drawn.next().unwrap_or(0) % below;
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..=draw(3) {
        let (from, to) = if draw(2) == 0 { ("faultwire", "linux") } else { ("linux", "faultwire") };
        let (class, most) = match draw(16) {
            0 | 1 => (Class::Syn, 1),
            2 => (Class::Fin, 1),
            3 | 4 => (Class::Ack, 2),
            _ => (Class::Data, 12),
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

/// Who is tried with whom.
#[derive(Clone, Copy, Debug)]
enum Pairing {
    FaultwireToLinux,
    LinuxToFaultwire,
    KernelToKernel,
}

/// How one transfer went; its bytes were right, or the test has failed.
#[derive(Clone, Copy, Debug, Default)]
struct Ran {
    planned: usize,
    fired: usize,
    lost: u64,
}

/// How the transfers of a pairing went.
#[derive(Debug, Default)]
struct Counts {
    planned: AtomicUsize,
    fired: AtomicUsize,
    /// Runs that were made again: something was lost outside of the plan; a fault met no packet.
    again_for_loss: AtomicUsize,
    again_for_unfired: AtomicUsize,
    /// Transfers that were like that after the last repeat, too.
    still_loss: AtomicUsize,
    still_unfired: AtomicUsize,
}

/// How often a run is made again where it did not go by its plan.
const REPEATS: usize = 2;

#[test]
fn many_transfers_from_our_client_to_the_kernel() {
    many_transfers(Pairing::FaultwireToLinux);
}

#[test]
fn many_transfers_from_the_kernel_to_our_server() {
    many_transfers(Pairing::LinuxToFaultwire);
}

/// Two hosts of the kernel, under the same plans; `faultwire` is one of the two here.
#[test]
fn many_transfers_from_kernel_to_kernel() {
    many_transfers(Pairing::KernelToKernel);
}

/// Transfers of a pairing, each under a plan of its own, in both families and under both profiles of
/// settings.
fn many_transfers(pairing: Pairing) {
    let transfers = count("FAULTWIRE_LAB_TRANSFERS", 48);
    if lab(kernel_config()).is_none() {
        return;
    }
    let counts = Counts::default();
    let begun = OsNetwork::new();
    side_by_side(transfers, |number| {
        let plan = plan(1_000 + number as u64);
        for repeat in 0..=REPEATS {
            let ran = transfer(pairing, &plan, FAMILIES[number % 2], Profile::ALL[number / 2 % 2]);
            let add = |counter: &AtomicUsize, more: usize| counter.fetch_add(more, Ordering::Relaxed);
            let (again, still) = match ran {
                Ran { lost: 1.., .. } => (&counts.again_for_loss, &counts.still_loss),
                Ran { planned, fired, .. } if fired < planned => {
                    (&counts.again_for_unfired, &counts.still_unfired)
                }
                _ => {
                    add(&counts.planned, ran.planned);
                    add(&counts.fired, ran.fired);
                    return;
                }
            };
            if repeat < REPEATS {
                add(again, 1);
            } else {
                add(still, 1);
                add(&counts.planned, ran.planned);
                add(&counts.fired, ran.fired);
            }
        }
    });
    let seconds = begun.now().since(Time::ZERO).as_secs();
    eprintln!("{pairing:?}: {transfers} transfers in {seconds} s, all bytes right: {counts:?}");
    let (planned, fired) = (counts.planned.into_inner(), counts.fired.into_inner());
    assert!(fired > planned / 2, "{fired} of {planned}");
    assert_eq!(counts.still_loss.into_inner(), 0, "packets were lost outside of the plan each time");
}

/// One transfer of each direction at once, in a lab of its own.
fn transfer(pairing: Pairing, plan: &FaultPlan, family: Domain, profile: Profile) -> Ran {
    let config = kernel_config().with_profile(profile);
    let client = match pairing {
        Pairing::KernelToKernel => return between_kernels(plan, family, config),
        Pairing::FaultwireToLinux => Client::Faultwire,
        Pairing::LinuxToFaultwire => Client::Linux,
    };
    let bench = Bench::with(plan, config).expect("the machine has allowed one");
    let (own, theirs) = connection(&bench, (client, family), &[], |_| {});
    exchange(&own, &theirs, LENGTH);
    own.close();
    drop(theirs);
    let stats = bench.forwarder.stats().expect("the device counts");
    let counters = bench.kernel.counters().expect("the kernel counts");
    Ran {
        planned: plan.faults.len(),
        fired: bench.forwarder.fired().count(),
        lost: stats.lost() + counters.lost(),
    }
}

fn between_kernels(plan: &FaultPlan, family: Domain, config: HostConfig) -> Ran {
    let HostConfig { v4, v6, .. } = config;
    let mut other = HostConfig::new(Ipv4Addr::new(10, 70, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    other.settings.clone_from(&config.settings);
    let (_lab, hosts) = Lab::start(helper(), &[other, config], None).expect("the machine has allowed one");
    let [one, two] = <[LabHost; 2]>::try_from(hosts).expect("two were asked for");
    let ends = [("faultwire", End::Device(one.device)), ("linux", End::Device(two.device))];
    let forwarder = Forwarder::start(plan, ends).expect("the plan can be carried out");
    let addr = SocketAddr::new(if family == Domain::Inet { v4.into() } else { v6.into() }, 7000);
    let socket = |host: &KernelHost| {
        let socket = host.socket(family, Kind::Stream, Protocol::Default).expect("a socket");
        socket2::Socket::from(socket)
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
                let end = stream.read_to_end(&mut got);
                assert!(end.is_ok(), "{end:?} under {}", plan.to_toml());
                assert!(got == *others, "{} of {} under {}", got.len(), others.len(), plan.to_toml());
            });
        }
    });
    let counted = [&one.host, &two.host].map(|host| host.counters().expect("the kernel counts").lost());
    let stats = forwarder.stats().expect("the devices count");
    Ran {
        planned: plan.faults.len(),
        fired: forwarder.fired().count(),
        lost: stats.lost() + counted.iter().sum::<u64>(),
    }
}

/// Set for the process in which [`many_labs_leave_nothing`] counts.
const TO_COUNT: &str = "FAULTWIRE_TEST_TO_COUNT";

/// Labs come and go, and leave no descriptor, no process and no memory. This test counts in a process that
/// has no other tests.
#[test]
fn many_labs_leave_nothing() {
    if std::env::var_os(TO_COUNT).is_none() {
        let counting = Command::new(std::env::current_exe().expect("this test has a path"))
            .args(["--exact", "many::many_labs_leave_nothing", "--nocapture"])
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
    let one = || {
        let bench = Bench::new(&no_faults()).expect("the machine has allowed one");
        let (own, theirs) = connection(&bench, (Client::Faultwire, Domain::Inet), &[], |_| {});
        exchange(&own, &theirs, LENGTH);
        bench.close();
    };
    // What is kept between labs is there after the first ones.
    (0..WARM_UP).for_each(|_| one());
    let (before, begun) = (counts(), resident());
    let labs = count("FAULTWIRE_LAB_LABS", 20);
    (0..labs).for_each(|_| one());
    assert_eq!(counts(), before);
    let grown = resident().saturating_sub(begun);
    eprintln!(
        "{labs} labs: {} descriptors, {} threads; memory {begun} KiB, grown by {grown} KiB",
        before.0, before.1
    );
    assert!(grown < GROWTH_MIN + labs * GROWTH, "{grown} KiB in {labs} labs");
}

/// Labs before anything is counted.
const WARM_UP: usize = 10;
/// What memory may grow by, in KiB: by little on the whole, and for each lab by less than what one transfer
/// leaves in a trace.
const GROWTH_MIN: usize = 1_024;
const GROWTH: usize = 8;

/// The memory in use, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a table");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the memory in use");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
