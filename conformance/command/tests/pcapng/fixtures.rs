//! The fixtures, as `faultwire replay --pcapng` captures them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use faultwire::Time;
use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Network as _};
use faultwire::trace::{Captured, HostId, Trace, What};
use faultwire_conformance::engine::{ReplayOptions, replay, studies};
use faultwire_sim::{Net, Result, scenario, testbed};
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::tshark::Tshark;

fn plans() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plans");
    let mut plans: Vec<PathBuf> = fs::read_dir(dir)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    plans.sort();
    plans
}

/// Replays a plan with the command; gives the file that it wrote, and what it said.
fn captured(plan: &Path, dir: &Path) -> (PathBuf, String) {
    let file = dir.join(plan.file_stem().expect("a name")).with_extension("pcapng");
    let output = Command::new(env!("CARGO_BIN_EXE_faultwire"))
        .arg("replay")
        .arg(plan)
        .arg("--pcapng")
        .arg(&file)
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (file, String::from_utf8(output.stdout).expect("UTF-8"))
}

fn trace_of(plan: &FaultPlan) -> Trace {
    let name = plan.scenario.as_deref().expect("a fixture names its scenario");
    let study = studies().into_iter().find(|study| study.name == name).expect("the scenario exists");
    replay(&ReplayOptions { study, plan: plan.clone(), testbed: testbed::VIRTUAL, seed: 0 }).run.trace
}

#[test]
fn the_command_writes_every_packet_of_a_fixture_and_says_what_it_is_of() {
    let dir = tempfile::tempdir().expect("a directory");
    for path in plans() {
        let plan = FaultPlan::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let trace = trace_of(&plan);
        let (file, said) = captured(&path, dir.path());
        let in_memory = {
            let mut bytes = Vec::new();
            trace.write_pcapng("", &mut bytes).expect("it can be written");
            bytes
        };
        let Captured { sent, arrived, lost, injected, missing, .. } =
            trace.write_pcapng("", std::io::sink()).expect("it can be written");
        let words = format!("{arrived} arrived, {lost} lost");
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(&words), "{words}: {said}");
        assert_eq!((sent, arrived), (trace.sendings().count() as u64, trace.arrivals().count() as u64));
        assert_eq!((injected, missing), (0, 0), "{}", path.display());

        let read = fs::read(&file).expect("the file");
        let mut reader = PcapNgReader::new(&read[..]).expect("a section");
        let comment = reader.section().options.iter().find_map(|option| match option {
            SectionHeaderOption::Comment(text) => Some(text.to_string()),
            _ => None,
        });
        let comment = comment.expect("a comment");
        assert!(comment.contains(plan.scenario.as_deref().expect("a scenario")), "{comment}");
        assert!(comment.contains(&plan.to_toml()), "{comment}");
        let packets = blocks(&mut reader);
        assert_eq!(packets, blocks(&mut PcapNgReader::new(&in_memory[..]).expect("a section")));
        assert_eq!(packets.len() as u64, sent + arrived + lost);
    }
}

#[test]
fn the_command_writes_what_one_host_saw() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = &plans()[0];
    let trace = trace_of(&FaultPlan::read(plan).unwrap_or_else(|error| panic!("{error}")));
    let file = dir.path().join("server.pcapng");
    let replay = |host: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
        command.arg("replay").arg(plan).arg("--pcapng").arg(&file).args(["--seen-by", host]);
        command.output().expect("the command starts")
    };
    let wrong = replay("sever");
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8(wrong.stderr).expect("UTF-8");
    assert!(said.contains("there is no host `sever` whose packets could be written; there are: "), "{said}");
    assert!(!file.exists(), "a file is made for nothing");

    let output = replay("server");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains("as server saw it"), "{said}");
    let host = trace.hosts().iter().position(|host| host == "server").expect("it has a server");
    let mut expected = Vec::new();
    let host = HostId(u16::try_from(host).expect("few hosts"));
    trace.write_pcapng_seen_by(host, "", &mut expected).expect("it can be written");
    let read = fs::read(&file).expect("the file");
    let packets = blocks(&mut PcapNgReader::new(&read[..]).expect("a section"));
    assert_eq!(packets, blocks(&mut PcapNgReader::new(&expected[..]).expect("a section")));
    assert!(!packets.is_empty());
}

/// The packets of a capture.
fn blocks(reader: &mut PcapNgReader<&[u8]>) -> Vec<Block<'static>> {
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        if let block @ Block::EnhancedPacket(_) = block.expect("a block") {
            packets.push(block.into_owned());
        }
    }
    packets
}

#[test]
fn a_run_of_a_hundred_thousand_packets_is_captured_whole() {
    const BURSTS: u64 = 1_000;
    const BURST: u64 = 100;
    let client = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        let server = "10.0.0.1:7000".parse()?;
        for _ in 0..BURSTS {
            for _ in 0..BURST {
                socket.send_to(&[7; 20], server).await?;
            }
            net.sleep(Duration::from_millis(10)).await;
        }
        Result::Ok(())
    };
    async fn server(net: Net) -> io::Result<()> {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        loop {
            socket.recv_from(&mut [0; 100]).await?;
        }
    }
    let drop = Fault::new(["client", "server"], Packet::nth(Class::Datagram, 50_000), Action::Drop);
    let plan = FaultPlan::new().faults([drop]);
    let run = scenario("many datagrams").server(server).client(client).run(&plan);
    assert!(run.end.is_finished() && run.fired.all(), "{:?}", run.end);
    let mut file = Vec::new();
    let captured = run.trace.write_pcapng("", &mut file).expect("it can be written");
    assert_eq!((captured.sent, captured.arrived, captured.lost), (BURSTS * BURST, BURSTS * BURST - 1, 1));
    let packets = blocks(&mut PcapNgReader::new(&file[..]).expect("a section"));
    assert_eq!(packets.len() as u64, 2 * BURSTS * BURST);
}

/// tshark's words for the directions.
const INBOUND: &str = "0x00000001";
const OUTBOUND: &str = "0x00000002";

#[test]
fn tshark_reads_the_fixtures_without_a_complaint() {
    let Some(tshark) = Tshark::find("tshark_reads_the_fixtures_without_a_complaint") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    for path in plans() {
        let trace = trace_of(&FaultPlan::read(&path).unwrap_or_else(|error| panic!("{error}")));
        let (file, _) = captured(&path, dir.path());
        let name = path.display();
        let fields = [
            "frame.interface_name",
            "frame.packet_flags_direction",
            "frame.time_epoch",
            "frame.cap_len",
            "frame.len",
        ];
        let seen = tshark.fields(&file, "frame", &fields);
        let of = |host| trace.host_name(host).to_owned();
        let mut expected = Vec::new();
        let mut line = |interface: String, direction: &str, at: Time, len: usize| {
            let nanos = at.as_nanos();
            let time = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            expected.push(vec![interface, direction.to_owned(), time, len.to_string(), len.to_string()]);
        };
        for event in trace.events() {
            let len = |packet| trace.sending(packet).expect("it was sent").bytes.len();
            match &event.what {
                What::Sent { from, bytes, .. } => line(of(*from), OUTBOUND, event.at, bytes.len()),
                What::Arrived { packet, to, .. } => line(of(*to), INBOUND, event.at, len(*packet)),
                What::Lost { packet, .. } | What::Fault { packet, action: Action::Drop, .. } => {
                    line("lost".to_owned(), "", event.at, len(*packet));
                }
                _ => {}
            }
        }
        assert_eq!(seen, expected, "{name}");
        // A status of 0 is a bad one.
        let bad = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
        let odd = format!("_ws.malformed || _ws.short || {bad}");
        assert_eq!(tshark.fields(&file, &odd, &["frame.number"]), Vec::<Vec<String>>::new(), "{name}");
    }
}
