//! Wall-clock times, for windows.

use std::fmt;
use std::str::FromStr;

use super::ValueError;
use super::form::{Form, text_value};

pub(super) const FORM: Form = Form {
    noun: "a time of day",
    how: "write it as 22:00, from 00:00 to 23:59",
    format: Some("drover-time-of-day"),
    pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$",
    min_length: 5,
    max_length: 5,
    description: "A time of day on a 24-hour clock, HH:MM, from 00:00 to 23:59. Example: 22:00",
};

/// A wall-clock time on a 24-hour clock, `HH:MM`, such as `22:00`.
///
/// `24:00` is refused: it is the `00:00` of the next day, and two names for one moment make a
/// window that starts and ends at midnight ambiguous. In YAML, put quotes around it: an old parser
/// takes `22:00` for the number 1320.
///
/// ```
/// use drover_api::value::TimeOfDay;
///
/// let start: TimeOfDay = "22:00".parse()?;
/// assert_eq!(start.minutes_since_midnight(), 1320);
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

impl TimeOfDay {
    /// `00:00`, where the day begins.
    pub const MIDNIGHT: Self = Self { hour: 0, minute: 0 };

    /// The time at this hour (0 to 23) and minute (0 to 59); `None` beyond them.
    pub const fn new(hour: u8, minute: u8) -> Option<Self> {
        if hour < 24 && minute < 60 {
            Some(Self { hour, minute })
        } else {
            None
        }
    }

    /// 0 to 23.
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// 0 to 59.
    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// 0 to 1439.
    pub const fn minutes_since_midnight(self) -> u16 {
        self.hour as u16 * 60 + self.minute as u16
    }

    /// As jiff has it.
    pub fn to_jiff(self) -> jiff::civil::Time {
        // Both are in range by construction, so the default is never taken.
        jiff::civil::Time::new(self.hour.cast_signed(), self.minute.cast_signed(), 0, 0)
            .unwrap_or_default()
    }
}

impl FromStr for TimeOfDay {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text).ok_or_else(|| FORM.refuse(text).with_hint(hint(text)))
    }
}

fn parse(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.split_once(':')?;
    TimeOfDay::new(two_digits(hour)?, two_digits(minute)?)
}

fn two_digits(text: &str) -> Option<u8> {
    let is_two_digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    is_two_digits.then(|| text.parse().ok()).flatten()
}

fn hint(text: &str) -> Option<String> {
    if text == "24:00" {
        return Some("write 00:00 for the midnight that ends a day".to_owned());
    }
    // 9:00, and 22:00:00 with seconds that say nothing.
    let meant = parse(&format!("0{text}")).or_else(|| parse(text.strip_suffix(":00")?))?;
    Some(format!("did you mean {meant}?"))
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

text_value!(TimeOfDay, FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> ValueError {
        text.parse::<TimeOfDay>().unwrap_err()
    }

    #[test]
    fn reads_the_whole_day_and_nothing_else() {
        for text in ["00:00", "05:00", "22:00", "23:59"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in [
            "", "24:00", "23:60", "9:00", "22.00", "22:0", "+2:00", "22:00 ", "10pm",
        ] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_was_probably_meant() {
        let midnight = refusal("24:00");
        assert_eq!(
            midnight.to_string(),
            r#""24:00" is not a time of day: write it as 22:00, from 00:00 to 23:59"#
        );
        assert_eq!(
            midnight.hint(),
            Some("write 00:00 for the midnight that ends a day")
        );
        assert_eq!(refusal("9:30").hint(), Some("did you mean 09:30?"));
        assert_eq!(refusal("22:15:00").hint(), Some("did you mean 22:15?"));
        assert_eq!(refusal("noon").hint(), None);
    }

    #[test]
    fn becomes_a_civil_time() {
        let time = TimeOfDay::new(22, 15).unwrap();
        assert_eq!(time.to_jiff(), jiff::civil::time(22, 15, 0, 0));
    }

    proptest! {
        #[test]
        fn what_the_pattern_allows_is_read(text in FORM.unanchored()) {
            prop_assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
    }
}
