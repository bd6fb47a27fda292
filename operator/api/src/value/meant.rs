//! What a person probably meant by a text that is not quite a value. Only for hints: nothing here
//! ever decides what a field holds.

use super::number::Decimal;

/// The milliseconds of `15 min`, `1.5h` or `2 weeks`.
pub(super) fn duration_millis(text: &str) -> Option<u64> {
    let text = text.to_lowercase().replace([' ', ',', '_'], "");
    let mut rest = text.trim_start_matches('0');
    let mut millis = 0_u128;
    while !rest.is_empty() {
        let (number, after) = Decimal::split_from(rest)?;
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        millis += number.times(millis_of(unit)?)?;
        rest = after;
    }
    // Nothing, or beyond what a duration holds, is no help as a suggestion.
    u64::try_from(millis)
        .ok()
        .filter(|millis| (1..=super::Duration::MAX.as_millis()).contains(millis))
}

fn millis_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "w" | "week" | "weeks" => 7 * 86_400_000,
        "d" | "day" | "days" => 86_400_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 1,
        _ => return None,
    })
}

/// `20 GiB`, `20GB` and `20gi` without the byte sign, in the right case.
pub(super) fn quantity(text: &str, suffixes: &[(&'static str, u64)]) -> Option<String> {
    let text = text.replace([' ', '_', ','], "");
    let (_, unit) = Decimal::split_from(&text)?;
    let number = &text[..text.len() - unit.len()];
    let lower = unit.to_lowercase();
    let bare = ["bytes", "byte", "b"]
        .iter()
        .find_map(|sign| lower.strip_suffix(sign))
        .unwrap_or(&lower);
    let (suffix, _) = suffixes
        .iter()
        .find(|(suffix, _)| suffix.to_lowercase() == bare)?;
    Some(format!("{number}{suffix}"))
}

/// `200 Mbps`, `200Mb/s` and `200mbit` as `200Mbit`. A capital `B` may mean bytes: no suggestion.
pub(super) fn bandwidth(text: &str) -> Option<String> {
    let text = text.replace([' ', '_', ','], "");
    let (_, unit) = Decimal::split_from(&text)?;
    let number = &text[..text.len() - unit.len()];
    let mut letters = unit.chars();
    let prefix = match letters.next()? {
        'k' | 'K' => 'k',
        'm' | 'M' => 'M',
        'g' | 'G' => 'G',
        't' | 'T' => 'T',
        _ => return None,
    };
    matches!(
        letters.as_str(),
        "" | "b" | "bit" | "bits" | "bps" | "b/s" | "bit/s" | "bits/s" | "Bit" | "BIT"
    )
    .then(|| format!("{number}{prefix}bit"))
}
