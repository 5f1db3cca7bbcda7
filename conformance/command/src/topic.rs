//! Claims by what they speak of: a word, an errno, a socket option.

use faultwire_conformance::claim::{CLAIMS, Claim};

/// What people call things, and how the claims' texts call them: a word, and the beginnings of the words that
/// it stands for.
const CALLED: &[(&[&str], &[&str])] = &[
    (&["reorder", "reordering", "overtake", "out-of-order"], &["reorder", "order", "earlier", "overtook"]),
    (&["rst", "econnreset", "epipe"], &["reset", "econnreset", "epipe"]),
    (&["partition", "outage", "disconnect", "unplugged"], &["outage", "silence", "silent"]),
    (&["loss", "lose", "lost", "drop", "dropped"], &["loss", "lose", "lost"]),
    (&["timeout", "rto", "timer", "etimedout"], &["timeout", "etimedout", "timer", "retransmission"]),
    (&["econnrefused", "refused"], &["econnrefused", "refused"]),
    (&["duplicate", "dup", "twice"], &["duplicate", "twice"]),
    (&["corrupt", "corruption", "checksum"], &["checksum", "altered", "flipped"]),
    (&["crash", "reboot"], &["power", "half open", "gone"]),
    (&["eaddrinuse", "so_reuseaddr", "so_reuseport"], &["time wait", "later connection"]),
    (&["tcp_nodelay", "nagle"], &["nagle", "tcp nodelay"]),
    (&["so_linger"], &["linger"]),
    (&["so_keepalive", "keepalive", "keep-alive"], &["keep alive", "silence", "idle"]),
    (&["so_rcvbuf", "so_sndbuf", "buffer"], &["buffer", "so rcvbuf"]),
    (&["eagain", "ewouldblock", "backpressure"], &["eagain", "flow control", "waits"]),
    (&["emsgsize", "mtu"], &["emsgsize", "mtu", "size"]),
    (&["enobufs"], &["buffer"]),
    (&["eacces", "so_broadcast"], &["broadcast", "eacces"]),
    (&["ip_add_membership", "ip_multicast_ttl", "ip_multicast_loop", "group"], &["multicast", "group"]),
    (&["syn", "handshake", "connect"], &["syn", "handshake", "connect"]),
    (&["fin", "eof", "close", "shutdown"], &["fin", "close", "closing", "end of the stream"]),
    (&["message", "framing"], &["boundaries", "message"]),
    (&["congestion", "cwnd"], &["congestion", "slow start", "backs off", "initial window"]),
];

/// The claims that speak of something, those whose names do so first.
pub(super) fn claims_about(topic: &str) -> Vec<&'static Claim> {
    let topic = topic.to_lowercase();
    let called = CALLED.iter().find(|(words, _)| words.contains(&topic.as_str()));
    let beginnings: Vec<String> = match called {
        Some((_, beginnings)) => beginnings.iter().map(|it| plain(it)).collect(),
        None => vec![plain(stem(&topic))],
    };
    if beginnings.iter().any(|beginning| beginning.trim().is_empty()) {
        return Vec::new();
    }
    let speaks = |text: &str| {
        let text = plain(text);
        beginnings.iter().any(|beginning| text.contains(beginning))
    };
    let weight = |claim: &Claim| match () {
        () if speaks(claim.slug()) => 3,
        () if speaks(claim.text) => 2,
        () => u8::from(speaks(claim.conditions) || speaks(claim.why)),
    };
    let mut found: Vec<(u8, &'static Claim)> = CLAIMS.iter().map(|claim| (weight(claim), claim)).collect();
    found.retain(|(weight, _)| *weight > 0);
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, claim)| claim).collect()
}

/// Small letters and digits, a blank before each word.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!(" {}", word.to_lowercase())).collect()
}

/// A word without the ending that it has in this sentence or that.
fn stem(word: &str) -> &str {
    const ENDINGS: [&str; 9] = ["issions", "ission", "itting", "ations", "ation", "ing", "ed", "es", "s"];
    let without = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending));
    without.filter(|stem| stem.len() >= 4).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_ask_for_leads_to_the_claims_about_it() {
        for (topic, id) in [
            ("reorder", "udp/may-reorder"),
            ("reorder", "tcp/in-order"),
            ("rst", "tcp/reset"),
            ("partition", "tcp/silence-is-not-noticed"),
            ("partition", "tcp/finite-faults-finite-delay"),
            ("loss", "udp/may-lose"),
            ("loss", "tcp/backs-off-on-loss"),
            ("timeout", "tcp/measures-rtt"),
            ("timeout", "tcp/gives-up"),
            ("ECONNRESET", "tcp/reset"),
            ("ECONNREFUSED", "udp/refused-when-connected"),
            ("ETIMEDOUT", "tcp/gives-up"),
            ("EPIPE", "tcp/reset"),
            ("EMSGSIZE", "udp/size-limit"),
            ("EADDRINUSE", "tcp/time-wait"),
            ("SO_REUSEADDR", "tcp/time-wait"),
            ("TCP_NODELAY", "tcp/nagle-delays"),
            ("SO_BROADCAST", "udp/broadcast-needs-asking"),
            ("SO_RCVBUF", "tcp/window-is-the-buffer"),
            ("SO_KEEPALIVE", "tcp/silence-is-not-noticed"),
            ("SO_LINGER", "tcp/close-flushes"),
            ("retransmission", "tcp/retransmits"),
            ("fragments", "udp/one-fragment-lost"),
        ] {
            let found: Vec<&str> = claims_about(topic).into_iter().map(|claim| claim.id).collect();
            assert!(found.contains(&id), "{topic}: {found:?}");
        }
        assert_eq!(claims_about("rst")[0].id, "tcp/reset");
        for nothing in ["", "-", "zzzz"] {
            assert!(claims_about(nothing).is_empty(), "{nothing}");
        }
    }
}
