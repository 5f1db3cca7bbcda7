//! The JSON Schema of the plan file, for editors: made from the words and bounds that the reader has.
//!
//! It knows each key, where it may stand and what its value is. That two keys exclude each other, or that two
//! faults name one packet, it leaves to the reader.

use std::ops::RangeInclusive;

use faultwire::fault::{Class, Field, Profile, Rejection, bounds};
use serde_json::{Map, Value, json};

/// The schema, as of draft 2020-12.
pub(super) fn schema() -> Value {
    let mut schema = table(
        "A fault plan: which packets meet which faults, and what else happens.",
        &["format"],
        [
            ("format", json!({ "const": 1 })),
            ("title", text("What the plan does, in a sentence.", bounds::TITLE_CHARS_MAX)),
            ("scenario", text("What to run; `faultwire scenarios` lists them.", bounds::SCENARIO_CHARS_MAX)),
            (
                "claim",
                json!({
                    "description": "What `replay` looks for in the run, such as `udp/may-lose`.",
                    "type": "string",
                    "pattern": "^[a-z0-9-]+/[a-z0-9-]+$",
                    "maxLength": bounds::CLAIM_CHARS_MAX,
                }),
            ),
            ("link", link()),
            ("links", list(pair_link(), bounds::LINKS_MAX)),
            ("lab", lab()),
            ("fault", list(fault(), bounds::FAULTS_MAX)),
            ("event", list(event(), bounds::EVENTS_MAX)),
        ],
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("faultwire plan");
    schema
}

/// A table with these keys and no others.
fn table<const N: usize>(about: &str, required: &[&str], keys: [(&str, Value); N]) -> Value {
    let keys: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({
        "description": about,
        "type": "object",
        "properties": keys,
        "required": required,
        "additionalProperties": false,
    })
}

fn list(of: Value, max: usize) -> Value {
    json!({ "type": "array", "items": of, "maxItems": max })
}

fn text(about: &str, max: usize) -> Value {
    json!({ "description": about, "type": "string", "maxLength": max })
}

fn number(about: &str, bounds: RangeInclusive<u64>) -> Value {
    json!({ "description": about, "type": "integer", "minimum": bounds.start(), "maximum": bounds.end() })
}

fn word<'w>(about: &str, words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({ "description": about, "enum": words.into_iter().collect::<Vec<_>>() })
}

fn host() -> Value {
    json!({
        "description": "A host's name.",
        "type": "string",
        "pattern": "^[a-z0-9-]+$",
        "maxLength": bounds::HOST_CHARS_MAX,
    })
}

fn direction() -> Value {
    json!({
        "description": "One way between two hosts, such as `client->server`.",
        "type": "string",
        "pattern": "^[a-z0-9-]+->[a-z0-9-]+$",
    })
}

/// The keys of a link, whichever hosts it is between.
fn link_keys() -> [(&'static str, Value); 5] {
    [
        ("profile", word("A named kind of link.", Profile::ALL.map(Profile::name))),
        ("delay_us", number("One-way delay in microseconds.", bounds::LINK_DELAY_US)),
        ("delay_us_max", number("The longest, where it varies.", bounds::LINK_DELAY_US)),
        ("mtu", number("The largest IP packet in bytes.", bounds::MTU)),
        ("rate_kbps", number("Kilobits per second; unlimited without it.", bounds::RATE_KBPS)),
    ]
}

fn link() -> Value {
    let about = "The links between the hosts: a profile, or `delay_us` and `mtu`.";
    let mut link = table(about, &[], link_keys());
    link["properties"]["host_mtu"] = number("The hosts' own MTU, where it is another.", bounds::MTU);
    link
}

fn pair_link() -> Value {
    let about = "A link between two hosts that differs from `[link]`, or from a profile.";
    let mut link = table(about, &[], link_keys());
    link["properties"]["between"] = two_hosts("The two hosts.");
    link["properties"]["direction"] = direction();
    link
}

fn two_hosts(about: &str) -> Value {
    json!({ "description": about, "type": "array", "items": host(), "minItems": 2, "maxItems": 2 })
}

fn lab() -> Value {
    let command = |whose| text(whose, bounds::COMMAND_CHARS_MAX);
    let tun = json!({
        "description": "The hosts whose command is a network stack that has a TUN device.",
        "type": "array",
        "items": word("A host.", ["server", "client"]),
        "minItems": 1,
        "maxItems": 2,
        "uniqueItems": true,
    });
    table(
        "The commands that `faultwire lab --plan` runs.",
        &["server", "client"],
        [
            ("server", command("The server's command, for the shell.")),
            ("client", command("The client's command; `{server}` stands for the server's address.")),
            ("ipv6", json!({ "description": "The addresses are of IPv6.", "type": "boolean" })),
            ("profile", json!({ "description": "The kernel's settings.", "type": "string" })),
            ("tun", tun),
            ("timeout_ms", number("How long the client may take.", bounds::TIMEOUT_MS)),
        ],
    )
}

/// The keys that name a packet.
fn packet_keys() -> [(&'static str, Value); 4] {
    [
        ("class", word("What the packet is.", Class::ALL.map(Class::name))),
        ("nth", number("Which one of its class in its direction, from 1.", bounds::NTH)),
        ("flow", number("Only the nth flow, from 1.", bounds::FLOW)),
        ("transmission", number("Of class data: which transmission.", bounds::TRANSMISSION)),
    ]
}

/// A packet in a direction.
fn anchor<const N: usize>(about: &str, more: [(&str, Value); N]) -> Value {
    let mut anchor = table(about, &["direction", "class", "nth"], [("direction", direction())]);
    for (key, value) in packet_keys().into_iter().chain(more) {
        anchor["properties"][key] = value;
    }
    anchor
}

fn fault() -> Value {
    table(
        "A packet and what happens to it.",
        &["direction", "packet", "action"],
        [
            ("direction", direction()),
            ("packet", table("Which packet.", &["class", "nth"], packet_keys())),
            ("action", action()),
        ],
    )
}

fn action() -> Value {
    let [delay_us, hold_for] = [
        number("It arrives later, in microseconds.", bounds::DELAY_US),
        number("How many later packets overtake it.", bounds::HOLD_FOR),
    ];
    let words = word("It never arrives, or it arrives twice.", ["drop", "duplicate"]);
    json!({
        "description": "What happens to the packet.",
        "anyOf": [
            words,
            table("It arrives later.", &["delay_us"], [("delay_us", delay_us)]),
            table("Others overtake it.", &["hold_for"], [("hold_for", hold_for)]),
            table("It is changed.", &[], change_keys()),
            table("The network refuses it.", &["reject"], reject_keys()),
        ],
    })
}

fn change_keys() -> [(&'static str, Value); 4] {
    let bit = || number("A bit, from the first of the IP header on.", bounds::BIT);
    let value = json!({ "type": ["integer", "string"] });
    let fields: Map<String, Value> =
        Field::ALL.into_iter().map(|field| (field.name().to_owned(), value.clone())).collect();
    let set = json!({
        "description": "Header fields and what they become: a number, `+1` to add, or text.",
        "type": "object",
        "properties": fields,
        "minProperties": 1,
        "additionalProperties": false,
    });
    let bits = json!({
        "description": "These bits flip.",
        "type": "array",
        "items": bit(),
        "minItems": bounds::BITS.start(),
        "maxItems": bounds::BITS.end(),
        "uniqueItems": true,
    });
    [
        ("set", set),
        ("corrupt_bit", bit()),
        ("corrupt_bits", bits),
        ("checksums", word("Whether they fit afterwards.", ["mend", "keep"])),
    ]
}

fn reject_keys() -> [(&'static str, Value); 2] {
    [
        ("reject", word("What its sender is told.", Rejection::ALL.map(Rejection::name))),
        ("mtu", number("Of `too-big`: the next link's MTU.", bounds::MTU)),
    ]
}

/// The events, each kind with its keys.
fn event() -> Value {
    let cut = || {
        vec![
            ("hosts", two_hosts("The link between two hosts; all links without it.")),
            ("direction", direction()),
            ("flow", number("Packets of this flow alone.", bounds::FLOW)),
            ("longer_than", number("IP packets of more bytes alone.", bounds::LONGER_THAN)),
        ]
    };
    let lasts = vec![
        ("for_us", number("How long it lasts, in microseconds.", bounds::FOR_US)),
        ("retransmissions", number("How many are lost in it.", bounds::RETRANSMISSIONS)),
    ];
    let bytes = json!({
        "description": "A whole IP packet in hexadecimal.",
        "type": "string",
        "pattern": "^([0-9a-fA-F]{2})*$",
        "maxLength": 2 * bounds::PACKET_BYTES_MAX,
    });
    let mut inject = vec![("direction", direction()), ("bytes", bytes)];
    inject.push(("like", anchor("The packet of the run that it is made from.", [])));
    inject.extend(change_keys());
    inject.extend(reject_keys());
    let of_host = || vec![("host", host())];
    let kinds = [
        ("partition", "Nothing more goes onto these links.", cut()),
        ("heal", "The end of a partition.", cut()),
        ("outage", "A partition that ends by itself.", [cut(), lasts].concat()),
        ("crash", "The host loses power.", of_host()),
        ("kill", "The host's programs end, and it lives.", of_host()),
        ("restart", "The host starts again.", of_host()),
        ("inject", "A packet that no host sent appears on the link.", inject),
    ];
    let kinds = kinds.into_iter().map(|(kind, about, keys)| {
        let wait = ("wait_us", number("How much later, in microseconds.", bounds::WAIT_US));
        let mut table = table(
            about,
            &["kind"],
            [
                ("kind", json!({ "const": kind })),
                ("after", anchor("Right after this packet.", [wait])),
                ("before", anchor("Right before this packet.", [])),
                ("at_us", number("At this time, in simulation only.", bounds::AT_US)),
            ],
        );
        for (key, value) in keys {
            table["properties"][key] = value;
        }
        table
    });
    json!({ "description": "What happens to a link or host.", "anyOf": kinds.collect::<Vec<_>>() })
}
