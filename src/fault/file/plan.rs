//! From parsed TOML to a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use toml::de::{DeTable, DeValue};

use super::super::{
    Action, Anchor, Class, Cut, Direction, EventKind, Fault, FaultPlan, Injection, LabPair, Lasts, Link,
    Packet, PlanEvent, When,
};
use super::bounds;
use super::change::{self, CHANGE_KEYS, REJECT_KEYS};
use super::link::{link, links};
use super::section::{
    Section, Value, Wrong, describe, first, number, number16, number32, text, unexpected, word,
};

/// Reads a plan.
pub(super) fn read(text: &str) -> Result<FaultPlan, Wrong> {
    if text.len() > bounds::FILE_BYTES_MAX {
        let expected = format!("at most {}", bounds::FILE_BYTES_MAX);
        return Err(Wrong::new(0..0, "a file of too many bytes", expected));
    }
    let (root, mistakes) = DeTable::parse_recoverable(text);
    // The parser finds them in no order of their own.
    let place = |error: &&toml::de::Error| error.span().map_or(0, |span| span.start);
    match mistakes.iter().min_by_key(place) {
        Some(first) => Err(syntax(first)),
        None => plan(&Section::root(&root)),
    }
}

/// What the TOML parser refused.
fn syntax(error: &toml::de::Error) -> Wrong {
    let message = error.message().replace('\n', ", ");
    let (problem, expected) = message.split_once(", expected ").unwrap_or((&message, "what TOML allows"));
    Wrong::new(error.span().unwrap_or(0..0), format!("no TOML: {problem}"), expected)
}

fn plan(root: &Section<'_, '_>) -> Result<FaultPlan, Wrong> {
    let format = root.need("format", "`format = 1`, which says how the rest is to be read")?;
    number(format, 1..=1).map_err(|_| unexpected(format, "1, the format that this version reads"))?;
    root.only(&["format", "title", "scenario", "claim", "link", "links", "lab", "fault", "event"])?;
    first! {
        title = root.get("title").map(title).transpose(),
        scenario = root.get("scenario").map(scenario).transpose(),
        claim = root.get("claim").map(claim).transpose(),
        link = root.get("link").map_or(Ok(Link::default()), link),
        links = links(root),
        lab = root.get("lab").map(lab).transpose(),
        faults = faults(root),
        events = tables(root, "event", bounds::EVENTS_MAX).and_then(|list| list.map(event).collect()),
    }
    Ok(FaultPlan { title, scenario, claim, link, links, lab, faults, events })
}

fn title(value: &Value<'_>) -> Result<String, Wrong> {
    let expected = format!("text of up to {} characters", bounds::TITLE_CHARS_MAX);
    let title = text(value, &expected)?;
    let fits = title.chars().nth(bounds::TITLE_CHARS_MAX).is_none();
    if fits { Ok(title.to_owned()) } else { Err(unexpected(value, expected)) }
}

fn scenario(value: &Value<'_>) -> Result<String, Wrong> {
    let expected = format!("a scenario's name of 1 to {} characters", bounds::SCENARIO_CHARS_MAX);
    let name = text(value, &expected)?;
    let fits = name.chars().nth(bounds::SCENARIO_CHARS_MAX).is_none();
    if fits && !name.is_empty() && !name.contains(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(unexpected(value, expected))
    }
}

fn claim(value: &Value<'_>) -> Result<String, Wrong> {
    const EXPECTED: &str = "a claim's name, such as `\"udp/may-lose\"`";
    let name = text(value, EXPECTED)?;
    let is_slug = |part: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty() && part.chars().all(plain)
    };
    let is_name = name.split_once('/').is_some_and(|(family, slug)| is_slug(family) && is_slug(slug));
    if is_name && name.len() <= bounds::CLAIM_CHARS_MAX {
        Ok(name.to_owned())
    } else {
        Err(unexpected(value, EXPECTED))
    }
}

fn lab(value: &Value<'_>) -> Result<LabPair, Wrong> {
    let section = Section::new(value, "a table `[lab]` with the commands `server` and `client`")?;
    section.only(&["server", "client", "ipv6", "profile", "tun", "timeout_ms"])?;
    let command = |key| {
        let expected = format!("a command of 1 to {} characters", bounds::COMMAND_CHARS_MAX);
        let value = section.need(key, &expected)?;
        let command = text(value, &expected)?;
        let fits = !command.trim().is_empty() && command.chars().nth(bounds::COMMAND_CHARS_MAX).is_none();
        if fits { Ok(command.to_owned()) } else { Err(unexpected(value, expected)) }
    };
    let profile = |value| {
        const EXPECTED: &str = "the name of the kernel's settings, such as `\"fast\"`";
        let name = text(value, EXPECTED)?;
        if Direction::is_host_name(name) { Ok(name.to_owned()) } else { Err(unexpected(value, EXPECTED)) }
    };
    let truth = |value: &Value<'_>| match value.get_ref() {
        DeValue::Boolean(truth) => Ok(*truth),
        _ => Err(unexpected(value, "true or false")),
    };
    let timeout = section.get("timeout_ms").map(|value| number(value, bounds::TIMEOUT_MS)).transpose()?;
    Ok(LabPair {
        server: command("server")?,
        client: command("client")?,
        ipv6: section.get("ipv6").map(truth).transpose()?.unwrap_or(false),
        profile: section.get("profile").map(profile).transpose()?,
        tun: section.get("tun").map(tun).transpose()?.unwrap_or_default(),
        timeout: timeout.map(Duration::from_millis),
    })
}

/// The hosts of a lab whose command has a TUN device: one or both.
fn tun(value: &Value<'_>) -> Result<Vec<String>, Wrong> {
    const EXPECTED: &str = "a list of one or both of \"server\" and \"client\"";
    let list = value.get_ref().as_array().filter(|list| matches!(list.len(), 1 | 2));
    let list = list.ok_or_else(|| unexpected(value, EXPECTED))?;
    let mut hosts = Vec::new();
    for value in list.iter() {
        let host = word(value, &["server", "client"])?.to_owned();
        if hosts.contains(&host) {
            return Err(Wrong::new(value.span(), format!("\"{host}\" twice"), EXPECTED));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// The tables of a list `[[name]]`, none if it is not there.
pub(super) fn tables<'v, 'i>(
    root: &Section<'v, 'i>,
    name: &str,
    count_max: usize,
) -> Result<impl Iterator<Item = &'v Value<'i>>, Wrong> {
    let list = match root.get(name) {
        None => None,
        Some(value) => match value.get_ref() {
            DeValue::Array(list) if list.len() <= count_max => Some(list),
            DeValue::Array(_) => return Err(unexpected(value, format!("at most {count_max}"))),
            _ => {
                return Err(unexpected(value, format!("a list of tables, each headed `[[{name}]]`")));
            }
        },
    };
    Ok(list.into_iter().flat_map(|list| list.iter()))
}

fn faults(root: &Section<'_, '_>) -> Result<Vec<Fault>, Wrong> {
    let mut faults = Vec::new();
    let mut named = BTreeMap::new();
    for (index, value) in tables(root, "fault", bounds::FAULTS_MAX)?.enumerate() {
        let fault = fault(value)?;
        // The first transmission is the one that is meant where none is said.
        let packet = Packet { transmission: Some(fault.packet.transmission.unwrap_or(1)), ..fault.packet };
        if let Some(first) = named.insert((fault.direction.clone(), packet), index + 1) {
            let found = format!("a second fault for {} {}", fault.direction, fault.packet);
            let wrong = Wrong::new(value.span(), found, "one fault per packet copy");
            return Err(wrong.hint(format!("fault {first} of the plan names it already")));
        }
        faults.push(fault);
    }
    Ok(faults)
}

fn fault(value: &Value<'_>) -> Result<Fault, Wrong> {
    let section = Section::new(value, "a table headed `[[fault]]`")?;
    section.only(&["direction", "packet", "action"])?;
    const PACKET: &str = "a table such as `{ class = \"datagram\", nth = 1 }`";
    let packet = |section: &Section<'_, '_>| {
        let packet = Section::new(section.need("packet", PACKET)?, PACKET)?;
        packet.only(&["class", "nth", "flow", "transmission"])?;
        self::packet(&packet)
    };
    first! {
        direction = self::direction(&section),
        packet = packet(&section),
        action = section.need("action", ACTION).and_then(action),
    }
    Ok(Fault { direction, packet, action })
}

pub(super) fn direction(section: &Section<'_, '_>) -> Result<Direction, Wrong> {
    const EXPECTED: &str = "two hosts, such as `\"client->server\"`";
    let value = section.need("direction", EXPECTED)?;
    let found = text(value, EXPECTED)?;
    found.parse().map_err(|error: super::super::NotADirection| unexpected(value, EXPECTED).hint(error.why))
}

fn host(value: &Value<'_>) -> Result<String, Wrong> {
    const EXPECTED: &str = "a host's name, of `a`-`z`, `0`-`9` and `-`";
    let name = text(value, EXPECTED)?;
    if Direction::is_host_name(name) { Ok(name.to_owned()) } else { Err(unexpected(value, EXPECTED)) }
}

fn packet(section: &Section<'_, '_>) -> Result<Packet, Wrong> {
    let class =
        word(section.need("class", "what the packet is, such as `class = \"datagram\"`")?, &Class::ALL)?;
    let nth = section.need("nth", "which one of its class it is, such as `nth = 1`")?;
    let flow = section.get("flow");
    let transmission = section.get("transmission");
    if let Some(value) = transmission
        && class != Class::Data
    {
        let found = format!("a transmission of class \"{class}\"");
        let wrong = Wrong::new(value.span(), found, "`transmission` with class \"data\" only");
        return Err(wrong.hint("nothing else is known to be a repeat: name it by `nth`"));
    }
    if let Some(value) = flow
        && class == Class::Icmp
    {
        return Err(Wrong::new(
            value.span(),
            "a flow of class \"icmp\"",
            "no `flow`: ICMP messages have none",
        ));
    }
    Ok(Packet {
        class,
        nth: number32(nth, bounds::NTH)?,
        flow: flow.map(|flow| number32(flow, bounds::FLOW)).transpose()?,
        transmission: transmission.map(|k| number32(k, bounds::TRANSMISSION)).transpose()?,
    })
}

/// What an action may be.
const ACTION: &str = "\"drop\", \"duplicate\", or one of `{ delay_us = … }`, `{ hold_for = … }`, \
                      `{ corrupt_bit = … }`, `{ corrupt_bits = […] }`, `{ set = { … } }` and \
                      `{ reject = \"…\" }`";

fn action(value: &Value<'_>) -> Result<Action, Wrong> {
    const OTHERS: [&str; 2] = ["delay_us", "hold_for"];
    let keys = || OTHERS.into_iter().chain(CHANGE_KEYS).chain(REJECT_KEYS);
    match value.get_ref() {
        DeValue::String(word) => match word.as_ref() {
            "drop" => Ok(Action::Drop),
            "duplicate" => Ok(Action::Duplicate),
            other => {
                let words = ["drop", "duplicate"].into_iter().chain(keys());
                Err(unexpected(value, ACTION).did_you_mean(other, words))
            }
        },
        DeValue::Table(_) => {
            let section = Section::new(value, ACTION)?;
            section.only(&keys().collect::<Vec<_>>())?;
            let of = |keys: &[&'static str]| {
                keys.iter().copied().filter(|key| section.get(key).is_some()).collect::<Vec<_>>()
            };
            let (other, change, reject) = (of(&OTHERS), of(&CHANGE_KEYS), of(&REJECT_KEYS));
            match (&other[..], &change[..], &reject[..]) {
                ([], [], []) => Err(unexpected(value, ACTION)),
                (["delay_us"], [], []) => {
                    number(section.need("delay_us", ACTION)?, bounds::DELAY_US).map(Action::DelayUs)
                }
                (["hold_for"], [], []) => {
                    number32(section.need("hold_for", ACTION)?, bounds::HOLD_FOR).map(Action::HoldFor)
                }
                ([], ["corrupt_bit"] | ["corrupt_bits"], []) => {
                    change::change(&section).map(|change| Action::CorruptBits(change.bits))
                }
                ([], _, []) => change::change(&section).map(Action::Change),
                ([], [], _) => change::rejection(&section).map(Action::Reject),
                _ => {
                    let found = [other, change, reject].concat();
                    let found: Vec<String> = found.iter().map(|key| format!("`{key}`")).collect();
                    Err(Wrong::new(value.span(), found.join(" together with "), "one action"))
                }
            }
        }
        _ => Err(unexpected(value, ACTION)),
    }
}

pub(super) fn bits(value: &Value<'_>) -> Result<Vec<u32>, Wrong> {
    let expected = format!("a list of {} to {} bits", bounds::BITS.start(), bounds::BITS.end());
    let list = value.get_ref().as_array().ok_or_else(|| unexpected(value, &*expected))?;
    if !bounds::BITS.contains(&list.len()) {
        let wrong = unexpected(value, expected);
        let one = list.len() == 1;
        return Err(if one { wrong.hint("a single one is `corrupt_bit`") } else { wrong });
    }
    let mut bits = Vec::with_capacity(list.len());
    for value in list.iter() {
        let bit = number32(value, bounds::BIT)?;
        if bits.contains(&bit) {
            let found = format!("bit {} twice", describe(value.get_ref()));
            return Err(Wrong::new(value.span(), found, "bits that differ from each other"));
        }
        bits.push(bit);
    }
    Ok(bits)
}

fn event(value: &Value<'_>) -> Result<PlanEvent, Wrong> {
    const WHEN: [&str; 3] = ["after", "before", "at_us"];
    const CUT: [&str; 4] = ["hosts", "direction", "flow", "longer_than"];
    let section = Section::new(value, "a table headed `[[event]]`")?;
    let kind = section.need("kind", "what happens, such as `kind = \"partition\"`")?;
    let kinds = ["partition", "outage", "heal", "crash", "kill", "restart", "inject"];
    let only = |keys: &[&[&'static str]]| section.only(&[&["kind"][..], &keys.concat(), &WHEN].concat());
    let host = || {
        only(&[&["host"]])?;
        host(section.need("host", "whom it happens to, such as `host = \"server\"`")?)
    };
    let kind = match word(kind, &kinds)? {
        "crash" => host().map(EventKind::Crash),
        "kill" => host().map(EventKind::Kill),
        "restart" => host().map(EventKind::Restart),
        "inject" => {
            only(&[&["direction", "bytes", "like"], &CHANGE_KEYS, &REJECT_KEYS])?;
            injection(&section).map(EventKind::Inject)
        }
        "outage" => {
            only(&[&CUT, &["for_us", "retransmissions"]])?;
            outage(&section)
        }
        kind => {
            only(&[&CUT])?;
            let of = if kind == "heal" { EventKind::Heal } else { EventKind::Partition };
            cut(&section).map(of)
        }
    };
    first! {
        kind = kind,
        when = when(&section),
    }
    Ok(PlanEvent { kind, when })
}

fn outage(section: &Section<'_, '_>) -> Result<EventKind, Wrong> {
    first! {
        cut = cut(section),
        lasts = lasts(section),
    }
    Ok(EventKind::Outage { cut, lasts })
}

/// What is cut or mended.
fn cut(section: &Section<'_, '_>) -> Result<Cut<String>, Wrong> {
    let cut = match (section.get("hosts"), section.get("direction")) {
        (Some(hosts), None) => Cut::between(two_hosts(hosts)?),
        (None, Some(_)) => {
            let Direction { from, to } = direction(section)?;
            Cut::one_way([from, to])
        }
        (Some(_), Some(second)) => {
            let found = "both `hosts` and `direction`";
            return Err(Wrong::new(second.span(), found, "one of them: a link, or one way over it"));
        }
        (None, None) => Cut::ALL,
    };
    let longer_than = section.get("longer_than").map(|bytes| number16(bytes, bounds::LONGER_THAN));
    let flow = section.get("flow").map(|flow| number32(flow, bounds::FLOW));
    Ok(Cut { flow: flow.transpose()?, longer_than: longer_than.transpose()?, ..cut })
}

fn lasts(section: &Section<'_, '_>) -> Result<Lasts, Wrong> {
    match (section.get("for_us"), section.get("retransmissions")) {
        (Some(us), None) => number(us, bounds::FOR_US).map(Lasts::Us),
        (None, Some(count)) => number32(count, bounds::RETRANSMISSIONS).map(Lasts::Retransmissions),
        (Some(_), Some(second)) => {
            let found = "both `for_us` and `retransmissions`";
            Err(Wrong::new(second.span(), found, "one of them: how long it lasts"))
        }
        (None, None) => {
            let wrong =
                section.missing("`for_us` and no `retransmissions`", "one of them: how long it lasts");
            Err(wrong.hint("what never ends by itself is `kind = \"partition\"`"))
        }
    }
}

pub(super) fn two_hosts(value: &Value<'_>) -> Result<[String; 2], Wrong> {
    const EXPECTED: &str = "a list of two hosts, such as `[\"client\", \"server\"]`";
    let list = value.get_ref().as_array().ok_or_else(|| unexpected(value, EXPECTED))?;
    let mut hosts = list.iter();
    let (Some(a), Some(b), None) = (hosts.next(), hosts.next(), hosts.next()) else {
        return Err(unexpected(value, EXPECTED));
    };
    let hosts = [host(a)?, host(b)?];
    if hosts[0] == hosts[1] {
        return Err(Wrong::new(b.span(), format!("{} twice", describe(b.get_ref())), EXPECTED));
    }
    Ok(hosts)
}

fn injection(section: &Section<'_, '_>) -> Result<Injection, Wrong> {
    const LIKE: &str = "a table such as `{ direction = \"client->server\", class = \"data\", nth = 1 }`";
    let with = |keys: &[&'static str]| keys.iter().find_map(|key| section.get(key).map(|it| (*key, it)));
    let Some(like) = section.get("like") else {
        if let Some((key, value)) = with(&CHANGE_KEYS).or(with(&REJECT_KEYS)) {
            let wrong = Wrong::new(value.span(), format!("`{key}` and no `like`"), LIKE);
            return Err(wrong.hint("`like` names the packet that it is made from"));
        }
        return Ok(Injection::Bytes { direction: direction(section)?, packet: injected(section)? });
    };
    if let Some((key, value)) = with(&["direction", "bytes"]) {
        let found = format!("`{key}` together with `like`");
        return Err(Wrong::new(value.span(), found, "the way and the bytes of that packet"));
    }
    let like = Section::new(like, LIKE)?;
    like.only(&["direction", "class", "nth", "flow", "transmission"])?;
    let (direction, packet) = (direction(&like)?, packet(&like)?);
    match (with(&REJECT_KEYS), with(&CHANGE_KEYS)) {
        (None, _) => Ok(Injection::Like { direction, packet, change: change::change(section)? }),
        (Some(_), None) => {
            Ok(Injection::Reject { direction, packet, rejection: change::rejection(section)? })
        }
        (Some(_), Some((key, value))) => {
            let found = format!("`{key}` together with `reject`");
            Err(Wrong::new(value.span(), found, "a changed copy of a packet, or what its sender is told"))
        }
    }
}

fn injected(section: &Section<'_, '_>) -> Result<Bytes, Wrong> {
    const EXPECTED: &str = "a whole IP packet in hexadecimal, such as `\"4500001c…\"`";
    let value =
        section.need("bytes", EXPECTED).map_err(|wrong| wrong.hint("or `like`: a packet of the run"))?;
    let packet = change::hex(value, bounds::PACKET_BYTES_MAX)?;
    // No link takes anything else; beyond its fixed header a packet may be as wrong as one likes.
    let header = match packet.first().map(|byte| byte >> 4) {
        Some(4) => 20,
        Some(6) => 40,
        _ => {
            let found = if packet.is_empty() { "no bytes" } else { "bytes of neither IPv4 nor IPv6" };
            let expected = "a packet that begins with 4 or 6, the version of IP";
            return Err(Wrong::new(value.span(), found, expected));
        }
    };
    if packet.len() < header {
        let found = format!("a packet of {} bytes", packet.len());
        let expected = format!("{header} (its header) to {} bytes", bounds::PACKET_BYTES_MAX);
        return Err(Wrong::new(value.span(), found, expected));
    }
    Ok(packet)
}

fn when(section: &Section<'_, '_>) -> Result<When, Wrong> {
    const AFTER: &str = "a table such as `{ direction = \"client->server\", class = \"datagram\", nth = 1 }`";
    const ONE: &str = "one of `after`, `before` and `at_us`: when it happens";
    let given: Vec<_> = ["after", "before", "at_us"]
        .into_iter()
        .filter_map(|key| section.get(key).map(|value| (key, value)))
        .collect();
    match given[..] {
        [("at_us", value)] => number(value, bounds::AT_US).map(When::AtUs),
        [(key, value)] => {
            let anchor = Section::new(value, AFTER)?;
            let packet_keys = ["direction", "class", "nth", "flow", "transmission"];
            let wait = (key == "after").then_some("wait_us");
            anchor.only(&packet_keys.into_iter().chain(wait).collect::<Vec<_>>())?;
            let wait = anchor.get("wait_us").map(|wait| number(wait, bounds::WAIT_US)).transpose()?;
            let anchor = Anchor::new(direction(&anchor)?, packet(&anchor)?).later(wait.unwrap_or(0));
            Ok(if key == "after" { When::After(anchor) } else { When::Before(anchor) })
        }
        [(first, _), (second, value), ..] => {
            Err(Wrong::new(value.span(), format!("both `{first}` and `{second}`"), ONE))
        }
        [] => Err(section.missing("`after`, `before` or `at_us`", ONE)),
    }
}
