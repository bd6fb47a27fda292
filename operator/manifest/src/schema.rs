//! The `OpenAPI` v3 schema of a kind, compiled once into what the check needs.
//!
//! What is compiled is what a `CustomResourceDefinition` may hold. CEL rules
//! (`x-kubernetes-validations`) are not: the engine states the same facts natively.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value as Json;

/// A schema deeper than this is cut; a real one has about ten levels.
const MAX_DEPTH: usize = 64;

/// What a value must be.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) allowed: Vec<String>,
    pub(crate) format: Option<String>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) minimum: Option<Bound>,
    pub(crate) maximum: Option<Bound>,
    pub(crate) multiple_of: Option<f64>,
    /// In the order of the schema, which is the order of documentation.
    pub(crate) properties: Vec<(String, Schema)>,
    /// Indexes of `properties`, sorted by name.
    by_name: Vec<usize>,
    pub(crate) required: Vec<String>,
    pub(crate) additional: Additional,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) list: ListType,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

/// The types of `OpenAPI`, and Kubernetes' one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// What else an object may hold.
#[derive(Debug, Default)]
pub(crate) enum Additional {
    /// Nothing but its properties.
    #[default]
    Nothing,
    /// Anything.
    Anything,
    /// Values of this schema, as in a map of labels.
    Values(Box<Schema>),
}

/// How a list is merged, and thereby what may not be twice in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    /// Items are known by these fields.
    Map(Vec<String>),
}

/// A limit for numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) exclusive: bool,
}

#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) source: String,
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern that this dialect cannot read is taken to match: the API server decides.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let regex = self.regex.get_or_init(|| Regex::new(&self.source).ok());
        regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

impl Schema {
    /// Compiles `openAPIV3Schema`. What it cannot read it does not check.
    pub(crate) fn compile(json: &Json) -> Self {
        Self::at_depth(json, 0)
    }

    /// The property of this name.
    pub(crate) fn property(&self, name: &str) -> Option<&Schema> {
        let found = self
            .by_name
            .binary_search_by(|index| self.properties[*index].0.as_str().cmp(name))
            .ok()?;
        Some(&self.properties[self.by_name[found]].1)
    }

    /// Sets or replaces a property.
    pub(crate) fn set_property(&mut self, name: &str, schema: Schema) {
        match self.properties.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = schema,
            None => self.properties.push((name.to_owned(), schema)),
        }
        self.sort();
    }

    /// The names of the properties, in the order of the schema.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|(name, _)| name.as_str())
    }

    fn at_depth(json: &Json, depth: usize) -> Self {
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let count = |key: &str| json.get(key).and_then(Json::as_u64);
        let flag = |key: &str| json.get(key).and_then(Json::as_bool).unwrap_or_default();
        if depth > MAX_DEPTH {
            return Self {
                additional: Additional::Anything,
                ..Self::default()
            };
        }
        let inner = |value: &Json| Self::at_depth(value, depth + 1);
        let schemas = |key: &str| match json.get(key) {
            Some(Json::Array(all)) => all.iter().map(inner).collect(),
            _ => Vec::new(),
        };
        let properties = match json.get("properties") {
            Some(Json::Object(all)) => all
                .iter()
                .map(|(name, value)| (name.clone(), inner(value)))
                .collect(),
            _ => Vec::new(),
        };
        let mut schema = Self {
            kind: kind(json),
            nullable: flag("nullable"),
            allowed: strings(json.get("enum")),
            format: text("format"),
            pattern: text("pattern").map(|source| Pattern {
                source,
                regex: OnceLock::new(),
            }),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            minimum: bound(json, "minimum", "exclusiveMinimum"),
            maximum: bound(json, "maximum", "exclusiveMaximum"),
            multiple_of: json.get("multipleOf").and_then(Json::as_f64),
            additional: additional(json, properties.is_empty(), &inner),
            properties,
            by_name: Vec::new(),
            required: strings(json.get("required")),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            items: json.get("items").map(|value| Box::new(inner(value))),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            list: list_type(json),
            all_of: schemas("allOf"),
            any_of: schemas("anyOf"),
            one_of: schemas("oneOf"),
            not: json.get("not").map(|value| Box::new(inner(value))),
        };
        schema.sort();
        schema
    }

    fn sort(&mut self) {
        let properties = &self.properties;
        self.by_name = (0..properties.len()).collect();
        self.by_name
            .sort_unstable_by(|a, b| properties[*a].0.cmp(&properties[*b].0));
    }
}

fn kind(json: &Json) -> Kind {
    let set = |key: &str| json.get(key) == Some(&Json::Bool(true));
    if set("x-kubernetes-int-or-string") {
        return Kind::IntOrString;
    }
    match json.get("type").and_then(Json::as_str) {
        Some("object") => Kind::Object,
        Some("array") => Kind::Array,
        Some("string") => Kind::String,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        _ if json.get("properties").is_some() => Kind::Object,
        _ => Kind::Any,
    }
}

fn strings(json: Option<&Json>) -> Vec<String> {
    let all = json
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter()
        .filter_map(|each| each.as_str().map(str::to_owned))
        .collect()
}

/// `exclusiveMinimum` is a flag in `OpenAPI` 3.0 and a number in JSON Schema.
fn bound(json: &Json, key: &str, exclusive_key: &str) -> Option<Bound> {
    let exclusive = json.get(exclusive_key);
    if let Some(value) = exclusive.and_then(Json::as_f64) {
        return Some(Bound {
            value,
            exclusive: true,
        });
    }
    let value = json.get(key)?.as_f64()?;
    Some(Bound {
        value,
        exclusive: exclusive.and_then(Json::as_bool).unwrap_or_default(),
    })
}

fn additional(json: &Json, no_properties: bool, inner: &dyn Fn(&Json) -> Schema) -> Additional {
    if json.get("x-kubernetes-preserve-unknown-fields") == Some(&Json::Bool(true)) {
        return Additional::Anything;
    }
    match json.get("additionalProperties") {
        Some(Json::Bool(false)) => Additional::Nothing,
        Some(Json::Bool(true)) => Additional::Anything,
        Some(value) => Additional::Values(Box::new(inner(value))),
        // `metadata: {type: object}` says nothing of its fields; `properties: {}` says that there
        // are none.
        None if no_properties && json.get("properties").is_none() => Additional::Anything,
        None => Additional::Nothing,
    }
}

fn list_type(json: &Json) -> ListType {
    match json.get("x-kubernetes-list-type").and_then(Json::as_str) {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map(strings(json.get("x-kubernetes-list-map-keys"))),
        _ => ListType::Atomic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_property_is_found_by_name() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "properties": { "z": { "type": "string" }, "a": { "type": "integer" } },
        }));
        assert_eq!(
            schema.property("z").map(|each| each.kind),
            Some(Kind::String)
        );
        assert_eq!(
            schema.property("a").map(|each| each.kind),
            Some(Kind::Integer)
        );
        assert!(schema.property("b").is_none());
        assert!(matches!(schema.additional, Additional::Nothing));
    }

    #[test]
    fn an_object_without_properties_is_open() {
        let open = Schema::compile(&json!({ "type": "object" }));
        assert!(matches!(open.additional, Additional::Anything));
        let closed = Schema::compile(&json!({ "type": "object", "properties": {} }));
        assert!(matches!(closed.additional, Additional::Nothing));
    }

    #[test]
    fn both_ways_to_exclude_a_bound_are_read() {
        let flag = Schema::compile(&json!({ "minimum": 1, "exclusiveMinimum": true }));
        let number = Schema::compile(&json!({ "exclusiveMinimum": 1 }));
        assert_eq!(flag.minimum, number.minimum);
    }

    #[test]
    fn a_pattern_of_another_dialect_matches() {
        let schema = Schema::compile(&json!({ "pattern": "(?!a)b" }));
        assert!(schema.pattern.is_some_and(|pattern| pattern.matches("x")));
    }
}
