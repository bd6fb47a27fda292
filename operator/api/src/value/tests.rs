//! What holds for every value type.

use proptest::prelude::*;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::*;

/// Each format with a text it takes.
const FORMATS: [(&str, &str); 8] = [
    ("drover-duration", "15m"),
    ("drover-quantity", "20Gi"),
    ("drover-bandwidth", "200Mbit"),
    ("drover-address", "10.20.0.11"),
    ("drover-time-of-day", "22:00"),
    ("drover-time-zone", "Asia/Seoul"),
    ("drover-cron", "0 3 1 * *"),
    ("cidr", "10.20.0.0/24"),
];

fn schema_of<T: JsonSchema>() -> Value {
    T::json_schema(&mut SchemaGenerator::default()).to_value()
}

fn schemas() -> Vec<Value> {
    vec![
        schema_of::<Duration>(),
        schema_of::<Quantity>(),
        schema_of::<Bandwidth>(),
        schema_of::<Address>(),
        schema_of::<TimeOfDay>(),
        schema_of::<TimeZone>(),
        schema_of::<Cron>(),
        schema_of::<Cidr>(),
        schema_of::<SiteName>(),
        schema_of::<StepName>(),
        schema_of::<MachineName>(),
    ]
}

#[test]
fn every_format_of_a_schema_is_checked() {
    let in_schemas: Vec<_> = schemas()
        .iter()
        .filter_map(|schema| schema["format"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(in_schemas, FORMATS.map(|(format, _)| format));
    for (format, text) in FORMATS {
        assert_eq!(check_format(format, text), Ok(()));
        assert!(check_format(format, "certainly not").is_err(), "{format}");
    }
}

#[test]
fn every_schema_is_a_bounded_anchored_described_string() {
    for schema in schemas() {
        assert_eq!(schema["type"], "string");
        assert!(schema["maxLength"].as_u64().is_some_and(|n| n <= 255));
        let pattern = schema["pattern"].as_str().unwrap();
        assert!(
            pattern.starts_with('^') && pattern.ends_with('$'),
            "{pattern}"
        );
        assert!(
            schema["description"]
                .as_str()
                .unwrap()
                .contains("Example: ")
        );
    }
}

#[test]
fn a_schema_stands_in_the_place_of_use() {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Objectives {
        rto: Duration,
    }
    let schema = schemars::schema_for!(Objectives).to_value();
    assert_eq!(schema["properties"]["rto"]["format"], "drover-duration");
    assert_eq!(schema.get("$defs"), None);
}

#[test]
fn every_value_prints_in_json_as_it_was_read() {
    fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) {
        let value: T = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(serde_json::to_value(&value).unwrap(), json!(text));
    }
    round_trip::<Duration>("900s");
    round_trip::<Quantity>("1.50Gi");
    round_trip::<Bandwidth>("0.2Gbit");
    round_trip::<Address>("2001:db8::11");
    round_trip::<TimeOfDay>("05:00");
    round_trip::<TimeZone>("US/Pacific");
    round_trip::<Cron>("0  3 1 * *");
    round_trip::<Cidr>("10.20.0.0/24");
    round_trip::<SiteName>("seoul");
    round_trip::<MachineName>("Web Server (old)");
}

#[test]
fn own_formats_are_stripped_at_any_depth_and_nothing_else() {
    let mut schema = json!({ "properties": {
        "format": { "type": "string", "format": "drover-cron", "pattern": "^x$" },
        "list": { "items": { "anyOf": [{ "format": "drover-duration" }, { "format": "int64" }] } },
    } });
    strip_own_formats(&mut schema);
    assert_eq!(
        schema,
        json!({ "properties": {
            "format": { "type": "string", "pattern": "^x$" },
            "list": { "items": { "anyOf": [{}, { "format": "int64" }] } },
        } })
    );
}

proptest! {
    #[test]
    fn no_text_makes_any_type_panic(text in any::<String>()) {
        for (format, _) in FORMATS {
            let _ = check_format(format, &text);
        }
        let _ = text.parse::<SiteName>();
        let _ = text.parse::<StepName>();
        let _ = text.parse::<MachineName>();
    }

    /// Texts of the letters that the types use go deeper than arbitrary ones.
    #[test]
    fn no_near_miss_makes_any_type_panic(text in "[0-9a-fA-FLWdhmsGiMbkt#*,:/. -]{0,24}") {
        for (format, _) in FORMATS {
            let _ = check_format(format, &text);
        }
    }

    #[test]
    fn no_five_fields_make_a_schedule_panic(text in "[0-9LW*/,-]{1,4}( [0-9LW*/,#-]{1,4}){4}") {
        if let Ok(schedule) = text.parse::<Cron>() {
            let start = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
            prop_assert!(schedule.next_after(&start).is_some());
        }
    }
}
