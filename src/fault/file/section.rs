//! Parsed TOML, read with an eye on what should be there.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, PlanError, line_and_column};

/// Text is quoted in an error up to this many characters.
const QUOTED_CHARS_MAX: usize = 40;

/// Something wrong at a place in the text.
#[derive(Debug)]
pub(super) struct Wrong {
    at: Range<usize>,
    found: String,
    expected: String,
    hint: Option<String>,
    /// Whether something is not there, rather than wrong.
    is_missing: bool,
}

impl Wrong {
    pub(super) fn new(at: Range<usize>, found: impl Into<String>, expected: impl Into<String>) -> Wrong {
        Wrong { at, found: found.into(), expected: expected.into(), hint: None, is_missing: false }
    }

    /// Where it is in the file; what is missing comes last, as it has no place.
    pub(super) fn place(&self) -> (bool, usize) {
        (self.is_missing, self.at.start)
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Wrong {
        Wrong { hint: Some(hint.into()), ..self }
    }

    /// Adds which of the words was probably meant, where one is near.
    pub(super) fn did_you_mean<'w>(self, word: &str, words: impl IntoIterator<Item = &'w str>) -> Wrong {
        if word.len() > QUOTED_CHARS_MAX {
            return self;
        }
        let word = word.to_lowercase();
        let distance = |other: &str| match other.strip_prefix(&word) {
            Some(_) if word.len() > 1 => 0,
            _ => strsim::damerau_levenshtein(&word, other),
        };
        let nearest = words.into_iter().map(|other| (distance(other), other)).min();
        match nearest {
            // One slip in three letters is a slip; more is another word.
            Some((slips, near)) if slips * 3 <= near.len() => self.hint(format!("did you mean `{near}`?")),
            _ => self,
        }
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> PlanError {
        let (line, column) = line_and_column(text, self.at.start);
        let Wrong { at: span, found, expected, hint, .. } = self;
        let file = file.to_owned();
        Box::new(Mistake { file, line, column, span, found, expected, hint }).into()
    }
}

/// The first of several mistakes in the order of the file; else what was read.
macro_rules! first {
    ($($name:ident = $read:expr),+ $(,)?) => {
        let ($($name,)+) = match ($($read,)+) {
            ($(Ok($name),)+) => ($($name,)+),
            ($($name,)+) => {
                let mut wrong = Vec::new();
                $(wrong.extend($name.err());)+
                wrong.sort_by_key(crate::fault::file::section::Wrong::place);
                return Err(wrong.swap_remove(0));
            }
        };
    };
}
pub(super) use first;

/// A value with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A quotation of text that may be long or strange.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// What a value is, in words.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) if number.as_str().len() > QUOTED_CHARS_MAX => "a huge number".to_owned(),
        DeValue::Integer(number) => match number.radix() {
            16 => format!("0x{}", number.as_str()),
            8 => format!("0o{}", number.as_str()),
            2 => format!("0b{}", number.as_str()),
            _ => number.as_str().to_owned(),
        },
        DeValue::Float(_) => "a number with a fraction".to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(list) => format!("a list of {}", list.len()),
        DeValue::Table(table) if table.is_empty() => "an empty table".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A value that is not what was expected.
pub(super) fn unexpected(value: &Value<'_>, expected: impl Into<String>) -> Wrong {
    Wrong::new(value.span(), describe(value.get_ref()), expected)
}

/// Text.
pub(super) fn text<'v>(value: &'v Value<'_>, expected: &str) -> Result<&'v str, Wrong> {
    value.get_ref().as_str().ok_or_else(|| unexpected(value, expected))
}

/// A whole number within bounds.
pub(super) fn number(value: &Value<'_>, bounds: RangeInclusive<u64>) -> Result<u64, Wrong> {
    let integer = value.get_ref().as_integer();
    integer
        .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            unexpected(value, format!("a whole number from {} to {}", bounds.start(), bounds.end()))
        })
}

/// A whole number within bounds that fit into 32 bits.
pub(super) fn number32(value: &Value<'_>, bounds: RangeInclusive<u64>) -> Result<u32, Wrong> {
    let number = number(value, bounds)?;
    u32::try_from(number).map_err(|_| unexpected(value, "a number of 32 bits"))
}

/// A whole number within bounds that fit into 16 bits.
pub(super) fn number16(value: &Value<'_>, bounds: RangeInclusive<u64>) -> Result<u16, Wrong> {
    let number = number(value, bounds)?;
    u16::try_from(number).map_err(|_| unexpected(value, "a number of 16 bits"))
}

/// One of several words.
pub(super) fn word<T: Copy + Display>(value: &Value<'_>, choices: &[T]) -> Result<T, Wrong> {
    let words: Vec<String> = choices.iter().map(T::to_string).collect();
    let expected = || {
        let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        either(&words)
    };
    let found = text(value, &expected())?;
    match words.iter().position(|word| word == found) {
        Some(index) => Ok(choices[index]),
        None => Err(unexpected(value, expected()).did_you_mean(found, words.iter().map(String::as_str))),
    }
}

/// `a, b or c`.
pub(super) fn either(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// A table with its place and its keys.
#[derive(Debug)]
pub(super) struct Section<'v, 'i> {
    at: Range<usize>,
    entries: &'v DeTable<'i>,
}

impl<'v, 'i> Section<'v, 'i> {
    /// The file's own table.
    pub(super) fn root(root: &'v Spanned<DeTable<'i>>) -> Self {
        Section { at: 0..0, entries: root.get_ref() }
    }

    /// A value that has to be a table.
    pub(super) fn new(value: &'v Value<'i>, expected: &str) -> Result<Self, Wrong> {
        match value.get_ref() {
            DeValue::Table(entries) => Ok(Section { at: value.span(), entries }),
            _ => Err(unexpected(value, expected)),
        }
    }

    /// Refuses all keys but these.
    pub(super) fn only(&self, keys: &[&str]) -> Result<(), Wrong> {
        let unknown = self.entries.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        let Some(first) = unknown.min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let names: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let name = first.get_ref();
        let wrong = Wrong::new(first.span(), format!("the key {}", quoted(name)), either(&names));
        Err(wrong.did_you_mean(name, keys.iter().copied()))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value<'i>> {
        self.entries.get(key)
    }

    /// The value of a key that has to be there.
    pub(super) fn need(&self, key: &str, expected: &str) -> Result<&'v Value<'i>, Wrong> {
        self.get(key).ok_or_else(|| self.missing(&format!("`{key}`"), expected))
    }

    /// Something that has to be there is not.
    pub(super) fn missing(&self, what: &str, expected: &str) -> Wrong {
        Wrong { is_missing: true, ..Wrong::new(self.at.clone(), format!("no {what}"), expected) }
    }

    /// The keys, each with its place.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'v str> {
        self.entries.keys().map(|key| key.get_ref().as_ref())
    }

    /// Where the table is.
    pub(super) fn at(&self) -> Range<usize> {
        self.at.clone()
    }
}
