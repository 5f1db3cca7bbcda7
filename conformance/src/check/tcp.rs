//! The claims of *Stream sockets*: here the studies that the programs' calls alone settle, so that they run
//! over real sockets too; [`lifecycle`] has those that take faults and packets.
//!
//! Each study writes bytes that tell where they belong (`pattern`), so that a check can say what became of
//! them. A program asserts nothing; the checks read the trace. Where one side must wait until the other has
//! done something, it is told so over a second connection, never by the clock; only that *nothing more
//! happens* takes a wait to see.

mod backlog;
mod broken_transport;
mod bytes;
mod calls;
mod closing;
mod connecting;
mod dead_peer;
mod flow_control;
mod injected;
pub mod lifecycle;
mod many_clients;
mod opening;
mod pattern;
mod programs;
pub mod recovery;
mod reset;
mod reuse;
mod segments;
mod streams;
#[cfg(test)]
mod tests;
mod time_wait;
mod transfer;
mod writes;

use faultwire_sim::testbed::{Capability, TestbedRef};

use crate::study::{CheckSpec, ProgramMutant, Search, Study, no_further_plans};
use broken_transport::Bug;
use programs::{broken_client, broken_server, scenario, scenario_of_both};

/// The studies of stream sockets.
pub fn studies() -> &'static [Study] {
    &STUDIES
}

/// What all studies here have in common.
const fn study(
    name: &'static str,
    about: &'static str,
    scenario: fn(TestbedRef) -> faultwire_sim::Scenario,
    checks: &'static [CheckSpec],
    mutants: &'static [ProgramMutant],
) -> Study {
    Study {
        name,
        about,
        scenario,
        checks,
        needs: &[Capability::Streams],
        search: Search::FAULT_FREE,
        plans: no_further_plans,
        mutants,
    }
}

impl Study {
    /// Like `self`, but its plans are searched on testbeds that support faults.
    const fn searched(self, search: Search) -> Study {
        Study { search, ..self }
    }

    /// Like `self`, but needs these.
    const fn needing(self, needs: &'static [Capability]) -> Study {
        Study { needs, ..self }
    }
}

/// A mutant: its name, the claim that it breaks, its scenario and what it does wrong.
const fn mutant(
    name: &'static str,
    breaks: &'static str,
    scenario: fn(TestbedRef) -> faultwire_sim::Scenario,
    about: &'static str,
) -> ProgramMutant {
    ProgramMutant { name, about, breaks, scenario }
}

static STUDIES: [Study; 13] = [
    study(
        "tcp-connect",
        "A client connects to a port where the server listens, and to one without a listener.",
        scenario::<connecting::Connecting>,
        &[CheckSpec::of_calls("tcp/listens-and-connects", connecting::listens_and_connects)],
        &[
            mutant(
                "answers-for-nobody",
                "tcp/listens-and-connects",
                |_| broken_client::<connecting::Connecting>(Bug::AnswersForNobody),
                "something between the hosts answers every connect",
            ),
            mutant(
                "refuses-everybody",
                "tcp/listens-and-connects",
                |_| broken_client::<connecting::Connecting>(Bug::RefusesEverybody),
                "connects reach a port without a listener",
            ),
        ],
    )
    .searched(Search::of(2, 128)),
    study(
        "tcp-late-accept",
        "A client connects and sends before the server accepts.",
        scenario::<connecting::LateAccept>,
        &[CheckSpec::of_calls("tcp/connected-before-accept", connecting::connected_before_accept)],
        &[],
    ),
    study(
        "tcp-both-ways",
        "Both sides write and read in turns over one connection; the server has more to say.",
        scenario_of_both::<bytes::BothWays>,
        &[
            CheckSpec::of_calls("tcp/both-ways", bytes::both_ways),
            lifecycle::every_byte::<bytes::BothWays>(),
            lifecycle::in_order::<bytes::BothWays>(),
            lifecycle::no_duplicates::<bytes::BothWays>(),
            lifecycle::nothing_altered::<bytes::BothWays>(),
        ],
        &[
            mutant(
                "one-way-at-a-time",
                "tcp/both-ways",
                |_| broken_client::<bytes::BothWays>(Bug::OneWayAtATime),
                "once it has received, nothing that is written goes out",
            ),
            mutant(
                "loses-a-piece",
                "tcp/every-byte",
                |_| broken_client::<bytes::BothWays>(Bug::LosesAPiece),
                "one piece of the stream is left out",
            ),
            mutant(
                "swaps-pieces",
                "tcp/in-order",
                |_| broken_client::<bytes::BothWays>(Bug::SwapsPieces),
                "one piece of the stream overtakes another",
            ),
            mutant(
                "repeats-a-piece",
                "tcp/no-duplicates",
                |_| broken_client::<bytes::BothWays>(Bug::RepeatsAPiece),
                "one piece of the stream is sent twice",
            ),
            mutant(
                "flips-a-bit",
                "tcp/nothing-altered",
                |_| broken_client::<bytes::BothWays>(Bug::FlipsABit),
                "one bit of the stream is another",
            ),
        ],
    )
    .searched(Search::of(0, 64)),
    study(
        writes::NAME,
        "Both sides write and read over one connection; sizes, numbers of writes, readers, closings and the \
         link vary.",
        writes::scenario,
        &[
            CheckSpec::of_calls("tcp/every-byte", writes::every_byte),
            CheckSpec::of_calls("tcp/close-flushes", writes::close_flushes),
        ],
        &[
            mutant(
                "loses-a-write",
                "tcp/every-byte",
                |testbed| writes::broken(testbed, Bug::LosesAPiece),
                "one of several writes is left out",
            ),
            mutant(
                "ends-both-directions",
                "tcp/close-flushes",
                |testbed| writes::broken(testbed, Bug::ShutsBoth),
                "who has closed its direction sees the end before it comes",
            ),
        ],
    ),
    study(
        "tcp-boundaries",
        "Two short writes and a long one wait at the reader, who then reads in pieces of another length.",
        scenario::<bytes::Boundaries>,
        &[CheckSpec::of_calls("tcp/no-boundaries", bytes::no_boundaries)],
        &[],
    ),
    study(
        "tcp-stopped-reader",
        "A client writes until it must wait, since the server only writes; then the server reads.",
        |testbed| {
            if testbed.is_live() {
                scenario::<flow_control::StoppedReader<true>>(testbed)
            } else {
                scenario::<flow_control::StoppedReader>(testbed)
            }
        },
        &[
            CheckSpec::of_calls("tcp/flow-control", flow_control::flow_control),
            CheckSpec::of_calls("tcp/both-ways", flow_control::one_stands_still),
        ],
        &[
            mutant(
                "stops-both-ways",
                "tcp/both-ways",
                |_| broken_client::<flow_control::StoppedReader>(Bug::StopsBothWays),
                "nothing is received while a write waits",
            ),
            mutant(
                "never-full",
                "tcp/flow-control",
                |_| broken_client::<flow_control::StoppedReader>(Bug::NeverFull),
                "writes are taken without a bound",
            ),
            mutant(
                "loses-what-does-not-fit",
                "tcp/flow-control",
                |_| broken_client::<flow_control::StoppedReader>(Bug::LosesWhatDoesNotFit),
                "what there is no room for is thrown away",
            ),
            mutant(
                "never-resumes",
                "tcp/flow-control",
                |_| broken_client::<flow_control::StoppedReader>(Bug::NeverResumes),
                "a writer that had to wait waits forever",
            ),
        ],
    )
    .searched(Search::of(0, 32)),
    study(
        "tcp-buffers",
        "A client writes to two sockets without a reader, one with a small and one with a large receive \
         buffer.",
        |testbed| {
            if testbed.is_live() {
                scenario::<flow_control::Buffers<true>>(testbed)
            } else {
                scenario::<flow_control::Buffers>(testbed)
            }
        },
        &[CheckSpec::of_calls("tcp/window-is-the-buffer", flow_control::window_is_the_buffer)],
        &[mutant(
            "ignores-buffers",
            "tcp/window-is-the-buffer",
            |_| broken_server::<flow_control::Buffers>(Bug::IgnoresBuffers),
            "SO_RCVBUF is taken and does nothing",
        )],
    ),
    study(
        "tcp-half-close",
        "A client asks and closes its direction; the server answers once it has seen the end.",
        scenario::<closing::HalfClose>,
        &[CheckSpec::of_calls("tcp/half-close", closing::half_close)],
        &[
            mutant(
                "shuts-both",
                "tcp/half-close",
                |_| broken_client::<closing::HalfClose>(Bug::ShutsBoth),
                "closing one direction closes the other",
            ),
            mutant(
                "keeps-the-end",
                "tcp/half-close",
                |_| broken_client::<closing::HalfClose>(Bug::KeepsTheEnd),
                "the end of the stream is not passed on",
            ),
        ],
    )
    .searched(Search::of(1, 256)),
    study(
        "tcp-close",
        "A client writes and closes while the server has read nothing.",
        scenario::<closing::Flush>,
        &[CheckSpec::of_calls("tcp/close-flushes", closing::close_flushes)],
        &[mutant(
            "forgets-at-close",
            "tcp/close-flushes",
            |testbed| {
                // turmoil has no linger.
                broken_client::<closing::Flush>(match testbed.has(Capability::Options) {
                    true => Bug::ClosesAbruptly,
                    false => Bug::ForgetsAtClose,
                })
            },
            "a close throws away what is queued (linger 0)",
        )],
    )
    .searched(Search::of(1, 64)),
    study(
        "tcp-late-send",
        "A client sends to a server that has closed.",
        scenario::<closing::LateSend>,
        &[CheckSpec::of_calls(
            "tcp/first-send-after-close-succeeds",
            closing::first_send_after_close_succeeds,
        )],
        &[],
    ),
    study(
        "tcp-reset",
        "A server aborts connections, with linger 0 and by leaving data unread, while its client still uses \
         them.",
        scenario::<reset::Aborted>,
        &[CheckSpec::of_calls("tcp/reset", reset::reset)],
        &[mutant(
            "never-resets",
            "tcp/reset",
            |_| broken_server::<reset::Aborted>(Bug::NeverResets),
            "an aborted connection ends in good order",
        )],
    )
    .searched(Search::of(1, 64)),
    study(
        "tcp-backlog",
        "More clients connect at once than the server's backlog holds; later it accepts them all.",
        scenario::<backlog::Backlog>,
        &[CheckSpec::of_calls("tcp/backlog", backlog::backlog)],
        &[
            mutant(
                "never-tries-again",
                "tcp/backlog",
                |_| broken_client::<backlog::Backlog>(Bug::NeverTriesAgain),
                "a connect that has to wait fails",
            ),
            mutant(
                "drops-an-accepted",
                "tcp/backlog",
                |_| broken_server::<backlog::Backlog>(Bug::DropsAnAccepted),
                "one connection that was accepted is thrown away",
            ),
        ],
    )
    .searched(Search::of(1, 64))
    .needing(&[Capability::Streams, Capability::Backlog]),
    study(
        "tcp-many-clients",
        "Clients on several hosts talk at once to a server that sends back what each sent.",
        many_clients::scenario,
        &[CheckSpec::of_calls("tcp/many-clients", many_clients::many_clients)],
        &[mutant(
            "crosses-streams",
            "tcp/many-clients",
            many_clients::crossed,
            "two connections get each other's answers",
        )],
    )
    .searched(Search::of(0, 64)),
];
