//! Changes of a packet and rejections in a plan file.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use toml::de::DeValue;

use super::bounds;
use super::plan::bits;
use super::section::{
    Section, Value as TomlValue, Wrong, number, number16, number32, text, unexpected, word,
};
use crate::model::{Change, Field, Rejection, Value};

/// The keys of a change.
pub(super) const CHANGE_KEYS: [&str; 4] = ["set", "corrupt_bit", "corrupt_bits", "checksums"];
/// The keys of a rejection.
pub(super) const REJECT_KEYS: [&str; 2] = ["reject", "mtu"];

/// The letters of TCP's control bits, from FIN up, as in tcpdump and packetdrill; ACK is `.` too.
const FLAGS: &str = "FSRPAUEW";

/// A value as it stands in a plan: a number, or else text.
pub(super) enum Written {
    Number(u64),
    Text(String),
}

impl Written {
    pub(super) fn of(field: Field, value: &Value) -> Written {
        match value {
            Value::Number(flags) if field == Field::Flags && *flags < 256 => {
                let letters = FLAGS.chars().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1);
                Written::Text(letters.map(|(_, letter)| letter).collect())
            }
            Value::Number(number) => Written::Number(*number),
            Value::Add(number) => Written::Text(format!("{number:+}")),
            Value::Addr(addr) => Written::Text(addr.to_string()),
            Value::Bytes(bytes) => Written::Text(format!("{bytes:x}")),
        }
    }
}

impl fmt::Display for Written {
    /// As TOML: none of this text needs escapes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Number(number) => write!(f, "{number}"),
            Written::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

/// What a change says of checksums, where that has to be said: by default they fit if fields are set, and
/// stay as they were if only bits are flipped.
pub(super) fn checksums(change: &Change) -> Option<&'static str> {
    let keeps_by_default = change.fields.is_empty() && !change.bits.is_empty();
    match change.keeps_checksums {
        true => Some("keep"),
        false if keeps_by_default => Some("mend"),
        false => None,
    }
}

/// Reads the change that a table says, if it says one.
pub(super) fn change(section: &Section<'_, '_>) -> Result<Change, Wrong> {
    let fields = section.get("set").map(fields).transpose()?.unwrap_or_default();
    let bits = match (section.get("corrupt_bit"), section.get("corrupt_bits")) {
        (Some(_), Some(list)) => {
            return Err(Wrong::new(list.span(), "both `corrupt_bit` and `corrupt_bits`", "one of them"));
        }
        (Some(bit), None) => vec![number32(bit, bounds::BIT)?],
        (None, Some(list)) => self::bits(list)?,
        (None, None) => Vec::new(),
    };
    let keeps_checksums = match section.get("checksums") {
        Some(value) if fields.is_empty() && bits.is_empty() => {
            return Err(Wrong::new(
                value.span(),
                "`checksums` of a packet that is not changed",
                "no `checksums`",
            ));
        }
        Some(value) => word(value, &["mend", "keep"])? == "keep",
        None => fields.is_empty() && !bits.is_empty(),
    };
    Ok(Change { fields, bits, keeps_checksums })
}

/// Reads the fields of a change, in the order of [`Field`].
fn fields(value: &TomlValue<'_>) -> Result<Vec<(Field, Value)>, Wrong> {
    const EXPECTED: &str = "a table of header fields, such as `{ ttl = 1 }`";
    let section = Section::new(value, EXPECTED)?;
    section.only(&Field::ALL.map(Field::name))?;
    let set = Field::ALL.into_iter().filter_map(|field| Some((field, section.get(field.name())?)));
    let fields = set.map(|(field, value)| Ok((field, self::value(field, value)?)));
    let fields = fields.collect::<Result<Vec<_>, Wrong>>()?;
    if fields.is_empty() { Err(unexpected(value, EXPECTED)) } else { Ok(fields) }
}

fn value(field: Field, value: &TomlValue<'_>) -> Result<Value, Wrong> {
    let Some(bits) = field.bits() else {
        return match field {
            Field::Options => hex(value, bounds::OPTIONS_BYTES_MAX).map(Value::Bytes),
            Field::Payload => hex(value, bounds::PACKET_BYTES_MAX).map(Value::Bytes),
            _ => addr(value).map(Value::Addr),
        };
    };
    let max = (1_u64 << bits) - 1;
    let DeValue::String(found) = value.get_ref() else {
        return number(value, 0..=max).map(Value::Number);
    };
    if field == Field::Flags && !found.starts_with(['+', '-']) {
        return flags(found).map(Value::Number).ok_or_else(|| {
            unexpected(value, "letters of FSRPAUEW, each at most once, such as `\"RA\"`, or a number")
        });
    }
    let is_sum = found.starts_with(['+', '-']);
    let sum = if is_sum { found.parse::<i64>().ok() } else { None };
    sum.filter(|sum| *sum != 0 && sum.unsigned_abs() <= max).map(Value::Add).ok_or_else(|| {
        unexpected(value, format!("a whole number from 0 to {max}, or one to be added, such as `\"+1\"`"))
    })
}

/// The number for letters.
fn flags(letters: &str) -> Option<u64> {
    letters.chars().try_fold(0, |flags, letter| {
        let bit = FLAGS.find(if letter == '.' { 'A' } else { letter })?;
        (flags >> bit & 1 == 0).then_some(flags | 1 << bit)
    })
}

fn addr(value: &TomlValue<'_>) -> Result<IpAddr, Wrong> {
    const EXPECTED: &str = "an IP address, such as `\"10.0.0.9\"`";
    text(value, EXPECTED)?.parse().map_err(|_| unexpected(value, EXPECTED))
}

/// Reads bytes in hexadecimal, no more than so many.
pub(super) fn hex(value: &TomlValue<'_>, max: usize) -> Result<Bytes, Wrong> {
    let expected = format!("up to {max} bytes in hexadecimal, such as `\"4500001c\"`");
    let digits = text(value, &expected)?;
    if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(Wrong::new(value.span(), format!("the character {other:?}"), expected));
    }
    if digits.len() % 2 == 1 {
        let found = format!("{} digits", digits.len());
        return Err(Wrong::new(value.span(), found, "two hexadecimal digits for each byte"));
    }
    if digits.len() / 2 > max {
        return Err(Wrong::new(value.span(), format!("{} bytes", digits.len() / 2), expected));
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let bytes = digits.as_bytes().chunks(2).map(|two| two.iter().fold(0, |byte, &it| byte << 4 | nibble(it)));
    Ok(bytes.collect())
}

/// Reads the rejection that a table says under `reject` and `mtu`.
pub(super) fn rejection(section: &Section<'_, '_>) -> Result<Rejection, Wrong> {
    let value = section.need("reject", "what its sender is told, such as `reject = \"port-unreachable\"`")?;
    let rejection = word(value, &Rejection::ALL)?;
    match (rejection, section.get("mtu")) {
        (Rejection::TooBig(_), Some(mtu)) => number16(mtu, bounds::MTU).map(Rejection::TooBig),
        (Rejection::TooBig(_), None) => {
            Err(section.missing("`mtu`", "the next link's MTU, such as `mtu = 1280`"))
        }
        (_, Some(mtu)) => Err(Wrong::new(mtu.span(), "an MTU", "`mtu` with \"too-big\" only")),
        (_, None) => Ok(rejection),
    }
}
