//! The parts of a lesson's text: Markdown with one title, and a heading of the second level for each part.

/// The part under `## heading`, without the heading and blank lines around it.
pub(super) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    cut(text, "## ").find(|(title, _)| *title == heading).map_or("", |(_, body)| body)
}

/// The parts of `## Hints`, each under a heading of the third level: `### 2` for programs in any language,
/// `### 2 (Rust)` for those in one.
pub(super) fn hints<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let is_for = |title: &str| match title.split_once('(') {
        None => true,
        Some((_, of)) => of.strip_suffix(')') == Some(language),
    };
    let all = cut(section(text, "Hints"), "### ");
    all.filter(|(title, _)| is_for(title)).map(|(_, body)| body).collect()
}

/// The parts of a text that begin with a line of this kind: the rest of that line, and what follows it.
fn cut<'a>(text: &'a str, mark: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(mark) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| {
        let part = &text[start + mark.len()..end];
        let (title, body) = part.split_once('\n').unwrap_or((part, ""));
        (title.trim(), body.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_headings() {
        let text = "# T\n\nfirst\n\n## A\n\none\n\ntwo\n\n## Hints\n\n### 1\n\nh1\n\n\
                    ### 2 (Rust)\nh2\n\n### 2 (Python)\np2\n\n## B\nlast";
        assert_eq!(section(text, "A"), "one\n\ntwo");
        assert_eq!(section(text, "B"), "last");
        assert_eq!(section(text, "C"), "");
        assert_eq!(hints(text, "Rust"), ["h1", "h2"]);
        assert_eq!(hints(text, "Python"), ["h1", "p2"]);
        assert_eq!(hints(text, "C"), ["h1"]);
        assert!(hints("", "Rust").is_empty());
    }
}
