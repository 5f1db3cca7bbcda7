//! Sequence numbers (RFC 9293, section 3.4): arithmetic modulo 2^32.

use std::ops::{Add, AddAssign, Sub};

/// A sequence number. Comparisons are of numbers less than 2^31 apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    /// `self < other`.
    pub(crate) const fn before(self, other: Seq) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() < 0
    }

    /// `self > other`.
    pub(crate) const fn after(self, other: Seq) -> bool {
        other.before(self)
    }

    /// The later of two.
    pub(crate) const fn max(self, other: Seq) -> Seq {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two.
    pub(crate) const fn min(self, other: Seq) -> Seq {
        if other.before(self) { other } else { self }
    }

    /// How far `self` lies behind `other`; 0 if it lies before.
    pub(crate) const fn past(self, other: Seq) -> u32 {
        if self.before(other) { 0 } else { self.0.wrapping_sub(other.0) }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;

    fn add(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for Seq {
    fn add_assign(&mut self, n: u32) {
        *self = *self + n;
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;

    fn sub(self, n: u32) -> Seq {
        Seq(self.0.wrapping_sub(n))
    }
}

/// The distance from `other` on to `self`.
impl Sub<Seq> for Seq {
    type Output = u32;

    fn sub(self, other: Seq) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_holds_across_the_wrap(base: u32, step in 1_u32..1 << 31) {
            let (low, high) = (Seq(base), Seq(base) + step);
            prop_assert!(low.before(high) && high.after(low) && !high.before(low));
            prop_assert_eq!((low.max(high), low.min(high)), (high, low));
            prop_assert_eq!((high - low, high.past(low), low.past(high)), (step, step, 0));
        }
    }
}
