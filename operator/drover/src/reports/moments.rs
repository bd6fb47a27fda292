//! Instants and lengths of time as people read them.

use std::fmt::Write as _;

use drover_api::value::Duration;
use jiff::Timestamp;

/// From one instant to another; nothing where the second is not later.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    let millis = to.as_millisecond().saturating_sub(from.as_millisecond());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// A length of time in its two largest units: `3d4h`, `12m30s`, `8s`.
pub fn rough(duration: &Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let Some(first) = parts.iter().position(|(number, _)| *number > 0) else {
        return "0s".to_owned();
    };
    let mut text = String::new();
    for (number, unit) in parts[first..].iter().take(2) {
        if *number > 0 {
            let _ = write!(text, "{number}{unit}");
        }
    }
    text
}

/// How long ago something was.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    rough(&between(then, now))
}

/// `2026-11-20 14:03:07`, in UTC; a report is read in more than one time zone.
pub fn full(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `14:03:07`, in UTC.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_to_what_matters() {
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_725, "1h2m"),
            (90_061, "1d1h"),
            (86_401, "1d"),
        ] {
            assert_eq!(rough(&Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn a_clock_that_went_back_gives_nothing() {
        // SPEC: BI-2
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(5).unwrap());
        assert_eq!(between(early, late), Duration::from_secs(5));
        assert_eq!(between(late, early), Duration::ZERO);
    }
}
