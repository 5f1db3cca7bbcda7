//! The named link profiles and the published figures behind them.
//!
//! All delays are whole milliseconds: turmoil quantises latency to its tick of 1 ms and has at least one tick, so
//! what runs on a named profile runs alike there and on the virtual clock.

use super::{LinkNumbers, Profile};

impl Profile {
    /// The numbers behind the name: one round figure each out of what is published for links that differ widely.
    ///
    /// | | one way | MTU | rate |
    /// |---|---|---|---|
    /// | `pan` | 13 ms | 1500 bytes | 2.178 Mbit/s |
    /// | `lan` | 1 ms | 1500 bytes | no limit |
    /// | `man` | 5 ms | 1500 bytes | 100 Mbit/s |
    /// | `wan` | 50 ms | 1500 bytes | 10 Mbit/s |
    pub const fn numbers(self) -> LinkNumbers {
        match self {
            // Bluetooth BR/EDR (Core Specification, volume 2). The rate is the highest that a link has for data one
            // way: 2178.1 kbit/s with 3-DH5 packets (part B, table of ACL packets). The delay is the mean wait to be
            // polled, half of T_poll's default of 40 slots of 625 us, in whole milliseconds. PAN's BNEP carries
            // Ethernet frames of 1500 bytes.
            Profile::Pan => LinkNumbers { delay_us: 13_000, mtu: 1500, rate_kbps: Some(2_178) },
            // Ethernet: 1500 bytes of payload in a basic frame (IEEE 802.3; RFC 894). Its own delay is far below a
            // millisecond (a full frame takes 12 us at 1 Gbit/s); the millisecond is turmoil's tick, the least that
            // both simulations can do. It has no rate, so that what tests show on this default is never queueing.
            Profile::Lan => LinkNumbers { delay_us: 1_000, mtu: 1500, rate_kbps: None },
            // Metro Ethernet: MEF 23.1, performance tier 1 (metro, up to 250 km), allows the highest class of service
            // a one-way frame delay of 10 ms; here half of it. 100 Mbit/s is Fast Ethernet at the customer's end.
            Profile::Man => LinkNumbers { delay_us: 5_000, mtu: 1500, rate_kbps: Some(100_000) },
            // Between continents: fibre delays by 5 us a kilometre (ITU-T G.114, annex A), so 50 ms are 10 000 km,
            // well within the 150 ms one way that the same recommendation finds good enough for talk. The rate is
            // that of the Ethernet access lines such paths were long sold with (IEEE 802.3, 10BASE-T).
            Profile::Wan => LinkNumbers { delay_us: 50_000, mtu: 1500, rate_kbps: Some(10_000) },
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
            let LinkNumbers { delay_us, mtu, rate_kbps } = profile.numbers();
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
