//! The links of a plan file.

use std::collections::BTreeMap;

use super::super::{Link, LinkNumbers, PairLink, Profile};
use super::bounds;
use super::plan::{direction, tables, two_hosts};
use super::section::{Section, Value, Wrong, number, number16, word};

/// Reads `[link]`.
pub(super) fn link(value: &Value<'_>) -> Result<Link, Wrong> {
    const EXPECTED: &str = "`profile`, or the numbers `delay_us` and `mtu`";
    let section = Section::new(value, "a table `[link]`")?;
    section.only(&["profile", "delay_us", "delay_us_max", "mtu", "host_mtu", "rate_kbps"])?;
    if let Some(profile) = section.get("profile") {
        let profile = word(profile, &Profile::ALL)?;
        return match section.keys().find(|key| *key != "profile") {
            None => Ok(Link::Profile(profile)),
            Some(key) => {
                let found = format!("`profile` together with `{key}`");
                Err(Wrong::new(section.at(), found, "a profile or numbers, not both"))
            }
        };
    }
    if section.keys().next().is_none() {
        return Err(Wrong::new(section.at(), "an empty `[link]`", EXPECTED));
    }
    let mtu = section.need("mtu", EXPECTED).map_err(|wrong| wrong.hint("Ethernet has `mtu = 1500`"))?;
    let delay_us = number(section.need("delay_us", EXPECTED)?, bounds::LINK_DELAY_US)?;
    Ok(Link::Numbers(LinkNumbers {
        delay_us,
        delay_us_max: delay_max(&section, delay_us)?,
        mtu: number16(mtu, bounds::MTU)?,
        host_mtu: section.get("host_mtu").map(|mtu| number16(mtu, bounds::MTU)).transpose()?,
        rate_kbps: section.get("rate_kbps").map(|rate| number(rate, bounds::RATE_KBPS)).transpose()?,
    }))
}

/// The longest delay of a link, which is not below its shortest.
fn delay_max(section: &Section<'_, '_>, delay_us: u64) -> Result<Option<u64>, Wrong> {
    let max = section.get("delay_us_max");
    max.map(|max| number(max, delay_us..=*bounds::LINK_DELAY_US.end())).transpose()
}

/// The numbers of a link between two hosts that are said, by their keys.
pub(super) fn numbers(link: &PairLink) -> impl Iterator<Item = (&'static str, u64)> {
    let said = [
        ("delay_us", link.delay_us),
        ("delay_us_max", link.delay_us_max.filter(|max| link.delay_us.is_some_and(|least| *max >= least))),
        ("mtu", link.mtu.map(u64::from)),
        ("rate_kbps", link.rate_kbps),
    ];
    said.into_iter().filter_map(|(key, number)| Some((key, number?)))
}

/// Whether a link says anything.
pub(super) fn differs(link: &PairLink) -> bool {
    link.profile.is_some() || numbers(link).next().is_some()
}

/// Reads `[[links]]`.
pub(super) fn links(root: &Section<'_, '_>) -> Result<Vec<PairLink>, Wrong> {
    let mut links = Vec::new();
    let mut named = BTreeMap::new();
    for (index, value) in tables(root, "links", bounds::LINKS_MAX)?.enumerate() {
        let link = pair(value)?;
        for direction in link.directions() {
            let found = format!("a second link {direction}");
            if let Some(first) = named.insert(direction, index + 1) {
                let wrong = Wrong::new(value.span(), found, "one link for each direction");
                return Err(wrong.hint(format!("link {first} of `[[links]]` names it already")));
            }
        }
        links.push(link);
    }
    Ok(links)
}

fn pair(value: &Value<'_>) -> Result<PairLink, Wrong> {
    const HOSTS: &str = "`between = [\"client\", \"server\"]`, or `direction = \"client->server\"`";
    const DIFFERS: [&str; 5] = ["profile", "delay_us", "delay_us_max", "mtu", "rate_kbps"];
    let section = Section::new(value, "a table headed `[[links]]`")?;
    if let Some(mtu) = section.get("host_mtu") {
        let expected = "`host_mtu` in `[link]` only: a host has one MTU for all its links";
        return Err(Wrong::new(mtu.span(), "`host_mtu` of a link between two hosts", expected));
    }
    section.only(&[&["between", "direction"][..], &DIFFERS].concat())?;
    let link = match (section.get("between"), section.get("direction")) {
        (Some(hosts), None) => PairLink::between(two_hosts(hosts)?),
        (None, Some(_)) => PairLink::one_way(direction(&section)?),
        (Some(_), Some(second)) => {
            let found = "both `between` and `direction`";
            return Err(Wrong::new(second.span(), found, "one of them: a link, or one way over it"));
        }
        (None, None) => return Err(section.missing("`between` and no `direction`", HOSTS)),
    };
    if !section.keys().any(|key| DIFFERS.contains(&key)) {
        let expected = "what differs from `[link]`, such as `delay_us = 20_000`";
        return Err(Wrong::new(section.at(), "a link that does not differ", expected));
    }
    let delay_us = section.get("delay_us").map(|delay| number(delay, bounds::LINK_DELAY_US)).transpose()?;
    if let (None, Some(max)) = (delay_us, section.get("delay_us_max")) {
        let expected = "`delay_us` beside it, the shortest delay";
        return Err(Wrong::new(max.span(), "`delay_us_max` and no `delay_us`", expected));
    }
    Ok(PairLink {
        profile: section.get("profile").map(|profile| word(profile, &Profile::ALL)).transpose()?,
        delay_us,
        delay_us_max: delay_us.map_or(Ok(None), |delay_us| delay_max(&section, delay_us))?,
        mtu: section.get("mtu").map(|mtu| number16(mtu, bounds::MTU)).transpose()?,
        rate_kbps: section.get("rate_kbps").map(|rate| number(rate, bounds::RATE_KBPS)).transpose()?,
        ..link
    })
}
