//! Text for people, shells and pictures.

use std::borrow::Cow;
use std::error::Error;

/// An error and what caused it, in one line. A cause that its error already names is not repeated.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A word as a POSIX shell reads it back.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+@%,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Text as it stands in XML; what XML cannot hold is replaced.
pub fn xml(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '<' | '>' | '&' | '"' | '\'') && (!c.is_control() || c == '\n');
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if plain(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    Cow::Owned(out)
}

/// The text with `#` in place of each number and of what is in double quotes: kinds of message are told apart
/// by it. A number within a word stays, and one behind a colon, as in a line of code.
///
/// ```
/// use faultwire::text::without_values;
///
/// assert_eq!(without_values("read 17 of 20 bytes at main.rs:42"), "read # of # bytes at main.rs:42");
/// assert_eq!(without_values(r#"expected "abc", found "a\"c""#), r##"expected "#", found "#""##);
/// ```
pub fn without_values(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, quoted)) = rest.split_once('"') {
        let mut is_escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        });
        let Some(end) = end else { break };
        without_numbers(before, &mut plain);
        plain.push_str("\"#\"");
        rest = &quoted[end + 1..];
    }
    without_numbers(rest, &mut plain);
    plain
}

fn without_numbers(text: &str, plain: &mut String) {
    let (mut before, mut is_number) = (' ', false);
    for c in text.chars() {
        let starts = c.is_ascii_digit() && !before.is_alphanumeric() && before != ':';
        if c.is_ascii_digit() && (is_number || starts) {
            if !is_number {
                plain.push('#');
            }
            is_number = true;
        } else {
            plain.push(c);
            is_number = false;
        }
        before = c;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell_are_quoted() {
        assert_eq!(shell_word("a/b-c.toml"), "a/b-c.toml");
        assert_eq!(shell_word("two words"), "'two words'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[derive(Debug, thiserror::Error)]
    enum Wrapped {
        #[error("outside")]
        Silent(#[source] std::io::Error),
        #[error("outside: {0}")]
        Named(#[source] std::io::Error),
    }

    #[test]
    fn each_cause_is_named_once() {
        let inner = || std::io::Error::other("inside");
        for error in [Wrapped::Silent(inner()), Wrapped::Named(inner())] {
            assert_eq!(with_causes(&error), "outside: inside");
        }
    }
}
