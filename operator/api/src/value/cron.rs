//! Schedules: when drills run.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Zoned;

use super::ValueError;
use super::cron_field::FIELDS;
use super::form::{Form, compared_by, text_value};

/// What other programs let people write, and what it stands for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

pub(super) const FORM: Form = Form {
    noun: "a cron expression",
    how: "write minute, hour, day of month, month and day of week, such as 0 3 1 * *",
    format: Some("drover-cron"),
    pattern: "^[0-9*,/-]+ +[0-9*,/-]+ +[0-9*,/LWlw-]+ +[0-9A-Za-z*,/-]+ +[0-9A-Za-z*,/#-]+$",
    min_length: 9,
    max_length: 255,
    description: "A schedule as cron has it, in five fields: minute, hour, day of month, month, \
                  day of week. Example: 0 3 1 * * (at 03:00 on the first of each month)",
};

/// A schedule in cron's five fields, such as `0 3 1 * *`: minute, hour, day of month, month and
/// day of week.
///
/// A field is `*`, `*/n`, a value, a range `a-b` or `a-b/n`, or a list of those; months and
/// weekdays have names (`JAN`, `MON`), and Sunday is 0 or 7. Where both day fields are restricted,
/// a day that matches either of them counts, as cron has it. The day of month may be `L` (the
/// last), `LW` (the last weekday) or `15W` (the weekday nearest to the 15th); the day of week
/// `6#1` (the first Saturday) or `6L` (the last).
///
/// An expression that can never fire is refused.
///
/// ```
/// use drover_api::value::Cron;
///
/// let schedule: Cron = "0 3 1 * *".parse()?;
/// let now: jiff::Zoned = "2026-11-20T12:00[Asia/Seoul]".parse().unwrap();
/// let next = schedule.next_after(&now).unwrap();
/// assert_eq!(next.to_string(), "2026-12-01T03:00:00+09:00[Asia/Seoul]");
///
/// let error = "0 0 31 2 *".parse::<Cron>().unwrap_err();
/// assert!(error.to_string().ends_with("it never fires"));
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    text: Box<str>,
    /// Shared, because croner keeps five kilobytes for it.
    schedule: Arc<croner::Cron>,
}

impl Cron {
    /// The first moment after this one at which the schedule fires, in the same time zone.
    ///
    /// Where the clocks go forward over a time, it fires when they have gone; where they go back
    /// over one, it fires once, unless minute or hour is a pattern such as `*/5`. `None` after the
    /// year 5000.
    pub fn next_after(&self, moment: &Zoned) -> Option<Zoned> {
        self.schedule.find_next_occurrence(moment, false).ok()
    }
}

impl FromStr for Cron {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.starts_with('@') {
            return Err(refuse_nickname(text));
        }
        FORM.check_length(text)?;
        check_fields(text)?;
        // The fields are sound, so croner has little left to refuse, and says it in its own terms.
        let schedule: croner::Cron = text.parse().map_err(|_| FORM.refuse(text))?;
        if schedule.find_next_occurrence(&new_cycle(), true).is_err() {
            return Err(FORM.refuse_because(text, "it never fires"));
        }
        Ok(Self {
            text: text.into(),
            schedule: Arc::new(schedule),
        })
    }
}

/// The calendar repeats after 400 years, so what does not fire after this moment never does.
fn new_cycle() -> Zoned {
    jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC)
}

fn check_fields(text: &str) -> Result<(), ValueError> {
    let fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
    if fields.len() != FIELDS.len() || text.starts_with(' ') || text.ends_with(' ') {
        let hint = match fields.as_slice() {
            [first, ..] if first.contains('=') => Some("the time zone is a field of its own"),
            [_, _, _, _, _, _] => Some("there is no field for seconds or years"),
            _ => None,
        };
        return Err(FORM.refuse(text).with_hint(hint));
    }
    for (field, written) in FIELDS.iter().zip(fields) {
        field
            .check(written)
            .map_err(|reason| FORM.refuse_because(text, reason))?;
    }
    Ok(())
}

fn refuse_nickname(text: &str) -> ValueError {
    let meant = NICKNAMES
        .iter()
        .find(|(nickname, _)| *nickname == text)
        .map(|(_, expression)| format!("write {expression} for {text}"));
    FORM.refuse(text).with_hint(meant)
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cron").field(&self.text).finish()
    }
}

compared_by!(Cron, text);
text_value!(Cron, FORM);

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, moment: &str) -> String {
        let schedule: Cron = expression.parse().unwrap();
        let moment: Zoned = moment.parse().unwrap();
        schedule.next_after(&moment).unwrap().datetime().to_string()
    }

    fn refusal(text: &str) -> ValueError {
        text.parse::<Cron>().unwrap_err()
    }

    #[test]
    fn fires_when_cron_does() {
        let friday = "2026-11-20T12:00[Asia/Seoul]";
        for (expression, expected) in [
            ("0 3 1 * *", "2026-12-01T03:00:00"),
            ("*/15 * * * *", "2026-11-20T12:15:00"),
            ("0 22 * * mon-fri", "2026-11-20T22:00:00"),
            ("0 3 * * 7", "2026-11-22T03:00:00"),
            ("0 3 * * 6#1", "2026-12-05T03:00:00"),
            ("0 3 * * SATL", "2026-11-28T03:00:00"),
            ("0 3 L * *", "2026-11-30T03:00:00"),
            ("0 3 1 * 6", "2026-11-21T03:00:00"),
            ("0 0 29 2 *", "2028-02-29T00:00:00"),
            ("0  3  1  JAN,JUL  *", "2027-01-01T03:00:00"),
        ] {
            assert_eq!(next(expression, friday), expected, "{expression}");
        }
    }

    #[test]
    fn is_after_the_moment_never_at_it() {
        let at_three = next("0 3 1 * *", "2026-12-01T03:00[UTC]");
        assert_eq!(at_three, "2027-01-01T03:00:00");
    }

    #[test]
    fn fires_once_when_the_clocks_change() {
        let forward = next("30 2 * * *", "2026-03-07T12:00[America/New_York]");
        assert_eq!(forward, "2026-03-08T03:00:00");
        let first = "2026-11-01T01:30-04:00[America/New_York]";
        assert_eq!(next("30 1 * * *", first), "2026-11-02T01:30:00");
    }

    #[test]
    fn what_never_fires_is_refused() {
        for text in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            let message = refusal(text).to_string();
            assert_eq!(
                message,
                format!("{text:?} is not a cron expression: it never fires")
            );
        }
    }

    #[test]
    fn refuses_other_dialects_and_says_what_to_write() {
        assert_eq!(refusal("@daily").hint(), Some("write 0 0 * * * for @daily"));
        assert_eq!(refusal("@reboot").hint(), None);
        assert_eq!(
            refusal("0 0 3 1 * *").hint(),
            Some("there is no field for seconds or years")
        );
        assert_eq!(
            refusal("TZ=Asia/Seoul 0 3 1 * *").hint(),
            Some("the time zone is a field of its own")
        );
        for text in [
            "",
            "0 3 1 *",
            " 0 3 1 * *",
            "0 3 1 * * ",
            "0\t3 1 * *",
            "? ? ? ? ?",
        ] {
            assert!(text.parse::<Cron>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_as_it_was_read() {
        let text = "0  3 1-7/2 jan Mon,WED";
        assert_eq!(text.parse::<Cron>().unwrap().to_string(), text);
    }
}
