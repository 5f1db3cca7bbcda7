//! Deliberate bugs of the stack and of its TCP, in one list, to prove that the suite sees them. With the
//! feature `mutants` a configuration can ask for one; without it `is(mutant)` is a constant `false` and
//! nothing of this remains.

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal breaks $claim:literal: $about:literal;)*) => {
        /// A deliberate bug of the stack; each says which claim it breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(not(feature = "mutants"), expect(dead_code, unreachable_pub, reason = "complete, and \
                                                                                          public, with the \
                                                                                          feature only"))]
        #[non_exhaustive]
        pub enum Mutant {
            $(#[doc = concat!("Breaks `", $claim, "`: ", $about, ".")] $(#[doc = $doc])+ $variant,)*
        }

        #[cfg(feature = "mutants")]
        impl Mutant {
            /// All of them, in the order of the claims.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$variant,)*];

            /// Its name, such as `sends-twice`.
            pub const fn name(self) -> &'static str {
                match self { $(Mutant::$variant => $name,)* }
            }

            /// What it does wrong, in a few words.
            pub const fn about(self) -> &'static str {
                match self { $(Mutant::$variant => $about,)* }
            }

            /// The claim that it breaks.
            pub const fn breaks(self) -> &'static str {
                match self { $(Mutant::$variant => $claim,)* }
            }
        }
    };
}

mutants! {
    /// A socket sends an ICMP echo request before its first datagram.
    GreetsFirst = "greets-first" breaks "udp/no-connection":
        "a packet goes out before the first data";
    /// The second copy follows at once.
    SendsTwice = "sends-twice" breaks "udp/never-repeats":
        "every datagram goes out twice";
    /// After 200 ms in which nothing came back, once.
    RepeatsUnanswered = "repeats-unanswered" breaks "udp/never-repeats":
        "an unanswered datagram goes out again";
    /// The next call of the socket fails, connected or not.
    TellsTheUnconnected = "tells-the-unconnected" breaks "udp/sender-never-knows":
        "an ICMP error fails a call of an unconnected socket";
    /// Datagrams from any sender to its port are handed out.
    HearsStrangers = "hears-strangers" breaks "udp/connected-filters":
        "a connected socket receives from others than its peer";
    /// The port is not compared.
    FiltersByAddress = "filters-by-address" breaks "udp/connected-filters":
        "a connected socket receives from any port of its peer's address";
    /// Where two wait they are one.
    MergesDatagrams = "merges-datagrams" breaks "udp/keeps-boundaries":
        "two waiting datagrams are received as one";
    /// Each datagram of two bytes or more is received in two halves.
    SplitsDatagrams = "splits-datagrams" breaks "udp/keeps-boundaries":
        "a datagram is received in two parts";
    /// What did not fit into the buffer is not thrown away.
    KeepsTheRest = "keeps-the-rest" breaks "udp/keeps-boundaries":
        "the rest of a truncated datagram is received next";
    /// As if nothing had been sent.
    SwallowsEmpty = "swallows-empty" breaks "udp/length-and-sender":
        "a datagram of length zero is dropped";
    /// One too high.
    WrongSenderPort = "wrong-sender-port" breaks "udp/length-and-sender":
        "the sender's port is reported wrong";
    /// A datagram whose damage the checksum shows is handed out.
    IgnoresUdpChecksum = "ignores-udp-checksum" breaks "udp/nothing-altered":
        "the UDP checksum is not verified";
    /// A damaged header is believed. IPv6 has no such checksum.
    IgnoresIpChecksum = "ignores-ip-checksum" breaks "udp/nothing-altered":
        "the IPv4 header checksum is not verified";
    /// An ICMP error goes back to whom the damaged header names.
    ComplainsOfDamage = "complains-of-damage" breaks "udp/nothing-altered":
        "a damaged datagram is answered with an ICMP error";
    /// A damaged error is believed.
    IgnoresIcmpChecksum = "ignores-icmp-checksum" breaks "udp/nothing-altered":
        "the ICMP checksum is not verified";
    /// Four bytes behind the datagram, within the IP packet.
    PadsPackets = "pads-packets" breaks "udp/lightweight":
        "packets are longer than header and data";
    /// An unasked ICMP echo reply for each datagram that arrives.
    Acknowledges = "acknowledges" breaks "udp/lightweight":
        "each datagram that arrives is answered by the stack";
    /// And then it cannot arrive.
    LimitTooLarge = "limit-too-large" breaks "udp/size-limit":
        "one byte more than fits is taken";
    /// Though it would fit.
    LimitTooSmall = "limit-too-small" breaks "udp/size-limit":
        "the longest datagram is refused";
    /// As soon as the first and the last fragment are there.
    HandsOutHoles = "hands-out-holes" breaks "udp/one-fragment-lost":
        "a datagram is put together without all its fragments";
    /// Whatever address the program gives.
    AnswersTheFirst = "answers-the-first" breaks "udp/many-peers":
        "a socket sends everything to the first peer it heard of";
    /// No EACCES.
    BroadcastsUnasked = "broadcasts-unasked" breaks "udp/broadcast-needs-asking":
        "a broadcast is sent without SO_BROADCAST";
    /// On arrival.
    DeafToBroadcast = "deaf-to-broadcast" breaks "udp/broadcast-needs-asking":
        "broadcasts are dropped";
    /// The option is the host's.
    BroadcastsForAll = "broadcasts-for-all" breaks "udp/broadcast-needs-asking":
        "once a socket has asked, every socket of the host may broadcast";
    /// As if every host had joined.
    HearsEveryGroup = "hears-every-group" breaks "udp/multicast":
        "hosts receive what is sent to groups that they are not in";
    /// As if no host had joined.
    DeafToGroups = "deaf-to-groups" breaks "udp/multicast":
        "members do not receive what is sent to their group";
    /// The option is taken and does nothing.
    HearsAfterLeaving = "hears-after-leaving" breaks "udp/multicast":
        "a host that leaves a group goes on to hear it";
    /// What was sent once is never sent again.
    NeverRetransmits = "never-retransmits" breaks "tcp/retransmits":
        "a lost segment is not sent again";
    /// Its timer expires, and nothing follows.
    ForgetsSynAck = "forgets-syn-ack" breaks "tcp/retransmits":
        "a SYN-ACK is sent again for a SYN that comes again, and never by the timer";
    /// Every wait is as long as the first.
    NeverBacksOff = "never-backs-off" breaks "tcp/waits-longer":
        "repeats follow at equal distances";
    /// A round trip is measured to whatever was sent last.
    TimesRepeats = "times-repeats" breaks "tcp/measures-rtt":
        "segments that were sent again are timed too";
    /// No round trip counts.
    NeverMeasures = "never-measures" breaks "tcp/measures-rtt":
        "the timeout stays at its first value, whatever the round trips are";
    /// A lost SYN costs that.
    FirstTimeoutLong = "first-timeout-long" breaks "tcp/measures-rtt":
        "before a round trip was measured the timeout is ten seconds";
    /// However many come.
    NeverFastRetransmits = "never-fast-retransmits" breaks "tcp/fast-retransmit":
        "duplicate acknowledgements are not looked at";
    /// With each new segment, the first one that is not acknowledged goes out once more.
    RepeatsUnasked = "repeats-unasked" breaks "tcp/sends-once":
        "segments are sent again though no timer expired and nothing was missing";
    /// All that the peer's window takes is sent at once.
    IgnoresCongestion = "ignores-congestion" breaks "tcp/slow-start":
        "there is no congestion window";
    /// After a whole second.
    AcknowledgesLate = "acknowledges-late" breaks "tcp/acknowledges":
        "acknowledgements wait for a second";
    /// And not before.
    AcknowledgesReads = "acknowledges-reads" breaks "tcp/acknowledges":
        "text is acknowledged once the program has read it";
    /// It waits as text in order does.
    SilentOnGaps = "silent-on-gaps" breaks "tcp/acknowledges":
        "text that comes behind a gap is not answered at once";
    /// The others wait for the timer.
    AcknowledgesSeldom = "acknowledges-seldom" breaks "tcp/every-second-segment":
        "only every fourth segment is acknowledged at once";
    /// As much as the peer ever offered, and four segments even if it offered none.
    IgnoresWindow = "ignores-window" breaks "tcp/flow-control":
        "more is sent than the peer's window takes";
    /// Neither the oldest nor a stale one is told from the newest.
    BelievesOldWindows = "believes-old-windows" breaks "tcp/flow-control":
        "the window is taken from segments that were overtaken";
    /// The probes of the sender find the room.
    TellsNoNews = "tells-no-news" breaks "tcp/flow-control":
        "a read that makes room sends no window update";
    /// It waits for the update.
    NeverProbes = "never-probes" breaks "tcp/zero-window-probe":
        "a closed window is not probed";
    /// As if the peer were gone.
    StopsProbing = "stops-probing" breaks "tcp/zero-window-probe":
        "a closed window is probed three times, and never again";
    /// The connection goes on.
    IgnoresResets = "ignores-resets" breaks "tcp/reset":
        "a reset that arrives is dropped";
    /// Its sequence number is not checked.
    BelievesAnyReset = "believes-any-reset" breaks "tcp/reset":
        "a reset ends the connection whatever its sequence number";
    /// Repeats go on forever.
    NeverGivesUp = "never-gives-up" breaks "tcp/gives-up":
        "a peer that is silent is waited for without an end";
    /// A segment whose damage the checksum shows is taken.
    IgnoresTcpChecksum = "ignores-tcp-checksum" breaks "tcp/nothing-altered":
        "the TCP checksum is not verified";
    /// As often as it comes.
    TakesTwice = "takes-twice" breaks "tcp/no-duplicates":
        "text that came before is handed out again";
    /// Old text alone is dropped.
    TakesOverlaps = "takes-overlaps" breaks "tcp/no-duplicates":
        "what a segment repeats in front of new text is handed out again";
    /// No RST comes back.
    RefusesNobody = "refuses-nobody" breaks "tcp/listens-and-connects":
        "a SYN to a port without a listener is not answered";
    /// As an active open that finds nothing.
    RefusesCrossedSyn = "refuses-crossed-syn" breaks "tcp/simultaneous-open":
        "a SYN that crosses the own one is dropped";
    /// As if it were acknowledged.
    ForgetsCrossedFin = "forgets-crossed-fin" breaks "tcp/simultaneous-close":
        "once the peer's FIN has come, the own one is not sent again";
    /// As soon as the SYN is there.
    AcceptsEarly = "accepts-early" breaks "tcp/handshake-first":
        "a connection is accepted, and its text taken, before the handshake is complete";
    /// Whatever number it has.
    AcceptsAnyAck = "accepts-any-ack" breaks "tcp/handshake-first":
        "any acknowledgement completes the handshake";
    /// Whoever it is from.
    MixesPeers = "mixes-peers" breaks "tcp/many-clients":
        "segments go to the connection of the port that was opened first";
    /// Whatever the address.
    MixesHosts = "mixes-hosts" breaks "tcp/many-clients":
        "connections are told apart by their ports alone";
    /// What is missing is passed over.
    HandsOutAhead = "hands-out-ahead" breaks "tcp/in-order":
        "text is handed out as it comes";
    /// The acknowledgement covers what is missing before it.
    AcknowledgesGaps = "acknowledges-gaps" breaks "tcp/every-byte":
        "text that came ahead is acknowledged with all before it";
    /// Text that is still on its way is forgotten.
    EndsEarly = "ends-early" breaks "tcp/every-byte":
        "a FIN counts as soon as it comes";
    /// It should change nothing.
    BelievesWildAcks = "believes-wild-acks" breaks "tcp/every-byte":
        "an acknowledgement of what was never sent counts for all that was";
    /// Only text is.
    ForgetsFin = "forgets-fin" breaks "tcp/finite-faults-finite-delay":
        "a FIN that is lost is not sent again";
    /// Damage to an acknowledgement is believed.
    TrustsBareSegments = "trusts-bare-segments" breaks "tcp/finite-faults-finite-delay":
        "the checksum of a segment without text is not verified";
    /// As if it were another's.
    ResetsOnSecondSyn = "resets-on-second-syn" breaks "tcp/finite-faults-finite-delay":
        "a SYN that comes twice ends the connection";
    /// Sixty-four segments.
    BeginsLarge = "begins-large" breaks "tcp/initial-window":
        "the initial window is 64 segments";
    /// As it was before.
    KeepsTheWindow = "keeps-the-window" breaks "tcp/restarts-after-idle":
        "the congestion window outlasts a pause";
    /// What this side takes itself counts.
    IgnoresSegmentSize = "ignores-segment-size" breaks "tcp/segment-size":
        "the segment size that the peer announces is ignored";
    /// Each byte that is read.
    OffersLittle = "offers-little" breaks "tcp/no-silly-windows":
        "the window grows by a byte at a time";
    /// Never.
    NeverPushes = "never-pushes" breaks "tcp/push":
        "no segment has the PSH bit";
    /// Neither window nor threshold change.
    NeverHalves = "never-halves" breaks "tcp/backs-off-on-loss":
        "a loss does not change the congestion window";
    /// No recovery begins.
    RepeatsAtSecond = "repeats-at-second" breaks "tcp/backs-off-on-loss":
        "the second duplicate acknowledgement has a segment sent again, and the window stays";
    /// The threshold is not set.
    ForgetsThreshold = "forgets-threshold" breaks "tcp/backs-off-on-loss":
        "after a loss slow start has no end";
    /// Recovery ends as it was.
    StaysInflated = "stays-inflated" breaks "tcp/backs-off-on-loss":
        "the window that duplicates have inflated stays when recovery ends";
    /// 65 535 bytes, whatever the buffer.
    OffersTheMost = "offers-the-most" breaks "tcp/window-is-the-buffer":
        "the window on offer has nothing to do with the buffer";
    /// All of what SO_RCVBUF reads counts as room for text.
    OffersDouble = "offers-double" breaks "tcp/window-is-the-buffer":
        "the window on offer goes up to twice the buffer";
    /// The other direction ends with it.
    ClosesBoth = "closes-both" breaks "tcp/half-close":
        "a FIN that arrives closes both directions";
    /// The FIN follows what was sent.
    CutsAtShutdown = "cuts-at-shutdown" breaks "tcp/half-close":
        "a shutdown throws away what was not sent yet";
    /// What is queued is forgotten.
    ClosesAtOnce = "closes-at-once" breaks "tcp/close-flushes":
        "a close throws away what was not sent yet";
    /// To a SYN alone.
    SilentToStrangers = "silent-to-strangers" breaks "tcp/half-open":
        "segments of a connection that is gone are not answered";
    /// It fits no window.
    ResetsWithZero = "resets-with-zero" breaks "tcp/half-open":
        "a reset has the sequence number 0 whatever it answers";
    /// And forgets the last one that was completed.
    OverfillsBacklog = "overfills-backlog" breaks "tcp/backlog":
        "a connection beyond the backlog is completed and then forgotten";
    /// As if the backlog bounded all connections.
    CountsAccepted = "counts-accepted" breaks "tcp/backlog":
        "accepted connections count for the backlog until they end";
    /// The state is left out.
    SkipsTimeWait = "skips-time-wait" breaks "tcp/time-wait":
        "a connection is over as soon as both have closed";
    /// Long enough for what is only a little late.
    ShortTimeWait = "short-time-wait" breaks "tcp/time-wait":
        "TIME-WAIT lasts 50 ms";
    /// Its sender repeats it in vain.
    SilentInTimeWait = "silent-in-time-wait" breaks "tcp/time-wait":
        "a FIN that comes again in TIME-WAIT is not acknowledged";
    /// Whatever its sequence number.
    ReopensForOldSyns = "reopens-for-old-syns" breaks "tcp/time-wait":
        "any SYN ends TIME-WAIT";
}

/// There is no mutant of that name.
#[cfg(feature = "mutants")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no mutant is called `{name}`: there are {}",
    Mutant::ALL.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join(", ")
)]
#[non_exhaustive]
pub struct UnknownMutant {
    /// The name that was looked for.
    pub name: String,
}

#[cfg(feature = "mutants")]
impl std::str::FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name);
        found.ok_or_else(|| UnknownMutant { name: name.to_owned() })
    }
}

#[cfg(feature = "mutants")]
impl std::fmt::Display for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
