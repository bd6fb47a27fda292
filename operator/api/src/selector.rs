//! Label selectors with bounds, matched without a client.
//!
//! The shape and meaning are those of `metav1.LabelSelector`; the bounds are ours, because the API
//! server prices every rule by the largest object that the schema admits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labels of a machine or a namespace.
pub type Labels = BTreeMap<String, String>;

/// Selects by labels; all parts must match, and an empty selector matches everything.
///
/// ```
/// use drover_api::selector::Selector;
/// let web = Selector { match_labels: [("tier".into(), "web".into())].into(), ..Selector::default() };
/// assert!(web.matches(&[("tier".to_string(), "web".to_string())].into()));
/// assert!(Selector::default().matches(&Default::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Every one of these labels must be present with this value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub match_labels: Labels,
    /// Every one of these expressions must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<Expression>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expression {
    /// The label that the requirement is about.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label relates to `values`.
    pub operator: Operator,
    /// The values for `In` and `NotIn`; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a label relates to the values of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
}

impl Selector {
    /// Whether these labels satisfy every part of the selector.
    pub fn matches(&self, labels: &Labels) -> bool {
        let by_label = self
            .match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value));
        by_label
            && self
                .match_expressions
                .iter()
                .all(|expression| expression.holds(labels))
    }

    /// Whether the selector is empty and so matches everything.
    pub fn is_everything(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

impl Expression {
    fn holds(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.key);
        match self.operator {
            Operator::In => found.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => found.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(operator: Operator, values: &[&str]) -> Selector {
        let values = values.iter().map(ToString::to_string).collect();
        Selector {
            match_expressions: vec![Expression {
                key: "tier".into(),
                operator,
                values,
            }],
            ..Selector::default()
        }
    }

    #[test]
    fn the_four_operators_mean_what_kubernetes_says() {
        let web: Labels = [("tier".to_string(), "web".to_string())].into();
        let none = Labels::new();
        let cases = [
            (expression(Operator::In, &["web"]), true, false),
            (expression(Operator::NotIn, &["web"]), false, true),
            (expression(Operator::Exists, &[]), true, false),
            (expression(Operator::DoesNotExist, &[]), false, true),
        ];
        for (selector, on_web, on_none) in cases {
            assert_eq!(selector.matches(&web), on_web, "{selector:?}");
            assert_eq!(selector.matches(&none), on_none, "{selector:?}");
        }
    }
}
