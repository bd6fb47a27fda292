//! What a schema says of one field, in words: for the pages of the kinds, and for `drover explain`.
//!
//! The schemas are those of [`KindInfo::schema`](crate::KindInfo), which still name the formats that only
//! Drover knows. `quote` is how a literal is set apart from prose.

use serde_json::Value;

/// The type of a field: `text`, `duration`, `list of text`, or the words it may be.
pub fn kind(schema: &Value, quote: fn(&str) -> String) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| literal(word, quote)).collect();
        return words.join(", ");
    }
    let format = schema["format"].as_str().unwrap_or_default();
    match (schema["type"].as_str().unwrap_or_default(), format) {
        ("array", _) => format!("list of {}", kind(&schema["items"], quote)),
        ("object", _) if schema["additionalProperties"].is_object() => "map of text".to_owned(),
        ("string", "date-time") => "instant".to_owned(),
        ("string", "cidr") => "subnet".to_owned(),
        ("string", own) if own.starts_with("drover-") => own["drover-".len()..].replace('-', " "),
        ("string", _) => "text".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The bounds of a value, and of each entry of a list of values. Those that its type stands for are not
/// told: nobody reads the pattern or the length of a duration.
pub fn bounds(schema: &Value, quote: fn(&str) -> String) -> Vec<String> {
    let mut bounds = own_bounds(schema, quote);
    if schema["type"] == "array" && schema["items"]["type"] != "object" {
        let each = own_bounds(&schema["items"], quote).into_iter();
        bounds.extend(each.map(|bound| format!("each {bound}")));
    }
    bounds
}

fn own_bounds(schema: &Value, quote: fn(&str) -> String) -> Vec<String> {
    let format = schema["format"].as_str().unwrap_or_default();
    let stands_for_its_own = format.starts_with("drover-") || format == "cidr";
    let mut bounds = Vec::new();
    let mut range = |least: &str, most: &str, what: &str| {
        let [least, most] = [least, most].map(|keyword| schema[keyword].as_u64());
        match (least, most) {
            (Some(least), Some(most)) if least == most => bounds.push(format!("{least}{what}")),
            (Some(least), Some(most)) => bounds.push(format!("{least} to {most}{what}")),
            (None, Some(most)) => bounds.push(format!("at most {most}{what}")),
            (Some(least), None) if least > 0 => bounds.push(format!("at least {least}{what}")),
            _ => {}
        }
    };
    range("minItems", "maxItems", " entries");
    // Fields of which exactly one is set are told in words; only a map has entries.
    if schema["additionalProperties"].is_object() {
        range("minProperties", "maxProperties", " entries");
    }
    if schema["enum"].is_null() && !stands_for_its_own {
        range("minLength", "maxLength", " characters");
    }
    range("minimum", "maximum", "");
    if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
        let keys: Vec<String> = keys.iter().map(|key| literal(key, quote)).collect();
        bounds.push(format!("{} is unique", keys.join(", ")));
    }
    bounds
}

/// The default, where there is one that its fields do not tell by themselves.
pub fn default(schema: &Value, quote: fn(&str) -> String) -> Option<String> {
    match &schema["default"] {
        Value::Null => None,
        Value::Object(fields) => {
            let mut fields = fields.iter();
            let told = fields.all(|(name, value)| schema["properties"][name]["default"] == *value);
            (!told).then(|| literal(&schema["default"], quote))
        }
        value => Some(literal(value, quote)),
    }
}

/// What rules of this place say to who breaks them.
pub fn rules(schema: &Value) -> impl Iterator<Item = &str> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let rules = rules.into_iter().flatten();
    rules.filter_map(|rule| rule["message"].as_str())
}

/// What it says, on one line.
pub fn says(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a path goes on in: the entries of a list, else the value itself.
pub fn inner(schema: &Value) -> &Value {
    if schema["type"] == "array" {
        &schema["items"]
    } else {
        schema
    }
}

/// Whether a field of an object must be there.
pub fn is_required(schema: &Value, field: &str) -> bool {
    let required = schema["required"].as_array();
    required.is_some_and(|names| names.iter().any(|name| name == field))
}

fn literal(value: &Value, quote: fn(&str) -> String) -> String {
    match value.as_str() {
        Some(text) => quote(text),
        None => quote(&value.to_string()),
    }
}
