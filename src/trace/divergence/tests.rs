use bytes::Bytes;

use super::*;
use crate::model::Errno;
use crate::trace::sample::{CLIENT, SERVER, Sample};

/// A request, its answer, a second request and its answer; `change` says what is done at each of these
/// milliseconds in place of that.
fn run(change: impl Fn(&mut Sample, u64) -> bool) -> Trace {
    let mut sample = Sample::new();
    sample.bound();
    for (ms, from, to, data) in [
        (0, CLIENT, SERVER, b"put a"),
        (2, SERVER, CLIENT, b"has a"),
        (4, CLIENT, SERVER, b"put b"),
        (6, SERVER, CLIENT, b"has b"),
    ] {
        if !change(&mut sample, ms) {
            sample.carried(ms, from, to, data);
        }
    }
    sample.at(10).call(CLIENT, Call::Close);
    sample.trace
}

fn said(found: &Trace, expected: &Trace) -> String {
    match found.divergence_from(expected) {
        None => "alike".to_owned(),
        Some(it) => {
            let words = it.words(&Payloads::PREVIEWS);
            format!("{} ms {}: {words}", it.at.as_millis(), found.host_name(it.host))
        }
    }
}

#[test]
fn runs_that_differ_in_times_are_alike() {
    let good = run(|_, _| false);
    assert_eq!(said(&good, &good), "alike");
    let late = {
        let mut sample = Sample::new();
        sample.bound();
        sample.carried(100, CLIENT, SERVER, b"put a");
        sample.carried(120, SERVER, CLIENT, b"has a");
        sample.carried(190, CLIENT, SERVER, b"put b");
        sample.carried(191, SERVER, CLIENT, b"has b");
        sample.at(700).call(CLIENT, Call::Close);
        sample.trace
    };
    assert_eq!(said(&late, &good), "alike");
}

#[test]
fn the_first_call_that_differs_is_named() {
    let good = run(|_, _| false);
    // The request is lost, and the client gives up at 10 ms.
    let lost = run(|sample, ms| {
        if ms == 0 {
            sample.at(0).send(CLIENT, SERVER, b"put a");
        }
        true
    });
    assert_eq!(said(&lost, &good), "1 ms server: nothing instead of recv 5 B: \"put a\"");
    assert_eq!(said(&good, &lost), "1 ms server: recv 5 B: \"put a\" instead of nothing");
    // It comes twice, and the server takes it for the second.
    let doubled = run(|sample, ms| {
        if ms == 4 {
            sample.at(4).send(CLIENT, SERVER, b"put b");
            sample.recv(SERVER, CLIENT, b"put a");
        }
        ms >= 4
    });
    assert_eq!(said(&doubled, &good), "4 ms server: recv 5 B: \"put a\" instead of recv 5 B: \"put b\"");
    // A call fails, and the run ends at once: what the server did not get any more is no cause.
    let mut failed = Sample::new();
    failed.bound().at(0).send(CLIENT, SERVER, b"put a");
    failed.failed(CLIENT, Call::Recv { from: None, data: Bytes::new(), full_len: 0 }, Errno::ECONNREFUSED);
    let words = said(&failed.trace, &good);
    assert_eq!(words, "0 ms client: recv: ECONNREFUSED instead of recv 5 B: \"has a\"");
    // Only what a run lacks since it ended earlier is left to name.
    let mut short = good.clone();
    short.truncate(short.events().len() - 1);
    assert_eq!(said(&short, &good), "10 ms client: nothing instead of close");
}

#[test]
fn a_stream_is_compared_by_its_bytes() {
    let of = |pieces: &[&'static [u8]], last: Call, error: Option<Errno>| {
        let mut sample = Sample::new();
        for (ms, piece) in (0..).zip(pieces) {
            let recv = Call::Recv { from: None, data: Bytes::from_static(piece), full_len: piece.len() };
            sample.at(ms).call(SERVER, recv);
            sample.call(SERVER, Call::Send { to: None, data: Bytes::from_static(piece) });
        }
        sample.at(9).push(What::Call { host: SERVER, socket: SocketId(0), call: last, error });
        sample.trace
    };
    let end = || Call::Recv { from: None, data: Bytes::new(), full_len: 0 };
    let good = of(&[b"hello ", b"world"], end(), None);
    assert_eq!(said(&of(&[b"hel", b"lo wor", b"ld"], end(), None), &good), "alike");
    let cut = of(&[b"hello ", b"wor"], end(), None);
    assert_eq!(said(&cut, &good), "1 ms server: recv the end instead of recv 5 B: \"world\"");
    let reset = of(&[b"hello ", b"world"], end(), Some(Errno::ECONNRESET));
    assert_eq!(said(&reset, &good), "9 ms server: recv: ECONNRESET instead of recv the end");
    let other = of(&[b"hello ", b"there"], end(), None);
    assert_eq!(said(&other, &good), "1 ms server: recv 5 B: \"there\" instead of recv 5 B: \"world\"");
}

#[test]
fn sockets_of_a_host_that_started_anew_are_others() {
    let good = run(|_, _| false);
    let restarted = run(|sample, ms| {
        if ms == 4 {
            sample.at(4).send(CLIENT, SERVER, b"put b");
            sample.push(What::Crashed(SERVER)).push(What::Restarted(SERVER));
            sample.call(SERVER, Call::Bind(crate::trace::sample::addr(SERVER)));
        }
        ms >= 4
    });
    let words = said(&restarted, &good);
    assert_eq!(words, "4 ms server: bind :7000 instead of nothing");
}

/// Drawn ports, the order of sockets among each other, and numbers of accepted sockets do not count.
#[test]
fn what_is_drawn_does_not_count() {
    let of = |port: u16, id: u32, peer: u16| {
        let mut sample = Sample::new();
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        sample.call(CLIENT, Call::Bind(addr(port)));
        sample.call(SERVER, Call::Accept { socket: SocketId(id), peer: Some(addr(peer)) });
        sample.trace
    };
    assert_eq!(said(&of(40_000, 1, 40_000), &of(50_000, 2, 60_000)), "alike");
    assert_eq!(said(&of(80, 1, 40_000), &of(81, 1, 40_000)), "0 ms client: bind :80 instead of bind :81");
}
