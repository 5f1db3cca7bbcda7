//! The plan file: what it says survives being written and read, and no text is too strange for it.
//!
//! The wrong files and their errors are in `conformance/tests/plan_file.rs`.

use crate::fault::Cut;
use crate::fault::Lasts;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::super::*;
use crate::fault;

/// The example of the plan file's documentation, in the form in which plans are written.
const EXAMPLE: &str = r#"format = 1
title = "the first datagram is overtaken by the second"
scenario = "numbered"
claim = "udp/may-reorder"
[link]
profile = "lan"
[[fault]]
direction = "client->server"
packet = { class = "datagram", nth = 1 }
action = { hold_for = 1 }
[[fault]]
direction = "server->client"
packet = { class = "data", nth = 7, flow = 2, transmission = 3 }
action = { corrupt_bits = [160, 161] }
[[event]]
kind = "partition"
hosts = ["client", "server"]
after = { direction = "server->client", class = "data", nth = 3 }
[[event]]
kind = "crash"
host = "server"
at_us = 50000
[[event]]
kind = "inject"
direction = "client->server"
bytes = "45000014000000004011000000000000ffffffff"
at_us = 60000
"#;

#[test]
fn a_plan_is_written_as_the_example_is() {
    let plan = FaultPlan::parse(EXAMPLE, "example.toml").unwrap();
    assert_eq!(plan.faults.len(), 2);
    assert_eq!(plan.events.len(), 3);
    assert_eq!(plan.to_toml(), EXAMPLE);
}

#[test]
fn comments_underscores_and_other_toml_spellings_are_read() {
    let text = r"
        # a comment
        format = 0x1
        link.profile = 'wan'
        fault = [ { direction = 'a->b', packet.class = 'any', packet.nth = 1_000, action.delay_us = 5_0 } ]
    ";
    let plan = FaultPlan::parse(text, "-").unwrap();
    assert_eq!(plan.link, Link::Profile(Profile::Wan));
    assert_eq!(plan.faults[0].to_string(), "delay a->b packet 1000 by 50 us");
}

#[test]
fn a_plan_is_serialised_in_the_files_own_shape() {
    let plan = FaultPlan::parse(EXAMPLE, "example.toml").unwrap();
    let as_file: toml::Value = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(toml::Value::try_from(&plan).unwrap(), as_file);
}

#[test]
fn a_file_is_read_from_disk_or_refused() {
    let path = std::env::temp_dir().join(format!("faultwire-plan-{}.toml", std::process::id()));
    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(FaultPlan::read(&path).unwrap(), FaultPlan::parse(EXAMPLE, "-").unwrap());
    std::fs::write(&path, b"format = 1\ntitle = \"\xff\"\n").unwrap();
    let error = FaultPlan::read(&path).unwrap_err().to_string();
    assert!(error.ends_with(":2:10: found a byte that is not UTF-8, expected text in UTF-8"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = FaultPlan::read(&path).unwrap_err();
    assert!(matches!(error, PlanError::Unreadable { .. }), "{error}");
}

#[test]
fn a_host_that_a_run_does_not_have_is_refused_with_its_place() {
    let read = |text: &str| PlanFile::read_from(text.as_bytes(), "plan.toml").unwrap();
    let told = |text: &str| {
        let error = read(&format!("format = 1\n{text}")).check_hosts(&["client", "server"]).unwrap_err();
        error.to_string()
    };
    read(EXAMPLE).check_hosts(&["server", "client"]).unwrap();
    let packet = "packet = { class = \"data\", nth = 1 }\naction = \"drop\"\n";
    assert_eq!(
        told(&format!("[[fault]]\ndirection = \"clinet->server\"\n{packet}")),
        "plan.toml:3:13: found the host \"clinet\", expected a host of this run: client or server; did you \
         mean `client`?"
    );
    let after = "after = { direction = \"server->proxy\", class = \"data\", nth = 1 }";
    let links = "[[links]]\nbetween = [\"client\", \"server\"]\nmtu = 600\n[[links]]\nmtu = 70\n";
    for (hosts, place) in [("between = [\"client\", \"b\"]", "7:22"), ("direction = \"b->server\"", "7:13")] {
        let told = told(&format!("{links}{hosts}\n"));
        assert!(told.starts_with(&format!("plan.toml:{place}: found the host \"b\"")), "{told}");
    }
    for (event, place) in [
        (format!("kind = \"heal\"\n{after}"), "4:23: found the host \"proxy\""),
        (format!("kind = \"crash\"\nhost = \"a\"\n{after}"), "4:8: found the host \"a\""),
        ("at_us = 1\nkind = \"heal\"\nhosts = [\"client\", \"b\"]".to_owned(), "5:20: found the host \"b\""),
    ] {
        let told = told(&format!("[[event]]\n{event}\n"));
        assert!(told.starts_with(&format!("plan.toml:{place}")), "{told}");
    }
}

fn host() -> impl Strategy<Value = String> + Clone {
    select(["client", "server", "a", "b-2", "x"].map(String::from).to_vec())
}

fn two_hosts() -> impl Strategy<Value = [String; 2]> {
    (host(), host()).prop_filter("two different hosts", |(a, b)| a != b).prop_map(|(a, b)| [a, b])
}

fn direction() -> impl Strategy<Value = Direction> {
    two_hosts().prop_map(|[from, to]| Direction { from, to })
}

fn packet() -> impl Strategy<Value = Packet> {
    let parts = (
        select(Class::ALL.to_vec()),
        1_u32..=1_000_000,
        option::of(1_u32..=4_096),
        option::of(1_u32..=1_000),
    );
    parts.prop_map(|(class, nth, flow, transmission)| Packet {
        class,
        nth,
        flow: flow.filter(|_| class != Class::Icmp),
        transmission: transmission.filter(|_| class == Class::Data),
    })
}

fn action() -> impl Strategy<Value = Action> {
    let bits = proptest::collection::btree_set(0_u32..65_535 * 8, 1..=8);
    prop_oneof![
        Just(Action::Drop),
        Just(Action::Duplicate),
        (1_u64..=600_000_000).prop_map(Action::DelayUs),
        (1_u32..=1_000).prop_map(Action::HoldFor),
        (bits, any::<bool>()).prop_map(|(bits, turned)| {
            let mut bits: Vec<u32> = bits.into_iter().collect();
            if turned {
                bits.reverse();
            }
            Action::CorruptBits(bits)
        }),
        change().prop_filter("it changes something", |it| *it != Change::default()).prop_map(Action::Change),
        rejection().prop_map(Action::Reject),
    ]
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (select(Rejection::ALL.to_vec()), 68_u16..).prop_map(|(rejection, mtu)| match rejection {
        Rejection::TooBig(_) => Rejection::TooBig(mtu),
        other => other,
    })
}

fn field() -> impl Strategy<Value = (Field, fault::Value)> {
    let parts = (select(Field::ALL.to_vec()), any::<u64>(), any::<bool>(), any::<std::net::IpAddr>());
    parts.prop_map(|(field, number, adds, addr)| {
        let value = match (field, field.bits()) {
            (Field::Options | Field::Payload, _) => {
                fault::Value::Bytes(number.to_be_bytes()[..(number % 9) as usize].to_vec().into())
            }
            (_, None) => fault::Value::Addr(addr),
            (_, Some(bits)) => {
                let number = number & ((1 << bits) - 1);
                let sum = i64::try_from(number).unwrap();
                match (adds && number > 0, number % 2) {
                    (false, _) => fault::Value::Number(number),
                    (true, 0) => fault::Value::Add(sum),
                    (true, _) => fault::Value::Add(-sum),
                }
            }
        };
        (field, value)
    })
}

fn change() -> impl Strategy<Value = Change> {
    let fields = vec(field(), 0..4).prop_map(|mut fields| {
        fields.sort_by_key(|(field, _)| *field);
        fields.dedup_by_key(|(field, _)| *field);
        fields
    });
    let bits = proptest::collection::btree_set(0_u32..65_535 * 8, 0..=8);
    (fields, bits, any::<bool>()).prop_map(|(fields, bits, keeps)| {
        let bits: Vec<u32> = bits.into_iter().collect();
        let keeps_checksums = keeps && !(fields.is_empty() && bits.is_empty());
        Change { fields, bits, keeps_checksums }
    })
}

fn cut() -> impl Strategy<Value = Cut<String>> {
    let link = prop_oneof![
        Just(Cut::ALL),
        two_hosts().prop_map(Cut::between),
        direction().prop_map(|Direction { from, to }| Cut::one_way([from, to])),
    ];
    (link, option::of(1_u32..=4_096), option::of(0_u16..=65_534)).prop_map(|(cut, flow, longer_than)| Cut {
        flow,
        longer_than,
        ..cut
    })
}

fn event() -> impl Strategy<Value = PlanEvent> {
    let injected = (direction(), vec(any::<u8>(), 40..100)).prop_map(|(direction, mut packet)| {
        packet[0] = if packet[0] % 2 == 0 { 0x45 } else { 0x60 };
        EventKind::Inject(Injection::Bytes { direction, packet: Bytes::from(packet) })
    });
    let lasts = prop_oneof![
        (1_u64..=86_400_000_000).prop_map(Lasts::Us),
        (1_u32..=1_000).prop_map(Lasts::Retransmissions),
    ];
    let kind = prop_oneof![
        cut().prop_map(EventKind::Partition),
        cut().prop_map(EventKind::Heal),
        (cut(), lasts).prop_map(|(cut, lasts)| EventKind::Outage { cut, lasts }),
        host().prop_map(EventKind::Crash),
        host().prop_map(EventKind::Kill),
        host().prop_map(EventKind::Restart),
        injected,
        (direction(), packet(), change())
            .prop_map(|(direction, packet, change)| Injection::Like { direction, packet, change })
            .prop_map(EventKind::Inject),
        (direction(), packet(), rejection())
            .prop_map(|(direction, packet, rejection)| Injection::Reject { direction, packet, rejection })
            .prop_map(EventKind::Inject),
    ];
    let when = prop_oneof![
        (0_u64..=86_400_000_000).prop_map(When::AtUs),
        (direction(), packet(), 0_u64..=86_400_000_000)
            .prop_map(|(direction, packet, wait)| When::After(Anchor::new(direction, packet).later(wait))),
        (direction(), packet()).prop_map(|(direction, packet)| When::before(direction, packet)),
    ];
    (kind, when).prop_map(|(kind, when)| PlanEvent { kind, when })
}

/// A link's shortest delay and its longest.
fn delays() -> impl Strategy<Value = (u64, Option<u64>)> {
    let longest = |least: u64| (Just(least), option::of(least..=600_000_000));
    (0_u64..=600_000_000).prop_flat_map(longest)
}

fn link() -> impl Strategy<Value = Link> {
    let mtus = (68_u16..=65_535, option::of(68_u16..=65_535));
    let numbers = (delays(), mtus, option::of(1_u64..=1_000_000_000));
    prop_oneof![
        select(Profile::ALL.to_vec()).prop_map(Link::Profile),
        numbers.prop_map(|((delay_us, delay_us_max), (mtu, host_mtu), rate_kbps)| Link::Numbers(
            LinkNumbers { delay_us, delay_us_max, mtu, host_mtu, rate_kbps }
        )),
    ]
}

/// Links between two hosts, at most one for each direction.
fn links() -> impl Strategy<Value = Vec<PairLink>> {
    let numbers = (option::of(delays()), option::of(68_u16..=65_535), option::of(1_u64..=1_000_000_000));
    let profile = option::of(select(Profile::ALL.to_vec()));
    let link = (two_hosts(), any::<bool>(), profile, numbers).prop_map(
        |(hosts, one_way, profile, (delays, mtu, rate_kbps))| PairLink {
            hosts,
            one_way,
            profile,
            delay_us: delays.map(|(shortest, _)| shortest),
            delay_us_max: delays.and_then(|(_, longest)| longest),
            mtu,
            rate_kbps,
        },
    );
    vec(link, 0..4).prop_map(|mut links| {
        let mut seen = std::collections::BTreeSet::new();
        links.retain(|link| {
            let same = PairLink { one_way: link.one_way, ..PairLink::between(link.hosts.clone()) };
            *link != same && link.directions().all(|direction| seen.insert(direction))
        });
        links
    })
}

fn lab() -> impl Strategy<Value = LabPair> {
    let command = "\\PC{0,9}[!-~][\\x00-\\xff]{0,9}";
    let timeout = option::of((1_u64..=86_400_000).prop_map(std::time::Duration::from_millis));
    let tun = subsequence(vec!["server".to_owned(), "client".to_owned()], 0..=2).prop_shuffle();
    (command, command, any::<bool>(), option::of("[a-z][a-z0-9]{0,9}"), tun, timeout).prop_map(
        |(server, client, ipv6, profile, tun, timeout)| LabPair {
            server,
            client,
            ipv6,
            profile,
            tun,
            timeout,
        },
    )
}

fn plan() -> impl Strategy<Value = FaultPlan> {
    let fault = (direction(), packet(), action()).prop_map(|(direction, packet, action)| Fault {
        direction,
        packet,
        action,
    });
    let scenario = "[^\\p{Cc}]{1,20}";
    let parts = (
        option::of(".{0,40}|\\PC{0,40}|[\\x00-\\xff]{0,9}"),
        option::of(scenario),
        option::of("[a-z0-9-]{1,20}/[a-z0-9-]{1,79}"),
        (link(), links()),
        option::of(lab()),
        vec(fault, 0..6),
        vec(event(), 0..4),
    );
    parts.prop_map(|(title, scenario, claim, (link, links), lab, mut faults, events)| {
        let name = |fault: &Fault| {
            let once = Packet { transmission: fault.packet.transmission.or(Some(1)), ..fault.packet };
            (fault.direction.clone(), once)
        };
        let mut seen = std::collections::BTreeSet::new();
        faults.retain(|fault| seen.insert(name(fault)));
        FaultPlan { title, scenario, claim, link, links, lab, faults, events }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(plan in plan()) {
        let text = plan.to_toml();
        prop_assert_eq!(FaultPlan::parse(&text, "-").map_err(|e| format!("{e}\n{text}")), Ok(plan.clone()));
        let as_file: toml::Value = toml::from_str(&text).unwrap();
        prop_assert_eq!(toml::Value::try_from(&plan).unwrap(), as_file);
    }

    #[test]
    fn no_text_panics_it(text in "\\PC*|[\\x00-\\x7f]*|.*") {
        let _ = FaultPlan::parse(&text, "-");
    }

    #[test]
    fn no_damaged_plan_panics_it(
        plan in plan(),
        damage in vec((any::<Index>(), 0_usize..4, "[ -~]{0,3}|\\n|\"|\\PC"), 1..4),
    ) {
        let mut text = plan.to_toml();
        for (place, len, with) in damage {
            let boundary = |at: usize| (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let place = place.index(text.len() + 1);
            let from = boundary(place);
            let to = boundary((place + len).min(text.len())).max(from);
            text.replace_range(from..to, &with);
        }
        if let Err(error) = FaultPlan::parse(&text, "-") {
            let mistake = error.mistake().unwrap();
            prop_assert!(mistake.line >= 1 && mistake.line <= text.matches('\n').count() + 1);
            prop_assert!(mistake.span.start <= text.len());
        }
    }
}

/// A plan may be built that no file could say; its file leaves out what changes nothing.
#[test]
fn what_a_built_plan_says_in_vain_is_not_written() {
    let hosts = || ["client".to_owned(), "server".to_owned()];
    let vain = LinkNumbers { delay_us_max: Some(3), ..LinkNumbers::new(5, 1_500) };
    let only_max = PairLink { delay_us_max: Some(7), ..PairLink::between(hosts()) };
    let plan = FaultPlan { link: vain.into(), links: vec![only_max], ..FaultPlan::default() };
    let read = FaultPlan::parse(&plan.to_toml(), "written").expect("it can be read");
    assert_eq!((read.link.numbers(), read.links.len()), (LinkNumbers::new(5, 1_500), 0));
}
