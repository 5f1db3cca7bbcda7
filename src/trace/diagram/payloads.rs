//! What diagrams say of payloads: the first of their bytes, or words of the user's.

use std::fmt;
use std::sync::Arc;

use super::layout::said_of_call;
use super::pens::{Pens, UNICODE};
use super::wording::said;
use crate::model::{Call, Errno};
use crate::packet::{PacketView, Transport};

/// Bytes of a payload that are looked at for a preview.
const BYTES_MAX: usize = 64;
/// Columns of a preview at most.
const COLUMNS_MAX: usize = 40;
/// Columns of a cut preview at least, its quotes and the sign of the cut aside: less says nothing.
const COLUMNS_MIN: usize = 4;

type Describe = Arc<dyn Fn(&[u8]) -> Option<String> + Send + Sync>;

/// What diagrams say of a packet's payload, and of what a call sent or received, beside the length. They say
/// it where there is room: no other words give way.
///
/// ```
/// use faultwire::trace::{DiagramOptions, Payloads};
///
/// let of = |payload: &[u8]| Some(format!("request {}", payload.first()?));
/// let mut options = DiagramOptions::default();
/// options.payloads = Payloads::described(of);
/// ```
#[derive(Clone, Default)]
pub struct Payloads(Words);

#[derive(Clone, Default)]
enum Words {
    #[default]
    Lengths,
    Previews,
    Described(Describe),
}

impl Payloads {
    /// Nothing: the length alone. This is the default.
    pub const LENGTHS: Payloads = Payloads(Words::Lengths);
    /// The first bytes: in quotes and escaped if they are text, else in hexadecimal.
    pub const PREVIEWS: Payloads = Payloads(Words::Previews);

    /// The words that `describe` has for the bytes, and a preview where it returns `None`.
    ///
    /// `describe` is called with whole datagrams, with the payload of each TCP segment, and with what each
    /// call sent or received. The same bytes must give the same words.
    pub fn described(describe: impl Fn(&[u8]) -> Option<String> + Send + Sync + 'static) -> Payloads {
        Payloads(Words::Described(Arc::new(describe)))
    }

    /// The words for a payload, if there are any.
    pub(in crate::trace) fn of(&self, payload: &[u8]) -> Option<Preview> {
        if payload.is_empty() {
            return None;
        }
        match &self.0 {
            Words::Lengths => None,
            Words::Previews => Some(Preview::of(payload)),
            Words::Described(describe) => Some(
                describe(payload).map_or_else(|| Preview::of(payload), |words| Preview::described(&words)),
            ),
        }
    }

    /// A call in words, with those for what it sent or received.
    pub(in crate::trace) fn call(&self, call: &Call, error: Option<Errno>) -> String {
        let preview = self.of_call(call).filter(|_| error.is_none());
        said(&said_of_call(call, error), preview.as_ref(), usize::MAX, &UNICODE)
    }

    pub(super) fn of_packet(&self, view: &PacketView) -> Option<Preview> {
        match &view.transport {
            Transport::Udp { payload, .. }
            | Transport::Tcp { payload, .. }
            | Transport::Other { payload, .. } => self.of(payload),
            Transport::Fragment { .. } | Transport::Icmp { .. } => None,
        }
    }

    pub(super) fn of_call(&self, call: &Call) -> Option<Preview> {
        match call {
            Call::Send { data, .. } | Call::Recv { data, .. } => self.of(data),
            _ => None,
        }
    }
}

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Words::Lengths => "Lengths",
            Words::Previews => "Previews",
            Words::Described(_) => "Described(..)",
        })
    }
}

/// Two of them are equal if they are clones of one.
impl PartialEq for Payloads {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Words::Lengths, Words::Lengths) | (Words::Previews, Words::Previews) => true,
            (Words::Described(one), Words::Described(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Payloads {}

/// Words for a payload, which can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::trace) struct Preview {
    /// They stand in quotes.
    is_quoted: bool,
    /// Letters, escapes and bytes in hexadecimal: none is cut in two.
    pieces: Vec<String>,
    /// The payload goes on.
    goes_on: bool,
}

impl Preview {
    fn of(payload: &[u8]) -> Preview {
        let first = &payload[..payload.len().min(BYTES_MAX)];
        let goes_on = first.len() < payload.len();
        match text(first, goes_on) {
            Some(text) => Preview { is_quoted: true, pieces: text.chars().map(escaped).collect(), goes_on },
            None => {
                let gap = |index: usize| if index > 0 { " " } else { "" };
                let byte = |(index, byte): (usize, &u8)| format!("{}{byte:02x}", gap(index));
                Preview { is_quoted: false, pieces: first.iter().enumerate().map(byte).collect(), goes_on }
            }
        }
    }

    fn described(words: &str) -> Preview {
        let letter = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Preview { is_quoted: false, pieces: words.chars().map(letter).collect(), goes_on: false }
    }

    /// As much of the words as there is room for in this number of columns.
    pub(in crate::trace) fn fitted(&self, room: usize, pens: &Pens) -> Option<String> {
        let room = room.min(COLUMNS_MAX);
        let quote = if self.is_quoted { "\"" } else { "" };
        let drawn = |piece: &String| match pens.is_ascii() && !piece.is_ascii() {
            true => piece.escape_unicode().to_string(),
            false => piece.clone(),
        };
        let pieces: Vec<String> = self.pieces.iter().map(drawn).collect();
        let whole = pieces.concat();
        if !self.goes_on && whole.chars().count() + 2 * quote.len() <= room {
            return Some(format!("{quote}{whole}{quote}"));
        }
        let mut left = room.checked_sub(2 * quote.len() + pens.ellipsis.chars().count())?;
        let fits = |piece: &&String| {
            let rest = left.checked_sub(piece.chars().count());
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let cut: String = pieces.iter().take_while(fits).map(String::as_str).collect();
        let is_enough = cut.chars().count() >= COLUMNS_MIN;
        is_enough.then(|| format!("{quote}{cut}{}{quote}", pens.ellipsis))
    }
}

/// The bytes as text, if that is what they seem to be: UTF-8 of which at least half can be printed.
fn text(bytes: &[u8], goes_on: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last letter may have been cut.
        Err(error) if goes_on && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let letters = text.chars().filter(|c| !c.is_control()).count();
    (!text.is_empty() && 2 * letters >= text.chars().count()).then_some(text)
}

/// A letter as it stands between double quotes.
fn escaped(c: char) -> String {
    match u8::try_from(c) {
        _ if c == '\'' => c.to_string(),
        Ok(byte) if byte.is_ascii() => byte.escape_ascii().to_string(),
        _ => c.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pens::ASCII;
    use super::*;

    fn preview(payload: &[u8], room: usize) -> String {
        Payloads::PREVIEWS.of(payload).and_then(|it| it.fitted(room, &UNICODE)).unwrap_or_default()
    }

    #[test]
    fn text_is_quoted_and_escaped_and_other_bytes_are_in_hexadecimal() {
        for (payload, words) in [
            (&b"GET /a"[..], r#""GET /a""#),
            (b"it's \"x\"\\\r\n", r#""it's \"x\"\\\r\n""#),
            (b"\0\0\0\x05hello", r#""\x00\x00\x00\x05hello""#),
            ("caf\u{e9}".as_bytes(), "\"caf\u{e9}\""),
            (&[1, 2, 255], "01 02 ff"),
            (&[7], "07"),
            (b"", ""),
        ] {
            assert_eq!(preview(payload, 100), words);
        }
        assert_eq!(preview(&[7; 100], 100), format!("07{}…", " 07".repeat(12)));
        let long = "\u{e9}".repeat(99);
        assert_eq!(preview(long.as_bytes(), 100), format!("\"{}…\"", "\u{e9}".repeat(32)));
        let ascii = Payloads::PREVIEWS.of(long.as_bytes()).expect("words").fitted(20, &ASCII);
        assert_eq!(ascii.as_deref(), Some(r#""\u{e9}\u{e9}...""#));
    }

    #[test]
    fn words_are_cut_where_they_do_not_fit_and_left_out_where_little_is_left() {
        assert_eq!(preview(b"put k old", 11), r#""put k old""#);
        assert_eq!(preview(b"put k old", 10), r#""put k o…""#);
        assert_eq!(preview(b"put k old", 7), r#""put …""#);
        assert_eq!(preview(b"put k old", 6), "");
        assert_eq!(preview(b"a\0bcdefgh", 9), r#""a\x00b…""#);
        assert_eq!(preview(b"a\0bcdefgh", 8), r#""a\x00…""#);
        assert_eq!(preview(b"a\0bcdefgh", 7), "", "an escape is not cut in two");
        assert_eq!(preview(&[1, 2, 3, 4], 8), "01 02…");
        assert_eq!(preview(&[1, 2, 3, 4], 0), "");
    }

    #[test]
    fn a_users_words_take_the_place_of_a_preview() {
        let of = |bytes: &[u8]| (bytes[0] == b'p').then(|| "Put(k,\n\u{e9})".to_owned());
        let payloads = Payloads::described(of);
        let said = |payload: &[u8], pens| payloads.of(payload).and_then(|it| it.fitted(20, pens));
        assert_eq!(said(b"put", &UNICODE).as_deref(), Some("Put(k,\\n\u{e9})"));
        assert_eq!(said(b"put", &ASCII).as_deref(), Some("Put(k,\\n\\u{e9})"));
        assert_eq!(said(b"get", &UNICODE).as_deref(), Some("\"get\""));
        assert_eq!(said(b"", &UNICODE), None);
        assert_eq!(payloads, payloads.clone());
        assert_ne!(payloads, Payloads::described(of));
        assert_eq!(format!("{payloads:?} {:?}", Payloads::default()), "Described(..) Lengths");
    }
}
