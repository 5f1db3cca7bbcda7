//! Impairments as users of netem write them, drawn by seed into an explicit plan.
//!
//! netem is the Linux kernel's network emulator: `tc qdisc add dev eth0 root netem loss 5% delay 100ms 20ms`
//! (tc-netem(8)). An [`Impairment`] says the same, and [`Impairment::plan`] rolls the dice once: the plan has
//! a fault for each packet that is hit, so that the run repeats and its failures shrink.

mod chain;
mod delay;
mod netem;
#[cfg(test)]
mod tests;

pub use self::delay::{Delay, Distribution};
pub use self::netem::NotAnImpairment;

use self::chain::Chain;
use super::bounds;
use super::{Class, Direction, Fault, FaultPlan, Link, LinkNumbers, Packet, Profile};

/// What netem does to packets: how often they are lost, damaged, duplicated, delayed and reordered.
///
/// Written as for `tc`: `"loss 5% 25% delay 100ms 20ms distribution normal".parse()`.
///
/// | Words | Meaning |
/// |---|---|
/// | `loss [random] 5% [25%]` | 5% of the packets are lost |
/// | `loss gemodel p [r [1-h [1-k]]]` | Gilbert-Elliott: from good to bad with p, back with r; 1-h and 1-k are the shares lost in the bad and in the good state |
/// | `loss state p13 [p31 [p32 [p23 [p14]]]]` | four states: 1 good, 2 good in a burst, 3 lost in a burst, 4 lost alone |
/// | `corrupt 0.1% [25%]` | one bit of 0.1% of the packets is flipped |
/// | `duplicate 1% [25%]` | 1% of the packets arrive twice |
/// | `delay 100ms [20ms [25%]]` | packets arrive later by the first time, give or take the second |
/// | `distribution normal` | how the delay is spread: `uniform` (the default), `normal`, `pareto` or `paretonormal` |
/// | `reorder 25% [50%] [gap 5]` | 25% of the packets (with a gap: only after 4 others) are sent at once while the others are delayed |
/// | `rate 1mbit` | the link's rate |
///
/// A second share, such as `25%` above, is the *correlation*: with this probability a decision is that of the
/// packet before. (netem mixes the two random numbers instead, which its manual warns of: then fewer packets
/// are lost than asked for. Here the share holds, and losses come in bursts.)
///
/// A packet has one fault at most. Where several are drawn for it, loss goes before damage, damage before
/// duplication, and duplication before delay.
///
/// # Examples
/// ```
/// use faultwire::fault::{Class, Draw, Impairment};
///
/// let impairment: Impairment = "loss gemodel 1% 25% delay 20ms 5ms".parse()?;
/// let plan = impairment.plan(&Draw::new(7, 1_000))?;
/// // The same plan for the same seed, whenever it is drawn; more packets only add faults.
/// let longer = impairment.plan(&Draw::new(7, 2_000))?;
/// assert!(longer.faults.starts_with(&plan.faults));
/// // Only some packets: those with data, one way.
/// let some = Draw::new(7, 1_000).only(["client", "server"]).class(Class::Data);
/// assert!(impairment.plan(&some)?.faults.iter().all(|fault| fault.packet.class == Class::Data));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Impairment {
    /// Which packets are lost.
    pub loss: Option<Loss>,
    /// Which packets are damaged: one bit behind the IP header, which every packet of its class has.
    pub corrupt: Option<Chance>,
    /// Which packets arrive twice.
    pub duplicate: Option<Chance>,
    /// How much later packets arrive.
    pub delay: Option<Delay>,
    /// Which packets are sent at once although there is a delay; without one it does nothing.
    pub reorder: Option<Reorder>,
    /// The link's rate, in kilobits per second.
    pub rate_kbps: Option<u64>,
}

/// A share of all packets, or a probability, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// All of them.
    pub const ALL: Share = Share(1_000_000);

    /// `millionths` of a million; more than a million count as all.
    pub const fn ppm(millionths: u32) -> Share {
        if millionths < Share::ALL.0 { Share(millionths) } else { Share::ALL }
    }

    /// `percent` of 100; more than 100 count as all.
    pub const fn percent(percent: u32) -> Share {
        Share::ppm(percent.saturating_mul(10_000))
    }

    /// It in millionths.
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// What is left of all.
    fn rest(self) -> Share {
        Share(Share::ALL.0 - self.0)
    }

    /// Whether a number that is drawn from all of 64 bits falls into it.
    fn takes(self, drawn: u64) -> bool {
        (u128::from(drawn) * u128::from(Share::ALL.0)) >> 64 < u128::from(self.0)
    }
}

/// How often something happens, and how much each decision depends on the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chance {
    /// How often.
    pub share: Share,
    /// With this probability the decision is that of the packet before.
    pub correlation: Share,
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// Each by itself, or depending on the one before.
    Random(Chance),
    /// As the link is in a good or in a bad state (Gilbert and Elliott); it begins in the good one.
    GilbertElliott {
        /// From good to bad, with each packet.
        p: Share,
        /// From bad to good, with each packet.
        r: Share,
        /// Lost in the bad state: 1-h.
        lost_in_bad: Share,
        /// Lost in the good state: 1-k.
        lost_in_good: Share,
    },
    /// As the link is in one of four states: 1 good, 2 good in a burst, 3 lost in a burst, 4 lost alone; it
    /// begins in the first.
    FourStates {
        /// From 1 to 3: a burst begins.
        p13: Share,
        /// From 3 to 1: a burst ends.
        p31: Share,
        /// From 3 to 2.
        p32: Share,
        /// From 2 to 3.
        p23: Share,
        /// From 1 to 4, and back with the next packet.
        p14: Share,
    },
}

/// Which packets are sent at once while the others are delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reorder {
    /// Which.
    pub chance: Chance,
    /// Only the packets from this one on, counted from the last that was sent at once; 1 is any.
    pub gap: u32,
}

/// What an [`Impairment`] is drawn for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Draw {
    /// The seed.
    pub seed: u64,
    /// How many packets of each class in each direction.
    pub packets: u32,
    /// Which ways.
    pub directions: Vec<Direction>,
    /// Packets of which classes. `data` names segments by their first transmission: retransmissions pass.
    /// [`Class::Any`] takes all packets, whatever others stand beside it.
    pub classes: Vec<Class>,
}

impl Draw {
    /// The first packets of any class, both ways between `client` and `server`.
    pub fn new(seed: u64, packets: u32) -> Self {
        let directions = vec![Direction::new("client", "server"), Direction::new("server", "client")];
        Draw { seed, packets, directions, classes: vec![Class::Any] }
    }

    /// Like `self`, but one way.
    #[must_use]
    pub fn only(self, direction: impl Into<Direction>) -> Self {
        Draw { directions: vec![direction.into()], ..self }
    }

    /// Like `self`, but packets of one class.
    #[must_use]
    pub fn class(self, class: Class) -> Self {
        Draw { classes: vec![class], ..self }
    }

    /// Whether it is for every packet of a link: what all have in common is then the link's.
    fn is_whole_link(&self) -> bool {
        let back = |way: &Direction| Direction::new(&*way.to, &*way.from);
        self.classes.contains(&Class::Any)
            && self.directions.iter().all(|way| self.directions.contains(&back(way)))
    }
}

/// Why there is no plan of an impairment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDrawn {
    /// More faults than a plan may have.
    #[error(
        "more than the {max} faults that a plan may have: draw for at most {packets} packets",
        max = bounds::FAULTS_MAX
    )]
    TooManyFaults {
        /// The faults of these first packets are not too many.
        packets: u32,
    },
    /// More packets than a plan can name.
    #[error("expected at most {max} packets, found {packets}", max = bounds::NTH.end())]
    TooManyPackets {
        /// How many were asked for.
        packets: u32,
    },
    /// A rate for some packets of a link.
    #[error("a rate is the whole link's: draw it for packets of class `any` and both ways")]
    RateOfSome,
}

impl Impairment {
    /// Draws a plan. It depends on the arguments alone, whatever the machine or the version of this crate,
    /// and the faults of the first packets do not depend on how many there are.
    ///
    /// The plan's link is a local network ([`Profile::Lan`]); a delay comes on top of that, as netem's
    /// does. Where all packets both ways are drawn for, without reordering, the delay that they have in
    /// common is the link's, and only what goes beyond it is a fault: a lost, damaged or duplicated packet
    /// has that part of the delay as well. In a lab and over a relay all delays are real ones.
    ///
    /// # Errors
    /// [`NotDrawn`].
    pub fn plan(&self, draw: &Draw) -> Result<FaultPlan, NotDrawn> {
        let whole = draw.is_whole_link();
        if u64::from(draw.packets) > *bounds::NTH.end() {
            return Err(NotDrawn::TooManyPackets { packets: draw.packets });
        }
        if self.rate_kbps.is_some() && !whole {
            return Err(NotDrawn::RateOfSome);
        }
        let common_us = match &self.delay {
            Some(delay) if whole && self.reorder.is_none() => delay.least_us(),
            _ => 0,
        };
        let any = [Class::Any];
        let classes = if draw.classes.contains(&Class::Any) { &any } else { &draw.classes[..] };
        let mut chains = Vec::new();
        for (index, direction) in draw.directions.iter().enumerate() {
            for (place, class) in classes.iter().enumerate() {
                // Twice the same would be two faults on a packet.
                if !draw.directions[..index].contains(direction) && !classes[..place].contains(class) {
                    chains.push((direction, *class, Chain::new(draw.seed, direction, *class)));
                }
            }
        }
        let mut faults = Vec::new();
        for nth in 1..=draw.packets {
            for (direction, class, chain) in &mut chains {
                let drawn = chain.next(self, common_us);
                faults.extend(
                    drawn.map(|action| Fault::new(direction.clone(), Packet::nth(*class, nth), action)),
                );
            }
            if faults.len() > bounds::FAULTS_MAX {
                return Err(NotDrawn::TooManyFaults { packets: nth - 1 });
            }
        }
        Ok(FaultPlan::new().title(self.title(draw, classes, whole)).link(self.link(common_us)).faults(faults))
    }

    fn link(&self, common_us: u64) -> Link {
        let lan = Profile::Lan.numbers();
        if common_us == 0 && self.rate_kbps.is_none() {
            return Profile::Lan.into();
        }
        let delay_us = (lan.delay_us + common_us).min(*bounds::LINK_DELAY_US.end());
        LinkNumbers { delay_us, rate_kbps: self.rate_kbps, ..lan }.into()
    }

    /// What the plan is drawn from.
    fn title(&self, draw: &Draw, classes: &[Class], whole: bool) -> String {
        let which = if whole {
            "packets each way".to_owned()
        } else {
            let classes: Vec<&str> = classes.iter().map(|class| class.name()).collect();
            let ways: Vec<String> = draw.directions.iter().map(Direction::to_string).collect();
            format!("packets of class {} on {}", classes.join(", "), ways.join(", "))
        };
        let title = format!("{self}: drawn for the first {} {which} with seed {}", draw.packets, draw.seed);
        title.chars().take(bounds::TITLE_CHARS_MAX).collect()
    }
}
