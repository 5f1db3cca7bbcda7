//! The named link profiles, and what their figures follow.
//!
//! They are round figures for links that differ widely, about what the standards named here make of such a
//! link; no standard prescribes them.
//!
//! All delays are whole milliseconds: turmoil quantises latency to its tick of 1 ms and has at least one
//! tick, so what runs on a named profile runs alike there and on the virtual clock.

use super::{LinkNumbers, Profile};

impl Profile {
    /// The numbers behind the name: one round figure each for links that differ widely.
    ///
    /// | | one way | MTU | rate |
    /// |---|---|---|---|
    /// | `pan` | 10 ms | 1500 bytes | 2 Mbit/s |
    /// | `lan` | 1 ms | 1500 bytes | no limit |
    /// | `man` | 5 ms | 1500 bytes | 100 Mbit/s |
    /// | `wan` | 50 ms | 1500 bytes | 10 Mbit/s |
    pub const fn numbers(self) -> LinkNumbers {
        match self {
            // In the manner of Bluetooth BR/EDR with its Enhanced Data Rate (Bluetooth Core Specification): 3
            // Mbit/s on the air, of which about 2 Mbit/s are data. It goes by slots of 625 us; the delay is
            // about 16 of them, for a device that waits to be polled. 1500 bytes, as BNEP carries Ethernet's
            // frames there.
            Profile::Pan => LinkNumbers { rate_kbps: Some(2_000), ..LinkNumbers::new(10_000, 1500) },
            // Ethernet: 1500 bytes of payload in a basic frame (IEEE 802.3; RFC 894). Its own delay is far
            // below a millisecond (a full frame takes 12 us at 1 Gbit/s); the millisecond is turmoil's tick,
            // the least that both simulations can do. It has no rate, so that what tests show on this default
            // is never queueing.
            Profile::Lan => LinkNumbers::new(1_000, 1500),
            // Metro Ethernet, within a few hundred kilometres: fibre delays by about 5 us a kilometre (ITU-T
            // G.114), which makes one or two milliseconds; the rest is for the switches on the way. 100
            // Mbit/s is Fast Ethernet (IEEE 802.3, 100BASE-TX) at the customer's end.
            Profile::Man => LinkNumbers { rate_kbps: Some(100_000), ..LinkNumbers::new(5_000, 1500) },
            // Between continents: at about 5 us a kilometre (ITU-T G.114) 50 ms are 10 000 km of fibre, well
            // within the 150 ms one way up to which the same recommendation finds most uses of speech
            // undisturbed. The rate is the first Ethernet's over twisted pairs (IEEE 802.3, 10BASE-T), as a
            // narrow access line.
            Profile::Wan => LinkNumbers { rate_kbps: Some(10_000), ..LinkNumbers::new(50_000, 1500) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Link;
    use super::*;

    #[test]
    fn profiles_are_within_a_plans_bounds_and_turmoils_ticks() {
        use super::super::bounds;
        for profile in Profile::ALL {
            let LinkNumbers { delay_us, mtu, rate_kbps, .. } = profile.numbers();
            assert!(delay_us >= 1_000 && delay_us.is_multiple_of(1_000), "{profile}");
            assert!(bounds::LINK_DELAY_US.contains(&delay_us), "{profile}");
            assert!(bounds::MTU.contains(&u64::from(mtu)), "{profile}");
            assert!(rate_kbps.is_none_or(|rate| bounds::RATE_KBPS.contains(&rate)), "{profile}");
        }
    }

    #[test]
    fn the_larger_the_network_the_longer_the_way() {
        let delay = |profile: Profile| profile.numbers().delay();
        assert!(delay(Profile::Lan) < delay(Profile::Man));
        assert!(delay(Profile::Man) < delay(Profile::Wan));
        assert_eq!(Link::default(), Link::Profile(Profile::Lan));
    }
}
