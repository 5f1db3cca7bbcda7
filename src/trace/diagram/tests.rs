use crate::fault::Cut;
use std::collections::BTreeSet;

use bytes::Bytes;

use super::*;
use crate::model::{Action, Call, Class, DropReason, Errno, HostId, LossReason, Note, State, TcpNote, What};
use crate::trace::sample::{CLIENT, SERVER, Sample, addr, port_unreachable, udp};

/// At 80 columns in ASCII, and at 100 in Unicode; both within their width.
fn drawn(sample: &Sample) -> String {
    let wide = sample.trace.diagram(&DiagramOptions::default());
    let narrow =
        sample.trace.diagram(&DiagramOptions { width: 80, ascii: true, ..DiagramOptions::default() });
    for (text, width) in [(&wide, 100), (&narrow, 80)] {
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    assert!(narrow.is_ascii(), "{narrow}");
    format!("{narrow}\n{wide}")
}

const DATA: &[u8] = &[7; 100];

#[test]
fn echo() {
    let mut sample = Sample::new();
    sample.bound();
    sample.carried(0, CLIENT, SERVER, DATA);
    sample.carried(1, SERVER, CLIENT, DATA);
    sample.carried(2, CLIENT, SERVER, b"");
    sample.carried(3, SERVER, CLIENT, b"");
    sample.call(CLIENT, Call::Close);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn lost_datagram() {
    let mut sample = Sample::new();
    sample.carried(0, CLIENT, SERVER, DATA);
    let reply = sample.send(SERVER, CLIENT, DATA);
    sample.fault(reply, Action::Drop);
    sample.at(201);
    let again = sample.send(CLIENT, SERVER, DATA);
    sample.fault(again, Action::Drop);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn duplicate() {
    let mut sample = Sample::new();
    sample.at(0);
    let packet = sample.send(CLIENT, SERVER, DATA);
    sample.fault(packet, Action::Duplicate);
    sample.at(1);
    sample.arrives(packet, 0, SERVER).recv(SERVER, CLIENT, DATA);
    sample.arrives(packet, 1, SERVER).recv(SERVER, CLIENT, DATA);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn overtaken() {
    let mut sample = Sample::new();
    sample.at(0);
    let first = sample.send(CLIENT, SERVER, b"one");
    sample.fault(first, Action::HoldFor(1));
    let second = sample.send(CLIENT, SERVER, b"three");
    sample.at(1).arrives(second, 0, SERVER).recv(SERVER, CLIENT, b"three");
    sample.arrives(first, 0, SERVER).recv(SERVER, CLIENT, b"one");
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn delayed() {
    let mut sample = Sample::new();
    sample.at_us(500);
    let late = sample.send(CLIENT, SERVER, DATA);
    sample.fault(late, Action::DelayUs(2_500));
    sample.at_us(4_000).arrives(late, 0, SERVER).recv(SERVER, CLIENT, DATA);
    let reply = sample.send(SERVER, CLIENT, DATA);
    sample.at_us(4_500).fault(reply, Action::DelayUs(1_000_000));
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn corrupted() {
    let mut sample = Sample::new();
    sample.at(0);
    let packet = sample.send(CLIENT, SERVER, DATA);
    sample.fault(packet, Action::CorruptBits(vec![300]));
    let mut altered = udp(CLIENT, SERVER, DATA).to_vec();
    altered[37] ^= 8;
    sample.at(1).push(What::Arrived { packet, copy: 0, to: SERVER, altered: Some(altered.into()) });
    sample.dropped(SERVER, DropReason::TransportChecksum);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn nobody_there() {
    let mut sample = Sample::new();
    sample.at(0).call(CLIENT, Call::Connect(addr(SERVER)));
    let packet = sample.send(CLIENT, SERVER, DATA);
    sample.at(1).arrives(packet, 0, SERVER).dropped(SERVER, DropReason::NoSocket);
    let error = port_unreachable(SERVER, CLIENT, &udp(CLIENT, SERVER, DATA));
    let error = sample.packet(SERVER, CLIENT, Class::Icmp, error);
    sample.at(2).arrives(error, 0, CLIENT);
    sample.failed(CLIENT, Call::Recv { from: None, data: Bytes::new(), full_len: 0 }, Errno::ECONNREFUSED);
    insta::assert_snapshot!(drawn(&sample));
}

/// The pieces of a datagram of 2000 bytes.
fn fragments() -> [Bytes; 2] {
    let whole = udp(CLIENT, SERVER, &[1; 2_000]);
    let (header, payload) = whole.split_at(20);
    [(0usize, 1_480usize, true), (1_480, 2_008, false)].map(|(from, to, more)| {
        let mut piece = header.to_vec();
        piece[2..4].copy_from_slice(&u16::try_from(20 + to - from).unwrap().to_be_bytes());
        let field = u16::try_from(from / 8).unwrap() | if more { 0x2000 } else { 0 };
        piece[6..8].copy_from_slice(&field.to_be_bytes());
        piece.extend_from_slice(&payload[from..to]);
        piece.into()
    })
}

#[test]
fn in_fragments() {
    let mut sample = Sample::new();
    sample.at(0).call(CLIENT, Call::Send { to: Some(addr(SERVER)), data: vec![1; 2_000].into() });
    let pieces = fragments().map(|piece| sample.packet(CLIENT, SERVER, Class::Fragment, piece));
    sample.at(1);
    for piece in pieces {
        sample.arrives(piece, 0, SERVER);
    }
    sample.push(What::Note { host: SERVER, note: Note::Reassembled(2_008) });
    sample.recv(SERVER, CLIENT, &[1; 2_000]);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn partition() {
    let mut sample = Sample::new();
    sample.carried(0, CLIENT, SERVER, DATA);
    sample.push(What::Partitioned(Cut::between([CLIENT, SERVER])));
    let reply = sample.send(SERVER, CLIENT, DATA);
    sample.push(What::Lost { packet: reply, reason: LossReason::Partition });
    sample.at(500).push(What::Healed(Cut::ALL));
    sample.carried(501, CLIENT, SERVER, DATA);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn a_cut_that_is_not_of_whole_links_is_named() {
    let mut sample = Sample::new();
    sample.carried(0, CLIENT, SERVER, DATA);
    sample.push(What::Partitioned(Cut::one_way([SERVER, CLIENT])));
    sample.at(500).push(What::Healed(Cut::one_way([SERVER, CLIENT])));
    sample.at(501).push(What::Partitioned(Cut::between([CLIENT, SERVER]).flow(1).longer_than(1_200)));
    insta::assert_snapshot!(drawn(&sample));
    // In a narrow lane the words are cut, and the hosts' lines are not.
    let text = sample.trace.diagram(&DiagramOptions { width: 40, ascii: true, ..DiagramOptions::default() });
    let cuts: Vec<_> = text.lines().filter(|line| line.contains("serv")).skip(1).collect();
    assert_eq!(cuts.len(), 2, "{text}");
    assert!(cuts.iter().all(|line| line.matches('|').count() == 2), "{text}");
}

#[test]
fn crash() {
    let mut sample = Sample::new();
    sample.carried(0, CLIENT, SERVER, DATA);
    sample.at(2);
    let lost = sample.send(CLIENT, SERVER, DATA);
    sample.push(What::Crashed(SERVER));
    sample.at(3).push(What::Lost { packet: lost, reason: LossReason::HostDown });
    sample.at(100).push(What::Restarted(SERVER));
    sample.call(SERVER, Call::Bind(addr(SERVER)));
    sample.carried(200, CLIENT, SERVER, DATA);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn crossing() {
    let mut sample = Sample::new();
    sample.at(0);
    let there = sample.send(CLIENT, SERVER, b"a");
    let back = sample.send(SERVER, CLIENT, b"b");
    sample.at(1).arrives(there, 0, SERVER).recv(SERVER, CLIENT, b"a");
    sample.arrives(back, 0, CLIENT).recv(CLIENT, SERVER, b"b");
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn six_hosts() {
    let mut sample = Sample::of(["a", "b", "c", "d", "e", "somebody"]);
    for to in 1..6 {
        sample.carried(u64::from(to), HostId(0), HostId(to), DATA);
    }
    let last = sample.send(HostId(5), HostId(1), DATA);
    sample.fault(last, Action::Drop);
    sample.push(What::Partitioned(Cut::between([HostId(1), HostId(4)])));
    sample.push(What::Crashed(HostId(2)));
    sample.carried(9, HostId(4), HostId(0), DATA);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn names_are_drawn_in_characters_that_can_be_drawn() {
    let heading = |names: [&str; 2], ascii| {
        let text = Trace::new(names).diagram(&DiagramOptions { ascii, ..DiagramOptions::default() });
        text.split_whitespace().skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(heading(["caf\u{e9}", "bar\u{1b}"], false), ["caf\u{e9}", "bar\u{fffd}"]);
    assert_eq!(heading(["caf\u{e9}", "bar\u{1b}"], true), ["caf?", "bar?"]);
    assert_eq!(heading(["caf\u{e9}", "caf\u{e8}"], true), ["1", "2"], "they would become alike");
}

#[test]
fn a_long_trace_keeps_its_ends_and_its_faults() {
    let mut sample = Sample::new();
    for ms in 0..1_000 {
        if ms == 700 {
            sample.at(ms);
            let lost = sample.send(CLIENT, SERVER, DATA);
            sample.fault(lost, Action::Drop);
        } else {
            sample.carried(ms, CLIENT, SERVER, DATA);
        }
    }
    let text = sample.trace.diagram(&DiagramOptions {
        width: 80,
        lines_max: 14,
        ascii: false,
        mark: None,
        ..DiagramOptions::default()
    });
    assert!(text.lines().count() <= 14, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_long_trace_keeps_values_that_are_noted_seldom() {
    let mut sample = Sample::new();
    for ms in 0..1_000 {
        sample.carried(ms, CLIENT, SERVER, DATA);
        let key = if ms % 400 == 300 { "leader" } else { "round" };
        sample.push(What::Noted { host: SERVER, key: key.to_owned(), value: ms.to_string() });
    }
    for lines_max in [24, 60] {
        let options = DiagramOptions { width: 80, lines_max, ..DiagramOptions::default() };
        let text = sample.trace.diagram(&options);
        assert!(text.lines().count() <= lines_max, "{text}");
        assert!(text.contains("leader = 300") && text.contains("leader = 700"), "{text}");
        let rounds: Vec<_> = text.lines().filter(|line| line.contains("round = ")).collect();
        assert!(rounds.len() > 3, "{text}");
    }
}

/// The lines of a diagram that have the sign of the moment of truth, the legend aside.
fn signed(trace: &Trace, mark: usize, ascii: bool, lines_max: usize) -> Vec<String> {
    let text = trace.diagram(&DiagramOptions {
        width: 80,
        lines_max,
        ascii,
        mark: Some(mark),
        ..DiagramOptions::default()
    });
    let sign = if ascii { " ! " } else { " ◆ " };
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let (legend, lines): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| line.contains(sign))
        .partition(|line| line.contains("the moment of truth"));
    assert_eq!(legend.len(), usize::from(!lines.is_empty()), "{text}");
    lines.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_moment_of_truth() {
    let mut sample = Sample::new();
    sample.bound();
    sample.carried(0, CLIENT, SERVER, DATA);
    let reply = sample.send(SERVER, CLIENT, DATA);
    let lost = sample.trace.events().len();
    sample.fault(reply, Action::Drop);
    sample.at(7).call(CLIENT, Call::Close);
    let last = sample.trace.events().len() - 1;
    let options = DiagramOptions { width: 80, ascii: true, mark: Some(last), ..DiagramOptions::default() };
    insta::assert_snapshot!(sample.trace.diagram(&options));
    for ascii in [false, true] {
        // A fault stands on the packet that it hits.
        let [line] = &signed(&sample.trace, lost, ascii, 60)[..] else { panic!("one line") };
        assert!(line.contains("dropped"), "{line}");
        assert_eq!(signed(&sample.trace, last + 1, ascii, 60), [""; 0], "no such event");
        // Each event is on some line.
        for mark in 0..=last {
            assert_eq!(signed(&sample.trace, mark, ascii, 60).len(), 1, "{mark}");
        }
    }
}

#[test]
fn the_moment_of_truth_is_never_left_out() {
    let mut sample = Sample::new();
    for ms in 0..400 {
        sample.carried(ms, CLIENT, SERVER, DATA);
    }
    for mark in [0, 1, 500, sample.trace.events().len() - 1] {
        assert_eq!(signed(&sample.trace, mark, true, 14).len(), 1, "{mark}");
    }
}

#[test]
fn any_trace_can_be_drawn() {
    // Hosts that do not exist, packets that were never sent, no hosts at all, tiny widths.
    for hosts in [vec![], vec!["a"], vec!["a", "b"], vec!["a-host-with-quite-a-long-name"; 7]] {
        let mut trace = Trace::new(hosts);
        let packet = trace.next_packet();
        for (from, to) in [(0, 0), (0, 1), (1, 0), (0, 6), (9, 0)] {
            trace.push(
                crate::Time::ZERO,
                What::Injected {
                    packet,
                    from: HostId(from),
                    to: HostId(to),
                    bytes: Bytes::from_static(b"no packet"),
                },
            );
            trace.push(crate::Time::MAX, What::Arrived { packet, copy: 7, to: HostId(to), altered: None });
            trace.push(crate::Time::MAX, What::Crashed(HostId(from)));
            trace.push(crate::Time::MAX, What::Partitioned(Cut::between([HostId(from), HostId(to)])));
        }
        for width in [0, 40, 200] {
            let text = trace.diagram(&DiagramOptions {
                width,
                lines_max: 0,
                ascii: true,
                mark: None,
                ..DiagramOptions::default()
            });
            assert!(text.lines().all(|line| line.len() <= width.max(40)), "{text}");
            assert!(text.lines().count() <= 12, "{text}");
        }
    }
}

#[test]
fn what_sets_a_host_up_and_what_its_stack_tells_late_stand_where_they_belong() {
    // The client's program ran first, and the server's stack tells of the drop after it sent its error.
    let mut sample = Sample::new();
    sample.at(0);
    let packet = sample.send(CLIENT, SERVER, DATA);
    sample.call(SERVER, Call::Bind(addr(SERVER)));
    sample.at(1).arrives(packet, 0, SERVER);
    let error = port_unreachable(SERVER, CLIENT, &udp(CLIENT, SERVER, DATA));
    let error = sample.packet(SERVER, CLIENT, Class::Icmp, error);
    sample.dropped(SERVER, DropReason::NoSocket);
    sample.at(2).arrives(error, 0, CLIENT);
    insta::assert_snapshot!(drawn(&sample));
}

#[test]
fn what_a_stack_tells_of_one_arrival_stays_in_its_order() {
    let mut sample = Sample::new();
    sample.at(0);
    let first = sample.send(CLIENT, SERVER, DATA);
    let second = sample.send(CLIENT, SERVER, DATA);
    sample.at(1).arrives(first, 0, SERVER).arrives(second, 0, SERVER);
    for state in [State::FinWait2, State::TimeWait] {
        let note = Note::Tcp { port: 7_000, peer: 40_000, note: TcpNote::State(state) };
        sample.push(What::Note { host: SERVER, note });
    }
    let drawn = sample.trace.diagram(&DiagramOptions::default());
    let line = |words: &str| drawn.lines().position(|line| line.contains(words)).expect("it is drawn");
    let lines = ["datagram 1", "datagram 2", "FIN-WAIT-2", "TIME-WAIT"].map(line);
    assert!(lines[1] == lines[2] && lines[2] < lines[3], "{drawn}");
}

/// Where there is little room a packet keeps its name, and a fault its sign.
#[test]
fn a_narrow_diagram_keeps_names_and_faults() {
    let mut sample = Sample::new();
    sample.at(0);
    let late = sample.send(CLIENT, SERVER, DATA);
    sample.fault(late, Action::DelayUs(1));
    for action in [Action::Drop, Action::CorruptBits(vec![300, 301])] {
        let packet = sample.send(CLIENT, SERVER, DATA);
        let lost = action == Action::Drop;
        sample.fault(packet, action);
        if !lost {
            sample.at(1).arrives(packet, 0, SERVER);
        }
    }
    sample.at(2).arrives(late, 0, SERVER);
    for width in 52..120 {
        let text = sample.trace.diagram(&DiagramOptions { width, ..DiagramOptions::default() });
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        for nth in 1..=3 {
            let name = format!("datagram {nth}");
            let line =
                text.lines().find(|line| line.contains(&name)).unwrap_or_else(|| panic!("{width}: {text}"));
            assert!(line.contains('✱'), "{width}: {text}");
        }
    }
}

/// With many hosts their names stand on several lines, whole or shortened where they differ; where there is
/// no room for the hosts' lines either, each line says who sends to whom.
#[test]
fn many_hosts_can_be_told_apart() {
    for (prefix, hosts) in [("node-", 9), ("node-", 25), ("a-replica-of-the-database-", 9)] {
        let names: Vec<String> = (1..=hosts).map(|host| format!("{prefix}{host}")).collect();
        let mut sample = Sample::named(&names);
        for to in 1..hosts {
            sample.carried(u64::from(to), HostId(0), HostId(to), DATA);
        }
        for width in [40, 60, 80, 120, 300] {
            let text =
                sample.trace.diagram(&DiagramOptions { width, lines_max: 200, ..DiagramOptions::default() });
            // Who gets a packet is said on its line, or its line stands below its name.
            let said = text.lines().filter_map(|line| line.split_once("▶ ")?.1.split_once(':'));
            let said: BTreeSet<&str> = said.map(|(name, _)| name).collect();
            let head = text.lines().take_while(|line| !line.contains("send"));
            let head: BTreeSet<&str> = head.flat_map(str::split_whitespace).collect();
            let all = names.len();
            assert!(said.len() + 1 == all || head.len() == all + 1, "{width}: {head:?}\n{text}");
        }
    }
    let mut sample = Sample::named((1..=9).map(|host| format!("node-{host}")));
    for to in 1..9 {
        sample.carried(u64::from(to), HostId(0), HostId(to), DATA);
    }
    sample.push(What::Partitioned(Cut::between([HostId(1), HostId(4)])));
    let at =
        |width| sample.trace.diagram(&DiagramOptions { width, lines_max: 12, ..DiagramOptions::default() });
    insta::assert_snapshot!(format!("{}\n{}", at(40), at(100)));
}

/// A kernel does not say what it threw away; that a checksum is wrong shows in the bytes.
#[test]
fn damage_that_a_stack_says_nothing_of_shows_in_the_checksum() {
    let mut sample = Sample::new();
    for (ms, bit) in [(0, 300), (2, 68), (4, 12)] {
        sample.at(ms);
        let packet = sample.send(CLIENT, SERVER, DATA);
        sample.fault(packet, Action::CorruptBits(vec![bit]));
        let mut altered = udp(CLIENT, SERVER, DATA).to_vec();
        altered[bit as usize / 8] ^= 0x80 >> (bit % 8);
        if bit == 12 {
            // Nothing that a checksum covers: who altered it made up for that.
            altered = udp(CLIENT, SERVER, &[0; 100]).to_vec();
        }
        sample.at(ms + 1).push(What::Arrived { packet, copy: 0, to: SERVER, altered: Some(altered.into()) });
    }
    sample.recv(SERVER, CLIENT, &[0; 100]);
    insta::assert_snapshot!(drawn(&sample));
}

/// A request and its answers, of which one is damaged, and bytes that are no text.
fn spoken() -> Sample {
    let mut sample = Sample::new();
    sample.bound();
    sample.carried(0, CLIENT, SERVER, b"PUT key=old");
    sample.at(2);
    let packet = sample.send(SERVER, CLIENT, b"OK\n");
    sample.fault(packet, Action::Duplicate);
    sample.at(3).arrives(packet, 0, CLIENT).recv(CLIENT, SERVER, b"OK\n").arrives(packet, 1, CLIENT);
    sample.carried(4, CLIENT, SERVER, &[0, 1, 2, 254, 255, 9]);
    sample.carried(6, CLIENT, SERVER, &[b'x'; 900]);
    sample
}

#[test]
fn previews_say_what_messages_are() {
    let (sample, payloads) = (spoken(), Payloads::PREVIEWS);
    let wide = DiagramOptions { payloads: payloads.clone(), ..DiagramOptions::default() };
    let narrow = DiagramOptions { width: 80, ascii: true, ..wide.clone() };
    insta::assert_snapshot!([wide, narrow].map(|options| sample.trace.diagram(&options)).join("\n"));
    let words = |bytes: &[u8]| bytes.starts_with(b"PUT").then(|| "put of key".to_owned());
    let described = DiagramOptions { payloads: Payloads::described(words), ..DiagramOptions::default() };
    let text = sample.trace.diagram(&described);
    for words in
        ["send 11 B: put of key ├─ datagram 1, 11 B: put of key ─", "│ recv 11 B: put of key", "\"OK\\n\""]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// What there is to say without previews is said with them.
#[test]
fn previews_take_only_the_room_that_is_left() {
    let three = {
        let mut sample = Sample::of(["client", "server", "third"]);
        sample.carried(0, CLIENT, SERVER, b"PUT key=old");
        let packet = sample.send(CLIENT, SERVER, b"GET key");
        sample.fault(packet, Action::DelayUs(2_500_000));
        sample
    };
    for sample in [spoken(), three] {
        for width in (40..160).chain([400]) {
            let of = |payloads| {
                sample.trace.diagram(&DiagramOptions { width, payloads, ..DiagramOptions::default() })
            };
            let (with, without) = (of(Payloads::PREVIEWS), of(Payloads::LENGTHS));
            assert_eq!(with.lines().count(), without.lines().count(), "{width}");
            for (with, without) in with.lines().zip(without.lines()) {
                assert!(with.chars().count() <= width, "{width}: {with}");
                for word in without.split([' ', '─', '│', '╌', '├', '┤']).filter(|word| !word.is_empty())
                {
                    let word = word.trim_end_matches(',');
                    assert!(with.contains(word), "{width}: {word}\n{with}\n{without}");
                }
            }
        }
    }
}

/// What happens by a plan in every run has another sign, and gives way where lines are left out.
#[test]
fn what_happens_in_every_run_has_another_sign() {
    let mut sample = Sample::new();
    let mut every = BTreeSet::new();
    for ms in 0..40 {
        sample.at(10 * ms);
        let packet = sample.send(CLIENT, SERVER, b"x");
        if ms == 30 || ms % 3 == 0 {
            every.extend((ms != 30).then_some(sample.trace.events().len()));
            sample.fault(packet, Action::Drop);
        }
    }
    for (ms, what, is_usual) in [
        (401, What::Crashed(SERVER), true),
        (402, What::Restarted(SERVER), false),
        (403, What::Partitioned(Cut::ALL), true),
        (404, What::Healed(Cut::ALL), false),
    ] {
        every.extend(is_usual.then_some(sample.trace.events().len()));
        sample.at(ms).push(what);
    }
    let options = DiagramOptions { lines_max: 20, in_every_run: every, ..DiagramOptions::default() };
    let narrow = DiagramOptions { width: 80, ascii: true, ..options.clone() };
    insta::assert_snapshot!([options, narrow].map(|options| sample.trace.diagram(&options)).join("\n"));
}
