use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::compose::tree;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Plan<'a> {
    #[serde(borrow, default)]
    name: Option<&'a str>,
    #[serde(default)]
    retries: u8,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    action: Option<Action>,
    policy: Option<Policy>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Group {
    name: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Action {
    Http { port: u16 },
    Manual(Group),
    Nothing {},
    Unit,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Policy {
    Manual,
    Automatic,
}

fn error(text: &str) -> (String, String, Option<String>) {
    let root = tree(text);
    let error = from_node::<Plan>(&root).unwrap_err();
    let at = &text[error.span.unwrap().range()];
    (error.message, at.to_owned(), error.hint)
}

#[test]
fn a_document_becomes_its_type() {
    let root = tree(
        "apiVersion: x/v1\nkind: Plan\nname: shop\nretries: 5\nratio: 1\ngroups: [{name: a}]\n\
         labels: {1: x}\naction: {http: {port: 80}}\npolicy: Manual\n",
    );
    let decoded = from_node::<Plan>(&root).unwrap();
    assert_eq!(decoded.ignored, None);
    let plan = decoded.value;
    assert_eq!(plan.name, Some("shop"));
    assert_eq!(plan.retries, 5);
    assert_eq!(plan.groups, [Group { name: "a".into() }]);
    assert_eq!(plan.labels["1"], "x");
    assert_eq!(plan.action, Some(Action::Http { port: 80 }));
    assert_eq!(plan.policy, Some(Policy::Manual));
}

#[test]
fn arms_take_maps_and_words() {
    let action = |text| from_node::<Plan>(&tree(text)).unwrap().value.action;
    assert_eq!(action("action: {nothing: {}}"), Some(Action::Nothing {}));
    assert_eq!(action("action: {unit: {}}"), Some(Action::Unit));
    assert_eq!(action("action: unit"), Some(Action::Unit));
    assert_eq!(action("action: {http: null, unit: {}}"), Some(Action::Unit));
    let manual = Action::Manual(Group { name: "x".into() });
    assert_eq!(action("action: {manual: {name: x}}"), Some(manual));
    assert_eq!(action("action:"), None);
}

#[test]
fn types_are_strict() {
    let quote = Some("quote it".to_owned());
    assert_eq!(
        error("name: 1"),
        (
            "expected a string, found the integer `1`".into(),
            "1".into(),
            quote.clone()
        )
    );
    assert_eq!(error("labels: {a: true}").2, quote);
    assert_eq!(
        error("retries: \"5\""),
        (
            "expected an integer, found the string \"5\"".into(),
            "\"5\"".into(),
            Some("remove the quotes".into())
        )
    );
    assert_eq!(error("groups: {a: b}").0, "expected a list, found a map");
    assert_eq!(
        error("retries: 1.5").0,
        "expected an integer, found the number `1.5`"
    );
    assert!(
        error("name: 007")
            .2
            .unwrap()
            .starts_with("`007` is a number to some tools")
    );
    assert_eq!(error("- a").0, "expected a map, found a list");
}

#[test]
fn errors_point_at_the_innermost_node() {
    assert_eq!(error("retries: 300").1, "300");
    assert_eq!(error("groups: [{name: a}, {name: 2}]").1, "2");
    let (message, at, _) = error("groups: [{name: a}, {}]");
    assert_eq!(
        (message.as_str(), at.as_str()),
        ("the field `name` is missing", "{}")
    );
    let (message, at, hint) = error("policy: manual");
    assert_eq!(
        (message.as_str(), at.as_str()),
        ("unknown value \"manual\"", "manual")
    );
    assert_eq!(hint.as_deref(), Some("did you mean `Manual`?"));
    let (_, at, _) = error("action: {htp: {port: 1}}");
    assert_eq!(at, "htp");
    let (_, at, _) = error("action: {http: {port: x}}");
    assert_eq!(at, "x");
    let (_, at, _) = error("action: http");
    assert_eq!(at, "http");
    assert_eq!(
        error("action: {http: {port: 1}, unit: {}}").0,
        "expected a map with exactly one key, found a map"
    );
}

#[test]
fn unknown_keys_are_noticed_once_and_only_real_ones() {
    let text = "kind: Plan\ngroups: [{name: a, nmae: b}]\nother: 1\n";
    let root = tree(text);
    let decoded = from_node::<Plan>(&root).unwrap();
    assert_eq!(&text[decoded.ignored.unwrap().range()], "nmae");
    assert_eq!(
        from_node::<Plan>(&tree("kind: {a: b}")).unwrap().ignored,
        None
    );
    assert_eq!(from_node::<Plan>(&tree("unknown:")).unwrap().ignored, None);
}

#[test]
fn null_counts_as_not_written() {
    let root = tree("name: ~\nretries:\ngroups: null\n");
    let plan = from_node::<Plan>(&root).unwrap().value;
    assert_eq!((plan.name, plan.retries, plan.groups.len()), (None, 0, 0));
}

#[test]
fn untyped_values_are_possible() {
    let value: serde_json::Value = from_node(&tree("a: [1, x, {b: 1.5}]")).unwrap().value;
    assert_eq!(value, serde_json::json!({ "a": [1, "x", { "b": 1.5 }] }));
}
