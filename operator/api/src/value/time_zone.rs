//! Time zones, for windows and schedules.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;

use super::ValueError;
use super::form::{Form, compared_by, text_value};

/// The zones this program was built with: every replica of it, and the command line on somebody's
/// machine, must come to the same answer, whatever `/usr/share/zoneinfo` holds there.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What jiff calls the zone of somebody who does not know theirs; it counts as UTC in silence.
const UNKNOWN: &str = "Etc/Unknown";

pub(super) const FORM: Form = Form {
    noun: "a time zone",
    how: "write its IANA name, such as Asia/Seoul or UTC",
    format: Some("drover-time-zone"),
    pattern: "^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}$",
    min_length: 2,
    max_length: 64,
    description: "A time zone, by its name in the IANA time zone database. Example: Asia/Seoul",
};

/// A time zone by its IANA name, such as `Asia/Seoul`.
///
/// Checked against the database built into this program. An offset such as `+09:00` is no time
/// zone: it does not know when the clocks change.
///
/// ```
/// use drover_api::value::TimeZone;
///
/// let zone: TimeZone = "Asia/Seoul".parse()?;
/// let at_six = jiff::civil::date(2026, 11, 20).at(6, 0, 0, 0);
/// assert_eq!(
///     at_six.to_zoned(zone.to_jiff()).unwrap().timestamp().to_string(),
///     "2026-11-19T21:00:00Z"
/// );
///
/// let error = "seoul".parse::<TimeZone>().unwrap_err();
/// assert_eq!(error.hint(), Some("did you mean Asia/Seoul?"));
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Clone)]
pub struct TimeZone {
    name: Box<str>,
    zone: jiff::tz::TimeZone,
}

impl TimeZone {
    /// Coordinated Universal Time, where nothing else is said.
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As jiff has it, for arithmetic; cheap.
    pub fn to_jiff(&self) -> jiff::tz::TimeZone {
        self.zone.clone()
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::utc()
    }
}

impl FromStr for TimeZone {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let refuse = || FORM.refuse(text).suggest(meant(text));
        let zone = ZONES.get(text).map_err(|_| refuse())?;
        // The database does not mind the case; people who compare names do.
        if zone.iana_name() != Some(text) || text == UNKNOWN {
            return Err(refuse());
        }
        Ok(Self {
            name: text.into(),
            zone,
        })
    }
}

/// The name in its right case, or the first one that ends in this place.
fn meant(text: &str) -> Option<String> {
    let text = text.replace(' ', "_");
    let known = || ZONES.available().filter(|name| name.as_str() != UNKNOWN);
    let is_place = |name: &str| {
        let place = name.rsplit('/').next().unwrap_or(name);
        place.eq_ignore_ascii_case(&text)
    };
    known()
        .find(|name| name.as_str().eq_ignore_ascii_case(&text))
        .or_else(|| known().find(|name| is_place(name.as_str())))
        .map(|name| name.as_str().to_owned())
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeZone").field(&self.name).finish()
    }
}

compared_by!(TimeZone, name);
text_value!(TimeZone, FORM);

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> ValueError {
        text.parse::<TimeZone>().unwrap_err()
    }

    #[test]
    fn every_zone_of_the_database_is_read_and_printed() {
        let names: Vec<String> = ZONES.available().map(|name| name.to_string()).collect();
        assert!(names.len() > 400, "the bundled database is there");
        for name in names.iter().filter(|name| *name != UNKNOWN) {
            let zone: TimeZone = name.parse().unwrap();
            assert_eq!(zone.to_string(), *name);
        }
    }

    #[test]
    fn refuses_what_is_no_zone() {
        for text in [
            "",
            "Asia/Nowhere",
            "+09:00",
            "KST",
            "asia/seoul",
            "local",
            "Etc/Unknown",
        ] {
            assert!(text.parse::<TimeZone>().is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_was_probably_meant() {
        let error = refusal("asia/seoul");
        assert_eq!(
            error.to_string(),
            r#""asia/seoul" is not a time zone: write its IANA name, such as Asia/Seoul or UTC"#
        );
        assert_eq!(error.hint(), Some("did you mean Asia/Seoul?"));
        assert_eq!(
            refusal("New York").hint(),
            Some("did you mean America/New_York?")
        );
        assert_eq!(refusal("utc").hint(), Some("did you mean UTC?"));
        assert_eq!(refusal("+09:00").hint(), None);
    }

    #[test]
    fn utc_is_the_zone_of_that_name() {
        assert_eq!("UTC".parse(), Ok(TimeZone::utc()));
    }
}
