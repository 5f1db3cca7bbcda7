//! Whether the colours of a page can be told apart (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;

/// Words on what they stand on: 4.5 to 1.
const WORDS: [&str; 9] =
    ["--ink", "--soft", "--link", "--held", "--witnessed", "--xfail", "--skipped", "--bad", "--focus"];
/// Words on a ground of their own.
const MARKED: [(&str, &str); 3] = [("--held", "--held-bg"), ("--xfail", "--xfail-bg"), ("--bad", "--bad-bg")];

/// Panics where two colours that must be told apart are too much alike, in light or in dark.
pub(crate) fn check(page: &str) {
    let blocks: Vec<_> = page.match_indices(":root{").map(|(at, _)| colours(&page[at..])).collect();
    assert!(blocks.len() >= 2, "light and dark");
    for colours in blocks {
        for ground in ["--bg", "--paper"] {
            for words in WORDS.iter().filter(|words| colours.contains_key(**words)) {
                told_apart(&colours, words, ground, 4.5);
            }
            told_apart(&colours, "--edge", ground, 3.0);
        }
        for (words, ground) in MARKED {
            told_apart(&colours, words, ground, 4.5);
        }
    }
}

/// The colours of the block that a text begins with.
fn colours(css: &str) -> BTreeMap<&str, f64> {
    let block = css.split('{').nth(1).and_then(|rest| rest.split('}').next()).expect("a block");
    let pairs = block.split(';').filter_map(|line| line.trim().split_once(":#"));
    pairs.map(|(name, hex)| (name, luminance(hex))).collect()
}

/// WCAG's relative luminance.
fn luminance(hex: &str) -> f64 {
    let long: String =
        if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&long[at..at + 2], 16).expect(hex)) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

fn told_apart(colours: &BTreeMap<&str, f64>, one: &str, other: &str, least: f64) {
    let (a, b) = (colours[one], colours[other]);
    let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
    assert!(ratio >= least, "{one} on {other}: {ratio:.2}");
}
