use super::*;
use crate::model::DropReason;
use crate::trace::TraceHash;
use crate::trace::sample::{CLIENT, SERVER, Sample, udp};

#[test]
fn the_fate_of_a_packet() {
    let mut sample = Sample::new();
    let fine = sample.carried(0, CLIENT, SERVER, b"fine");
    let dropped = sample.send(CLIENT, SERVER, b"dropped");
    sample.fault(dropped, Action::Drop);
    let lost = sample.send(CLIENT, SERVER, b"lost");
    sample.push(What::Lost { packet: lost, reason: LossReason::HostDown });
    let doubled = sample.send(CLIENT, SERVER, b"doubled");
    sample.fault(doubled, Action::Duplicate);
    sample.arrives(doubled, 0, SERVER).push(What::Arrived {
        packet: doubled,
        copy: 1,
        to: SERVER,
        altered: Some(udp(CLIENT, SERVER, b"damaged")),
    });
    let on_its_way = sample.send(CLIENT, SERVER, b"on its way");
    let trace = &sample.trace;
    assert!(trace.fate(fine).is_delivered());
    assert_eq!(trace.fate(dropped), Fate::Dropped);
    assert_eq!(trace.fate(lost), Fate::Lost(LossReason::HostDown));
    assert!(trace.fate(lost).is_lost() && trace.fate(dropped).is_lost());
    assert_eq!(trace.fate(doubled), Fate::Arrived { copies: 2, altered: 1 });
    assert_eq!(trace.fate(on_its_way), Fate::OnItsWay);
    assert_eq!(trace.arrivals_of(doubled).count(), 2);
    assert_eq!(trace.sending(lost).unwrap().view().unwrap().udp_payload().unwrap(), "lost");
    assert_eq!((trace.calls_of(CLIENT).count(), trace.calls_of(SERVER).count()), (5, 1));
}

#[test]
fn every_part_of_an_event_counts_in_the_hash() {
    let hash = |data: &[u8], ms, lost, note| -> TraceHash {
        let mut sample = Sample::new();
        let packet = sample.carried(ms, CLIENT, SERVER, data);
        if lost {
            sample.fault(packet, Action::HoldFor(1));
        }
        sample.dropped(SERVER, note);
        sample.trace.hash()
    };
    let usual = hash(b"data", 1, false, DropReason::BufferFull);
    assert_eq!(usual, hash(b"data", 1, false, DropReason::BufferFull));
    assert_ne!(usual, hash(b"Data", 1, false, DropReason::BufferFull));
    assert_ne!(usual, hash(b"data", 2, false, DropReason::BufferFull));
    assert_ne!(usual, hash(b"data", 1, true, DropReason::BufferFull));
    assert_ne!(usual, hash(b"data", 1, false, DropReason::NoSocket));
    // The encoding is a contract: golden hashes are compared across platforms and releases.
    insta::assert_snapshot!(usual, @"1b5930764bbdc1e3a92d68f145fd70e8");
}

#[test]
fn a_shape_has_lengths_and_no_bytes() {
    let shapes = |data: &[u8], ms, lost| {
        let mut sample = Sample::new();
        let packet = sample.carried(ms, CLIENT, SERVER, data);
        if lost {
            sample.fault(packet, Action::HoldFor(1));
        }
        let altered = Some(udp(CLIENT, SERVER, data));
        sample.push(What::Arrived { packet, copy: 1, to: SERVER, altered });
        (sample.trace.shape(), sample.trace.text())
    };
    let (shape, text) = shapes(b"data", 1, false);
    let (random, random_text) = shapes(b"\x17\0&!", 1, false);
    assert_ne!(text, random_text);
    assert_eq!(shape, random);
    for other in [shapes(b"date?", 1, false), shapes(b"data", 2, false), shapes(b"data", 1, true)] {
        assert_ne!(shape, other.0);
    }
}

#[test]
fn a_hosts_sequence_has_neither_times_nor_numbers() {
    let mut early = Sample::new();
    early.carried(0, CLIENT, SERVER, b"to and");
    early.carried(1, SERVER, CLIENT, b"fro");
    let mut late = Sample::new();
    // Something else on the wire first: the packets' numbers differ.
    late.trace.next_packet();
    late.carried(7, CLIENT, SERVER, b"to and");
    late.carried(9, SERVER, CLIENT, b"fro");
    assert_ne!(early.trace.hash(), late.trace.hash());
    assert_eq!(early.trace.host_sequence(SERVER), late.trace.host_sequence(SERVER));
    assert_eq!(early.trace.host_hash(CLIENT), late.trace.host_hash(CLIENT));
    assert_ne!(early.trace.host_hash(CLIENT), early.trace.host_hash(SERVER));
    late.carried(11, SERVER, CLIENT, b"more");
    assert_ne!(early.trace.host_hash(CLIENT), late.trace.host_hash(CLIENT));
    insta::assert_snapshot!(early.trace.host_sequence(SERVER).join("\n"));
    insta::assert_snapshot!("text", early.trace.text());
}

#[test]
fn values_of_programs_are_found_by_their_key() {
    let mut sample = Sample::new();
    let noted = |key: &str, value: &str| What::Noted { host: SERVER, key: key.into(), value: value.into() };
    let bare = sample.trace.hash();
    sample
        .at(3)
        .push(noted("leader", "no\n"))
        .at(4)
        .push(noted("term", "7"))
        .at(5)
        .push(noted("leader", "yes"));
    let found: Vec<_> =
        sample.trace.noted("leader").map(|it| (it.at.as_millis(), it.host, it.value)).collect();
    assert_eq!(found, [(3, SERVER, "no\n"), (5, SERVER, "yes")]);
    assert_ne!(sample.trace.hash(), bare);
    assert!(sample.trace.text().contains("server notes leader = no\\n\n"), "{}", sample.trace.text());
    let diagram = sample.trace.diagram(&Default::default());
    assert!(diagram.contains("leader = yes"), "{diagram}");
}
