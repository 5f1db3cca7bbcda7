//! What a figure may be, and when two are the same.

use std::fmt;

use serde::Serialize;

/// A measured value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Value {
    /// A time, in seconds.
    Seconds(f64),
    /// How each wait compares with the one before it.
    Ratios(Vec<f64>),
    /// A number of something.
    Count(u64),
    /// What was said.
    Text(String),
}

/// Two times are the same where they differ by no more than this part of the longer one,
const SECONDS_PART: f64 = 0.25;
/// or by no more than this, in seconds: what a busy machine may add.
const SECONDS_MIN: f64 = 0.02;
/// Two ratios are the same where they differ by no more than this.
const RATIO: f64 = 0.3;

impl Value {
    /// Whether two figures are the same, within the tolerance. Of ratios those that both have are compared.
    pub fn is_like(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Seconds(one), Value::Seconds(two)) => {
                (one - two).abs() <= (one.max(*two) * SECONDS_PART).max(SECONDS_MIN)
            }
            (Value::Ratios(one), Value::Ratios(two)) => {
                one.iter().zip(two).all(|(one, two)| is_ratio(*one, *two))
            }
            _ => self == other,
        }
    }
}

/// Whether a measured ratio is that one, within the tolerance.
pub(super) fn is_ratio(measured: f64, ratio: f64) -> bool {
    (measured - ratio).abs() <= RATIO
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Seconds(seconds) if *seconds < 1.0 => write!(f, "{:.0} ms", seconds * 1000.0),
            Value::Seconds(seconds) => write!(f, "{seconds:.2} s"),
            Value::Ratios(ratios) => {
                let words: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.1}")).collect();
                f.write_str(&words.join(" "))
            }
            Value::Count(count) => write!(f, "{count}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_alike_within_a_quarter_or_20_ms() {
        let alike = |one, two| Value::Seconds(one).is_like(&Value::Seconds(two));
        assert!(alike(1.0, 1.3) && alike(1.3, 1.0) && alike(0.2, 0.26) && alike(0.0, 0.019));
        assert!(!alike(1.0, 1.4) && !alike(0.2, 0.3) && !alike(0.0, 0.04));
    }

    #[test]
    fn ratios_are_alike_one_by_one() {
        let alike = |one: &[f64], two: &[f64]| Value::Ratios(one.into()).is_like(&Value::Ratios(two.into()));
        assert!(alike(&[2.0, 2.1, 1.9], &[2.0, 1.9]));
        assert!(!alike(&[1.0, 2.0], &[2.0, 2.0]) && !alike(&[2.0, 1.0], &[2.0, 2.0]));
    }

    #[test]
    fn counts_and_words_are_alike_where_they_are_equal() {
        assert!(Value::Count(3).is_like(&Value::Count(3)) && !Value::Count(3).is_like(&Value::Count(2)));
        assert!(!Value::Text("a".into()).is_like(&Value::Text("b".into())));
        assert!(!Value::Count(3).is_like(&Value::Seconds(3.0)));
    }

    #[test]
    fn values_are_written_with_their_units() {
        assert_eq!(Value::Seconds(0.2034).to_string(), "203 ms");
        assert_eq!(Value::Seconds(1.024).to_string(), "1.02 s");
        assert_eq!(Value::Ratios(vec![1.0, 2.04]).to_string(), "1.0 2.0");
    }
}
