//! What `faultwire testbeds` says of the lab's profiles of kernel settings.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use faultwire::lab::{HostConfig, Lab, Profile, Setting};

use super::hosts::helper;
use faultwire_conformance::report::paragraph;

/// Writes what each profile is, and what is absent here; every setting with its reason, if asked for.
pub(super) fn tell(out: &mut String, settings: bool, width: usize) {
    for profile in Profile::ALL {
        let pins = profile.pins();
        let text = format!("profile {profile}: {} settings: {}", pins.len(), profile.about());
        paragraph(out, "    ", &text, width);
        match unset(profile) {
            Err(why) => paragraph(out, "      ", &format!("it cannot be tried: {why}"), width),
            Ok(unset) if unset.is_empty() => paragraph(out, "      ", "absent here: none", width),
            Ok(unset) => unset.iter().for_each(|setting| {
                paragraph(out, "      ", &format!("absent here: {}", absent(profile, setting)), width);
            }),
        }
        if settings {
            for pin in pins {
                paragraph(out, "      ", &format!("{} = {}: {}", pin.name, pin.value, pin.why), width);
            }
        }
    }
}

/// A setting that this kernel does not take, the error, and the claims that are skipped for it.
fn absent(profile: Profile, setting: &Setting) -> String {
    let pins = profile.pins().iter().filter(|pin| pin.name == setting.name);
    let claims: BTreeSet<&str> = pins.flat_map(|pin| pin.needed_by).copied().collect();
    let claims = Vec::from_iter(claims).join(", ");
    let skipped = if claims.is_empty() { String::new() } else { format!("; not tried without it: {claims}") };
    format!("{}: {}{skipped}", setting.name, setting.value)
}

/// The settings that a host of this machine does not take, each with its error; or why there is no host.
fn unset(profile: Profile) -> Result<Vec<Setting>, String> {
    let helper = helper().map_err(|error| error.to_string())?;
    let config = HostConfig::new(Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    let (lab, _hosts) =
        Lab::start(helper, &[config.with_profile(profile)], None).map_err(|error| error.to_string())?;
    Ok(lab.unset().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_conformance::claim::CLAIMS;

    #[test]
    fn settings_are_needed_by_claims_that_there_are() {
        for pin in Profile::ALL.into_iter().flat_map(Profile::pins) {
            for id in pin.needed_by {
                assert!(CLAIMS.iter().any(|claim| claim.id == *id), "{}: {id}", pin.name);
            }
        }
    }

    #[test]
    fn what_is_absent_is_said_with_what_is_skipped_for_it() {
        let setting = |name: &str| Setting { name: name.to_owned(), value: "no such file".to_owned() };
        assert_eq!(
            absent(Profile::Fast, &setting("ipv4/tcp_sack")),
            "ipv4/tcp_sack: no such file; not tried without it: tcp/backs-off-on-loss, tcp/fast-retransmit"
        );
        assert_eq!(absent(Profile::Fast, &setting("ipv4/tcp_ecn")), "ipv4/tcp_ecn: no such file");
    }
}
