//! Numbers, plans and paragraphs for people.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use faultwire::fault::FaultPlan;

/// A number in at most six columns: `145`, `70 123`, `1.2 M`.
pub(super) fn count(number: u64) -> String {
    match number {
        0..100_000 => grouped(number),
        100_000..1_000_000 => format!("{} k", number / 1_000),
        1_000_000..1_000_000_000 => {
            let tenths = number / 100_000;
            if tenths < 1_000 {
                format!("{}.{} M", tenths / 10, tenths % 10)
            } else {
                format!("{} M", tenths / 10)
            }
        }
        _ => format!("{} G", number / 1_000_000_000),
    }
}

/// A number with blanks between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// What a plan does, in one line.
pub fn plan(plan: &FaultPlan) -> String {
    let faults = plan.faults.iter().map(ToString::to_string);
    let events = plan.events.iter().map(ToString::to_string);
    let all: Vec<String> = faults.chain(events).collect();
    let mut words = if all.is_empty() { "no fault at all".to_owned() } else { all.join("; ") };
    // The member of a family, or a variant, that the plan is of.
    if let Some((_, member)) = plan.scenario.as_deref().and_then(|name| name.split_once('/')) {
        let _ = write!(words, " ({member})");
    }
    words
}

/// What a POSIX shell replays the plan with, by this command: the plan is in it, so that no file is needed.
pub fn replay_command(command: &str, plan: &str, testbed: &str, seed: u64) -> String {
    let mut end = "PLAN".to_owned();
    while plan.lines().any(|line| line == end) {
        end.push('_');
    }
    let seed = if seed == 0 { String::new() } else { format!(" --seed {seed}") };
    format!("{command} replay - --testbed {testbed}{seed} <<'{end}'\n{}\n{end}", plan.trim_end())
}

/// Unicode's Bidi_Control (UAX 9), and other characters that end a line or stand for nothing visible.
const UNSEEN: [RangeInclusive<char>; 5] = [
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// Makes foreign text (a title, a file name, a program's output) safe for a terminal: replaces characters
/// that would move the cursor, change the direction of writing or do worse. Line ends, those of other systems
/// too, and tabs stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful =
        |c: char| c.is_control() && c != '\n' && c != '\t' || UNSEEN.iter().any(|them| them.contains(&c));
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace(is_harmful, "\u{fffd}"))
}

/// Writes a paragraph: `first` before its first line, as many blanks before the others, `width` columns at
/// most. No line ends within a number (`10 000`). What is not text is replaced.
pub fn paragraph(out: &mut String, first: &str, words: &str, width: usize) {
    let mut indent = first.chars().count();
    if indent > width / 2 {
        // Where that leaves little room, the words begin below.
        let blanks = first.chars().take_while(|c| *c == ' ').count();
        out.push_str(first.trim_end());
        indent = blanks + 2;
        let _ = write!(out, "\n{:indent$}", "");
    } else {
        out.push_str(first);
    }
    let mut column = indent;
    let mut fresh = true;
    for word in unbroken(&harmless(words)) {
        let len = word.chars().count();
        if !fresh && column + 1 + len > width {
            let _ = write!(out, "\n{:indent$}", "");
            column = indent;
            fresh = true;
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += len;
        fresh = false;
    }
    out.push('\n');
}

/// The words of a text, of which a number with blanks between its thousands is one.
fn unbroken(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let digits = word.chars().take_while(char::is_ascii_digit).count();
        match words.last_mut() {
            Some(last) if digits == 3 && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_within_a_number() {
        for width in 20..60 {
            let mut out = String::new();
            paragraph(
                &mut out,
                "",
                "every plan (1 234 567), and 10 000 random ones; 9 of 1000 in 2 runs",
                width,
            );
            for whole in ["(1 234 567),", "10 000"] {
                assert!(out.contains(whole), "{width}: {out}");
            }
            assert_eq!(out.split_whitespace().count(), 16, "{out}");
        }
    }

    #[test]
    fn a_long_beginning_stands_above_the_words() {
        let mut out = String::new();
        paragraph(&mut out, "  udp/refused-when-connected  ", "held, its situation occurred 3 times", 40);
        assert_eq!(out, "  udp/refused-when-connected\n    held, its situation occurred 3 times\n");
    }

    #[test]
    fn what_somebody_else_wrote_does_nothing_to_a_terminal() {
        let mut out = String::new();
        paragraph(&mut out, "title  ", "\u{1b}[31mred\u{1b}]0;mine\u{7} \u{9b}2J", 80);
        assert!(!out.trim_end().contains(char::is_control), "{out:?}");
        for turning in ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            assert_eq!(harmless(&format!("a{turning}b")), "a\u{fffd}b");
        }
        assert_eq!(harmless("two\tcolumns\nand an end"), "two\tcolumns\nand an end");
    }
}
