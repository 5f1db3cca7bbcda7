//! A step from a plan to a smaller one, in words.

use std::fmt::Display;

use faultwire::fault::{FaultPlan, Link};

/// More faults and events than this are counted and not named.
const NAMED_MAX: usize = 3;

/// What became of the plan.
pub(super) fn words(before: &FaultPlan, after: &FaultPlan) -> String {
    let mut said = Vec::new();
    let (old, new) = (items(before), items(after));
    if new.len() < old.len() {
        let (gone, is_rest_the_same) = left_out(&old, &new);
        said.push(match gone.len() {
            1..=NAMED_MAX => format!("left out: {}", gone.join("; ")),
            _ => format!("left out {} of {} faults and events", old.len() - new.len(), old.len()),
        });
        if !is_rest_the_same {
            said.push(format!("the others renumbered: {}", in_short(&new)));
        }
    } else {
        let changed = old.iter().zip(&new).filter(|(old, new)| old != new);
        said.extend(changed.map(|(old, new)| format!("{old} is now: {new}")));
    }
    if before.link != after.link && after.link == Link::default() {
        said.push("the default link".to_owned());
    }
    said.join("; ")
}

/// The faults and the events, in words.
fn items(plan: &FaultPlan) -> Vec<String> {
    let word = |item: &dyn Display| item.to_string();
    let faults = plan.faults.iter().map(|fault| word(fault));
    faults.chain(plan.events.iter().map(|event| word(event))).collect()
}

/// What is there no more, and whether the rest is as it was.
fn left_out(old: &[String], new: &[String]) -> (Vec<String>, bool) {
    let mut kept = new.iter().peekable();
    let gone = old.iter().filter(|item| kept.next_if_eq(item).is_none());
    let gone: Vec<String> = gone.cloned().collect();
    let is_rest_the_same = gone.len() + new.len() == old.len();
    if is_rest_the_same {
        return (gone, true);
    }
    // Where the others are renumbered, what has no namesake left is not all that is gone.
    (Vec::new(), false)
}

fn in_short(items: &[String]) -> String {
    match items.len() {
        0..=NAMED_MAX => items.join("; "),
        len => format!("{}; and {} more", items[..NAMED_MAX].join("; "), len - NAMED_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(faults: &[(u32, &str)], more: &str) -> FaultPlan {
        let mut text = format!("format = 1\n{more}");
        for (nth, action) in faults {
            let packet = format!("packet = {{ class = \"data\", nth = {nth} }}");
            text += &format!("[[fault]]\ndirection = \"a->b\"\n{packet}\naction = {action}\n");
        }
        FaultPlan::parse(&text, "plan").expect("a plan")
    }

    #[test]
    fn a_step_says_what_is_gone_and_what_changed() {
        let drops = |nths: &[u32]| plan(&nths.iter().map(|nth| (*nth, "\"drop\"")).collect::<Vec<_>>(), "");
        let late = |us: u32| plan(&[(1, &format!("{{ delay_us = {us} }}"))], "");
        let slow = "[link]\ndelay_us = 9000\nmtu = 1500\n";
        for (before, after, said) in [
            (drops(&[1, 2]), drops(&[2]), "left out: drop a->b data 1"),
            (drops(&[1, 2, 3]), drops(&[2]), "left out: drop a->b data 1; drop a->b data 3"),
            (drops(&[1, 2, 3, 4, 5]), drops(&[3]), "left out 4 of 5 faults and events"),
            (
                drops(&[4, 9]),
                drops(&[3]),
                "left out 1 of 2 faults and events; the others renumbered: drop a->b data 3",
            ),
            (drops(&[9]), drops(&[5]), "drop a->b data 9 is now: drop a->b data 5"),
            (late(700), late(500), "delay a->b data 1 by 700 us is now: delay a->b data 1 by 500 us"),
            (plan(&[], slow), plan(&[], ""), "the default link"),
        ] {
            assert_eq!(words(&before, &after), said);
        }
    }
}
