//! What an action does outside of fabrics (PL-4, NM-6), given what stands there.
//!
//! An action that changes something reads it first. What it makes of it is chosen here, so that it can be
//! tested without a name server or a cluster; the shell reads, sends and reads back.

pub mod dns;
pub mod endpoint;
pub mod job;
mod route;

use drover_api::RecoveryPlanSpec;

pub(crate) use route::is_within;
pub use route::{Route, route};

/// What is said of a plan whose scripts nobody here runs: before anything is stopped, and not when it is
/// their turn (RD-1, SA-9). Nothing where it has none.
pub fn without_scripts(plan: &RecoveryPlanSpec) -> Option<String> {
    let actions = plan
        .groups
        .iter()
        .flat_map(|group| group.before.iter().chain(&group.after));
    let mut scripts = actions.filter(|action| action.script.is_some());
    let first = &scripts.next()?.name;
    let more = match scripts.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "this operator runs no scripts, and the plan has {first}{more}: set `scripts.jobs` of the chart, or \
         give `drover run` the flag --scripts jobs"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(after: &serde_json::Value) -> RecoveryPlanSpec {
        serde_json::from_value(json!({
            "sites": { "primary": "seoul", "secondary": "busan" },
            "groups": [{ "name": "data", "protectionGroups": ["data"], "after": after }],
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_with_scripts_says_what_it_needs() {
        // SPEC: RD-1, SA-9, PL-4
        let waits = json!({"name": "settle", "wait": {"for": "1m"}});
        assert_eq!(without_scripts(&plan(&json!([waits]))), None);
        let script = |name: &str| json!({"name": name, "script": {"command": ["true"]}});
        let words = without_scripts(&plan(&json!([waits, script("warm-up"), script("check")])));
        assert!(words.unwrap().contains("warm-up and 1 more"));
    }
}
