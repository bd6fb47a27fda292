//! Lengths of time: objectives, intervals, timeouts, retentions.

use std::fmt;
use std::str::FromStr;

use super::ValueError;
use super::form::{Form, compared_by, text_value};
use super::meant;
use super::number::{Decimal, parse_whole, split_digits};

/// In the order they must be written. A month or a year has no fixed length and is no unit.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Ten years in milliseconds has twelve digits.
const DIGITS: usize = 12;

macro_rules! part {
    ($unit:literal) => {
        concat!("((0|[1-9][0-9]{0,11})", $unit, ")?")
    };
}

pub(super) const FORM: Form = Form {
    noun: "a duration",
    how: "write it as 15m, 1h30m or 90d",
    format: Some("drover-duration"),
    pattern: concat!(
        "^",
        part!("d"),
        part!("h"),
        part!("m"),
        part!("s"),
        part!("ms"),
        "$"
    ),
    min_length: 2,
    max_length: 66,
    description: "A length of time: whole numbers with the units d, h, m, s and ms, the largest \
                  first, at most 3650d. Example: 1h30m",
};

/// A length of time, such as `15m`, `1h30m`, `90d` or `500ms`; at most ten years.
///
/// Whole numbers with the units `d`, `h`, `m`, `s` and `ms`, each at most once and the largest
/// first. It prints as it was read, and compares by what it says:
///
/// ```
/// use drover_api::value::Duration;
///
/// let rto: Duration = "900s".parse()?;
/// assert_eq!(rto, Duration::from_mins(15));
/// assert_eq!(rto.to_string(), "900s");
/// assert_eq!(Duration::from_mins(90).to_string(), "1h30m");
/// assert_eq!(rto.as_std(), std::time::Duration::from_secs(900));
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Duration {
    millis: u64,
    /// As it was read; `None` for a computed one, which prints in its shortest form.
    text: Option<Box<str>>,
}

impl Duration {
    /// The longest duration there is: ten years of 365 days.
    pub const MAX: Self = Self {
        millis: 3650 * 86_400_000,
        text: None,
    };

    /// No time at all, `0s`.
    pub const ZERO: Self = Self::from_millis(0);

    /// So many milliseconds; [`MAX`](Self::MAX) when that is longer.
    pub const fn from_millis(millis: u64) -> Self {
        if millis < Self::MAX.millis {
            Self { millis, text: None }
        } else {
            Self::MAX
        }
    }

    /// So many seconds; [`MAX`](Self::MAX) when that is longer.
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// So many minutes; [`MAX`](Self::MAX) when that is longer.
    pub const fn from_mins(mins: u64) -> Self {
        Self::from_millis(mins.saturating_mul(60_000))
    }

    /// So many hours; [`MAX`](Self::MAX) when that is longer.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_millis(hours.saturating_mul(3_600_000))
    }

    /// So many days of 24 hours; [`MAX`](Self::MAX) when that is longer.
    pub const fn from_days(days: u64) -> Self {
        Self::from_millis(days.saturating_mul(86_400_000))
    }

    /// The same length, rounded down to milliseconds; [`MAX`](Self::MAX) when that is longer.
    pub fn from_std(duration: std::time::Duration) -> Self {
        Self::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// The same length as the standard library has it.
    pub const fn as_std(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.millis)
    }

    /// In milliseconds.
    pub const fn as_millis(&self) -> u64 {
        self.millis
    }

    /// In whole seconds, rounded down.
    pub const fn as_secs(&self) -> u64 {
        self.millis / 1_000
    }

    /// Whether it is no time at all.
    pub const fn is_zero(&self) -> bool {
        self.millis == 0
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let millis = parse_millis(text)
            .ok_or_else(|| refuse_with_hint(text, meant::duration_millis(text)))?;
        if millis > Self::MAX.millis {
            return Err(FORM.refuse_because(text, "it is longer than 10 years (3650d)"));
        }
        Ok(Self {
            millis,
            text: Some(text.into()),
        })
    }
}

fn parse_millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut smaller_units = UNITS.iter();
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let (digits, after) = split_digits(rest);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // The iterator never goes back: a unit that comes again or too late is not found.
        let (_, size) = smaller_units.find(|(name, _)| *name == unit)?;
        let part = parse_whole(digits, DIGITS)?.saturating_mul(*size);
        millis = millis.saturating_add(part);
        rest = after;
    }
    (!text.is_empty()).then_some(millis)
}

fn refuse_with_hint(text: &str, meant: Option<u64>) -> ValueError {
    let error = FORM.refuse(text);
    if Decimal::split_from(text).is_some_and(|(_, rest)| rest.is_empty()) {
        return error.with_hint(Some(format!("add a unit: {text}s, {text}m, {text}h")));
    }
    error.suggest(meant.map(Duration::from_millis))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut left = self.millis;
        for (unit, size) in UNITS {
            if left >= size {
                write!(f, "{}{unit}", left / size)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.as_std()
    }
}

compared_by!(Duration, millis);
text_value!(Duration, FORM);

#[cfg(test)]
mod tests;
