//! The named link profiles and their published figures.

use super::{LinkNumbers, Profile};

impl Profile {
    /// The numbers behind the name.
    pub const fn numbers(self) -> LinkNumbers {
        match self {
            Profile::Pan => LinkNumbers {
                delay_us: 10_000,
                mtu: 1500,
                rate_kbps: Some(1_000),
            },
            Profile::Lan => LinkNumbers {
                delay_us: 1_000,
                mtu: 1500,
                rate_kbps: None,
            },
            Profile::Man => LinkNumbers {
                delay_us: 5_000,
                mtu: 1500,
                rate_kbps: Some(100_000),
            },
            Profile::Wan => LinkNumbers {
                delay_us: 50_000,
                mtu: 1500,
                rate_kbps: Some(10_000),
            },
        }
    }
}
