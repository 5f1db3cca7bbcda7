//! Programs that draw random numbers repeat byte for byte under a seed, and do not without.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Scenario, scenario, testbed};

/// A source of random numbers, by name.
type Source = (&'static str, fn() -> Vec<u8>);

#[expect(clippy::disallowed_types, reason = "its order is what must repeat")]
fn order_of_a_hash_map() -> Vec<u8> {
    let map: std::collections::HashMap<u8, ()> = (0..32).map(|n| (n, ())).collect();
    map.into_keys().collect()
}

fn getrandom_02() -> Vec<u8> {
    let mut bytes = vec![0; 13];
    getrandom_02::getrandom(&mut bytes).expect("the system has random numbers");
    bytes
}

fn getrandom_03() -> Vec<u8> {
    let mut bytes = vec![0; 13];
    getrandom_03::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// `rand` draws from `getrandom` 0.4.
fn rand() -> Vec<u8> {
    rand::random::<u128>().to_le_bytes().to_vec()
}

fn uuid() -> Vec<u8> {
    uuid::Uuid::new_v4().as_bytes().to_vec()
}

const SOURCES: [Source; 5] = [
    ("the order of a HashMap", order_of_a_hash_map),
    ("getrandom 0.2", getrandom_02),
    ("getrandom 0.3", getrandom_03),
    ("rand", rand),
    ("uuid", uuid),
];

/// A client that sends a random number of each source, twice, and waits for the echoes.
fn drawing(sources: &[Source]) -> Scenario {
    let sources = sources.to_vec();
    let server = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        let mut buffer = [0; 64];
        loop {
            let received = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..received.len], received.from).await?;
        }
        #[expect(unreachable_code, reason = "it says of what type the errors are")]
        io::Result::Ok(())
    };
    scenario("drawing").server(server).client(move |net: Net| {
        let sources = sources.clone();
        async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            socket.connect("server:7000").await?;
            for (_, draw) in sources.iter().chain(&sources) {
                let drawn = draw();
                socket.send(&drawn).await?;
                let mut buffer = [0; 64];
                let received = socket.recv_from(&mut buffer).await?;
                assert_eq!(buffer[..received.len], drawn);
            }
            Ok(())
        }
    })
}

fn seeded(sources: &[Source]) -> Scenario {
    drawing(sources).randomness(faultwire_seeded::seed_thread)
}

#[test]
fn each_source_repeats_under_a_seed_and_differs_without() {
    for source in SOURCES {
        let (name, _) = source;
        let difference = drawing(&[source]).difference();
        assert!(difference.is_some(), "{name}: it differs without a seed");
        assert_eq!(seeded(&[source]).difference(), None, "{name}");
    }
}

#[test]
fn all_sources_repeat_on_each_simulated_testbed_and_in_parallel() {
    let plan = FaultPlan::default();
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS] {
        let scenario = seeded(&SOURCES).on(testbed);
        let alone = scenario.run(&plan);
        assert!(alone.end.is_finished(), "{testbed}: {:?}", alone.end);
        std::thread::scope(|scope| {
            let runs = [(); 4].map(|()| scope.spawn(|| scenario.run(&plan)));
            for run in runs.map(|run| run.join().expect("it finishes")) {
                assert_eq!(run.trace.text(), alone.trace.text(), "{testbed}");
            }
        });
        let other = scenario.clone().seed(7).run(&plan);
        assert_ne!(other.trace.text(), alone.trace.text(), "{testbed}");
    }
}

/// A duplicate makes the client take an answer for another one.
#[test]
fn a_failure_is_found_as_if_no_number_were_random() {
    let complaint = |scenario: Scenario| {
        let failed = catch_unwind(AssertUnwindSafe(|| scenario.without_outages().exhaustive(1).check()));
        failed.expect_err("a complaint").downcast_ref::<String>().expect("a message").clone()
    };
    let (repeating, random) = (complaint(seeded(&SOURCES)), complaint(drawing(&[("rand", rand)])));
    for text in [&repeating, &random] {
        assert!(text.contains("client->server datagram 1"), "{text}");
    }
    let (note, rate) = ("runs repeat in shape, not in bytes", "runs under this plan fail");
    assert!(random.contains(note) && random.contains(rate), "{random}");
    assert!(!repeating.contains(note) && !repeating.contains(rate), "{repeating}");
}

#[test]
fn other_threads_have_the_kernels_numbers() {
    seeded(&SOURCES).run(&FaultPlan::default());
    for (name, draw) in SOURCES {
        assert_ne!(draw(), draw(), "{name}");
    }
    let drawn = || SOURCES.map(|(_, draw)| draw());
    let [one, two] = std::thread::scope(|scope| {
        [scope.spawn(drawn), scope.spawn(drawn)].map(|thread| thread.join().expect("it ends"))
    });
    for ((one, two), (name, _)) in one.iter().zip(&two).zip(SOURCES) {
        assert_ne!(one, two, "{name}");
    }
    // Errors of the kernel come through.
    let file = std::fs::File::open("/no/such/file").expect_err("there is none");
    assert_eq!(file.kind(), io::ErrorKind::NotFound);
}
