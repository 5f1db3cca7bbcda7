//! Any trace, whatever makes no sense in it, and all that is made of one: diagrams of any size, text,
//! captures.

use std::net::SocketAddr;

use bytes::Bytes;
use faultwire::Errno;
use faultwire::fault::{Class, Cut, Label};
use faultwire::stack::SocketOption;
use faultwire::tcp::State;
use faultwire::time::Time;
use faultwire::trace::{
    Call, DiagramOptions, DropReason, HostId, LossReason, Note, PacketId, SocketId, SvgOptions, TcpNote,
    Trace, What,
};

use super::forge::Choice;
use super::wire::{action, packet};

/// Columns, lines, events.
pub(super) const LIMITS: [[usize; 3]; 5] =
    [[100, 60, 200], [0, 0, 0], [40, 12, 20], [17, 1_000, 1_000], [usize::MAX; 3]];

/// Makes all that can be made of a trace.
pub(super) fn draw(trace: &Trace, [width, lines_max, events_max]: [usize; 3]) {
    let mark = trace.events().len().checked_sub(1);
    for (ascii, mark) in [(false, None), (true, mark)] {
        let mut options = DiagramOptions::default();
        (options.width, options.lines_max, options.ascii, options.mark) = (width, lines_max, ascii, mark);
        let text = trace.diagram(&options);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest <= width.clamp(40, 1_000), "{widest} columns of {width}\n{text}");
        assert!(!ascii || text.is_ascii(), "{text}");
        let mut options = SvgOptions::default();
        (options.events_max, options.mark) = (events_max, mark);
        let svg = trace.svg(&options);
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
    }
    assert_eq!(trace.hash(), trace.clone().hash());
    let _ = trace.text();
    for host in (0..trace.hosts().len() as u16).map(HostId).take(3) {
        let _ = (trace.host_hash(host), trace.host_sequence(host));
        trace.write_pcapng_seen_by(host, "fuzz", std::io::sink()).expect("a sink takes all");
    }
    trace.write_pcapng("fuzz", std::io::sink()).expect("a sink takes all");
    for sending in trace.sendings() {
        let _ = (sending.view(), trace.fate(sending.packet));
    }
}

fn host(choice: &mut Choice<'_>, hosts: usize) -> HostId {
    let last = hosts as u16;
    HostId(choice.among(&[0, 1, 2, last.saturating_sub(1), last, u16::MAX]))
}

fn addr(choice: &mut Choice<'_>) -> SocketAddr {
    ["0.0.0.0:0", "10.0.0.1:4000", "[fd00::2]:7"][choice.below(3)].parse().expect("an address")
}

fn call(choice: &mut Choice<'_>) -> Call {
    let data = Bytes::from(choice.data(9));
    match choice.below(9) {
        0 => Call::Bind(addr(choice)),
        1 => Call::Connect(addr(choice)),
        2 => Call::Listen(addr(choice)),
        3 => Call::Accept { socket: SocketId(u32::MAX), peer: choice.is().then(|| addr(choice)) },
        4 => Call::Send { to: choice.is().then(|| addr(choice)), data },
        5 => Call::Recv {
            from: choice.is().then(|| addr(choice)),
            data,
            full_len: choice.among(&[0, usize::MAX]),
        },
        6 => Call::Shutdown,
        7 => Call::Close,
        _ => Call::Option(SocketOption::RecvBuffer(usize::MAX)),
    }
}

fn what(choice: &mut Choice<'_>, hosts: usize) -> What {
    let (one, other) = (host(choice, hosts), host(choice, hosts));
    let id = PacketId(choice.among(&[0, 1, 2, 3, 10, u32::MAX]));
    let nth = choice.among(&[0, 1, u32::MAX]);
    let ends = choice.is().then_some([one, other]);
    let cut = Cut { hosts: ends, one_way: choice.is(), flow: choice.is().then_some(nth), longer_than: None };
    match choice.below(13) {
        0 | 1 => {
            let class = choice.among(&[Class::Syn, Class::Data, Class::Ack, Class::Datagram, Class::Any]);
            let label = Label {
                class,
                nth,
                nth_in_flow: nth,
                nth_any: nth,
                nth_any_in_flow: nth,
                flow: nth,
                transmission: nth,
            };
            What::Sent { packet: id, from: one, to: other, label, bytes: packet(choice) }
        }
        2 => What::Injected { packet: id, from: one, to: other, bytes: packet(choice) },
        3 => What::Fault { packet: id, fault: choice.among(&[0, 1, usize::MAX]), action: action(choice) },
        4 | 5 => {
            let altered = choice.is().then(|| packet(choice));
            What::Arrived { packet: id, copy: choice.among(&[0, 1, 255]), to: one, altered }
        }
        6 => What::Lost { packet: id, reason: choice.among(&[LossReason::Partition, LossReason::Damaged]) },
        7 => {
            let error = choice.is().then_some(Errno::ECONNRESET);
            What::Call { host: one, socket: SocketId(nth), call: call(choice), error }
        }
        8 => {
            let tcp = |note| Note::Tcp { port: 4_000, peer: 7, note };
            let note = choice.among(&[
                Note::Dropped(DropReason::NoSocket),
                Note::Reassembled(u32::MAX),
                tcp(TcpNote::State(State::Established)),
                tcp(TcpNote::CongestionWindow(u32::MAX)),
            ]);
            What::Note { host: one, note }
        }
        9 => What::Partitioned(cut),
        10 => What::Healed(cut),
        11 => What::Crashed(one),
        _ => {
            let value = String::from_utf8_lossy(&choice.data(99)).into_owned();
            let noted = What::Noted { host: one, key: "key".to_owned(), value };
            match choice.below(3) {
                0 => What::Restarted(one),
                1 => What::Killed(one),
                _ => noted,
            }
        }
    }
}

pub(crate) fn fuzz(data: &[u8]) {
    let mut choice = Choice::Bytes(data);
    let limits = choice.among(&LIMITS);
    let hosts = choice.among(&[0, 1, 2, 2, 3, 9, 40, 300]);
    let mut trace = Trace::new((0..hosts).map(|host| format!("host-{host}-\u{1b}\u{202e}é")));
    let mut at = 0_u64;
    while !choice.is_over() && trace.events().len() < 100 {
        // Mostly forward, as time goes; now and then to its end, and back.
        let step = choice.among(&[0, 1, 1_000, 1_000_000, 1 << 40, u64::MAX]);
        at = if choice.below(16) == 0 { 0 } else { at.saturating_add(step) };
        trace.push(Time::from_nanos(at), what(&mut choice, hosts));
    }
    draw(&trace, limits);
}
