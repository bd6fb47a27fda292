//! Lists whose order means nothing.

use std::collections::BTreeSet;

use drover_api::selector::{Expression, Operator, Selector};

/// Whether two lists hold the same, in whatever order.
pub(super) fn same_set<T: Ord>(one: &[T], other: &[T]) -> bool {
    let set = |list| -> BTreeSet<&T> { <[T]>::iter(list).collect() };
    one == other || set(one) == set(other)
}

/// Whether two selectors ask for the same, however it is written.
pub(super) fn same_selector(one: Option<&Selector>, other: Option<&Selector>) -> bool {
    one == other || one.map(asks) == other.map(asks)
}

/// What a selector asks for. One label with one value is asked for in two ways.
fn asks(selector: &Selector) -> BTreeSet<(&str, &'static str, BTreeSet<&str>)> {
    let labels = selector.match_labels.iter().map(|(key, value)| {
        let values = BTreeSet::from([value.as_str()]);
        (key.as_str(), operator(Operator::In), values)
    });
    let expressions = selector.match_expressions.iter().map(|expression| {
        let Expression {
            key,
            operator: how,
            values,
        } = expression;
        let values = values.iter().map(String::as_str).collect();
        (key.as_str(), operator(*how), values)
    });
    labels.chain(expressions).collect()
}

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::In => "in",
        Operator::NotIn => "not in",
        Operator::Exists => "exists",
        Operator::DoesNotExist => "does not exist",
    }
}

/// A selector in words: `app=shop, tier in (web, edge)`.
pub(super) fn selector_words(selector: Option<&Selector>) -> String {
    let Some(selector) = selector else {
        return "no selector".to_owned();
    };
    if selector.is_everything() {
        return "every machine".to_owned();
    }
    let parts = asks(selector).into_iter().map(|(key, how, values)| {
        let values: Vec<&str> = values.into_iter().collect();
        match (how, values.as_slice()) {
            ("in", [one]) => format!("{key}={one}"),
            (_, []) => format!("{key} {how}"),
            _ => format!("{key} {how} ({})", values.join(", ")),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(value: serde_json::Value) -> Selector {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_selector_says_the_same_in_several_ways() {
        // SPEC: RD-3
        let one = selector(serde_json::json!({ "matchLabels": { "tier": "web", "app": "shop" } }));
        let other = selector(serde_json::json!({
            "matchLabels": { "app": "shop" },
            "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["web"] }],
        }));
        assert!(same_selector(Some(&one), Some(&other)));
        assert!(!same_selector(Some(&one), None));
        assert_eq!(selector_words(Some(&other)), "app=shop, tier=web");
        assert_eq!(selector_words(Some(&Selector::default())), "every machine");
    }
}
