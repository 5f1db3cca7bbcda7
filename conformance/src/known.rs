//! Expected failures of subjects that are not ours.
//!
//! Each must still fail: if one holds, the run fails, so that the list cannot rot.

/// A claim that a subject is expected to break on a testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFailure {
    /// Whose TCP and UDP.
    pub subject: &'static str,
    /// Where.
    pub testbed: &'static str,
    /// The claim's id.
    pub claim: &'static str,
    /// Why it fails.
    pub reason: &'static str,
    /// The scenario, with its member, of the smallest run without faults in which it fails.
    pub case: Option<&'static str>,
}

/// The list.
pub const KNOWN_FAILURES: &[KnownFailure] = &[
    linux("kernel", "tcp/slow-start"),
    linux("kernel-ours", "tcp/slow-start"),
    turmoil(
        "udp/refused-when-connected",
        "turmoil has no ICMP: what finds no socket is dropped without a word (host.rs, Udp::receive_from_network)",
    ),
    turmoil(
        "udp/length-and-sender",
        "turmoil reports a datagram that was cut to the buffer with the length of what is left (net/udp.rs, \
         Rx::try_recv_from)",
    ),
    turmoil("udp/size-limit", "turmoil takes a datagram of any length (net/udp.rs, UdpSocket::send)"),
    turmoil(
        "tcp/connected-before-accept",
        "turmoil's connect waits for the peer's accept, which sends the SYN-ACK (net/tcp/listener.rs)",
    ),
    turmoil(
        "tcp/no-boundaries",
        "in turmoil a write is one segment and a read gives one segment at most: several writes are never read as \
         one (net/tcp/stream.rs)",
    ),
    KnownFailure {
        case: Some("tcp-writes/count=64"),
        ..turmoil(
            "tcp/close-flushes",
            "turmoil loses the end of a stream that arrives while 64 writes, its `tcp_capacity`, wait to be read: the end is put \
             aside, and only a later segment, which never comes, would bring it out (host.rs, StreamSocket::buffer)",
        )
    },
    turmoil(
        "tcp/reset",
        "in turmoil every read after a reset fails with ECONNRESET, not the first alone (net/tcp/stream.rs, \
         poll_read_priv)",
    ),
];

/// A claim that Linux does not meet as a sender of a lab, under the profile `fast`.
const fn linux(subject: &'static str, claim: &'static str) -> KnownFailure {
    KnownFailure {
        subject,
        testbed: "lab",
        claim,
        reason: "in slow start Linux lets its window grow by all that an acknowledgement covers, as RFC 3465 has it with no \
                 limit, not by one segment at most (RFC 5681, 3.1)",
        case: None,
    }
}

/// A claim that turmoil 0.7.2's own sockets do not meet.
const fn turmoil(claim: &'static str, reason: &'static str) -> KnownFailure {
    KnownFailure { subject: "turmoil", testbed: "turmoil", claim, reason, case: None }
}

/// The reason why a claim is known to fail there.
pub fn known(subject: &str, testbed: &str, claim: &str) -> Option<&'static str> {
    KNOWN_FAILURES
        .iter()
        .find(|it| (it.subject, it.testbed, it.claim) == (subject, testbed, claim))
        .map(|it| it.reason)
}

#[cfg(test)]
mod tests {
    use faultwire::fault::FaultPlan;
    use faultwire_sim::Testbed;

    use super::*;
    use crate::check::Verdict;
    use crate::claim::Claim;
    use crate::engine::{base_name, studies};

    #[test]
    fn known_failures_are_of_claims_that_exist_and_not_ours() {
        for it in KNOWN_FAILURES {
            assert!(Claim::of(it.claim).is_some(), "{}", it.claim);
            assert_ne!(it.subject, "ours", "{}: our own failures are bugs", it.claim);
            assert!(!it.reason.is_empty());
        }
    }

    /// The smallest case goes on failing, and the one below it does not.
    #[test]
    fn an_expected_failure_fails_in_its_smallest_case() {
        let mut cases = 0;
        for it in KNOWN_FAILURES {
            let Some(case) = it.case else { continue };
            let is_where =
                |testbed: &&Testbed| (testbed.name(), testbed.subject()) == (it.testbed, it.subject);
            let testbed = *Testbed::ALL.iter().find(is_where).expect("a testbed");
            let studies = studies();
            let study = studies.iter().find(|study| study.name == base_name(case)).expect("a study");
            let spec = study.checks.iter().find(|spec| spec.claim == it.claim).expect("a check");
            let verdict = |case: &str| {
                let plan = FaultPlan { scenario: Some(case.to_owned()), ..FaultPlan::default() };
                let run = (study.scenario)(testbed).on(testbed).run(&plan);
                assert!(run.end.is_finished(), "{case}: {:?}", run.end);
                (spec.check)(&run).verdict
            };
            assert!(matches!(verdict(case), Verdict::Broken(_)), "{case} on {testbed}");
            let (start, number) = case.rsplit_once('=').expect("a number");
            let below = number.parse::<u64>().expect("a number") - 1;
            assert_eq!(verdict(&format!("{start}={below}")), Verdict::Fine, "below {case} on {testbed}");
            cases += 1;
        }
        assert!(cases > 0);
    }
}
