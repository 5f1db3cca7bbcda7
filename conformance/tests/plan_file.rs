//! Wrong plan files, each with what is said of it.

use faultwire::fault::FaultPlan;

/// What is said of each of these files, by topic.
fn refused(files: &[(&str, &str)]) -> String {
    let mut said = Vec::new();
    for (what, text) in files {
        match FaultPlan::parse(text, "plan.toml") {
            Ok(_) => said.push(format!("{what}\n  ACCEPTED")),
            Err(error) => said.push(format!("{what}\n  {error}")),
        }
    }
    let accepted = said.iter().filter(|line| line.ends_with("ACCEPTED")).count();
    assert_eq!(accepted, 0, "{}", said.join("\n"));
    said.join("\n")
}

/// Whatever is wrong further down, and in whatever order the parser finds it.
#[test]
fn the_first_mistake_is_told() {
    for text in [
        "format = 1\ntitle = \"\nscenario = [\n[[fault]\n",
        "format = 1\ntitle = ?\nscenario = ?\n",
        "format = 1\ntitle = 'a' 'b'\n[link\nprofile = \"lan\"\n",
    ] {
        let error = FaultPlan::parse(text, "plan.toml").expect_err(text).to_string();
        assert!(error.starts_with("plan.toml:2:"), "{text}{error}");
    }
    // What is TOML and no plan, two mistakes in each.
    let fault = |lines: [&str; 3]| format!("format = 1\n[[fault]]\n{}\n", lines.join("\n"));
    let (direction, packet, action) =
        ("direction = \"a\"", "packet = { class = \"data\", nth = 0 }", "action = \"drp\"");
    for (text, line) in [
        ("format = 1\ntitle = 7\nclaim = 7\n".to_owned(), 2),
        ("format = 1\nclaim = 7\ntitle = 7\n".to_owned(), 2),
        ("format = 1\n[link]\nprofile = 1\n[lab]\nserver = 1\n".to_owned(), 3),
        ("format = 1\n[lab]\nserver = 1\n[link]\nprofile = 1\n".to_owned(), 3),
        ("format = 1\n[[event]]\nkind = 1\n[[fault]]\naction = 1\n".to_owned(), 3),
        (fault([direction, packet, action]), 3),
        (fault([action, direction, packet]), 3),
        (fault([packet, action, direction]), 3),
        ("format = 1\n[[event]]\nat_us = -1\nkind = \"crash\"\nhost = \"A\"\n".to_owned(), 3),
        ("format = 1\n[[event]]\nkind = \"outage\"\nfor_us = 0\nflow = 0\nat_us = 1\n".to_owned(), 4),
    ] {
        let error = FaultPlan::parse(&text, "plan.toml").expect_err(&text).to_string();
        assert!(error.starts_with(&format!("plan.toml:{line}:")), "{text}{error}");
    }
}

/// A plan with one fault on a datagram; `line` replaces the line that begins with the same key.
fn with(line: &str) -> String {
    let lines = [
        "[[fault]]",
        "direction = \"client->server\"",
        "packet = { class = \"datagram\", nth = 1 }",
        "action = \"drop\"",
    ];
    replaced(&lines, line)
}

/// A plan with one event; `line` replaces the line that begins with the same key, or is added.
fn event(kind: &str, line: &str) -> String {
    let kind = format!("kind = \"{kind}\"");
    let mut lines = vec!["[[event]]", &kind];
    match kind.as_str() {
        "kind = \"inject\"" => lines.extend([
            "direction = \"client->server\"",
            "bytes = \"4500001400000000401100000a0000010a000002\"",
        ]),
        "kind = \"crash\"" | "kind = \"kill\"" | "kind = \"restart\"" => lines.push("host = \"server\""),
        _ => lines.push("hosts = [\"client\", \"server\"]"),
    }
    lines.push("at_us = 5");
    replaced(&lines, line)
}

fn key(line: &str) -> &str {
    line.split_once('=').map_or(line, |(key, _)| key.trim())
}

/// The lines behind `format = 1`; a `line` without a value takes that key away.
fn replaced(lines: &[&str], line: &str) -> String {
    let mut lines: Vec<&str> = lines.to_vec();
    lines.insert(0, "format = 1");
    match lines.iter().position(|other| key(other) == key(line)) {
        Some(place) if line.contains('=') => lines[place] = line,
        Some(place) => drop(lines.remove(place)),
        None => lines.push(line),
    }
    assert!(FaultPlan::parse("format = 1", "-").is_ok());
    lines.join("\n")
}

/// Names each file by the line that makes it wrong.
fn each(make: impl Fn(&str) -> String, wrong: &[&str]) -> String {
    let files: Vec<(&str, String)> = wrong.iter().map(|line| (*line, make(line))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(line, text)| (*line, text.as_str())).collect();
    refused(&files)
}

#[test]
fn what_the_cases_are_made_of_is_right() {
    for right in ["action = \"drop\"", "action = { delay_us = 1 }", "action = { corrupt_bits = [0, 524279] }"]
    {
        FaultPlan::parse(&with(right), "right.toml").unwrap();
    }
    for kind in ["partition", "heal", "crash", "kill", "restart", "inject"] {
        FaultPlan::parse(&event(kind, "at_us = 7"), "right.toml").unwrap();
    }
}

#[test]
fn what_is_no_toml_or_another_format() {
    let said = refused(&[
        ("nothing at all", ""),
        ("something else", "hello, world\n"),
        ("an open quotation", "format = 1\ntitle = \"the first\n"),
        ("a value too few", "format =\n"),
        ("a key twice", "format = 1\ntitle = \"a\"\ntitle = \"b\"\n"),
        ("a bracket too few", "format = 1\n[[fault]\n"),
        ("no format", "title = \"the first datagram is lost\"\n"),
        ("a later format", "format = 2\n"),
        ("a format in words", "format = \"one\"\n"),
        ("format in a section", "[link]\nformat = 1\n"),
        ("deep brackets", &format!("format = 1\ntitle = {}", "[".repeat(10_000))),
    ]);
    insta::assert_snapshot!(said);
}

const LAB: &str = "format = 1\n[lab]\nserver = \"a\"\nclient = \"b\"\n";

#[test]
fn what_no_plan_says() {
    let said = refused(&[
        ("a key with a slip", "format = 1\ntitel = \"a\"\n"),
        ("a key of nowhere", "format = 1\nseed = 7\n"),
        ("a title that is a number", "format = 1\ntitle = 7\n"),
        ("a title that is a book", &format!("format = 1\ntitle = \"{}\"\n", "a".repeat(1_001))),
        ("a scenario without a name", "format = 1\nscenario = \"\"\n"),
        ("a scenario of two lines", "format = 1\nscenario = \"a\\nb\"\n"),
        ("a claim of no family", "format = 1\nclaim = \"may-lose\"\n"),
        ("a claim in large letters", "format = 1\nclaim = \"UDP/may-lose\"\n"),
        ("a claim with two families", "format = 1\nclaim = \"udp/may/lose\"\n"),
        ("a claim that is a book", &format!("format = 1\nclaim = \"udp/{}\"\n", "a".repeat(97))),
        ("a lab that is a command", "format = 1\nlab = \"python3 server.py\"\n"),
        ("a lab without a client", "format = 1\n[lab]\nserver = \"a\"\n"),
        ("a lab with an empty command", "format = 1\n[lab]\nserver = \" \"\nclient = \"b\"\n"),
        ("a lab with a key with a slip", "format = 1\n[lab]\nsever = \"a\"\nclient = \"b\"\n"),
        ("a lab forever", "format = 1\n[lab]\nserver = \"a\"\nclient = \"b\"\ntimeout_ms = 0\n"),
        ("a lab with half of IPv6", "format = 1\n[lab]\nserver = \"a\"\nclient = \"b\"\nipv6 = 6\n"),
        ("a lab with a TUN device for a router", &format!("{LAB}tun = [\"router\"]\n")),
        ("a lab with two TUN devices for the server", &format!("{LAB}tun = [\"server\", \"server\"]\n")),
        ("a lab with a TUN device for no host", &format!("{LAB}tun = []\n")),
        ("one fault, no list", "format = 1\n[fault]\naction = \"drop\"\n"),
        ("faults that are none", "format = 1\nfault = [1, 2]\n"),
        ("too many faults", &format!("format = 1\nfault = [{}]\n", "{},".repeat(10_001))),
        ("too many events", &format!("format = 1\nevent = [{}]\n", "{},".repeat(1_001))),
        ("a file too large", &format!("format = 1 #{}", " ".repeat(16 * 1024 * 1024))),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn links_that_are_none() {
    let link = |lines: &str| format!("format = 1\n[link]\n{lines}");
    let said = each(
        link,
        &[
            "# empty",
            "profile = \"lann\"",
            "profile = \"moon\"",
            "profile = 1",
            "profile = \"lan\"\nmtu = 1500",
            "delay_us = 5",
            "mtu = 1500",
            "delay_us = -1\nmtu = 1500",
            "delay_us = 600_000_001\nmtu = 1500",
            "delay_us = 1.5\nmtu = 1500",
            "delay_us = 5\ndelay_us_max = 4\nmtu = 1500",
            "delay_us = 5\ndelay_us_max = 600_000_001\nmtu = 1500",
            "delay_us_max = 5\nmtu = 1500",
            "profile = \"lan\"\ndelay_us_max = 5_000",
            "delay_us = 5\nmtu = 67",
            "delay_us = 5\nmtu = 65_536",
            "delay_us = 5\nmtu = 1500\nrate_kbps = 0",
            "delay_us = 5\nmtu = 1500\nrate = 100",
            "delay_us = 5\nmtu = 1500\nhost_mtu = 10",
            "profile = \"lan\"\nhost_mtu = 1500",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn links_between_two_hosts_that_are_none() {
    let said = each(
        |lines| format!("format = 1\n[[links]]\nbetween = [\"a\", \"b\"]\nmtu = 600\n[[links]]\n{lines}\n"),
        &[
            "# empty",
            "between = [\"a\", \"c\"]",
            "mtu = 1500",
            "between = [\"a\", \"a\"]\nmtu = 1500",
            "between = \"a->c\"\nmtu = 1500",
            "between = [\"a\", \"C\"]\nmtu = 1500",
            "between = [\"a\", \"c\"]\ndirection = \"a->c\"\nmtu = 1500",
            "between = [\"b\", \"a\"]\nmtu = 1500",
            "direction = \"b->a\"\nmtu = 1500",
            "direction = \"a->c\"\nhost_mtu = 1500",
            "direction = \"a->c\"\nmtu = 67",
            "direction = \"a->c\"\nprofile = \"lann\"",
            "direction = \"a->c\"\ndelay_us = 600_000_001",
            "direction = \"a->c\"\ndelay_us_max = 5_000",
            "direction = \"a->c\"\ndelay_us = 5\ndelay_us_max = 4",
            "direction = \"a->c\"\ndelay = 5",
            "from = \"a\"\nto = \"c\"\nmtu = 1500",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn packets_that_are_none() {
    let said = each(
        with,
        &[
            "direction",
            "direction = \"server\"",
            "direction = \"Client->server\"",
            "direction = \"client -> server\"",
            "direction = \"server->server\"",
            "direction = [\"client\", \"server\"]",
            "packet",
            "packet = \"datagram 1\"",
            "packet = { nth = 1 }",
            "packet = { class = \"datagram\" }",
            "packet = { class = \"datagramm\", nth = 1 }",
            "packet = { class = \"Syn\", nth = 1 }",
            "packet = { class = 17, nth = 1 }",
            "packet = { class = \"datagram\", nth = 0 }",
            "packet = { class = \"datagram\", nth = 1_000_001 }",
            "packet = { class = \"datagram\", nth = 1, transmission = 2 }",
            "packet = { class = \"data\", nth = 1, transmission = 0 }",
            "packet = { class = \"data\", nth = 1, flow = 0 }",
            "packet = { class = \"icmp\", nth = 1, flow = 1 }",
            "packet = { class = \"data\", nth = 1, flows = 1 }",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn actions_that_are_none() {
    let said = each(
        with,
        &[
            "action",
            "action = \"drp\"",
            "action = \"delay\"",
            "action = 5",
            "action = {}",
            "action = { delay = 5 }",
            "action = { delay_us = 0 }",
            "action = { delay_us = 600_000_001 }",
            "action = { delay_us = 99999999999999999999999999999999999999999999 }",
            "action = { hold_for = 1_001 }",
            "action = { hold_for = \"one\" }",
            "action = { hold_for = 1, delay_us = 5 }",
            "action = { corrupt_bit = 524280 }",
            "action = { corrupt_bit = [1, 2] }",
            "action = { corrupt_bits = 1 }",
            "action = { corrupt_bits = [1] }",
            "action = { corrupt_bits = [1, 2, 3, 4, 5, 6, 7, 8, 9] }",
            "action = { corrupt_bits = [1, 2, 1] }",
            "action = { corrupt_bits = [1, \"2\"] }",
            "drop = true",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn changes_and_rejections_that_are_none() {
    let said = each(
        with,
        &[
            "action = { set = {} }",
            "action = { set = \"ttl\" }",
            "action = { set = { tl = 1 } }",
            "action = { set = { ttl = 256 } }",
            "action = { set = { ttl = \"1\" } }",
            "action = { set = { ttl = \"+0\" } }",
            "action = { set = { seq = \"+4294967296\" } }",
            "action = { set = { flags = \"SS\" } }",
            "action = { set = { flags = \"X\" } }",
            "action = { set = { src = \"10.0.0\" } }",
            "action = { set = { payload = \"0g\" } }",
            "action = { set = { payload = \"123\" } }",
            &format!("action = {{ set = {{ options = \"{}\" }} }}", "01".repeat(41)),
            "action = { checksums = \"mend\" }",
            "action = { set = { ttl = 1 }, checksums = \"fix\" }",
            "action = { set = { ttl = 1 }, hold_for = 1 }",
            "action = { corrupt_bit = 1, corrupt_bits = [1, 2] }",
            "action = { reject = \"reset\" }",
            "action = { reject = \"too-big\" }",
            "action = { reject = \"tcp-reset\", mtu = 1200 }",
            "action = { reject = \"too-big\", mtu = 60 }",
            "action = { mtu = 1200 }",
            "action = { reject = \"tcp-reset\", set = { ttl = 1 } }",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn packets_made_from_others_that_are_none() {
    let like = "like = { direction = \"a->b\", class = \"data\", nth = 1 }";
    let made = |line: &str| {
        let event = ["[[event]]", "kind = \"inject\"", like, "at_us = 5"];
        replaced(&event, line)
    };
    FaultPlan::parse(&made("set = { ttl = 1 }"), "-").unwrap();
    FaultPlan::parse(&made("reject = \"host-unreachable\""), "-").unwrap();
    let said = each(
        made,
        &[
            "like = { class = \"data\", nth = 1 }",
            "like = { direction = \"a->b\", class = \"data\", nth = 1, wait_us = 5 }",
            "like = \"data 1\"",
            "direction = \"a->b\"",
            "bytes = \"45\"",
            "checksums = \"keep\"",
            "reject = \"tcp-reset\"\nset = { ttl = 1 }",
            "mtu = 1200",
        ],
    );
    let bytes = each(|line| event("inject", line), &["set = { ttl = 1 }", "reject = \"tcp-reset\""]);
    insta::assert_snapshot!(format!("{said}\n{bytes}"));
}

#[test]
fn a_packet_has_one_fault() {
    let second = |packet: &str| {
        let fault = with(packet).replacen("format = 1\n", "", 1);
        format!("{}\n{fault}", with("packet = { class = \"data\", nth = 1 }"))
    };
    FaultPlan::parse(&second("packet = { class = \"data\", nth = 1, transmission = 2 }"), "-").unwrap();
    let said = each(
        second,
        &[
            "packet = { class = \"data\", nth = 1 }",
            "packet = { class = \"data\", nth = 1, transmission = 1 }",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn events_that_are_none() {
    let mut said =
        vec![each(|line| event("crash", line), &["kind", "kind = \"explode\"", "kind = \"Heal\""])];
    said.push(each(
        |line| event("crash", line),
        &["host", "host = \"Server\"", "hosts = [\"a\", \"b\"]", "host = \"\""],
    ));
    said.push(each(
        |line| event("partition", line),
        &["hosts = [\"a\"]", "hosts = [\"a\", \"a\"]", "hosts = \"a and b\"", "host = \"server\""],
    ));
    said.push(each(
        |line| event("heal", line),
        &[
            "at_us",
            "at_us = 86_400_000_001",
            "after = { direction = \"a->b\", class = \"any\", nth = 1 }",
            "at = 5",
        ],
    ));
    said.push(each(
        |line| event("partition", line),
        &["direction = \"a\"", "flow = 0", "for_us = 5", "hosts = [\"a\", \"b\"]\ndirection = \"a->b\""],
    ));
    said.push(each(
        |line| event("outage", line),
        &["flow = 1", "for_us = 0", "retransmissions = 1_001", "for_us = 1\nretransmissions = 1"],
    ));
    let said = said.join("\n");
    insta::assert_snapshot!(said);
}

#[test]
fn anchors_and_injected_packets_that_are_none() {
    let anchored = |line: &str| event("crash", "at_us").to_owned() + "\n" + line;
    let mut said = vec![each(
        anchored,
        &[
            "after = 5",
            "after = { class = \"data\", nth = 1 }",
            "after = { direction = \"a->b\", nth = 1 }",
            "after = { direction = \"a->b\", packet = { class = \"data\", nth = 1 } }",
            "after = { direction = \"a->b\", class = \"ack\", nth = 1, transmission = 1 }",
            "after = { direction = \"a->b\", class = \"ack\", nth = 1, wait_us = 0 }",
            "before = { direction = \"a->b\", class = \"ack\", nth = 1, wait_us = 5 }",
        ],
    )];
    let long = format!("bytes = \"45{}\"", "00".repeat(65_535));
    let long_said = each(|_| event("inject", &long), &["bytes = \"45000…\""]);
    said.push(each(
        |line| event("inject", line),
        &[
            "bytes",
            "bytes = \"\"",
            "bytes = \"45 00\"",
            "bytes = \"450\"",
            "bytes = \"4500\"",
            "bytes = \"6000000000081140\"",
            "bytes = \"00112233445566778899\"",
            "bytes = [69, 0]",
            "direction",
            "host = \"server\"",
        ],
    ));
    said.push(long_said);
    let said = said.join("\n");
    insta::assert_snapshot!(said);
}
