//! What went wrong in a lab beside the plan.

use super::hosts::Hosts;

/// What happened that no plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Packets that were lost.
    pub(super) lost: u64,
    /// All of it in words, a line for each kind.
    pub(super) warnings: Vec<String>,
}

impl Beside {
    /// Asks the forwarder and both hosts.
    pub(super) fn of(hosts: &Hosts) -> Beside {
        let mut beside = Beside::default();
        match hosts.forwarder.stats() {
            Err(error) => beside.warn(format!("a device does not tell what it had no room for: {error}")),
            Ok(stats) => {
                for (count, what) in [
                    (stats.not_handed_on, "packets were not taken by a host: lost outside of the plan"),
                    (stats.unread, "packets of a host came too fast: lost outside of the plan"),
                    (
                        stats.receive_errors,
                        "times a host's device gave no packet: perhaps lost outside of the plan",
                    ),
                ] {
                    beside.lose(count, format!("{count} {what}"));
                }
                if stats.untraced > 0 {
                    let missing = stats.untraced;
                    beside.warn(format!("{missing} events are missing at the end of the trace: it is full"));
                }
            }
        }
        for (name, host) in hosts.all() {
            match host.counters() {
                Err(error) => beside.warn(format!("the {name} does not tell what was lost: {error}")),
                Ok(counters) => {
                    let lost = counters.lost();
                    let what =
                        format!("{lost} packets were lost in the {name}'s own device, outside of the plan");
                    beside.lose(lost, what);
                }
            }
        }
        beside
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    fn lose(&mut self, packets: u64, warning: String) {
        if packets > 0 {
            self.lost += packets;
            self.warn(warning);
        }
    }
}
