//! How wide words are: what the places of labels are reckoned with.

use std::borrow::Cow;

/// Pixels of the letters of labels.
pub(super) const SIZE: f64 = 13.0;

/// From the blank to the tilde, in hundredths of the letters' size: DejaVu Sans, which is wider than the
/// other faces that the style names, so that no reader's words are longer than reckoned.
const WIDTHS: [u8; 95] = [
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63,
    61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97,
    63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
];

/// How much wider bold letters are.
pub(super) const BOLD: f64 = 1.16;

/// How wide words are at that size, in pixels.
pub(super) fn width(words: &str, size: f64) -> f64 {
    words.chars().map(em).sum::<f64>() * size
}

fn em(letter: char) -> f64 {
    let place = u32::from(letter).checked_sub(u32::from(' ')).and_then(|place| usize::try_from(place).ok());
    let hundredths = place.and_then(|place| WIDTHS.get(place)).copied();
    f64::from(hundredths.unwrap_or(100)) / 100.0
}

/// The words, or as many of their letters as are no wider than that.
pub(super) fn fitted(words: &str, room: f64, size: f64) -> Cow<'_, str> {
    if width(words, size) <= room {
        return Cow::Borrowed(words);
    }
    let mut left = room - width("…", size);
    let fits = |letter: &char| {
        left -= em(*letter) * size;
        left >= 0.0
    };
    let mut fitted: String = words.chars().take_while(fits).collect();
    fitted.truncate(fitted.trim_end().len());
    fitted.push('…');
    Cow::Owned(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_wide_as_their_letters() {
        assert_eq!(width("", SIZE), 0.0);
        assert!((width("data", 100.0) - (63.0 + 61.0 + 39.0 + 61.0)).abs() < 1e-9);
        assert_eq!(width("\u{1f600}", 10.0), 10.0);
    }

    #[test]
    fn what_does_not_fit_is_cut_off() {
        assert_eq!(fitted("data 1", 100.0, SIZE), "data 1");
        let short = fitted("data 1 [1:1024]", 60.0, SIZE);
        assert!(short.ends_with('…') && width(&short, SIZE) <= 60.0, "{short}");
        assert_eq!(fitted("data", 1.0, SIZE), "…");
    }
}
