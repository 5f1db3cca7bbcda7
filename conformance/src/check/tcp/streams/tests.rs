use std::net::SocketAddr;

use faultwire::errno::Errno;
use faultwire::fault::FaultPlan;
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, SocketId, What};
use faultwire_sim::End;

use super::*;
use crate::study::Verdict;

/// Streams of unequal length.
struct Both;

impl Streams for Both {
    const UP: (u8, usize) = (1, 20_000);
    const DOWN: (u8, usize) = (2, 45_000);
}

const UP: (u8, usize) = Both::UP;
const DOWN: (u8, usize) = Both::DOWN;

const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

/// A finished run in which each side reads that much of the other's stream, in two pieces, and perhaps its
/// end.
fn run(up: usize, down: usize, ended: bool, error: Option<Errno>) -> Run {
    let mut trace = Trace::new(["client", "server"]);
    let mut call = |host, socket, call, error| {
        let socket = SocketId(socket);
        trace.push(Time::ZERO, What::Call { host, socket, call, error });
    };
    let (server, client) =
        (SocketAddr::from(([10, 0, 0, 2], DATA)), SocketAddr::from(([10, 0, 0, 1], 40_000)));
    call(SERVER, 0, Call::Listen(server), None);
    call(CLIENT, 1, Call::Connect(server), None);
    call(SERVER, 0, Call::Accept { socket: SocketId(1), peer: Some(client) }, None);
    let recv = |data: &[u8]| Call::Recv { from: None, data: data.to_vec().into(), full_len: data.len() };
    for (host, (key, len), read) in [(SERVER, UP, up), (CLIENT, DOWN, down)] {
        let written = pattern(key, len);
        call(host, 1, recv(&written[..read / 2]), None);
        call(host, 1, recv(&written[read / 2..read]), None);
        if ended {
            call(host, 1, recv(&[]), None);
        }
        if error.is_some() {
            call(host, 1, recv(&[]), error);
        }
    }
    let (plan, fired, elapsed) = (FaultPlan::default(), Default::default(), Time::ZERO);
    Run::new(plan, trace, End::Finished, fired, elapsed)
}

#[test]
fn every_byte_is_settled_by_streams_that_ended() {
    assert_eq!(every_byte::<Both>(&run(UP.1, DOWN.1, true, None)), Seen::fine(2));
    // All that can be said of a stream whose end nobody saw is that nothing is wrong with it so far.
    assert_eq!(every_byte::<Both>(&run(UP.1, DOWN.1, false, None)), Seen::NOTHING);
    assert_eq!(every_byte::<Both>(&run(100, 100, false, Some(Errno::ECONNRESET))), Seen::NOTHING);
    let mut unfinished = run(100, 100, false, None);
    unfinished.end = End::Stalled { limit: String::new(), sockets: Vec::new() };
    assert_eq!(every_byte::<Both>(&unfinished), Seen::NOTHING);
    for (ended, how) in [(true, "ended after 100 of 20000"), (false, "stood still after 100 of 20000")] {
        let seen = every_byte::<Both>(&run(100, DOWN.1, ended, None));
        assert!(matches!(&seen.verdict, Verdict::Broken(it) if it.contains(how)), "{seen:?}");
    }
}

#[test]
fn reads_alone_say_nothing_of_order_copies_and_damage() {
    for check in [in_order::<Both>, no_duplicates::<Both>, nothing_altered::<Both>] {
        assert_eq!(check(&run(UP.1, DOWN.1, true, None)), Seen::NOTHING);
    }
}

#[test]
fn finite_delay_asks_for_all_bytes_both_ends_and_no_error() {
    let how = |run: &Run| match finite_delay::<Both>(run).verdict {
        Verdict::Broken(how) => how,
        other => format!("{other:?}"),
    };
    assert_eq!(how(&run(UP.1, DOWN.1, true, None)), "Fine");
    assert!(how(&run(UP.1, DOWN.1, true, Some(Errno::ECONNRESET))).contains("a call of"));
    assert!(how(&run(UP.1, DOWN.1, false, None)).contains("20000 of 20000 bytes and no end"));
    assert!(how(&run(UP.1, 7, true, None)).contains("server->client: 7 of 45000 bytes and the end"));
    let (plan, trace) = (FaultPlan::default(), Trace::new(["client", "server"]));
    let nothing = Run::new(plan, trace, End::Finished, Default::default(), Time::ZERO);
    assert!(how(&nothing).contains("no connection"));
}
