//! The rules (CEL) in the definitions of the kinds.

use drover_api::{KINDS, crd};
use serde_json::Value;

/// One rule at one place of one kind.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The kind and the path to the value that the rule is about, such as `RecoveryPlan.spec.commit`.
    pub at: String,
    /// The expression.
    pub rule: String,
    /// What whoever breaks it is told.
    pub message: String,
}

impl Rule {
    /// Whether it is about a change, so that no single manifest can break it.
    pub fn is_about_a_change(&self) -> bool {
        self.rule.contains("oldSelf")
    }
}

/// All rules of all kinds.
///
/// # Errors
///
/// As [`crd::definition`].
pub fn all() -> Result<Vec<Rule>, crd::Error> {
    let mut rules = Vec::new();
    for info in KINDS {
        let crd = crd::definition(info)?;
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        collect(schema, info.kind, &mut rules);
    }
    Ok(rules)
}

fn collect(schema: &Value, at: &str, rules: &mut Vec<Rule>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        rules.push(Rule {
            at: at.to_owned(),
            rule: text("rule"),
            message: text("message"),
        });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, &format!("{at}.{name}"), rules);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            collect(&schema[inner], &format!("{at}[]"), rules);
        }
    }
}
