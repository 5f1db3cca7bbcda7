//! Known failures of subjects that are not ours.
//!
//! Each must still fail: one that holds is a failure of the run, so that the list cannot rot.

/// A claim that a subject is known not to meet on a testbed.
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
    }
}

/// A claim that turmoil 0.7.2's own sockets do not meet.
const fn turmoil(claim: &'static str, reason: &'static str) -> KnownFailure {
    KnownFailure { subject: "turmoil", testbed: "turmoil", claim, reason }
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
    use super::*;
    use crate::claim::Claim;

    #[test]
    fn known_failures_are_of_claims_that_exist_and_not_ours() {
        for it in KNOWN_FAILURES {
            assert!(Claim::of(it.claim).is_some(), "{}", it.claim);
            assert_ne!(it.subject, "ours", "{}: our own failures are bugs", it.claim);
            assert!(!it.reason.is_empty());
        }
    }
}
