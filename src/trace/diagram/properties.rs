//! Any trace can be drawn: any number of hosts, any width, any time. Nothing panics, and no line is too wide.

use crate::fault::{Change, Cut, Field, Rejection, Value};
use proptest::prelude::*;

use super::{DiagramOptions, Payloads, SvgOptions, WIDTH_MAX, WIDTH_MIN};
use crate::model::{Action, Call, Class, DropReason, HostId, LossReason, PacketId, Time, What};
use crate::trace::Trace;
use crate::trace::sample::{Sample, addr};

/// One thing that happens. Hosts and packets are drawn wider than the trace has them.
#[derive(Clone, Debug)]
enum Step {
    Send(u16, u16),
    Arrive(u32, u8, u16),
    Lose(u32, LossReason),
    Fault(u32, Action),
    Call(u16, Call),
    Drop(u16),
    Cut(Option<[u16; 2]>),
    Heal(Option<[u16; 2]>),
    Crash(u16),
    Kill(u16),
    Restart(u16),
    Noted(u16, String),
}

fn host() -> impl Strategy<Value = u16> {
    prop_oneof![9 => 0_u16..64, 1 => any::<u16>()]
}

fn step() -> impl Strategy<Value = Step> {
    let packet = || prop_oneof![9 => 0_u32..20, 1 => any::<u32>()];
    let link = || proptest::option::of([host(), host()]);
    let loss = prop_oneof![Just(LossReason::Partition), Just(LossReason::HostDown), Just(LossReason::TooBig)];
    let action = prop_oneof![
        Just(Action::Drop),
        Just(Action::Duplicate),
        any::<u64>().prop_map(Action::DelayUs),
        any::<u32>().prop_map(Action::HoldFor),
        proptest::collection::vec(any::<u32>(), 1..3).prop_map(Action::CorruptBits),
        Just(Action::Change(Change::set(Field::Ttl, 1).and(Field::Seq, Value::Add(-1)))),
        Just(Action::Reject(Rejection::TooBig(1_280))),
    ];
    let call = prop_oneof![
        Just(Call::Close),
        Just(Call::Shutdown),
        (0..2_000_usize).prop_map(|len| Call::Send { to: None, data: vec![7; len].into() }),
        (0_u16..9).prop_map(|host| Call::Listen(addr(HostId(host)))),
    ];
    prop_oneof![
        6 => (host(), host()).prop_map(|(from, to)| Step::Send(from, to)),
        6 => (packet(), 0_u8..3, host()).prop_map(|(packet, copy, to)| Step::Arrive(packet, copy, to)),
        2 => (packet(), loss).prop_map(|(packet, reason)| Step::Lose(packet, reason)),
        2 => (packet(), action).prop_map(|(packet, action)| Step::Fault(packet, action)),
        3 => (host(), call).prop_map(|(host, call)| Step::Call(host, call)),
        1 => host().prop_map(Step::Drop),
        1 => link().prop_map(Step::Cut),
        1 => link().prop_map(Step::Heal),
        1 => host().prop_map(Step::Crash),
        1 => host().prop_map(Step::Kill),
        1 => host().prop_map(Step::Restart),
        1 => (host(), ".{0,90}").prop_map(|(host, value)| Step::Noted(host, value)),
    ]
}

/// Times that are close together, far apart, and at the end of time.
fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0_u64..50).prop_map(|ms| ms * 1_000_000),
        2 => 0_u64..1_000_000_000_000,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

/// The trace of these steps between the hosts: mostly in the order of time, like a run's.
fn trace(hosts: usize, steps: &[(u64, Step)], in_order: bool) -> Trace {
    let mut sample = Sample::named((0..hosts).map(|host| format!("node-{host}")));
    let mut steps = steps.to_vec();
    if in_order {
        steps.sort_by_key(|(nanos, _)| *nanos);
    }
    let count = u16::try_from(hosts).unwrap_or(u16::MAX);
    // Hosts beyond the trace's stay what they are where they are very far beyond them.
    let of = |host: u16| HostId(if host < 64 { host % count } else { host });
    for (nanos, step) in steps {
        sample.at_time(Time::from_nanos(nanos));
        match step {
            Step::Send(from, to) => {
                let bytes = crate::trace::sample::udp(HostId(from % 9), HostId(to % 9), b"some data");
                sample.packet(of(from), of(to), Class::Datagram, bytes);
            }
            Step::Arrive(packet, copy, to) => {
                sample.arrives(PacketId(packet), copy, of(to));
            }
            Step::Lose(packet, reason) => {
                sample.push(What::Lost { packet: PacketId(packet), reason });
            }
            Step::Fault(packet, action) => {
                sample.fault(PacketId(packet), action);
            }
            Step::Call(host, call) => {
                sample.call(of(host), call);
            }
            Step::Drop(host) => {
                sample.dropped(of(host), DropReason::NoSocket);
            }
            Step::Cut(link) => {
                sample.push(What::Partitioned(Cut { hosts: link.map(|ends| ends.map(of)), ..Cut::ALL }));
            }
            Step::Heal(link) => {
                sample.push(What::Healed(Cut { hosts: link.map(|ends| ends.map(of)), ..Cut::ALL }));
            }
            Step::Crash(host) => {
                sample.push(What::Crashed(of(host)));
            }
            Step::Kill(host) => {
                sample.push(What::Killed(of(host)));
            }
            Step::Noted(host, value) => {
                sample.push(What::Noted { host: of(host), key: "key".to_owned(), value });
            }
            Step::Restart(host) => {
                sample.push(What::Restarted(of(host)));
            }
        }
    }
    sample.trace
}

fn payloads() -> impl Strategy<Value = Payloads> {
    let words = "[ a-z\u{e9}\u{0}]{0,50}".prop_map(|words| Payloads::described(move |_| Some(words.clone())));
    prop_oneof![Just(Payloads::LENGTHS), Just(Payloads::PREVIEWS), words]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_trace_fits_any_width(
        hosts in 1_usize..=64,
        steps in proptest::collection::vec((nanos(), step()), 0..60),
        in_order in any::<bool>(),
        width in prop_oneof![9 => 0_usize..=500, 1 => Just(usize::MAX)],
        lines_max in prop_oneof![9 => 0_usize..80, 1 => Just(usize::MAX)],
        mark in proptest::option::of(0_usize..80),
        ascii in any::<bool>(),
        payloads in payloads(),
        in_every_run in proptest::collection::btree_set(0_usize..80, 0..9),
    ) {
        let trace = trace(hosts, &steps, in_order);
        let text = trace.diagram(&DiagramOptions { width, lines_max, ascii, mark, payloads, in_every_run });
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        prop_assert!(widest <= width.clamp(WIDTH_MIN, WIDTH_MAX), "{widest} columns\n{text}");
        prop_assert!(text.lines().count() <= lines_max.max(12), "{text}");
        prop_assert!(!ascii || text.is_ascii(), "{text}");
    }

    #[test]
    fn any_trace_is_a_picture(
        hosts in 1_usize..=64,
        steps in proptest::collection::vec((nanos(), step()), 0..60),
        in_order in any::<bool>(),
        events_max in prop_oneof![9 => 0_usize..80, 1 => Just(usize::MAX)],
        mark in proptest::option::of(0_usize..80),
        payloads in payloads(),
    ) {
        let options = SvgOptions { events_max, mark, payloads, ..SvgOptions::default() };
        let svg = trace(hosts, &steps, in_order).svg(&options);
        prop_assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
