//! The hosts that a plan file names, with their places.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::super::Direction;
use super::section::{Value, Wrong, either};

/// Refuses the first host in a plan file that is not among `hosts`.
pub(super) fn check(text: &str, hosts: &[&str]) -> Result<(), Wrong> {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut named = Vec::new();
    for (key, value) in root.get_ref() {
        if matches!(key.get_ref().as_ref(), "links" | "fault" | "event") {
            collect(value, &mut named);
        }
    }
    named.retain(|(_, name)| !hosts.contains(&name.as_str()));
    let Some((at, name)) = named.into_iter().min_by_key(|(at, _)| at.start) else { return Ok(()) };
    let wrong =
        Wrong::new(at, format!("the host {name:?}"), format!("a host of this run: {}", either(hosts)));
    Err(wrong.did_you_mean(&name, hosts.iter().copied()))
}

/// The hosts named in a value and in all that it holds. What is no name was refused before.
fn collect(value: &Value<'_>, named: &mut Vec<(Range<usize>, String)>) {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().for_each(|value| collect(value, named)),
        DeValue::Table(table) => {
            for (key, value) in table {
                let text = value.get_ref().as_str();
                match (key.get_ref().as_ref(), text) {
                    ("direction", Some(text)) => {
                        let ways = text.parse::<Direction>().map_or(Vec::new(), |way| vec![way.from, way.to]);
                        named.extend(ways.into_iter().map(|name| (value.span(), name)));
                    }
                    ("host", Some(text)) => named.push((value.span(), text.to_owned())),
                    ("hosts" | "between", None) => {
                        let list = value.get_ref().as_array().into_iter().flat_map(|list| list.iter());
                        let names = list.filter_map(|value| Some((value.span(), value.get_ref().as_str()?)));
                        named.extend(names.map(|(at, name)| (at, name.to_owned())));
                    }
                    _ => collect(value, named),
                }
            }
        }
        _ => {}
    }
}
