//! The claims of *Stream sockets* about what TCP does with packets: repeats, timers, windows,
//! acknowledgements.
//!
//! `segments` reads a run's packets into connections and tells what each side knew when; `scenarios` says
//! what the hosts do; the checks stand by subject: `timers`, `congestion`, `acknowledging`, `windows`,
//! `cost`. A check holds any TCP to what the RFCs require, not to what our stack does: where two readings are
//! possible, both are allowed.

mod acknowledging;
mod congestion;
mod retransmission;
mod scenarios;
mod segment_sizes;
#[cfg(test)]
mod tests;
mod windows;

use faultwire_sim::Run;
use faultwire_sim::testbed::Capability;

pub(super) use windows::is_our_stack;

use self::scenarios::{
    Dialogue, LateWindow, Offers, ServerFirst, SlowReader, SmallWrites, Transfer, TwoBits, busy_reader,
    cancelling_bits, outage, plain, questions, small_window, two_bits_data,
};
use self::segment_sizes::{Pauses, ShortSegments, SmallReads};
use super::segments::Flow;
use crate::study::{CheckSpec, Search, Seen, Study, no_further_plans};

/// Why a lab does not settle what compares times.
const REAL_TIMERS: &str = "it compares times to a tenth, and a busy machine's timers are not so exact";

const RETRANSMITS: CheckSpec =
    CheckSpec::of_packets("tcp/retransmits", retransmission::retransmits).under_faults();
const WAITS_LONGER: CheckSpec = CheckSpec::of_packets("tcp/waits-longer", retransmission::waits_longer)
    .under_faults()
    .not_live(REAL_TIMERS);
const MEASURES_RTT: CheckSpec = CheckSpec::of_packets("tcp/measures-rtt", retransmission::measures_rtt)
    .under_faults()
    .not_live(REAL_TIMERS);
const FAST_RETRANSMIT: CheckSpec =
    CheckSpec::of_packets("tcp/fast-retransmit", congestion::fast_retransmit).under_faults();
const INITIAL_WINDOW: CheckSpec = CheckSpec::of_packets("tcp/initial-window", congestion::first_flight);
const SLOW_START: CheckSpec = CheckSpec::of_packets("tcp/slow-start", congestion::slow_start);
const BACKS_OFF: CheckSpec =
    CheckSpec::of_packets("tcp/backs-off-on-loss", congestion::backs_off).under_faults().not_live(
        "it reckons with a window that grows by RFC 5681, and Linux's grows faster: see tcp/slow-start",
    );
const ACKNOWLEDGES: CheckSpec = CheckSpec::of_packets("tcp/acknowledges", acknowledging::acknowledges);
const AT_ONCE: CheckSpec = CheckSpec::of_packets("tcp/acknowledges", acknowledging::answers_at_once)
    .under_faults()
    .not_live(REAL_TIMERS);
const EVERY_SECOND: CheckSpec =
    CheckSpec::of_packets("tcp/every-second-segment", acknowledging::every_second_segment).not_live(
        "a kernel whose program is just reading acknowledges a third segment later; RFC 9293, 3.8.6.3, says \
         SHOULD",
    );
const FLOW_CONTROL: CheckSpec = CheckSpec::of_packets("tcp/flow-control", windows::within_the_offer);
const GOES_ON: CheckSpec = CheckSpec::of_packets("tcp/flow-control", windows::goes_on)
    .not_live("at once is within 10 ms there, and a busy machine lets a program wait for longer");
const TELLS: CheckSpec = CheckSpec::of_packets("tcp/flow-control", windows::tells_of_room)
    .not_live("at once is within 10 ms there, and how much room is worth an update is a system's own choice");
pub(super) const PROBE: CheckSpec =
    CheckSpec::of_packets("tcp/zero-window-probe", windows::zero_window_probe)
        .under_faults()
        .not_live("it takes a lost window update, a bare acknowledgement, and no plan of a lab names those");
const LINUX_DIFFERS: &str = "Linux follows other rules here, which the RFCs allow";
const PUSHES: CheckSpec = CheckSpec::of_packets("tcp/push", segment_sizes::pushes);
const BUFFER: CheckSpec = CheckSpec::of_packets("tcp/window-is-the-buffer", windows::offers_the_buffer);

const SENDS_ONCE: CheckSpec = CheckSpec::of_packets("tcp/sends-once", retransmission::sends_once)
    .not_live("a kernel that waits for the processor repeats what is only late, as RFC 6298 allows");

/// The studies of recovery, timers and windows.
pub fn studies() -> &'static [Study] {
    &RECOVERY
}

const STUDY: Study = Study {
    name: "",
    about: "",
    scenario: plain::<Dialogue>,
    checks: &[],
    needs: &[Capability::Streams],
    search: Search::PLANS,
    plans: no_further_plans,
    mutants: &[],
};

static RECOVERY: [Study; 15] = [
    Study {
        name: "tcp-dialogue",
        about: "A client sends five segments, the server answers with two, and both close.",
        checks: &[
            RETRANSMITS,
            WAITS_LONGER,
            MEASURES_RTT,
            FAST_RETRANSMIT,
            INITIAL_WINDOW,
            BACKS_OFF,
            ACKNOWLEDGES,
            AT_ONCE,
            EVERY_SECOND,
            SENDS_ONCE,
            CheckSpec::of_packets("tcp/head-of-line", acknowledging::head_of_line).under_faults(),
        ],
        ..STUDY
    },
    Study {
        name: "tcp-outage",
        about: "The same while the link is cut for several repeats.",
        scenario: outage,
        checks: &[RETRANSMITS, WAITS_LONGER, BACKS_OFF],
        search: Search::of(1, 64),
        needs: &[Capability::Streams, Capability::Seconds],
        ..STUDY
    },
    Study {
        name: "tcp-transfer",
        about: "A client sends forty segments to a server that reads them.",
        scenario: plain::<Transfer>,
        checks: &[
            INITIAL_WINDOW,
            SLOW_START,
            BACKS_OFF,
            FAST_RETRANSMIT,
            RETRANSMITS,
            FLOW_CONTROL,
            ACKNOWLEDGES,
            AT_ONCE,
            EVERY_SECOND,
            SENDS_ONCE,
        ],
        search: Search::of(1, 256),
        ..STUDY
    },
    Study {
        name: "tcp-busy-reader",
        about: "A client writes now and then to a server that reads nothing for two seconds.",
        scenario: busy_reader,
        checks: &[ACKNOWLEDGES],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "tcp-server-first",
        about: "A server speaks first, to a client that sends nothing.",
        scenario: plain::<ServerFirst>,
        checks: &[RETRANSMITS],
        search: Search::of(1, 64),
        ..STUDY
    },
    Study {
        name: "tcp-questions",
        about: "A client asks five short questions over a slow link, of which two are lost; the first answer \
                takes long.",
        scenario: questions,
        checks: &[MEASURES_RTT, WAITS_LONGER, ACKNOWLEDGES],
        search: Search::of(1, 64),
        needs: &[Capability::Streams, Capability::Seconds],
        ..STUDY
    },
    Study {
        name: "tcp-slow-reader",
        about: "A client writes more than fits into the receive buffer of a server that pauses before it \
                reads.",
        scenario: plain::<SlowReader>,
        checks: &[PROBE, FLOW_CONTROL, GOES_ON, TELLS, BUFFER],
        ..STUDY
    },
    Study {
        name: "tcp-small-window",
        about: "The same over a link whose segments could be larger than the whole buffer.",
        scenario: small_window,
        checks: &[FLOW_CONTROL, GOES_ON, TELLS, BUFFER],
        search: Search::of(1, 32),
        ..STUDY
    },
    Study {
        name: "tcp-late-window",
        about: "A server says something while its window is closed, and reads; the client writes more later.",
        scenario: plain::<LateWindow>,
        checks: &[GOES_ON, FLOW_CONTROL, TELLS, BUFFER],
        search: Search::of(1, 64),
        ..STUDY
    },
    Study {
        name: "tcp-offers",
        about: "A client writes to two sockets without a reader, with a small and a larger receive buffer.",
        scenario: plain::<Offers>,
        checks: &[BUFFER, FLOW_CONTROL],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "tcp-small-writes",
        about: "Two small writes follow each other, without and with TCP_NODELAY.",
        scenario: plain::<SmallWrites>,
        checks: &[CheckSpec::of_packets("tcp/nagle-delays", acknowledging::nagle_delays)],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "tcp-pauses",
        about: "A client writes thirty segments, pauses for six seconds, and writes thirty more.",
        scenario: plain::<Pauses>,
        checks: &[
            CheckSpec::of_packets("tcp/restarts-after-idle", segment_sizes::restarts_after_idle),
            FLOW_CONTROL,
            PUSHES,
        ],
        search: Search::of(1, 32),
        needs: &[Capability::Streams, Capability::Seconds],
        ..STUDY
    },
    Study {
        name: "tcp-short-segments",
        about: "Both sides send to each other, first over a socket that takes only short segments.",
        scenario: plain::<ShortSegments>,
        checks: &[CheckSpec::of_packets("tcp/segment-size", segment_sizes::segment_size), PUSHES],
        search: Search::of(1, 32),
        needs: &[Capability::Streams, Capability::MaxSegment],
        ..STUDY
    },
    Study {
        name: "tcp-small-reads",
        about: "A client writes in small pieces to a server that reads in small pieces, then all at once.",
        scenario: plain::<SmallReads>,
        checks: &[
            CheckSpec::of_packets("tcp/no-silly-windows", segment_sizes::no_silly_offers)
                .not_live(LINUX_DIFFERS),
            CheckSpec::of_packets("tcp/no-silly-windows", segment_sizes::no_silly_segments)
                .not_live(LINUX_DIFFERS),
            CheckSpec::of_packets("tcp/flow-control", segment_sizes::opens_at_once).not_live(LINUX_DIFFERS),
            FLOW_CONTROL,
            ACKNOWLEDGES,
        ],
        search: Search::of(1, 32),
        ..STUDY
    },
    Study {
        name: "tcp-two-bits",
        about: "A segment has two bits flipped that cancel in the checksum.",
        scenario: plain::<TwoBits>,
        checks: &[CheckSpec::of_packets("tcp/checksum-can-miss", checksum_can_miss).under_faults()],
        search: Search::FAULT_FREE,
        plans: cancelling_bits,
        ..STUDY
    },
];

fn checksum_can_miss(run: &Run) -> Seen {
    acknowledging::checksum_can_miss(run, &two_bits_data())
}

/// Both sides of every connection.
fn sides(flows: &[Flow]) -> impl Iterator<Item = (&Flow, usize)> {
    flows.iter().flat_map(|flow| [(flow, 0), (flow, 1)])
}

/// What a check has seen so far: the first break counts.
#[derive(Debug, Default)]
struct Count {
    exercised: u64,
    broken: Option<String>,
}

impl Count {
    fn broken(&mut self, how: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(how());
        }
    }

    fn seen(self) -> Seen {
        match self.broken {
            Some(how) => Seen::broken(self.exercised, how),
            None => Seen::fine(self.exercised),
        }
    }
}
