//! How much later a packet arrives, in whole numbers: a float's last bit differs between machines.

use super::super::bounds;
use super::Share;
use super::chain::Dice;

/// How much later packets arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Delay {
    /// The mean, in microseconds.
    pub mean_us: u64,
    /// In microseconds: the standard deviation, or for [`Distribution::Uniform`] the most that a delay is
    /// above or below the mean. A negative delay counts as zero.
    pub jitter_us: u64,
    /// With this probability the delay is that of the packet before.
    pub correlation: Share,
    /// How the delays are spread.
    pub distribution: Distribution,
}

/// How delays are spread around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// Each delay up to the jitter above or below is as likely.
    #[default]
    Uniform,
    /// The bell curve, up to four deviations above and below.
    Normal,
    /// Many short delays and few long ones, up to four times the jitter above the mean: its shape is 3.
    Pareto,
    /// A quarter of a normal and three quarters of a Pareto distributed number.
    ParetoNormal,
}

impl Distribution {
    /// All there are.
    pub const ALL: [Distribution; 4] =
        [Distribution::Uniform, Distribution::Normal, Distribution::Pareto, Distribution::ParetoNormal];

    /// netem's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
            Distribution::Pareto => "pareto",
            Distribution::ParetoNormal => "paretonormal",
        }
    }
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One deviation, in the steps that deviations are counted in: those of netem's tables.
const ONE: i64 = 8_192;
/// The most that netem's tables have.
const MOST: i64 = 4 * ONE - 1;

impl Delay {
    /// The delay of a packet.
    pub(super) fn drawn_us(&self, dice: &Dice) -> u64 {
        let steps = || match self.distribution {
            Distribution::Uniform => scaled(dice.roll("delay"), 2 * ONE) - ONE,
            Distribution::Normal => normal(dice),
            Distribution::Pareto => pareto(dice),
            Distribution::ParetoNormal => (normal(dice) + 3 * pareto(dice)).div_euclid(4),
        };
        if self.jitter_us == 0 { self.at(0) } else { self.at(steps()) }
    }

    /// The least delay of any packet.
    pub(super) fn least_us(&self) -> u64 {
        let [normal, pareto] = [-MOST, pareto_of(1 << 16)];
        self.at(match self.distribution {
            Distribution::Uniform => -ONE,
            Distribution::Normal => normal,
            Distribution::Pareto => pareto,
            Distribution::ParetoNormal => (normal + 3 * pareto).div_euclid(4),
        })
    }

    /// The delay that is `steps` steps of a deviation above the mean.
    fn at(&self, steps: i64) -> u64 {
        let above = (i128::from(self.jitter_us) * i128::from(steps)).div_euclid(i128::from(ONE));
        let most = i128::from(*bounds::DELAY_US.end());
        let delay = (i128::from(self.mean_us) + above).clamp(0, most);
        u64::try_from(delay).unwrap_or(0)
    }
}

/// A number of all 64 bits, as one from 0 to below `end`.
fn scaled(drawn: u64, end: i64) -> i64 {
    ((u128::from(drawn) * u128::from(end.unsigned_abs())) >> 64) as i64
}

/// A normally distributed number: the sum of twelve uniform ones has the deviation 1.
fn normal(dice: &Dice) -> i64 {
    let twelve = ["normal 1", "normal 2", "normal 3"].map(|what| dice.roll(what).to_le_bytes());
    let parts = twelve.iter().flat_map(|eight| eight.chunks_exact(2));
    let sum: i64 = parts.map(|two| i64::from(two[0]) | i64::from(two[1]) << 8).sum();
    let above = sum - 6 * 65_535;
    above.div_euclid(65_536 / ONE).clamp(-MOST, MOST)
}

fn pareto(dice: &Dice) -> i64 {
    pareto_of((dice.roll("pareto") >> 48) + 1)
}

/// The number at a place from 1 to 65 536 of the Pareto distribution of shape 3, with the mean 0:
/// (1 / sqrt3(place / 65 536) - 1.5) * 4/3, as in netem's table.
fn pareto_of(place: u64) -> i64 {
    let root = cube_root((1 << 55) / place.max(1));
    ((root - 3 * ONE / 2) * 4).div_euclid(3).min(MOST)
}

/// The largest number whose cube is not above `of`, which is at most 2^55.
fn cube_root(of: u64) -> i64 {
    let (mut root, mut bit) = (0_u64, 1_u64 << 18);
    while bit > 0 {
        if (root | bit).pow(3) <= of {
            root |= bit;
        }
        bit >>= 1;
    }
    root as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_are_exact() {
        for (of, root) in
            [(0, 0), (1, 1), (7, 1), (8, 2), (26, 2), (27, 3), (1 << 39, 8_192), (1 << 55, 330_280)]
        {
            assert_eq!(cube_root(of), root, "{of}");
            assert!((root + 1).pow(3) as u64 > of);
        }
    }

    #[test]
    fn the_ends_of_the_pareto_distribution_are_netems() {
        assert_eq!(pareto_of(65_536), -5_462);
        assert_eq!(pareto_of(1), MOST);
    }
}
