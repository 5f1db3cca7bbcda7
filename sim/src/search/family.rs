//! Families of runs without faults: what varies before any fault does.
//!
//! How a program's result depends on sizes, counts, readers, closings or the link's delay shows in runs
//! without faults.
//! A [`Family`] names what varies, each [`Member`] says one value for each, and a plan names its member
//! behind the scenario's
//! name: `upload/count=64/reader=slow`. So a member replays and shrinks like any plan.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link, LinkNumbers};

use super::Sample;

/// Members of a family that run by default.
const RUNS_MAX: u64 = 500;

/// What varies in a scenario's runs without faults, along axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    axes: Vec<Axis>,
    runs_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis {
    name: String,
    /// As text. The first is the ordinary one: members that do not name the axis have it.
    values: Vec<String>,
    /// For the axis of the link: the delay of each value but the first, in microseconds.
    delays_us: Vec<u64>,
}

/// The name of the axis of link delays, which stands in the plan's `[link]` and not in the member's words.
const LINK: &str = "link";

impl Default for Family {
    fn default() -> Self {
        Family { axes: Vec::new(), runs_max: RUNS_MAX }
    }
}

/// One member of a family: a value for each axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    family: &'a Family,
    /// For each axis, which of its values.
    choice: Vec<usize>,
}

impl Family {
    /// A family in which nothing varies yet.
    pub fn new() -> Family {
        Family::default()
    }

    /// An axis with its values; the first is the ordinary one.
    ///
    /// Names and values consist of letters, digits, `-`, `_` and `.`.
    #[must_use]
    pub fn axis<V: fmt::Display>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Family {
        let values = values.into_iter().map(|value| value.to_string()).collect();
        self.axes.push(Axis { name: name.to_owned(), values, delays_us: Vec::new() });
        self
    }

    /// Further one-way delays of the link, beside that of the base plan. A testbed that has no link ignores
    /// them.
    #[must_use]
    pub fn link_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Family {
        let micros = |delay: Duration| u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let delays_us: Vec<u64> = delays.into_iter().map(micros).collect();
        let values = std::iter::once("base".to_owned()).chain(delays_us.iter().map(u64::to_string)).collect();
        self.axes.push(Axis { name: LINK.to_owned(), values, delays_us });
        self
    }

    /// The most members that run; 500 by default. Where there are more, an even sample of them runs.
    #[must_use]
    pub fn runs_max(mut self, runs: u64) -> Family {
        self.runs_max = runs;
        self
    }

    /// Each boundary, one less and one more: for axes of sizes and counts. Ascending, from 1.
    pub fn around(boundaries: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let near = |at: u64| [at.saturating_sub(1), at, at.saturating_add(1)];
        let numbers: BTreeSet<u64> = boundaries.into_iter().flat_map(near).filter(|at| *at > 0).collect();
        numbers.into_iter().collect()
    }

    /// Why it cannot be swept, if it cannot.
    pub(crate) fn refusal(&self) -> Option<String> {
        let is_word = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.len() <= 32 && text.chars().all(plain)
        };
        for (index, Axis { name, values, .. }) in self.axes.iter().enumerate() {
            if !is_word(name) || self.axes[..index].iter().any(|other| other.name == *name) {
                return Some(format!("`{name}` is no name for an axis, or the name of two"));
            }
            let distinct: BTreeSet<&String> = values.iter().collect();
            if values.is_empty() || distinct.len() < values.len() || !values.iter().all(|it| is_word(it)) {
                return Some(format!("the axis `{name}` needs values, each a short word, none twice"));
            }
        }
        None
    }

    /// The member with the ordinary value on every axis.
    pub fn ordinary(&self) -> Member<'_> {
        Member { family: self, choice: vec![0; self.axes.len()] }
    }

    /// The member that `words` name, such as `count=64/reader=slow`; axes that are not named have their
    /// ordinary value.
    pub fn parse(&self, words: &str) -> Option<Member<'_>> {
        let mut choice = vec![None; self.axes.len()];
        for word in words.split('/') {
            let (name, value) = word.split_once('=')?;
            let axis = self.axes.iter().position(|axis| axis.name == name && axis.delays_us.is_empty())?;
            let which = self.axes[axis].values.iter().position(|it| it == value)?;
            if choice[axis].replace(which).is_some() {
                return None;
            }
        }
        let choice = choice.into_iter().map(Option::unwrap_or_default).collect();
        Some(Member { family: self, choice })
    }

    /// The member whose values `draw` decides, each from a different number.
    pub(crate) fn drawn(&self, draw: impl Fn(u64) -> u64) -> Member<'_> {
        let index = |(axis, of): (u64, &Axis)| match of.delays_us.len() {
            0 => (draw(axis) % of.values.len().max(1) as u64) as usize,
            _ => 0,
        };
        Member { family: self, choice: (0..).zip(&self.axes).map(index).collect() }
    }

    /// The members that run, the ordinary one left out, and how many there are: first those that differ from
    /// it along one axis,
    /// then those that differ along two.
    pub(crate) fn members(&self, has_link: bool, seed: u64) -> (Vec<Member<'_>>, u64) {
        let along = |axis: &Axis| match axis.delays_us.len() {
            0 => axis.values.len().saturating_sub(1) as u64,
            _ if has_link => axis.delays_us.len() as u64,
            _ => 0,
        };
        let lens: Vec<u64> = self.axes.iter().map(along).collect();
        let singles: Vec<Vec<usize>> = (0..lens.len()).map(|axis| vec![axis]).collect();
        let pairs: Vec<Vec<usize>> =
            (0..lens.len()).flat_map(|a| (a + 1..lens.len()).map(move |b| vec![a, b])).collect();
        let (mut members, mut of) = (Vec::new(), 0);
        for (level, blocks) in (1..).zip([singles, pairs]) {
            let size = |block: &Vec<usize>| block.iter().map(|axis| lens[*axis]).product::<u64>();
            let sizes: Vec<u64> = blocks.iter().map(size).collect();
            let left = self.runs_max.saturating_sub(members.len() as u64);
            for (place, (block, take)) in (0..).zip(blocks.iter().zip(shares(&sizes, left))) {
                let key = level * 1_000 + place;
                for number in Sample::new(seed, key, size(block), take) {
                    let mut choice = vec![0; lens.len()];
                    let mut rest = number;
                    for axis in block.iter().rev() {
                        choice[*axis] = 1 + (rest % lens[*axis]) as usize;
                        rest /= lens[*axis];
                    }
                    members.push(Member { family: self, choice });
                }
            }
            of += sizes.iter().sum::<u64>();
        }
        (members, of)
    }
}

/// How many of each block run, of `budget` in all: equal shares, and what a small block leaves goes to
/// larger ones.
fn shares(sizes: &[u64], budget: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|block| sizes[*block]);
    let (mut left, mut shares) = (budget, vec![0; sizes.len()]);
    for (place, block) in order.iter().enumerate() {
        shares[*block] = sizes[*block].min(left / (sizes.len() - place) as u64);
        left -= shares[*block];
    }
    shares
}

impl Member<'_> {
    /// The value of an axis, if there is such an axis and its value is a `T`.
    pub fn get<T: FromStr>(&self, axis: &str) -> Option<T> {
        let axes = self.family.axes.iter().zip(&self.choice);
        let (axis, which) = axes.into_iter().find(|(it, _)| it.name == axis)?;
        axis.values.get(*which)?.parse().ok()
    }

    /// The base plan as a plan of this member of a scenario.
    pub fn plan(&self, base: &FaultPlan, scenario: &str) -> FaultPlan {
        let words = self.to_string();
        let name = if words.is_empty() { scenario.to_owned() } else { format!("{scenario}/{words}") };
        let mut plan = FaultPlan { scenario: Some(name), ..base.clone() };
        for (axis, which) in self.family.axes.iter().zip(&self.choice) {
            if let Some(delay_us) = which.checked_sub(1).and_then(|which| axis.delays_us.get(which)) {
                let numbers = LinkNumbers { delay_us: *delay_us, delay_us_max: None, ..base.link.numbers() };
                plan.link = Link::Numbers(numbers);
            }
        }
        plan
    }

    /// The members with a value nearer to the ordinary one along one axis, the nearest first.
    pub(crate) fn simpler(&self) -> impl Iterator<Item = Self> {
        let lower = move |axis: usize| {
            (0..self.choice[axis]).map(move |which| {
                let mut choice = self.choice.clone();
                choice[axis] = which;
                Member { family: self.family, choice }
            })
        };
        (0..self.choice.len()).flat_map(lower)
    }
}

/// The values that are not the ordinary ones: `count=64/reader=slow`. Without the link's delay, which is the
/// plan's.
impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (axis, which) in self.family.axes.iter().zip(&self.choice) {
            if *which > 0 && axis.delays_us.is_empty() {
                write!(f, "{separator}{}={}", axis.name, axis.values[*which])?;
                separator = "/";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> Family {
        Family::new()
            .axis("count", 1..=5)
            .axis("reader", ["now", "slow", "stopped"])
            .link_delays([Duration::from_millis(50)])
    }

    fn names(family: &Family, has_link: bool) -> (Vec<String>, u64) {
        let (members, of) = family.members(has_link, 7);
        let base = FaultPlan::default();
        let name = |member: &Member<'_>| {
            let plan = member.plan(&base, "x");
            format!("{} {}", plan.scenario.unwrap_or_default(), plan.link.numbers().delay_us)
        };
        (members.iter().map(name).collect(), of)
    }

    #[test]
    fn single_axes_come_first_and_then_pairs_each_member_once() {
        let (all, of) = names(&family(), true);
        // 4 counts, 2 readers, 1 delay; 8, 4 and 2 pairs.
        assert_eq!((all.len(), of), (21, 21));
        assert_eq!(all[0], "x/count=2 1000");
        assert_eq!(all[6], "x 50000");
        assert!(all[7..].contains(&"x/count=5/reader=slow 1000".to_owned()), "{all:?}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 21);
        let (without_link, of) = names(&family(), false);
        assert_eq!((without_link.len(), of), (14, 14));
    }

    #[test]
    fn a_budget_is_shared_evenly() {
        assert_eq!(shares(&[200, 2, 50], 30), [14, 2, 14]);
        assert_eq!(shares(&[], 30), [0; 0]);
        for budget in 0..25 {
            let (some, of) = names(&family().runs_max(budget), true);
            assert_eq!((some.len() as u64, of), (budget.min(21), 21));
            assert_eq!(some.iter().collect::<BTreeSet<_>>().len(), some.len());
        }
    }

    #[test]
    fn a_member_is_what_its_words_say() {
        let family = family();
        let member = family.parse("reader=slow/count=4").expect("a member");
        assert_eq!(member.to_string(), "count=4/reader=slow");
        assert_eq!(
            (member.get::<u32>("count"), member.get::<String>("reader")),
            (Some(4), Some("slow".into()))
        );
        assert_eq!(family.parse("reader=slow").and_then(|it| it.get::<u32>("count")), Some(1));
        assert_eq!((member.get::<u32>("reader"), member.get::<u32>("size")), (None, None));
        for wrong in
            ["", "count", "count=", "count=6", "count=04", "size=1", "count=1/count=2", "link=50000", "/"]
        {
            assert_eq!(family.parse(wrong), None, "{wrong}");
        }
        let simpler: Vec<String> = member.simpler().map(|it| it.to_string()).collect();
        assert_eq!(simpler, ["reader=slow", "count=2/reader=slow", "count=3/reader=slow", "count=4"]);
    }

    #[test]
    fn a_family_that_cannot_be_named_is_refused() {
        assert_eq!(family().refusal(), None);
        for wrong in [
            Family::new().axis("a b", [1]),
            Family::new().axis("a", [1]).axis("a", [2]),
            Family::new().axis("a", [0; 0]),
            Family::new().axis("a", [1, 1]),
            Family::new().axis("a", ["x/y"]),
        ] {
            assert!(wrong.refusal().is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn a_boundary_has_neighbors() {
        assert_eq!(Family::around([1, 2, 8]), [1, 2, 3, 7, 8, 9]);
    }
}
