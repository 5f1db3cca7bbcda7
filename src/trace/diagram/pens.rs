//! The characters that a diagram is drawn with.

/// The characters that a diagram is drawn with.
pub(in crate::trace) struct Pens {
    pub(super) line: char,
    pub(super) down: char,
    pub(super) crash: char,
    pub(super) leaves_right: char,
    pub(super) leaves_left: char,
    pub(super) across: char,
    pub(super) dash: char,
    pub(super) dots: char,
    pub(super) right: char,
    pub(super) left: char,
    pub(super) lost: char,
    pub(super) fault: char,
    pub(super) usual: char,
    pub(super) dot: char,
    pub(super) banner: char,
    pub(super) truth: char,
    pub(super) ellipsis: &'static str,
    /// Stands for a character that cannot be drawn.
    pub(super) unknown: char,
}

pub(in crate::trace) const UNICODE: Pens = Pens {
    line: '│',
    down: '┊',
    crash: '╳',
    leaves_right: '├',
    leaves_left: '┤',
    across: '┼',
    dash: '─',
    dots: '╌',
    right: '▶',
    left: '◀',
    lost: '✗',
    fault: '✱',
    usual: '†',
    dot: '●',
    banner: '═',
    truth: '◆',
    ellipsis: "…",
    unknown: '\u{fffd}',
};

pub(in crate::trace) const ASCII: Pens = Pens {
    line: '|',
    down: ':',
    crash: 'X',
    leaves_right: '|',
    leaves_left: '|',
    across: '+',
    dash: '-',
    dots: '.',
    right: '>',
    left: '<',
    lost: 'X',
    fault: '*',
    usual: '~',
    dot: 'o',
    banner: '=',
    truth: '!',
    ellipsis: "...",
    unknown: '?',
};

impl Pens {
    /// Whether they draw ASCII characters only.
    pub(super) fn is_ascii(&self) -> bool {
        self.ellipsis.is_ascii()
    }
}

/// The words, or as many of them as there is room for.
pub(super) fn clip(words: &str, room: usize, pens: &Pens) -> String {
    if words.chars().count() <= room {
        return words.to_owned();
    }
    let dots = pens.ellipsis.chars().count();
    let mut clipped: String = words.chars().take(room.saturating_sub(dots)).collect();
    clipped.extend(pens.ellipsis.chars().take(room));
    clipped
}
