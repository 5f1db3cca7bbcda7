//! The decisions for the packets of a class in a direction, one packet after the other.
//!
//! Each random number is a hash of the seed, the direction, the class, the packet's place and what is
//! decided. So no decision depends on how many packets there are, nor on whether another impairment was asked
//! for.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::super::{Action, Class, Direction};
use super::{Chance, Impairment, Loss, Share};

/// What the hash is keyed with beside the seed.
const KEY: u64 = 0x696d_7061_6972_6d74;

/// The random numbers for one packet.
#[derive(Debug)]
pub(super) struct Dice {
    hasher: SipHasher13,
}

impl Dice {
    /// A number of all 64 bits for what is decided.
    pub(super) fn roll(&self, what: &str) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(what.as_bytes());
        hasher.finish()
    }
}

/// A chain of decisions.
#[derive(Debug)]
pub(super) struct Chain {
    hasher: SipHasher13,
    class: Class,
    nth: u32,
    state: State,
    /// Packets since one was sent at once.
    delayed: u32,
    lost: Option<bool>,
    damaged: Option<bool>,
    duplicated: Option<bool>,
    at_once: Option<bool>,
    delay_us: Option<u64>,
}

/// The state of a link that loses packets in bursts.
#[derive(Clone, Copy, Debug)]
enum State {
    Good,
    GoodInBurst,
    LostInBurst,
    LostAlone,
}

impl Chain {
    pub(super) fn new(seed: u64, direction: &Direction, class: Class) -> Chain {
        let mut hasher = SipHasher13::new_with_keys(seed, KEY);
        // No name has a zero byte in it.
        for name in [&direction.from, &direction.to, class.name()] {
            hasher.write(name.as_bytes());
            hasher.write(&[0]);
        }
        let [lost, damaged, duplicated, at_once] = [None; 4];
        let state = State::Good;
        Chain { hasher, class, nth: 0, state, delayed: 0, lost, damaged, duplicated, at_once, delay_us: None }
    }

    /// What happens to the next packet; of its delay only what goes beyond `common_us`.
    pub(super) fn next(&mut self, impairment: &Impairment, common_us: u64) -> Option<Action> {
        self.nth += 1;
        let mut hasher = self.hasher;
        hasher.write(&self.nth.to_le_bytes());
        let dice = Dice { hasher };
        let Impairment { loss, corrupt, duplicate, delay, reorder, .. } = impairment;
        let lost = loss.is_some_and(|loss| self.is_lost(&loss, &dice));
        let damaged = corrupt.is_some_and(|chance| is_hit(&chance, &mut self.damaged, &dice, "corrupt"));
        let twice = duplicate.is_some_and(|chance| is_hit(&chance, &mut self.duplicated, &dice, "duplicate"));
        let delay_us = delay.map_or(0, |delay| {
            let fresh = delay.drawn_us(&dice);
            depending(&mut self.delay_us, delay.correlation.takes(dice.roll("delay again")), fresh)
        });
        let reorder = reorder.filter(|_| delay.is_some() && !lost);
        let at_once = reorder.is_some_and(|reorder| {
            let is_due = self.delayed >= reorder.gap.saturating_sub(1);
            let at_once = is_hit(&reorder.chance, &mut self.at_once, &dice, "reorder") && is_due;
            self.delayed = if at_once { 0 } else { self.delayed.saturating_add(1) };
            at_once
        });
        let beyond_us = if at_once { 0 } else { delay_us.saturating_sub(common_us) };
        match () {
            () if lost => Some(Action::Drop),
            () if damaged => Some(Action::CorruptBits(vec![bit(self.class, dice.roll("bit"))])),
            () if twice => Some(Action::Duplicate),
            () => (beyond_us > 0).then_some(Action::DelayUs(beyond_us)),
        }
    }

    fn is_lost(&mut self, loss: &Loss, dice: &Dice) -> bool {
        match *loss {
            Loss::Random(chance) => is_hit(&chance, &mut self.lost, dice, "loss"),
            Loss::GilbertElliott { p, r, lost_in_bad, lost_in_good } => {
                let (leaves, lost) = match self.state {
                    State::Good => (p, lost_in_good),
                    _ => (r, lost_in_bad),
                };
                if leaves.takes(dice.roll("state")) {
                    let is_good = matches!(self.state, State::Good);
                    self.state = if is_good { State::LostInBurst } else { State::Good };
                }
                lost.takes(dice.roll("loss"))
            }
            Loss::FourStates { p13, p31, p32, p23, p14 } => {
                let drawn = dice.roll("state");
                self.state = match self.state {
                    State::Good if p14.takes(drawn) => State::LostAlone,
                    State::Good if p14.and(p13).takes(drawn) => State::LostInBurst,
                    State::Good | State::LostAlone => State::Good,
                    State::GoodInBurst if p23.takes(drawn) => State::LostInBurst,
                    State::GoodInBurst => State::GoodInBurst,
                    State::LostInBurst if p32.takes(drawn) => State::GoodInBurst,
                    State::LostInBurst if p32.and(p31).takes(drawn) => State::Good,
                    State::LostInBurst => State::LostInBurst,
                };
                matches!(self.state, State::LostInBurst | State::LostAlone)
            }
        }
    }
}

impl Share {
    /// Both together.
    pub(super) fn and(self, other: Share) -> Share {
        Share::ppm(self.0 + other.0)
    }
}

/// The decision for a packet: that of the one before, or a new one.
fn depending<T: Copy>(last: &mut Option<T>, repeats: bool, fresh: T) -> T {
    let decided = last.filter(|_| repeats).unwrap_or(fresh);
    *last = Some(decided);
    decided
}

fn is_hit(chance: &Chance, last: &mut Option<bool>, dice: &Dice, what: &str) -> bool {
    let repeats = chance.correlation.takes(dice.roll(&format!("{what} again")));
    depending(last, repeats, chance.share.takes(dice.roll(what)))
}

/// A bit behind the IPv4 header that every packet of a class has. In IPv6 it lies in the addresses, which the
/// checksum of the transport covers.
fn bit(class: Class, drawn: u64) -> u32 {
    const HEADER_BITS: u32 = 160;
    let bytes = match class {
        Class::Syn | Class::Ack | Class::Fin | Class::Rst => 20,
        Class::Data => 21,
        Class::Datagram | Class::Icmp | Class::Any => 8,
        Class::Fragment => 1,
    };
    HEADER_BITS + (drawn % (bytes * 8)) as u32
}
