//! tshark's analysis of TCP, and its checksums, against what the trace itself says.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire::packet::{PacketView, TcpFlags, Transport};
use faultwire::trace::{HostId, PacketId, Trace, What};
use faultwire_sim::{Net, Result, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::tshark::Tshark;

/// What the client sends: fourteen segments.
const BYTES: usize = 20_000;
const SEGMENTS: u32 = 14;

fn transfer() -> Scenario {
    let server = |net: Net| async move {
        let listener = net.listen("0.0.0.0:7000", 1, &[]).await?;
        let (mut stream, _) = listener.accept().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        stream.write_all(b"thanks").await?;
        stream.shutdown().await
    };
    let client = |net: Net| async move {
        let mut stream = net.connect("10.0.0.1:7000", &[]).await?;
        stream.write_all(&[7; BYTES]).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        net.sleep(Duration::from_secs(1)).await;
        Result::Ok(())
    };
    scenario("transfer").server(server).client(client)
}

/// One datagram to an address, none back.
fn datagram(to: &'static str, any: &'static str) -> Scenario {
    let client = move |net: Net| async move {
        net.datagram(any, &[]).await?.send_to(&[7; 100], to.parse()?).await?;
        net.sleep(Duration::from_secs(1)).await;
        Result::Ok(())
    };
    scenario("datagram")
        .host("server", |net: Net| async move { net.sleep(Duration::from_secs(1)).await })
        .client(client)
}

fn plan(class: Class, nth: u32, action: Action) -> FaultPlan {
    let direction = Direction::new("client", "server");
    let fault = Fault::new(direction, Packet::nth(class, nth), action);
    FaultPlan::new().faults([fault])
}

/// Runs a scenario under a plan that takes place.
fn ran(scenario: &Scenario, plan: &FaultPlan) -> Trace {
    let run = scenario.run(plan);
    assert!(run.end.is_finished() && run.fired.all(), "{plan:?}: {:?}", run.end);
    run.trace
}

/// The same, and captures it.
fn captured(scenario: &Scenario, plan: &FaultPlan, file: &Path) -> Trace {
    let trace = ran(scenario, plan);
    trace.write_pcapng("", File::create(file).expect("a file")).expect("it can be written");
    trace
}

/// Captures what one host saw.
fn seen_by(trace: &Trace, host: HostId, file: &Path) {
    let file = File::create(file).expect("a file");
    trace.write_pcapng_seen_by(host, "", file).expect("it can be written");
}

fn hosts(trace: &Trace) -> impl Iterator<Item = (HostId, &String)> {
    (0..).map(HostId).zip(trace.hosts())
}

/// What is said of a segment, by tshark or by the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    /// Sent, or seen, before.
    retransmission: bool,
    /// Overtaken by one that was sent after it.
    out_of_order: bool,
    duplicate_ack: bool,
    /// Something before it is missing.
    gap: bool,
}

impl Said {
    fn again(self) -> bool {
        self.retransmission || self.out_of_order
    }
}

/// One direction of a connection, as a host sees it.
#[derive(Debug, Default)]
struct Way {
    first: Option<u32>,
    /// Behind the highest octet seen.
    end: u32,
    /// What was seen, from its first octet to behind its last.
    seen: Vec<(u32, u32)>,
    /// The last acknowledgement and window.
    last: Option<(u32, u16)>,
}

impl Way {
    /// What there is to say of a segment. `is_again`: the trace says that it was sent before.
    fn segment(&mut self, view: &PacketView, is_again: bool) -> Said {
        let Transport::Tcp { seq, ack, flags, window, payload, .. } = &view.transport else {
            panic!("{view:?}")
        };
        let start = seq.wrapping_sub(*self.first.get_or_insert(*seq));
        let text = u32::try_from(payload.len()).expect("a segment");
        let len = text + u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
        let is_below = len > 0 && start < self.end;
        let was_seen = self.seen.iter().any(|(from, to)| *from <= start && start + len <= *to);
        let ends = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST].into_iter().any(|flag| flags.has(flag));
        let said = Said {
            retransmission: is_below && (is_again || was_seen),
            out_of_order: is_below && !is_again && !was_seen,
            duplicate_ack: len == 0 && !ends && start == self.end && self.last == Some((*ack, *window)),
            gap: start > self.end,
        };
        self.seen.push((start, start + len));
        self.end = self.end.max(start + len);
        self.last = Some((*ack, *window));
        said
    }
}

/// What the trace says of each segment that a host sent or got, in its order.
fn by_the_trace(trace: &Trace, host: HostId) -> Vec<Said> {
    let again = |packet: PacketId| {
        trace.sending(packet).and_then(|it| it.label).is_some_and(|it| it.transmission > 1)
    };
    let (mut out, mut inward) = (Way::default(), Way::default());
    let mut all = Vec::new();
    for event in trace.events() {
        match &event.what {
            What::Sent { packet, from, label, bytes, .. } if *from == host => {
                let said = out.segment(&PacketView::parse(bytes).expect("a packet"), again(*packet));
                // The labels of the wire, which count transmissions of data, say the same as its bytes.
                if label.class == Class::Data {
                    assert_eq!(said.again(), again(*packet), "{event:?}");
                }
                all.push(said);
            }
            What::Arrived { packet, copy, to, altered } if *to == host => {
                let sent = trace.sending(*packet).expect("it was sent");
                let view = PacketView::parse(altered.as_ref().unwrap_or(sent.bytes)).expect("a packet");
                all.push(inward.segment(&view, again(*packet) || *copy > 0));
            }
            _ => {}
        }
    }
    all
}

/// What tshark says of each packet in a file.
fn by_tshark(tshark: &Tshark, file: &Path) -> Vec<Said> {
    let fields = ["retransmission", "out_of_order", "duplicate_ack", "lost_segment"];
    let fields = fields.map(|field| format!("tcp.analysis.{field}"));
    let mut names = vec!["frame.number"];
    names.extend(fields.iter().map(String::as_str));
    let lines = tshark.fields(file, "tcp", &names);
    let said = lines.iter().map(|line| {
        let is = |index: usize| line.get(index).is_some_and(|field| !field.is_empty());
        Said { retransmission: is(1), out_of_order: is(2), duplicate_ack: is(3), gap: is(4) }
    });
    said.collect()
}

/// tcpdump, which refuses several types of link in one file, reads all that is there.
#[test]
fn tcpdump_reads_every_packet() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, scenario) in [
        ("transfer", transfer()),
        ("ipv4", datagram("10.0.0.1:7000", "0.0.0.0:0")),
        ("ipv6", datagram("[fd00::1]:7000", "[::]:0")),
    ] {
        let trace = ran(&scenario, &FaultPlan::default());
        let file = dir.path().join(name);
        let captured = trace.write_pcapng("", File::create(&file).expect("a file")).expect("written");
        let output = std::process::Command::new("tcpdump").arg("-nr").arg(&file).output();
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                crate::require::skipped(
                    "tcpdump",
                    format_args!("it cannot be started ({error}): install tcpdump"),
                );
                return;
            }
        };
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {stderr}");
        let packets = stdout.lines().filter(|line| line.contains(" IP ") || line.contains(" IP6 ")).count();
        assert_eq!(
            packets as u64,
            captured.sent + captured.arrived + captured.lost,
            "{name}: {stdout}{stderr}"
        );
    }
}

#[test]
fn what_tshark_makes_of_a_transfer_is_what_happened() {
    let Some(tshark) = Tshark::find("what_tshark_makes_of_a_transfer_is_what_happened") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("run.pcapng");
    let drop_ack = Fault::new(["server", "client"], Packet::nth(Class::Ack, 3), Action::Drop);
    let data = |nth, action| plan(Class::Data, nth, action);
    let plans = [
        ("nothing goes wrong", FaultPlan::default()),
        ("fast retransmission", data(3, Action::Drop)),
        ("retransmission after a timeout", data(SEGMENTS, Action::Drop)),
        ("overtaken", data(3, Action::HoldFor(1))),
        ("doubled", data(3, Action::Duplicate)),
        ("the last one doubled", data(SEGMENTS, Action::Duplicate)),
        ("late, behind its retransmission", data(3, Action::DelayUs(250_000))),
        ("damaged", data(3, Action::CorruptBits(vec![400]))),
        ("the first SYN lost", plan(Class::Syn, 1, Action::Drop)),
        ("an acknowledgement lost", FaultPlan::new().faults([drop_ack])),
    ];
    let mut sum = [0; 4];
    for (name, plan) in &plans {
        let trace = ran(&transfer(), plan);
        for (id, host) in hosts(&trace) {
            let expected = by_the_trace(&trace, id);
            seen_by(&trace, id, &file);
            assert_eq!(by_tshark(&tshark, &file), expected, "{name}, as {host} saw it");
            for said in expected {
                let facts = [said.retransmission, said.out_of_order, said.duplicate_ack, said.gap];
                sum = std::array::from_fn(|index| sum[index] + usize::from(facts[index]));
            }
        }
    }
    assert!(sum.iter().all(|count| *count > 0), "one of the four never occurred: {sum:?}");

    // Held behind three others it comes after three duplicate acknowledgements: tshark guesses which of the
    // two it is, a segment that was overtaken or one that was sent again.
    let trace = ran(&transfer(), &data(3, Action::HoldFor(3)));
    for (id, host) in hosts(&trace) {
        let again = |all: &[Said]| all.iter().map(|said| said.again()).collect::<Vec<_>>();
        seen_by(&trace, id, &file);
        assert_eq!(again(&by_tshark(&tshark, &file)), again(&by_the_trace(&trace, id)), "{host}");
    }

    // Why it is the view of one host that is looked at: of both together tshark takes each segment for two.
    captured(&transfer(), &FaultPlan::default(), &file);
    let both = by_tshark(&tshark, &file).iter().filter(|said| said.again()).count();
    assert!(both >= SEGMENTS as usize, "{both}");
}

#[test]
fn tshark_finds_a_bad_checksum_where_the_plan_put_one_and_nowhere_else() {
    let Some(tshark) = Tshark::find("tshark_finds_a_bad_checksum_where_the_plan_put_one_and_nowhere_else")
    else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("run.pcapng");
    // The last bit of the TTL; of the checksum; of the payload.
    let v4 = datagram("10.0.0.1:7000", "0.0.0.0:0");
    let v6 = datagram("[fd00::1]:7000", "[::]:0");
    let hits = [
        (transfer(), Class::Data, 71, "ip"),
        (transfer(), Class::Data, 295, "tcp"),
        (transfer(), Class::Data, 8 * 1_500 - 1, "tcp"),
        (v4.clone(), Class::Datagram, 71, "ip"),
        (v4.clone(), Class::Datagram, 223, "udp"),
        (v4, Class::Datagram, 8 * 128 - 1, "udp"),
        (v6, Class::Datagram, 8 * 148 - 1, "udp"),
    ];
    for (scenario, class, bit, layer) in hits {
        let trace = captured(&scenario, &plan(class, 1, Action::CorruptBits(vec![bit])), &file);
        let entry = |what: &What| matches!(what, What::Sent { .. } | What::Arrived { .. });
        let entries = trace.events().iter().map(|event| &event.what).filter(|what| entry(what));
        let damaged = entries
            .enumerate()
            .filter(|(_, what)| matches!(what, What::Arrived { altered: Some(_), .. }))
            .map(|(index, _)| vec![(index + 1).to_string(), "server".to_owned()]);
        let damaged: Vec<_> = damaged.collect();
        assert_eq!(damaged.len(), 1);
        let layers = ["ip", "tcp", "udp"];
        let told =
            format!("frame.interface_name == \"server\" && frame.comment contains \"bit {bit} flipped\"");
        let statuses = layers.map(|layer| format!("{layer}.checksum.status"));
        let bad = statuses.each_ref().map(|status| format!("{status} == 0")).join(" || ");
        let mut fields = vec!["frame.number", "frame.interface_name", "_ws.malformed"];
        fields.extend(statuses.iter().map(String::as_str));
        // All that is told as damaged, and all that is bad or malformed: the same packet, for that layer's
        // sake.
        let filter = format!("({told}) || {bad} || _ws.malformed");
        let found = tshark.fields(&file, &filter, &fields);
        assert_eq!(found.iter().map(|line| line[..2].to_vec()).collect::<Vec<_>>(), damaged, "bit {bit}");
        assert_eq!(found[0][2], "", "malformed: bit {bit}");
        for (index, name) in layers.iter().enumerate() {
            assert_eq!(found[0][3 + index] == "0", *name == layer, "{name}: bit {bit}");
        }
    }
}
