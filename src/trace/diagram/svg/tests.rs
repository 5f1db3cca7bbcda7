mod boxes;
mod legible;

use super::*;
use crate::fault::Cut;
use crate::model::{Action, Class, DropReason, HostId, LossReason, What};
use crate::trace::sample::{CLIENT, SERVER, Sample, port_unreachable, udp};

const DATA: &[u8] = &[7; 100];

/// The picture of a trace: every element is closed, and nothing in it points elsewhere.
fn drawn(trace: &Trace, events_max: usize) -> String {
    let svg = trace.svg(&SvgOptions { events_max, ..SvgOptions::default() });
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1).map(|rest| rest.split_once('>').expect("it ends").0) {
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(name), _) => assert_eq!(open.pop(), Some(name), "{svg}"),
            (None, false) => open.push(tag.split(' ').next().expect("a name")),
            (None, true) => {}
        }
    }
    assert_eq!(open, [""; 0]);
    assert!(!svg.replace("http://www.w3.org/2000/svg", "").contains("http"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    svg
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

#[test]
fn every_packet_is_an_arrow_and_every_fault_is_marked() {
    let mut sample = Sample::new();
    sample.bound();
    sample.carried(0, CLIENT, SERVER, DATA);
    sample.at(5);
    for action in [Action::Drop, Action::Duplicate, Action::HoldFor(1), Action::CorruptBits(vec![300])] {
        let packet = sample.send(CLIENT, SERVER, DATA);
        sample.fault(packet, action.clone());
        for copy in 0..match action {
            Action::Drop => 0,
            Action::Duplicate => 2,
            _ => 1,
        } {
            sample.at(6).arrives(packet, copy, SERVER);
        }
    }
    let lost = sample.send(SERVER, CLIENT, DATA);
    sample.at(9).push(What::Lost { packet: lost, reason: LossReason::Partition });
    let svg = drawn(&sample.trace, 200);
    assert_eq!(count(&svg, "<title>"), 6, "{svg}");
    assert_eq!(count(&svg, "class=\"head\""), 5, "an arrow for each arrival: {svg}");
    assert_eq!(count(&svg, "class=\"packet hit\""), 4, "{svg}");
    for words in [
        "✱ dropped",
        "✱ doubled",
        "✱ held behind 1",
        "✱ bit 300 flipped",
        ">copy<",
        "link cut",
        "soft\">lost<",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(svg.contains("client to server: datagram 1, 100 B, datagram 1 of a plan"), "{svg}");
}

/// The slope is the time on the way: twice as long is twice as deep.
#[test]
fn arrows_slant_by_the_time_that_they_took() {
    let mut sample = Sample::new();
    let mut fallen = |from: u64, to: u64| {
        sample.at(from);
        let packet = sample.send(CLIENT, SERVER, DATA);
        sample.at(to).arrives(packet, 0, SERVER);
    };
    fallen(0, 10);
    fallen(10, 20);
    fallen(20, 35);
    let svg = drawn(&sample.trace, 200);
    let arrows = svg.lines().filter_map(|line| line.strip_prefix("<path class=\"arrow\" d=\"M"));
    let falls: Vec<f64> = arrows
        .map(|path| {
            let ends: Vec<f64> = path
                .trim_end_matches("\"/>")
                .split([' ', 'L'])
                .map(|number| number.parse().expect("a number"))
                .collect();
            ends[3] - ends[1]
        })
        .collect();
    assert_eq!(falls.len(), 3, "{svg}");
    assert!((falls[0] - falls[1]).abs() < 0.2 && (falls[2] - falls[0] * 1.5).abs() < 0.2, "{falls:?}");
}

#[test]
fn what_stacks_and_programs_do_stands_beside_the_lines() {
    let mut sample = Sample::new();
    sample.at(0);
    let packet = sample.send(CLIENT, SERVER, DATA);
    sample.at(1).arrives(packet, 0, SERVER).dropped(SERVER, DropReason::NoSocket);
    let error = port_unreachable(SERVER, CLIENT, &udp(CLIENT, SERVER, DATA));
    let error = sample.packet(SERVER, CLIENT, Class::Icmp, error);
    sample.at(2).arrives(error, 0, CLIENT);
    sample.push(What::Crashed(SERVER)).at(900).push(What::Restarted(SERVER));
    let svg = drawn(&sample.trace, 200);
    for words in
        ["call r\">send 100 B<", "stack\">discarded: no socket<", "fails\">crashes<", "life down", ">898 ms<"]
    {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert_eq!(count(&svg, "class=\"dot\""), 2, "in the picture and in its legend: {svg}");
}

#[test]
fn a_long_trace_is_summed_up_and_says_so() {
    let mut sample = Sample::new();
    for ms in 0..20_000 {
        sample.carried(ms, CLIENT, SERVER, DATA);
    }
    let svg = drawn(&sample.trace, 100);
    assert!(svg.len() < 40_000, "{}", svg.len());
    assert!(svg.contains("packets left out, until "), "{svg}");
    assert!(svg.contains("20000 packets as arrows") && svg.contains("of them are left out."), "{svg}");
    assert!(svg.contains("datagram 1,") && svg.contains("datagram 20000,"), "{svg}");
}

#[test]
fn the_moment_of_truth_is_marked_and_never_left_out() {
    let mut sample = Sample::new();
    for ms in 0..2_000 {
        sample.carried(ms, CLIENT, SERVER, DATA);
    }
    let last = sample.trace.events().len() - 1;
    let marked = |mark| sample.trace.svg(&SvgOptions { mark, events_max: 100, ..SvgOptions::default() });
    for mark in [0, 1_500, last] {
        let svg = marked(Some(mark));
        assert_eq!(count(&svg, "<g class=\"truth\">"), 1, "{mark}: {svg}");
        assert!(svg.contains("soft\">the moment of truth<"), "{svg}");
    }
    for mark in [None, Some(last + 1)] {
        assert_eq!(count(&marked(mark), "<g class=\"truth\">"), 0, "{mark:?}");
    }
}

#[test]
fn names_are_text_and_nothing_else() {
    let trace = Trace::new(["<script>alert(1)</script>", "\u{1}\"&'"]);
    let options = SvgOptions {
        title: "</title><script>".to_owned(),
        id: "\"><script>".to_owned(),
        ..SvgOptions::default()
    };
    let svg = trace.svg(&options);
    assert!(!svg.contains("<script"), "{svg}");
    assert!(
        svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && svg.contains("\u{fffd}&quot;&amp;&#39;"),
        "{svg}"
    );
}

#[test]
fn any_trace_can_be_drawn() {
    use bytes::Bytes;
    for hosts in [vec![], vec!["a"], vec!["a", "b"], vec!["a-host-with-quite-a-long-name"; 7]] {
        let mut trace = Trace::new(hosts);
        let packet = trace.next_packet();
        for (from, to) in [(0, 0), (0, 1), (1, 0), (0, 6), (9, 0)] {
            let bytes = Bytes::from_static(b"no packet");
            trace.push(
                crate::Time::ZERO,
                What::Injected { packet, from: HostId(from), to: HostId(to), bytes },
            );
            trace.push(crate::Time::MAX, What::Arrived { packet, copy: 7, to: HostId(to), altered: None });
            trace.push(crate::Time::MAX, What::Crashed(HostId(from)));
            trace.push(crate::Time::MAX, What::Partitioned(Cut::between([HostId(from), HostId(to)])));
        }
        for events_max in [0, 200] {
            drawn(&trace, events_max);
        }
    }
}

/// Long names that differ in their numbers alone are told apart.
#[test]
fn the_names_of_many_hosts_can_be_told_apart() {
    let names: Vec<String> =
        (1..=9).map(|host| format!("a-replica-of-the-database-in-the-west-{host}")).collect();
    let mut sample = Sample::named(&names);
    for to in 1..9 {
        sample.carried(u64::from(to), HostId(0), HostId(to), DATA);
    }
    let svg = drawn(&sample.trace, 200);
    for host in 1..=9 {
        assert!(svg.contains(&format!("\"host m\">…{host}<")), "{host}: {svg}");
    }
}

#[test]
fn previews_stand_on_packets_and_beside_calls() {
    let mut sample = Sample::new();
    sample.carried(0, CLIENT, SERVER, b"PUT <key>");
    sample.carried(2, CLIENT, SERVER, &[b'x'; 900]);
    let svg = sample.trace.svg(&SvgOptions { payloads: Payloads::PREVIEWS, ..SvgOptions::default() });
    for words in [
        "datagram 1, 9 B: &quot;PUT &lt;key&gt;&quot;",
        "recv 9 B: &quot;PUT",
        "&quot;xxxxxxxxxxxxxxx…&quot;",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(!drawn(&sample.trace, 200).contains("PUT"), "off by default");
}
