//! Pinned settings of the kernel for a host of a lab, so that a result does not hang on how a machine was set
//! up.
//!
//! A new network namespace takes some settings from the machine and some from the kernel; which ones differs
//! between versions. A profile names all that matter, each with the reason.

mod pins;

use std::fmt;

use super::host::{HostConfig, Setting};

/// A set of settings that is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// Cases are short, and what is sent is as regular as the kernel lets it be: no SACK, timestamps, window
    /// scaling or loss probes, low limits of repeats.
    Fast,
    /// The defaults that the kernel's documentation names, whatever the machine has made of them.
    Stock,
}

/// One setting of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// Its name below `/proc/sys/net`, such as `ipv4/tcp_sack`.
    pub name: &'static str,
    /// Its value, as it is written there.
    pub value: &'static str,
    /// Why it is pinned so, in a line.
    pub why: &'static str,
    /// The claims that cannot be tried where the kernel does not take it.
    pub needed_by: &'static [&'static str],
}

impl Profile {
    /// Both.
    pub const ALL: [Profile; 2] = [Profile::Fast, Profile::Stock];

    /// Its name: `fast`, `stock`.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Fast => "fast",
            Profile::Stock => "stock",
        }
    }

    /// What it is, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Profile::Fast => "cases are short, and segments as regular as the kernel lets them be",
            Profile::Stock => "the defaults that the kernel's documentation names",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Its settings, in the order in which they are made.
    pub const fn pins(self) -> &'static [Pin] {
        match self {
            Profile::Fast => pins::FAST,
            Profile::Stock => pins::STOCK,
        }
    }

    /// The first of its settings that a claim needs and that the kernel did not take, as [`Lab::unset`]
    /// tells; `None` where the claim can be tried.
    ///
    /// [`Lab::unset`]: super::Lab::unset
    pub fn missing(self, claim: &str, unset: &[Setting]) -> Option<&'static Pin> {
        let is_unset = |pin: &Pin| unset.iter().any(|setting| setting.name == pin.name);
        self.pins().iter().find(|pin| pin.needed_by.contains(&claim) && is_unset(pin))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HostConfig {
    /// With the settings of a profile; a setting that is added later wins.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        profile.pins().iter().fold(self, |config, pin| config.with_setting(pin.name, pin.value))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn names_lead_back_to_profiles() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(profile.name()), Some(profile));
        }
        assert_eq!(Profile::named("Fast"), None);
    }

    /// So that what one profile pins is never left to the machine under the other one.
    #[test]
    fn both_profiles_pin_the_same_settings() {
        let names = |profile: Profile| {
            let mut names: Vec<_> = profile.pins().iter().map(|pin| pin.name).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        assert_eq!(names(Profile::Fast), names(Profile::Stock));
    }

    #[test]
    fn each_pin_has_a_reason_in_a_line() {
        for pin in Profile::ALL.into_iter().flat_map(Profile::pins) {
            assert!(!pin.why.is_empty() && pin.why.len() < 100 && !pin.why.contains('\n'), "{}", pin.name);
            assert!(!pin.value.is_empty(), "{}", pin.name);
        }
    }

    #[test]
    fn a_claim_misses_only_what_it_needs() {
        let absent = |name: &str| Setting { name: name.to_owned(), value: "no such file".to_owned() };
        let unset = [absent("ipv4/tcp_autocorking"), absent("ipv4/tcp_retries2")];
        let missing = Profile::Fast.missing("tcp/gives-up", &unset).map(|pin| pin.name);
        assert_eq!(missing, Some("ipv4/tcp_retries2"));
        assert_eq!(Profile::Fast.missing("tcp/gives-up", &unset[..1]), None);
        assert_eq!(Profile::Fast.missing("tcp/every-byte", &unset), None);
    }

    #[test]
    fn a_later_setting_wins() {
        let config = HostConfig::new(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)
            .with_profile(Profile::Fast)
            .with_setting("ipv4/tcp_sack", "1");
        let values: Vec<_> =
            config.settings.iter().filter(|s| s.name == "ipv4/tcp_sack").map(|s| s.value.as_str()).collect();
        assert_eq!(values, ["0", "1"]);
    }
}
