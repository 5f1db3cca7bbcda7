//! The settings of the profiles, in the same order in both.

use super::Pin;

/// A setting that no claim depends on.
const fn pin(name: &'static str, value: &'static str, why: &'static str) -> Pin {
    Pin { name, value, why, needed_by: &[] }
}

impl Pin {
    /// With the claims that cannot be tried without it.
    const fn needed_by(mut self, claims: &'static [&'static str]) -> Pin {
        self.needed_by = claims;
        self
    }
}

/// Those of [`Profile::Fast`](super::Profile::Fast).
pub(super) const FAST: &[Pin] = &[
    pin(
        "ipv4/tcp_congestion_control",
        "reno",
        "RFC 5681 itself: every kernel has it, and everybody may choose it",
    )
    .needed_by(&["tcp/slow-start", "tcp/backs-off-on-loss"]),
    pin("ipv4/tcp_sack", "0", "losses are told by duplicate acknowledgements alone, as RFC 5681 counts them")
        .needed_by(&["tcp/fast-retransmit", "tcp/backs-off-on-loss"]),
    pin("ipv4/tcp_dsack", "0", "no acknowledgement says what came twice"),
    pin(
        "ipv4/tcp_timestamps",
        "0",
        "a round trip is measured on what was sent once (Karn's rule), not by an option",
    )
    .needed_by(&["tcp/measures-rtt"]),
    pin("ipv4/tcp_window_scaling", "0", "the window in a segment is the window, whatever the handshake said")
        .needed_by(&["tcp/flow-control", "tcp/window-is-the-buffer"]),
    pin("ipv4/tcp_ecn", "0", "no segment has bits of ECN"),
    pin("ipv4/tcp_fastopen", "0", "no data goes with a SYN").needed_by(&["tcp/handshake-first"]),
    pin("ipv4/tcp_early_retrans", "0", "no loss probe: a lost last segment is sent again by the timer")
        .needed_by(&["tcp/waits-longer"]),
    pin(
        "ipv4/tcp_recovery",
        "0",
        "three duplicate acknowledgements count, not time (newer kernels ignore it)",
    ),
    pin("ipv4/tcp_frto", "0", "after a timeout the lost segment is sent again, and nothing new first")
        .needed_by(&["tcp/backs-off-on-loss"]),
    pin("ipv4/tcp_reordering", "3", "three duplicate acknowledgements make a loss (RFC 5681, section 3.2)")
        .needed_by(&["tcp/fast-retransmit"]),
    pin("ipv4/tcp_max_reordering", "3", "and go on to do so when segments were seen to overtake each other"),
    pin("ipv4/tcp_thin_linear_timeouts", "0", "the timeout doubles for a thin stream too")
        .needed_by(&["tcp/waits-longer"]),
    pin("ipv4/tcp_rto_min_us", "100000", "half the kernel's 200 ms: a lost segment costs half the time"),
    pin("ipv4/tcp_rto_max_ms", "120000", "the timeout keeps doubling for longer than any run lasts")
        .needed_by(&["tcp/waits-longer"]),
    pin("ipv4/tcp_syn_linear_timeouts", "0", "the first repeats of a SYN wait twice as long each time, too"),
    pin("ipv4/tcp_syn_retries", "3", "a connect without an answer fails after 15 s, not after two minutes")
        .needed_by(&["tcp/gives-up"]),
    pin("ipv4/tcp_synack_retries", "3", "a half-open connection is forgotten after 15 s"),
    pin("ipv4/tcp_retries1", "3", "what is asked of the route before a connection is given up does not vary"),
    pin(
        "ipv4/tcp_retries2",
        "5",
        "a connection with a silent peer is given up after about 13 s, not after 15 minutes",
    )
    .needed_by(&["tcp/gives-up"]),
    pin(
        "ipv4/tcp_orphan_retries",
        "5",
        "a connection that no program has is given up, in silence, when as many repeats could have been",
    ),
    pin("ipv4/tcp_fin_timeout", "2", "FIN-WAIT-2 without a program lasts 2 s"),
    pin("ipv4/tcp_tw_reuse", "0", "a pair of ports in TIME-WAIT is not used again")
        .needed_by(&["tcp/time-wait"]),
    pin(
        "ipv4/tcp_keepalive_time",
        "1",
        "a socket that asks for keep-alive sends the first probe after a second",
    ),
    pin("ipv4/tcp_keepalive_intvl", "1", "and the next ones each second"),
    pin("ipv4/tcp_keepalive_probes", "3", "and gives up after three"),
    pin("ipv4/tcp_syncookies", "0", "what is beyond the backlog is dropped, not answered with a cookie")
        .needed_by(&["tcp/backlog"]),
    pin("ipv4/tcp_abort_on_overflow", "0", "a connection beyond the backlog is not reset")
        .needed_by(&["tcp/backlog"]),
    pin(
        "ipv4/tcp_slow_start_after_idle",
        "1",
        "the window is small again after a pause (RFC 5681, section 4.1)",
    ),
    pin("ipv4/tcp_autocorking", "0", "a small write is not held back for the device's queue")
        .needed_by(&["tcp/nagle-delays"]),
    pin(
        "ipv4/tcp_backlog_ack_defer",
        "0",
        "segments that came while a program held the socket are acknowledged one by one",
    ),
    pin(
        "ipv4/tcp_pingpong_thresh",
        "1",
        "one answer makes a conversation, in which acknowledgements wait for data",
    ),
    pin("ipv4/tcp_invalid_ratelimit", "0", "each segment out of the window is answered"),
    pin("ipv4/tcp_challenge_ack_limit", "2147483647", "challenge acknowledgements are not rationed"),
    pin("ipv4/tcp_moderate_rcvbuf", "0", "the receive buffer stays as it is")
        .needed_by(&["tcp/window-is-the-buffer"]),
    pin(
        "ipv4/tcp_rmem",
        "4096 131072 131072",
        "a window of 64 KiB, and no more: it closes soon when no program reads",
    )
    .needed_by(&["tcp/window-is-the-buffer"]),
    pin("ipv4/tcp_wmem", "4096 65536 65536", "a send buffer of 64 KiB, and no more: a writer waits soon"),
    pin("ipv4/tcp_adv_win_scale", "1", "half of the receive buffer is window"),
    pin("ipv4/tcp_shrink_window", "0", "the window's right edge never moves back (RFC 9293, section 3.8.6)")
        .needed_by(&["tcp/flow-control"]),
    pin("ipv4/tcp_mtu_probing", "0", "no segment is cut smaller because others got lost"),
    pin("ipv4/tcp_notsent_lowat", "4294967295", "a socket is writable while its buffer has room"),
    pin("ipv4/ipfrag_time", "2", "a datagram whose fragment is lost is given up after 2 s"),
    pin("ipv6/ip6frag_time", "2", "and so in IPv6"),
    pin("ipv4/icmp_msgs_per_sec", "100000", "ICMP errors are not rationed for the whole host"),
    pin("ipv4/icmp_msgs_burst", "10000", "nor is a burst of them"),
    pin("ipv4/ip_default_ttl", "64", "a packet lives for 64 hops"),
    pin("core/somaxconn", "4096", "a program may ask for a backlog up to that"),
];

/// Those of [`Profile::Stock`](super::Profile::Stock).
pub(super) const STOCK: &[Pin] = &[
    pin("ipv4/tcp_congestion_control", "reno", "what there is where the next one is not for everybody"),
    pin("ipv4/tcp_congestion_control", "cubic", "the kernel's own choice (RFC 9438)"),
    pin("ipv4/tcp_sack", "1", "SACK is offered (RFC 2018)"),
    pin("ipv4/tcp_dsack", "1", "what came twice is told (RFC 2883)"),
    pin("ipv4/tcp_timestamps", "1", "timestamps are offered (RFC 7323)"),
    pin("ipv4/tcp_window_scaling", "1", "window scaling is offered (RFC 7323)"),
    pin("ipv4/tcp_ecn", "2", "ECN is taken where the peer asks for it (RFC 3168)"),
    pin("ipv4/tcp_fastopen", "1", "a client may send data with its SYN if it asks to (RFC 7413)"),
    pin("ipv4/tcp_early_retrans", "3", "a lost last segment is probed for early (RFC 8985)"),
    pin("ipv4/tcp_recovery", "1", "losses are told by time (RFC 8985)"),
    pin("ipv4/tcp_frto", "2", "a timeout may turn out to have been spurious (RFC 5682)"),
    pin("ipv4/tcp_reordering", "3", "three duplicate acknowledgements make a loss (RFC 5681, section 3.2)"),
    pin("ipv4/tcp_max_reordering", "300", "more may be needed where segments overtake each other"),
    pin("ipv4/tcp_thin_linear_timeouts", "0", "the timeout doubles for a thin stream too"),
    pin("ipv4/tcp_rto_min_us", "200000", "the least timeout is 200 ms"),
    pin("ipv4/tcp_rto_max_ms", "120000", "the timeout is two minutes at most"),
    pin("ipv4/tcp_syn_linear_timeouts", "4", "the first four repeats of a SYN are a second apart"),
    pin("ipv4/tcp_syn_retries", "6", "a connect without an answer fails after about a minute or two"),
    pin("ipv4/tcp_synack_retries", "5", "a half-open connection is forgotten after a minute"),
    pin("ipv4/tcp_retries1", "3", "the route is asked about after three repeats"),
    pin("ipv4/tcp_retries2", "15", "a connection with a silent peer is given up after about 15 minutes"),
    pin("ipv4/tcp_orphan_retries", "0", "a connection that no program has is given up after eight repeats"),
    pin("ipv4/tcp_fin_timeout", "60", "FIN-WAIT-2 without a program lasts a minute"),
    pin("ipv4/tcp_tw_reuse", "2", "a pair of ports in TIME-WAIT is used again on loopback only"),
    pin(
        "ipv4/tcp_keepalive_time",
        "7200",
        "a socket that asks for keep-alive sends the first probe after two hours",
    ),
    pin("ipv4/tcp_keepalive_intvl", "75", "and the next ones after 75 s each"),
    pin("ipv4/tcp_keepalive_probes", "9", "and gives up after nine"),
    pin("ipv4/tcp_syncookies", "1", "a SYN beyond the backlog is answered with a cookie"),
    pin("ipv4/tcp_abort_on_overflow", "0", "a connection beyond the backlog is not reset"),
    pin(
        "ipv4/tcp_slow_start_after_idle",
        "1",
        "the window is small again after a pause (RFC 5681, section 4.1)",
    ),
    pin("ipv4/tcp_autocorking", "1", "small writes may be put together while the device's queue is full"),
    pin(
        "ipv4/tcp_backlog_ack_defer",
        "1",
        "segments that came while a program held the socket are acknowledged together",
    ),
    pin(
        "ipv4/tcp_pingpong_thresh",
        "1",
        "one answer makes a conversation, in which acknowledgements wait for data",
    ),
    pin(
        "ipv4/tcp_invalid_ratelimit",
        "500",
        "segments out of the window are answered twice a second at most",
    ),
    pin("ipv4/tcp_challenge_ack_limit", "2147483647", "challenge acknowledgements are not rationed"),
    pin("ipv4/tcp_moderate_rcvbuf", "1", "the receive buffer grows with what comes"),
    pin("ipv4/tcp_rmem", "4096 131072 6291456", "the receive buffer may grow to 6 MiB"),
    pin("ipv4/tcp_wmem", "4096 16384 4194304", "the send buffer may grow to 4 MiB"),
    pin("ipv4/tcp_adv_win_scale", "1", "half of the receive buffer is window"),
    pin("ipv4/tcp_shrink_window", "0", "the window's right edge never moves back (RFC 9293, section 3.8.6)"),
    pin("ipv4/tcp_mtu_probing", "0", "no segment is cut smaller because others got lost"),
    pin("ipv4/tcp_notsent_lowat", "4294967295", "a socket is writable while its buffer has room"),
    pin("ipv4/ipfrag_time", "30", "a datagram whose fragment is lost is given up after 30 s"),
    pin("ipv6/ip6frag_time", "60", "and after 60 s in IPv6"),
    pin("ipv4/icmp_msgs_per_sec", "1000", "a host sends a thousand ICMP errors a second"),
    pin("ipv4/icmp_msgs_burst", "50", "and fifty at once"),
    pin("ipv4/ip_default_ttl", "64", "a packet lives for 64 hops"),
    pin("core/somaxconn", "4096", "a program may ask for a backlog up to that"),
];
