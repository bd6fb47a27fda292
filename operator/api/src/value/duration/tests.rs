use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Duration {
    text.parse().unwrap()
}

fn refusal(text: &str) -> (String, Option<String>) {
    let error = text.parse::<Duration>().unwrap_err();
    (error.to_string(), error.hint().map(str::to_owned))
}

#[test]
fn reads_each_unit_and_their_sums() {
    for (text, millis) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("15m", 900_000),
        ("2h", 7_200_000),
        ("90d", 7_776_000_000),
        ("1h30m", 5_400_000),
        ("1m500ms", 60_500),
        ("1d2h3m4s5ms", 93_784_005),
        ("0s", 0),
        ("3650d", 315_360_000_000),
    ] {
        assert_eq!(read(text).as_millis(), millis, "{text}");
    }
}

#[test]
fn refuses_every_other_spelling() {
    for text in [
        "", "5", "m", "15M", "-5m", "+5m", "1.5h", "15 m", " 15m", "15m ", "30m1h", "1m2m",
        "1ms2s", "05m", "1w", "1y", "m15", "１５m", "5µs",
    ] {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
}

#[test]
fn compares_by_length_and_prints_as_read() {
    assert_eq!(read("15m"), read("900s"));
    assert_eq!(HashSet::from([read("15m"), read("900s")]).len(), 1);
    assert!(read("59m") < read("1h"));
    assert_eq!(read("900s").to_string(), "900s");
}

#[test]
fn a_computed_one_prints_in_its_shortest_form() {
    assert_eq!(Duration::from_mins(90).to_string(), "1h30m");
    assert_eq!(Duration::ZERO.to_string(), "0s");
    let odd = std::time::Duration::from_nanos(1_500_999_999);
    assert_eq!(Duration::from_std(odd).to_string(), "1s500ms");
    assert_eq!(Duration::from_std(std::time::Duration::MAX), Duration::MAX);
}

#[test]
fn says_what_was_probably_meant() {
    let (message, hint) = refusal("15 min");
    assert_eq!(
        message,
        r#""15 min" is not a duration: write it as 15m, 1h30m or 90d"#
    );
    assert_eq!(hint.as_deref(), Some("did you mean 15m?"));
    assert_eq!(
        refusal("15").1.as_deref(),
        Some("add a unit: 15s, 15m, 15h")
    );
    for (text, meant) in [
        ("1.5h", "1h30m"),
        ("30m1h", "1h30m"),
        ("2 weeks", "14d"),
        ("1 Hour 30 minutes", "1h30m"),
        ("15M", "15m"),
        ("05m", "5m"),
    ] {
        assert_eq!(
            refusal(text).1,
            Some(format!("did you mean {meant}?")),
            "{text}"
        );
    }
    assert_eq!(refusal("soon").1, None);
}

#[test]
fn ten_years_is_the_most() {
    let (message, hint) = refusal("3651d");
    assert_eq!(
        message,
        r#""3651d" is not a duration: it is longer than 10 years (3650d)"#
    );
    assert_eq!(hint, None);
}

#[test]
fn a_number_is_refused_and_told_how_to_be_text() {
    let error = serde_json::from_str::<Duration>("15").unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid type: integer `15`, expected a duration as a string \
         (write it as 15m, 1h30m or 90d) at line 1 column 2"
    );
}

proptest! {
    #[test]
    fn computed_ones_come_back(millis in 0..=Duration::MAX.millis) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(read(&duration.to_string()), duration);
    }

    #[test]
    fn what_the_pattern_allows_is_read_or_too_long(text in FORM.unanchored()) {
        match text.parse::<Duration>() {
            Ok(duration) => prop_assert_eq!(duration.to_string(), text),
            Err(error) => prop_assert!(text.is_empty() || error.to_string().ends_with("(3650d)")),
        }
    }
}
