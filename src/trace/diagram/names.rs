//! Hosts' names in little room: shortened so that no two of them become alike.

use std::collections::BTreeSet;

/// Whether the name of the host with this index has room for these words.
type Fits<'a> = &'a dyn Fn(usize, &str) -> bool;
/// Shortens a name until it fits.
type Shorten<'a> = &'a dyn Fn(&[char], &dyn Fn(&str) -> bool) -> Option<String>;

/// The names, each as long as it fits. Where they become alike if their ends are cut off, what they all begin
/// with is left out, and then what they all end with; else what is kept is their ends, or their beginnings
/// and ends, or their numbers.
pub(super) fn told_apart(names: &[String], ellipsis: &str, fits: Fits<'_>) -> Vec<String> {
    let wanted = distinct(names);
    let letters: Vec<Vec<char>> = names.iter().map(|name| name.chars().collect()).collect();
    let prefix = common_prefix(&letters);
    let suffix = common_suffix(&letters, prefix);
    let each = |short: Shorten<'_>| {
        let shorten = |(host, name): (usize, &Vec<char>)| short(name, &|words| fits(host, words));
        let short: Option<Vec<String>> = letters.iter().enumerate().map(shorten).collect();
        short.filter(|short| distinct(short) == wanted)
    };
    // As many letters as fit, of which `first` says how many are taken from the beginning. No other name has
    // these at its ends.
    let kept = |first: fn(usize) -> usize| {
        each(&|name, fits| {
            let whole: String = name.iter().collect();
            if fits(&whole) {
                return Some(whole);
            }
            let ends = |kept: usize| (&name[..first(kept)], &name[name.len() - (kept - first(kept))..]);
            let mut cut = (1..name.len()).rev().map(ends);
            let (head, tail) = cut.find(|(head, tail)| fits(&joined(head, ellipsis, tail)))?;
            let is_like =
                |other: &Vec<char>| other != name && other.starts_with(head) && other.ends_with(tail);
            (!letters.iter().any(is_like)).then(|| joined(head, ellipsis, tail))
        })
    };
    // Without what all names begin with and `behind` letters at their ends.
    let core = |behind: usize, is_bare: bool| {
        each(&|name, fits| {
            let dots = |cut: usize| if cut > 0 && !is_bare { ellipsis } else { "" };
            let core: String = name[prefix..name.len() - behind].iter().collect();
            let words = format!("{}{core}{}", dots(prefix), dots(behind));
            fits(&words).then_some(words)
        })
    };
    kept(|all| all)
        .or_else(|| core(0, false))
        .or_else(|| core(suffix, false))
        .or_else(|| core(suffix, true))
        .or_else(|| kept(|_| 0))
        .or_else(|| kept(|all| all.div_ceil(2)))
        .unwrap_or_else(|| (0..names.len()).map(|host| numbered(host, fits)).collect())
}

/// The host's number, or the last of its digits.
fn numbered(host: usize, fits: Fits<'_>) -> String {
    let number = (host + 1).to_string();
    let ends = (0..number.len()).map(|begin| &number[begin..]);
    ends.into_iter().find(|words| fits(host, words)).unwrap_or_default().to_owned()
}

fn joined(head: &[char], ellipsis: &str, tail: &[char]) -> String {
    head.iter().copied().chain(ellipsis.chars()).chain(tail.iter().copied()).collect()
}

pub(super) fn distinct(names: &[String]) -> usize {
    names.iter().collect::<BTreeSet<_>>().len()
}

/// How many letters all names begin with. A number is not cut, and something of each name is left.
fn common_prefix(names: &[Vec<char>]) -> usize {
    let Some(first) = names.first() else { return 0 };
    let alike = |name: &Vec<char>| first.iter().zip(name).take_while(|(a, b)| a == b).count();
    let shortest = names.iter().map(Vec::len).min().unwrap_or(0);
    let common = names.iter().map(alike).min().unwrap_or(0).min(shortest.saturating_sub(1));
    let number = first[..common].iter().rev().take_while(|letter| letter.is_ascii_digit()).count();
    common - number
}

/// How many letters all names end with, what they begin with aside.
fn common_suffix(names: &[Vec<char>], prefix: usize) -> usize {
    let turned = |name: &Vec<char>| name[prefix..].iter().rev().copied().collect();
    common_prefix(&names.iter().map(turned).collect::<Vec<Vec<char>>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(names: &[&str], room: usize) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        told_apart(&names, "…", &|_, words| words.chars().count() <= room).join(" ")
    }

    #[test]
    fn what_tells_names_apart_stays() {
        let nodes = ["node1", "node2", "node10"];
        assert_eq!(short(&nodes, 6), "node1 node2 node10");
        assert_eq!(short(&nodes, 5), "…1 …2 …10");
        assert_eq!(short(&nodes, 3), "…1 …2 …10");
        assert_eq!(short(&nodes, 2), "1 2 10");
        assert_eq!(short(&nodes, 1), "1 2 3");
        assert_eq!(short(&["node10", "node11"], 4), "…10 …11", "a number is not cut");
        assert_eq!(short(&["node", "node-b"], 4), "…e …e-b");
        let replicas = ["replica-1-of-db", "replica-2-of-db"];
        assert_eq!(short(&replicas, 8), "…1-of-db …2-of-db");
        assert_eq!(short(&replicas, 7), "…1… …2…");
        assert_eq!(short(&replicas, 2), "1 2");
        assert_eq!(short(&["client", "server"], 4), "cli… ser…");
        assert_eq!(short(&["client", "node1", "node2"], 4), "…ent …de1 …de2");
        assert_eq!(short(&["a1x", "a1yb", "b1x"], 2), "1 2 3");
        assert_eq!(short(&["west1-a", "west2-a", "east1-a", "east2-a"], 6), "west1… west2… east1… east2…");
        assert_eq!(short(&[], 3), "");
        assert_eq!(short(&["twin", "twin"], 3), "tw… tw…");
        assert_eq!(short(&["a", "b"], 0), " ");
    }
}
