//! Random loss as a plan: drawn once, written down, and the same every time.

use faultwire::fault::{Action, Class, Fault, FaultPlan, LinkNumbers, Packet, bounds};
use faultwire_sim::seed::derive;

/// A plan that would have more faults than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} faults are more than the {max} that a plan may have", max = bounds::FAULTS_MAX)]
pub struct TooMany(pub usize);

/// A plan that loses `percent` of the first `packets` in each direction, each drawn by itself; of whatever
/// class, so that the same plan goes with TCP and with UDP. Each packet travels for `delay_us`.
///
/// # Errors
/// [`TooMany`] faults for a plan.
pub fn random_loss(percent: u64, packets: u64, seed: u64, delay_us: u64) -> Result<FaultPlan, TooMany> {
    let mut faults = Vec::new();
    for (from, to) in [("client", "server"), ("server", "client")] {
        let lost = (1..=packets).filter(|nth| derive(seed, &("loss", from, *nth)) % 100 < percent);
        faults.extend(
            lost.filter_map(|nth| u32::try_from(nth).ok())
                .map(|nth| Fault::new([from, to], Packet::nth(Class::Any, nth), Action::Drop)),
        );
    }
    if faults.len() > bounds::FAULTS_MAX {
        return Err(TooMany(faults.len()));
    }
    let title =
        format!("{percent} % of the first {packets} packets each way are lost, drawn with seed {seed}");
    Ok(FaultPlan::new()
        .title(title)
        .link(LinkNumbers { delay_us, mtu: 1500, host_mtu: None, rate_kbps: None })
        .faults(faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_so_many_are_lost_and_the_same_each_time() {
        let plan = random_loss(5, 10_000, 1, 1_000).unwrap();
        assert!((900..1_100).contains(&plan.faults.len()), "{}", plan.faults.len());
        assert_eq!(plan, random_loss(5, 10_000, 1, 1_000).unwrap());
        assert_ne!(plan.faults, random_loss(5, 10_000, 2, 1_000).unwrap().faults);
        assert!(random_loss(60, 10_000, 1, 0).is_err());
    }
}
