//! What allows a figure of Linux and one of faultwire to differ: the RFC's sentence in our words, and its
//! condition.
//!
//! A sentence that allowed everything would explain nothing: each condition holds both values to what the
//! sentence says.

use super::figure::{Measured, Sentence};
use super::value::{Value, is_ratio};

/// The times of both.
fn seconds(one: &Measured, two: &Measured) -> Option<[f64; 2]> {
    match (&one.value, &two.value) {
        (Value::Seconds(one), Value::Seconds(two)) => Some([*one, *two]),
        _ => None,
    }
}

/// The numbers of both.
fn counts(one: &Measured, two: &Measured) -> Option<[u64; 2]> {
    match (&one.value, &two.value) {
        (Value::Count(one), Value::Count(two)) => Some([*one, *two]),
        _ => None,
    }
}

/// The ratios of both.
fn ratios<'a>(one: &'a Measured, two: &'a Measured) -> Option<[&'a [f64]; 2]> {
    match (&one.value, &two.value) {
        (Value::Ratios(one), Value::Ratios(two)) => Some([one, two]),
        _ => None,
    }
}

fn both<T>(values: Option<[T; 2]>, holds: impl Fn(T) -> bool) -> bool {
    values.is_some_and(|values| values.into_iter().all(holds))
}

fn doubles(ratios: &[f64]) -> bool {
    ratios.iter().all(|ratio| is_ratio(*ratio, 2.0))
}

/// Equal waits, of which the last ones may double.
fn repeats_then_doubles(ratios: &[f64]) -> bool {
    let equal = ratios.iter().take_while(|ratio| is_ratio(**ratio, 1.0)).count();
    equal > 0 && doubles(&ratios[equal..])
}

/// A timer is late where a machine is busy, and never early: this much of a second counts as the whole.
const WHOLE_SECOND: f64 = 0.95;

pub(super) const INITIAL_RTO: Sentence = Sentence {
    source: "RFC 6298, section 2.1",
    says: "before a round trip was measured the timeout should be 1 s, and may be anything longer",
    allows: |linux, faultwire| both(seconds(linux, faultwire), |wait| wait >= WHOLE_SECOND),
};

pub(super) const MINIMUM_RTO: Sentence = Sentence {
    source: "RFC 6298, section 2.4",
    says: "a timeout below 1 s should be rounded up to it: a recommendation, made with the remark that \
           smaller ones may turn out to do as well",
    // On links of a millisecond: neither may be so short that a delayed acknowledgement would be taken for a
    // loss.
    allows: |linux, faultwire| both(seconds(linux, faultwire), |wait| (0.04..=1.3).contains(&wait)),
};

pub(super) const LINEAR_SYN: Sentence = Sentence {
    source: "RFC 6298, section 5",
    says: "no segment may be repeated earlier than one timeout after its last transmission. That holds for \
           both. The doubling of step 5.5 is part of an algorithm that as a whole is recommended: the kernel \
           leaves it out for its first repeats of a SYN (tcp_syn_linear_timeouts), and doubles after that",
    allows: |linux, faultwire| {
        ratios(linux, faultwire).is_some_and(|[linux, faultwire]| {
            repeats_then_doubles(linux) && doubles(faultwire) && !faultwire.is_empty()
        })
    },
};

pub(super) const LOSS_PROBE: Sentence = Sentence {
    source: "RFC 8985, section 7.3",
    says: "where SACK is agreed on, a sender may probe for the loss of the tail of a flight; the probe comes \
           before the timeout, which runs afresh after it: so the second wait is as long as the first",
    allows: |linux, faultwire| {
        linux.agreed.sack
            && ratios(linux, faultwire).is_some_and(|[linux, faultwire]| {
                doubles(faultwire)
                    && linux.split_first().is_some_and(|(first, rest)| *first < 2.0 && doubles(rest))
            })
    },
};

pub(super) const RACK: Sentence = Sentence {
    source: "RFC 8985, sections 3 and 6.2",
    says: "where SACK is agreed on, a sender may tell losses by time, a part of a round trip after a later \
           segment was acknowledged, in place of three duplicates",
    allows: |linux, faultwire| {
        linux.agreed.sack
            && !faultwire.agreed.sack
            && counts(linux, faultwire)
                .is_some_and(|[linux, faultwire]| (1..3).contains(&linux) && faultwire == 3)
    },
};

pub(super) const INITIAL_WINDOW: Sentence = Sentence {
    source: "RFC 6928, section 2",
    says: "the initial window may be ten segments, or fewer",
    allows: |linux, faultwire| both(counts(linux, faultwire), |segments| (1..=10).contains(&segments)),
};

pub(super) const OPTIONS_TAKE_ROOM: Sentence = Sentence {
    source: "RFC 9293, section 3.7.1",
    says: "a segment's data is as much smaller as the options take that the two have agreed on: twelve bytes \
           for timestamps",
    allows: |linux, faultwire| {
        let room = |side: &Measured| {
            side.agreed.mss.map(|mss| u64::from(mss) - if side.agreed.timestamps { 12 } else { 0 })
        };
        counts(linux, faultwire)
            .is_some_and(|[one, two]| room(linux) == Some(one) && room(faultwire) == Some(two))
    },
};

pub(super) const DELAYED_ACK: Sentence = Sentence {
    source: "RFC 9293, section 3.8.6.3",
    says: "an acknowledgement should wait for company, but must not wait for as long as half a second",
    allows: |linux, faultwire| both(seconds(linux, faultwire), |wait| wait < 0.5),
};

pub(super) const EVERY_SECOND_SEGMENT: Sentence = Sentence {
    source: "RFC 9293, section 3.8.6.3",
    says: "of full-sized segments at least every second one should be acknowledged, and each one may be",
    allows: |linux, faultwire| both(counts(linux, faultwire), |segments| (1..=2).contains(&segments)),
};

pub(super) const PROBE_IS_A_SEGMENT: Sentence = Sentence {
    source: "RFC 9293, section 3.8.6.1",
    says: "a closed window is probed with at least one byte of new data, or by sending again: the kernel's \
           probe has the number of the last byte that was acknowledged, and no data",
    allows: |linux, faultwire| {
        counts(linux, faultwire).is_some_and(|[linux, faultwire]| linux == 0 && faultwire == 1)
    },
};

pub(super) const WINDOW_STEPS: Sentence = Sentence {
    source: "RFC 9293, section 3.8.6.2.2",
    says: "a closed window opens once there is room for a segment, or for half of the buffer if that is \
           less; how much is offered then is left to the receiver",
    allows: |linux, faultwire| {
        let least = |side: &Measured| side.agreed.mss.map_or(u64::MAX, |mss| u64::from(mss).min(8_000) - 12);
        counts(linux, faultwire).is_some_and(|[one, two]| one >= least(linux) && two >= least(faultwire))
    },
};

pub(super) const QUOTE_V4: Sentence = Sentence {
    source: "RFC 1122, section 3.2.2",
    says: "an ICMP error quotes the IP header and the first eight bytes behind it, and may quote more",
    allows: |linux, faultwire| both(counts(linux, faultwire), |bytes| (28..=1_472).contains(&bytes)),
};

pub(super) const QUOTE_V6: Sentence = Sentence {
    source: "RFC 4443, section 2.4",
    says: "an ICMPv6 error quotes as much as fits without its exceeding 1 280 bytes",
    allows: |linux, faultwire| both(counts(linux, faultwire), |bytes| (48..=1_232).contains(&bytes)),
};

pub(super) const OPTIONAL_OPTIONS: Sentence = Sentence {
    source: "RFC 7323, sections 2.2 and 3.2; RFC 2018, section 2",
    says: "a SYN may offer window scaling, timestamps and SACK, and need not: only the maximum segment size \
           is for everybody",
    allows: |linux, faultwire| {
        let mss = |side: &Measured| match &side.value {
            Value::Text(text) => {
                text.split(", ").next().filter(|first| first.starts_with("mss ")).map(str::to_owned)
            }
            _ => None,
        };
        mss(linux).is_some() && mss(linux) == mss(faultwire)
    },
};

#[cfg(test)]
mod tests {
    use super::super::seen::Offers;
    use super::*;

    fn plain(value: Value) -> Measured {
        Measured { value, agreed: Offers { mss: Some(1460), ..Offers::default() } }
    }

    fn with_sack(value: Value) -> Measured {
        let agreed = Offers { mss: Some(1460), sack: true, timestamps: true, ..Offers::default() };
        Measured { value, agreed }
    }

    fn ratios_of(all: &[f64]) -> Value {
        Value::Ratios(all.into())
    }

    #[test]
    fn a_timeout_may_be_short_but_not_long() {
        let allows =
            |one, two| (MINIMUM_RTO.allows)(&plain(Value::Seconds(one)), &plain(Value::Seconds(two)));
        assert!(allows(0.1, 0.2) && allows(0.2, 1.0));
        assert!(!allows(0.2, 2.0) && !allows(0.001, 0.2));
    }

    #[test]
    fn linear_retransmissions_of_faultwire_are_not_allowed() {
        let allows = |linux: &[f64], faultwire: &[f64]| {
            (LINEAR_SYN.allows)(&plain(ratios_of(linux)), &plain(ratios_of(faultwire)))
        };
        assert!(allows(&[1.0, 1.0, 1.0, 1.0, 2.0], &[2.0, 2.0]));
        assert!(!allows(&[1.0, 1.0, 1.0, 1.0, 2.0], &[1.0, 1.0]));
        assert!(!allows(&[0.5, 1.0], &[2.0, 2.0]) && !allows(&[1.0, 2.0, 1.0], &[2.0, 2.0]));
    }

    #[test]
    fn what_takes_sack_is_not_allowed_without() {
        let (linux, faultwire) = (ratios_of(&[1.0, 2.1, 1.9]), plain(ratios_of(&[2.0, 2.0, 2.0])));
        assert!((LOSS_PROBE.allows)(&with_sack(linux.clone()), &faultwire));
        assert!(!(LOSS_PROBE.allows)(&plain(linux.clone()), &faultwire));
        assert!(!(LOSS_PROBE.allows)(&with_sack(linux.clone()), &plain(linux)));

        let three = plain(Value::Count(3));
        assert!((RACK.allows)(&with_sack(Value::Count(1)), &three));
        assert!(!(RACK.allows)(&plain(Value::Count(2)), &three));
        assert!(!(RACK.allows)(&with_sack(Value::Count(1)), &plain(Value::Count(2))));
    }

    #[test]
    fn options_explain_their_own_length_only() {
        let allows = |linux, faultwire| {
            (OPTIONS_TAKE_ROOM.allows)(&with_sack(Value::Count(linux)), &plain(Value::Count(faultwire)))
        };
        assert!(allows(1448, 1460) && !allows(1440, 1460) && !allows(1448, 1400));
    }
}
