//! The studies of *Datagram sockets*: what UDP promises and what it does not.
//!
//! `scenarios` says what the hosts do, `programs` is what they have in common; `datagrams` reads a run back
//! into sends, receives and packets; the checks stand by subject: `transit` (loss, order, repetition),
//! `content` (boundaries, length, damage), `refusal` (errors, filters), `limits` (size, fragments, buffers),
//! `crowd` (many peers, broadcast, groups).

mod connected;
mod content;
mod datagrams;
mod delivery;
mod limits;
mod many_peers;
mod programs;
mod scenarios;
#[cfg(test)]
mod tests;

use faultwire::fault::{Action, Class, FaultPlan, Packet};
use faultwire_sim::Scenario;
use faultwire_sim::testbed::Capability;

use self::scenarios::{FULL_ROOM, ROOM, SHORT_ROOM, TWO_BITS};
use crate::study::{CheckSpec, Search, Study, no_further_plans};

const NEVER_REPEATS: CheckSpec =
    CheckSpec::of_calls("udp/never-repeats", delivery::never_repeats).under_faults();
const NO_CONNECTION: CheckSpec = CheckSpec::of_calls("udp/no-connection", delivery::no_connection);
const LIGHTWEIGHT: CheckSpec = CheckSpec::of_packets("udp/lightweight", delivery::lightweight);
const LENGTH_AND_SENDER: CheckSpec = CheckSpec::of_calls("udp/length-and-sender", content::length_and_sender);
const NOTHING_ALTERED: CheckSpec =
    CheckSpec::of_packets("udp/nothing-altered", content::nothing_altered).under_faults();
const SENDER_NEVER_KNOWS: CheckSpec =
    CheckSpec::of_calls("udp/sender-never-knows", connected::sender_never_knows);
const ONE_FRAGMENT_LOST: CheckSpec =
    CheckSpec::of_packets("udp/one-fragment-lost", limits::one_fragment_lost).under_faults();
const SIZE_LIMIT: CheckSpec = CheckSpec::of_calls("udp/size-limit", limits::size_limit);

const fn boundaries<const ROOM: usize>() -> CheckSpec {
    CheckSpec::of_calls("udp/keeps-boundaries", content::keeps_boundaries::<ROOM>)
}

const NUMBERED: &[CheckSpec] = &[
    NO_CONNECTION,
    CheckSpec::of_calls("udp/may-lose", delivery::may_lose).under_faults(),
    CheckSpec::of_calls("udp/may-reorder", delivery::may_reorder).under_faults(),
    CheckSpec::of_calls("udp/may-duplicate", delivery::may_duplicate).under_faults(),
    NEVER_REPEATS,
    SENDER_NEVER_KNOWS.under_faults(),
    boundaries::<ROOM>(),
    LIGHTWEIGHT,
];

const LENGTHS: &[CheckSpec] = &[LENGTH_AND_SENDER, boundaries::<SHORT_ROOM>(), NOTHING_ALTERED, LIGHTWEIGHT];

const FRAGMENTS: &[CheckSpec] =
    &[ONE_FRAGMENT_LOST, boundaries::<FULL_ROOM>(), NEVER_REPEATS, NOTHING_ALTERED];

/// Every study of a udp/ claim.
pub fn studies() -> &'static [Study] {
    STUDIES
}

const STUDY: Study = Study {
    name: "",
    about: "",
    scenario: scenarios::numbered,
    checks: &[],
    needs: &[],
    search: Search::PLANS,
    plans: no_further_plans,
    mutants: &[],
};

const STUDIES: &[Study] = &[
    Study {
        name: "udp-numbered",
        about: "A client sends five numbered datagrams to a server that only listens.",
        scenario: scenarios::numbered,
        checks: NUMBERED,
        ..STUDY
    },
    Study {
        name: "udp-numbered-v6",
        about: "A client sends four numbered datagrams over IPv6 to a server that only listens.",
        scenario: scenarios::numbered_v6,
        checks: NUMBERED,
        needs: &[Capability::Ipv6],
        ..STUDY
    },
    Study {
        name: "udp-lengths",
        about: "Datagrams of no byte, of one, of as many as the receiver has room for, and of more.",
        scenario: scenarios::lengths,
        checks: LENGTHS,
        needs: &[Capability::Damage],
        ..STUDY
    },
    Study {
        name: "udp-lengths-v6",
        about: "The same over IPv6.",
        scenario: scenarios::lengths_v6,
        checks: LENGTHS,
        needs: &[Capability::Ipv6],
        ..STUDY
    },
    Study {
        name: "udp-two-bits",
        about: "Two datagrams, of which one has two bits flipped that cancel in the checksum.",
        scenario: scenarios::two_bits,
        checks: &[CheckSpec::of_calls("udp/checksum-can-miss", content::checksum_can_miss).under_faults()],
        search: Search::FAULT_FREE,
        plans: cancelling_bits,
        needs: &[Capability::Damage],
        ..STUDY
    },
    Study {
        name: "udp-ask",
        about: "A client asks twice, and again where no answer comes in time; the server answers whatever \
                comes.",
        scenario: scenarios::ask,
        checks: &[
            NEVER_REPEATS,
            SENDER_NEVER_KNOWS.under_faults(),
            boundaries::<ROOM>(),
            NO_CONNECTION,
            LIGHTWEIGHT,
        ],
        ..STUDY
    },
    Study {
        name: "udp-echo",
        about: "The echo programs: a connected client sends three messages, one after the other, to the echo \
                server.",
        scenario: scenarios::echo,
        checks: &[NEVER_REPEATS, boundaries::<FULL_ROOM>(), LIGHTWEIGHT],
        ..STUDY
    },
    Study {
        name: "udp-connected",
        about: "A client connects its socket to a server; a stranger sends to it, and to another socket of \
                the client.",
        scenario: scenarios::connected,
        checks: &[
            CheckSpec::of_calls("udp/connected-filters", connected::connected_filters),
            LENGTH_AND_SENDER,
            boundaries::<ROOM>(),
        ],
        needs: &[Capability::Addresses],
        ..STUDY
    },
    Study {
        name: "udp-closed-port",
        about: "A client sends to a closed port, from a connected socket and from one that is not.",
        scenario: scenarios::closed_port,
        checks: &[
            SENDER_NEVER_KNOWS,
            CheckSpec::of_calls("udp/refused-when-connected", connected::refused_when_connected),
            CheckSpec::of_packets("udp/nothing-altered", content::damaged_refusals).under_faults(),
            NEVER_REPEATS,
        ],
        needs: &[Capability::Icmp],
        ..STUDY
    },
    Study {
        name: "udp-fragments",
        about: "Two datagrams above the MTU: each goes in three fragments.",
        scenario: scenarios::fragments,
        checks: FRAGMENTS,
        needs: &[Capability::Fragments],
        ..STUDY
    },
    Study {
        name: "udp-fragments-v6",
        about: "The same over IPv6.",
        scenario: scenarios::fragments_v6,
        checks: FRAGMENTS,
        needs: &[Capability::Ipv6, Capability::Fragments],
        ..STUDY
    },
    Study {
        name: "udp-size-limit",
        about: "The longest datagram there can be over IPv4, and one byte more.",
        scenario: scenarios::size_limit,
        checks: &[SIZE_LIMIT, boundaries::<FULL_ROOM>()],
        search: Search::FAULT_FREE,
        needs: &[Capability::Fragments],
        ..STUDY
    },
    Study {
        name: "udp-size-limit-v6",
        about: "The longest datagram there can be over IPv6, and one byte more.",
        scenario: scenarios::size_limit_v6,
        checks: &[SIZE_LIMIT, boundaries::<FULL_ROOM>()],
        needs: &[Capability::Ipv6, Capability::Fragments],
        search: Search::FAULT_FREE,
        ..STUDY
    },
    Study {
        name: "udp-size-limit-jumbo",
        about: "The longest datagram over IPv4 in one packet, over a link whose MTU allows it.",
        scenario: scenarios::size_limit_jumbo,
        checks: &[SIZE_LIMIT],
        needs: &[Capability::Mtu],
        ..STUDY
    },
    Study {
        name: "udp-many-peers",
        about: "Three clients each send to one socket of the server, which answers each.",
        scenario: scenarios::many_peers,
        checks: &[
            CheckSpec::of_calls("udp/many-peers", many_peers::many_peers),
            LENGTH_AND_SENDER,
            boundaries::<ROOM>(),
            NEVER_REPEATS,
        ],
        needs: &[Capability::Addresses],
        ..STUDY
    },
    Study {
        name: "udp-broadcast",
        about: "A client sends to the broadcast address, before and after it set SO_BROADCAST; three hosts \
                listen.",
        scenario: scenarios::broadcast,
        checks: &[CheckSpec::of_calls("udp/broadcast-needs-asking", many_peers::broadcast_needs_asking)],
        needs: &[Capability::Group],
        ..STUDY
    },
    Study {
        name: "udp-multicast",
        about: "A client sends to a group twice: its host and another stay, one leaves, one never joins.",
        scenario: scenarios::multicast,
        checks: &[CheckSpec::of_calls("udp/multicast", many_peers::multicast)],
        needs: &[Capability::Group],
        ..STUDY
    },
    Study {
        name: "udp-multicast-v6",
        about: "The same over IPv6.",
        scenario: scenarios::multicast_v6,
        checks: &[CheckSpec::of_calls("udp/multicast", many_peers::multicast)],
        needs: &[Capability::Ipv6, Capability::Group],
        ..STUDY
    },
    Study {
        name: "udp-burst",
        about: "A client sends ten datagrams at once to a server with a small receive buffer that reads \
                late.",
        scenario: scenarios::burst,
        checks: &[CheckSpec::of_calls("udp/no-flow-control", limits::no_flow_control)],
        search: Search::FAULT_FREE,
        ..STUDY
    },
];

/// Plans of one fault that flips the same bit of two 16-bit words of a payload, where the one has it set and
/// the other has not: what the one adds to the sum the other takes away (RFC 1071).
fn cancelling_bits(_: &Scenario) -> Vec<FaultPlan> {
    /// IPv4's header and UDP's: where the payload begins, in bytes.
    const PAYLOAD: usize = 28;
    const PLANS: usize = 16;
    let mut plans = Vec::new();
    for (nth, len) in (1_u8..).zip(TWO_BITS) {
        let data = datagrams::payload("client", nth, *len);
        let word = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
        let words = (0..data.len()).step_by(2).filter_map(|at| Some((at, word(at)?)));
        for ((one_at, one), (two_at, two)) in words.clone().zip(words.skip(1)) {
            // The highest bit in which the words differ.
            let bit = (one ^ two).leading_zeros();
            if bit == u16::BITS || plans.len() == PLANS {
                continue;
            }
            let flipped = [one_at, two_at].map(|at| ((PAYLOAD + at) * 8) as u32 + bit);
            plans.push(FaultPlan::new().title("two flipped bits cancel in the checksum").fault(
                ["client", "server"],
                Packet::nth(Class::Datagram, u32::from(nth)),
                Action::CorruptBits(flipped.to_vec()),
            ));
        }
    }
    plans
}
