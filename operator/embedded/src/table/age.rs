//! How long ago something was, in two or three figures.

use jiff::Timestamp;

/// A length of time in nanoseconds as `kubectl` prints it: `90s`, `5m`, `3d4h`, `2y10d`.
pub fn human_duration(nanoseconds: i128) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    // Clocks may differ a little.
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    if seconds < 0 {
        return "0s".to_owned();
    }
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let pair = |large: i128, unit: &str, small: i128, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{small_unit}"),
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        pair(days, "d", hours % 24, "h")
    } else if years < 2 {
        format!("{days}d")
    } else if years < 8 {
        pair(years, "y", days % 365, "d")
    } else {
        format!("{years}y")
    }
}

/// How long before `now` a time was. Nothing written is unknown, what is no time is invalid.
pub(super) fn since(written: &str, now: Timestamp) -> String {
    if written.is_empty() {
        return "<unknown>".to_owned();
    }
    match written.parse::<Timestamp>() {
        Ok(then) => human_duration(now.as_nanosecond() - then.as_nanosecond()),
        Err(_) => "<invalid>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_those_of_kubectl() {
        // SPEC: KU-2
        let (minute, hour, day) = (60, 3600, 86_400);
        for (seconds, words) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (5 * minute + 7, "5m7s"),
            (10 * minute + 7, "10m"),
            (179 * minute, "179m"),
            (3 * hour, "3h"),
            (3 * hour + 5 * minute, "3h5m"),
            (47 * hour, "47h"),
            (3 * day + 4 * hour, "3d4h"),
            (7 * day, "7d"),
            (100 * day, "100d"),
            (729 * day, "729d"),
            (740 * day, "2y10d"),
            (9 * 365 * day, "9y"),
        ] {
            assert_eq!(human_duration(seconds * 1_000_000_000), words);
        }
    }
}
