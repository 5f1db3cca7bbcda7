//! The studies of whole connections under plans: how they open, carry bytes, end, and survive faults.

use faultwire_sim::Scenario;
use faultwire_sim::testbed::{Capability, TestbedRef};

use super::transfer::{Bulk, Echo, Long, Overlap, Pause, Short};
use super::{
    connecting, dead_peer, injected, opening, programs, recovery, reuse, streams, time_wait, transfer,
};
use crate::study::{CheckSpec, Search, Study, no_further_plans};

/// The studies.
pub fn studies() -> &'static [Study] {
    STUDIES
}

const fn finite_delay<S: streams::Streams>() -> CheckSpec {
    CheckSpec::of_calls("tcp/finite-faults-finite-delay", streams::finite_delay::<S>).under_faults()
}

pub(super) const fn every_byte<S: streams::Streams>() -> CheckSpec {
    CheckSpec::of_calls("tcp/every-byte", streams::every_byte::<S>)
}

pub(super) const fn in_order<S: streams::Streams>() -> CheckSpec {
    CheckSpec::of_packets("tcp/in-order", streams::in_order::<S>).under_faults()
}

pub(super) const fn no_duplicates<S: streams::Streams>() -> CheckSpec {
    CheckSpec::of_packets("tcp/no-duplicates", streams::no_duplicates::<S>).under_faults()
}

pub(super) const fn nothing_altered<S: streams::Streams>() -> CheckSpec {
    CheckSpec::of_packets("tcp/nothing-altered", streams::nothing_altered::<S>).under_faults()
}

const HANDSHAKE_FIRST: CheckSpec = CheckSpec::of_packets("tcp/handshake-first", opening::handshake_first);

const STUDY: Study = Study {
    name: "",
    about: "",
    scenario: transfer::short,
    checks: &[],
    needs: &[Capability::Streams, Capability::Packets],
    search: Search::PLANS,
    plans: no_further_plans,
    mutants: &[],
};

const STUDIES: &[Study] = &[
    Study {
        name: "tcp-exchange",
        about: "A handshake, two segments each way at once, and the close.",
        scenario: transfer::short,
        checks: &[
            finite_delay::<Short>(),
            every_byte::<Short>(),
            in_order::<Short>(),
            no_duplicates::<Short>(),
            nothing_altered::<Short>(),
            HANDSHAKE_FIRST,
        ],
        search: Search::of(2, 0),
        plans: transfer::damaged_headers,
        ..STUDY
    },
    Study {
        name: "tcp-overlap",
        about: "Two short writes leave at once; an answer comes when both have come.",
        scenario: transfer::overlap,
        checks: &[no_duplicates::<Overlap>(), every_byte::<Overlap>()],
        search: Search::FAULT_FREE,
        plans: transfer::lost_halves,
        needs: &[Capability::Streams, Capability::Packets, Capability::Acknowledgements],
        ..STUDY
    },
    Study {
        name: "tcp-exchange-long",
        about: "The same with ten segments each way.",
        scenario: transfer::long,
        checks: &[
            finite_delay::<Long>(),
            every_byte::<Long>(),
            in_order::<Long>(),
            no_duplicates::<Long>(),
            nothing_altered::<Long>(),
        ],
        search: Search::of(2, 0).thorough_only(),
        ..STUDY
    },
    Study {
        name: "tcp-partition",
        about: "Two segments each way, over a link that is cut from some packet on, for some time.",
        scenario: transfer::partition,
        checks: &[finite_delay::<Short>()],
        search: Search::FAULT_FREE,
        plans: transfer::partitions,
        ..STUDY
    },
    Study {
        name: "tcp-echo",
        about: "20 KB are echoed, with buffers of any size, over links of any MTU, with up to every fifth \
                packet hit.",
        scenario: transfer::echo,
        checks: &[
            finite_delay::<Echo>(),
            every_byte::<Echo>(),
            in_order::<Echo>(),
            no_duplicates::<Echo>(),
            nothing_altered::<Echo>(),
        ],
        search: Search::of(0, 512),
        ..STUDY
    },
    Study {
        name: "tcp-bulk",
        about: "60 KB go each way at once, to slow readers, with buffers of any size, with up to every fifth \
                packet hit.",
        scenario: transfer::bulk,
        checks: &[
            finite_delay::<Bulk>(),
            every_byte::<Bulk>(),
            in_order::<Bulk>(),
            no_duplicates::<Bulk>(),
            nothing_altered::<Bulk>(),
        ],
        search: Search::of(0, 64).one_in(10),
        ..STUDY
    },
    Study {
        name: "tcp-long-pause",
        about: "A client sends one byte more than the server has room for; the server reads half an hour \
                later.",
        scenario: transfer::pause,
        checks: &[finite_delay::<Pause>(), every_byte::<Pause>(), recovery::PROBE],
        search: Search::of(1, 64),
        needs: &[Capability::Streams, Capability::Packets, Capability::Minutes],
        ..STUDY
    },
    Study {
        name: "tcp-simultaneous-open",
        about: "Two hosts connect to each other at the same moment, from and to the same port.",
        scenario: opening::simultaneous_open,
        checks: &[CheckSpec::of_packets("tcp/simultaneous-open", opening::opens_at_once)],
        search: Search::of(2, 64),
        ..STUDY
    },
    Study {
        name: "tcp-simultaneous-close",
        about: "Two hosts close their connection at the same moment.",
        scenario: opening::simultaneous_close,
        checks: &[CheckSpec::of_packets("tcp/simultaneous-close", opening::closes_at_once)],
        search: Search::of(2, 64),
        ..STUDY
    },
    Study {
        name: "tcp-closed-listener",
        about: "A server closes its listener while a connection waits for accept; the client connects again.",
        scenario: |testbed: TestbedRef| -> Scenario {
            programs::scenario::<connecting::ClosedListener>(testbed)
        },
        checks: &[CheckSpec::of_calls("tcp/listens-and-connects", connecting::closed_listener_refuses)],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "tcp-unread",
        about: "A server closes a connection without having read what came.",
        scenario: |testbed: TestbedRef| -> Scenario { programs::scenario::<dead_peer::Unread>(testbed) },
        checks: &[CheckSpec::of_packets("tcp/acked-is-not-read", dead_peer::acked_is_not_read)],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "tcp-silent-reader",
        about: "A server aborts a connection whose client only reads.",
        scenario: |testbed: TestbedRef| -> Scenario { programs::scenario::<dead_peer::Silent>(testbed) },
        checks: &[CheckSpec::of_packets("tcp/silence-is-not-noticed", dead_peer::silence_is_not_noticed)
            .under_faults()],
        search: Search::of(1, 0),
        needs: &[Capability::Streams, Capability::Packets, Capability::Seconds],
        ..STUDY
    },
    Study {
        name: "tcp-gives-up",
        about: "A client asks a server that falls silent for good.",
        scenario: dead_peer::gives_up_scenario,
        checks: &[CheckSpec::of_packets("tcp/gives-up", dead_peer::gives_up).under_faults()],
        search: Search::FAULT_FREE,
        plans: dead_peer::silences,
        needs: &[Capability::Streams, Capability::Packets, Capability::Seconds],
        ..STUDY
    },
    Study {
        name: "tcp-half-open",
        about: "A client asks a server twice; in between the server crashes and starts again.",
        scenario: dead_peer::half_open_scenario,
        checks: &[CheckSpec::of_packets("tcp/half-open", dead_peer::half_open).under_faults()],
        search: Search::of(1, 64),
        ..STUDY
    },
    Study {
        name: "tcp-time-wait",
        about: "Two connections, one right after the other, from the same port to the same server.",
        scenario: reuse::scenario,
        checks: &[CheckSpec::of_packets("tcp/time-wait", reuse::old_duplicates_stay_out).under_faults()],
        search: Search::of(0, 256),
        plans: reuse::late_segments,
        ..STUDY
    },
    Study {
        name: "tcp-time-wait-fast",
        about: "The same after so much data that the second connection's sequence numbers lie among the \
                first one's.",
        scenario: reuse::fast,
        checks: &[CheckSpec::of_packets("tcp/time-wait", reuse::old_duplicates_stay_out_fast).under_faults()],
        search: Search::FAULT_FREE,
        plans: reuse::late_fast_segments,
        needs: &[Capability::Streams, Capability::Packets, Capability::Minutes],
        ..STUDY
    },
    Study {
        name: "tcp-time-wait-length",
        about: "A client closes first, and stays for longer than its TIME-WAIT; the server's FIN comes \
                again.",
        scenario: time_wait::scenario,
        checks: &[CheckSpec::of_packets("tcp/time-wait", time_wait::answers_late_fins).under_faults()],
        search: Search::of(1, 0),
        plans: time_wait::late_fins,
        needs: &[Capability::Streams, Capability::Packets, Capability::Minutes],
        ..STUDY
    },
    Study {
        name: "tcp-strays",
        about: "Questions and answers in turns; a forged reset, SYN or acknowledgement arrives.",
        scenario: |testbed: TestbedRef| -> Scenario { programs::scenario::<injected::Strays>(testbed) },
        checks: &[
            CheckSpec::of_packets("tcp/reset", injected::only_what_fits).under_faults(),
            HANDSHAKE_FIRST,
            CheckSpec::of_packets("tcp/listens-and-connects", injected::hears_refusals).under_faults(),
            CheckSpec::of_calls("tcp/every-byte", injected::every_byte_without_a_reset),
        ],
        search: Search::FAULT_FREE,
        plans: injected::plans,
        needs: &[Capability::Streams, Capability::Packets, Capability::SequenceNumbers],
        ..STUDY
    },
];
