//! The words of netem: reading and writing them.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::super::bounds;
use super::{Chance, Delay, Distribution, Impairment, Loss, Reorder, Share};

/// Words that are no impairment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("word {word}: found {found}, expected {expected}")]
#[non_exhaustive]
pub struct NotAnImpairment {
    /// Which word it is about, counted from 1.
    pub word: usize,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: String,
}

/// What begins a part of an impairment.
const PARTS: &str = "`loss`, `corrupt`, `duplicate`, `delay`, `distribution`, `reorder`, `gap` or `rate`";
/// Characters of a word that an error quotes.
const QUOTED_CHARS_MAX: usize = 40;
/// The words of an impairment, at most; more are a mistake, whatever they are.
const WORDS_MAX: usize = 100;

/// The words, read one after the other.
struct Words<'t> {
    all: Vec<&'t str>,
    next: usize,
}

impl<'t> Words<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.all.get(self.next).copied()
    }

    fn take(&mut self) -> Option<&'t str> {
        let word = self.peek();
        self.next += usize::from(word.is_some());
        word
    }

    /// The next word is wrong or missing.
    fn wrong(&self, expected: impl Into<String>) -> NotAnImpairment {
        let found = self.peek().map_or_else(|| "the end".to_owned(), quoted);
        NotAnImpairment { word: self.next + 1, found, expected: expected.into() }
    }

    /// The word before is wrong.
    fn wrong_before(&self, found: impl Into<String>, expected: impl Into<String>) -> NotAnImpairment {
        NotAnImpairment { word: self.next, found: found.into(), expected: expected.into() }
    }

    /// Reads a word that has to be there.
    fn need<T>(&mut self, read: impl Fn(&str) -> Option<T>, expected: &str) -> Result<T, NotAnImpairment> {
        let value = self.peek().and_then(read).ok_or_else(|| self.wrong(expected))?;
        self.next += 1;
        Ok(value)
    }

    /// Reads a word that may be there: what begins like a number has to be one.
    fn may<T>(
        &mut self,
        read: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, NotAnImpairment> {
        let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        if self.peek().is_some_and(is_number) { self.need(read, expected).map(Some) } else { Ok(None) }
    }
}

fn quoted(word: &str) -> String {
    match word.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((cut, _)) => format!("{:?}…", &word[..cut]),
        None => format!("{word:?}"),
    }
}

const SHARE: &str = "a share from 0% to 100%, with at most four digits behind the point";

/// `5%`, or `5`: percent.
fn share(word: &str) -> Option<Share> {
    decimal(word.strip_suffix('%').unwrap_or(word), 4)
        .filter(|ppm| *ppm <= 1_000_000)
        .map(|ppm| Share(ppm as u32))
}

/// A number with up to `digits` digits behind the point, in units of its last digit.
fn decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && whole.len() <= 12 && behind.len() <= digits;
    if !fits || !is_number(whole) || !is_number(behind) || text.ends_with('.') {
        return None;
    }
    let all: u64 = format!("{whole}{behind:0<digits$}").parse().ok()?;
    Some(all)
}

const TIME: &str = "a time such as `100ms`, `1.5s` or `250us`, of up to ten minutes";

/// A time in microseconds. Like tc, it takes a number without a unit for microseconds.
fn time(word: &str) -> Option<u64> {
    let end = word.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    let digits = match unit {
        "s" | "sec" | "secs" => 6,
        "ms" | "msec" | "msecs" => 3,
        "us" | "usec" | "usecs" | "" => 0,
        _ => return None,
    };
    decimal(number, digits).filter(|us| us <= bounds::DELAY_US.end())
}

const RATE: &str = "a rate from 1kbit to 1000gbit, in whole kbit";

/// A rate in kilobits per second.
fn rate(word: &str) -> Option<u64> {
    let end = word.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    let kbps = match unit.to_ascii_lowercase().as_str() {
        "kbit" => decimal(number, 0),
        "mbit" => decimal(number, 3),
        "gbit" => decimal(number, 6),
        "bit" => decimal(number, 0).filter(|bits| bits % 1_000 == 0).map(|bits| bits / 1_000),
        _ => None,
    };
    kbps.filter(|kbps| bounds::RATE_KBPS.contains(kbps))
}

const GAP: &str = "a number of packets from 1 to 1000000";

fn gap(word: &str) -> Option<u32> {
    decimal(word, 0).and_then(|gap| u32::try_from(gap).ok()).filter(|gap| (1..=1_000_000).contains(gap))
}

fn chance(words: &mut Words<'_>) -> Result<Chance, NotAnImpairment> {
    let share = words.need(self::share, SHARE)?;
    Ok(Chance { share, correlation: words.may(self::share, SHARE)?.unwrap_or_default() })
}

fn loss(words: &mut Words<'_>) -> Result<Loss, NotAnImpairment> {
    let model = words.peek().filter(|model| ["random", "gemodel", "state"].contains(model));
    words.next += usize::from(model.is_some());
    match model {
        Some("gemodel") => {
            let p = words.need(share, SHARE)?;
            let [r, lost_in_bad, lost_in_good] = [(); 3].map(|()| words.may(share, SHARE));
            Ok(Loss::GilbertElliott {
                p,
                r: r?.unwrap_or(p.rest()),
                lost_in_bad: lost_in_bad?.unwrap_or(Share::ALL),
                lost_in_good: lost_in_good?.unwrap_or_default(),
            })
        }
        Some("state") => {
            let p13 = words.need(share, SHARE)?;
            let p31 = words.may(share, SHARE)?.unwrap_or(p13.rest());
            let p32 = together(words, p31, "p31 and p32")?;
            let p23 = words.may(share, SHARE)?.unwrap_or(Share::ALL);
            let p14 = together(words, p13, "p13 and p14")?;
            Ok(Loss::FourStates { p13, p31, p32, p23, p14 })
        }
        _ => match words.peek() {
            Some(word) if share(word).is_none() => Err(words.wrong(format!("{SHARE}, `gemodel` or `state`"))),
            _ => Ok(Loss::Random(chance(words)?)),
        },
    }
}

/// Reads a probability, 0 by default, that is at most 100% with another one.
fn together(words: &mut Words<'_>, other: Share, names: &str) -> Result<Share, NotAnImpairment> {
    let Some(word) = words.peek() else { return Ok(Share::default()) };
    if share(word).is_some_and(|share| share > other.rest()) {
        return Err(words.wrong(format!("{names} to be at most 100% together")));
    }
    Ok(words.may(share, SHARE)?.unwrap_or_default())
}

/// Reads words into a place that is still empty.
fn once<'t, T>(
    place: &mut Option<T>,
    words: &mut Words<'t>,
    read: impl Fn(&mut Words<'t>) -> Result<T, NotAnImpairment>,
) -> Result<(), NotAnImpairment> {
    if place.is_some() {
        let word = words.all.get(words.next.saturating_sub(1)).copied().unwrap_or_default();
        return Err(words.wrong_before(format!("a second `{word}`"), "each part once"));
    }
    *place = Some(read(words)?);
    Ok(())
}

impl FromStr for Impairment {
    type Err = NotAnImpairment;

    /// Reads the words that `tc` takes after `netem`; what stands before that word is passed over.
    fn from_str(text: &str) -> Result<Impairment, NotAnImpairment> {
        let all: Vec<&str> = text.split_whitespace().take(WORDS_MAX + 1).collect();
        let next = all.iter().position(|word| *word == "netem").map_or(0, |place| place + 1);
        let mut words = Words { all, next };
        if words.all.len() > WORDS_MAX {
            words.next = WORDS_MAX;
            return Err(words.wrong(format!("at most {WORDS_MAX} words")));
        }
        if words.peek().is_none() {
            return Err(words.wrong(PARTS));
        }
        let mut read = Impairment::default();
        let (mut spread, mut behind) = (None, None);
        while let Some(part) = words.take() {
            match part {
                "loss" | "drop" => once(&mut read.loss, &mut words, loss)?,
                "corrupt" => once(&mut read.corrupt, &mut words, chance)?,
                "duplicate" => once(&mut read.duplicate, &mut words, chance)?,
                "delay" | "latency" => once(&mut read.delay, &mut words, delay)?,
                "distribution" => once(&mut spread, &mut words, |words| {
                    let at = words.next + 1;
                    words.need(distribution, "uniform, normal, pareto or paretonormal").map(|it| (at, it))
                })?,
                "reorder" => once(&mut read.reorder, &mut words, |words| {
                    Ok(Reorder { chance: chance(words)?, gap: 1 })
                })?,
                "gap" => once(&mut behind, &mut words, |words| {
                    let at = words.next + 1;
                    words.need(gap, GAP).map(|gap| (at, gap))
                })?,
                "rate" => once(&mut read.rate_kbps, &mut words, |words| words.need(rate, RATE))?,
                other => return Err(unknown(&words, other)),
            }
        }
        let end = words.all.len() + 1;
        let absent = |word, found: &str, expected: &str| {
            Err(NotAnImpairment { word, found: found.to_owned(), expected: expected.to_owned() })
        };
        match (&mut read.delay, spread) {
            (Some(delay), Some((_, distribution))) if delay.jitter_us > 0 => {
                delay.distribution = distribution
            }
            (_, Some((at, _))) => {
                return absent(at, "a distribution without a jitter", "`delay` with two times");
            }
            _ => {}
        }
        match (&mut read.reorder, behind) {
            (Some(reorder), Some((_, gap))) => reorder.gap = gap,
            (None, Some((at, _))) => return absent(at, "a gap without `reorder`", "`reorder` with a share"),
            _ => {}
        }
        if read.reorder.is_some() && read.delay.is_none_or(|delay| delay.mean_us == 0) {
            return absent(end, "`reorder` without a delay", "`delay`: the others are overtaken by that");
        }
        Ok(read)
    }
}

fn delay(words: &mut Words<'_>) -> Result<Delay, NotAnImpairment> {
    let mean_us = words.need(time, TIME)?;
    let jitter_us = words.may(time, TIME)?.unwrap_or(0);
    let correlation = words.may(share, SHARE)?.unwrap_or_default();
    Ok(Delay { mean_us, jitter_us, correlation, distribution: Distribution::default() })
}

fn distribution(word: &str) -> Option<Distribution> {
    Distribution::ALL.into_iter().find(|one| one.name() == word)
}

/// A word that begins nothing.
fn unknown(words: &Words<'_>, word: &str) -> NotAnImpairment {
    let expected = match word {
        "limit" => "no `limit`: the wire has no queue that could be full".to_owned(),
        "slot" => "no `slot`: packets are not collected".to_owned(),
        "ecn" => "no `ecn`: packets are lost, not marked".to_owned(),
        _ => PARTS.to_owned(),
    };
    words.wrong_before(quoted(word), expected)
}

impl Display for Share {
    /// `5%`, `0.25%`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (percent, behind) = (self.0 / 10_000, self.0 % 10_000);
        match behind {
            0 => write!(f, "{percent}%"),
            _ => write!(f, "{percent}.{}%", format!("{behind:04}").trim_end_matches('0')),
        }
    }
}

impl Display for Chance {
    /// `5%`, `5% 25%`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.correlation {
            Share(0) => write!(f, "{}", self.share),
            _ => write!(f, "{} {}", self.share, self.correlation),
        }
    }
}

impl Display for Loss {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Random(chance) => write!(f, "loss {chance}"),
            Loss::GilbertElliott { p, r, lost_in_bad, lost_in_good } => {
                write!(f, "loss gemodel {p} {r} {lost_in_bad} {lost_in_good}")
            }
            Loss::FourStates { p13, p31, p32, p23, p14 } => {
                write!(f, "loss state {p13} {p31} {p32} {p23} {p14}")
            }
        }
    }
}

/// A time as netem's users write it.
struct Micros(u64);

impl Display for Micros {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us % 1_000_000 == 0 && us > 0 => write!(f, "{}s", us / 1_000_000),
            us if us % 1_000 == 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{us}us"),
        }
    }
}

impl Display for Delay {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "delay {}", Micros(self.mean_us))?;
        if self.jitter_us > 0 {
            write!(f, " {}", Micros(self.jitter_us))?;
            if self.correlation > Share::default() {
                write!(f, " {}", self.correlation)?;
            }
            write!(f, " distribution {}", self.distribution)?;
        }
        Ok(())
    }
}

impl Display for Impairment {
    /// `netem loss 5% delay 100ms 20ms distribution normal`: what [`FromStr`] reads, and `tc` too.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("netem")?;
        if let Some(loss) = &self.loss {
            write!(f, " {loss}")?;
        }
        if let Some(corrupt) = &self.corrupt {
            write!(f, " corrupt {corrupt}")?;
        }
        if let Some(duplicate) = &self.duplicate {
            write!(f, " duplicate {duplicate}")?;
        }
        if let Some(delay) = &self.delay {
            write!(f, " {delay}")?;
        }
        if let Some(Reorder { chance, gap }) = &self.reorder {
            write!(f, " reorder {chance}")?;
            if *gap > 1 {
                write!(f, " gap {gap}")?;
            }
        }
        if let Some(kbps) = self.rate_kbps {
            write!(f, " rate {kbps}kbit")?;
        }
        Ok(())
    }
}
