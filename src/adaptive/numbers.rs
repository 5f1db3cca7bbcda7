//! Which packet numbers have arrived: ranges, a bounded number of them.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Ranges that are kept, and that an acknowledgement names at most.
pub(super) const RANGES_MAX: usize = 32;

/// Numbers that have arrived, as ranges from the latest down.
///
/// Only the latest are kept apart: where a new range has no place, the oldest is forgotten, and all below
/// what is kept counts as having arrived. What was in it and did not arrive is repeated by its sender under a
/// new number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    ranges: VecDeque<RangeInclusive<u64>>,
    /// All below counts as having arrived.
    forgotten: u64,
}

impl Numbers {
    /// Notes a number; whether it is a new one.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if number < self.forgotten {
            return false;
        }
        let place = self.ranges.iter().position(|range| *range.start() <= number);
        let at = place.unwrap_or(self.ranges.len());
        if self.ranges.get(at).is_some_and(|range| range.contains(&number)) {
            return false;
        }
        let joins_above = at > 0 && *self.ranges[at - 1].start() == number + 1;
        let joins_below = self.ranges.get(at).is_some_and(|range| *range.end() + 1 == number);
        match (joins_above, joins_below) {
            (true, true) => {
                self.ranges[at - 1] = *self.ranges[at].start()..=*self.ranges[at - 1].end();
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1] = number..=*self.ranges[at - 1].end(),
            (false, true) => self.ranges[at] = *self.ranges[at].start()..=number,
            (false, false) => self.ranges.insert(at, number..=number),
        }
        if self.ranges.len() > RANGES_MAX
            && let Some(oldest) = self.ranges.pop_back()
        {
            self.forgotten = *oldest.end() + 1;
        }
        true
    }

    /// The latest number.
    pub(super) fn latest(&self) -> Option<u64> {
        self.ranges.front().map(|range| *range.end())
    }

    /// The ranges, from the latest down.
    pub(super) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.ranges.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_noted_while_there_is_room(
            numbers in prop::collection::vec(0_u64..60, 0..60),
        ) {
            let (mut ranges, mut set) = (Numbers::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ranges.insert(number), set.insert(number));
                prop_assert_eq!(ranges.latest(), set.last().copied());
                let noted: BTreeSet<u64> = ranges.ranges().flatten().collect();
                prop_assert_eq!(&noted, &set);
                let starts: Vec<u64> = ranges.ranges().map(|range| *range.start()).collect();
                let ends: Vec<u64> = ranges.ranges().map(|range| *range.end()).collect();
                prop_assert!(ends.iter().skip(1).zip(&starts).all(|(end, start)| end + 1 < *start));
            }
        }

        #[test]
        fn it_is_bounded_and_takes_nothing_twice(numbers in prop::collection::vec(0_u64..1_000, 0..400)) {
            let (mut ranges, mut taken) = (Numbers::default(), BTreeSet::new());
            for number in numbers {
                if ranges.insert(number) {
                    prop_assert!(taken.insert(number));
                }
                prop_assert!(ranges.ranges().count() <= RANGES_MAX);
            }
        }
    }
}
